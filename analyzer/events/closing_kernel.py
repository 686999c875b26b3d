"""Compiled: how connections end, and segments that belong to none."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, rare
from analyzer.events.emit_kernel import ACK, FIN, RST, SYN, emit, letter
from analyzer.events.handshake_kernel import apart, hops_of
from analyzer.flows.end_state import ALONE, WITH_ACK
from analyzer.flows.state import ACKED
from analyzer.flows.state import SYN as SAW_SYN
from analyzer.flows.state import SYN_ACK as SAW_SYN_ACK
from analyzer.kinds import CAUSE, NUMBER

RESET, HALF_OPEN, STRAY, CHALLENGE, AFTER_CLOSE = (
    NUMBER[name] for name in ("reset", "half_open", "stray", "challenge_ack", "data_after_close")
)
REFUSED, IN_HANDSHAKE = NUMBER["refused"], NUMBER["reset_in_handshake"]
CLOSING_RESET, BY_MIDDLEBOX = NUMBER["closing_reset"], NUMBER["reset_by_middlebox"]
SYN_ACK_AGAIN_ANSWER = NUMBER["syn_ack_again_answer"]
IN_WINDOW, OUT_OF_WINDOW, UNREAD, AFTER_FIN, AFTER_FIN_OF_OTHER, BEGUN_BEFORE = (
    CAUSE[name]
    for name in ("in_window", "out_of_window", "unread_data", "after_fin", "after_fin_of_other", "begun_before")
)
NEAR_IDS = 4096  # IPv4 IDs further apart do not come from one counter
FAR = 1 << 30
MAX_WINDOW = 65535  # Linux remembers the largest that was offered; at least what needs no scale
CROSSING_NS = 200_000_000  # data may have been under way for so long, besides the RTT
CLOSING_BYTES = 256  # more than a close_notify, a QUIT or its answer need
SILENT_NS = 1_000_000_000  # an end that has sent something more lately knows the connection
BEFORE_NS = 60_000_000_000  # how long an end that has closed remembers it (tcp_fin_timeout of Linux)
NEAR = 1 << 20  # a segment this near to what its connection sent last belongs to it


@rare
def resetting(row: Any, seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A reset: of what, and by whose fault."""
    letter(seg, state, ord("r"))
    seen = state["judged"] & (SAW_SYN | SAW_SYN_ACK | ACKED)
    if seen == SAW_SYN and not seg["is_client"]:
        since = seg["time_ns"] - you["sent_ns"]
        emit(seg, state, world, out, counts, REFUSED, 0, 0, since)
    elif seen and not seen & ACKED:
        emit(seg, state, world, out, counts, IN_HANDSHAKE, 0, 0, 0)
    elif not me["rst"] and not you["rst"] and not over(me, you):
        if of_middlebox(row, seg, me):
            me["box_hops"] = hops_of(row["ttl"])
            emit(seg, state, world, out, counts, BY_MIDDLEBOX, 0, me["last_frame"], me["box_hops"])
        else:
            ending(seg, me, you, state, world, out, counts)
    if seg["start"] != me["next"] and me["una"] < seg["start"] <= you["edge"]:
        me["offence"] = seg["frame"]
    if not me["rst"]:
        me["rst"], me["rst_ns"] = WITH_ACK if seg["flags"] & ACK else ALONE, seg["time_ns"]


@inline
def of_middlebox(row: Any, seg: Any, me: Any) -> Any:
    """Was the reset sent nearer than all else of its end, and does it differ from that in something that its end knows?"""
    ttl = row["ttl"]
    low, high = me["ttl_low"], me["ttl_high"]
    if low > high or low <= ttl <= high or not apart(ttl, low) or not apart(ttl, high):
        return False
    if hops_of(ttl) >= min(np.int64(hops_of(low)), np.int64(hops_of(high))):
        return False
    steps = (seg["ip_id"] - np.int64(me["ip_id"]) + 0x8000 & 0xFFFF) - 0x8000
    far = seg["ip_id"] and me["ip_id"] and abs(steps) >= NEAR_IDS
    # A kernel that knows no socket has no window to offer.
    other_window = row["window"] and seg["window"] != me["window"]
    return far or other_window or seg["start"] != me["next"]


