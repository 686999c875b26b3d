"""Compiled: what the model takes for lost or for reordered (tcp_recovery.c, tcp_mark_skb_lost(), tcp_check_sack_reordering())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.queue_kernel import highest_sacked, split
from analyzer.prediction.recovery.state import (
    AGAIN,
    EVER,
    FORGOTTEN,
    LOST,
    RECOVERY,
    REO_ROUNDS,
    REORDERING_MAX,
    SACKED,
)

LOST_RETRANSMIT, SACK_REORDER = NUMBER["TcpExtTCPLostRetransmit"], NUMBER["TcpExtTCPSACKReorder"]
RENO_REORDER = NUMBER["TcpExtTCPRenoReorder"]
REO_LEAST_NS = 2_000_000  # TCP_TIMEOUT_MIN_US


@part
def mark_lost(row: Any, end: Any, segment: Any, out: Any) -> None:
    """tcp_mark_skb_lost()."""
    marks, count = np.int64(segment["marks"]), np.int64(segment["count"])
    if marks & SACKED:
        return
    if not marks & LOST:
        end["lost"] += count
        segment["marks"] |= LOST
    elif marks & AGAIN:
        segment["marks"] &= ~AGAIN
        end["again"] -= count
        add(row, LOST_RETRANSMIT, count, out)


@inline
def rack_advance(end: Any, segment: Any, now: Int) -> None:
    """tcp_rack_advance(): a segment was delivered."""
    rtt = now - segment["sent_ns"]
    if segment["marks"] & (EVER | AGAIN) and rtt < end["rtt_min"]:
        return  # the ACK is for the first transmission
    end["advanced"] = 1
    end["rack_rtt"] = rtt
    if sent_after(segment["sent_ns"], end["rack_ns"], segment["end"], end["rack_end"]):
        end["rack_ns"], end["rack_end"] = segment["sent_ns"], segment["end"]


@inline
def sent_after(one_ns: Int, other_ns: Int, one_end: Int, other_end: Int) -> Any:
    """tcp_skb_sent_after()."""
    return one_ns > other_ns or (one_ns == other_ns and one_end > other_end)


@inline
def reordering_window(end: Any) -> Int:
    """tcp_rack_reo_wnd()."""
    if not end["reordered"] and (end["state"] >= RECOVERY or end["sacked"] >= end["reordering"]):
        return np.int64(0)
    return min((end["rtt_min"] >> 2) * max(1, end["reo_steps"]), end["rtt"] >> 3)


@part
def detect_loss(row: Any, end: Any, pool: Any, out: Any) -> None:
    """tcp_rack_detect_loss(): what was sent well before the latest that arrived is lost."""
    now, allowed, wait = row["time_ns"], reordering_window(end), np.int64(0)
    number = np.int64(end["first"])
    while number:
        segment = pool[number]
        number = np.int64(segment["next"])
        marks = segment["marks"]
        if not marks & EVER and segment["sent_ns"] > end["rack_ns"]:
            break  # and all behind it were sent later still
        if marks & (SACKED | FORGOTTEN) or (marks & LOST and not marks & AGAIN):
            continue
        if not sent_after(end["rack_ns"], segment["sent_ns"], end["rack_end"], segment["end"]):
            continue
        remaining = end["rack_rtt"] + allowed - (now - segment["sent_ns"])
        if remaining <= 0:
            mark_lost(row, end, segment, out)
            segment["marks"] |= FORGOTTEN
        else:
            wait = max(wait, remaining)
    end["reo_ns"] = now + wait + REO_LEAST_NS if wait else 0


@part
def identify_loss(row: Any, end: Any, pool: Any, advanced: Any, out: Any) -> Any:
    """tcp_identify_packet_loss(): True where a retransmission is taken for lost."""
    if end["first"] == 0:
        return False
    if end["sack"]:
        if not end["advanced"]:
            return False
        end["advanced"] = 0
        before = end["again"]
        detect_loss(row, end, pool, out)
        return before > end["again"]
    # tcp_newreno_mark_lost()
    early = end["state"] < RECOVERY and end["sacked"] >= end["reordering"]
    if early or (end["state"] == RECOVERY and advanced):
        first = np.int64(end["first"])
        segment = pool[first]
        if segment["marks"] & LOST:
            return False
        if segment["count"] > 1 and segment["end"] - segment["start"] > end["mss"]:
            split(end, pool, first, segment["start"] + segment["size"], np.int64(segment["size"]))
        mark_lost(row, end, segment, out)
    return False


@part
def update_reordering_window(end: Any) -> None:
    """tcp_rack_update_reo_wnd()."""
    if not end["rate_delivered"]:
        return
    if end["rate_delivered"] < end["reo_delivered"]:
        end["dsack_seen"] = 0
    if end["dsack_seen"]:
        end["reo_steps"] = min(255, max(1, end["reo_steps"]) + 1)
        end["dsack_seen"] = 0
        end["reo_delivered"] = end["delivered"]
        end["reo_persist"] = REO_ROUNDS
    elif not end["reo_persist"]:
        end["reo_steps"] = 1


@part
def check_reordering(row: Any, end: Any, low: Int, counter: Int, out: Any) -> None:
    """tcp_check_sack_reordering(): something above `low` has arrived before it."""
    high = highest_sacked(end)
    if low >= high:
        return
    if high - low > end["reordering"] * end["mss"]:
        end["reordering"] = min((high - low + end["mss"] - 1) // max(1, end["mss"]), REORDERING_MAX)
    end["reordered"] = 1
    add(row, counter, 1, out)


@part
def check_reno_reordering(row: Any, end: Any, more: Int, out: Any) -> None:
    """tcp_check_reno_reordering(): more duplicate ACKs than segments can be missing."""
    holes = min(max(end["lost"], 1), end["out"])
    if end["sacked"] + holes > end["out"]:
        end["sacked"] = end["out"] - holes
        end["reordering"] = min(end["out"] + more, REORDERING_MAX)
        end["reordered"] = 1
        add(row, RENO_REORDER, 1, out)
