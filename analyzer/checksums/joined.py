"""Counts of several ranges of one capture -> those of the whole, as one Checker would have them that had read it all.

Only where no checksum is wrong: what became of a wrong segment tells who reads on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyzer.checksums.checker import Checker
from analyzer.checksums.state import BAD, DIRECTION, DIRECTIONS, ZERO
from analyzer.schema import Rows

KEY = ("src_hi", "src_lo", "dst_hi", "dst_lo", "version", "proto", "outer")
SUMS = ("frames", "bytes", "states", "headers", "bare_valid", "out", "into", "short", "padded", "bare_partial")
MOST, LEAST = ("ttl_max", "valid_largest", "partial_most"), ("ttl_min",)
FIRSTS = ("first", "first_header")
NONE = np.iinfo(np.int64).max


def why_not(checker: Checker) -> str:
    """Why the counts of a range cannot be joined with those of others; empty where they can."""
    if any(int(rows["states"][:, [BAD, ZERO]].sum()) for rows in (checker.directions, checker.others)):
        return "there are wrong checksums, and what became of a damaged segment shows only to who reads all in order"
    return too_many(int(checker.others["frames"][0]) and DIRECTIONS)


def too_many(directions: int) -> str:
    """Why so many directions cannot be joined; empty where they can."""
    return f"there are more than {DIRECTIONS - 1:,} pairs of hosts" if directions >= DIRECTIONS else ""


def joined(parts: Sequence[Rows], before: Sequence[int]) -> Rows:
    """The rows (DIRECTION) of all ranges together, in order of their first frames; each range has so many frames `before` it."""
    rows = np.concatenate([np.zeros(0, DIRECTION), *parts])
    behind = np.repeat(np.array(before, np.int64), [len(part) for part in parts])
    for name in FIRSTS:
        rows[name] += np.where(rows[name] > 0, behind[:, None], 0)
    keys = np.zeros((len(rows), len(KEY)), np.uint64)
    for column, name in enumerate(KEY):
        keys[:, column] = rows[name]
    _, first, which = np.unique(keys.view(f"V{8 * len(KEY)}")[:, 0], return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    which = place[which]
    found = rows[first[order]]
    _sum_up(found, rows, which)
    _pair(found, keys[first[order]])
    return found


def joined_checker(rows: Rows) -> Checker:
    """One that has counted these directions."""
    checker = Checker()
    checker.memory.directions[1 : len(rows) + 1] = rows
    checker.memory.room[0] = len(rows)
    return checker


def _sum_up(found: Rows, rows: Rows, which: npt.NDArray[np.int64]) -> None:
    """Fill the rows of `found` from all `rows`, each of which belongs to the one that `which` says."""
    for name in SUMS:
        found[name] = 0
        np.add.at(found[name], which, rows[name])
    for name in MOST:
        found[name] = 0
        np.maximum.at(found[name], which, rows[name])
    for name in LEAST:
        np.minimum.at(found[name], which, rows[name])
    for name in FIRSTS:
        numbers = np.where(rows[name] > 0, rows[name], NONE)
        least = np.full(found[name].shape, NONE, np.int64)
        np.minimum.at(least, which, numbers)
        found[name] = np.where(least == NONE, 0, least)
    smallest = np.full(len(found), NONE, np.int64)
    np.minimum.at(smallest, which, np.where(rows["partial_least"] >= 0, rows["partial_least"], NONE))
    found["partial_least"] = np.where(smallest == NONE, -1, smallest)
    found["last_ns"][which] = rows["last_ns"]  # of several the last one stays


def _pair(found: Rows, keys: npt.NDArray[np.uint64]) -> None:
    """Say of each direction which one leads back."""
    place = {tuple(key): 1 + at for at, key in enumerate(keys.tolist())}
    for at, (src_hi, src_lo, dst_hi, dst_lo, *rest) in enumerate(keys.tolist()):
        found["reverse"][at] = place.get((dst_hi, dst_lo, src_hi, src_lo, *rest), 0)
