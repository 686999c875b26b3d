"""Where increments go: one by one, for who wants to see them, or summed at once, by time and counter.

Time is cut into cells, within which an increment counts alike. Those of the cell of the frame at hand are summed as they are
made; others, and all where nobody wants sums, are kept as rows, which are taken before there are too many.
"""

from __future__ import annotations

import numpy as np

from analyzer.prediction.names import PREDICTED
from analyzer.schema import Rows

INCREMENT = np.dtype(
    [
        ("time_ns", "i8"),
        ("frame", "i8"),
        ("flow", "i8"),
        ("counter", "u2"),
        ("amount", "i8"),
        ("least", "i8"),
        ("most", "i8"),
    ],
    align=True,
)
ROOM = 256  # more increments than one frame can make
OUT_CAPACITY = 1 << 15

# Of a counter in a cell: of increments that are certain (and no less than zero), and of others; `size` is what these are together without their signs.
SUM = np.dtype([("exact", "i8"), ("amount", "i8"), ("least", "i8"), ("most", "i8"), ("size", "i8")], align=True)

# When a followed counter moved; increments of the same time are one.
STEP = np.dtype([("time_ns", "i8"), ("least", "i8"), ("most", "i8")], align=True)
STEPS = 1 << 15  # of each counter that wait to be taken
FOLLOWED = np.dtype(
    [
        ("count", "i8"),
        ("bits", "i8"),  # of times that are not told apart
        ("steps", STEP, (STEPS,)),  # from the second on
    ],
    align=True,
)
MOST_FOLLOWED = 16

COUNTERS = len(PREDICTED)
NONE = -1
EARLIEST, LATEST = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)

SINK = np.dtype(
    [
        ("summing", "u1"),  # else all increments are kept
        ("used", "i8"),  # rows that are kept
        ("room", "i8"),
        # The cell of the frame at hand: of times from, and before; none are both at first.
        ("cell", "i8"),
        ("from_ns", "i8"),
        ("until_ns", "i8"),
        ("first_ns", "i8"),  # of frames whose increments were summed
        ("last_ns", "i8"),
        ("columns", "i8"),  # counters that occurred, in the order of their columns
        ("column", "i2", (COUNTERS,)),  # of each counter, NONE until it occurs
        ("followed", "i1", (COUNTERS,)),  # its number among those that are followed, NONE for others
        ("sums", SUM, (COUNTERS,)),  # of this cell, by column
        ("most_steps", "i8"),  # of one counter, that wait
        ("steps", FOLLOWED, (MOST_FOLLOWED,)),
        ("rows", INCREMENT, (OUT_CAPACITY,)),
    ],
    align=True,
)


def new_sink(*, summing: bool = False) -> Rows:
    """One row of SINK, nothing in it."""
    state = np.zeros(1, SINK)
    state["summing"], state["room"] = summing, OUT_CAPACITY
    state["column"] = state["followed"] = NONE
    state["first_ns"], state["last_ns"] = LATEST, EARLIEST
    return state


class Kept:
    """The increments themselves."""

    cuts = np.zeros(0, np.int64)
    sums = np.zeros((1, 0), SUM)

    def __init__(self) -> None:
        self.sink = new_sink()

    def taken(self) -> Rows:
        """The rows (INCREMENT) that were added since this was asked last; the next ones overwrite them."""
        found: Rows = self.sink["rows"][0, : self.sink["used"][0]]
        self.sink["used"] = 0
        return found
