"""Compiled prediction: packet rows and their events -> what each must add to the counters of a host.

The functions of the kernel that count are named in the catalogue. A frame from the host is seen before segmentation, a frame
to it after merging; `mss` turns both into segments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, group_of, in_library, inline, kernel, part, rows_of, view_of
from analyzer.checksums.state import BAD, ZERO
from analyzer.decode.codes import DECODED, ETHERNET, FRAGMENT, TRUNCATED
from analyzer.kinds import CAUSE
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.sink import ROOM, SINK, STEPS, SUM
from analyzer.prediction.state import CONNECTIONS, Connections
from analyzer.prediction.world import NO_SLOT, ON_PIECES, WORLD
from analyzer.tables import EVENTS, PACKETS

if not in_library():
    from analyzer.prediction.emit_kernel import enter, in_segments, is_group, is_mine, packet_bytes, segment_size
    from analyzer.prediction.network.fragment_kernel import expire
    from analyzer.prediction.network.group_kernel import comes_back, takes
    from analyzer.prediction.network.ip_kernel import around, packet_received, packet_sent
    from analyzer.prediction.network.malformed_kernel import is_malformed, malformed_received, no_packet
    from analyzer.prediction.network.route_kernel import between_others, error_sent
    from analyzer.prediction.rest_kernel import FOLDED_AT_ONCE, bring, has_room
    from analyzer.prediction.segment_kernel import begin, segment_received, segment_sent
    from analyzer.prediction.tcp_kernel import goes_on, tcp_events
    from analyzer.prediction.validity.quoted_kernel import quoted_received

IN, OUT = PACKETS.bit("link_direction", "in"), PACKETS.bit("link_direction", "out")
NO_FRAME = 0  # they are numbered from 1
SYN, ACK = 2, 16
LEAST_BASE = 96  # bytes that are not halved any more (TCP_MIN_SND_MSS, net.ipv4.tcp_mtu_probe_floor)
FIXED = 20  # bytes of TCP's header before its options
E_RETRANSMISSION, E_TIMEOUT, E_PAWS = EVENT["retransmission"], EVENT["retransmission_timeout"], EVENT["paws"]
E_RENEGING, E_RESET, E_CLOSING_RESET = (EVENT[name] for name in ("sack_reneging", "reset", "closing_reset"))
C_UNREAD = CAUSE["unread_data"]
COPY_BIT = np.uint64(1 << EVENT["capture_duplicate"])


@kernel(
    rows=rows_of(PACKETS.dtype),
    at=INT,
    events=view_of(EVENTS.dtype),
    event_at=INT,
    hosts=view_of(np.uint64, 2),
    kept=group_of(Connections, CONNECTIONS),
    world_=rows_of(WORLD),
    out_=rows_of(SINK),
    cuts=view_of(np.int64),
    sums=rows_of(SUM, 2),
)
def predict(
    rows: Any, at: Int, events: Any, event_at: Int, hosts: Any, kept: Any, world_: Any, out_: Any, cuts: Any, sums: Any
) -> tuple[Int, Int]:  # fmt: skip
    """Add the increments of `rows[at:]` to `out` until some room is used up: (the row to go on with, the event to go on with).

    `events` are those of the rows, in their order; `hosts` (u8, n by 2, see prediction.hosts) the addresses of the host; `kept` the
    connections; `world_` and `out_` one row each. If `out` sums, time is cut at `cuts` (i8), and `sums` (SUM) are those of each cell,
    by column.
    """
    world, out = world_[0], out_[0]
    next_frame: Int = events[event_at]["frame"] if event_at < len(events) else NO_FRAME
    while at < len(rows) and has_space(rows[at], kept, world, out, sums):
        row = rows[at]
        first = event_at
        if row["frame"] == next_frame:
            while event_at < len(events) and events[event_at]["frame"] == row["frame"]:
                event_at += 1
            next_frame = events[event_at]["frame"] if event_at < len(events) else NO_FRAME
            note_events(events, first, event_at, world)
        elif world["told"]:
            note_events(events, first, first, world)
        at += 1
        world["end_ns"] = max(world["end_ns"], row["time_ns"])
        if out["summing"] and not out["from_ns"] <= row["time_ns"] < out["until_ns"]:
            enter(row["time_ns"], cuts, sums, out)
        if row["ip_version"] == 0:
            no_packet(row, out)
            continue
        if (row["events"] & COPY_BIT and not world["copies"]) or row["link_direction"] > 2:
            continue
        mine = is_mine(hosts, row["src_hi"], row["src_lo"])
        to_me = is_mine(hosts, row["dst_hi"], row["dst_lo"])
        # On Ethernet the host's own MAC address tells; elsewhere it may be a bridge that hands on what others send.
        if row["link_direction"] and row["layers"] & ETHERNET and not (mine or to_me):
            mine, to_me = mine_by_link(row, world), row["link_direction"] == IN and is_link_local(row["dst_hi"])
        group = 0 if to_me else is_group(row)
        if row["time_ns"] >= world["next_ns"] and world["next_ns"] != 0:
            expire(row, world, out)
        if not (mine or to_me or group):
            if row["tunnel_depth"] == 0:
                between_others(row, world, out)
            else:
                around(row, hosts, False, out)
            continue
        if to_me and is_malformed(row):
            malformed_received(row, world, out)
            continue
        is_tcp = row["ip_proto"] == 6 and has_header(row) and row["place"] >= 0 and (mine or to_me)
        is_tcp = is_tcp and row["layers"] & FRAGMENT == 0
        size, segments, fewest, most, joined, delivered = np.int64(1), 1, 1, 1, False, True
        slot = np.int64(NO_SLOT)
        if is_tcp:
            here = kept.places[row["place"]]
            if here["at"] > 0 and here["flow"] == row["flow"]:  # mostly
                slot = np.int64(here["at"]) - 1
                kept.slots[slot]["used"] = 1
            elif here["at"] != 0 and here["flow"] == row["flow"]:
                slot = bring(row["place"], kept, world)
            else:
                slot = begin(row, kept, world, out)
                kept.hot[slot]["talk"]["translated"] = mine and is_translated(row, world)
            talk = kept.hot[slot]["talk"]
            if talk["translated"]:
                between_others(row, world, out)
                continue
            size = segment_size(row, talk)
            fewest = segments = in_segments(row, size)
            most = segments
            if mine and world["base_mss"]:  # as long as no probe for a larger MTU got through, and the card cuts it
                base = first_size(row, talk, world)
                world["hangs"] |= ON_PIECES
                most = max(segments, in_segments(row, base))
                if (fewest > 1 or world["uncut"]) and size > base:
                    size, segments = base, most
            joined = mine and goes_on(row, talk, fewest)
            world["joined"] = joined
        if row["tunnel_depth"] > 0:
            around(row, hosts, joined, out)
        if mine and packet_sent(row, group, joined, world, out):
            error_sent(row, hosts, world, out)
        if mine and group:
            comes_back(row, group, hosts, world, out)
        if to_me or (group and not mine):
            merged = segments if packet_bytes(row) > world["mtu"] else 1
            taken = takes(row, group, hosts) if group else 1
            delivered = packet_received(row, group, merged, taken, world, out)
        right = row["checksum"] != BAD and row["checksum"] != ZERO
        if to_me and right and row["quoted_proto"] == 6:
            quoted_received(row, kept, world, out)
        if is_tcp:
            one = kept.hot[slot]
            heeded = False
            if to_me and delivered:
                heeded = segment_received(row, right, one, world, out)
            if mine:
                segment_sent(row, size, segments, fewest, most, one, world, out)
            if first < event_at and (mine or (delivered and right)):
                tcp_events(row, one["talk"], one["arrival"], events, first, event_at, mine, to_me, heeded, out)
    return at, event_at


@inline
def has_space(row: Any, kept: Any, world: Any, out: Any, sums: Any) -> Any:
    """Is there room for all that a frame can bring?"""
    return (
        out["used"] + ROOM <= out["room"]
        and out["most_steps"] + ROOM < STEPS
        and out["columns"] <= sums.shape[1]
        and row["place"] < len(kept.places)
        and (world["taken"] + FOLDED_AT_ONCE <= len(kept.slots) or has_room(kept.chunks))
    )


@inline
def has_header(row: Any) -> Any:
    """Is all of TCP's header there, or, in a capture that cuts frames, all but its options?"""
    if row["stop"] == DECODED:
        return True
    return row["stop"] == TRUNCATED and row["header_len"] > FIXED and row["captured"] >= row["l4_at"] + FIXED


