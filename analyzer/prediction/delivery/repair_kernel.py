"""Compiled: episodes of repair at a sender, and how it counts duplicate ACKs where the peer has no SACK."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.kinds import CAUSE
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.delivery.queue_kernel import below
from analyzer.prediction.delivery.state import LOSS, OPEN, RECOVERY, REDUCED
from analyzer.serial import difference

difference = inline(difference)
C_TLP = CAUSE["tlp"]
TIMEOUT_BIT = np.uint64(1 << EVENT["retransmission_timeout"])


@inline
def repairs(row: Any, own: Any, side: Int, cause: Int, expired: Any) -> None:
    """tcp_enter_recovery(), tcp_enter_loss(): an episode of repair begins, as a retransmission shows.

    The first segment again, though nothing was acknowledged since it was last: without SACK only the timer does that.
    `expired` says that a model of the timer has it so.
    """
    head = row["seq"] == own["snd_una"][side]
    timeout = expired or row["events"] & TIMEOUT_BIT != 0 or (head and row["seq"] == own["retrans_seq"][side])
    own["retrans_seq"][side] = row["seq"]
    if cause == C_TLP and not expired:
        return
    own["episodes"][side] = 1
    repair = own["repair"][side]
    if repair != OPEN and repair != REDUCED and not timeout:
        return
    own["repair"][side] = LOSS if timeout else RECOVERY
    own["retrans_stamp"][side] = row["tsval"]
    if repair != REDUCED or timeout:
        own["high_seq"][side] = own["snd_nxt"][side]
    if timeout:
        own["lost_seq"][side], own["sacked_out"][side] = own["snd_nxt"][side], 0


@inline
def recovered(own: Any, side: Int) -> None:
    """tcp_try_undo_recovery(): all that was outstanding when the episode began is acknowledged."""
    if own["repair"][side] != OPEN and difference(own["snd_una"][side], own["high_seq"][side]) >= 0:
        own["repair"][side] = OPEN


@inline
def without_sack(row: Any, pool: Any, own: Any, side: Int, total: Int, repeats: Any, advances: Any, marked: Any) -> Int:
    """tcp_remove_reno_sacks(), tcp_fastretrans_alert(): duplicate ACKs stand for segments that arrived; how many did."""
    found: Int = 0
    if total > 0:
        found = max(total - np.int64(own["sacked_out"][side]), np.int64(1))
        own["sacked_out"][side] = max(np.int64(0), np.int64(own["sacked_out"][side]) - (total - 1))
        limit_sacked(pool, own, side)
    done = difference(own["snd_una"][side], own["high_seq"][side])
    delayed = row["options"] & O_TIMESTAMPS and difference(row["tsecr"], own["retrans_stamp"][side]) < 0
    if advances and own["repair"][side] != REDUCED and delayed:  # tcp_packet_delayed(): the episode was not needed
        own["lost_seq"][side] = own["snd_una"][side]
        if own["repair"][side] == RECOVERY and done < 0:
            own["repair"][side] = OPEN
            return found
    repair: Int = np.int64(own["repair"][side])
    if repair == REDUCED and done > 0:
        repair = own["repair"][side] = OPEN
    if repair == OPEN and marked:  # tcp_enter_cwr()
        own["repair"][side], own["high_seq"][side] = REDUCED, own["snd_nxt"][side]
    if repair == REDUCED:
        repair = OPEN
    if repair != OPEN and done >= 0:
        own["sacked_out"][side] = 0
        if done == 0:  # tcp_is_non_sack_preventing_reopen()
            return found
        repair = own["repair"][side] = OPEN
    if repair == LOSS and difference(own["snd_nxt"][side], own["high_seq"][side]) <= 0:
        repeats = False
    if repair != RECOVERY and advances:
        own["sacked_out"][side] = 0
    if repeats:
        before = np.int64(own["sacked_out"][side])
        own["sacked_out"][side] += 1
        limit_sacked(pool, own, side)
        found += max(np.int64(0), np.int64(own["sacked_out"][side]) - before)
    return found


@inline
def limit_sacked(pool: Any, own: Any, side: Int) -> None:
    """tcp_limit_reno_sacked(): what is lost has not arrived, and one segment is at least."""
    lost: Int = 1
    if own["repair"][side] == LOSS:
        lost = max(lost, below(pool, own, side, np.int64(own["lost_seq"][side])))
    most = max(np.int64(0), np.int64(own["packets_out"][side]) - lost)
    own["sacked_out"][side] = min(np.int64(own["sacked_out"][side]), most)
