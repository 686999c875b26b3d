"""Compiled prediction of a TCP segment: every family that keeps something of the connection sees it, in this order."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, group_of, kernel, part, rows_of
from analyzer.decode.codes import O_MPTCP
from analyzer.prediction.arrival.answer_kernel import answer_due, answer_sent
from analyzer.prediction.arrival.arrival_kernel import arrival_received, arrival_sent
from analyzer.prediction.arrival.ranges_kernel import forget as forget_ranges
from analyzer.prediction.closing.closing_kernel import closing_received, closing_sent
from analyzer.prediction.delivery.delivery_kernel import delivery_received, delivery_sent
from analyzer.prediction.delivery.queue_kernel import forget as forget_pieces
from analyzer.prediction.mptcp.mptcp_kernel import mptcp_received, mptcp_sent
from analyzer.prediction.opening.opening_kernel import opening_received, opening_sent
from analyzer.prediction.opening.silence_kernel import opening_over, syn_over
from analyzer.prediction.recovery.queue_kernel import forget as forget_segments
from analyzer.prediction.recovery.recovery_kernel import recovery_received, recovery_sent
from analyzer.prediction.state import ESTABLISHED, INCREMENT, STATES, States
from analyzer.prediction.tcp_kernel import stage, tcp_received, tcp_sent
from analyzer.prediction.validity.socket_kernel import inherit
from analyzer.prediction.validity.validity_kernel import validity_received, validity_sent
from analyzer.prediction.world import WORLD, World
from analyzer.tables import PACKETS

ROOM = 256  # more increments than one frame can make


@part
def segment_received(
    row: Any, right: Any, states: Any, world: Any, events: Any, first: Int, stop: Int, out: Any, used: Any
) -> None:
    """A segment to the host; those that keep a connection do not see what a wrong checksum dropped."""
    place, side = row["place"], 1 - np.int64(row["direction"])
    talk, validity = states.talks[place], states.validity[place]
    if not right:
        tcp_received(row, talk, False, out, used)
        return
    before, was = stage(talk, side), validity["state"][side]
    accepted = validity_received(row, validity, out, used)
    tcp_received(row, talk, accepted, out, used)
    opening_received(row, states.opening[place], world.ports, was, validity["state"][side], out, used)
    delivery_received(row, states.delivery[place], before, states.pieces, out, used)
    found = arrival_received(row, talk, states.arrivals[place], states.ranges, before, out, used)
    answer_due(row, talk, states.arrivals[place], found, out, used)
    closing_received(row, talk, states.closings[place], before, world, out, used)
    if before != ESTABLISHED or row["options"] & O_MPTCP:
        mptcp_received(row, talk, states.mptcps[place], before, out, used)
    ends = states.recovery[place]["ends"]
    recovery_received(row, talk, ends, before, events, first, stop, world.segments, out, used)


@part
def segment_sent(
    row: Any, segments: Int, states: Any, world: Any, events: Any, first: Int, stop: Int, out: Any, used: Any
) -> None:
    """A segment from the host."""
    place, side = row["place"], np.int64(row["direction"])
    talk, validity = states.talks[place], states.validity[place]
    before, was = stage(talk, side), validity["state"][side]
    validity_sent(row, validity, out, used)
    tcp_sent(row, talk, segments, out, used)
    opening_sent(row, states.opening[place], world.ports, was, validity["irs"][side], out, used)
    answer_sent(row, talk, states.arrivals[place], out, used)
    arrival_sent(row, talk, states.arrivals[place], states.ranges, before, events, first, stop, out, used)
    closing_sent(row, talk, states.closings[place], before, world, events, first, stop, out, used)
    if before != ESTABLISHED or row["options"] & O_MPTCP:
        mptcp_sent(row, states.mptcps[place], before, out, used)
    ends = states.recovery[place]["ends"]
    expiries = np.int64(ends[side]["expiries"])
    recovery_sent(row, talk, ends, before, segments, events, first, stop, world.segments, out, used)
    expired = ends[side]["expiries"] > expiries
    own, pieces = states.delivery[place], states.pieces
    delivery_sent(row, own, before, segments, expired, events, first, stop, pieces, out, used)


@kernel(
    states=group_of(States, STATES),
    world=group_of(World, WORLD),
    at=INT,
    now_ns=INT,
    blank_rows=rows_of(PACKETS.dtype),
    out=rows_of(INCREMENT),
    used=rows_of(np.int64),
)
def settle(states: Any, world: Any, at: Int, now_ns: Int, blank_rows: Any, out: Any, used: Any) -> Int:
    """Add what the silence until `now_ns` meant, until `out` is full: where to go on.

    All places are looked at twice: whether a listener drops SYNs decides what its SYN-ACKs may have been.
    """
    row, places = blank_rows[0], len(states.talks)
    row["time_ns"] = now_ns
    while at < 2 * places and used[0] + ROOM <= len(out):
        place = at if at < places else at - places
        row["flow"] = states.talks[place]["flow"]
        if row["flow"] >= 0:
            if at < places:
                syn_over(row, states.opening[place], world.ports, out, used)
            else:
                opening_over(row, states.opening[place], world.ports, now_ns, out, used)
        at += 1
    return at


@part
def begin(states: Any, world: Any, blanks: Any, row: Any, out: Any, used: Any) -> None:
    """A place gets another flow: forget whose it was."""
    place = row["place"]
    if states.talks[place]["flow"] >= 0:
        syn_over(row, states.opening[place], world.ports, out, used)
        opening_over(row, states.opening[place], world.ports, row["time_ns"], out, used)
    for side in range(2):
        forget_segments(states.recovery[place]["ends"][side], world.segments)
        forget_pieces(states.pieces, states.delivery[place], side)
        forget_ranges(states.ranges, states.arrivals[place], side)
    states.talks[place] = blanks.talks[0]
    states.talks[place]["flow"] = row["flow"]
    states.opening[place] = blanks.opening[0]
    states.delivery[place] = blanks.delivery[0]
    states.arrivals[place] = blanks.arrivals[0]
    states.closings[place] = blanks.closings[0]
    states.mptcps[place] = blanks.mptcps[0]
    states.recovery[place] = blanks.recovery[0]
    inherit(row, states, world, blanks)
