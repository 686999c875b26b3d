"""Compiled: the receive window, probes of it, and keep-alives."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, rare
from analyzer.events.emit_kernel import FIN, RST, SYN, emit, letter
from analyzer.flows.end_state import IN_VAIN, KEEP_ALIVE, PROBE
from analyzer.kinds import CAUSE, NUMBER

ZERO, ZERO_END, UPDATE, FULL = (
    NUMBER[name] for name in ("zero_window", "zero_window_end", "window_update", "window_full")
)
WINDOW_PROBE, PROBE_ANSWER, UNANSWERED = (
    NUMBER[name] for name in ("window_probe", "window_probe_answer", "window_probe_unanswered")
)
SHRUNK, KIND_KEEP_ALIVE, KEEP_ALIVE_ANSWER = (
    NUMBER[name] for name in ("window_shrunk", "keep_alive", "keep_alive_answer")
)
LIMITED, INVALID, BEYOND = (NUMBER[name] for name in ("window_limited", "window_probe_invalid", "sent_beyond_window"))
ONE_BYTE, EMPTY = CAUSE["one_byte"], CAUSE["empty"]
NO_PROBE = 0
OF_SYN, SCALED = 1, 2
ANSWER_NS = 20_000_000  # jitter, and the time that a host takes
UNASKED_NS = 100_000_000  # a segment so long after the last of the other end is no answer
W = ord("w")


@inline
def probing(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> Int:
    """PROBE or KEEP_ALIVE where the segment is one, else 0."""
    if seg["length"] > 1 or seg["flags"] & (SYN | FIN | RST) or not me["heard"] or not you["heard"]:
        return np.int64(NO_PROBE)
    one = seg["length"] == 1
    if you["windows"] and you["window"] == 0:
        if one and seg["start"] >= you["last_edge"]:
            cause = ONE_BYTE
        elif not one and seg["start"] == me["una"] - 1:
            cause = EMPTY
        else:
            if not one:
                probing_in_vain(seg, me, you, state, world, out, counts)
            return np.int64(NO_PROBE)
        if me["probe"] == PROBE:
            since = seg["time_ns"] - me["probe_ns"]
            emit(seg, state, world, out, counts, UNANSWERED, 0, me["probe_frame"], since)
        emit(seg, state, world, out, counts, WINDOW_PROBE, cause, 0, 0)
        me["probe"] = PROBE
    elif seg["start"] == me["next"] - 1 and me["una"] == me["next"]:
        emit(seg, state, world, out, counts, KIND_KEEP_ALIVE, 0, 0, 0)
        me["probe"] = KEEP_ALIVE
    else:
        return np.int64(NO_PROBE)
    me["probe_ns"], me["probe_frame"] = seg["time_ns"], seg["frame"]
    return np.int64(me["probe"])


@inline
def probing_in_vain(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A segment without data at the next sequence number, into a closed window: one more of those that nobody asked for?"""
    news = seg["start"] != me["next"] or seg["ack"] != you["una"] or seg["window"] != me["window"]
    if news or not seg["has_ack"] or me["una"] != me["next"]:
        return
    gap = seg["time_ns"] - max(me["last_ns"], you["last_ns"])
    if you["last_frame"] > me["last_frame"]:  # the first since that
        me["void_probes"] = 1 if gap >= UNASKED_NS else 0
    else:
        grows = gap > me["void_gap_ns"] + (me["void_gap_ns"] >> 1)
        # At the ceiling of its timer an end goes on at the same interval.
        steady = me["void_probes"] >= IN_VAIN and gap >= me["void_gap_ns"] - (me["void_gap_ns"] >> 3)
        me["void_probes"] = min(np.int64(me["void_probes"]) + 1, 0xFFFF) if grows or steady else 1
    me["void_gap_ns"] = gap
    if me["void_probes"] >= IN_VAIN:
        emit(seg, state, world, out, counts, INVALID, 0, me["last_frame"], gap)


