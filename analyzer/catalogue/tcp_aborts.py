"""TcpExt: connections that this host aborts or gives up."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_TCP = "net/ipv4/tcp.c"
_TIMER = "net/ipv4/tcp_timer.c"

COUNTERS = (
    Counter(
        "TcpExtTCPAbortOnData",
        meaning="Connections aborted by close() with linger 0, or because data arrived that nobody can read any more: after "
        "shutdown for reading, or as the FIN of a socket already closed was acknowledged.",
        unit="connections",
        moves="At the side that closes; a RST is sent. Data that comes later, to an orphan in FIN_WAIT_2, gets a RST "
        "without it.",
        points_at="Applications that set SO_LINGER to 0 (load testers, proxies), or stop reading in the middle of an answer.",
        reference=f"__tcp_close() in {_TCP}; tcp_rcv_state_process() in net/ipv4/tcp_input.c; RFC 2525",
        observability="bounded",
        why="At most the RSTs sent into living connections; TCPAbortOnClose looks the same, and settings of the socket "
        "decide.",
    ),
    Counter(
        "TcpExtTCPAbortOnClose",
        meaning="Connections aborted because the application closed them while received data was unread.",
        unit="connections",
        moves="At the side that closes, in any state with data; a RST is sent in place of the FIN.",
        points_at="An application that does not read to the end; the peer may lose the answer sent before.",
        reference=f"__tcp_close() in {_TCP}; RFC 1122 section 4.2.2.13, RFC 2525 section 2.17",
        observability="bounded",
        why="At most the RSTs sent into living connections after data was received; how much was read is in no packet.",
    ),
    Counter(
        "TcpExtTCPAbortOnMemory",
        meaning="Connections aborted for want of memory: more orphans than net.ipv4.tcp_max_orphans, or tcp_mem used up.",
        unit="connections",
        moves="At close() with too many orphans, or too little memory: then with a RST. At a timer of an orphan (or of any "
        "connection, out of memory): with a RST where it sent something in the last 60 s, the peer's window is closed, or "
        "the timer asks for one; else silently.",
        points_at="Many connections closed by the application whose peers do not answer; the log says too many orphaned "
        "sockets or out of memory.",
        reference=f"__tcp_close() in {_TCP}, tcp_out_of_resources() in {_TIMER}",
        observability="bounded",
        why="At most the RSTs sent on connections that are closed already, or silent; memory is in no packet.",
    ),
    Counter(
        "TcpExtTCPAbortOnTimeout",
        meaning="Connections given up because a timer ran out for the last time: retransmissions (also SYN), window probes, "
        "keep-alives, TCP_USER_TIMEOUT.",
        unit="connections",
        moves="At the side that waits; only keep-alive sends a RST, the others end in silence.",
        points_at="Peers that vanished: crashed, unplugged, or a firewall that forgot the connection.",
        reference=f"tcp_write_err(), tcp_keepalive_timer() in {_TIMER}; RFC 9293 section 3.8.3",
        observability="bounded",
        why="About the connections whose retransmissions or probes stop unanswered; how many are allowed is a setting, and "
        "the end itself sends nothing.",
    ),
    Counter(
        "TcpExtTCPAbortOnLinger",
        meaning="Connections aborted by close() because TCP_LINGER2 is negative: the application wants no FIN_WAIT_2.",
        unit="connections",
        moves="At the side that closes, if its FIN is acknowledged by then; a RST is sent.",
        points_at="An application that sets TCP_LINGER2 below 0; rare.",
        reference=f"__tcp_close() in {_TCP}",
        observability="bounded",
        why="At most the RSTs sent in FIN_WAIT_2 without data received before.",
    ),
    Counter(
        "TcpExtTCPAbortFailed",
        meaning="RSTs of aborts that could not be sent: no memory for them, or the lower layer refused. TcpOutRsts has counted "
        "them all the same.",
        unit="wire_segments",
        moves="At the side that aborts.",
        points_at="Memory, or netfilter that drops RSTs on OUTPUT; the peer keeps a dead connection.",
        reference="tcp_send_active_reset() in net/ipv4/tcp_output.c",
        observability="bounded",
        why="What it counts is not captured: TcpOutRsts less the RSTs seen, in a capture that lost nothing.",
    ),
)
