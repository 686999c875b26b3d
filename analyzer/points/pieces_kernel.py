"""Compiled: a UDP datagram that was cut into several on its way (UDP segmentation offload), or several that were merged into one (UDP GRO).

All pieces have the same size but the last, which may be shorter, and IPv4 IDs that count up from that of the whole
(inet_gso_segment()), so that the ID says which piece it is. The first has the bytes that the whole begins with: without it the others count for nothing.
IPv6 has no ID: there nothing tells which piece is missing, and none is found.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.points.pending import COPY, MET, OLDEST_SENT
from analyzer.points.seek_kernel import arrive, came_before
from analyzer.points.segment import DATAGRAM

LOOKED_AT = 256  # datagrams of the way, the newest first
MOST_PIECES = 128  # UDP_MAX_SEGMENTS


@inline
def may_be_piece(item: Any) -> Any:
    """Is it a UDP datagram with an IPv4 ID, and no fragment? What has no ports is none."""
    return (
        item["flags"] & DATAGRAM != 0
        and item["src_port"] != 0
        and item["ip_version"] == 4
        and item["ip_id"] != 0
        and item["payload_len"] > 0
        and item["bad"] == 0
    )


@part
def join_datagrams(
    item: Any, number: Int, way: Any, sent: Any, links: Any, came: Any, came_links: Any, state: Any
) -> Int:
    """What a datagram that came was when it was sent, if it was cut or merged; of several the first. -1 if it was neither."""
    if not may_be_piece(item) or way["keeps_id"] == 0:
        return np.int64(-1)
    mask = len(sent) - 1
    copied = came_before(item, number, way, came, came_links, state)
    at = way["last_sent"]
    for _ in range(LOOKED_AT):
        if at < state[OLDEST_SENT]:
            break
        each, link = sent[at & mask], links[at & mask]
        if may_be_piece(each):
            if each["payload_len"] > item["payload_len"]:
                if is_piece(each, link, item):
                    take_piece(item, at, number, copied, sent, links, came_links)
                    return np.int64(at)
            elif is_first(each, item):
                last = last_of(item, at, sent, links, state)
                if last >= 0:
                    take_merged(item, at, last, number, sent, links, came_links)
                    return np.int64(at)
        at = link["before"]
    return np.int64(-1)


@inline
def is_piece(whole: Any, link: Any, item: Any) -> Any:
    """Is a datagram that came a piece of one that was sent? The first piece says how large the others are."""
    place = (np.int64(item["ip_id"]) - np.int64(whole["ip_id"])) & 0xFFFF
    if place == 0:
        return whole["seq"] == item["seq"] and MOST_PIECES * np.int64(item["payload_len"]) >= whole["payload_len"]
    size = np.int64(link["piece"])
    rest = np.int64(whole["payload_len"]) - place * size
    return size > 0 and rest > 0 and item["payload_len"] == min(size, rest)


@inline
def is_first(each: Any, item: Any) -> Any:
    """Is a datagram that was sent the first of those that came as one?"""
    return each["payload_len"] < item["payload_len"] and each["seq"] == item["seq"] and each["ip_id"] == item["ip_id"]


@inline
def take_piece(item: Any, origin: Int, number: Int, copied: Any, sent: Any, links: Any, came_links: Any) -> None:
    """A piece came, for the first time or again."""
    mask = len(sent) - 1
    link = links[origin & mask]
    if copied:
        link["status"] |= COPY
        came_links[number & (len(came_links) - 1)]["status"] |= COPY
        return
    if item["ip_id"] == sent[origin & mask]["ip_id"]:
        link["piece"] = item["payload_len"]
    link["covered"] += np.int64(item["payload_len"])
    link["status"] |= MET
    arrive(item, origin, links, mask)


@inline
def last_of(item: Any, first: Int, sent: Any, links: Any, state: Any) -> Int:
    """The last of the datagrams from the `first` on that were merged into one that came; -1 where they do not make it up."""
    mask = len(sent) - 1
    size, total = np.int64(sent[first & mask]["payload_len"]), np.int64(0)
    at, place, last = np.int64(first), np.int64(0), np.int64(-1)
    for _ in range(LOOKED_AT):
        if at < state[OLDEST_SENT] or place == MOST_PIECES:
            break
        each = sent[at & mask]
        if may_be_piece(each) and (np.int64(each["ip_id"]) - np.int64(item["ip_id"])) & 0xFFFF == place:
            if each["payload_len"] > size or links[at & mask]["times"] or total % size:
                break
            total += np.int64(each["payload_len"])
            place += 1
            if total >= item["payload_len"]:
                if total == item["payload_len"]:
                    last = at
                break
        at = links[at & mask]["after"]
    return last


@inline
def take_merged(item: Any, first: Int, last: Int, number: Int, sent: Any, links: Any, came_links: Any) -> None:
    """All of them came, as one."""
    mask = len(sent) - 1
    at, place = np.int64(first), np.int64(0)
    for _ in range(LOOKED_AT):
        each, link = sent[at & mask], links[at & mask]
        if may_be_piece(each) and (np.int64(each["ip_id"]) - np.int64(item["ip_id"])) & 0xFFFF == place:
            link["covered"] = np.int64(each["payload_len"])
            link["status"] |= MET
            arrive(item, at, links, mask)
            place += 1
        if at == last:
            break
        at = link["after"]
