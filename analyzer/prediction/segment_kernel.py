"""Compiled prediction of a TCP segment: every family that keeps something of the connection sees it, in this order."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, part
from analyzer.decode.codes import O_MPTCP
from analyzer.prediction.arrival.answer_kernel import answer_due, answer_sent
from analyzer.prediction.arrival.arrival_kernel import arrival_received, arrival_sent
from analyzer.prediction.arrival.backlog_kernel import may_wait
from analyzer.prediction.arrival.ranges_kernel import forget as forget_ranges
from analyzer.prediction.closing.closing_kernel import closing_received, closing_sent
from analyzer.prediction.delivery.delivery_kernel import delivery_received, delivery_sent
from analyzer.prediction.delivery.prediction_kernel import may_be_held
from analyzer.prediction.delivery.queue_kernel import forget as forget_pieces
from analyzer.prediction.emit_kernel import LEAST_MSS
from analyzer.prediction.mptcp.mptcp_kernel import mptcp_received, mptcp_sent
from analyzer.prediction.opening.opening_kernel import opening_received, opening_sent
from analyzer.prediction.opening.silence_kernel import opening_over, syn_over
from analyzer.prediction.recovery.queue_kernel import forget as forget_segments
from analyzer.prediction.recovery.recovery_kernel import recovery_received, recovery_sent
from analyzer.prediction.rest_kernel import bring, clear
from analyzer.prediction.state import ESTABLISHED
from analyzer.prediction.tcp_kernel import stage, tcp_received, tcp_sent
from analyzer.prediction.validity.signed_kernel import is_unsigned, note_signature
from analyzer.prediction.validity.socket_kernel import inherit
from analyzer.prediction.validity.validity_kernel import validity_received, validity_sent
from analyzer.prediction.world import NO_SLOT

SYN, RST = 2, 4
MOST_MSS = 65535


@part
def segment_received(row: Any, right: Any, one: Any, world: Any, out: Any) -> Any:
    """A segment to the host: does its socket look at it? Those that keep a connection do not see what a wrong checksum dropped."""
    side = 1 - np.int64(row["direction"])
    talk, validity, arrival = one["talk"], one["validity"], one["arrival"]
    if not right:
        tcp_received(row, talk, False, False, out)
        return False
    if is_unsigned(row, talk, side, out):
        return False
    may_wait(row, arrival, side, out)
    before, was = stage(talk, side), validity["state"][side]
    accepted = validity_received(row, validity, out)
    held = row["flags"] & RST != 0 and may_be_held(row, one["delivery"], side)
    tcp_received(row, talk, accepted, held, out)
    opening_received(row, one["opening"], world["ports"], was, validity["state"][side], out)
    delivery_received(row, one["delivery"], before, arrival["waited"][side] != 0, world["pieces"], out)
    found = arrival_received(row, talk, arrival, before, world["ranges"], world["dsack"] != 0, out)
    answer_due(row, talk, arrival, found, np.int64(world["compresses"]), out)
    closing_received(row, talk, one["closing"], before, accepted, world, out)
    if before != ESTABLISHED or row["options"] & O_MPTCP:
        mptcp_received(row, talk, one["mptcp"], before, out)
    recovery_received(row, talk, one["recovery"], before, world, out)
    return accepted and world["paws"] == 0


@part
def segment_sent(
    row: Any, size: Int, segments: Int, fewest: Int, most: Int, one: Any, world: Any, out: Any
) -> None:  # fmt: skip
    """A segment from the host, whose full ones have `size` bytes of payload; it stands for `segments` of them, `fewest` to `most`."""
    side = np.int64(row["direction"])
    talk, validity, arrival = one["talk"], one["validity"], one["arrival"]
    before, was = stage(talk, side), validity["state"][side]
    validity_sent(row, validity, out)
    held = row["flags"] & RST != 0 and may_be_held(row, one["delivery"], side)
    tcp_sent(row, talk, segments, fewest, most, held, out)
    opening_sent(row, one["opening"], world["ports"], was, validity["irs"][side], out)
    note_signature(row, talk)
    answer_sent(row, talk, arrival, np.int64(one["recovery"][side]["rtt"]) >> 3, out)
    arrival_sent(row, talk, arrival, before, world, out)
    closing_sent(row, talk, one["closing"], before, world, out)
    if before != ESTABLISHED or row["options"] & O_MPTCP:
        mptcp_sent(row, one["mptcp"], before, out)
    ends = one["recovery"]
    expiries = np.int64(ends[side]["expiries"])
    recovery_sent(row, talk, ends, before, size, segments, world, out)
    expired = ends[side]["expiries"] > expiries
    delivery_sent(row, one["delivery"], before, segments, most, expired, world, out)


@part
def begin(row: Any, kept: Any, world: Any, out: Any) -> Int:
    """A flow begins: the slot of its connection, where that of the flow before at its place is forgotten."""
    here = kept.places[row["place"]]
    before = here["at"] != 0
    slot = bring(row["place"], kept, world)
    one = kept.hot[slot]
    if before:
        syn_over(row, one["opening"], world["ports"], out)
        opening_over(row, one["opening"], world["ports"], row["time_ns"], out)
        for side in range(2):
            forget_segments(one["recovery"][side], world["segments"])
            forget_pieces(world["pieces"], one["delivery"], side)
            forget_ranges(world["ranges"], one["arrival"], side)
        clear(slot, kept)
    here["flow"] = row["flow"]
    if not row["flags"] & SYN:  # it was there before the capture began, and fills the packets of the link
        header = 60 if row["ip_version"] == 6 else 40
        for side in range(2):
            one["talk"]["established"][side] = 1
            one["talk"]["mss"][side] = min(MOST_MSS, max(LEAST_MSS, world["mtu"] - header))
    world["held"] = slot
    inherit(row, slot, kept, world)
    world["held"] = NO_SLOT
    return slot
