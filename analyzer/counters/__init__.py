"""Counters of the Linux network stack: files of snapshots in, and by how much each counter moved between them."""

from __future__ import annotations

from analyzer.counters.apart import chosen, with_chosen
from analyzer.counters.changes import Change, diff, difference
from analyzer.counters.drafts import SnapshotError
from analyzer.counters.folders import holds_counters
from analyzer.counters.intervals import Interval, Restart, deltas, restarts, standing
from analyzer.counters.names import GAUGES, GROUPS, group_of
from analyzer.counters.series import Series, Snapshot
from analyzer.counters.snapshots import judged_together, read_snapshots, refitted, series_of

__all__ = [
    "GAUGES",
    "GROUPS",
    "Change",
    "Interval",
    "Restart",
    "Series",
    "Snapshot",
    "SnapshotError",
    "chosen",
    "deltas",
    "diff",
    "difference",
    "group_of",
    "holds_counters",
    "judged_together",
    "read_snapshots",
    "refitted",
    "restarts",
    "series_of",
    "standing",
    "with_chosen",
]
