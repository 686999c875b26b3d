"""Compiled prediction: packet rows and their events -> what each must add to the counters of a host.

The functions of the kernel that count are named in the catalogue. A frame from the host is seen before segmentation, a frame
to it after merging; `mss` turns both into segments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.checksums.state import BAD, ZERO
from analyzer.counters.prediction.emit_kernel import in_segments, is_group, is_mine, packet_bytes
from analyzer.counters.prediction.ip_kernel import around, packet_received, packet_sent
from analyzer.counters.prediction.opening_kernel import opening_received, opening_sent
from analyzer.counters.prediction.quoted_kernel import quoted_received
from analyzer.counters.prediction.silence_kernel import opening_over, syn_over
from analyzer.counters.prediction.socket_kernel import inherit
from analyzer.counters.prediction.tcp_kernel import goes_on, tcp_events, tcp_received, tcp_sent
from analyzer.counters.prediction.validity_kernel import validity_received, validity_sent
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
                begin(states, blanks, row, out, used)
            segments = in_segments(row, talk)
            joined = mine and goes_on(row, talk, segments)
        if row["tunnel_depth"] > 0:
            around(row, hosts, joined, out, used)
        if mine:
            packet_sent(row, group, joined, types4, types6, out, used)
        if to_me or (group and not mine):
            merged = segments if packet_bytes(row) > mtu else 1
            packet_received(row, group, merged, types4, types6, out, used)
        if to_me and row["quoted_proto"] == 6 and row["checksum"] != BAD:
            quoted_received(row, states, out, used)
        if is_tcp:
            talk = states.talks[row["place"]]
            if to_me:
                received(row, states, out, used)
            if mine:
                sent(row, states, segments, out, used)
            if mine or (row["checksum"] != BAD and row["checksum"] != ZERO):
                tcp_events(row, talk, events, first, event_at, mine, to_me, segments, out, used)
    return at, event_at


@inline
def received(row: Any, states: Any, out: Any, used: Any) -> None:
    """A TCP segment to the host: first what its socket thinks of it."""
    validity, side = states.validity[row["place"]], 1 - np.int64(row["direction"])
    talk = states.talks[row["place"]]
    if row["checksum"] == BAD or row["checksum"] == ZERO:
        tcp_received(row, talk, False, out, used)
        return
    before = validity["state"][side]
    accepted = validity_received(row, validity, out, used)
    tcp_received(row, talk, accepted, out, used)
    opening_received(row, states.opening[row["place"]], states.ports, before, validity["state"][side], out, used)


@inline
def sent(row: Any, states: Any, segments: Int, out: Any, used: Any) -> None:
    """A TCP segment from the host."""
    validity, side = states.validity[row["place"]], np.int64(row["direction"])
    before = validity["state"][side]
    validity_sent(row, validity, out, used)
    tcp_sent(row, states.talks[row["place"]], segments, out, used)
    opening_sent(row, states.opening[row["place"]], states.ports, before, validity["irs"][side], out, used)


@kernel
def settle(states: Any, at: Int, now_ns: Int, blank_rows: Any, out: Any, used: Any) -> Int:
    """Add what the silence until `now_ns` meant, until `out` is full: where to go on.

    All places are looked at twice: whether a listener drops SYNs decides what its SYN-ACKs may have been.
    """
    row, places = blank_rows[0], len(states.talks)
    row["time_ns"] = now_ns
    while at < 2 * places and used[0] + ROOM <= len(out):
        place = at if at < places else at - places
        row["flow"] = states.talks[place]["flow"]
        if row["flow"] >= 0:
            if at < places:
                syn_over(row, states.opening[place], states.ports, out, used)
            else:
                opening_over(row, states.opening[place], states.ports, now_ns, out, used)
        at += 1
    return at


@inline
def begin(states: Any, blanks: Any, row: Any, out: Any, used: Any) -> None:
    """A place gets another flow: forget whose it was."""
    place = row["place"]
    if states.talks[place]["flow"] >= 0:
        syn_over(row, states.opening[place], states.ports, out, used)
        opening_over(row, states.opening[place], states.ports, row["time_ns"], out, used)
    states.opening[place] = blanks.opening[0]
    states.talks[place] = blanks.talks[0]
    states.talks[place]["flow"] = row["flow"]
    inherit(row, states, blanks)
