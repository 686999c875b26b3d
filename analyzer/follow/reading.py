"""One more pass over a capture for one connection: its frames, their events, where its time went, and the ICMP errors about it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyzer.capture.notes import PKTAP_LINKS, notes_of
from analyzer.choose import EVERYTHING, Choice
from analyzer.flows.moment import SKIPPED
from analyzer.flows.time_state import STRETCH
from analyzer.follow.flow import FRAME, FROM_OUTSIDE, Flow
from analyzer.follow.numbers import number
from analyzer.passes import Progress, watch
from analyzer.schema import Rows
from analyzer.tables import EVENTS, PACKETS
from analyzer.together import joined, taken

LATE_NS = 60_000_000_000  # an ICMP error may come so long after the last frame
QUOTED = PACKETS.bit("layers", "quoted")
TAKEN = (
    "frame", "time_ns", "seq", "ack", "payload_len", "length", "flags", "window", "options", "mss", "window_scale", "tsval", "tsecr",
    "sack_count", "checksum", "tos", "icmp_type", "icmp_code", "icmp_rest", "ip_version",
    *(f"sack_{edge}_{number}" for number in (1, 2, 3, 4) for edge in ("left", "right")),
)  # fmt: skip


def follow(
    paths: Sequence[str],
    row: Rows,
    *,
    max_flows: int,
    checksums: bool = True,
    choice: Choice = EVERYTHING,
    progress: Progress | None = None,
) -> Flow:
    """The connection with this row of `flows`, frame by frame, of a capture that is read again.

    Memory grows with the frames of this connection only. `max_flows`, `checksums` and `choice` are those with which the row was made.
    """
    reader = _Reader(row)
    capture = watch(reader, paths, max_flows=max_flows, checksums=checksums, choice=choice, progress=progress)
    frames = reader.frames()
    pcapng = any(info.format.startswith("pcapng") for info in capture.files)
    noted = pcapng or any(interface.link_type in PKTAP_LINKS for interface in capture.interfaces)
    notes = notes_of(paths, frames["frame"]) if noted and len(frames) else {}
    return Flow(row, frames, reader.events(), reader.stretches(), notes)


class _Reader:
    """Keeps what is of one flow."""

    def __init__(self, row: Rows) -> None:
        self._row = row
        self._flow = int(row["flow"])
        self._until_ns = int(row["end_ns"]) + LATE_NS
        self._frames = [np.zeros(0, FRAME)]
        self._events = [np.zeros(0, EVENTS.dtype)]
        self._stretches = [np.zeros(0, STRETCH)]

    def add(self, rows: Rows, moments: Rows) -> None:
        """Take in packet rows that were judged, with what they left behind (MOMENT)."""
        mine, about = rows["flow"] == self._flow, self._complaints(rows)
        places = np.flatnonzero(mine | about)
        if not len(places):
            return
        rows, moments = taken(rows, places), taken(moments, places)
        kept = np.zeros(len(rows), FRAME)
        for name in TAKEN:
            kept[name] = rows[name]
        row = self._row
        # Before the frame that settles who is who, `direction` is a guess.
        from_client = (
            (rows["src_hi"] == row["client_hi"])
            & (rows["src_lo"] == row["client_lo"])
            & (rows["src_port"] == row["client_port"])
        )
        kept["side"] = np.where(about[places], FROM_OUTSIDE, np.where(from_client, 0, 1))
        told = (moments["kind"] != SKIPPED) & (moments["flow"] == self._flow)
        ends = (moments["end"] ^ rows["direction"]) & 1 ^ kept["side"]
        every = np.arange(len(rows))
        kept["in_flight"] = np.where(told, moments["flight"][every, ends & 1].astype(np.int64), -1)
        self._frames.append(kept)

    def add_events(self, events: Rows) -> None:
        """Take in rows of `events`."""
        mine = events[events["flow"] == self._flow]
        if len(mine):
            self._events.append(mine.copy())

    def spend(self, stretches: Rows) -> None:
        """Take in where time went (STRETCH)."""
        mine = stretches[stretches["flow"] == self._flow]
        if len(mine):
            self._stretches.append(mine.copy())

    def frames(self) -> Rows:
        """All of them, with relative numbers."""
        found = joined(self._frames)
        number(found, self._row)
        return found

    def events(self) -> Rows:
        """All of them, by frame."""
        found = joined(self._events)
        return found[np.argsort(found["frame"], kind="stable")]

    def stretches(self) -> Rows:
        """All of them, in order."""
        return joined(self._stretches)

    def _complaints(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of the rows are ICMP errors that quote a packet of the flow."""
        row = self._row
        quoted: npt.NDArray[np.bool_] = rows["layers"] & QUOTED != 0
        if not quoted.any():
            return quoted
        both = np.zeros(len(rows), np.bool_)
        for one, other in (("client", "server"), ("server", "client")):
            same = (rows["quoted_src_port"] == row[f"{one}_port"]) & (rows["quoted_dst_port"] == row[f"{other}_port"])
            for half in ("hi", "lo"):
                same &= rows[f"quoted_src_{half}"] == row[f"{one}_{half}"]
                same &= rows[f"quoted_dst_{half}"] == row[f"{other}_{half}"]
            both |= same
        within = (rows["time_ns"] >= row["start_ns"]) & (rows["time_ns"] <= self._until_ns)
        found: npt.NDArray[np.bool_] = quoted & both & within & (rows["flow"] != self._flow)
        return found
