"""Times of snapshots, how far each may be off, and where it comes from.

Everything is int64 nanoseconds since 1970 (UTC) and never goes through a float.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from analyzer.counters.calendar import UNSURE_ZONES, ZONES, offset_of
from analyzer.fields import of_fields
from analyzer.patterns import regex

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
LINE_NS, NAME_NS, MTIME_NS, SERIES_NS = SECOND, SECOND, 2 * SECOND, SECOND // 1000
UNKNOWN_ZONE_NS = 14 * 3600 * SECOND
YEARLESS = 2000  # the year that stands for one that is not said: it has a 29th of February
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = regex(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d\d)?")
_NAME_ISO = regex(
    r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)[T _-]?(\d\d)[:._-]?(\d\d)[:._-]?(\d\d)(?!\d)(?:\.(\d{1,9})(?!\d))?"
    r"(Z|\+\d\d:?\d\d|-\d\d:\d\d)?"
)
_NAME_SECONDS = regex(r"(?<!\d)(\d{10})(\d{3}|\d{6}|\d{9})?(?!\d)(?:\.(\d{1,9})(?!\d))?")


@of_fields(frozen=True, slots=True)
class Stamp:
    """A time, how far it may be off, and where it comes from (line, name, mtime, series, exporter).

    `lacks` : `day` where it is a clock's only, since midnight; `year` where it is one of the year YEARLESS
    """

    time_ns: int
    uncertainty_ns: int
    source: str
    note: str = ""
    lacks: str = ""


def stamp_in_name(name: str) -> Stamp | None:
    """The time in the name of a file: seconds since 1970, or a stamp such as 20261120-200340."""
    for found in _NAME_SECONDS.finditer(name):
        if stamp := seconds_stamp(found[1], found[2] or found[3], "name"):
            return stamp
    for found in _NAME_ISO.finditer(name):
        if stamp := moment([int(part) for part in found.groups()[:6]], found[7], found[8], "name"):
            return stamp
    return None


def seconds_stamp(whole: str, fraction: str | None, source: str) -> Stamp | None:
    """Seconds since 1970, where they are between 2001 and 2106."""
    seconds = int(whole)
    if not 10**9 <= seconds < 1 << 32:
        return None
    return Stamp(seconds * SECOND + nanoseconds(fraction), precision(fraction), source)


def nanoseconds(digits: str | None) -> int:
    """What the digits behind the point of a second are."""
    return int((digits or "0")[:9].ljust(9, "0"))


def precision(digits: str | None) -> int:
    """How far a time may be off by its digits: to milliseconds where they are there, else to what the last one is."""
    return int(max(SERIES_NS, SECOND // 10 ** len(digits or "")))


def moment(numbers: list[int], fraction: str | None, zone: str | None, source: str, lacks: str = "") -> Stamp | None:
    """Year to second in a zone; without one, in UTC. Of a clock alone the date does not matter."""
    ahead, note, uncertainty = _zone(zone)
    year, month, day, hour, minute, second = numbers
    try:
        passed = datetime(year, month, day, hour, minute, second, tzinfo=timezone(ahead)) - _EPOCH
    except (ValueError, OverflowError):
        return None
    time_ns = (passed.days * 86400 + passed.seconds) * SECOND + nanoseconds(fraction)
    if lacks == "day":
        time_ns %= DAY
    if not 0 <= time_ns < 1 << 63:
        return None
    return Stamp(time_ns, max(precision(fraction), uncertainty), source, note, lacks)


def dated(stamp: Stamp, near_ns: int, whence: str) -> Stamp:
    """A stamp without day or year, on the day (in the year) that brings it nearest to `near_ns`."""
    if not stamp.lacks:
        return stamp
    note = f"a time without a {'date' if stamp.lacks == 'day' else 'year'}, taken as {whence}"
    if stamp.lacks == "day":
        base = near_ns // DAY * DAY + stamp.time_ns
        options = [base - DAY, base, base + DAY]
    else:
        year = (_EPOCH + timedelta(seconds=near_ns // SECOND)).year
        options = [_in_year(stamp.time_ns, each) for each in (year - 1, year, year + 1)]
    time_ns = min((each for each in options if each >= 0), key=lambda each: abs(each - near_ns))
    notes = [text for text in (stamp.note, note) if text]
    return replace(stamp, time_ns=time_ns, note="; ".join(notes), lacks="")


def _in_year(time_ns: int, year: int) -> int:
    """The same moment of another year; the 29th of February may be the 1st of March there."""
    first = [datetime(each, 1, 1, tzinfo=UTC) for each in (YEARLESS, max(year, 1970))]
    moved = _EPOCH + timedelta(seconds=time_ns // SECOND)
    try:
        moved = moved.replace(year=first[1].year)
    except ValueError:
        moved = moved.replace(year=first[1].year, month=3, day=1)
    passed = moved - _EPOCH
    return (passed.days * 86400 + passed.seconds) * SECOND + time_ns % SECOND


def _zone(zone: str | None) -> tuple[timedelta, str, int]:
    """How far a zone is ahead of UTC, what to say about it, and how far the time may be off."""
    if zone is None:
        return timedelta(0), "a time without a zone, taken as UTC", 0
    if found := _OFFSET.fullmatch(zone):
        ahead = offset_of(*found.groups())
        if ahead is not None:
            return ahead, "", 0
    if zone in ZONES:
        return timedelta(hours=ZONES[zone]), "", 0
    many = ", which means several" if zone in UNSURE_ZONES else ", which is not known here"
    return timedelta(0), f"a time in zone {zone}{many}, taken as UTC", UNKNOWN_ZONE_NS
