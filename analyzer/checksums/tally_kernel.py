"""Compiled counts per direction (source, destination, protocol)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, group_of, inline, kernel, rows_of, view_of
from analyzer.capture.records import RECORDS
from analyzer.checksums.check_kernel import ALL_ONES, address_sum, check_frame, is_piece
from analyzer.checksums.direction_kernel import ANY, NOBODY, direction_of, same_way
from analyzer.checksums.fate_kernel import follow_up
from analyzer.checksums.state import BAD, MEMORY, OFFSETS, PARTIAL, VALID, ZERO, Memory
from analyzer.checksums.sum_kernel import fold, sum32, sum_of
from analyzer.decode.codes import DECODED, ETHERNET, IN, O_MSS, OUT
from analyzer.tables import PACKETS

ETHERNET_LINK = 1
LARGEST_UNMERGED = 1600  # bytes: an ordinary Ethernet carries no larger packet
SHORTEST = 60  # bytes of an Ethernet frame without its check sequence (IEEE 802.3)
SYN = 2


@kernel(
    buffer=view_of(np.uint8),
    words=view_of(np.uint64),
    skip=INT,
    records=view_of(RECORDS.dtype),
    rows=rows_of(PACKETS.dtype),
    links=view_of(np.uint16),
    memory=group_of(Memory, MEMORY),
)
def check_frames(buffer: Any, words: Any, skip: Int, records: Any, rows: Any, links: Any, memory: Any) -> None:
    """Check the frames of a batch (`checksum` and `ip_header_checksum` of `rows`) and count them per direction.

    `words` (uint64, read-only) are those of `buffer` (uint8, read-only) from its byte `skip` on; `links` (u2) holds the link
    type of each interface; `memory` is a state.Memory.
    """
    found: Int = 0
    for i in range(len(rows)):
        found = check_row(buffer, words, skip, records[i], rows[i], links, memory, found)


@inline
def check_row(buffer: Any, words: Any, skip: Int, record: Any, row: Any, links: Any, memory: Any, found: Int) -> Int:
    """Check one frame and count it; `found` is the direction of the frame before, and the result that of this one."""
    directions, room = memory.directions, memory.room
    if row["ip_version"] == 0:
        return found
    check_frame(buffer, words, skip, record, memory.datagrams, memory.begun, row)
    if row["checksum"] == 0 and row["ip_header_checksum"] == 0:
        return found
    if not same_way(directions[found], row):
        found = np.int64(directions[found]["reverse"])
        if found == 0 or not same_way(directions[found], row):
            found = direction_of(row, directions, memory.slots, room)
    d = directions[found]
    count(row, d)
    if row["layers"] & ETHERNET and row["length"] <= SHORTEST and links[row["interface"]] == ETHERNET_LINK:
        count_short(row, d)
    state = row["checksum"]
    if state == BAD or state == ZERO:
        if d["wrong_last_ns"] == 0:
            d["wrong_first_ns"] = row["time_ns"]
        d["wrong_last_ns"] = row["time_ns"]
        look_closer(buffer, words, skip, record["offset"], row, d)
    elif state == VALID and d["wrong_last_ns"]:
        d["good_run"] += 1
    if (room[3] or state == BAD or state == ZERO) and row["ip_proto"] == 6 and row["stop"] == DECODED and found != 0:
        follow_up(buffer, record["offset"], row, d, directions, memory.wrong, memory.kept, room)
    return found


@inline
def count_short(row: Any, d: Any) -> None:
    """Count an Ethernet frame that is shorter than the wire allows, or was filled up to what it demands."""
    if row["tunnel_depth"] == 0:
        if row["length"] < SHORTEST:
            d["short"] += 1
        elif row["ip_len"] > 0 and row["l3_at"] + row["ip_len"] < SHORTEST:
            d["padded"] += 1


@inline
def count(row: Any, d: Any) -> None:
    """What is counted of every frame."""
    state, header = row["checksum"], row["ip_header_checksum"]
    d["frames"] += 1
    d["bytes"] += row["length"]
    if d["states"][state] == 0:
        d["first"][state] = row["frame"]
    d["states"][state] += 1
    if d["headers"][header] == 0:
        d["first_header"][header] = row["frame"]
    d["headers"][header] += 1
    d["last_ns"] = row["time_ns"]
    d["ttl_min"], d["ttl_max"] = min(d["ttl_min"], row["ttl"]), max(d["ttl_max"], row["ttl"])
    if row["link_direction"] == OUT:
        d["out"] += 1
    elif row["link_direction"] == IN:
        d["into"] += 1
    if state == VALID:
        d["valid_largest"] = max(d["valid_largest"], row["ip_len"])
        d["bare_valid"] += is_bare(row)
    elif state == PARTIAL:
        d["bare_partial"] += is_bare(row)
        d["partial_most"] = max(d["partial_most"], row["ip_len"])
        if d["partial_least"] < 0 or row["ip_len"] < d["partial_least"]:
            d["partial_least"] = row["ip_len"]


@inline
def is_bare(row: Any) -> Any:
    """Is it a packet that GRO does not merge: TCP without data, or not TCP?"""
    return row["ip_proto"] != 6 or row["payload_len"] == 0


@inline
def look_closer(buffer: Any, words: Any, skip: Int, base: Int, row: Any, d: Any) -> None:
    """Note by how much the sum of a wrong frame is off, and what wrong frames have in common."""
    if row["stop"] != DECODED or is_piece(row):
        d["other_offsets"] += 1
        return
    length = row["header_len"] + row["payload_len"]
    at = base + row["l4_at"]
    total = sum_of(buffer, words, skip, at, at + length)
    if row["ip_proto"] != 1:
        total += address_sum(buffer, base, row) + row["ip_proto"] + sum32(length)
    offset = fold(total) % ALL_ONES
    for k in range(OFFSETS):
        if d["offset_frames"][k] == 0:
            d["offsets"][k] = offset
        if d["offsets"][k] == offset:
            d["offset_frames"][k] += 1
            break
    else:
        d["other_offsets"] += 1
    d["bad_same_field"] += d["last_field"] == row["checksum_field"]
    d["last_field"] = row["checksum_field"]
    if row["flags"] & SYN and row["ip_proto"] == 6:
        d["bad_syn"] += 1
        if row["options"] & O_MSS:
            d["bad_mss"] = row["mss"]
    if row["ip_len"] == 0 or (row["ip_len"] > LARGEST_UNMERGED and row["ip_len"] > d["valid_largest"]):
        d["bad_super"] += 1
    d["bad_src_port"] = common(d["bad_src_port"], row["src_port"])
    d["bad_dst_port"] = common(d["bad_dst_port"], row["dst_port"])


@inline
def common(known: Int, port: Int) -> Int:
    """The port that all wrong frames have so far."""
    return port if known == ANY or known == port else NOBODY
