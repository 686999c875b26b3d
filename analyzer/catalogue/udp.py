"""Udp, UdpLite, Udp6 and UdpLite6: the same nine counters four times (RFC 4113), UdpLite6 with one less."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter
from analyzer.fields import of_fields


@of_fields(frozen=True, slots=True)
class _Variant:
    """One of the four lines: what its datagrams are called, where the code is."""

    group: str
    datagrams: str
    file: str
    receive: str
    rfc: str
    icmp: str


_VARIANTS = (
    _Variant("Udp", "UDP datagrams", "net/ipv4/udp.c", "__udp4_lib_rcv()", "RFC 768, RFC 4113", "Icmp"),
    _Variant("UdpLite", "UDP-Lite datagrams over IPv4", "net/ipv4/udp.c", "__udp4_lib_rcv()", "RFC 3828", "Icmp"),
    _Variant("Udp6", "UDP datagrams over IPv6", "net/ipv6/udp.c", "__udp6_lib_rcv()", "RFC 8200, RFC 4113", "Icmp6"),
    _Variant("UdpLite6", "UDP-Lite datagrams over IPv6", "net/ipv6/udp.c", "__udp6_lib_rcv()", "RFC 3828", "Icmp6"),
)


def _counters(kind: _Variant) -> tuple[Counter, ...]:
    """The counters of one variant."""
    group, datagrams, file = kind.group, kind.datagrams, kind.file
    send = "udp_sendmsg()" if file == "net/ipv4/udp.c" else "udpv6_sendmsg()"
    read = "udp_recvmsg()" if file == "net/ipv4/udp.c" else "udpv6_recvmsg()"
    queue = "udp_queue_rcv_one_skb()" if file == "net/ipv4/udp.c" else "udpv6_queue_rcv_one_skb()"
    counters = [
        Counter(
            f"{group}InDatagrams",
            meaning=f"{datagrams} that an application took, or that a tunnel or other kernel user consumed. It "
            "moves at the read, not on arrival; a peek does not count.",
            unit="datagrams",
            moves="At the receiver when recv() hands the datagram over; for tunnels when it arrives.",
            points_at=f"Load. Arrivals that show here late or never wait in a socket or were dropped ({group}InErrors).",
            reference=f"{read}, {queue} in {file}; {kind.rfc}",
            observability="bounded",
            why="At most the received datagrams that no ICMP error answers. Those that are not read yet, or did not fit in "
            "the buffer, are in no packet.",
        ),
        Counter(
            f"{group}NoPorts",
            meaning=f"Unicast {datagrams} with a right checksum, to a port that no socket here is bound to.",
            unit="datagrams",
            moves="At the receiver; an ICMP port unreachable answers, unless a rate limit forbids it.",
            points_at="A service that is not running, late answers to sockets already closed (DNS), a scan.",
            reference=f"{kind.receive} in {file}; {kind.rfc}",
            observability="exact",
            why=f"Received datagrams that a port unreachable answers; where {kind.icmp}OutRateLimitHost moves, those to "
            "the same ports without an answer too.",
        ),
        Counter(
            f"{group}InErrors",
            meaning=f"{datagrams} dropped on their way into a socket: wrong checksum or length, full buffer "
            f"({group}RcvbufErrors), memory ({group}MemErrors), a socket filter. The sum of these, each once.",
            unit="datagrams",
            moves="At the receiver; a checksum that is looked at late moves it at the read.",
            points_at=f"An application too slow to read: then {group}RcvbufErrors rises along. Otherwise damage.",
            reference=f"{queue}, {kind.receive} in {file}; {kind.rfc}",
            observability="bounded",
            why="Below by received datagrams whose checksum is wrong, above by all to open ports; what the socket "
            "buffer holds is in no packet.",
        ),
        Counter(
            f"{group}OutDatagrams",
            meaning=f"{datagrams} sent by applications. One sendmsg() with segmentation (UDP_SEGMENT) counts "
            "once, though dozens of datagrams leave; tunnels of the kernel do not count.",
            unit="super_segments",
            moves="At the sender, once IP took it; with UDP_CORK when the pieces are sent off.",
            points_at="Load. Fewer than the datagrams on the wire shows UDP_SEGMENT at work (QUIC).",
            reference=f"{'udp_send_skb()' if file == 'net/ipv4/udp.c' else 'udp_v6_send_skb()'}, {send} in {file}",
            observability="exact",
            why="Sent datagrams of sockets: a super-segment once, as the capture before segmentation shows it; "
            "fragments of one together.",
        ),
        Counter(
            f"{group}RcvbufErrors",
            meaning=f"{datagrams} dropped because the receive buffer of their socket was full. "
            f"Each is in {group}InErrors too.",
            unit="datagrams",
            moves="At the receiver when the datagram is to be queued.",
            points_at="An application that reads too slowly or in bursts; SO_RCVBUF, net.core.rmem_max; `ss -uamp` "
            "shows which socket drops (d).",
            reference=f"{queue} in {file}, __udp_enqueue_schedule_skb() in net/ipv4/udp.c",
            observability="bounded",
            why="At most the received datagrams to open ports; those that no answer follows, where the protocol has "
            "answers, are the sign.",
        ),
        Counter(
            f"{group}SndbufErrors",
            meaning=f"Sends of {datagrams} that failed for want of buffer space: the socket's, or a transmit "
            "queue that told so (IP_RECVERR).",
            unit="datagrams",
            moves="At the sender, in the system call that returns ENOBUFS, or that found no memory.",
            points_at="A sender faster than its interface; SO_SNDBUF and the queue (`tc -s qdisc`).",
            reference=f"{send}, {'udp_send_skb()' if file == 'net/ipv4/udp.c' else 'udp_v6_send_skb()'} in {file}",
            observability="unobservable",
            why="What it counts is not sent, so no packet tells of it.",
        ),
        Counter(
            f"{group}InCsumErrors",
            meaning=f"{datagrams} with a wrong checksum. The sum is often looked at only when the application "
            f"reads, so it may move late. Each is in {group}InErrors too.",
            unit="datagrams",
            moves="At the receiver: on arrival where there is no socket or a filter, else at the read.",
            points_at="Damage behind the last Ethernet checksum, or a sender that offloads sums it should not.",
            since="3.10",
            reference=f"{read}, {queue}, {kind.receive} in {file}; {kind.rfc}",
            observability="exact",
            why="Received datagrams with a wrong checksum, the capture being complete to the last byte.",
        ),
        Counter(
            f"{group}IgnoredMulti",
            meaning=f"Multicast or broadcast {datagrams} for which no socket is open. Nothing is wrong, and "
            "nothing is answered.",
            unit="datagrams",
            moves="At the receiver, after the lookup found no socket at all.",
            points_at="Discovery protocols of the neighbours (mDNS, SSDP, NetBIOS).",
            since="3.19",
            reference=f"{'__udp4_lib_mcast_deliver()' if file == 'net/ipv4/udp.c' else '__udp6_lib_mcast_deliver()'} "
            f"in {file}",
            observability="bounded",
            why="At most the received multicast and broadcast datagrams; which ports are open for them is in no packet.",
        ),
        Counter(
            f"{group}MemErrors",
            meaning=f"{datagrams} dropped because the protocol as a whole had used its memory (net.ipv4.udp_mem). "
            f"Each is in {group}InErrors too.",
            unit="datagrams",
            moves="At the receiver when the datagram is to be queued.",
            points_at="Many sockets full of unread data; udp_mem, and the mem column of /proc/net/sockstat.",
            since="5.11",
            reference=f"__udp_enqueue_schedule_skb() in net/ipv4/udp.c, called by {queue}; {kind.rfc}",
            observability="bounded",
            why=f"Like {group}RcvbufErrors: at most the datagrams to open ports; the memory of other sockets is in no "
            "packet.",
        ),
    ]
    return tuple(counter for counter in counters if counter.name != "UdpLite6IgnoredMulti")


COUNTERS = tuple(counter for kind in _VARIANTS for counter in _counters(kind))
