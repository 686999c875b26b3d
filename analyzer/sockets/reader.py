"""Lines in, sockets out: each row is recognised by what it looks like, whatever stands around it.

A list may begin with a heading or without, every line with a prefix (a time, a file's name), rows may take two or three
lines or be folded by a mail program; times, prompts and other commands may stand between. A line with a time belongs to
what follows it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from analyzer.counters.dates import stamp_in_line
from analyzer.counters.stamps import Stamp, dated
from analyzer.patterns import regex
from analyzer.sockets import netstat, proc, ss
from analyzer.sockets.sockets import Listed, SocketsError
from analyzer.sockets.totals import Totals
from analyzer.tables import SOCKET_STATES as STATES

_BEGIN = regex(
    rf"(?<=[\s:|\]>])(?:(?:(?:{ss.NETID})\s+)?(?:{ss.STATE})\s+\d+\s+\d+\s|Netid\s+State\s|State\s+Recv-Q\s|Recv-Q\s+Send-Q\s|"
    r"Proto\s+Recv-Q\s|Active\s+Internet\s|(?:tcp|udp)6?\s+\d+\s+\d+\s+\S+:\S+\s+\S+:|\d+:\s[0-9A-F]{8}(?:[0-9A-F]{24})?:[0-9A-F]{4}\s|sl\s+local_address)"
)
"""Where a row or a heading begins behind a prefix."""
_WORD = regex(r"(\d+)|([A-Za-z]+)|(\s+)|(.)", re.DOTALL)
_CALENDAR = regex(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)\w*$", re.IGNORECASE)
_MAX_PREFIX = 200
_DETAIL = regex(
    r"[a-z][\w-]*:\S|(?:ts|sack|ecn|ecnseen|fastopen|app_limited|send|pacing_rate|delivery_rate)(?:\s|$)|[\d.e+]+[KMGT]?bps(?:\s|$)|"
    r"users:\(|<->|-->|<--|[a-z][\w-]*\s+(?:wscale|rto|backoff|rtt|ato|mss|cwnd):|"
    r"(?:bbr\d?|bic|cdg|cubic|dctcp|highspeed|htcp|hybla|illinois|lp|nv|prague(?:-reno)?|reno|scalable|vegas|veno|westwood|yeah)$"
)
"""How a line begins that goes on with the row before it."""
_PROMPT = regex(r"(?:\[[^\]]*\]|\S+@\S+|)\s*[#$%>](?:\s+(.*))?$")
_MARK = regex(r"==> .* <==$|```|[-=*_]{3,}$")
_STATE_FILTER = regex(r"\bstate\s+([a-z0-9-]+)\s*$|\bstate\s+([a-z0-9-]+)\s")
_FILTERS = {"established": "ESTAB", "listening": "LISTEN", "closed": "UNCONN", **{s.lower(): s for s in STATES if s}}
_MOST_DETAILS = 1 << 16
_LONGEST = 1 << 11  # of any line but a row of ss, whose processes may be many


class Reader:
    """Feed it lines; `take` gives the sockets that are complete, `finish` the last one.

    `stamp` is the time that holds now, `snapshot` the number of the list that is read, `unknown` how many lines were none
    of a list, and `others` how many sockets of other families there were.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.stamp: Stamp | None = None
        self.totals = Totals()
        self.unknown = 0
        self.first_unknown = 0
        self.number = 0
        self.headed = False  # is there a heading? Then a list without rows is one of no sockets
        self.late = False  # did a list come before the first time?
        self.snapshot = 0
        self._filled = False  # has the list at hand any row?
        self._ss = ss.Rows()
        self._netstat = netstat.Rows()
        self._row: re.Match[str] | None = None  # the row of ss that may go on
        self._more: list[str] = []  # its other lines
        self._size = 0
        self._row_ns = self._row_snapshot = 0
        self._beginning = ""  # a row of which only the beginning stood on its line
        self._prefix: re.Pattern[str] | None = None
        self._prefix_ns = 0

    @property
    def translated(self) -> int:
        """Rows of netstat with a state that is not known."""
        return self._netstat.unknown_states

    @property
    def others(self) -> dict[str, int]:
        """Sockets of other families, by their names in ss."""
        return self._ss.others

    def begin(self, time_ns: int) -> None:
        """A list begins that was taken at this time; 0 where it is not known. What was open must have been finished."""
        self.stamp = Stamp(time_ns, 0, "series") if time_ns else None
        self._beginning = ""
        self._new_list()

    def _new_list(self) -> None:
        self._ss.begin()
        if self._filled:
            self.snapshot, self._filled = self.snapshot + 1, False

    def take(self, lines: list[str]) -> Iterator[Listed]:
        """The sockets that these lines complete."""
        row = ss.ROW.match
        for line in lines:
            self.number += 1
            if self._prefix is not None:
                line = self._without_prefix(line)
            if self._row is not None and line[:1] in ("\t", " ") and self._goes_on(line):
                continue
            if found := row(line):
                if self._row is not None and (listed := self._listed_row()):
                    yield listed
                self._open(found)
            else:
                yield from self._other(line)

    def finish(self) -> Iterator[Listed]:
        """The socket of the last row."""
        if self._row is not None and (listed := self._listed_row()):
            yield listed
        self._row = None

    def _listed_row(self) -> Listed | None:
        """The socket of the open row."""
        more = self._more[0] if len(self._more) == 1 else " ".join(self._more)
        assert self._row is not None
        return self._ss.listed(self._row, more, self._row_ns, self._row_snapshot)

    def _open(self, found: re.Match[str]) -> None:
        self._row, self._more, self._size, self._beginning = found, [], 0, ""
        self._row_ns = self._prefix_ns or (self.stamp.time_ns if self.stamp else 0)
        self._row_snapshot, self._filled = self.snapshot, True

    def _goes_on(self, line: str) -> bool:
        """Add a line to the open row, unless it is a row itself."""
        text = line.strip()
        if not _DETAIL.match(text) and (ss.BEGINNING.match(text) or _row_of_any(text)):
            return False
        if self._size < _MOST_DETAILS:
            self._more.append(text)
            self._size += len(text)
        return True

    def _in_users(self, text: str) -> bool:
        """Was the open row cut within the names of its processes?"""
        words = self._more[-1] if self._more else (self._row[7] if self._row else None) or ""
        return "users:((" in words and "))" not in words and "))" in text

    def _other(self, line: str) -> Iterator[Listed]:
        """A line that is no full row of ss with a state, or is not recognised as it stands."""
        text = line.strip().lstrip("\0\ufeff")
        if not text:
            return
        if self._beginning:
            text, self._beginning = f"{self._beginning} {text}", ""
        if self._row is not None and (_DETAIL.match(text) or self._in_users(text)) and not netstat.ROW.match(text):
            self._goes_on(text)
            return
        yield from self.finish()
        if row := ss.ROW.match(text):
            self._open(row)
        elif len(text) > _LONGEST:
            self._skip()
        elif found := self._listed(text):
            yield found
        elif ss.BEGINNING.match(text) or netstat.BEGINNING.match(text):
            self._beginning = text
        elif not self._known(text):
            if self._find_prefix(line):
                yield from self._after_prefix(line)
            elif command := _PROMPT.match(text):
                self._ss.state = _state_asked(command[1])
            else:
                self._skip()

    def _skip(self) -> None:
        self.unknown += 1
        self.first_unknown = self.first_unknown or self.number

    def _listed(self, text: str) -> Listed | None:
        """The socket of a row of another list, or of ss without a column for the state."""
        time_ns = self._prefix_ns or (self.stamp.time_ns if self.stamp else 0)
        found = self._netstat.listed(text, time_ns, self.snapshot) or proc.listed(text, time_ns, self.snapshot)
        if found is None and not _DETAIL.match(text):
            row = ss.SPARSE_ROW.match(text)
            if row and self._ss.listed(row, "", time_ns, self.snapshot):
                self._open(row)
            return None
        self._filled = True
        return found

    def _known(self, text: str) -> bool:
        """Is it a row that has been opened, a heading, a time, a total, or a command?"""
        if self._row is not None:
            return True
        for pattern, what in netstat.FOREIGN:
            if pattern.match(text):
                raise SocketsError(self.path, what, netstat.TODO)
        if any(each.match(text) for each in (ss.HEADER, netstat.HEADER, netstat.TITLE, proc.HEADER)):
            self.headed = True
            self._new_list()
            return True
        if netstat.UNIX_ROW.match(text) or self._ss.other(text) or _MARK.match(text):
            return True
        if stamp := self._stamp_in(text):
            self.late = self.late or (self.stamp is None and self._filled and self._prefix is None)
            self.stamp = stamp
            self._new_list()
            self._ss.state = 0
            return True
        return self.totals.take(text, self.stamp.time_ns if self.stamp else 0)

    # Prefixes

    def _find_prefix(self, line: str) -> bool:
        """Does a row or a heading begin behind something? Then every line is looked at without what is like it."""
        found = _BEGIN.search(line, 1, _MAX_PREFIX + 50)
        if found is None or not line[: found.start()].strip() or found.start() > _MAX_PREFIX:
            return False
        self._prefix = _pattern_of(line[: found.start()])
        return True

    def _after_prefix(self, line: str) -> Iterator[Listed]:
        rest = self._without_prefix(line)
        if rest != line:
            self.number -= 1
            prefix, self._prefix = self._prefix, None
            yield from self.take([rest])
            self._prefix = self._prefix or prefix

    def _without_prefix(self, line: str) -> str:
        found = self._prefix.match(line) if self._prefix else None
        self._prefix_ns = 0
        if found is None:
            return line
        stamp = self._stamp_in(found[0].strip(" \t:|[]>"))
        self._prefix_ns = stamp.time_ns if stamp else 0
        return line[found.end() :]

    def _stamp_in(self, text: str) -> Stamp | None:
        """The time in a line; where it says no day or no year, the one that brings it nearest to the file's own time."""
        stamp = stamp_in_line(text)
        if stamp is None or not stamp.lacks:
            return stamp
        try:
            written_ns = Path(self.path).stat().st_mtime_ns
        except OSError:  # a pipe: it is being written now
            written_ns = time.time_ns()
        return dated(stamp, written_ns, "the one nearest to the time of the file")


def _row_of_any(text: str) -> bool:
    return any(each.match(text) for each in (ss.ROW, ss.OTHER_ROW, netstat.ROW, proc.ROW, ss.HEADER))


def _pattern_of(prefix: str) -> re.Pattern[str]:
    """What matches prefixes like this one: other digits, another month or day, as many spaces as there are."""
    parts = []
    for digits, word, space, other in _WORD.findall(prefix.rstrip(" \t")):
        if digits:
            parts.append(r"\d+")
        elif word:
            parts.append(r"[A-Za-z]+" if _CALENDAR.match(word) else re.escape(word))
        else:
            parts.append(r"\s+" if space else re.escape(other))
    return re.compile("".join(parts) + (r"[ \t]" if prefix[-1] in " \t" else ""))


def _state_asked(command: str | None) -> int:
    """The state that a command of ss asks for: then its list has no column for it."""
    found = _STATE_FILTER.search(command or "")
    name = _FILTERS.get((found[1] or found[2]) if found else "")
    return STATES.index(name) if name else 0
