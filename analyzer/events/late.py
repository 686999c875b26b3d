"""What only the end of the capture, or of what is kept of a flow, makes certain: the events on frames long gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows import FlowTracker
from analyzer.flows.edge import LONG_CLOSED_NS, closed_for_ns, closed_how
from analyzer.flows.state import ACKED, SYN, SYN_ACK, TCP
from analyzer.kinds import CAUSE, NUMBER
from analyzer.schema import Rows
from analyzer.tables import EVENTS, FLOWS, WINDOW_CLOSED
from analyzer.together import joined, taken

ANSWERED, SILENT = CAUSE["answered"], CAUSE["silent"]
UNANSWERED = FLOWS.bit("state", "unanswered")
OPTIONS_REFUSED, SYN_COOKIE = (np.uint64(1 << NUMBER[name]) for name in ("options_refused", "syn_cookie"))
FINS = 3  # so many are no accident
TIMES = 3  # so often no segment is lost by accident
LEAST_FULL = 536  # bytes of payload that every way carries (RFC 9293 section 3.7.1)
HOW = np.array([CAUSE[word] for word in WINDOW_CLOSED], np.uint8)

Places = npt.NDArray[np.intp]
NOTHING = (np.zeros(0, EVENTS.dtype), np.zeros(0, np.intp))  # what flows have nearly always


def late_events(tracker: FlowTracker, places: Places, servers: npt.NDArray[np.uint64]) -> tuple[Rows, Places]:
    """The late events of the flows at these places, and for each the place of its flow. `servers` granted options.

    Field by field: a copy of all states would be large.
    """
    places = places[tracker.states["protocol"][places] == TCP]
    found = [
        _unanswered(tracker, places),
        _cookies(tracker, places, servers),
        *(_fins(tracker, places, end) for end in (0, 1)),
        *(_closed_windows(tracker, places, end) for end in (0, 1)),
        *(_black_holes(tracker, places, end) for end in (0, 1)),
    ]
    return joined([events for events, _ in found]), np.concatenate([owners for _, owners in found])


def _event(tracker: FlowTracker, owners: Places, end: Any, kind: str, **columns: Any) -> tuple[Rows, Places]:
    """One event for each of the flows at `owners`, of its end `end` (0 low, 1 high)."""
    events = np.zeros(len(owners), EVENTS.dtype)
    events["flow"] = tracker.states["flow"][owners]
    events["direction"] = tracker.states["client"][owners] != end
    events["event"] = NUMBER[kind]
    for name, values in columns.items():
        events[name] = values
    return events, owners


def _unanswered(tracker: FlowTracker, places: Places) -> tuple[Rows, Places]:
    """`syn_unanswered`, on the last SYN; on one side of a NAT only, and not where all that is known of the SYNs is that they were fragments."""
    only_asked = tracker.states["seen"][places] & (SYN | SYN_ACK | ACKED) == SYN  # as of all that are unanswered
    silent = places[only_asked & (tracker.states["leg_of"][places] < 0)]
    if not len(silent):
        return NOTHING
    silent = silent[tracker.final_states(silent) == UNANSWERED]
    ends = tracker.ends
    silent = silent[ends["syns"][tracker.states["ends"][silent, tracker.states["client"][silent]]] > 0]
    client = tracker.states["client"][silent]
    at = tracker.states["ends"][silent, client]
    return _event(
        tracker,
        silent,
        client,
        "syn_unanswered",
        frame=ends["syn_frame"][at],
        time_ns=ends["syn_ns"][at],
        value=ends["syns"][at],
    )


def _cookies(tracker: FlowTracker, places: Places, servers: npt.NDArray[np.uint64]) -> tuple[Rows, Places]:
    """`syn_cookie`, where the server granted options to a later SYN, on the SYN-ACK that was sent last."""
    events = tracker.states["events"][places]
    refused = places[events & (OPTIONS_REFUSED | SYN_COOKIE) == OPTIONS_REFUSED]
    if not len(refused):
        return NOTHING
    ends = tracker.ends
    end = 1 - tracker.states["client"][refused]
    ttl = ends["syn_ttl"][tracker.states["ends"][refused, end]].astype(np.uint64)
    server = tracker.states["server"][refused] + (ttl << np.uint64(1))
    granting = servers[(server & np.uint64(len(servers) - 1)).astype(np.intp)] == server
    cookies, end = refused[granting], end[granting]
    at = tracker.states["ends"][cookies, end]
    return _event(tracker, cookies, end, "syn_cookie", frame=ends["syn_frame"][at], time_ns=ends["syn_ns"][at])


def _fins(tracker: FlowTracker, places: Places, end: int) -> tuple[Rows, Places]:
    """`fin_unanswered`, on the last frame of the end that sent it."""
    ends = tracker.ends
    places = places[ends["fins"][tracker.states["ends"][places, end]] >= FINS]
    if not len(places):
        return NOTHING
    me, you = (tracker.states["ends"][places, each] for each in (end, 1 - end))
    waits = (ends["una"][me] <= ends["fin"][me]) & (ends["rst"][me] == 0)
    silent = (ends["heard"][you] == 0) | (ends["last_ns"][you] < ends["fin_ns"][me])
    gone = waits & silent & (ends["rst"][you] == 0)
    me = me[gone]
    return _event(
        tracker,
        places[gone],
        end,
        "fin_unanswered",
        frame=ends["last_frame"][me],
        time_ns=ends["last_ns"][me],
        value=ends["fins"][me],
    )


def _closed_windows(tracker: FlowTracker, places: Places, end: int) -> tuple[Rows, Places]:
    """`window_never_reopened`, on the frame that closed the window."""
    ends = tracker.ends
    closed = places[ends["zero_frame"][tracker.states["ends"][places, end]] > 0]
    if not len(closed):
        return NOTHING
    me, you = (taken(ends, tracker.states["ends"][closed, each]) for each in (end, 1 - end))
    for_ns = closed_for_ns(taken(tracker.states, closed), me, tracker.latest_ns)
    long = for_ns >= LONG_CLOSED_NS
    return _event(
        tracker,
        closed[long],
        end,
        "window_never_reopened",
        cause=HOW[closed_how(me, you)[long]],
        frame=me["zero_frame"][long],
        time_ns=me["zero_since_ns"][long],
        value=for_ns[long],
    )


def _black_holes(tracker: FlowTracker, places: Places, end: int) -> tuple[Rows, Places]:
    """`mtu_black_hole`, on the frame in which the timer sent the segment last."""
    ends = tracker.ends
    tried = places[ends["full_times"][tracker.states["ends"][places, end]] >= TIMES]
    if not len(tried):
        return NOTHING
    me, you = (taken(ends, tracker.states["ends"][tried, each]) for each in (end, 1 - end))
    size = me["largest"].astype(np.int64)
    size = np.where(you["mss"] > 0, np.minimum(size, you["mss"]), size)
    # What is acknowledged was smaller: the first of this size began there.
    stuck = (me["una"] == me["full_start"]) & (size > LEAST_FULL) & (you["zero_frame"] == 0) & (you["heard"] > 0)
    answered = you["last_ns"] > me["full_first_ns"] + me["rtt_min_ns"] + you["rtt_min_ns"]
    # Before it, the handshake is all that passed.
    hole = stuck & (answered | (me["una"] > 1))
    return _event(
        tracker,
        tried[hole],
        end,
        "mtu_black_hole",
        cause=np.where(answered, ANSWERED, SILENT)[hole],
        frame=me["full_frame"][hole],
        time_ns=me["full_ns"][hole],
        value=size[hole],
    )
