"""Several samples -> one capture: one after the other, in lanes that overlap in time. It has many connections, and what happens to them is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzer.capture import open_capture
from tests import build

START_NS, PAUSE_NS = 1_700_000_000 * 10**9, 100 * 10**9  # nobody compares timestamps after so long


def chained(paths: Sequence[Path], lanes: int = 1) -> list[build.Record]:
    """Their records (Ethernet), in order of time."""
    found: list[build.Record] = []
    now = [START_NS + 1000 * lane for lane in range(lanes)]
    for number, path in enumerate(paths):
        records = records_of(path)
        shift = now[number % lanes] - records[0].time_ns
        found += [build.Record(each.data, each.time_ns + shift, each.length) for each in records]
        now[number % lanes] = found[-1].time_ns + PAUSE_NS
    return sorted(found, key=lambda record: record.time_ns)


def records_of(path: Path) -> list[build.Record]:
    """The records of a capture."""
    with open_capture([path]) as capture:
        return [
            build.Record(batch.data(at), int(batch.rows["time_ns"][at]), int(batch.rows["length"][at]))
            for batch in capture
            for at in range(len(batch))
        ]
