"""Compiled: new data and retransmissions of the model: what sent them, a timer, a probe, or an ACK (tcp_timer.c, tcp_output.c)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.kinds import CAUSE
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.queue_kernel import append, in_segments_of, join, recount, sent, split
from analyzer.prediction.recovery.rack_kernel import SACK_REORDER, detect_loss, mark_lost
from analyzer.prediction.recovery.rtt_kernel import TICK_NS, TIMER_LEAST_NS, arm_probe
from analyzer.prediction.recovery.state import (
    AGAIN,
    CWR,
    DISORDER,
    EVER,
    IS_SYN,
    LOSS,
    LOST,
    OPEN,
    RECOVERY,
    SACKED,
    TICKS_NS,
)
from analyzer.prediction.recovery.undo_kernel import enter_loss, enter_recovery

SYN, PSH = 2, 8
TIMEOUTS, REHASH, PROBES = (
    NUMBER["TcpExtTCPTimeouts"],
    NUMBER["TcpExtTcpTimeoutRehash"],
    NUMBER["TcpExtTCPLossProbes"],
)
SACK_RECOVERY_FAIL, RENO_RECOVERY_FAIL = NUMBER["TcpExtTCPSackRecoveryFail"], NUMBER["TcpExtTCPRenoRecoveryFail"]
SACK_FAILURES, RENO_FAILURES = NUMBER["TcpExtTCPSackFailures"], NUMBER["TcpExtTCPRenoFailures"]
FAST_RETRANS, SLOW_START_RETRANS = NUMBER["TcpExtTCPFastRetrans"], NUMBER["TcpExtTCPSlowStartRetrans"]
LOSS_FAILURES = NUMBER["TcpExtTCPLossFailures"]

C_TLP, C_FIN, C_WINDOW_PROBE = CAUSE["tlp"], CAUSE["fin"], CAUSE["window_probe"]
C_FAST, C_LOST_AGAIN, C_RTO = CAUSE["fast"], CAUSE["lost_again"], CAUSE["rto"]
PIECE_NS = 100_000  # the pieces of a buffer leave one right after the other
UNEVEN = 3  # by this they differ no more in how soon they follow
SOON_NS = 500_000  # what an ACK asks for leaves with it


@part
def retransmit_simply(row: Any, end: Any, pool: Any, size: Int, out: Any) -> None:
    """tcp_simple_retransmit(), tcp_non_congestion_loss_retransmit(): what is larger than `size` is lost, without congestion."""
    number = np.int64(end["first"])
    while number:
        segment = pool[number]
        if (segment["end"] - segment["start"]) > size * segment["count"]:
            mark_lost(row, end, segment, out)
        number = np.int64(segment["next"])
    if end["state"] != LOSS:
        end["state"], end["undo"], end["high"] = LOSS, 0, end["next"]


@inline
def late(row: Any, end: Any, at: Int, segments: Int, expired: Any, cause: Int, probes: Any, out: Any) -> None:
    """A retransmission that waited in a queue of the host until it was acknowledged, or of an end of which nothing is known."""
    end["resent"] += segments
    if expired or (cause == C_TLP and not probes):
        add(row, TIMEOUTS, 1, out)
        add(row, REHASH, 1, out)
    elif cause == C_FAST or cause == C_LOST_AGAIN:
        add(row, FAST_RETRANS, segments, out)
        if end["late_ns"] and row["time_ns"] - end["late_ns"] < TICK_NS and at <= end["late"] < at + row["payload_len"]:
            # Several ACKs were captured before the first was looked at: it had been sent again when it was acknowledged.
            add(row, SACK_REORDER, -1, out)
            end["late_ns"] = 0
    elif cause == C_RTO:
        add(row, SLOW_START_RETRANS, segments, out)
    elif cause == C_TLP:
        add(row, PROBES, 1, out)


@inline
def may_probe(end: Any, probes: Any) -> Any:
    """Is the timer that runs that of the tail loss probe? `probes`: whether the host sends any."""
    return (
        probes and end["sack"] and end["out"] > 0 and not end["probe"] and (end["state"] == OPEN or end["state"] == CWR)
    )


@inline
def continues(row: Any, end: Any, pool: Any, at: Int) -> Any:
    """Was the segment most probably in one buffer with the one before, behind which it left at once?"""
    last = pool[end["last"]]
    even = last["end"] - last["start"] == last["count"] * end["mss"]
    at_once = row["time_ns"] - end["sent_ns"] < PIECE_NS
    return end["last"] > 0 and last["end"] == at and last["marks"] == 0 and even and at_once


@part
def new_data(
    row: Any, end: Any, pool: Any, at: Int, stop: Int, segments: Int, joined: Any, probes: Any, out: Any
) -> None:  # fmt: skip
    """tcp_write_xmit(); by the timer of the tail loss probe if it comes when that runs out, and nothing was received."""
    now = row["time_ns"]
    overdue = now - end["probe_ns"]
    probing = (
        may_probe(end, probes)
        and end["probe_ns"] > 0
        and -TICK_NS <= overdue <= TICKS_NS + ((now - end["sent_ns"]) >> 3)  # coarse timers are late by an eighth
        and now - end["heard_ns"] > SOON_NS
        and row["payload_len"] > 0
    )
    if row["flags"] & SYN:
        append(row, end, pool, at, at + 1, 1)
        if end["last"]:
            pool[end["last"]]["marks"] |= IS_SYN
        end["stamped"], end["stamp"] = 1, row["tsval"]
        at += 1
    follows = end["heard_ns"] <= end["sent_ns"]
    one = joined and follows and continues(row, end, pool, at)
    # Where it was cut from a buffer, the last piece of that has PSH; what comes late may be a piece of it all the same.
    gap = now - end["sent_ns"]
    uneven = one and end["open"] and (gap > UNEVEN * end["gap"] or end["gap"] > UNEVEN * gap)
    if uneven or (end["open"] and not one) or (joined and follows and not one):
        end["cut"] = stop
    if not end["open"]:
        end["gap"] = gap
    end["open"] = one and not row["flags"] & PSH
    if at < stop and one:
        pool[end["last"]]["end"] = stop
        pool[end["last"]]["count"] += segments
        end["out"] += segments
    elif at < stop:
        append(row, end, pool, at, stop, segments)
    end["sent_ns"] = now
    arm_probe(end, pool, now, False)
    if probing:
        end["probe"], end["probe_again"], end["probe_end"] = 1, 0, end["next"]
        add(row, PROBES, 1, out)


@part
def again(
    row: Any, end: Any, pool: Any, at: Int, stop: Int, expired: Any, cause: Int, probes: Any, out: Any
) -> None:  # fmt: skip
    """A retransmission: by a timer, a tail loss probe, or tcp_xmit_retransmit_queue()."""
    if end["first"] == 0:
        return
    number = holder(end, pool, at)
    if number == 0:
        return
    segment = pool[number]
    first, tail = end["first"] == number, end["last"] == number and segment["end"] <= stop
    zero = cause == C_WINDOW_PROBE
    probing = cause == C_TLP or cause == C_FIN or expired
    if probing and tail and may_probe(end, probes) and not zero and not segment["marks"] & IS_SYN:
        number = covered(end, pool, at, stop)
        if number == 0:
            return
        add(row, PROBES, 1, out)
        end["probe"], end["probe_again"], end["probe_end"] = 1, 1, end["next"]
        pool[number]["marks"] |= EVER
        end["resent"] += pool[number]["count"]
        sent(row, end, pool[number])
        return
    if first and not expired and not zero:
        expired = must_be_timer(row, end, pool, segment, out)
    if expired or zero:
        if not zero:
            if end["expiries"] == 0:
                failed(row, end, out)
            add(row, TIMEOUTS, 1, out)
            add(row, REHASH, 1, out)
        enter_loss(row, end, pool, out)
        if not zero:
            end["expiries"] += 1
        number = covered(end, pool, at, stop)
        if number:
            resend(row, end, pool[number])
        return
    if first and segment["count"] == 1 and stop < segment["end"] and not segment["marks"] & LOST:
        retransmit_simply(row, end, pool, stop - at, out)  # a lower path MTU was learnt
    number = covered(end, pool, at, stop)
    if number == 0:
        return
    segment = pool[number]
    if not segment["marks"] & LOST or segment["marks"] & AGAIN:
        end["reo_ns"] = 0
        if end["sack"]:
            detect_loss(row, end, pool, out)
        if not segment["marks"] & LOST or segment["marks"] & AGAIN:
            mark_lost(row, end, segment, out)
    if end["state"] < RECOVERY:
        enter_recovery(row, end, pool, out)
    if end["state"] == LOSS and end["next"] <= end["high"]:
        end["frto"] = 0
    add(row, SLOW_START_RETRANS if end["state"] == LOSS else FAST_RETRANS, segment["count"], out)
    resend(row, end, segment)


@inline
def must_be_timer(row: Any, end: Any, pool: Any, segment: Any, out: Any) -> Any:
    """Did nothing ask for the first segment, so that the timer ran out, though others were under way?"""
    now = row["time_ns"]
    if end["reneged_ns"] and segment["marks"] & SACKED:
        return now >= end["reneged_ns"] - TICK_NS
    if segment["marks"] & LOST and not segment["marks"] & AGAIN:
        return False
    if now - end["heard_ns"] <= SOON_NS or now - segment["sent_ns"] <= TIMER_LEAST_NS + end["rtt_min"]:
        return False
    if not end["sack"]:
        return True
    if end["reo_ns"] > 0 and now >= end["reo_ns"] - TICK_NS:
        return False  # the timer of RACK ran out
    detect_loss(row, end, pool, out)
    return not segment["marks"] & LOST or segment["marks"] & AGAIN != 0


@inline
def failed(row: Any, end: Any, out: Any) -> None:
    """tcp_retransmit_timer(): the first timeout of a row, by the state that it ends."""
    state = end["state"]
    if state == RECOVERY:
        add(row, SACK_RECOVERY_FAIL if end["sack"] else RENO_RECOVERY_FAIL, 1, out)
    elif state == LOSS:
        add(row, LOSS_FAILURES, 1, out)
    elif state == DISORDER or end["sacked"] > 0:
        add(row, SACK_FAILURES if end["sack"] else RENO_FAILURES, 1, out)


@inline
def resend(row: Any, end: Any, segment: Any) -> None:
    """tcp_retransmit_skb()."""
    count = np.int64(segment["count"])
    end["resent"] += count
    if not segment["marks"] & AGAIN:
        end["again"] += count
    segment["marks"] |= AGAIN | EVER
    sent(row, end, segment)
    if not end["stamped"]:
        end["stamped"] = 1
        end["stamp"] = row["tsval"]
    end["undo_left"] = max(0, end["undo_left"]) + count


@inline
def holder(end: Any, pool: Any, at: Int) -> Int:
    """The segment of the queue that holds a position, 0 without one."""
    number = np.int64(end["first"])
    while number and pool[number]["end"] <= at:
        number = np.int64(pool[number]["next"])
    return number


@part
def covered(end: Any, pool: Any, at: Int, stop: Int) -> Int:
    """The segment of the queue that the frame is: cut from a larger one, or joined from several."""
    number = holder(end, pool, at)
    if number == 0:
        return np.int64(0)
    if pool[number]["start"] < at:
        if not split(end, pool, number, at, end["mss"]):
            return np.int64(0)
        number = np.int64(pool[number]["next"])
    segment = pool[number]
    while segment["end"] < stop and segment["next"] and pool[segment["next"]]["start"] < stop:
        behind = pool[segment["next"]]
        if behind["end"] > stop:
            split(end, pool, np.int64(segment["next"]), stop, end["mss"])
        join(end, pool, number)
        whole = in_segments_of(end["mss"], segment["end"] - segment["start"])
        recount(end, np.int64(segment["marks"]), whole - np.int64(segment["count"]))
        segment["count"] = whole
    if segment["end"] > stop:
        split(end, pool, number, stop, end["mss"])
    return number
