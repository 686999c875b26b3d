"""Records -> packet rows. Knows headers and puts fragments together; knows no flows.

`decode` is stateless: a batch is decoded alike wherever it stands. Fragments are put together by who reads all frames in
their order (`frames`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.blank import blank
from analyzer.capture import Interfaces, RecordBatch
from analyzer.decode.links import links_of
from analyzer.schema import Rows
from analyzer.tables import PACKETS

__all__ = ["RowRoom", "decode", "links_of", "words_of_rows"]


def decode(batch: RecordBatch, interfaces: Interfaces, room: RowRoom | None = None) -> Rows:
    """The `packets` rows of a batch: a structured array of `tables.PACKETS.dtype`, as long as the batch.

    Without `room` it is a new one; with, it lies there, and holds for as long as RowRoom says.
    """
    from analyzer.decode.frame_kernel import decode_frames

    room = room or RowRoom(1)
    rows = room.take(len(batch))
    decode_frames(batch.buffer, batch.rows, links_of(interfaces), batch.first_frame, rows, words_of_rows(rows))
    room.turn()
    return rows


def words_of_rows(rows: Rows) -> npt.NDArray[np.uint64]:
    """The memory of packet rows as 64-bit words, a row each."""
    return rows.view(np.uint64).reshape(len(rows), PACKETS.dtype.itemsize // 8)


class RowRoom:
    """Memory for the rows of one batch after the other, used in turns.

    New memory would cost a page fault for every dozen rows, and each row would come from far away. Rows that were given
    out hold until `turns` more batches were: whoever keeps them for longer copies them.
    """

    def __init__(self, turns: int) -> None:
        self._rooms = [_rows(0) for _ in range(turns)]

    def take(self, count: int) -> Rows:
        """`count` rows (PACKETS.dtype) to be filled, of the room whose turn it is. They hold what was there before, or zeros."""
        if len(self._rooms[0]) < count:
            self._rooms[0] = _rows(max(count, 2 * len(self._rooms[0])))
        return self._rooms[0][:count]

    def turn(self) -> None:
        """The rows that were taken are given out: the next are those of another room."""
        self._rooms.append(self._rooms.pop(0))


def _rows(count: int) -> Rows:
    """Zeroed rows that begin with a cache line, as their hot parts then do. What nobody writes to takes no memory."""
    return blank(count, PACKETS.dtype, dense=True)
