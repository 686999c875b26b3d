"""Order of time: how long a row waits for others that may come before it, and which order is right where they contradict.

The frames of one interface stay in their order, whatever its clock does. One is put before frames of others that are later
by a second at most, and before none of the block of 32,768 frames that lies behind the last; what comes later than that
stays where it is. Frames keep their numbers. Where acknowledgments precede what they acknowledge by the times, and not by the
file, the clocks of the interfaces differ: then the order of the file is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from analyzer.capture import Capture
from analyzer.schema import Rows
from analyzer.serial import difference
from analyzer.tables import PACKETS

LOOK_BACK, LOOK_AHEAD = 2048, 1024  # frames around the first that is out of order: they tell which order is right
FIN, SYN, RST, ACK = 1, 2, 4, 16
FAR = 1 << 30
TCP = PACKETS.bit("layers", "tcp")


class TimeOrder:
    """Takes the packet rows of a capture in the order of the file, and gives them out in order of time.

    What it gives holds until the next are asked for, as what it takes does; of what it holds back it makes copies.
    """

    def __init__(self, capture: Capture) -> None:
        from analyzer.ordering.place_kernel import NO_TIME, ORDER

        self._capture = capture
        self._order = np.zeros(1, ORDER)
        for name in ("latest", "block", "block_before", "floor"):
            self._order[name] = NO_TIME
        self._reached = np.zeros(0, np.int64)
        self._held: list[tuple[Rows, npt.NDArray[np.int64]]] = []  # in the order of the file while it is not sorted
        self._sorted = True
        self._asked: int | None = None  # the first frame that is out of order, until it is clear what to think of it
        self._decided = False

    def put(self, rows: Rows) -> Iterator[Rows]:
        """Take the rows of the next batch, and give those before which nothing can come any more."""
        if not self._capture.may_have_several_interfaces:
            yield rows
            return
        from analyzer.ordering.place_kernel import NO_TIME, ON, place

        if self._now("frames") == 0 and self._capture.has_several_interfaces:
            self._order["state"] = ON
        missing = len(self._capture.interfaces) - len(self._reached)
        if missing > 0:
            room = np.full(max(missing, len(self._reached)), NO_TIME, np.int64)
            self._reached = np.concatenate([self._reached, room])
        keys = np.empty(len(rows), np.int64)
        first = place(rows, self._reached, self._order, keys)
        self._held.append((rows, keys))
        if first < len(rows):
            self._sorted = False
            if not self._decided and self._asked is None:
                self._asked = int(rows["frame"][first])
        if self._asked is not None:
            if self._now("frames") < self._asked + LOOK_AHEAD:
                self._keep(rows)
                return
            self._decide()
        yield from self._up_to(self._now("floor"))
        self._keep(rows)

    def rest(self) -> Iterator[Rows]:
        """Give what is left."""
        if self._asked is not None:
            self._decide()
        yield from self._up_to(self._now("latest"))

    @property
    def seen(self) -> dict[str, int]:
        """What it has seen and done: the fields of ORDER."""
        return {name: int(self._order[name][0]) for name in self._order.dtype.names or ()}

    def _now(self, name: str) -> int:
        return int(self._order[name][0])

    @property
    def clocks_differ(self) -> bool:
        """Do the times of the interfaces contradict each other?"""
        from analyzer.ordering.place_kernel import KEEP

        return self._now("state") == KEEP

    def _up_to(self, floor: int) -> Iterator[Rows]:
        """The rows whose keys are not higher."""
        if not self._sorted:
            rows, keys = self._all()
            right = np.argsort(keys, kind="stable")
            self._held, self._sorted = [(rows[right], keys[right])], True
        left = []
        for rows, keys in self._held:
            count = int(np.searchsorted(keys, floor, side="right"))
            if count:
                yield rows[:count]
            if count < len(rows):
                left.append((rows[count:], keys[count:]))
        self._held = left

    def _keep(self, given: Rows) -> None:
        """Copy what is held back of the rows that were given last: their memory is used again."""
        if self._held and np.may_share_memory(self._held[-1][0], given):
            rows, keys = self._held[-1]
            self._held[-1] = rows.copy(), keys

    def _all(self) -> tuple[Rows, npt.NDArray[np.int64]]:
        """The rows that are held, and their keys."""
        return np.concatenate([rows for rows, _ in self._held]), np.concatenate([keys for _, keys in self._held])

    def _decide(self) -> None:
        """Is the order of time right, or that of the file? By what precedes its acknowledgment in each."""
        from analyzer.ordering.place_kernel import KEEP

        rows, keys = self._all()
        asked = self._asked or 0
        around = (rows["frame"] >= asked - LOOK_BACK) & (rows["frame"] < asked + LOOK_AHEAD)
        some, their_keys = rows[around], keys[around]
        if contradictions(some) < contradictions(some[np.argsort(their_keys, kind="stable")]):
            self._order["state"] = KEEP
            self._order["floor"] = self._order["latest"]
            for name in ("moved", "moved_ns", "first_moved", "too_late"):
                self._order[name] = 0
            self._held, self._sorted = [(rows, np.maximum.accumulate(keys))], True
        self._asked, self._decided = None, True


def contradictions(rows: Rows) -> int:
    """How often an acknowledgment precedes what it acknowledges, in this order of TCP packets."""
    found = 0
    highest: dict[tuple[int, ...], int] = {}
    for row in rows[(rows["layers"] & TCP > 0) & (rows["flags"] & RST == 0)]:
        source = int(row["src_hi"]), int(row["src_lo"]), int(row["src_port"])
        target = int(row["dst_hi"]), int(row["dst_lo"]), int(row["dst_port"])
        flags, ack = int(row["flags"]), int(row["ack"])
        end = (int(row["seq"]) + int(row["payload_len"]) + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFFFFFF
        known = highest.get(source + target)
        if known is None or flags & SYN or 0 < difference(end, known) < FAR:
            highest[source + target] = end
        if flags & ACK:
            known = highest.setdefault(target + source, ack)
            if 0 < difference(ack, known) < FAR:
                found += 1
                highest[target + source] = ack
    return found


class FileOrder:
    """Takes packet rows in order of time, and gives them in the order of the file: a capture's table is in that of its frames."""

    def __init__(self) -> None:
        self._next = 1
        self._held = np.zeros(0, PACKETS.dtype)
        self._gone = np.zeros(0, np.int64)

    def put(self, rows: Rows, gone: npt.NDArray[np.int64] | None = None) -> Rows:
        """Take rows, and give those that are next in the file, if they are there. `gone` (int64) are frames that are left out."""
        if len(self._held):
            rows = np.concatenate([self._held, rows])
        if gone is not None:
            self._gone = np.concatenate([self._gone, gone])
        frames = np.concatenate([rows["frame"], self._gone]) if len(self._gone) else rows["frame"]
        expected = np.arange(self._next, self._next + len(frames))
        if not np.array_equal(frames, expected):
            rows, frames = rows[np.argsort(rows["frame"])], np.sort(frames)
        self._next += int(np.count_nonzero(frames == expected))
        self._gone = self._gone[self._gone >= self._next]
        count = int(np.searchsorted(rows["frame"], self._next))
        self._held = rows[count:].copy()
        return rows[:count]
