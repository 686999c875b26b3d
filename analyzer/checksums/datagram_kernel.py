"""Compiled reassembly of fragmented datagrams of a capture that is mended, of their sums only.

RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.checksums.check_kernel import UNKNOWN, address_sum, is_silent, state_of
from analyzer.checksums.state import NONE, RUNS, SETS, UNVERIFIABLE, WAYS
from analyzer.checksums.sum_kernel import fold, sum64, sum_apart
from analyzer.decode.bytes_kernel import be8
from analyzer.decode.codes import DECODED
from analyzer.decode.fragments import FORGOTTEN_AFTER, TIMEOUT_NS
from analyzer.decode.ip_kernel import extension_size, is_extension
from analyzer.decode.reassembly_kernel import highest, keep_run

NOT_YET = -1
MAX_DATAGRAM = 65535


@inline
def take_piece(
    datagrams: Any, begun: Any, row: Any, whole: Any, size: Int, total: Int, headers: Int, addresses: Int
) -> Int:
    """Add a fragment to its datagram: its index if it is complete now, NOT_YET otherwise.

    `total` is the sum of its `size` bytes, without those of the `headers` before the transport header; `whole` says
    that all of them were captured; `begun` (i8[1]) counts the datagrams that began.
    """
    found = place_of(datagrams, begun, row)
    datagram = datagrams[found]
    low = np.int64(row["fragment_offset"])
    high = low + size
    last = row["ip_flags"] & 1 == 0
    if not whole or high > MAX_DATAGRAM or size <= 0:
        datagram["spoilt"] = 1
    if datagram["spoilt"]:
        return NOT_YET
    kept = keep_run(datagram, low, high, RUNS)
    if kept == 0:  # came before
        return NOT_YET
    if kept < 0 or (last and datagram["total"] >= 0) or (datagram["total"] >= 0 and high > datagram["total"]):
        datagram["spoilt"] = 1
        return NOT_YET
    if last:
        datagram["total"] = high
        if highest(datagram) > high:
            datagram["spoilt"] = 1
            return NOT_YET
    if low == 0:
        datagram["begins_at"] = headers
        datagram["field"] = row["checksum_field"]
        datagram["udp_len"] = row["udp_len"]
        datagram["addresses"] = addresses
        datagram["first_frame"] = row["frame"]
    datagram["sum"] = fold(datagram["sum"] + total)
    datagram["have"] += size
    if datagram["have"] != datagram["total"]:
        return NOT_YET
    datagram["used"] = 0
    return found


@inline
def place_of(datagrams: Any, begun: Any, row: Any) -> Int:
    """The index of the row's datagram; a new one takes the place of the oldest in its set."""
    mixed = sum64(row["src_lo"]) * 31 + sum64(row["dst_lo"]) * 7 + np.int64(row["ip_id"]) + row["ip_proto"]
    start = mixed % SETS * WAYS
    oldest = start
    for k in range(start, start + WAYS):
        d = datagrams[k]
        age = row["time_ns"] - d["first_ns"]
        if age > TIMEOUT_NS or age < -TIMEOUT_NS or begun[0] - d["begun"] > FORGOTTEN_AFTER:
            d["used"] = 0
        if (
            d["used"]
            and d["ip_id"] == row["ip_id"]
            and d["src_lo"] == row["src_lo"]
            and d["dst_lo"] == row["dst_lo"]
            and d["src_hi"] == row["src_hi"]
            and d["dst_hi"] == row["dst_hi"]
            and d["proto"] == row["ip_proto"]
            and d["version"] == row["ip_version"]
        ):
            return k
        if not d["used"] or (datagrams[oldest]["used"] and d["first_ns"] < datagrams[oldest]["first_ns"]):
            oldest = k
    d = datagrams[oldest]
    d["src_hi"], d["src_lo"], d["dst_hi"], d["dst_lo"] = row["src_hi"], row["src_lo"], row["dst_hi"], row["dst_lo"]
    d["ip_id"], d["proto"], d["version"], d["used"] = row["ip_id"], row["ip_proto"], row["ip_version"], 1
    d["first_ns"], d["begun"] = row["time_ns"], begun[0]
    begun[0] += 1
    d["spoilt"] = d["runs"] = 0
    d["have"] = d["sum"] = d["first_frame"] = 0
    d["total"] = d["begins_at"] = d["addresses"] = -1
    return oldest


@inline
def piece_state(buffer: Any, words: Any, skip: Int, base: Int, end: Int, datagrams: Any, begun: Any, row: Any) -> Int:
    """The state of the datagram if this fragment completes it, else UNVERIFIABLE (or NONE, for UDP that says so)."""
    starts_at, addresses = base + row["l4_at"], UNKNOWN
    first = row["fragment_offset"] == 0
    if first:
        if row["ip_version"] == 6:
            starts_at = after_fragment_header(buffer, base + row["l3_at"], starts_at)
        if row["stop"] == DECODED:
            addresses = address_sum(buffer, base, row)
    stops_at = base + row["l3_at"] + row["ip_len"]
    whole = row["ip_len"] != 0 and stops_at <= end and (not first or addresses != UNKNOWN)
    total = sum_apart(buffer, words, skip, starts_at, stops_at) if whole else 0
    size = stops_at - starts_at
    headers = base + row["l4_at"] - starts_at if first else 0
    if first and whole:  # what is not part of the transport datagram does not count
        total = sum_apart(buffer, words, skip, starts_at + headers, stops_at)
    found = take_piece(datagrams, begun, row, whole, size, total, headers, addresses)
    if found < 0:
        return NONE if is_silent(row) else UNVERIFIABLE
    datagram = datagrams[found]
    length = datagram["total"] - datagram["begins_at"]
    if row["ip_proto"] == 17 and datagram["udp_len"] != length:
        return UNVERIFIABLE
    if row["ip_proto"] == 17 and row["ip_version"] == 4 and datagram["field"] == 0:
        return NONE
    return state_of(datagram["sum"], datagram["field"], datagram["addresses"], length, row["ip_proto"])


@inline
def after_fragment_header(buffer: Any, at: Int, stop: Int) -> Int:
    """Where the first fragment's part of the datagram begins: behind the fragment header of the IPv6 packet at `at`."""
    kind = be8(buffer, at + 6)
    at += 40
    while is_extension(kind, True) and at + 8 <= stop:
        size = extension_size(kind, be8(buffer, at + 1))
        if kind == 44:
            return at + size
        kind = be8(buffer, at)
        at += size
    return stop
