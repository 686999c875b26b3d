"""Recordings go in; for each host and counter, what the kernel said and what the events say comes out, also as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .counters import COUNTERS, bounds
from .view import View, bundles, view

_ROW = "{:28}{:>8}{:>8}{:>10}{:>9}{:>8}"


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


def table(results: Sequence[Result]) -> str:
    """One line for each counter; `active` are the hosts where anything was counted."""
    lines = [_ROW.format("counter", "kernel", "ours", "exact/all", "active", "error")]
    for counter in COUNTERS:
        mine = [each for each in results if each.counter == counter]
        if not mine:
            continue
        exact = sum(each.agrees for each in mine)
        active = [each for each in mine if not each.is_idle]
        good = sum(each.agrees for each in active)
        lines.append(
            _ROW.format(
                counter,
                sum(each.kernel for each in mine),
                sum(each.ours for each in mine),
                f"{exact}/{len(mine)}",
                f"{good}/{len(active)}",
                f"{sum(each.error for each in mine) / len(mine):.3f}",
            )
        )
    return "\n".join(lines)


def disagreements(results: Sequence[Result]) -> str:
    """One line for each counter of a host that disagrees, those of one counter together."""
    wrong = sorted((each for each in results if not each.agrees), key=lambda each: (each.counter, each.bundle))
    return "\n".join(
        f"{each.counter:28} kernel {each.kernel:4} ours {_range(each):>9}  {each.bundle}" for each in wrong
    )


def _range(result: Result) -> str:
    return str(result.least) if result.least == result.most else f"{result.least}..{result.most}"
