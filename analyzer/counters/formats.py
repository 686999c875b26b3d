"""Text in, drafts of snapshots out: every form is recognised by what its lines look like, never by a name.

A file may hold snapshots of several forms one after another. A line with a time belongs to what follows it; a snapshot
ends where the next time, the next heading of nstat, or the first name of the same form comes again.
"""

from __future__ import annotations

import sys
from functools import lru_cache

from analyzer.counters import jsontext, samples
from analyzer.counters.dates import stamp_in_line
from analyzer.counters.drafts import Draft, Drafts, SnapshotError
from analyzer.counters.names import GROUPS, group_of
from analyzer.counters.pairs import Pairs
from analyzer.counters.pieces import Pieces, shown
from analyzer.counters.prefixes import SAMPLE, Stripper
from analyzer.counters.scrapes import Scrapes
from analyzer.counters.sentences import Sentences
from analyzer.counters.stamps import SECOND, Stamp, stamp_in_name
from analyzer.counters.values import TooLargeError, whole
from analyzer.patterns import regex

MAX_NAMES = 2_000
MAX_HOSTS = 256
ANOTHER_NS = 4 * SECOND // 10  # lines whose prefixes are as far apart are of two snapshots
WIDTH, VALUE = 32, 16  # of nstat's columns

_NSTAT_HEAD = regex(r"#\s*(kernel|\d+\.\d+ sampling_interval=\S+ time_const=\S+)")
_NSTAT_ROWS = regex(r"(?:[A-Z]\w{1,60} +\d{1,16} +\d{1,9}\.\d\n)++")
_ROW = regex(
    r"([A-Za-z]\w*)[ \t]*[ \t,:=;][ \t]*\"?(-?\d+)\"?(?:[\s,;]+(-?(?:\d+\.\d+|nan|inf)))?(\s+\(overflow\))?[,;]?"
)
_GLUED = regex(rf"(?=.{{{WIDTH}}}\d)([A-Za-z]\w*) +(\d{{{VALUE}}})(\d+\.\d)")
_HOST_MARK = regex(r"(\S+) \| (?:CHANGED|SUCCESS) \| rc=\d+ >>")  # ansible
_FILE_MARK = regex(r"==> \S+ <==|(?:# ?)?/?proc/[\w/]+:?")
_NO_NEWS = regex(r"```\w*|[+$#%] \w.*|-{2,}|={2,}|Defaulted container .*|.* \| (?:CHANGED|SUCCESS) \| rc=\d+ >>")
_IPV6 = ("Ip6", "Icmp6", "Udp6", "UdpLite6")


