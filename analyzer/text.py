"""Numbers, times and names as people read them, in few columns."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime

from analyzer.errors import UsageError

LENGTHS = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


LONGEST = 2000  # characters of one text from a file: no name or sentence is as long, and a path hardly ever
# Colours (first group), else: C0 and C1 but for tabs and ends of lines, what turns the direction of writing, ends lines, or is half a character.
# Compiled at once: all that is said goes through it, also that there is no memory left.
_CONTROLS = re.compile(
    "(\x1b\\[[0-9;]{0,20}m)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

_NAMES: dict[str, str] = {}


def known_as(folder: str, name: str) -> None:
    """From now on what lies below `folder`, where only tcpcap put it, is `name` to those who read."""
    _NAMES[folder] = name


def unknown(folder: str) -> None:
    """Nothing lies there any more."""
    _NAMES.pop(folder, None)


def shown(text: str) -> str:
    """A path, or a sentence with paths, as its reader knows them: the member of an archive, not where it was unpacked."""
    for folder, name in _NAMES.items():
        text = text.replace(folder, name)
    return text


def printable(text: str) -> str:
    """Text from a file, safe for a terminal and of a length that can be read: control characters are shown, not sent."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text) - LONGEST:,} characters more)"
    return text if text.isprintable() else "".join(char if char.isprintable() else _code(char) for char in text)


def harmless(text: str) -> str:
    """Text of many lines for a terminal, whatever of it is from files: nothing but its lines, tabs and colours controls anything."""
    return _CONTROLS.sub(lambda found: found[0] if found[1] else _code(found[0]), text)


def _code(char: str) -> str:
    """A character that is not to be sent, as it is written in Python."""
    return f"\\x{ord(char):02x}"


def size_text(count: int) -> str:
    """Bytes in decimal units, as capture tools and links count."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{count} B" if unit == "B" else f"{_three(value)} {unit}"
        value /= 1000
    return f"{_three(value)} TB"


def rate_text(count: int, duration_ns: int) -> str:
    """Bits per second; empty where no time passed, or less than one bit in a second."""
    if duration_ns <= 0:
        return ""
    value = count * 8e9 / duration_ns
    if value < 1:
        return ""
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if value < 999.5:
            return f"{_three(value)} {unit}"
        value /= 1000
    return f"{_three(value)} Tbit/s"


def duration_text(duration_ns: int) -> str:
    """A duration with three significant figures, or in hours and days."""
    if duration_ns < 0:
        return "-" + duration_text(-duration_ns)
    seconds = duration_ns / 1e9
    if seconds >= 86400:
        days = seconds / 86400
        return f"{days:.1f} days" if days < 1000 else f"{days:,.0f} days"
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 100:
        return f"{seconds:.0f} s"
    value = float(duration_ns)
    for unit in ("ns", "us", "ms"):
        if value < 999.5:
            return f"{_three(value)} {unit}"
        value /= 1000
    return f"{_three(value)} s"


def _three(value: float) -> str:
    """Three significant figures, without an exponent."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def time_text(time_ns: int, day: bool = True) -> str:
    """A time in UTC to the microsecond."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns since 1970"
    text = f"{moment:%H:%M:%S}.{rest // 1000:06d}"
    return f"{moment:%Y-%m-%d} {text}" if day else text


def same_day(first_ns: int, last_ns: int) -> bool:
    """Do both times fall on one day (UTC)?"""
    day = 86_400 * 1_000_000_000
    return first_ns // day == last_ns // day


def command(*words: str) -> str:
    """A command line that runs as it is printed, such as `tcpcap rules show packet-loss`."""
    return f"tcpcap {shlex.join(words)}"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def endpoint(address: str, port: int) -> str:
    """An address with a port, as RFC 5952 writes it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def length_ns(text: str, where: str) -> int:
    """`100ms` -> 100,000,000; a UsageError that names `where` it stood for what is no length of time."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,18})?) ?(us|ms|s|m|min|h)?", text.strip())
    length = round(float(found[1]) * LENGTHS[found[2] or "s"]) if found else 0
    if length < 1000:
        raise UsageError(where, f"{text!r} is no length of time", "give one of 1us or more, such as 100ms or 1s")
    return length


def size_of(text: str, where: str) -> int:
    """`100MB` -> 100,000,000, in decimal units as `size_text` prints them; a UsageError that names `where` it stood for what is no size."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?) ?([kmgt]?)b?", text.strip().lower())
    size = round(float(found[1]) * SIZES[found[2]]) if found else 0
    if not 0 < size < 1 << 62:
        raise UsageError(where, f"{text!r} is no size", "give one such as 500kB, 100MB or 2GB")
    return size
