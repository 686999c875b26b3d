"""The bytes of a frame as they were, and what has been copied of them so far into zeros."""

from __future__ import annotations


class Room:
    """`old` and `new` have the same length."""

    def __init__(self, old: bytes) -> None:
        self.old = old
        self.new = bytearray(len(old))

    def has(self, at: int, size: int, end: int) -> bool:
        """Do so many bytes stand there, before the end?"""
        return at + size <= end

    def keep(self, at: int, size: int, end: int | None = None) -> None:
        """Copy bytes as they are, at most up to the end."""
        stop = min(at + size, len(self.old) if end is None else end)
        self.new[at:stop] = self.old[at:stop]

    def put(self, at: int, content: bytes) -> None:
        """Write bytes; what would stand behind the frame's end is left out."""
        stop = min(at + len(content), len(self.old))
        self.new[at:stop] = content[: stop - at]

    def number(self, at: int, size: int = 2) -> int:
        """A big-endian number as it was."""
        return int.from_bytes(self.old[at : at + size])
