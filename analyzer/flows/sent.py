"""What was sent and is not known to have arrived: a record per segment, and a board of what is missing, reported or in doubt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# One segment that took sequence space; all of them in one ring, at the place of its frame: those of the latest SENT_CAPACITY frames,
# whosever they are, so that what is forgotten hangs on the capture alone. It has three parts: what
# an acknowledgment looks through, so small that the open segments of many connections fit the processor's cache; what of
# those acknowledged only the newest is asked for; and what there is to say only of one that was sent again.
CHAIN = np.dtype(
    [
        ("end", "i8"),
        ("ahead", "u4"),  # how many records further the next of the same end is; 0 without one
        ("times", "u2"),
        ("needless", "u1"),
    ],
    align=True,
)
FIRST = np.dtype([("start", "i8"), ("time_ns", "i8"), ("frame", "i8"), ("tsval", "u4"), ("ip_id", "u2")], align=True)
AGAIN = np.dtype(  # holds nothing where `times` is 1
    [
        ("before", "i8"),  # number of the record that was retransmitted before this one
        ("time_ns", "i8"),  # of the latest transmission
        ("frame", "i8"),
        ("end", "i8"),  # how far it was retransmitted
        ("tsval", "u4"),
    ],
    align=True,
)


class Sent(NamedTuple):
    """The ring; a row of each part is a record."""

    chain: Any
    first: Any
    again: Any


SENT = (CHAIN, FIRST, AGAIN)  # dtypes of its members
SENT_CAPACITY = 1 << 18
WALK = 512  # how many records are looked at to find one

# What is missing, what was reported by SACK, and verdicts that wait for what comes; only ends that ever needed it have one.
HOLES, BLOCKS, DOUBTS = 16, 8, 8
GAP, COPY = 1, 2  # kinds of doubts: was it not captured, or late; did the capture double it, or the network
BOARD = np.dtype(
    [
        ("owner", "i8"),
        ("holes", "i4"),
        ("blocks", "i4"),
        ("hole_start", "i8", (HOLES,)),
        ("hole_end", "i8", (HOLES,)),
        ("hole_ns", "i8", (HOLES,)),  # time, TSval and IPv4 ID of the segment behind the hole
        ("hole_tsval", "u4", (HOLES,)),
        ("hole_ip_id", "u4", (HOLES,)),
        ("block_start", "i8", (BLOCKS,)),
        ("block_end", "i8", (BLOCKS,)),
        ("doubt_start", "i8", (DOUBTS,)),  # of the data, in positions
        ("doubt_end", "i8", (DOUBTS,)),
        ("doubt_until", "i8", (DOUBTS,)),  # the time at which it is settled without an answer
        ("doubt_ns", "i8", (DOUBTS,)),  # time and number of the frame that is judged
        ("doubt_frame", "i8", (DOUBTS,)),
        ("doubt_related", "i8", (DOUBTS,)),  # COPY: the first copy
        ("doubt_value", "i8", (DOUBTS,)),  # COPY: ns since then; GAP: is it one, unless what is missing comes
        ("doubt_size", "u4", (DOUBTS,)),  # COPY: bytes of the frame, and of its payload
        ("doubt_payload", "u4", (DOUBTS,)),
        ("doubt_tsecr", "u4", (DOUBTS,)),  # GAP: what the acknowledgment echoes
        ("doubt_echoes", "u1", (DOUBTS,)),  # GAP: does it echo anything
        ("doubt_interface", "i4", (DOUBTS,)),
        ("doubt_unseen", "u1", (DOUBTS,)),  # COPY: options of an answer were cut off, which may have told
        ("doubt_kind", "u1", (DOUBTS,)),
        ("doubt_direction", "u1", (DOUBTS,)),
    ],
    align=True,
)

# Boards are taken from one that was not touched for long where all are in use; a capture has to have this many ends in
# trouble at a time before anything is forgotten.
BOARDS = 1 << 17
