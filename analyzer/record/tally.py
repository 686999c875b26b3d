"""How many frames a program captured, by its own count."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tallied:
    """Frames, as the program counts them; -1 where it has not said it."""

    captured: int = -1
    received: int = -1
    dropped: int = -1
