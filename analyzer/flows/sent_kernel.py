"""Compiled memory of what an end has sent: records in one ring, round-trip times, holes and SACK blocks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.end_state import BINS, BINS_FROM
from analyzer.flows.sent import BLOCKS, HOLES, SENT_CAPACITY, WALK

RING = SENT_CAPACITY - 1
EXACT = 8  # so many RTT samples are kept as they are


@inline
def alive(number: Int, world: Any) -> Any:
    """Is the record with this number still in the ring? The latest SENT_CAPACITY frames of the capture are, whosever they are."""
    return number > 0 and number > world["sent"] - SENT_CAPACITY


@inline
def following(number: Int, sent: Any) -> Int:
    """The number of the next record of the same end, or 0."""
    ahead = np.int64(sent.chain[number & RING]["ahead"])
    return number + ahead if ahead else np.int64(0)


@inline
def last_sent(number: Int, sent: Any) -> tuple[Int, Int]:
    """Time and TSval of the latest transmission."""
    first, again = sent.first[number & RING], sent.again[number & RING]
    if sent.chain[number & RING]["times"] == 1:
        return first["time_ns"], np.int64(first["tsval"])
    return again["time_ns"], np.int64(again["tsval"])


@inline
def remember(me: Any, seg: Any, sent: Any, world: Any, times: Int) -> None:
    """A record of the segment, at the end of the chain of its end. Its number is that of the frame, which makes one record at most."""
    number = world["sent"]
    chain, first = sent.chain[number & RING], sent.first[number & RING]
    chain["end"], chain["ahead"], chain["times"], chain["needless"] = seg["end"], 0, times, 0
    first["start"], first["time_ns"], first["frame"], first["tsval"], first["ip_id"] = (
        seg["start"],
        seg["time_ns"],
        seg["frame"],
        seg["tsval"],
        seg["ip_id"],
    )
    if alive(me["newest"], world):
        sent.chain[me["newest"] & RING]["ahead"] = number - me["newest"]
    if not alive(me["oldest"], world):
        me["oldest"] = number
    me["newest"] = number
    if times > 1:
        sent_again(me, number, seg, seg["end"], sent)
        sent.again[number & RING]["before"] = me["newest_again"]
        me["newest_again"] = number


@inline
def forget_newest(me: Any, sent: Any, world: Any) -> None:
    """The newest record is none: the one before it is the newest, if it is not far from the oldest."""
    newest, number = me["newest"], me["oldest"]
    me["newest"] = 0
    if number == newest:
        me["oldest"] = 0
        return
    for _ in range(WALK):
        if not alive(number, world):
            return
        if following(number, sent) == newest:
            sent.chain[number & RING]["ahead"] = 0
            me["newest"] = number
            return
        number = following(number, sent)


@inline
def sent_again(me: Any, number: Int, seg: Any, end: Int, sent: Any) -> None:
    """The segment is the latest transmission of a record, up to `end`."""
    again = sent.again[number & RING]
    again["time_ns"], again["tsval"], again["frame"] = seg["time_ns"], seg["tsval"], seg["frame"]
    again["end"] = end


@inline
def find_sent(me: Any, start: Int, sent: Any, world: Any) -> Int:
    """The number of the record that holds position `start`, or 0."""
    newest = me["newest"]
    if alive(newest, world) and holds(newest, start, sent):
        return newest
    number = me["oldest"]
    for _ in range(WALK):
        if not alive(number, world):
            return 0
        if holds(number, start, sent):
            return number
        number = following(number, sent)
    return 0


@inline
def holds(number: Int, start: Int, sent: Any) -> Any:
    """Is position `start` in this record?"""
    return start < sent.chain[number & RING]["end"] and sent.first[number & RING]["start"] <= start


@inline
def mark_again(me: Any, number: Int, seg: Any, sent: Any, world: Any) -> None:
    """All records that the retransmission covers, from the one where it starts."""
    for _ in range(WALK):
        if not alive(number, world):
            return
        chain, again, start = sent.chain[number & RING], sent.again[number & RING], sent.first[number & RING]["start"]
        if start >= seg["end"]:
            return
        if chain["end"] > seg["start"]:
            end = min(seg["end"], chain["end"])
            if chain["times"] == 1:
                again["before"] = me["newest_again"]
                me["newest_again"] = number
            else:
                end = max(end, again["end"])
            sent_again(me, number, seg, end, sent)
            chain["times"] = min(np.int64(chain["times"]) + 1, 0xFFFF)
            chain["needless"] = 0
        number = following(number, sent)


@inline
def find_again(me: Any, start: Int, end: Int, sent: Any, world: Any) -> Int:
    """The number of the newest record that was retransmitted and overlaps the range, or 0."""
    number = me["newest_again"]
    for _ in range(WALK):
        if not alive(number, world):
            return 0
        if sent.first[number & RING]["start"] < end and start < sent.chain[number & RING]["end"]:
            return number
        number = sent.again[number & RING]["before"]
    return 0


@inline
def add_rtt(me: Any, rtt_ns: Int, histograms: Any, free: Any, world: Any) -> None:
    """One sample; the smoothed one is that of RFC 6298 section 2."""
    count = me["rtt_count"]
    me["rtt_count"] += 1
    if count == 0:
        me["rtt_min_ns"] = me["rtt_max_ns"] = me["srtt_ns"] = rtt_ns
    else:
        me["rtt_min_ns"] = min(me["rtt_min_ns"], rtt_ns)
        me["rtt_max_ns"] = max(me["rtt_max_ns"], rtt_ns)
        me["srtt_ns"] += (rtt_ns - me["srtt_ns"]) >> 3
    if count < EXACT:
        me["rtt_first"][count] = rtt_ns
        return
    if me["histogram"] < 0:
        if world["free_histograms"] > 0:
            world["free_histograms"] -= 1
            me["histogram"] = free[world["free_histograms"]]
        else:
            me["histogram"] = world["histograms"]
            world["histograms"] += 1
        bins = histograms[me["histogram"]]
        for i in range(BINS):
            bins[i] = 0
        for i in range(EXACT):
            bins[bin_of(me["rtt_first"][i])] += 1
    histograms[me["histogram"]][bin_of(rtt_ns)] += 1


@inline
def bin_of(rtt_ns: Any) -> Int:
    """Four bins to a doubling, from 2**BINS_FROM ns on."""
    if rtt_ns < 1 << BINS_FROM:
        return 0
    return min(int(4 * (math.log2(rtt_ns) - BINS_FROM)), BINS - 1)


@inline
def board_of(me: Any, owner: Int, boards: Any) -> Int:
    """The place of the end's scoreboard, or -1."""
    place = me["board"]
    return place if place >= 0 and boards[place]["owner"] == owner else -1


