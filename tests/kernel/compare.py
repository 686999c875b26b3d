"""Recordings go in; for each host and counter, what the kernel said and what the events say comes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .counters import COUNTERS, bounds
from .view import View, bundles, view


@dataclass(frozen=True, slots=True)
class Result:
    """One counter of one host; `least` and `most` differ where packets cannot tell."""

    bundle: str
    counter: str
    kernel: int
    least: int
    most: int

    @property
    def ours(self) -> int:
        """The number within the bounds that is next to the kernel's."""
        return min(max(self.kernel, self.least), self.most)

    @property
    def error(self) -> int:
        """How far apart."""
        return abs(self.kernel - self.ours)

    @property
    def agrees(self) -> bool:
        """Whether the kernel's number is within the bounds."""
        return self.error == 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing was counted on either side."""
        return self.kernel == self.least == 0


def compare_host(seen: View, name: str, counters: Iterable[str] = COUNTERS) -> list[Result]:
    """All counters of one host."""
    kernel = seen.increments
    return [Result(name, each, kernel[each], *bounds(COUNTERS[each](seen))) for each in counters if each in kernel]


def compare(folder: Path) -> list[Result]:
    """All hosts of all recordings below `folder`."""
    results: list[Result] = []
    for each in bundles(folder):
        results += compare_host(view(each), str(each.relative_to(folder)))
    return results
