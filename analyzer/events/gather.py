"""Events -> the `flow_events` table: what happened to each end of each connection, in a bounded number of rows."""

from __future__ import annotations

import secrets

import numpy as np

from analyzer.blank import blank
from analyzer.kinds import CAUSES, KINDS
from analyzer.schema import Rows
from analyzer.tables import EVENTS, EXAMPLES, FLOW_EVENTS

TOGETHER = 2 * len(KINDS) * len(CAUSES)  # rows of all flows together: a side, an event and a cause each
CAPACITY = (1 << 16) - TOGETHER  # rows of flows that can be told apart
TROUBLE = np.array([kind.trouble > 0 for kind in KINDS], np.uint8)


class Gatherer:
    """Feed it the events as they become certain. The result does not depend on how they are cut into parts."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        from analyzer.events.gather_kernel import GATHERED

        # At least twice as many places as there can be rows, so that a search stays short, and a power of two, so that it sees all.
        size = 1 << (2 * (capacity + TOGETHER) - 1).bit_length()
        self._places = blank(size, GATHERED)
        self._order = blank(size, np.int64)
        self._used = np.zeros(1, np.int64)
        self._most = np.array([capacity], np.int64)
        self._seed = np.uint64(secrets.randbits(64))

    def add(self, events: Rows) -> None:
        """Take the next rows of the table `events`."""
        from analyzer.events.gather_kernel import gather

        if len(events):
            gather(EVENTS.check(events), self._places, self._order, self._used, self._most, TROUBLE, self._seed)

    def rows(self) -> Rows:
        """The rows of `flow_events`, in the order in which each happened first; those of all flows together behind them."""
        used = self._places[self._order[: int(self._used[0])]]
        found = np.zeros(len(used), FLOW_EVENTS.dtype)
        for name in FLOW_EVENTS.dtype.names or ():
            found[name] = used[name]
        return in_order(found)


def in_order(rows: Rows) -> Rows:
    """Rows of `flow_events` by the frame on which each happened first, whenever that became certain; those of all flows together behind them."""
    names = ("cause", "event", "direction", "flow", "first_frame")
    return rows[np.lexsort([*(rows[name] for name in names), rows["flow"] < 0])]


def frames_of(rows: Rows, which: str = "frame") -> list[list[int]]:
    """The example frames of each row, or (`which` = "related") those that they refer to."""
    columns = [rows[f"{which}_{n}"].tolist() for n in range(1, EXAMPLES + 1)]
    return [[frame for frame in frames if frame] for frames in zip(*columns, strict=True)]
