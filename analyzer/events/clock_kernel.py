"""Compiled: clocks that go back, those of the ends in their timestamps (RFC 7323) and that of the capture."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import inline
from analyzer.events.emit_kernel import FIN, RST, SYN, emit
from analyzer.flows.flow_kernel import mix
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
RECYCLE_NS = 60_000_000_000  # TCP_PAWS_MSL of Linux 4.11

CLOCKS = 8  # more clocks behind one address are not told apart
SAME_CLOCK = 1000  # ticks: two SYNs whose offsets from time differ by less have one clock
SOURCES = 1 << 12
SOURCE = np.dtype(
    [
        ("identity", "u8"),
        ("time_ns", "i8"),
        ("tsval", "u4"),
        ("count", "u4"),
        ("clock", "i8", (CLOCKS,)),
    ],
    align=True,
)


@inline
def id_behind(seg: Any, me: Any) -> Any:
    """Is the IPv4 ID a little lower than the highest of this end? Then others have overtaken the packet."""
    back = (seg["ip_id"] - np.int64(me["ip_id"]) + 0x8000 & 0xFFFF) - 0x8000
    return seg["ip_id"] and me["ip_id"] and -NEAR_IDS < back < 0


@inline
def was_sent_before(seg: Any, me: Any) -> Any:
    """Do its IPv4 ID and its TSval say that this segment was sent before one that was captured before it?"""
    older = seg["has_tsval"] and me["timestamps"] and difference(me["tsval"], seg["tsval"]) > 0
    return id_behind(seg, me) and (older or not seg["has_tsval"] or seg["tsval"] == me["tsval"])


@inline
def paws(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A TSval against the one that its receiver holds: would it be dropped?"""
    if not seg["has_tsval"] or not you["recent_known"] or seg["flags"] & (SYN | RST):
        return
    old = difference(you["recent"], seg["tsval"])
    if old <= PAWS_WINDOW or seg["time_ns"] - you["recent_ns"] > PAWS_NS:
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
        before = you["syns"] > 0 and difference(seg["tsecr"], you["tsval_first"]) < 0
        if ahead > 0 or before:
            emit(seg, state, world, out, counts, NEVER_SENT, 0, 0, ahead)


@inline
def remember_timestamps(seg: Any, me: Any, you: Any) -> None:
    """The clocks move on: the highest that was sent, and TS.Recent of the receiver (RFC 7323 section 4.3)."""
    if not seg["has_tsval"] or seg["flags"] & RST:
        return
    tsval = seg["tsval"]
    if not me["timestamps"]:
        me["timestamps"] = 1
        me["tsval"] = me["tsval_first"] = tsval
    elif difference(tsval, me["tsval"]) > 0:
        me["tsval"] = tsval
    if not you["recent_known"] or (seg["start"] <= me["una"] and difference(tsval, you["recent"]) >= 0):
        you["recent_known"] = 1
        you["recent"], you["recent_ns"] = tsval, seg["time_ns"]


@inline
def recycling(row: Any, seg: Any, state: Any, world: Any, out: Any, counts: Any, sources: Any) -> None:
    """A SYN against the last one of the same source address to the same destination."""
    if not seg["has_tsval"]:
        return
    identity = mix(row["src_hi"] ^ mix(row["src_lo"] ^ mix(row["dst_hi"] ^ mix(row["dst_lo"]))))
    source = sources[identity & np.uint64(SOURCES - 1)]
    clock = difference(seg["tsval"], seg["time_ns"] // 1_000_000 & 0xFFFFFFFF)
    if source["identity"] != identity:
        source["identity"] = identity
        source["count"] = 0
    elif seg["tsval"] != source["tsval"] or seg["time_ns"] != source["time_ns"]:
        back = difference(source["tsval"], seg["tsval"])
        since = seg["time_ns"] - source["time_ns"]
        note_clock(source, clock)
        if back > PAWS_WINDOW and 0 <= since < RECYCLE_NS:
            emit(seg, state, world, out, counts, RECYCLE, 0, 0, np.int64(source["count"]))
    note_clock(source, clock)
    source["tsval"], source["time_ns"] = seg["tsval"], seg["time_ns"]


@inline
def note_clock(source: Any, clock: Any) -> None:
    """Another clock behind the address, where the offset from time is a new one."""
    known = False
    for i in range(source["count"]):
        known |= abs(difference(clock & 0xFFFFFFFF, source["clock"][i] & 0xFFFFFFFF)) < SAME_CLOCK
    if not known and source["count"] < CLOCKS:
        source["clock"][source["count"]] = clock
        source["count"] += 1
