"""Increments summed per interval: what the packets predict between two snapshots, and how certain that is at the edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.correlate.observed import Observed
from analyzer.distinct import distinct
from analyzer.fields import of_fields
from analyzer.prediction import NUMBER, PREDICTED, Tally
from analyzer.schema import Rows

EDGE_NS = 5_000_000  # a snapshot takes as long: what was captured nearer to it may be counted before or after
LONGEST_EDGE_NS = 2_000_000_000  # times that are written in seconds; what is further off is another clock

Numbers = npt.NDArray[np.int64]
_BOUNDS = np.iinfo(np.int64)


@of_fields(frozen=True, slots=True)
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
    """Sums of the increments of one host between the edges of its snapshots, out of those of the `tally`'s cells."""

    def __init__(self, observed: Observed, followed: tuple[str, ...] = ()) -> None:
        self._observed = observed
        self._edges = observed.edges
        begins = _cuts(self._edges, observed.edge_ns)
        self.tally = Tally(begins, followed)
        # Of each cell, by any time in it: how many edges come before.
        times = np.concatenate([begins[:1] - 1, begins]) if len(begins) else np.zeros(1, np.int64)
        self._where = np.searchsorted(self._edges, times, side="right")
        # Of each edge: the cells before what is close to it, before it, and before what is no longer close to it.
        early, over = _around(self._edges, observed.edge_ns)
        self._close = tuple(np.searchsorted(begins, at, side="left") + 1 for at in (early, self._edges, over))
        self._late: dict[int, Numbers] = {}

    def add_late(self, increments: Rows) -> None:
        """Count what may have happened at any time after its frame, or not at all."""
        where = np.searchsorted(self._edges, increments["time_ns"], side="right")
        for number in distinct(increments["counter"]).tolist():
            mine = increments["counter"] == number
            late = self._late.setdefault(number, np.zeros(len(self._edges) + 1, np.int64))
            np.add.at(late, where[mine], increments["most"][mine])

    def over(self, name: str, first: Numbers | None = None, last: Numbers | None = None) -> Sums | None:
        """The sums of a counter over the intervals, or over longer ones from edges `first` to `last`; None where no packet moves it."""
        cells, late = self.tally.of(name), self._late.get(NUMBER.get(name, -1))
        if cells is None and late is None:
            return None
        if first is None or last is None:
            first, last = self._observed.first, self._observed.last
        none = np.zeros(len(self._edges) + 1, np.int64)
        amount = least = most = none
        close = [np.zeros(len(first), np.int64)] * 4
        if cells is not None and len(self._edges):
            amount, least, most = (np.cumsum(self._by_interval(cells[kind])) for kind in ("amount", "least", "most"))
            sizes = np.concatenate([np.zeros(1, np.int64), np.cumsum(cells["size"])])
            close = self._close_to(sizes, first, last)
        return Sums(
            amount[last] - amount[first],
            least[last] - least[first],
            most[last] - most[first],
            (none if late is None else np.cumsum(late))[last],
            *close,
        )

    def _close_to(self, sizes: Numbers, first: Numbers, last: Numbers) -> list[Numbers]:
        """What is close to the edges of intervals: before the start, after it, before the end, after it; nothing twice."""
        early, at, over = self._close
        begun, ended = at[first], at[last]
        middle = np.minimum(over[first], ended)  # of what is close to both ends, all is close to the first
        marks = (early[first], begun), (begun, middle), (np.maximum(early[last], middle), ended), (ended, over[last])
        return [sizes[end] - sizes[start] for start, end in marks]

    def names(self) -> list[str]:
        """The counters that occur, as they are numbered."""
        found = {NUMBER[name] for name in self.tally.names()} if len(self._edges) else set()
        return [PREDICTED[number] for number in sorted(found | set(self._late))]

    def busy(self) -> npt.NDArray[np.bool_]:
        """The intervals in which some packet was counted."""
        if not len(self._edges):
            return np.zeros(0, np.bool_)
        most = self._by_interval(self.tally.every()["most"])
        totals = np.cumsum(np.abs(most).sum(axis=1))
        return np.asarray(totals[self._observed.last] > totals[self._observed.first])

    def _by_interval(self, values: Numbers) -> Numbers:
        """The sums of cells between edges: before the first, between two, after the last."""
        found = np.zeros((len(self._edges) + 1, *values.shape[1:]), np.int64)
        np.add.at(found, self._where, values)
        return found


def _cuts(edges: Numbers, edge_ns: int) -> Numbers:
    """Where increments begin to count otherwise: at the edges, and where those close to them begin and are over."""
    return distinct(np.concatenate([edges, *_around(edges, edge_ns)]))


def _around(edges: Numbers, edge_ns: int) -> tuple[Numbers, Numbers]:
    """Where what is close to each edge begins, and where it is over."""
    early = np.maximum(edges, _BOUNDS.min + edge_ns + 1) - edge_ns
    return early, np.minimum(edges, _BOUNDS.max - edge_ns - 1) + edge_ns + 1
