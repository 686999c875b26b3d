"""Compiled: what a frame left behind, for the account of time: how much is in flight, what the windows allow, what is being repaired."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.emit_kernel import FIN, RST, SYN
from analyzer.events.stream_kernel import FEW_IDS, NUMBERED
from analyzer.flows.end_state import FAST, LOSS
from analyzer.flows.moment import (
    AT_ONCE_NS,
    BOTH,
    FLIGHT,
    FULL,
    IN_FAST,
    IN_LOSS,
    IS_AGAIN,
    LATER_ID,
    LIMITED,
    NEXT_ID,
    OF_ACK,
    OF_AGAIN,
    OF_DATA,
    OF_FIN,
    OF_KEEP_ALIVE,
    OF_RST,
    OF_SYN,
    OPENED,
    SHORT,
    SKIPPED,
    UNSCALED,
    WITH_FIN,
    ZERO,
)
from analyzer.kinds import NUMBER
from analyzer.tables import PACKETS

AGAIN, STRAY, UPDATE, ZERO_END = (
    np.uint64(1 << NUMBER[name]) for name in ("retransmission", "stray", "window_update", "zero_window_end")
)
ALIVE = np.uint64(1 << NUMBER["keep_alive"] | 1 << NUMBER["keep_alive_answer"])
TIMESTAMPS = PACKETS.bit("options", "timestamps")
MOST = (1 << 32) - 1
ORDINARY = 1460  # payload of a segment on Ethernet
JUMBO = 9000  # what is larger was captured before it was cut, or after it was merged
PSH = 8
STAMPS = 12  # bytes of each segment
LARGEST = 65536  # no segment is as large
TINY = 500  # nobody's full segment


@inline
def keep_moment(moment: Any, seg: Any, me: Any, you: Any, whole: Any) -> None:
    """What the segment at hand left behind, now that it has been judged; of those that come at once all only if `whole`."""
    end, flags, events = np.int64(seg["end_of"]), seg["flags"], seg["events"]
    length = np.int64(seg["length"])
    if events & STRAY:
        moment["kind"] = SKIPPED
        return
    again = events & AGAIN != 0
    kind = np.int64(OF_ACK)
    if flags & RST:
        kind = np.int64(OF_RST)
    elif flags & SYN:
        kind = np.int64(OF_SYN)
    elif events & ALIVE:
        kind = np.int64(OF_KEEP_ALIVE)
    elif length:
        kind = np.int64(OF_AGAIN if again or seg["late"] else OF_DATA)
    elif flags & FIN:
        kind = np.int64(OF_FIN)
    flying, waiting = flight_of(me), flight_of(you)
    bits = standing(me, you, flying, end) | standing(you, me, waiting, 1 - end)
    if me["heard"] and you["heard"]:
        bits |= BOTH
    if length and is_short(length, np.int64(me["largest"]), in_use(me, you), flags & PSH != 0):
        bits |= SHORT
    if events & (UPDATE | ZERO_END):
        bits |= OPENED
    if flags & FIN:
        bits |= WITH_FIN
    if again:
        bits |= IS_AGAIN
    if seg["ip_id"]:
        step = seg["ip_id"] - np.int64(me["ip_id"]) & 0xFFFF  # from the packet before, still
        if step == 1 or not me["ip_id"]:  # a SYN-ACK has none, with Linux
            bits |= NEXT_ID
        elif 1 < step <= FEW_IDS and me["numbered"] >= NUMBERED:
            bits |= LATER_ID
    moment["kind"], moment["end"], moment["advanced"] = kind, end, min(seg["advanced"], MOST)
    moment["time_ns"], moment["length"], moment["direction"] = seg["time_ns"], length, seg["direction"]
    moment["flight"][end], moment["flight"][1 - end] = flying, waiting
    if length:
        moment["rtt_ns"][1 - end] = least(you)
    # While something is in flight, no time has passed since the latest frame but that.
    flows = (kind == OF_DATA and flying > length) or (kind == OF_ACK and (seg["advanced"] or flying or waiting))
    if not flows or seg["time_ns"] - max(me["last_ns"], you["last_ns"]) >= AT_ONCE_NS:
        bits |= FULL
    moment["bits"] = bits
    if length or bits & FULL:
        moment["since_ns"] = max(seg["time_ns"] - you["data_ns"], 0) if you["data_ns"] else -1
    if whole or bits & FULL:
        moment["rtt_ns"][end], moment["rtt_ns"][1 - end] = least(me), least(you)
        moment["window"][end], moment["window"][1 - end] = min(me["window"], MOST), min(you["window"], MOST)
        moment["srtt_ns"][end], moment["srtt_ns"][1 - end] = min(me["srtt_ns"], MOST), min(you["srtt_ns"], MOST)
        moment["segment"][end], moment["segment"][1 - end] = in_use(me, you), in_use(you, me)


@inline
def flight_of(me: Any) -> Int:
    """Payload that is not acknowledged, without SYN and FIN."""
    upto = min(me["next"], me["fin"]) if me["fin"] else me["next"]
    return min(max(upto - max(me["una"], 1), 0), MOST)


@inline
def least(me: Any) -> Int:
    """The least round-trip time of this end's data, at least 1; 0 without a sample."""
    return min(max(me["rtt_min_ns"], 1), MOST) if me["rtt_count"] else np.int64(0)


@inline
def in_use(me: Any, you: Any) -> Int:
    """The payload of a full segment of this end: what the other end accepts, or of what it sent the largest."""
    accepted, largest = np.int64(you["mss"]), np.int64(me["largest"])
    if accepted:
        return max(accepted - STAMPS if me["timestamps"] and you["timestamps"] else accepted, 1)
    if largest == 0 or largest > JUMBO:
        return np.int64(ORDINARY)
    return largest


@inline
def is_short(length: Int, largest: Int, full: Int, pushed: Any) -> Any:
    """Had its sender no more than this? A super-segment is short by what is left when it is cut.

    Where the path carries less than the MSS, full segments are smaller than that, and as large as any; then PSH tells.
    """
    if length > full:
        return length % full != 0
    return length < (full if pushed else min(largest, full)) or length < TINY


@inline
def standing(me: Any, you: Any, flight: Int, end: Int) -> Int:
    """How this end's sending stands: FLIGHT, LIMITED, UNSCALED, IN_FAST and IN_LOSS; and whether the other end's window is closed.

    LIMITED also with nothing in flight: less than a segment need not be sent (RFC 1122 section 4.2.3.4).
    """
    bits = np.int64(0)
    if you["zero_frame"]:
        bits |= ZERO << (1 - end)
    room = you["last_edge"] - me["next"]
    if room < LARGEST and you["windows"] and me["data_ns"] and room < in_use(me, you):
        if you["scale_known"]:
            bits |= LIMITED << end
        elif flight > 0:
            bits |= UNSCALED << end
    if flight > 0:
        bits |= FLIGHT << end
        if me["phase"] == LOSS or me["tail_probe_end"]:
            bits |= IN_LOSS << end
        elif me["phase"] == FAST:
            bits |= IN_FAST << end
    return bits
