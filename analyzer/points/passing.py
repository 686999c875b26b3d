"""What packets are known by at another capture point: kept of every segment and datagram of a capture, on disk, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.capture import Interfaces, RecordBatch
from analyzer.output import temporary_file
from analyzer.points.segment import CUT, DATAGRAM, PASSING, TWIN
from analyzer.schema import Rows

CHUNK = 1 << 14  # segments that are read at a time
MOST_HOSTS = 1 << 18  # pairs of hosts between which something without ports passes
NS = 1_000_000_000
TWINS = 3  # a capture in which every third datagram comes twice is one that duplicates


class Passings:
    """The segments of one capture, appended while it is read. They lie in a file without a name, which goes with the object."""

    def __init__(self) -> None:
        self._file = temporary_file()
        self._room = np.zeros(0, PASSING)
        self._recent = np.zeros(0, np.void)
        self._hosts: dict[int, int] = {}
        self._twins = 0
        self._second = self._in_second = 0
        self.busiest = 0  # the most in a second of the clock
        self.datagrams = 0  # and fragments of such
        self.count = 0
        self.flows = 0  # one more than the highest number of a flow
        self.openings = 0  # segments with SYN or FIN
        self.cut = 0  # frames of which not even the numbers in the headers were captured
        self.is_cut = False  # is a datagram cut, so that no more than its beginning can be compared

    @property
    def members(self) -> int:
        """One more than the highest `member`."""
        return 2 * max(self.flows, len(self._hosts))

    def mark(self, batch: RecordBatch, interfaces: Interfaces, rows: Rows) -> None:
        """Note in the rows of a batch what datagrams are known by, which can be told only while its bytes are there."""
        from analyzer.points.payload_kernel import mark_datagrams

        mark_datagrams(batch.buffer, batch.rows, rows)

    def add(self, rows: Rows) -> None:
        """Keep what packet rows that were judged tell; rows of other protocols, and copies, are passed over."""
        from analyzer.points.passing_kernel import PLACES, RECENT, condense

        if len(self._room) < len(rows):
            self._room = np.zeros(len(rows), PASSING)
        if not len(self._recent):
            self._recent = np.zeros(PLACES, RECENT)
        count, flows, openings, cut = condense(rows, self._recent, self._room)
        found = self._room[:count]
        self._note_datagrams(found)
        self._note_rate(found)
        self._file.write(found.tobytes())
        self.count += count
        self.flows = max(self.flows, flows)
        self.openings += openings
        self.cut += cut

    def _note_datagrams(self, found: Rows) -> None:
        """Number the pairs of hosts of what has no ports, and count."""
        flags = found["flags"]
        self.datagrams += int(((flags & DATAGRAM) != 0).sum())
        self._twins += int(((flags & TWIN) != 0).sum())
        self.is_cut = self.is_cut or bool(((flags & CUT) != 0).any())
        for at in np.flatnonzero(found["member"] < 0):
            ends = sorted((int(found["source"][at]), int(found["target"][at])))
            pair = ends[0] << 32 | ends[1]
            if pair not in self._hosts and len(self._hosts) < MOST_HOSTS:
                self._hosts[pair] = len(self._hosts)
            found["member"][at] = 2 * self._hosts.get(pair, -1) + 1  # -1 is left out

    def _note_rate(self, found: Rows) -> None:
        """Count how many there are in each second; they come in order of time."""
        seconds, counts = np.unique(found["time_ns"] // NS, return_counts=True)
        for second, number in zip(seconds.tolist(), counts.tolist(), strict=True):
            self._in_second = number + (self._in_second if second == self._second else 0)
            self._second = second
            self.busiest = max(self.busiest, self._in_second)

    def chunks(self, most: int = CHUNK, by_part: bool = False) -> Iterator[Rows]:
        """All of them (PASSING), some at a time; of a capture that duplicates without the copies of datagrams.

        With `by_part` datagrams are known by what a cut one shows, too, and those that have no IPv4 ID are left out.
        """
        self._file.flush()
        doubles = TWINS * self._twins >= self.datagrams - self._twins
        at = 0
        while at < self.count:
            number = min(most, self.count - at)
            self._file.seek(at * PASSING.itemsize)
            rows = np.frombuffer(bytearray(self._file.read(number * PASSING.itemsize)), PASSING)
            at += number
            if self.datagrams:
                rows = _comparable(rows, doubles, by_part)
            yield rows

    def close(self) -> None:
        """Give the room on disk back."""
        self._file.close()


def _comparable(rows: Rows, doubles: bool, by_part: bool) -> Rows:
    """Those of both captures that can be compared."""
    datagram = (rows["flags"] & DATAGRAM) != 0
    kept = rows["member"] >= 0
    if doubles:
        kept &= (rows["flags"] & TWIN) == 0
    if by_part:
        kept &= ~datagram | ((rows["ip_version"] == 4) & (rows["ip_id"] != 0))
    if not kept.all():
        rows, datagram = rows.compress(kept), datagram[kept]
    if by_part:
        rows["ack"][datagram] = rows["payload_len"][datagram]
    rows["flags"][datagram] = DATAGRAM
    return rows
