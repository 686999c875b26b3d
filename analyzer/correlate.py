"""Predicted against observed counters: interval by interval, and for the whole time of the snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.counters import Interval, Series, deltas
from analyzer.counters.prediction import BY_MERGING, INFERRED, MERGED, NUMBER, PREDICTED
from analyzer.schema import Rows
from analyzer.tables import COUNTER_VERDICTS, COUNTERS, RELATIONS

EDGE_NS = 5_000_000  # a snapshot takes as long: what was captured nearer to it may be counted before or after
AGREE, UNDER, OVER, NOT_COMPARABLE = range(len(COUNTER_VERDICTS))
EXACT, BOUNDED, INFERRED_RELATION, UNOBSERVABLE = range(len(RELATIONS))
# Every packet moves one of these: they tell how much of the host's traffic the capture holds.
COVERING = ("IpInReceives", "Ip6InReceives", "TcpInSegs", "TcpOutSegs", "UdpInDatagrams", "UdpOutDatagrams")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the host's traffic the capture holds, by the counters that every packet moves.

    `share` is the packets captured per packet counted, at most 1; `surplus` those captured and not counted, per packet
    captured. A capture of this host alone, with nothing lost, has 1 and 0.
    """

    share: float
    surplus: float
    counter: str  # that shows it

    @property
    def complete(self) -> bool:
        """May the capture be taken for all that the host sent and received?"""
        return self.share == 1.0 and self.surplus == 0.0

    @property
    def reason(self) -> str:
        """Why it may not."""
        if self.share < 1:
            return f"the capture holds {self.share:.1%} of what the host counted ({self.counter})"
        if self.surplus > 0:
            return f"{self.surplus:.1%} of what was captured the host did not count ({self.counter}): another host, namespace, or frames captured twice"
        return ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One counter over one interval."""

    counter: str
    start_ns: int
    end_ns: int
    observed: int
    predicted: int
    low: int
    high: int
    relation: int
    verdict: int
    reason: str


class Comparison:
    """Sums increments per interval of a series of snapshots; then compares."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.intervals = [each for each in deltas(series) if each.start_ns is not None]
        self._edges = np.array(
            sorted({_start(each) for each in self.intervals} | {each.end_ns for each in self.intervals})
        )
        size = (len(self._edges) + 1, len(PREDICTED))  # before the first snapshot, between them, after the last
        self._sums = {name: np.zeros(size, np.int64) for name in ("amount", "least", "most")}
        self._late = np.zeros(size, np.int64)  # what may have come on top, at the latest by then
        self._near = {name: np.zeros((len(self._edges), len(PREDICTED)), np.int64) for name in ("before", "after")}

    def add(self, increments: Rows) -> None:
        """Count the increments of a part of the capture."""
        if not len(increments) or not len(self._edges):
            return
        times, counters = increments["time_ns"], increments["counter"]
        where = np.searchsorted(self._edges, times, side="right")
        for name, sums in self._sums.items():
            np.add.at(sums, (where, counters), increments[name])
        for name, nearest in (("before", where), ("after", where - 1)):
            inside = (nearest >= 0) & (nearest < len(self._edges))
            distance = np.abs(times - self._edges[np.where(inside, nearest, 0)])
            close = inside & (distance <= EDGE_NS)
            np.add.at(self._near[name], (nearest[close], counters[close]), np.abs(increments["amount"][close]))

    def add_late(self, increments: Rows) -> None:
        """Count what may have happened at any time after its frame, or not at all."""
        where = np.searchsorted(self._edges, increments["time_ns"], side="right")
        for at, counter, most in zip(where, increments["counter"], increments["most"], strict=True):
            self._late[at:, counter] += most

    @cached_property
    def _covered(self) -> Coverage:
        return self.coverage()

    def coverage(self) -> Coverage:
        """How much of the host's traffic between the snapshots was captured."""
        worst = Coverage(1.0, 0.0, "")
        for name in COVERING:
            found = self._whole(name)
            if found is None:
                continue
            if found.observed > found.high:
                share = max(found.high, 0) / found.observed
                worst = Coverage(share, worst.surplus, name) if share < worst.share else worst
            elif found.observed < found.low:
                surplus = (found.low - found.observed) / found.low
                worst = Coverage(worst.share, surplus, name) if surplus > worst.surplus else worst
        return worst

    def whole(self) -> list[Compared]:
        """Every counter that moved or should have, from the first snapshot to the last."""
        return [each for each in (self._judged(self._whole(name)) for name in self._names()) if each is not None]

    def rows(self) -> list[Compared]:
        """The same for every interval."""
        return [
            each
            for interval in self.intervals
            for name in self._names()
            if (each := self._judged(self._compared(name, [interval]))) is not None
        ]

    def _names(self) -> Iterable[str]:
        moved = {name for interval in self.intervals for name, value in interval.values.items() if value}
        return dict.fromkeys([*PREDICTED, *sorted(moved - set(PREDICTED))])

    def _whole(self, name: str) -> Compared | None:
        return self._compared(name, self.intervals)

    def _compared(self, name: str, intervals: Sequence[Interval]) -> Compared | None:
        """Observed and predicted over consecutive intervals; None where nothing moved, or nobody counted."""
        parts = name.split("+")
        known = [interval for interval in intervals if all(part in interval.values for part in parts)]
        if not known:
            return None
        observed = sum(interval.values[part] for interval in known for part in parts)
        start, end = _start(known[0]), known[-1].end_ns
        if name not in NUMBER:
            return Compared(name, start, end, observed, 0, 0, 0, UNOBSERVABLE, AGREE, "") if observed else None
        counter = NUMBER[name]
        first, last = (int(np.searchsorted(self._edges, time)) for time in (start, end))
        amount, least, most = (int(sums[first + 1 : last + 1, counter].sum()) for sums in self._sums.values())
        if not (observed or amount or most):
            return None
        most += int(self._late[last, counter])
        if name in BY_MERGING:
            merged = sum(interval.values.get(MERGED, 0) for interval in known)
            least, most = least - BY_MERGING[name][0] * merged, most + BY_MERGING[name][1] * merged
        relation = INFERRED_RELATION if name in INFERRED else EXACT if least == most else BOUNDED
        outside = int(self._near["before"][first, counter] + self._near["after"][last, counter])
        inside = int(self._near["after"][first, counter] + self._near["before"][last, counter])
        return Compared(name, start, end, observed, amount, least - inside, most + outside, relation, AGREE, "")

    def _judged(self, found: Compared | None) -> Compared | None:
        """With its verdict."""
        if found is None:
            return None
        verdict, reason = AGREE, ""
        coverage = self._covered
        if found.relation == UNOBSERVABLE:
            verdict, reason = NOT_COMPARABLE, "not predicted from packets"
        elif not coverage.complete and found.observed != found.predicted:
            verdict, reason = NOT_COMPARABLE, coverage.reason
        elif found.observed < found.low:
            verdict, reason = UNDER, "the packets show more than the kernel counted"
        elif found.observed > found.high:
            verdict, reason = OVER, "the kernel counted more than the packets show"
        fields = (found.counter, found.start_ns, found.end_ns, found.observed, found.predicted, found.low, found.high)
        return Compared(*fields, found.relation, verdict, reason)


def table(compared: Sequence[Compared]) -> Rows:
    """The numbers of the rows of the table `counters`."""
    rows = np.zeros(len(compared), COUNTERS.dtype)
    for row, each in zip(rows, compared, strict=True):
        for name in COUNTERS.dtype.names or ():
            row[name] = getattr(each, name)
    return rows


def texts(host: str, compared: Sequence[Compared]) -> dict[str, npt.NDArray[np.object_]]:
    """Its text columns."""
    columns = {"host": [host] * len(compared), "counter": [each.counter for each in compared]}
    columns["reason"] = [each.reason for each in compared]
    return {name: np.array(values, object) for name, values in columns.items()}


def _start(interval: Interval) -> int:
    assert interval.start_ns is not None, "increments without a beginning were left out"
    return interval.start_ns
