"""A connection at several capture points -> the one JSON object of `tcpcap flow --at ... --json`, piece by piece: every packet is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from analyzer.follow.flow import FROM_OUTSIDE, SIDES
from analyzer.moments import timed
from analyzer.points.followed import Followed, Sight
from analyzer.points.points import Points
from analyzer.report.flow_json import event_dict, flow_columns
from analyzer.report.followed_text import fate_words
from analyzer.report.frame_text import segment_text
from analyzer.report.json_text import SCHEMA_VERSION
from analyzer.schema import Rows, bits_text
from analyzer.tables import PASSAGES


def followed_pieces(found: Followed, points: Points) -> Iterator[str]:
    """`schema_version`, `clock`, `at` (by point its row of `flows`), `packets` (with their frames at each point and their passages), as one object."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "clock": found.clock,
        "at": {name: timed(flow_columns(flow.row)) for name, flow in zip(found.names, found.flows, strict=True)},
    }
    for name, value in head.items():
        yield ("{" if name == "schema_version" else ",\n") + f"{json.dumps(name)}: {json.dumps(value, indent=1)}"
    yield ',\n"packets": ['
    for place, sight in enumerate(found.sights):
        yield (",\n" if place else "\n") + json.dumps(_packet(found, sight, points.names))
    yield "]}\n"


def _packet(found: Followed, sight: Sight, names: Sequence[str]) -> dict[str, Any]:
    """One packet: the time is that of the first point that saw it, on the clock chosen."""
    flow, side = found.flows[sight.first], int(sight.row["side"])
    events = flow.events_by_frame.get(int(sight.row["frame"]), ())
    return timed(
        {
            "time_ns": sight.time_ns,
            "point": found.names[sight.first],
            "side": SIDES[side] if side != FROM_OUTSIDE else "network",
            "text": segment_text(sight.row, flow.row),
            "payload": int(sight.row["payload_len"]),
            "frames": dict(zip(found.names, sight.frames, strict=True)),
            "passages": [_passage(hop, names) for hop in sight.hops],
            "events": [event_dict(event) for event in events],
        }
    )


def _passage(hop: Rows, names: Sequence[str]) -> dict[str, Any]:
    fields = bits_text(PASSAGES["fields"].words, int(hop["fields"]))
    return {
        "point": names[int(hop["point_number"])],
        "other": names[int(hop["other_number"])],
        **{
            name: PASSAGES[name].words[int(hop[name])] for name in ("way", "fate", "reason", "retransmission", "window")
        },
        "fields": fields.split(),
        "delay_ns": int(hop["delay_ns"]) if hop["related_frame"] else None,
        "lost_bytes": int(hop["lost_bytes"]),
        "text": fate_words(hop, names),
    }
