"""Compiled: clocks that go back, those of the ends in their timestamps (RFC 7323) and that of the capture."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, rare
from analyzer.events.emit_kernel import FIN, RST, SYN, emit
from analyzer.flows.end_state import UNORDERED
from analyzer.flows.hash_kernel import mix
from analyzer.kinds import CAUSE, NUMBER
from analyzer.serial import difference as difference_python

difference = inline(difference_python)

REGRESSION, NEVER_SENT, PAWS, RECYCLE = (
    NUMBER[name] for name in ("tsval_regression", "tsecr_never_sent", "paws", "tw_recycle")
)
C_OLD_ACK, C_SEGMENT = CAUSE["old_ack"], CAUSE["segment"]
NEAR_IDS = 4096  # IPv4 IDs further apart do not come from one counter
PAWS_WINDOW = 1  # ticks that Linux forgives (TCP_PAWS_WINDOW)
TICK_NS = 1_000_000  # a millisecond: the tick of Linux and of most
EXCUSED_NS = 240_000_000  # 1.2 times the shortest retransmission timer, but for the RTT (tcp_disordered_ack_check())
PAWS_NS = 24 * 24 * 3600 * 1_000_000_000  # after which a timestamp may have wrapped (RFC 7323 section 5.5)
FASTEST_TICK_NS = 1000  # microseconds, as Linux counts with tcp_usec_ts; RFC 7323 allows a millisecond
SLACK_TICKS = 1000  # a capture's stamps may be late by that
SYN_TICKS = 130_000  # an earlier SYN, from before the capture, may have been sent so many milliseconds before
RECYCLE_NS = 60_000_000_000  # TCP_PAWS_MSL of Linux 4.11

CLOCKS = 8  # more clocks behind one address are not told apart
SAME_CLOCK = 1000  # ticks: two SYNs whose offsets from time differ by less have one clock
NO_CLOCK = -1
SOURCES = 1 << 12
SOURCE = np.dtype(
    [
        ("identity", "u8"),
        ("time_ns", "i8"),
        ("tsval", "u4"),
        ("count", "u4"),
        ("clock", "i8", (CLOCKS,)),
        ("connections", "u1", (CLOCKS,)),  # how many showed this clock, up to 2
        ("last", "i4"),  # the clock of the last SYN
    ],
    align=True,
)


@inline
def id_behind(seg: Any, me: Any) -> Any:
    """Is the IPv4 ID a little lower than the highest of this end? Then others have overtaken the packet.

    Not where its stream has shown that its IDs are in no order, such as those of a counter in the other byte order, of which
    a card that cuts segments counts up the wrong byte.
    """
    back = (seg["ip_id"] - np.int64(me["ip_id"]) + 0x8000 & 0xFFFF) - 0x8000
    return seg["ip_id"] and me["ip_id"] and -NEAR_IDS < back < 0 and me["unordered"] < UNORDERED


@inline
def was_sent_before(seg: Any, me: Any) -> Any:
    """Do its IPv4 ID and its TSval say that this segment was sent before one that was captured before it?"""
    older = seg["has_tsval"] and me["timestamps"] and difference(me["tsval"], seg["tsval"]) > 0
    return id_behind(seg, me) and (older or not seg["has_tsval"] or seg["tsval"] == me["tsval"])


@inline
def paws(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A TSval against the one that its receiver holds: would it be dropped?"""
    if not seg["has_tsval"] or not me["recent_known"] or seg["flags"] & (SYN | RST):
        return
    old = difference(me["recent"], seg["tsval"])
    if old <= PAWS_WINDOW or seg["time_ns"] - me["recent_ns"] > PAWS_NS:
        return
    pure = seg["length"] == 0 and not seg["flags"] & FIN
    excused = pure and seg["start"] == me["una"] and seg["has_ack"] and seg["ack"] == seg["una"]
    if excused and old * TICK_NS <= EXCUSED_NS + me["rtt_min_ns"] + you["rtt_min_ns"]:
        return
    cause = C_OLD_ACK if pure and seg["start"] < me["una"] else C_SEGMENT
    emit(seg, state, world, out, counts, PAWS, cause, 0, old)


