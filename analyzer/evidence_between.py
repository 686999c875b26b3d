"""What lies between capture points -> what rules about it read: `paths`, and the passages that were no plain arrivals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.diagnosis.engine import Evidence, diagnose
from analyzer.diagnosis.finding import Diagnosis
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.signals import BETWEEN, Signals
from analyzer.diagnosis.views import Columns, columns_of
from analyzer.points.folded import together
from analyzer.points.points import Points
from analyzer.schema import Rows
from analyzer.tables import PASSAGES, PATHS

MOST_PASSAGES = 20_000
ARRIVED, UNKNOWN = (PASSAGES.bit("fate", word) for word in ("arrived", "unknown"))


def diagnosed_between(points: Points, rules: Sequence[Rule], limit_s: float | None = None) -> Diagnosis:
    """What the rules say of the ways between the points (those that ask for several of them), then what was found at each point."""
    asked = [rule for rule in rules if BETWEEN in rule.when.get("seen", ())]
    sources = {"paths": lambda _: _paths(points), "passages": lambda _: _passages(points)}
    signals = Signals({"seen": {BETWEEN} if points.between else set()})
    between = diagnose(asked, Evidence(signals, set(sources), sources, lambda flow: None, dict), limit_s)
    return together(points, between)


def _paths(points: Points) -> Columns:
    rows = points.path_rows
    return columns_of(PATHS, rows, _named(points, from_point=rows["from_number"], to_point=rows["to_number"]))


def _passages(points: Points) -> Columns:
    """Those that tell something, the first of them."""
    found = [np.zeros(0, PASSAGES.dtype)]
    for pair, between in enumerate(points.between):
        some = between.notable.passages
        some = some[(some["fate"] != ARRIVED) & (some["fate"] != UNKNOWN)][:MOST_PASSAGES]
        some["time_ns"] = points.on_pair_clock(pair, some["time_ns"])
        found.append(some)
    every = np.concatenate(found)
    return columns_of(PASSAGES, every, _named(points, point=every["point_number"], other=every["other_number"]))


def _named(points: Points, **numbers: Rows) -> dict[str, list[str]]:
    """Columns with the names of points."""
    return {column: [points.names[number] for number in each.tolist()] for column, each in numbers.items()}
