"""How often each counter was what the packets say, over the hosts of the samples: for README.md and the tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from analyzer import analyze
from analyzer.correlate import NOT_COMPARABLE, OVER, UNDER, Compared, Comparison
from analyzer.counters.names import rank_of
from analyzer.prediction import NUMBER
from analyzer.tables import RELATIONS

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
HOSTS = sorted(found.parent for found in SAMPLES.glob("*/*/counters.jsonl"))
SHOWN = RELATIONS[:3]


@cache
def compared(folder: Path) -> Comparison:
    """The comparison of a bundle."""
    found = analyze(folder).comparison
    assert found is not None
    return found


def right(each: Compared) -> bool:
    """Is what the kernel counted what the packets say?"""
    return each.verdict not in (UNDER, OVER)


def counted() -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]], int]:
    """On how many hosts each counter moved or should have, per relation; on how many it agreed; and how many hosts are left out.

    Left out are hosts whose capture does not hold all that they counted.
    """
    moved: Counter[tuple[str, str]] = Counter()
    agreed: Counter[tuple[str, str]] = Counter()
    left_out = 0
    for folder in HOSTS:
        comparison = compared(folder)
        if not comparison.coverage().complete:
            left_out += 1
            continue
        for each in comparison.whole():
            key = each.counter, RELATIONS[each.relation]
            if key[1] in SHOWN and each.verdict != NOT_COMPARABLE:
                moved[key] += 1
                agreed[key] += right(each)
    return moved, agreed, left_out


def agreement() -> str:
    """One row per counter that moved, in the kernel's order."""
    moved, agreed, left_out = counted()
    lines = [
        f"{len(HOSTS) - left_out} hosts ({left_out} more have captures that are not complete; nothing is claimed for them).",
        "",
        f"| counter | {' | '.join(SHOWN)} |",
        f"|---{'|---:' * len(SHOWN)}|",
    ]
    for name in sorted(
        {name for name, _ in moved}, key=lambda name: (rank_of(name), NUMBER.get(name, len(NUMBER)), name)
    ):
        lines.append(f"| {name} | {' | '.join(_cells(name, moved, agreed))} |")
    total = [f"**{_share(sum(_of(agreed, word)), sum(_of(moved, word)))}**" for word in SHOWN]
    lines.append(f"| **all** | {' | '.join(total)} |")
    return "\n".join(lines) + "\n"


def _cells(name: str, moved: Counter[tuple[str, str]], agreed: Counter[tuple[str, str]]) -> Iterable[str]:
    return (_share(agreed[name, word], moved[name, word]) for word in SHOWN)


def _share(good: int, of: int) -> str:
    return f"{good} of {of}" if of else ""


def _of(counts: Counter[tuple[str, str]], word: str) -> list[int]:
    return [count for (_, relation), count in counts.items() if relation == word]
