"""A connection -> the one JSON object of `tcpcap flow --json`, piece by piece: every frame is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from analyzer.diagnosis.views import columns_of
from analyzer.follow import Flow
from analyzer.follow.flow import SIDES
from analyzer.kinds import KINDS
from analyzer.moments import timed
from analyzer.report.event_words import words_of
from analyzer.report.flow_head import facts, stall_text
from analyzer.report.frame_text import FROM_OUTSIDE, flags_text, segment_text, window_bytes
from analyzer.report.json_text import SCHEMA_VERSION
from analyzer.report.story import story
from analyzer.schema import Rows
from analyzer.tables import EVENTS, FLOWS

UNKNOWN = -1


def flow_pieces(flow: Flow) -> Iterator[str]:
    """`schema_version`, `flow` (its row), `story`, `facts` (what the text says above the time line), `findings` (about it), `programs`, `comments`, `stalls`, `frames` (with their events), as one object."""
    for name, value in flow_dict(flow, frames=False).items():
        yield ("{" if name == "schema_version" else ",\n") + f"{json.dumps(name)}: {json.dumps(value, indent=1)}"
    yield ',\n"frames": ['
    for place, row in enumerate(flow.frame_rows):
        yield (",\n" if place else "\n") + json.dumps(frame_dict(flow, row))
    yield "]}\n"


def flow_dict(flow: Flow, *, frames: bool = True) -> dict[str, Any]:
    """The same as an object, perhaps without its frames."""
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "flow": timed(flow_columns(flow.row)),
        "story": story(flow.row),
        "facts": [{"name": name, "text": text} for name, text in facts(flow)],
        "findings": [
            {
                "finding": each.number,
                "rule": each.rule.id,
                "severity": each.severity,
                "summary": each.summary,
                "frames": each.frames,
            }
            for each in flow.findings
        ],
        "programs": [
            {
                "side": side,
                "name": process.name,
                "pid": None if process.pid == UNKNOWN else process.pid,
                "sure": process.sure,
                "frames": count,
            }
            for side, processes in flow.processes.items()
            for process, count in processes.items()
        ],
        "comments": [{"text": text, "frames": numbers} for text, numbers in flow.comments.items()],
        "stalls": [
            timed({**asdict(each), "waits": SIDES[each.waits], "text": stall_text(flow, each)}) for each in flow.stalls
        ],
    }
    if frames:
        found["frames"] = [frame_dict(flow, row) for row in flow.frame_rows]
    return found


def flow_columns(row: Rows) -> dict[str, Any]:
    """The public columns of a row of `flows` as plain values."""
    rows = np.zeros(1, FLOWS.dtype)
    rows[0] = row
    return {
        name: value for name, (value,) in ((name, values.tolist()) for name, values in columns_of(FLOWS, rows).items())
    }


def frame_dict(flow: Flow, row: Rows) -> dict[str, Any]:
    """One frame: numbers are relative, the window is in bytes where its scale is known."""
    frame = int(row["frame"])
    notes = flow.notes.get(frame)
    return timed(
        {
            "frame": frame,
            "time_ns": int(row["time_ns"]),
            "side": SIDES[int(row["side"])] or "network",
            "text": segment_text(row, flow.row),
            "flags": flags_text(int(row["flags"])),
            "start": int(row["start"]),
            "end": int(row["end"]),
            "ack": None if row["acked"] == UNKNOWN else int(row["acked"]),
            "payload": int(row["payload_len"]),
            "length": int(row["length"]),
            "window": window_bytes(row, flow.row) if row["side"] != FROM_OUTSIDE else None,
            "in_flight": None if row["in_flight"] == UNKNOWN else int(row["in_flight"]),
            "events": [event_dict(event) for event in flow.events_by_frame.get(frame, ())],
            "comments": list(notes.comments) if notes else [],
        }
    )


def event_dict(event: Rows) -> dict[str, Any]:
    """One event, with its words."""
    return {
        "event": KINDS[int(event["event"])].name,
        "cause": EVENTS["cause"].words[int(event["cause"])],
        "related_frame": int(event["related_frame"]),
        "value": int(event["value"]),
        "since_ns": int(event["since_ns"]),
        "text": words_of(event),
    }
