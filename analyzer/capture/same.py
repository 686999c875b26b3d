"""Is a file one that was named before, by another name or as a copy?"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

LEAST = 64  # bytes: files without frames are alike and say nothing
COMPARED = 1 << 16  # bytes at each end


class Named:
    """The files that were named, and what is known of each: a ring has thousands, of which none is asked for with each other."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._by_place: dict[tuple[int, int], str] = {}  # device and number there: whatever its size is by now
        self._by_size: dict[int, list[str]] = {}
        self._known: dict[str, bytes | None] = {}

    def same_as(self, path: str) -> str:
        """The one of them that is the same file, or of the same length with the same beginning and end; empty without one.

        Two captures do not begin with the same times and end with the same frames.
        """
        if path in self._paths:
            return path
        mine = _status(path)
        if mine is None:
            return ""
        if (same := self._by_place.get((mine.st_dev, mine.st_ino))) is not None:
            return same
        return next(
            (each for each in self._by_size.get(mine.st_size, ()) if self._is_copy(path, each, mine.st_size)), ""
        )

    def add(self, path: str) -> None:
        """One more."""
        self._paths.add(path)
        if (status := _status(path)) is not None:
            self._by_place.setdefault((status.st_dev, status.st_ino), path)
            self._by_size.setdefault(status.st_size, []).append(path)

    def _is_copy(self, path: str, other: str, size: int) -> bool:
        ends = self._ends(path, size) if size > LEAST else None
        return ends is not None and ends == self._ends(other, size)

    def _ends(self, path: str, size: int) -> bytes | None:
        """What tells how a file begins and ends; None where it cannot be read."""
        if path not in self._known:
            self._known[path] = _ends(path, size)
        return self._known[path]


def _status(path: str) -> os.stat_result | None:
    """What the system says of a file; None for what is none."""
    try:
        status = Path(path).stat() if path != "-" else None
    except OSError:  # whoever opens it says so
        return None
    return status if status is not None and stat.S_ISREG(status.st_mode) else None


def _ends(path: str, size: int) -> bytes | None:
    try:
        with Path(path).open("rb") as file:
            ends = hashlib.sha256(file.read(COMPARED))
            file.seek(max(size - COMPARED, 0))
            ends.update(file.read(COMPARED))
            return ends.digest()
    except OSError:  # whoever opens it says so
        return None
