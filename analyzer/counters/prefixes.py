"""What programs put before each line of a log: times (ts, kubectl --timestamps, docker), syslog, names of files and pods.

It is looked for once, in the first lines of a file: what stands before nearly all of them is no counter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from analyzer.counters.dates import stamp_in_line
from analyzer.counters.names import GROUPS, group_of
from analyzer.counters.stamps import Stamp, stamp_in_name
from analyzer.fields import of_fields
from analyzer.patterns import regex

SAMPLE = 400  # lines by which it is decided
NEARLY_ALL = 0.85
DEEPEST = 4  # prefixes before each other
FEWEST = 3  # lines of which it means something that all begin alike

_CLOCK = r"\d\d?:\d\d:\d\d(?:[.,:]\d{1,9})?"
_ZONE = r"(?: ?(?:Z|[+-]\d\d:?\d\d|[A-Z]{3,4}(?=[ \t])))?"
_TIMES = (
    rf"\[?(\d{{4}}[-/]\d\d[-/]\d\d[T ]{_CLOCK}{_ZONE})[\]:,|]?",
    rf"\[?((?:[A-Z][a-z]{{2}} )?[A-Z][a-z]{{2}} [ \d]\d {_CLOCK}(?: [A-Z]{{3,4}})?(?: \d{{4}})?)[\]:,|]?",
    rf"\[?({_CLOCK}(?: [AP]M)?)[\]:,|]?",
    r"\[?(\d{10}(?:\.\d{1,9}|\d{3}|\d{9})?)[\]:,|]?",
)


def _stamped(text: str) -> Stamp | None:
    return stamp_in_line(text.replace("T", " ", 1) if text[4:5] == "-" else text)


def _no_time(text: str) -> Stamp | None:
    return None


@of_fields(frozen=True, slots=True)
class Prefix:
    """What stands before a line; its first group may be the time, as `stamp` reads it, or something that is none of it."""

    pattern: re.Pattern[str]
    stamp: Callable[[str], Stamp | None] = _no_time
    excepted: Callable[[str], bool] = lambda text: False
    host: Callable[[str], str] = lambda text: ""


def _first_word(text: str) -> str:
    return text.split()[0].strip("[]:|")


def _is_counter(text: str) -> bool:
    """Is what looks like a prefix the name or the heading of counters?"""
    word = text.strip(" :,=\t")
    return word in GROUPS or bool(group_of(word)) or word.startswith(("{", "[", "Sctp", "node_"))


_KNOWN = (
    *(Prefix(regex(rf"{time}(?:\s+|(?<=[\]:,|])|$)"), _stamped) for time in _TIMES),
    Prefix(regex(r"(\[(?:pod/)?[\w./-]*[A-Za-z][\w./-]*\]\s+)"), host=_first_word),  # kubectl logs --prefix
    Prefix(regex(r"(std(?:out|err) [FP] ?)")),  # CRI
    Prefix(regex(r"(<\d{1,3}>(?:1 )?)")),  # the priority of syslog
    Prefix(
        regex(r"([\w.-]+ [\w./-]+ (?:\d+|-) \S+ (?:-|\[[^\]]*\]) ?)"), host=_first_word
    ),  # RFC 5424: host, program, process, kind, data
    Prefix(
        regex(r"([\w.-]+ [\w./()-]+(?:\[\d+\])?: ?)"), excepted=_is_counter, host=_first_word
    ),  # syslog: host, program
    Prefix(regex(r"([A-Za-z][\w.-]*: )"), excepted=_is_counter, host=_first_word),  # pdsh: host
    Prefix(regex(r"([\w.@/-]+\s*\| ?)"), host=_first_word),  # docker compose
    Prefix(regex(r"([a-z0-9][a-z0-9.-]*-[a-z0-9]{4,} [a-z0-9][\w.-]* )"), host=_first_word),  # stern: pod, container
    Prefix(regex(r"((?:> ?|\| ))")),  # quoted
    Prefix(regex(r"(\d{1,7}[:-])(?=\D)")),  # grep -n
    Prefix(regex(r"(/?proc/[\w/]+:)(?=\S+ )")),  # grep "" /proc/net/snmp
    Prefix(regex(r"([^\s:]*[\w./][^\s:]*:)(?=\S)"), stamp_in_name, _is_counter),  # grep -H
)


class Stripper:
    """Takes the prefixes of a file's lines away.

    Parameters
    ----------
    sample : its first lines
    """

    def __init__(self, sample: Sequence[str]) -> None:
        self._prefixes: list[Prefix] = []
        self._wrapped = bool(sample) and all(_unwrapped(line) for line in sample if line.strip())
        if self._wrapped:
            sample = [inner[0] for line in sample if (inner := _unwrapped(line))]
        lines = [line for line in sample if line.strip("`\r\n\t ")]
        while lines and len(self._prefixes) < DEEPEST:
            known = (prefix for prefix in _KNOWN if _before_nearly_all(prefix, lines))
            found = next(known, None) or _in_common(lines)
            if found is None:
                break
            self._prefixes.append(found)
            lines = [left for line in lines if (left := _left(found, line)).strip()]

    def __bool__(self) -> bool:
        return self._wrapped or bool(self._prefixes)

    def strip(self, line: str) -> tuple[str, Stamp | None, str]:
        """The line without its prefixes, the time in them, and the host."""
        stamp: Stamp | None = None
        host = ""
        if self._wrapped and (inner := _unwrapped(line)):
            line, stamp = inner
        for prefix in self._prefixes:
            found = prefix.pattern.match(line)
            if found and not prefix.excepted(found[1]):
                stamp = stamp or prefix.stamp(found[1])
                host = host or prefix.host(found[1])
                line = line[found.end() :]
        return line, stamp, host


def _in_common(lines: Sequence[str]) -> Prefix | None:
    """The words that all lines begin with, such as a host's name: `web01: TcpInSegs 5`; None without any."""
    first, last = min(lines, default=""), max(lines, default="")
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    words = first[:same]
    words = words[: max(words.rfind(" "), words.rfind("\t")) + 1]
    if len(lines) < FEWEST or not words.strip() or words[0].isspace() or _is_counter(words.split()[0]):
        return None
    return Prefix(re.compile(f"({re.escape(words)})"))


