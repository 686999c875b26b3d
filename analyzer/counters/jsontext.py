"""Snapshots in JSON: an object of `nstat --json`, or a line of a series with its time. Numbers never become floats."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import field
from decimal import Decimal
from typing import Any, NoReturn, TypeGuard

from analyzer.counters.names import group_of
from analyzer.counters.samples import Sample, answered
from analyzer.counters.stamps import SERIES_NS, Stamp
from analyzer.counters.values import HIGHEST, LOWEST, decimal_of, whole_number
from analyzer.fields import of_fields

MOST_NAME = 200  # letters in the name of a counter: more than three times what the kernel's longest has


@of_fields(slots=True)
class Parsed:
    """What one JSON object holds; `form` is series or json, `source` is where nstat says that it looked."""

    form: str
    values: dict[str, int]
    source: str = ""
    stamp: Stamp | None = None
    notes: list[str] = field(default_factory=list)


class _Object(dict[str, Any]):
    """A JSON object that knows which of its names came twice."""

    twice: list[str]


def parse(text: str) -> Parsed | Iterable[Sample] | None:
    """The snapshot in a JSON text, or the samples of an answer of Prometheus; None where it is none.

    Raises ValueError where the text is not JSON, TooLargeError where a counter cannot have the value.
    """
    try:
        try:
            body = _loaded(text, int)  # the fastest: no call for each number
        except ValueError:
            body = _loaded(text, _number)  # some number is longer than Python reads, or it is no JSON
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(body, _Object):
        return None
    if (found := answered(body)) is not None:
        return found
    if isinstance(body.get("counters"), _Object):
        return _timed(_snapshot("series", body["counters"]), body.get("time"))
    for name, inner in body.items():
        if isinstance(inner, _Object) and (name == "kernel" or "sampling_interval" in name or _counters_in(inner)):
            return _snapshot("json", inner, source=name)
    return _snapshot("json", body) if _counters_in(body) else None


def _loaded(text: str, whole: Callable[[str], int | Decimal]) -> Any:
    return json.loads(text, parse_float=_number, parse_int=whole, parse_constant=_refuse, object_pairs_hook=_object)


def _timed(parsed: Parsed, time: object) -> Parsed:
    """With the time of a line of a series."""
    time_ns = _nanoseconds(time)
    if time_ns is None:
        parsed.notes.append(f"no time that can be read ({_shown(time)})")
    else:
        parsed.stamp = Stamp(time_ns, SERIES_NS, "series")
    return parsed


def _snapshot(form: str, counters: _Object, source: str = "") -> Parsed:
    """The counters of an object; what is no whole number, or under a name that no counter can have, is left out, and said."""
    counters, strange = _named(counters)
    refused: list[str] = []
    numbers = counters.values()
    if numbers and set(map(type, numbers)) == {int} and min(numbers) >= LOWEST and max(numbers) <= HIGHEST:
        values = dict(zip(map(sys.intern, counters), numbers, strict=True))  # as usual, and without a loop
    else:
        found = {name: whole_number(value) if _is_number(value) else None for name, value in counters.items()}
        values = {sys.intern(name): value for name, value in found.items() if value is not None}
        refused = [name for name, value in found.items() if value is None]
    parsed = Parsed(form, values, source)
    if refused:
        parsed.notes.append(f"values that are no whole numbers, left out: {len(refused)} (first: {_shown(refused[0])})")
    if strange:
        parsed.notes.append(f"names that no counter has, left out: {len(strange)} (first: {_shown(strange[0])})")
    if counters.twice:
        first = _shown(counters.twice[0])
        parsed.notes.append(f"names that come twice: {len(counters.twice)} (first: {first}); the last value holds")
    return parsed


def _named(counters: _Object) -> tuple[_Object, list[str]]:
    """The counters whose names can be read, and the other names, which have control characters or no end: names go into tables and texts."""
    if "".join(counters).isprintable() and max(map(len, counters), default=0) <= MOST_NAME:  # as usual
        return counters, []
    strange = [name for name in counters if not name.isprintable() or len(name) > MOST_NAME]
    kept = _Object((name, value) for name, value in counters.items() if name.isprintable() and len(name) <= MOST_NAME)
    kept.twice = [name for name in counters.twice if name in kept]
    return kept, strange


def _counters_in(body: _Object) -> bool:
    """Is this an object of counters, under names that the kernel has?"""
    return any(_is_number(value) and group_of(name) for name, value in body.items())


def _nanoseconds(time: object) -> int | None:
    """Seconds since 1970 as nanoseconds, exactly; None for what is no time."""
    number = decimal_of(time) if isinstance(time, str) else time
    if not _is_number(number):
        return None
    seconds = Decimal(number)
    return int(seconds.scaleb(9).to_integral_value()) if seconds.is_finite() and 0 <= seconds < 1 << 33 else None


def _is_number(value: object) -> TypeGuard[int | Decimal]:
    """One of JSON: True is none."""
    return type(value) is int or isinstance(value, Decimal)


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    body = _Object(pairs)
    body.twice = []
    if len(body) < len(pairs):
        body.twice = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    return body


def _number(text: str) -> Decimal:
    number = decimal_of(text)
    if number is None:
        raise ValueError(f"{_shown(text)} is no number")
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _shown(value: object) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
