"""Conditions for rules that a scenario changes while traffic runs."""

from __future__ import annotations

from dataclasses import dataclass

from .frames import Segment
from .impair import Predicate


@dataclass(slots=True)
class Switch:
    """A predicate that holds for no frame while it is off, and for those of `when`, or for all, while it is on."""

    when: Predicate | None = None
    is_on: bool = False

    def __call__(self, segment: Segment) -> bool:
        """Whether the rule applies."""
        return self.is_on and (self.when is None or self.when(segment))

    def on(self) -> None:
        """From now on."""
        self.is_on = True

    def off(self) -> None:
        """No longer."""
        self.is_on = False
