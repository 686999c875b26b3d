"""Regular expressions of modules, each compiled when it is first used: a start imports a hundred of them and needs a few."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _Pattern:
    """Becomes the `re.Pattern` of its text as soon as anything is asked of it."""

    def __init__(self, text: str | bytes, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        """What the compiled expression answers; its methods are kept, so that no later call comes here."""
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(re.compile(self._text, self._flags), name)  # `re` keeps what it has compiled
        setattr(self, name, found)
        return found


def regex(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """`re.compile(text, flags)`, later. A text that is no expression raises `re.error` at its first use."""
    return cast("re.Pattern[AnyStr]", _Pattern(text, int(flags)))
