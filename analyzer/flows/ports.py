"""How many ports clients needed at a time, for each server and port: what runs out when a range of ephemeral ports is too small."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.flows.state import TCP
from analyzer.flows.tracker import FlowTracker
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES

TIME_WAIT_NS = 60_000_000_000  # TCP_TIMEWAIT_LEN of Linux
NEVER = np.iinfo(np.int64).max
MOST = 1_000
_OVER = [FLOW_STATES.index(f"reset_by_{who}") for who in ("client", "server", "middlebox")] + [
    FLOW_STATES.index("refused")
]
_CLOSED = FLOW_STATES.index("closed")
_KEY = ("address_hi", "address_lo", "peer_hi", "peer_lo", "peer_port", "version")
_OCCUPIED = np.dtype(
    [
        ("address_hi", "u8"), ("address_lo", "u8"), ("peer_hi", "u8"), ("peer_lo", "u8"), ("peer_port", "i8"),
        ("version", "u1"), ("port", "u2"), ("start_ns", "i8"), ("over_ns", "i8"), ("until_ns", "i8"), ("reused", "u1"),
    ]
)  # fmt: skip
IN_USE = np.dtype(
    [
        ("address_hi", "u8"), ("address_lo", "u8"), ("peer_hi", "u8"), ("peer_lo", "u8"), ("peer_port", "i8"), ("version", "u1"),
        ("ports", "i8"), ("lowest", "i8"), ("highest", "i8"), ("time_wait", "i8"), ("close_wait", "i8"), ("reused", "i8"), ("time_ns", "i8"),
    ]
)  # fmt: skip
"""Of an address, a peer and its port: how many ports are in use at `time_ns`, the lowest and highest ever used, how many are in TIME_WAIT and
CLOSE_WAIT, and how often a port was taken again that its client must have had in TIME_WAIT."""


def ports_of(tracker: FlowTracker) -> Rows:
    """Of each client and server's port the moment with most (IN_USE), those with most first, MOST at most.

    A port is in use until its connection is over, and 60 s longer where the client closed first. Only of flows that are
    followed still; CLOSE_WAIT is not told apart.
    """
    rows = _occupied(tracker)
    if not len(rows):
        return np.zeros(0, IN_USE)
    order = np.lexsort((rows["start_ns"], rows["port"], *(rows[name] for name in _KEY)))
    for name in _OCCUPIED.names or ():  # never all of them twice
        rows[name] = rows[name][order]
    group = np.cumsum(_begins(rows, _KEY)) - 1
    # Who uses the port again ends its time.
    again = ~_begins(rows, (*_KEY, "port"))[1:]
    waited = (rows["over_ns"][:-1] < rows["start_ns"][1:]) & (rows["start_ns"][1:] < rows["until_ns"][:-1])
    rows["reused"][1:] = again & waited
    rows["until_ns"][:-1][again] = np.minimum(rows["until_ns"][:-1], rows["start_ns"][1:])[again]
    return _peaks(rows, group)


def _occupied(tracker: FlowTracker) -> Rows:
    states = tracker.states
    places = tracker.places()
    places = places[(states["protocol"][places] == TCP) & (states["leg_of"][places] < 0)]
    client = states["client"][places].astype(np.intp)
    final = tracker.final_states(places)
    rows = np.zeros(len(places), _OCCUPIED)
    for name, end in (("address", client), ("peer", 1 - client)):
        rows[f"{name}_hi"] = states["address_hi"][places, end]
        rows[f"{name}_lo"] = states["address_lo"][places, end]
    rows["port"], rows["peer_port"] = states["port"][places, client], states["port"][places, 1 - client]
    rows["version"] = states["ip_version"][places]
    rows["start_ns"], rows["over_ns"] = states["start_ns"][places], states["end_ns"][places]
    waits = (final == _CLOSED) & (states["closer"][places] == 1 + client)
    over = np.isin(final, _OVER) | (final == _CLOSED)
    rows["until_ns"] = np.where(over, rows["over_ns"] + np.where(waits, TIME_WAIT_NS, 0), NEVER)
    rows["over_ns"] = np.where(waits, rows["over_ns"], rows["until_ns"])
    return rows


def _begins(rows: Rows, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Where a row differs from the one before."""
    new = np.ones(len(rows), np.bool_)
    new[1:] = np.logical_or.reduce([rows[name][1:] != rows[name][:-1] for name in names])
    return new


def _peaks(rows: Rows, group: npt.NDArray[np.intp]) -> Rows:
    """The moment of each group in which most ports were in use; a port that is free again at a time may be taken then."""
    count = len(rows)
    of = np.concatenate([group, group]).astype(np.int32)
    when = np.concatenate([rows["until_ns"], rows["start_ns"]])
    step = np.repeat(np.array([-1, 1], np.int8), count)
    order = np.lexsort((step, when, of))
    first = np.flatnonzero(_begins(rows, _KEY))
    # Every group comes back to 0 at its end, so that one sum runs through all of them.
    used = np.cumsum(step[order], dtype=np.int64)
    most = np.maximum.reduceat(used, 2 * first)
    best = np.argsort(-most, kind="stable")[:MOST]
    found = np.zeros(len(best), IN_USE)
    for name in _KEY:
        found[name] = rows[name][first[best]]
    found["ports"] = most[best]
    ends = np.append(first[1:], count)
    for into, at in enumerate(best.tolist()):
        stretch = slice(2 * first[at], 2 * ends[at])
        moment = when[order[stretch]][int(np.argmax(used[stretch]))]
        mine = rows[first[at] : ends[at]]
        found["time_ns"][into] = moment
        found["reused"][into] = int(mine["reused"].sum())
        found["lowest"][into], found["highest"][into] = mine["port"].min(), mine["port"].max()
        found["time_wait"][into] = int(np.count_nonzero((mine["over_ns"] <= moment) & (mine["until_ns"] > moment)))
    return found