@inline
def answering(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> Any:
    """Does the segment answer a probe or a keep-alive of the other end? Then it is said, and no duplicate ACK."""
    if not you["probe"] or not seg["has_ack"] or seg["flags"] & (SYN | RST):
        return False
    kind = you["probe"]
    you["probe"] = NO_PROBE
    if seg["length"] or seg["flags"] & FIN or seg["start"] != me["next"]:
        return False
    answer = PROBE_ANSWER if kind == PROBE else KEEP_ALIVE_ANSWER
    since = seg["time_ns"] - you["probe_ns"]
    longest = max(2 * np.int64(you["rtt_min_ns"]), np.int64(you["rtt_max_ns"])) + ANSWER_NS
    if kind == PROBE and seg["window"] and you["rtt_count"] and since > longest:
        return False  # the window opened by itself
    emit(seg, state, world, out, counts, answer, 0, you["probe_frame"], since)
    return True


@inline
def filling(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """Data that leaves nothing of the window; and again, though the window had time to grow."""
    if seg["length"] > 0 and you["windows"] and you["scale_known"] and you["window"] > 0 and seg["end"] >= you["edge"]:
        emit(seg, state, world, out, counts, FULL, 0, 0, you["window"])
        if me["full_window"] >= you["window"] and you["edge"] > me["full_edge"] and not me["limited"]:
            me["limited"] = 1
            emit(seg, state, world, out, counts, LIMITED, 0, 0, you["window"])
        me["full_edge"] = you["edge"]
        me["full_window"] = max(me["full_window"], you["window"])


@inline
def sent_of(you: Any) -> Int:
    """How far the data of the other end goes, as far as it was captured."""
    return min(you["next"], you["fin"]) if you["fin"] else you["next"]


@rare
def shutting(seg: Any, me: Any, you: Any, finished: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A window that closes, and one that opens again. A FIN opens it where nothing was waiting for that."""
    fin = seg["flags"] & FIN
    if seg["window"] == 0 and not finished:
        if not me["zero_frame"] and not fin:
            emit(seg, state, world, out, counts, ZERO, 0, 0, 0)
            letter(seg, state, W)
            me["zero_since_ns"], me["zero_frame"] = seg["time_ns"], seg["frame"]
            me["zero_windows"] += 1
            you["void_probes"] = 0
    elif me["zero_frame"] and not (fin and sent_of(you) > seg["ack"]):
        since = max(seg["time_ns"] - me["zero_since_ns"], 0)
        if seg["window"]:
            emit(seg, state, world, out, counts, ZERO_END, 0, me["zero_frame"], since)
        me["zero_ns"] += since
        me["zero_longest_ns"] = max(me["zero_longest_ns"], since)
        me["zero_frame"] = 0


@inline
def offering(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """The window that the segment offers, against the last one."""
    flags = seg["flags"]
    if not seg["has_ack"] or flags & RST or seg["ack"] < seg["una"] or seg["late"]:
        return
    window, edge = seg["window"], seg["ack"] + seg["window"]
    finished = you["fin"] and seg["ack"] >= you["fin"]  # all is there that the other end will ever send
    if not flags & SYN:
        shutting(seg, me, you, finished, state, world, out, counts)
    if edge > me["last_edge"]:
        you["news_ns"] = seg["time_ns"]
    if me["windows"]:
        moved = edge - me["last_edge"]
        # The ACK that ends the handshake scales the window for the first time: nothing moved.
        scaled = me["windows"] == SCALED or not me["syns"]
        if moved > 0 and scaled and seg["length"] == 0 and seg["ack"] == seg["una"] and not flags & (SYN | FIN):
            emit(seg, state, world, out, counts, UPDATE, 0, 0, moved)
        # A window is rounded down to its scale: that is no step back (RFC 7323 section 2.4).
        if me["scale_known"] and moved <= -(np.int64(1) << np.int64(me["scale"])) and not flags & SYN and not finished:
            beyond = sent_of(you) - edge
            if me["windows"] == SCALED or window == 0 or beyond > 0:
                emit(seg, state, world, out, counts, SHRUNK, 0, 0, -moved)
            if beyond > 0 and edge < me["edge"]:
                emit(seg, state, world, out, counts, BEYOND, 0, 0, beyond)
    me["windows"] = OF_SYN if flags & SYN else SCALED
    me["window"], me["last_edge"] = window, edge
    me["edge"] = max(me["edge"], edge)
    if not flags & SYN:
        me["window_min"] = min(me["window_min"], window)
        me["window_max"] = max(me["window_max"], window)
