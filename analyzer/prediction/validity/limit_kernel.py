"""Compiled prediction of the answers to what a socket refuses, which are limited, and of timestamps that are too old."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.validity.state import JIFFY_NS, LIMIT_NS, PAWS_NS
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN = 1, 2

CHALLENGE_ACK, SKIPPED_CHALLENGE = NUMBER["TcpExtTCPChallengeACK"], NUMBER["TcpExtTCPACKSkippedChallenge"]

ANSWER_NS = 2_000_000  # how soon an answer follows


@part
def limited(row: Any, own: Any, side: Int, counter: Int, out: Any) -> Any:
    """__tcp_oow_rate_limited(): was another answer sent less than half a second ago? Then this one is counted, not sent."""
    elapsed = row["time_ns"] - own["oow_ns"][side]
    if own["oow_ns"][side] and 0 <= elapsed < LIMIT_NS + JIFFY_NS:
        if elapsed < LIMIT_NS - JIFFY_NS:
            add(row, counter, 1, out)
            if counter == SKIPPED_CHALLENGE:
                add(row, CHALLENGE_ACK, -1, out)
            return
        # The limit is compared in whole jiffies: whether an answer follows decides (see settle()).
        add_range(row, counter, 0, 0, 1, out)
        if counter == SKIPPED_CHALLENGE:
            add_range(row, CHALLENGE_ACK, 0, -1, 0, out)
        own["doubt"][side], own["doubt_ns"][side] = counter, own["oow_ns"][side]
    own["oow_ns"][side] = row["time_ns"]


@inline
def settle(row: Any, own: Any, side: Int, answered: Any, out: Any) -> None:
    """The frame after a segment that may have been answered or not: it is the answer, or there was none."""
    counter = np.int64(own["doubt"][side])
    if counter == 0:
        return
    answered = answered and row["time_ns"] - own["oow_ns"][side] < ANSWER_NS
    own["doubt"][side] = 0
    if answered:
        add_range(row, counter, 0, 0, -1, out)
        if counter == SKIPPED_CHALLENGE:
            add_range(row, CHALLENGE_ACK, 0, 1, 0, out)
        return
    own["oow_ns"][side] = own["doubt_ns"][side]
    add_range(row, counter, 1, 1, 0, out)
    if counter == SKIPPED_CHALLENGE:
        add_range(row, CHALLENGE_ACK, -1, 0, -1, out)


@inline
def is_limited_kind(row: Any) -> Any:
    """tcp_oow_rate_limited(): data is always answered, a pure ACK or a SYN may be part of a loop."""
    return row["flags"] & SYN != 0 or (row["payload_len"] == 0 and not row["flags"] & FIN)


@inline
def challenge(row: Any, own: Any, side: Int, out: Any) -> None:
    """tcp_send_challenge_ack(), where tcp_challenge_ack_limit is not set."""
    add(row, CHALLENGE_ACK, 1, out)
    limited(row, own, side, SKIPPED_CHALLENGE, out)


@inline
def older(row: Any, own: Any, side: Int) -> Int:
    """By how many ticks the TSval is older than TS.Recent; 0 without timestamps, or where TS.Recent is too old to tell."""
    if not row["options"] & O_TIMESTAMPS or own["recent"][side] == 0:
        return 0
    if row["time_ns"] - own["recent_ns"][side] >= PAWS_NS:
        return 0
    return max(0, difference(own["recent"][side], row["tsval"]))
