"""Compiled: an event is said. Every family says its events through here."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.state import HISTORY

FIN, SYN, RST, ACK, ECE, CWR = 1, 2, 4, 16, 64, 128
FIRST_LETTER, LETTERS = ord("a"), 32
ROOM = 64  # more than the events that one frame can have


@inline
def emit(
    seg: Any, state: Any, world: Any, out: Any, counts: Any, kind: Int, cause: Int, related: Int, value: Int
) -> None:
    """A row of `events` for the segment at hand."""
    row = out[world["out"]]
    row["frame"], row["time_ns"] = seg["frame"], seg["time_ns"]
    row["flow"], row["direction"] = seg["flow"], seg["direction"]
    row["event"], row["cause"], row["late"] = kind, cause, 0
    row["related_frame"], row["value"], row["since_ns"] = related, value, 0
    world["out"] += 1
    counts[kind] += 1
    bit = np.uint64(1) << np.uint64(kind)
    seg["events"] |= bit
    state["events"] |= bit


@inline
def after(ns: Int, world: Any, out: Any) -> None:
    """The event that was said last comes so long after what it refers to; never less than 0, where the clock steps back."""
    out[world["out"] - 1]["since_ns"] = max(ns, 0)


@inline
def letter(seg: Any, state: Any, lower: Int) -> None:
    """Add a letter to the history for the end that sent the segment at hand."""
    add_letter(lower, np.int64(seg["end_of"]), state)


@inline
def add_letter(lower: Int, end: Int, state: Any) -> None:
    """Add a letter to the history, once an end, which is bit 7 of the code."""
    bit = np.uint64(1) << np.uint64(lower - FIRST_LETTER + LETTERS * end)
    if state["said"] & bit:
        return
    state["said"] |= bit
    count = state["letters"]
    if count < HISTORY:
        state["history"][count] = lower | end << 7
        state["letters"] = count + 1
