"""Compiled TCP, UDP, ICMP and ICMPv6 headers. RFC 9293, 768, 792, 4443.

TCP options: RFC 7323, 2018, 7413, 2385, 8684, 5925.
"""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline, part
from analyzer.decode.bytes_kernel import be8, be16, be32, be64
from analyzer.decode.codes import (
    BAD_ICMP_HEADER,
    BAD_TCP_HEADER,
    BAD_UDP_HEADER,
    DECODED,
    ICMP,
    ICMPV6,
    O_AO,
    O_FAST_OPEN,
    O_MD5,
    O_MPTCP,
    O_MSS,
    O_OTHER,
    O_SACK,
    O_SACK_PERMITTED,
    O_TIMESTAMPS,
    O_WINDOW_SCALE,
    QUOTED,
    TCP,
    TCP_OPTIONS_MALFORMED,
    TRUNCATED,
    UDP,
)
from analyzer.decode.ip_kernel import extension_size, is_extension, mapped


@inline
def payload(at: Int, end: Int, wire: Int, row: Any) -> None:
    """Note how long the payload that starts at `at` is, on the wire and in the file."""
    row["payload_len"] = max(wire - at, 0)
    row["payload_captured"] = max(end - at, 0)


@inline
def tcp(buffer: Any, at: Int, end: Int, wire: Int, row: Any) -> Int:
    """A TCP header at `at`: the stop reason."""
    readable = end - at
    if readable >= 1:
        row["layers"] |= TCP
    if readable >= 2:
        row["src_port"] = be16(buffer, at)
    if readable >= 4:
        row["dst_port"] = be16(buffer, at + 2)
    if readable >= 8:
        row["seq"] = be32(buffer, at + 4)
    if readable >= 12:
        row["ack"] = be32(buffer, at + 8)
    if readable >= 14:
        field = be16(buffer, at + 12)
        row["flags"] = field & 0xFFF
        row["header_len"] = (field >> 12) * 4
    if readable >= 16:
        row["window"] = be16(buffer, at + 14)
    if readable >= 18:
        row["checksum_field"] = be16(buffer, at + 16)
    if readable < 20:
        return BAD_TCP_HEADER if wire - at < 20 else TRUNCATED
    row["urgent"] = be16(buffer, at + 18)
    header = (be8(buffer, at + 12) >> 4) * 4
    if header < 20 or at + header > wire:
        return BAD_TCP_HEADER
    payload(at + header, end, wire, row)
    if header > 20:
        stop = at + header
        tcp_options(buffer, at + 20, min(stop, end), stop, row)
        if stop > end:
            return TRUNCATED
    return DECODED


@inline
def tcp_options(buffer: Any, at: Int, readable: Int, stop: Int, row: Any) -> None:
    """The options between `at` and `stop`, as far as they are readable; of several of a kind the first one counts."""
    found = 0
    while at < readable:
        kind = be8(buffer, at)
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if at + 1 >= readable:
            if at + 1 >= stop:
                row["quirks"] |= TCP_OPTIONS_MALFORMED
            break
        size = be8(buffer, at + 1)
        if size < 2 or at + size > stop:
            row["quirks"] |= TCP_OPTIONS_MALFORMED
            break
        if at + size > readable:
            break
        option = tcp_option(buffer, at, kind, size, found, row)
        found |= option
        at += size
    row["options"] = found


