"""Compiled counts per direction (source, destination, protocol), and what becomes of TCP segments that look wrong.

A segment with a wrong checksum was dropped by its receiver if it is sent again before it is acknowledged, and was right
on arrival if it is acknowledged as it is: RFC 9293 section 3.1 leaves the receiver no choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.checksums.check_kernel import ALL_ONES, address_sum, check_frame, is_piece
from analyzer.checksums.state import (
    BAD,
    DIRECTIONS,
    FOLLOWED,
    KEPT_BYTES,
    OFFSETS,
    OPEN,
    PARTIAL,
    SLOTS,
    UNVERIFIABLE,
    VALID,
    ZERO,
)
from analyzer.checksums.sum_kernel import fold, sum32, sum_of
from analyzer.decode.codes import DECODED, ETHERNET, IN, O_MSS, OUT
from analyzer.serial import difference

difference = inline(difference)
NOBODY = -1
ETHERNET_LINK = 1
LARGEST_UNMERGED = 1600  # bytes: an ordinary Ethernet carries no larger packet
SHORTEST = 60  # bytes of an Ethernet frame without its check sequence (IEEE 802.3)
ANY = -2  # no wrong frame yet
FIN, SYN, RST, ACK = 1, 2, 4, 16


@kernel
def check_frames(
    buffer: Any, words: Any, skip: Int, records: Any, rows: Any, links: Any,
    datagrams: Any, begun: Any, directions: Any, slots: Any, wrong: Any, kept: Any, room: Any,
) -> None:  # fmt: skip
    """Check the frames of a batch (`checksum` and `ip_header_checksum` of `rows`) and count them per direction.

    `links` (u2) holds the link type of each interface; `datagrams` (DATAGRAM) those of which not all fragments were seen
    yet, `begun` (i8[1]) how many began; `directions` (DIRECTION) the counts (row 0 of what finds no room), `slots` (i4,
    0 free) the hash table over them; `wrong` (WRONG) and `kept` (u1, KEPT_BYTES each) the segments that are followed;
    `room` i8[4]: directions used, first free one of `wrong`, those of `wrong` ever used, those followed now.
    """
    found: Int = 0
    for i in range(len(rows)):
        row = rows[i]
        if row["ip_version"] == 0:
            continue
        check_frame(buffer, words, skip, records[i], datagrams, begun, row)
        if row["checksum"] == 0 and row["ip_header_checksum"] == 0:
            continue
        if not same_way(directions[found], row):
            found = np.int64(directions[found]["reverse"])
            if found == 0 or not same_way(directions[found], row):
                found = direction_of(row, directions, slots, room)
        d = directions[found]
        count(row, d)
        if row["layers"] & ETHERNET and row["length"] <= SHORTEST and links[row["interface"]] == ETHERNET_LINK:
            count_short(row, d)
        state = row["checksum"]
        if state == BAD or state == ZERO:
            if d["wrong_last_ns"] == 0:
                d["wrong_first_ns"] = row["time_ns"]
            d["wrong_last_ns"] = row["time_ns"]
            look_closer(buffer, words, skip, records[i]["offset"], row, d)
        elif state == VALID and d["wrong_last_ns"]:
            d["good_run"] += 1
        if (
            (room[3] or state == BAD or state == ZERO)
            and row["ip_proto"] == 6
            and row["stop"] == DECODED
            and found != 0
        ):
            follow_up(buffer, records[i]["offset"], row, d, directions, wrong, kept, room)


@inline
def count_short(row: Any, d: Any) -> None:
    """Count an Ethernet frame that is shorter than the wire allows, or was filled up to what it demands."""
    if row["tunnel_depth"] == 0:
        if row["length"] < SHORTEST:
            d["short"] += 1
        elif row["ip_len"] > 0 and row["l3_at"] + row["ip_len"] < SHORTEST:
            d["padded"] += 1


@inline
def follow_up(buffer: Any, base: Int, row: Any, d: Any, directions: Any, wrong: Any, kept: Any, room: Any) -> None:
    """What a TCP segment tells of wrong ones before it; if it is wrong itself, it is followed from now on."""
    if is_piece(row):
        return
    state = row["checksum"]
    if state == UNVERIFIABLE or state == 0:
        return
    if state == VALID or state == PARTIAL:
        if directions[d["reverse"]]["open"] != NOBODY and d["reverse"] != 0 and row["flags"] & ACK:
            acknowledge(row, directions[d["reverse"]], wrong, room)
        if d["open"] != NOBODY:
            repair(buffer, base, row, d, wrong, kept, room)
    else:
        follow(buffer, base, row, d, wrong, kept, room)


@inline
def direction_of(row: Any, directions: Any, slots: Any, room: Any) -> Int:
    """The index of the row's direction; 0 where there is no room for a new one."""
    mixed = (row["src_lo"] * np.uint64(0x9E3779B1) ^ row["dst_lo"]) + row["src_hi"] * np.uint64(31) + row["dst_hi"]
    mixed = (mixed ^ mixed >> np.uint64(29)) * np.uint64(0x9E3779B1) + np.uint64(row["ip_proto"])
    slot = np.int64(mixed >> np.uint64(7) & np.uint64(SLOTS - 1))
    while slots[slot] != 0:
        d = directions[slots[slot]]
        if same_way(d, row):
            return np.int64(slots[slot])
        slot = (slot + 1) & (SLOTS - 1)
    if room[0] == DIRECTIONS - 1:
        return 0
    room[0] += 1
    found = room[0]
    slots[slot] = found
    d = directions[found]
    d["src_hi"], d["src_lo"], d["dst_hi"], d["dst_lo"] = row["src_hi"], row["src_lo"], row["dst_hi"], row["dst_lo"]
    d["version"], d["proto"] = row["ip_version"], row["ip_proto"]
    d["first_ns"], d["ttl_min"], d["ttl_max"] = row["time_ns"], row["ttl"], row["ttl"]
    d["open"], d["last_field"], d["bad_src_port"], d["bad_dst_port"] = NOBODY, -1, ANY, ANY
    d["partial_least"] = -1
    pair(found, directions, slots, room)
    return found


