"""Is a file one that was named before, by another name or as a copy?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

LEAST = 64  # bytes: files without frames are alike and say nothing
COMPARED = 1 << 16  # bytes at each end


def same_as(path: str, others: Iterable[str]) -> str:
    """The one of the `others` that is the same file, or of the same length with the same beginning and end; empty without one.

    Two captures do not begin with the same times and end with the same frames.
    """
    mine = _status(path)
    for other in others:
        if other == path:
            return other
        known = _status(other) if mine is not None else None
        if mine is None or known is None:
            continue
        if os.path.samestat(mine, known):
            return other
        if mine.st_size == known.st_size > LEAST and _ends(path, mine.st_size) == _ends(other, mine.st_size):
            return other
    return ""


def _status(path: str) -> os.stat_result | None:
    """What the system says of a file; None for what is none."""
    try:
        status = Path(path).stat() if path != "-" else None
    except OSError:  # whoever opens it says so
        return None
    return status if status is not None and stat.S_ISREG(status.st_mode) else None


def _ends(path: str, size: int) -> tuple[bytes, bytes] | None:
    """How a file begins and ends; None where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            begin = file.read(COMPARED)
            file.seek(max(size - COMPARED, 0))
            return begin, file.read(COMPARED)
    except OSError:  # whoever opens it says so
        return None