@inline
def tcp_option(buffer: Any, at: Int, kind: Int, size: Int, found: Int, row: Any) -> Int:
    """One whole option at `at`: fill its columns unless it was `found` before, and return its bit."""
    if kind == 8 and size == 10:
        if not found & O_TIMESTAMPS:
            row["tsval"] = be32(buffer, at + 2)
            row["tsecr"] = be32(buffer, at + 6)
        return O_TIMESTAMPS
    if kind == 5 and size >= 10 and size <= 34 and (size - 2) % 8 == 0:
        if not found & O_SACK:
            sack_blocks(buffer, at + 2, (size - 2) // 8, row)
        return O_SACK
    if kind == 2 and size == 4:
        if not found & O_MSS:
            row["mss"] = be16(buffer, at + 2)
        return O_MSS
    if kind == 3 and size == 3:
        if not found & O_WINDOW_SCALE:
            row["window_scale"] = be8(buffer, at + 2)
        return O_WINDOW_SCALE
    if kind == 4 and size == 2:
        return O_SACK_PERMITTED
    if kind == 34 and size <= 18:
        if not found & O_FAST_OPEN:
            row["fast_open_len"] = size - 2
        return O_FAST_OPEN
    if kind == 254 and size >= 4 and size <= 20 and be16(buffer, at + 2) == 0xF989:  # RFC 7413 before its number
        if not found & O_FAST_OPEN:
            row["fast_open_len"] = size - 4
        return O_FAST_OPEN
    if kind == 19 and size == 18:
        return O_MD5
    if kind == 30 and size >= 3:
        if not found & O_MPTCP:
            row["mptcp_subtype"] = be8(buffer, at + 2) >> 4
        return O_MPTCP
    if kind == 29 and size >= 4:
        return O_AO
    return O_OTHER


@inline
def sack_blocks(buffer: Any, at: Int, count: Int, row: Any) -> None:
    """One to four blocks."""
    row["sack_count"] = count
    row["sack_left_1"], row["sack_right_1"] = be32(buffer, at), be32(buffer, at + 4)
    if count >= 2:
        row["sack_left_2"], row["sack_right_2"] = be32(buffer, at + 8), be32(buffer, at + 12)
    if count >= 3:
        row["sack_left_3"], row["sack_right_3"] = be32(buffer, at + 16), be32(buffer, at + 20)
    if count >= 4:
        row["sack_left_4"], row["sack_right_4"] = be32(buffer, at + 24), be32(buffer, at + 28)


@inline
def udp(buffer: Any, at: Int, end: Int, wire: Int, row: Any) -> Int:
    """A UDP header at `at`: the stop reason."""
    readable = end - at
    if readable >= 1:
        row["layers"] |= UDP
    if readable >= 2:
        row["src_port"] = be16(buffer, at)
    if readable >= 4:
        row["dst_port"] = be16(buffer, at + 2)
    if readable >= 6:
        row["udp_len"] = be16(buffer, at + 4)
    if readable < 8:
        return BAD_UDP_HEADER if wire - at < 8 else TRUNCATED
    row["checksum_field"] = be16(buffer, at + 6)
    row["header_len"] = 8
    length = be16(buffer, at + 4)
    if length != 0 and length < 8:
        return BAD_UDP_HEADER
    if length != 0:
        wire = min(wire, at + length)
    payload(at + 8, min(end, wire), wire, row)
    return DECODED


@part
def icmp(buffer: Any, at: Int, end: Int, wire: Int, version: Int, row: Any) -> Int:
    """An ICMP (version 4) or ICMPv6 (version 6) header at `at`, with the packet an error quotes: the stop reason."""
    readable = end - at
    if readable >= 1:
        row["layers"] |= ICMP if version == 4 else ICMPV6
        row["icmp_type"] = be8(buffer, at)
    if readable >= 2:
        row["icmp_code"] = be8(buffer, at + 1)
    if readable >= 4:
        row["checksum_field"] = be16(buffer, at + 2)
    if readable < 8:
        return BAD_ICMP_HEADER if wire - at < 8 else TRUNCATED
    row["icmp_rest"] = be32(buffer, at + 4)
    row["header_len"] = 8
    payload(at + 8, end, wire, row)
    kind = row["icmp_type"]
    if version == 4:
        if kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12:
            quoted_ipv4(buffer, at + 8, end, row)
    elif kind >= 1 and kind <= 4:
        quoted_ipv6(buffer, at + 8, end, row)
    return DECODED


@inline
def quoted_ipv4(buffer: Any, at: Int, end: Int, row: Any) -> None:
    """The beginning of the IPv4 packet that an ICMP error quotes."""
    if at + 20 > end or be8(buffer, at) >> 4 != 4 or be8(buffer, at) & 15 < 5:
        return
    row["layers"] |= QUOTED
    row["quoted_version"] = 4
    row["quoted_proto"] = be8(buffer, at + 9)
    row["quoted_src_lo"] = mapped(buffer, at + 12)
    row["quoted_dst_lo"] = mapped(buffer, at + 16)
    if be16(buffer, at + 6) & 0x1FFF == 0:
        quoted_transport(buffer, at + (be8(buffer, at) & 15) * 4, end, row)


@inline
def quoted_ipv6(buffer: Any, at: Int, end: Int, row: Any) -> None:
    """The beginning of the IPv6 packet that an ICMPv6 error quotes."""
    if at + 40 > end or be8(buffer, at) >> 4 != 6:
        return
    row["layers"] |= QUOTED
    row["quoted_version"] = 6
    row["quoted_src_hi"], row["quoted_src_lo"] = be64(buffer, at + 8), be64(buffer, at + 16)
    row["quoted_dst_hi"], row["quoted_dst_lo"] = be64(buffer, at + 24), be64(buffer, at + 32)
    kind = be8(buffer, at + 6)
    row["quoted_proto"] = kind
    at += 40
    while is_extension(kind, True):
        if at >= end:
            return
        following = be8(buffer, at)
        row["quoted_proto"] = following
        if at + 8 > end or (kind == 44 and be16(buffer, at + 2) & 0xFFF8):
            return
        at += extension_size(kind, be8(buffer, at + 1))
        if at > end:
            return
        kind = following
    quoted_transport(buffer, at, end, row)


@inline
def quoted_transport(buffer: Any, at: Int, end: Int, row: Any) -> None:
    """Ports and sequence number of the quoted packet, as far as they are there."""
    protocol = row["quoted_proto"]
    if (protocol == 6 or protocol == 17) and at + 4 <= end:
        row["quoted_src_port"] = be16(buffer, at)
        row["quoted_dst_port"] = be16(buffer, at + 2)
        if protocol == 6 and at + 8 <= end:
            row["quoted_seq"] = be32(buffer, at + 4)
