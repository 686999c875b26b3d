"""Compiled reassembly of fragmented datagrams, of their sums only. RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.checksums.state import FORGOTTEN_AFTER, FRAGMENT_TIMEOUT_NS, RUNS, SETS, WAYS
from analyzer.checksums.sum_kernel import fold, sum64

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
    kept = keep_run(datagram, low, high)
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
        if age > FRAGMENT_TIMEOUT_NS or age < -FRAGMENT_TIMEOUT_NS or begun[0] - d["begun"] > FORGOTTEN_AFTER:
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
def keep_run(datagram: Any, low: Int, high: Int) -> Int:
    """Note that `low..high` is there: 1, 0 if it was there before, -1 if it overlaps or there are too many gaps.

    Runs that touch become one.
    """
    below = above = -1
    for k in range(datagram["runs"]):
        if datagram["low"][k] <= low and high <= datagram["high"][k]:
            return 0
        if datagram["low"][k] < high and low < datagram["high"][k]:
            return -1
        if datagram["high"][k] == low:
            below = k
        if datagram["low"][k] == high:
            above = k
    if below >= 0 and above >= 0:
        datagram["high"][below] = datagram["high"][above]
        last = datagram["runs"] - 1
        datagram["low"][above], datagram["high"][above] = datagram["low"][last], datagram["high"][last]
        datagram["runs"] = last
    elif below >= 0:
        datagram["high"][below] = high
    elif above >= 0:
        datagram["low"][above] = low
    elif datagram["runs"] == RUNS:
        return -1
    else:
        datagram["low"][datagram["runs"]], datagram["high"][datagram["runs"]] = low, high
        datagram["runs"] += 1
    return 1


@inline
def highest(datagram: Any) -> Int:
    """Where the last run ends."""
    found = 0
    for k in range(datagram["runs"]):
        found = max(found, datagram["high"][k])
    return found
