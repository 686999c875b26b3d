"""What several FlowTrackers kept of different flows of one capture -> a FlowTracker as if it had followed all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows.end_state import BINS, END_STATE, FIRST_END
from analyzer.flows.state import ACKED, FIN, FLOW_STATE, PEERS, RST, SUCCEEDED, SYN, SYN_ACK, SYN_AGAIN, TCP
from analyzer.flows.time_state import FIRST_SORT, NOTE, NOTES_OF_SORT, TALK, TIME_STATE
from analyzer.flows.tracker import FlowTracker
from analyzer.schema import Rows
from analyzer.together import taken

KEPT: dict[str, Any] = {
    "states": FLOW_STATE, "ends": END_STATE, "times": TIME_STATE, "histograms": np.uint32, "talks": TALK, "talks_used": np.int64,
    "notes": NOTE, "note_places": np.int64,
}  # fmt: skip
"""The arrays that a tracker hands over, all of one dimension, and what they are made of."""
Kept = Mapping[str, npt.NDArray[Any]]


def kept_of(tracker: FlowTracker, histograms: int) -> dict[str, npt.NDArray[Any]]:
    """All that there is to know of the flows of a tracker that none has left; so many histograms are in use."""
    used = len(tracker)
    places = _noted(tracker)
    return {
        "states": tracker.states[:used],
        "ends": tracker.ends[FIRST_END : int(tracker.ends_room[0])],
        "times": tracker.times[:used],
        "histograms": tracker.histograms[:histograms].ravel(),
        "talks": tracker.talks[: int(tracker.talks_used[0])],
        "talks_used": tracker.talks_used,
        "notes": tracker.notes[places],
        "note_places": places,
    }


def _noted(tracker: FlowTracker) -> npt.NDArray[np.intp]:
    """Where notes are. Only places are looked at that flows have had: most of the others the system has never given."""
    had = [np.zeros(0, np.intp)]
    for sort, count in enumerate(tracker.talks_used[FIRST_SORT:].tolist()):
        if count:
            had.append(sort * NOTES_OF_SORT + np.arange(min(count + 1, NOTES_OF_SORT)))
    places = np.concatenate(had)
    return places[tracker.notes["flow"][places] > 0]


class Joining:
    """Puts together what trackers kept, and says which number each of their flows has in the whole."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        self._kept = kept
        self._begun = np.cumsum([0, *(len(each["states"]) for each in kept)])
        self._order = np.argsort(_all(kept, "states")["first_frame"], kind="stable")
        self._numbers = np.empty(len(self._order), np.int64)
        self._numbers[self._order] = np.arange(len(self._order))

    def alone(self) -> Joining:
        """The same, without what the trackers kept: it knows numbers alone."""
        self._kept = ()
        return self

    @property
    def total(self) -> int:
        """How many flows there are."""
        return len(self._order)

    def numbers(self, part: int, flows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The numbers of flows of a part in the whole; -1 stays."""
        own = self._numbers[self._begun[part] : self._begun[part + 1]]
        return np.where(flows >= 0, own[np.maximum(flows, 0)] if len(own) else -1, -1)

    def into(self, tracker: FlowTracker, latest_ns: int, syns: int, bad_syns: int) -> str:
        """Have a new tracker know all of it; the rest is of the whole capture. Why that cannot be done, or nothing.

        Parameters
        ----------
        latest_ns : the latest time
        syns, bad_syns : SYNs without ACK, and those with a wrong checksum of their IPv4 header
        """
        kept, order = self._kept, self._order
        states = _all(kept, "states")
        for name in ("flow", "previous", "previous_place"):
            states[name] = np.concatenate(
                [np.zeros(0, np.int64), *(self.numbers(part, each["states"][name]) for part, each in enumerate(kept))]
            )
        moved = np.repeat(_behind(kept, "ends"), [len(each["states"]) for each in kept])[:, None]
        states["ends"] += np.where(states["ends"] >= FIRST_END, moved, 0).astype(np.int32)
        ends, times = _all(kept, "ends"), _all(kept, "times")
        moved = np.repeat(_behind(kept, "histograms") // BINS, [len(each["ends"]) for each in kept])
        ends["histogram"] += np.where(ends["histogram"] >= 0, moved, 0).astype(np.int32)
        moved = np.repeat(_behind(kept, "talks"), [len(each["times"]) for each in kept])
        times["details"] += np.where(times["details"] > 0, moved, 0).astype(np.int32)
        if self.total:
            tracker.states, tracker.times = taken(states, order), taken(times, order)
            tracker.ends = np.concatenate([tracker.ends[:FIRST_END], ends])
            tracker.ends_room[:] = len(tracker.ends), 0
            tracker.histograms = np.concatenate(
                [_all(kept, "histograms").reshape(-1, BINS), np.zeros((1, BINS), np.uint32)]
            )
            tracker.talks = np.concatenate([_all(kept, "talks"), np.zeros(1, TALK)])
        tracker.talks_used = np.sum([tracker.talks_used, *(each["talks_used"] for each in kept)], axis=0)
        for part, each in enumerate(kept):
            notes = each["notes"].copy()
            notes["flow"] = 1 + self.numbers(part, notes["flow"] - 1)
            tracker.notes[each["note_places"]] = notes
        tracker.know(self.total, latest_ns, syns, bad_syns)
        return _remember_peers(tracker)


def _all(kept: Sequence[Kept], name: str) -> Rows:
    return np.concatenate([np.zeros(0, KEPT[name]), *(each[name] for each in kept)])


def _behind(kept: Sequence[Kept], name: str) -> npt.NDArray[np.int64]:
    """Where what each part has begins in the whole."""
    return np.cumsum([0, *(len(each[name]) for each in kept)])[:-1]


def _remember_peers(tracker: FlowTracker) -> str:
    """Fill in the handshakes that are asked for at the end: those of pairs of addresses of which one is not complete.

    A place has the pair whose handshake came last, and the longest of those that it had in a row.
    """
    states = tracker.states[: len(tracker)]
    seen = states["seen"].astype(np.int64)
    over = ACKED | FIN | FIN << 1 | RST | RST << 1 | SUCCEEDED
    waits = (states["protocol"] == TCP) & (seen & (SYN | SYN_ACK) != 0) & (seen & over == 0)
    places = (states["pair"] & np.uint64(PEERS - 1)).astype(np.int64)
    asked = np.zeros(PEERS, np.bool_)
    asked[places[waits]] = True
    known = np.flatnonzero(asked[places] & (states["rtt_ns"] >= 0))
    when = states["syn_ns"][known] + states["rtt_ns"][known]
    by_place = np.lexsort((when, places[known]))
    known, when = known[by_place], when[by_place]
    again = (
        seen[known] & SYN_AGAIN != 0
    )  # then its SYN may have come behind its handshake, and nobody knows when that was
    pairs, rtts, places = states["pair"][known], states["rtt_ns"][known], places[known]
    bounds = np.flatnonzero(np.diff(places, prepend=-1, append=-1))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        mine = pairs[start:stop]
        others = np.flatnonzero(mine != mine[-1])
        last = start + int(others[-1]) + 1 if len(others) else start
        if len(others) and (again[start:stop].any() or when[last] == when[last - 1]):
            return "which of two handshakes came first, their times do not tell"
        tracker.peers[places[start]] = (mine[-1], rtts[last:stop].max())
    return ""
