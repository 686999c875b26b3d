"""Compiled prediction: packet rows and their events -> what each must add to the counters of a host.

The functions of the kernel that count are named in the catalogue. A frame from the host is seen before segmentation, a frame
to it after merging; `mss` turns both into segments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.checksums.state import BAD, ZERO
from analyzer.counters.prediction.delivery_kernel import delivery_received, delivery_sent
from analyzer.counters.prediction.emit_kernel import in_segments, is_group, is_mine, packet_bytes
from analyzer.counters.prediction.ip_kernel import around, packet_received, packet_sent
from analyzer.counters.prediction.queue_kernel import forget
from analyzer.counters.prediction.tcp_kernel import goes_on, stage, tcp_events, tcp_received, tcp_sent
from analyzer.decode.codes import DECODED
from analyzer.kinds import NUMBER as EVENT

ROOM = 64  # more increments than one frame can make
COPY_BIT = np.uint64(1 << EVENT["capture_duplicate"])


@kernel
def predict(
    rows: Any, at: Int, events: Any, event_at: Int, hosts: Any, mtu: Int, types4: Any, types6: Any, states: Any, blanks: Any, out: Any,
    used: Any,
) -> tuple[Int, Int]:  # fmt: skip
    """Add the increments of `rows[at:]` to `out` until it is full: (the row to go on with, the event to go on with).

    `events` are those of the rows, in their order; `hosts` (u8, n by 2) the addresses of the host, whose links
    carry packets of at most `mtu` bytes; `types4` and `types6` (i4, 2
    by 256) the counter of each ICMP type received and sent, -1 without one; `states` (States) by place, `blanks` one row of each;
    `used` (i8[1]).
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
        is_tcp = row["ip_proto"] == 6 and row["stop"] == DECODED and row["place"] >= 0 and (mine or to_me)
        segments, joined = 1, False
        if is_tcp:
            talk = states.talks[row["place"]]
            if talk["flow"] != row["flow"]:
                begin(states, blanks, row)
            segments = in_segments(row, talk)
            joined = mine and goes_on(row, talk, segments)
        if row["tunnel_depth"] > 0:
            around(row, hosts, joined, out, used)
        if mine:
            packet_sent(row, group, joined, types4, types6, out, used)
        if to_me or (group and not mine):
            merged = segments if packet_bytes(row) > mtu else 1
            packet_received(row, group, merged, types4, types6, out, used)
        if is_tcp:
            talk = states.talks[row["place"]]
            from_here, to_here = stage(talk, np.int64(row["direction"])), stage(talk, 1 - np.int64(row["direction"]))
            right = row["checksum"] != BAD and row["checksum"] != ZERO
            if to_me:
                tcp_received(row, talk, out, used)
                if right:
                    delivery_received(row, states.delivery[row["place"]], to_here, states.pieces, out, used)
            if mine:
                delivery_sent(
                    row,
                    states.delivery[row["place"]],
                    from_here,
                    segments,
                    events,
                    first,
                    event_at,
                    states.pieces,
                    out,
                    used,
                )
                tcp_sent(row, talk, segments, out, used)
            if mine or right:
                tcp_events(row, talk, events, first, event_at, mine, to_me, segments, out, used)
    return at, event_at


@inline
def begin(states: Any, blanks: Any, row: Any) -> None:
    """A place gets another flow: forget whose it was."""
    forget(states.pieces, states.delivery[row["place"]], 0)
    forget(states.pieces, states.delivery[row["place"]], 1)
    states.delivery[row["place"]] = blanks.delivery[0]
    states.talks[row["place"]] = blanks.talks[0]
    states.talks[row["place"]]["flow"] = row["flow"]
