"""Compiled: verdicts that wait for what comes. Was it not captured, or late? Did the capture double it, or the network?

A doubt stands on the board of the end whose data it is about. Evidence settles it, or else the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.events.emit_kernel import add_letter
from analyzer.flows.sent import COPY, DOUBTS
from analyzer.flows.sent import GAP as GAP_DOUBT
from analyzer.flows.sent_kernel import board_of, need_board
from analyzer.kinds import NUMBER

GAP, CAPTURE_DUPLICATE, NETWORK_DUPLICATE = (
    NUMBER[name] for name in ("capture_gap", "capture_duplicate", "network_duplicate")
)
WAIT_NS = 1_000_000_000  # a capture does not write a frame later than that, and a receiver answers sooner
NO_PLACE = -1
G = ord("g")


@inline
def doubt(
    seg: Any, whose: Any, owner: Int, kind: Int, start: Int, end: Int, state: Any, world: Any, out: Any, counts: Any, boards: Any
) -> Int:  # fmt: skip
    """Wait with a verdict on the segment at hand: its number among the doubts. Without room the oldest is settled first.

    `whose` data it is about has the number `owner`.
    """
    doubts_of(whose, owner, boards)
    board = boards[need_board(whose, owner, boards, world)]
    if whose["doubts"] == DOUBTS:
        settle(np.int64(0), whose, board, owner & 1, state, world, out, counts)
    at = np.int64(whose["doubts"])
    whose["doubts"] += 1
    board["doubt_kind"][at], board["doubt_direction"][at] = kind, seg["direction"]
    board["doubt_start"][at], board["doubt_end"][at] = start, end
    board["doubt_ns"][at], board["doubt_until"][at] = seg["time_ns"], seg["time_ns"] + WAIT_NS
    board["doubt_frame"][at], board["doubt_interface"][at] = seg["frame"], seg["interface"]
    board["doubt_related"][at] = board["doubt_value"][at] = 0
    board["doubt_size"][at], board["doubt_payload"][at] = seg["size"], seg["length"]
    board["doubt_tsecr"][at], board["doubt_echoes"][at] = seg["tsecr"], seg["has_tsval"]
    board["doubt_unseen"][at] = 0
    return at


@inline
def doubts_of(whose: Any, owner: Int, boards: Any) -> Int:
    """The place of the board with the doubts about this end's data; NO_PLACE without any, or where others needed the room."""
    if whose["doubts"] == 0:
        return NO_PLACE
    place = board_of(whose, owner, boards)
    if place < 0:
        whose["doubts"] = 0
    return place


@inline
def outdated(seg: Any, whose: Any, owner: Int, state: Any, world: Any, out: Any, counts: Any, boards: Any) -> None:
    """Settle what has waited for long enough."""
    place = doubts_of(whose, owner, boards)
    if place < 0:
        return
    at = np.int64(0)
    while at < whose["doubts"]:
        if seg["time_ns"] > boards[place]["doubt_until"][at]:
            settle(at, whose, boards[place], owner & 1, state, world, out, counts)
        else:
            at += 1


@part
def settle(at: Int, whose: Any, board: Any, end_of: Int, state: Any, world: Any, out: Any, counts: Any) -> None:
    """Nothing came that would have changed it: data was not captured; and what nobody had twice, only the capture has."""
    if board["doubt_kind"][at] == COPY:
        # A receiver that holds ACKs back reports one of several: where some were proved, the others are alike.
        by_network = world["proved"] > 0 and (board["doubt_payload"][at] == 0 or world["proved"] > world["unproved"])
        if board["doubt_unseen"][at] and not by_network:  # the answer may have told of it where nobody can read it
            remove_doubt(at, whose, board)
            return
        world["unproved"] += board["doubt_payload"][at] > 0 and not by_network
        decide_copy(at, whose, board, end_of, by_network, state, world, out, counts)
        return
    if not board["doubt_value"][at]:
        remove_doubt(at, whose, board)
        return
    # All that one acknowledgment covers is one gap.
    frame, missing = board["doubt_frame"][at], np.int64(0)
    event = out[world["out"]]
    announce(at, board, GAP, state, world, out, counts)
    while at < whose["doubts"]:
        same = board["doubt_kind"][at] == GAP_DOUBT and board["doubt_frame"][at] == frame
        if same and board["doubt_value"][at]:
            missing += board["doubt_end"][at] - board["doubt_start"][at]
            remove_doubt(at, whose, board)
        else:
            at += 1
    event["value"] = missing
    add_letter(G, end_of, state)


