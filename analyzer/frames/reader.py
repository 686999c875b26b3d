"""A reader of captures that makes packet rows as records are found, or afterwards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.capture import Interfaces, RecordBatch
from analyzer.capture.layout import GIVEN, INTERFACE, LAYOUT
from analyzer.capture.records import RECORDS
from analyzer.capture.source import Bytes
from analyzer.checksums import Checker
from analyzer.checksums.checker import words_of
from analyzer.decode import RowRoom, links_of, words_of_rows
from analyzer.decode.fragments import TIMEOUT_NS
from analyzer.schema import Rows

TURNS = 2  # batches whose rows are in use: one is worked on, another is being read
SMALLEST = 16  # bytes of a record, in any format


class FrameReader:
    """Makes packet rows of the records of a capture, as they are found (capture.file.Reader) or afterwards, and puts datagrams
    in fragments together.

    The rows hold until the batch after the next is read, the records until the next one is. Without a `checker` checksums
    are not verified.
    """

    def __init__(self, checker: Checker | None) -> None:
        self._checking = checker is not None
        checker = checker or Checker()
        self._memory, self._fragments = checker.memory, checker.fragments
        self._room = RowRoom(TURNS)
        self._records = np.zeros(0, RECORDS.dtype)

    def is_waiting(self, now_ns: int) -> bool:
        """Is there a datagram, begun not long before `now_ns`, of which a fragment may still come?"""
        datagrams = self._fragments.datagrams
        return bool(((datagrams["used"] > 0) & (now_ns - datagrams["first_ns"] <= TIMEOUT_NS)).any())

    def scan(
        self,
        window: Bytes,
        layout: Rows,
        local: Rows,
        drops: npt.NDArray[np.int64],
        known: Interfaces,
        first_frame: int,
        most: int,
    ) -> tuple[RecordBatch, int, int, int]:
        """A batch of at most `most` of the records at the start of `window`, with its packets."""
        most = min(most, len(window) // SMALLEST + 1)
        if len(self._records) < most:
            self._records = np.empty(most, RECORDS.dtype)
        records, rows = self._records[:most], self._room.take(most)
        count, passed, why, need = self._run(window, layout, local, drops, records, rows, known, first_frame)
        if count:
            self._room.turn()
        return RecordBatch(window, records[:count], first_frame, rows[:count]), passed, why, need

    def rows_of(self, batch: RecordBatch, known: Interfaces) -> Rows:
        """The packet rows of a batch, made now if they were not along the way."""
        if batch.packets is not None:
            return batch.packets
        layout = np.zeros(1, LAYOUT)
        layout["format"] = GIVEN
        local, drops = np.zeros(0, INTERFACE), np.zeros(0, np.int64)
        rows = self._room.take(len(batch))
        self._run(batch.buffer, layout, local, drops, batch.rows, rows, known, batch.first_frame)
        self._room.turn()
        return rows

    def _run(
        self,
        buffer: Bytes,
        layout: Rows,
        local: Rows,
        drops: npt.NDArray[np.int64],
        records: Rows,
        rows: Rows,
        known: Interfaces,
        first_frame: int,
    ) -> tuple[int, int, int, int]:
        from analyzer.frames.read_kernel import read_frames

        words, skip = words_of(buffer)
        found: tuple[int, int, int, int] = read_frames(
            buffer, layout, local, drops, records, links_of(known), first_frame, rows, words_of_rows(rows),
            words, skip, known.link_types, self._memory, self._fragments, self._checking,
        )  # fmt: skip
        return found
