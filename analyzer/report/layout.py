"""What all texts for the terminal share: their width, folding, and where colour may go."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

WIDTH = 80
NO_BREAK = "\xa0"
TOGETHER = re.compile(r"(?<=\d) (?=(?:%|[num]?s|h|days?|[kMG]?B(?:/s)?|[kMG]?bit/s)(?![\w/]))|(?<=\bframe) (?=\d)")
Style = Callable[[str, str], str]


def plain(text: str, _: str) -> str:
    """No colour."""
    return text


def wrapped(text: str, label: str) -> list[str]:
    """`text` behind `label`, folded to the width but never between a number and its unit, or "frame" and its number; what follows stands below the text."""
    lines = textwrap.wrap(
        TOGETHER.sub(NO_BREAK, text),
        WIDTH,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
    )
    return [line.replace(NO_BREAK, " ") for line in lines] or [label.rstrip()]
