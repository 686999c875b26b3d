"""TcpExt: ACKs: header prediction, delay, compression, limits, challenges, probes."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_INPUT = "net/ipv4/tcp_input.c"
_OUTPUT = "net/ipv4/tcp_output.c"
_TIMER = "net/ipv4/tcp_timer.c"
_LIMIT = f"tcp_oow_rate_limited() in {_INPUT}; net.ipv4.tcp_invalid_ratelimit"


def _skipped(name: str, what: str, where: str, reference: str) -> Counter:
    """One of the ACKs that a rate limit held back."""
    return Counter(
        f"TcpExtTCPACKSkipped{name}",
        meaning=f"ACKs not sent in answer to {what}, because one was sent less than 500 ms before "
        "(net.ipv4.tcp_invalid_ratelimit).",
        unit="wire_segments",
        moves=f"{where}. Segments with data and no SYN are never limited.",
        points_at="A loop of ACKs between two ends or a middlebox that disagree, or an attack; look at who sends them.",
        since="4.0",
        reference=f"{reference}, {_LIMIT}",
        observability="inferred",
        why="A model of the limit: received segments of this kind that no ACK answers within 500 ms of one that was "
        "answered.",
    )


COUNTERS = (
    Counter(
        "TcpExtDelayedACKs",
        meaning="ACKs sent because the timer for delayed ACKs ran out. Not those sent for every second segment, nor those "
        "that travel with data.",
        unit="wire_segments",
        moves="At the receiver of data, 40 to 200 ms after it.",
        points_at="Requests that wait for an ACK (Nagle at the sender), or single segments. Compare the time between data "
        "and ACK.",
        reference=f"tcp_delack_timer_handler() in {_TIMER}; RFC 9293 section 3.8.6.3",
        observability="inferred",
        why="A model of the timer: bare ACKs of data sent 40 ms or more after it, or of a FIN before any data a tick after it.",
    ),
    Counter(
        "TcpExtDelayedACKLocked",
        meaning="Times that timer ran out while the application held the socket; the ACK goes out when it lets go.",
        unit="episodes",
        moves="At the receiver of data, in softirq.",
        points_at="Nothing bad; many mean an application that spends long in system calls on the socket.",
        reference=f"tcp_delack_timer() in {_TIMER}",
        observability="bounded",
        why="At most the ACKs sent later than the timer allows; the lock is in no packet.",
    ),
    Counter(
        "TcpExtDelayedACKLost",
        meaning="Segments received whose data was acknowledged before: an ACK from here was lost or late, or the sender "
        "repeated too early. Any old data counts, whether its ACK was delayed or not.",
        unit="merged_segments",
        moves="At the receiver of data; quick ACKs follow.",
        points_at="Needless retransmissions of the peer: TCPDSACKOldSent goes with it.",
        reference=f"tcp_data_queue(), tcp_send_dupack() in {_INPUT}",
        observability="bounded",
        why="Received segments with data or FIN, all of it below the next byte expected, PAWS or not; but a stand-in "
        "in FIN_WAIT_2, or a listener with a full accept queue, counts nothing.",
    ),
    Counter(
        "TcpExtTCPHPHits",
        meaning="Data segments that took the fast path: header prediction held, they came in order and nothing special was in "
        "them.",
        unit="merged_segments",
        moves="At the receiver in ESTABLISHED.",
        points_at="Bulk transfer that runs well; processor time, nothing else.",
        reference=f"tcp_rcv_established() in {_INPUT}",
        observability="bounded",
        why="At most the received data segments in order with the header predicted, of less than a page: the memory that the "
        "socket has in hand decides as well, and with an empty queue there is none.",
    ),
    Counter(
        "TcpExtTCPPureAcks",
        meaning="Segments without data, SYN or FIN that went through ACK processing on the slow path, or repeated the last "
        "acknowledgment. Not those of TCPHPAcks; not ACKs below it, or of data never sent.",
        unit="merged_segments",
        moves="At the receiver of the ACK, in every connected state.",
        points_at="Load; a share that grows against TCPHPAcks means SACK blocks, window updates or reordering.",
        reference=f"tcp_ack() in {_INPUT}",
        observability="bounded",
        why="TCPPureAcks and TCPHPAcks together follow exactly from the received ACKs, but for data on the fast path; "
        "TCPBacklogCoalesce says how many were merged before. Which of the two it is, is hidden only while data of a closed "
        "socket waits to be sent.",
    ),
    Counter(
        "TcpExtTCPHPAcks",
        meaning="Segments that acknowledge new data on the fast path: header prediction held. Segments with data that "
        "acknowledge something are in it as well.",
        unit="merged_segments",
        moves="At the receiver of the ACK in ESTABLISHED.",
        points_at="Bulk transfer that runs well; processor time, nothing else.",
        reference=f"tcp_ack() in {_INPUT}",
        observability="bounded",
        why="Exact only together with TCPPureAcks; at most the received segments that acknowledge new data without SACK "
        "blocks and with an unchanged window.",
    ),
    _skipped(
        "SynRecv",
        "repeated SYNs of half-open connections (the SYN-ACK is not repeated) and to their segments out of window",
        "At the server in SYN_RECV",
        "tcp_check_req() in net/ipv4/tcp_minisocks.c",
    ),
    _skipped(
        "PAWS",
        "segments refused by PAWS",
        "At the receiver in the connected states",
        "tcp_validate_incoming()",
    ),
    _skipped(
        "Seq",
        "segments out of the window",
        "At the receiver in the connected states",
        "tcp_validate_incoming()",
    ),
    _skipped(
        "FinWait2",
        "segments out of the window of an orphan in FIN_WAIT_2",
        "At the side that closed first, while its small socket waits for FIN",
        "tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c",
    ),
    _skipped(
        "TimeWait",
        "segments to a connection in TIME_WAIT",
        "At the side that closed first",
        "tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c",
    ),
    Counter(
        "TcpExtTCPACKSkippedChallenge",
        meaning="Challenge ACKs not sent, because the connection sent an ACK for an invalid segment less than 500 ms before. "
        "Here segments with data are limited too.",
        unit="wire_segments",
        moves="At the receiver of a suspicious SYN, RST or ACK.",
        points_at="Somebody keeps sending SYN or RST into a connection: a scan, an attack, or a peer that lost its state.",
        since="4.0",
        reference=f"tcp_send_challenge_ack() in {_INPUT}, __tcp_oow_rate_limited(); RFC 5961 section 7",
        observability="inferred",
        why="A model of the limit: suspicious segments without an answer within 500 ms of one that had it; the limit of "
        "the host (tcp_challenge_ack_limit) counts nothing.",
    ),
    Counter(
        "TcpExtTCPChallengeACK",
        meaning="Challenge ACKs sent: the answer to a SYN, to a RST that is in the window but not exact, or to an ACK far out "
        "below or beyond what is outstanding, in a living connection.",
        unit="wire_segments",
        moves="At the receiver of that segment, in the connected states.",
        points_at="Blind attacks, or a peer that restarted and begins anew with the same ports (then TCPSYNChallenge).",
        since="3.6",
        reference=f"tcp_send_challenge_ack() in {_INPUT}; RFC 5961 sections 3 to 5",
        observability="inferred",
        why="Such segments by the variables of their receiver, which its own segments tell, but for those within 500 ms of "
        "an answer.",
    ),
    Counter(
        "TcpExtTCPSYNChallenge",
        meaning="SYNs that hit a living connection. Each asks for a challenge ACK, sent or held back by its limits.",
        unit="packets",
        moves="At the receiver in every synchronized state; in ESTABLISHED TcpInErrs moves too.",
        points_at="A peer that lost its state and uses the port again, an address taken over, a blind attack.",
        since="3.6",
        reference=f"tcp_validate_incoming() in {_INPUT}; RFC 5961 section 4",
        observability="bounded",
        why="About the received SYNs, with or without ACK, that belong to a living connection; whether it lives is modelled "
        "where its end was silent. In TIME_WAIT they do not count.",
    ),
    Counter(
        "TcpExtTCPAckCompressed",
        meaning="ACKs saved: several for data out of order became one. It counts those not sent, not those sent.",
        unit="wire_segments",
        moves="At the receiver of data on connections with SACK, within 1 ms or 5 % of the round trip "
        "(net.ipv4.tcp_comp_sack_delay_ns).",
        points_at="Loss or reordering on the way here; it saves work at both ends.",
        since="4.18",
        reference=f"tcp_compressed_ack_kick() in {_TIMER}, __tcp_ack_snd_check(), tcp_sack_compress_send_ack() in {_INPUT}",
        observability="inferred",
        why="A model of the receiver: segments received out of order, after the first three of a hole, without an ACK of "
        "their own; what joins in the backlog blurs it.",
    ),
    Counter(
        "TcpExtTCPWinProbe",
        meaning="Probes of a closed window: segments without data, one below the first byte not acknowledged.",
        unit="wire_segments",
        moves="At the sender with data to send, nothing outstanding and a window of 0; in urgent mode two at a time.",
        points_at="A receiving application that does not read (TCPToZeroWindowAdv there).",
        since="4.2",
        reference=f"tcp_write_wakeup(), tcp_xmit_probe_skb() in {_OUTPUT}; RFC 9293 section 3.8.6.1",
        observability="exact",
        why="Sent bare ACKs whose sequence number is one below the acknowledged, while the peer's window is closed; a probe "
        "with data, into a small window, does not count.",
    ),
    Counter(
        "TcpExtTCPKeepAlive",
        meaning="Keep-alives sent: segments without data, one below the first byte not acknowledged.",
        unit="wire_segments",
        moves="At the side that set SO_KEEPALIVE, when nothing came for the idle time (two hours by default) and nothing is "
        "outstanding.",
        points_at="Idle connections; repeated ones without an answer end in TCPAbortOnTimeout.",
        since="4.2",
        reference=f"tcp_keepalive_timer() in {_TIMER}, tcp_write_wakeup() in {_OUTPUT}; RFC 9293 section 3.8.4",
        observability="exact",
        why="Sent bare ACKs whose sequence number is one below the acknowledged, while the peer's window is open.",
    ),
)