@inline
def decide_copy(
    at: Int, whose: Any, board: Any, end_of: Int, by_network: Any, state: Any, world: Any, out: Any, counts: Any
) -> None:
    """A packet that came twice: by whom."""
    announce(at, board, NETWORK_DUPLICATE if by_network else CAPTURE_DUPLICATE, state, world, out, counts)
    if not by_network:
        count_copy(state, end_of, board["doubt_size"][at], board["doubt_payload"][at], world)
    remove_doubt(at, whose, board)


@part
def came_twice(
    seg: Any, whose: Any, owner: Int, start: Int, end: Int, state: Any, world: Any, out: Any, counts: Any, boards: Any
) -> Any:
    """Its receiver says that it got data in [start, end) twice: if a packet with such data came twice, the network made two."""
    place = doubts_of(whose, owner, boards)
    if place < 0:
        return False
    board = boards[place]
    for at in range(np.int64(whose["doubts"])):
        overlaps = board["doubt_start"][at] < end and start < board["doubt_end"][at] <= end
        if overlaps and board["doubt_kind"][at] == COPY and board["doubt_payload"][at]:
            world["proved"] += 1
            decide_copy(np.int64(at), whose, board, owner & 1, True, state, world, out, counts)
            return True
    return False


@inline
def answer_unseen(whose: Any, owner: Int, boards: Any) -> None:
    """Its receiver answers with options that were not captured: nobody knows whether they say that it got data twice."""
    place = doubts_of(whose, owner, boards)
    if place < 0:
        return
    for at in range(np.int64(whose["doubts"])):
        if boards[place]["doubt_kind"][at] == COPY and boards[place]["doubt_payload"][at]:
            boards[place]["doubt_unseen"][at] = 1


@inline
def count_copy(state: Any, end_of: Int, size: Int, payload: Int, world: Any) -> None:
    """What the capture holds twice is one packet."""
    state["packets"][end_of] -= 1
    state["bytes"][end_of] -= size
    state["payload"][end_of] -= payload
    world["twice"] += 1
    world["twice_bytes"] += size


@inline
def announce(at: Int, board: Any, kind: Int, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A row of `events` for a frame of before."""
    row = out[world["out"]]
    row["frame"], row["time_ns"] = board["doubt_frame"][at], board["doubt_ns"][at]
    row["flow"], row["direction"] = state["flow"], board["doubt_direction"][at]
    row["event"], row["cause"], row["late"] = kind, 0, world["sent"]
    row["related_frame"], row["value"], row["since_ns"] = board["doubt_related"][at], board["doubt_value"][at], 0
    world["out"] += 1
    counts[kind] += 1
    state["events"] |= np.uint64(1) << np.uint64(kind)


@part
def remove_doubt(at: Int, whose: Any, board: Any) -> None:
    """The others move up; they stay in order."""
    whose["doubts"] -= 1
    for i in range(at, np.int64(whose["doubts"])):
        board["doubt_kind"][i], board["doubt_direction"][i] = (
            board["doubt_kind"][i + 1],
            board["doubt_direction"][i + 1],
        )
        board["doubt_start"][i], board["doubt_end"][i] = board["doubt_start"][i + 1], board["doubt_end"][i + 1]
        board["doubt_ns"][i], board["doubt_until"][i] = board["doubt_ns"][i + 1], board["doubt_until"][i + 1]
        board["doubt_frame"][i], board["doubt_related"][i] = board["doubt_frame"][i + 1], board["doubt_related"][i + 1]
        board["doubt_value"][i], board["doubt_size"][i] = board["doubt_value"][i + 1], board["doubt_size"][i + 1]
        board["doubt_payload"][i], board["doubt_tsecr"][i] = board["doubt_payload"][i + 1], board["doubt_tsecr"][i + 1]
        board["doubt_echoes"][i] = board["doubt_echoes"][i + 1]
        board["doubt_interface"][i], board["doubt_unseen"][i] = (
            board["doubt_interface"][i + 1],
            board["doubt_unseen"][i + 1],
        )
