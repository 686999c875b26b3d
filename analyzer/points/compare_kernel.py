"""Compiled: two captures of what may be one segment, compared field by field."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.points.segment import DATAGRAM, HIDDEN
from analyzer.tables import PACKETS, PASSAGES

FIN, SYN, RST = 1, 2, 4
MSS, SCALE, SACK_PERMITTED, SACK, TIMESTAMPS = (
    PACKETS.bit("options", name) for name in ("mss", "window_scale", "sack_permitted", "sack", "timestamps")
)
OTHERS = 0xFFFF & ~(MSS | SCALE | SACK_PERMITTED | TIMESTAMPS)
DONT_FRAGMENT = 2
(
    SRC, DST, SRC_PORT, DST_PORT, IP_ID, DSCP, ECN, DF, MSS_VALUE, SCALE_VALUE, SACK_BIT, TIMESTAMPS_BIT, OTHERS_BIT, WINDOW,
    FLAGS, CHECKSUM,
) = (1 << bit for bit in range(len(PASSAGES["fields"].words)))  # fmt: skip
LIKE_ENOUGH = 5  # of seven fields that a damaged segment has


@inline
def alike(one: Any, other: Any, way: Any) -> Int:
    """How much two segments with the same numbers have in common that another transmission would not have; -1 where they differ in what this path leaves as it is."""
    score = np.int64(0)
    if one["options"] & other["options"] & TIMESTAMPS:
        if one["tsval"] == other["tsval"]:
            score += 8
        elif way["keeps_tsval"] and not other["bad"]:
            return np.int64(-1)
    if one["ip_version"] == 4 and other["ip_version"] == 4:
        if one["ip_id"] == other["ip_id"]:
            score += 4
        elif way["keeps_id"] and not other["bad"]:
            return np.int64(-1)
    if one["checksum_field"] == other["checksum_field"]:
        score += 2
    if one["window"] == other["window"]:
        score += 1
    return score


@inline
def likeness(one: Any, other: Any) -> Int:
    """In how many fields a damaged segment is like one that was sent; 0 where in too few."""
    score = np.int64(0)
    for same in (
        one["seq"] == other["seq"],
        one["ack"] == other["ack"],
        one["flags"] == other["flags"],
        one["window"] == other["window"],
        one["tsval"] == other["tsval"],
        one["ip_id"] == other["ip_id"] and one["ip_version"] == other["ip_version"],
        one["checksum_field"] == other["checksum_field"] or (moved(one, other) and is_mended(one, other)),
    ):
        if same:
            score += 1
    if one["payload_len"] != other["payload_len"] or score < LIKE_ENOUGH:
        return np.int64(0)
    return score


@inline
def changed(one: Any, other: Any, whole: Any) -> Int:
    """Which fields differ (bits of `passages.fields`); of what was cut or merged (not `whole`) only those that all parts share."""
    found = np.int64(0)
    if one["source"] != other["source"]:
        found |= SRC
    if one["target"] != other["target"]:
        found |= DST
    if one["src_port"] != other["src_port"]:
        found |= SRC_PORT
    if one["dst_port"] != other["dst_port"]:
        found |= DST_PORT
    if one["tos"] >> 2 != other["tos"] >> 2:
        found |= DSCP
    if one["tos"] & 3 != other["tos"] & 3:
        found |= ECN
    if (one["ip_flags"] ^ other["ip_flags"]) & DONT_FRAGMENT and one["ip_version"] == other["ip_version"]:
        found |= DF
    known = (one["note"] | other["note"]) & HIDDEN == 0  # are all options, at both
    if known and (one["options"] ^ other["options"]) & TIMESTAMPS:
        found |= TIMESTAMPS_BIT
    if not whole:
        return found
    if one["ip_id"] != other["ip_id"]:
        found |= IP_ID
    if one["options"] & other["options"] & TIMESTAMPS and one["tsval"] != other["tsval"]:
        found |= TIMESTAMPS_BIT
    if one["window"] != other["window"]:
        found |= WINDOW
    if one["flags"] != other["flags"]:
        found |= FLAGS
    if known:
        found |= changed_options(one, other)
    return found


@inline
def changed_options(one: Any, other: Any) -> Int:
    """Which options differ, but for timestamps."""
    found = np.int64(0)
    if one["mss"] != other["mss"] or (one["options"] ^ other["options"]) & MSS:
        found |= MSS_VALUE
    if one["window_scale"] != other["window_scale"] or (one["options"] ^ other["options"]) & SCALE:
        found |= SCALE_VALUE
    if (one["options"] ^ other["options"]) & SACK_PERMITTED:
        found |= SACK_BIT
    if (one["options"] ^ other["options"]) & OTHERS:
        found |= OTHERS_BIT
    return found


@inline
def moved(one: Any, other: Any) -> Any:
    """Do addresses or ports differ?"""
    return (
        one["source"] != other["source"]
        or one["target"] != other["target"]
        or one["src_port"] != other["src_port"]
        or one["dst_port"] != other["dst_port"]
    )


@inline
def is_mended(one: Any, other: Any) -> Any:
    """Is the checksum that of the segment that was sent, but for what its addresses and ports differ (RFC 1624)? Of IPv4, whose addresses are known whole."""
    if one["ip_version"] != 4 or other["ip_version"] != 4 or (one["flags"] & DATAGRAM and not one["dst_port"]):
        return False
    total = (~np.int64(one["checksum_field"])) & 0xFFFF
    total += words(one, np.int64(0xFFFF)) + words(other, np.int64(0))
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return (~total) & 0xFFFF == other["checksum_field"]


@inline
def words(item: Any, flip: Int) -> Int:
    """The sum of the halves of its addresses, and of its ports, each combined with `flip` (0xFFFF takes it away from a checksum)."""
    source, target = np.int64(item["source"]), np.int64(item["target"])
    return (
        ((source >> 16) ^ flip)
        + ((source & 0xFFFF) ^ flip)
        + ((target >> 16) ^ flip)
        + ((target & 0xFFFF) ^ flip)
        + (np.int64(item["src_port"]) ^ flip)
        + (np.int64(item["dst_port"]) ^ flip)
    )


@inline
def is_damaged(one: Any, other: Any) -> Any:
    """Is what came wrong and what was sent not? Where addresses or ports were changed, this must not be all: the checksum was mended for them, and is wrong all the same."""
    if not other["bad"] or one["bad"]:
        return False
    if not moved(one, other):
        return True
    return one["checksum_field"] != other["checksum_field"] and is_mended(one, other)
