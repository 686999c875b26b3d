"""How many frames a program captured, by its own count."""

from __future__ import annotations

from analyzer.fields import of_fields


@of_fields(frozen=True, slots=True)
class Tallied:
    """Frames, as the program counts them; -1 where it has not said it."""

    captured: int = -1
    received: int = -1
    dropped: int = -1
