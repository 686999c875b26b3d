"""A file that lies at another machine alone, of which the beginning is here -> a source that gives that, and says so where more is needed."""

from __future__ import annotations

import numpy as np

from analyzer.capture.compression import compression_of
from analyzer.capture.source import HEAD, Source, StreamSource
from analyzer.capture.where import Away

LITTLE = 1 << 16  # bytes that are unpacked at a time: what is here may end behind them


class BeginningSource(Source):
    """What is here of it, as one window."""

    def __init__(self, name: str, away: Away) -> None:
        super().__init__(name, 0)
        self.size = away.size
        self._away = away
        self.window = np.frombuffer(away.head, np.uint8)

    def require(self, count: int) -> bool:
        if count > len(self.window) and len(self._away.head) < self._away.size:
            raise self._away.refused()
        return count <= len(self.window)


class _Packed:
    """The bytes that are here, one after the other."""

    def __init__(self, away: Away) -> None:
        self._away, self._at = away, HEAD

    def read(self, size: int, /) -> bytes:
        piece = self._away.head[self._at : self._at + size]
        self._at += len(piece)
        if not piece and len(self._away.head) < self._away.size:
            raise self._away.refused()
        return piece

    def close(self) -> None:
        """Nothing is open."""


def beginning_source(name: str, away: Away) -> Source:
    """The source for it."""
    head = away.head[:HEAD]
    if compression_of(head):
        return StreamSource(name, _Packed(away), LITTLE, head, away.size)
    return BeginningSource(name, away)
