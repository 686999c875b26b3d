"""Points -> the one JSON object of `tcpcap analyze --at ... --json`, or one object a line (`--ndjson`), piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from analyzer.moments import with_texts
from analyzer.points.points import CONNECTIONS, Points
from analyzer.report.json_text import SCHEMA_VERSION, findings_dicts, json_lines, json_pieces, ndjson_pieces
from analyzer.tables import CORRUPTIONS, PATHS


def points_json(points: Points, top: int | None = None) -> Iterator[str]:
    """`schema_version`, `clock`, `findings` (of all, numbered through), `warnings` about the ways between the points, `paths`, `corruptions`, `connections` (rows), and `at` with the whole answer of each point by itself, as one object.

    With `top`, of the flows of each point only so many, the busiest.
    """
    whole = {
        "schema_version": SCHEMA_VERSION,
        "clock": points.clock,
        "findings": findings_dicts(points.diagnosis.findings),
        "paths": json.loads(with_texts(points.paths).to_json(orient="records")),
        "corruptions": [asdict(each) for each in points.changes],
        "connections": [_connection(row) for row in points.connection_rows()],
        "warnings": points.warnings,
    }
    yield json.dumps(whole, indent=1, default=str)[:-2] + ',\n "at": {'
    for number, (name, analysis) in enumerate(points.at.items()):
        yield f"{',' if number else ''}\n{json.dumps(name)}: "
        yield from json_pieces(analysis, top)
    yield "}}\n"


def points_ndjson(points: Points, top: int | None = None) -> Iterator[str]:
    """The same, one object a line, `table` first: `points`, the findings, paths and connections; then the capture of each point and the rows of its tables, each with its `point`."""
    yield _line(
        {"table": "points", "schema_version": SCHEMA_VERSION, "clock": points.clock, "warnings": points.warnings}
    )
    for row in findings_dicts(points.diagnosis.findings):
        yield _line({"table": "findings", **row})
    yield json_lines(points.paths, PATHS.name)
    for change in points.changes:
        yield _line({"table": CORRUPTIONS.name, **asdict(change)})
    for connection in points.connection_rows():
        yield _line({"table": "connections", **_connection(connection)})
    for name, analysis in points.at.items():
        for piece in ndjson_pieces(analysis, top):
            for line in piece.splitlines():
                told = json.loads(line)
                if told["table"] != "findings":  # they are told above, in the order of all
                    yield _line({"table": told.pop("table"), "point": name, **told})


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, default=str) + "\n"


def _connection(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(CONNECTIONS, row, strict=True))
