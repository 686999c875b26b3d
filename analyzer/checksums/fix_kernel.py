"""Compiled repair: a writable copy of a batch's bytes -> the same with right checksums, and what was done to how many frames.

Checksums of inner packets come first, because those of the packets around them cover them: outer UDP (RFC 768, 8200) and
GRE (RFC 2784). Linux computes the outer ones as if the inner ones were finished (local checksum offload), so they are
often right then. RFC 6935 allows tunnels over IPv6 to have no UDP checksum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, in_library, inline, kernel, part, rows_of, view_of
from analyzer.accelerate.view import read_only
from analyzer.capture.records import RECORDS
from analyzer.checksums.state import (
    BAD,
    DIRECTION,
    FOUND,
    HEADER_BAD,
    HEADER_UNVERIFIABLE,
    HEADER_VALID,
    HEADER_ZERO,
    NONE,
    PARTIAL,
    UNVERIFIABLE,
    VALID,
    ZERO,
)
from analyzer.decode.codes import (
    BAD_TCP_HEADER,
    CUT,
    DECODED,
    FRAGMENT,
    IP_LENGTH_BEYOND_FRAME,
    TRUNCATED,
)
from analyzer.decode.link import LINK
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.checksums.check_kernel import (
        ALL_ONES,
        NOT_READY,
        UNKNOWN,
        VERIFIED,
        address_sum,
        covered_length,
        covers,
        frame_state,
        header_state,
        is_piece,
        state_of,
    )
    from analyzer.checksums.direction_kernel import direction_of
    from analyzer.checksums.pieces_kernel import LEVELS, decode_level
    from analyzer.checksums.sum_kernel import fold, sum32, sum_apart
    from analyzer.checksums.write_kernel import put16, write, write_fcs
    from analyzer.decode.bytes_kernel import be8, be16
    from analyzer.decode.tunnel_kernel import carried_by_udp

# What was done to a frame: a bit for each kind of checksum that was written, and for each reason why one was not.
WROTE_HEADER, WROTE_TCP, WROTE_UDP, WROTE_ICMP, WROTE_ICMPV6, WROTE_GRE, WROTE_FCS = (1 << n for n in range(7))
LEFT_CORRUPT, LEFT_CUT, LEFT_FRAGMENT, LEFT_OTHER = (1 << n for n in range(7, 11))
KINDS = 11
WROTE = WROTE_FCS * 2 - 1


@kernel(
    plain=view_of(np.uint8),
    buffer=rows_of(np.uint8),
    words=view_of(np.uint64),
    skip=INT,
    records=view_of(RECORDS.dtype),
    rows=rows_of(PACKETS.dtype),
    links=view_of(LINK),
    scratch=rows_of(PACKETS.dtype),
    blank=rows_of(PACKETS.dtype),
    directions=rows_of(DIRECTION),
    slots=rows_of(np.int32),
    full=rows_of(np.int64),
    marked=rows_of(np.bool_),
    everything=BOOL,
    found=rows_of(FOUND),
    table=rows_of(np.int64),
    counts=rows_of(np.int64),
)
def fix_frames(
    plain: Any, buffer: Any, words: Any, skip: Int, records: Any, rows: Any, links: Any, scratch: Any, blank: Any,
    directions: Any, slots: Any, full: Any, marked: Any, everything: bool, found: Any, table: Any,
    counts: Any,
) -> None:  # fmt: skip
    """Make the checksums of the frames of a batch right.

    `plain` are the bytes of the batch, `buffer` a copy of them that is changed. `directions` and `slots` are those of
    the first pass, `full`, its `room`, tells `direction_of` to add none, `marked` (bool) says of each whether its wrong
    checksums come from its host's card; with `everything` any wrong checksum is made right. `found` (FOUND) is sorted,
    `table` i8[256] that of CRC-32, `counts` i8[KINDS] counts frames for each bit of what can be done.
    """
    for i in range(len(rows)):
        row = rows[i]
        if row["ip_version"] == 0:
            continue
        record = records[i]
        base = record["offset"]
        end = base + record["captured"]
        depth = np.int64(row["tunnel_depth"])
        # What the host that captured says of the outermost checksum settles whether a wrong one was sent, not its value.
        known = row["record_flags"] & (NOT_READY | VERIFIED) != 0 and depth == 0
        row["record_flags"] = 0
        done = fix_packet(
            buffer, words, skip, base, end, row, depth, False, False, known,
            directions, slots, full, marked, everything, found,
        )  # fmt: skip
        stop = np.int64(row["l3_at"]) + np.int64(row["ip_len"])
        for level in range(depth - 1, -1, -1):
            decode_level(plain, record, links, row, scratch, blank, level)
            done |= fix_packet(
                buffer, words, skip, base, end, scratch[0], level, True, done & WROTE != 0, False,
                directions, slots, full, marked, everything, found,
            )  # fmt: skip
            stop = np.int64(scratch[0]["l3_at"]) + np.int64(scratch[0]["ip_len"])
        if done & WROTE and write_fcs(buffer, record, links[record["interface"]], stop, table):
            done |= WROTE_FCS
        if done:
            for k in range(KINDS):
                counts[k] += done >> k & 1


@part
def fix_packet(
    buffer: Any, words: Any, skip: Int, base: Int, end: Int, row: Any, level: Int, outer: bool, inside: bool, known: bool,
    directions: Any, slots: Any, full: Any, marked: Any, everything: bool, found: Any,
) -> Int:  # fmt: skip
    """Make the checksums of one IP packet of a frame right: what was done.

    `outer` says that it carries another one, `inside` that this was changed, `known` that the file says that a wrong
    checksum was not sent so.
    """
    done, current = 0, read_only(buffer)
    if row["ip_version"] == 4:
        at = base + row["l3_at"]
        state = header_state(current, words, skip, at, end)
        minus_zero = everything and state == HEADER_VALID and be16(current, at + 10) == ALL_ONES
        if state == HEADER_UNVERIFIABLE:
            done |= why_not(row)
        elif state == HEADER_BAD and not (everything or marked[direction_of(row, outer, directions, slots, full)]):
            done |= LEFT_CORRUPT
        elif state == HEADER_BAD or state == HEADER_ZERO or minus_zero:
            changed = write(buffer, words, skip, at + 10, at, at + (be8(current, at) & 15) * 4, 0)
            done |= WROTE_HEADER if changed else 0
    protocol = row["ip_proto"]
    packet = np.int64(row["ip_len"])
    if not covers(row, row["captured"], packet):
        if protocol == 47 and (inside or everything) and not is_piece(row):
            done |= fix_gre(buffer, words, skip, base + row["l4_at"], row)
        elif row["stop"] == TRUNCATED and not outer:
            done |= why_not(row)
        return done
    state, rest, length = UNVERIFIABLE, 0, 0
    at = base + row["l4_at"]
    stop = at
    addresses = 0
    if is_piece(row):
        place = place_in(found, row["frame"] * LEVELS + level) if row["fragment_offset"] == 0 else -1
        if place < 0:
            return done
        rest, length = found[place]["rest"], found[place]["length"]
        stop = base + row["l3_at"] + row["ip_len"]
        addresses = address_sum(current, base, row) if row["stop"] == DECODED else UNKNOWN
        if stop > end or addresses == UNKNOWN:  # the file is not what it was in the first pass
            return done | LEFT_FRAGMENT
        total = fold(sum_apart(current, words, skip, at, stop) + rest)
        state = state_of(total, row["checksum_field"], addresses, length, protocol)
    else:
        state = frame_state(current, words, skip, base, end, packet, row)
        nonsense = row["stop"] == BAD_TCP_HEADER and row["quirks"] & IP_LENGTH_BEYOND_FRAME
        if state == UNVERIFIABLE or nonsense:
            return done | why_not(row)
        length = covered_length(row, packet, end - at)
        stop = at + length
    if protocol == 17 and row["checksum_field"] == 0 and row["ip_version"] == 6:
        if outer or is_tunnel(current, at, row):
            state = NONE
        elif state == VALID:  # the sum happens to be 0: RFC 8200 section 8.1 wants FFFF then
            state = ZERO
    elif everything and state == VALID and row["checksum_field"] == ALL_ONES and protocol != 17:
        state = ZERO  # minus zero: right, but RFC 1624 section 3 wants 0
    if state != BAD and state != ZERO and state != PARTIAL:
        return done
    stale = inside or known or everything
    if state == BAD and not (stale or marked[direction_of(row, outer, directions, slots, full)]):
        return done | LEFT_CORRUPT
    wrote, field = WROTE_UDP, at + 6
    if protocol == 6:
        wrote, field = WROTE_TCP, at + 16
    elif protocol == 1:
        wrote, field = WROTE_ICMP, at + 2
    elif protocol == 58:
        wrote, field = WROTE_ICMPV6, at + 2
    if protocol != 1:
        rest += address_sum(current, base, row) + protocol + sum32(length)
    changed = write(buffer, words, skip, field, at, stop, rest)
    if protocol == 17 and be16(current, field) == 0:  # RFC 768: 0 would say that there is none
        put16(buffer, field, ALL_ONES)
    return done | wrote if changed else done


@inline
def why_not(row: Any) -> Int:
    """Why a checksum cannot be verified."""
    if row["layers"] & FRAGMENT:
        return LEFT_FRAGMENT
    if row["quirks"] & CUT and (row["stop"] == TRUNCATED or row["payload_captured"] < row["payload_len"]):
        return LEFT_CUT
    return LEFT_OTHER


@inline
def place_in(found: Any, key: Int) -> Int:
    """The index of the datagram with this key, -1 if there is none."""
    low, high = 0, len(found)
    while low < high:
        middle = (low + high) >> 1
        if found[middle]["key"] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(found) and found[low]["key"] == key else -1


@inline
def is_tunnel(buffer: Any, at: Int, row: Any) -> Any:
    """Is it a UDP datagram of a tunnel, by its ports?"""
    inner = at + 8
    return carried_by_udp(buffer, inner, inner + row["payload_captured"], row["src_port"], row["dst_port"])[3] != 0


@inline
def fix_gre(buffer: Any, words: Any, skip: Int, at: Int, row: Any) -> Int:
    """Make the checksum of the GRE packet at `at` right, if it has one."""
    length, current = row["payload_len"], read_only(buffer)
    if length < 8 or row["payload_captured"] < length:
        return 0
    if be16(current, at) & 0x8007 != 0x8000:  # another version, or no checksum
        return 0
    if row["quirks"] & IP_LENGTH_BEYOND_FRAME:
        return LEFT_OTHER
    if sum_apart(current, words, skip, at, at + length) == ALL_ONES:
        return 0
    write(buffer, words, skip, at + 4, at, at + length, 0)
    return WROTE_GRE
