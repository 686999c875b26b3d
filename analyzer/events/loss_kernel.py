"""Compiled: what was sent again, why, and whether it had to be; what came late; what the capture missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, rare
from analyzer.events.clock_kernel import id_behind
from analyzer.events.emit_kernel import ACK, FIN, SYN, after, emit, letter
from analyzer.events.full_kernel import full_again, larger
from analyzer.events.late_kernel import captured_late
from analyzer.flows.end_state import FAST, LOSS, OPEN, UNORDERED
from analyzer.flows.sent_kernel import (
    RING,
    add_hole,
    board_of,
    fill,
    find_sent,
    last_sent,
    mark_again,
    need_board,
    remember,
)
from analyzer.flows.state import ACKED
from analyzer.kinds import CAUSE, NUMBER
from analyzer.serial import difference as difference_python
from analyzer.tables import PACKETS

difference = inline(difference_python)

RETRANSMISSION, TIMEOUT, SPURIOUS, REORDERING = (
    NUMBER[name] for name in ("retransmission", "retransmission_timeout", "spurious_retransmission", "reordering")
)
(
    C_FAST,
    C_RTO,
    C_TLP,
    C_SYN,
    C_SYN_ACK,
    C_FIN,
    C_WINDOW_PROBE,
    C_LOST_AGAIN,
    C_UNKNOWN,
    C_ACKED,
    C_TSVAL,
    C_IP_ID,
    C_SACK,
    C_DATA,
) = (
    CAUSE[name]
    for name in (
        "fast",
        "rto",
        "tlp",
        "syn",
        "syn_ack",
        "fin",
        "window_probe",
        "lost_again",
        "unknown",
        "acked",
        "tsval",
        "ip_id",
        "sack",
        "data",
    )
)
SACK_PERMITTED = PACKETS.bit("options", "sack_permitted")
DUPLICATES = 3  # RFC 5681 section 3.2
SOONEST_NS = 1_000_000  # TCP_TIMEOUT_MIN is two ticks
TIMER_NS = 180_000_000  # Linux waits for 200 ms and the RTT at least (TCP_RTO_MIN); a little less for jitter
LONG_NS = 10_000_000  # the longest tick of a timestamp clock in use
ANSWER_NS = 20_000_000  # jitter, and the time that a host takes
SOON_NS = 1_000_000  # nobody's timer is shorter than this
LATEST_NS = 1_000_000_000  # what comes later than the first timer (RFC 6298) was sent again, whatever its IPv4 ID
NEAR_IDS = 4096  # IPv4 IDs further apart do not come from one counter
PROBE_NS = (
    250_000_000  # a tail loss probe comes within 2 RTT and this (RFC 8985 section 7.2; tcp_schedule_loss_probe())
)
T = ord("t")


@inline
def sending(
    seg: Any,
    me: Any,
    you: Any,
    probe: Int,
    state: Any,
    world: Any,
    out: Any,
    counts: Any,
    sent: Any,
    boards: Any,
    owner: Int,
) -> None:
    """A segment that takes sequence space: new, late, or sent before; the memory of its end moves on."""
    start, end, next_ = seg["start"], seg["end"], me["next"]
    seg["filled"] = 0
    if start >= next_ or (not me["heard"] and me["syns"] == 0 and end >= next_):
        if start > next_ and me["heard"]:
            board = boards[need_board(me, owner, boards, world)]
            me["hole_bytes"] += start - next_ - add_hole(board, next_, start, seg)
        # An ACK that the network has put in front of the data says nothing of the order in which the IDs are given.
        if start == next_ and seg["length"] and me["id_of_data"] and id_behind(seg, me):
            me["unordered"] += 1
        remember(me, seg, sent, world, 1)
        me["next"] = end
    else:
        below_next(seg, me, you, probe, state, world, out, counts, sent, boards, owner)
        me["next"] = max(next_, end)
    me["captured"] = max(me["captured"], end)
    me["sent_ns"] = seg["time_ns"]
    if seg["length"]:
        me["data_ns"] = seg["time_ns"]
        if seg["length"] > me["largest"]:
            larger(seg, me, you)
        if you["mss"] and seg["length"] > you["mss"]:
            me["super_segments"] += 1
    if you["heard"]:
        outstanding = (min(me["next"], me["fin"]) if me["fin"] else me["next"]) - max(me["una"], 1)
        me["in_flight_max"] = max(me["in_flight_max"], outstanding - (1 if seg["flags"] & FIN and not me["fin"] else 0))


@rare
def below_next(
    seg: Any, me: Any, you: Any, probe: Int, state: Any, world: Any, out: Any, counts: Any, sent: Any, boards: Any, owner: Int
) -> None:  # fmt: skip
    """A segment with sequence space that its end has sent already, or that nobody had seen: late, overtaken or sent again."""
    start, end, next_ = seg["start"], seg["end"], me["next"]
    place = board_of(me, owner, boards)
    if place >= 0:
        seg["filled"] = fill(boards[place], start, end, seg)
        me["hole_bytes"] = max(me["hole_bytes"] - seg["filled"], 0)
    again = min(end, next_) - start - seg["filled"]
    if seg["flags"] & (SYN | ACK) == SYN | ACK and start == 0 and not me["syn_acked"] and you["syns"]:
        pass  # the answer to a SYN that crossed its own (RFC 9293 figure 7)
    elif me["doubts"] and captured_late(seg, me, you, again, state, world, out, counts, boards, owner):
        seg["late"] = start < me["captured"]  # of the packets of its own end it may be the next
        if end > me["una"]:
            remember(me, seg, sent, world, 2)
    elif again <= 0 and was_late(seg, me, you, state, world, out, counts):
        seg["late"] = 1
        remember(me, seg, sent, world, 2)  # when it was sent nobody knows: no RTT from it
    elif was_overtaken(seg, me, you, state, world, out, counts, sent):
        seg["late"] = 1
    else:
        size = min(end, next_) - start
        if seg["flags"] & SYN or (seg["flags"] & FIN and end <= next_):
            size -= 1
        repeated(seg, me, you, probe, size, state, world, out, counts, sent)


@inline
def was_late(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> Any:
    """Did the segment that fills a hole leave its sender before the one behind the hole?"""
    since = seg["time_ns"] - seg["hole_ns"]
    rtt = me["rtt_min_ns"] + you["rtt_min_ns"]
    cause = 0
    if seg["has_tsval"] and seg["tsval"] != seg["hole_tsval"]:
        if difference(seg["tsval"], seg["hole_tsval"]) > 0:
            return False
        cause = C_TSVAL
    elif seg["has_tsval"] and (difference(me["tsval"], seg["tsval"]) > 0 or rtt >= LONG_NS):
        # Of one tick with the segment behind the hole: older than what was sent since, or too soon after it to be an answer.
        cause = C_TSVAL
    elif seg["ip_id"] and seg["hole_ip_id"] and me["unordered"] < UNORDERED and since < max(LATEST_NS, 2 * rtt):
        ahead = (seg["ip_id"] - seg["hole_ip_id"] + 0x8000 & 0xFFFF) - 0x8000
        if 0 < ahead < NEAR_IDS:
            return False
        if -NEAR_IDS < ahead < 0:
            cause = C_IP_ID
    if cause == 0:
        # What the receiver said reaches the sender, and its answer comes back, in this time at least.
        told = me["sacked_high"] > seg["end"] or me["told_ns"]
        told = told and seg["time_ns"] - me["told_ns"] >= you["rtt_min_ns"] - (you["rtt_min_ns"] >> 2)
        if told or since >= max(TIMER_NS, rtt):
            return False
        cause = C_SACK
    emit(seg, state, world, out, counts, REORDERING, cause, 0, since)
    me["reordered"] += 1
    return True


@inline
def was_overtaken(seg: Any, me: Any, you: Any, state: Any, world: Any, out: Any, counts: Any, sent: Any) -> Any:
    """Was it sent before the segment that brought its bytes already? Then that was the retransmission, and came first."""
    number = find_sent(me, seg["start"], sent, world)
    if seg["flags"] & SYN:
        return False
    longest = max(LATEST_NS, 2 * (me["rtt_min_ns"] + you["rtt_min_ns"]))
    overtaken_ns = sent.first[number & RING]["time_ns"] if number else me["last_ns"]
    if seg["has_tsval"]:
        if difference(seg["tsval"], sent.first[number & RING]["tsval"] if number else me["tsval"]) >= 0:
            return False
        cause = C_TSVAL
    elif id_behind(seg, me) and seg["time_ns"] - overtaken_ns < longest:
        cause = C_IP_ID
    else:
        return False
    related, since = np.int64(0), np.int64(0)
    if number:
        first = sent.first[number & RING]
        related, since = first["frame"], seg["time_ns"] - first["time_ns"]
    emit(seg, state, world, out, counts, REORDERING, cause, related, since)
    me["reordered"] += 1
    return True


@inline
def repeated(
    seg: Any,
    me: Any,
    you: Any,
    probe: Int,
    size: Int,
    state: Any,
    world: Any,
    out: Any,
    counts: Any,
    sent: Any,
) -> None:
    """A retransmission: what made its sender send again."""
    now, start = seg["time_ns"], seg["start"]
    number = find_sent(me, start, sent, world)
    before, first, probed, last_ns, since = False, np.int64(0), False, np.int64(0), np.int64(0)
    if number:
        chain, original = sent.chain[number & RING], sent.first[number & RING]
        before, first = chain["times"] > 1 and start < sent.again[number & RING]["end"], original["frame"]
        last_ns, _ = last_sent(number, sent)
        since = now - original["time_ns"]
        probed = size == 1 and seg["length"] > 1 and chain["end"] - original["start"] == 1
    quiet = now - max(me["sent_ns"], me["news_ns"])
    rtt = me["rtt_min_ns"] + you["rtt_min_ns"]  # from here to the receiver and back, and to the sender and back
    # The timer runs from what was sent last, or from the last progress; what an ACK asks for leaves with it, or a fraction
    # of the RTT later (RFC 8985 section 6.2).
    waited = now - max(me["sent_ns"], me["advance_ns"]) >= TIMER_NS + rtt
    fresh = now - me["news_ns"] <= rtt + (rtt >> 1) + ANSWER_NS
    asked = me["repeats"] >= DUPLICATES or me["sacked_high"] > seg["end"]
    sack = me["offered"] & you["offered"] & SACK_PERMITTED or you["sack_blocks"] or not (me["syns"] and you["syns"])
    tail = seg["end"] >= me["next"] and start > 0
    # The timer sends the first segment again; where the last is the first, the probe comes before it.
    soon = quiet < rtt + 2 * max(rtt, me["srtt_ns"]) + PROBE_NS
    expired = False
    if seg["flags"] & SYN:
        cause = C_SYN_ACK if seg["flags"] & ACK else C_SYN
        # A SYN-ACK may answer another SYN; and after a reset, or in an open connection, no timer waits for an answer.
        # An ACK of the connection before brings the timer of a SYN forward (tcp_rcv_synsent_state_process()); nothing else repeats one.
        if seg["flags"] & ACK:
            expired = now - max(me["sent_ns"], you["sent_ns"]) >= TIMER_NS
        else:
            expired = now - me["sent_ns"] >= SOONEST_NS
        expired = expired and not you["rst"]
        expired = expired and not state["judged"] & ACKED
    elif number and start > 0 and not before and sent.first[number & RING]["start"] == 0:
        cause = C_FAST  # data of a SYN that the SYN-ACK did not acknowledge (RFC 7413 section 4.2.2)
    elif probe or probed or (you["windows"] and you["window"] == 0 and start >= you["last_edge"]):
        cause = C_WINDOW_PROBE
    elif (asked or me["phase"] == FAST) and (fresh or not waited):
        cause = C_FAST
        if me["phase"] == LOSS and before and me["sacked_high"] > seg["end"] and last_ns > me["loss_ns"]:
            # What was sent again after the timeout is lost once more: from here on by SACK (tcp_process_loss()).
            cause = C_LOST_AGAIN
            me["phase"], me["recovery_end"] = FAST, me["next"]
        elif me["phase"] == LOSS:
            me["doubted"] = 0
            cause = C_RTO
        elif before and me["sacked_high"] > seg["end"] and me["phase"] == FAST:
            cause = C_LOST_AGAIN
        if me["phase"] == OPEN:
            me["phase"], me["recovery_end"], me["undo_tsval"] = FAST, me["next"], seg["tsval"]
    elif me["phase"] == LOSS and not waited:
        me["doubted"] = 0
        cause = C_RTO
    elif quiet < max(rtt, SOON_NS) or not (you["heard"] or waited):
        cause = C_UNKNOWN
    elif (
        sack and tail and me["phase"] == OPEN and not me["tail_probe_end"] and not asked and (start > me["una"] or soon)
    ):
        cause = C_TLP
        me["tail_probe_end"] = me["next"]
    elif (
        quiet < rtt + (rtt >> 1) + ANSWER_NS and not waited
    ):  # too soon for a timer, and nothing that was captured asked for it
        cause = C_UNKNOWN
    else:
        cause, expired = C_RTO, True
        if me["phase"] == OPEN:
            me["undo_tsval"] = seg["tsval"]
        me["phase"], me["recovery_end"] = LOSS, me["next"]
        me["tail_probe_end"] = 0
        me["doubted"] = 1
        me["loss_ns"] = now
    timer = C_SYN if seg["flags"] & SYN else C_DATA
    if seg["length"] == 0 and seg["flags"] & FIN:
        cause = timer = C_FIN
        if not expired:
            me["fins_again"] = min(np.int64(me["fins_again"]) + 1, 0xFFFF)
    related = first
    if expired:
        emit(seg, state, world, out, counts, TIMEOUT, timer, related, quiet)
        after(since, world, out)
        me["timeouts"] += 1
        if start == me["full_start"] and start > 0:
            full_again(seg, me, you)
    emit(seg, state, world, out, counts, RETRANSMISSION, cause, related, size)
    after(since, world, out)
    letter(seg, state, T)
    me["retransmissions"] += 1
    me["retransmitted_bytes"] += size
    if number:
        mark_again(me, number, seg, sent, world)
    else:
        remember(me, seg, sent, world, 2)
    if seg["end"] <= me["una"] and not seg["flags"] & SYN:
        emit(seg, state, world, out, counts, SPURIOUS, C_ACKED, seg["frame"], size)
        me["spurious"] += 1
        me["needless_frame"] = seg["frame"]
        sent.chain[(number if number else world["sent"]) & RING]["needless"] = 1