@inline
def same_way(d: Any, row: Any) -> Any:
    """Is this the row's direction?"""
    return (
        d["src_lo"] == row["src_lo"]
        and d["dst_lo"] == row["dst_lo"]
        and d["proto"] == row["ip_proto"]
        and d["src_hi"] == row["src_hi"]
        and d["dst_hi"] == row["dst_hi"]
        and d["version"] == row["ip_version"]
    )


@inline
def pair(found: Int, directions: Any, slots: Any, room: Any) -> None:
    """Link a new direction with the way back, if that is known."""
    d = directions[found]
    mixed = (d["dst_lo"] * np.uint64(0x9E3779B1) ^ d["src_lo"]) + d["dst_hi"] * np.uint64(31) + d["src_hi"]
    mixed = (mixed ^ mixed >> np.uint64(29)) * np.uint64(0x9E3779B1) + np.uint64(d["proto"])
    slot = np.int64(mixed >> np.uint64(7) & np.uint64(SLOTS - 1))
    while slots[slot] != 0:
        r = directions[slots[slot]]
        if (
            r["src_lo"] == d["dst_lo"]
            and r["dst_lo"] == d["src_lo"]
            and r["proto"] == d["proto"]
            and r["src_hi"] == d["dst_hi"]
            and r["dst_hi"] == d["src_hi"]
            and r["version"] == d["version"]
        ):
            d["reverse"] = slots[slot]
            r["reverse"] = found
            return
        slot = (slot + 1) & (SLOTS - 1)


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


@inline
def follow(buffer: Any, base: Int, row: Any, d: Any, wrong: Any, kept: Any, room: Any) -> None:
    """Watch what becomes of a wrong segment that takes sequence space."""
    space = row["payload_len"] + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
    if space == 0 or row["flags"] & RST or d["open_count"] == OPEN:
        return
    found = room[1]
    if found != NOBODY:
        room[1] = wrong[found]["next"]
    elif room[2] < FOLLOWED:
        found = room[2]
        room[2] += 1
    else:
        return
    w = wrong[found]
    w["next"], d["open"] = d["open"], found
    d["open_count"] += 1
    room[3] += 1
    d["followed"] += 1
    w["frame"], w["seq"], w["seq_len"] = row["frame"], row["seq"], space
    w["src_port"], w["dst_port"], w["payload_len"] = row["src_port"], row["dst_port"], row["payload_len"]
    size = min(row["payload_captured"], KEPT_BYTES)
    w["kept"] = size
    at = base + row["l4_at"] + row["header_len"]
    for k in range(size):
        kept[found * KEPT_BYTES + k] = buffer[np.uintp(at + k)]


