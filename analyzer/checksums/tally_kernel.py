"""Compiled counts per direction (source, destination, protocol)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, group_of, in_library, inline, kernel, part, rows_of, view_of
from analyzer.accelerate.view import read_only
from analyzer.capture.records import RECORDS
from analyzer.checksums.state import BAD, MEMORY, ZERO, Memory
from analyzer.decode.codes import DECODED, ETHERNET, FRAGMENT, TUNNEL
from analyzer.decode.fragments import FRAGMENTS, Fragments
from analyzer.decode.link import LINK
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.checksums.check_kernel import check_frame
    from analyzer.checksums.count_kernel import count, count_wrong
    from analyzer.checksums.direction_kernel import direction_of, known_direction, slot_of
    from analyzer.checksums.fate_kernel import follow_up
    from analyzer.checksums.outer_kernel import check_outer
    from analyzer.decode.reassembly_kernel import put_together

ETHERNET_LINK = 1
SHORTEST = 60  # bytes of an Ethernet frame without its check sequence (IEEE 802.3)


@kernel(
    buffer=view_of(np.uint8),
    words=view_of(np.uint64),
    skip=INT,
    records=view_of(RECORDS.dtype),
    rows=rows_of(PACKETS.dtype),
    links=view_of(LINK),
    link_types=view_of(np.uint16),
    memory=group_of(Memory, MEMORY),
    fragments=group_of(Fragments, FRAGMENTS),
)
def check_frames(
    buffer: Any,
    words: Any,
    skip: Int,
    records: Any,
    rows: Any,
    links: Any,
    link_types: Any,
    memory: Any,
    fragments: Any,
) -> None:
    """Check the frames of a batch (`checksum` and `ip_header_checksum` of `rows`) and count them per direction.

    `words` (uint64, read-only) are those of `buffer` (uint8, read-only) from its byte `skip` on; `links` (LINK) are those of
    `decode_frames`, `link_types` (u2) the link type of each interface; `memory` is a state.Memory. Datagrams in `fragments`
    (decode.fragments.Fragments) are put together first.
    """
    found: Int = 0
    for i in range(len(rows)):
        slot = slot_of(rows[i], memory.room)
        found = check_record(
            buffer, words, skip, records[i], i, slot, links, rows, link_types, memory, fragments, found
        )


@inline
def check_record(
    buffer: Any, words: Any, skip: Int, record: Any, i: Int, slot: Int, links: Any, rows: Any, link_types: Any, memory: Any,
    fragments: Any, found: Int,
) -> Int:  # fmt: skip
    """Check frame `i` and count it, or the datagram that it completes; `slot` and `found` are as in `check_row`."""
    if rows[i]["layers"] & FRAGMENT and put_together(buffer, record, i, links, rows, fragments):
        found = check_whole(rows[i], links, link_types, memory, fragments, found)
        if fragments.joined[0]:
            check_outer(buffer, words, skip, record, links, rows[i], 0, fragments.joined[0], False, memory, fragments)
        return found
    if rows[i]["layers"] & FRAGMENT:  # whose addresses may be others by now
        slot = slot_of(rows[i], memory.room)
    found = check_row(buffer, words, skip, record, rows[i], slot, link_types, memory, found)
    if rows[i]["layers"] & TUNNEL:
        depth = np.int64(rows[i]["tunnel_depth"])
        check_outer(buffer, words, skip, record, links, rows[i], 0, depth, False, memory, fragments)
    return found


@part
def check_whole(row: Any, links: Any, link_types: Any, memory: Any, fragments: Any, found: Int) -> Int:
    """The same for a datagram that was put together."""
    record, whole, words = fragments.record[0], read_only(fragments.whole), read_only(fragments.words)
    found = check_row(whole, words, 0, record, row, slot_of(row, memory.room), link_types, memory, found)
    low, depth = fragments.joined[1], np.int64(row["tunnel_depth"])
    if row["layers"] & TUNNEL and low < depth:
        check_outer(whole, words, 0, record, links, row, low, depth, True, memory, fragments)
    return found


@inline
def check_row(
    buffer: Any, words: Any, skip: Int, record: Any, row: Any, slot: Int, links: Any, memory: Any, found: Int
) -> Int:
    """Check one frame and count it; `found` is the direction of the frame before, and the result that of this one.

    `slot` is where the search for its direction begins.
    """
    directions, room = memory.directions, memory.room
    if row["ip_version"] == 0:
        return found
    check_frame(buffer, words, skip, record, row)
    if row["checksum"] == 0 and row["ip_header_checksum"] == 0:
        return found
    found = known_direction(row, 0, found, slot, directions, memory.slots)
    if found == 0:
        found = direction_of(row, 0, directions, memory.slots, room)
    d = directions[found]
    count(row, d)
    if row["layers"] & ETHERNET and row["length"] <= SHORTEST and links[row["interface"]] == ETHERNET_LINK:
        count_short(row, d)
    state = row["checksum"]
    count_wrong(buffer, words, skip, record["offset"], row, state, 0, d)
    if (room[3] or state == BAD or state == ZERO) and row["ip_proto"] == 6 and row["stop"] == DECODED and found != 0:
        follow_up(buffer, record["offset"], row, state, d, directions, memory.wrong, memory.kept, room)
    return found


@inline
def count_short(row: Any, d: Any) -> None:
    """Count an Ethernet frame that is shorter than the wire allows, or was filled up to what it demands."""
    if row["tunnel_depth"] == 0:
        if row["length"] < SHORTEST:
            d["short"] += 1
        elif row["ip_len"] > 0 and row["l3_at"] + row["ip_len"] < SHORTEST:
            d["padded"] += 1
