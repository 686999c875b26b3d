"""Kinds of events in plain words, the term of the field in brackets; and frames, numbers of connections and moments as all texts write them."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.kinds import NAMES
from analyzer.text import plural

FEW = 3  # frames or connections that are named of many
SECOND_NS = 1_000_000_000
EVENT_WORDS = {
    "capture_duplicate": "captured twice (capture duplicate)",
    "network_duplicate": "repeated by the network (network duplicate)",
    "capture_gap": "missing in the capture, though it was received (capture gap)",
    "captured_late": "written late by the capture (captured late)",
    "retransmission": "sent again (retransmission)",
    "retransmission_timeout": "sent again when the timer ran out (retransmission timeout)",
    "spurious_retransmission": "sent again needlessly (spurious retransmission)",
    "reordering": "overtaken on the way (reordering)",
    "duplicate_ack": "acknowledged again (duplicate ACK)",
    "mtu_black_hole": "large segments never arrive (MTU black hole)",
    "dsack": "received twice, says the receiver (DSACK)",
    "invalid_sack": "a report of data that was never sent (invalid SACK)",
    "sack_reneging": "data thrown away that was reported as received (SACK reneging)",
    "zero_window": "no room to receive (zero window)",
    "zero_window_end": "room to receive again (window reopened)",
    "window_never_reopened": "no room to receive until the end (window never reopened)",
    "window_update": "more room to receive (window update)",
    "window_full": "all room to receive is used (window full)",
    "window_limited": "the room to receive limits the sender (window limited)",
    "window_probe": "asked whether there is room again (window probe)",
    "window_probe_answer": "an answer to that question (answer to a window probe)",
    "window_probe_unanswered": "asked for room without an answer (unanswered window probe)",
    "window_probe_invalid": "asked for room in a way that nobody need answer (invalid window probe)",
    "window_shrunk": "room to receive taken back (window shrunk)",
    "sent_beyond_window": "room taken back from under data on its way (sent beyond the window)",
    "keep_alive": "asked whether the other end is there (keep-alive)",
    "keep_alive_answer": "an answer to that question (keep-alive answer)",
    "tsval_regression": "a timestamp that runs back (TSval regression)",
    "tsecr_never_sent": "an echo of a timestamp that was never sent (TSecr never sent)",
    "paws": "dropped as too old by its timestamp (PAWS)",
    "tw_recycle": "several hosts behind one address, by their timestamps (tcp_tw_recycle drops them)",
    "clock_regression": "the capture's clock runs back (clock regression)",
    "syn_unanswered": "no answer to the request to connect (SYN unanswered)",
    "refused": "nobody listens there (refused with RST)",
    "reset_in_handshake": "reset while it was being opened (reset in the handshake)",
    "answered_past_nat": "answered past the NAT",
    "syn_cookie": "opened with a cookie, for want of room (SYN cookie)",
    "options_refused": "options not granted (options refused)",
    "syn_ack_again": "the opening confirmed again (SYN-ACK again)",
    "syn_ack_again_answer": "an answer to that (ACK of a repeated SYN-ACK)",
    "syn_ack_by_middlebox": "answered by a box on the way (SYN-ACK by a middlebox)",
    "simultaneous_open": "opened from both sides at once (simultaneous open)",
    "fast_open": "data with the request to connect (TCP Fast Open)",
    "ecn_negotiated": "agreed on marks instead of losses (ECN)",
    "ce": "marked as congested by a router (CE)",
    "ece": "congestion reported by the receiver (ECE)",
    "cwr": "the sender slows down (CWR)",
    "reset": "cut off (reset, RST)",
    "closing_reset": "ended with a reset, as it was ending anyway (RST)",
    "reset_by_middlebox": "cut off by a box on the way (reset by a middlebox)",
    "fin_unanswered": "no answer to its end (FIN unanswered)",
    "half_open": "known to one end only (half-open)",
    "stray": "a left-over of the connection before on the same ports (stray segment)",
    "challenge_ack": "an unacceptable segment questioned (challenge ACK)",
    "data_after_close": "data after the end was said (data after FIN)",
}
assert tuple(EVENT_WORDS) == NAMES, "a kind of event without words"


def frames_text(frames: Sequence[int], count: int = 0, most: int = FEW) -> str:
    """Such as `frame 3` or `frames 3, 4, 9 and 5 more`, where `count` says how many there are in all."""
    if not frames:
        return ""
    few = frames if max(count, len(frames)) <= most else frames[:most]
    more = max(count, len(frames)) - len(few)
    named = ", ".join(f"{frame}" for frame in few) + (f" and {more:,} more" if more > 0 else "")
    return f"frame{'' if len(frames) == 1 and more <= 0 else 's'} {named}"


def numbers_text(flows: Sequence[int], count: int = 0) -> str:
    """Connections by their numbers in the table `flows`: `#3`, or `#3, #4, #9 and 5 more`."""
    if not flows:
        return ""
    few = flows if max(count, len(flows)) <= FEW else flows[:FEW]
    more = max(count, len(flows)) - len(few)
    return ", ".join(f"#{flow}" for flow in few) + (f" and {more:,} more" if more > 0 else "")


def offset_text(time_ns: int, start_ns: int) -> str:
    """A moment by the time since the first frame, in seconds as Wireshark counts them; of a counter it may be before that."""
    offset = time_ns - start_ns
    if offset < 0:
        return f"{offset_text(start_ns, time_ns)} before the first frame"
    places = 6 if 0 < offset < SECOND_NS // 1000 else 3
    return f"{offset / SECOND_NS:,.{places}f} s"


def times(count: int) -> str:
    """How often."""
    return "once" if count == 1 else plural(count, "time")
