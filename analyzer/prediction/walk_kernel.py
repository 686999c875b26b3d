"""Compiled prediction: packet rows and their events -> what each must add to the counters of a host.

The functions of the kernel that count are named in the catalogue. A frame from the host is seen before segmentation, a frame
to it after merging; `mss` turns both into segments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, group_of, inline, kernel, rows_of, view_of
from analyzer.checksums.state import BAD, ZERO
from analyzer.decode.codes import DECODED, FRAGMENT
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.emit_kernel import in_segments, is_group, is_mine, packet_bytes
from analyzer.prediction.network.fragment_kernel import expire
from analyzer.prediction.network.ip_kernel import around, packet_received, packet_sent
from analyzer.prediction.network.route_kernel import between_others
from analyzer.prediction.segment_kernel import ROOM, begin, segment_received, segment_sent
from analyzer.prediction.state import INCREMENT, STATES, States
from analyzer.prediction.tcp_kernel import goes_on, tcp_events
from analyzer.prediction.validity.quoted_kernel import quoted_received
from analyzer.prediction.world import WORLD, World
from analyzer.tables import EVENTS, PACKETS

SYN, ACK = 2, 16
COPY_BIT = np.uint64(1 << EVENT["capture_duplicate"])


@kernel(
    rows=rows_of(PACKETS.dtype),
    at=INT,
    events=view_of(EVENTS.dtype),
    event_at=INT,
    hosts=view_of(np.uint64, 2),
    mtu=INT,
    types4=view_of(np.int32, 2),
    types6=view_of(np.int32, 2),
    states=group_of(States, STATES),
    blanks=group_of(States, STATES),
    world=group_of(World, WORLD),
    out=rows_of(INCREMENT),
    used=rows_of(np.int64),
)
def predict(
    rows: Any, at: Int, events: Any, event_at: Int, hosts: Any, mtu: Int, types4: Any, types6: Any, states: Any, blanks: Any,
    world: Any, out: Any, used: Any,
) -> tuple[Int, Int]:  # fmt: skip
    """Add the increments of `rows[at:]` to `out` until it is full: (the row to go on with, the event to go on with).

    `events` are those of the rows, in their order; `hosts` (u8, n by 2) the addresses of the host, whose links
    carry packets of at most `mtu` bytes; `types4` and `types6` (i4, 2
    by 256) the counter of each ICMP type received and sent, -1 without one; `states` (States) by place, `blanks` one row of each; `world`
    (World) what is kept of the host; `used` (i8[1]).
    """
    while at < len(rows):
        if used[0] + ROOM > len(out):
            break
        row = rows[at]
        first = event_at
        while event_at < len(events) and events[event_at]["frame"] == row["frame"]:
            event_at += 1
        at += 1
        if row["ip_version"] == 0 or row["events"] & COPY_BIT or row["link_direction"] > 2:
            continue
        mine = is_mine(hosts, row["src_hi"], row["src_lo"])
        to_me = is_mine(hosts, row["dst_hi"], row["dst_lo"])
        group = is_group(row)
        if row["time_ns"] >= world.settings[0]["next_ns"] and world.settings[0]["next_ns"] != 0:
            expire(row, world, out, used)
        if not (mine or to_me or group):
            if row["tunnel_depth"] == 0:
                between_others(row, mtu, world, out, used)
            else:
                around(row, hosts, False, out, used)
            continue
        is_tcp = row["ip_proto"] == 6 and row["stop"] == DECODED and row["place"] >= 0 and (mine or to_me)
        is_tcp = is_tcp and row["layers"] & FRAGMENT == 0
        segments, joined, delivered = 1, False, True
        if is_tcp:
            talk = states.talks[row["place"]]
            if talk["flow"] != row["flow"]:
                begin(states, world, blanks, row, out, used)
                talk["translated"] = mine and is_translated(row, world)
            if talk["translated"]:
                between_others(row, mtu, world, out, used)
                continue
            segments = in_segments(row, talk)
            joined = mine and goes_on(row, talk, segments)
        if row["tunnel_depth"] > 0:
            around(row, hosts, joined, out, used)
        if mine:
            packet_sent(row, group, joined, hosts, types4, types6, world, out, used)
        if to_me or (group and not mine):
            merged = segments if packet_bytes(row) > mtu else 1
            delivered = packet_received(row, group, merged, types4, types6, world, out, used)
        right = row["checksum"] != BAD and row["checksum"] != ZERO
        if to_me and right and row["quoted_proto"] == 6:
            quoted_received(row, states, world, out, used)
        if is_tcp:
            if to_me and delivered:
                segment_received(row, right, states, world, events, first, event_at, out, used)
            if mine:
                segment_sent(row, segments, states, world, events, first, event_at, out, used)
            if mine or (delivered and right):
                tcp_events(row, states.talks[row["place"]], events, first, event_at, mine, to_me, out, used)
    return at, event_at


@inline
def is_translated(row: Any, world: Any) -> Any:
    """Does a router pass this SYN on for another, under its own address? Its time to live is less than any that hosts begin with."""
    if world.settings[0]["forwards"][1 if row["ip_version"] == 6 else 0] != 1 or row["flags"] & (SYN | ACK) != SYN:
        return False
    ttl = row["ttl"]
    return ttl != 64 and ttl != 128 and ttl != 255
