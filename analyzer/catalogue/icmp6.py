"""Icmp6: ICMPv6 (RFC 4443), with neighbour discovery (RFC 4861) and multicast listeners (RFC 2710, RFC 3810)."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_IN = "icmpv6_rcv() in net/ipv6/icmp.c"
_OUT = "__ip6_make_skb() in net/ipv6/ip6_output.c, ndisc_send_skb() in net/ipv6/ndisc.c, net/ipv6/mcast.c"

_GENERAL = (
    Counter(
        "Icmp6InMsgs",
        meaning="ICMPv6 messages that reached the ICMPv6 code, wrong ones too. Neighbour discovery makes it move on "
        "every network, without any ping.",
        unit="messages",
        moves="At the receiver, after reassembly, after the INPUT hook of netfilter and the check of group membership.",
        points_at="Neighbour discovery, pings, or errors about what the host sends; the counters by type tell which.",
        reference=f"{_IN}; RFC 2466 ipv6IfIcmpInMsgs",
        observability="exact",
        why="Received ICMPv6 messages to this host or to a group it is in.",
    ),
    Counter(
        "Icmp6InErrors",
        meaning="Received messages that were bad: checksum or length. Also good errors that quote a packet too short to "
        "use, or a TCP or UDP packet of which no socket knows.",
        unit="messages",
        moves="At the receiver; in the protocol that the error quotes where no socket is found for it.",
        points_at="Late errors for connections already closed, or forged ones; then Icmp6InCsumErrors.",
        reference=f"{_IN}, icmpv6_notify(); tcp_v6_err() in net/ipv6/tcp_ipv6.c, __udp6_lib_err() in net/ipv6/udp.c",
        observability="bounded",
        why="Below by received messages with a bad checksum, above by these and the errors that quote TCP or UDP: whether "
        "the socket they are about is there still is in no packet.",
        confidence="medium",
    ),
    Counter(
        "Icmp6OutMsgs",
        meaning="ICMPv6 messages built for sending, by the kernel (neighbour discovery and MLD too), ping sockets and raw "
        "sockets.",
        unit="messages",
        moves="At the sender: ordinary ones when the packet is built, neighbour discovery and MLD after they were sent.",
        points_at="Neighbour discovery, or what the host complains of; the counters by type tell which.",
        reference=f"{_OUT}; RFC 2466 ipv6IfIcmpOutMsgs",
        observability="exact",
        why="Sent ICMPv6 messages with an address of this host, or with :: while addresses are being tried.",
    ),
    Counter(
        "Icmp6OutErrors",
        meaning="Replies and errors that could not be put together, mostly for want of memory or send buffer.",
        unit="messages",
        moves="At the sender, before anything was sent.",
        points_at="A host short of memory; rate limits do not count here (Icmp6OutRateLimitHost).",
        reference="icmp6_send(), icmpv6_echo_reply() in net/ipv6/icmp.c; ping_v6_sendmsg() in net/ipv6/ping.c",
        observability="bounded",
        why="About the received requests and packets that should have had an ICMPv6 answer and got none; failed sends of "
        "ping sockets leave no trace.",
    ),
    Counter(
        "Icmp6InCsumErrors",
        meaning="Received messages whose checksum is wrong. Each is in Icmp6InErrors too, and in no counter of a type.",
        unit="messages",
        moves="At the receiver, before the type is looked at.",
        points_at="Damage on the way, or an address translator that forgot the pseudo header.",
        since="3.10",
        reference=f"{_IN}; RFC 4443 section 2.3",
        observability="exact",
        why="Received ICMPv6 messages whose checksum does not add up.",
    ),
    Counter(
        "Icmp6OutRateLimitHost",
        meaning="Messages not sent because their destination had its share: net.ipv6.icmp.ratelimit (1000 ms), less on "
        "routes wider than /96. The limit of the whole host counts in IcmpOutRateLimitGlobal.",
        unit="messages",
        moves="At the sender, of types in net.ipv6.icmp.ratemask (errors but packet too big); never on loopback.",
        points_at="One peer that keeps sending to a closed port, or traceroute through this host.",
        since="6.3",
        reference="icmpv6_xrlim_allow() in net/ipv6/icmp.c; RFC 4443 section 2.4 (f)",
        observability="bounded",
        why="At most the received packets that should have had an ICMPv6 error and got none.",
    ),
)

# Per type: the name without In or Out, the number, what it is, what a rise of In points at, what one of Out points at.
_TYPES = (
    (
        "DestUnreachs",
        1,
        "destination unreachable",
        "The code tells: no route (0), a firewall (1), no neighbour (3), a closed UDP port (4).",
        "Somebody sends to a closed UDP port (Udp6NoPorts), or this router has no route or neighbour.",
    ),
    (
        "PktTooBigs",
        2,
        "packet too big",
        "Path MTU discovery at work; without it large packets vanish, so firewalls must pass it.",
        "This router stands before a smaller MTU (Ip6InTooBigErrors).",
    ),
    (
        "TimeExcds",
        3,
        "time exceeded",
        "A traceroute of this host, a routing loop (code 0), or fragments that never came (code 1).",
        "traceroute through this router, a routing loop, or incomplete fragments (Ip6ReasmTimeout).",
    ),
    (
        "ParmProblems",
        4,
        "parameter problem",
        "The peer does not know a header or protocol that this host uses.",
        "Unknown protocols or extension headers (Ip6InUnknownProtos, Ip6InHdrErrors).",
    ),
    (
        "Echos",
        128,
        "echo request",
        "Somebody pings this host. Fewer Icmp6OutEchoReplies: net.ipv6.icmp.echo_ignore_all, or a filter.",
        "ping or monitoring on this host.",
    ),
    (
        "EchoReplies",
        129,
        "echo reply",
        "Answers to pings of this host; fewer than Icmp6OutEchos means loss.",
        "Answers to pings.",
    ),
    (
        "GroupMembQueries",
        130,
        "multicast listener query",
        "A router or switch asks for listeners, every two minutes or so. None at all: snooping switches may cut groups.",
        "A multicast routing daemon or a bridge with a querier on this host.",
    ),
    (
        "GroupMembResponses",
        131,
        "multicast listener report (version 1)",
        "Neighbours that still speak MLD version 1.",
        "An MLD version 1 querier on the network, or force_mld_version=1.",
    ),
    (
        "GroupMembReductions",
        132,
        "multicast listener done (version 1)",
        "Neighbours that speak MLD version 1 leave groups; only routers listen.",
        "This host leaves groups while it speaks MLD version 1.",
    ),
    (
        "RouterSolicits",
        133,
        "router solicitation",
        "Hosts that come up and look for a router; only routers are in that group.",
        "An interface of this host came up. Repeated ones mean that no router answers.",
    ),
    (
        "RouterAdvertisements",
        134,
        "router advertisement",
        "The routers of the network. Too many or strange ones: a rogue router, so look at their sources.",
        "radvd or similar on this host.",
    ),
    (
        "NeighborSolicits",
        135,
        "neighbor solicitation",
        "Neighbours look for this host, or check that it is alive. A scan of the prefix shows at its router.",
        "This host looks for neighbours, or tries its own addresses. Many without an answer: dead addresses.",
    ),
    (
        "NeighborAdvertisements",
        136,
        "neighbor advertisement",
        "Answers to this host's solicitations; unsolicited ones tell of a moved address, or of an attack.",
        "Answers to neighbours that look for this host.",
    ),
    (
        "Redirects",
        137,
        "redirect",
        "A router on this network knows a shorter way: the routing table here is not what it should be.",
        "A host on the network uses this router where it should use another directly.",
    ),
    (
        "MLDv2Reports",
        143,
        "multicast listener report (version 2)",
        "Neighbours tell what they listen to; only routers and snooping bridges are in that group.",
        "This host joins or leaves groups, or answers a query. Each new address joins a group.",
    ),
)

# The other types assigned by IANA that a host may meet; /proc lists them as Icmp6InType and Icmp6OutType only.
_OTHERS = {
    138: "router renumbering (RFC 2894)",
    139: "node information query (RFC 4620)",
    140: "node information response (RFC 4620)",
    141: "inverse neighbor discovery solicitation (RFC 3122)",
    142: "inverse neighbor discovery advertisement (RFC 3122)",
    144: "home agent discovery request (RFC 6275)",
    145: "home agent discovery reply (RFC 6275)",
    146: "mobile prefix solicitation (RFC 6275)",
    147: "mobile prefix advertisement (RFC 6275)",
    148: "certification path solicitation (RFC 3971)",
    149: "certification path advertisement (RFC 3971)",
    151: "multicast router advertisement (RFC 4286)",
    152: "multicast router solicitation (RFC 4286)",
    153: "multicast router termination (RFC 4286)",
    155: "RPL control (RFC 6550)",
    157: "duplicate address request (RFC 6775)",
    158: "duplicate address confirmation (RFC 6775)",
    160: "extended echo request, PROBE (RFC 8335)",
    161: "extended echo reply, PROBE (RFC 8335)",
}
_MULTICAST = (130, 131, 132, 143)
_DISCOVERY = (133, 134, 135, 136, 137)


def _rfc(number: int) -> str:
    """Where a type is defined."""
    if number == 143:
        return "RFC 3810"
    if number in _MULTICAST:
        return "RFC 2710"
    return "RFC 4861" if number in _DISCOVERY else "RFC 4443"


def _named(name: str, number: int, what: str, points_in: str, points_out: str) -> tuple[Counter, Counter]:
    """Icmp6In* and Icmp6Out* of one type."""
    return (
        Counter(
            f"Icmp6In{name}",
            meaning=f"Received {what} messages (type {number}) with a right checksum, whatever is then done with them. "
            f"The same number as Icmp6InType{number}.",
            unit="messages",
            moves="At the receiver, once the checksum is right and before the rest of the message is checked.",
            points_at=points_in,
            reference=f"{_IN}, snmp6_seq_show_icmpv6msg() in net/ipv6/proc.c; {_rfc(number)}",
            observability="exact",
            why=f"Received ICMPv6 messages of type {number} to this host or to a group it is in.",
        ),
        Counter(
            f"Icmp6Out{name}",
            meaning=f"{what.capitalize()} messages (type {number}) that the host built for sending. "
            f"The same number as Icmp6OutType{number}.",
            unit="messages",
            moves="At the sender when the packet is built"
            + (", or after it was sent by the kernel." if number in _DISCOVERY + _MULTICAST else "."),
            points_at=points_out,
            reference=f"{_OUT}; {_rfc(number)}",
            observability="exact",
            why=f"Sent ICMPv6 messages of type {number}.",
        ),
    )


def of_type(direction: str, number: int) -> Counter:
    """Icmp6InType<number> or Icmp6OutType<number>."""
    names = {row[1]: (row[0], row[2]) for row in _TYPES}
    alias, what = names.get(number, ("", _OTHERS.get(number, "a type for experiments, reserved or unassigned")))
    received = direction == "In"
    verb = "Received" if received else "Sent"
    return Counter(
        f"Icmp6{direction}Type{number}",
        meaning=f"{verb} ICMPv6 messages of type {number}: {what}."
        + (f" Icmp6{direction}{alias} is the same number." if alias else ""),
        unit="messages",
        moves=f"At the {'receiver, once the checksum is right' if received else 'sender when the packet is built'}; "
        "/proc lists it only once it is not 0.",
        points_at=f"See Icmp6{direction}{alias}."
        if alias
        else "Rare messages: look at the packets themselves, and who sends them.",
        reference=_IN if received else _OUT,
        observability="exact",
        why=f"{verb} ICMPv6 messages of type {number}{' to this host or a group it is in' if received else ''}.",
    )


COUNTERS = (
    _GENERAL
    + tuple(counter for row in _TYPES for counter in _named(*row))
    + tuple(
        of_type(direction, number)
        for direction in ("In", "Out")
        for number in sorted({row[1] for row in _TYPES} | set(_OTHERS))
    )
)
