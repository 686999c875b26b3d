"""What can be read only once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzer.capture.where import away_of, is_here
from analyzer.errors import UsageError


def refuse_pipe(paths: Sequence[str], what: str) -> None:
    """Raise UsageError where one of these files cannot be read again."""
    for away in filter(None, map(away_of, paths)):
        raise UsageError(what, f"{away.host}:{away.path} lies there alone, and was read there", "copy it here first")
    if any(map(is_pipe, paths)):
        raise UsageError(what, "a pipe can be read only once", "save what comes through it to a file first")


def is_pipe(path: str) -> bool:
    """Can it be read only once, or lies it elsewhere, where it was read?"""
    return path == "-" or away_of(path) is not None or (is_here(path) and Path(path).is_fifo())