@inline
def mine_by_link(row: Any, world: Any) -> Any:
    """Does the host send with an address that it got after it was asked for them?

    Without any yet (::), or a link-local one, which no router passes on; another only if it is no router. In IPv4 what
    has no source comes from a packet socket (DHCP), of which IP knows nothing.
    """
    if row["link_direction"] != OUT:
        return False
    if row["ip_version"] == 6 and (is_link_local(row["src_hi"]) or (row["src_hi"] | row["src_lo"]) == 0):
        return True
    any_source = row["src_hi"] == 0 and row["src_lo"] & np.uint64(0xFFFFFFFF) == 0
    return world["forwards"][1 if row["ip_version"] == 6 else 0] == 0 and not any_source


@inline
def is_link_local(high: Any) -> Any:
    """fe80::/10."""
    return high >> np.uint64(54) == np.uint64(0x3FA)


@part
def note_events(events: Any, first: Int, stop: Int, world: Any) -> None:
    """Keep what the events of a frame say to those that predict a segment."""
    world["told"] = first < stop
    world["timeout"] = world["paws"] = world["unread"] = 0
    world["reneged"] = world["cause"] = 0
    for k in range(first, stop):
        event, cause = events[k]["event"], np.int64(events[k]["cause"])
        if event == E_RETRANSMISSION:
            world["cause"] = cause
        elif event == E_TIMEOUT:
            world["timeout"] = 1
        elif event == E_PAWS:
            world["paws"] = 1
        elif event == E_RENEGING:
            world["reneged"] += 1
        elif (event == E_RESET or event == E_CLOSING_RESET) and cause == C_UNREAD:
            world["unread"] = 1


@inline
def first_size(row: Any, talk: Any, world: Any) -> Int:
    """Payload of its segments as long as none larger got through. tcp_mtu_probing() halves it where the timer runs out again and again."""
    side = np.int64(row["direction"])
    base = np.int64(world["base_mss"]) >> np.int64(talk["halved"][side])
    if world["timeout"] and 2 * np.int64(row["payload_len"]) == base and base > LEAST_BASE:
        talk["halved"][side] += 1
        base >>= 1
    return base


@inline
def is_translated(row: Any, world: Any) -> Any:
    """Does a router pass this SYN on for another, under its own address? Its time to live is less than any that hosts begin with."""
    if world["forwards"][1 if row["ip_version"] == 6 else 0] != 1 or row["flags"] & (SYN | ACK) != SYN:
        return False
    ttl = row["ttl"]
    return ttl != 64 and ttl != 128 and ttl != 255
