"""The events of some connections -> when something happened to them, how often, and in which frames: the proof of a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field

import numpy as np

from analyzer.events.gather import frames_of
from analyzer.fields import of_fields
from analyzer.kinds import NAMES
from analyzer.report.words import frames_text
from analyzer.schema import Rows

Place = tuple[str, int]  # an event, and whose frames they are: 0 the client's, 1 the server's
BOTH = (0, 1)


@of_fields(slots=True)
class Seen:
    """How often an event was seen on some connections: `frames` are its first ones, in order, `first_ns` is the time of the first."""

    count: int = 0
    first_ns: int = 0
    frames: list[int] = field(default_factory=list)

    def add(self, count: int, first_ns: int, frames: Iterable[int]) -> None:
        """So often more."""
        self.first_ns = min(self.first_ns, first_ns) if self.count else first_ns
        self.count += count
        self.frames = sorted({*self.frames, *frames})

    @property
    def text(self) -> str:
        """Such as `frames 72, 87 and 5 more`."""
        return frames_text(self.frames, self.count)


def seen_by_flow(gathered: Rows, flows: Collection[int]) -> dict[int, dict[Place, Seen]]:
    """Of each of these connections what was seen of each event and side; `gathered` is the table `flow_events`."""
    rows = gathered[np.isin(gathered["flow"], np.fromiter(flows, np.int64, len(flows)))]
    found: dict[int, dict[Place, Seen]] = {flow: {} for flow in flows}
    for row, frames in zip(rows, frames_of(rows), strict=True):
        place = NAMES[int(row["event"])], int(row["direction"])
        seen = found[int(row["flow"])].setdefault(place, Seen())
        seen.add(int(row["count"]), int(row["first_ns"]), frames)
    return found


def seen_of(every: Iterable[Mapping[Place, Seen]], events: Iterable[str], sides: Iterable[int]) -> Seen | None:
    """What several connections have of these events and sides together; None where nothing is known."""
    places = [(event, side) for event in events for side in sides]
    total = Seen()
    for known in every:
        for place in places:
            if (each := known.get(place)) is not None:
                total.add(each.count, each.first_ns, each.frames)
    return total if total.count else None
