"""What the prediction keeps of each connection of the host, and of the host itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from analyzer.prediction.arrival.state import ARRIVAL
from analyzer.prediction.closing.state import CLOSING
from analyzer.prediction.delivery.state import DELIVERY
from analyzer.prediction.mptcp.state import MPTCP
from analyzer.prediction.opening.state import OPENING
from analyzer.prediction.recovery.state import SENDER
from analyzer.prediction.validity.state import VALIDITY

# Of each end of a connection, 0 client and 1 server, as in `packets.direction`.
TALK = np.dtype(
    [
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
        ("offered", "u1", (2,)),  # its SYN was captured
        ("mss", "u2", (2,)),  # option of that
        ("shift", "u1", (2,)),  # likewise the window scale
        ("scaled", "u1", (2,)),  # and whether it has that option
        ("widest", "i8", (2,)),  # the largest window it has offered
        ("timeout_frame", "i8", (2,)),  # sent by its timer, and nothing came since; else 0
        ("timeout_ns", "i8", (2,)),
        ("run_end", "u4", (2,)),  # where the last segment ended that the stack may have sent in one piece with the next
        ("run_bytes", "i8", (2,)),  # of the segments that may have been one, 0 without
        ("run_size", "i8", (2,)),  # of each of them
        ("run_tsval", "u4", (2,)),
        ("run_ns", "i8", (2,)),
        ("halved", "u1", (2,)),  # how often it made its segments smaller, as it probes for the MTU
        ("signs", "u1", (2,)),  # its last segment had an MD5 signature
        ("translated", "u1"),  # the host passes it on under its own address (NAT), and is neither end
    ],
    align=True,
)
RUN_BYTES = 65536  # the largest piece that the stack sends (GSO_LEGACY_MAX_SIZE)
RUN_NS = 1_000_000  # pieces of one super-segment are captured one right after the other
SHAPED_NS = 2_000_000_000  # unless a queueing discipline cuts it and spaces them out; then their TSval tells
DEFAULT_MSS = 1460

# How far the connection is at one end.
NOTHING, SYN_SENT, SYN_RECEIVED, ESTABLISHED, GONE = range(5)

# What each family keeps of a connection. All zeros before its first frame.
CONNECTION = np.dtype(
    [
        ("talk", TALK),
        ("validity", VALIDITY),
        ("opening", OPENING),
        ("delivery", DELIVERY),
        ("arrival", ARRIVAL),
        ("closing", CLOSING),
        ("mptcp", MPTCP),
        ("recovery", SENDER, (2,)),
    ],
    align=True,
)
WORDS = CONNECTION.itemsize // 4
SLOTS = 1 << 14  # connections that are at hand; the others rest, folded

# Of each place that the tracker gives to flows.
PLACE = np.dtype(
    [
        ("flow", "i8"),  # that is here: a place is used again
        ("at", "i4"),  # 1 + its slot, or -1 times the first chunk of its rest; 0 for a flow that is not the host's
        ("open", "u1"),  # of one that rests, what only the end of the capture makes certain (OPEN_...)
    ],
    align=True,
)
OPEN_SYN, OPEN_TIMER, OPEN_ORPHAN, OPEN_HELD = 1, 2, 4, 8

SLOT = np.dtype(
    [("place", "i8"), ("used", "u1")], align=True
)  # whose connection it holds, and whether it was used of late

# A part of a connection that rests. Chunk 0 is none of them: its `next` begins the list of those that are free again, its
# first words say how many were ever taken, and how many of them are free.
CHUNK_WORDS = 31
CHUNK = np.dtype([("words", "u4", (CHUNK_WORDS,)), ("next", "i4")], align=True)


class Connections(NamedTuple):
    """The connections of the host.

    `places` (PLACE); `hot` (CONNECTION) those at hand, `words` the same as u4, `slots` (SLOT) whose they are; `chunks` (CHUNK) the
    others.
    """

    places: Any
    hot: Any
    words: Any
    slots: Any
    chunks: Any


CONNECTIONS = Connections(PLACE, CONNECTION, (np.uint32, (WORDS,)), SLOT, CHUNK)
