"""Increments summed while they are made: by counter and by cell of time, and of some counters also as steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyzer.distinct import distinct
from analyzer.prediction.names import NUMBER, PREDICTED
from analyzer.prediction.sink import EARLIEST, LATEST, NONE, ROOM, STEPS, SUM, new_sink
from analyzer.prediction.steps import Arrays, Steps
from analyzer.schema import Rows

FIRST_COLUMNS = 64
Numbers = npt.NDArray[np.int64]


class Tally:
    """Sums of increments.

    Parameters
    ----------
    cuts : times (i8, ascending) at which a cell ends and the next begins
    followed : counters of which it is kept, too, when they moved (`steps`)

    A predictor adds to `sink`, and has it drained when that has no room.
    """

    def __init__(self, cuts: Numbers, followed: Sequence[str] = ()) -> None:
        self.cuts = cuts
        self.steps = {name: Steps() for name in followed}
        self.sink = new_sink(summing=True)
        self.sums = np.zeros((len(cuts) + 1, FIRST_COLUMNS), SUM)
        for number, name in enumerate(followed):
            self.sink["followed"][0, NUMBER[name]] = number

    def add(self, increments: Rows) -> None:
        """Sum increments (INCREMENT) that were made before, of whatever time."""
        if not len(increments):
            return
        sink, times = self.sink[0], increments["time_ns"]
        sink["first_ns"] = min(sink["first_ns"], times.min())
        sink["last_ns"] = max(sink["last_ns"], times.max())
        cells = np.searchsorted(self.cuts, times, side="right"), self._columns_of(increments["counter"])
        for name in ("amount", "least", "most"):
            np.add.at(self.sums[name], cells, increments[name])
        np.add.at(self.sums["size"], cells, np.abs(increments["amount"]))
        which = sink["followed"][increments["counter"]]
        for number, steps in enumerate(self.steps.values()):
            mine = np.flatnonzero(which == number)
            if len(mine):
                steps.add(*(increments[name][mine] for name in ("time_ns", "least", "most")))

    def told(self) -> tuple[Numbers, Rows, list[Arrays], Numbers]:
        """All that it holds, as `join` takes it; nothing waits."""
        columns = self.sink["column"][0]
        counters = np.flatnonzero(columns != NONE)
        steps = [each.arrays() for each in self.steps.values()]
        rest = [int(self.sink[name][0]) for name in ("first_ns", "last_ns")]
        rest += [each.bits for each in self.steps.values()]
        return counters, self.sums[:, columns[counters]], steps, np.array(rest, np.int64)

    def join(self, counters: Numbers, sums: Rows, steps: Sequence[Arrays], rest: Numbers) -> None:
        """Add what another one of the same cells and followed counters has told."""
        sink, (first, last, *bits) = self.sink[0], rest.tolist()
        sink["first_ns"], sink["last_ns"] = min(sink["first_ns"], first), max(sink["last_ns"], last)
        columns = self._columns_of(counters.astype(np.uint16))
        for name in SUM.names or ():
            self.sums[name][:, columns] += sums[name]
        for each, more, width in zip(self.steps.values(), steps, bits, strict=True):
            each.bits = max(each.bits, width)
            each.add(more.first, more.least, more.most)

    def make_room(self) -> None:
        """Take what waits in the sink, if that is much."""
        sink = self.sink[0]
        kept, columns = sink["used"] + ROOM > sink["room"], sink["columns"] > self.sums.shape[1]
        if kept or columns or sink["most_steps"] + ROOM >= STEPS:
            self.drain()

    def reach(self, time_ns: int) -> None:
        """Frames up to this time were looked at."""
        self.sink["last_ns"] = max(self.sink["last_ns"][0], time_ns)

    def enter(self, time_ns: int) -> None:
        """What is counted from now on belongs to the cell of this time."""
        self.drain()
        cell = int(np.searchsorted(self.cuts, time_ns, side="right"))
        self.sink["cell"] = cell
        self.sink["from_ns"] = self.cuts[cell - 1] if cell else EARLIEST
        self.sink["until_ns"] = self.cuts[cell] if cell < len(self.cuts) else LATEST

    def drain(self) -> None:
        """Take what waits in the sink."""
        sink = self.sink[0]
        self._widen()
        columns = int(sink["columns"])
        for name in SUM.names or ():
            self.sums[name][sink["cell"], :columns] += sink["sums"][name][:columns]
        sink["sums"][:columns] = 0
        self.add(sink["rows"][: sink["used"]].copy())
        sink["used"] = 0
        for number, steps in enumerate(self.steps.values()):
            waiting = sink["steps"][number]
            found = waiting["steps"][1 : waiting["count"] + 1]
            steps.add(*(found[name].copy() for name in ("time_ns", "least", "most")))
            waiting["count"], waiting["bits"] = 0, steps.bits
        sink["most_steps"] = 0

    def of(self, name: str) -> Rows | None:
        """The sums (SUM) of a counter by cell, `exact` among the others; None if it did not occur."""
        column = int(self.sink["column"][0, NUMBER[name]]) if name in NUMBER else NONE
        return None if column == NONE else _together(self.sums[:, column])

    def every(self) -> Rows:
        """The same of all counters, in no order."""
        return _together(self.sums)

    def names(self) -> list[str]:
        """The counters that occur, as they are numbered."""
        return [PREDICTED[number] for number in np.flatnonzero(self.sink["column"][0] != NONE)]

    def span(self) -> tuple[int, int]:
        """The times of the first and the last frame that moved something; zeros without any."""
        first, last = int(self.sink["first_ns"][0]), int(self.sink["last_ns"][0])
        return (first, last) if first <= last else (0, 0)

    def _columns_of(self, counters: npt.NDArray[np.uint16]) -> npt.NDArray[np.int16]:
        """Where each counter is summed; one that had no place gets one."""
        sink = self.sink[0]
        fresh = distinct(counters[sink["column"][counters] == NONE])
        sink["column"][fresh] = np.arange(sink["columns"], sink["columns"] + len(fresh))
        sink["columns"] += len(fresh)
        self._widen()
        return np.asarray(sink["column"][counters])

    def _widen(self) -> None:
        """Have a column for every counter that occurred."""
        width = self.sums.shape[1]
        while width < self.sink["columns"][0]:
            width *= 2
        if width > self.sums.shape[1]:
            more = np.zeros((len(self.sums), width - self.sums.shape[1]), SUM)
            self.sums = np.concatenate([self.sums, more], axis=1)


def _together(sums: Rows) -> Rows:
    """With what is certain added to the others."""
    found = sums.copy()
    for kind in ("amount", "least", "most", "size"):
        found[kind] += found["exact"]
    return found
