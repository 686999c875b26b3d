"""Files of counters in, snapshots out: one shape for every form in which Linux shows its network counters."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from analyzer.counters.drafts import Draft, SnapshotError
from analyzer.counters.formats import Reader
from analyzer.counters.guess import kind_of
from analyzer.counters.intervals import restarts
from analyzer.counters.names import group_of
from analyzer.counters.series import Kind, Series, Snapshot
from analyzer.counters.stamps import MTIME_NS, Stamp, stamp_in_name

MAX_LINE = 1 << 20
PATIENCE = 4 << 20
"""So many bytes without a counter are read before a file is given up."""

FORMS = "nstat, nstat --json, /proc/net/{snmp,netstat,snmp6}, netstat -s, node_exporter or counters.jsonl"

_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\xfd7zXZ", b"BZh")


def read_snapshots(path: str | Path, *, increments: bool | None = None) -> list[Snapshot]:
    """Every snapshot in a file, in its order.

    Parameters
    ----------
    path : text or JSON of nstat, /proc/net/{snmp,netstat,snmp6}, netstat -s, node_exporter, or a counters.jsonl
    increments : whether nstat's values are increments; None guesses. No other form is in doubt.

    Raises SnapshotError where there is no counter, and where a value cannot be one.
    """
    reader, lines = Reader(str(path)), _Lines(Path(path))
    try:
        for number, line in enumerate(lines, 1):
            reader.feed(number, line)
            if lines.passed > PATIENCE and not reader.drafts:
                break
    except OSError as error:
        raise _unreadable(path, error) from error
    drafts = reader.finish(complete=lines.complete)
    if not any(_idle(draft) or any(map(group_of, draft.values)) for draft in drafts):
        raise _nothing(str(path), lines.head, reader.notes)
    return _snapshots(str(path), drafts, reader.notes, lines.modified_ns, increments)


def series_of(paths: Sequence[str | Path], host: str = "", *, increments: bool | None = None) -> Series:
    """The snapshots of several files of one host, in order of time.

    What the text of nstat does not say is guessed from all files together.
    """
    every = [snapshot for path in paths for snapshot in read_snapshots(path, increments=increments)]
    every.sort(key=lambda snapshot: snapshot.time_ns)
    snapshots = _guessed_together(every)
    notes = list(dict.fromkeys(f"{each.source}: {note}" for each in snapshots for note in each.notes))
    series = Series(host, snapshots, notes)
    return replace(series, notes=[*notes, *(restart.note for restart in restarts(series))])


class _Lines:
    """The lines of a file, none of them much longer than is allowed, and what else is to be known of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.passed = self.modified_ns = 0
        self.head = b""
        self.complete = True  # does the last line have an end?

    def __iter__(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            for number in count(1):
                line = file.readline(MAX_LINE + 1)
                if not line:
                    break
                if len(line) > MAX_LINE:
                    where = f"{self._path}:{number}"
                    raise SnapshotError(where, f"a line of more than {MAX_LINE:,} bytes", "is it the right file?")
                self.head = self.head or line[:6]
                self.passed += len(line)
                self.complete = line.endswith(b"\n")
                yield line.decode("utf-8", errors="replace")
            self.modified_ns = os.fstat(file.fileno()).st_mtime_ns


def _snapshots(
    path: str, drafts: list[Draft], notes: list[str], modified_ns: int, increments: bool | None
) -> list[Snapshot]:
    """Drafts with their times and kinds."""
    kinds = _kinds(drafts, increments)
    file_stamp = stamp_in_name(Path(path).name) or Stamp(modified_ns, MTIME_NS, "mtime", "the time is the file's own")
    found = []
    for draft, (kind, reason) in zip(drafts, kinds, strict=True):
        stamp = draft.stamp or file_stamp
        own = [*draft.notes, *([stamp.note] if stamp.note else [])]
        if draft.stamp is None and len(drafts) > 1:
            own.append("one of several snapshots without a time of its own: taken before the time of the file")
        if _idle(draft):
            own.append("no counter moved since the run of nstat before")
        if draft.twice:
            own.append(f"names that come twice: {draft.twice} (first: {draft.first_twice}); the last value holds")
        if draft.fell:
            own.append(f"counters that nstat marks with (overflow), left out: {', '.join([*draft.fell][:5])}")
        if reason:
            own.append(f"taken as {kind}: {reason}")
        source = f"{path}:{draft.line}" if len(drafts) > 1 else path
        found.append(
            Snapshot(
                stamp.time_ns,
                stamp.uncertainty_ns,
                stamp.source,
                draft.values,
                kind,
                _zeros(draft),
                source,
                own,
                reason,
            )
        )
    found[-1].notes.extend(notes)
    return found


def _idle(draft: Draft) -> bool:
    """Where nothing moved, nstat prints its heading only."""
    return draft.form in ("nstat", "json") and not (draft.values or draft.fell or draft.notes)


def _zeros(draft: Draft) -> bool:
    """Does this form list counters that are zero?"""
    if draft.form in ("raw", "exporter"):
        return True
    nothing = sum(1 for value in draft.values.values() if value == 0)
    if draft.daemon:
        # nstat lists what stands still now but has moved lately as well.
        return nothing * 2 > len(draft.values)
    return nothing > 0 and draft.form != "prose"


def _kinds(drafts: list[Draft], increments: bool | None) -> list[tuple[Kind, str]]:
    """The kind of each draft, and why where it was guessed. Only nstat leaves it open."""
    open_ones = [draft for draft in drafts if draft.form in ("nstat", "json")]
    kind: Kind = "increments" if increments else "absolute"
    reason = ""
    if increments is None and open_ones:
        zeros, overflow = all(map(_zeros, open_ones)), any(draft.fell for draft in open_ones)
        kind, reason, certain = kind_of([draft.values for draft in open_ones], zeros, overflow)
        reason = "" if certain else reason
    return [(kind, reason) if draft in open_ones else ("absolute", "") for draft in drafts]


def _guessed_together(snapshots: list[Snapshot]) -> list[Snapshot]:
    """With the kind that all the uncertain ones have in common."""
    unsure = [each for each in snapshots if each.guessed]
    if len(unsure) < 2:
        return snapshots
    kind, reason, _ = kind_of([each.values for each in unsure], all(each.zeros for each in unsure), False)
    note = f"taken as {kind}: {reason}"
    return [
        replace(each, kind=kind, guessed=reason, notes=[_retold(text, note) for text in each.notes])
        if each.guessed
        else each
        for each in snapshots
    ]


def _retold(note: str, kind_note: str) -> str:
    return kind_note if note.startswith("taken as ") else note


def _unreadable(path: str | Path, error: OSError) -> SnapshotError:
    if isinstance(error, IsADirectoryError):
        inside = Path(path) / "counters.jsonl"
        return SnapshotError(str(path), "a directory", f"name {inside}" if inside.is_file() else "name a file in it")
    todo = "check the path" if isinstance(error, FileNotFoundError) else "check its permissions and try again"
    return SnapshotError(str(path), f"cannot be read ({error.strerror or error})", todo)


def _nothing(path: str, head: bytes, notes: list[str]) -> SnapshotError:
    """Why a file holds no snapshot, as far as can be told."""
    if not head:
        return SnapshotError(path, "an empty file", "was anything written to it?")
    if head.startswith(_COMPRESSED):
        return SnapshotError(path, "a compressed file", "unpack it first")
    if any(note.startswith("sentences not known") for note in notes):
        return SnapshotError(path, "`netstat -s` in other words than English ones", "take it with LC_ALL=C")
    found = f"no counter ({notes[0]})" if notes else "no counter"
    return SnapshotError(path, found, f"it can be {FORMS}")
