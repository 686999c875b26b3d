"""Are texts of nstat absolute, or increments since the run before? They do not say so; all of them together do, more or less.

What is absolute never falls, but where the host started again: then nearly everything falls at once. Increments fall and rise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log2
from typing import Literal

from analyzer.counters.names import NSTAT_OMITS
from analyzer.fields import of_fields

Kind = Literal["absolute", "increments"]
Values = Mapping[str, int]

NEARLY_ALL = 0.8  # of the counters that had moved fall in a restart
SELDOM = 20  # so many times as often at least nothing falls
ENOUGH_BITS = 6.0  # of evidence besides a restart
MOST_BITS = 8.0  # that one counter gives
ROUNDS = 3  # so often two hosts alternate at least


@of_fields(frozen=True, slots=True)
class Guess:
    """What they are, why, and whether that is certain. `hosts` : whether they are of two hosts by turns."""

    kind: Kind
    reason: str
    certain: bool = False
    hosts: bool = False


@of_fields(slots=True)
class _Step:
    """What happened from one text to the next: who fell of those that had moved, how many of them to less than half, and how
    much speaks for a total that grows."""

    fallen: list[str]
    deep: int
    moved: int
    bits: float

    @property
    def down(self) -> bool:
        """Did nearly everything fall?"""
        return bool(self.fallen) and len(self.fallen) >= NEARLY_ALL * self.moved

    @property
    def restart(self) -> bool:
        """Did it fall as deep as where counting begins again?"""
        return self.down and self.deep >= NEARLY_ALL * self.moved


def kind_of(texts: Sequence[Values], zeros: bool) -> Guess:
    """Absolute or increments.

    Parameters
    ----------
    texts : the values of texts of one host, in the order of their times
    zeros : whether they list counters that are zero
    """
    if any(not NSTAT_OMITS.isdisjoint(values) for values in texts):
        return Guess("absolute", "there are gauges, which nstat leaves out", True)
    steps = _steps(texts, zeros)
    if _alternating(texts, zeros):
        return Guess("absolute", "two sets of values take turns, and nothing falls in either", hosts=True)
    if any(step.fallen for step in steps):
        return _with_falls(steps)
    if steps:
        return Guess("absolute", f"nothing falls in {len(texts)} snapshots")
    if zeros:
        return Guess("absolute", "counters that are zero are listed, as `nstat -az` does")
    return Guess("increments", "nstat prints increments unless it is told otherwise")


def _with_falls(steps: Sequence[_Step]) -> Guess:
    """Something falls: all at once and seldom is a restart, if the rest looks like totals."""
    falls = [step for step in steps if step.fallen]
    rest = sum(step.bits for step in steps if not step.fallen)
    seldom = len(falls) == 1 or SELDOM * len(falls) <= len(steps)
    if all(step.restart for step in falls) and seldom and rest >= ENOUGH_BITS:
        return Guess("absolute", "nothing falls but nearly everything at once, as when a host starts again")
    few = all(len(step.fallen) == 1 < step.moved // 4 for step in falls)
    if few and seldom and rest >= ENOUGH_BITS:
        return Guess("absolute", f"nothing falls but {falls[0].fallen[0]}")
    return Guess("increments", f"{falls[0].fallen[0]} is lower in a later snapshot")


def _steps(texts: Sequence[Values], zeros: bool) -> list[_Step]:
    """From each text to the next one that has names in common with it; where zeros are not listed, to the next."""
    found = []
    for number, after in enumerate(texts):
        before = next((texts[at] for at in range(number - 1, -1, -1) if _comparable(texts[at], after, zeros)), None)
        if before is not None and (before or after):
            step = _step(before, after, zeros)
            if step.moved or not zeros:
                found.append(step)
    # Names that are nowhere twice say nothing.
    seen: set[str] = set()
    for values in texts:
        if not seen.isdisjoint(values):
            return found
        seen |= values.keys()
    return [step for step in found if step.fallen]


def _comparable(before: Values, after: Values, zeros: bool) -> bool:
    if not before or not after:
        return not zeros
    return not before.keys().isdisjoint(after)


def _step(before: Values, after: Values, zeros: bool) -> _Step:
    """One that is not listed any more is zero, unless zeros are listed."""
    fallen, deep, moved, bits = [], 0, 0, 0.0
    for name, old in before.items():
        new = after.get(name, old if zeros else 0)
        if old <= 0:
            continue
        moved += 1
        if new < old:
            fallen.append(name)
            deep += 2 * new < old
        else:  # that two increments are so near to each other is chance
            bits += min(MOST_BITS, (log2(1 + old) - log2(1 + new - old)) / 2) if new - old < old else 0.5
    return _Step(fallen, deep, moved, bits)


def _alternating(texts: Sequence[Values], zeros: bool) -> bool:
    """Do two chains of snapshots take turns, in neither of which anything falls, while everything falls from one to the other?"""
    if len(texts) < 2 * ROUNDS:
        return False
    across = [_step(before, after, zeros) for before, after in pairwise(texts)]
    within = [_step(before, after, zeros) for before, after in zip(texts, texts[2:], strict=False)]
    turns = [step.down for step in across]
    falls = (all(turns[0::2]) and not any(turns[1::2])) or (all(turns[1::2]) and not any(turns[0::2]))
    total = sum(step.bits for step in within)
    return falls and not any(step.fallen for step in within) and total >= 2 * ENOUGH_BITS
