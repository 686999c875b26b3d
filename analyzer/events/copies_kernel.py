"""Compiled: the same IP packet seen twice, by the capture or by the network."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.flow_kernel import low_end, mix
from analyzer.tables import PACKETS

RECENT = np.dtype([("identity", "u8"), ("place", "u8"), ("time_ns", "i8"), ("frame", "i8")])
RECENT_CAPACITY = 1 << 12  # the latest packets, at a place given by their hash
COPY_NS = 1_000_000_000  # a packet does not stay in the network for longer and come twice
BLIND_NS = 10_000_000  # the same for packets that have no ID and may be a retransmission
SHARE = 3  # a capture in which every third packet comes twice is one that duplicates
MANY = 8  # of fewer packets, nobody can say how many come twice
NEXT_NS = 100_000  # then a copy that follows so soon is one of the capture
IPV4 = PACKETS.bit("layers", "ipv4")

A, B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)  # odd numbers without a pattern

NO_COPY, BY_CAPTURE, BY_NETWORK = 0, 1, 2


@inline
def identity_of(row: Any) -> Any:
    """What is the same in two copies of an IP packet with TCP, whatever the routers on its way change: 64 bits of hash."""
    h = np.uint64(row["flow"]) << np.uint64(17) ^ np.uint64(row["ip_id"]) << np.uint64(1) ^ np.uint64(low_end(row))
    h = h * A + (np.uint64(row["seq"]) << np.uint64(32) ^ np.uint64(row["ack"]))
    h = (h ^ h >> np.uint64(29)) * B + (np.uint64(row["tsval"]) << np.uint64(32) ^ np.uint64(row["tsecr"]))
    window = np.uint64(row["window"]) << np.uint64(12) ^ np.uint64(row["flags"])
    h = (h ^ h >> np.uint64(31)) * A + (window << np.uint64(32) ^ np.uint64(row["payload_len"]))
    return mix(h + (np.uint64(row["sack_left_1"]) << np.uint64(32) ^ np.uint64(row["sack_right_1"])) * B)


@inline
def place_of(row: Any) -> Any:
    """Where the packet was captured: two copies from different places are one packet on its way."""
    h = np.uint64(row["interface"]) << np.uint64(40) ^ np.uint64(row["ifindex"]) << np.uint64(8) ^ np.uint64(row["ttl"])
    h = h * A + (np.uint64(row["link_direction"]) << np.uint64(48) ^ np.uint64(row["vlan"]) << np.uint64(32))
    tunnel = np.uint64(row["tunnel_depth"]) << np.uint64(40)
    if tunnel:
        tunnel ^= np.uint64(row["tunnel_id"])
    return (h ^ np.uint64(row["vlan_depth"]) << np.uint64(60)) * B + tunnel


@inline
def first_place(identity: Any) -> Int:
    """Where in RECENT a packet is looked for."""
    return np.int64(identity & np.uint64(RECENT_CAPACITY - 1))


@inline
def copy_of(row: Any, seg: Any, you: Any, identity: Any, recent: Any, world: Any) -> tuple[Int, Int, Int]:
    """(NO_COPY, BY_CAPTURE or BY_NETWORK; frame of the first copy; ns since then)."""
    place = place_of(row)
    # Two places for each packet: the older of the two that are there gives way.
    at = first_place(identity)
    if recent[at]["identity"] != identity and (
        recent[at ^ 1]["identity"] == identity or recent[at ^ 1]["frame"] < recent[at]["frame"]
    ):
        at ^= 1
    entry = recent[at]
    since = seg["time_ns"] - entry["time_ns"]
    has_id = row["layers"] & IPV4 and row["ip_id"] != 0
    if entry["identity"] == identity and entry["frame"] and 0 <= since <= (COPY_NS if has_id else BLIND_NS):
        if entry["place"] != place:
            return BY_CAPTURE, entry["frame"], since
        often = (world["copies"] + 1) * SHARE >= world["originals"]
        duplicating = often and (world["originals"] >= MANY or since <= NEXT_NS)
        # Without an ID: a mirror puts copies next to each other, and an ACK that is repeated may be just that.
        if has_id or (duplicating and entry["frame"] > you["last_frame"]):
            world["copies"] += 1
            return BY_CAPTURE if duplicating else BY_NETWORK, entry["frame"], since
    else:
        world["originals"] += 1
    entry["identity"], entry["place"] = identity, place
    entry["time_ns"], entry["frame"] = seg["time_ns"], seg["frame"]
    return NO_COPY, np.int64(0), np.int64(0)
