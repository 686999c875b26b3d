"""Compiled: segments that may have been joined while the application held the socket (tcp_add_backlog())."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.prediction.emit_kernel import add_range
from analyzer.prediction.names import NUMBER

BACKLOG_COALESCE = NUMBER["TcpExtTCPBacklogCoalesce"]
OWNED_NS = 2_000_000  # for so long a call of the application may hold the socket
FIN, SYN, RST, ACK, URG = 1, 2, 4, 16, 32


@inline
def may_wait(row: Any, own: Any, side: Int, out: Any) -> None:
    """Does the segment follow at once on the one before it, with the same options? Whether either waited, no packet tells."""
    flags = np.int64(row["flags"])
    joinable = flags & (SYN | RST | ACK | URG) == ACK
    own["waited"][side] = (
        joinable
        and row["time_ns"] - own["before_ns"][side] < OWNED_NS
        and row["seq"] == own["before_end"][side]
        and row["tsval"] == own["before_tsval"][side]
        and row["tsecr"] == own["before_tsecr"][side]
        and row["sack_left_1"] == own["before_sack"][side]
        and row["sack_right_1"] == own["before_sack_end"][side]
    )
    if own["waited"][side]:
        add_range(row, BACKLOG_COALESCE, 0, 0, 1, out)
    own["before_ns"][side] = row["time_ns"] if joinable else 0
    own["before_end"][side] = np.int64(row["seq"]) + np.int64(row["payload_len"]) + (flags & FIN) & 0xFFFFFFFF
    own["before_tsval"][side], own["before_tsecr"][side] = row["tsval"], row["tsecr"]
    own["before_sack"][side], own["before_sack_end"][side] = row["sack_left_1"], row["sack_right_1"]
