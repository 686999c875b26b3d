"""Compiled list of the SACK blocks that the host's receiver will report, the newest first: tp->selective_acks."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.prediction.arrival.state import BLOCKS
from analyzer.serial import difference

difference = inline(difference)


@inline
def note_block(own: Any, side: Int, left: Int, right: Int) -> Int:
    """tcp_sack_new_ofo_skb(): the block that the segment lies in or touches comes first: which it was."""
    lefts, rights = own["sack_left"][side], own["sack_right"][side]
    count = np.int64(own["sacks"][side])
    at = 0
    while at < count and (difference(left, rights[at]) > 0 or difference(lefts[at], right) > 0):
        at += 1
    found = at
    if at == count:
        if count == BLOCKS:
            at -= 1
        else:
            count += 1
    else:
        left = np.int64(lefts[at]) if difference(lefts[at], left) < 0 else left
        right = np.int64(rights[at]) if difference(rights[at], right) > 0 else right
    while at > 0:
        lefts[at], rights[at] = lefts[at - 1], rights[at - 1]
        at -= 1
    lefts[0], rights[0] = left, right
    own["sacks"][side] = count
    unite_blocks(own, side)
    return found


@inline
def unite_blocks(own: Any, side: Int) -> None:
    """tcp_sack_maybe_coalesce(): blocks that the first one touches become a part of it."""
    lefts, rights = own["sack_left"][side], own["sack_right"][side]
    kept = 1
    for k in range(1, np.int64(own["sacks"][side])):
        if difference(lefts[k], rights[0]) <= 0 and difference(lefts[0], rights[k]) <= 0:
            if difference(lefts[k], lefts[0]) < 0:
                lefts[0] = lefts[k]
            if difference(rights[k], rights[0]) > 0:
                rights[0] = rights[k]
        else:
            lefts[kept], rights[kept] = lefts[k], rights[k]
            kept += 1
    own["sacks"][side] = kept


@inline
def clear_blocks(own: Any, side: Int) -> None:
    """tcp_sack_remove(): forget the blocks before what is waited for."""
    lefts, rights = own["sack_left"][side], own["sack_right"][side]
    kept = 0
    for k in range(np.int64(own["sacks"][side])):
        if own["queue"][side] and difference(lefts[k], own["next"][side]) > 0:
            lefts[kept], rights[kept] = lefts[k], rights[k]
            kept += 1
    own["sacks"][side] = kept
