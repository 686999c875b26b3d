"""TcpExt: what was sent and delivered, and what congestion control made of it."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_INPUT = "net/ipv4/tcp_input.c"
_OUTPUT = "net/ipv4/tcp_output.c"
_HYSTART = "hystart_update() in net/ipv4/tcp_cubic.c, tcp_cdg_hystart_update() in net/ipv4/tcp_cdg.c"
_SLOW_START = (
    "At most one for each connection of this host that sent data, and one more after each timeout. Which of the two it was, no packet "
    "tells; `ss -i` shows both together: an ssthresh of cubic or cdg, and nothing lost."
)
_WINDOW = (
    "At most what each connection of this host has sent, and the window it began with. `ss -i` shows both together: ssthresh is the "
    "window at the end of slow start, where nothing was lost."
)

COUNTERS = (
    Counter(
        "TcpExtTCPOrigDataSent",
        meaning="Segments with new data sent, as they are on the wire; no retransmissions, no bare ACKs, not the SYN. A FIN "
        "by itself and the data in a SYN count one each.",
        unit="wire_segments",
        moves="At the sender, when the data leaves its queue.",
        points_at="The best divisor of TcpRetransSegs for a rate of loss: TcpOutSegs counts ACKs as well.",
        since="3.15",
        reference=f"tcp_event_new_data_sent(), tcp_connect() in {_OUTPUT}",
        observability="exact",
        why="Sent segments with new data or FIN, a super-segment counted by its MSS.",
    ),
    Counter(
        "TcpExtTCPDelivered",
        meaning="Segments that the peer has acknowledged or SACKed for the first time, the client's SYN and FIN included; and "
        "retransmissions that a DSACK reported as needless.",
        unit="wire_segments",
        moves="At the sender, at the ACK; not for the SYN-ACK of a server.",
        points_at="What the path carries; rates of bandwidth that BBR and others reckon come from it.",
        since="4.18",
        reference=f"tcp_count_delivered(), tcp_ack() in {_INPUT}",
        observability="exact",
        why="Received ACKs and SACK blocks applied to the segments sent, plus TCPDSACKRecvSegs.",
    ),
    Counter(
        "TcpExtTCPDeliveredCE",
        meaning="Segments delivered whose ACKs carried ECE: the path marked congestion. Only on connections with ECN; with "
        "accurate ECN (6.18) the marked ones themselves.",
        unit="wire_segments",
        moves="At the sender, at that ACK.",
        points_at="A queue on the way that marks (IpExtInCEPkts at the peer). Without DCTCP every ACK has ECE until CWR, so "
        "it counts more than were marked.",
        since="4.18",
        reference=f"tcp_count_delivered_ce(), tcp_ack() in {_INPUT}; RFC 3168 section 6.1, RFC 8257",
        observability="exact",
        why="What TCPDelivered counts, at received ACKs with ECE on connections that agreed on ECN.",
    ),
    Counter(
        "TcpExtTCPHystartTrainDetect",
        meaning="Times slow start ended early because ACKs of one round came in a train as long as half the least "
        "round trip (all of it with pacing): the path is full.",
        unit="episodes",
        moves="At the sender in slow start, with cubic or cdg.",
        points_at="Normal on large transfers. If throughput then grows slowly, HyStart may have been fooled by pacing.",
        since="3.19",
        reference=_HYSTART,
        observability="bounded",
        why=_SLOW_START,
    ),
    Counter(
        "TcpExtTCPHystartTrainCwnd",
        meaning="The sum of the congestion windows at these moments, in segments. Divided by TCPHystartTrainDetect it is the "
        "mean.",
        unit="wire_segments",
        moves="At the sender, with TCPHystartTrainDetect.",
        points_at="How far slow start comes on the paths in use.",
        since="3.19",
        reference=_HYSTART,
        observability="bounded",
        why=_WINDOW,
    ),
    Counter(
        "TcpExtTCPHystartDelayDetect",
        meaning="Times slow start ended early because the round trip of one round was longer than before by an "
        "eighth (4 to 16 ms): a queue grows.",
        unit="episodes",
        moves="At the sender in slow start, with cubic or cdg.",
        points_at="Buffers on the path, or round trips that vary (Wi-Fi, mobile), which end slow start too early.",
        since="3.19",
        reference=_HYSTART,
        observability="bounded",
        why=_SLOW_START,
    ),
    Counter(
        "TcpExtTCPHystartDelayCwnd",
        meaning="The sum of the congestion windows when TCPHystartDelayDetect moved, in segments.",
        unit="wire_segments",
        moves="At the sender, with TCPHystartDelayDetect.",
        points_at="Small ones on a path that can do much more: slow start ended too early.",
        since="3.19",
        reference=_HYSTART,
        observability="bounded",
        why=_WINDOW,
    ),
    Counter(
        "TcpExtTCPPLBRehash",
        meaning="Times protective load balancing chose another path by a new hash (over IPv6 a new flow label), as many "
        "rounds were marked congested.",
        unit="episodes",
        moves="At the sender with DCTCP and net.ipv4.tcp_plb_enabled.",
        points_at="Unequal load on the paths of a data centre.",
        since="6.2",
        reference="tcp_plb_check_rehash() in net/ipv4/tcp_plb.c",
        observability="inferred",
        why="Sent IPv6 data whose flow label changes without a timeout, after rounds full of ECE.",
    ),
    Counter(
        "TcpExtTCPAutoCorking",
        meaning="Times a small piece of data waited because earlier data of the socket still stood in a queue of this host "
        "(net.ipv4.tcp_autocorking).",
        unit="episodes",
        moves="At the sender, in write().",
        points_at="Applications that write in small pieces; it saves packets.",
        since="3.14",
        reference="tcp_push() in net/ipv4/tcp.c",
        observability="unobservable",
        why="That a write waited, and was not simply later, is in no packet.",
    ),
)
