"""Compiled: the retransmission queue of the model: segments taken from a pool, in order of their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.recovery.state import AGAIN, EVER, FORGOTTEN, LOST, SACKED
from analyzer.serial import difference as difference_python

difference = inline(difference_python)


@inline
def position(wire: Any, near: Int) -> Int:
    """The position that a number on the wire abbreviates."""
    return near + difference(np.int64(wire), near & 0xFFFFFFFF)


@inline
def take(pool: Any) -> Int:
    """The number of a free segment of the pool, 0 without one."""
    number = np.int64(pool[0]["next"])
    if number:
        pool[0]["next"] = pool[number]["next"]
        return number
    number = pool[0]["start"] + 1
    if number >= len(pool):
        return np.int64(0)
    pool[0]["start"] = number
    return number


@inline
def give_back(pool: Any, number: Int) -> None:
    """A segment is free again."""
    pool[number]["next"] = pool[0]["next"]
    pool[0]["next"] = number


@part
def forget(end: Any, pool: Any) -> None:
    """Nothing is outstanding (tcp_write_queue_purge())."""
    number = np.int64(end["first"])
    while number:
        behind = np.int64(pool[number]["next"])
        give_back(pool, number)
        number = behind
    end["first"] = end["last"] = 0
    end["out"] = end["sacked"] = end["lost"] = end["again"] = 0


@inline
def in_segments_of(size: Int, length: Int) -> Int:
    """How many segments of a size so many bytes are."""
    if length <= size:
        return np.int64(1)
    return (length + size - 1) // max(np.int64(1), size)


@part
def append(row: Any, end: Any, pool: Any, start: Int, stop: Int, count: Int) -> None:
    """A segment is sent for the first time (tcp_event_new_data_sent())."""
    number = np.int64(0) if end["blind"] else take(pool)
    if number == 0:
        forget(end, pool)
        end["blind"] = 1
        return
    segment = pool[number]
    segment["start"], segment["end"], segment["count"] = start, stop, count
    segment["marks"] = segment["next"] = 0
    segment["size"] = end["mss"]
    sent(row, end, segment)
    if end["last"]:
        pool[end["last"]]["next"] = number
    else:
        end["first"] = number
    end["last"] = number
    end["out"] += count


@inline
def sent(row: Any, end: Any, segment: Any) -> None:
    """When it left, and what had been delivered before (tcp_rate_skb_sent())."""
    segment["sent_ns"], segment["delivered"] = row["time_ns"], end["delivered"]
    segment["marks"] &= ~FORGOTTEN


@inline
def recount(end: Any, marks: Int, by: Int) -> None:
    """So many segments with these marks more (tcp_adjust_pcount() with the opposite sign)."""
    end["out"] += by
    if marks & SACKED:
        end["sacked"] += by
    if marks & AGAIN:
        end["again"] += by
    if marks & LOST:
        end["lost"] += by


@part
def split(end: Any, pool: Any, number: Int, at: Int, size: Int) -> Any:
    """Cut a segment in two at a position within it, with `size` bytes for each of the wire (tcp_fragment()).

    Without room in the pool it stays whole.
    """
    new = take(pool)
    if new == 0:
        return False
    segment, rest = pool[number], pool[new]
    count = np.int64(segment["count"])
    rest["start"], rest["end"], segment["end"] = at, segment["end"], at
    rest["sent_ns"], rest["delivered"] = segment["sent_ns"], segment["delivered"]
    rest["marks"], rest["next"] = segment["marks"], segment["next"]
    segment["next"] = new
    segment["size"] = rest["size"] = size
    segment["count"] = in_segments_of(size, segment["end"] - segment["start"])
    rest["count"] = in_segments_of(size, rest["end"] - rest["start"])
    recount(end, np.int64(segment["marks"]), np.int64(segment["count"]) + np.int64(rest["count"]) - count)
    if end["last"] == number:
        end["last"] = new
    return True


@part
def join(end: Any, pool: Any, number: Int) -> None:
    """Put the segment behind this one into it (tcp_collapse_retrans())."""
    segment = pool[number]
    behind = np.int64(segment["next"])
    other = pool[behind]
    recount(end, np.int64(other["marks"]), -np.int64(other["count"]))
    segment["end"], segment["next"] = other["end"], other["next"]
    segment["size"] = end["mss"]
    segment["marks"] |= other["marks"] & EVER
    if end["last"] == behind:
        end["last"] = number
    give_back(pool, behind)


@part
def absorb(end: Any, pool: Any, number: Int) -> None:
    """Two SACKED neighbours become one (tcp_shifted_skb())."""
    segment = pool[number]
    behind = np.int64(segment["next"])
    other = pool[behind]
    if segment["count"] == 1:
        segment["size"] = segment["end"] - segment["start"]
    segment["end"], segment["next"] = other["end"], other["next"]
    segment["count"] += other["count"]
    segment["marks"] |= other["marks"] & EVER
    if other["sent_ns"] > segment["sent_ns"]:
        segment["sent_ns"], segment["delivered"] = other["sent_ns"], other["delivered"]
    if end["last"] == behind:
        end["last"] = number
    give_back(pool, behind)


@inline
def highest_sacked(end: Any) -> Int:
    """tcp_highest_sack_seq(): where what is behind the highest SACKED segment begins."""
    return max(end["sacked_end"], end["una"]) if end["sacked"] else end["una"]


@inline
def sent_again(end: Any, pool: Any) -> Any:
    """tcp_any_retrans_done(): is a retransmission outstanding?"""
    return end["again"] > 0 or (end["first"] > 0 and pool[end["first"]]["marks"] & EVER != 0)
