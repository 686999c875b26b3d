"""TcpExt: the rest: ICMP errors for connections, filters of addresses and hops, polling. Not all of it is TCP."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

COUNTERS = (
    Counter(
        "TcpExtOutOfWindowIcmps",
        meaning="ICMP errors ignored because the segment they quote is not outstanding: an old one, or a forged one.",
        unit="messages",
        moves="At the receiver of the error; for half-open connections if it quotes another sequence number than the "
        "SYN-ACK's.",
        points_at="Errors that come late, or an attacker who does not know the sequence numbers.",
        reference="tcp_v4_err(), tcp_req_err() in net/ipv4/tcp_ipv4.c, tcp_v6_err() in net/ipv6/tcp_ipv6.c; RFC 5927",
        observability="bounded",
        why="About the received ICMP errors that quote a sequence number outside what is unacknowledged; how they cross "
        "ACKs within the host is not seen.",
    ),
    Counter(
        "TcpExtLockDroppedIcmps",
        meaning="ICMP errors that came while the application held the socket. Most are then lost; fragmentation needed is "
        "kept for later and not counted.",
        unit="messages",
        moves="At the receiver of the error.",
        points_at="Nothing bad while it is rare; connections notice unreachable hosts later.",
        reference="tcp_v4_err() in net/ipv4/tcp_ipv4.c, tcp_v6_err() in net/ipv6/tcp_ipv6.c",
        observability="bounded",
        why="At most the received ICMP errors for connections; the lock is in no packet.",
    ),
    Counter(
        "TcpExtArpFilter",
        meaning="ARP requests not answered because the way back to who asks leads out of another interface "
        "(net.ipv4.conf.*.arp_filter). It has nothing to do with TCP.",
        unit="packets",
        moves="At the host whose address is asked for.",
        points_at="Several interfaces in one network: each answers for what is routed through it.",
        reference="arp_filter() in net/ipv4/arp.c",
        observability="bounded",
        why="At most the received ARP requests for an address of this host that get no answer on that interface.",
    ),
    Counter(
        "TcpExtIPReversePathFilter",
        meaning="Packets dropped by the reverse path filter (net.ipv4.conf.*.rp_filter): the way back to their source does "
        "not lead out of the interface they came in on. Not only TCP.",
        unit="merged_segments",
        moves="At the receiver or router, while the packet is routed in; IpInReceives has counted it.",
        points_at="Asymmetric routing, several uplinks, VPNs, forged sources; rp_filter=2 is the loose kind.",
        since="2.6.36",
        reference="ip_rcv_finish_core() in net/ipv4/ip_input.c, fib_validate_source() in net/ipv4/fib_frontend.c; RFC 3704",
        observability="bounded",
        why="At most the received packets without any effect whose source belongs behind another interface; the routing "
        "table is not in the capture.",
    ),
    Counter(
        "TcpExtTCPMinTTLDrop",
        meaning="Segments dropped because their TTL (or hop limit) is below what the socket asks for (IP_MINTTL); quoted in "
        "ICMP errors they count as well.",
        unit="merged_segments",
        moves="At the receiver, once the socket is known; nothing answers.",
        points_at="GTSM (RFC 5082) of a BGP daemon: a peer that is further away than configured, or a forger.",
        reference="tcp_v4_rcv() in net/ipv4/tcp_ipv4.c, tcp_v6_rcv() in net/ipv6/tcp_ipv6.c; RFC 5082",
        observability="inferred",
        why="A model of the limit: received segments with a lower TTL than all that had an effect, which get no answer.",
    ),
    Counter(
        "TcpExtBusyPollRxPackets",
        meaning="Packets taken from the network card by a system call that polls for them (SO_BUSY_POLL, net.core.busy_read, "
        "epoll), of every protocol.",
        unit="packets",
        moves="At the receiver, in the system call, counted where the driver uses NAPI.",
        points_at="Busy polling in use; compared with all packets it tells how often it pays.",
        since="3.11",
        reference="napi_busy_loop() in net/core/dev.c",
        observability="unobservable",
        why="How a packet was taken from the card is not in it.",
    ),
)
