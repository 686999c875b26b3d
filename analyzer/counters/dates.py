"""The time in a line of text: as `date` prints it in many languages, as scripts and programs write it.

A line is a time where it holds one and hardly anything else: marks, the name of a host, the number of a round.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from analyzer.counters.calendar import ALSO_DAYS, HALVES, MONTHS, UNSURE_ZONES, ZONES
from analyzer.counters.stamps import YEARLESS, Stamp, moment, seconds_stamp
from analyzer.patterns import regex

LONGEST = 200
MOST_WORDS_BEFORE, MOST_WORDS_AFTER = 4, 6
_EDGE = " \t=-#*+>[](){}|,;'\"<"

_PLAUSIBLE = regex(r"\d:\d\d|\d{10}|\d{8}[T_ -]?\d{6}|\d\s*[時时点點시]")
_DECORATION = regex(
    r"[#=*+>\[({|<\s/'\"-]+|(?:date|time|timestamp|epoch|ts|at|zzz|snapshot)\b\s*[:=]?\s*", re.IGNORECASE
)
_SECONDS = regex(r"@?(\d{10})(\d{9}|\d{6}|\d{3})?(?:[.,](\d{1,9})\d*)?(?![\w.:-])")
_CLOCK = regex(r"(?<![\d:.])(\d{1,2}):(\d\d):(\d\d)(?:[.,:](\d{1,9})\d*)?(?![\d:])")
_ISO = regex(r"(?<![\d.])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_NUMBERS = regex(r"(?<![\d.])(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d\d)(?!\d)")
_AMBIGUOUS = regex(r"(?<![\d.])(?!(\d\d?)/\1/)(?:0?[1-9]|1[0-2])/(?:0?[1-9]|1[0-2])/(?:\d{4}|\d\d)(?!\d)")
_COMPACT = regex(r"(?<!\d)(\d{4})(\d\d)(\d\d)[T _-]?(\d\d)(\d\d)(\d\d)(?!\d)")
_ZONE = regex(
    rf"[\s,]*\(?((?:UTC|GMT)?[+-]\d\d?(?::?\d\d)?|{'|'.join([*ZONES, *UNSURE_ZONES])}|[A-Z]{{2,5}}(?= \d{{4}}\b))"
    r"\)?(?![\w:+-])"
)
_HALF = regex(rf"(?<![A-Za-zÀ-ÿ])(?:{'|'.join(re.escape(word) for word in HALVES)})(?![A-Za-zÀ-ÿ])", re.IGNORECASE)
_WATCH = regex(r"\w+ \d+[.,]\d\s?s: .*?(?<=[\s:])(?=\w{2,4}\.? \w+\.? +\w+\.? .*\d:\d\d:\d\d)")
_UPTIME = regex(r"\s*(\d{1,2}:\d\d:\d\d) up [\d:]+[\s,].*")

_HYPHENED = regex(r"(?<!\d)(\d{1,2})[-/]([^\W\d]{3,9})[-/](\d{4})[:T_ ]?(?=\s?\d\d?:)")
_CJK_DATE = regex(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号號]")
_CJK_CLOCK = regex(r"(\d{1,2})\s*[時时点點시]\s*(\d{1,2})\s*[分분]\s*(\d{1,2})\s*[秒초]")


def stamp_in_line(line: str) -> Stamp | None:
    """The time in a line that holds hardly anything else; without a day or a year where it says none."""
    if len(line) > LONGEST or not _PLAUSIBLE.search(line):
        return None
    if found := _UPTIME.fullmatch(line):
        return _parsed(found[1])
    text, decorated = line.strip(), False
    while found := _DECORATION.match(text):
        text, decorated = text[found.end() :], True
    if found := _SECONDS.match(text):
        if not decorated and found.end() < len(text):
            return None
        return seconds_stamp(found[1], found[2] or found[3], "line")
    if found := _WATCH.match(text):
        text = text[found.end() :]
    return _parsed(text.rstrip(_EDGE))


def _parsed(text: str) -> Stamp | None:
    """The date and the clock in a text."""
    text = _CJK_CLOCK.sub(r" \1:\2:\3 ", _CJK_DATE.sub(r" \1-\2-\3 ", text))
    text = _HYPHENED.sub(r"\1 \2 \3 ", text)
    if found := _COMPACT.search(text):
        zone = _ZONE.match(text, found.end())
        spans = [found.span(), *([zone.span()] if zone else [])]
        numbers = [int(part) for part in found.groups()]
        return moment(numbers, None, zone[1] if zone else None, "line") if _alone(text, spans) else None
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    spans = [clock.span()]
    half = _HALF.search(text)
    if half:
        spans.append(half.span())
    after = half.end() if half and half.start() >= clock.end() else clock.end()
    if zone := _ZONE.match(text, after):
        spans.append(zone.span())
    found_date = _date_by_numbers(text) or _date_by_name(text, clock.span())
    date, date_spans = found_date if found_date else ((YEARLESS, 1, 1), [])
    hour = int(clock[1]) if half is None else int(clock[1]) % 12 + HALVES[half[0].lower()]
    lacks = "" if date[0] != YEARLESS else "year" if found_date else "day"
    if lacks:  # what says so little must say nothing else
        if text[: min(span[0] for span in (spans + date_spans))].count(" ") > 1 or _rest(text, spans + date_spans):
            return None
    elif not _alone(text, spans + date_spans):
        return None
    numbers = [*date, hour, int(clock[2]), int(clock[3])]
    stamp = moment(numbers, clock[4], zone[1] if zone else None, "line", lacks)
    if stamp and _AMBIGUOUS.search(text):
        return replace(
            stamp, note="; ".join(filter(None, ["a date that may be read in two ways, taken as month/day", stamp.note]))
        )
    return stamp


Spans = list[tuple[int, int]]


def _date_by_numbers(text: str) -> tuple[tuple[int, int, int], Spans] | None:
    """2026-11-20, 11/20/2026, 20.11.2026."""
    if found := _ISO.search(text):
        return (int(found[1]), int(found[3]), int(found[4])), [found.span()]
    found = _NUMBERS.search(text)
    if found is None:
        return None
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    # Behind dots the day comes first; behind slashes the month, as bash's %D has it, unless it cannot be one.
    month_first = second > 12 or (found[2] == "/" and first <= 12)
    month, day = (first, second) if month_first else (second, first)
    return (year if year > 99 else 2000 + year, month, day), [found.span()]


def _date_by_name(text: str, clock: tuple[int, int]) -> tuple[tuple[int, int, int], Spans] | None:
    """With the name of the month, in any order; without a year, of the year YEARLESS."""
    words = [found for found in re.finditer(r"[^\s,()]+", text) if not clock[0] <= found.start() < clock[1]]
    months = [found for found in words if found[0].lower().rstrip(".") in MONTHS]
    if len(months) > 1:
        months = [found for found in months if found[0].lower().rstrip(".") not in ALSO_DAYS] or months
    days = [found for found in words if re.fullmatch(r"\d{1,2}\.?(?:er|º|th|st|nd|rd)?", found[0])]
    years = [found for found in words if re.fullmatch(r"(?:19|20|21)\d\d\.?", found[0])]
    if not months or not days:
        return None
    month = months[0]
    day = min(days, key=lambda found: abs(found.start() - month.start()))
    year = int(years[0][0].rstrip(".")) if years else YEARLESS
    number = int(re.match(r"\d+", day[0])[0])  # type: ignore[index]
    spans = [month.span(), day.span(), *([years[0].span()] if years else [])]
    return (year, MONTHS[month[0].lower().rstrip(".")], number), spans


def _alone(text: str, spans: Spans) -> bool:
    """Are there only few words around the parts of a time, and no more than a few between them?"""
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    before, after = text[:first].split(), text[last:].split()
    between = sum(len(text[one[1] : two[0]].split()) for one, two in pairwise(sorted(spans)))
    return len(before) <= MOST_WORDS_BEFORE and len(after) <= MOST_WORDS_AFTER and between <= 3


def _rest(text: str, spans: Spans) -> str:
    """What follows the last part of a time."""
    return text[max(span[1] for span in spans) :].strip(_EDGE)
