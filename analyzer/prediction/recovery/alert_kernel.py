"""Compiled: the state machine of the sender at an ACK that is not as usual (tcp_fastretrans_alert())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.rack_kernel import check_reno_reordering, identify_loss
from analyzer.prediction.recovery.state import (
    CWR,
    DISORDER,
    F_ADVANCED,
    F_DSACK_PROBE,
    F_ECE,
    F_NOT_DUPLICATE,
    F_ORIGINAL,
    F_RENEGING,
    F_SACKED,
    LOSS,
    OPEN,
    RECOVERY,
)
from analyzer.prediction.recovery.undo_kernel import (
    begin_reduction,
    enter_recovery,
    keep_open,
    try_to_open,
    try_undo_dsack,
    try_undo_loss,
    try_undo_partial,
    try_undo_recovery,
)

RENEGED_LEAST_NS = 10_000_000
PROBE_RECOVERY = NUMBER["TcpExtTCPLossProbeRecovery"]


@part
def probe_acknowledged(row: Any, end: Any, pool: Any, ack: Int, out: Any) -> None:
    """tcp_process_tlp_ack()."""
    if ack < end["probe_end"]:
        return
    if not end["probe_again"] or end["flags"] & F_DSACK_PROBE:
        end["probe"] = 0
    elif ack > end["probe_end"]:
        begin_reduction(end)
        end["state"] = CWR
        keep_open(end, pool)
        add(row, PROBE_RECOVERY, 1, out)
    elif not end["flags"] & (F_ADVANCED | F_NOT_DUPLICATE | F_SACKED):
        end["probe"] = 0


@part
def process_loss(row: Any, end: Any, pool: Any, duplicates: Int, out: Any) -> None:
    """tcp_process_loss()."""
    flags = end["flags"]
    recovered = end["una"] >= end["high"]
    if flags & F_ADVANCED and try_undo_loss(row, end, pool, False, out):
        return
    if end["frto"]:
        if flags & F_ORIGINAL and try_undo_loss(row, end, pool, True, out):
            return
        if end["next"] > end["high"]:
            if flags & F_SACKED or duplicates:
                end["frto"] = 0
        elif flags & F_ADVANCED and not recovered:
            end["high"] = end["next"]  # what is sent next tells whether there was new data to send
            return
    if recovered:
        try_undo_recovery(row, end, pool, out)
        return
    if not end["sack"]:
        if end["next"] > end["high"] and duplicates:
            add_reno_sacks(row, end, duplicates, out)
        elif flags & F_ADVANCED:
            end["sacked"] = 0


@inline
def add_reno_sacks(row: Any, end: Any, duplicates: Int, out: Any) -> None:
    """tcp_add_reno_sack()."""
    if duplicates:
        end["sacked"] += duplicates
        check_reno_reordering(row, end, np.int64(0), out)


@part
def alert(row: Any, end: Any, pool: Any, before: Int, duplicates: Int, out: Any) -> None:
    """tcp_fastretrans_alert()."""
    flags = end["flags"]
    advanced, echoed = flags & F_ADVANCED != 0, flags & F_ECE != 0
    if end["out"] == 0:
        end["sacked"] = 0
    if flags & F_RENEGING and advanced:  # tcp_check_sack_reneging()
        end["reneged_ns"] = row["time_ns"] + max(end["rtt"] >> 4, RENEGED_LEAST_NS)
        return
    if end["state"] == OPEN:
        end["stamped"] = 0
    elif end["una"] >= end["high"]:
        if end["state"] == CWR:
            if end["una"] != end["high"]:
                end["state"] = OPEN
        elif end["state"] == RECOVERY:
            if not end["sack"]:
                end["sacked"] = 0
            if try_undo_recovery(row, end, pool, out):
                return
    if end["state"] == RECOVERY:
        if not advanced:
            if not end["sack"]:
                add_reno_sacks(row, end, duplicates, out)
        elif try_undo_partial(row, end, pool, before, out):
            return
        if try_undo_dsack(row, end, pool, out):
            try_to_open(end, pool, echoed)
        identify_loss(row, end, pool, advanced, out)
        if end["state"] != RECOVERY and end["lost"]:
            enter_recovery(row, end, pool, out)
        return
    if end["state"] == LOSS:
        process_loss(row, end, pool, duplicates, out)
        lost_again = identify_loss(row, end, pool, advanced, out)
        if end["state"] != OPEN and not lost_again:
            return
    if not end["sack"]:
        if advanced:
            end["sacked"] = 0
        add_reno_sacks(row, end, duplicates, out)
    if end["state"] <= DISORDER:
        try_undo_dsack(row, end, pool, out)
    identify_loss(row, end, pool, advanced, out)
    if end["lost"]:
        enter_recovery(row, end, pool, out)
    else:
        try_to_open(end, pool, echoed)
