"""Compiled prediction of how received data gets into the buffers of the host: header prediction, and segments joined to one buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.counters.prediction.arrival_state import PAGE, SKB_BYTES
from analyzer.counters.prediction.emit_kernel import add_range
from analyzer.counters.prediction.names import NUMBER
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.serial import difference

difference = inline(difference)
PSH, ACK = 8, 16

HP_HITS, RCV_COALESCE = NUMBER["TcpExtTCPHPHits"], NUMBER["TcpExtTCPRcvCoalesce"]


@kernel
def predicted(row: Any, own: Any, side: Int, out: Any, used: Any) -> Any:
    """tcp_rcv_established(): may data in order take the fast path? Called for what is next, before it is taken.

    The header must be as predicted, and the memory that the socket has in hand must do for the buffer; as the socket gives back whole
    pages, it has less than one.
    """
    header = 32 if row["options"] & O_TIMESTAMPS else 20
    fits = (
        own["predicts"][side]
        and own["queue"][side] == 0
        and np.int64(row["flags"]) & ~PSH == ACK
        and row["header_len"] == header
        and row["window"] == own["peer_window"][side]
        and np.int64(row["payload_len"]) + SKB_BYTES < PAGE
        and difference(own["edge"][side], own["next"][side]) > 0
    )
    if fits:
        add_range(row, HP_HITS, 0, 0, 1, out, used)
    return fits


@inline
def joined(row: Any, amount: Int, most: Int, out: Any, used: Any) -> None:
    """tcp_try_coalesce(): segments that may have become a part of the buffer before them."""
    if most > 0:
        add_range(row, RCV_COALESCE, amount, 0, most, out, used)
