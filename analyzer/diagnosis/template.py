"""The sentence of a finding: text with columns in braces, and how numbers in it are written.

    {server}              the column of the worst row
    {gap_ns:duration}     ... as 1.52 s; also size, rate, share (of 1), count (1,234), time
    {n:many SYN}          ... with its noun: 1 SYN, 2 SYNs; `many entry/entries` where the plural is another
    {n:word was/were}     the word that fits the number
    {sum.lost}            over all rows of the finding; also max, min, and distinct (how many values)

The engine adds `who` (which connection, or how many and of whom), `connections`, `rows`, `cost` and `worst` (the connection of the worst row).
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from analyzer.text import duration_text, rate_text, size_text, time_text

_FOLDS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": sum,
    "max": max,
    "min": min,
    "distinct": lambda values: len(set(values)),
}
ADDED = ("who", "connections", "rows", "cost", "worst")
Row = Mapping[str, Any]


class Template:
    """A text that is checked once and filled in often. Nothing of a row but its values can be reached."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = list(_parts(text))

    @property
    def columns(self) -> set[str]:
        """The columns that it names."""
        names = {name.rpartition(".")[2] for _, name, _ in self._parts if name}
        return names - set(ADDED)

    def fill(self, row: Row, rows: Sequence[Row], added: Mapping[str, Any]) -> str:
        """The sentence for a finding of `rows`, of which `row` is the worst."""
        pieces = []
        for before, name, form in self._parts:
            pieces.append(before)
            if name:
                # A frame is a name, which is pasted into filters, not an amount.
                form = form or ("plain" if name.endswith("frame") else "")
                pieces.append(formatted(_value(name, row, rows, added), form))
        return "".join(pieces)


def _parts(text: str) -> Iterator[tuple[str, str, str]]:
    for before, name, form, conversion in string.Formatter().parse(text):
        if name is None:
            yield before, "", ""
            continue
        fold, dot, column = name.rpartition(".")
        if conversion or not column.isidentifier() or (dot and fold not in _FOLDS):
            raise ValueError(f"{{{name}}} is no column")
        check_form(form or "")
        yield before, name, form or ""


def _value(name: str, row: Row, rows: Sequence[Row], added: Mapping[str, Any]) -> Any:
    fold, _, column = name.rpartition(".")
    if not fold:
        return added[column] if column in added else row[column]
    values = [each[column] for each in rows if each[column] is not None]
    return _FOLDS[fold](values) if values else None


FORMS: dict[str, Callable[[Any], str]] = {"duration": duration_text, "size": size_text, "time": time_text}


def form(name: str) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    """Register how a number is written."""

    def registered(function: Callable[[Any], str]) -> Callable[[Any], str]:
        FORMS[name] = function
        return function

    return registered


def check_form(name: str) -> None:
    """Raise ValueError where nothing is written so."""
    if name and name not in FORMS and not name.startswith("many ") and not re.fullmatch("word [^/]+/[^/]+", name):
        raise ValueError(f"nothing is written as {name!r} (but {', '.join(FORMS)}, many NOUN, word ONE/MANY)")


def formatted(value: Any, name: str) -> str:
    """A value as it stands in a sentence."""
    if value is None:
        return "?"
    if name.startswith("many "):
        one, _, many = name.removeprefix("many ").partition("/")
        return f"{value:,} {one if value == 1 else many or one + 's'}"
    if name.startswith("word "):
        one, many = name.removeprefix("word ").split("/")
        return one if value == 1 else many
    if name:
        return FORMS[name](value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@form("count")
def _count(value: Any) -> str:
    return f"{value:,}"


@form("plain")
def _plain(value: Any) -> str:
    return str(value)


@form("share")
def _share(value: Any) -> str:
    """Of 1."""
    percent = 100 * float(value)
    if percent >= 9.95 or percent == 0:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.95 else f"{percent:.2g} %"


@form("rate")
def _rate(value: Any) -> str:
    """Bits a second."""
    return rate_text(int(value), 8_000_000_000) or "0 bit/s"
