"""Packet rows in shares, on their way from who reads them to who judges them: blocks of words in one file, and where each is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from analyzer.decode import RowRoom, words_of_rows
from analyzer.errors import CaptureError
from analyzer.schema import Rows

ROWS, BLOCKS = "rows", "blocks"  # the files of a range
BLOCK_WORDS = 1 << 15
AT_ONCE = 1 << 12  # rows that are judged together: few enough to stay near the processor
BLOCK = np.dtype([("share", "i8"), ("offset", "i8"), ("words", "i8"), ("rows", "i8")])


class ShareWriter:
    """Takes packet rows, and writes those of flows into the share of each, a block of it at a time.

    If `whole`, all of a row is written, and rows without a flow into a share of their own, the one behind all others. Left as a
    context, its file is closed whatever happened; complete it is only once `close` was called.
    """

    def __init__(self, folder: Path, shares: int, *, whole: bool = False) -> None:
        self._whole = whole
        self._folder = folder
        self._file: BinaryIO = (folder / ROWS).open("wb")
        self._words = np.empty((shares + 1, BLOCK_WORDS), np.uint64)
        self._filled, self._counts = np.zeros(shares + 1, np.int64), np.zeros(shares + 1, np.int64)
        self._blocks: list[tuple[int, int, int, int]] = []
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, rows: Rows) -> npt.NDArray[np.int64]:
        """The next rows. Gives the places of those with a SYN alone."""
        from analyzer.cluster.part_kernel import MOST_WORDS, part

        opening = np.zeros(len(rows) + 1, np.int64)
        words = words_of_rows(rows)
        at = 0
        while True:
            at = part(rows, words, at, self._words, self._filled, self._counts, opening, self._whole)
            if at == len(rows):
                return opening[1 : 1 + opening[0]]
            for share in np.flatnonzero(self._filled + MOST_WORDS > BLOCK_WORDS).tolist():
                self._write(share)

    def close(self) -> None:
        """Write what is left, and where everything is."""
        for share in np.flatnonzero(self._filled).tolist():
            self._write(share)
        self._file.close()
        (self._folder / BLOCKS).write_bytes(np.array(self._blocks, BLOCK).tobytes())

    def _write(self, share: int) -> None:
        words = int(self._filled[share])
        self._file.write(self._words[share, :words].data)
        self._blocks.append((share, self._size, words, int(self._counts[share])))
        self._size += 8 * words
        self._filled[share] = self._counts[share] = 0


def rows_of_share(folders: Sequence[Path], before: Sequence[int], share: int) -> Iterator[Rows]:
    """The packet rows of a share in their order, piece by piece: of each range's folder, which has so many frames `before` it.

    They hold until the next are asked for. Raises CaptureError where a file is not what was written.
    """
    from analyzer.cluster.part_kernel import restore

    room = RowRoom(1)
    rows, filled = room.take(AT_ONCE), 0
    memory = words_of_rows(rows)
    buffer = np.empty(BLOCK_WORDS, np.uint64)
    for folder, count in zip(folders, before, strict=True):
        blocks = np.frombuffer((folder / BLOCKS).read_bytes(), BLOCK)
        with (folder / ROWS).open("rb", buffering=0) as file:
            for block in blocks[blocks["share"] == share]:
                file.seek(int(block["offset"]))
                words = buffer[: int(block["words"])]
                if file.readinto(words.view(np.uint8).data) != words.nbytes:
                    raise CaptureError(str(folder / ROWS), "is shorter than it was", "leave it alone while it is read")
                at = 0
                while at < len(words):
                    filled, at = restore(words, at, rows, memory, filled, count)
                    if filled == len(rows):
                        yield rows
                        filled = 0
                    elif at < len(words):
                        raise CaptureError(
                            str(folder / ROWS), "holds other rows than were written", "leave it alone while it is read"
                        )
    if filled:
        yield rows[:filled]


def only(files: Mapping[str, bytes], share: int) -> dict[str, bytes]:
    """Of the files of a range, those with the rows of one share."""
    blocks = np.frombuffer(files[BLOCKS], BLOCK)
    mine = blocks[blocks["share"] == share].copy()
    pieces = [files[ROWS][start : start + 8 * words] for start, words in mine[["offset", "words"]].tolist()]
    mine["offset"] = np.cumsum([0, *map(len, pieces)])[:-1]
    return {ROWS: b"".join(pieces), BLOCKS: mine.tobytes()}
