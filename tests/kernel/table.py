"""Results go in, text comes out."""

from __future__ import annotations

from collections.abc import Sequence

from .compare import Result
from .counters import COUNTERS

_ROW = "{:28}{:>8}{:>8}{:>10}{:>9}{:>8}"


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
