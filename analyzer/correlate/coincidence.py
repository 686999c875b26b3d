"""Counters that packets do not decide: which events happened in the very intervals in which they moved.

A coincidence is claimed only where chance would hardly make one as close: by the hypergeometric distribution over the
intervals with traffic, corrected for all pairs that could have shown one (Tarone 1990). Busy times bring everything at
once: intervals in a row count as one, and the same pattern turned in time must not fit as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analyzer.correlate.observed import Observed
from analyzer.distinct import distinct, grouped
from analyzer.fields import of_fields
from analyzer.kinds import NAMES
from analyzer.schema import Rows

CHANCE = 0.05
EXPLAINED = 0.5  # of the increments at least
MOST_ENTRIES = 1 << 18  # events of a flow in an interval that are remembered
EVERY_FLOW = -1
RUN_SLACK = 0.25  # by so much runs are longer by accident

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@of_fields(frozen=True, slots=True)
class Patterns:
    """The intervals of each kind of event of each flow: those of pattern `n` begin at `begins[n]` of `intervals`."""

    flows: Numbers
    kinds: Numbers
    begins: Numbers
    intervals: Numbers

    @property
    def sizes(self) -> Numbers:
        """In how many intervals each is."""
        return np.diff(self.begins, append=len(self.intervals))

    def run_lengths(self, intervals: int) -> list[float]:
        """How much longer the runs of each are than chance makes them."""
        begins = np.append(True, np.diff(self.intervals) != 1)
        begins[self.begins] = True
        runs = np.add.reduceat(begins.astype(np.int64), self.begins)
        return [
            _run_length(size, count, intervals) for size, count in zip(self.sizes.tolist(), runs.tolist(), strict=True)
        ]

    def total(self, values: Numbers) -> Numbers:
        """The sum of the intervals' values over each pattern."""
        return np.add.reduceat(values[self.intervals], self.begins) if len(self.begins) else np.zeros(0, np.int64)


@of_fields(frozen=True, slots=True)
class Coincidence:
    """A counter that moved when an event happened.

    Attributes
    ----------
    flow : whose event it is; EVERY_FLOW where those of all connections together fit better than any one's
    moved, present, both : intervals in which the counter moved, in which the event happened, and in which both did
    share : of the counter's increments that fall in intervals with the event
    p : how likely chance makes one as close anywhere, at most
    """

    counter: str
    flow: int
    event: str
    moved: int
    present: int
    both: int
    share: float
    p: float


class Activity:
    """In which intervals each flow had which events. Beyond MOST_ENTRIES the flows that come are not followed."""

    def __init__(self, observed: Observed) -> None:
        self._edges = observed.edges
        self._interval = np.full(len(observed.edges) + 1, -1, np.int64)  # of what lies between two edges
        for number, (first, last) in enumerate(zip(observed.first.tolist(), observed.last.tolist(), strict=True)):
            self._interval[first + 1 : last + 1] = number
        self._codes = np.zeros(0, np.int64)
        self._events: list[tuple[Numbers, Numbers, Numbers]] = []
        self._waiting = 0

    def add(self, events: Rows) -> None:
        """The events of a part of the capture."""
        if not len(events):
            return
        times, flows, kinds = (events[name].astype(np.int64) for name in ("time_ns", "flow", "event"))
        self._events.append((times, flows, kinds))
        self._waiting += len(events)
        if self._waiting > MOST_ENTRIES:
            self._join()

    def patterns(self, comparable: Mask) -> Patterns:
        """For each flow and kind of event the intervals that have it, numbered within the comparable ones."""
        self._join()
        keys, intervals = np.divmod(self._codes, len(self._interval))
        keep = comparable[intervals]
        keys, intervals = keys[keep], (np.cumsum(comparable) - 1)[intervals[keep]]
        flows, kinds = np.divmod(keys, len(NAMES))
        size = max(int(comparable.sum()), 1)
        every_kind, every_interval = np.divmod(distinct(kinds * size + intervals), size)
        flows = np.concatenate([np.full(len(every_kind), EVERY_FLOW), flows])
        kinds, intervals = np.concatenate([every_kind, kinds]), np.concatenate([every_interval, intervals])
        begins = np.flatnonzero((np.diff(flows, prepend=-2) != 0) | (np.diff(kinds, prepend=-1) != 0))
        return Patterns(flows[begins], kinds[begins], begins, intervals)

    def _join(self) -> None:
        """What waits becomes codes of flow, kind and interval; those of older flows come first, and there are MOST_ENTRIES at most."""
        if not self._events:
            return
        times, flows, kinds = (np.concatenate(each) for each in zip(*self._events, strict=True))
        where = self._interval[np.searchsorted(self._edges, times, side="right")]
        mine = (where >= 0) & (flows >= 0)
        codes = ((flows * len(NAMES) + kinds) * len(self._interval) + where)[mine]
        self._codes = distinct(np.concatenate([self._codes, codes]))[:MOST_ENTRIES]
        self._events, self._waiting = [], 0