def _before_nearly_all(prefix: Prefix, lines: Sequence[str]) -> bool:
    """Does it stand before nearly all lines, and something behind it?"""
    left = [_left(prefix, line) for line in lines]
    hits = sum(1 for before, after in zip(lines, left, strict=True) if len(after) < len(before))
    return hits >= NEARLY_ALL * len(lines) and 2 * sum(1 for text in left if text.strip()) > len(lines)


def _left(prefix: Prefix, line: str) -> str:
    """The line behind the prefix; the whole one where that does not stand there."""
    found = prefix.pattern.match(line)
    return line[found.end() :] if found and not prefix.excepted(found[1]) else line


def _unwrapped(line: str) -> tuple[str, Stamp | None] | None:
    """The line in an object of docker's json-file log or of `journalctl -o json`, and its time; None for other lines."""
    if not line.startswith('{"') or '"kernel"' in line:
        return None
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    found = message_of(body)
    return (found[0].rstrip("\n"), found[1]) if found else None


def message_of(body: object) -> tuple[str, Stamp | None] | None:
    """What was logged in an object of docker's json-file log or of `journalctl -o json`, and when; None for other objects.

    Without an end of line it goes on in the next object.
    """
    if not isinstance(body, dict):
        return None
    text, message = body.get("log"), body.get("MESSAGE")
    if not isinstance(text, str):
        if not isinstance(message, str):
            return None
        text = message + "\n"
    time = body.get("time", body.get("__REALTIME_TIMESTAMP"))
    return text, _stamped(time) if isinstance(time, str) else None
