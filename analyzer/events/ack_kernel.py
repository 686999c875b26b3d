"""Compiled: what acknowledgments say: of round trips, of what was needlessly sent again, of what the capture missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.events.doubt_kernel import came_twice
from analyzer.events.emit_kernel import FIN, RST, SYN, after, emit
from analyzer.events.late_kernel import missed
from analyzer.events.padding_kernel import given_back
from analyzer.flows.sent_kernel import (
    RING,
    add_rtt,
    alive,
    board_of,
    drop_blocks,
    following,
    last_sent,
    remove_hole,
)
from analyzer.flows.state import LOSS, OPEN
from analyzer.kinds import CAUSE, NUMBER
from analyzer.serial import difference as difference_python
from analyzer.tables import PACKETS

difference = inline(difference_python)

SPURIOUS, DUPLICATE_ACK, RENEGING = (
    NUMBER[name] for name in ("spurious_retransmission", "duplicate_ack", "sack_reneging")
)
C_EIFEL, C_TOO_SOON, C_ANSWER_LATE = CAUSE["eifel"], CAUSE["too_soon"], CAUSE["answer_late"]
SAMPLES = 3  # so many round trips tell the shortest, roughly
LEAST_RTT_NS = 1_000_000  # shorter ones are within what hosts take to answer
SACK_PERMITTED = PACKETS.bit("options", "sack_permitted")
DELAYED_NS = (
    500_000_000  # an ACK is delayed by less, and comes for every second full segment (RFC 9293 section 3.8.6.3)
)
FAR = 1 << 30  # an acknowledgment this far ahead is no acknowledgment of what the capture missed


@inline
def acknowledging(
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
    histograms: Any,
    free: Any,
) -> None:
    """An acknowledgment of what the other end sent: gaps, progress, RTT, and whether a retransmission was needed.

    `owner` is that of the other end. `seg` gets `una` and `advanced`.
    """
    ack = seg["ack"]
    seg["una"], seg["advanced"] = you["una"], 0
    if ack - you["next"] > FAR or you["una"] - ack > FAR:
        return
    next_ = given_back(you, 1 - seg["end_of"], ack, state)
    if ack > you["next"]:
        you["next"] = ack
    place = board_of(you, owner, boards)
    if place >= 0 and ack > you["una"]:
        board = boards[place]
        reneged = drop_blocks(board, ack)
        if reneged:
            emit(seg, state, world, out, counts, RENEGING, 0, 0, reneged)
        while board["holes"] and board["hole_start"][0] < ack:
            left, right = board["hole_start"][0], board["hole_end"][0]
            if right > ack:
                board["hole_start"][0] = ack
            else:
                remove_hole(board, np.int64(0))
            filled = min(right, ack) - left
            you["hole_bytes"] = max(you["hole_bytes"] - filled, 0)
            missed(seg, me, you, owner, left, left + filled, state, world, out, counts, boards)
    if ack > next_:
        missed(seg, me, you, owner, next_, ack, state, world, out, counts, boards)
    if ack <= you["una"]:
        return
    seg["advanced"] = ack - you["una"]
    you["una"] = ack
    you["repeats"] = 0
    you["news_ns"] = you["advance_ns"] = seg["time_ns"]
    if you["phase"] == LOSS and seg["has_tsval"] and difference(seg["tsecr"], you["undo_tsval"]) < 0:
        you["phase"] = OPEN  # nothing was lost: the sender takes its reaction back (RFC 4015; tcp_try_undo_loss())
    number = you["oldest"]
    newest = np.int64(0)
    first, repaired, records = True, False, 0
    while alive(number, world):
        record = sent.chain[number & RING]
        if record["end"] > ack:
            arrived(you, max(sent.first[number & RING]["start"], ack - seg["advanced"]), ack)
            break
        newest = number
        records += 1
        if record["times"] == 1 and you["passed"] < you["largest"]:
            arrived(you, sent.first[number & RING]["start"], record["end"])
        if record["times"] > 1:
            repaired = True
            if first and last_sent(number, sent)[0] > sent.first[number & RING]["time_ns"]:
                if seg["has_tsval"]:
                    needless(seg, you, number, state, world, out, counts, sent)
                    first = False
                else:
                    answered_too_soon(seg, you, number, state, world, out, counts, sent)
        number = following(number, sent)
    if newest:
        original, (last_ns, last_tsval) = sent.first[newest & RING], last_sent(newest, sent)
        # Of what was sent more than once only the TSecr can tell which transmission was answered (Karn).
        named = last_ns > original["time_ns"] and seg["has_tsval"]
        rtt_ns = seg["time_ns"] - last_ns
        if named and seg["tsecr"] != last_tsval:
            named = seg["tsecr"] == original["tsval"]
            rtt_ns = seg["time_ns"] - original["time_ns"]
        # And what waited behind a hole was acknowledged when that was filled, not when it arrived.
        waited = repaired or you["told_ns"] or sent.chain[newest & RING]["end"] <= you["sacked_high"]
        if seg["length"] and world["pure_acks"] == 0:
            many = records > 2 and seg["advanced"] > 2 * np.int64(you["largest"])
            if many or (you["rtt_count"] and rtt_ns - you["rtt_min_ns"] > DELAYED_NS):
                world["unseen_acks"] += 1
        if (named or not waited) and rtt_ns >= 0 and not you["lagging"]:
            add_rtt(you, rtt_ns, histograms, free, world)
    if not alive(number, world):
        number = np.int64(0)
        if newest or not alive(you["newest"], world):
            you["newest"] = 0
        else:
            number = you["newest"]
    you["oldest"] = number
    if you["sacked_high"] <= ack:
        you["told_ns"] = 0
    if ack > you["tail_probe_end"]:
        you["tail_probe_end"] = 0
    if ack >= you["recovery_end"]:
        you["phase"] = OPEN


@inline
def arrived(you: Any, start: Int, end: Int) -> None:
    """It is certain that this much of the stream arrived in one segment; a SYN is no payload, and a FIN adds none."""
    size = min(end - max(start, np.int64(1)), np.int64(you["largest"]))
    you["passed"] = max(np.int64(you["passed"]), size)


@inline
def needless(seg: Any, you: Any, number: Int, state: Any, world: Any, out: Any, counts: Any, sent: Any) -> None:
    """The first ACK of a retransmission tells by its TSecr which transmission it answers (RFC 3522)."""
    chain, first, again = sent.chain[number & RING], sent.first[number & RING], sent.again[number & RING]
    if difference(seg["tsecr"], again["tsval"]) < 0 and not chain["needless"]:
        chain["needless"] = 1
        if not is_news(you, again["frame"]):
            return
        emit(seg, state, world, out, counts, SPURIOUS, C_EIFEL, again["frame"], chain["end"] - first["start"])
        after(seg["time_ns"] - again["time_ns"], world, out)
        you["spurious"] += 1
        if you["phase"] == LOSS:
            you["phase"] = OPEN


@inline
def answered_too_soon(
    seg: Any, you: Any, number: Int, state: Any, world: Any, out: Any, counts: Any, sent: Any
) -> None:
    """Without timestamps: what is acknowledged in half of the shortest round trip after it was sent again had arrived before.

    Only where the handshake is among the round trips: ACKs of all else may have been delayed.
    """
    chain, first, again = sent.chain[number & RING], sent.first[number & RING], sent.again[number & RING]
    known = you["syns"] == 1 and you["rtt_count"] >= SAMPLES and you["rtt_min_ns"] >= LEAST_RTT_NS
    # Else the handshake took long for once, and all the others may be times of delayed ACKs, and not of the way.
    known = known and you["rtt_first"][0] <= 2 * you["rtt_min_ns"]
    since = seg["time_ns"] - again["time_ns"]
    if not known or you["lagging"] or chain["needless"] or 2 * since >= you["rtt_min_ns"] or first["start"] == 0:
        return
    chain["needless"] = 1
    if is_news(you, again["frame"]):
        emit(seg, state, world, out, counts, SPURIOUS, C_TOO_SOON, again["frame"], chain["end"] - first["start"])
        after(since, world, out)
        you["spurious"] += 1


@inline
def answering_late(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """The ACK that completes a handshake whose SYN was repeated, before that was answered: it answers the SYN-ACK of before."""
    since = seg["time_ns"] - me["syn_ns"]
    if me["syns"] > 1 and 0 < you["syn_ns"] < me["syn_ns"] and seg["advanced"] and since >= 0:
        emit(seg, state, world, out, counts, SPURIOUS, C_ANSWER_LATE, me["syn_frame"], 0)
        after(since, world, out)
        me["spurious"] += 1


@inline
def is_news(you: Any, frame: Int) -> Any:
    """Is it not known yet that this retransmission was not needed? It may have repeated several segments at once."""
    if frame == you["needless_frame"] or you["spurious"] >= you["retransmissions"]:
        return False
    you["needless_frame"] = frame
    return True


@inline
def repeating(seg: Any, me: Any, you: Any, answered: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A duplicate ACK: it tells the other end that something arrived that it did not wait for."""
    # A tail probe that was needless is answered by a duplicate; one that was not, by progress (RFC 8985 section 7.4.2).
    twice = seg["is_dsack"] or not (seg["advanced"] or seg["sacked"] or seg["length"])
    if you["tail_probe_end"] == seg["ack"] and twice:
        you["tail_probe_end"] = 0
    if seg["start"] < me["una"]:
        return  # too old: its receiver drops it (RFC 9293 section 3.10.7.4)
    if seg["ack"] != seg["una"] or seg["length"] or seg["flags"] & (SYN | FIN | RST) or seg["advanced"]:
        return
    outstanding = you["next"] > you["una"]
    same = outstanding and seg["window"] == me["window"] and me["windows"] > 1
    if (same and not seg["is_dsack"] and not answered) or seg["sacked"] > 0:
        you["repeats"] += 1
        me["duplicate_acks"] += 1
        emit(seg, state, world, out, counts, DUPLICATE_ACK, 0, 0, you["repeats"])
        if not you["told_ns"]:
            you["told_ns"] = seg["time_ns"]
        you["news_ns"] = seg["time_ns"]


@inline
def answering_copy(
    row: Any, seg: Any, me: Any, you: Any, answered: Any, state: Any, world: Any, out: Any, counts: Any, boards: Any, owner: Int
) -> None:  # fmt: skip
    """An ACK that says nothing new, where nothing is missing: its sender has got something twice, if it came twice here."""
    if not you["doubts"] or answered or row["sack_count"] or seg["start"] < me["una"]:
        return
    if seg["ack"] != seg["una"] or seg["length"] or seg["flags"] & (SYN | FIN | RST) or seg["window"] != me["window"]:
        return
    if you["next"] == you["una"] or me["offered"] & you["offered"] & SACK_PERMITTED:
        came_twice(seg, you, owner, np.int64(0), seg["ack"], state, world, out, counts, boards)
