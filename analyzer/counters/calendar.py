"""Words of dates in many languages: months, halves of the day, zones."""

from __future__ import annotations

from datetime import timedelta

_MONTHS = (
    "jan january janv janvier januar ene enero gen gennaio janeiro januari stycznia sty янв января led ledna jän jänner",
    "feb february févr fév février februar febrero febbraio fev fevereiro februari lut lutego фев февраля úno února",
    "mar march mars mär märz mrz marzo março mrt maart marca мар марта bře března",
    "apr april avr avril abr abril aprile kwi kwietnia апр апреля dub dubna",
    "may mai mayo mag maggio maio mei maj maja май мая kvě května",
    "jun june juin juni junio giu giugno junho cze czerwca июн июня čen června",
    "jul july juil juillet juli julio lug luglio julho lip lipca июл июля čec července",
    "aug august aoû août ago agosto augustus augusti sie sierpnia авг августа srp srpna",
    "sep sept september septembre septiembre set settembre setembro wrz września сен сентября zář září",
    "oct october octobre oktober okt octubre ott ottobre out outubro paź października окт октября říj října",
    "nov november novembre noviembre novembro lis listopada listopadu ноя ноября",
    "dec december décembre déc dezember dez diciembre dic dicembre dezembro desember des gru grudnia дек декабря pro prosince",
)
MONTHS = {word: number for number, words in enumerate(_MONTHS, 1) for word in words.split()}
"""By name or abbreviation, in small letters and without a full stop: the number of the month."""

ALSO_DAYS = frozenset(["mar"])  # Tuesday in French, Spanish and Italian
HALVES = {"am": 0, "a.m.": 0, "pm": 12, "p.m.": 12, "午前": 0, "午後": 12, "上午": 0, "下午": 12, "오전": 0, "오후": 12}
"""Hours to add to those of a clock of twelve hours."""

ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8,
    "HST": -10, "SGT": 8, "HKT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3,
    "SAST": 2, "WIB": 7, "PKT": 5,
}  # fmt: skip
"""Hours ahead of UTC."""
UNSURE_ZONES = ("CST", "IST", "BST", "AST", "SST", "GST")
"""Abbreviations that mean different things in different places."""


def offset_of(sign: str, hours: str, minutes: str | None) -> timedelta | None:
    """How far a zone such as +05:30 is ahead of UTC; None where there is no such zone."""
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if ahead >= timedelta(hours=24):
        return None
    return -ahead if sign == "-" else ahead
