"""Counters of the Linux network stack: files of snapshots in, and by how much each counter moved between them."""

from __future__ import annotations

from analyzer.counters.drafts import SnapshotError
from analyzer.counters.intervals import Change, Interval, Restart, deltas, diff, restarts
from analyzer.counters.names import GAUGES, GROUPS, group_of
from analyzer.counters.series import Series, Snapshot
from analyzer.counters.snapshots import read_snapshots, series_of

__all__ = [
    "GAUGES",
    "GROUPS",
    "Change",
    "Interval",
    "Restart",
    "Series",
    "Snapshot",
    "SnapshotError",
    "deltas",
    "diff",
    "group_of",
    "read_snapshots",
    "restarts",
    "series_of",
]
