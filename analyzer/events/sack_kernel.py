"""Compiled: SACK blocks, good, bad and duplicate (RFC 2018, RFC 2883)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.ack_kernel import answered_too_soon, is_news
from analyzer.events.doubt_kernel import came_twice
from analyzer.events.emit_kernel import after, emit
from analyzer.flows.sent_kernel import RING, add_block, find_again, find_sent, need_board
from analyzer.flows.state import LOSS, OPEN
from analyzer.kinds import CAUSE, NUMBER
from analyzer.serial import difference as difference_python
from analyzer.tables import PACKETS

difference = inline(difference_python)

DSACK, INVALID, SPURIOUS = NUMBER["dsack"], NUMBER["invalid_sack"], NUMBER["spurious_retransmission"]
C_OLD, C_OUT_OF_ORDER, C_DSACK = CAUSE["old"], CAUSE["out_of_order"], CAUSE["dsack"]
SACK_PERMITTED = PACKETS.bit("options", "sack_permitted")


@inline
def edge(row: Any, which: Int) -> Any:
    """The edges of the blocks in order: left and right of the first, of the second, ..."""
    if which < 2:
        return row["sack_left_1"] if which == 0 else row["sack_right_1"]
    if which < 4:
        return row["sack_left_2"] if which == 2 else row["sack_right_2"]
    if which < 6:
        return row["sack_left_3"] if which == 4 else row["sack_right_3"]
    return row["sack_left_4"] if which == 6 else row["sack_right_4"]


@inline
def position(you: Any, wire: Any) -> Int:
    """Where in the other end's stream the number on the wire is."""
    next_ = you["next"]
    return next_ + difference(wire, np.int64(you["isn"]) + next_ & 0xFFFFFFFF)


@inline
def reporting(
    row: Any,
    seg: Any,
    me: Any,
    you: Any,
    state: Any,
    world: Any,
    out: Any,
    counts: Any,
    sent: Any,
    boards: Any,
    owner: Int,
) -> None:
    """The SACK blocks of an acknowledgment. `seg` gets `is_dsack` and `sacked`; `owner` is that of the other end."""
    count: Int = min(np.int64(row["sack_count"]), 4)
    me["sack_blocks"] += count
    for i in range(count):
        left, right = position(you, edge(row, 2 * i)), position(you, edge(row, 2 * i + 1))
        if i == 0 and left < right and right <= you["next"]:
            inside = False
            if count > 1 and left >= seg["ack"]:
                inside = position(you, edge(row, 2)) <= left and right <= position(you, edge(row, 3))
            if (left < seg["ack"] and right <= seg["ack"]) or inside:
                seg["is_dsack"] = 1
                cause = C_OUT_OF_ORDER if inside else C_OLD
                doubled(seg, me, you, left, right, cause, state, world, out, counts, sent, boards, owner)
                continue
        if left >= right or (
            right > max(you["next"], me["edge"]) and you["heard"] and me["windows"] and me["scale_known"]
        ):
            emit(seg, state, world, out, counts, INVALID, 0, 0, right - left)
            continue
        if right > you["una"] and seg["ack"] >= you["una"]:
            board = boards[need_board(you, owner, boards, world)]
            new = add_block(board, max(left, you["una"]), right)
            seg["sacked"] += new
            if new and not seg["has_tsval"]:
                number = find_again(you, left, right, sent, world)
                if number and sent.first[number & RING]["start"] >= left and sent.chain[number & RING]["end"] <= right:
                    answered_too_soon(seg, you, number, state, world, out, counts, sent)
            if new and you["phase"] == LOSS and you["doubted"]:
                number = find_sent(you, left, sent, world)
                if number and sent.chain[number & RING]["times"] == 1 and right <= you["recovery_end"]:
                    you["phase"] = OPEN  # the first transmissions arrive: the timeout was too early
            you["sacked_high"] = max(you["sacked_high"], right)
    if seg["sacked"] > 0:
        you["news_ns"] = seg["time_ns"]
        if not you["told_ns"]:
            you["told_ns"] = seg["time_ns"]


@inline
def doubled(
    seg: Any,
    me: Any,
    you: Any,
    left: Int,
    right: Int,
    cause: Int,
    state: Any,
    world: Any,
    out: Any,
    counts: Any,
    sent: Any,
    boards: Any,
    owner: Int,
) -> None:
    """A DSACK, and the retransmission that it says was not needed, or the packet that the network has doubled."""
    if not you["probe"]:  # a keep-alive, or a byte into a closed window, is answered so: nothing came twice by accident
        me["dsacks"] += 1
    number = find_again(you, left, right, sent, world)
    frame = sent.again[number & RING]["frame"] if number else np.int64(0)
    emit(seg, state, world, out, counts, DSACK, cause, frame, right - left)
    if number and not sent.chain[number & RING]["needless"]:
        sent.chain[number & RING]["needless"] = 1
        if is_news(you, frame):
            emit(seg, state, world, out, counts, SPURIOUS, C_DSACK, frame, right - left)
            after(seg["time_ns"] - sent.again[number & RING]["time_ns"], world, out)
            you["spurious"] += 1
    elif not number and you["heard"]:
        seen = you["doubts"] and came_twice(seg, you, owner, left, right, state, world, out, counts, boards)
        if not seen and not you["missing_bytes"]:
            world["proved"] += 1  # behind the place of the capture
