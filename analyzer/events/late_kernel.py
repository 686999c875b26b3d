"""Compiled: what the capture wrote late. Data that was acknowledged before it was captured was not lost, nor sent again."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, rare
from analyzer.events.clock_kernel import id_behind
from analyzer.events.doubt_kernel import WAIT_NS, doubt, doubts_of, remove_doubt
from analyzer.events.emit_kernel import emit
from analyzer.flows.end_state import IDS_SAME, IDS_VARY
from analyzer.flows.sent import DOUBTS, GAP
from analyzer.kinds import CAUSE, NUMBER
from analyzer.serial import difference as difference_python
from analyzer.tables import PACKETS

difference = inline(difference_python)

LATE = NUMBER["captured_late"]
C_TSVAL, C_IP_ID, C_SOON = CAUSE["tsval"], CAUSE["ip_id"], CAUSE["too_soon"]
SACK_PERMITTED = PACKETS.bit("options", "sack_permitted")
DUPLICATES = 3  # RFC 5681 section 3.2
TIMER_NS = 180_000_000  # Linux waits for 200 ms and the RTT at least (TCP_RTO_MIN); a little less for jitter
SOON_NS = 1_000_000  # a retransmission seldom comes so soon behind an ACK, after what it repeats was not captured
PROBE_NS = 2_000_000  # the shortest wait for a tail loss probe (RFC 8985 section 7.2; two ticks of the kernel's clock)


@rare
def missed(
    seg: Any,
    me: Any,
    you: Any,
    owner: Int,
    start: Int,
    end: Int,
    state: Any,
    world: Any,
    out: Any,
    counts: Any,
    boards: Any,
) -> None:
    """The segment at hand acknowledges bytes that were not captured, or not yet.

    Of an end that was not heard so far, it may be that only the other direction was captured: nothing is missing then. Nor is
    what the first ACK covers in a connection that was open before the capture: it was sent before that, too.
    """
    counts_as_gap = you["heard"] and (me["heard"] or you["syns"] > 0)
    if counts_as_gap:
        you["missing_bytes"] += end - start
    place = doubts_of(you, owner, boards)
    last = np.int64(you["doubts"]) - 1
    if place >= 0 and (you["lagging"] or last + 1 == DOUBTS or not counts_as_gap):
        board = boards[place]
        same = board["doubt_kind"][last] == GAP and board["doubt_value"][last] == counts_as_gap
        if same and board["doubt_end"][last] == start:
            board["doubt_end"][last] = end
            board["doubt_tsecr"][last], board["doubt_echoes"][last] = seg["tsecr"], seg["has_tsval"]
            return
    at = doubt(seg, you, owner, GAP, start, end, state, world, out, counts, boards)
    boards[doubts_of(you, owner, boards)]["doubt_value"][at] = counts_as_gap


@inline
def is_awaited(seg: Any, me: Any, owner: Int, boards: Any) -> Any:
    """Does the segment begin where something is missing that was acknowledged?"""
    place = doubts_of(me, owner, boards)
    if place < 0:
        return False
    board = boards[place]
    for i in range(np.int64(me["doubts"])):
        if board["doubt_kind"][i] == GAP and board["doubt_start"][i] <= seg["start"] < board["doubt_end"][i]:
            return True
    return False


@inline
def captured_late(
    seg: Any, me: Any, you: Any, again: Int, state: Any, world: Any, out: Any, counts: Any, boards: Any, owner: Int
) -> Any:
    """Is it what an ACK before it acknowledged? Of `again` bytes, all must be missing. Then they are not missing any more."""
    place = doubts_of(me, owner, boards)
    if place < 0:
        return False
    board = boards[place]
    covered, counted, first = np.int64(0), np.int64(0), np.int64(-1)
    for i in range(np.int64(me["doubts"])):
        if board["doubt_kind"][i] == GAP:
            common = min(board["doubt_end"][i], seg["end"]) - max(board["doubt_start"][i], seg["start"])
            if common > 0:
                covered += common
                counted += common if board["doubt_value"][i] else 0
                if first < 0:
                    first = np.int64(i)
    if first < 0 or covered < again:
        return False
    cause = sent_before(seg, me, you, board, first)
    if cause == 0:
        return False
    since, apart = seg["time_ns"] - board["doubt_ns"][first], board["doubt_interface"][first] != seg["interface"]
    emit(seg, state, world, out, counts, LATE, cause, board["doubt_frame"][first], since)
    me["missing_bytes"] -= counted
    me["lagging"] = 1
    if world["late"] == 0:
        world["first_late"] = seg["frame"]
    world["late"] += 1
    world["late_apart"] += 1 if apart else 0
    world["late_ns"] = max(world["late_ns"], since)
    came(seg, me, board)
    return True


@inline
def sent_before(seg: Any, me: Any, you: Any, board: Any, first: Int) -> Int:
    """How one knows that a segment was sent before the ACK that was captured before it; 0 if it may be a retransmission.

    The ACK echoes a timestamp that is no earlier; or others of its end have overtaken it. Or else it is the next of its
    stream that is captured, and goes on where another that came late ended; its IPv4 ID is the next, too, or as far ahead
    as what is missing before it explains; or nothing can have made its sender send again: no ACK asked for it, and no
    timer is as short.
    """
    if seg["has_tsval"] and board["doubt_echoes"][first] and difference(seg["tsval"], board["doubt_tsecr"][first]) <= 0:
        return C_TSVAL
    newer = seg["has_tsval"] and me["timestamps"] and difference(seg["tsval"], me["tsval"]) > 0
    if me["ids"] == IDS_VARY and id_behind(seg, me) and not newer:
        return C_IP_ID
    if seg["start"] < me["captured"]:
        return 0
    known = me["ip_id"] and seg["ip_id"] and me["ids"] != IDS_SAME
    steps = seg["ip_id"] - np.int64(me["ip_id"]) & 0xFFFF if known else np.int64(0)
    # As many packets were not captured before it as segments of its size are missing there.
    if steps == 1 or (steps and steps * seg["length"] == seg["end"] - me["captured"]):
        return C_IP_ID
    if me["lagging"] and seg["start"] == me["captured"]:
        return C_SOON
    rtt = me["rtt_min_ns"] + you["rtt_min_ns"]
    probes = me["offered"] & you["offered"] & SACK_PERMITTED or not (me["syns"] and you["syns"])
    soon = min(max(2 * rtt, PROBE_NS), TIMER_NS) if probes else TIMER_NS
    asked = me["repeats"] >= DUPLICATES or me["sacked_high"] > seg["end"]
    if seg["time_ns"] - board["doubt_ns"][first] <= SOON_NS:
        return C_SOON
    # It was first sent after what its end had sent before; ACKs that answer data do not count.
    before_ns = me["last_ns"] if you["data_ns"] <= me["sent_ns"] else me["sent_ns"]
    if not me["heard"]:
        before_ns = board["doubt_ns"][first]
    return C_SOON if not asked and 0 <= seg["time_ns"] - before_ns < soon else 0


@inline
def came(seg: Any, me: Any, board: Any) -> None:
    """Take the segment out of what is missing."""
    at = np.int64(0)
    while at < me["doubts"]:
        left, right = board["doubt_start"][at], board["doubt_end"][at]
        if board["doubt_kind"][at] != GAP or right <= seg["start"] or seg["end"] <= left:
            at += 1
        elif seg["start"] <= left and right <= seg["end"]:
            remove_doubt(at, me, board)
        else:
            # In the middle of one, what lies before it is not awaited any more.
            board["doubt_until"][at] = seg["time_ns"] + WAIT_NS
            if seg["end"] < right:
                board["doubt_start"][at] = seg["end"]
            else:
                board["doubt_end"][at] = seg["start"]
            at += 1
