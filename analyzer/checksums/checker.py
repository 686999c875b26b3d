"""Packet rows and their bytes -> the state of each checksum, and counts per direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.capture import Interfaces, RecordBatch
from analyzer.checksums.state import new_memory
from analyzer.decode import links_of
from analyzer.decode.fragments import no_fragments
from analyzer.schema import Rows


def words_of(buffer: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint64], int]:
    """The aligned 64-bit words of a buffer, and at which of its bytes they begin."""
    skip = -buffer.ctypes.data % 8
    count = max(len(buffer) - skip, 0) // 8
    return buffer[skip : skip + 8 * count].view(np.uint64), skip


class Checker:
    """Verifies the checksums of a capture, batch by batch, and counts per direction: source, destination and protocol.

    Between batches it keeps fragments, since it puts datagrams together, and the wrong segments whose fate is not known
    yet. Memory is bounded: of more than 16,383 directions the later ones are counted together in `others`.
    """

    def __init__(self) -> None:
        self.memory, self.fragments = new_memory(), no_fragments()

    def check(self, batch: RecordBatch, rows: Rows, interfaces: Interfaces) -> None:
        """Fill `checksum` and `ip_header_checksum` of `rows` (PACKETS.dtype), as decoded from `batch`.

        Rows of fragments that complete a datagram describe it then.
        """
        from analyzer.checksums.tally_kernel import check_frames

        words, skip = words_of(batch.buffer)
        links = links_of(interfaces)
        check_frames(
            batch.buffer, words, skip, batch.rows, rows, links, interfaces.link_types, self.memory, self.fragments
        )

    @property
    def directions(self) -> Rows:
        """The directions (state.DIRECTION), in order of their first frames. `reverse` is an index into this array plus 1."""
        found: Rows = self.memory.directions[1 : int(self.memory.room[0]) + 1]
        return found

    @property
    def others(self) -> Rows:
        """One row that counts the frames of directions for which there was no room."""
        found: Rows = self.memory.directions[:1]
        return found
