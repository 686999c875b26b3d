"""Rows in order of a key, as files: each share writes its own, and they are read together in the order of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from analyzer.schema import Rows

KEYS = "keys"  # ending of the file with a key (int64) for each row of the file beside it
AT_ONCE = 1 << 12  # rows of a lane that are looked at together

Keys = npt.NDArray[np.int64]


class LaneWriter:
    """Writes the rows of a lane, whose keys never go back, into a folder; the files are closed with `opened`, whatever happens."""

    def __init__(self, folder: Path, name: str, opened: ExitStack) -> None:
        self._rows: BinaryIO = opened.enter_context((folder / name).open("wb"))
        self._keys: BinaryIO = opened.enter_context((folder / f"{name}.{KEYS}").open("wb"))

    def add(self, keys: Keys, rows: Rows) -> None:
        """The next rows (contiguous or not), and the key of each."""
        self._rows.write(np.ascontiguousarray(rows).view(np.uint8).data)
        self._keys.write(np.ascontiguousarray(keys, np.int64).data)

    def close(self) -> None:
        """There are no more."""
        self._rows.close()
        self._keys.close()


class Lane:
    """What was written: `keys` (int64) and `rows` (of `dtype`), which are read from the disk as they are looked at."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any]) -> None:
        self.keys: Keys = _mapped(folder / f"{name}.{KEYS}", np.dtype(np.int64))
        self.rows: Rows = _mapped(folder / name, dtype)

    def __len__(self) -> int:
        return len(self.keys)

    def between(self, first: int, stop: int, begin: int = 0) -> slice:
        """Where the rows with keys from `first` on and below `stop` are, none of them before `begin`."""
        found = np.searchsorted(self.keys[begin:], [first, stop]) + begin
        return slice(int(found[0]), int(found[1]))


def together(lanes: Sequence[Lane]) -> Iterator[tuple[Keys, list[tuple[int, Rows]]]]:
    """The rows of all lanes, piece by piece: (keys, parts), of which no key is in two pieces.

    `parts` are (number of the lane, rows), `keys` those of all of them, one lane behind the other.
    """
    at = [0] * len(lanes)
    while True:
        left = [number for number, lane in enumerate(lanes) if at[number] < len(lane)]
        if not left:
            return
        bound = min(int(lanes[number].keys[min(at[number] + AT_ONCE, len(lanes[number])) - 1]) for number in left)
        keys, parts = [], []
        for number in left:
            found = lanes[number].between(bound + 1, bound + 1, at[number])
            if found.stop > at[number]:
                keys.append(np.array(lanes[number].keys[at[number] : found.stop]))
                parts.append((number, np.array(lanes[number].rows[at[number] : found.stop])))
                at[number] = found.stop
        yield np.concatenate(keys), parts


def _mapped(path: Path, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if path.stat().st_size == 0:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, "r")
