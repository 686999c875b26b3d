"""What a TCP segment is known by at another capture point: kept of every segment of a capture, on disk, in the order of time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np

from analyzer.schema import Rows
from analyzer.tables import PACKETS

# One segment. `low` says that its source is the end with the lower address and port (as flows/state.py orders them). What the
# capture does not tell is filled in when the clocks and connections of both points are known.
PASSING = np.dtype(
    [
        ("time_ns", "i8"),
        ("when_ns", "i8"),  # on the clock of the first point
        ("key_ns", "i8"),  # by which both captures are put in order: it never falls within a capture
        ("frame", "i8"),
        ("flow", "i8"),
        ("connection", "i4"),
        ("seq", "u4"),
        ("ack", "u4"),
        ("tsval", "u4"),
        ("payload_len", "u4"),
        ("ip_len", "u4"),
        ("ip_id", "u2"),
        ("window", "u2"),
        ("flags", "u2"),
        ("checksum_field", "u2"),
        ("options", "u2"),
        ("mss", "u2"),
        ("src_port", "u2"),
        ("dst_port", "u2"),
        ("source", "u4"),  # addresses, as hashes of 32 bits: they are only compared
        ("target", "u4"),
        ("ttl", "u1"),
        ("tos", "u1"),
        ("window_scale", "u1"),
        ("ip_version", "u1"),
        ("ip_flags", "u1"),
        ("low", "u1"),
        ("direction", "u1"),
        ("way", "u1"),  # 1 from the end with the lower address at the first point
        ("side", "u1"),  # 0 captured at the first point, 1 at the second
        ("near", "u1"),  # 1 before the other point, 0 after it, or UNSURE
        ("bad", "u1"),  # its checksum, or that of its IPv4 header, is wrong
    ],
    align=True,
)
UNSURE = 2
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