@inline
def ending(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A reset that its end has sent: does anything end by it that was not ending anyway?"""
    theirs, mine = outstanding(you, seg["ack"] if seg["has_ack"] else 0), outstanding(me, 0)
    unread = seg["flags"] & ACK and you["data_ns"] > me["data_ns"]
    cause = IN_WINDOW
    early = not state["judged"] and seg["time_ns"] - world["first_ns"] < BEFORE_NS
    if not me["heard"] and (early or not you["heard"]):
        emit(seg, state, world, out, counts, CLOSING_RESET, BEGUN_BEFORE, 0, theirs)
        return
    if me["fin"]:
        cause = AFTER_FIN
        if theirs <= CLOSING_BYTES and mine <= CLOSING_BYTES:
            emit(seg, state, world, out, counts, CLOSING_RESET, AFTER_FIN, 0, theirs)
            return
    elif me["una"] > seg["start"] or seg["start"] > me["next"]:
        cause = OUT_OF_WINDOW
    elif you["fin"] and not theirs and not mine:
        cause = UNREAD if unread else AFTER_FIN_OF_OTHER
        emit(seg, state, world, out, counts, CLOSING_RESET, cause, 0, theirs)
        return
    elif unread:
        cause = UNREAD
    silent = seg["time_ns"] - me["last_ns"] >= SILENT_NS or not me["heard"]
    answers = you["last_frame"] > me["last_frame"] and seg["start"] == me["una"]
    if answers and silent and not seg["flags"] & ACK and not me["fin"]:
        emit(seg, state, world, out, counts, HALF_OPEN, 0, 0, 0)
    emit(seg, state, world, out, counts, RESET, cause, 0, max(you["next"] - you["una"], 0))


@inline
def outstanding(me: Any, ack: Int) -> Int:
    """Bytes of data of this end that were not acknowledged, neither before nor by `ack`, as far as both were captured."""
    sent = min(me["next"], me["fin"]) if me["fin"] else me["next"]
    return max(sent - max(me["una"], ack), 0)


@inline
def over(me: Any, you: Any) -> Any:
    """Have both ends closed, and do both know it?"""
    return me["fin"] and you["fin"] and me["una"] > me["fin"] and you["una"] > you["fin"]


@inline
def is_stray(seg: Any, me: Any, state: Any, states: Any, ends: Any) -> Any:
    """Does the segment fit the connection before, and not this one?"""
    place = state["previous_place"]
    if place < 0 or seg["flags"] & SYN or not me["known"]:
        return False
    if states[place]["flow"] != state["previous"] or me["next"] - NEAR <= seg["start"] <= me["next"] + NEAR:
        return False
    before = ends[states[place]["ends"][seg["end_of"]]]
    if not before["known"]:
        return False
    distance = (seg["start"] + me["isn"] - before["isn"] - before["next"]) & 0xFFFFFFFF
    return distance < NEAR or distance > (1 << 32) - NEAR


@inline
def from_before(row: Any, seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> Any:
    """A SYN is answered by an end that still has the connection before: by what it waits for there (RFC 5961 section 4).

    Nothing of such a segment belongs to the new connection.
    """
    flags = np.int64(row["flags"])
    if state["judged"] != SAW_SYN or seg["is_client"] or flags & (ACK | SYN | RST) != ACK or me["syns"]:
        return False
    acknowledged = np.int64(row["ack"]) - np.int64(you["isn"]) & 0xFFFFFFFF
    if 1 <= acknowledged <= you["next"]:
        return False
    kind = STRAY if row["payload_len"] or flags & FIN else CHALLENGE
    emit(seg, state, world, out, counts, kind, 0, 0 if kind == STRAY else you["syn_frame"], 0)
    return True


@inline
def offending(seg: Any, me: Any, you: Any, state: Any) -> Any:
    """Segments that an open connection challenges: remembered until the other end answers.

    True where the numbers are so far off that nothing can be learned from the segment.
    """
    if seg["flags"] & SYN and me["syns"] and seg["start"] != 0:
        # A SYN-ACK with another number: which of them the client has taken, its ACK tells.
        letter(seg, state, ord("h") if seg["flags"] & ACK else ord("s"))
        me["offence"] = seg["frame"]
        if not state["judged"] & ACKED:
            me["two_isns"], me["other_isn"] = 1, np.int64(me["isn"]) + seg["start"] & 0xFFFFFFFF
            if seg["flags"] & ACK:  # it is what the client's ACK may answer
                me["syn_frame"], me["syn_ns"] = seg["frame"], seg["time_ns"]
        return True
    wild = me["heard"] and abs(seg["start"] - me["next"]) > FAR
    wild |= you["heard"] and seg["has_ack"] and abs(seg["ack"] - you["next"]) > FAR
    if wild:
        me["offence"] = seg["frame"]
        return True
    synchronized = state["judged"] & ACKED or not state["judged"] & (SAW_SYN | SAW_SYN_ACK)
    if not synchronized or not you["heard"]:
        return False
    too_old = you["syns"] and you["una"] - seg["ack"] > max(np.int64(me["window_max"]), MAX_WINDOW)
    if seg["flags"] & SYN or (seg["has_ack"] and too_old):
        me["offence"] = seg["frame"]
    return False


@inline
def challenging(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """An ACK without news, right behind a segment that no receiver takes."""
    if not you["offence"] or not seg["has_ack"]:
        return
    related, repeats = abs(you["offence"]), you["offence"] < 0
    you["offence"] = 0
    news = seg["length"] or seg["flags"] & (SYN | FIN | RST) or seg["ack"] != seg["una"] or seg["start"] != me["next"]
    if not news:
        emit(seg, state, world, out, counts, SYN_ACK_AGAIN_ANSWER if repeats else CHALLENGE, 0, related, 0)


@inline
def closing(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """Data that comes when one end has said that there is no more, or does not want any, and the other must know it."""
    if seg["length"] == 0 or seg["end"] <= me["next"]:
        return
    known_ns = you["rst_ns"] + me["rtt_min_ns"] + you["rtt_min_ns"] + CROSSING_NS
    if (me["fin"] and seg["end"] > me["fin"] + 1) or (you["fin"] and you["rst"] and seg["time_ns"] > known_ns):
        emit(seg, state, world, out, counts, AFTER_CLOSE, 0, 0, seg["length"])


assert FIN == 1
