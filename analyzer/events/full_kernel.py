"""Compiled: whether segments of full size pass: where the first of them began, and how often the timer sent that again."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import inline

STAMPS = 12  # bytes that timestamps take from each segment


@inline
def larger(seg: Any, me: Any, you: Any) -> None:
    """The largest segment so far. Of super-segments, which are cut before they leave, all are of the same size."""
    if not you["mss"] or me["largest"] < you["mss"] - STAMPS:
        me["full_start"], me["full_times"] = seg["start"], 0
    me["largest"] = seg["length"]


@inline
def full_again(seg: Any, me: Any, you: Any) -> None:
    """The timer sends the first segment of the largest size again: as large as before, or else that size is not in question."""
    full = min(np.int64(me["largest"]), np.int64(you["mss"])) if you["mss"] else np.int64(me["largest"])
    if seg["length"] < full - STAMPS:
        me["full_start"] = -1
        return
    if me["full_times"] == 0:
        me["full_first_ns"] = seg["time_ns"]
    me["full_times"] += 1
    me["full_frame"], me["full_ns"] = seg["frame"], seg["time_ns"]
