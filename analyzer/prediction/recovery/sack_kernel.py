"""Compiled: SACK and DSACK blocks applied to the model's queue (tcp_sacktag_write_queue())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.queue_kernel import absorb, highest_sacked, position, split
from analyzer.prediction.recovery.rack_kernel import SACK_REORDER, check_reordering, rack_advance
from analyzer.prediction.recovery.state import (
    AGAIN,
    EVER,
    F_DSACK,
    F_DSACK_PROBE,
    F_ORIGINAL,
    F_SACKED,
    LOSS,
    LOST,
    SACKED,
)

IGNORED_OLD, IGNORED_NO_UNDO = NUMBER["TcpExtTCPDSACKIgnoredOld"], NUMBER["TcpExtTCPDSACKIgnoredNoUndo"]
BLOCKS = 4  # TCP_NUM_SACKS


@inline
def edge(row: Any, which: Int) -> Any:
    """The edges of the blocks in order: left and right of the first, of the second, ..."""
    if which < 2:
        return row["sack_left_1"] if which == 0 else row["sack_right_1"]
    if which < 4:
        return row["sack_left_2"] if which == 2 else row["sack_right_2"]
    if which < 6:
        return row["sack_left_3"] if which == 4 else row["sack_right_3"]
    return row["sack_left_4"] if which == 6 else row["sack_right_4"]


@inline
def dsack_seen(end: Any, left: Int, right: Int) -> Int:
    """tcp_dsack_seen(): how many segments the block reports, 0 if it cannot be true."""
    if left >= right or right - left > end["window_max"]:
        return np.int64(0)
    count = np.int64(1)
    if right - left > end["mss"]:
        count = (right - left + end["mss"] - 1) // max(1, end["mss"])
    elif end["probe"] and end["probe_end"] == right:
        end["flags"] |= F_DSACK_PROBE
    end["doubled"] += count
    if end["doubled"] > end["resent"]:
        return np.int64(0)
    if end["reordered"] and not end["flags"] & F_DSACK_PROBE:
        end["dsack_seen"] = 1
    end["flags"] |= F_DSACK
    end["delivered"] += count
    return count


@part
def check_dsack(row: Any, end: Any, ack: Int, before: Int) -> Any:
    """tcp_check_dsack(): is the first block a DSACK that can be true?"""
    left, right = position(row["sack_left_1"], end["una"]), position(row["sack_right_1"], end["una"])
    if left >= ack:
        if row["sack_count"] < 2:
            return False
        if right > position(row["sack_right_2"], end["una"]) or left < position(row["sack_left_2"], end["una"]):
            return False
    count = dsack_seen(end, left, right)
    if count == 0:
        return False
    if end["undo"] and end["undo_left"] > 0 and end["undo_from"] < right <= before:
        end["undo_left"] = max(0, end["undo_left"] - count)
    return True


@inline
def is_valid(end: Any, is_dsack: Any, left: Int, right: Int) -> Any:
    """tcp_is_sackblock_valid()."""
    if right > end["next"] or left >= right or left >= end["next"]:
        return False
    if left > end["una"]:
        return True
    if not is_dsack or not end["undo"] or right > end["una"]:
        return False
    if left >= end["undo_from"]:
        return True
    return right > end["undo_from"] and left >= right - end["window_max"]


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


@part
def tag_block(row: Any, end: Any, pool: Any, left: Int, right: Int, twice_left: Int, twice_right: Int) -> None:
    """tcp_sacktag_walk(): all segments within the block; those within `twice` arrived twice."""
    number = np.int64(end["first"])
    before: Int = np.int64(0)
    while number and pool[number]["start"] < right:
        segment = pool[number]
        if segment["end"] > left:
            inside = segment["start"] >= left and segment["end"] <= right
            if not inside and segment["count"] > 1:
                # Cut at whole segments, as the sender did (tcp_match_skb_to_sack()).
                at = left if segment["start"] < left else right
                whole = (at - segment["start"]) // end["mss"]
                if segment["start"] < left and whole * end["mss"] < at - segment["start"]:
                    whole += 1
                at = segment["start"] + whole * end["mss"]
                if segment["start"] < at < segment["end"] and not segment["marks"] & SACKED:
                    if not split(end, pool, number, at):
                        return
                    inside = segment["start"] >= left and segment["end"] <= right
            if inside:
                tag(row, end, segment, segment["start"] >= twice_left and segment["end"] <= twice_right)
                if before and pool[before]["marks"] == SACKED and segment["marks"] == SACKED:
                    absorb(end, pool, before)
                    number = before
                    segment = pool[before]
        before = number
        number = np.int64(segment["next"])


@part
def sack_blocks(row: Any, end: Any, pool: Any, ack: Int, before: Int, out: Any) -> None:
    """tcp_sacktag_write_queue(): `before` is what was acknowledged before this ACK."""
    end["lowest"] = end["next"]
    if end["sacked"] == 0:
        end["sacked_end"] = end["una"]
    is_dsack = check_dsack(row, end, ack, before)
    if ack < before - end["window_max"] or end["out"] == 0:
        return
    twice_left, twice_right = np.int64(0), np.int64(-1)
    count: Int = 0
    blocks: Int = min(np.int64(row["sack_count"]), BLOCKS)
    for k in range(blocks):
        left, right = position(edge(row, 2 * k), end["una"]), position(edge(row, 2 * k + 1), end["una"])
        doubled = is_dsack and k == 0
        if not is_valid(end, doubled, left, right):
            if doubled:
                add(row, IGNORED_OLD if end["undo"] else IGNORED_NO_UNDO, 1, out)
            continue
        if right <= before:
            continue
        if doubled:
            twice_left, twice_right = left, right
        at = count
        while at > 0 and end["block_start"][at - 1] > left:
            end["block_start"][at], end["block_end"][at] = end["block_start"][at - 1], end["block_end"][at - 1]
            at -= 1
        end["block_start"][at], end["block_end"][at] = left, right
        count += 1
    for k in range(count):
        left, right = end["block_start"][k], end["block_end"][k]
        if left == twice_left and right == twice_right and count > 1:
            continue  # within another
        tag_block(row, end, pool, left, right, twice_left, twice_right)
    if end["state"] != LOSS or end["undo"]:
        check_reordering(row, end, end["lowest"], SACK_REORDER, out)
