"""Compiled: where a frame belongs in order of time, by the frames before it alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel, rows_of
from analyzer.tables import PACKETS

WINDOW_NS = 1_000_000_000  # a frame is put before others that are later by so much at most
BLOCK = 1 << 15  # and not before frames of the block (of so many) before the last
NO_TIME = -(2**63)
OFF, ON, KEEP = 0, 1, 2  # one interface so far; frames are put in order; the file's order is right

ORDER = np.dtype(
    [
        ("state", "i8"),
        ("frames", "i8"),  # since the beginning
        ("interface", "i8"),  # of the first frame
        ("latest", "i8"),  # the highest key so far
        ("block", "i8"),  # what it was at the end of the last block, and of the block before
        ("block_before", "i8"),
        ("floor", "i8"),  # frames up to this time go out: nothing comes before them any more
        ("moved", "i8"),  # frames that were put before others
        ("moved_ns", "i8"),  # by how much at most
        ("first_moved", "i8"),
        ("too_late", "i8"),  # frames that belong before others, and stay where they are
    ]
)


@kernel(rows=rows_of(PACKETS.dtype), reached=rows_of(np.int64), order_=rows_of(ORDER), keys=rows_of(np.int64))
def place(rows: Any, reached: Any, order_: Any, keys: Any) -> Int:
    """Fill `keys` (int64) with the times by which the rows are to be sorted. Returns the first row that one before it overtakes, or their number.

    The frames of one interface keep their order: of each counts the highest time so far, kept in `reached` (int64, one for
    each). `order_` is ORDER, 1.
    """
    order = order_[0]
    first = np.int64(len(rows))
    for i in range(len(rows)):
        row = rows[i]
        interface = np.int64(row["interface"])
        key = max(row["time_ns"], reached[interface])
        reached[interface] = key
        if order["frames"] == 0:
            order["interface"] = interface
        elif order["frames"] % BLOCK == 0:
            order["block_before"], order["block"] = order["block"], order["latest"]
        order["frames"] += 1
        if order["state"] == OFF and interface != order["interface"]:
            order["state"] = ON
            order["block"] = order["block_before"] = order["latest"]  # what is before that has gone out
        before = order["latest"]
        order["latest"] = max(before, key)
        order["floor"] = floor_of(order)
        if key < before:
            if order["state"] == KEEP:
                key = before
            elif key < order["floor"]:
                order["too_late"] += 1
                key = before
            else:
                first = min(first, np.int64(i))
                order["moved"] += 1
                if order["moved"] == 1:
                    order["first_moved"] = row["frame"]
                order["moved_ns"] = max(order["moved_ns"], before - key)
        keys[i] = key
    return first


@inline
def floor_of(order: Any) -> Int:
    """Up to which time nothing can be put before what is there."""
    if order["state"] != ON:
        return order["latest"]
    early = order["latest"] - WINDOW_NS
    if early > order["latest"]:  # beyond int64
        early = np.int64(NO_TIME)
    return max(early, order["block_before"])
