"""What is kept of one connection to draw it: its packets, thinned where they are many, their round trips, and where its time went."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.flows.moment import SKIPPED
from analyzer.flows.time_state import STRETCH
from analyzer.kinds import CAUSES, KINDS, NAMES
from analyzer.plot.bins import Bins
from analyzer.plot.thin import evenly, extremes
from analyzer.plot.trips import RST, SYN, TRIP, RoundTrips
from analyzer.schema import Rows
from analyzer.tables import EVENTS, TIME_CAUSES
from analyzer.together import joined

MOST_PACKETS = 40_000  # of a connection that are kept, about
MOST_EVENTS = 8_000
MOST_STRETCHES = 8_000
CHUNK = 1 << 15
SIGNALS = 8  # of which a chunk keeps the extremes
ORDINARY = (
    "duplicate_ack",
    "window_update",
    "window_full",
    "capture_duplicate",
)  # so frequent that they may be thinned
NOTABLE = np.uint64(sum(1 << number for number, name in enumerate(NAMES) if name not in ORDINARY))
FIN = 1
TAKEN = ("frame", "time_ns", "events", "seq", "ack", "payload_len", "flags", "direction", "sack_count")
SACKS = tuple(f"sack_{edge}_{number}" for number in (1, 2, 3, 4) for edge in ("left", "right"))
PACKET = np.dtype(
    [
        ("frame", "i8"), ("time_ns", "i8"), ("events", "u8"), ("seq", "u4"), ("ack", "u4"), ("payload_len", "u4"),
        ("flags", "u2"), ("direction", "u1"), ("sack_count", "u1"), *((name, "u4") for name in SACKS),
        ("flight", "i8", (2,)),  # bytes of client and server that are not acknowledged, -1 where not known
        ("window", "i8", (2,)),  # that each offers, scaled
        ("srtt_ns", "i8", (2,)),
    ]
)  # fmt: skip


class Trace:
    """One connection while the capture passes. `row` is its row of `flows`, which tells how much will come."""

    def __init__(self, row: Rows) -> None:
        self.row = row
        self.bins = Bins(int(row["start_ns"]), int(row["end_ns"]))
        self.packets = np.zeros(0, PACKET)
        self.trips = np.zeros(0, TRIP)
        self.trip_counts = np.zeros(2, np.int64)  # of all, by direction
        self.events = np.zeros(0, EVENTS.dtype)
        self.counted = np.zeros((len(KINDS), len(CAUSES), 2), np.int64)  # all events, by kind, cause and direction
        self.stretches = np.zeros(0, STRETCH)
        self._spent = np.zeros(len(TIME_CAUSES), np.int64)  # of all stretches, by cause
        self._spent_until = int(row["start_ns"])
        self.total = int(row["client_packets"]) + int(row["server_packets"])
        self._raw: list[Rows] = []
        self._round_trips = (RoundTrips(0), RoundTrips(1))

    def add(self, rows: Rows, moments: Rows) -> None:
        """Take in the next packet rows, with what they left behind (MOMENT)."""
        self.bins.add(rows)
        self._raw.append(_packets(rows, moments))
        if sum(map(len, self._raw)) >= CHUNK:
            self._condense()

    def add_events(self, events: Rows) -> None:
        """Take in rows of `events`; of a kind that is too frequent some are kept, evenly."""
        np.add.at(self.counted, (events["event"], events["cause"], events["direction"]), 1)
        self.events = joined([self.events, events])
        if len(self.events) > 2 * MOST_EVENTS:
            self._fewer_events()

    def spend(self, stretches: Rows) -> None:
        """Take in where time went (STRETCH); what goes on without a break is one. Of too many the longest stay."""
        if not len(stretches):
            return
        np.add.at(self._spent, stretches["cause"], stretches["ns"])
        self._spent_until = int(stretches["from_ns"][-1] + stretches["ns"][-1])
        both = joined([self.stretches, stretches])
        new = np.ones(len(both), bool)
        new[1:] = (both["cause"][1:] != both["cause"][:-1]) | (
            both["from_ns"][1:] != both["from_ns"][:-1] + both["ns"][:-1]
        )
        self.stretches = both[new]
        self.stretches["ns"] = np.add.reduceat(both["ns"], np.flatnonzero(new))
        if len(self.stretches) > 2 * MOST_STRETCHES:
            longest = np.argsort(-self.stretches["ns"], kind="stable")[:MOST_STRETCHES]
            self.stretches = self.stretches[np.sort(longest)]

    def finish(self) -> None:
        """The capture is over."""
        self._condense()
        self._fewer_events()
        self.events = self.events[np.argsort(self.events["frame"], kind="stable")]
        end = int(self.row["start_ns"]) + int(self.row["duration_ns"])
        if self._spent_until < end:  # what only the end of the capture tells: the cause of which most is still owed
            owed = [int(self.row[f"time_{cause}_ns"]) for cause in TIME_CAUSES] - self._spent
            last = np.zeros(1, STRETCH)
            last["from_ns"], last["ns"] = self._spent_until, end - self._spent_until
            last["cause"] = int(np.argmax(owed))
            self.spend(last)

    @property
    def thinned(self) -> bool:
        """Are there more packets than are kept?"""
        return len(self.packets) < self.total

    def _condense(self) -> None:
        """What came since the last time, thinned if there are many in all, and the round trips in it."""
        if not self._raw:
            return
        raw, self._raw = np.concatenate(self._raw), []
        trips = np.concatenate([each.add(raw) for each in self._round_trips])
        trips = trips[np.argsort(trips["time_ns"], kind="stable")]
        self.trip_counts += np.bincount(trips["direction"], minlength=2)
        share = MOST_PACKETS / max(self.total, 1)
        if share < 1:
            count = max(2, int(share * len(raw)) // SIGNALS)
            raw = raw[_worth_keeping(raw, count)]
            trips = trips[extremes([trips["rtt_ns"]], max(2, int(share * len(trips))))]
        self.packets = np.concatenate([self.packets, raw])
        self.trips = np.concatenate([self.trips, trips])

    def _fewer_events(self) -> None:
        """Of each kind as many as its share allows; the rare ones stay whole."""
        if len(self.events) <= MOST_EVENTS:
            return
        kinds = np.unique(self.events["event"])
        each = MOST_EVENTS // len(kinds)
        kept = [evenly(np.flatnonzero(self.events["event"] == kind), each) for kind in kinds]
        self.events = self.events[np.sort(np.concatenate(kept))]


def _packets(rows: Rows, moments: Rows) -> Rows:
    """Packet rows and moments as what is kept of them."""
    kept = np.zeros(len(rows), PACKET)
    for name in (*TAKEN, *SACKS):
        kept[name] = rows[name]
    every, client = np.arange(len(rows)), (moments["end"] ^ rows["direction"]) & 1
    told = (moments["kind"] != SKIPPED) & (moments["flow"] == rows["flow"])
    for side in (0, 1):
        for name in ("flight", "window", "srtt_ns"):
            kept[name][:, side] = np.where(told, moments[name][every, client ^ side].astype(np.int64), -1)
    return kept


def _worth_keeping(raw: Rows, count: int) -> npt.NDArray[np.intp]:
    """The extremes of what is drawn, what opens and closes, and what is notable."""
    silence = np.diff(raw["time_ns"], prepend=raw["time_ns"][:1])
    progress = raw["seq"].astype(np.float64) * (raw["direction"] == 0)
    drawn = [raw[name][:, side] for name in ("flight", "window", "srtt_ns") for side in (0, 1)]
    ends = extremes([*drawn, silence, progress], count)
    before = np.maximum(np.flatnonzero(np.isin(np.arange(len(raw)), extremes([silence], count))) - 1, 0)
    notable = np.flatnonzero((raw["events"] & NOTABLE != 0) | (raw["flags"] & (SYN | FIN | RST) != 0))
    found: npt.NDArray[np.intp] = np.unique(np.concatenate([ends, before, evenly(notable, SIGNALS * count)]))
    return found
