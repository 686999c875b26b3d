"""Compiled: judged packet rows -> what they are known by at another point (PASSING)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, in_library, inline, kernel, rows_of
from analyzer.kinds import NUMBER
from analyzer.points.segment import AGAIN, CLOSED, CUT, DATAGRAM, HIDDEN, OPENED, PASSING, TWIN
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.flows.hash_kernel import folded, mix
    from analyzer.flows.tuple_kernel import low_end
    from analyzer.points.payload_kernel import FRAGMENT, UDP, length_of

TCP = PACKETS.bit("layers", "tcp")
COPY, RETRANSMISSION, ZERO_WINDOW, ZERO_WINDOW_END = (
    np.uint64(1 << NUMBER[name]) for name in ("capture_duplicate", "retransmission", "zero_window", "zero_window_end")
)
BAD = PACKETS.bit("checksum", "bad")
BAD_HEADER = PACKETS.bit("ip_header_checksum", "bad")
DECODED, TRUNCATED = (PACKETS.bit("stop", name) for name in ("decoded", "truncated"))
FIXED = 20  # bytes of TCP's header in front of the options
SYN, FIN = 2, 1
# The latest datagrams, at a place given by their hash: one that is the same as one just before it may be a copy of the capture.
RECENT = np.dtype([("identity", "u8"), ("place", "u8"), ("time_ns", "i8")])
PLACES = 1 << 12
TWIN_NS = 1_000_000


@kernel(rows=rows_of(PACKETS.dtype), recent=rows_of(RECENT), out=rows_of(PASSING))
def condense(rows: Any, recent: Any, out: Any) -> tuple[Int, Int, Int, Int]:
    """Fill `out` (PASSING, as many as `rows`). Returns how many there are, one more than the highest flow, how many have SYN or FIN, and how many frames are cut so that nothing is known of them.

    Of datagrams only those whose `likeness` is there. `recent` (RECENT, PLACES) holds the latest of them.
    """
    count = flows = openings = cut = 0
    for i in range(len(rows)):
        row = rows[i]
        each = out[count]
        if row["stop"] == TRUNCATED and not has_numbers(row):
            cut += 1
            continue
        if row["layers"] & TCP != 0 and row["flow"] >= 0 and (row["stop"] == DECODED or row["stop"] == TRUNCATED):
            if row["events"] & COPY != 0:
                continue
            tell_segment(row, each)
            if row["flags"] & (SYN | FIN) != 0:
                openings += 1
        elif row["likeness"] != np.uint64(0) and row["layers"] & TCP == 0:
            tell_datagram(row, each)
            seen = seen_just_now(row, each, recent)
            if seen == ELSEWHERE:
                continue
            if seen == HERE:
                each["flags"] |= TWIN
        else:
            continue
        count += 1
        tell_packet(row, each)
        flows = max(flows, row["flow"] + 1)
    return count, flows, openings, cut


@inline
def has_numbers(row: Any) -> Any:
    """Of a frame that was cut: is all of TCP's header there but its options?"""
    if row["layers"] & TCP == 0 or row["layers"] & FRAGMENT != 0 or row["flow"] < 0:
        return False
    return row["header_len"] > FIXED and row["captured"] >= row["l4_at"] + FIXED


@inline
def tell_packet(row: Any, each: Any) -> None:
    """What any packet has."""
    each["time_ns"], each["frame"] = row["time_ns"], row["frame"]
    each["ip_len"], each["ip_id"] = row["ip_len"], row["ip_id"] & 0xFFFF
    each["source"] = folded(row["src_hi"], row["src_lo"])
    each["target"] = folded(row["dst_hi"], row["dst_lo"])
    each["ttl"], each["tos"], each["ip_version"] = row["ttl"], row["tos"], row["ip_version"]
    each["ip_flags"] = row["ip_flags"]
    each["direction"] = row["direction"]
    each["low"] = 1 - low_end(row)
    each["bad"] = row["checksum"] == BAD or row["ip_header_checksum"] == BAD_HEADER


@inline
def tell_segment(row: Any, each: Any) -> None:
    """What a TCP segment has."""
    each["flow"], each["member"] = row["flow"], 2 * row["flow"]
    each["seq"], each["ack"], each["tsval"] = row["seq"], row["ack"], row["tsval"]
    each["payload_len"] = row["payload_len"]
    each["window"], each["flags"], each["checksum_field"] = row["window"], row["flags"], row["checksum_field"]
    each["options"], each["mss"], each["window_scale"] = row["options"], row["mss"], row["window_scale"]
    each["src_port"], each["dst_port"] = row["src_port"], row["dst_port"]
    note = AGAIN if row["events"] & RETRANSMISSION != 0 else 0
    if row["events"] & ZERO_WINDOW != 0:
        note |= CLOSED
    if row["events"] & ZERO_WINDOW_END != 0:
        note |= OPENED
    if row["stop"] == TRUNCATED:
        note |= HIDDEN
    each["note"] = note


@inline
def tell_datagram(row: Any, each: Any) -> None:
    """What a datagram has, or a fragment of one; what has no ports belongs to no flow."""
    each["seq"], each["ack"] = row["likeness"] & np.uint64(0xFFFFFFFF), row["likeness"] >> np.uint64(32)
    each["payload_len"] = length_of(row)
    each["flags"] = DATAGRAM | CUT if row["likeness_cut"] else DATAGRAM
    each["tsval"] = each["window"] = each["options"] = each["mss"] = each["window_scale"] = each["note"] = 0
    if row["layers"] & UDP != 0 and row["layers"] & FRAGMENT == 0 and row["flow"] >= 0:
        each["flow"], each["member"] = row["flow"], 2 * row["flow"]
        each["src_port"], each["dst_port"] = row["src_port"], row["dst_port"]
        each["checksum_field"] = row["checksum_field"]
    else:
        each["flow"] = each["member"] = -1
        each["src_port"] = each["dst_port"] = each["checksum_field"] = 0


NOWHERE, HERE, ELSEWHERE = 0, 1, 2


@inline
def seen_just_now(row: Any, each: Any, recent: Any) -> Int:
    """Was a datagram that is the same captured just before: at the same place, or elsewhere (another interface, VLAN or TTL), which makes it a copy of the capture?"""
    ends = mix(row["src_hi"] ^ mix(row["src_lo"])) ^ mix(mix(row["dst_hi"] ^ mix(row["dst_lo"])))
    ports = np.uint64(each["src_port"]) << np.uint64(16) | np.uint64(each["dst_port"])
    identity = mix(row["likeness"] ^ mix(ends ^ ports ^ np.uint64(row["ip_id"]) << np.uint64(32)))
    place = mix(np.uint64(row["interface"]) << np.uint64(32) | np.uint64(row["ifindex"])) ^ mix(
        np.uint64(row["vlan"]) << np.uint64(16)
        ^ np.uint64(row["ttl"])
        ^ np.uint64(row["link_direction"]) << np.uint64(40)
    )
    entry = recent[np.int64(identity & np.uint64(PLACES - 1))]
    since = row["time_ns"] - entry["time_ns"]
    if entry["identity"] == identity and 0 <= since <= TWIN_NS:
        return np.int64(HERE) if entry["place"] == place else np.int64(ELSEWHERE)
    entry["identity"], entry["place"], entry["time_ns"] = identity, place, row["time_ns"]
    return np.int64(NOWHERE)
