"""What the snapshots say: intervals as arrays, and by how much a counter moved in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.counters import Interval

UNKNOWN = -1
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

    `starts`, `ends` : times of the intervals; `edges` all of them, once; `first`, `last` the edges of each interval
    `edge_ns` : how far what was captured may be from an edge and yet be counted on its other side
    """

    def __init__(self, intervals: Sequence[Interval], offset_ns: int, shortest_ns: int, longest_ns: int) -> None:
        self.intervals = [each for each in intervals if each.start_ns is not None]
        starts = [each.start_ns for each in self.intervals if each.start_ns is not None]
        self.starts = np.array(starts, np.int64) + offset_ns
        self.ends = np.array([each.end_ns for each in self.intervals], np.int64) + offset_ns
        self.edges = np.unique(np.concatenate([self.starts, self.ends]))
        self.first = np.searchsorted(self.edges, self.starts)
        self.last = np.searchsorted(self.edges, self.ends)
        unsure = max((each.uncertainty_ns for each in self.intervals), default=0)
        self.edge_ns = min(max(unsure, shortest_ns), longest_ns)
        self._cache: dict[str, npt.NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.intervals)

    def of(self, name: str) -> npt.NDArray[np.int64]:
        """By how much it moved in each interval; UNKNOWN where it is not listed."""
        if name not in self._cache:
            found = (observed(each.values, name) for each in self.intervals)
            self._cache[name] = np.array([UNKNOWN if each is None else min(each, _LARGEST) for each in found], np.int64)
        return self._cache[name]

    def moved(self) -> set[str]:
        """The counters that moved at all."""
        return {name for interval in self.intervals for name, value in interval.values.items() if value}
