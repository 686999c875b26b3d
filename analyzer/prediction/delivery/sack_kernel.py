"""Compiled: SACK blocks at the sender of the data: what they report, and which of them are not believed."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.sack_kernel import edge
from analyzer.prediction.delivery.offers_kernel import mss_cache
from analyzer.prediction.delivery.queue_kernel import in_pieces, sacked
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.serial import difference

difference = inline(difference)
DSACK_SEGS, DSACK_DUBIOUS = NUMBER["TcpExtTCPDSACKRecvSegs"], NUMBER["TcpExtTCPDSACKIgnoredDubious"]
SACK_DISCARD = NUMBER["TcpExtTCPSACKDiscard"]


@inline
def block(row: Any, which: Int) -> tuple[Int, Int]:
    """A SACK block."""
    return np.int64(edge(row, 2 * which)), np.int64(edge(row, 2 * which + 1))


@inline
def is_dsack(row: Any) -> Any:
    """Is the first block below the acknowledgment, or within the second?"""
    left, right = block(row, 0)
    if difference(left, row["ack"]) < 0:
        return True
    left_2, right_2 = block(row, 1)
    return row["sack_count"] > 1 and difference(right, right_2) <= 0 and difference(left, left_2) >= 0


@inline
def dsacked(row: Any, own: Any, side: Int, out: Any) -> Int:
    """tcp_check_dsack(), tcp_dsack_seen(): how many segments a DSACK reports, if it is believed.

    It is not if it reports more than the largest window, or if more was reported than was ever sent again.
    """
    if not is_dsack(row):
        return np.int64(0)
    left, right = block(row, 0)
    found: Int = 0
    size = difference(right, left)
    if 0 < size <= own["max_window"][side]:
        found = in_pieces(mss_cache(own, side), size)
        own["dsack_dups"][side] += found
        if own["dsack_dups"][side] > own["total_retrans"][side]:
            found = np.int64(0)
    if found:
        add(row, DSACK_SEGS, found, out)
    else:
        add(row, DSACK_DUBIOUS, 1, out)
    return found


@inline
def blocks(row: Any, own: Any, side: Int, believed: Any, pool: Any, out: Any) -> Int:
    """tcp_sacktag_write_queue(): the SACK blocks of an ACK; how many segments they report for the first time."""
    fresh: Int = 0
    for which in range(min(np.int64(row["sack_count"]), np.int64(4))):
        left, right = block(row, which)
        turned = difference(right, own["snd_nxt"][side]) > 0 or difference(right, left) <= 0
        if not turned and difference(left, own["snd_una"][side]) > 0:
            fresh += sacked(pool, own, side, left, right)
        elif believed and which == 0:
            continue  # it is of use while there is something to undo, else ignored: the sender's states know (recovery)
        elif row["ack"] == own["snd_una"][side] or difference(right, own["snd_una"][side]) > 0:
            add(row, SACK_DISCARD, 1, out)
    return fresh
