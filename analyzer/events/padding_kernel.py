"""Compiled: pure ACKs whose IP length includes what filled the Ethernet frame: padding that looks like a few bytes of data."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.clock_kernel import id_behind
from analyzer.events.emit_kernel import ACK, FIN, RST, SYN
from analyzer.flows.sent_kernel import RING, alive, forget_newest
from analyzer.flows.state import MAY_PAD, NO_PADDING, PADS

PSH, URG = 8, 32
SMALLEST = 46  # bytes of IP that the smallest frame of Ethernet carries (RFC 894)
TIMER_NS = 180_000_000  # as in the judgement of losses
DUPLICATES = 3  # RFC 5681 section 3.2


@inline
def without_padding(row: Any, seg: Any, me: Any, you: Any, state: Any, sent: Any, world: Any) -> None:
    """Take from the segment what is padding; and take back what was taken for data before, where this one proves it."""
    flags = seg["flags"]
    if me["padding"] != NO_PADDING and me["next"] == me["padding_end"]:
        reconsider(seg, me, you, state, sent, world)
    elif not flags & (SYN | RST):
        given_back(me, seg["end_of"], seg["start"], state)
    small = seg["length"] > 0 and flags & (RST | ACK) == ACK and 0 < row["ip_len"] <= SMALLEST
    # Who writes so little wants it delivered: its kernel sets PSH.
    plain = not flags & (PSH | URG)
    if small and plain and me["padding"] == PADS and seg["start"] <= me["next"]:
        me["padding_end"] = seg["end"]
        state["payload"][seg["end_of"]] -= seg["length"]
        seg["end"] -= seg["length"]
        seg["length"] = 0
    elif small and seg["start"] == me["next"] and not flags & FIN and (you["window"] or not you["windows"]):
        if me["padding"] == PADS:
            me["padding_end"] = seg["end"]  # a few bytes, and the rest of 46 perhaps
        elif plain:
            me["padding"], me["padding_end"] = MAY_PAD, seg["end"]


@inline
def given_back(me: Any, end_of: Any, upto: Int, state: Any) -> Int:
    """Where the stream of this end goes on: what was taken for padding before position `upto` was data, if it is no more than that."""
    next_ = me["next"]
    if me["padding"] == PADS and next_ < upto <= me["padding_end"]:
        state["payload"][end_of] += upto - next_
        me["next"], me["captured"] = upto, max(np.int64(me["captured"]), upto)
        if upto == me["padding_end"]:
            me["padding"] = NO_PADDING
    return np.int64(me["next"])


@inline
def reconsider(seg: Any, me: Any, you: Any, state: Any, sent: Any, world: Any) -> None:
    """Was the latest data of its end padding, all of it or what is behind the part that was acknowledged?

    Then this begins there, too, and does not repeat it: what is sent again has the same length, or comes after a timer or
    a request at least; and an ACK has the number of the next data.
    """
    number, end, start = me["newest"], me["padding_end"], seg["start"]
    known = alive(number, world) and sent.chain[number & RING]["end"] == end
    if not known or me["una"] >= end or start == end:
        if me["padding"] == MAY_PAD:
            me["padding"] = NO_PADDING  # the stream goes on behind it
        return
    first = sent.first[number & RING]
    if not first["start"] <= start < end or me["una"] > start or id_behind(seg, me):
        return
    proved = me["una"] == start
    if start == first["start"]:
        size = end - start
        empty = seg["length"] == 0 and size > 1 and not seg["flags"] & SYN  # below one byte, that may be a keep-alive
        asked = me["repeats"] >= DUPLICATES or me["sacked_high"] > start
        soon = seg["time_ns"] - first["time_ns"] < TIMER_NS and not asked
        more = seg["length"] > size or (seg["length"] == size and seg["ack"] > you["una"])
        proved = empty or (more and (soon or you["padding"] == PADS))
    if not proved:
        return
    if start == first["start"]:
        forget_newest(me, sent, world)
    else:
        sent.chain[number & RING]["end"] = start
    me["padding"], me["next"], me["captured"] = PADS, start, min(np.int64(me["captured"]), start)
    state["payload"][seg["end_of"]] -= end - start
