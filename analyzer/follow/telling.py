"""What shows itself as text wherever Python shows it: when it is printed, at the prompt, and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any


class Telling:
    """Its text is what `shown` makes of it; a dataclass of this kind says `repr=False`, so that the prompt shows the text, too."""

    shown: Callable[[Any, bool], str]

    def text(self, everything: bool = False) -> str:
        """Its story: the head, then the time line, of which runs of ordinary packets are folded unless `everything` is asked for."""
        return self.shown(self, everything)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre style='font-family: monospace'>{html.escape(self.text())}</pre>"