class Reader:
    """Give it the text of a file (or its lines), then `finish`.

    Parameters
    ----------
    path : what errors and notes call the file
    kept_ns : times between which no snapshot is left out, however many there are
    """

    def __init__(self, path: str, kept_ns: tuple[int, int] | None = None) -> None:
        self.drafts = Drafts(kept_ns)
        self.notes: list[str] = []
        self.sentences = Sentences()
        self.path = path
        self.number = 0
        self._stripper: Stripper | None = None
        self._prefix: Stamp | None = None  # the time before the line at hand
        self._pairs = Pairs(self)
        self._json = Pieces()
        self._scrapes = Scrapes(self)
        self._skipped: dict[str, tuple[int, str]] = {}
        self._kept_ns = kept_ns
        self._marked = self  # who reads what follows a line that names a host
        self._host = ""  # whose lines are read here; those of others go to readers of their own
        self._others: dict[str, Reader] = {}

    def read(self, text: str) -> None:
        """Take the next lines, whole ones."""
        if self._stripper is None:
            self._stripper = Stripper(text.split("\n", SAMPLE)[:SAMPLE])
        at, end, number = 0, len(text), self.number
        here = self._marked
        while at < end:
            if not self._stripper and here is self and (found := _NSTAT_ROWS.match(text, at)):
                at, self.number = found.end(), number + 1
                number += self._take_rows(found[0])
                continue
            if not self._stripper and here is self and text.startswith("#kernel\n", at) and not self._json:
                at, number, self._prefix = at + 8, number + 1, None
                self.number = number
                self._take_head(daemon=False)
                continue
            stop = text.find("\n", at)
            stop = end if stop < 0 else stop
            number += 1
            line, prefix = text[at:stop], None
            if self._stripper:
                line, prefix, host = self._stripper.strip(line)
                here = self._of(host) if host else here
            if " >>" in line and (mark := _HOST_MARK.fullmatch(line.rstrip())):
                here = self._marked = self._of(mark[1])
            here.feed(number, line, prefix)
            at = stop + 1
        self.number = number

    def feed(self, number: int, line: str, prefix: Stamp | None = None) -> None:
        """Take the next line, and the time that stood before it."""
        self.number = number
        self._prefix = prefix
        try:
            self._take(line)
        except TooLargeError as error:
            raise SnapshotError(
                f"{self.path}:{number}", f"{error}, which no 64-bit counter can hold", "remove or correct the value"
            ) from None

    def finish(self, *, complete: bool = True) -> list[Draft]:
        """The drafts that hold anything, and `notes` complete. Is the last line `complete`, with its end?"""
        if not complete and self.drafts.open and self.drafts.open.form == "raw":
            self.notes.append("the last line has no end: its last value may be cut")
        self._pairs.drop()
        if self._json:
            self._damaged(self._json.take())
        if self.drafts.left_out:
            self.notes.append(f"{self.drafts.left_out:,} snapshots left out, to keep every second or fewer of so many")
        self.notes += self.sentences.notes()
        for what, (count, example) in self._skipped.items():
            self.notes.append(f"{what}: {count} (first: {example})")
        found = self.drafts.finish()
        for draft in found if self._host else ():
            draft.host = f'host="{self._host}"'
        for host, reader in self._others.items():
            found += reader.finish()
            self.notes += [f"{host}: {note}" for note in reader.notes]
        return found

    def _of(self, host: str) -> Reader:
        """Who reads the lines of a host: what was named first is read here."""
        self._host = self._host or host
        if host == self._host:
            return self
        if host not in self._others:
            if len(self._others) >= MAX_HOSTS:
                found = f"counters of more than {MAX_HOSTS} hosts"
                raise SnapshotError(f"{self.path}:{self.number}", found, "keep those of the one that took the capture")
            other = self._others[host] = Reader(self.path, self._kept_ns)
            other._host = host
        return self._others[host]

    def _take(self, line: str) -> None:
        line = line.rstrip().lstrip("\0\ufeff")
        text = line.lstrip()
        if self._json or (text.startswith("{") and not text.startswith("{__name__=")):
            self._take_json(line)
        elif not text or (text[0].isdigit() and self._take_time(text)):
            return
        elif found := _NSTAT_HEAD.fullmatch(text):
            self._take_head(daemon=found[1] != "kernel")
        elif self._take_row(text, line) or self._take_samples(text) or self._take_time(text):
            return
        elif self._pairs.take(line):
            self.sentences.leave()
        elif not self._take_sentence(text):
            self._skip_line(text)

    def _take_time(self, text: str) -> bool:
        """A time holds for the snapshots that follow it."""
        mark = _FILE_MARK.fullmatch(text) is not None
        stamp = stamp_in_name(text) if mark else stamp_in_line(text)
        if stamp is not None:
            self._pairs.drop()
            self.drafts.begin_time(stamp, self.number)
            self.sentences.leave()
        return mark or stamp is not None

    # nstat, and the plain rows of /proc/net/snmp6

    def _take_head(self, *, daemon: bool) -> None:
        self._begin("nstat").daemon = daemon
        self.sentences.leave()

    def _take_rows(self, text: str) -> int:
        """Many lines of nstat at once; how many they are."""
        words = text.split()
        names = list(map(sys.intern, words[::3]))
        values = dict(zip(names, map(int, words[1::3]), strict=True))
        draft = self.drafts.open
        headed = draft is not None and draft.form == "nstat" and not draft.first
        if headed and draft is not None and not draft.values and len(values) == len(names) < MAX_NAMES:
            draft.values = values  # as usual: a heading, and all that follows it
            return len(names)
        plain = len(values) == len(names) and (headed or all(map(_is_name, names)))
        if plain and (draft is None or draft.form != "nstat" or draft.values.keys().isdisjoint(values)):
            draft = self.under("nstat", names[0])
            if draft.values:
                draft.values.update(values)
            else:
                draft.values = values
            self._check_size(len(draft.values) - 1)
        else:
            for number, line in enumerate(text.splitlines(), self.number):
                self.feed(number, line)
        return len(names)

    def _take_row(self, text: str, line: str) -> bool:
        """`TcpInSegs 5`, `TcpInSegs 5 0.0`, `TcpInSegs 0 0.0 (overflow)`, `TcpInSegs=5`"""
        if found := _GLUED.fullmatch(line):
            name, value, rate, fell = found[1], found[2], found[3], None
        elif found := _ROW.fullmatch(text):
            name, value, rate, fell = found.groups()
        else:
            return False
        draft = self.drafts.open
        headed = draft is not None and draft.form == "nstat" and not draft.first
        if not (headed and ":" not in text) and not _is_name(name):
            return False
        if draft is not None and draft.form == "prose" and self.sentences.group and ":" in text:
            return False
        raw = rate is None and (group_of(name) in _IPV6 or (draft is not None and draft.form == "raw"))
        draft = self.under("nstat" if headed or not raw else "raw", name)
        if fell:
            draft.fell[name] = None
        else:
            draft.put(name, whole(value))
        return True

    # netstat -s

    def _take_sentence(self, text: str) -> bool:
        """A heading of `netstat -s`, or a line below one; or one of its sentences alone."""
        known = self.drafts.open is not None and self.drafts.open.form == "prose"
        if (heading := self.sentences.heading(text, known)) is not None:
            if heading in GROUPS:
                self.under("prose", heading)
            return bool(heading)
        found = self.sentences.read(text, self.number)
        if isinstance(found, tuple):
            name, value = found
            self.under("prose", "" if self.sentences.group else name).put(name, whole(value))
        return bool(found)

    # samples, each with its name, host and time

    def _take_samples(self, text: str) -> bool:
        """Of node_exporter, promtool, telegraf."""
        if text.startswith(samples.PREFIX):
            self._scrapes.put([samples.sample_in(text)])
        elif text.startswith("{__name__="):
            sample = samples.dumped(text)
            self._scrapes.put([sample] if sample or samples.PREFIX in text[:60] else [])
        elif text.startswith("nstat") and (found := samples.telegraf(text)) is not None:
            self._scrapes.put(found)
        elif text.startswith(samples.TIME) and (stamp := samples.node_time(text)):
            self.drafts.node_time(stamp)
        else:
            return False
        return True

    # JSON

    def _take_json(self, line: str) -> None:
        """An object on one line, or one over several."""
        if self._json and line.startswith("{"):
            self._damaged(self._json.take())
        text = self._json.add(line)
        if text is None:
            return
        try:
            parsed = jsontext.parse(text)
        except ValueError:
            self._damaged(text)
            return
        if parsed is None:
            self.skip("JSON objects without counters", f"line {self.number}")
        elif isinstance(parsed, jsontext.Parsed):
            self._check_size(len(parsed.values))
            draft = self._begin(parsed.form, parsed.stamp)
            draft.values = parsed.values
            draft.notes += parsed.notes
            draft.daemon = "sampling_interval" in parsed.source
            self.drafts.close()
        else:
            self._scrapes.put(parsed)

    def _damaged(self, text: str) -> None:
        self.skip("damaged JSON lines left out", f"line {self.number}: {shown(text.strip())}")

    # drafts

    def _begin(self, form: str, stamp: Stamp | None = None) -> Draft:
        self._pairs.drop()
        draft = self.drafts.begin(form, self.number, stamp)
        draft.passed = self._prefix
        return draft

    def under(self, form: str, name: str) -> Draft:
        """The draft that takes `name`: the one at hand, unless it is of another form, begins with that name, or is of another time."""
        draft = self.drafts.open
        if draft is None or draft.form != form or (name and name == draft.first) or self._is_later(draft):
            draft = self._begin(form)
            draft.first = name
        self._check_size(len(draft.values) + len(draft.fell))
        return draft

    def _is_later(self, draft: Draft) -> bool:
        """Was the line at hand written so much later than the first one of the draft, that has no heading?"""
        if self._prefix is None or draft.passed is None or not draft.first:
            return False
        return self._prefix.time_ns - draft.passed.time_ns > ANOTHER_NS

    def _check_size(self, names: int) -> None:
        """A host has some four hundred counters."""
        if names >= MAX_NAMES:
            where = f"{self.path}:{self.number}"
            raise SnapshotError(where, f"more than {MAX_NAMES:,} names in one snapshot", "is this the right file?")

    def _skip_line(self, text: str) -> None:
        if not (text.startswith("#") or samples.is_other(text) or _NO_NEWS.fullmatch(text)):
            self.skip("lines that are no counters", f"line {self.number}: {shown(text)}")

    def skip(self, what: str, example: str) -> None:
        """Count what is left out."""
        count, first = self._skipped.get(what, (0, example))
        self._skipped[what] = count + 1, first


@lru_cache(1 << 12)
def _is_name(name: str) -> bool:
    """Is it the name of a counter, as nstat prints it?"""
    return (bool(group_of(name)) and name not in GROUPS) or name.startswith("Sctp")
