"""Compiled list of what a receiver holds out of order: ranges of bytes in order, taken from a pool that all connections share.

A segment that follows a range on the right becomes a part of it, as tcp_ooo_try_coalesce() does where the buffers
allow it; ranges are never joined on the left, so they may touch and overlap. When the pool is exhausted a segment is not kept,
and the next acknowledgment of the host says what it had.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.arrival.state import JOINED
from analyzer.serial import difference

difference = inline(difference)


@inline
def take(pool: Any) -> Int:
    """A free row of the pool, 0 without one."""
    found = np.int64(pool[0]["next"])
    if found:
        pool[0]["next"] = pool[found]["next"]
        return found
    found = np.int64(pool[0]["left"]) + 1
    if found >= len(pool):
        return 0
    pool[0]["left"] = found
    return found


@inline
def give_back(pool: Any, at: Int) -> None:
    """The row is free again."""
    pool[at]["next"] = pool[0]["next"]
    pool[0]["next"] = at


@part
def forget(pool: Any, own: Any, side: Int) -> None:
    """Nothing is held out of order any more."""
    at = np.int64(own["queue"][side])
    while at:
        following = np.int64(pool[at]["next"])
        give_back(pool, at)
        at = following
    own["queue"][side] = own["last"][side] = own["stored"][side] = 0


@part
def hold(pool: Any, own: Any, side: Int, left: Int, right: Int) -> tuple[Int, Int, Int, Int]:
    """tcp_data_queue_ofo(): put a segment into the list: (segments dropped, at least, at most), as all their bytes are there; 1 if some of its own were.

    That is the segment itself, or those that it covers. How many depends on which were joined before; -1 if this one was.
    """
    before, at = np.int64(0), np.int64(own["queue"][side])
    last = np.int64(own["last"][side])
    if last and difference(pool[last]["left"], left) <= 0:  # mostly it goes to the end
        before, at = last, np.int64(0)
    while at and difference(pool[at]["left"], left) <= 0:
        before, at = at, np.int64(pool[at]["next"])
    dropped = least = 0
    most: Int = 0
    twice = 1 if at and difference(pool[at]["left"], right) < 0 else 0
    if before:
        end = np.int64(pool[before]["right"])
        pieces = np.int64(pool[before]["pieces"])
        twice = 1 if difference(left, end) < 0 else twice
        if difference(right, end) <= 0:
            return 1, 1 if pieces == 1 or is_piece(pool[before], left, right) else 0, 1, 1
        if left == end and pieces < JOINED:
            if not fits_on(pool[before], left, right):
                pool[before]["size"] = 0
            pool[before]["right"], pool[before]["pieces"] = right, pieces + 1
            own["stored"][side] += difference(right, left)
            return -1, 0, 0, 0
        if left == pool[before]["left"]:
            dropped, least, most = 1, 1, pieces
            own["stored"][side] += difference(right, end)
            pool[before]["right"], pool[before]["pieces"] = right, 1
            pool[before]["size"] = difference(right, left)
        else:
            before = insert(pool, own, side, before, left, right)
    else:
        before = insert(pool, own, side, 0, left, right)
    while at and difference(pool[at]["right"], right) <= 0:
        dropped, least, most = dropped + 1, least + 1, most + np.int64(pool[at]["pieces"])
        following = np.int64(pool[at]["next"])
        own["stored"][side] -= difference(pool[at]["right"], pool[at]["left"])
        if before:
            pool[before]["next"] = following
        else:
            own["queue"][side] = following
        give_back(pool, at)
        at = following
    if at == 0:
        own["last"][side] = before
    return dropped, least, most, twice


@inline
def fits_on(held: Any, left: Int, right: Int) -> Any:
    """Are the pieces of the range of one size, all but the last, with this one added as well?"""
    size = np.int64(held["size"])
    return size > 0 and difference(left, held["left"]) % size == 0 and difference(right, left) <= size


@inline
def is_piece(held: Any, left: Int, right: Int) -> Any:
    """Is this one of the pieces of the range, as far as can be known?"""
    return fits_on(held, left, right) and (difference(right, left) == held["size"] or right == held["right"])


@inline
def insert(pool: Any, own: Any, side: Int, before: Int, left: Int, right: Int) -> Int:
    """A new range in the list, after another or first: its row; the one before where the pool has none left."""
    found = take(pool)
    if not found:
        return before
    pool[found]["left"], pool[found]["right"], pool[found]["pieces"] = left, right, 1
    pool[found]["size"] = difference(right, left)
    own["stored"][side] += difference(right, left)
    if before:
        pool[found]["next"] = pool[before]["next"]
        pool[before]["next"] = found
    else:
        pool[found]["next"] = own["queue"][side]
        own["queue"][side] = found
    return found


@part
def advance(pool: Any, own: Any, side: Int, right: Int) -> tuple[Int, Int]:
    """tcp_ofo_queue(): all before `right` was received in order, and what follows on it: (buffers taken from the list, those joined to the one before)."""
    own["next"][side] = right
    taken = fitting = 0
    at = np.int64(own["queue"][side])
    while at and difference(pool[at]["left"], own["next"][side]) <= 0:
        if difference(pool[at]["right"], own["next"][side]) > 0:
            exact = pool[at]["left"] == own["next"][side]
            own["next"][side] = pool[at]["right"]
            pieces = np.int64(pool[at]["pieces"])
            taken += 1
            if exact and np.int64(own["tail"][side]) + pieces <= JOINED:
                fitting += 1
                own["tail"][side] += pieces
            else:
                own["tail"][side] = pieces
        own["stored"][side] -= difference(pool[at]["right"], pool[at]["left"])
        following = np.int64(pool[at]["next"])
        give_back(pool, at)
        at = following
    own["queue"][side] = at
    if at == 0:
        own["last"][side] = 0
    return taken, fitting
