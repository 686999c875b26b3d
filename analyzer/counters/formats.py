"""Lines of text in, drafts of snapshots out: every form is recognised by what its lines look like, never by a name.

A file may hold snapshots of several forms one after another. A line with a time belongs to what follows it; a snapshot
ends where the next time, the next heading of nstat, or the first name of the same form comes again.
"""

from __future__ import annotations

import re

from analyzer.counters import exporter, jsontext, prose
from analyzer.counters.drafts import Draft, SnapshotError
from analyzer.counters.names import GROUPS, group_of
from analyzer.counters.stamps import Stamp, stamp_in_line, stamp_in_name
from analyzer.counters.values import TooLargeError, whole

MAX_SNAPSHOTS = 5_000
MAX_NAMES = 2_000
MAX_JSON = 1 << 20

_NSTAT_HEAD = re.compile(r"#\s*(kernel|\d+\.\d+ sampling_interval=\S+ time_const=\S+)")
_NSTAT_ROW = re.compile(r"([A-Za-z]\w*)\s+(-?\d+)(?:\s+(-?(?:\d+\.\d+|nan|inf)))?(\s+\(overflow\))?")
_PAIR_ROW = re.compile(r"([A-Za-z]\w*):(?:\s+(\S.*))?")
_PAIR_NAMES = re.compile(r"[A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)*")
_PAIR_VALUES = re.compile(r"-?\d+(?:\s+-?\d+)*")
_HEADING = re.compile(r"([A-Za-z]\w*):")
_PATH = re.compile(r"/?proc/[\w/]+:")
_FILE_MARK = re.compile(r"==> \S+ <==|/?proc/[\w/]+:?")
_IPV6 = ("Ip6", "Icmp6", "Udp6", "UdpLite6")


