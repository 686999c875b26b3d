"""Where the capture ends: handshakes whose answer may still have been on its way, and windows that are still closed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.first import first_of
from analyzer.flows.end_state import IN_VAIN
from analyzer.flows.state import ACKED, DAMAGED, FIN, IMPOSSIBLE, PEERS, RST, SUCCEEDED, SYN, SYN_ACK, SYN_AGAIN
from analyzer.schema import Rows
from analyzer.tables import FLOWS

FIRST_TIMER_NS = 1_000_000_000  # RFC 6298 section 2.1
SHORTEST_TIMER_NS = 200_000_000  # TCP_RTO_MIN of Linux, on top of the round trip
LONG_CLOSED_NS = 1_000_000_000  # a window that was closed for less may yet be opened, or be probed
LONG = np.uint64(np.iinfo(np.int64).max)
UNPROBED, PROBED, UNANSWERED, INVALID_PROBES = (
    FLOWS.bit("client_window_closed", word) for word in ("unprobed", "probed", "unanswered", "invalid_probes")
)


def still_opening(
    states: Rows, places: npt.NDArray[np.intp], latest_ns: int, peers: Rows, damage_counts: bool
) -> npt.NDArray[np.bool_]:
    """Of the flows at `places`, those of whose handshake so little was captured that nobody can tell how it went on.

    Where only the server was captured, and it did not repeat its SYN-ACK, it may well have been answered.
    After the first SYN, or the first SYN-ACK, a retransmission timeout must have been captured. Where a handshake between
    the two addresses is known, it is the one that RFC 6298 computes from its time, else the first. Where there are two SYNs
    and no such handshake, the second may have been answered, too, unless the first timeout was captured after it.
    Nobody answers SYNs with impossible flags, or (if `damage_counts`) with a wrong checksum of the IPv4 header.
    """
    found = np.zeros(len(places), np.bool_)
    seen = states["seen"][places].astype(np.int64)
    waits = (seen & (SYN | SYN_ACK) != 0) & (seen & (ACKED | FIN | FIN << 1 | RST | RST << 1 | SUCCEEDED) == 0)
    which = np.flatnonzero(waits)
    if not len(which):
        return found
    places, seen = places[which], seen[which]
    pair = states["pair"][places]
    slot = (pair & np.uint64(PEERS - 1)).astype(np.intp)
    rtt, known_pair = peers["rtt_ns"][slot], peers["pair"][slot] == pair
    known = np.maximum(rtt + SHORTEST_TIMER_NS, 3 * np.minimum(rtt, 1 << 60))
    timer = np.where(known_pair, known, FIRST_TIMER_NS)
    client = states["client"][places].astype(np.intp)
    unheard = (states["packets"][places, client] == 0) & (seen & SYN_AGAIN == 0)
    early = unheard | (_since(states["waits_ns"][places], latest_ns) < timer)
    alone = seen & (SYN | SYN_ACK) == SYN
    packets = states["packets"][places]
    twice = (
        alone & (seen & SYN_AGAIN != 0) & (packets.sum(axis=1) == 2) & (packets[np.arange(len(places)), client] == 2)
    )
    early |= twice & ~known_pair & (_since(states["syn_ns"][places], latest_ns) < FIRST_TIMER_NS)
    early |= alone & (seen & (IMPOSSIBLE | (DAMAGED if damage_counts else 0)) != 0)
    found[which] = early
    return found


def closed_for_ns(states: Rows, me: Rows, latest_ns: int) -> npt.NDArray[np.int64]:
    """How long the window of this end of each flow has been closed, up to the end of connection or capture; 0 if it is open."""
    seen = states["seen"].astype(np.int64)
    both = FIN | FIN << 1
    over = (seen & both == both) | (seen & (RST | RST << 1 | SUCCEEDED) != 0)
    until = np.where(over, states["end_ns"], latest_ns)
    return np.where(me["zero_frame"] > 0, np.maximum(until - me["zero_since_ns"], 0), 0)


def closed_how(me: Rows, other: Rows) -> Any:
    """The word of `window_closed` for this end of each flow, as its number: what the other end did about it."""
    since = me["zero_since_ns"] + me["rtt_min_ns"] + other["rtt_min_ns"]  # what was sent before it knew is no probe
    last = np.maximum(other["sent_ns"], other["probe_ns"])
    vain = other["void_probes"] >= IN_VAIN
    conditions = [me["zero_frame"] == 0, (last > since) & (me["last_ns"] < last), last > since, vain]
    return first_of(conditions, [0, UNANSWERED, PROBED, INVALID_PROBES], UNPROBED)


def _since(then_ns: npt.NDArray[np.int64], now_ns: int) -> npt.NDArray[np.int64]:
    """From then to now, which is not before; what int64 cannot hold is the most it can."""
    elapsed: npt.NDArray[np.uint64] = np.uint64(now_ns % (1 << 64)) - then_ns.astype(np.uint64)
    return np.minimum(elapsed, LONG).astype(np.int64)
