"""`netstat -s` line by line: headings, histograms, sentences in English; those in other languages are counted."""

from __future__ import annotations

import re
from functools import cache

from analyzer.counters.names import GROUPS
from analyzer.counters.prose import TABLES, direction_of, named
from analyzer.patterns import regex

MANY = 0.3  # so many unknown sentences of all are another language

_HEADING = regex(r"([A-Za-z]\w*):")
_NUMBER = regex(r"(?<![\w.])\d+(?![\w.])|\d+")
_PLAIN = regex(r"((?:TCP|Tcp|PAWS|TSEcr|Syncookies|Embryonic|Listen|Delayed|BusyPoll|PFMem|IPReverse)\w*): *(-?\d+)")
NOT_ENGLISH = "of `netstat -s` in another language than English, left out; take it with LC_ALL=C"


class Sentences:
    """Remembers the heading that holds, and what was not understood. `group` : that heading, empty for none; `headed` : was there any."""

    def __init__(self) -> None:
        self.group = self._direction = ""
        self.headed = False
        self._known = self._unknown = self._foreign = 0
        self._first = ""

    def leave(self) -> None:
        """The headings are over."""
        self.group = self._direction = ""

    def heading(self, text: str, known: bool) -> str | None:
        """The heading that a line is, empty for one of something else; None for another line. `known` : among `netstat -s`."""
        found = _HEADING.fullmatch(text)
        if not found:
            return None
        known = known or found[1] in GROUPS
        self.group, self._direction = (found[1] if known else ""), ""
        self.headed |= found[1] in GROUPS
        return self.group

    def read(self, text: str, number: int) -> tuple[str, str] | bool:
        """The counter of a sentence and its value as text; else whether it belongs to `netstat -s` at all."""
        if not self.group:
            return _alone(text) or False
        if direction := direction_of(text):
            self._direction = direction
            return True
        if found := named(self.group, self._direction, text):
            self._known += 1
            return found
        if not _NUMBER.search(text) and (not text.isascii() or "istogram" in text):
            self._foreign += 1  # the heading of a histogram: nothing below it is understood
            self._direction = "?"
            return True
        self._unknown += 1
        self._foreign += not text.isascii()
        self._first = self._first or f"line {number}: {text if len(text) <= 60 else text[:57] + '...'}"
        return True

    def is_foreign(self) -> bool:
        """Are there sentences in another language?"""
        return self._foreign > 0 or (self._unknown > 3 and self._unknown > MANY * (self._known + self._unknown))

    def notes(self) -> list[str]:
        """What was not understood."""
        if self.is_foreign() and not self._unknown:
            return [f"headings {NOT_ENGLISH}"]
        if self.is_foreign():
            return [f"{self._unknown} sentences {NOT_ENGLISH} (first: {_printable(self._first)})"]
        if self._unknown:
            return [f"sentences not known: {self._unknown} (first: {_printable(self._first)})"]
        return []


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


@cache
def _everywhere() -> dict[str, str]:
    """Sentences that only one group has, with the whole names of their counters."""
    found: dict[str, set[str]] = {}
    for group, table in TABLES.items():
        for sentence, name in table.items():
            if not group.endswith("6") and not sentence.startswith(("in ", "out ")):
                found.setdefault(sentence, set()).add(group + name)
    return {sentence: names.pop() for sentence, names in found.items() if len(names) == 1}


def _alone(text: str) -> tuple[str, str] | None:
    """The counter of a sentence that stands without its heading, as grep leaves it."""
    if found := _PLAIN.fullmatch(text):
        return f"TcpExt{found[1]}", found[2]
    numbers = re.findall(r"(?<!\S)\d+(?!\S)", text)
    if len(numbers) != 1:
        return None
    name = _everywhere().get(re.sub(r"(?<!\S)\d+(?!\S)", "#", text).rstrip(".").lower())
    return (name, numbers[0]) if name else None
