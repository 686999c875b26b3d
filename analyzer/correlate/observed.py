"""What the snapshots say: intervals as arrays, and by how much a counter moved in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from analyzer.counters import Interval, Series, deltas, standing
from analyzer.distinct import distinct

UNKNOWN = -1
EVER_NS = 1 << 61  # further from now than any packet
NO_TIMES = "when the snapshots were taken is not known; taken as before and after the capture"
_LARGEST = int(np.iinfo(np.int64).max)


def observed(values: Mapping[str, int], name: str) -> int | None:
    """By how much a counter moved, by the values of an interval; of `A+B`, both together. None where it is not listed."""
    if name in values:
        return values[name]
    parts = name.split("+")
    if len(parts) == 1 or any(part not in values for part in parts):
        return None
    return sum(values[part] for part in parts)


class Observed:
    """The intervals whose both ends are known, in order of time; `offset_ns` is added to the times of their snapshots.

    Where no time is known, one interval takes in all: the snapshots were taken before and after the capture, as far as
    anybody knows.

    `starts`, `ends` : times of the intervals; `edges` all of them, once; `first`, `last` the edges of each interval
    `edge_ns` : how far what was captured may be from an edge and yet be counted on its other side
    `exact` : of each, whether its ends are times of snapshots, not of files
    `loose` : why their times say nothing; empty where they do
    """

    def __init__(self, series: Series, offset_ns: int, shortest_ns: int, longest_ns: int) -> None:
        found = deltas(series)
        self.intervals = [each for each in found if each.start_ns is not None and not each.loose]
        self.loose = ""
        if not self.intervals:
            self.intervals, self.loose = _one(series, found)
        starts = [-EVER_NS if self.loose or each.start_ns is None else each.start_ns for each in self.intervals]
        ends = [EVER_NS if self.loose else each.end_ns for each in self.intervals]
        self.starts = np.array(starts, np.int64) + offset_ns
        self.ends = np.array(ends, np.int64) + offset_ns
        self.edges = distinct(np.concatenate([self.starts, self.ends]))
        self.first = np.searchsorted(self.edges, self.starts)
        self.last = np.searchsorted(self.edges, self.ends)
        self.exact = np.array([each.exact for each in self.intervals], np.bool_)
        unsure = max((each.uncertainty_ns for each in self.intervals), default=0)
        self.edge_ns = min(max(unsure, shortest_ns), longest_ns)
        self._cache: dict[str, npt.NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.intervals)

    def of(self, name: str) -> npt.NDArray[np.int64]:
        """By how much it moved in each interval; UNKNOWN where it is not listed."""
        if name not in self._cache:
            found = (observed(each.values, name) for each in self.intervals)
            most = _LARGEST // max(1, len(self.intervals))  # more would be damaged, and no sum of all fit
            self._cache[name] = np.array([UNKNOWN if each is None else min(each, most) for each in found], np.int64)
        return self._cache[name]

    def moved(self) -> set[str]:
        """The counters that moved at all."""
        return {name for interval in self.intervals for name, value in interval.values.items() if value}


def _one(series: Series, found: Sequence[Interval]) -> tuple[list[Interval], str]:
    """All that moved at times that are not known, as one interval, and why; without any, what the counters have come to."""
    loose = [each for each in found if each.loose and each.start_ns is not None]
    if not loose:
        whole = standing(series)
        return whole, f"{whole[0].notes[0]}: the capture can be no more than a part of that" if whole else ""
    sums: dict[str, int] = {}
    for each in loose:
        for name, value in each.values.items():
            sums[name] = sums.get(name, 0) + value
    return [replace(loose[-1], start_ns=loose[0].start_ns, values=sums)], NO_TIMES
