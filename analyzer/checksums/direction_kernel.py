"""Compiled: where the counts of a direction (source, destination, protocol) are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.checksums.state import DIRECTIONS, SEED, SLOTS
from analyzer.flows.hash_kernel import way_of

NOBODY = -1
ANY = -2  # no wrong frame yet


@inline
def direction_of(row: Any, outer: Any, directions: Any, slots: Any, room: Any) -> Int:
    """The index of the row's direction; 0 where there is no room for a new one. `outer`: it is a packet around another one."""
    slot = slot_of(row, room)
    while slots[slot] != 0:
        d = directions[slots[slot]]
        if same_way(d, row, outer):
            return np.int64(slots[slot])
        slot = (slot + 1) & (SLOTS - 1)
    if room[0] == DIRECTIONS - 1:
        return 0
    room[0] += 1
    found = room[0]
    slots[slot] = found
    d = directions[found]
    d["src_hi"], d["src_lo"], d["dst_hi"], d["dst_lo"] = row["src_hi"], row["src_lo"], row["dst_hi"], row["dst_lo"]
    d["version"], d["proto"], d["outer"] = row["ip_version"], row["ip_proto"], outer
    d["first_ns"], d["ttl_min"], d["ttl_max"] = row["time_ns"], row["ttl"], row["ttl"]
    d["open"], d["last_field"], d["bad_src_port"], d["bad_dst_port"] = NOBODY, -1, ANY, ANY
    d["partial_least"] = d["first_field"] = -1
    pair(found, directions, slots, room)
    return found


@inline
def slot_of(row: Any, room: Any) -> Int:
    """Where the search for the row's direction begins."""
    way = way_of(row["src_hi"], row["src_lo"], row["dst_hi"], row["dst_lo"], row["ip_proto"], np.uint64(room[SEED]))
    return np.int64(way & np.uint64(SLOTS - 1))


@inline
def known_direction(row: Any, outer: Any, before: Int, slot: Int, directions: Any, slots: Any) -> Int:
    """The index of the row's direction, 0 where it has none yet; `slot` is that of the row.

    That of the frame `before`, or its way back, is looked at first.
    """
    if same_way(directions[before], row, outer):
        return before
    back = np.int64(directions[before]["reverse"])
    if back != 0 and same_way(directions[back], row, outer):
        return back
    while slots[slot] != 0:
        if same_way(directions[slots[slot]], row, outer):
            return np.int64(slots[slot])
        slot = (slot + 1) & (SLOTS - 1)
    return 0


@inline
def same_way(d: Any, row: Any, outer: Any) -> Any:
    """Is this the row's direction?"""
    return (
        d["src_lo"] == row["src_lo"]
        and d["dst_lo"] == row["dst_lo"]
        and d["proto"] == row["ip_proto"]
        and d["src_hi"] == row["src_hi"]
        and d["dst_hi"] == row["dst_hi"]
        and d["version"] == row["ip_version"]
        and d["outer"] == outer
    )


@inline
def pair(found: Int, directions: Any, slots: Any, room: Any) -> None:
    """Link a new direction with the way back, if that is known."""
    d = directions[found]
    way = way_of(d["dst_hi"], d["dst_lo"], d["src_hi"], d["src_lo"], d["proto"], np.uint64(room[SEED]))
    slot = np.int64(way & np.uint64(SLOTS - 1))
    while slots[slot] != 0:
        r = directions[slots[slot]]
        if (
            r["src_lo"] == d["dst_lo"]
            and r["dst_lo"] == d["src_lo"]
            and r["proto"] == d["proto"]
            and r["src_hi"] == d["dst_hi"]
            and r["dst_hi"] == d["src_hi"]
            and r["version"] == d["version"]
            and r["outer"] == d["outer"]
        ):
            d["reverse"] = slots[slot]
            r["reverse"] = found
            return
        slot = (slot + 1) & (SLOTS - 1)
