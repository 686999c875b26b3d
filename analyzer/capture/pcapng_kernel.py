"""Compiled: a packet block of pcapng -> a row of RECORDS, and the search for the next good block."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, in_library, inline, kernel, view_of
from analyzer.capture.layout import BAD, BLOCK, FOUND, NEED, NO_INTERFACE
from analyzer.capture.records import NO_PACKET_TYPE

if not in_library():
    from analyzer.capture.pcap_kernel import word16, word32

# Block types (draft-ietf-opsawg-pcapng section 4).
SHB, IDB, PB, SPB, NRB, ISB, EPB, DSB = 0x0A0D0D0A, 1, 2, 3, 4, 5, 6, 10

MAX_BLOCK = 64 << 20
MAX_DROPS_HIGH = 1 << 16  # a greater count of dropped packets is damage
MAX_DROPS = 1 << 62  # and so is a greater sum
NO_DROPS = 0xFFFF  # a packet block whose drop count is not known

MAX_NS = 2**63 - 1
MIN_NS = -(2**63)


@inline
def time_ns(high: Int, low: Int, base2: Int, exponent: Int, offset_s: Int) -> Int:
    """Ticks of 10^-exponent or 2^-exponent seconds, given as two 32-bit halves, in ns; kept inside int64."""
    ticks = np.uint64(high) << np.uint64(32) | np.uint64(low)
    billion = np.uint64(1_000_000_000)
    if base2 == 0:
        if exponent == 6:
            seconds = ticks // np.uint64(1_000_000)
            part = ticks % np.uint64(1_000_000) * np.uint64(1000)
        elif exponent == 9:
            seconds = ticks // billion
            part = ticks % billion
        elif exponent <= 19:
            unit = np.uint64(1)
            for _ in range(exponent):
                unit *= np.uint64(10)
            seconds = ticks // unit
            part = ticks % unit
            for _ in range(exponent, 9):
                part *= np.uint64(10)
            for _ in range(9, exponent):
                part //= np.uint64(10)
        else:
            seconds = np.uint64(0)
            part = ticks
            for _ in range(9, exponent):
                part //= np.uint64(10)
    else:
        shift = np.uint64(exponent)
        seconds = ticks >> shift if exponent < 64 else np.uint64(0)
        part = ticks & ((np.uint64(1) << shift) - np.uint64(1)) if exponent < 64 else ticks
        if exponent <= 32:
            part = part * billion >> shift
        else:  # (upper * 2^32 + lower) * 10^9 / 2^exponent in 64 bits
            upper = (part >> np.uint64(32)) * billion
            lower = (part & np.uint64(0xFFFFFFFF)) * billion >> np.uint64(32)
            rest = exponent - 32
            part = (upper + lower) >> np.uint64(rest) if rest < 64 else np.uint64(0)
    return joined(seconds, np.int64(part), np.int64(offset_s))


@inline
def joined(seconds: Any, part: Int, offset_s: Int) -> Int:
    """`seconds` (uint64) + `offset_s` in ns plus `part`, kept inside int64."""
    if seconds < np.uint64(2**62):
        whole = np.int64(seconds)
        if offset_s > 2**62:
            return np.int64(MAX_NS)
    else:  # only a negative offset of the same size brings that many seconds back into range
        rest = seconds - np.uint64(2**62)
        if offset_s > -(2**62) or rest >= np.uint64(2**63):
            return np.int64(MAX_NS)
        offset_s += 2**62
        whole = np.int64(rest)
    whole += offset_s
    if whole > 9223372036 or (whole == 9223372036 and part > 854775807):
        return np.int64(MAX_NS)
    if whole < -9223372037 or (whole == -9223372037 and part < 145224192):
        return np.int64(MIN_NS)
    if whole == -9223372037:
        return np.int64(-9223372036) * np.int64(1_000_000_000) + (part - np.int64(1_000_000_000))
    return whole * np.int64(1_000_000_000) + part


@inline
def packet_options(buffer: Any, at: Int, end: Int, big: bool) -> tuple[Int, Int]:
    """`epb_flags` and `epb_dropcount` of the options between `at` and `end` (0 where absent)."""
    flags, drops = 0, 0
    while at + 4 <= end:
        code, length = word16(buffer, at, big), word16(buffer, at + 2, big)
        at += 4
        if code == 0 or at + length > end:
            break
        if code == 2 and length == 4:
            flags = word32(buffer, at, big)
        elif code == 4 and length == 8:
            first, second = word32(buffer, at, big), word32(buffer, at + 4, big)
            high, low = (first, second) if big else (second, first)
            if high < MAX_DROPS_HIGH:
                drops = high << 32 | low
        at += (length + 3) & ~3
    return flags, drops


@inline
def pcapng_record(buffer: Any, at: Int, big: Any, interfaces: Any, drops: Any, row: Any) -> tuple[Int, Int, Int]:
    """Fill `row` (RECORDS) from the next packet block from `at` on; other blocks of no interest are passed.

    `interfaces` has the dtype INTERFACE, `drops` (int64) sums drop counts per entry of it.
    Returns (where the next block starts, why, bytes needed), `why` being FOUND, NEED, BLOCK, BAD or NO_INTERFACE.
    """
    end = len(buffer)
    while True:
        if at + 12 > end:
            return at, NEED, 12
        kind = word32(buffer, at, big)
        if kind == SHB or kind == IDB or kind == ISB:
            return at, BLOCK, 0
        size = word32(buffer, at + 4, big)
        if size < 12 or size & 3 or size > MAX_BLOCK:
            return at, BAD, 0
        if at + size > end:
            return at, NEED, size
        if word32(buffer, at + size - 4, big) != size:
            return at, BAD, 0
        if kind == EPB or kind == PB or kind == SPB:
            break
        at += size
    smallest = 16 if kind == SPB else 32
    if size < smallest:
        return at, BAD, 0
    local, dropped, flags, captured = 0, 0, 0, 0
    if kind == EPB:
        local = word32(buffer, at + 8, big)
    elif kind == PB:
        local = word16(buffer, at + 8, big)
        dropped = word16(buffer, at + 10, big)
        if dropped == NO_DROPS:
            dropped = 0
    if local >= len(interfaces):
        return at, NO_INTERFACE, 0
    interface = interfaces[local]
    if kind == SPB:
        length = word32(buffer, at + 8, big)
        captured = min(length, size - 16)
        if interface["snaplen"] > 0:
            captured = min(captured, interface["snaplen"])
        data = at + 12
        row["time_ns"] = 0
    else:
        captured = word32(buffer, at + 20, big)
        length = word32(buffer, at + 24, big)
        data = at + 28
        if captured > size - 32:
            return at, BAD, 0
        flags, more = packet_options(buffer, data + ((captured + 3) & ~3), at + size - 4, big)
        dropped += more
        row["time_ns"] = time_ns(
            word32(buffer, at + 12, big),
            word32(buffer, at + 16, big),
            interface["base2"],
            interface["exponent"],
            interface["offset_s"],
        )
    row["offset"] = data
    row["captured"] = captured
    row["length"] = length
    row["interface"] = interface["index"]
    row["flags"] = flags
    row["ifindex"] = 0
    row["packet_type"] = NO_PACKET_TYPE
    drops[local] = min(drops[local] + dropped, MAX_DROPS)
    return at + size, FOUND, 0


@kernel(buffer=view_of(np.uint8), big=BOOL, first=INT, ended=BOOL)
def resync(buffer: Any, big: bool, first: Int, ended: bool) -> Int:
    """The first offset from `first` on, in steps of 4, where a whole plausible block stands; -1 if there is none.

    Plausible is a block type of the standard whose two total lengths agree. Less than -1 is -1 - offset of a block that
    runs over the window's end, which is not the input's: advance to it and look again.
    """
    end = len(buffer)
    for at in range(first, end - 11, 4):
        kind = word32(buffer, at, big)
        if not (1 <= kind <= 6 or kind == DSB or kind == SHB):
            continue
        size = word32(buffer, at + 4, big)
        if kind == SHB:
            swapped = word32(buffer, at + 4, not big)
            if not 28 <= size <= 1 << 20:
                size = swapped
        if size < 12 or size & 3 or size > 1 << 20:
            continue
        if at + size > end:
            if ended or at == 0:
                continue
            return -1 - at
        last = word32(buffer, at + size - 4, big)
        if last == size or (kind == SHB and word32(buffer, at + size - 4, not big) == size):
            return at
    return -1
