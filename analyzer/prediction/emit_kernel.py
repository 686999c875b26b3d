"""Compiled helpers of the prediction: an increment, the host's addresses, and sizes of packets and segments."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.state import DEFAULT_MSS

SMALL_MSS = 536  # TCP_MSS_DEFAULT
LEAST_MSS = 68 - 20  # of a segment in the smallest IPv4 packet that everybody forwards, as the kernel has it


@part
def add(row: Any, counter: Int, amount: Int, out: Any, used: Any) -> None:
    """One increment."""
    found = out[used[0]]
    found["time_ns"], found["frame"], found["flow"] = row["time_ns"], row["frame"], row["flow"]
    found["counter"], found["amount"] = counter, amount
    found["least"] = found["most"] = amount
    used[0] += 1


@part
def add_range(row: Any, counter: Int, amount: Int, least: Int, most: Int, out: Any, used: Any) -> None:
    """One increment of which only the bounds are certain."""
    add(row, counter, amount, out, used)
    out[used[0] - 1]["least"], out[used[0] - 1]["most"] = least, most


@inline
def is_mine(hosts: Any, high: Any, low: Any) -> Any:
    """Is this one of the host's addresses?"""
    for k in range(len(hosts)):  # noqa: SIM110 a generator cannot be compiled
        if hosts[k, 1] == low and hosts[k, 0] == high:
            return True
    return False


@inline
def is_group(row: Any) -> Int:
    """1 to a multicast group, 2 to a broadcast address, 0 else."""
    if row["ip_version"] == 6:
        return 1 if row["dst_hi"] >> np.uint64(56) == 255 else 0
    address = np.int64(row["dst_lo"] & np.uint64(0xFFFFFFFF))
    if address >> 28 == 14:
        return 1
    return 2 if address == 0xFFFFFFFF or row["reception"] == 3 else 0


@inline
def packet_bytes(row: Any) -> Int:
    """Bytes of the IP packet."""
    if row["ip_len"]:
        return np.int64(row["ip_len"])
    return np.int64(row["l4_at"]) - np.int64(row["l3_at"]) + np.int64(row["header_len"]) + np.int64(row["payload_len"])


@inline
def is_fragment(row: Any) -> Any:
    """Is it a part of a larger datagram?"""
    return row["fragment_offset"] != 0 or row["ip_flags"] & 1 != 0


@inline
def segment_size(row: Any, talk: Any) -> Int:
    """Payload of a full segment: what its receiver accepts in one, less the options in each.

    It is no more than half of the largest window that the receiver has offered (tcp_bound_to_half_wnd()).
    """
    side = np.int64(row["direction"])
    mss: Int = np.int64(talk["mss"][1 - side])
    if mss == 0:
        mss = DEFAULT_MSS
    own = np.int64(talk["mss"][side])
    if own != 0 and own < mss:
        mss = own
    blocks = np.int64(row["header_len"]) - 20  # what is left of the options are SACK blocks (tcp_current_mss())
    if row["options"] & O_TIMESTAMPS:
        mss, blocks = mss - 12, blocks - 12
    widest = np.int64(talk["widest"][1 - side])
    if widest > 0:
        half = widest >> 1 if widest > SMALL_MSS else widest
        mss = min(mss, max(half, LEAST_MSS))
    return max(1, mss - blocks)


@inline
def in_segments(row: Any, talk: Any) -> Int:
    """How many segments of the wire the frame is."""
    size = segment_size(row, talk)
    return max(1, (np.int64(row["payload_len"]) + size - 1) // size)
