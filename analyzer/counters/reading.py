"""One file of counters -> what was read of it, or why there is nothing in it."""

from __future__ import annotations

from pathlib import Path

from analyzer.counters.drafts import OPEN, Draft, SnapshotError
from analyzer.counters.formats import Reader
from analyzer.counters.lines import HEAD, Text
from analyzer.counters.names import group_of
from analyzer.counters.others import other_kind
from analyzer.counters.sentences import NOT_ENGLISH
from analyzer.fields import of_fields

PATIENCE = 4 << 20
"""So many characters without a counter are read before a file is given up."""

AROUND_NS = 60 * 1_000_000_000  # so long before and after a capture every snapshot is wanted

FORMS = (
    "nstat, nstat --json, /proc/net/{snmp,netstat,snmp6}, netstat -s, node_exporter, Prometheus, telegraf's nstat or"
    " counters.jsonl"
)


@of_fields(frozen=True, slots=True)
class Reading:
    """The drafts of a file, what is to be said of it as a whole, and when it was modified."""

    path: str
    drafts: list[Draft]
    notes: list[str]
    modified_ns: int


def read_file(path: str | Path, capture_ns: tuple[int, int] | None = None) -> Reading:
    """All snapshots of a file; beside a capture none of its time is left out."""
    kept = (capture_ns[0] - AROUND_NS, capture_ns[1] + AROUND_NS) if capture_ns else None
    reader, text = Reader(str(path), kept), Text(Path(path))
    try:
        for piece in text:
            reader.read(piece)
            if text.passed > PATIENCE and not reader.drafts.all:
                break
    except OSError as error:
        raise _unreadable(path, error) from error
    drafts = reader.finish(complete=text.complete)
    if not any(is_idle(draft) or any(map(group_of, draft.values)) for draft in drafts):
        raise _nothing(str(path), text, reader.notes)
    alone = not reader.sentences.headed and all(draft.form == "prose" for draft in drafts)
    if alone and (known := other_kind(text.head)):  # BSD has some sentences of Linux
        raise SnapshotError(str(path), *known)
    damage = [f"{text.damage}: what is behind is missing"] if text.damage else []
    return Reading(str(path), drafts, [*damage, *reader.notes], text.modified_ns)


def is_idle(draft: Draft) -> bool:
    """Where nothing moved, nstat prints its heading only."""
    return draft.form in OPEN and not (draft.values or draft.fell or draft.notes)


def _unreadable(path: str | Path, error: OSError) -> SnapshotError:
    if isinstance(error, IsADirectoryError):
        inside = Path(path) / "counters.jsonl"
        return SnapshotError(str(path), "a directory", f"name {inside}" if inside.is_file() else "name a file in it")
    todo = "check the path" if isinstance(error, FileNotFoundError) else "check its permissions and try again"
    return SnapshotError(str(path), f"cannot be read ({error.strerror or error})", todo)


def _nothing(path: str, text: Text, notes: list[str]) -> SnapshotError:
    """Why a file holds no snapshot, as far as can be told."""
    if not text.passed:
        if text.damage:
            return SnapshotError(path, text.damage, "copy it again")
        return SnapshotError(path, "an empty file", "was anything written to it?")
    if known := other_kind(text.head[:HEAD]):
        return SnapshotError(path, *known)
    if any(NOT_ENGLISH in note or note.startswith("sentences not known") for note in notes):
        return SnapshotError(path, "`netstat -s` in other words than English ones", "take it with LC_ALL=C")
    found = f"no counter ({notes[0]})" if notes else "no counter"
    return SnapshotError(path, found, f"it can be {FORMS}")
