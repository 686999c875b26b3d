"""What a TCP segment is known by at another capture point: kept of every segment of a capture, on disk, in the order of time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np

from analyzer.points.segment import PASSING
from analyzer.schema import Rows
from analyzer.tables import PACKETS

TRUNCATED = PACKETS.bit("stop", "truncated")
CHUNK = 1 << 15  # segments that are read at a time


class Passings:
    """The segments of one capture, appended while it is read. They lie in a file without a name, which goes with the object."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="tcpcap-")  # noqa: SIM115 # as long as this object
        self._room = np.zeros(0, PASSING)
        self.count = 0
        self.flows = 0  # one more than the highest number of a flow
        self.openings = 0  # segments with SYN or FIN
        self.cut = 0  # frames of which not even the headers were captured

    def add(self, rows: Rows) -> None:
        """Keep what packet rows that were judged tell; rows that are no TCP segments, and copies, are passed over."""
        from analyzer.points.passing_kernel import condense

        if len(self._room) < len(rows):
            self._room = np.zeros(len(rows), PASSING)
        count, flows, openings = condense(rows, self._room)
        self._file.write(self._room[:count].tobytes())
        self.count += count
        self.flows = max(self.flows, flows)
        self.openings += openings
        self.cut += int((rows["stop"] == TRUNCATED).sum())

    def chunks(self, most: int = CHUNK) -> Iterator[Rows]:
        """All of them (PASSING), some at a time."""
        self._file.flush()
        at = 0
        while at < self.count:
            number = min(most, self.count - at)
            self._file.seek(at * PASSING.itemsize)
            yield np.frombuffer(bytearray(self._file.read(number * PASSING.itemsize)), PASSING)
            at += number

    def close(self) -> None:
        """Give the room on disk back."""
        self._file.close()
