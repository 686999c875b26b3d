"""Packet rows, what they left behind, and where time went -> the `series` table: what each connection did in each interval."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.errors import UsageError
from analyzer.flows import FlowTracker
from analyzer.flows.moment import OF_DATA, SKIPPED
from analyzer.flows.state import TCP
from analyzer.flows.time_state import SPENT, STRETCH
from analyzer.flows.times import account_of
from analyzer.kinds import NUMBER
from analyzer.schema import Rows
from analyzer.tables import SERIES, TIME_CAUSES
from analyzer.timing.account import TimeAccount
from analyzer.together import joined, taken

AGAIN = np.uint64(1 << NUMBER["retransmission"])
SIDES = ("client", "server")
ADDED = (
    *(f"{side}_{name}" for side in SIDES for name in ("throughput_bps", "goodput_bps", "retransmissions")),
    *(f"time_{cause}_ns" for cause in TIME_CAUSES),
)  # until a row is done, the first two hold bytes
LATEST = tuple(f"{side}_{name}" for side in SIDES for name in ("window", "rtt_ns"))
MOST = tuple(f"{side}_in_flight_max" for side in SIDES)
CELL = np.dtype(
    [("place", "i8"), ("interval", "i8"), *((name, SERIES.dtype[name]) for name in ("flow", *ADDED, *LATEST, *MOST))]
)
AT_ONCE = 1 << 16  # intervals
LONGEST = 1 << 21  # intervals without a frame, each of which would be a row: 24 days of seconds, and half a gigabyte
TOGETHER = -1
BEFORE_ALL = np.iinfo(np.int64).min
BLOCK = (
    1 << 14
)  # frames; as soon as a later one begins, what is certain is handed over: so the order does not hang on batches


class SeriesMaker:
    """Sums up, interval by interval, and hands over what is certain. Kept are the intervals that are not, of all connections together all."""

    def __init__(self, tracker: FlowTracker, every_ns: int, flow: int | None = None) -> None:
        self._tracker = tracker
        self._every = every_ns
        self._flow = flow
        self.block = 0  # of the frames that were taken in last
        self._cells = np.zeros(0, CELL)
        self._together = np.zeros(0, CELL)
        # Of the flow that a place has: the latest time of a frame that the account knows.
        self._owner = np.zeros(0, np.int64)
        self._latest = np.zeros(0, np.int64)
        self._told = np.zeros(0, np.int64)  # how much of its time was taken in
        self._on_leave = tracker.on_leave
        tracker.on_leave = weakref.WeakMethod(self._leave)

    def take(self, rows: Rows, moments: npt.NDArray[np.void], account: TimeAccount) -> Iterator[Rows]:
        """Take in the next rows, for which the account has not been asked yet. Gives what is certain by then, of whole blocks of frames."""
        blocks = np.maximum(np.maximum.accumulate(rows["frame"]) // BLOCK, self.block)
        cuts = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(rows)]
        for start, stop in pairwise(cuts if len(rows) else ()):
            if blocks[start] > self.block:
                yield from self.certain()
                self.block = int(blocks[start])
            self.add(rows[start:stop], moments[start:stop])
            for stretches in account.stretches(rows[start:stop], moments[start:stop]):
                self.spend(stretches)

    def pass_by(self, frame: int) -> Iterator[Rows]:
        """Other frames were captured, up to this one: what is certain by then."""
        if frame // BLOCK > self.block:
            yield from self.certain()

    def add(self, rows: Rows, moments: npt.NDArray[np.void]) -> None:
        """Take in the next rows, of which the account is told by `spend`."""
        mine = (rows["flow"] >= 0) & (rows["ip_proto"] == TCP)
        if self._flow is not None:
            mine &= rows["flow"] == self._flow
        rows, moments = taken(rows, mine), taken(moments, mine)
        told = moments["kind"] != SKIPPED
        cells = self._blank(rows["flow"], rows["place"], self._moved_on(rows, moments, told) // self._every)
        every, client = np.arange(len(rows)), (moments["end"] ^ rows["direction"]) & 1
        for number, side in enumerate(SIDES):
            sent = rows["direction"] == number
            cells[f"{side}_throughput_bps"] = np.where(sent, rows["length"], 0)
            cells[f"{side}_goodput_bps"] = np.where(sent & (moments["kind"] == OF_DATA), rows["payload_len"], 0)
            cells[f"{side}_retransmissions"] = sent & (rows["events"] & AGAIN != 0)
            end = client ^ number
            for name, stored in (("in_flight_max", "flight"), ("window", "window"), ("rtt_ns", "srtt_ns")):
                value = moments[stored][every, end].astype(np.int64)
                known = told if stored != "srtt_ns" else told & (moments["rtt_ns"][every, end] > 0)
                cells[f"{side}_{name}"] = np.where(known, value, -1)
        self._take(cells)

    def spend(self, stretches: Rows) -> None:
        """Take in where time went."""
        if self._flow is not None:
            stretches = stretches[stretches["flow"] == self._flow]
        if len(stretches) and int(stretches["ns"].max()) // self._every > LONGEST:
            raise UsageError("--every", f"a connection waited for more than {LONGEST:,} intervals", "give a longer one")
        self._grow()
        np.add.at(self._told, stretches["place"], stretches["ns"])
        waiting: list[Rows] = []
        for part in self._cut(stretches):
            first = part["from_ns"] // self._every
            count = (part["from_ns"] + part["ns"] - 1) // self._every - first + 1
            which = np.repeat(np.arange(len(part)), count)
            interval = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
            cells = self._blank(part["flow"][which], part["place"][which], interval)
            begin = np.maximum(part["from_ns"][which], interval * self._every)
            end = np.minimum((part["from_ns"] + part["ns"])[which], (interval + 1) * self._every)
            cause = part["cause"][which]
            for number in np.unique(cause):
                cells[f"time_{TIME_CAUSES[number]}_ns"] = np.where(cause == number, end - begin, 0)
            waiting.append(cells)
            # As many as there are already, or more: so each is put in order a few times only, however many there are.
            if sum(map(len, waiting)) >= max(AT_ONCE, len(self._cells)):
                self._take(*waiting)
                waiting = []
        self._take(*waiting)

    def certain(self) -> Iterator[Rows]:
        """The rows of intervals that are over, and of flows that left."""
        states, times = self._tracker.states, self._tracker.times
        place = self._cells["place"]
        here = states["flow"][place] == self._cells["flow"]
        pending = times["pending_ns"][place].astype(np.int64) + times["pending_trip_ns"][place]
        settled = times["upto_ns"][place] - pending
        limit = np.where(here, settled // self._every, np.iinfo(np.int64).max)
        done = self._cells["interval"] < limit
        if done.any():
            yield from self._hand_over(done)

    def finish(self) -> Iterator[Rows]:
        """What is left, and what is owed to the end of the capture; then all connections together."""
        tracker = self._tracker
        yield from self.certain()
        for start in range(0, len(tracker), AT_ONCE):
            places = tracker.places()[start : start + AT_ONCE]
            self.spend(self._owed(places[tracker.states["protocol"][places] == TCP]))
            yield from self._hand_over(np.isin(self._cells["place"], places))
        if self._flow is None and len(self._together):
            for start in range(0, len(self._together), AT_ONCE):
                yield self._rows(self._together[start : start + AT_ONCE])

    def kept(self) -> tuple[Rows, Rows, npt.NDArray[np.int64]]:
        """What it knows of flows of which none has left, and has not handed over, as `go_on` takes it."""
        self._grow()
        return self._cells, self._together, self._told[: len(self._tracker)]

    def go_on(self, cells: Rows, together: Rows, told: npt.NDArray[np.int64]) -> None:
        """Know what others have kept, in the numbers and places of this one's tracker: the sum of all of it."""
        self._grow()
        self._cells, self._together = _joined(cells), _joined(together)
        self._told[: len(told)] += told

    def _owed(self, places: npt.NDArray[np.intp]) -> Rows:
        """What `flows` has beyond what frames told, as stretches."""
        tracker = self._tracker
        states, times = taken(tracker.states, places), taken(tracker.times, places)
        account = account_of(tracker.states, tracker.ends, tracker.times, places, tracker.latest_ns)
        spent = times["spent_ns"].copy()
        swap = states["client"] == 1
        spent[swap, 1], spent[swap, 2] = spent[swap, 2], spent[swap, 1].copy()
        self._grow()
        pending = times["pending_ns"].astype(np.int64) + times["pending_trip_ns"]
        since = np.where(times["upto_ns"] > 0, times["upto_ns"] - pending, states["start_ns"])
        account[:, :SPENT] -= spent
        account[:, SPENT] -= self._told[places] - spent.sum(axis=1)
        account = np.maximum(account, 0)
        begin = since[:, None] + np.cumsum(account, axis=1) - account
        which, cause = np.nonzero(account)
        stretches = np.zeros(len(which), STRETCH)
        stretches["flow"], stretches["place"] = states["flow"][which], places[which]
        stretches["from_ns"], stretches["ns"], stretches["cause"] = begin[which, cause], account[which, cause], cause
        return stretches

    def _cut(self, stretches: Rows) -> Iterator[Rows]:
        """Parts of few intervals together, and none of so many that it would not fit."""
        longest = AT_ONCE * self._every
        while (stretches["ns"] > longest).any():
            whole = stretches["ns"] > longest
            rest = stretches[whole].copy()
            rest["from_ns"] += longest
            rest["ns"] -= longest
            stretches["ns"][whole] = longest
            yield from self._cut(stretches)
            stretches = rest
        upto = np.cumsum(stretches["ns"] // self._every + 2)
        start = 0
        while start < len(stretches):
            before = int(upto[start - 1]) if start else 0
            stop = max(int(np.searchsorted(upto, before + AT_ONCE, side="right")), start + 1)
            yield stretches[start:stop]
            start = stop

    def _blank(self, flow: Rows, place: Rows, interval: npt.NDArray[Any]) -> Rows:
        """Cells in which nothing happened."""
        cells = np.zeros(len(flow), CELL)
        for name in (*LATEST, *MOST):
            cells[name] = -1
        cells["flow"], cells["place"], cells["interval"] = flow, place, interval
        return cells

    def _moved_on(self, rows: Rows, moments: Rows, told: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Their times; where the clock stepped back the latest of their flow before, as in the account: no interval that may be over gets more."""
        flow = np.where(told, moments["flow"], rows["flow"])  # of the two legs of a NAT the account knows one
        place = np.where(told, moments["place"], rows["place"])
        self._grow()
        before = np.where(self._owner[place] == flow, self._latest[place], BEFORE_ALL)
        known, rank = np.unique(np.where(told, np.maximum(rows["time_ns"], before), before), return_inverse=True)
        _, group = np.unique(flow, return_inverse=True)
        order = np.argsort(group, kind="stable")
        key = group * len(known) + rank  # a later flow has larger ones: the latest so far is of the same flow
        key[order] = np.maximum.accumulate(key[order])
        latest = known[key - group * len(known)]
        self._owner[place[told]] = flow[told]
        np.maximum.at(self._latest, place[told], latest[told])
        moved: npt.NDArray[np.int64] = np.maximum(latest, rows["time_ns"])
        return moved

    def _grow(self) -> None:
        more = len(self._tracker.states) - len(self._owner)
        if more > 0:
            self._owner = np.concatenate([self._owner, np.full(more, TOGETHER)])
            self._latest = np.concatenate([self._latest, np.full(more, BEFORE_ALL)])
            self._told = np.concatenate([self._told, np.zeros(more, np.int64)])

    def _leave(self, places: npt.NDArray[np.intp]) -> None:
        """What is owed to flows that must leave."""
        before = self._on_leave and self._on_leave()
        if before:
            before(places)
        self.spend(self._owed(places[self._tracker.states["protocol"][places] == TCP]))
        self._grow()
        self._latest[places], self._told[places] = BEFORE_ALL, 0

    def _take(self, *cells: Rows) -> None:
        if cells:
            self._cells = _joined(joined([self._cells, *cells]))

    def _hand_over(self, done: npt.NDArray[np.bool_]) -> Iterator[Rows]:
        which, cells = np.flatnonzero(done), self._cells
        self._cells = taken(cells, ~done)
        together = [self._together]
        for start in range(0, len(which), AT_ONCE):  # there may be millions, of which no copy is needed
            part = taken(cells, which[start : start + AT_ONCE])
            rows = self._rows(part)
            if self._flow is None:
                part["flow"], part["place"] = TOGETHER, 0
                for name in (*LATEST, *MOST):
                    part[name] = -1
                together.append(part)
            yield rows
        del cells
        if len(together) > 1:
            self._together = _joined(joined(together))

    def _rows(self, cells: Rows) -> Rows:
        rows = np.zeros(len(cells), SERIES.dtype)
        for name in ("flow", *ADDED, *LATEST, *MOST):
            rows[name] = cells[name]
        rows["start_ns"] = cells["interval"] * self._every
        rows["end_ns"] = rows["start_ns"] + self._every
        for side in SIDES:
            for name in ("throughput_bps", "goodput_bps"):
                rows[f"{side}_{name}"] = cells[f"{side}_{name}"] * (8e9 / self._every)
        return rows


def _joined(cells: Rows) -> Rows:
    """One cell for each flow and interval, in order of these."""
    order = np.lexsort((cells["interval"], cells["flow"]))  # stable: later cells stay behind earlier ones
    cells = taken(cells, order)
    new = np.ones(len(cells), bool)
    new[1:] = (cells["flow"][1:] != cells["flow"][:-1]) | (cells["interval"][1:] != cells["interval"][:-1])
    starts, which = np.flatnonzero(new), np.cumsum(new) - 1
    found = taken(cells, starts)
    if len(cells):
        for name in ADDED:
            found[name] = np.add.reduceat(cells[name], starts)
        for name in MOST:
            found[name] = np.maximum.reduceat(cells[name], starts)
        for name in LATEST:
            known = cells[name] >= 0
            found[name][which[known]] = cells[name][known]
    return found
