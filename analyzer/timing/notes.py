"""What is remembered of where a connection's time went, by cause and side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.flows.time_state import SPENT
from analyzer.schema import Rows
from analyzer.tables import TIME_CAUSES


def notes_by_cause(note: Rows, client: int) -> dict[str, dict[str, Any]]:
    """What is remembered (NOTE) of a connection whose client is that end; where both sides waited, of who did so longer."""
    found: dict[str, dict[str, Any]] = {}
    for cause, told in notes_by_side(note, client):
        if cause not in found or found[cause]["ns"] < told["ns"]:
            found[cause] = told
    return found


def notes_by_side(note: Rows, client: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same, cause by cause, of each side: `direction` is 0 for the client, 1 for the server."""
    for number, cause in enumerate(TIME_CAUSES[:-1]):
        thinking = cause in ("client_think", "server_think")
        place = 1 + (client ^ (cause == "server_think")) if thinking else number
        for direction in (0, 1):
            at = SPENT * (direction ^ client) + place
            if note["count"][at]:
                found = {
                    "count": int(note["count"][at]),
                    "ns": int(note["ns"][at]),
                    "direction": direction,
                    "first_frame": int(note["first"][at]),
                    "longest_ns": int(note["most_ns"][at]),
                    "longest_frame": int(note["most"][at]),
                }
                yield cause, found
