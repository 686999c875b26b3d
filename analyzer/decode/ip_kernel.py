"""Compiled IPv4 and IPv6 headers with options, extension headers and fragments. RFC 791, 8200, 2675 (jumbo), 4302 (AH).

Positions are absolute in the buffer. `end` is where the readable bytes end, `wire` where the enclosing packet ends on
the wire.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.bytes_kernel import be8, be16, be32, be64
from analyzer.decode.codes import (
    BAD_IP_HEADER,
    BAD_IP_VERSION,
    EXTENSION,
    FRAGMENT,
    IP_LENGTH_BEYOND_FRAME,
    IP_LENGTH_ZERO,
    IP_OPTIONS,
    IPV4,
    IPV6,
    LATER_FRAGMENT,
    MAX_STEPS,
    TOO_DEEP,
    TRUNCATED,
)

GO_ON = -1  # in place of a stop reason: the header is good, decode what it carries
MAPPED = np.uint64(0xFFFF00000000)  # IPv4 addresses are stored as ::ffff:a.b.c.d


@inline
def mapped(buffer: Any, at: Int) -> Any:
    """The low half of an IPv4-mapped address."""
    return MAPPED | np.uint64(be32(buffer, at))


@inline
def is_good_ip(buffer: Any, at: Int, end: Int, version: Int) -> Any:
    """Does a complete, consistent IP header of this version stand here? The condition for entering a tunnel."""
    if at >= end or be8(buffer, at) >> 4 != version:
        return False
    if version == 6:
        return at + 40 <= end
    if at + 20 > end:
        return False
    header = (be8(buffer, at) & 15) * 4
    total = be16(buffer, at + 2)
    return header >= 20 and (total == 0 or total >= header)


@inline
def ipv4_fields(buffer: Any, at: Int, readable: Int, row: Any) -> None:
    """Fill what is readable of the fixed header, field by field in header order."""
    if readable >= 2:
        row["tos"] = be8(buffer, at + 1)
    if readable >= 4:
        row["ip_len"] = be16(buffer, at + 2)
    if readable >= 6:
        row["ip_id"] = be16(buffer, at + 4)
    if readable >= 8:
        field = be16(buffer, at + 6)
        row["ip_flags"] = field >> 13
        row["fragment_offset"] = (field & 0x1FFF) * 8
        if field & 0x3FFF:
            row["layers"] |= FRAGMENT
    if readable >= 9:
        row["ttl"] = be8(buffer, at + 8)
    if readable >= 10:
        row["ip_proto"] = be8(buffer, at + 9)
    if readable >= 12:
        row["ip_checksum"] = be16(buffer, at + 10)
    if readable >= 16:
        row["src_lo"] = mapped(buffer, at + 12)
    if readable >= 20:
        row["dst_lo"] = mapped(buffer, at + 16)


@inline
def ipv4(
    buffer: Any, base: Int, at: Int, end: Int, wire: Int, fcs: Int, row: Any, steps: Int
) -> tuple[Int, Int, Int, Int, Int]:
    """An IPv4 header at `at`: (stop reason or GO_ON, where its payload starts, readable end, wire end, steps)."""
    if at >= end:
        return TRUNCATED, at, end, wire, steps
    first = be8(buffer, at)
    if first >> 4 != 4:
        return BAD_IP_VERSION, at, end, wire, steps
    row["layers"] |= IPV4
    row["ip_version"] = 4
    row["l3_at"] = at - base
    ipv4_fields(buffer, at, end - at, row)
    if at + 20 > end:
        return TRUNCATED, at, end, wire, steps
    header = (first & 15) * 4
    total = be16(buffer, at + 2)
    if header < 20 or (total != 0 and total < header):
        return BAD_IP_HEADER, at, end, wire, steps
    if total == 0:
        row["quirks"] |= IP_LENGTH_ZERO
        total = wire - at - fcs
        if total < header:
            total = wire - at
    elif at + total > wire:
        row["quirks"] |= IP_LENGTH_BEYOND_FRAME
    wire = min(wire, at + total)
    end = min(end, wire)
    payload = at + header
    if header > 20:
        row["layers"] |= IP_OPTIONS
        if payload > end:
            return BAD_IP_HEADER if payload > wire else TRUNCATED, at, end, wire, steps
    if row["fragment_offset"] != 0:
        return LATER_FRAGMENT, payload, end, wire, steps
    if row["ip_proto"] == 51:
        return extensions(buffer, payload, end, wire, row, steps, False)
    return GO_ON, payload, end, wire, steps


@inline
def ipv6_fields(buffer: Any, at: Int, readable: Int, row: Any) -> None:
    """Fill what is readable of the fixed header, field by field in header order."""
    if readable >= 2:
        row["tos"] = be16(buffer, at) >> 4 & 0xFF
    if readable >= 4:
        row["flow_label"] = be32(buffer, at) & 0xFFFFF
    if readable >= 6:
        row["ip_len"] = be16(buffer, at + 4) + 40
    if readable >= 7:
        row["ip_proto"] = be8(buffer, at + 6)
    if readable >= 8:
        row["ttl"] = be8(buffer, at + 7)
    if readable >= 24:
        row["src_hi"] = be64(buffer, at + 8)
        row["src_lo"] = be64(buffer, at + 16)
    if readable >= 40:
        row["dst_hi"] = be64(buffer, at + 24)
        row["dst_lo"] = be64(buffer, at + 32)


@inline
def jumbo_length(buffer: Any, at: Int, end: Int) -> Int:
    """The jumbo payload length of the hop-by-hop header at `at`, -1 if it has none or is not all there (RFC 2675)."""
    if at + 8 > end:
        return -1
    stop = at + (be8(buffer, at + 1) + 1) * 8
    if stop > end:
        return -1
    at += 2
    while at + 2 <= stop:
        kind = be8(buffer, at)
        if kind == 0:
            at += 1
            continue
        size = be8(buffer, at + 1)
        if kind == 0xC2 and size == 4 and at + 6 <= stop:
            return be32(buffer, at + 2)
        at += 2 + size
    return -1


@inline
def ipv6(
    buffer: Any, base: Int, at: Int, end: Int, wire: Int, fcs: Int, row: Any, steps: Int
) -> tuple[Int, Int, Int, Int, Int]:
    """An IPv6 header at `at`: (stop reason or GO_ON, where its payload starts, readable end, wire end, steps)."""
    if at >= end:
        return TRUNCATED, at, end, wire, steps
    if be8(buffer, at) >> 4 != 6:
        return BAD_IP_VERSION, at, end, wire, steps
    row["layers"] |= IPV6
    row["ip_version"] = 6
    row["l3_at"] = at - base
    ipv6_fields(buffer, at, end - at, row)
    if at + 40 > end:
        return TRUNCATED, at, end, wire, steps
    length = be16(buffer, at + 4)
    following = be8(buffer, at + 6)
    jumbo = jumbo_length(buffer, at + 40, end) if length == 0 and following == 0 else -1
    if jumbo >= 0:
        length = jumbo
        row["ip_len"] = min(length + 40, 0xFFFFFFFF)
    if length == 0 and jumbo < 0 and following != 59 and wire - at > 40:
        row["quirks"] |= IP_LENGTH_ZERO
        row["ip_len"] = 0
        length = wire - at - 40
        if length >= fcs:
            length -= fcs
    elif at + 40 + length > wire:
        row["quirks"] |= IP_LENGTH_BEYOND_FRAME
    wire = min(wire, at + 40 + length)
    end = min(end, wire)
    return extensions(buffer, at + 40, end, wire, row, steps, True)


@inline
def is_extension(protocol: Int, ipv6: bool) -> Any:
    """Is this a header that a chain goes through? In IPv4 only the authentication header is."""
    if protocol == 51:
        return True
    return ipv6 and (
        protocol == 0
        or protocol == 43
        or protocol == 44
        or protocol == 60
        or protocol == 135
        or protocol == 139
        or protocol == 140
    )


@inline
def extension_size(protocol: Int, length_field: Int) -> Int:
    """Size of an extension header from its second byte."""
    if protocol == 44:
        return 8
    if protocol == 51:
        return (length_field + 2) * 4
    return (length_field + 1) * 8


@inline
def extensions(
    buffer: Any, at: Int, end: Int, wire: Int, row: Any, steps: Int, ipv6: bool
) -> tuple[Int, Int, Int, Int, Int]:
    """Follow the chain of extension headers from `at`; `ip_proto` holds the protocol of the header there."""
    kind = row["ip_proto"]
    while is_extension(kind, ipv6):
        steps += 1
        if steps > MAX_STEPS:
            return TOO_DEEP, at, end, wire, steps
        following = kind
        if at < end:
            row["layers"] |= EXTENSION
            following = be8(buffer, at)
            row["ip_proto"] = following
        if kind == 44:
            fragment_fields(buffer, at, end - at, row)
        size = 8 if kind == 44 else 2
        if at + size <= end:
            size = extension_size(kind, be8(buffer, at + 1))
        if at + size > end:
            return BAD_IP_HEADER if at + size > wire else TRUNCATED, at, end, wire, steps
        at += size
        if kind == 44 and row["fragment_offset"] != 0:
            return LATER_FRAGMENT, at, end, wire, steps
        kind = following
    return GO_ON, at, end, wire, steps


@inline
def fragment_fields(buffer: Any, at: Int, readable: Int, row: Any) -> None:
    """Fill what is readable of a fragment header."""
    if readable >= 4:
        field = be16(buffer, at + 2)
        row["fragment_offset"] = field & 0xFFF8
        row["ip_flags"] = field & 1
        if field & 0xFFF9:
            row["layers"] |= FRAGMENT
    if readable >= 8:
        row["ip_id"] = be32(buffer, at + 4)
