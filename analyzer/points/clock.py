"""The clocks of two capture points: how much the one shows more than the other, and how much faster it runs.

A packet cannot come before it was sent. Of packets from the first point to the second, what the second clock shows more than the
first is the offset and the time on the way; of those back, the offset without it. The lower envelope of the former and the upper
one of the latter bound the offset from both sides; in the middle both ways take the same time at their fastest, which nothing
proves, so that half the distance between the two is the uncertainty.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields

MOST_DRIFT = 500e-6  # of any clock that anybody keeps
NO_DRIFT_NS = 25_000  # a line that is not tilted, and fits so well, is taken
BINS = 4096
STEPS = 80
Ints = npt.NDArray[np.int64]


@of_fields(frozen=True, slots=True)
class Clock:
    """At `start_ns` of the first clock the second one shows `offset_ns` more, and it gains `drift` (a ratio).

    The offset lies between `low_ns` and `high_ns`, None where no packet bounds it. `slack_ns` is how far packets seem to come
    before they were sent, for which no line is right.
    """

    start_ns: int
    offset_ns: int
    drift: float
    low_ns: int | None
    high_ns: int | None
    slack_ns: int = 0

    def to_first(self, times_ns: Ints) -> Ints:
        """Times of the second clock as the first one shows them."""
        since = times_ns - (self.start_ns + self.offset_ns)
        gained: Ints = np.rint(since * (self.drift / (1 + self.drift))).astype(np.int64)
        return self.start_ns + since - gained

    def to_second(self, times_ns: Ints) -> Ints:
        """Times of the first clock as the second one shows them."""
        since = times_ns - self.start_ns
        gained: Ints = np.rint(since * self.drift).astype(np.int64)
        return times_ns + self.offset_ns + gained

    @property
    def uncertainty_ns(self) -> int | None:
        """By how much the offset may be wrong; None where it is bounded on one side only."""
        if self.low_ns is None or self.high_ns is None:
            return None
        return max(self.high_ns - self.offset_ns, self.offset_ns - self.low_ns)

    def turned(self) -> Clock:
        """The same seen from the second clock."""
        low = None if self.high_ns is None else -self.high_ns
        high = None if self.low_ns is None else -self.low_ns
        start = self.start_ns + self.offset_ns
        return Clock(start, -self.offset_ns, -self.drift / (1 + self.drift), low, high, self.slack_ns)


SAME = Clock(0, 0, 0.0, 0, 0)


def clock_of(forward: tuple[Ints, Ints], backward: tuple[Ints, Ints]) -> Clock | None:
    """The second clock against the first, by packets that went forward and back, each by its times of both clocks (int64, ns).

    None without any packet.
    """
    starts = [int(times[0].min()) for times in (forward, backward) if len(times[0])]
    if not starts:
        return None
    start = min(starts)
    ahead, behind = _envelope(forward, start, -1), _envelope(backward, start, 1)
    if not len(ahead[0]) or not len(behind[0]):
        return _one_sided(start, ahead, behind)
    drift = _drift(ahead, behind)
    low, high = _bounds(ahead, behind, drift)
    widest = _range(ahead, behind, drift)
    return Clock(start, round((low + high) / 2), drift, *widest, max(0, round((low - high) / 2)))


def _envelope(times: tuple[Ints, Ints], start: int, sign: int) -> tuple[Ints, Ints]:
    """Of packets of one way those that can lie on the envelope: (time since `start`, difference of the clocks), by bins of time the lowest (`sign` -1) or highest."""
    since, difference = times[0] - start, times[1] - times[0]
    if len(since) <= BINS:
        return since, difference
    bins = (since / (since.max() + 1) * BINS).astype(np.int64)
    order = np.lexsort((-sign * difference, bins))
    bins = bins[order]
    first = np.flatnonzero(np.diff(bins, prepend=-1))
    return since[order][first], difference[order][first]


def _bounds(ahead: tuple[Ints, Ints], behind: tuple[Ints, Ints], drift: float) -> tuple[float, float]:
    """Between which the offset lies, if the clocks drift so much."""
    low = (behind[1] - np.rint(behind[0] * drift)).max()
    high = (ahead[1] - np.rint(ahead[0] * drift)).min()
    return float(low), float(high)


def _range(ahead: tuple[Ints, Ints], behind: tuple[Ints, Ints], drift: float) -> tuple[int, int]:
    """Between which the offset lies, by whatever drift the packets allow; where they allow none, as far as they contradict it."""
    low, high = _bounds(ahead, behind, drift)
    for other in np.linspace(-MOST_DRIFT, MOST_DRIFT, STEPS + 1):
        least, most = _bounds(ahead, behind, other)
        if least <= most:
            low, high = min(low, least), max(high, most)
    return round(min(low, high)), round(max(low, high))


def _drift(ahead: tuple[Ints, Ints], behind: tuple[Ints, Ints]) -> float:
    """That which leaves most room between the two envelopes; 0 where that is hardly more than without."""

    def room(drift: float) -> float:
        low, high = _bounds(ahead, behind, drift)
        return high - low

    # Room is a concave function of the drift: the least of lines, less the greatest of lines.
    left, right = -MOST_DRIFT, MOST_DRIFT
    for _ in range(STEPS):
        third = (right - left) / 3
        if room(left + third) < room(right - third):
            left += third
        else:
            right -= third
    best = (left + right) / 2
    return 0.0 if room(0.0) >= room(best) - 2 * NO_DRIFT_NS else best


def _one_sided(start: int, ahead: tuple[Ints, Ints], behind: tuple[Ints, Ints]) -> Clock:
    """Packets went one way only: the fastest of them is taken to need no time."""
    if len(ahead[0]):
        high = int(ahead[1].min())
        return Clock(start, high, 0.0, None, high)
    low = int(behind[1].max())
    return Clock(start, low, 0.0, low, None)
