"""Compiled: round-trip times as the sender measures them, and when its tail loss probe is due."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.recovery.queue_kernel import difference
from analyzer.prediction.recovery.state import F_ACKED, F_AGAIN_ACKED

TICK_NS = 1_000_000
TIMER_LEAST_NS, FIRST_TIMER_NS = 200_000_000, 1_000_000_000  # TCP_RTO_MIN, TCP_TIMEOUT_INIT
PROBE_LEAST_NS = 2_000_000  # TCP_TIMEOUT_MIN_US


@inline
def clock_at(end: Any, time_ns: Int) -> Int:
    """The TSval of this end at a time, reckoned from one that it sent (of a clock of milliseconds)."""
    return np.int64(end["clock"]) + (time_ns - end["clock_ns"]) // TICK_NS & 0xFFFFFFFF


@inline
def measure(row: Any, end: Any, first_ns: Int, last_ns: Int) -> None:
    """tcp_ack_update_rtt(), as far as RACK and the tail loss probe need it."""
    now = row["time_ns"]
    latest: Int = np.int64(-1)
    sample: Int = np.int64(-1)
    if first_ns and not end["flags"] & F_AGAIN_ACKED:
        sample, latest = now - first_ns, now - last_ns
    if end["sacked_first_ns"]:
        latest = now - end["sacked_last_ns"]
        if sample < 0:
            sample = now - end["sacked_first_ns"]
    if sample < 0 and end["flags"] & F_ACKED and row["options"] & O_TIMESTAMPS and row["tsecr"]:
        sample = latest = max(1, difference(clock_at(end, now), row["tsecr"])) * TICK_NS
    if sample < 0:
        return
    note_rtt(end, sample, latest)


@inline
def note_rtt(end: Any, sample: Int, latest: Int) -> None:
    """A round-trip time: tcp_update_rtt_min() and tcp_rtt_estimator()."""
    if latest >= 0 and (end["rtt_min"] == 0 or latest < end["rtt_min"]):
        end["rtt_min"] = max(1, latest)
    if end["rtt"] == 0:
        end["rtt"], end["deviation"] = max(1, sample << 3), sample << 1
        end["variance"] = end["deviation_max"] = max(sample << 1, TIMER_LEAST_NS)
        end["round_end"] = end["next"]
        return
    off = sample - (end["rtt"] >> 3)
    end["rtt"] = max(1, end["rtt"] + off)
    if off < 0:
        off = -off - (end["deviation"] >> 2)
        if off > 0:
            off >>= 3
    else:
        off -= end["deviation"] >> 2
    end["deviation"] += off
    if end["deviation"] > end["deviation_max"]:
        end["deviation_max"] = end["deviation"]
        end["variance"] = max(end["variance"], end["deviation_max"])
    if end["una"] > end["round_end"]:
        if end["deviation_max"] < end["variance"]:
            end["variance"] -= (end["variance"] - end["deviation_max"]) >> 2
        end["round_end"] = end["next"]
        end["deviation_max"] = TIMER_LEAST_NS


@part
def arm_probe(end: Any, pool: Any, now: Int, progress: Any) -> None:
    """tcp_schedule_loss_probe(): when the tail loss probe is due, after `progress` or after something was sent."""
    if end["first"] == 0:
        end["probe_ns"] = 0
        return
    wait = FIRST_TIMER_NS
    if end["rtt"]:
        wait = (end["rtt"] >> 2) + (TIMER_LEAST_NS if end["out"] == 1 else PROBE_LEAST_NS)
    timer = (end["rtt"] >> 3) + end["variance"] if end["rtt"] else FIRST_TIMER_NS
    if not progress:
        timer += pool[end["first"]]["sent_ns"] - now
    if timer > 0:
        wait = min(wait, timer)
    end["probe_ns"] = now + wait
