"""Compiled model of a sender's retransmission queue: segments sent, acknowledged, reported by SACK, sent again.

The kernel keeps buffers of one or more segments; here buffers with segments of one size are one piece, which gives the same
numbers, since it acknowledges a larger buffer segment by segment (tcp_tso_acked()) and SACKs it in whole segments
(tcp_match_skb_to_sack(), tcp_shift_skb_data()).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.delivery.state import MOST_PIECES, P_FIN, P_SACKED
from analyzer.serial import difference

difference = inline(difference)


@inline
def take(pool: Any) -> Int:
    """A piece that is free, 0 without one."""
    free = pool[0]
    found: Int = np.int64(free["next"])
    if found:
        free["next"] = pool[found]["next"]
        return found
    found = max(np.int64(1), np.int64(free["count"]))
    if found >= len(pool):
        return np.int64(0)
    free["count"] = found + 1
    return found


@inline
def give(pool: Any, first: Int, last: Int) -> None:
    """A chain of pieces is free again."""
    pool[last]["next"] = pool[0]["next"]
    pool[0]["next"] = first


@part
def forget(pool: Any, own: Any, side: Int) -> None:
    """tcp_write_queue_purge(): nothing waits any more."""
    if own["head"][side]:
        give(pool, np.int64(own["head"][side]), np.int64(own["tail"][side]))
    own["head"][side] = own["tail"][side] = 0
    own["pieces"][side] = own["packets_out"][side] = 0


@inline
def length(part: Any) -> Int:
    """Bytes of a piece."""
    return difference(part["end"], part["start"]) - (1 if part["flags"] & P_FIN else 0)


@inline
def in_pieces(size: Int, count: Int) -> Int:
    """tcp_set_skb_tso_segs(): how many segments that many bytes are; a FIN alone is one."""
    if count <= size:
        return np.int64(1)
    return max(np.int64(1), (count + size - 1) // max(np.int64(1), size))


@inline
def is_even(part: Any) -> Any:
    """Are all its segments of the same size, so that more may follow?"""
    return not part["flags"] & P_FIN and length(part) == np.int64(part["count"]) * np.int64(part["size"])


@inline
def insert(pool: Any, own: Any, side: Int, after: Int) -> Int:
    """A new piece behind another (0: at the head); 0 where there is no room."""
    if own["pieces"][side] >= MOST_PIECES:
        return np.int64(0)
    found = take(pool)
    if not found:
        return found
    new = pool[found]
    if after:
        new["next"] = pool[after]["next"]
        pool[after]["next"] = found
    else:
        new["next"] = own["head"][side]
        own["head"][side] = found
    if new["next"] == 0:
        own["tail"][side] = found
    own["pieces"][side] += 1
    return found


@inline
def remove(pool: Any, own: Any, side: Int, before: Int, at: Int) -> None:
    """A piece leaves the queue; `before` is the one in front of it, 0 at the head."""
    following = pool[at]["next"]
    if before:
        pool[before]["next"] = following
    else:
        own["head"][side] = following
    if following == 0:
        own["tail"][side] = before
    own["pieces"][side] -= 1
    give(pool, at, at)


@part
def queue(pool: Any, own: Any, side: Int, start: Int, end: Int, size: Int, flags: Int) -> None:
    """tcp_event_new_data_sent(): new data, a SYN or a FIN waits for its acknowledgment.

    `size` is that of a full segment.
    """
    data = difference(end, start) - (1 if flags & P_FIN else 0)
    count = in_pieces(size, data)
    own["packets_out"][side] += count
    if count == 1:
        size = max(np.int64(1), data)
    last = np.int64(own["tail"][side])
    if last:
        tail = pool[last]
        goes_on = tail["flags"] == flags == 0 and tail["end"] == start and is_even(tail)
        if goes_on and (tail["size"] == size or (count == 1 and size < tail["size"])):
            tail["end"] = end
            tail["count"] += count
            return
    found = insert(pool, own, side, last)
    if found:
        new = pool[found]
        new["start"], new["end"], new["size"], new["count"], new["flags"] = start, end, size, count, flags
    elif last:
        tail = pool[last]
        tail["end"] = end
        tail["count"] += count
        tail["flags"] |= flags


@part
def acknowledge(pool: Any, own: Any, side: Int, ack: Int) -> tuple[Int, Int]:
    """tcp_clean_rtx_queue(): (segments acknowledged, how many of them had not been SACKed)."""
    total: Int = 0
    fresh: Int = 0
    while own["head"][side]:
        at = np.int64(own["head"][side])
        part = pool[at]
        whole = difference(part["end"], ack) <= 0
        count: Int = np.int64(part["count"])
        if not whole:
            if count == 1 or difference(ack, part["start"]) <= 0:
                break
            rest = difference(part["end"], ack) - (1 if part["flags"] & P_FIN else 0)
            left = min(count, in_pieces(np.int64(part["size"]), rest))
            part["start"], part["count"] = ack, left
            count -= left
        total += count
        if not part["flags"] & P_SACKED:
            fresh += count
        if not whole:
            break
        remove(pool, own, side, 0, at)
    own["packets_out"][side] -= total
    return total, fresh


@inline
def cut(pool: Any, own: Any, side: Int, at: Int, count: Int) -> Any:
    """tcp_fragment(): cut a piece behind its first `count` segments; is there room for the rest as a piece of its own?"""
    found = insert(pool, own, side, at)
    if not found:
        return False
    part, rest = pool[at], pool[found]
    rest["start"] = np.int64(part["start"]) + count * np.int64(part["size"]) & 0xFFFFFFFF
    rest["end"], rest["size"], rest["flags"] = part["end"], part["size"], part["flags"]
    rest["count"] = part["count"] - count
    part["end"], part["count"] = rest["start"], count
    part["flags"] &= ~np.uint8(P_FIN)
    return True


@part
def sacked(pool: Any, own: Any, side: Int, left: Int, right: Int) -> Int:
    """tcp_sacktag_walk(): a SACK block; how many segments had not been reported before."""
    fresh: Int = 0
    before: Int = 0
    at: Int = np.int64(own["head"][side])
    while at:
        part = pool[at]
        if difference(right, part["start"]) <= 0:
            break
        if (
            not part["flags"] & P_SACKED
            and difference(part["end"], left) > 0
            and difference(part["end"], own["snd_una"][side]) > 0
        ):
            size, count = np.int64(part["size"]), np.int64(part["count"])
            skipped: Int = max(np.int64(0), (difference(left, part["start"]) + size - 1) // size)
            stop: Int = count if difference(right, part["end"]) >= 0 else difference(right, part["start"]) // size
            if skipped < min(stop, count):
                if skipped and cut(pool, own, side, at, skipped):
                    before, at = at, np.int64(part["next"])
                    stop -= skipped
                    count -= skipped
                    skipped = 0
                if not skipped and (stop >= count or cut(pool, own, side, at, stop)):
                    part = pool[at]
                    part["flags"] |= P_SACKED
                    fresh += np.int64(part["count"])
                    if before and joins(pool, own, side, before, at):
                        at = before
        before, at = at, np.int64(pool[at]["next"])
    return fresh


@inline
def joins(pool: Any, own: Any, side: Int, before: Int, at: Int) -> Any:
    """Make one piece of two that follow each other and are both SACKed, if their segments are of one size."""
    one, two = pool[before], pool[at]
    if not one["flags"] & P_SACKED or one["size"] != two["size"] or one["end"] != two["start"] or not is_even(one):
        return False
    one["end"], one["flags"] = two["end"], two["flags"]
    one["count"] += two["count"]
    remove(pool, own, side, before, at)
    return True


@part
def below(pool: Any, own: Any, side: Int, seq: Int) -> Int:
    """How many segments in the queue were sent before a number."""
    found: Int = 0
    at: Int = np.int64(own["head"][side])
    while at:
        part = pool[at]
        ahead = difference(seq, part["start"])
        if ahead <= 0:
            break
        found += min(np.int64(part["count"]), in_pieces(np.int64(part["size"]), ahead))
        at = np.int64(part["next"])
    return found


@part
def renege(pool: Any, own: Any, side: Int) -> None:
    """tcp_timeout_mark_lost(): what was reported by SACK counts as never received."""
    at: Int = np.int64(own["head"][side])
    while at:
        part = pool[at]
        part["flags"] &= ~np.uint8(P_SACKED)
        at = np.int64(part["next"])
