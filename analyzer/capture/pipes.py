"""What can be read only once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzer.errors import UsageError


def refuse_pipe(paths: Sequence[str], what: str) -> None:
    """Raise UsageError where one of these files cannot be read again."""
    if any(map(is_pipe, paths)):
        raise UsageError(what, "a pipe can be read only once", "save what comes through it to a file first")


def is_pipe(path: str) -> bool:
    """Can it be read only once?"""
    return path == "-" or Path(path).is_fifo()
