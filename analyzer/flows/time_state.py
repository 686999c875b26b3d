"""The state that is kept of how a connection spends its time, and of how it talks."""

from __future__ import annotations

import numpy as np

# Where the time of a connection went, and how it talked. The causes are those of `tables.TIME_CAUSES` but the last, with the
# thinking of the low and the high end for that of client and server.
SPENT = 13
TIME_STATE = np.dtype(
    [
        ("upto_ns", "i8"),  # what was before is accounted for
        ("bits", "u4"),  # of the latest moment
        ("flags", "u2"),  # as below
        ("talker", "u1"),  # 1 + the end that sent data last, or 0
        ("waits", "u1"),  # cause of `pending_trip_ns`, if its sender goes on at once
        ("spent_ns", "i8", (SPENT,)),
        ("pending_ns", "u4"),  # spent on what only the next frames tell: an ACK later than the way takes
        ("pending_trip_ns", "u4"),  # and before that, on the way
        ("pace_ns", "u4"),  # between full segments, smoothed
        ("acked", "u4"),  # tick in which the talker's latest burst was first acknowledged, or 0
        ("round", "u4"),  # tick in which the round trip at hand began
        ("round_bytes", "u4", (2,)),  # that the talker sent in it, and in the one before
        ("turn_bytes", "u4"),  # of the talker's message so far
        ("second", "u4"),  # at hand, since the epoch
        ("second_bytes", "u4", (2,)),
        ("busiest_bytes", "u4", (2,)),  # of all seconds before
        ("details", "i4"),  # 1 + the place of its TALK, or 0
        ("note", "i4"),  # the place of its NOTE, which it may have to share
        ("asked_ns", "i8"),  # when the last byte of the message before the talker's was sent
        ("first_byte_ns", "i8"),  # what the slowest answer needed to begin
        ("first_byte_frame", "i8"),
    ],
    align=True,
)
TICK = 16  # a tick is as many ns as two to this power, since the epoch, modulo 2**32
BEGUN, OPENING, OVER, FINISHED = 1, 2, 4, 8  # FINISHED: some FIN was seen
TURNED = 16  # there was an answer; shifted left by 1 for the high end
KEPT = 64  # a keep-alive was sent since the last data
LAST = 128  # the latest frame is of the high end
SEGMENTS, MANY = 256, 7  # the segments of the low end, up to MANY; those of the high end are above them, in 3 bits each
UNNUMBERED = 1 << 14  # IPv4 IDs of the low end do not count its packets one by one; shifted left by 1 for the high end

# Distributions of a connection that took many turns, or sent many segments; three bins to a doubling.
TALK_BINS = 64
FIRST_BYTE, LAST_BYTE, SIZE, IN_FLIGHT = range(4)
TALK = np.dtype(
    [
        ("answers", "i8", (2,)),  # of the low and the high end
        ("most", "i8", (8,)),  # of each of these kinds, of the low and the high end
        ("frame", "i8", (2,)),  # where the slowest answer began
        ("bins", "u2", (8 * TALK_BINS,)),
    ],
    align=True,
)

# A stretch of time that went to one cause, by its number in `tables.TIME_CAUSES`.
STRETCH = np.dtype([("flow", "i8"), ("place", "i8"), ("from_ns", "i8"), ("ns", "i8"), ("cause", "i8")])
STRETCHES_OF_A_FRAME = 6

# The frames that prove where time went, of those connections that lost most of it: each has a place by its number among those whose
# tuples have the same hash, modulo SORTS, and who loses more takes it over. So nobody competes with flows of another sort.
NOTES = 1 << 14
SORTS = 1 << 6
NOTES_OF_SORT = NOTES // SORTS
FIRST_SORT = 3  # where in `talks_used` of a FlowTracker the flows of each sort are counted
NOTE = np.dtype(
    [
        ("flow", "i8"),  # 1 + its number, or 0
        ("weight", "i8"),
        ("partial", "u1"),  # it lost more before it got the place
        # Of each cause, of those where the low end waited or was silent, then of those of the high end:
        ("count", "i8", (2 * SPENT,)),  # of stretches that were long enough to be noted
        ("ns", "i8", (2 * SPENT,)),  # how long they were together
        ("first", "i8", (2 * SPENT,)),  # frame that ended the first one
        ("most_ns", "i8", (2 * SPENT,)),  # the longest
        ("most", "i8", (2 * SPENT,)),  # frame that ended it
    ],
    align=True,
)
