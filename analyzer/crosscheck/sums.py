"""A checksum summed up once more, word by word, as RFC 1071 says it: who is right where two programs differ."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
UDP = 17
ALL_ONES = 0xFFFF


def ones_complement_sum(data: bytes) -> int:
    """16-bit words, big-endian, an odd last byte padded with zero, carries added back; not inverted."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 16)
    return total


def proved(row: Row, data: bytes, *, header: bool) -> tuple[str, str]:
    """`valid` or `wrong`, and the sum that proves it; empty where not all that is covered stands in the frame."""
    covered = _header(row, data) if header else _datagram(row, data)
    if not covered:
        return "", ""
    total = ones_complement_sum(covered)
    word = "valid" if total == ALL_ONES else "wrong"
    return word, f"its {len(covered):,} B add up to {total:#06x}; right is 0xffff (RFC 1071)"


def _header(row: Row, data: bytes) -> bytes:
    begin = row["l3_at"]
    size = (data[begin] & 15) * 4 if row["ip_version"] == 4 and begin < len(data) else 0
    return data[begin : begin + size] if 20 <= size <= len(data) - begin else b""


def _datagram(row: Row, data: bytes) -> bytes:
    """Pseudo-header and datagram of an unfragmented packet; ICMP over IPv4 has no pseudo-header."""
    if row["stop"] != "decoded" or {"fragment", "extension", "ip_options", "reassembled"} & row["layers"]:
        return b""
    begin, end = row["l4_at"], row["l3_at"] + row["ip_len"]
    size = row["udp_len"] if row["ip_proto"] == UDP and row["udp_len"] else end - begin
    if size <= 0 or begin + size > min(len(data), end):
        return b""
    datagram = data[begin : begin + size]
    if row["ip_proto"] == 1:
        return datagram
    if row["ip_version"] == 4:
        return struct.pack(">IIBBH", row["src"], row["dst"], 0, row["ip_proto"], size) + datagram
    ends: bytes = row["src"].to_bytes(16, "big") + row["dst"].to_bytes(16, "big")
    return ends + struct.pack(">I3xB", size, row["ip_proto"]) + datagram
