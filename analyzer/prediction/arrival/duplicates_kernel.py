"""Compiled prediction of duplicates that the host's receiver notes for a DSACK: tcp_dsack_set().

Each counts as it comes. Those that come before the next ACK leaves are reported by one DSACK, the last of them, or by none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.kinds import CAUSE
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER

OLD_SENT, OFO_SENT = NUMBER["TcpExtTCPDSACKOldSent"], NUMBER["TcpExtTCPDSACKOfoSent"]
C_OLD = CAUSE["old"]
MOST = 1000  # more are not told apart


@inline
def duplicate(row: Any, own: Any, side: Int, kind: Int, dsack: Any, out: Any) -> None:
    """A segment that is there already, in whole or in part: an old one (kind 0), or one that waits out of order (1)."""
    if dsack and own["sack"][0] and own["sack"][1] and own["twice"][side, kind] < MOST:
        own["twice"][side, kind] += 1
        add_range(row, OFO_SENT if kind else OLD_SENT, 0, 0, 1, out)


@inline
def reported(row: Any, own: Any, side: Int, cause: Int, out: Any) -> None:
    """A DSACK of the host. The others that came before it have been counted too, unless they were joined in the backlog."""
    kind = 0 if cause == C_OLD else 1
    counter = OFO_SENT if kind else OLD_SENT
    if own["twice"][side, kind] > 0:
        own["twice"][side, kind] -= 1
        add_range(row, counter, 1, 1, 0, out)
    else:
        add(row, counter, 1, out)
    for k in range(2):
        waiting = np.int64(own["twice"][side, k])
        if waiting > 0:
            add_range(row, OFO_SENT if k else OLD_SENT, waiting, 0, 0, out)
        own["twice"][side, k] = 0
