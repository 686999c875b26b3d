"""An Analysis -> the one JSON object of `tcpcap analyze --json`, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from analyzer.analysis import Analysis
from analyzer.tables import FLOWS

FLOWS_AT_ONCE = 10_000
SLOW_FLOWS = 100


def json_pieces(analysis: Analysis) -> Iterator[str]:
    """`findings` (in the order in which they are told), `not_checked`, `capture`, `capture_facts` (a list of rows), `flows` (a list of rows), `time` (where that of all connections went, and of those that lost most), `events` and `checksums` (how many of each), `counters` (a row for each over the whole time of the snapshots), `sockets` (what their lists show in all) and `warnings`, as one object.

    A million flows never stand in memory as text.
    """
    yield f'{{"findings": {json.dumps([each.as_dict() for each in analysis.diagnosis.findings], indent=1, default=str)},'
    yield f'\n"not_checked": {json.dumps([asdict(each) for each in analysis.diagnosis.not_checked], indent=1)},'
    yield f'\n"capture": {json.dumps(analysis.capture, indent=1)},'
    yield f'\n"capture_facts": {json.dumps([asdict(fact) for fact in analysis.facts], indent=1)},\n"flows": ['
    for start in range(0, len(analysis.flow_tracker), FLOWS_AT_ONCE):
        rows = analysis.flow_tracker.rows(slice(start, start + FLOWS_AT_ONCE))
        lines = FLOWS.frame(rows).to_json(orient="records", lines=True).strip()
        yield ("\n" if start == 0 else ",\n") + lines.replace("\n", ",\n")
    yield f'],\n"time": {json.dumps(_time(analysis), indent=1)},'
    yield f'\n"events": {json.dumps(analysis.event_counts, indent=1)},'
    yield f'\n"checksums": {json.dumps(analysis.checksum_counts, indent=1)},'
    yield f'\n"counters": {analysis.counters_whole.to_json(orient="records", indent=1)},'
    yield f'\n"sockets": {json.dumps(analysis.socket_lists.as_dict(), indent=1)},'
    yield f'\n"warnings": {json.dumps(analysis.warnings, indent=1)}}}\n'


def _time(analysis: Analysis) -> dict[str, Any]:
    """Nanoseconds by cause, of all TCP connections together; and the connections that lost most, each with what proves it."""
    rows, some = analysis.slow_flows(SLOW_FLOWS)
    flows = [int(row["flow"]) for row in rows]
    return {
        "spent_ns": analysis.time_spent,
        "slow_flows": some,
        "slowest": [{"flow": flow, "causes": analysis.notes_of(flow)} for flow in flows],
    }
