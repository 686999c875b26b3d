"""Compiled: what SACK blocks do to the buffers of the retransmission queue: cut, and joined to the one before (tcp_sacktag_walk())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.queue_kernel import absorb, highest_sacked, split
from analyzer.prediction.recovery.rack_kernel import rack_advance
from analyzer.prediction.recovery.state import AGAIN, EVER, F_ORIGINAL, F_SACKED, IS_SYN, LOST, SACKED

SHIFTED, MERGED = NUMBER["TcpExtTCPSackShifted"], NUMBER["TcpExtTCPSackMerged"]
FALLBACK = NUMBER["TcpExtTCPSackShiftFallback"]
TAGS = SACKED | AGAIN | LOST  # TCPCB_TAGBITS
FELL_BACK, JOINED, LEFT_ALONE = range(3)
OUTSIDE, INSIDE, TOO_SHORT = range(3)


@part
def tag(row: Any, end: Any, segment: Any, doubled: Any) -> None:
    """tcp_sacktag_one(): a segment has arrived, once or (`doubled`) twice."""
    marks, count = np.int64(segment["marks"]), np.int64(segment["count"])
    if doubled and marks & (AGAIN | EVER):
        if end["undo"] and end["undo_left"] > 0 and segment["end"] > end["undo_from"]:
            end["undo_left"] = max(0, end["undo_left"] - count)
        if marks & SACKED:
            end["lowest"] = min(end["lowest"], segment["start"])
    if segment["end"] <= end["una"]:
        return
    if not marks & SACKED:
        rack_advance(end, segment, row["time_ns"])
        if marks & AGAIN:
            if marks & LOST:
                marks &= ~(LOST | AGAIN)
                end["lost"] -= count
                end["again"] -= count
        else:
            if not marks & EVER:
                if segment["start"] < highest_sacked(end):
                    end["lowest"] = min(end["lowest"], segment["start"])
                if segment["end"] <= end["high"]:
                    end["flags"] |= F_ORIGINAL
                if end["sacked_first_ns"] == 0:
                    end["sacked_first_ns"] = segment["sent_ns"]
                end["sacked_last_ns"] = segment["sent_ns"]
            if marks & LOST:
                marks &= ~LOST
                end["lost"] -= count
        if segment["start"] >= highest_sacked(end):
            end["sacked_end"] = segment["end"]
        marks |= SACKED
        end["flags"] |= F_SACKED
        end["sacked"] += count
        end["delivered"] += count
        rate_delivered(end, segment)
    if doubled and marks & AGAIN:
        marks &= ~AGAIN
        end["again"] -= count
    segment["marks"] = marks


@inline
def rate_delivered(end: Any, segment: Any) -> None:
    """tcp_rate_skb_delivered(): of what this ACK delivers, what was sent last."""
    if not end["rate_delivered"] or segment["sent_ns"] >= end["rate_ns"]:
        end["rate_ns"], end["rate_delivered"] = segment["sent_ns"], segment["delivered"]


@inline
def full(segment: Any) -> Int:
    """tcp_skb_seglen(): how much one segment of the buffer carries."""
    return segment["end"] - segment["start"] if segment["count"] == 1 else np.int64(segment["size"])


@inline
def counted(row: Any, end: Any, counter: Int, out: Any) -> None:
    """One more; where the capture shows segments and not the buffers that they were cut from, these were fewer."""
    if end["una"] >= end["cut"] and not end["open"]:
        add(row, counter, 1, out)
        return
    add_range(row, counter, 1, 0, 2 if counter == FALLBACK else 1, out)
    if counter == MERGED:
        add_range(row, SHIFTED, 0, 0, 1, out)


@part
def shift(
    row: Any, end: Any, pool: Any, before: Int, number: Int, left: Int, right: Int, doubled: Any, out: Any
) -> Int:  # fmt: skip
    """tcp_shift_skb_data(): move what the block covers of a buffer into the one before it, if that was SACKed too."""
    segment, marks = pool[number], np.int64(pool[number]["marks"])
    again = marks & (LOST | AGAIN) == AGAIN and not doubled
    if again or marks & IS_SYN or segment["end"] <= end["una"] or not before or pool[before]["marks"] & TAGS != SACKED:
        counted(row, end, FALLBACK, out)
        return FELL_BACK
    size, room, stop = full(segment), full(pool[before]), np.int64(segment["end"])
    begins = segment["start"] >= left
    if not begins or stop > right:
        if stop <= left or segment["count"] <= 1:
            return LEFT_ALONE
        size = np.int64(segment["size"])
        if begins and size == room and right - segment["start"] < size:
            return LEFT_ALONE
        stop = segment["start"] + (right - segment["start"]) // max(1, size) * size
    partly = stop < segment["end"]
    if not begins or size != room or stop <= end["una"] or (partly and not split(end, pool, number, stop, size)):
        counted(row, end, FALLBACK, out)
        return FELL_BACK
    tag(row, end, pool[number], doubled)
    absorb(end, pool, before)
    counted(row, end, SHIFTED if partly else MERGED, out)
    behind = np.int64(pool[before]["next"])
    if not partly and behind and pool[behind]["marks"] & (TAGS | IS_SYN) == SACKED and full(pool[behind]) == size:
        absorb(end, pool, before)
        counted(row, end, MERGED, out)
    return JOINED


@part
def match(end: Any, pool: Any, number: Int, left: Int, right: Int) -> Int:
    """tcp_match_skb_to_sack(): does the block cover the buffer? One that it covers in part is cut at whole segments."""
    segment = pool[number]
    begins = segment["start"] >= left
    if begins and segment["end"] <= right:
        return INSIDE
    if segment["count"] <= 1 or segment["end"] <= left:
        return OUTSIDE
    size, length = max(1, np.int64(segment["size"])), right - segment["start"]
    if not begins:
        length = max(size, left - segment["start"])
        length = (length + size - 1) // size * size
        if length >= segment["end"] - segment["start"]:
            return OUTSIDE
    elif length < size:
        return TOO_SHORT
    else:
        length = length // size * size
    if not split(end, pool, number, segment["start"] + length, size):
        return TOO_SHORT
    return INSIDE if begins else OUTSIDE


@part
def walk(
    row: Any, end: Any, pool: Any, begin: Int, left: Int, right: Int, twice_left: Int, twice_right: Int, doubled: Any, out: Any
) -> None:  # fmt: skip
    """tcp_sacktag_walk(): the buffers that a block covers, from the one with `begin` on; those within `twice` arrived twice."""
    number, before = np.int64(end["first"]), np.int64(0)
    while number and pool[number]["end"] <= begin:
        before, number = number, np.int64(pool[number]["next"])
    while number and pool[number]["start"] < right:
        twice = doubled
        found: Int = np.int64(OUTSIDE)
        if not doubled and pool[number]["start"] < twice_right:
            found = match(end, pool, number, twice_left, twice_right)
            twice = found == INSIDE
        if found != INSIDE:
            moved = shift(row, end, pool, before, number, left, right, twice, out)
            if moved == JOINED:
                number = np.int64(pool[before]["next"])
                continue
            found = OUTSIDE if moved == LEFT_ALONE else match(end, pool, number, left, right)
        if found == TOO_SHORT:
            return
        if found == INSIDE:
            tag(row, end, pool[number], twice)
        before, number = number, np.int64(pool[number]["next"])
