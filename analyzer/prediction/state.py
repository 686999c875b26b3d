"""What the prediction keeps of a connection and of the whole host, and the rows that it makes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from analyzer.prediction.arrival.state import ARRIVAL, RANGE
from analyzer.prediction.closing.state import CLOSING
from analyzer.prediction.delivery.state import DELIVERY, PIECES
from analyzer.prediction.mptcp.state import MPTCP
from analyzer.prediction.opening.state import OPENING
from analyzer.prediction.recovery.state import RECOVERY_STATE
from analyzer.prediction.validity.state import VALIDITY

# Of each end of a connection, 0 client and 1 server, as in `packets.direction`.
TALK = np.dtype(
    [
        ("flow", "i8"),  # whose state this is: a place is used again
        ("syn", "u1", (2,)),  # it has sent a SYN without ACK
        ("syn_ack", "u1", (2,)),
        ("iss", "u4", (2,)),
        ("established", "u1", (2,)),
        ("gone", "u1", (2,)),  # reset, or in TIME_WAIT: nothing is left of the connection at this end
        ("spoken", "u1", (2,)),  # it has sent something since the connection was established
        ("high", "u4", (2,)),  # the number after the highest it has sent
        ("told", "u4", (2,)),  # what it last acknowledged
        ("fin", "u1", (2,)),  # it has sent a FIN
        ("fin_end", "u4", (2,)),  # the number after it
        ("fin_acked", "u1", (2,)),
        ("mss", "u2", (2,)),  # option of its SYN
        ("shift", "u1", (2,)),  # likewise the window scale
        ("scaled", "u1", (2,)),  # and whether it has that option
        ("widest", "i8", (2,)),  # the largest window it has offered
        ("timestamps", "u1", (2,)),
        ("timeout_frame", "i8", (2,)),  # sent by its timer, and nothing came since; else 0
        ("timeout_ns", "i8", (2,)),
        ("run_end", "u4", (2,)),  # where the last segment ended that the stack may have sent in one piece with the next
        ("run_bytes", "i8", (2,)),  # of the segments that may have been one, 0 without
        ("run_size", "i8", (2,)),  # of each of them
        ("run_tsval", "u4", (2,)),
        ("run_ns", "i8", (2,)),
        ("translated", "u1"),  # the host passes it on under its own address (NAT), and is neither end
    ],
    align=True,
)

INCREMENT = np.dtype(
    [
        ("time_ns", "i8"),
        ("frame", "i8"),
        ("flow", "i8"),
        ("counter", "u2"),
        ("amount", "i8"),
        ("least", "i8"),
        ("most", "i8"),
    ],
    align=True,
)
RUN_BYTES = 65536  # the largest piece that the stack sends (GSO_LEGACY_MAX_SIZE)
RUN_NS = 1_000_000  # pieces of one super-segment are captured one right after the other
OUT_CAPACITY = 1 << 15
DEFAULT_MSS = 1460

# How far the connection is at one end.
NOTHING, SYN_SENT, SYN_RECEIVED, ESTABLISHED, GONE = range(5)


class States(NamedTuple):
    """What each family keeps of a connection, by its place: arrays with one row per place."""

    talks: Any
    closings: Any
    mptcps: Any
    recovery: Any
    arrivals: Any
    ranges: Any  # a pool for all; it grows with the places
    validity: Any
    delivery: Any
    pieces: Any  # likewise
    opening: Any


STATES = States(TALK, CLOSING, MPTCP, RECOVERY_STATE, ARRIVAL, RANGE, VALIDITY, DELIVERY, PIECES, OPENING)
