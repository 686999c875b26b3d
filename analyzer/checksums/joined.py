"""Counts of several ranges of one capture -> those of the whole, as one Checker would have them that had read it all.

What became of a wrong segment shows in the range that holds it, or the range is none: whoever cuts sees to that (`is_waiting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.checksums.checker import Checker
from analyzer.checksums.direction_kernel import ANY, NOBODY
from analyzer.checksums.state import DIRECTION, DIRECTIONS, OFFSETS, VALID
from analyzer.schema import Rows
from analyzer.together import taken

KEY = ("src_hi", "src_lo", "dst_hi", "dst_lo", "version", "proto", "outer")
SUMS = (
    "frames", "bytes", "states", "headers", "bare_valid", "out", "into", "short", "padded", "bare_partial", "bad_syn", "bad_blank", "bad_super",
    "bad_same_field", "followed", "repaired", "acknowledged", "bits", "compared",
)  # fmt: skip
MOST, LEAST = ("ttl_max", "valid_largest", "partial_most"), ("ttl_min",)
FIRSTS = ("first", "first_header")
EXAMPLE = ("example", "example_again", "example_at", "example_bits")
AFTER_ANOTHER = (
    "good_run", "wrong_first_ns", "wrong_last_ns", "last_field", "bad_mss", "bad_src_port", "bad_dst_port", "offsets", "offset_frames",
    "other_offsets", *EXAMPLE,
)  # fmt: skip
NONE = np.iinfo(np.int64).max


def is_waiting(checker: Checker) -> bool:
    """Is there a wrong segment whose fate may still show?"""
    return bool(checker.memory.room[3])


def why_not(parts: Sequence[Rows]) -> str:
    """Why the counts (DIRECTION) of ranges, in their order, do not tell those of the whole; empty where they do."""
    wrong = np.concatenate([np.zeros(0, DIRECTION), *(part[part["wrong_last_ns"] != 0] for part in parts)])
    several = len(np.unique(_keys(wrong))) < len(wrong)
    if several and ((wrong["offset_frames"] > 0).all(axis=1) & (wrong["other_offsets"] > 0)).any():
        return "wrong checksums are wrong in more ways than are told apart"
    if _outgrown(parts, np.unique(_keys(wrong[wrong["super_least"] > 0]))):
        return "which packets with wrong checksums are larger than all right ones before them, shows only to who reads all in order"
    return ""


def _outgrown(parts: Sequence[Rows], keys: npt.NDArray[Any]) -> bool:
    """Was a right packet, in a range before, as large as one that a range took for larger than all? Of these directions."""
    largest = np.zeros(len(keys), np.int64)
    for part in parts if len(keys) else ():
        mine = part[np.isin(_keys(part), keys)]
        at = np.searchsorted(keys, _keys(mine))
        if ((mine["super_least"] > 0) & (mine["super_least"] <= largest[at])).any():
            return True
        largest[at] = np.maximum(largest[at], mine["valid_largest"])
    return False


def too_many(directions: int, others: int = 0) -> str:
    """Why so many directions, and frames of others, cannot be joined; empty where they can."""
    return f"there are more than {DIRECTIONS - 1:,} pairs of hosts" if others or directions >= DIRECTIONS else ""


def joined(parts: Sequence[Rows], before: Sequence[int]) -> Rows:
    """The rows (DIRECTION) of all ranges together, in order of their first frames; each range has so many frames `before` it."""
    rows = np.concatenate([np.zeros(0, DIRECTION), *parts])
    behind = np.repeat(np.array(before, np.int64), [len(part) for part in parts])
    for name in FIRSTS:
        rows[name] += np.where(rows[name] > 0, behind[:, None], 0)
    for name in ("example", "example_again"):
        rows[name] += np.where(rows["example"] > 0, behind, 0)
    keys = _keys(rows)
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    which = place[which]
    found = taken(rows, first[order])
    _sum_up(found, rows, which)
    _sum_up_wrong(found, rows, which)
    _pair(found)
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


def _sum_up_wrong(found: Rows, rows: Rows, which: npt.NDArray[np.int64]) -> None:
    """Of the directions with wrong checksums, which are few, what hangs on their order: each range goes on where the one before ended."""
    wrong = np.unique(which[rows["wrong_last_ns"] != 0])
    for at in wrong.tolist():
        mine = rows[which == at]
        known = mine[0].copy()
        for part in mine[1:]:
            if known["wrong_last_ns"]:
                known["good_run"] += part["states"][VALID]
            else:
                known["good_run"], known["wrong_first_ns"] = part["good_run"], part["wrong_first_ns"]
            if part["wrong_last_ns"]:
                _go_on(known, part)
        for name in AFTER_ANOTHER:
            found[at][name] = known[name]
        found[at]["bad_same_field"] += _met(mine)


def _go_on(known: Any, part: Any) -> None:
    """Add the next range of a direction, in which there are wrong checksums, to what is `known` of those before."""
    known["wrong_last_ns"] = part["wrong_last_ns"]
    if part["last_field"] >= 0:
        known["last_field"] = part["last_field"]
    if part["bad_syn"] and part["bad_mss"]:
        known["bad_mss"] = part["bad_mss"]
    for name in ("bad_src_port", "bad_dst_port"):
        if known[name] == ANY:
            known[name] = part[name]
        elif part[name] not in (ANY, known[name]):
            known[name] = NOBODY
    known["other_offsets"] += part["other_offsets"]
    for offset, frames in zip(part["offsets"].tolist(), part["offset_frames"].tolist(), strict=True):
        used = int(np.count_nonzero(known["offset_frames"]))
        same = np.flatnonzero((known["offsets"] == offset) & (known["offset_frames"] > 0))
        if not frames:
            break
        if len(same):
            known["offset_frames"][same[0]] += frames
        elif used < OFFSETS:
            known["offsets"][used], known["offset_frames"][used] = offset, frames
        else:
            known["other_offsets"] += frames
    if not known["example"]:
        for name in EXAMPLE:
            known[name] = part[name]


def _met(parts: Rows) -> int:
    """How often the first wrong checksum of a range has the value of the last one before it."""
    some = parts[parts["last_field"] >= 0]
    return int(np.count_nonzero(some["first_field"][1:] == some["last_field"][:-1]))


def _keys(rows: Rows) -> npt.NDArray[Any]:
    """What tells directions apart, one value each."""
    keys = np.zeros((len(rows), len(KEY)), np.uint64)
    for column, name in enumerate(KEY):
        keys[:, column] = rows[name]
    return keys.view(f"V{8 * len(KEY)}")[:, 0]


def _pair(found: Rows) -> None:
    """Say of each direction which one leads back."""
    keys = found[list(KEY)].tolist()
    place = {key: 1 + at for at, key in enumerate(keys)}
    for at, (src_hi, src_lo, dst_hi, dst_lo, *rest) in enumerate(keys):
        found["reverse"][at] = place.get((dst_hi, dst_lo, src_hi, src_lo, *rest), 0)
