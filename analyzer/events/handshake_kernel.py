"""Compiled: how connections open, what they agree on, and who answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, rare
from analyzer.events.emit_kernel import ACK, CWR, ECE, RST, SYN, emit
from analyzer.flows.end_state import ECN_AGREED, ECN_ASKED
from analyzer.flows.state import ACKED
from analyzer.flows.state import SYN as SAW_SYN
from analyzer.flows.state import SYN_ACK as SAW_SYN_ACK
from analyzer.kinds import CAUSE, NUMBER
from analyzer.tables import PACKETS

SYN_COOKIE, SIMULTANEOUS, FAST_OPEN = NUMBER["syn_cookie"], NUMBER["simultaneous_open"], NUMBER["fast_open"]
ECN_NEGOTIATED = NUMBER["ecn_negotiated"]
OPTIONS_REFUSED, BY_MIDDLEBOX = NUMBER["options_refused"], NUMBER["syn_ack_by_middlebox"]
SYN_ACK_AGAIN = NUMBER["syn_ack_again"]
STACK, STACK_OR_COOKIE = CAUSE["stack"], CAUSE["stack_or_cookie"]
CROSSED, DEFERRED, ACK_LOST = CAUSE["crossed"], CAUSE["deferred"], CAUSE["ack_lost"]
IP_ID, TTL = CAUSE["ip_id"], CAUSE["ttl"]
REQUESTED, GRANTED, USED = CAUSE["requested"], CAUSE["granted"], CAUSE["used"]
ACCEPTED, REFUSED = CAUSE["accepted"], CAUSE["refused"]
MSS, SCALE, SACK, TIMESTAMPS = (
    PACKETS.bit("options", word) for word in ("mss", "window_scale", "sack_permitted", "timestamps")
)
TRUNCATED = PACKETS.bit("stop", "truncated")
COOKIE = PACKETS.bit("options", "fast_open")
FEW_HOPS = 2  # routes change by so many, and boxes beside a host are no further from it
COUNTED_IDS = 256  # lower ones begin a count, and two ends may begin alike

SERVERS = 1 << 12  # that granted options, at a place given by the hash of address, port and TTL


@inline
def hops_of(ttl: Any) -> Int:
    """How many routers a packet has passed, if its TTL began at 32, 64, 128 or 255."""
    ttl = np.int64(ttl)
    if ttl <= 32:
        return 32 - ttl
    if ttl <= 64:
        return 64 - ttl
    return 128 - ttl if ttl <= 128 else 255 - ttl


@inline
def apart(ttl: Any, other: Any) -> Any:
    """Do two TTLs say that their packets came from different distances, wherever they began?"""
    return (
        abs(np.int64(ttl) - np.int64(other)) > FEW_HOPS
        and abs(np.int64(hops_of(ttl)) - np.int64(hops_of(other))) > FEW_HOPS
    )


@rare
def opening(row: Any, seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any, servers: Any) -> None:
    """A SYN or SYN-ACK, before its end's state moves on. `servers` (uint64, twice SERVERS) has those that granted options, and behind them where it was asked who did."""
    flags, options = seg["flags"], row["options"]
    me["syn_id"] = seg["ip_id"]
    if me["syns"] == 0 or not flags & ACK:
        me["offered"] = options
        me["mss"] = row["mss"]
        me["shift"] = row["window_scale"]
        me["scale"] = min(row["window_scale"], 14) if options & SCALE else 0  # RFC 7323 section 2.3
    if not flags & ACK:
        if you["syns"] > 0 and me["syns"] == 0 and state["judged"] & (SAW_SYN | SAW_SYN_ACK) == SAW_SYN:
            emit(seg, state, world, out, counts, SIMULTANEOUS, 0, 0, 0)
        if flags & (ECE | CWR) == ECE | CWR:
            me["ecn"] = ECN_ASKED
        if options & COOKIE:
            if row["fast_open_len"] == 0:
                emit(seg, state, world, out, counts, FAST_OPEN, REQUESTED, 0, 0)
            elif seg["length"] > 0:
                emit(seg, state, world, out, counts, FAST_OPEN, USED, 0, seg["length"])
    else:
        first = me["syns"] == 0
        if first and you["syns"] == 0 and flags & (ECE | CWR) == ECE:  # it agrees on what was not captured
            me["ecn"] = you["ecn"] = ECN_AGREED
        me["syn_ttl"] = row["ttl"]
        if not first and seg["start"] == 0 and state["judged"] & ACKED:
            repeating_syn_ack(seg, me, you, state, world, out, counts)
        if first and you["syns"] > 0 and row["stop"] != TRUNCATED and not you["cut"]:
            granting(row, seg, you, state, world, out, counts, servers)
        if first and you["syns"] > 0:
            if you["ecn"] == ECN_ASKED and flags & (ECE | CWR) == ECE:
                me["ecn"] = you["ecn"] = ECN_AGREED
                emit(seg, state, world, out, counts, ECN_NEGOTIATED, 0, 0, 0)
            if options & COOKIE and row["fast_open_len"] > 0:
                emit(seg, state, world, out, counts, FAST_OPEN, GRANTED, 0, row["fast_open_len"])
            if you["next"] > 1 and you["offered"] & COOKIE:
                cause = ACCEPTED if seg["ack"] > 1 else REFUSED
                emit(seg, state, world, out, counts, FAST_OPEN, cause, 0, you["next"] - 1)
    me["syn_frame"], me["syn_ns"] = seg["frame"], seg["time_ns"]
    me["syns"] = min(np.int64(me["syns"]) + 1, 0xFFFF)
    if row["stop"] == TRUNCATED:
        me["cut"] = 1
    if me["syns"] and you["syns"] and not me["cut"] and not you["cut"]:
        me["scale_known"] = you["scale_known"] = 1
        if not me["offered"] & you["offered"] & SCALE:
            me["scale"] = you["scale"] = 0


