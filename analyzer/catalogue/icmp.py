"""Icmp and IcmpMsg: ICMP for IPv4 (RFC 792, RFC 4293). IcmpMsg is listed by type, and only once a type has moved."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_IN = "icmp_rcv() in net/ipv4/icmp.c"
_OUT = "icmp_out_count() in net/ipv4/icmp.c, from __ip_make_skb() in net/ipv4/ip_output.c"

_GENERAL = (
    Counter(
        "IcmpInMsgs",
        meaning="ICMP messages that reached the ICMP code, those with a wrong checksum or an unknown type included.",
        unit="messages",
        moves="At the receiver, after reassembly and after the INPUT hook of netfilter; first thing in icmp_rcv().",
        points_at="Pings, or errors about what the host sends; the counters by type tell which.",
        reference=f"{_IN}; RFC 4293 icmpStatsInMsgs",
        observability="exact",
        why="Received ICMP messages to this host; fragments once they are complete.",
    ),
    Counter(
        "IcmpInErrors",
        meaning="Received messages that were bad or not wanted: checksum, too short, unknown type, broadcast pings that "
        "are ignored. Also good errors that quote a TCP or UDP packet of which no socket knows.",
        unit="messages",
        moves="At the receiver; in the protocol that the error quotes where no socket is found for it.",
        points_at="Late errors for connections already closed, or forged ones; then IcmpInCsumErrors.",
        reference=f"{_IN}; tcp_v4_err() in net/ipv4/tcp_ipv4.c, __udp4_lib_err() in net/ipv4/udp.c",
        observability="bounded",
        why="Below by received messages with a bad checksum or type, above by these and the errors that quote TCP or UDP: whether "
        "the socket they are about is there still is in no packet.",
        confidence="medium",
    ),
    Counter(
        "IcmpInCsumErrors",
        meaning="Received messages whose checksum is wrong. Each is in IcmpInErrors too, and in no counter of a type.",
        unit="messages",
        moves="At the receiver, before the type is looked at.",
        points_at="Damage on the way behind the last Ethernet checksum: a card, a tunnel, memory.",
        since="3.10",
        reference=f"{_IN}; RFC 792",
        observability="exact",
        why="Received ICMP messages whose checksum does not add up.",
    ),
    Counter(
        "IcmpOutMsgs",
        meaning="ICMP messages put together for sending, by the kernel, ping sockets and raw sockets. Not those whose "
        "IP header the application wrote itself.",
        unit="messages",
        moves="At the sender when the IP packet is built; netfilter OUTPUT may still drop it.",
        points_at="What the host complains of, or pings; the counters by type tell which.",
        reference=f"{_OUT}; RFC 4293 icmpStatsOutMsgs",
        observability="exact",
        why="Sent ICMP messages with an address of this host; fragments of one count together.",
    ),
    Counter(
        "IcmpOutErrors",
        meaning="Replies and errors of the kernel that could not be put together, mostly for want of memory or "
        "because the ICMP socket's send buffer was full.",
        unit="messages",
        moves="At the sender, before anything was sent.",
        points_at="A host short of memory; rate limits do not count here (IcmpOutRateLimitHost).",
        reference="icmp_push_reply() in net/ipv4/icmp.c; RFC 4293 icmpStatsOutErrors",
        observability="bounded",
        why="At most the received requests and packets that should have had an ICMP answer and got none; the same silence "
        "has other causes.",
    ),
    Counter(
        "IcmpOutRateLimitGlobal",
        meaning="Messages not sent because the host as a whole had sent its share: net.ipv4.icmp_msgs_per_sec (1000) "
        "with a burst of icmp_msgs_burst (50). ICMPv6 messages are counted here too; Icmp6 has no such counter.",
        unit="messages",
        moves="At the sender, of types in net.ipv4.icmp_ratemask (unreachables, time exceeded, parameter problem), or of "
        "ICMPv6 errors but packet too big.",
        points_at="A scan, a flood to a closed port, or a routing loop.",
        since="6.3",
        reference="icmpv4_global_allow() in net/ipv4/icmp.c, icmpv6_global_allow() in net/ipv6/icmp.c",
        observability="bounded",
        why="At most the received packets that should have had an ICMP error and got none; netfilter and the limit "
        "by host swallow errors as well.",
    ),
    Counter(
        "IcmpOutRateLimitHost",
        meaning="Messages not sent because this destination had its share: one in net.ipv4.icmp_ratelimit (1000 ms), "
        "with a burst of six.",
        unit="messages",
        moves="At the sender, of the same types as the global limit; loopback is never limited.",
        points_at="One peer that keeps sending to a closed port, or traceroute through this host.",
        since="6.3",
        reference="icmpv4_xrlim_allow() in net/ipv4/icmp.c, inet_peer_xrlim_allow() in net/ipv4/inetpeer.c",
        observability="bounded",
        why="At most the received packets that should have had an ICMP error and got none; their spacing by peer "
        "tells how many this limit takes.",
    ),
)

# Per type: the name without In or Out, the number, what it is, what a rise of In points at, what one of Out points at.
_TYPES = (
    (
        "DestUnreachs",
        3,
        "destination unreachable",
        "The code tells: closed UDP port (3), path MTU (4), routers without a route (0, 1), firewalls (9, 10, 13).",
        "Somebody sends to a closed UDP port (UdpNoPorts), or this router has no route, or an MTU is too small.",
    ),
    (
        "TimeExcds",
        11,
        "time exceeded",
        "A traceroute of this host, a routing loop on the way (code 0), or fragments that never came (code 1).",
        "traceroute through this router, a routing loop (code 0), or incomplete fragments (code 1, IpReasmTimeout).",
    ),
    (
        "ParmProbs",
        12,
        "parameter problem",
        "A header option that a router on the way cannot use.",
        "Packets with IP options that this host cannot use (IpInHdrErrors).",
    ),
    (
        "SrcQuenchs",
        4,
        "source quench",
        "A very old device on the way, or a forger. TCP and UDP ignore it; RFC 6633 has withdrawn it.",
        "A program with a raw socket: Linux itself never sends it.",
    ),
    (
        "Redirects",
        5,
        "redirect",
        "A router on this network knows a shorter way: the routing table here is not what it should be.",
        "A host on the network uses this router where it should use another directly.",
    ),
    (
        "Echos",
        8,
        "echo request",
        "Somebody pings this host. Fewer IcmpOutEchoReps: icmp_echo_ignore_all, or a filter.",
        "ping or monitoring on this host.",
    ),
    (
        "EchoReps",
        0,
        "echo reply",
        "Answers to pings of this host; fewer than IcmpOutEchos means loss, more means copies or forgery.",
        "Answers to pings. The kernel counts its timestamp (14) and PROBE (43) replies here as well, as type 0.",
    ),
    (
        "Timestamps",
        13,
        "timestamp request",
        "A scanner, or an old tool that compares clocks; the kernel answers.",
        "A program on this host that asks for clocks: hping, nmap.",
    ),
    (
        "TimestampReps",
        14,
        "timestamp reply",
        "Answers to timestamp requests that a program on this host sent.",
        "A raw socket: the replies of the kernel itself are counted as echo replies (type 0).",
    ),
    (
        "AddrMasks",
        17,
        "address mask request",
        "A scanner. Linux does not answer.",
        "A program with a raw socket; the message is obsolete (RFC 6918).",
    ),
    (
        "AddrMaskReps",
        18,
        "address mask reply",
        "An old device that answers requests nobody should send any more. Linux ignores it.",
        "A program with a raw socket; the kernel never sends one (RFC 6918).",
    ),
)

# The other types assigned by IANA that a host may meet; /proc lists them in IcmpMsg only.
_OTHERS = {
    9: "router advertisement (RFC 1256)",
    10: "router solicitation (RFC 1256)",
    15: "information request",
    16: "information reply",
    19: "a type reserved for security",
    30: "traceroute (RFC 1393)",
    40: "Photuris (RFC 2521)",
    41: "experimental mobility (RFC 4065)",
    42: "extended echo request, PROBE (RFC 8335)",
    43: "extended echo reply, PROBE (RFC 8335)",
}


def _named(name: str, number: int, what: str, points_in: str, points_out: str) -> tuple[Counter, Counter]:
    """IcmpIn* and IcmpOut* of one type."""
    counted_as_zero = {0: " and the kernel's replies of type 14 and 43", 14: " from raw sockets"}.get(number, "")
    return (
        Counter(
            f"IcmpIn{name}",
            meaning=f"Received {what} messages (type {number}) with a right checksum, whatever is then done with them. "
            f"The same number as IcmpMsgInType{number}.",
            unit="messages",
            moves="At the receiver, once the checksum is right.",
            points_at=points_in,
            reference=f"{_IN}, icmp_put() in net/ipv4/proc.c; RFC 792",
            observability="exact",
            why=f"Received ICMP messages of type {number} to this host.",
        ),
        Counter(
            f"IcmpOut{name}",
            meaning=f"{what.capitalize()} messages (type {number}) that the host built for sending. "
            f"The same number as IcmpMsgOutType{number}.",
            unit="messages",
            moves="At the sender when the IP packet is built, before the OUTPUT hook of netfilter.",
            points_at=points_out,
            reference=f"{_OUT}; RFC 792",
            observability="exact",
            why=f"Sent ICMP messages of type {number}{counted_as_zero}.",
        ),
    )


def of_type(direction: str, number: int) -> Counter:
    """IcmpMsgInType<number> or IcmpMsgOutType<number>."""
    names = {row[1]: (row[0], row[2]) for row in _TYPES}
    alias, what = names.get(number, ("", _OTHERS.get(number, "a type that IANA has not assigned, or has withdrawn")))
    received = direction == "In"
    also = f" IcmpIn{alias} is the same number." if received else f" IcmpOut{alias} is the same number."
    fate = (
        " A type above 18, except 42 and 43, is an error (IcmpInErrors)."
        if received and number > 18 and number not in (42, 43)
        else " The kernel's own replies of this type are counted as type 0."
        if not received and number in (14, 43)
        else " The kernel's timestamp (14) and PROBE (43) replies are counted here as well."
        if not received and number == 0
        else ""
    )
    return Counter(
        f"IcmpMsg{direction}Type{number}",
        meaning=f"{'Received' if received else 'Sent'} ICMP messages of type {number}: {what}."
        f"{also if alias else ''}{fate}",
        unit="messages",
        moves=f"At the {'receiver, once the checksum is right' if received else 'sender when the IP packet is built'}; "
        "/proc lists it only once it is not 0.",
        points_at=f"See {'IcmpIn' if received else 'IcmpOut'}{alias}."
        if alias
        else "Rare messages: look at the packets themselves, and who sends them.",
        reference=_IN if received else _OUT,
        observability="exact",
        why=f"{'Received' if received else 'Sent'} ICMP messages of type {number}"
        f"{' and the kernel replies of type 14 and 43' if not received and number == 0 else ''}.",
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
