"""Compiled: packets that were captured before, at the same place or another, whole or in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.clock_kernel import paws
from analyzer.events.copies_kernel import BY_ANYONE, BY_CAPTURE, BY_NETWORK, NO_COPY, copy_of, piece_of
from analyzer.events.doubt_kernel import count_copy, doubt, doubts_of
from analyzer.events.emit_kernel import SYN, emit
from analyzer.events.stream_kernel import place_in_streams
from analyzer.flows.sent import COPY
from analyzer.flows.sent_kernel import RING
from analyzer.kinds import NUMBER

CAPTURE_DUPLICATE, NETWORK_DUPLICATE = NUMBER["capture_duplicate"], NUMBER["network_duplicate"]


@inline
def again(
    row: Any, seg: Any, me: Any, you: Any, owner: Int, identity: Any, state: Any, world: Any, out: Any, counts: Any, sent: Any,
    boards: Any, recent: Any,
) -> Any:  # fmt: skip
    """Is it a packet that was captured before? Then that is all that is said of it, or what the network does with it."""
    kind, copied, since = copy_of(row, seg, me, you, state, identity, recent, world)
    if kind == NO_COPY and me["heard"] and seg["place"] != me["place"]:
        place_in_streams(row, seg, me, you, state)
        number = piece_of(seg, me, sent, world)
        if number:
            record = sent.first[number & RING]
            kind, copied, since = BY_CAPTURE, record["frame"], seg["time_ns"] - record["time_ns"]
    if kind == BY_CAPTURE:
        emit(seg, state, world, out, counts, CAPTURE_DUPLICATE, 0, copied, since)
        count_copy(state, np.int64(seg["end_of"]), row["length"], row["payload_len"], world)
        if row["flags"] & SYN:
            state["syn_copied"] = 1
    elif kind == BY_ANYONE:
        place_in_streams(row, seg, me, you, state)
        at = doubt(seg, me, owner, COPY, seg["start"], seg["end"], state, world, out, counts, boards)
        board = boards[doubts_of(me, owner, boards)]
        board["doubt_related"][at], board["doubt_value"][at] = copied, since
        if row["flags"] & SYN:
            state["syn_copied"] = 1
    elif kind == BY_NETWORK:
        emit(seg, state, world, out, counts, NETWORK_DUPLICATE, 0, copied, since)
        if me["heard"] and me["timestamps"]:  # its receiver looks at it again
            place_in_streams(row, seg, me, you, state)
            paws(seg, me, you, state, world, out, counts)
    return kind != NO_COPY