@inline
def need_board(me: Any, owner: Int, boards: Any, world: Any) -> Int:
    """The same, and a new one where there is none."""
    place = board_of(me, owner, boards)
    if place < 0:
        place = world["boards"] % len(boards)
        world["boards"] += 1
        me["board"] = place
        board = boards[place]
        board["owner"] = owner
        board["holes"] = board["blocks"] = 0
    return place


@inline
def add_hole(board: Any, start: Int, end: Int, seg: Any) -> Int:
    """A hole before the segment. Returns how many bytes of another were forgotten to make room."""
    forgotten = 0
    count = board["holes"]
    if count == HOLES:
        forgotten = board["hole_end"][0] - board["hole_start"][0]
        remove_hole(board, 0)
        count -= 1
    board["hole_start"][count], board["hole_end"][count] = start, end
    board["hole_ns"][count] = seg["time_ns"]
    board["hole_tsval"][count] = seg["tsval"]
    board["hole_ip_id"][count] = seg["ip_id"]
    board["holes"] = count + 1
    return forgotten


@inline
def remove_hole(board: Any, at: Int) -> None:
    """The others move up; they stay in order."""
    for i in range(at, board["holes"] - 1):
        board["hole_start"][i], board["hole_end"][i] = board["hole_start"][i + 1], board["hole_end"][i + 1]
        board["hole_ns"][i] = board["hole_ns"][i + 1]
        board["hole_tsval"][i], board["hole_ip_id"][i] = board["hole_tsval"][i + 1], board["hole_ip_id"][i + 1]
    board["holes"] -= 1


@inline
def fill(board: Any, start: Int, end: Int, seg: Any) -> Int:
    """Take [start, end) out of the holes. Returns the bytes; `seg` gets what was known of the first hole it meets."""
    filled = 0
    at = 0
    while at < board["holes"]:
        left, right = max(board["hole_start"][at], start), min(board["hole_end"][at], end)
        if left >= right:
            at += 1
            continue
        if filled == 0:
            seg["hole_ns"] = board["hole_ns"][at]
            seg["hole_tsval"], seg["hole_ip_id"] = board["hole_tsval"][at], board["hole_ip_id"][at]
        filled += right - left
        before, behind = left - board["hole_start"][at], board["hole_end"][at] - right
        if before > 0 and behind > 0 and board["holes"] < HOLES:
            for i in range(board["holes"], at, -1):  # in two
                board["hole_start"][i], board["hole_end"][i] = board["hole_start"][i - 1], board["hole_end"][i - 1]
                board["hole_ns"][i] = board["hole_ns"][i - 1]
                board["hole_tsval"][i], board["hole_ip_id"][i] = board["hole_tsval"][i - 1], board["hole_ip_id"][i - 1]
            board["holes"] += 1
            board["hole_end"][at] = left
            board["hole_start"][at + 1] = right
            at += 2
        elif behind > 0:  # without room for two, what lies before is forgotten
            filled += before
            board["hole_start"][at] = right
            at += 1
        elif before > 0:
            board["hole_end"][at] = left
            at += 1
        else:
            remove_hole(board, at)
    return filled


@inline
def add_block(board: Any, left: Int, right: Int) -> Int:
    """Add a SACK block to those that are known. Returns how many bytes of it are new."""
    new, from_, to = right - left, left, right
    at = 0
    while at < board["blocks"]:
        start, end = board["block_start"][at], board["block_end"][at]
        if end < left or right < start:
            at += 1
            continue
        new -= max(min(end, to) - max(start, from_), 0)
        left, right = min(left, start), max(right, end)
        last = board["blocks"] - 1
        board["block_start"][at], board["block_end"][at] = board["block_start"][last], board["block_end"][last]
        board["blocks"] = last
        at = 0
    at = board["blocks"]
    if at == BLOCKS:  # the lowest is forgotten: it is acknowledged first
        at = 0
        for i in range(1, BLOCKS):
            if board["block_start"][i] < board["block_start"][at]:
                at = i
    else:
        board["blocks"] = at + 1
    board["block_start"][at], board["block_end"][at] = left, right
    return max(new, 0)


@inline
def drop_blocks(board: Any, ack: Int) -> Int:
    """Forget blocks below `ack`. Returns how many bytes were reneged: of a block in which `ack` stops."""
    reneged = 0
    at = 0
    while at < board["blocks"]:
        if board["block_start"][at] <= ack < board["block_end"][at]:
            reneged += board["block_end"][at] - ack
        if board["block_start"][at] <= ack:
            last = board["blocks"] - 1
            board["block_start"][at], board["block_end"][at] = board["block_start"][last], board["block_end"][last]
            board["blocks"] = last
        else:
            at += 1
    return reneged
