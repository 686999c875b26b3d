"""The offset between the clocks of snapshots and capture, from the counters themselves.

At the right offset each counter moved between two snapshots by what was captured between them. Every counter votes on
every offset at which the two overlap; those that cannot be told from the best must be few and close together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.correlate.observed import UNKNOWN, Observed
from analyzer.correlate.votes import Curve, Votes, Windows, between, votes_at, votes_on_grid
from analyzer.distinct import distinct
from analyzer.fields import of_fields
from analyzer.prediction.steps import Numbers, Steps

WITHIN_NS = 50_000_000  # an offset known less closely than this is not known
CELLS = 1 << 16  # in which the offset is looked for first
FARTHEST_NS = 1 << 62  # times beyond it, in the year 2116, are damaged, and their differences are no int64
FINEST_NS = 250_000  # width of the cells at last
MOST_CELLS = 1 << 11
MOST_WINDOWS = 48  # intervals of each length that vote
# Less evidence may be chance: where all that was captured and counted is explained, most of both, or most of one.
ENOUGH_FOR_ALL, ENOUGH_BITS, ENOUGH_FOR_PART = 24.0, 40.0, 100.0
ALL = 0.999
FEW_PACKETS, FEW = (
    2,
    0.25,
)  # that contradict the times as stamped where an offset fits; the share where it does not fit all
PENALTY_BITS = 4.0  # what an interval that contradicts takes away
FITTING = 0.7  # of the intervals of a counter agree, or it counts other traffic, too
COMPARABLE = 0.5  # an offset with so much of the evidence of the best one is not ruled out

# Packets and octets, in and out: what moves with every packet.
VOTERS = tuple(
    f"{group}{name}"
    for group, names in (
        ("Ip", ("InReceives", "OutRequests")),
        ("IpExt", ("InOctets", "OutOctets")),
        ("Ip6", ("InReceives", "OutRequests", "InOctets", "OutOctets")),
        ("Tcp", ("InSegs", "OutSegs")),
        ("Udp", ("InDatagrams", "OutDatagrams")),
    )
    for name in names
)


@of_fields(frozen=True, slots=True)
class Offset:
    """What must be added to the times of the snapshots, and how far that may be off."""

    ns: int
    uncertainty_ns: int


@of_fields(frozen=True, slots=True)
class Fit:
    """What the counters say of the clocks.

    `offset` : where it is known within 50 ms; 0 where the times fit as they are
    `range_ns` : offsets that fit, where they are known to lie together, however far apart
    `as_stamped` : whether the times fit without one, as far as the traffic tells
    """

    offset: Offset | None = None
    range_ns: tuple[int, int] | None = None
    as_stamped: bool = True

    @property
    def shift_ns(self) -> int:
        """What is added to the times before comparing."""
        if self.as_stamped or self.range_ns is None:
            return 0
        return self.offset.ns if self.offset else sum(self.range_ns) // 2


def fitted(steps: Mapping[str, Steps], observed: Observed) -> Fit:
    """The offset at which the counters agree with the packets; `steps` are those of the VOTERS."""
    curves = {name: Curve(each.arrays(), observed.edge_ns) for name, each in steps.items()}
    captured = {name: curve for name, curve in curves.items() if len(curve.first)}
    if not captured or not len(observed):
        return Fit()
    hull = (min(each.begin for each in captured.values()), max(each.end for each in captured.values()))
    if max(map(abs, (*hull, int(observed.starts.min()), int(observed.ends.max())))) > FARTHEST_NS:
        return Fit()
    single = {name: found for name in VOTERS if (found := _intervals(observed, name)) is not None}
    electorate = {
        name: _Voter(curves[name], _runs(each), each)
        for name, each in single.items()
        if name in captured or each.moved.any()
    }
    if not electorate:
        return Fit()
    return _Election(electorate, hull, observed.edge_ns).result()


class _Voter(NamedTuple):
    """A counter: its steps, the intervals that vote, and all single ones."""

    curve: Curve
    windows: Windows
    single: Windows


class _Election:
    """Finds the cells of offsets that cannot be told from the best one: all at first, then finer."""

    def __init__(self, electorate: Mapping[str, _Voter], hull: tuple[int, int], edge_ns: int) -> None:
        self._electorate = dict(electorate)
        self._hull = hull
        self._edge_ns = edge_ns
        starts = min(int(each.single.starts.min()) for each in electorate.values())
        ends = max(int(each.single.ends.max()) for each in electorate.values())
        self._lowest, self._highest = hull[0] - ends, hull[1] - starts  # beyond these nothing overlaps

    def result(self) -> Fit:
        """As far as it can be told."""
        width = max((self._highest - self._lowest) // CELLS + 1, FINEST_NS)
        count = (self._highest - self._lowest) // width + 1
        shifts = self._lowest + np.arange(count, dtype=np.int64) * width
        votes = {
            name: votes_on_grid(each.curve, each.windows, self._lowest, count, width, self._hull)
            for name, each in self._electorate.items()
        }
        kept = [name for name, each in votes.items() if _fits_somewhere(each)]
        if 2 * len(kept) <= len(votes):
            return Fit()
        self._electorate = {name: self._electorate[name] for name in kept}
        total = _sum([votes[name] for name in kept], count)
        while True:
            score = total.bits - PENALTY_BITS * total.contradicting
            top = np.flatnonzero(score >= score.max())
            best = int(top[len(top) // 2])
            shares = self._shares(int(shifts[best]) + width // 2)
            if not _agrees(total, best) or not _convincing(float(total.bits[best]), shares):
                return Fit()
            # What is missing may be made up for by a packet on the wrong side of an edge: one of them is no contradiction.
            left = _not_ruled_out(total, best, 0 if shares.min() > ALL else len(self._electorate))
            split = min(8, -(-width // FINEST_NS))
            if split < 2 or left.sum() * split > MOST_CELLS:
                fit = self._told(shifts, width, left, score)
                return Fit() if not fit.as_stamped and self._hardly_off(shares.min() > ALL) else fit
            width = -(-width // split)
            shifts = (shifts[left][:, None] + np.arange(split) * width).ravel()
            total = self._votes(shifts, width)

    def _votes(self, shifts: Numbers, width: int) -> Votes:
        """Of all counters."""
        found = (votes_at(each.curve, each.windows, shifts, width, self._hull) for each in self._electorate.values())
        return _sum(list(found), len(shifts))

    def _told(self, shifts: Numbers, width: int, left: npt.NDArray[np.bool_], score: npt.NDArray[np.float32]) -> Fit:
        """The offset within the cells that are left, or their range if they lie together."""
        cells = shifts[left]
        top = cells[score[left] >= score[left].max()]
        low, high = int(cells[0]), int(cells[-1]) + width
        as_stamped = bool(np.any((cells <= self._edge_ns) & (cells + width > -self._edge_ns)))
        together = bool((np.diff(cells) <= 2 * width).all())
        found = Fit(range_ns=(low, high) if together else None, as_stamped=as_stamped)
        if as_stamped and low >= -WITHIN_NS and high <= WITHIN_NS:
            return replace(found, range_ns=(low, high), offset=Offset(0, max(abs(low), abs(high))))
        if high - low > 2 * WITHIN_NS:
            return found
        middle = (int(top[0]) + int(top[-1]) + width) // 2
        middle = min(max(middle, high - WITHIN_NS), low + WITHIN_NS)
        return replace(found, range_ns=(low, high), offset=Offset(middle, max(middle - low, high - middle)))

    def _hardly_off(self, perfect: bool) -> bool:
        """Do so few packets contradict the times as stamped that a frame not captured explains them better than a clock?"""
        off = [_off(each) for each in self._electorate.values()]
        counts = [count for name, (count, _) in zip(self._electorate, off, strict=True) if "Octets" not in name]
        packets = max(counts, default=FEW_PACKETS + 1)
        return packets <= FEW_PACKETS or (not perfect and float(np.mean([share for _, share in off])) <= FEW)

    def _shares(self, shift: int) -> npt.NDArray[np.float64]:
        """How much the offset explains, in the mean of the counters: of what both have in common, of what either holds."""
        return np.asarray(np.mean([_explained(each, shift) for each in self._electorate.values()], axis=0))


def _convincing(bits: float, shares: npt.NDArray[np.float64]) -> bool:
    """Is most of what the two have in common explained, and of either enough that it is no chance?"""
    common, captured, counted = shares.tolist()
    if common < FITTING or max(captured, counted) < COMPARABLE:
        return False
    if min(captured, counted) < COMPARABLE:
        return bits >= ENOUGH_FOR_PART
    return bits >= (ENOUGH_FOR_ALL if shares.min() > ALL else ENOUGH_BITS)


def _explained(voter: _Voter, shift: int) -> tuple[float, float, float]:
    """The share of a counter in intervals that agree: of what was captured between snapshots, of all captured, of all counted."""
    starts, ends, moved = voter.single.starts + shift, voter.single.ends + shift, voter.single.moved
    least, most = between(voter.curve, (starts, starts), (ends, ends))
    explained = int(moved[(moved >= least) & (moved <= most)].sum())
    if not explained:
        return 0.0, 0.0, 0.0
    span, _ = between(voter.curve, (starts[:1], starts[:1]), (ends[-1:], ends[-1:]))
    common, captured, counted = int(span[0]), int(voter.curve.least[-1]), int(moved.sum())
    return explained / max(common, explained), explained / max(captured, explained), explained / counted


def _off(voter: _Voter) -> tuple[int, float]:
    """By how much a counter contradicts the times as stamped, and which share of all that is."""
    (starts, ends, moved), curve = voter.single, voter.curve
    least, most = between(curve, (starts, starts), (ends, ends))
    off = int(np.maximum(0, np.maximum(least - moved, moved - most)).sum())
    return off, off / max(1, int(moved.sum()))


def _intervals(observed: Observed, name: str) -> Windows | None:
    """The intervals in which the counter is listed."""
    moved = observed.of(name)
    known = np.flatnonzero(moved != UNKNOWN)
    return Windows(observed.starts[known], observed.ends[known], moved[known]) if len(known) else None


def _runs(single: Windows) -> Windows:
    """Intervals that vote: single ones, and ever longer runs of them; so many of each length, evenly chosen."""
    starts, ends, moved = single
    found = []
    while True:
        chosen = distinct(np.linspace(0, len(starts) - 1, min(MOST_WINDOWS, len(starts))).astype(np.intp))
        found.append((starts[chosen], ends[chosen], moved[chosen]))
        if len(starts) <= MOST_WINDOWS:
            break
        pairs = len(starts) // 2 * 2
        adjacent = ends[0:pairs:2] == starts[1:pairs:2]
        starts, ends = starts[0:pairs:2][adjacent], ends[1:pairs:2][adjacent]
        moved = (moved[0:pairs:2] + moved[1:pairs:2])[adjacent]
        if not len(starts):
            break
    return Windows(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _sum(votes: list[Votes], cells: int) -> Votes:
    """All votes together."""
    total = Votes.none(cells)
    for each in votes:
        total.add(each)
    return total


def _fits_somewhere(votes: Votes) -> bool:
    """Is there an offset at which the counter agrees with the capture?"""
    best = int(np.argmax(votes.bits - PENALTY_BITS * votes.contradicting))
    return _agrees(votes, best)


def _agrees(votes: Votes, at: int) -> bool:
    """Do most of the intervals that say something agree there?"""
    agreeing, contradicting = int(votes.agreeing[at]), int(votes.contradicting[at])
    return agreeing > 0 and agreeing >= FITTING * (agreeing + contradicting)


def _not_ruled_out(votes: Votes, best: int, slack: int) -> npt.NDArray[np.bool_]:
    """Offsets with comparable evidence, and with no more contradictions than chance adds to those of the best."""
    allowed = votes.contradicting[best] + 2 * np.sqrt(votes.contradicting[best]) + slack
    return np.asarray((votes.bits >= COMPARABLE * votes.bits[best]) & (votes.contradicting <= allowed))
