"""What all texts for the terminal share: their width, folding, and where colour may go."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from analyzer.patterns import regex

WIDTH = 80  # where nobody knows how wide the reader's terminal is
LEAST = 40  # columns: in fewer, labels alone would fill a line
UNFOLDED = 1 << 20  # for what another program reads: each sentence stays on its line
NO_BREAK = "\xa0"
TOGETHER = regex(
    r"(?<=\d) (?=(?:%|[num]?s|h|days?|[kMG]?B(?:/s)?|[kMG]?bit/s)(?![\w/]))|(?<=\bframe) (?=\d)|(?<=\bframes) (?=\d)"
)
Style = Callable[[str, str], str]
_WIDTH: ContextVar[int] = ContextVar("width", default=WIDTH)
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def width() -> int:
    """How many columns a line may have."""
    return _WIDTH.get()


def is_quiet() -> bool:
    """Is nothing wanted but the answer?"""
    return _QUIET.get()


@contextmanager
def columns(count: int, quiet: bool = False) -> Iterator[None]:
    """Texts that are made inside have lines of at most so many columns (`UNFOLDED` for any length); `quiet` leaves out progress and details."""
    width_before, quiet_before = _WIDTH.set(max(LEAST, count)), _QUIET.set(quiet)
    try:
        yield
    finally:
        _WIDTH.reset(width_before)
        _QUIET.reset(quiet_before)


def plain(text: str, _: str) -> str:
    """No colour."""
    return text


def wrapped(text: str, label: str) -> list[str]:
    """`text` behind `label`, folded to the width but never between a number and its unit, or "frame" and its number; what follows stands below the text.

    A path that is longer than a line is parted behind a slash.
    """
    room = width() - len(label)
    lines = textwrap.wrap(
        " ".join(_parted(word, room) if len(word) > room else word for word in TOGETHER.sub(NO_BREAK, text).split(" ")),
        width(),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
    )
    return [line.replace(NO_BREAK, " ") for line in lines] or [label.rstrip()]


def _parted(word: str, room: int) -> str:
    """A word in pieces of at most so many characters with blanks between them, if slashes can end them all."""
    pieces, rest = [], word
    while len(rest) > room:
        end = rest.rfind("/", 0, max(room, 0)) + 1
        if not end:
            return word
        pieces.append(rest[:end])
        rest = rest[end:]
    return " ".join([*pieces, rest])
