"""Compiled: the bytes of datagrams and of fragments -> what they are known by at another capture point (`likeness`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, in_library, inline, kernel, rows_of, view_of
from analyzer.capture.records import RECORDS
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.flows.hash_kernel import mix

UDP, ICMP, ICMPV6 = (PACKETS.bit("layers", name) for name in ("udp", "icmp", "icmpv6"))
FRAGMENT = PACKETS.bit("layers", "fragment", "reassembled")  # the latter of the one that completes a datagram
DECODED, STOPPED_AT_FRAGMENT = (PACKETS.bit("stop", name) for name in ("decoded", "fragment"))
TCP_PROTOCOL = 6
UDP_HEADER, ICMP_SEQUENCE = 8, 6  # bytes in front of what no NAT rewrites
SHORT, LONG = 24, 256  # bytes: what is captured of any frame, and enough to tell datagrams apart that begin alike
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@inline
def is_datagram(row: Any) -> Any:
    """Is it a datagram that is compared by its payload, or a fragment of one? A TCP segment in fragments is one segment."""
    if row["ip_proto"] == TCP_PROTOCOL:
        return False
    if row["layers"] & FRAGMENT:
        return row["stop"] == DECODED or row["stop"] == STOPPED_AT_FRAGMENT
    return row["stop"] == DECODED and row["layers"] & (UDP | ICMP | ICMPV6) != 0


@inline
def skipped(row: Any) -> Int:
    """Bytes of the transport header that a NAT may rewrite; a fragment is taken as it is."""
    if row["layers"] & FRAGMENT:
        return np.int64(0)
    return np.int64(UDP_HEADER) if row["layers"] & UDP else np.int64(ICMP_SEQUENCE)


@inline
def length_of(row: Any) -> Int:
    """Bytes on the wire behind that, 0 at least."""
    end = np.int64(row["l3_at"]) + np.int64(row["ip_len"]) if row["ip_len"] else np.int64(row["length"])
    return max(np.int64(0), end - np.int64(row["l4_at"]) - skipped(row))


@kernel(buffer=view_of(np.uint8), records=view_of(RECORDS.dtype), rows=rows_of(PACKETS.dtype))
def mark_datagrams(buffer: Any, records: Any, rows: Any) -> None:
    """Set `likeness` and `likeness_cut` of all rows (PACKETS), made of these records (RECORDS), which lie in `buffer` (uint8)."""
    for i in range(len(rows)):
        row, record = rows[i], records[i]
        row["likeness"], row["likeness_cut"] = np.uint64(0), 0
        if not is_datagram(row):
            continue
        length = length_of(row)
        first = np.int64(row["l4_at"]) + skipped(row)
        there = min(max(np.int64(record["captured"]) - first, 0), length)
        start = np.int64(record["offset"]) + first
        # Of ICMP the type and code, which stand in front of what a NAT may rewrite.
        state = mix(np.uint64(row["icmp_type"]) << np.uint64(32) ^ np.uint64(row["icmp_code"]) << np.uint64(40))
        short = state
        for at in range(min(there, LONG)):
            if at == SHORT:
                short = state
            state = (state ^ np.uint64(buffer[start + at])) * FACTOR
            state ^= state >> np.uint64(29)
        if min(there, LONG) <= SHORT:
            short = state
        # How long it is belongs to all of it, not to its beginning, which the first of its pieces has, too.
        state = mix(state ^ np.uint64(length))
        row["likeness"] = mix(state) << np.uint64(32) | mix(short) >> np.uint64(32) | np.uint64(1)
        row["likeness_cut"] = 1 if there < min(length, LONG) else 0
