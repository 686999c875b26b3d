"""TcpExt: repairs that proved needless and were undone, and reordering."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_INPUT = "net/ipv4/tcp_input.c"
_EVIDENCE = "A model of the sender's state and of its evidence, which is in the packets (DSACK, TSecr)"

COUNTERS = (
    Counter(
        "TcpExtTCPFullUndo",
        meaning="Fast recoveries undone at their end: the ACK that completed them proved that nothing had been lost, and "
        "the old window is restored.",
        unit="episodes",
        moves="At the sender in Recovery, at the ACK of all that was outstanding when it began, by timestamps or DSACKs.",
        points_at="Reordering, or sudden delay: TCPSACKReorder, TCPTSReorder, TCPDSACKRecv.",
        reference=f"tcp_try_undo_recovery() in {_INPUT}; RFC 4015, RFC 3708",
        observability="inferred",
        why=f"{_EVIDENCE}: an ACK beyond the episode whose TSecr is older than its first retransmission.",
    ),
    Counter(
        "TcpExtTCPPartialUndo",
        meaning="Fast recoveries undone at an ACK that covers a hole but not all, since timestamps show that the original "
        "filled it.",
        unit="episodes",
        moves="At the sender in Recovery; only with timestamps.",
        points_at="Reordering: TCPTSReorder.",
        reference=f"tcp_try_undo_partial() in {_INPUT}; RFC 4015 section 3.2",
        observability="inferred",
        why=f"{_EVIDENCE}: a partial ACK whose TSecr is older than the first retransmission, none of which is under way.",
    ),
    Counter(
        "TcpExtTCPDSACKUndo",
        meaning="Window reductions undone because DSACKs said of every retransmission that it was not needed. It may move "
        "after the recovery has ended.",
        unit="episodes",
        moves="At the sender, at the DSACK of the last of these retransmissions. A server whose SYN-ACK was repeated by its "
        "timer counts one at the first duplicate or ACK with SACK, unless the TSecr named the first SYN-ACK.",
        points_at="Reordering, delayed ACKs, tail loss probes and timeouts that came too early.",
        reference=f"tcp_try_undo_dsack() in {_INPUT}; RFC 3708",
        observability="inferred",
        why=f"{_EVIDENCE}: as many segments reported by DSACK as were sent again since the episode began.",
    ),
    Counter(
        "TcpExtTCPLossUndo",
        meaning="Timeouts whose effect was undone: what was marked lost is taken as under way again, and the old window is "
        "restored.",
        unit="episodes",
        moves="At the sender in Loss, by timestamps, DSACKs or F-RTO; also when the last of it is acknowledged.",
        points_at="Timeouts that came too early: sudden delay, as in mobile networks (TCPSpuriousRTOs).",
        reference=f"tcp_try_undo_loss() in {_INPUT}; RFC 4015, RFC 5682",
        observability="inferred",
        why=f"{_EVIDENCE}: an ACK after a timeout that cannot be for its retransmission.",
    ),
    Counter(
        "TcpExtTCPSpuriousRTOs",
        meaning="Timeouts that F-RTO found needless: ACKs went on for data that was never sent again. Each is in TCPLossUndo "
        "too.",
        unit="episodes",
        moves="At the sender in Loss, at the second ACK or so after the timeout.",
        points_at="Sudden delay on the path (buffers, mobile handover), more than the retransmission timer allows for.",
        reference=f"tcp_process_loss() in {_INPUT}; RFC 5682",
        observability="inferred",
        why=f"{_EVIDENCE}: after one timeout, an ACK or SACK block for data sent once only.",
    ),
    Counter(
        "TcpExtTCPSACKReorder",
        meaning="Times SACK showed that segments were reordered: one that was never sent again arrived after later ones. The "
        "connection then waits longer before it repairs.",
        unit="episodes",
        moves="At the sender, at an ACK or SACK block for a segment below the highest SACKed.",
        points_at="A network that changes the order: several links or paths, Wi-Fi, packet schedulers.",
        reference=f"tcp_check_sack_reordering() in {_INPUT}; RFC 8985 section 6.2",
        observability="inferred",
        why="A model of the sender's marks, which segments were SACKed and which sent again, fed by received ACKs.",
    ),
    Counter(
        "TcpExtTCPRenoReorder",
        meaning="Times reordering was seen on a connection without SACK: more duplicate ACKs than segments could be "
        "missing.",
        unit="episodes",
        moves="At the sender, as duplicate ACKs and ACKs come in.",
        points_at="A network that changes the order, or copies packets.",
        reference=f"tcp_check_reno_reordering() in {_INPUT}",
        observability="inferred",
        why="A model of the sender's count of duplicate ACKs.",
    ),
    Counter(
        "TcpExtTCPTSReorder",
        meaning="Times timestamps showed that segments were reordered: a hole was filled by the original, after it had been "
        "sent again.",
        unit="episodes",
        moves="At the sender in Recovery, at each partial ACK that shows it, until TCPPartialUndo ends that.",
        points_at="A network that changes the order by more than the sender had allowed for.",
        reference=f"tcp_try_undo_partial(), tcp_check_sack_reordering() in {_INPUT}; RFC 4015",
        observability="inferred",
        why=f"{_EVIDENCE}: a partial ACK whose TSecr is older than the first retransmission.",
    ),
)
