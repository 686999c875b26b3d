"""JSON objects over several lines, put together; and what a note may show of a line."""

from __future__ import annotations

MAX_JSON = 1 << 26


class Pieces:
    """The lines of an object that is not over. True while there are some."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, line: str) -> str | None:
        """The whole object, or None while it goes on: one that begins with a line that is not over ends with a line that begins with `}`."""
        text = line.strip()
        if not self._lines and not text.endswith(("{", "[")):
            return text
        self._lines.append(line)
        self._size += len(line)
        if not line.startswith("}") and self._size <= MAX_JSON:
            return None
        whole = "\n".join(self._lines)
        self._lines, self._size = [], 0
        return whole

    def take(self) -> str:
        """The first line of one that will not be over."""
        first = self._lines[0]
        self._lines, self._size = [], 0
        return first


def shown(text: str) -> str:
    """What a note may show of a line."""
    text = "".join(char if char.isprintable() else "?" for char in text[:61])
    return text if len(text) <= 60 else text[:57] + "..."
