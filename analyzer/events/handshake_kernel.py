"""Compiled: how connections open, and what they agree on."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import inline
from analyzer.events.emit_kernel import ACK, CWR, ECE, SYN, emit
from analyzer.flows.state import ECN_AGREED, ECN_ASKED
from analyzer.flows.state import SYN as SAW_SYN
from analyzer.flows.state import SYN_ACK as SAW_SYN_ACK
from analyzer.kinds import CAUSE, NUMBER
from analyzer.tables import PACKETS

SYN_COOKIE, SIMULTANEOUS, FAST_OPEN = NUMBER["syn_cookie"], NUMBER["simultaneous_open"], NUMBER["fast_open"]
ECN_NEGOTIATED = NUMBER["ecn_negotiated"]
REQUESTED, GRANTED, USED = CAUSE["requested"], CAUSE["granted"], CAUSE["used"]
ACCEPTED, REFUSED = CAUSE["accepted"], CAUSE["refused"]
MSS, SCALE, SACK, TIMESTAMPS = (
    PACKETS.bit("options", word) for word in ("mss", "window_scale", "sack_permitted", "timestamps")
)
TRUNCATED = PACKETS.bit("stop", "truncated")
COOKIE = PACKETS.bit("options", "fast_open")


@inline
def opening(row: Any, seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A SYN or SYN-ACK, before its end's state moves on."""
    flags, options = seg["flags"], row["options"]
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
        if first and you["syns"] > 0:
            asked = SCALE | SACK
            if you["offered"] & asked == asked and not options & (SCALE | SACK | TIMESTAMPS):
                emit(seg, state, world, out, counts, SYN_COOKIE, 0, 0, 0)
            if you["ecn"] == ECN_ASKED and flags & (ECE | CWR) == ECE:
                me["ecn"] = you["ecn"] = ECN_AGREED
                emit(seg, state, world, out, counts, ECN_NEGOTIATED, 0, 0, 0)
            if options & COOKIE and row["fast_open_len"] > 0:
                emit(seg, state, world, out, counts, FAST_OPEN, GRANTED, 0, row["fast_open_len"])
            if you["next"] > 1 and you["offered"] & COOKIE:
                cause = ACCEPTED if seg["ack"] > 1 else REFUSED
                emit(seg, state, world, out, counts, FAST_OPEN, cause, 0, you["next"] - 1)
    me["syn_frame"] = seg["frame"]
    me["syns"] = min(np.int64(me["syns"]) + 1, 0xFFFF)
    if row["stop"] == TRUNCATED:
        me["cut"] = 1
    if me["syns"] and you["syns"] and not me["cut"] and not you["cut"]:
        me["scale_known"] = you["scale_known"] = 1
        if not me["offered"] & you["offered"] & SCALE:
            me["scale"] = you["scale"] = 0


assert SYN == 2
