"""An Analysis -> the one JSON object of `tcpcap analyze --json`, or one object a line (`--ndjson`), piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from analyzer.analysis import Analysis
from analyzer.diagnosis.finding import Finding
from analyzer.errors import TcpcapError
from analyzer.moments import timed, with_texts
from analyzer.schema import Rows
from analyzer.tables import FLOWS

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1  # rises where a reader of an earlier one would misread what is there
SLOW_FLOWS = 100
NOT_KNOWN = 0  # of the moments of a finding


def json_pieces(analysis: Analysis, top: int | None = None) -> Iterator[str]:
    """`schema_version`, `findings` (in the order in which they are told), `not_checked`, `capture`, `capture_facts` (a list of rows), `flows` (a list of rows), `time` (where that of all connections went, and of those that lost most), `events` and `checksums` (how many of each), `counters` (a row for each over the whole time of the snapshots), `sockets` (what their lists show in all) and `warnings`, as one object.

    With `top`, of flows only so many, the busiest. A million flows never stand in memory as text. What each key holds is
    declared in `report/json_schema.py`.
    """
    yield f'{{"schema_version": {SCHEMA_VERSION},\n"findings": {json.dumps(findings_dicts(analysis.diagnosis.findings), indent=1, default=str)},'
    yield f'\n"not_checked": {json.dumps([asdict(each) for each in analysis.diagnosis.not_checked], indent=1)},'
    yield f'\n"capture": {json.dumps(timed(analysis.capture), indent=1)},'
    yield f'\n"capture_facts": {json.dumps([asdict(fact) for fact in analysis.facts], indent=1)},\n"flows": ['
    first = True
    for rows in _flows(analysis, top):
        lines = json_lines(FLOWS.frame(rows))
        if lines:
            yield ("\n" if first else ",\n") + lines.strip().replace("\n", ",\n")
            first = False
    yield f'],\n"time": {json.dumps(_time(analysis, top), indent=1)},'
    yield f'\n"events": {json.dumps(analysis.event_counts, indent=1)},'
    yield f'\n"checksums": {json.dumps(analysis.checksum_counts, indent=1)},'
    yield f'\n"counters": {with_texts(analysis.counters_whole).to_json(orient="records", indent=1)},'
    lists = analysis.socket_lists
    yield f'\n"sockets": {json.dumps(lists.as_dict() if lists is not None else {}, indent=1)},'
    yield f'\n"warnings": {json.dumps(analysis.warnings, indent=1)}}}\n'


def ndjson_pieces(analysis: Analysis, top: int | None = None) -> Iterator[str]:
    """The same, one object a line, `table` first: the capture, then the rows of its tables."""
    yield _line("capture", {"schema_version": SCHEMA_VERSION, **timed(analysis.capture), "warnings": analysis.warnings})
    for name, rows in (
        ("findings", findings_dicts(analysis.diagnosis.findings)),
        ("not_checked", [asdict(each) for each in analysis.diagnosis.not_checked]),
        ("capture_facts", [asdict(fact) for fact in analysis.facts]),
    ):
        yield from (_line(name, row) for row in rows)
    for each in _flows(analysis, top):
        yield json_lines(FLOWS.frame(each), FLOWS.name)
    yield json_lines(analysis.counters_whole, "counters")


def json_lines(frame: pd.DataFrame, table: str = "") -> str:
    """The rows of a table as one object a line, with the text of each moment; with `table` each names it first."""
    if not len(frame):
        return ""
    return str(with_texts(frame, table).to_json(orient="records", lines=True)).rstrip("\n") + "\n"


TOLD = "told"  # a note on an error that an answer which was half printed ends with


def error_text(error: TcpcapError | str, status: int) -> str:
    """What went wrong, as one object: `where`, `found`, `todo` where they are known, and the whole in `text`."""
    return json.dumps({"schema_version": SCHEMA_VERSION, "error": error_dict(error), "status": status}) + "\n"


def error_dict(error: TcpcapError | str) -> dict[str, str]:
    """`where`, `found`, `todo` where they are known, and `text`."""
    told = {"where": error.where, "found": error.found, "todo": error.todo} if isinstance(error, TcpcapError) else {}
    return {**told, "text": str(error)}


def _line(table: str, row: dict[str, Any]) -> str:
    return json.dumps({"table": table, **row}, default=str) + "\n"


def findings_dicts(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as objects, each moment with its text."""
    return [timed(each.as_dict(), unknown=NOT_KNOWN) for each in findings]


def _flows(analysis: Analysis, top: int | None) -> Iterator[Rows]:
    """The rows of `flows`, some at a time: all of them in their order, or the busiest."""
    if top is not None:
        yield analysis.flow_tracker.busiest(top)
        return
    yield from analysis.flow_parts()


def _time(analysis: Analysis, top: int | None) -> dict[str, Any]:
    """Nanoseconds by cause, of all TCP connections together; and the connections that lost most, each with what proves it."""
    rows, some = analysis.slow_flows(SLOW_FLOWS if top is None else top)
    flows = [int(row["flow"]) for row in rows]
    return {
        "spent_ns": analysis.time_spent,
        "slow_flows": some,
        "slowest": [{"flow": flow, "causes": analysis.notes_of(flow)} for flow in flows],
    }
