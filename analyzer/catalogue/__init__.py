"""The catalogue: what every counter of the kernel means, when it moves, and how well packets determine it."""

from __future__ import annotations

from analyzer.catalogue.counter import CONFIDENCE, OBSERVABILITY, UNITS, Counter
from analyzer.catalogue.entries import CATALOGUE, find, group, list_rows
from analyzer.catalogue.routine import is_routine

__all__ = [
    "CATALOGUE",
    "CONFIDENCE",
    "OBSERVABILITY",
    "UNITS",
    "Counter",
    "find",
    "group",
    "is_routine",
    "list_rows",
]
