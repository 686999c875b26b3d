"""Compiled: judged packet rows -> what TCP segments are known by at another point (PASSING)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel, rows_of
from analyzer.flows.hash_kernel import mix
from analyzer.flows.tuple_kernel import low_end
from analyzer.kinds import NUMBER
from analyzer.points.segment import PASSING
from analyzer.tables import PACKETS

TCP = PACKETS.bit("layers", "tcp")
COPY = np.uint64(1 << NUMBER["capture_duplicate"])
BAD = PACKETS.bit("checksum", "bad")
BAD_HEADER = PACKETS.bit("ip_header_checksum", "bad")
DECODED = PACKETS.bit("stop", "decoded")
SYN, FIN = 2, 1


@kernel(rows=rows_of(PACKETS.dtype), out=rows_of(PASSING))
def condense(rows: Any, out: Any) -> tuple[Int, Int, Int]:
    """Fill `out` (PASSING, as many as `rows`). Returns how many there are, one more than the highest flow, and how many have SYN or FIN."""
    count = flows = openings = 0
    for i in range(len(rows)):
        row = rows[i]
        if row["layers"] & TCP == 0 or row["flow"] < 0 or row["stop"] != DECODED or row["events"] & COPY != 0:
            continue
        each = out[count]
        count += 1
        for_bad = row["checksum"] == BAD or row["ip_header_checksum"] == BAD_HEADER
        each["time_ns"], each["frame"], each["flow"] = row["time_ns"], row["frame"], row["flow"]
        each["seq"], each["ack"], each["tsval"] = row["seq"], row["ack"], row["tsval"]
        each["payload_len"], each["ip_len"], each["ip_id"] = row["payload_len"], row["ip_len"], row["ip_id"] & 0xFFFF
        each["window"], each["flags"], each["checksum_field"] = row["window"], row["flags"], row["checksum_field"]
        each["options"], each["mss"], each["window_scale"] = row["options"], row["mss"], row["window_scale"]
        each["src_port"], each["dst_port"] = row["src_port"], row["dst_port"]
        each["source"] = folded(row["src_hi"], row["src_lo"])
        each["target"] = folded(row["dst_hi"], row["dst_lo"])
        each["ttl"], each["tos"], each["ip_version"] = row["ttl"], row["tos"], row["ip_version"]
        each["ip_flags"], each["bad"] = row["ip_flags"], for_bad
        each["direction"] = row["direction"]
        each["low"] = 1 - low_end(row)
        flows = max(flows, row["flow"] + 1)
        if row["flags"] & (SYN | FIN) != 0:
            openings += 1
    return count, flows, openings


@inline
def folded(high: Any, low: Any) -> Int:
    """An address as 32 bits; those of IPv4 are different for different addresses."""
    if high == np.uint64(0) and low >> np.uint64(32) == np.uint64(0xFFFF):
        return low & np.uint64(0xFFFFFFFF)
    return mix(high ^ mix(low)) & np.uint64(0xFFFFFFFF)
