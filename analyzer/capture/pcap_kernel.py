"""Compiled: a record of classic pcap -> a row of RECORDS, and the search for the next good record."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, inline, kernel, view_of
from analyzer.capture.layout import BAD, FOUND, NEED
from analyzer.capture.records import NO_PACKET_TYPE


@inline
def word16(buffer: Any, at: Int, big: bool) -> Int:
    """16 bits in the byte order of the file, as int64."""
    first, second = np.int64(buffer[at]), np.int64(buffer[at + 1])
    return first << 8 | second if big else second << 8 | first


@inline
def word32(buffer: Any, at: Int, big: bool) -> Int:
    """32 bits in the byte order of the file, as int64 (int() would give uint64, and its sum with int64 a float)."""
    p = np.uintp(at)  # unsigned: numba then leaves out the handling of negative indices
    b0, b1 = np.int64(buffer[p]), np.int64(buffer[p + np.uintp(1)])
    b2, b3 = np.int64(buffer[p + np.uintp(2)]), np.int64(buffer[p + np.uintp(3)])
    if big:
        return b0 << 24 | b1 << 16 | b2 << 8 | b3
    return b3 << 24 | b2 << 16 | b1 << 8 | b0


@inline
def lengths(buffer: Any, at: Int, big: bool, order: Int) -> tuple[Int, Int]:
    """Captured and original length of the record header at `at`; `order`: 0 normal, 1 swapped, 2 as makes sense."""
    captured = word32(buffer, at + 8, big)
    length = word32(buffer, at + 12, big)
    if order == 1 or (order == 2 and captured > length):
        return length, captured
    return captured, length


@inline
def pcap_record(
    buffer: Any, at: Int, big: Any, order: Int, header: Int, unit_ns: Int, limit: Int, interface: Int, row: Any
) -> tuple[Int, Int]:
    """Fill `row` (RECORDS) from the record that starts at `at`: (where the next one starts, FOUND, NEED or BAD)."""
    if at + header > len(buffer):
        return at, NEED
    captured, length = lengths(buffer, at, big, order)
    if captured > limit:
        return at, BAD
    behind = at + header + captured
    if behind > len(buffer):
        return at, NEED
    row["offset"] = at + header
    row["captured"] = captured
    row["length"] = length
    row["time_ns"] = word32(buffer, at, big) * 1_000_000_000 + word32(buffer, at + 4, big) * unit_ns
    row["interface"] = interface
    row["flags"] = 0
    row["ifindex"] = 0
    row["packet_type"] = NO_PACKET_TYPE
    if header == 24:  # Kuznetzov: int ifindex, u16 protocol, u8 packet type, u8 padding
        row["ifindex"] = word32(buffer, at + 16, big)
        row["packet_type"] = buffer[at + 22]
    return behind, FOUND


@inline
def plausible(buffer: Any, at: Int, big: bool, order: Int, unit_ns: Int, limit: Int, near_s: Int) -> Any:
    """Could a record header stand here? Stricter than a scan: this is a guess among arbitrary bytes."""
    captured, length = lengths(buffer, at, big, order)
    seconds = word32(buffer, at, big)
    fraction = word32(buffer, at + 4, big)
    if captured == 0 or captured > length or captured > limit or length > 1 << 20:
        return False
    if fraction * unit_ns >= 1_000_000_000:
        return False
    return near_s < 0 or abs(seconds - near_s) <= 86400


@kernel(
    buffer=view_of(np.uint8), big=BOOL, order=INT, header=INT, unit_ns=INT, limit=INT, near_s=INT, stop=INT, ended=BOOL
)
def resync(
    buffer: Any, big: bool, order: Int, header: Int, unit_ns: Int, limit: Int, near_s: Int, stop: Int, ended: bool
) -> Int:
    """The first offset from 1 to `stop` where a chain of plausible records begins, or -1.

    A chain is four record headers in a row, or fewer that end exactly with the input (`ended`),
    or two with the third cut off by the end of the input.
    """
    end = len(buffer)
    top1, top2 = (8, 12) if big else (11, 15)  # the highest bytes of both lengths: 0 in any record, seldom in payload
    for start in range(1, stop):
        if start + header > end:
            break
        if buffer[np.uintp(start + top1)] or buffer[np.uintp(start + top2)]:
            continue
        at, good = start, 0
        while at + header <= end and good < 4 and plausible(buffer, at, big, order, unit_ns, limit, near_s):
            captured, _ = lengths(buffer, at, big, order)
            at += header + captured
            good += 1
        if good >= 4 or (ended and good >= 1 and at == end) or (ended and good >= 2 and at > end):
            return start
    return -1
