"""Compiled: the cause of the time between two frames of a connection, by what was left behind before it and what ended it."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.moment import (
    AT_ONCE_NS,
    BOTH,
    FLIGHT,
    FULL,
    IN_FAST,
    IN_LOSS,
    IS_AGAIN,
    LATER_ID,
    LIMITED,
    NEXT_ID,
    OF_ACK,
    OF_AGAIN,
    OF_DATA,
    OF_KEEP_ALIVE,
    OF_SYN,
    SHORT,
    UNSCALED,
    ZERO,
)
from analyzer.flows.time_state import FINISHED, KEPT, LAST, OPENING, OVER, TICK, TURNED, UNNUMBERED
from analyzer.tables import TIME_CAUSES

(
    HANDSHAKE,
    THINK,  # of the low end; that of the high end is the next
    _,
    IDLE,
    TRANSFER,
    ROUND_TRIP,
    RECEIVE_WINDOW,
    ZERO_WINDOW,
    DELAYED_ACK,
    LOSS_FAST,
    LOSS_TIMEOUT,
    SENDER_STALL,
    CLOSING,
    UNKNOWN,
) = range(len(TIME_CAUSES))

JITTER_NS = 2_000_000
IDLE_NS = 10_000_000_000  # a client that is silent for so long does not think
LONG_NS = 1_000_000_000  # who closes after so long has waited for the answer, or for more to say
STALL_NS = 50_000_000  # behind full segments only a pause so long is the sender's
TIMER_NS = 180_000_000  # as in the judgement of losses
PACES = 8  # and so many times as long as it took between the segments before
ACK_DELAY_NS = 20_000_000  # an ACK so late was delayed on purpose; RFC 1122 section 4.2.3.2 allows 500 ms
LONGEST_DELAY_NS = 520_000_000
REQUEST = 65536  # bytes: nobody need answer more, unless it has answered before

WRAPPED = (1 << 32) - 1
KEEP, AT_ONCE, ALL, LATE = range(4)  # what becomes of the time that is pending: see `settle`
ANY_FLIGHT, ANY_LIMITED, ANY_ZERO, ANY_FAST, ANY_LOSS = (3 * bit for bit in (FLIGHT, LIMITED, ZERO, IN_FAST, IN_LOSS))


@inline
def silent(me: Any) -> Any:
    """Is nothing under way, and nothing to be repaired?"""
    return not np.int64(me["bits"]) & (ANY_FLIGHT | ANY_ZERO) and not np.int64(me["flags"]) & (
        OPENING | OVER | FINISHED
    )


@inline
def limited(bits: Int, end: Int, otherwise: Int) -> Int:
    """RECEIVE_WINDOW where that keeps this end from sending, UNKNOWN where it perhaps does."""
    if bits & LIMITED << end:
        return np.int64(RECEIVE_WINDOW)
    return np.int64(UNKNOWN if bits & UNSCALED << end else otherwise)


@inline
def waiting(moment: Any, bits: Int, end: Int, gap: Int) -> Int:
    """Why this end, which has something in flight, does not send more."""
    trip = max(np.int64(moment["srtt_ns"][end]), np.int64(moment["rtt_ns"][end]))
    return limited(bits, end, TRANSFER if 4 * gap < trip else ROUND_TRIP)


@inline
def lost_before(moment: Any, me: Any, gap: Int, end: Int) -> Any:
    """Do the IPv4 IDs of a far end, which have counted its packets so far, tell of some that a timer has sent again?"""
    far = np.int64(moment["rtt_ns"][1 - end]) >= AT_ONCE_NS
    counted = not np.int64(me["flags"]) & UNNUMBERED << end
    return far and counted and gap >= TIMER_NS and np.int64(moment["bits"]) & LATER_ID


@inline
def owes(me: Any, client: Int) -> Any:
    """Does the server owe an answer: did the client talk last, and not just deliver something?"""
    asked = me["talker"] == 1 + client
    return asked and (np.int64(me["flags"]) & TURNED << (1 - client) or np.int64(me["turn_bytes"]) <= REQUEST)


@inline
def thinking(me: Any, end: Int, client: Int, gap: Int) -> Int:
    """The cause of a silence that this end has ended by talking, or by closing."""
    if end == client and (gap >= IDLE_NS or np.int64(me["flags"]) & KEPT):
        return np.int64(IDLE)
    return np.int64(THINK) + end


@inline
def goes_on(moment: Any, me: Any) -> Any:
    """Does the talker say more at once, while nothing else is the matter? That is most frames; `explain` would say the same of them."""
    bits, after = np.int64(me["bits"]), np.int64(moment["bits"])
    mine = moment["kind"] == OF_DATA and me["talker"] == 1 + np.int64(moment["end"])
    plain = after & (BOTH | IS_AGAIN | FULL) == BOTH and not bits & (ANY_ZERO | ANY_LOSS | ANY_FAST)
    return mine and plain and not np.int64(me["flags"]) & (OVER | OPENING)


@inline
def at_once() -> tuple[Int, Int, Int, Int]:
    """What `explain` returns then."""
    return np.int64(0), np.int64(0), np.int64(TRANSFER), np.int64(AT_ONCE)


@inline
def explain(moment: Any, me: Any, gap: Int) -> tuple[Int, Int, Int, Int]:
    """Cause of the first part of the time before a frame, how long that part is, the cause of the rest, and what becomes of what is pending."""
    bits, flags, kind = np.int64(me["bits"]), np.int64(me["flags"]), np.int64(moment["kind"])
    after, end = np.int64(moment["bits"]), np.int64(moment["end"])
    other = 1 - end
    zero = np.int64(0)
    client = end if moment["direction"] == 0 else other
    talks = kind == OF_DATA or kind == OF_AGAIN
    if flags & OVER:
        return zero, zero, np.int64(CLOSING), np.int64(LATE)
    if flags & OPENING:
        return zero, zero, np.int64(HANDSHAKE), np.int64(KEEP)
    if not after & BOTH:
        return zero, zero, np.int64(UNKNOWN), np.int64(ALL)
    if bits & ANY_ZERO:
        return zero, zero, np.int64(ZERO_WINDOW), np.int64(KEEP)
    if flags & FINISHED and not bits & ANY_FLIGHT and not talks:
        return zero, zero, np.int64(CLOSING), np.int64(LATE)
    if bits & ANY_LOSS or (after & IS_AGAIN and after & ANY_LOSS):
        probed = (
            gap < TIMER_NS and bits & ANY_LIMITED
        )  # nothing else may be sent; no timer is so short, but that of a probe
        return zero, zero, np.int64(RECEIVE_WINDOW if probed else LOSS_TIMEOUT), np.int64(KEEP)
    if bits & ANY_FAST or (after & IS_AGAIN and after & ANY_FAST):
        return zero, zero, np.int64(LOSS_FAST), np.int64(KEEP)
    if after & IS_AGAIN and gap >= AT_ONCE_NS:
        return zero, zero, np.int64(UNKNOWN), np.int64(ALL)
    if gap < AT_ONCE_NS or not after & FULL:
        if talks:
            mine = me["talker"] == 1 + end
            return zero, zero, np.int64(TRANSFER if mine else THINK + end), np.int64(AT_ONCE if mine else LATE)
        if bits & ANY_FLIGHT:
            return zero, zero, limited(bits, other if bits & FLIGHT << other else end, TRANSFER), np.int64(KEEP)
    if talks and me["talker"] == 1 + end:
        return going_on(moment, me, gap, end)
    if talks and bits & FLIGHT << other:  # it answers before its kernel has acknowledged
        before = np.int64(moment["since_ns"]) - gap
        trip = min(max(np.int64(moment["rtt_ns"][other]) - before, 0), gap)
        return waiting(moment, bits, other, trip), trip, np.int64(THINK) + end, np.int64(LATE)
    if talks:
        trip = zero
        if lost_before(moment, me, gap, end):
            return zero, zero, np.int64(LOSS_TIMEOUT), np.int64(LATE)
        if not me["talker"] and (1 if flags & LAST else 0) == other:  # the way there and back
            trip = min(gap, np.int64(moment["rtt_ns"][other]))
        return np.int64(ROUND_TRIP), trip, thinking(me, end, client, gap - trip), np.int64(LATE)
    if bits & ANY_FLIGHT:
        sender = other if bits & FLIGHT << other else end
        return zero, zero, waiting(moment, bits, sender, gap), np.int64(KEEP)
    if kind == OF_KEEP_ALIVE:
        cause = np.int64(IDLE)
        if owes(me, client) and flags & TURNED << (1 - client):
            cause = np.int64(THINK) + 1 - client
        return zero, zero, cause, np.int64(ALL)
    if kind == OF_ACK or kind == OF_SYN:  # of something that was not captured
        return zero, zero, np.int64(UNKNOWN) if gap >= AT_ONCE_NS else np.int64(TRANSFER), np.int64(KEEP)
    if lost_before(moment, me, gap, end):
        return zero, zero, np.int64(CLOSING), np.int64(LATE)
    return zero, zero, before_end(me, end, client, gap), np.int64(LATE)


@inline
def before_end(me: Any, end: Int, client: Int, gap: Int) -> Int:
    """The cause of a silence that this end has ended by closing: it had its turn, or no more to say, or it gives up."""
    if me["talker"] != 1 + end:
        return thinking(me, end, client, gap)
    answered = np.int64(me["flags"]) & TURNED << (1 - client)
    if end == client and owes(me, client) and (answered or gap >= LONG_NS):
        return np.int64(THINK) + 1 - client
    return np.int64(IDLE) if gap >= LONG_NS else np.int64(THINK) + end


@inline
def ticks(time_ns: Int) -> Int:
    """A time as a number of 32 bits, in 65.536 us."""
    return time_ns >> TICK & WRAPPED


@inline
def window_full(moment: Any, me: Any, end: Int) -> Any:
    """Did a far end send in a round trip about as much as it may? Here its segments are acknowledged when they come."""
    window, segment = np.int64(moment["window"][1 - end]), np.int64(moment["segment"][end])
    sent = max(np.int64(me["round_bytes"][0]), np.int64(me["round_bytes"][1]))
    return sent >= min(window - segment, window - (window >> 3))


@inline
def going_on(moment: Any, me: Any, gap: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """The end that talked last goes on: at once, when ACKs have reached it, or after a pause of its own."""
    zero = np.int64(0)
    other = 1 - end
    near: Int = np.int64(moment["rtt_ns"][other])  # from here to it and back
    bits = np.int64(me["bits"])
    if bits & LIMITED << end:
        return zero, zero, np.int64(RECEIVE_WINDOW), np.int64(AT_ONCE)
    longest = near + (near >> 2) + JITTER_NS + min(near, JITTER_NS)
    if near >= AT_ONCE_NS and gap <= longest and window_full(moment, me, end):
        return zero, zero, np.int64(UNKNOWN if bits & UNSCALED << end else RECEIVE_WINDOW), np.int64(AT_ONCE)
    pace = np.int64(me["pace_ns"])
    if 2 * gap < near and 2 * gap <= 3 * pace:  # one segment after the other, as the link carries them
        return zero, zero, np.int64(TRANSFER), np.int64(AT_ONCE)
    if me["acked"] and near:
        elapsed = ticks(gap + np.int64(me["upto_ns"])) - np.int64(me["acked"]) & WRAPPED
        elapsed <<= TICK
        if elapsed < near - (near >> 2):
            return zero, zero, np.int64(TRANSFER), np.int64(AT_ONCE)
        if elapsed <= longest + (np.int64(me["pending_ns"]) >> 2):  # beside a late ACK the way's jitter is small
            return zero, zero, np.int64(ROUND_TRIP), np.int64(AT_ONCE)
    if lost_before(moment, me, gap, end):
        return zero, zero, np.int64(LOSS_TIMEOUT), np.int64(AT_ONCE)
    if not bits & SHORT and (gap < STALL_NS or gap <= PACES * pace):
        return zero, zero, np.int64(TRANSFER), np.int64(AT_ONCE)
    numbered = np.int64(moment["bits"]) & NEXT_ID
    lost = near >= AT_ONCE_NS and gap >= min(TIMER_NS, 2 * near) and not numbered and not bits & SHORT
    if lost or (not near and not bits & FLIGHT << end):  # before the capture, perhaps; or it has waited for ACKs
        return zero, zero, np.int64(UNKNOWN), np.int64(ALL)
    if gap >= IDLE_NS or np.int64(me["flags"]) & KEPT:
        return zero, zero, np.int64(IDLE), np.int64(ALL)
    return zero, zero, np.int64(SENDER_STALL), np.int64(ALL)
