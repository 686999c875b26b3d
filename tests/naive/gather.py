"""Events -> `flow_events`, as plainly as it can be said."""

from __future__ import annotations

from typing import Any

from analyzer.kinds import KINDS


def gathered(events: list[dict[str, Any]], capacity: int) -> list[dict[str, Any]]:
    """Events are rows of the table with numbers for words; a dict with the columns of `flow_events` for each place."""
    found: dict[tuple[int, int, int, int], dict[str, Any]] = {}
    for event in events:
        rest = event["direction"], event["event"], event["cause"]
        key = (event["flow"], *rest)
        room = capacity if KINDS[event["event"]].trouble else capacity // 2
        if key not in found and event["flow"] >= 0 and len(found) >= room:
            key = (-1, *rest)
        row = found.setdefault(
            key,
            {
                "flow": key[0], "direction": rest[0], "event": rest[1], "cause": rest[2], "count": 0, "related": 0, "sum": 0,
                "max": event["value"], "max_frame": event["frame"], "first_frame": event["frame"], "first_ns": event["time_ns"], "frames": [], "related_frames": [], "since_max_ns": 0,
            },
        )  # fmt: skip
        row["count"] += 1
        row["related"] += event["related_frame"] > 0
        row["sum"] = max(-(2**63), min(2**63 - 1, row["sum"] + event["value"]))
        if event["value"] > row["max"]:
            row["max"], row["max_frame"] = event["value"], event["frame"]
        row["since_max_ns"] = max(row["since_max_ns"], event["since_ns"])
        if row["count"] <= 8 and event["related_frame"]:
            row["related_frames"].append(event["related_frame"])
        row["last_frame"], row["last_ns"] = event["frame"], event["time_ns"]
        row["frames"] = (row["frames"] + [event["frame"]])[:8]
    return [row for row in found.values() if row["flow"] >= 0] + [row for row in found.values() if row["flow"] < 0]
