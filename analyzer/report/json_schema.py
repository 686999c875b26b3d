"""What `--json` and `--ndjson` print, as a JSON schema made from the same declarations: `tcpcap schema --json`."""

from __future__ import annotations

import numpy as np

from analyzer.kinds import NAMES
from analyzer.moments import MOMENTS
from analyzer.report.follow_schema import follow_schema, followed_schema
from analyzer.report.json_text import SCHEMA_VERSION
from analyzer.report.schema_parts import (
    COUNTS,
    DRAFT,
    FLAG,
    TEXT,
    TEXTS,
    VERSION,
    WHOLE,
    WHOLES,
    Schema,
    closed,
    moment_schema,
    with_moments,
)
from analyzer.schema import Column, Table
from analyzer.tables import CONFIDENCES, FINDING_SIDES, POINT_TABLES, SEVERITIES, TABLES, TIME_CAUSES


def json_schema() -> Schema:
    """The whole: `$defs` has each table as rows of it are printed, the object of each command, and an error."""
    tables = {name: table_schema(table) for name, table in TABLES.items() if name not in ("findings", "not_checked")}
    lines = [
        {"$ref": f"#/$defs/{name}"} for name in ("finding", "not_checked", "connection_at", *tables, *POINT_TABLES)
    ]
    tables |= {name: table_schema(table) for name, table in POINT_TABLES.items()}
    return {
        "$schema": DRAFT,
        "$id": f"urn:tcpcap:json:{SCHEMA_VERSION}",
        "title": "tcpcap",
        "description": "What tcpcap prints as JSON. Each moment stands as nanoseconds since the epoch and, for readers that keep numbers as doubles, as RFC 3339 text with nine places.",
        "anyOf": [
            {"$ref": f"#/$defs/{name}"}
            for name in ("analyze", "points", "flows_list", "follow", "followed", "answer", "line", "error")
        ],
        "$defs": {
            **tables,
            "finding": finding_schema(),
            "not_checked": row_of(
                "not_checked",
                {"rule": TEXT, "needs": TEXTS, "text": TEXT, "any_of": FLAG},
                "A rule that could not run, and what it lacked.",
            ),
            "analyze": analyze_schema(),
            "points": points_schema(),
            "connection_at": connection_schema(),
            "flows_list": closed(
                {"schema_version": VERSION, "flows": {"type": "array", "items": {"type": "object"}}, "total": WHOLE},
                "`tcpcap flows --json`: rows of `flows`, perhaps only some of their columns.",
            ),
            "follow": follow_schema(),
            "followed": followed_schema(),
            "answer": answer_schema(),
            "line": {
                "description": "A line of --ndjson: a row, and the name of its table.",
                "type": "object",
                "properties": {"table": TEXT},
                "required": ["table"],
                "anyOf": [
                    *lines,
                    {"properties": {"table": {"enum": ["capture", "points"]}, "schema_version": VERSION}},
                ],
            },
            "error": error_schema(),
        },
    }


def table_schema(table: Table) -> Schema:
    """A row of a table."""
    found: Schema = {}
    for column in table.columns:
        if column.public:
            found[column.name] = column_schema(column)
            if column.name in MOMENTS:
                found[MOMENTS[column.name]] = moment_schema(f"`{column.name}` as text.")
    return row_of(table.name, found, table.doc)


def row_of(table: str, properties: Schema, doc: str) -> Schema:
    """An object with these keys and, where it is a line of its own, the name of its table; of several capture points that of its point, too."""
    return closed({"table": {"const": table}, "point": TEXT, **properties}, doc, ("table", "point"))


def column_schema(column: Column) -> Schema:
    """What a column holds."""
    doc = column.doc + (f" Unit: {column.unit}." if column.unit else "")
    if column.kind == "enum":
        return {"enum": list(column.words), "description": doc}
    if column.kind in ("bits", "address", "ascii", "text"):
        return {**TEXT, "description": doc}
    kind = "number" if np.dtype(column.dtype).kind == "f" else "integer"
    return {"type": [kind, "null"] if column.kind == "optional" or kind == "number" else kind, "description": doc}


