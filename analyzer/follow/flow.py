"""What one connection did: its row of `flows`, every frame, the events on them, its pauses, and what the capture notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.capture.notes import FrameNotes, Process
from analyzer.follow.stalls import Stall, stalls_of
from analyzer.follow.telling import Telling
from analyzer.schema import Rows
from analyzer.tables import EVENTS

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.diagnosis.finding import Finding

FROM_OUTSIDE = 2  # the side of an ICMP error
SIDES = ("client", "server", "")
FRAME_COLUMNS = (
    "frame", "time_ns", "start", "end", "acked", "in_flight", "payload_len", "length", "flags", "window",
)  # fmt: skip
FRAME = np.dtype(
    [
        ("frame", "i8"), ("time_ns", "i8"), ("start", "i8"), ("end", "i8"), ("acked", "i8"),  # the last three relative
        ("in_flight", "i8"),  # bytes of its sender; -1 where not known
        ("seq", "u4"), ("ack", "u4"), ("payload_len", "u4"), ("length", "u4"), ("tsval", "u4"), ("tsecr", "u4"), ("icmp_rest", "u4"),
        *((f"sack_{edge}_{number}", "u4") for number in (1, 2, 3, 4) for edge in ("left", "right")),
        ("flags", "u2"), ("window", "u2"), ("options", "u2"), ("mss", "u2"), ("window_scale", "u1"), ("sack_count", "u1"),
        ("checksum", "u1"), ("tos", "u1"), ("icmp_type", "u1"), ("icmp_code", "u1"), ("ip_version", "u1"), ("side", "u1"),
    ]
)  # fmt: skip


@dataclass(repr=False)
class Flow(Telling):
    """One connection. It shows itself as text, and in a notebook; `a.flow(3)` makes it.

    `frames` and `events` are DataFrames, `findings` those about it, `stalls` its pauses. `row` is its row of `tables.FLOWS`,
    `frame_rows` (FRAME) has every frame in order of time, ICMP errors about it included, `event_rows` (`tables.EVENTS`) what
    happened on them, `stretches` where its time went, `notes` what the capture says of frames, by number. `shown` makes the text.
    """

    row: Rows
    frame_rows: Rows
    event_rows: Rows
    stretches: Rows
    notes: Mapping[int, FrameNotes]
    findings: list[Finding] = field(default_factory=list)
    waits: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    shown: Callable[[Flow, bool], str] = lambda flow, _: f"<Flow {flow.number}>"

    @property
    def number(self) -> int:
        """Its number in the table `flows`."""
        return int(self.row["flow"])

    @cached_property
    def stalls(self) -> list[Stall]:
        """The pauses that matter, in order."""
        return stalls_of(self.row, self.frame_rows, self.stretches)

    @cached_property
    def events_by_frame(self) -> dict[int, list[Rows]]:
        """The events on each frame that has any."""
        found: dict[int, list[Rows]] = {}
        for event in self.event_rows:
            found.setdefault(int(event["frame"]), []).append(event)
        return found

    @cached_property
    def processes(self) -> dict[str, dict[Process, int]]:
        """The programs that the capture names, and on how many frames of each side: `client`, `server`."""
        found: dict[str, dict[Process, int]] = {}
        for frame, side in zip(self.frame_rows["frame"].tolist(), self.frame_rows["side"].tolist(), strict=True):
            for process in self.notes[frame].processes if frame in self.notes else ():
                by_process = found.setdefault(SIDES[side], {})
                by_process[process] = by_process.get(process, 0) + 1
        return found

    @cached_property
    def comments(self) -> dict[str, list[int]]:
        """The comments on its frames, each with the numbers of these."""
        found: dict[str, list[int]] = {}
        for frame in self.frame_rows["frame"].tolist():
            for comment in self.notes[frame].comments if frame in self.notes else ():
                found.setdefault(comment, []).append(frame)
        return found

    @property
    def frames(self) -> pd.DataFrame:
        """One row per frame, or ICMP error about it (its `side` is empty): `start`, `end` and `acked` count from the SYN, -1 is not known."""
        import pandas as pd

        rows = self.frame_rows
        found = {name: np.ascontiguousarray(rows[name]) for name in FRAME_COLUMNS}
        sides = pd.Categorical.from_codes(rows["side"].astype(np.int8), categories=pd.Index(SIDES, dtype=str))
        return pd.DataFrame({"frame": found.pop("frame"), "time_ns": found.pop("time_ns"), "side": sides, **found})

    @property
    def events(self) -> pd.DataFrame:
        """One row per event; the columns are those of `tables.EVENTS`."""
        return EVENTS.frame(self.event_rows)
