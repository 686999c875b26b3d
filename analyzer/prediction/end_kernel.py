"""Compiled: what the end of the capture makes certain of connections, and what may have happened after their last frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, group_of, in_library, inline, kernel, rows_of
from analyzer.prediction.names import NUMBER
from analyzer.prediction.sink import ROOM, SINK
from analyzer.prediction.state import CONNECTIONS, OPEN_HELD, OPEN_ORPHAN, OPEN_SYN, OPEN_TIMER, Connections
from analyzer.prediction.world import WORLD
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.prediction.delivery.prediction_kernel import widens
    from analyzer.prediction.emit_kernel import keep
    from analyzer.prediction.opening.silence_kernel import opening_over, syn_over
    from analyzer.prediction.rest_kernel import bring, has_room, holds, is_given_up, is_orphan

TIMEOUTS, ON_TIMEOUT = NUMBER["TcpExtTCPTimeouts"], NUMBER["TcpExtTCPAbortOnTimeout"]
ESTAB_RESETS, ATTEMPT_FAILS = NUMBER["TcpEstabResets"], NUMBER["TcpAttemptFails"]
TW = NUMBER["TcpExtTW"]


@kernel(
    at=INT,
    kept_=group_of(Connections, CONNECTIONS),
    world_=rows_of(WORLD),
    blank_rows=rows_of(PACKETS.dtype),
    out_=rows_of(SINK),
)
def settle(at: Int, kept_: Any, world_: Any, blank_rows: Any, out_: Any) -> Int:
    """Add what the silence since the last frames meant, until `out` is full: where to go on.

    All places are looked at twice: whether a listener drops SYNs decides what its SYN-ACKs may have been.
    """
    world, out, row, places = world_[0], out_[0], blank_rows[0], len(kept_.places)
    row["time_ns"] = world["end_ns"]
    while at < 2 * places and out["used"] + ROOM <= out["room"] and has_room(kept_.chunks):
        place = at if at < places else at - places
        at += 1
        if not may_be_open(place, OPEN_SYN if at <= places else OPEN_SYN | OPEN_HELD, kept_):
            continue
        one = kept_.hot[bring(place, kept_, world)]
        row["flow"] = kept_.places[place]["flow"]
        if at <= places:
            syn_over(row, one["opening"], world["ports"], out)
            continue
        opening_over(row, one["opening"], world["ports"], world["end_ns"], out)
        for side in range(2):
            if holds(one["delivery"], side):
                widens(row, one["delivery"], side, out)
    return at


@kernel(at=INT, kept_=group_of(Connections, CONNECTIONS), world_=rows_of(WORLD), out_=rows_of(SINK))
def late(at: Int, kept_: Any, world_: Any, out_: Any) -> Int:
    """Keep, as rows, what may have happened after a frame without leaving one, until `out` is full: where to go on.

    First, connections whose timer ran out last may have been given up: tcp_write_timeout() sends nothing then, but counts the timeout
    and the end of the connection. Then, one in FIN_WAIT_2 is a timewait socket already if its application has closed it (tcp_time_wait()).
    """
    world, out, places = world_[0], out_[0], len(kept_.places)
    while at < 2 * places and out["used"] + ROOM <= out["room"] and has_room(kept_.chunks):
        place = at if at < places else at - places
        at += 1
        if not may_be_open(place, OPEN_TIMER if at <= places else OPEN_ORPHAN, kept_):
            continue
        one, flow = kept_.hot[bring(place, kept_, world)], np.int64(kept_.places[place]["flow"])
        talk, closing = one["talk"], one["closing"]
        for side in range(2):
            if at > places:
                if is_orphan(one, side):
                    keep(flow, closing["acked_ns"][side], closing["acked_frame"][side], TW, 0, 0, 1, out)
            elif is_given_up(one, side):
                time_ns, frame = talk["timeout_ns"][side], talk["timeout_frame"][side]
                for counter in (TIMEOUTS, ON_TIMEOUT, ESTAB_RESETS if talk["established"][side] else ATTEMPT_FAILS):
                    keep(flow, time_ns, frame, counter, 0, 0, 1, out)
    return at


@inline
def may_be_open(place: Int, what: Int, kept: Any) -> Any:
    """Is it worth while to look at the connection of a place?"""
    here = kept.places[place]
    return here["at"] > 0 or (here["at"] < 0 and here["open"] & what != 0)
