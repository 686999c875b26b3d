"""Sums by interval, of all connections or of one, in memory that does not grow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.kinds import KINDS, NUMBER
from analyzer.schema import Rows

INTERVALS = 400  # about so many are as fine as a screen shows
LEAST_NS = 1_000_000
AGAIN = np.uint64(1 << NUMBER["retransmission"])
KINDS_OF_TROUBLE = tuple(kind.name for kind in KINDS if kind.trouble)


def interval_of(duration_ns: int) -> int:
    """A round interval (1, 2 or 5 times a power of ten, 1 ms at least) of which about INTERVALS fill the time, in ns."""
    least = max(LEAST_NS, duration_ns // INTERVALS)
    size = LEAST_NS
    for factor in (2, 2.5, 2) * 20:
        if size >= least:
            break
        size = int(size * factor)
    return size


class Bins:
    """What was sent in each interval of a stretch of time: `sent` and `good` bytes by direction, and events by kind."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self.start_ns = start_ns
        self.every_ns = interval_of(end_ns - start_ns)
        self.count = (end_ns - start_ns) // self.every_ns + 1
        self.sent = np.zeros((2, self.count), np.int64)
        self.good = np.zeros((2, self.count), np.int64)
        self.events = np.zeros((len(KINDS), self.count), np.int64)

    def place(self, time_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The interval of each time; the first or the last for one outside."""
        found: npt.NDArray[np.int64] = (time_ns - self.start_ns) // self.every_ns
        return np.minimum(np.maximum(found, 0, out=found), self.count - 1, out=found)

    def add_all(self, rows: Rows) -> None:
        """Take in the rows of packets of any connection, as if all were sent in one direction."""
        self.sent[0] += self._sums(self.place(rows["time_ns"]), rows["length"])

    def add(self, rows: Rows) -> None:
        """Take in packet rows of one connection."""
        at = self.place(rows["time_ns"])
        fresh = rows["events"] & AGAIN == 0
        for side in (0, 1):
            mine = rows["direction"] == side
            self.sent[side] += self._sums(at[mine], rows["length"][mine])
            mine &= fresh
            self.good[side] += self._sums(at[mine], rows["payload_len"][mine])

    def _sums(self, at: npt.NDArray[np.int64], amounts: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        return np.bincount(at, amounts, self.count).astype(np.int64)

    def add_events(self, events: Rows) -> None:
        """Take in rows of `events`."""
        np.add.at(self.events, (events["event"], self.place(events["time_ns"])), 1)

    @property
    def starts_ns(self) -> npt.NDArray[np.int64]:
        """When each interval begins."""
        return self.start_ns + self.every_ns * np.arange(self.count, dtype=np.int64)
