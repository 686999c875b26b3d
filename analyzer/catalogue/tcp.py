"""Tcp: the line of /proc/net/snmp (RFC 4022). IPv4 and IPv6 together."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_COMPILED = "snmp_seq_show_tcp_udp() in net/ipv4/proc.c; tcp_mib_init() in include/net/tcp.h; RFC 4022"

COUNTERS = (
    Counter(
        "TcpRtoAlgorithm",
        meaning="A constant, not a counter: 1, which the MIB calls other. Linux reckons its timeout much as RFC 6298 does.",
        unit="gauge",
        moves="Never.",
        points_at="Nothing; it is there because the MIB asks for it.",
        reference=_COMPILED,
        observability="unobservable",
        why="A constant of the kernel, in no packet.",
    ),
    Counter(
        "TcpRtoMin",
        meaning="A constant: 200, the least retransmission timeout in milliseconds as compiled in. net.ipv4.tcp_rto_min_us "
        "and the rto_min of a route do not change it.",
        unit="gauge",
        moves="Never.",
        points_at="Nothing; ask `ip route` and the sysctl for the value in use.",
        reference=_COMPILED,
        observability="inferred",
        why="The shortest silences before timeouts come near it; 200 ms unless a route or sysctl says otherwise.",
    ),
    Counter(
        "TcpRtoMax",
        meaning="A constant: 120000, the longest retransmission timeout in milliseconds as compiled in. "
        "net.ipv4.tcp_rto_max_ms does not change it.",
        unit="gauge",
        moves="Never.",
        points_at="Nothing.",
        reference=_COMPILED,
        observability="inferred",
        why="The longest silences between retransmissions come near it; few connections live that long.",
    ),
    Counter(
        "TcpMaxConn",
        meaning="A constant: -1, there is no fixed limit of connections.",
        unit="gauge",
        moves="Never.",
        points_at="Nothing; the true limits are files, memory and ports.",
        reference=_COMPILED,
        observability="unobservable",
        why="A constant of the kernel, in no packet.",
    ),
    Counter(
        "TcpActiveOpens",
        meaning="connect() calls that sent a SYN. Each connection counts once however often the SYN is sent, and "
        "whether or not anybody answers.",
        unit="connections",
        moves="At the client on entering SYN_SENT, once the first SYN was handed down.",
        points_at="Load of outgoing connections; with TcpAttemptFails it tells how many failed.",
        reference="tcp_connect() in net/ipv4/tcp_output.c; RFC 4022 tcpActiveOpens",
        observability="exact",
        why="First SYNs without ACK that the host sends, one per connection.",
    ),
    Counter(
        "TcpPassiveOpens",
        meaning="Connections that a listener here has brought into being. Not the SYNs received: it moves when the "
        "handshake is complete. A simultaneous open is none.",
        unit="connections",
        moves="At the server when the final ACK of the handshake (or a SYN cookie) creates the socket; with fast open "
        "at the SYN.",
        points_at="Load of incoming connections. Many SYNs and little here: SYN flood, lost SYN-ACKs, a full queue.",
        reference="tcp_create_openreq_child() in net/ipv4/tcp_minisocks.c; RFC 4022 tcpPassiveOpens",
        observability="exact",
        why="Received final ACKs that fit a SYN-ACK sent, or SYNs whose fast open data was accepted. A final ACK that a "
        "full accept queue ignores (ListenOverflows) does not count.",
    ),
    Counter(
        "TcpAttemptFails",
        meaning="Connections that ended before they were established: from SYN_SENT or SYN_RECV to CLOSED, or a "
        "half-open one that a RST removed. Not one that the application closes while in SYN_SENT, nor one that the "
        "server only forgets.",
        unit="connections",
        moves="At the client on a RST, an ICMP error or the last SYN timeout; at the server on a RST or SYN within "
        "the window of a half-open connection.",
        points_at="Closed ports, dead hosts, firewalls. RSTs come at once, timeouts after minutes (TCPTimeouts).",
        reference="tcp_done() in net/ipv4/tcp.c, tcp_check_req() in net/ipv4/tcp_minisocks.c; RFC 4022 tcpAttemptFails",
        observability="exact",
        why="SYNs answered by RST or by an ICMP error that the socket takes, SYNs repeated to their end, and SYN-ACKs "
        "answered by RST.",
    ),
    Counter(
        "TcpEstabResets",
        meaning="Connections that went from ESTABLISHED or CLOSE_WAIT straight to CLOSED: resets received and sent, and "
        "those given up after timeouts. One reset after FIN was sent is not counted.",
        unit="connections",
        moves="At either side, when the state changes.",
        points_at="Applications that close with unread data or linger 0 (TCPAbortOnClose, TCPAbortOnData), peers that "
        "do so (no OutRsts here), dead peers (TCPAbortOnTimeout).",
        reference="tcp_set_state() in net/ipv4/tcp.c; RFC 4022 tcpEstabResets",
        observability="exact",
        why="RSTs accepted or sent in those states; silence after the last retransmission for those given up.",
    ),
    Counter(
        "TcpCurrEstab",
        meaning="A gauge: sockets now in ESTABLISHED or CLOSE_WAIT. It goes down as well.",
        unit="gauge",
        moves="When a connection enters or leaves these two states.",
        points_at="Load; one that only grows is an application that never closes (CLOSE_WAIT in `ss`).",
        reference="tcp_set_state() in net/ipv4/tcp.c; RFC 4022 tcpCurrEstab",
        observability="bounded",
        why="Packets give its changes exactly; the connections older than the capture are seen only if they speak.",
    ),
    Counter(
        "TcpInSegs",
        meaning="TCP segments received, wrong ones too. After GRO: one step may be dozens of frames on the wire.",
        unit="merged_segments",
        moves="At the receiver, before checksum and socket are looked at; not segments to another host's MAC address.",
        points_at="Load. The ratio to frames of the network card tells how well GRO merges.",
        reference="tcp_v4_rcv() in net/ipv4/tcp_ipv4.c, tcp_v6_rcv() in net/ipv6/tcp_ipv6.c; RFC 4022 tcpInSegs",
        observability="exact",
        why="Received TCP frames of a capture at this host, which is taken after GRO: one each. Frames that a filter "
        "drops before TCP must be known.",
    ),
    Counter(
        "TcpOutSegs",
        meaning="Segments sent as they will be on the wire, a super-segment counting its parts: new data, SYN, ACKs, "
        "probes, RST. Not retransmitted data; a retransmitted SYN-ACK however counts here and in TcpRetransSegs.",
        unit="wire_segments",
        moves="At the sender: for data only when it reaches beyond all sent before; segments without sequence space "
        "always; SYN-ACKs and answers without a socket where they are made.",
        points_at="Load, and the divisor of TcpRetransSegs; bare ACKs inflate it on a host that mostly receives.",
        reference="__tcp_transmit_skb(), tcp_make_synack() in net/ipv4/tcp_output.c; tcp_v4_send_reset(), tcp_v4_send_ack()",
        observability="exact",
        why="Sent segments, a super-segment counted by its MSS, without those that only repeat sequence space. The "
        "SYN-ACK of a simultaneous open counts nowhere.",
    ),
    Counter(
        "TcpRetransSegs",
        meaning="Segments sent again, as they will be on the wire: data, FIN, SYN, SYN-ACK, and tail loss probes that "
        "repeat data. Not window probes and keep-alives.",
        unit="wire_segments",
        moves="At the sender; for data before the segment is handed down, so one that fails there (TCPRetransFail) "
        "counts too.",
        points_at="Loss, or needless repeats. TCPFastRetrans, TCPSlowStartRetrans, TCPLossProbes and TCPSynRetrans tell "
        "the kind, TCPDSACKRecv what was needless.",
        reference="__tcp_retransmit_skb(), tcp_rtx_synack() in net/ipv4/tcp_output.c; RFC 4022 tcpRetransSegs",
        observability="exact",
        why="Sent segments that repeat sequence space, counted in parts of the MSS; the SYN-ACK of a simultaneous open "
        "is left out.",
    ),
    Counter(
        "TcpInErrs",
        meaning="Segments that are wrong in themselves: checksum, header length. Also a SYN that hits an established "
        "connection, which is answered by a challenge ACK.",
        unit="merged_segments",
        moves="At the receiver after TcpInSegs.",
        points_at="Damage (TcpInCsumErrors), or SYNs into living connections (TCPSYNChallenge).",
        reference="tcp_v4_rcv() in net/ipv4/tcp_ipv4.c; tcp_validate_incoming() in net/ipv4/tcp_input.c",
        observability="exact",
        why="Received segments with a bad checksum or data offset, with or without a socket, and SYNs within "
        "established connections.",
    ),
    Counter(
        "TcpOutRsts",
        meaning="RSTs that the host made: for segments no socket wants, for closed ports, and to abort connections. "
        "Those of a firewall rule are not in it.",
        unit="wire_segments",
        moves="At the sender; in an abort before it is known whether the RST can be sent (TCPAbortFailed).",
        points_at="Closed ports, late data after close, aborts: compare TCPAbortOnData, TCPAbortOnClose, TcpEstabResets.",
        reference="tcp_v4_send_reset() in net/ipv4/tcp_ipv4.c, tcp_send_active_reset() in net/ipv4/tcp_output.c; RFC 4022",
        observability="exact",
        why="Sent segments with RST, but for those of netfilter's REJECT.",
    ),
    Counter(
        "TcpInCsumErrors",
        meaning="Segments whose TCP checksum is wrong, or the checksum could not be complete. Each is in TcpInErrs too.",
        unit="merged_segments",
        moves="At the receiver before a socket is looked for; dropped without an answer.",
        points_at="Damage behind the last Ethernet checksum: a card, a switch, a tunnel. The sender sees plain loss.",
        since="3.10",
        reference="tcp_v4_rcv() in net/ipv4/tcp_ipv4.c, tcp_v6_rcv(); RFC 9293 section 3.1",
        observability="exact",
        why="Received segments with a wrong checksum, the capture being complete to the last byte. Segments of "
        "local senders carry none yet and are not wrong.",
    ),
)
