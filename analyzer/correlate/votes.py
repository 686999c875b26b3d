"""How well the intervals of a counter fit its steps when their times are shifted: at many shifts at once.

A shift is looked at as a cell, [shift, shift + width). What may hold anywhere in the cell is taken to hold: a finer cell
can only say less for a shift, never more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.prediction.steps import Arrays, Numbers

MOST_BITS = 8.0  # an agreement of larger numbers is no better evidence
HALF = 1 << 30
AT_ONCE = 255  # votes that are counted in a byte

Sums = npt.NDArray[np.int32] | npt.NDArray[np.int64]


class Windows(NamedTuple):
    """Intervals of one counter: times on the snapshots' clock, and by how much it moved."""

    starts: Numbers
    ends: Numbers
    moved: Numbers


@of_fields(slots=True)
class Votes:
    """For each cell: bits of the numbers that agree, and how many intervals agree and contradict.

    The last AT_ONCE votes at most are counted apart, in bytes, which is several times as fast: see settle().
    """

    bits: npt.NDArray[np.float32]
    agreeing: npt.NDArray[np.int32]
    contradicting: npt.NDArray[np.int32]
    lately: npt.NDArray[np.uint8]  # agreeing, contradicting
    votes: int = 0

    @classmethod
    def none(cls, cells: int) -> Votes:
        """Nobody has voted."""
        agreeing, contradicting, lately = (
            np.zeros(cells, np.int32),
            np.zeros(cells, np.int32),
            np.zeros((2, cells), np.uint8),
        )
        return cls(np.zeros(cells, np.float32), agreeing, contradicting, lately)

    def add(self, other: Votes) -> None:
        """Count the votes of another counter, too."""
        self.bits += other.bits
        self.agreeing += other.agreeing
        self.contradicting += other.contradicting

    def vote(self, low: int, moved: int, least: Sums, most: Sums, inside: npt.NDArray[np.bool_]) -> None:
        """One interval, in cells from `low`: silence agrees with silence, but is no evidence; what lies outside of the capture may be anything."""
        if self.votes == AT_ONCE:
            self.settle()
        self.votes += 1
        cells = slice(low, low + len(least))
        too_few, too_many = least > moved, most < moved
        self.lately[1, cells] += (too_few | (inside & too_many)).view(np.uint8)
        if moved > 0:
            agree = ~(too_few | too_many)
            self.lately[0, cells] += agree.view(np.uint8)
            self.bits[cells] += np.float32(min(np.log2(1 + moved), MOST_BITS)) * agree

    def contradict(self, low: int, where: npt.NDArray[np.bool_]) -> None:
        """The same interval, in cells from `low` where no step is: it moved there, and should not have."""
        self.lately[1, low : low + len(where)] += where.view(np.uint8)

    def settle(self) -> None:
        """Count the last votes with the others."""
        self.agreeing += self.lately[0]
        self.contradicting += self.lately[1]
        self.lately[:] = self.votes = 0


class Curve:
    """Running sums of steps. `edge_ns`: so much earlier or later than captured each may have been counted."""

    def __init__(self, steps: Arrays, edge_ns: int) -> None:
        self.first, self.last = steps.first - edge_ns, steps.last + edge_ns
        self.least, self.most = _running(steps.least), _running(steps.most)
        self.begin, self.end = (int(steps.first[0]), int(steps.last[-1])) if len(steps.first) else (0, 0)


def _running(values: Numbers) -> Sums:
    """The sum before each value, and after the last; in half of the bytes if all differences fit: they are read very often."""
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
    return sums.astype(np.int32) if np.abs(sums).max() < HALF else sums


def between(curve: Curve, starts: tuple[Numbers, Numbers], ends: tuple[Numbers, Numbers]) -> tuple[Sums, Sums]:
    """The least and the most between two times that are known to lie between two each."""
    # What may lie within: begun by the latest end, and not over by the earliest start. What must: the other way round.
    most = _by(curve.first, curve.most, ends[1]) - _by(curve.last, curve.most, starts[0])
    least = _by(curve.last, curve.least, ends[0]) - _by(curve.first, curve.least, starts[1])
    return least, most


def votes_at(curve: Curve, windows: Windows, shifts: Numbers, width: int, hull: tuple[int, int]) -> Votes:
    """The votes of a counter on the cells that begin at `shifts`. `hull`: times of the first and the last packet."""
    found = Votes.none(len(shifts))
    for start, end, moved in zip(*(each.tolist() for each in windows), strict=True):
        low_start, high_start = shifts + start, shifts + (start + width)
        low_end, high_end = shifts + end, shifts + (end + width)
        least, most = between(curve, (low_start, high_start), (low_end, high_end))
        inside = (low_start >= hull[0]) & (high_end <= hull[1])
        found.vote(0, moved, least, most, inside)
    found.settle()
    return found


def votes_on_grid(
    curve: Curve, windows: Windows, first_shift: int, cells: int, width: int, hull: tuple[int, int]
) -> Votes:
    """The same for cells one after the other, which are many: the running sums are read once, and then sliced."""
    found = Votes.none(cells)
    starts = (windows.starts + first_shift - hull[0]) // width
    ends = (windows.ends + first_shift - hull[0]) // width
    if not len(starts):
        return found
    lowest, highest = int(starts.min()), int(ends.max()) + cells + 2
    times = hull[0] + np.arange(lowest, highest + 1) * width
    # An interval is known to the cell, and so is the cell: together one cell more.
    begun_most, over_most = _by(curve.first, curve.most, times), _by(curve.last, curve.most, times)
    begun_least, over_least = _by(curve.first, curve.least, times), _by(curve.last, curve.least, times)
    within = (times >= hull[0], times <= hull[1])
    begin, over = np.searchsorted(times, (curve.first[:1], curve.last[-1:])).ravel().tolist() or (0, 0)
    for start, end, moved in zip(
        (starts - lowest).tolist(), (ends - lowest).tolist(), windows.moved.tolist(), strict=True
    ):
        # Where the interval ends before all steps, or begins behind them, it holds none for certain.
        low = min(max(begin - end - 2, 0), cells)
        high = min(max(over - start, low), cells)
        from_start, past_start = slice(start + low, start + high), slice(start + low + 2, start + high + 2)
        from_end, past_end = slice(end + low, end + high), slice(end + low + 2, end + high + 2)
        most = begun_most[past_end] - over_most[from_start]
        least = over_least[from_end] - begun_least[past_start]
        found.vote(low, moved, least, most, within[0][from_start] & within[1][past_end])
        if moved > 0:
            for first, stop in ((0, low), (high, cells)):
                inside = within[0][start + first : start + stop] & within[1][end + 2 + first : end + 2 + stop]
                found.contradict(first, inside)
    found.settle()
    return found


def _by(times: Numbers, sums: Sums, at: Numbers) -> Sums:
    """The sum of the steps up to each time."""
    found: Sums = sums[np.searchsorted(times, at, side="right")]
    return found
