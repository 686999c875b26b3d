"""What rules read of the kernel's counters. Imported only where there are snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from analyzer.analysis import Analysis
from analyzer.catalogue import CATALOGUE, is_routine
from analyzer.correlate import NOT_COMPARABLE, UNOBSERVABLE, Compared, table, texts
from analyzer.counters import Series, deltas
from analyzer.diagnosis.finding import Proof
from analyzer.diagnosis.views import COUNTER_INTERVALS, Columns, arrays_of, columns_of
from analyzer.tables import COUNTER_VERDICTS


class Counters:
    """The counters of one Analysis; `series` are its snapshots."""

    def __init__(self, analysis: Analysis, series: Series) -> None:
        self._analysis = analysis
        self._series = series

    @cached_property
    def compared(self) -> Sequence[Compared]:
        """Every counter over the whole time of the snapshots; where nobody knows whose they are, only by how much it moved."""
        if self._analysis.comparison is not None:
            return self._analysis.comparison.whole()
        total: dict[str, int] = {}
        start = end = 0
        for interval in deltas(self._series):
            start, end = start or interval.start_ns or 0, interval.end_ns
            for name, value in interval.values.items():
                total[name] = total.get(name, 0) + value
        reason = "the host that took the capture is not known"
        return [
            Compared(name, start, end, value, 0, 0, 0, UNOBSERVABLE, NOT_COMPARABLE, reason)
            for name, value in total.items()
            if value
        ]

    @cached_property
    def moved(self) -> Mapping[str, Proof]:
        """What counters did, by name."""
        return {
            each.counter: Proof(
                each.counter,
                each.observed,
                None if each.relation == UNOBSERVABLE else each.predicted,
                COUNTER_VERDICTS[each.verdict],
            )
            for each in self.compared
            if each.observed > 0
        }

    def signals(self) -> Iterator[str]:
        """What is peculiar about them all, in words of the signal `seen`."""
        if any(not is_routine(name) for name in self.moved):
            yield "odd_counters"
        # Of what cannot be compared because the host counted less than was captured, too.
        if any(
            COUNTER_VERDICTS[each.verdict] in ("under", "over")
            or (each.verdict == NOT_COMPARABLE and each.observed < each.predicted)
            for each in self.compared
        ):
            yield "differing_counters"

    def whole(self) -> Columns:
        """The table `counters`."""
        entries = [CATALOGUE.get(each.counter) for each in self.compared]
        routine = [int(is_routine(each.counter)) for each in self.compared]
        means = [entry.meaning if entry else "" for entry in entries]
        points = [entry.points_at if entry else "" for entry in entries]
        return self._columns(self.compared) | arrays_of({"routine": routine, "means": means, "points_at": points})

    def intervals(self) -> Columns:
        """The table `counter_intervals`."""
        comparison = self._analysis.comparison
        return self._columns(comparison.rows() if comparison else [])

    def _columns(self, compared: Sequence[Compared]) -> Columns:
        told = texts(self._analysis.host_name, compared)
        return columns_of(COUNTER_INTERVALS, table(compared), {name: list(values) for name, values in told.items()})
