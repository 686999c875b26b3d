"""Compiled: what a segment that came was when it was sent: sought among those that still wait.

First one with the same numbers and length, then data that it overlaps (segmentation and merging), then, if its checksum is wrong,
the one most like it. However many wait that are alike, only the newest LOOKED_AT are looked at, so that no capture can keep it busy; what is
not found among them counts as not seen to leave, and next to such nothing is called lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.flows.hash_kernel import mix
from analyzer.points.compare_kernel import FIN, RST, SYN, alike, likeness
from analyzer.points.pending import BLOCK_BITS, COPY, MET, OLDEST_CAME, OLDEST_SENT
from analyzer.points.segment import DATAGRAM

LOOKED_AT = 4096  # segments, the newest first


@inline
def span_of(item: Any) -> Int:
    """How much of the sequence space it takes; a datagram takes none."""
    flags = np.int64(item["flags"])
    if flags & DATAGRAM:
        return np.int64(0)
    return np.int64(item["payload_len"]) + (flags & FIN) + (flags >> 1 & 1)


@inline
def ahead(one: Any, other: Any) -> Int:
    """By how much a sequence number is beyond another (RFC 1982)."""
    return ((np.int64(one) - np.int64(other) + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@inline
def hash_exact(item: Any, mask: Int) -> Int:
    """The place of segments with the same numbers and length."""
    key = np.uint64(item["seq"]) << np.uint64(32) | np.uint64(item["ack"])
    rest = np.uint64(item["payload_len"]) << np.uint64(4) | np.uint64(item["flags"] & (FIN | SYN | RST))
    owner = np.uint64(2 * np.int64(item["connection"]) + item["way"])
    return np.int64(mix(key ^ mix(rest ^ mix(owner))) & np.uint64(mask))


@inline
def hash_block(item: Any, block: Int, mask: Int) -> Int:
    """The place of data in a block of the sequence space."""
    owner = np.uint64(2 * np.int64(item["connection"]) + item["way"])
    return np.int64(mix(np.uint64(block) ^ mix(owner)) & np.uint64(mask))


@inline
def same_numbers(one: Any, other: Any) -> Any:
    """Are they of the same way, with the same numbers, length and meaning?"""
    return (
        one["seq"] == other["seq"]
        and one["ack"] == other["ack"]
        and one["payload_len"] == other["payload_len"]
        and one["connection"] == other["connection"]
        and one["way"] == other["way"]
        and (one["flags"] ^ other["flags"]) & (FIN | SYN | RST | DATAGRAM) == 0
    )


@inline
def arrive(item: Any, origin: Int, links: Any, mask: Int) -> None:
    """It came: for the first time, or again."""
    link = links[origin & mask]
    if link["times"] == 0:
        link["came_frame"], link["came_ns"] = item["frame"], item["when_ns"]
    link["times"] += 1


@part
def find_same(item: Any, way: Any, sent: Any, links: Any, state: Any, tables: Any) -> Int:
    """The segment with the same numbers that is most like it; among equals one that has not come yet, then one that took as long as is usual. -1 without any."""
    mask = len(sent) - 1
    best, best_like, best_new, best_off = np.int64(-1), np.int64(-1), False, np.int64(0)
    number = tables[0, hash_exact(item, tables.shape[1] - 1)]
    for _ in range(LOOKED_AT):
        if number < state[OLDEST_SENT]:
            break
        place = number & mask
        each = sent[place]
        if same_numbers(each, item):
            like = alike(each, item, way)
            new = links[place]["times"] == 0
            off = abs(item["when_ns"] - each["when_ns"] - max(way["usual_ns"], 0))
            if like >= 0 and (
                like > best_like or (like == best_like and (new > best_new or (new == best_new and off <= best_off)))
            ):
                best, best_like, best_new, best_off = number, like, new, off
        number = links[place]["same"]
    return best


@part
def find_damaged(item: Any, way: Any, sent: Any, links: Any, state: Any) -> Int:
    """The segment of the same way that is most like one whose numbers may be damaged; -1 where none is like it in all but a few."""
    mask = len(sent) - 1
    best, best_like = np.int64(-1), np.int64(0)
    number = way["last_sent"]
    for _ in range(LOOKED_AT):
        if number < state[OLDEST_SENT]:
            break
        place = number & mask
        like = likeness(sent[place], item)
        if links[place]["times"] == 0 and like > best_like:
            best, best_like = number, like
        number = links[place]["before"]
    return best


@part
def join(
    item: Any, number: Int, way: Any, sent: Any, links: Any, came: Any, came_links: Any, state: Any, tables: Any
) -> Int:
    """Data that was cut into segments or merged: all that was sent and overlaps it. Returns the first of it, -1 without any."""
    mask = len(sent) - 1
    first = np.int64(item["seq"]) >> BLOCK_BITS
    last = (np.int64(item["seq"]) + np.int64(item["payload_len"]) - 1 & 0xFFFFFFFF) >> BLOCK_BITS
    copied = came_before(item, number, way, came, came_links, state)
    best = np.int64(-1)
    for turn in range(2):
        if turn == 1 and last == first:
            break
        block = first if turn == 0 else last
        node = tables[1, hash_block(item, block, tables.shape[1] - 1)]
        for _ in range(LOOKED_AT):
            origin = node >> 1
            if origin < state[OLDEST_SENT]:
                break
            place = origin & mask
            each = sent[place]
            # Where both lie in both blocks, the first turn has found it.
            again = turn == 1 and np.int64(each["seq"]) >> BLOCK_BITS == first
            if not again and each["connection"] == item["connection"] and each["way"] == item["way"]:
                start = max(ahead(each["seq"], item["seq"]), 0)
                end = min(
                    ahead(each["seq"], item["seq"]) + np.int64(each["payload_len"]), np.int64(item["payload_len"])
                )
                link = links[place]
                if start < end and joins(each, item, way) and (copied or link["covered"] < each["payload_len"]):
                    if best < 0 or ahead(each["seq"], sent[best & mask]["seq"]) < 0:
                        best = origin
                    if copied:
                        link["status"] |= COPY
                    else:
                        link["covered"] += end - start
                        link["status"] |= MET
                        arrive(item, origin, links, mask)
            node = links[place]["in_block"][node & 1]
    if best >= 0 and copied:
        came_links[number & (len(came) - 1)]["status"] |= COPY
    return best


@inline
def joins(each: Any, item: Any, way: Any) -> Any:
    """May the one be a part of the other: has it the same timestamp, as far as both have one?"""
    if each["flags"] & (SYN | RST) or item["flags"] & (SYN | RST):
        return False
    if each["tsval"] == 0 or item["tsval"] == 0 or way["keeps_tsval"] == 0 or item["bad"]:
        return True
    return each["tsval"] == item["tsval"]


@inline
def came_before(item: Any, number: Int, way: Any, came: Any, came_links: Any, state: Any) -> Any:
    """Did the very same segment come before it?"""
    mask = len(came) - 1
    before = came_links[number & mask]["same"]
    for _ in range(LOOKED_AT):
        if before < state[OLDEST_CAME]:
            break
        each = came[before & mask]
        if (
            same_numbers(each, item)
            and each["tsval"] == item["tsval"]
            and (each["ip_id"] == item["ip_id"] or way["keeps_id"] == 0)
            and came_links[before & mask]["status"] & MET
        ):
            return True
        before = came_links[before & mask]["same"]
    return False
