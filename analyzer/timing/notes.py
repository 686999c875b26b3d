"""What is remembered of where a connection's time went, by cause."""

from __future__ import annotations

from typing import Any

from analyzer.schema import Rows
from analyzer.tables import TIME_CAUSES


def notes_by_cause(note: Rows, client: int) -> dict[str, dict[str, Any]]:
    """What is remembered (NOTE) of a connection whose client is that end."""
    found: dict[str, dict[str, Any]] = {}
    for number, cause in enumerate(TIME_CAUSES[:-1]):
        thinking = cause in ("client_think", "server_think")
        place = 1 + (client ^ (cause == "server_think")) if thinking else number
        if note["count"][place]:
            found[cause] = {
                "count": int(note["count"][place]),
                "ns": int(note["ns"][place]),
                "direction": int(note["end"][place]) ^ client,
                "first_frame": int(note["first"][place]),
                "longest_ns": int(note["most_ns"][place]),
                "longest_frame": int(note["most"][place]),
            }
    return found
