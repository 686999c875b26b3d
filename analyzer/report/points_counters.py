"""The counters of the hosts of several capture points side by side, each with what its own capture says."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.correlate import OVER, UNDER
from analyzer.fields import of_fields
from analyzer.points.points import Points
from analyzer.report.counter_text import forecast_text
from analyzer.report.grid import grid_lines
from analyzer.report.layout import Style, plain
from analyzer.text import printable

MOST = 40
MOST_TOLD = 12


@of_fields(frozen=True)
class Beside:
    """A counter: of each point what was counted and what the packets say (empty where nobody counted it)."""

    counter: str
    cells: list[tuple[str, str]]
    wrong: bool  # do the packets of a point contradict it
    told: bool  # is it that, or does a finding name it
    most: int


def counters_beside(points: Points) -> list[Beside]:
    """Those of the points that count at all: what packets contradict, then those of findings, then those that moved most."""
    known = {
        name: {each.counter: each for each in analysis.comparison.whole() if each.observed or each.predicted}
        if analysis.comparison is not None
        else {}
        for name, analysis in points.at.items()
    }
    named = {proof.counter for finding in points.diagnosis.findings for proof in finding.counters}
    found = []
    for counter in dict.fromkeys(counter for each in known.values() for counter in each):
        rows = [each.get(counter) for each in known.values()]
        there = [row for row in rows if row is not None]
        cells = [("", "") if row is None else (f"{row.observed:,}", forecast_text(row)) for row in rows]
        wrong = any(row.verdict in (UNDER, OVER) for row in there)
        most = max(row.observed for row in there)
        found.append(Beside(counter, cells, wrong, wrong or counter in named, most))
    return sorted(found, key=lambda each: (not each.wrong, not each.told, -each.most))[:MOST]


def beside_lines(points: Points, style: Style = plain) -> Iterator[str]:
    """Those that packets contradict or findings name, as a grid."""
    rows = [each for each in counters_beside(points) if each.told][:MOST_TOLD]
    if not rows:
        return
    names = ["counter"]
    for name in points.at:
        names += [f"at {printable(name)}", "its packets"]
    cells = [[printable(each.counter), *(text for pair in each.cells for text in pair)] for each in rows]
    yield from grid_lines(names, [False, *(True,) * (len(names) - 1)], cells, style)
