"""Compiled: the receive window, probes of it, and keep-alives."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.emit_kernel import FIN, RST, SYN, emit, letter
from analyzer.flows.state import KEEP_ALIVE, PROBE
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
ONE_BYTE, EMPTY = CAUSE["one_byte"], CAUSE["empty"]
NO_PROBE = 0
OF_SYN, SCALED = 1, 2
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
def answering(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> Any:
    """Does the segment answer a probe or a keep-alive of the other end? Then it is said, and no duplicate ACK."""
    if not you["probe"] or not seg["has_ack"] or seg["flags"] & (SYN | RST):
        return False
    kind = you["probe"]
    you["probe"] = NO_PROBE
    if seg["length"] or seg["flags"] & FIN or seg["start"] != me["next"]:
        return False
    answer = PROBE_ANSWER if kind == PROBE else KEEP_ALIVE_ANSWER
    emit(seg, state, world, out, counts, answer, 0, you["probe_frame"], seg["time_ns"] - you["probe_ns"])
    return True


@inline
def filling(seg: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """Data that leaves nothing of the window."""
    if seg["length"] > 0 and you["windows"] and you["scale_known"] and you["window"] > 0 and seg["end"] >= you["edge"]:
        emit(seg, state, world, out, counts, FULL, 0, 0, you["window"])


@inline
def offering(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """The window that the segment offers, against the last one."""
    flags = seg["flags"]
    if not seg["has_ack"] or flags & RST or seg["ack"] < seg["una"] or seg["late"]:
        return
    window, edge = seg["window"], seg["ack"] + seg["window"]
    if not flags & (SYN | FIN):
        if window == 0:
            if not me["zero_frame"]:
                emit(seg, state, world, out, counts, ZERO, 0, 0, 0)
                letter(seg, state, W)
                me["zero_since_ns"], me["zero_frame"] = seg["time_ns"], seg["frame"]
                me["zero_windows"] += 1
        elif me["zero_frame"]:
            since = max(seg["time_ns"] - me["zero_since_ns"], 0)
            emit(seg, state, world, out, counts, ZERO_END, 0, me["zero_frame"], since)
            me["zero_ns"] += since
            me["zero_longest_ns"] = max(me["zero_longest_ns"], since)
            me["zero_frame"] = 0
    if edge > me["last_edge"]:
        you["news_ns"] = seg["time_ns"]
    if me["windows"]:
        moved = edge - me["last_edge"]
        # The ACK that ends the handshake scales the window for the first time: nothing moved.
        scaled = me["windows"] == SCALED or not me["syns"]
        if moved > 0 and scaled and seg["length"] == 0 and seg["ack"] == seg["una"] and not flags & (SYN | FIN):
            emit(seg, state, world, out, counts, UPDATE, 0, 0, moved)
        # A window is rounded down to its scale: that is no step back (RFC 7323 section 2.4).
        if (
            me["scale_known"]
            and moved <= -(np.int64(1) << np.int64(me["scale"]))
            and me["windows"] == SCALED
            and not flags & SYN
        ):
            emit(seg, state, world, out, counts, SHRUNK, 0, 0, -moved)
    me["windows"] = OF_SYN if flags & SYN else SCALED
    me["window"], me["last_edge"] = window, edge
    me["edge"] = max(me["edge"], edge)
    if not flags & SYN:
        me["window_min"] = min(me["window_min"], window)
        me["window_max"] = max(me["window_max"], window)
