"""Compiled: time is put down to its cause, with the frames that prove it; or waits until the next frames tell what it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.flows.moment import AT_ONCE_NS, BOTH, FLIGHT, FULL, IN_FAST, IN_LOSS, LIMITED, ZERO
from analyzer.flows.time_state import OPENING, OVER, SPENT
from analyzer.timing.gap_kernel import (
    ACK_DELAY_NS,
    ALL,
    ANY_FAST,
    ANY_LOSS,
    ANY_ZERO,
    AT_ONCE,
    DELAYED_ACK,
    KEEP,
    LONGEST_DELAY_NS,
    LOSS_FAST,
    LOSS_TIMEOUT,
    ROUND_TRIP,
    THINK,
    ZERO_WINDOW,
    limited,
)

MOST = (1 << 32) - 1


@inline
def spend(row: Any, moment: Any, me: Any, notes: Any, out: Any, used: Any, cause: Int, from_ns: Int, ns: Int) -> None:
    """So much time went to this cause, before the frame at hand; `out` has room for it, or is empty."""
    if ns > 0 and len(out):
        stretch = out[used[2]]
        used[2] += 1
        stretch["flow"], stretch["place"] = moment["flow"], moment["place"]
        stretch["from_ns"], stretch["ns"], stretch["cause"] = from_ns, ns, named(moment, cause)
    if cause < SPENT and ns > 0:
        me["spent_ns"][cause] += ns
        if ns >= AT_ONCE_NS:
            note(row, moment, me, notes, cause, ns)


@inline
def named(moment: Any, cause: Int) -> Int:
    """The cause as a number of TIME_CAUSES: the thinking of an end is that of the client or the server."""
    if (cause == THINK or cause == THINK + 1) and moment["end"] != moment["direction"]:
        return 2 * THINK + 1 - cause
    return cause


@part
def note(row: Any, moment: Any, me: Any, notes: Any, cause: Int, ns: Int) -> None:
    """The frame ended a stretch that is worth remembering, if the connection has lost more than who has its place."""
    place = notes[np.int64(me["note"])]
    total = np.int64(me["spent_ns"][cause])
    if place["flow"] != moment["flow"] + 1:
        if total <= place["weight"]:
            return
        place["flow"], place["weight"], place["partial"] = moment["flow"] + 1, 0, 0
        for i in range(SPENT):
            if np.int64(me["spent_ns"][i]) - (ns if i == cause else 0) >= AT_ONCE_NS:
                place["partial"] = 1
        for i in range(2 * SPENT):
            place["count"][i] = place["ns"][i] = place["first"][i] = place["most_ns"][i] = place["most"][i] = 0
    place["weight"] = max(place["weight"], total)
    at = SPENT * whose(moment, me, cause) + cause
    if place["count"][at] == 0:
        place["first"][at] = row["frame"]
    place["count"][at] += 1
    place["ns"][at] += ns
    if ns > place["most_ns"][at]:
        place["most_ns"][at], place["most"][at] = ns, row["frame"]


@inline
def whose(moment: Any, me: Any, cause: Int) -> Int:
    """The end that waited, or was silent: 0 low, 1 high."""
    bits = np.int64(me["bits"]) | np.int64(moment["bits"])
    end = np.int64(moment["end"])
    if cause == THINK or cause == THINK + 1:
        return cause - THINK
    if cause == DELAYED_ACK:
        return end  # it goes on now
    low, high = np.int64(0), np.int64(0)
    if cause == LOSS_TIMEOUT or cause == LOSS_FAST:
        low, high = bits & (IN_LOSS | IN_FAST), bits & (IN_LOSS | IN_FAST) << 1
        if not low and not high:
            return end  # what it had sent before was not captured
    elif cause == ZERO_WINDOW:
        low, high = bits & ZERO << 1, bits & ZERO
    if low and not high:
        return np.int64(0)
    if high and not low:
        return np.int64(1)
    return max(np.int64(me["talker"]) - 1, 0)


@inline
def settle(row: Any, moment: Any, me: Any, notes: Any, out: Any, used: Any, how: Int) -> Int:
    """What is pending: its sender went on at once, so it had waited; or not (ALL); or the answer tells what was late (LATE).

    Returns how much of it, up to now, has the cause of what follows.
    """
    trip, late = np.int64(me["pending_trip_ns"]), np.int64(me["pending_ns"])
    if how == KEEP or not (trip or late):
        return np.int64(0)
    me["pending_trip_ns"] = me["pending_ns"] = 0
    if how == ALL:
        return trip + late
    upto_ns = np.int64(me["upto_ns"])
    spend(row, moment, me, notes, out, used, np.int64(me["waits"]), upto_ns - late - trip, trip)
    if how != AT_ONCE:
        return late
    spend(row, moment, me, notes, out, used, np.int64(DELAYED_ACK), upto_ns - late, late)
    return np.int64(0)


@inline
def suspend(row: Any, moment: Any, me: Any, notes: Any, out: Any, used: Any, gap: Int) -> None:
    """All that the other end sent is acknowledged now: whether it waited for that shows in what it does next."""
    other = 1 - np.int64(moment["end"])
    bits = np.int64(me["bits"])
    me["waits"] = limited(bits, other, ROUND_TRIP)
    if gap < AT_ONCE_NS or not np.int64(moment["bits"]) & FULL:
        me["pending_trip_ns"] = min(np.int64(me["pending_trip_ns"]) + gap, MOST)
        return
    before = np.int64(moment["since_ns"]) - gap
    trip = min(max(np.int64(moment["rtt_ns"][other]) - before, 0), gap)
    late = gap - trip
    few = np.int64(moment["advanced"]) <= 2 * np.int64(moment["segment"][other])
    if late < ACK_DELAY_NS or late > LONGEST_DELAY_NS or not few or bits & LIMITED << other:
        trip, late = gap, np.int64(0)
    pending = np.int64(me["pending_trip_ns"]) + trip
    if pending > MOST:
        spend(row, moment, me, notes, out, used, np.int64(me["waits"]), np.int64(me["upto_ns"]), pending - MOST)
        pending = np.int64(MOST)
    me["pending_trip_ns"] = pending
    me["pending_ns"] = min(np.int64(me["pending_ns"]) + late, MOST)  # an ACK is late by half a second at most


@inline
def all_acknowledged(moment: Any, me: Any) -> Any:
    """Does the frame acknowledge the last that the other end had in flight, while nothing hindered that end?"""
    bits, after, flying = np.int64(me["bits"]), np.int64(moment["bits"]), FLIGHT << (1 - np.int64(moment["end"]))
    hindered = bits & (ANY_ZERO | ANY_FAST | ANY_LOSS) or np.int64(me["flags"]) & (OPENING | OVER) or not after & BOTH
    return bits & flying and moment["advanced"] > 0 and not after & flying and not hindered