class Reader:
    """Feed it the lines of a file, then `finish`.

    Parameters
    ----------
    path : what errors and notes call the file
    """

    def __init__(self, path: str) -> None:
        self.drafts: list[Draft] = []
        self.notes: list[str] = []
        self._path = path
        self._number = 0
        self._draft: Draft | None = None
        self._stamp: Stamp | None = None
        self._stamped: set[str] = set()  # the forms that have used this time
        self._names: tuple[str, list[str]] | None = None  # a line of names that waits for its line of values
        self._group = self._direction = ""  # the heading of `netstat -s` that holds
        self._json: list[str] = []  # an object over several lines
        self._json_size = 0
        self._labels: str | None = None
        self._scrapes: dict[int, Draft] = {}  # node_exporter's samples by their time
        self._skipped: dict[str, tuple[int, str]] = {}

    def feed(self, number: int, line: str) -> None:
        """Take the next line."""
        self._number = number
        try:
            self._take(line)
        except TooLargeError as error:
            raise SnapshotError(
                f"{self._path}:{number}", f"{error}, which no 64-bit counter can hold", "remove or correct the value"
            ) from None

    def finish(self, *, complete: bool = True) -> list[Draft]:
        """The drafts that hold anything, and `notes` complete. Is the last line `complete`, with its end?"""
        if not complete and self._draft and self._draft.form == "raw":
            self.notes.append("the last line has no end: its last value may be cut")
        self._drop_names()
        if self._json:
            self._damaged(self._json[0])
            self._json = []
        for what, (count, example) in self._skipped.items():
            self.notes.append(f"{what}: {count} (first: {example})")
        self._times_that_follow()
        # Where nothing moved, nstat prints its heading only.
        return [draft for draft in self.drafts if draft.values or draft.form in ("nstat", "json")]

    def _take(self, line: str) -> None:
        line = line.rstrip().lstrip("\0\ufeff")
        text = line.lstrip()
        if self._json or text.startswith("{"):
            self._take_json(line)
        elif not text:
            return
        elif _FILE_MARK.fullmatch(text):
            self._begin_time(stamp_in_name(text))
        elif found := _NSTAT_HEAD.fullmatch(text):
            self._open("nstat").daemon = found[1] != "kernel"
            self._group = ""
        elif text.startswith(exporter.PREFIX):
            self._take_sample(text)
        elif stamp := stamp_in_line(text):
            self._begin_time(stamp)
        elif not (self._take_pairs(line) or self._take_row(text) or self._take_sentence(text)):
            self._skip_line(text)

    def _begin_time(self, stamp: Stamp | None) -> None:
        """A time holds for the snapshots that follow it."""
        if stamp:
            self._close()
            self._stamp, self._stamped, self._group = stamp, set(), ""

    # nstat, and the plain rows of /proc/net/snmp6

    def _take_row(self, text: str) -> bool:
        """`TcpInSegs 5`, `TcpInSegs 5 0.0`, `TcpInSegs 0 0.0 (overflow)`"""
        found = _NSTAT_ROW.fullmatch(text)
        if not found:
            return False
        name, value, rate, fell = found.groups()
        draft = self._draft
        headed = draft is not None and draft.form == "nstat"
        if not headed and not group_of(name) and not name.startswith("Sctp"):
            return False
        raw = rate is None and (group_of(name) in _IPV6 or (draft is not None and draft.form == "raw"))
        draft = self._under("nstat" if headed or not raw else "raw", name)
        if fell:
            draft.fell[name] = None
        else:
            draft.put(name, whole(value))
        return True

    # /proc/net/snmp and netstat

    def _take_pairs(self, line: str) -> bool:
        """A line of names, or the line of values that follows it."""
        text = _PATH.sub("", line, count=1).strip()
        found = _PAIR_ROW.fullmatch(text)
        if not found or (line[0].isspace() and found[1] not in GROUPS):
            return False
        group, rest = found[1], found[2] or ""
        if self._names and self._names[0] == group and (not rest or _PAIR_VALUES.match(rest)):
            self._pair(group, self._names[1], rest.split())
            return True
        if not _PAIR_NAMES.fullmatch(rest):
            return False
        self._drop_names()
        self._names = (group, rest.split())
        self._group = ""
        return True

    def _pair(self, group: str, names: list[str], values: list[str]) -> None:
        self._names = None
        count = len(names)
        if len(values) != count:
            # Where a line was cut, its last word may be cut as well.
            count = min(count, len(values)) - 1
            self._skip("lines with more names than values or the reverse", f"line {self._number}, {group}")
        if count <= 0:
            return
        draft = self._under("raw", group + names[0])
        for name, value in zip(names[:count], values[:count], strict=True):
            if _PAIR_VALUES.fullmatch(value):
                draft.put(group + name, whole(value))
            else:
                self._skip("values that are no numbers", f"line {self._number}, {group + name}")

    def _drop_names(self) -> None:
        if self._names:
            self._skip("lines of names without their values", self._names[0])
        self._names = None

    # netstat -s

    def _take_sentence(self, text: str) -> bool:
        """A heading of `netstat -s`, or a line below one."""
        if found := _HEADING.fullmatch(text):
            if found[1] in GROUPS:
                self._under("prose", found[1])
            known = self._draft is not None and self._draft.form == "prose"
            self._group, self._direction = (found[1] if known else ""), ""
            return known
        if not self._group:
            return False
        if direction := prose.direction_of(text):
            self._direction = direction
            return True
        if not (found_name := prose.named(self._group, self._direction, text)):
            self._skip("sentences not known", f"line {self._number}: {_shown(text)}")
            return True
        self._under("prose", "").put(found_name[0], whole(found_name[1]))
        return True

    # node_exporter

    def _take_sample(self, text: str) -> None:
        sample = exporter.sample_in(text)
        if sample is None or sample.value is None:
            self._skip("samples that are no whole numbers", f"line {self._number}")
            return
        if self._labels not in (None, sample.labels):
            raise SnapshotError(
                f"{self._path}:{self._number}",
                f"counters of several hosts, {{{_shown(self._labels or '')}}} and {{{_shown(sample.labels)}}}",
                "keep those of one",
            )
        self._labels = sample.labels
        if sample.stamp is None:
            self._under("exporter", sample.name).put(sample.name, sample.value)
            return
        known = self._scrapes.get(sample.stamp.time_ns)
        draft = self._scrapes[sample.stamp.time_ns] = known or self._open("exporter", sample.stamp)
        draft.put(sample.name, sample.value)

    # JSON

    def _take_json(self, line: str) -> None:
        """An object on one line, or one that begins with a line `{` and ends with a line that begins with `}`."""
        if self._json and line.startswith("{"):
            self._damaged(self._json[0])
            self._json, self._json_size = [], 0
        text = line.strip()
        if self._json or text == "{":
            self._json.append(line)
            self._json_size += len(line)
            if not line.startswith("}") and self._json_size <= MAX_JSON:
                return
            text, self._json, self._json_size = "\n".join(self._json), [], 0
        try:
            parsed = jsontext.parse(text)
        except ValueError:
            self._damaged(text)
            return
        if parsed is None:
            self._skip("JSON objects without counters", f"line {self._number}")
            return
        self._check_size(len(parsed.values))
        draft = self._open(parsed.form, parsed.stamp)
        draft.values = parsed.values
        draft.notes += parsed.notes
        draft.daemon = "sampling_interval" in parsed.source
        self._close()

    def _damaged(self, text: str) -> None:
        self._skip("damaged JSON lines left out", f"line {self._number}: {_shown(text.strip())}")

    # drafts

    def _open(self, form: str, stamp: Stamp | None = None) -> Draft:
        """Begin a snapshot. The last time holds for the first of each form that follows it."""
        self._close()
        self._make_room(form)
        if stamp is None and form not in self._stamped:
            stamp = self._stamp
            self._stamped.add(form)
        self._draft = Draft(form, self._number, stamp)
        self.drafts.append(self._draft)
        return self._draft

    def _under(self, form: str, name: str) -> Draft:
        """The draft that takes `name`: the one at hand, unless it is of another form or begins with that name."""
        draft = self._draft
        if draft is None or draft.form != form or (name and name == draft.first):
            draft = self._open(form)
            draft.first = name
        self._check_size(len(draft.values) + len(draft.fell))
        return draft

    def _check_size(self, names: int) -> None:
        """A host has some four hundred counters."""
        if names >= MAX_NAMES:
            where = f"{self._path}:{self._number}"
            raise SnapshotError(where, f"more than {MAX_NAMES:,} names in one snapshot", "is this the right file?")

    def _make_room(self, form: str) -> None:
        """Of a long series every second snapshot goes: counters lose nothing but resolution in time."""
        if len(self.drafts) < MAX_SNAPSHOTS:
            return
        if form != "series":
            where = f"{self._path}:{self._number}"
            raise SnapshotError(where, f"more than {MAX_SNAPSHOTS:,} snapshots", "split the file")
        self._skip(f"times that every second snapshot was left out, to keep {MAX_SNAPSHOTS:,}", f"line {self._number}")
        del self.drafts[1::2]

    def _close(self) -> None:
        self._drop_names()
        self._draft = None

    def _times_that_follow(self) -> None:
        """Where the first snapshot has no time and the last time no snapshot, the times stand behind their snapshots."""
        if self._stamp is None or self._stamped or not self.drafts or self.drafts[0].stamp is not None:
            return
        later = [draft.stamp for draft in self.drafts[1:]]
        if None not in later:
            for draft, stamp in zip(self.drafts, [*later, self._stamp], strict=True):
                draft.stamp = stamp

    def _skip_line(self, text: str) -> None:
        if not (text.startswith("#") or exporter.is_other(text)):
            self._skip("lines that are no counters", f"line {self._number}: {_shown(text)}")

    def _skip(self, what: str, example: str) -> None:
        count, first = self._skipped.get(what, (0, example))
        self._skipped[what] = count + 1, first


def _shown(text: str) -> str:
    text = "".join(char if char.isprintable() else "?" for char in text[:61])
    return text if len(text) <= 60 else text[:57] + "..."
