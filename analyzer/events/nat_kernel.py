"""Compiled: the two sides of a NAT, and answers that went past it."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.emit_kernel import emit
from analyzer.flows.state import ACKED
from analyzer.flows.state import SYN as SAW_SYN
from analyzer.flows.state import SYN_ACK as SAW_SYN_ACK
from analyzer.kinds import NUMBER

PAST_NAT = NUMBER["answered_past_nat"]


@inline
def is_across(state: Any, states: Any) -> Any:
    """Is it the flow on the other side of a NAT, of one that is still followed?"""
    return state["leg_of"] >= 0 and states[state["leg_place"]]["flow"] == state["leg_of"]


@inline
def past_nat(seg: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A reset on the far side of a NAT: does the client refuse what did not come back through it?"""
    opening_ = state["judged"] & (SAW_SYN | SAW_SYN_ACK | ACKED) == SAW_SYN | SAW_SYN_ACK
    if opening_ and seg["is_client"] and not you["direct"]:
        since = seg["time_ns"] - state["first_syn_ns"]
        emit(seg, state, world, out, counts, PAST_NAT, 0, you["last_frame"], since)


@inline
def count_on(row: Any, leg: Any, root: Any, end: Int) -> None:
    """A packet that was counted on one leg of a connection counts on the other. `end` is that of the latter."""
    own = end ^ np.int64(leg["client"]) ^ np.int64(root["client"])
    leg["packets"][own] -= 1
    leg["bytes"][own] -= row["length"]
    leg["payload"][own] -= row["payload_len"]
    root["packets"][end] += 1
    root["bytes"][end] += row["length"]
    root["payload"][end] += row["payload_len"]
