"""Packet rows -> flows: room for them, and what is known of those that are followed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator

import numpy as np
import numpy.typing as npt

from analyzer.blank import blank
from analyzer.flows.coverage import Begun, Coverage, begun_at, coverage_of
from analyzer.flows.edge import still_opening
from analyzer.flows.end_state import BINS, BLANK, END_STATE, FIRST_END, NO_BOX, NO_WINDOW
from analyzer.flows.left import Left, leaving
from analyzer.flows.rows import final_states, flow_rows
from analyzer.flows.state import (
    AHEAD,
    EMPTY,
    FLOW_STATE,
    LEG,
    LEGS,
    PEER,
    PEERS,
    TCP,
)
from analyzer.flows.time_state import FIRST_SORT, NOTE, NOTES, SORTS, TALK, TIME_STATE
from analyzer.flows.times import account_of, fill_times
from analyzer.flows.trouble import troubles
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, LOST_TIME, PACKETS, TIME_CAUSES
from analyzer.together import cleared, taken

MAX_FLOWS = 1_000_000
FIRST_CAPACITY = 1 << 12
FIRST_HISTOGRAMS = 1 << 12
FIRST_TALKS = 1 << 4
LOST = [TIME_CAUSES.index(cause) for cause in (*LOST_TIME, "server_think")]
LEAST_LOST_NS = 100_000_000  # of a connection, and a tenth of its time, are worth telling
PIECE = 1 << 14
ROWS_AT_ONCE = 10_000
ENDS_MORE = 32  # room for ends grows by this part of itself
EARLIEST = np.iinfo(np.int64).min


class FlowTracker:
    """Follows every TCP and UDP conversation of a capture.

    Memory grows with the number of flows, up to `max_flows` at a time. Where there is no room for a new one, flows leave:
    closed ones first, then handshakes that never completed, then the others, of each the longest idle. `left` counts them
    by state; with `keep_left` their rows wait in `rows_left` to be taken. With `numbered` the packet rows have the numbers of
    their flows already, as FlowNumbers gives them.
    """

    def __init__(self, max_flows: int = MAX_FLOWS, *, keep_left: bool = False, numbered: bool = False) -> None:
        self.max_flows = max_flows
        self._numbered = numbered
        self.states = np.zeros(min(FIRST_CAPACITY, max_flows), FLOW_STATE)
        self.ends = np.zeros(FIRST_END + len(self.states), END_STATE)  # of those of whom anything is known
        self.ends["histogram"][BLANK] = self.ends["board"][BLANK] = -1
        self.ends["window_min"][BLANK] = NO_WINDOW
        self.ends["ttl_low"][BLANK], self.ends["box_hops"][BLANK] = 255, NO_BOX
        # How many places were ever used, and how many of these are free again.
        self.ends_room = np.array([FIRST_END, 0])
        self.free_ends = np.zeros(0, np.int32)
        self.times = np.zeros(len(self.states), TIME_STATE)  # where their time went, for whom an account is kept
        self._left = Left()
        self.left, self.rows_left = self._left.states, self._left.rows
        self._keep_left = keep_left
        self._room = np.array([0, 0, 0, EARLIEST, EARLIEST, -1, -1, 0, 0, 0], np.int64)  # as flow_kernel names it
        self._legs = np.zeros(LEGS, LEG)
        self.peers = np.zeros(PEERS, PEER)
        self._free = np.zeros(0, np.int32)
        self._hashes = np.zeros(AHEAD, np.uint64)
        # A secret seed: nobody can prepare a capture whose flows all fall into one place of the table.
        self._seed = np.uint64(secrets.randbits(64))
        self._table = self._new_table()
        self.histograms = np.zeros((FIRST_HISTOGRAMS, BINS), np.uint32)
        self.free_histograms = np.zeros(0, np.int32)
        self.talks = np.zeros(FIRST_TALKS, TALK)
        # How many were ever used, and how many of these are free again; of stretches of time, how many wait to be taken; flows of each sort.
        self.talks_used = np.zeros(FIRST_SORT + SORTS, np.int64)
        self.free_talks = np.zeros(1, np.int32)
        self.notes = blank(NOTES, NOTE)
        self.on_leave: Callable[[], Callable[[npt.NDArray[np.intp]], None] | None] | None = None  # a weak reference

    def __len__(self) -> int:
        """Flows that are followed now."""
        return int(self._room[1] - self._room[2])

    @property
    def total(self) -> int:
        """Flows there ever were."""
        return int(self._room[0])

    @property
    def latest_ns(self) -> int:
        """The latest time in the capture so far, of any frame."""
        return int(self._room[3])

    def follow(self, rows: Rows) -> Iterator[Rows]:
        """Give the packet rows of the next batch their flows, and yield them part by part.

        Between two parts flows may leave; what is to be said of their frames must have been said by then.
        """
        from analyzer.flows.flow_kernel import track

        at = 0
        while True:
            stop = track(
                rows,
                at,
                self.states,
                self._room,
                self._free,
                self._table,
                self._legs,
                self.peers,
                self._seed,
                self._hashes,
                self._numbered,
            )
            yield rows[at:stop]
            at = stop
            if at == len(rows):
                return
            if len(self.states) < self.max_flows:
                self._grow()
            else:
                self._evict()

    def know(self, flows: int, latest_ns: int, syns: int, bad_syns: int) -> None:
        """That so many flows are in their places, each in that of its number, and what of a capture others have followed for it."""
        self._room[[0, 1]] = flows
        self._room[3], self._room[8], self._room[9] = latest_ns, syns, bad_syns

    def add(self, rows: Rows) -> None:
        """Follow the packet rows of the next batch, where nobody asks for the parts."""
        for _ in self.follow(rows):
            pass

    def make_histograms(self, count: int) -> None:
        """Have room for so many RTT histograms. What nobody writes to takes no memory."""
        size = len(self.histograms)
        while size < min(count, len(self.ends)):  # an end has one at most
            size *= 2
        self.histograms.resize((size, BINS), refcheck=False)

    def make_ends(self) -> None:
        """Have room for both ends of another connection: for some more, where there is none. What is new is written to, so it is not much."""
        size = len(self.ends)
        if size + self.ends_room[1] - self.ends_room[0] < 2:
            self.ends.resize(size + max(size // ENDS_MORE, FIRST_CAPACITY), refcheck=False)

    def make_talks(self) -> None:
        """Have room for twice as many distributions of how connections talk."""
        self.talks.resize(2 * len(self.talks), refcheck=False)

    def places(self) -> npt.NDArray[np.intp]:
        """Where the flows in use are kept, in order of their first frames."""
        numbers = self.states["flow"][: self._room[1]]
        if not self._room[2] and not self.left and not self._numbered:
            return np.arange(len(numbers))
        used = np.flatnonzero(numbers >= 0)
        return used[np.argsort(numbers[used], kind="stable")]

    def rows(self, which: slice | npt.NDArray[np.intp] = slice(None)) -> Rows:
        """The `flows` rows, in order of first frames; `which` takes some of them, by position in `places`."""
        return self._rows_at(self.places()[which])

    def row_parts(self) -> Iterator[Rows]:
        """The same, ROWS_AT_ONCE at a time."""
        starts = range(0, len(self), ROWS_AT_ONCE)
        return (self.rows(slice(start, start + ROWS_AT_ONCE)) for start in starts)

    def rows_of(self, flows: npt.NDArray[np.int64]) -> Rows:
        """The `flows` rows of those of these flows that are still followed, in order."""
        places = self.places()
        numbers = self.states["flow"][places]
        return self._rows_at(places[np.isin(numbers, flows)])

    def busiest(self, count: int) -> Rows:
        """The `flows` rows with most bytes, most first."""
        places = self.places()
        size = self.states["bytes"][places].sum(axis=1)
        return self._rows_at(places[np.argsort(-size, kind="stable")[:count]])

    def troubled(self, count: int) -> tuple[Rows, int]:
        """The `flows` rows with most trouble, most first, and how many have any; those that left included.

        Of the rows that left only the worst are kept.
        """
        places = self.places()
        trouble = self._troubles(places, self.final_states(places))
        some = int(np.count_nonzero(trouble))
        order = np.argsort(-trouble, kind="stable")[: min(count, some)]
        rows = self._left.worst_with(self._rows_at(places[order]), trouble[order], count)
        return rows, some + self._left.troubled

    def coverage(self) -> Coverage:
        """What of the conversations was captured, those that left included."""
        return sum((coverage_of(self.states, self.ends, each) for each in pieces(self.places())), self._left.coverage)

    def begun_at(self, addresses: Collection[tuple[int, int]]) -> Begun:
        """Connections of these addresses of which no part of the handshake was captured; of those that left nobody knows whose they were."""
        found, left = begun_at(self.states, self.places(), addresses), self._left.coverage
        return found._replace(connections=found.connections + left.begun, packets=found.packets + left.begun_packets)

    @property
    def legs(self) -> int:
        """Flows that are the other side of a NAT of another, those that left included."""
        return self._left.legs.total() + int(np.count_nonzero(self.states["leg_of"][self.places()] >= 0))

    def state_counts(self) -> dict[str, int]:
        """TCP connections per word of `flows.state`, those that left included; the two legs of a NAT are one."""
        places = self.places()
        tcp = (self.states["protocol"][places] == TCP) & (self.states["leg_of"][places] < 0)
        counts = np.bincount(self.final_states(places)[tcp], minlength=len(FLOW_STATES))
        found = {
            word: int(counts[i]) + self.left[word] - self._left.legs[word] for i, word in enumerate(FLOW_STATES) if word
        }
        return {word: count for word, count in found.items() if count}

    def final_states(self, places: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        """The word of `flows.state` for the flows at these places, as its number: how they stand now."""
        damage_counts = 2 * int(self._room[9]) < int(self._room[8])  # else the whole capture was changed
        found = np.zeros(len(places), np.int64)
        # What is copied of the states of a million flows would be as large as they are.
        for start in range(0, len(places), PIECE):
            piece = places[start : start + PIECE]
            opening = still_opening(self.states, piece, self.latest_ns, self.peers, damage_counts)
            found[start : start + PIECE] = final_states(self.states, self.ends, piece, opening)
        return found

    def _troubles(self, places: npt.NDArray[np.intp], final: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """How much trouble the flows at these places had, which end in these states."""
        found = np.zeros(len(places))
        for start in range(0, len(places), PIECE):
            some = slice(start, start + PIECE)
            found[some] = troubles(self.states, self.ends, places[some], final[some], self.latest_ns)
        return found

    def _rows_at(self, places: npt.NDArray[np.intp], final: npt.NDArray[np.int64] | None = None) -> Rows:
        """Their rows; `final` are the states in which they end, where these are known already."""
        ends = taken(self.ends, self.states["ends"][places])
        states, times = taken(self.states, places), taken(self.times, places)
        final = self.final_states(places) if final is None else final
        rows = flow_rows(states, ends, self.histograms, final, self.latest_ns)
        spent = account_of(self.states, self.ends, self.times, places, self.latest_ns)
        fill_times(rows, spent, states, ends, times, self.talks)
        return rows

    def accounts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
        """How much of the time of all TCP connections went to each cause (`tables.TIME_CAUSES`), those that left included; and the places of those that lost a part worth telling, most first.

        Time that servers think counts as lost here. Of those that left it is not told.
        """
        total, where, lost = self._left.spent.copy(), [np.zeros(0, np.intp)], [np.zeros(0, np.int64)]
        for places in pieces(self.places()):
            places = places[self.states["protocol"][places] == TCP]
            spent = account_of(self.states, self.ends, self.times, places, self.latest_ns)
            total += spent.sum(axis=0)
            part = spent[:, LOST].sum(axis=1)
            told = (part >= LEAST_LOST_NS) & (part * 10 >= spent.sum(axis=1))
            where.append(places[told])
            lost.append(part[told])
        return total, np.concatenate(where)[np.argsort(-np.concatenate(lost), kind="stable")]

    def rows_at(self, places: npt.NDArray[np.intp]) -> Rows:
        """The `flows` rows of the flows at these places."""
        return self._rows_at(places)

    def notes_of(self, flow: int) -> Rows | None:
        """What is remembered of where the time of a flow went (NOTE), if it is not too much lost time of others."""
        found = np.flatnonzero(self.notes["flow"] == 1 + flow)
        return self.notes[found[0]] if len(found) and not self.notes["partial"][found[0]] else None

    def _grow(self) -> None:
        # In place: for large arrays the system moves pages instead of copying bytes, and there are never two of them.
        size = min(2 * len(self.states), self.max_flows)
        self.states.resize(size, refcheck=False)
        self._make_room(size)
        self._rehash()

    def _make_room(self, size: int) -> None:
        """Have room for so many flows, beside their states."""
        self.times.resize(size, refcheck=False)

    def _evict(self) -> None:
        """The flows that matter least leave."""
        states = self.states
        places = leaving(states)
        on_leave = self.on_leave and self.on_leave()
        if on_leave:
            on_leave(places)
        self._account_for(places)
        states["flow"][places] = -1
        # Whoever came after one of them forgets it now: its place will be another's.
        followed = states["previous_place"] >= 0
        gone_before = followed & (states["flow"][np.maximum(states["previous_place"], 0)] < 0)
        states["previous_place"][gone_before] = EMPTY
        self._free = np.ascontiguousarray(places[::-1], np.int32)
        self._room[2] = len(places)
        self._rehash()

    def _account_for(self, places: npt.NDArray[np.intp]) -> None:
        """What is to be known of the flows that leave, beyond that they were there."""
        left, flows, final = self._left, self.states["flow"][places], self.final_states(places)
        left.count(final, self.states["leg_of"][places] >= 0)
        left.coverage = sum((coverage_of(self.states, self.ends, each) for each in pieces(places)), left.coverage)
        trouble = self._troubles(places, final)
        left.remember_worst(flows, trouble, lambda which: self._rows_at(places[which], final[which]))
        if self._keep_left:
            left.rows += [self._rows_at(places[some], final[some]) for some in pieces(np.argsort(flows))]
        for some in pieces(places[self.states["protocol"][places] == TCP]):
            left.spent += account_of(self.states, self.ends, self.times, some, self.latest_ns).sum(axis=0)
        self._free_talks_of(places)
        ends = self.states["ends"][places].ravel()
        ends = ends[ends >= FIRST_END]
        histograms = self.ends["histogram"][ends]
        self.free_histograms = np.concatenate([self.free_histograms, histograms[histograms >= 0]])
        self.free_ends = np.concatenate([self.free_ends[: self.ends_room[1]], ends])
        self.ends_room[1] = len(self.free_ends)
        self.states["ends"][places] = BLANK

    def _free_talks_of(self, places: npt.NDArray[np.intp]) -> None:
        details = self.times["details"][places]
        waiting = self.free_talks[: self.talks_used[1]]
        self.free_talks = np.concatenate([waiting, details[details > 0] - 1, np.zeros(1, np.int32)])
        self.talks_used[1] = len(self.free_talks) - 1
        cleared(self.times, places)

    def _rehash(self) -> None:
        from analyzer.flows.flow_kernel import rehash

        self._table = self._new_table()
        rehash(self.states, int(self._room[1]), self._table, self._seed, np.zeros(1, PACKETS.dtype))

    def _new_table(self) -> npt.NDArray[np.int32]:
        """At most half full, so that a search stays short."""
        return np.full(1 << (2 * len(self.states) - 1).bit_length(), EMPTY, np.int32)


def pieces(places: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    """The places, so many at a time that what is copied of their states stays small."""
    for start in range(0, len(places), PIECE):
        yield places[start : start + PIECE]
