"""The two passes over a capture that is mended: what must be known before anything is written, and the bytes made right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.blank import blank
from analyzer.capture import Interfaces, RecordBatch
from analyzer.capture.capture import WINDOW_BYTES
from analyzer.capture.source import Bytes
from analyzer.checksums.checker import Checker, words_of
from analyzer.checksums.state import DATAGRAM, DIRECTIONS, FOUND, HEAD, SETS, WAYS
from analyzer.decode import links_of
from analyzer.schema import Rows
from analyzer.tables import PACKETS

MAX_FOUND = 1 << 20


class Survey:
    """The first pass: which directions are offloaded, and what the frame with a checksum does not hold of its datagram."""

    def __init__(self) -> None:
        self.checker = Checker()
        self.datagrams = blank(SETS * WAYS, DATAGRAM)
        self.begun = np.zeros(1, np.int64)
        self._heads = blank(SETS * WAYS, HEAD)
        self._found = blank(MAX_FOUND, FOUND)
        self._room = np.zeros(3, np.int64)
        self.scratch, self.blank = np.zeros(1, PACKETS.dtype), np.zeros(1, PACKETS.dtype)

    def add(self, batch: RecordBatch, rows: Rows, interfaces: Interfaces) -> None:
        """Take the next batch."""
        from analyzer.checksums.pieces_kernel import collect_datagrams

        self.checker.check(batch, rows.copy(), interfaces)  # what is written goes by the fragments as they stand
        words, skip = words_of(batch.buffer)
        collect_datagrams(
            batch.buffer, words, skip, batch.rows, rows, links_of(interfaces), self.scratch, self.blank,
            self.datagrams, self.begun, self._heads, self._found, self._room,
        )  # fmt: skip

    @property
    def found(self) -> Rows:
        """The datagrams (FOUND) whose checksum may have to change, in order of their keys."""
        found = self._found[: int(self._room[0])]
        return found[np.argsort(found["key"], kind="stable")]

    @property
    def incomplete(self) -> int:
        """Fragments that belong to no datagram that could be verified."""
        return int(self._room[1] - self._room[2])


class Fixer:
    """The second pass: batches enter, their bytes leave with right checksums."""

    def __init__(self, survey: Survey, marked: npt.NDArray[np.bool_], everything: bool) -> None:
        from analyzer.checksums.fix_kernel import KINDS

        self._survey = survey
        self._found = survey.found
        self._marked = np.zeros(DIRECTIONS, np.bool_)  # the first is those for which there was no room
        self._marked[1 : len(marked) + 1] = marked
        self._everything = everything
        self._full = survey.checker.memory.room.copy()
        self._full[0] = DIRECTIONS - 1
        self._table = _crc_table()
        self._room = np.zeros(0, np.uint8)
        self.counts = np.zeros(KINDS, np.int64)

    def fixed(self, batch: RecordBatch, rows: Rows, interfaces: Interfaces) -> Bytes:
        """The bytes of the batch's buffer as far as its last record, which stay right until the next call."""
        from analyzer.checksums.fix_kernel import fix_frames

        last = batch.rows[-1]
        size = int(last["offset"]) + int(last["captured"])
        if size > len(self._room):
            self._room = np.empty(max(size, WINDOW_BYTES), np.uint8)
        buffer = self._room[:size]
        np.copyto(buffer, batch.buffer[:size])
        survey, checker = self._survey, self._survey.checker
        words, skip = words_of(buffer)
        fix_frames(
            batch.buffer, buffer, words, skip, batch.rows, rows, links_of(interfaces), survey.scratch, survey.blank,
            checker.memory.directions, checker.memory.slots, self._full, self._marked,
            self._everything, self._found, self._table, self.counts,
        )  # fmt: skip
        return buffer


def _crc_table() -> npt.NDArray[np.int64]:
    """CRC-32 of each byte (IEEE 802.3)."""
    table = np.arange(256, dtype=np.int64)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ 0xEDB88320, table >> 1)
    return table
