"""The catalogue: what every counter of the kernel means, when it moves, and how well packets determine it."""

from __future__ import annotations

from analyzer.counters.catalogue.counter import CONFIDENCE, OBSERVABILITY, UNITS, Counter
from analyzer.counters.catalogue.entries import CATALOGUE, find, group, list_rows
from analyzer.counters.catalogue.text import counters_markdown, explain_text

__all__ = [
    "CATALOGUE",
    "CONFIDENCE",
    "OBSERVABILITY",
    "UNITS",
    "Counter",
    "counters_markdown",
    "explain_text",
    "find",
    "group",
    "list_rows",
]