@inline
def timestamps(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """TSval and TSecr of a segment, against what both ends sent before."""
    if not seg["has_tsval"] or seg["flags"] & RST:
        return
    tsval = seg["tsval"]
    if me["timestamps"]:
        back = difference(me["tsval"], tsval)
        old_ack = seg["has_ack"] and seg["ack"] < seg["una"]
        if back > 0 and not seg["late"] and not old_ack and not id_behind(seg, me):
            emit(seg, state, world, out, counts, REGRESSION, 0, 0, back)
    if seg["has_ack"] and you["timestamps"] and seg["tsecr"] and not you["missing_bytes"]:
        ahead = difference(seg["tsecr"], you["tsval"])
        before = difference(you["tsval_first"], seg["tsecr"])
        if ahead > 0:
            # An ACK that was not captured may have had it, if the clock could come so far.
            never = ahead > max(seg["time_ns"] - you["last_ns"], 0) // FASTEST_TICK_NS + SLACK_TICKS
        else:
            never = you["syns"] > 0 and before > SYN_TICKS
        if never:
            emit(seg, state, world, out, counts, NEVER_SENT, 0, 0, ahead)


@inline
def remember_timestamps(seg: Any, me: Any) -> None:
    """The clocks move on: the highest that was sent, and TS.Recent of the receiver (RFC 7323 section 4.3)."""
    if not seg["has_tsval"] or seg["flags"] & RST:
        return
    tsval = seg["tsval"]
    if not me["timestamps"]:
        me["timestamps"] = 1
        me["tsval"] = me["tsval_first"] = tsval
        me["clock_low_ns"] = -seg["time_ns"]
    elif difference(tsval, me["tsval"]) > 0:
        me["tsval"] = tsval
    ahead = difference(tsval, me["tsval_first"]) * TICK_NS - seg["time_ns"]
    me["clock_gain_ns"] = max(me["clock_gain_ns"], ahead - me["clock_low_ns"])
    me["clock_low_ns"] = min(me["clock_low_ns"], ahead)
    if not me["recent_known"] or (seg["start"] <= me["una"] and difference(tsval, me["recent"]) >= 0):
        me["recent_known"] = 1
        me["recent"], me["recent_ns"] = tsval, seg["time_ns"]


@rare
def recycling(row: Any, seg: Any, me: Any, state: Any, world: Any, out: Any, counts: Any, sources: Any) -> None:
    """A SYN against the last one of the same source address to the same destination."""
    if not seg["has_tsval"]:
        return
    identity = mix(row["src_hi"] ^ mix(row["src_lo"] ^ mix(row["dst_hi"] ^ mix(row["dst_lo"]))))
    source = sources[identity & np.uint64(SOURCES - 1)]
    clock = difference(seg["tsval"], seg["time_ns"] // 1_000_000 & 0xFFFFFFFF)
    before = NO_CLOCK
    if source["identity"] != identity:
        source["identity"] = identity
        source["count"] = 0
    else:
        before = source["last"]
    same = before >= 0 and seg["tsval"] == source["tsval"] and seg["time_ns"] == source["time_ns"]
    at = find_clock(source, clock)
    # A repeated SYN shows the clock of its connection again, which may be one for that connection only.
    if me["syns"] == 1 and at >= 0:
        source["connections"][at] = min(source["connections"][at] + 1, 2)
    two = before >= 0 and at >= 0 and before != at and not same
    if two and shared(source, before) and shared(source, at):
        back = difference(source["tsval"], seg["tsval"])
        since = seg["time_ns"] - source["time_ns"]
        if back > PAWS_WINDOW and 0 <= since < RECYCLE_NS:
            clocks = 0
            for i in range(source["count"]):
                clocks += shared(source, i)
            emit(seg, state, world, out, counts, RECYCLE, 0, 0, clocks)
    source["tsval"], source["time_ns"], source["last"] = seg["tsval"], seg["time_ns"], at


@inline
def shared(source: Any, at: Any) -> Int:
    """1 if several connections showed this clock: it is that of a host, and not of one connection."""
    return 1 if source["connections"][at] > 1 else 0


@inline
def find_clock(source: Any, clock: Any) -> Int:
    """The place of the clock, by its offset from time; a new one takes that of one that only one connection showed.

    NO_CLOCK where hosts have all places.
    """
    free = np.int64(NO_CLOCK)
    for i in range(source["count"]):
        if abs(difference(clock & 0xFFFFFFFF, source["clock"][i] & 0xFFFFFFFF)) < SAME_CLOCK:
            return np.int64(i)
    if source["count"] < CLOCKS:
        free = np.int64(source["count"])
        source["count"] += 1
    else:
        for i in range(CLOCKS):
            if source["connections"][i] < 2:
                free = np.int64(i)
        if free < 0:
            return free
    source["clock"][free], source["connections"][free] = clock, 0
    return free
