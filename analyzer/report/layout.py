"""What all texts for the terminal share: their width, folding, and where colour may go."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

WIDTH = 80
Style = Callable[[str, str], str]


def plain(text: str, _: str) -> str:
    """No colour."""
    return text


def wrapped(text: str, label: str) -> list[str]:
    """`text` behind `label`, folded to the width; what follows stands below the text."""
    lines = textwrap.wrap(text, WIDTH, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False)
    return lines or [label.rstrip()]
