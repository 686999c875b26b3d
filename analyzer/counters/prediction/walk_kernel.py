"""Compiled prediction: packet rows and their events -> what each must add to the counters of a host.

The functions of the kernel that count are named in the catalogue. A frame from the host is seen before segmentation, a frame
to it after merging; `mss` turns both into segments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.checksums.state import BAD, ZERO
from analyzer.counters.prediction.answer_kernel import answer_due, answer_sent
from analyzer.counters.prediction.arrival_kernel import arrival_received, arrival_sent
from analyzer.counters.prediction.closing_kernel import closing_received, closing_sent
from analyzer.counters.prediction.emit_kernel import in_segments, is_group, is_mine, packet_bytes
from analyzer.counters.prediction.fragment_kernel import expire
from analyzer.counters.prediction.ip_kernel import around, packet_received, packet_sent
from analyzer.counters.prediction.mptcp_kernel import mptcp_received, mptcp_sent
from analyzer.counters.prediction.ranges_kernel import forget as forget_ranges
from analyzer.counters.prediction.recovery_kernel import recovery_received, recovery_sent
from analyzer.counters.prediction.recovery_queue_kernel import forget
from analyzer.counters.prediction.route_kernel import between_others
from analyzer.counters.prediction.state import ESTABLISHED
from analyzer.counters.prediction.tcp_kernel import goes_on, stage, tcp_events, tcp_received, tcp_sent
from analyzer.decode.codes import DECODED, O_MPTCP
from analyzer.kinds import NUMBER as EVENT

SYN, ACK = 2, 16
ROOM = 256  # more increments than one frame can make
COPY_BIT = np.uint64(1 << EVENT["capture_duplicate"])


@kernel
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
        segments, joined, delivered = 1, False, True
        if is_tcp:
            talk = states.talks[row["place"]]
            if talk["flow"] != row["flow"]:
                begin(states, blanks, world.segments, row)
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
        if is_tcp:
            right = row["checksum"] != BAD and row["checksum"] != ZERO
            if to_me and delivered:
                segment_received(row, right, states, world, events, first, event_at, out, used)
            if mine:
                segment_sent(row, segments, states, world, events, first, event_at, out, used)
            if mine or (delivered and right):
                tcp_events(row, states.talks[row["place"]], events, first, event_at, mine, to_me, out, used)
    return at, event_at


@kernel
def segment_received(
    row: Any, right: Any, states: Any, world: Any, events: Any, first: Int, stop: Int, out: Any, used: Any
) -> None:
    """A segment to the host, family by family; those that keep a connection do not see what a wrong checksum dropped."""
    place = row["place"]
    talk = states.talks[place]
    before = stage(talk, 1 - np.int64(row["direction"]))
    tcp_received(row, talk, out, used)
    if not right:
        return
    arrival, ranges = states.arrivals[place], states.ranges
    found = arrival_received(row, talk, arrival, ranges, before, out, used)
    answer_due(row, talk, arrival, found, out, used)
    closing_received(row, talk, states.closings[place], before, world, out, used)
    if before != ESTABLISHED or row["options"] & O_MPTCP:
        mptcp_received(row, talk, states.mptcps[place], before, out, used)
    ends = states.recovery[place]["ends"]
    recovery_received(row, talk, ends, before, events, first, stop, world.segments, out, used)


@kernel
def segment_sent(
    row: Any, segments: Int, states: Any, world: Any, events: Any, first: Int, stop: Int, out: Any, used: Any
) -> None:
    """A segment from the host."""
    place = row["place"]
    talk = states.talks[place]
    before = stage(talk, np.int64(row["direction"]))
    tcp_sent(row, talk, segments, out, used)
    arrival, ranges = states.arrivals[place], states.ranges
    answer_sent(row, talk, arrival, out, used)
    arrival_sent(row, talk, arrival, ranges, before, events, first, stop, out, used)
    closing_sent(row, talk, states.closings[place], before, world, events, first, stop, out, used)
    if before != ESTABLISHED or row["options"] & O_MPTCP:
        mptcp_sent(row, states.mptcps[place], before, out, used)
    ends = states.recovery[place]["ends"]
    recovery_sent(row, talk, ends, before, segments, events, first, stop, world.segments, out, used)


@inline
def begin(states: Any, blanks: Any, pool: Any, row: Any) -> None:
    """A place gets another flow: forget whose it was."""
    for side in range(2):
        forget(states.recovery[row["place"]]["ends"][side], pool)
        forget_ranges(states.ranges, states.arrivals[row["place"]], side)
    states.recovery[row["place"]] = blanks.recovery[0]
    states.arrivals[row["place"]] = blanks.arrivals[0]
    states.talks[row["place"]] = blanks.talks[0]
    states.talks[row["place"]]["flow"] = row["flow"]
    states.closings[row["place"]] = blanks.closings[0]
    states.mptcps[row["place"]] = blanks.mptcps[0]


@inline
def is_translated(row: Any, world: Any) -> Any:
    """Does a router pass this SYN on for another, under its own address? Its time to live is less than any that hosts begin with."""
    if world.settings[0]["forwards"][1 if row["ip_version"] == 6 else 0] != 1 or row["flags"] & (SYN | ACK) != SYN:
        return False
    ttl = row["ttl"]
    return ttl != 64 and ttl != 128 and ttl != 255
