"""Compiled sequence analysis as Wireshark 4.0 does it: one state per direction, one pass over the frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, in_library, inline, kernel, rows_of
from analyzer.serial import difference
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.flows.tuple_kernel import low_end

difference = inline(difference)

DIRECTION = [
    ("next_seq", "u4"),  # highest sequence number seen, and the byte after it; 0 is unknown
    ("max_seq_to_be_acked", "u4"),  # highest one without a hole before it
    ("last_ack", "u4"),
    ("duplicate_acks", "u4"),
    ("base_seq", "u4"),  # of the SYN, or one less than the first sequence number
    ("base_known", "u1"),
    ("window", "i8"),  # as on the wire; -1 before the first segment
    ("window_scale", "i2"),  # -1 not known, -2 not used
    ("window_unscaled", "u1"),  # the window came in a SYN, which is never scaled
    ("heard", "u1"),
    ("last_labels", "u2"),
    ("last_ack_ns", "i8"),
    ("next_seq_ns", "i8"),
]
LABEL_STATE = np.dtype(
    [(name, kind, (2,)) for name, kind in DIRECTION] + [("flow", "i8"), ("syn_ns", "i8"), ("rtt_ns", "i8")], align=True
)


def _bit(word: str) -> int:
    return PACKETS.bit("wireshark", word)


RETRANSMISSION, FAST, SPURIOUS = _bit("retransmission"), _bit("fast_retransmission"), _bit("spurious_retransmission")
OUT_OF_ORDER, LOST, ACK_LOST = _bit("out_of_order"), _bit("lost_segment"), _bit("ack_lost_segment")
KEEP_ALIVE, KEEP_ALIVE_ACK = _bit("keep_alive"), _bit("keep_alive_ack")
ZERO_WINDOW, PROBE, PROBE_ACK = _bit("zero_window"), _bit("zero_window_probe"), _bit("zero_window_probe_ack")
WINDOW_FULL, WINDOW_UPDATE = _bit("window_full"), _bit("window_update")
DUPLICATE_ACK, REUSED_PORTS = _bit("duplicate_ack"), _bit("reused_ports")

FIN, SYN, RST, ACK = 1, 2, 4, 16
DECODED, TRUNCATED = PACKETS.bit("stop", "decoded"), PACKETS.bit("stop", "truncated")
LAYER_TCP, LAYER_FRAGMENT = PACKETS.bit("layers", "tcp"), PACKETS.bit("layers", "fragment")
OPTION_WINDOW_SCALE = PACKETS.bit("options", "window_scale")
SAID = 0xFFFFFFFF  # in place of a count of duplicate ACKs: it has been said that data never seen was acknowledged
MAX_SCALE = 14  # RFC 7323 section 2.3: a greater shift counts as this one
FAST_NS = 20_000_000  # a fast retransmission comes within 20 ms of the duplicate ACK
OUT_OF_ORDER_NS = 3_000_000  # and a segment out of order within 3 ms where no handshake gave the RTT


@inline
def wire(number: Int) -> Any:
    """A sequence number as it is written: of 32 bits."""
    return np.uint32(number & 0xFFFFFFFF)


@inline
def later(a: Int, b: Int) -> Any:
    """Is sequence number `a` after `b`? Serial arithmetic of 32 bits."""
    return difference(b, a) < 0


@kernel(rows=rows_of(PACKETS.dtype), states=rows_of(LABEL_STATE), blank=rows_of(LABEL_STATE))
def label(rows: Any, states: Any, blank: Any) -> None:
    """Fill `wireshark` in the rows that belong to a TCP flow; a state at whose place another flow is begins as `blank`."""
    for i in range(len(rows)):
        row = rows[i]
        # Wireshark gives up on a header that is longer than the packet; where only the snaplen cut the options it goes
        # through the analysis, but fails before it shows the result.
        stop = row["stop"]
        if row["flow"] < 0 or not row["layers"] & LAYER_TCP or row["layers"] & LAYER_FRAGMENT:
            continue
        if stop != DECODED and stop != TRUNCATED:
            continue
        state = states[row["place"]]
        labels = 0
        if state["flow"] != row["flow"] + 1:
            states[row["place"]] = blank[0]
            state["flow"] = row["flow"] + 1
            if row["reused"]:
                labels = REUSED_PORTS
        labels |= analyze(state, row, low_end(row))
        if stop == DECODED:
            row["wireshark"] = labels


@inline
def analyze(state: Any, row: Any, fwd: Int) -> Int:
    """The labels of one segment sent by end `fwd`; the state of its connection moves on."""
    rev = 1 - fwd
    seq, ack, length, flags = np.uint32(row["seq"]), np.uint32(row["ack"]), row["payload_len"], row["flags"]
    window, time_ns = np.int64(row["window"]), row["time_ns"]
    labels = begin(state, seq, ack, flags, fwd)
    if flags & (SYN | ACK) == SYN:  # said again: what came behind a hole is forgotten
        state["next_seq"][fwd] = state["max_seq_to_be_acked"][fwd]
    if length == 1 and seq == state["next_seq"][fwd] and state["window"][rev] == 0:
        labels |= PROBE
    else:
        labels |= of_window_and_ack(state, seq, ack, length, flags, window, fwd)
    if ack != state["last_ack"][fwd]:
        state["duplicate_acks"][fwd] = 0
    highest = state["max_seq_to_be_acked"][rev]
    if highest and later(ack, highest) and flags & ACK:
        if later(state["next_seq"][rev], highest):
            state["max_seq_to_be_acked"][rev] = state["next_seq"][rev]
            labels |= ACK_LOST
        else:  # said once, until the other side acknowledges something new
            if state["duplicate_acks"][rev] == 0:
                labels |= ACK_LOST
            state["duplicate_acks"][rev] = SAID
    if (length > 0 or flags & (SYN | FIN)) and not labels & KEEP_ALIVE:
        labels |= sent_before(state, seq, length, flags, time_ns, fwd)
    if not labels & PROBE:  # which does not really advance the sequence
        advance(state, seq, length, flags, time_ns, fwd)
    state["window"][fwd] = window
    state["last_ack"][fwd] = ack
    state["last_ack_ns"][fwd] = time_ns
    state["last_labels"][fwd] = labels
    agree_on_scale(state, row, flags, fwd)
    measure_handshake(state, flags, time_ns)
    return labels


@inline
def begin(state: Any, seq: Any, ack: Any, flags: Int, fwd: Int) -> Int:
    """How a direction began. The label: a SYN-ACK that begins at another sequence number than its connection."""
    rev = 1 - fwd
    state["heard"][fwd] = 1
    labels = 0
    if flags & SYN and flags & ACK and state["base_known"][fwd] and state["base_seq"][fwd] != seq:
        labels = REUSED_PORTS
        state["base_seq"][fwd] = seq
    if not state["base_known"][fwd]:
        state["base_known"][fwd] = 1
        state["base_seq"][fwd] = seq if flags & SYN else wire(np.int64(seq) - 1)
    if not state["base_known"][rev] and flags & ACK:
        state["base_known"][rev] = 1
        state["base_seq"][rev] = wire(np.int64(ack) - 1)
    return labels


@inline
def measure_handshake(state: Any, flags: Int, time_ns: Int) -> None:
    """The round-trip time from SYN to the ACK that ends the handshake; it holds from the next segment on."""
    if flags & (SYN | ACK) == SYN:
        state["syn_ns"] = time_ns
    elif flags & (SYN | ACK) == ACK and state["rtt_ns"] == 0 and state["syn_ns"] != 0:
        state["rtt_ns"] = time_ns - state["syn_ns"]


@inline
def of_window_and_ack(state: Any, seq: Any, ack: Any, length: Int, flags: Int, window: Int, fwd: Int) -> Int:
    """The labels that need no look at what was sent before: windows, keep-alives, gaps, duplicate ACKs."""
    rev = 1 - fwd
    labels = 0
    next_seq = state["next_seq"][fwd]
    special = flags & (SYN | FIN | RST)
    if window == 0 and not special:
        labels |= ZERO_WINDOW
    if next_seq and later(seq, next_seq) and not flags & RST:
        labels |= LOST
    if length <= 1 and seq == wire(np.int64(next_seq) - 1) and not special:
        labels |= KEEP_ALIVE
    if length > 0 and state["window_scale"][rev] != -1 and not special:
        shift = np.int64(0)
        if not state["window_unscaled"][rev] and state["window_scale"][rev] > 0:
            shift = np.int64(state["window_scale"][rev])
        edge = wire(np.int64(state["last_ack"][rev]) + (np.int64(state["window"][rev]) << np.int64(shift)))
        if wire(np.int64(seq) + np.int64(length)) == edge:
            labels |= WINDOW_FULL
    if length > 0 or seq != next_seq or ack != state["last_ack"][fwd] or special:
        return labels
    if window != state["window"][fwd]:
        return labels | WINDOW_UPDATE if window else labels
    before = state["last_labels"][rev]
    if window == 0:
        return labels | PROBE_ACK if before & PROBE else labels
    if before & KEEP_ALIVE:
        return labels | KEEP_ALIVE_ACK
    seen = state["duplicate_acks"][fwd]
    state["duplicate_acks"][fwd] = 1 if seen == SAID else seen + 1
    return labels | DUPLICATE_ACK


@inline
def sent_before(state: Any, seq: Any, length: Int, flags: Int, time_ns: Int, fwd: Int) -> Int:
    """Retransmission, spurious or fast, or out of order, for a segment that takes up sequence space."""
    rev = 1 - fwd
    next_seq = state["next_seq"][fwd]
    end = wire(np.int64(seq) + np.int64(length))
    if length > 0 and state["last_ack"][rev] and np.int32(end - state["last_ack"][rev]) <= 0:
        return SPURIOUS | RETRANSMISSION
    if next_seq == 0 or not later(next_seq, seq):
        return 0
    if length > 1 and wire(np.int64(next_seq) - 1) == seq:  # data after a window probe
        return 0
    since_ack = time_ns - state["last_ack_ns"][rev]
    if state["duplicate_acks"][rev] >= 2 and state["last_ack"][rev] == seq and 0 <= since_ack < FAST_NS:
        return FAST | RETRANSMISSION
    if flags & (SYN | FIN):
        end = wire(np.int64(end) + 1)
    threshold = state["rtt_ns"] if state["rtt_ns"] else OUT_OF_ORDER_NS
    if 0 <= time_ns - state["next_seq_ns"][fwd] < threshold and next_seq != end:
        return OUT_OF_ORDER
    return RETRANSMISSION


@inline
def advance(state: Any, seq: Any, length: Int, flags: Int, time_ns: Int, fwd: Int) -> None:
    """Move the highest sequence number, and the highest without a hole before it."""
    end = wire(np.int64(seq) + np.int64(length))
    if flags & (SYN | FIN):
        end = wire(np.int64(end) + 1)
    if later(end, state["next_seq"][fwd]) or not state["next_seq"][fwd]:
        state["next_seq"][fwd] = end
        state["next_seq_ns"][fwd] = time_ns
    if seq == state["max_seq_to_be_acked"][fwd] or not state["max_seq_to_be_acked"][fwd]:
        state["max_seq_to_be_acked"][fwd] = state["next_seq"][fwd]


@inline
def agree_on_scale(state: Any, row: Any, flags: Int, fwd: Int) -> None:
    """Window scaling, which is used only if both SYN and SYN-ACK offer it."""
    rev = 1 - fwd
    state["window_unscaled"][fwd] = 1 if flags & SYN else 0
    if not flags & SYN:
        return
    if row["options"] & OPTION_WINDOW_SCALE:
        unused = flags & ACK and state["window_scale"][rev] == -2
        state["window_scale"][fwd] = -2 if unused else min(np.int64(row["window_scale"]), MAX_SCALE)
    elif state["window_scale"][fwd] == -1:  # one that is known stays
        state["window_scale"][fwd] = -2
        state["window_scale"][rev] = -2
