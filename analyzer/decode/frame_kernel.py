"""Compiled decoding of a batch: records and their bytes -> rows of `packets`, one frame after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, in_library, inline, kernel, part, rows_of, view_of
from analyzer.capture.records import RECORDS
from analyzer.decode.codes import (
    CAPTURED_BEYOND_LENGTH,
    CUT,
    DECODED,
    FRAGMENT,
    ICMP,
    ICMPV6,
    IP_PROTOCOL,
    LATER_FRAGMENT,
    MAX_STEPS,
    MPLS,
    O_FAST_OPEN,
    O_MPTCP,
    O_MSS,
    O_WINDOW_SCALE,
    REASSEMBLED,
    TUNNEL,
)
from analyzer.decode.link import LINK
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.decode.ip_kernel import GO_ON, ipv4, ipv6, is_good_ip
    from analyzer.decode.link_kernel import link_step, linux_packet_type
    from analyzer.decode.transport_kernel import icmp, payload, tcp, udp
    from analyzer.decode.tunnel_kernel import NO_ID, carried_by_ip, carried_by_udp
    from analyzer.decode.walk_kernel import IPV4_HERE, STOPPED, walk

NO_PACKET_TYPE = 255
HOT_WORDS, ALL_WORDS = PACKETS.hot_bytes // 8, PACKETS.dtype.itemsize // 8
# Headers and options of which a column stands outside of the hot part of a row.
COLD_LAYERS = MPLS | TUNNEL | ICMP | ICMPV6 | REASSEMBLED
COLD_OPTIONS = O_MSS | O_WINDOW_SCALE | O_FAST_OPEN | O_MPTCP
NOTHING = np.uint64(0)


@kernel(
    buffer=view_of(np.uint8),
    records=view_of(RECORDS.dtype),
    links=view_of(LINK),
    first_frame=INT,
    rows=rows_of(PACKETS.dtype),
    words=rows_of(np.uint64, 2),
)
def decode_frames(buffer: Any, records: Any, links: Any, first_frame: Int, rows: Any, words: Any) -> None:
    """Fill `rows` (PACKETS.dtype) from `records` (RECORDS.dtype), whose bytes lie inside `buffer`.

    `rows` are zeroed, or hold what was decoded into them before; `words` (uint64, rows x ALL_WORDS) is the same memory.
    `links` has one LINK row per interface.
    """
    for i in range(len(records)):
        decode_record(buffer, records[i], links, first_frame + i, rows[i], words[i])


@inline
def decode_record(buffer: Any, record: Any, links: Any, frame: Int, row: Any, words: Any) -> None:
    """The row of one record; the arguments are those of `decode_frames`, of one frame."""
    blank(row, words)
    row["frame"] = frame
    row["time_ns"] = record["time_ns"]
    row["interface"] = record["interface"]
    row["flow"] = -1
    row["ifindex"] = record["ifindex"]
    row["length"] = record["length"]
    row["captured"] = record["captured"]
    row["record_flags"] = record["flags"]
    if record["captured"] < record["length"]:
        row["quirks"] = CUT
    elif record["captured"] > record["length"]:
        row["quirks"] = CAPTURED_BEYOND_LENGTH
    if record["packet_type"] != NO_PACKET_TYPE:
        linux_packet_type(record["packet_type"], row)
    row["stop"] = decode_frame(buffer, record, links[record["interface"]], row, MAX_STEPS, False)[0]
    flags = record["flags"]
    if flags:
        if flags & 3 == 1 or flags & 3 == 2:
            row["link_direction"] = flags & 3
        if flags >> 2 & 7 >= 1 and flags >> 2 & 7 <= 4:
            row["reception"] = flags >> 2 & 7


@inline
def blank(row: Any, words: Any) -> None:
    """Clear a row. What is beyond the hot part is touched only where the frame before has left something there."""
    if is_cold(row):
        for k in range(HOT_WORDS, ALL_WORDS):
            words[k] = NOTHING
    for k in range(HOT_WORDS):
        words[k] = NOTHING


@inline
def is_cold(row: Any) -> Any:
    """Is there anything beyond the hot part of a row?"""
    return row["layers"] & COLD_LAYERS or row["options"] & COLD_OPTIONS or row["sack_count"] > 1


@inline
def decode_frame(
    buffer: Any, record: Any, link: Any, row: Any, depth: Int, pause: bool
) -> tuple[Int, Int, Int, Int, Int]:
    """Decode one frame into `row`, going into at most `depth` tunnels: (stop reason, where, readable end, wire end, steps).

    With `pause` it ends behind the first headers of an IP packet that say that it is a fragment; then the reason may be GO_ON.
    """
    base = record["offset"]
    end = base + record["captured"]
    wire = base + max(record["captured"], record["length"])
    here, at, value, reason, layers, fcs = link_step(buffer, base, end, link, row)
    row["layers"] = layers
    if here == STOPPED:
        return reason, at, end, wire, 0
    here, at, reason, layers, steps, bound = walk(buffer, at, end, here, value, row, True, layers, 0)
    row["layers"] = layers
    if bound < wire:
        end, wire, fcs = min(end, bound), bound, 0
    if here == STOPPED:
        return reason, at, end, wire, steps
    return packets(buffer, base, at, end, wire, fcs, here, row, steps, depth, pause)


@part
def decode_again(
    buffer: Any, record: Any, link: Any, row: Any, depth: Int, pause: bool
) -> tuple[Int, Int, Int, Int, Int]:
    """The same, called: for frames that are looked at a second time, which are few."""
    return decode_frame(buffer, record, link, row, depth, pause)


@inline
def packets(
    buffer: Any,
    base: Int,
    at: Int,
    end: Int,
    wire: Int,
    fcs: Int,
    here: Int,
    row: Any,
    steps: Int,
    depth: Int,
    pause: bool,
) -> tuple[Int, Int, Int, Int, Int]:
    """The IP packet at `at`, and those in it that tunnels lead to. Result and `pause` are those of `decode_frame`."""
    while True:
        reason, at, end, wire, steps = (
            ipv4(buffer, base, at, end, wire, fcs, row, steps)
            if here == IPV4_HERE
            else ipv6(buffer, base, at, end, wire, fcs, row, steps)
        )
        if reason != GO_ON or (pause and row["layers"] & FRAGMENT):
            if reason == LATER_FRAGMENT:
                row["l4_at"] = at - base
                payload(at, end, wire, row)
            return reason, at, end, wire, steps
        reason, here, at, end, wire, steps = carried(buffer, base, at, end, wire, row, steps, depth)
        if reason != GO_ON:
            return reason, at, end, wire, steps
        fcs = 0


@inline
def carried(
    buffer: Any, base: Int, at: Int, end: Int, wire: Int, row: Any, steps: Int, depth: Int
) -> tuple[Int, Int, Int, Int, Int, Int]:
    """What stands behind the headers of an IP packet: (stop reason or GO_ON, what, where, readable end, wire end, steps).

    GO_ON means that it is a tunnel that leads to another IP packet, for which the row is ready.
    """
    row["l4_at"] = at - base
    protocol, version = row["ip_proto"], row["ip_version"]
    if protocol == 6:
        return tcp(buffer, at, end, wire, row), STOPPED, at, end, wire, steps
    if (protocol == 1 and version == 4) or (protocol == 58 and version == 6):
        return icmp(buffer, at, end, wire, version, row), STOPPED, at, end, wire, steps
    if protocol == 17:
        reason = udp(buffer, at, end, wire, row)
        if reason != DECODED:
            return reason, STOPPED, at, end, wire, steps
        at += 8
        wire = at + row["payload_len"]
        end = at + row["payload_captured"]
        here, at, value, tunnel, identifier = carried_by_udp(buffer, at, end, row["src_port"], row["dst_port"])
    else:
        reason = IP_PROTOCOL
        payload(at, end, wire, row)
        here, at, value, tunnel, identifier = carried_by_ip(buffer, at, end, protocol)
    if here == STOPPED or row["tunnel_depth"] == depth:
        return reason, here, at, end, wire, steps
    here, at, _, layers, steps, bound = walk_in_tunnel(buffer, at, end, here, value, row, steps)
    end, wire = min(end, bound), min(wire, bound)
    if here == STOPPED or not is_good_ip(buffer, at, end, 4 if here == IPV4_HERE else 6):
        return reason, here, at, end, wire, steps
    steps += 1
    if steps > MAX_STEPS:
        return reason, here, at, end, wire, steps
    enter_tunnel(tunnel, identifier, layers, row)
    return GO_ON, here, at, end, wire, steps


@part
def walk_in_tunnel(
    buffer: Any, at: Int, end: Int, here: Int, value: Int, row: Any, steps: Int
) -> tuple[Int, Int, Int, Int, Int, Int]:
    """From what a tunnel carries to the IP header in it, if there is one; the result is that of `walk`."""
    return walk(buffer, at, end, here, value, row, False, np.int64(row["layers"]), steps)


@inline
def enter_tunnel(tunnel: Int, identifier: Int, layers: Int, row: Any) -> None:
    """Make room for the inner packet: keep what is said of the tunnel, clear what was said of its IP packet."""
    if row["tunnel_depth"] == 0:
        row["outer_version"], row["outer_l3_at"] = row["ip_version"], row["l3_at"]
        row["outer_src_hi"], row["outer_src_lo"] = row["src_hi"], row["src_lo"]
        row["outer_dst_hi"], row["outer_dst_lo"] = row["dst_hi"], row["dst_lo"]
    row["tunnel_depth"] += 1
    row["tunnels"] |= tunnel
    if identifier != NO_ID:
        row["tunnel_id"] = identifier
    row["layers"] = layers | TUNNEL
    row["src_hi"] = row["src_lo"] = row["dst_hi"] = row["dst_lo"] = 0
    row["ip_version"] = row["ttl"] = row["tos"] = row["ip_proto"] = row["ip_flags"] = row["ip_checksum"] = 0
    row["ip_id"] = row["fragment_offset"] = row["ip_len"] = row["flow_label"] = 0
    row["src_port"] = row["dst_port"] = row["udp_len"] = row["checksum_field"] = row["header_len"] = 0
    row["payload_len"] = row["payload_captured"] = row["l3_at"] = row["l4_at"] = 0
