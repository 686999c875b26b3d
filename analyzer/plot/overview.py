"""The whole capture: what was on the wire, what went wrong when, which findings and connections were at that time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.kinds import NAMES, NUMBER
from analyzer.plot.bins import KINDS_OF_TROUBLE, Bins
from analyzer.plot.panels import rate_layer
from analyzer.plot.picture import Layer, Panel
from analyzer.plot.sequence import Clock

if TYPE_CHECKING:
    from analyzer.diagnosis.finding import Finding
    from analyzer.schema import Rows

MOST_KINDS = 6
MOST_ROWS = 12
ROLES = {  # of kinds that have a colour elsewhere, too
    "retransmission": "again",
    "retransmission_timeout": "timeout",
    "zero_window": "window",
    "dsack": "dsack",
    "duplicate_ack": "ack",
}
OTHER_ROLES = ("sack", "odd", "data", "end", "predicted", "closing", "unknown")  # of the others, in turn
OTHERS = "others"


def overview_panels(
    whole: Bins, findings: Sequence[Finding], drawn: Sequence[tuple[str, Rows]], clock: Clock
) -> Iterator[Panel]:
    """`drawn` are the connections that are drawn, each with its name and its row of `flows`."""
    yield Panel("All frames on the wire", "bit/s", [rate_layer("all frames", "data", whole, whole.sent[0], clock)])
    trouble = list(_trouble(whole, clock))
    if trouble:
        yield Panel("Events that are trouble, by interval", "", trouble, whole=True)
    timed = [finding for finding in findings if finding.start_ns]
    if timed:
        title = "Findings" + (f": the first {MOST_ROWS} of {len(timed):,}" if len(timed) > MOST_ROWS else "")
        timed = timed[:MOST_ROWS]
        names = [f"{finding.number} {finding.rule.id}" for finding in timed]
        layers = [
            _row(names[at], finding.severity, at, finding.start_ns, finding.end_ns, clock)
            for at, finding in enumerate(timed)
        ]
        yield Panel(title, "", layers, 0.3 + 0.12 * len(names), rows=names)
    if drawn:
        names = [name for name, _ in drawn[:MOST_ROWS]]
        layers = [
            _row(name, "data", at, int(row["start_ns"]), int(row["end_ns"]), clock)
            for at, (name, row) in enumerate(drawn[:MOST_ROWS])
        ]
        yield Panel("Connections", "", layers, 0.3 + 0.12 * len(names), rows=names)


def _row(name: str, role: str, height: int, start_ns: int, end_ns: int, clock: Clock) -> Layer:
    start, end = clock(np.array([start_ns])), clock(np.array([max(start_ns, end_ns)]))
    return Layer(name, "spans", role, start, np.array([float(height)]), end)


def _trouble(whole: Bins, clock: Clock) -> Iterator[Layer]:
    """The most frequent kinds each, the others together."""
    counts = {name: whole.events[NUMBER[name]] for name in KINDS_OF_TROUBLE if whole.events[NUMBER[name]].any()}
    ranked = sorted(counts, key=lambda name: -int(counts[name].sum()))
    groups = [(name, [name]) for name in ranked[:MOST_KINDS]]
    if ranked[MOST_KINDS:]:
        groups.append((OTHERS, ranked[MOST_KINDS:]))
    middle = clock(whole.starts_ns) + whole.every_ns / 2e9
    others = iter(OTHER_ROLES)
    for name, kinds in groups:
        role = ROLES.get(name) or next(others)
        total = np.sum([counts[kind] for kind in kinds], axis=0).astype(np.float64)
        there = total > 0
        yield Layer(name.replace("_", " "), "columns", role, middle[there], total[there], width=whole.every_ns / 1e9)


assert OTHERS not in NAMES, "an event of that name"
