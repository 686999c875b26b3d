"""Packet rows with their flows -> the `events` table, and per end what `flows` tells of it."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.blank import blank
from analyzer.events.late import late_events
from analyzer.flows import FlowTracker
from analyzer.flows.moment import MOMENT, SEGMENT, WORLD
from analyzer.flows.sent import BOARD, BOARDS, SENT, SENT_CAPACITY, Sent
from analyzer.flows.state import AHEAD
from analyzer.kinds import NAMES
from analyzer.schema import Rows
from analyzer.tables import EVENTS

OUT_CAPACITY = 1 << 14
SUMS = (
    "boards", "originals", "copies", "shared", "proved", "unproved", "twice", "twice_bytes", "late", "late_apart", "data", "pure_acks",
    "unseen_acks",
)  # of WORLD, over all flows  # fmt: skip


def new_sent() -> Sent:
    """Memory of what was sent."""
    return Sent(*(blank(SENT_CAPACITY, part, dense=True) for part in SENT))


class Judge:
    """Says what happened, batch by batch, after the FlowTracker gave the rows their flows.

    `counts` has the events of each kind, `moments` (MOMENT) what each of the rows judged last left behind. The memory of what
    was sent is bounded, and the system gives it page by page; `sent` may be one that another Judge is done with, since what is there
    is looked up by numbers that nobody else knows.
    """

    def __init__(
        self, tracker: FlowTracker, *, keep: bool = False, whole: bool = False, sent: Sent | None = None
    ) -> None:
        from analyzer.events.clock_kernel import SOURCE, SOURCES
        from analyzer.events.copies_kernel import KEYS, RECENT, RECENT_CAPACITY
        from analyzer.events.handshake_kernel import SERVERS

        self.counts = np.zeros(len(NAMES), np.int64)
        self._tracker = tracker
        self._whole = whole  # all fields of `moments`, not just those that the account of time asks for
        self._keep = keep  # the events of flows that leave, until `left` or `finish` gives them
        self._late: list[Rows] = []
        # Weakly: tables as large as these must go when nobody uses them, not when cycles are looked for.
        tracker.on_leave = weakref.WeakMethod(self._when_flows_leave)
        self._world = np.zeros(1, WORLD)
        self._segment = np.zeros(1, SEGMENT)
        self._out = np.zeros(OUT_CAPACITY, EVENTS.dtype)
        self._sent = sent or new_sent()
        self._boards = blank(BOARDS, BOARD)
        self._recent = blank(RECENT_CAPACITY, RECENT)  # two in a cache line
        self._sources = blank(SOURCES, SOURCE)
        self.servers = np.zeros(
            2 * SERVERS, np.uint64
        )  # that granted options, and behind them where it was asked who did
        self._identities = np.zeros(AHEAD, np.uint64)
        self._keys = np.frombuffer(bytearray(secrets.token_bytes(8 * KEYS)), np.uint64)
        self._moments = np.zeros(0, MOMENT)
        self.moments = self._moments

    def judge(self, rows: Rows) -> Iterator[Rows]:
        """The `events` rows of the frames of one part of a batch; `events` is filled in `rows`.

        What is yielded is overwritten by the next.
        """
        for _, events in self.judged(rows):
            yield events

    def judged(self, rows: Rows) -> Iterator[tuple[Rows, Rows]]:
        """The same, piece by piece: rows, and the events of their frames."""
        from analyzer.events.judge_kernel import judge

        tracker = self._tracker
        tracker.make_histograms(int(self._world["histograms"][0]) + len(rows))
        self._world["free_histograms"] = len(tracker.free_histograms)
        if len(self._moments) < len(rows):
            self._moments = np.zeros(len(rows), MOMENT)
        at = 0
        while True:
            first = at
            at = judge(
                rows,
                at,
                tracker.states,
                tracker.ends,
                tracker.ends.view(np.uint64).reshape(len(tracker.ends), -1),
                tracker.ends_room,
                tracker.free_ends,
                self._world,
                self._segment,
                self._out,
                self.counts,
                self._sent,
                self._boards,
                tracker.histograms,
                tracker.free_histograms,
                self._recent,
                self._sources,
                self.servers,
                self._identities,
                self._keys,
                self._moments,
                self._whole,
            )
            self.moments = self._moments[first:at]
            yield rows[first:at], self._taken()
            if at == len(rows):
                break
            tracker.make_ends()
        tracker.free_histograms = tracker.free_histograms[: int(self._world["free_histograms"][0])]

    @property
    def seen(self) -> dict[str, int]:
        """What it has seen of the capture as a whole: the fields of WORLD."""
        return {name: int(self._world[name][0]) for name in WORLD.names or ()}

    def add(self, rows: Rows) -> None:
        """Judge, where nobody asks for the events."""
        for _ in self.judge(rows):
            pass

    def left(self) -> Iterator[Rows]:
        """The events of flows that have left since it was asked last, if they are kept."""
        while self._late:
            yield self._late.pop(0)

    def finish(self) -> Iterator[Rows]:
        """The events that only the end of the capture, or of a flow, makes certain."""
        yield from self.left()
        yield from self.settled()
        events = self._at_end(self._tracker.places())
        if len(events):
            yield events

    def settled(self) -> Iterator[Rows]:
        """Those of them that waited for more frames of their flows."""
        yield from self._settled(self._tracker.places())

    def go_on_behind(self, first_ns: int) -> None:
        """Take the rows of some flows of a capture, which began at this time."""
        self._world["first_ns"] = self._world["previous_ns"] = first_ns
        self._world["frames"] = 1

    def join(self, counts: npt.NDArray[np.int64], seen: Mapping[str, int]) -> None:
        """Add what another Judge has counted and `seen` of other flows of the same capture, all of which it has settled."""
        self.counts += counts
        world = self._world[0]
        if seen["late"] and (not world["late"] or seen["first_late"] < world["first_late"]):
            world["first_late"] = seen["first_late"]
        world["late_ns"] = max(world["late_ns"], seen["late_ns"])
        for name in SUMS:
            world[name] += seen[name]

    def join_servers(self, parts: Sequence[npt.NDArray[np.uint64]]) -> bool:
        """Know which servers have granted options to whom other Judges followed (their `servers`), if none of them would have judged otherwise for it.

        False where one asked for a server that another has seen.
        """
        granted, asked = np.split(np.array(parts), 2, axis=1)
        by = np.count_nonzero(granted, axis=0)
        if ((asked > 0) & (by - (granted > 0) > 0)).any():
            return False
        self.servers[: granted.shape[1]] = granted.max(axis=0)
        return True

    def _settled(self, places: npt.NDArray[np.intp]) -> Iterator[Rows]:
        """The events of flows at these places that waited for what came; it will not come any more."""
        from analyzer.events.judge_kernel import settle_all

        tracker = self._tracker
        waiting = (tracker.ends["doubts"][tracker.states["ends"][places]] > 0).any(axis=1)
        some = np.ascontiguousarray(places[waiting], np.int64)
        at = 0
        while at < len(some):
            at = settle_all(some, at, tracker.states, tracker.ends, self._world, self._out, self.counts, self._boards)
            yield self._taken().copy()

    def _at_end(self, places: npt.NDArray[np.intp]) -> Rows:
        """The late events of the flows at these places, which are counted and remembered with them."""
        tracker = self._tracker
        states = tracker.states
        events, owners = late_events(tracker, places, self.servers[: len(self.servers) // 2])
        np.bitwise_or.at(states["events"], owners, np.uint64(1) << events["event"].astype(np.uint64))
        self.counts += np.bincount(events["event"], minlength=len(NAMES))
        return events

    def _when_flows_leave(self, places: npt.NDArray[np.intp]) -> None:
        for events in (*self._settled(places), self._at_end(places)):
            if self._keep and len(events):
                self._late.append(events)

    def _taken(self) -> Rows:
        taken = self._out[: int(self._world["out"][0])]
        self._world["out"] = 0
        return taken
