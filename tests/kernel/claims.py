"""Recordings go in; how often what is claimed of the kernel's counters held comes out, and what contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from analyzer import analyze
from analyzer.correlate import NOT_COMPARABLE, OVER, UNDER, UNLIMITED, Compared
from analyzer.tables import RELATIONS

from .view import bundles

_CLAIMED = RELATIONS[:3]


@dataclass(slots=True)
class Claims:
    """Counters that moved or should have, by relation; `wrong`, `impossible` and `incomplete` name the bundle."""

    made: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    hosts: int = 0

    def add(self, folder: Path, name: str) -> None:
        """A host; of one whose capture does not hold everything nothing is claimed."""
        comparison = analyze(folder).comparison
        assert comparison is not None, name
        self.hosts += 1
        coverage = comparison.coverage()
        rows = comparison.whole()
        self.impossible += (f"{each}  {name}" for each in contradictions(rows, coverage.complete))
        if not coverage.complete:
            self.incomplete.append(f"{coverage.reason}  {name}")
            return
        for each in rows:
            word = RELATIONS[each.relation]
            if word not in _CLAIMED or each.verdict == NOT_COMPARABLE or not (each.observed or each.high):
                continue
            self.made[word] += 1
            if each.verdict in (UNDER, OVER):
                self.wrong.append(f"{word} {each.counter} {each.observed} not in {each.low}..{each.high}  {name}")
            else:
                self.held[word] += 1


def contradictions(rows: list[Compared], complete: bool) -> Iterator[Compared]:
    """Rows that cannot be: a guess outside of its range, or a range without an end though everything was captured."""
    for each in rows:
        if not 0 <= each.low <= each.predicted <= each.high or (complete and each.high >= UNLIMITED):
            yield each


def report(folder: Path, verbose: bool) -> str:
    """The claims about all recordings below `folder`, as text."""
    claims = Claims()
    for each in bundles(folder):
        claims.add(each, str(each.relative_to(folder)))
    shares = ", ".join(f"{word} {claims.held[word]}/{claims.made[word]}" for word in _CLAIMED)
    lines = [f"claims about {claims.hosts} hosts: {shares}; {len(claims.incomplete)} not complete"]
    if verbose:
        lines += [*sorted(claims.wrong), *(f"impossible: {each}" for each in claims.impossible), *claims.incomplete]
    return "\n".join(lines)
