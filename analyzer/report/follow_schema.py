"""What `tcpcap flow --json` prints, of one capture and of several capture points: JSON schemas."""

from __future__ import annotations

from analyzer.kinds import CAUSES, NAMES
from analyzer.report.schema_parts import FLAG, MAYBE, TEXT, TEXTS, VERSION, WHOLE, WHOLES, Schema, closed, with_moments
from analyzer.tables import FLOWS, PASSAGES, SEVERITIES, TIME_CAUSES


def event_schema() -> Schema:
    """An event on a frame of a connection."""
    return closed(
        {
            "event": {"enum": list(NAMES)}, "cause": {"enum": list(CAUSES)}, "related_frame": WHOLE, "value": WHOLE, "since_ns": WHOLE,
            "text": TEXT,
        },
        "What happened on a frame; `text` says it in words.",
    )  # fmt: skip


SIDE: Schema = {"enum": ["client", "server", "network"]}


def followed_schema() -> Schema:
    """`tcpcap flow --at ... --json`."""
    words = {
        name: {"enum": list(PASSAGES[name].words)} for name in ("way", "fate", "reason", "retransmission", "window")
    }
    passage = closed(
        {
            "point": TEXT, "other": TEXT, **words, "fields": {"type": "array", "items": {"enum": list(PASSAGES["fields"].words)}},
            "delay_ns": MAYBE, "lost_bytes": WHOLE, "text": TEXT,
        },
        "What became of it between two points, as in `passages`: where it was sent, or, if it was not, where it came; `text` says it in words.",
    )  # fmt: skip
    frames = {"type": "object", "additionalProperties": WHOLES}
    packet = closed(
        with_moments(
            {
                "time_ns": WHOLE, "point": TEXT, "side": SIDE, "text": TEXT, "payload": WHOLE, "frames": frames,
                "passages": {"type": "array", "items": passage}, "events": {"type": "array", "items": event_schema()},
            }
        ),
        "A packet: when and at which `point` it was seen first, and its frames at each point.",
    )  # fmt: skip
    return closed(
        {
            "schema_version": VERSION,
            "clock": TEXT,
            "at": {"type": "object", "additionalProperties": {"$ref": f"#/$defs/{FLOWS.name}"}},
            "packets": {"type": "array", "items": packet},
        },
        "`tcpcap flow --at ... --json`: one connection at several capture points; `clock` is the point whose clock times are on.",
    )


def follow_schema() -> Schema:
    """`tcpcap flow --json`."""
    event, side = event_schema(), SIDE
    frame = closed(
        with_moments(
            {
                "frame": WHOLE, "time_ns": WHOLE, "side": side, "text": TEXT, "flags": TEXT, "start": WHOLE, "end": WHOLE, "ack": MAYBE,
                "payload": WHOLE, "length": WHOLE, "window": MAYBE, "in_flight": MAYBE,
                "events": {"type": "array", "items": event}, "comments": TEXTS,
            }
        ),
        "A frame of the connection, or an ICMP error about it (side `network`). Numbers count from the SYN, the window is in bytes.",
    )  # fmt: skip
    stall = closed(
        with_moments(
            {
                "after": WHOLE, "before": WHOLE, "start_ns": WHOLE, "duration_ns": WHOLE, "cause": {"enum": list(TIME_CAUSES)},
                "waits": {"enum": ["client", "server"]}, "text": TEXT,
            }
        ),
        "A pause: the frames before and behind it (0 where the capture ended in it), and what was waited for.",
    )  # fmt: skip
    finding = closed(
        {"finding": WHOLE, "rule": TEXT, "severity": {"enum": list(SEVERITIES)}, "summary": TEXT, "frames": WHOLES},
        "A finding about it.",
    )
    program = closed(
        {"side": side, "name": TEXT, "pid": MAYBE, "sure": FLAG, "frames": WHOLE}, "A program that the capture names."
    )
    return closed(
        {
            "schema_version": VERSION,
            "flow": {"$ref": f"#/$defs/{FLOWS.name}"},
            "story": TEXT,
            "facts": {
                "type": "array",
                "items": closed({"name": TEXT, "text": TEXT}, "What the text says above the time line."),
            },
            "findings": {"type": "array", "items": finding},
            "programs": {"type": "array", "items": program},
            "comments": {
                "type": "array",
                "items": closed({"text": TEXT, "frames": WHOLES}, "A comment, and the frames that have it."),
            },
            "stalls": {"type": "array", "items": stall},
            "frames": {"type": "array", "items": frame},
        },
        "`tcpcap flow --json`: one connection.",
    )
