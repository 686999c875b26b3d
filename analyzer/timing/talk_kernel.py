"""Compiled: whose turn it is, how long answers take and how large they are, and how the sender's pace is."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.accelerate.top_bit import top_bit
from analyzer.flows.moment import AT_ONCE_NS, OF_DATA, OPENED, SHORT, ZERO
from analyzer.flows.time_state import (
    FIRST_BYTE,
    IN_FLIGHT,
    KEPT,
    LAST_BYTE,
    MANY,
    SEGMENTS,
    SIZE,
    TALK_BINS,
    TICK,
    TURNED,
)
from analyzer.timing.gap_kernel import PACES, STALL_NS, WRAPPED, ticks

MOST = (1 << 32) - 1
FULL_BIN = (1 << 16) - 1
SECOND_NS = 1_000_000_000
BEYOND = 1 << 40  # of the last bin
MILLION, FIRST_THIRD, SECOND_THIRD = 1_000_000, 1_259_921, 1_587_401  # 2 ** (1 / 3) and 2 ** (2 / 3) of a million
TIMES_FROM, SIZES_FROM = 15, 6  # the first bin ends there, as a power of two: 32 us, and 64 bytes


@inline
def bin_of(value: Int, first: Int) -> Int:
    """Three bins to a doubling, from 2**first on."""
    if value < 1 << first:
        return np.int64(0)
    value = min(value, BEYOND)
    power = top_bit(value)
    third = (value * MILLION >= FIRST_THIRD << power) + np.int64(value * MILLION >= SECOND_THIRD << power)
    return min(3 * (power - first) + third, np.int64(TALK_BINS - 1))


@part
def sample(talk: Any, kind: Int, end: Int, value: Int) -> None:
    """One value of a distribution; where a bin is full, all are halved."""
    which = 2 * kind + end
    talk["most"][which] = max(talk["most"][which], value)
    base = which * TALK_BINS
    at = base + bin_of(value, TIMES_FROM if kind <= LAST_BYTE else SIZES_FROM)
    if talk["bins"][at] == FULL_BIN:
        for i in range(base, base + TALK_BINS):
            talk["bins"][i] >>= 1
    talk["bins"][at] += 1


@inline
def talking(row: Any, moment: Any, me: Any, talks: Any, used: Any, free: Any, gap: Int) -> None:
    """A segment of data: a new turn, or more of one."""
    end, length = np.int64(moment["end"]), np.int64(moment["length"])
    if moment["kind"] == OF_DATA:
        if me["talker"] != 1 + end:
            if me["talker"]:
                answering(row, moment, me, talks, used, free)
            me["talker"], me["turn_bytes"], me["acked"], me["pace_ns"] = 1 + end, 0, 0, 0
            me["round_bytes"][0] = me["round_bytes"][1] = 0
        elif gap >= max(AT_ONCE_NS, np.int64(moment["rtt_ns"][1 - end]) >> 2):
            me["acked"] = 0
        in_rounds(moment, me, end, length, gap)
        me["flags"] = np.int64(me["flags"]) & (0xFFFF ^ KEPT)
        me["turn_bytes"] = min(np.int64(me["turn_bytes"]) + length, MOST)
        if gap < STALL_NS and not np.int64(moment["bits"]) & SHORT:
            pace: Int = np.int64(me["pace_ns"])
            me["pace_ns"] = pace + ((min(gap, PACES * pace + AT_ONCE_NS) - pace) >> 3) if pace else gap
        unit = SEGMENTS << 3 * end
        if np.int64(me["flags"]) & MANY * unit != MANY * unit:
            me["flags"] = np.int64(me["flags"]) + unit
        elif not me["details"]:
            begin_details(me, talks, used, free)
        if me["details"]:
            sample(talks[np.int64(me["details"]) - 1], IN_FLIGHT, end, np.int64(moment["flight"][end]))
    passed = np.int64(moment["time_ns"]) - np.int64(me["second"]) * SECOND_NS
    if passed < 0 or passed >= SECOND_NS:
        for i in range(2):
            me["busiest_bytes"][i] = max(np.int64(me["busiest_bytes"][i]), np.int64(me["second_bytes"][i]))
            me["second_bytes"][i] = 0
        me["second"] = np.int64(moment["time_ns"]) // SECOND_NS & MOST
    me["second_bytes"][end] = min(np.int64(me["second_bytes"][end]) + length, MOST)


@inline
def in_rounds(moment: Any, me: Any, end: Int, length: Int, gap: Int) -> None:
    """How much the talker sends in a round trip between here and it; one that it waited for most of ends with the wait."""
    now, near = ticks(np.int64(moment["time_ns"])), np.int64(moment["rtt_ns"][1 - end]) >> TICK
    elapsed = now - np.int64(me["round"]) & WRAPPED
    if me["round_bytes"][0] == 0 or elapsed >= max(near, 1) or 4 * (gap >> TICK) >= max(3 * near, 1):
        me["round_bytes"][1] = me["round_bytes"][0] if elapsed < 4 * near else 0
        me["round_bytes"][0], me["round"] = 0, now
    me["round_bytes"][0] = min(np.int64(me["round_bytes"][0]) + length, MOST)


@inline
def acknowledged(moment: Any, me: Any) -> None:
    """The first ACK of the burst, or a window that opens, lets the talker go on."""
    end = np.int64(moment["end"])
    news = moment["advanced"] > 0 or np.int64(moment["bits"]) & OPENED
    reopened = np.int64(me["bits"]) & ~np.int64(moment["bits"]) & ZERO << end
    if me["talker"] == 2 - end and (reopened or (news and me["acked"] == 0)):
        me["acked"] = ticks(np.int64(moment["time_ns"]))


@part
def begin_details(me: Any, talks: Any, used: Any, free: Any) -> None:
    """Distributions from here on; of the only answer so far, what was remembered."""
    if used[1] > 0:
        used[1] -= 1
        place = np.int64(free[used[1]])
    else:
        place = used[0]
        used[0] += 1
    me["details"] = 1 + place
    talk = talks[place]
    for i in range(len(talk["bins"])):
        talk["bins"][i] = 0
    for i in range(len(talk["most"])):
        talk["most"][i] = 0
    for i in range(2):
        talk["answers"][i] = talk["frame"][i] = 0
    if me["talker"] and np.int64(me["flags"]) & TURNED << (np.int64(me["talker"]) - 1):
        end = np.int64(me["talker"]) - 1
        talk["answers"][end], talk["frame"][end] = 1, me["first_byte_frame"]
        sample(talk, FIRST_BYTE, end, np.int64(me["first_byte_ns"]))


@part
def answering(row: Any, moment: Any, me: Any, talks: Any, used: Any, free: Any) -> None:
    """The other end begins: its answer to what was said before."""
    end = np.int64(moment["end"])
    since: Int = max(np.int64(moment["since_ns"]), 0)
    other = 1 - end
    flags = np.int64(me["flags"])
    if flags & 3 * TURNED and not me["details"]:
        begin_details(me, talks, used, free)
    asked_ns = np.int64(moment["time_ns"]) - since
    if me["details"]:
        talk = talks[np.int64(me["details"]) - 1]
        if flags & TURNED << other:
            sample(talk, SIZE, other, np.int64(me["turn_bytes"]))
            sample(talk, LAST_BYTE, other, max(asked_ns - np.int64(me["asked_ns"]), 0))
        talk["answers"][end] += 1
        if talk["answers"][end] == 1 or since > talk["most"][2 * FIRST_BYTE + end]:
            talk["frame"][end] = row["frame"]
        sample(talk, FIRST_BYTE, end, since)
    else:
        me["first_byte_ns"], me["first_byte_frame"] = since, row["frame"]
    me["asked_ns"] = asked_ns
    me["flags"] = np.int64(me["flags"]) | TURNED << end
