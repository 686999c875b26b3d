"""Times of snapshots: from a line such as `date` prints, from a file's name, from its modification.

Everything is int64 nanoseconds since 1970 (UTC) and never goes through a float.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

SECOND = 1_000_000_000
LINE_NS, NAME_NS, MTIME_NS, SERIES_NS = SECOND, SECOND, 2 * SECOND, SECOND // 1000
UNKNOWN_ZONE_NS = 14 * 3600 * SECOND
_LONGEST = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "HST": -10,
    "SGT": 8, "HKT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Hours ahead of UTC."""
_UNSURE = ("CST", "IST", "BST", "AST", "SST", "GST")
"""Abbreviations that mean different things in different places."""

_PLAUSIBLE = re.compile(r"(?:19|20|21)\d\d|\d{10}")
_DECORATION = re.compile(r"[#=*+>\[(\s/-]+|(?:date|time|timestamp|at|zzz|snapshot)\b[:=]?\s*", re.IGNORECASE)
_ISO = re.compile(
    r"(\d{4})[-/]?(\d\d)[-/]?(\d\d)[T _-]?(\d\d):?(\d\d):?(\d\d)(?:[.,](\d{1,9})\d*)?\s*"
    rf"({'|'.join([*_ZONES, *_UNSURE])}|[+-]\d\d(?::?\d\d)?)?(?![\w.:-])"
)
_SECONDS = re.compile(r"@?(\d{10})(\d{9}|\d{6}|\d{3})?(?:\.(\d{1,9})\d*)?(?![\w.:-])")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?")
_NAME_ISO = re.compile(
    r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)[T _-]?(\d\d)[:._-]?(\d\d)[:._-]?(\d\d)(?!\d)(?:\.(\d{1,9})(?!\d))?"
    r"(Z|\+\d\d:?\d\d|-\d\d:\d\d)?"
)
_NAME_SECONDS = re.compile(r"(?<!\d)(\d{10})(\d{3}|\d{6}|\d{9})?(?!\d)(?:\.(\d{1,9})(?!\d))?")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time, how far it may be off, and where it comes from (line, name, mtime, series, exporter)."""

    time_ns: int
    uncertainty_ns: int
    source: str
    note: str = ""


def stamp_in_line(line: str) -> Stamp | None:
    """The time in a line that holds nothing else, or that begins with a mark (`# `, `=== `) and the time."""
    if len(line) > _LONGEST or not _PLAUSIBLE.search(line):
        return None
    text, decorated = line.strip(), False
    while found := _DECORATION.match(text):
        text, decorated = text[found.end() :], True
    if found := _SECONDS.match(text):
        if not decorated and found.end() < len(text):
            return None
        return _seconds(found[1], found[2] or found[3], Stamp(0, LINE_NS, "line"))
    if found := _ISO.match(text):
        if not decorated and found.end() < len(text.rstrip(" =-#*])")):
            return None
        return _iso(found.groups(), Stamp(0, LINE_NS, "line"))
    return _date(text.rstrip(" =-#*])"), decorated)


def stamp_in_name(name: str) -> Stamp | None:
    """The time in the name of a file: seconds since 1970, or a stamp such as 20261120-200340."""
    for found in _NAME_SECONDS.finditer(name):
        if stamp := _seconds(found[1], found[2] or found[3], Stamp(0, NAME_NS, "name")):
            return stamp
    for found in _NAME_ISO.finditer(name):
        if stamp := _iso(found.groups(), Stamp(0, NAME_NS, "name")):
            return stamp
    return None


def _seconds(whole: str, fraction: str | None, kind: Stamp) -> Stamp | None:
    """Seconds since 1970, where they are between 2001 and 2106."""
    seconds = int(whole)
    if not 10**9 <= seconds < 1 << 32:
        return None
    return Stamp(seconds * SECOND + _fraction(fraction), kind.uncertainty_ns, kind.source)


def _fraction(digits: str | None) -> int:
    return int((digits or "0").ljust(9, "0"))


def _iso(parts: tuple[str | None, ...], kind: Stamp) -> Stamp | None:
    numbers = [int(part or 0) for part in parts[:6]]
    return _moment(numbers, parts[6], parts[7], kind)


def _date(text: str, more: bool) -> Stamp | None:
    """What `date` prints, in the orders of several English locales; `more` words may follow if they are allowed to."""
    month = day = year = 0
    clock: re.Match[str] | None = None
    half = zone = None
    for word in text.replace(",", " ").split():
        if word[:3].lower() in _MONTHS and word.isalpha() and not month:
            month = _MONTHS.index(word[:3].lower()) + 1
        elif word[:3].lower() in _DAYS and word.isalpha():
            continue
        elif found := _CLOCK.fullmatch(word):
            clock = found
        elif word in ("AM", "PM", "am", "pm"):
            half = word.upper()
        elif word.isdecimal() and len(word) <= 2 and not day:
            day = int(word)
        elif word.isdecimal() and len(word) == 4 and not year:
            year = int(word)
        elif clock and not zone and (_OFFSET.fullmatch(word) or (word.isupper() and word.isalpha())):
            zone = word
        elif more:
            break
        else:
            return None
    if not (month and day and year and clock):
        return None
    hour = int(clock[1]) if half is None else int(clock[1]) % 12 + (12 if half == "PM" else 0)
    return _moment([year, month, day, hour, int(clock[2]), int(clock[3])], clock[4], zone, Stamp(0, LINE_NS, "line"))


def _moment(numbers: list[int], fraction: str | None, zone: str | None, kind: Stamp) -> Stamp | None:
    """Year to second in a zone; without one, in UTC."""
    ahead, note, uncertainty = _zone(zone)
    year, month, day, hour, minute, second = numbers
    try:
        passed = datetime(year, month, day, hour, minute, second, tzinfo=timezone(ahead)) - _EPOCH
    except (ValueError, OverflowError):
        return None
    time_ns = (passed.days * 86400 + passed.seconds) * SECOND + _fraction(fraction)
    if not 0 <= time_ns < 1 << 63:
        return None
    return Stamp(time_ns, max(kind.uncertainty_ns, uncertainty), kind.source, note)


def _zone(zone: str | None) -> tuple[timedelta, str, int]:
    """How far a zone is ahead of UTC, what to say about it, and how far the time may be off."""
    if zone is None:
        return timedelta(0), "a time without a zone, taken as UTC", 0
    if found := _OFFSET.fullmatch(zone):
        ahead = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if ahead < timedelta(hours=24):
            return -ahead if found[1] == "-" else ahead, "", 0
    if zone in _ZONES:
        return timedelta(hours=_ZONES[zone]), "", 0
    return timedelta(0), f"a time in zone {zone}, which is not known here, taken as UTC", UNKNOWN_ZONE_NS
