"""Increments summed per interval: what the packets predict between two snapshots, and how certain that is at the edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.correlate.observed import Observed
from analyzer.prediction import NUMBER, PREDICTED
from analyzer.schema import Rows

EDGE_NS = 5_000_000  # a snapshot takes as long: what was captured nearer to it may be counted before or after
LONGEST_EDGE_NS = 2_000_000_000  # times that are written in seconds; what is further off is another clock
AMOUNT, LEAST, MOST, BEFORE, AFTER, LATE = range(6)
FIRST_COLUMNS = 64

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one counter, an array each over the intervals."""

    amount: Numbers
    least: Numbers
    most: Numbers
    late: Numbers  # what may have come on top by the end of each
    before_start: Numbers  # captured just before its start, and may belong to it
    after_start: Numbers  # captured just after its start, and may not
    before_end: Numbers
    after_end: Numbers


class Ledger:
    """Sums of the increments of one host between the edges of its snapshots. Only counters that occur take room."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self._edges = observed.edges
        self._column = np.full(len(PREDICTED), -1, np.intp)
        self._used = 0
        # Before the first edge, between two, after the last; near edges, just before and just after each.
        self._sums = np.zeros((6, len(self._edges) + 1, FIRST_COLUMNS), np.int64)
        self.first_ns = self.last_ns = 0  # of what was added

    def add(self, increments: Rows) -> None:
        """Count the increments of a part of the capture."""
        if not len(increments):
            return
        times = np.ascontiguousarray(increments["time_ns"])
        earliest, latest = int(times.min()), int(times.max())
        self.first_ns = min(self.first_ns or earliest, earliest)
        self.last_ns = max(self.last_ns, latest)
        if not len(self._edges):
            return
        columns = self._columns_of(increments["counter"])
        where = np.searchsorted(self._edges, times, side="right")
        for kind, name in ((AMOUNT, "amount"), (LEAST, "least"), (MOST, "most")):
            self._count(kind, where, columns, increments[name])
        for kind, nearest in ((BEFORE, where), (AFTER, where - 1)):
            inside = (nearest >= 0) & (nearest < len(self._edges))
            distance = np.abs(times - self._edges[np.where(inside, nearest, 0)])
            close = np.flatnonzero(inside & (distance <= self._observed.edge_ns))
            self._count(kind, nearest[close], columns[close], np.abs(increments["amount"][close]))

    def add_late(self, increments: Rows) -> None:
        """Count what may have happened at any time after its frame, or not at all."""
        where = np.searchsorted(self._edges, increments["time_ns"], side="right")
        columns = self._columns_of(increments["counter"])
        for at, column, most in zip(where, columns, increments["most"], strict=True):
            self._sums[LATE, at:, column] += most

    def over(self, name: str) -> Sums | None:
        """The sums of a counter; None where no packet moves it."""
        column = int(self._column[NUMBER[name]]) if name in NUMBER else -1
        if column < 0:
            return None
        first, last = self._observed.first, self._observed.last
        sums = self._sums[:, :, column]
        amount, least, most = (np.cumsum(sums[kind]) for kind in (AMOUNT, LEAST, MOST))
        return Sums(
            amount[last] - amount[first],
            least[last] - least[first],
            most[last] - most[first],
            sums[LATE, last],
            sums[BEFORE, first],
            sums[AFTER, first],
            sums[BEFORE, last],
            sums[AFTER, last],
        )

    def names(self) -> list[str]:
        """The counters that occur, as they are numbered."""
        return [PREDICTED[number] for number in np.flatnonzero(self._column >= 0)]

    def busy(self) -> npt.NDArray[np.bool_]:
        """The intervals in which some packet was counted."""
        if not len(self._edges):
            return np.zeros(0, np.bool_)
        totals = np.cumsum(np.abs(self._sums[MOST, :, : self._used]).sum(axis=1))
        return np.asarray(totals[self._observed.last] > totals[self._observed.first])

    def _columns_of(self, counters: npt.NDArray[np.uint16]) -> npt.NDArray[np.intp]:
        """Where each counter is summed; one that had no place gets one."""
        columns = self._column[counters]
        if (columns < 0).any():
            fresh = np.unique(counters[columns < 0])
            self._column[fresh] = np.arange(self._used, self._used + len(fresh))
            self._used += len(fresh)
            while self._used > self._sums.shape[2]:
                self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)], axis=2)
            columns = self._column[counters]
        return columns

    def _count(self, kind: int, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], values: Numbers) -> None:
        """Add values to their cells. The rows of a part are few, and next to each other."""
        if not len(rows):
            return
        low, high = int(rows.min()), int(rows.max()) + 1
        width = self._sums.shape[2]
        # Sums of a part are far below 2**53: floats hold them exactly.
        found = np.bincount((rows - low) * width + columns, weights=values, minlength=(high - low) * width)
        self._sums[kind, low:high] += np.rint(found).astype(np.int64).reshape(high - low, width)
