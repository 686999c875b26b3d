"""Compiled prediction of how received data gets into the buffers of the host: header prediction, and segments joined to one buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.arrival.state import CROWD, JOINED, PACKED, PAGE, READ_NS, SHELL_BYTES, SKB_BYTES, USUAL_BYTES
from analyzer.prediction.emit_kernel import add_range
from analyzer.prediction.names import NUMBER
from analyzer.serial import difference

difference = inline(difference)
PSH, ACK = 8, 16

HP_HITS, RCV_COALESCE = NUMBER["TcpExtTCPHPHits"], NUMBER["TcpExtTCPRcvCoalesce"]
PRUNE_CALLED, RCV_COLLAPSED = NUMBER["TcpExtPruneCalled"], NUMBER["TcpExtTCPRcvCollapsed"]


@part
def buffered(row: Any, own: Any, side: Int, fast: Any, out: Any) -> Int:
    """tcp_queue_rcv(): data in order, before it is taken: whether it probably becomes a part of the buffer before it.

    Only the application knows when it reads; where segments follow closely it probably did not.
    """
    unread = own["some"][side] and row["time_ns"] - own["tail_ns"][side] < READ_NS
    size = np.int64(row["payload_len"]) + USUAL_BYTES
    if not unread:
        own["in_hand"][side] = 0
    in_hand = np.int64(own["in_hand"][side])
    if fast:
        add_range(row, HP_HITS, 1 if size <= in_hand else 0, 0, 1, out)
    if size > in_hand:
        in_hand += (size - in_hand + PAGE - 1) // PAGE * PAGE
    fits = unread and own["tail"][side] < JOINED
    own["in_hand"][side] = in_hand - size + (SHELL_BYTES if fits else 0)
    own["tail"][side] = own["tail"][side] + 1 if fits else 1
    own["tail_ns"][side] = row["time_ns"]
    return 1 if fits else 0


@inline
def is_predicted(row: Any, talk: Any, own: Any, side: Int) -> Any:
    """tcp_rcv_established(): may the segment take the fast path?

    The header must be as predicted, and the memory that the socket has in hand must do for the buffer; as the socket
    gives back whole pages, that is less than one; and none before anything was received or waits to be acknowledged.
    """
    header = 32 if row["options"] & O_TIMESTAMPS else 20
    return (
        own["predicts"][side]
        and own["queue"][side] == 0
        and (own["some"][side] or own["una"][side] != talk["high"][side])
        and row["payload_len"] > 0
        and row["seq"] == own["next"][side]
        and np.int64(row["flags"]) & ~PSH == ACK
        and row["header_len"] == header
        and row["window"] == own["peer_window"][side]
        and np.int64(row["payload_len"]) + SKB_BYTES < PAGE
        and difference(own["edge"][side], own["next"][side]) > 0
    )


@inline
def crowded(row: Any, own: Any, side: Int, out: Any) -> None:
    """tcp_try_rmem_schedule(): data for which there may be no memory, so that the queue is pruned and packed (tcp_collapse()).

    A socket short of memory would rather close its window: that has not moved on for some data. Each buffer is packed into
    another once, and the few that this makes perhaps again.
    """
    if own["crowd"][side] < CROWD:
        own["crowd"][side] += 1
        return
    add_range(row, PRUNE_CALLED, 0, 0, 1, out)
    add_range(row, RCV_COLLAPSED, 0, 0, PACKED, out)


@inline
def joined(row: Any, amount: Int, most: Int, out: Any) -> None:
    """tcp_try_coalesce(): segments that may have become a part of the buffer before them."""
    if most > 0:
        add_range(row, RCV_COALESCE, amount, 0, most, out)
