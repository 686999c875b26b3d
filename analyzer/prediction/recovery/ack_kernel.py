"""Compiled: an acknowledgment applied to the model (tcp_ack(), tcp_clean_rtx_queue())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.recovery.alert_kernel import alert, probe_acknowledged
from analyzer.prediction.recovery.queue_kernel import difference, give_back, in_segments_of, position
from analyzer.prediction.recovery.rack_kernel import (
    SACK_REORDER,
    check_reno_reordering,
    check_reordering,
    rack_advance,
    update_reordering_window,
)
from analyzer.prediction.recovery.rtt_kernel import arm_probe, clock_at, measure
from analyzer.prediction.recovery.sack_kernel import sack_blocks
from analyzer.prediction.recovery.shift_kernel import rate_delivered
from analyzer.prediction.recovery.state import (
    AGAIN,
    EVER,
    F_ACKED,
    F_ADVANCED,
    F_AGAIN_ACKED,
    F_ALERT,
    F_DATA,
    F_DATA_ACKED,
    F_DSACK,
    F_ECE,
    F_NOT_DUPLICATE,
    F_ORIGINAL,
    F_RENEGING,
    F_SYN_ACKED,
    F_WINDOW,
    IS_SYN,
    LOST,
    OPEN,
    SACKED,
)

FIN, SYN, ECE = 1, 2, 64


@inline
def update_window(row: Any, end: Any, ack: Int, seq: Int, before: Int) -> None:
    """tcp_ack_update_window()."""
    size = np.int64(row["window"])
    if not row["flags"] & SYN:
        size <<= end["scale"]
    newer = difference(seq, end["window_seq"]) if end["window_max"] else np.int64(1)
    if ack > before or newer > 0 or (newer == 0 and (size > end["window"] or size == 0)):
        end["flags"] |= F_WINDOW
        end["window_seq"], end["window"] = seq, size
        end["window_max"] = max(end["window_max"], size)


@part
def clean_queue(row: Any, end: Any, pool: Any, high_before: Int, out: Any) -> None:
    """tcp_clean_rtx_queue(): take what is acknowledged out of the queue, and learn from it."""
    now, una = row["time_ns"], end["una"]
    lowest, acked, first_ns, last_ns, whole = end["next"], np.int64(0), np.int64(0), np.int64(0), True
    while end["first"] and whole:
        number = np.int64(end["first"])
        segment = pool[number]
        marks, count = np.int64(segment["marks"]), np.int64(segment["count"])
        start, stop = segment["start"], segment["end"]
        if stop > una:
            if count == 1 or una <= start:
                break
            count -= in_segments_of(np.int64(segment["size"]), stop - una)
            segment["start"] = una
            segment["count"] -= count
            if count == 0:
                break
            whole = False
        if marks & (AGAIN | EVER):
            if marks & AGAIN:
                end["again"] -= count
            end["flags"] |= F_AGAIN_ACKED
        elif not marks & SACKED:
            last_ns = segment["sent_ns"]
            if first_ns == 0:
                first_ns = last_ns
            lowest = min(lowest, start)
            if stop <= end["high"]:
                end["flags"] |= F_ORIGINAL
        if marks & SACKED:
            end["sacked"] -= count
        elif end["sack"]:
            end["delivered"] += count
            late = row["options"] & O_TIMESTAMPS and row["tsecr"] != 0 and marks & (AGAIN | EVER)
            if not late or difference(row["tsecr"], clock_at(end, segment["sent_ns"])) >= 0:
                rack_advance(end, segment, now)
        if marks & LOST:
            end["lost"] -= count
        end["out"] -= count
        acked += count
        rate_delivered(end, segment)
        if marks & IS_SYN:
            end["flags"] |= F_SYN_ACKED
            end["stamped"] = 0
        else:
            end["flags"] |= F_DATA_ACKED
        if not whole:
            break
        end["first"] = segment["next"]
        give_back(pool, number)
    if end["first"] == 0:
        end["last"] = 0
        end["out"] = end["lost"] = end["again"] = 0
        if end["sack"]:
            end["sacked"] = 0
    elif pool[end["first"]]["marks"] & SACKED:
        end["flags"] |= F_RENEGING
    measure(row, end, first_ns, last_ns)
    if not end["flags"] & F_ACKED:
        return
    end["reo_ns"] = 0
    arm_probe(end, pool, now, True)
    if end["sack"]:
        if lowest < high_before:
            end["late"], end["late_ns"] = lowest, now
            check_reordering(row, end, lowest, SACK_REORDER, out)
        return
    if acked > 0:  # tcp_remove_reno_sacks()
        end["delivered"] += max(acked - end["sacked"], 1)
        end["sacked"] = max(0, end["sacked"] - (acked - 1))
    check_reno_reordering(row, end, acked, out)
    if end["flags"] & F_AGAIN_ACKED:
        end["flags"] &= ~F_ORIGINAL


@part
def acknowledge(row: Any, end: Any, pool: Any, out: Any) -> None:
    """tcp_ack(): a segment with ACK that its receiver accepts."""
    before = end["una"]
    ack = position(row["ack"], before)
    seq = np.int64(row["seq"])
    end["flags"] = end["sacked_first_ns"] = end["sacked_last_ns"] = end["rate_ns"] = end["rate_delivered"] = 0
    has_sack = end["sack"] and row["sack_count"] > 0
    if ack < before:
        if ack >= before - end["window_max"] and has_sack:
            sack_blocks(row, end, pool, ack, before, out)
            alert(row, end, pool, before, np.int64(0), out)
        return
    if ack > end["next"]:
        end["next"] = ack  # the capture missed it
    end["una"] = ack
    high_before = before
    if end["sack"] and end["sacked"]:
        high_before = max(end["sacked_end"], before)
    if ack > before:
        end["flags"] |= F_ADVANCED
        end["expiries"] = end["reneged_ns"] = 0
    if row["payload_len"] or row["flags"] & FIN:
        end["flags"] |= F_DATA
    outstanding = end["out"]
    update_window(row, end, ack, seq, before)
    if has_sack:
        sack_blocks(row, end, pool, ack, before, out)
    if row["flags"] & (ECE | SYN) == ECE and end["ecn"]:
        end["flags"] |= F_ECE
    if end["blind"]:
        end["blind"] = 0 if ack >= end["next"] else 1
        return
    if outstanding == 0:
        if end["flags"] & F_DSACK:
            alert(row, end, pool, before, np.int64(0), out)
        if end["probe"]:
            probe_acknowledged(row, end, pool, ack, out)
        return
    clean_queue(row, end, pool, high_before, out)
    update_reordering_window(end)
    if end["probe"]:
        probe_acknowledged(row, end, pool, ack, out)
    flags = end["flags"]
    if not flags & F_NOT_DUPLICATE or flags & F_ALERT or end["state"] != OPEN:
        duplicates = np.int64(0 if flags & (F_ADVANCED | F_NOT_DUPLICATE | F_DSACK) else 1)
        alert(row, end, pool, before, duplicates, out)
