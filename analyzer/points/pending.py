"""What is remembered while the packets of two points are matched: segments for as long as they may still meet, and ways."""

from __future__ import annotations

import numpy as np

from analyzer.points.segment import PASSING
from analyzer.schema import Rows

FIRST_ROOM = 1 << 12
PLACES = 1 << 18  # of a table of hashes
BLOCK_BITS = 17  # data is also found by the block of the sequence space that it lies in: a super-segment is no longer

# Beside each segment that was sent. Numbers of segments count on; -1 is none, and those that have left are below the oldest.
SENT = np.dtype(
    [
        ("same", "i8"),  # the one before with the same hash
        (
            "in_block",
            "i8",
            (2,),
        ),  # likewise of the block where it begins, and of that where it ends; twice the number, and which
        ("before", "i8"),  # the one before of the same way
        ("after", "i8"),
        ("packet", "i8"),  # its number
        ("order", "i8"),  # among those of its way
        ("came_frame", "i8"),  # the first frame at the other point, 0 before
        ("came_ns", "i8"),
        ("came_as", "i8"),  # how many of its way had come before that
        ("covered", "i8"),  # bytes of it that came
        ("piece", "u4"),  # of a datagram that was cut: how large its pieces are
        ("times", "i4"),  # how often it came
        ("fields", "u4"),
        ("status", "u2"),
        ("acked_before", "u1"),  # was it acknowledged when it was sent
    ],
    align=True,
)
# Beside each segment that came.
CAME = np.dtype(
    [
        ("same", "i8"),
        ("before", "i8"),
        ("origin", "i8"),  # the segment that was sent, the first of several
        ("packet", "i8"),
        ("sent_frame", "i8"),
        ("sent_ns", "i8"),
        ("fields", "u4"),
        ("late_by", "i4"),
        ("status", "u2"),
    ],
    align=True,
)
# One direction of a connection.
WAY = np.dtype(
    [
        ("last_sent", "i8"),
        ("last_came", "i8"),
        ("sent", "i8"),  # how many
        ("came", "i8"),
        ("latest", "i8"),  # the highest `order` that came
        ("usual_ns", "i8"),  # how long they take, smoothed
        ("acked", "u4"),  # the highest acknowledgment for its data
        ("acked_known", "u1"),
        ("keeps_tsval", "u1"),  # does the path leave timestamps as they are, and the IPv4 ID
        ("keeps_id", "u1"),
        ("ttl", "u1"),  # of those that came, and how many routers they had passed
        ("ttl_known", "u1"),
        ("hops", "i2"),
    ],
    align=True,
)
# All there is of both queues: the oldest and the next segment that was sent, likewise that came; the next packet; the time.
OLDEST_SENT, NEXT_SENT, OLDEST_CAME, NEXT_CAME, NEXT_PACKET, NOW = range(6)

# What became of a segment, as far as the match tells: bits of `status`.
MET, COPY, LATE, CORRUPT, ACKED, PARTLY, NEAR, OTHER_TTL, WHOLE, NOT_SURE, ACKED_BEFORE = (
    1 << bit for bit in range(11)
)
PASSED = np.dtype(
    [
        ("packet", "i8"),
        ("frame", "i8"),
        ("when_ns", "i8"),
        ("flow", "i8"),
        ("related_frame", "i8"),
        ("delay_ns", "i8"),
        ("lost_bytes", "i8"),
        ("fields", "u4"),
        ("late_by", "i4"),
        ("connection", "i4"),
        ("ip_len", "u4"),
        ("payload_len", "u4"),
        ("order", "i8"),
        ("seq", "u4"),
        ("ack", "u4"),
        ("flags", "u2"),
        ("status", "u2"),
        ("way", "u1"),
        ("side", "u1"),
        ("direction", "u1"),
        ("note", "u1"),  # what was said of it where it was captured
    ],
    align=True,
)


class Pending:
    """Room for the segments that wait, which grows, and the state of the ways of `connections` connections."""

    def __init__(self, connections: int) -> None:
        self.sent, self.sent_links = np.zeros(FIRST_ROOM, PASSING), np.zeros(FIRST_ROOM, SENT)
        self.came, self.came_links = np.zeros(FIRST_ROOM, PASSING), np.zeros(FIRST_ROOM, CAME)
        self.state = np.zeros(6, np.int64)
        self.tables = np.full((3, PLACES), -1, np.int64)
        self.ways = np.zeros(2 * connections, WAY)
        for name in ("last_sent", "last_came", "latest", "usual_ns"):
            self.ways[name] = -1
        self.ways["keeps_tsval"] = self.ways["keeps_id"] = 1

    def make_room(self, more: int) -> None:
        """See that so many more segments of either kind find room."""
        state = self.state
        self.sent, self.sent_links = _grown(self.sent, self.sent_links, state[OLDEST_SENT], state[NEXT_SENT], more)
        self.came, self.came_links = _grown(self.came, self.came_links, state[OLDEST_CAME], state[NEXT_CAME], more)


def _grown(segments: Rows, links: Rows, oldest: int, following: int, more: int) -> tuple[Rows, Rows]:
    """A ring that has room for so many more, with the same segments at the places of their numbers."""
    size = len(segments)
    while size < following - oldest + more:
        size *= 2
    if size == len(segments):
        return segments, links
    numbers = np.arange(oldest, following)
    found = []
    for ring in (segments, links):
        larger = np.zeros(size, ring.dtype)
        larger[numbers & (size - 1)] = ring[numbers & (len(ring) - 1)]
        found.append(larger)
    return found[0], found[1]
