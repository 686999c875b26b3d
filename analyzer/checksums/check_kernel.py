"""Compiled verdict on the checksums of each frame. RFC 791, 768, 792, 1071, 4443, 8200, 9293 section 3.1.

The innermost packet is checked; its headers were found by the decoder (`l3_at`, `l4_at`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.checksums.state import (
    BAD,
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
from analyzer.checksums.sum_kernel import fold, sum32, sum64, sum_of
from analyzer.decode.bytes_kernel import be8, be16, be32
from analyzer.decode.codes import (
    BAD_TCP_HEADER,
    DECODED,
    EXTENSION,
    FRAGMENT,
    IP_LENGTH_BEYOND_FRAME,
    IP_OPTIONS,
    REASSEMBLED,
)
from analyzer.decode.ip_kernel import extension_size, is_extension

UNKNOWN = -1
ALL_ONES = 0xFFFF
NOT_READY, VERIFIED, SEGMENTED = 0x200, 0x400, 0x800  # epb_flags; what is to be segmented gets its checksums then


@inline
def check_frame(buffer: Any, words: Any, skip: Int, record: Any, row: Any) -> None:
    """Fill `checksum` and `ip_header_checksum` of a row with an IP packet.

    Of a datagram that the frame completes `record` is the frame with the whole datagram, which lies in `buffer`.
    """
    base = record["offset"]
    end = base + record["captured"]
    if row["ip_version"] == 4:
        row["ip_header_checksum"] = header_state(buffer, words, skip, base + row["l3_at"], end)
    length = packet_length(end - base, row)
    if covers(row, record["captured"], length):
        row["checksum"] = frame_state(buffer, words, skip, base, end, length, row)


@inline
def header_state(buffer: Any, words: Any, skip: Int, at: Int, end: Int) -> Int:
    """The state of the IPv4 header at `at`, 0 where not even its checksum field is there."""
    if at + 12 > end:
        return 0
    size = (be8(buffer, at) & 15) * 4
    if size < 20 or at + size > end:
        return HEADER_UNVERIFIABLE
    if sum_of(buffer, words, skip, at, at + size) == ALL_ONES:
        return HEADER_VALID
    return HEADER_ZERO if be16(buffer, at + 10) == 0 else HEADER_BAD


@inline
def packet_length(size: Int, row: Any) -> Int:
    """Length of the IP packet: where the row has that of the last fragment, all that a frame of this size has of it."""
    if is_joined(row):
        return size - row["l3_at"]
    return np.int64(row["ip_len"])


@inline
def is_joined(row: Any) -> Any:
    """Does it describe a datagram that was put together, of which the IP header is that of a fragment?"""
    piece = row["fragment_offset"] != 0 or row["ip_flags"] & 1 != 0
    return piece and row["layers"] & (REASSEMBLED | FRAGMENT) == REASSEMBLED


@inline
def covers(row: Any, captured: Int, packet: Int) -> Any:
    """Does the datagram of a protocol whose checksum is known begin, or go on, in this frame? `packet` is its length."""
    protocol, version = row["ip_proto"], row["ip_version"]
    icmp = (protocol == 1 and version == 4) or (protocol == 58 and version == 6)
    if protocol != 6 and protocol != 17 and not icmp:
        return False
    at = row["l4_at"]
    if at == 0 or at >= captured:
        return False
    return packet == 0 or at - row["l3_at"] < packet


@inline
def is_piece(row: Any) -> Any:
    """Is it a fragment of a larger datagram, which it does not complete?"""
    return (row["fragment_offset"] != 0 or row["ip_flags"] & 1 != 0) and not is_joined(row)


@inline
def frame_state(buffer: Any, words: Any, skip: Int, base: Int, end: Int, packet: Int, row: Any) -> Int:
    """The state of the transport checksum of a frame that has one, in an IP packet of this length."""
    at = base + row["l4_at"]
    state = UNVERIFIABLE
    if is_piece(row):
        if is_silent(row):
            state = NONE
    else:
        length = covered_length(row, packet, end - at)
        if length >= 0 and row["ip_proto"] == 17 and row["ip_version"] == 4 and row["checksum_field"] == 0:
            state = NONE
        elif length >= 0 and at + length <= end:
            addresses = address_sum(buffer, base, row)
            if addresses != UNKNOWN:
                total = sum_of(buffer, words, skip, at, at + length)
                state = state_of(total, row["checksum_field"], addresses, length, row["ip_proto"])
    flags = row["record_flags"] & (NOT_READY | VERIFIED | SEGMENTED)
    if flags and row["tunnel_depth"] == 0 and state != VALID and state != NONE:
        return PARTIAL if flags & NOT_READY or not flags & VERIFIED else VALID
    return state


@inline
def is_silent(row: Any) -> Any:
    """Is it the first fragment of a UDP datagram that says that it has no checksum?"""
    first = row["fragment_offset"] == 0 and row["stop"] == DECODED
    return first and row["ip_proto"] == 17 and row["ip_version"] == 4 and row["checksum_field"] == 0


@inline
def covered_length(row: Any, packet: Int, readable: Int) -> Int:
    """How many bytes the checksum covers, or UNKNOWN; `readable` bytes of the frame stand behind the header's begin.

    `packet` is the length of the IP packet.
    """
    inside = packet + np.int64(row["l3_at"]) - np.int64(row["l4_at"])
    if row["stop"] == BAD_TCP_HEADER:  # its length is nonsense, but not that of the datagram
        beyond = row["quirks"] & IP_LENGTH_BEYOND_FRAME  # or beyond what holds it: its end is not there
        whole = packet != 0 and not beyond and inside >= 18 and inside <= readable
        return inside if whole else UNKNOWN
    if row["stop"] != DECODED:
        return UNKNOWN
    length = np.int64(row["header_len"]) + np.int64(row["payload_len"])
    if row["ip_proto"] == 17 and row["udp_len"] != 0:
        return np.int64(row["udp_len"]) if row["udp_len"] <= length else UNKNOWN
    return UNKNOWN if row["quirks"] & IP_LENGTH_BEYOND_FRAME else length


@inline
def state_of(total: Int, field: Int, addresses: Int, length: Int, protocol: Int) -> Int:
    """The state that follows from the sum of the datagram, field and all, and the parts of its pseudo-header."""
    if protocol == 1:
        if total == ALL_ONES:
            return VALID
        return ZERO if field == 0 else BAD
    pseudo = fold(addresses + protocol)
    with_length = fold(pseudo + sum32(length))
    if fold(total + with_length) == ALL_ONES:
        return VALID
    if field % ALL_ONES == with_length % ALL_ONES or field % ALL_ONES == pseudo % ALL_ONES:
        return PARTIAL
    return ZERO if field == 0 else BAD


@inline
def address_sum(buffer: Any, base: Int, row: Any) -> Int:
    """The sum of source and final destination for the pseudo-header, or UNKNOWN."""
    if row["ip_version"] == 4:
        at = base + row["l3_at"]
        final = at + 16
        if row["layers"] & IP_OPTIONS:
            final = source_routed(buffer, at, final)
        return sum64(row["src_lo"]) - ALL_ONES + sum32(be32(buffer, final))  # the address is mapped: ::ffff:a.b.c.d
    destination = sum64(row["dst_hi"]) + sum64(row["dst_lo"])
    if row["layers"] & EXTENSION:
        at = final_destination(buffer, base + row["l3_at"], base + row["l4_at"])
        if at == UNKNOWN:
            return UNKNOWN
        if at:
            destination = 0
            for k in range(8):
                destination += be16(buffer, at + 2 * k)
    return sum64(row["src_hi"]) + sum64(row["src_lo"]) + destination


@inline
def source_routed(buffer: Any, at: Int, final: Int) -> Int:
    """Where the last address of an unfinished source route stands in the IPv4 header at `at`, else `final`."""
    stop = at + (be8(buffer, at) & 15) * 4
    option = at + 20
    while option + 3 <= stop:
        kind = be8(buffer, option)
        if kind == 0:
            break
        if kind == 1:
            option += 1
            continue
        size = be8(buffer, option + 1)
        if size < 2 or option + size > stop:
            break
        if (kind == 131 or kind == 137) and size >= 7 and be8(buffer, option + 2) <= size:
            return option + size - 4
        option += size
    return final


@inline
def final_destination(buffer: Any, at: Int, stop: Int) -> Int:
    """Where the final destination stands behind the IPv6 header at `at`: 0 in the header itself, UNKNOWN, or a position.

    The decoder has gone through the chain of headers, which ends at `stop`.
    """
    kind = be8(buffer, at + 6)
    at += 40
    found = 0
    while is_extension(kind, True) and at + 8 <= stop:
        size = extension_size(kind, be8(buffer, at + 1))
        if kind == 43 and be8(buffer, at + 3) > 0:
            found = routed_to(buffer, at, size, stop)  # of several the last: each is used up in turn
        kind = be8(buffer, at)
        at += size
    return found


@inline
def routed_to(buffer: Any, at: Int, size: Int, stop: Int) -> Int:
    """Where the last address of the unfinished routing header at `at` stands (RFC 2460, 6275, 8754), or UNKNOWN."""
    if size < 24 or at + size > stop:
        return UNKNOWN
    routing = be8(buffer, at + 2)
    if routing == 0:
        return at + 8 + (size - 8) // 16 * 16 - 16
    if routing == 2 or routing == 4:
        return at + 8
    return UNKNOWN
