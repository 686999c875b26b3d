"""Compiled: SACK and DSACK blocks of an ACK, and which parts of the model's queue they concern (tcp_sacktag_write_queue())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.events.sack_kernel import edge
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.queue_kernel import position
from analyzer.prediction.recovery.rack_kernel import SACK_REORDER, check_reordering
from analyzer.prediction.recovery.shift_kernel import walk
from analyzer.prediction.recovery.state import F_DSACK, F_DSACK_PROBE, LOSS

IGNORED_OLD, IGNORED_NO_UNDO = NUMBER["TcpExtTCPDSACKIgnoredOld"], NUMBER["TcpExtTCPDSACKIgnoredNoUndo"]
BLOCKS = 4  # TCP_NUM_SACKS


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
def sack_blocks(row: Any, end: Any, pool: Any, ack: Int, before: Int, out: Any) -> None:
    """tcp_sacktag_write_queue(): `before` is what was acknowledged before this ACK."""
    end["lowest"] = end["next"]
    fresh = end["sacked"] == 0  # what earlier blocks covered is past
    if fresh:
        end["sacked_end"] = end["una"]
    is_dsack = check_dsack(row, end, ack, before)
    if ack < before - end["window_max"] or end["out"] == 0:
        return
    count: Int = 0
    twice: Int = np.int64(-1)  # which of them reports what arrived twice
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
        at = count
        while at > 0 and end["block_start"][at - 1] > left:
            end["block_start"][at], end["block_end"][at] = end["block_start"][at - 1], end["block_end"][at - 1]
            at -= 1
        end["block_start"][at], end["block_end"][at] = left, right
        twice = at if doubled else twice + 1 if at <= twice else twice
        count += 1
    at = np.int64(end["cached"]) if fresh else np.int64(0)
    for k in range(count):
        at = cover(row, end, pool, k, twice, at, out)
    end["cached"] = count
    for k in range(count):
        end["cache_start"][k], end["cache_end"][k] = end["block_start"][k], end["block_end"][k]
    if end["state"] != LOSS or end["undo"]:
        check_reordering(row, end, end["lowest"], SACK_REORDER, out)


@inline
def cover(row: Any, end: Any, pool: Any, k: Int, twice: Int, at: Int, out: Any) -> Int:
    """One block: what those of the ACK before, from `at` on, do not cover; which of them is the next.

    With it goes the block behind it if that is the one (`twice`) for what arrived twice; that is looked at by itself too.
    """
    left, right = end["block_start"][k], end["block_end"][k]
    begin, doubled = left, k == twice
    twice_left, twice_right = np.int64(0), np.int64(-1)
    if k + 1 == twice:
        twice_left, twice_right = np.int64(end["block_start"][twice]), np.int64(end["block_end"][twice])
    while at < end["cached"] and left >= end["cache_end"][at]:
        at += 1
    while at < end["cached"] and not doubled and right > end["cache_start"][at]:
        start, stop = np.int64(end["cache_start"][at]), np.int64(end["cache_end"][at])
        if begin < start:
            walk(row, end, pool, begin, left, start, twice_left, twice_right, False, out)
        if right <= stop:
            return at
        if twice_left < twice_right and twice_left < stop:
            walk(row, end, pool, twice_left, twice_left, twice_right, np.int64(0), np.int64(-1), True, out)
        begin = stop
        at += 1
    walk(row, end, pool, begin, left, right, twice_left, twice_right, doubled, out)
    return at