def coincidences(increments: Mapping[str, Numbers], activity: Activity, comparable: Mask) -> list[Coincidence]:
    """For each counter the event that explains most of its increments, if chance would not do the same.

    `increments` : of each counter, by interval; `comparable` : the intervals with traffic, others tell nothing.
    """
    moves = {name: values[comparable] for name, values in increments.items() if values[comparable].any()}
    patterns = activity.patterns(comparable)
    if not moves or not len(patterns.begins):
        return []
    test = _Test(int(comparable.sum()))
    distinct = {(values > 0).tobytes(): int((values > 0).sum()) for values in moves.values()}
    pairs = _testable(test, list(distinct.values()), patterns.sizes)
    found = (_closest(name, values, patterns, test, pairs) for name, values in moves.items())
    return sorted((each for each in found if each is not None), key=lambda each: (each.p, -each.share, each.counter))


def _closest(name: str, values: Numbers, patterns: Patterns, test: _Test, pairs: int) -> Coincidence | None:
    """The event that fits a counter best, or none."""
    moved = values > 0
    shares = patterns.total(values) / values.sum()
    both, sizes, size = patterns.total(moved.astype(np.int64)), patterns.sizes, int(moved.sum())
    own, lengths = _run_length(size, _runs(moved), len(moved)), patterns.run_lengths(len(moved))
    candidates = [
        (
            min(1.0, test.chance(size, int(sizes[at]), int(both[at]), min(own, lengths[at])) * pairs),
            -float(shares[at]),
            at,
        )
        for at in np.flatnonzero(shares >= EXPLAINED).tolist()
    ]
    # Where two fit alike, one flow says more than all flows together.
    for p, share, at in sorted(candidates, key=lambda each: (each[0], each[1], patterns.flows[each[2]] == EVERY_FLOW)):
        if p > CHANCE:
            break
        present = np.zeros(len(moved), np.bool_)
        present[patterns.intervals[patterns.begins[at] :][: sizes[at]]] = True
        if _turned(moved, present, int(both[at])) <= CHANCE:
            flow, event = int(patterns.flows[at]), NAMES[patterns.kinds[at]]
            return Coincidence(name, flow, event, size, int(sizes[at]), int(both[at]), -share, p)
    return None


class _Test:
    """The hypergeometric test: so many intervals drawn, so many with the event, how many have both?"""

    def __init__(self, intervals: int) -> None:
        self._intervals = intervals
        self._log = np.concatenate([np.zeros(1), np.cumsum(np.log(np.arange(1, intervals + 1)))])  # of factorials

    def chance(self, moved: int, present: int, both: int, run: float = 1.0) -> float:
        """The probability of at least so many in both, where `run` intervals tell no more than one."""
        by = max(1, math.ceil(run - RUN_SLACK))
        intervals = self._intervals // by
        moved, present, both = min(-(-moved // by), intervals), min(-(-present // by), intervals), both // by
        k = np.arange(max(both, moved + present - intervals), min(moved, present) + 1)
        ways = self._choose(present, k) + self._choose(intervals - present, moved - k)
        return float(min(1.0, np.exp(ways - self._choose(intervals, moved)).sum()))

    def _choose(self, n: int, k: npt.NDArray[np.intp] | int) -> npt.NDArray[np.float64]:
        """The logarithm of the number of ways to choose."""
        return np.asarray(self._log[n] - self._log[k] - self._log[n - k])


def _testable(test: _Test, moved: list[int], sizes: Numbers) -> int:
    """By how many tests to correct: pairs that could not have shown anything, however they fell, do not count."""
    kinds, _, _, counts = grouped(sizes)
    smallest = [test.chance(size, int(kind), min(size, int(kind))) for size in moved for kind in kinds]
    order = np.argsort(smallest)
    ordered, found = np.array(smallest)[order], np.cumsum(np.tile(counts, len(moved))[order])
    # The smallest number of tests that leaves no more than itself able to pass.
    for tests in distinct(np.concatenate([[1], found])).tolist():
        able = np.searchsorted(ordered, CHANCE / tests, side="right")
        if (found[able - 1] if able else 0) <= tests:
            return int(tests)
    return int(found[-1])


def _runs(mask: Mask) -> int:
    """How many times it begins."""
    return int((mask & ~np.append(False, mask[:-1])).sum())


def _run_length(size: float, runs: float, intervals: int) -> float:
    """How much longer runs are than they would be if every interval were drawn on its own."""
    return size / runs * (1 - size / intervals) if runs else 1.0


def _turned(moved: Mask, present: Mask, both: int) -> float:
    """Of all ways to turn one pattern against the other in time, how many fit as well?"""
    turned = np.fft.irfft(np.fft.rfft(moved) * np.conj(np.fft.rfft(present)), len(moved))
    return float((np.rint(turned) >= both).mean())
