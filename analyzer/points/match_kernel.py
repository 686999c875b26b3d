"""Compiled: the segments of two points in order of time -> which one is which, and what became of it.

A segment that was sent waits until its time is over; one that comes looks for it (`seek_kernel`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, in_library, inline, kernel, part, rows_of
from analyzer.points.pending import (
    ACKED,
    ACKED_BEFORE,
    BLOCK_BITS,
    CAME,
    COPY,
    CORRUPT,
    LATE,
    MET,
    NEAR,
    NEXT_CAME,
    NEXT_PACKET,
    NEXT_SENT,
    NOT_SURE,
    NOW,
    OLDEST_CAME,
    OLDEST_SENT,
    OTHER_TTL,
    PARTLY,
    PASSED,
    SENT,
    WAY,
    WHOLE,
)
from analyzer.points.segment import DATAGRAM, PASSING, UNSURE

if not in_library():
    from analyzer.points.compare_kernel import CHECKSUM, RST, changed, is_damaged
    from analyzer.points.pieces_kernel import join_datagrams
    from analyzer.points.seek_kernel import (
        LOOKED_AT,
        ahead,
        arrive,
        find_damaged,
        find_same,
        hash_block,
        hash_exact,
        join,
        span_of,
    )

ACK = 16


@kernel(
    items=rows_of(PASSING), at=INT, wait_ns=INT, sent=rows_of(PASSING), links=rows_of(SENT), came=rows_of(PASSING),
    came_links=rows_of(CAME), state=rows_of(np.int64), tables=rows_of(np.int64, 2), ways=rows_of(WAY), out=rows_of(PASSED),
)  # fmt: skip
def match(
    items: Any,
    at: Int,
    wait_ns: Int,
    sent: Any,
    links: Any,
    came: Any,
    came_links: Any,
    state: Any,
    tables: Any,
    ways: Any,
    out: Any,
) -> tuple[Int, Int]:
    """Take the segments (PASSING) from `at` on. Returns the first that was not taken, as `out` (PASSED) is full, and how many rows it holds.

    What waited longer than `wait_ns` leaves, in the order in which it came. Rings have room for all of `items`.
    """
    count = np.int64(0)
    for i in range(at, len(items)):
        state[NOW] = max(state[NOW], items[i]["key_ns"])
        count, done = settle(state[NOW] - wait_ns, sent, links, came, came_links, state, ways, out, count)
        if not done:
            return np.int64(i), count
        if items[i]["near"] == UNSURE:
            if count == len(out):
                return np.int64(i), count
            row = out[count]
            count += 1
            tell(row, items[i])
            row["packet"] = row["order"] = -1
            row["related_frame"] = row["delay_ns"] = row["lost_bytes"] = row["fields"] = row["late_by"] = 0
            row["status"] = NOT_SURE
            continue
        if items[i]["near"]:
            send(items[i], sent, links, state, tables, ways)
        else:
            receive(items[i], sent, links, came, came_links, state, tables, ways)
        hear(items[i], ways)
    return np.int64(len(items)), count


@kernel(
    until_ns=INT, sent=rows_of(PASSING), links=rows_of(SENT), came=rows_of(PASSING), came_links=rows_of(CAME),
    state=rows_of(np.int64), ways=rows_of(WAY), out=rows_of(PASSED),
)  # fmt: skip
def leave(until_ns: Int, sent: Any, links: Any, came: Any, came_links: Any, state: Any, ways: Any, out: Any) -> Int:
    """Let what was captured before `until_ns` leave, as far as `out` (PASSED) has room. Returns how many rows it holds."""
    return settle(until_ns, sent, links, came, came_links, state, ways, out, np.int64(0))[0]


@part
def settle(
    until_ns: Int, sent: Any, links: Any, came: Any, came_links: Any, state: Any, ways: Any, out: Any, count: Int
) -> tuple[Int, Any]:
    """The rows of what was captured before; False for the second where `out` is full."""
    mask = len(sent) - 1
    while state[OLDEST_SENT] < state[NEXT_SENT]:
        place = state[OLDEST_SENT] & mask
        if sent[place]["key_ns"] >= until_ns:
            break
        if count == len(out):
            return count, False
        row, link, item = out[count], links[place], sent[place]
        count += 1
        tell(row, item)
        row["packet"], row["order"] = link["packet"], link["order"]
        row["related_frame"], row["fields"], row["late_by"] = link["came_frame"], link["fields"], 0
        row["delay_ns"] = link["came_ns"] - item["when_ns"] if link["came_frame"] else 0
        lost = item["payload_len"] - link["covered"]
        row["lost_bytes"] = max(lost, 0)
        status = NEAR | link["status"]
        if link["acked_before"]:
            status |= ACKED_BEFORE
        if link["times"] == 0:
            if was_acked(item, link, came, came_links, state, ways):
                status |= ACKED
                row["lost_bytes"] = 0
        elif lost > 0:
            status |= PARTLY
        row["status"] = status
        state[OLDEST_SENT] += 1
    mask = len(came) - 1
    while state[OLDEST_CAME] < state[NEXT_CAME]:
        place = state[OLDEST_CAME] & mask
        if came[place]["key_ns"] >= until_ns:
            break
        if count == len(out):
            return count, False
        row, met, item = out[count], came_links[place], came[place]
        count += 1
        tell(row, item)
        row["packet"], row["order"] = met["packet"], -1
        row["related_frame"], row["fields"], row["late_by"] = met["sent_frame"], met["fields"], met["late_by"]
        row["delay_ns"] = item["when_ns"] - met["sent_ns"] if met["sent_frame"] else 0
        row["lost_bytes"] = 0
        row["status"] = met["status"]
        state[OLDEST_CAME] += 1
    return count, True


@inline
def tell(row: Any, item: Any) -> None:
    """What a row says of the segment itself."""
    row["frame"], row["when_ns"], row["flow"] = item["frame"], item["when_ns"], item["flow"]
    row["connection"], row["way"], row["side"] = item["connection"], item["way"], item["side"]
    row["direction"], row["flags"], row["ip_len"] = item["direction"], item["flags"], item["ip_len"]
    row["payload_len"], row["note"] = item["payload_len"], item["note"]
    row["seq"], row["ack"] = item["seq"], item["ack"]


@part
def send(item: Any, sent: Any, links: Any, state: Any, tables: Any, ways: Any) -> None:
    """Remember a segment that was sent."""
    number = state[NEXT_SENT]
    state[NEXT_SENT] += 1
    place = number & (len(sent) - 1)
    sent[place] = item
    link, way = links[place], ways[2 * np.int64(item["connection"]) + item["way"]]
    places = tables.shape[1] - 1
    slot = hash_exact(item, places)
    link["same"], tables[0, slot] = tables[0, slot], number
    if item["payload_len"] and not item["flags"] & DATAGRAM:
        first = np.int64(item["seq"]) >> BLOCK_BITS
        last = (np.int64(item["seq"]) + np.int64(item["payload_len"]) - 1 & 0xFFFFFFFF) >> BLOCK_BITS
        slot = hash_block(item, first, places)
        link["in_block"][0], tables[1, slot] = tables[1, slot], 2 * number
        if last != first:
            slot = hash_block(item, last, places)
            link["in_block"][1], tables[1, slot] = tables[1, slot], 2 * number + 1
    link["before"], link["after"] = way["last_sent"], -1
    if way["last_sent"] >= state[OLDEST_SENT]:
        links[way["last_sent"] & (len(sent) - 1)]["after"] = number
    way["last_sent"] = number
    link["packet"], link["order"] = state[NEXT_PACKET], way["sent"]
    state[NEXT_PACKET] += 1
    way["sent"] += 1
    link["came_frame"] = link["came_ns"] = link["covered"] = link["came_as"] = 0
    link["times"] = link["fields"] = link["status"] = link["piece"] = 0
    end = np.int64(item["seq"]) + span_of(item) & 0xFFFFFFFF
    link["acked_before"] = span_of(item) > 0 and way["acked_known"] == 1 and ahead(way["acked"], end) >= 0


@inline
def hear(item: Any, ways: Any) -> None:
    """What a segment acknowledges of the other direction."""
    if item["flags"] & ACK == 0 or item["flags"] & RST != 0:
        return
    other = ways[2 * np.int64(item["connection"]) + 1 - np.int64(item["way"])]
    if other["acked_known"] == 0 or ahead(item["ack"], other["acked"]) > 0:
        other["acked"], other["acked_known"] = item["ack"], 1


@part
def receive(item: Any, sent: Any, links: Any, came: Any, came_links: Any, state: Any, tables: Any, ways: Any) -> None:
    """Find what a segment that came was when it was sent."""
    number = state[NEXT_CAME]
    state[NEXT_CAME] += 1
    place = number & (len(came) - 1)
    came[place] = item
    met, way = came_links[place], ways[2 * np.int64(item["connection"]) + item["way"]]
    met["origin"], met["sent_frame"], met["sent_ns"] = -1, 0, 0
    met["fields"] = met["late_by"] = met["status"] = 0
    met["before"], way["last_came"] = way["last_came"], number
    slot = hash_exact(item, tables.shape[1] - 1)
    met["same"], tables[2, slot] = tables[2, slot], number
    origin = find_same(item, way, sent, links, state, tables)
    whole = True
    if origin < 0 and item["bad"]:
        origin = find_damaged(item, way, sent, links, state)
    if origin < 0 and item["payload_len"] and not item["flags"] & DATAGRAM:
        origin = join(item, number, way, sent, links, came, came_links, state, tables)
        whole = False
    if origin < 0 and item["flags"] & DATAGRAM:
        origin = join_datagrams(item, number, way, sent, links, came, came_links, state)
        whole = False
    if origin < 0:
        met["packet"] = state[NEXT_PACKET]
        state[NEXT_PACKET] += 1
        if way["ttl_known"] and way["ttl"] != item["ttl"]:
            met["status"] |= OTHER_TTL
        return
    first, link = sent[origin & (len(sent) - 1)], links[origin & (len(sent) - 1)]
    met["origin"], met["packet"] = origin, link["packet"]
    met["sent_frame"], met["sent_ns"] = first["frame"], first["when_ns"]
    met["status"] |= MET
    link["status"] |= MET
    fields, damaged = changed(first, item, whole), is_damaged(first, item)
    if whole and item["bad"] and not first["bad"] and not damaged:
        fields |= CHECKSUM
    met["fields"] = fields
    link["fields"] |= fields
    if damaged:
        met["status"] |= CORRUPT
        link["status"] |= CORRUPT
    if whole:
        link["status"] |= WHOLE
        if link["times"]:
            met["status"] |= COPY
            link["status"] |= COPY
        else:
            link["covered"] = np.int64(first["payload_len"])
        arrive(item, origin, links, len(sent) - 1)
    if met["status"] & COPY:
        return
    way["ttl"], way["ttl_known"] = item["ttl"], 1
    way["hops"] = np.int64(first["ttl"]) - np.int64(item["ttl"])
    took = item["when_ns"] - first["when_ns"]
    way["usual_ns"] = took if way["usual_ns"] < 0 else way["usual_ns"] + (took - way["usual_ns"]) // 8
    if link["order"] < way["latest"]:
        met["status"] |= LATE
        link["status"] |= LATE
        met["late_by"] = way["came"] - earliest_after(origin, links, state, len(sent) - 1, way["came"])
    way["latest"] = max(way["latest"], link["order"])
    if link["came_as"] == 0:
        link["came_as"] = way["came"] + 1
    way["came"] += 1


@inline
def earliest_after(origin: Int, links: Any, state: Any, mask: Int, came: Int) -> Int:
    """Of the segments of its way that were sent after it: as which of those that came the first one came."""
    earliest = came
    number = links[origin & mask]["after"]
    for _ in range(LOOKED_AT):
        if number < state[OLDEST_SENT]:
            break
        link = links[number & mask]
        if link["came_as"]:
            earliest = min(earliest, link["came_as"] - 1)
        number = link["after"]
    return earliest


@inline
def was_acked(item: Any, link: Any, came: Any, came_links: Any, state: Any, ways: Any) -> Any:
    """Did the receiver acknowledge it after it was sent, though nothing with its bytes was captured there?"""
    way = ways[2 * np.int64(item["connection"]) + item["way"]]
    span = span_of(item)
    if span == 0 or link["acked_before"] or way["acked_known"] == 0 or item["flags"] & RST:
        return False
    if ahead(way["acked"], np.int64(item["seq"]) + span & 0xFFFFFFFF) < 0:
        return False
    mask = len(came) - 1
    number = way["last_came"]
    for _ in range(LOOKED_AT):
        if number < state[OLDEST_CAME]:
            break
        each = came[number & mask]
        start = ahead(each["seq"], item["seq"])
        if start < span and start + span_of(each) > 0:
            return False
        number = came_links[number & mask]["before"]
    return True