def finding_schema() -> Schema:
    """A finding; unlike in the table `findings`, lists are lists."""
    return row_of(
        "findings",
        with_moments(
            {
                "finding": WHOLE, "rule": TEXT, "severity": {"enum": list(SEVERITIES)}, "title": TEXT, "summary": TEXT,
                "side": {"enum": list(FINDING_SIDES)}, "host": TEXT, "connections": WHOLE, "flows": WHOLES, "frames": WHOLES,
                "start_ns": WHOLE, "end_ns": WHOLE, "cost_ns": WHOLE, "cost_bytes": WHOLE, "failed": WHOLE,
                "confidence": {"enum": list(CONFIDENCES)}, "evidence": {"type": "object"}, "against": TEXTS, "next": TEXTS,
                "references": TEXTS, "because_of": WHOLE,
            }
        ),
        "A finding; its columns are those of the table `findings`.",
    )  # fmt: skip


def points_schema() -> Schema:
    """What `tcpcap analyze --at ... --json` prints."""
    findings = rows("finding", "Those about the ways between the points first, then those of each point.")
    return closed(
        {
            "schema_version": VERSION,
            "clock": TEXT,
            "findings": findings,
            "paths": {"type": "array", "items": {"$ref": "#/$defs/paths"}},
            "corruptions": rows("corruptions", "Which bytes of packets that were damaged changed."),
            "connections": rows("connection_at", "What each connection that two points share is at each of them."),
            "warnings": TEXTS,
            "at": {
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/analyze"},
                "description": "What each point says by itself.",
            },
        },
        "`tcpcap analyze --at ... --json`: what happened between capture points; `clock` is the point whose clock times between them are on.",
    )


def connection_schema() -> Schema:
    """What a connection is called at a point."""
    ends = {"client": TEXT, "client_port": WHOLE, "server": TEXT, "server_port": WHOLE}
    return row_of(
        "connections", {"connection": WHOLE, "point": TEXT, "flow": WHOLE, **ends}, "What a connection is at a point."
    )


def analyze_schema() -> Schema:
    """`tcpcap analyze --json`."""
    causes = closed(
        {
            "count": WHOLE, "ns": WHOLE, "direction": {"enum": [0, 1]}, "first_frame": WHOLE, "longest_ns": WHOLE, "longest_frame": WHOLE,
        },
        "How often a connection lost time to a cause, and the frames that ended the first and the longest time.",
    )  # fmt: skip
    return closed(
        {
            "schema_version": VERSION,
            "findings": rows("finding", "In the order in which they are told."),
            "not_checked": rows("not_checked", "Rules that could not run."),
            "capture": {"type": "object", "description": "Files, interfaces, counts, protocols, drops and damages."},
            "capture_facts": rows("capture_facts", "What decides how all else can be read."),
            "flows": rows("flows", "In order of their first frames; with --top so many, the busiest."),
            "time": closed(
                {
                    "spent_ns": {
                        "type": "object",
                        "properties": dict.fromkeys(TIME_CAUSES, WHOLE),
                        "additionalProperties": False,
                    },
                    "slow_flows": WHOLE,
                    "slowest": {
                        "type": "array",
                        "items": closed(
                            {"flow": WHOLE, "causes": {"type": "object", "additionalProperties": causes}},
                            "A connection that lost time.",
                        ),
                    },
                },
                "Where the time of all TCP connections went, and of those that lost most.",
            ),
            "events": {**COUNTS, "propertyNames": {"enum": list(NAMES)}, "description": "How many of each."},
            "checksums": {**COUNTS, "description": "Frames by the state of their checksum."},
            "counters": rows("counters", "Each over the whole time of the snapshots."),
            "sockets": {"type": "object", "description": "What the lists of sockets show in all."},
            "warnings": {**TEXTS, "description": "What to know before trusting the rest."},
        },
        "`tcpcap analyze --json`.",
    )


def rows(name: str, doc: str) -> Schema:
    """A list of what is declared under a name."""
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}, "description": doc}


def answer_schema() -> Schema:
    """`tcpcap sql --json`."""
    return closed(
        {
            "schema_version": VERSION,
            "columns": {
                "type": "array",
                "items": closed({"name": TEXT, "type": TEXT}, "A column, with its type in DuckDB."),
            },
            "rows": {"type": "array", "items": {"type": "array"}, "description": "Values in the order of the columns."},
            "more": {**FLAG, "description": "Were rows left out (--limit)?"},
        },
        "`tcpcap sql --json`: the answer to a query.",
    )


def error_schema() -> Schema:
    """What is printed where a command cannot go on."""
    error = closed(
        {"where": TEXT, "found": TEXT, "todo": TEXT, "text": TEXT}, "What went wrong.", ("where", "found", "todo")
    )
    return closed(
        {"schema_version": VERSION, "error": error, "status": WHOLE},
        "In place of an answer: the error and the exit status.",
    )
