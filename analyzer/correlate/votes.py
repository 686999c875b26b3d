"""How well the intervals of a counter fit its steps when their times are shifted: at many shifts at once.

A shift is looked at as a cell, [shift, shift + width). What may hold anywhere in the cell is taken to hold: a finer cell
can only say less for a shift, never more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.prediction.steps import Arrays, Numbers

MOST_BITS = 8.0  # an agreement of larger numbers is no better evidence


class Windows(NamedTuple):
    """Intervals of one counter: times on the snapshots' clock, and by how much it moved."""

    starts: Numbers
    ends: Numbers
    moved: Numbers


@dataclass(slots=True)
class Votes:
    """For each cell: bits of the numbers that agree, and how many intervals agree and contradict."""

    bits: npt.NDArray[np.float32]
    agreeing: npt.NDArray[np.int32]
    contradicting: npt.NDArray[np.int32]

    @classmethod
    def none(cls, cells: int) -> Votes:
        """Nobody has voted."""
        return cls(np.zeros(cells, np.float32), np.zeros(cells, np.int32), np.zeros(cells, np.int32))

    def add(self, other: Votes) -> None:
        """Count the votes of another counter, too."""
        self.bits += other.bits
        self.agreeing += other.agreeing
        self.contradicting += other.contradicting


class Curve:
    """Running sums of steps. `edge_ns`: so much earlier or later than captured each may have been counted."""

    def __init__(self, steps: Arrays, edge_ns: int) -> None:
        self.first, self.last = steps.first - edge_ns, steps.last + edge_ns
        zero = np.zeros(1, np.int64)
        self.least = np.concatenate([zero, np.cumsum(steps.least)])
        self.most = np.concatenate([zero, np.cumsum(steps.most)])
        self.begin, self.end = (int(steps.first[0]), int(steps.last[-1])) if len(steps.first) else (0, 0)


def between(curve: Curve, starts: tuple[Numbers, Numbers], ends: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
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
        _vote(found, moved, least, most, inside)
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
    for start, end, moved in zip(
        (starts - lowest).tolist(), (ends - lowest).tolist(), windows.moved.tolist(), strict=True
    ):
        from_start, past_start = slice(start, start + cells), slice(start + 2, start + cells + 2)
        from_end, past_end = slice(end, end + cells), slice(end + 2, end + cells + 2)
        most = begun_most[past_end] - over_most[from_start]
        least = over_least[from_end] - begun_least[past_start]
        _vote(found, moved, least, most, within[0][from_start] & within[1][past_end])
    return found


def _vote(found: Votes, moved: int, least: Numbers, most: Numbers, inside: npt.NDArray[np.bool_]) -> None:
    """One interval: silence agrees with silence, but is no evidence; what lies outside of the capture may be anything."""
    too_few = moved < least
    found.contradicting += too_few | (inside & (moved > most))
    if moved > 0:
        agree = ~too_few & (moved <= most)
        found.agreeing += agree
        found.bits += np.float32(min(np.log2(1 + moved), MOST_BITS)) * agree


def _by(times: Numbers, sums: Numbers, at: Numbers) -> Numbers:
    """The sum of the steps up to each time."""
    return np.asarray(sums[np.searchsorted(times, at, side="right")])
