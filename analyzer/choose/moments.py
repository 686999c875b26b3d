"""A time as people give it: by the clock, since the epoch, or since the capture began."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.patterns import regex

DAY_NS, SECOND_NS = 86_400 * 10**9, 10**9
LEAST_EPOCH_S, LEAST_EPOCH_NS = 10**8, 10**17  # of 1973: smaller numbers are offsets, larger ones nanoseconds
LATEST_NS = 2**63 - 1  # that any table can hold
OFFSET, OF_DAY, INSTANT = "offset", "of_day", "instant"
UNITS = {"": SECOND_NS, "ns": 1, "us": 10**3, "ms": 10**6, "s": SECOND_NS, "m": 60 * SECOND_NS, "min": 60 * SECOND_NS, "h": 3600 * SECOND_NS}  # fmt: skip
_OFFSET = regex(r"\+?(\d{1,19})(?:\.(\d{1,9}))? ?(ns|us|ms|s|m|min|h)?")
_CLOCK = regex(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d{1,2}:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")


@of_fields(frozen=True, slots=True)
class Moment:
    """A time that may need the capture to be known: `ns` since the capture's first frame, since midnight (UTC), or since the epoch."""

    kind: str
    ns: int

    def at(self, first_ns: int) -> int:
        """Nanoseconds since the epoch, in a capture whose first frame is of `first_ns`. A time of day is the first one at or after that frame's, unless it is less than half a day before."""
        if self.kind == INSTANT:
            return self.ns
        if self.kind == OFFSET:
            return first_ns + self.ns
        found = first_ns // DAY_NS * DAY_NS + self.ns
        return found + DAY_NS if found < first_ns - DAY_NS // 2 else found


def moment_of(given: str | int | datetime, where: str) -> Moment | None:
    """`12:59:26.8` (UTC, or with +02:00), with or without a date; `1763660000.5` since the epoch; `+5s`, `90`, `2m` since the capture began. None for `-`, which is no bound.

    In Python also nanoseconds since the epoch, as in the tables, or a datetime (without a zone: UTC). Raises UsageError that names `where` it stood for anything else.
    """
    if isinstance(given, datetime):
        return Moment(INSTANT, _instant(given if given.tzinfo else given.replace(tzinfo=UTC)))
    if isinstance(given, int) and not isinstance(given, bool):
        return Moment(INSTANT, given)
    text = str(given).strip()
    if text == "-":
        return None
    if found := _OFFSET.fullmatch(text):
        moment = _number(text, int(found[1]), found[2] or "", found[3] or "")
        if moment.ns <= LATEST_NS:
            return moment
    if found := _CLOCK.fullmatch(text):
        return _clock(found, text, where)
    raise _unknown(text, where)


def _number(text: str, whole: int, fraction: str, unit: str) -> Moment:
    if not unit and not text.startswith("+") and whole >= LEAST_EPOCH_S:
        if whole >= LEAST_EPOCH_NS:
            return Moment(INSTANT, whole)
        return Moment(INSTANT, whole * SECOND_NS + int(fraction.ljust(9, "0") or 0))
    length = UNITS[unit]
    return Moment(OFFSET, whole * length + int(fraction or 0) * length // 10 ** len(fraction))


def _clock(found: re.Match[str], text: str, where: str) -> Moment:
    day, clock, fraction, zone = found.groups()
    try:
        written = f"{day or '2000-01-01'} {clock if clock.count(':') == 2 else clock + ':00'}{(zone or 'Z').replace('Z', '+0000')}"
        moment = datetime.strptime(written, "%Y-%m-%d %H:%M:%S%z")
    except ValueError:
        raise _unknown(text, where) from None
    ns = _instant(moment) + int((fraction or "").ljust(9, "0"))
    return Moment(INSTANT, ns) if day else Moment(OF_DAY, ns % DAY_NS)


def _instant(moment: datetime) -> int:
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (passed.days * 86_400 + passed.seconds) * SECOND_NS + passed.microseconds * 1000


def _unknown(text: str, where: str) -> UsageError:
    todo = "give one such as 12:59:26.8 (UTC), 2026-03-01T12:59, 1763660000.5 (since the epoch) or +5s (since the capture began); - is no bound"
    return UsageError(where, f"{text!r} is no time", todo)
