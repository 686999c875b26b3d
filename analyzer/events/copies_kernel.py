"""Compiled: the same IP packet seen twice, by the capture or by the network."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.emit_kernel import FIN, RST, SYN
from analyzer.flows.end_state import IDS_SAME
from analyzer.flows.hash_kernel import mix
from analyzer.flows.sent_kernel import RING, find_sent
from analyzer.tables import PACKETS

RECENT = np.dtype([("identity", "u8"), ("place", "u8"), ("time_ns", "i8"), ("frame", "i8")])
RECENT_CAPACITY = 1 << 12  # the latest packets, at a place given by their hash
PLACE_SHIFT = np.uint64(64 - 12)
KEYS = 10  # secret numbers behind which a packet is told from others
COPY_NS = 1_000_000_000  # a packet does not stay in the network for longer and come twice
BLIND_NS = (
    10_000_000  # the same for packets that have no ID and may be a retransmission; no capture copies later than this
)
TIMER_NS = 180_000_000  # who sends again waits that long; and may give all packets the same ID
SHARE = 3  # a capture in which every third packet comes twice is one that duplicates
MANY = 8  # of fewer packets, nobody can say how many come twice
NEXT_NS = 100_000  # then a copy that follows so soon is one of the capture
AROUND = 24  # bytes around a frame on the wire: preamble, check sequence, pause
BYTE_NS = 8  # at 1 Gbit/s: on one link, two frames do not begin nearer to each other than the first is long
SOON_NS = 1_000_000  # nobody's timer is shorter than this
IPV4 = PACKETS.bit("layers", "ipv4")
TIMESTAMPS = PACKETS.bit("options", "timestamps")

A, B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)  # odd numbers without a pattern

NO_COPY, BY_CAPTURE, BY_NETWORK, BY_ANYONE = 0, 1, 2, 3


@inline
def identity_of(row: Any, flow: Int, end: Int, keys: Any) -> Any:
    """What is the same in two copies of an IP packet with TCP, whatever the routers on its way change: 64 bits of hash.

    `keys` (uint64, KEYS) are secret random numbers: a sum of products of 32-bit words with such is strongly universal, so
    nobody can make two packets that differ and pass for copies, but by a chance of one in 2^32.
    """
    found = keys[0] * np.uint64(flow) + keys[1] * (np.uint64(row["ip_id"]) << np.uint64(1) | np.uint64(end))
    found += keys[2] * np.uint64(row["seq"]) + keys[3] * np.uint64(row["ack"])
    found += keys[4] * np.uint64(row["tsval"]) + keys[5] * np.uint64(row["tsecr"])
    found += keys[6] * (np.uint64(row["window"]) << np.uint64(12) | np.uint64(row["flags"]))
    found += keys[7] * np.uint64(row["payload_len"])
    return mix(found + keys[8] * np.uint64(row["sack_left_1"]) + keys[9] * np.uint64(row["sack_right_1"]))


@inline
def place_of(row: Any) -> Any:
    """Where the packet was captured: two copies from different places are one packet on its way. The legs of a NAT are two."""
    h = np.uint64(row["interface"]) << np.uint64(40) ^ np.uint64(row["ifindex"]) << np.uint64(8) ^ np.uint64(row["ttl"])
    h = h * A + (np.uint64(row["link_direction"]) << np.uint64(48) ^ np.uint64(row["vlan"]) << np.uint64(32))
    tunnel = np.uint64(row["tunnel_depth"]) << np.uint64(40)
    if tunnel:
        tunnel ^= np.uint64(row["tunnel_id"])
    return (h ^ np.uint64(row["vlan_depth"]) << np.uint64(60) ^ np.uint64(row["flow"])) * B + tunnel


@inline
def tuple_of(low: Any, high: Any, low_port: Any, high_port: Any) -> Any:
    """Of the two ends of a flow, by the low halves of their addresses: the same wherever its frames are judged."""
    ports = np.uint64(low_port) << np.uint64(16) ^ np.uint64(high_port)
    return (low * A ^ high) * B ^ ports << np.uint64(17)


@inline
def tuple_of_row(row: Any, end: Int) -> Any:
    """The same of a packet that this end has sent."""
    if end:
        return tuple_of(row["dst_lo"], row["src_lo"], row["dst_port"], row["src_port"])
    return tuple_of(row["src_lo"], row["dst_lo"], row["src_port"], row["dst_port"])


@inline
def first_place(row: Any, tuple_: Any, end: Int) -> Int:
    """Where in RECENT a packet is looked for: without a secret, so that chance does not decide which one gives way."""
    h = tuple_ ^ np.uint64(row["ip_id"]) << np.uint64(1) ^ np.uint64(end)
    h = h * A + (np.uint64(row["seq"]) << np.uint64(32) ^ np.uint64(row["ack"]))
    rest = np.uint64(row["sack_right_1"]) << np.uint64(32) ^ np.uint64(row["window"]) << np.uint64(12)
    h = (h ^ h >> np.uint64(29)) * B + (rest ^ np.uint64(row["payload_len"]) ^ np.uint64(row["flags"])) * A
    return np.int64((h ^ h >> np.uint64(29)) * B >> PLACE_SHIFT)


@inline
def copy_of(
    row: Any, seg: Any, me: Any, you: Any, state: Any, identity: Any, recent: Any, world: Any
) -> tuple[Int, Int, Int]:
    """(NO_COPY, BY_CAPTURE, BY_NETWORK, or BY_ANYONE where that must show; frame of the first copy; ns since then)."""
    place = place_of(row)
    seg["place"] = place >> np.uint64(32)
    # Two places for each packet: the older of the two that are there gives way.
    mine = tuple_of(state["address_lo"][0], state["address_lo"][1], state["port"][0], state["port"][1])
    at = first_place(row, mine, np.int64(seg["end_of"]))
    here, beside = recent[at], recent[at ^ 1]
    older = (beside["identity"] == identity) | (beside["frame"] < here["frame"])
    at ^= np.int64((here["identity"] != identity) & older)  # without a branch: which of two is older is anybody's guess
    entry = recent[at]
    since = seg["time_ns"] - entry["time_ns"]
    if entry["identity"] == identity and entry["frame"] and 0 <= since <= COPY_NS:
        has_id = row["layers"] & IPV4 and row["ip_id"] != 0 and me["ids"] != IDS_SAME
        if since <= BLIND_NS or has_id:
            if entry["place"] != place:
                world["shared"] += 1
                return BY_CAPTURE, entry["frame"], since
            verdict = same_place(row, me, you, entry["frame"], since, has_id, world)
            if has_id or verdict != NO_COPY or often(world):
                world["shared"] += 1
            if verdict != NO_COPY:
                world["copies"] += 1
                return verdict, entry["frame"], since
        else:
            world["originals"] += 1
            me["once"] += 1
    else:
        world["originals"] += 1
        me["once"] += 1
    entry["identity"], entry["place"] = identity, place
    entry["time_ns"], entry["frame"] = seg["time_ns"], seg["frame"]
    return NO_COPY, np.int64(0), np.int64(0)


@inline
def often(world: Any) -> Any:
    """Does so much come twice that the capture seems to double it, and not the network?"""
    return (world["copies"] + 1) * SHARE >= world["originals"] and world["proved"] * 2 <= world["copies"]


@inline
def same_place(row: Any, me: Any, you: Any, first: Int, since: Int, has_id: Any, world: Any) -> Int:
    """Who made two of a packet that nothing tells apart."""
    duplicating = often(world) and (world["originals"] >= MANY or since <= NEXT_NS)
    # Who copies does so both ways: what comes twice from one end alone, though the other has sent enough, the network doubles.
    one_way = you["once"] >= MANY and you["copies"] == 0
    duplicating = duplicating and not one_way
    near = since <= (np.int64(row["length"]) + AROUND) * BYTE_NS
    if has_id:
        answers = row["payload_len"] > 0  # of its receiver, if it gets two
        if duplicating or (near and not answers):
            return BY_CAPTURE
        if one_way and not answers and since <= NEXT_NS:
            return BY_NETWORK
        if since <= NEXT_NS or (since <= BLIND_NS and (answers or world["unproved"])):
            return BY_ANYONE
        # After so long a timer sends again what takes sequence space, and some stacks do so with the ID of the first time;
        # then only a timestamp that did not move says that it is the same packet. And of the only packet of an end so far,
        # perhaps all have this ID.
        by_timer = (answers or row["flags"] & (SYN | FIN)) and not row["options"] & TIMESTAMPS
        return NO_COPY if since >= TIMER_NS and (by_timer or not me["ids"]) else BY_NETWORK
    # Without an ID: a SYN is sent again by a timer only, and data for what the other end says or by a timer. A mirror puts
    # copies next to each other, and an ACK that is repeated may be just that.
    beside = first > you["last_frame"]
    soon = row["payload_len"] > 0 and (near or (beside and since <= NEXT_NS))
    if soon or (row["flags"] & SYN and since <= SOON_NS) or (beside and duplicating):
        return BY_CAPTURE
    return NO_COPY


@inline
def piece_of(seg: Any, me: Any, sent: Any, world: Any) -> Int:
    """The number of the record of which the segment is a piece, or which is a piece of it; 0 if it is something else.

    One place of a host sees what another has not segmented yet, or merged already (GSO, TSO, GRO, LRO).
    """
    if seg["length"] == 0 or seg["end"] > me["next"] or seg["flags"] & (SYN | RST):
        return 0
    number = find_sent(me, seg["start"], sent, world)
    if number == 0:
        return 0
    record = sent.first[number & RING]
    since = seg["time_ns"] - record["time_ns"]
    if since < 0 or since > BLIND_NS or seg["tsval"] != record["tsval"]:
        return 0
    if seg["ip_id"] == 0:
        return number if since <= SOON_NS else 0
    pieces = (sent.chain[number & RING]["end"] - record["start"] + seg["length"] - 1) // seg["length"]
    ahead = seg["ip_id"] - np.int64(record["ip_id"]) & 0xFFFF
    return number if ahead < pieces else 0
