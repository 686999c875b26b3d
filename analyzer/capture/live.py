"""A capture that is still being written: a file that grows, or a pipe; read until somebody has seen enough."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from analyzer.capture.compression import CHUNK
from analyzer.capture.source import Source, StreamSource
from analyzer.errors import CaptureError

POLL_S = 0.1  # how often a file is asked for more, and somebody who waits is heard


class Live(Protocol):
    """Who follows a capture. `stopped` is asked whenever nothing more is there, `waiting` may use that time."""

    @property
    def stopped(self) -> bool:
        """Has whoever follows it seen enough?"""
        ...

    def waiting(self) -> None:
        """Called while nothing new is there."""
        ...


class Growing:
    """Reads what is there, and waits for more where that is nothing: for ever, unless the writer of a pipe ends or `live.stopped`.

    A file ends, too, when its name has gone to another file: whoever writes it has begun the next.
    """

    def __init__(self, path: str, file: BinaryIO, live: Live) -> None:
        self._path, self._file, self._handle, self._live = path, file, file.fileno(), live
        self._regular = stat.S_ISREG(os.fstat(self._handle).st_mode)

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, as soon as there are any; b"" at the end."""
        while not self._live.stopped:
            moved_on = self._regular and self._moved_on()  # asked first: what was written before is read still
            if self._regular or select.select([self._handle], [], [], POLL_S)[0]:
                piece = os.read(self._handle, CHUNK if size < 0 else size)
                if piece or not self._regular or moved_on:
                    return piece
                time.sleep(POLL_S)
            self._live.waiting()
        return b""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _moved_on(self) -> bool:
        if self._path == "-":
            return False
        try:
            return not os.path.samestat(Path(self._path).stat(), os.fstat(self._handle))
        except FileNotFoundError:
            return True


class LiveSource(StreamSource):
    """The bytes of it: no more are waited for than are needed next."""

    def __init__(self, path: str, file: BinaryIO, window_bytes: int, live: Live) -> None:
        self._live = live
        growing = Growing(path, file, live)
        super().__init__(path, growing, window_bytes, growing.read(CHUNK), None)  # the first bytes tell the compression

    @property
    def stopped(self) -> bool:
        return self._live.stopped

    def require(self, count: int) -> bool:
        pieces, have = [self.window], len(self.window)
        while have < count and not self._ended:
            piece = self._read(CHUNK)
            self._ended = not piece
            pieces.append(np.frombuffer(piece, np.uint8))
            have += len(piece)
        if len(pieces) > 1:
            self.window = np.concatenate(pieces)
            self.window.flags.writeable = False  # as a mapped file's
        return count <= have


def following(live: Live | None) -> Callable[[str, BinaryIO, int], Source] | None:
    """What makes a source of an open file that is still being written; None where nobody follows it."""
    if live is None:
        return None

    def make(path: str, file: BinaryIO, window_bytes: int) -> Source:
        source = LiveSource(path, file, window_bytes, live)
        if not source.require(1):
            raise CaptureError(
                path, "nothing was written to it", "begin the capture first, or wait for its first frame"
            )
        return source

    return make