@inline
def release(before: Int, found: Int, d: Any, wrong: Any, room: Any) -> Int:
    """Stop watching the segment `found`, which comes after `before` in its list: the one after it."""
    after = wrong[found]["next"]
    if before == NOBODY:
        d["open"] = after
    else:
        wrong[before]["next"] = after
    d["open_count"] -= 1
    room[3] -= 1
    wrong[found]["next"] = room[1]
    room[1] = found
    return after


@inline
def acknowledge(row: Any, d: Any, wrong: Any, room: Any) -> None:
    """Strike off what this segment acknowledges or selectively acknowledges, of the wrong ones of the other way `d`."""
    before: Int = NOBODY
    found: Int = np.int64(d["open"])
    while found != NOBODY:
        w = wrong[found]
        covered = difference(row["ack"], np.int64(w["seq"]) + w["seq_len"] & 0xFFFFFFFF) >= 0
        for k in range(row["sack_count"]):
            covered = covered or sacked(row, k, w)
        if covered and w["src_port"] == row["dst_port"] and w["dst_port"] == row["src_port"]:
            d["acknowledged"] += 1
            found = release(before, found, d, wrong, room)
        else:
            before, found = found, np.int64(w["next"])


@inline
def sacked(row: Any, k: Int, w: Any) -> Any:
    """Does SACK block `k` cover the segment?"""
    left, right = row["sack_left_1"], row["sack_right_1"]
    if k == 1:
        left, right = row["sack_left_2"], row["sack_right_2"]
    elif k == 2:
        left, right = row["sack_left_3"], row["sack_right_3"]
    elif k == 3:
        left, right = row["sack_left_4"], row["sack_right_4"]
    end = np.int64(w["seq"]) + w["seq_len"] & 0xFFFFFFFF
    return difference(w["seq"], left) >= 0 and difference(right, end) >= 0


@inline
def repair(buffer: Any, base: Int, row: Any, d: Any, wrong: Any, kept: Any, room: Any) -> None:
    """Strike off the wrong segments that this right one brings again, and compare the bytes."""
    before: Int = NOBODY
    found: Int = np.int64(d["open"])
    while found != NOBODY:
        w = wrong[found]
        from_start = difference(row["seq"], w["seq"]) <= 0
        end = row["seq"] + row["payload_len"] + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
        to_end = difference(end & 0xFFFFFFFF, np.int64(w["seq"]) + w["seq_len"] & 0xFFFFFFFF) >= 0
        if from_start and to_end and w["src_port"] == row["src_port"] and w["dst_port"] == row["dst_port"]:
            d["repaired"] += 1
            compare(buffer, base, row, d, w, kept, found)
            found = release(before, found, d, wrong, room)
        else:
            before, found = found, np.int64(w["next"])


@inline
def compare(buffer: Any, base: Int, row: Any, d: Any, w: Any, kept: Any, found: Int) -> None:
    """Count the bits in which the payload of a wrong segment differs from its retransmission's."""
    ahead = -difference(row["seq"], w["seq"])
    size = min(np.int64(w["kept"]), np.int64(row["payload_captured"]) - ahead)
    at = base + row["l4_at"] + row["header_len"] + ahead
    bits: Int = 0
    for k in range(size):
        changed = np.int64(buffer[np.uintp(at + k)]) ^ np.int64(kept[found * KEPT_BYTES + k])
        if changed:
            if bits == 0 and d["example"] == 0:
                d["example"], d["example_again"] = w["frame"], row["frame"]
                d["example_at"], d["example_bits"] = k, changed
            while changed:
                bits += changed & 1
                changed >>= 1
    d["bits"] += bits
    d["compared"] += size > 0