@inline
def granting(row: Any, seg: Any, you: Any, state: Any, world: Any, out: Any, counts: Any, servers: Any) -> None:
    """Which of the options that the SYN offers the SYN-ACK grants."""
    # Whoever answers from another distance is another, such as a box that answers some of the SYNs.
    server = state["server"] + (np.uint64(row["ttl"]) << np.uint64(1))
    place = server & np.uint64(SERVERS - 1)
    if row["options"] & (SCALE | SACK | TIMESTAMPS):
        servers[place] = server
    elif you["offered"] & (SCALE | SACK) == SCALE | SACK:
        servers[SERVERS + place] = np.uint64(1)
        if servers[place] == server:
            emit(seg, state, world, out, counts, SYN_COOKIE, 0, 0, 0)
        else:
            cause = STACK if you["offered"] & TIMESTAMPS else STACK_OR_COOKIE
            emit(seg, state, world, out, counts, OPTIONS_REFUSED, cause, 0, 0)


@inline
def repeating_syn_ack(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """The client's ACK was captured, and its SYN-ACK comes again: why may that be?"""
    since = seg["time_ns"] - me["advance_ns"]
    if you["rtt_count"] and since < you["rtt_min_ns"]:
        cause = CROSSED
    elif you["next"] > 1:
        cause = ACK_LOST
    else:
        cause = DEFERRED
    if cause != ACK_LOST:
        me["syn_acks_again"] = min(np.int64(me["syn_acks_again"]) + 1, 0xFFFF)
    emit(seg, state, world, out, counts, SYN_ACK_AGAIN, cause, me["syn_frame"], since)
    me["offence"] = -seg["frame"]


@inline
def meeting(row: Any, seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A segment behind the handshake: does it show that somebody else than the server's end has answered the SYN?"""
    if seg["flags"] & (SYN | RST):
        return
    if me["syn_ttl"] and seg["length"] and not me["syn_met"]:
        if apart(me["syn_ttl"], row["ttl"]):
            me["box_hops"] = hops_of(me["syn_ttl"])
            emit(seg, state, world, out, counts, BY_MIDDLEBOX, TTL, me["syn_frame"], me["box_hops"])
        me["syn_met"] = 1
    if seg["is_client"] and state["judged"] & (SAW_SYN | SAW_SYN_ACK | ACKED) == SAW_SYN | SAW_SYN_ACK:
        # The client counts, so this is not an ID that never changes.
        alike = me["syn_id"] == you["syn_id"] and me["syn_id"] >= COUNTED_IDS
        if alike and seg["ip_id"] and seg["ip_id"] != me["syn_id"]:
            you["box_hops"] = hops_of(you["syn_ttl"])
            emit(seg, state, world, out, counts, BY_MIDDLEBOX, IP_ID, you["syn_frame"], you["box_hops"])


assert SYN == 2
