"""Compiled: how the model begins a repair and undoes it (tcp_enter_recovery(), tcp_enter_loss(), tcp_try_undo_...())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.queue_kernel import difference, sent_again
from analyzer.prediction.recovery.rack_kernel import check_reordering, mark_lost
from analyzer.prediction.recovery.state import (
    CWR,
    DISORDER,
    LOSS,
    LOST,
    OPEN,
    RECOVERY,
    REO_ROUNDS,
    REORDERING,
    SACKED,
)

SACK_RECOVERY, RENO_RECOVERY = NUMBER["TcpExtTCPSackRecovery"], NUMBER["TcpExtTCPRenoRecovery"]
FULL_UNDO, PARTIAL_UNDO = NUMBER["TcpExtTCPFullUndo"], NUMBER["TcpExtTCPPartialUndo"]
DSACK_UNDO, LOSS_UNDO = NUMBER["TcpExtTCPDSACKUndo"], NUMBER["TcpExtTCPLossUndo"]
SPURIOUS_RTOS, TS_REORDER = NUMBER["TcpExtTCPSpuriousRTOs"], NUMBER["TcpExtTCPTSReorder"]
SYN = 2


@inline
def begin_undo(end: Any) -> None:
    """tcp_init_undo()."""
    end["undo"], end["undo_from"] = 1, end["una"]
    end["undo_left"] = end["again"] + (1 if end["probe"] and end["probe_again"] else 0)
    if end["undo_left"] == 0:
        end["undo_left"] = -1


@inline
def begin_reduction(end: Any) -> None:
    """tcp_init_cwnd_reduction()."""
    end["high"], end["probe"] = end["next"], 0


@part
def enter_recovery(row: Any, end: Any, pool: Any, out: Any) -> None:
    """tcp_enter_recovery()."""
    if not sent_again(end, pool):
        end["stamped"] = 0
    add(row, SACK_RECOVERY if end["sack"] else RENO_RECOVERY, 1, out)
    begin_undo(end)
    if end["state"] != CWR and end["state"] != RECOVERY:
        begin_reduction(end)
    end["state"] = RECOVERY


@part
def enter_loss(row: Any, end: Any, pool: Any, out: Any) -> None:
    """tcp_enter_loss(): the timer ran out."""
    fresh = end["state"] < RECOVERY
    first = np.int64(end["first"])
    reneged = first > 0 and pool[first]["marks"] & SACKED != 0
    if reneged:
        end["sacked"] = 0
        end["reneging"] = 1
    elif not end["sack"]:
        end["sacked"] = 0
    number = first
    while number:
        segment = pool[number]
        if reneged:
            segment["marks"] &= ~SACKED
        elif number != first and end["rack_rtt"] > row["time_ns"] - segment["sent_ns"]:
            number = np.int64(segment["next"])
            continue  # sent a moment ago
        mark_lost(row, end, segment, out)
        number = np.int64(segment["next"])
    state = end["state"]
    if state <= DISORDER or end["high"] <= end["una"] or (state == LOSS and not end["expiries"]):
        begin_undo(end)
    if state <= DISORDER and end["sacked"] >= REORDERING:
        end["reordering"] = min(end["reordering"], REORDERING)
    end["frto"] = 1 if (fresh or end["expiries"]) and not end["no_frto"] else 0
    end["state"] = LOSS
    begin_reduction(end)
    end["reo_ns"] = 0


@inline
def was_delayed(row: Any, end: Any) -> Any:
    """tcp_packet_delayed(): the ACK answers what was sent before the first retransmission, or nothing was sent again."""
    if not end["stamped"]:
        # Without SACK the stamp is forgotten early, and by a SYN always.
        return (end["sack"] or end["una"] < end["high"]) and row["flags"] & SYN == 0
    if not row["options"] & O_TIMESTAMPS or row["tsecr"] == 0:
        return False
    return difference(row["tsecr"], end["stamp"]) < 0


@inline
def may_undo(row: Any, end: Any) -> Any:
    """tcp_may_undo()."""
    return end["undo"] and (end["undo_left"] == 0 or was_delayed(row, end))


@part
def undo(end: Any, pool: Any, unmark: Any) -> None:
    """tcp_undo_cwnd_reduction()."""
    if unmark:
        number = np.int64(end["first"])
        while number:
            pool[number]["marks"] &= ~LOST
            number = np.int64(pool[number]["next"])
        end["lost"] = 0
    end["undo"] = 0
    end["advanced"] = 1


@inline
def stays(end: Any, pool: Any) -> Any:
    """tcp_is_non_sack_preventing_reopen()."""
    if end["una"] != end["high"] or end["sack"]:
        return False
    if not sent_again(end, pool):
        end["stamped"] = 0
    return True


@part
def try_undo_recovery(row: Any, end: Any, pool: Any, out: Any) -> Any:
    """tcp_try_undo_recovery(): True where the state remains as it is."""
    if may_undo(row, end):
        undo(end, pool, False)
        add(row, LOSS_UNDO if end["state"] == LOSS else FULL_UNDO, 1, out)
    elif end["reo_persist"]:
        end["reo_persist"] -= 1
    if stays(end, pool):
        return True
    end["state"] = OPEN
    end["reneging"] = 0
    return False


@part
def try_undo_dsack(row: Any, end: Any, pool: Any, out: Any) -> Any:
    """tcp_try_undo_dsack(): every retransmission was reported as needless."""
    if not end["undo"] or end["undo_left"] != 0:
        return False
    end["reo_persist"] = min(REO_ROUNDS, end["reo_persist"] + 1)
    undo(end, pool, False)
    add(row, DSACK_UNDO, 1, out)
    return True


@part
def try_undo_loss(row: Any, end: Any, pool: Any, by_frto: Any, out: Any) -> Any:
    """tcp_try_undo_loss()."""
    if not by_frto and not may_undo(row, end):
        return False
    undo(end, pool, True)
    add(row, LOSS_UNDO, 1, out)
    if by_frto:
        add(row, SPURIOUS_RTOS, 1, out)
    end["expiries"] = 0
    if not stays(end, pool) and (by_frto or end["sack"]):
        end["state"] = OPEN
        end["reneging"] = 0
    return True


@inline
def keep_open(end: Any, pool: Any) -> None:
    """tcp_try_keep_open()."""
    state = DISORDER if end["sacked"] + end["lost"] > 0 or sent_again(end, pool) else OPEN
    if end["state"] != state:
        end["state"] = state
        end["high"] = end["next"]


@inline
def try_to_open(end: Any, pool: Any, echoed: Any) -> None:
    """tcp_try_to_open()."""
    if not sent_again(end, pool):
        end["stamped"] = 0
    if echoed and end["state"] < CWR:  # tcp_enter_cwr()
        end["undo"] = 0
        begin_reduction(end)
        end["state"] = CWR
    if end["state"] != CWR:
        keep_open(end, pool)


@part
def try_undo_partial(row: Any, end: Any, pool: Any, before: Int, out: Any) -> Any:
    """tcp_try_undo_partial(): True where nothing more is to be done for this ACK."""
    if not end["undo"] or not was_delayed(row, end):
        return False
    check_reordering(row, end, before, TS_REORDER, out)
    if end["again"]:
        return True
    if not sent_again(end, pool):
        end["stamped"] = 0
    undo(end, pool, True)
    add(row, PARTIAL_UNDO, 1, out)
    keep_open(end, pool)
    return False
