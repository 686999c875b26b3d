"""When each snapshot was taken: by its text, by the name of its file, or by the file's own time; and in which order they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analyzer.counters.drafts import OPEN, Draft
from analyzer.counters.reading import Reading, is_idle
from analyzer.counters.series import Snapshot
from analyzer.counters.stamps import MTIME_NS, Stamp, dated, stamp_in_name

FILE_TIME = "the time is the file's own"
NO_TIME = "no time of its own: its place among the others is all that is known"
NOT_JUDGED = "not judged yet"
OVERFLOW = "nstat marks an (overflow)"


def timed(reading: Reading, capture_ns: tuple[int, int] | None = None) -> list[Snapshot]:
    """The snapshots of a file with their times; `guessed` where it is to be judged whether they are increments."""
    several = len(reading.drafts) > 1
    file_stamp = stamp_in_name(Path(reading.path).name) or Stamp(reading.modified_ns, MTIME_NS, "mtime", FILE_TIME)
    unsure = OVERFLOW if any(draft.fell for draft in reading.drafts) else NOT_JUDGED
    near_ns, whence = reading.modified_ns, "near the time of the file"
    if capture_ns is not None:
        near_ns, whence = capture_ns[0], "near that of the capture"
    found = []
    for draft in reading.drafts:
        stamp = file_stamp
        if draft.stamp is not None:
            stamp = dated(draft.stamp, near_ns, whence)
            near_ns = stamp.time_ns if draft.stamp.lacks else near_ns
        found.append(
            Snapshot(
                stamp.time_ns,
                stamp.uncertainty_ns,
                stamp.source,
                draft.values,
                "absolute",
                _zeros(draft),
                f"{reading.path}:{draft.line}" if several else reading.path,
                _notes(draft, stamp, several),
                unsure if draft.form in OPEN else "",
                stamp.source == "mtime" and several,
                reading.path,
                draft.passed_over,
                draft.host,
            )
        )
    found[-1].notes.extend(reading.notes)
    return found


def _notes(draft: Draft, stamp: Stamp, several: bool) -> list[str]:
    """What is to be known of one snapshot."""
    notes = [*draft.notes, *([stamp.note] if stamp.note else [])]
    if draft.stamp is None and several:
        notes.append("one of several snapshots without a time of its own: taken before the time of the file")
    if is_idle(draft):
        notes.append("no counter moved since the run of nstat before")
    if draft.twice:
        notes.append(f"names that come twice: {draft.twice} (first: {draft.first_twice}); the last value holds")
    if draft.fell:
        notes.append(f"counters that nstat marks with (overflow), left out: {', '.join([*draft.fell][:5])}")
    return notes


def _zeros(draft: Draft) -> bool:
    """Does this form list counters that are zero?"""
    if draft.form in ("raw", "exporter"):
        return True
    nothing = sum(1 for value in draft.values.values() if value == 0)
    if draft.daemon:
        # nstat lists what stands still now but has moved lately as well.
        return nothing * 2 > len(draft.values)
    return nothing > 0 and draft.form != "prose"


def in_order(snapshots: Sequence[Snapshot], capture_ns: tuple[int, int] | None) -> list[Snapshot]:
    """In order of time; those whose files were written at the same time in the order in which they were given.

    Beside a capture with which the times of files have nothing to do, these are no times at all.
    """
    own = [each for each in snapshots if each.time_from == "mtime"]
    if not own:
        return sorted(snapshots, key=lambda each: each.time_ns)
    places: dict[int, int] = {}
    for time_ns in sorted({each.time_ns for each in own}):
        before = next(reversed(places.values()), None)
        places[time_ns] = before if before is not None and time_ns - before <= MTIME_NS else time_ns
    loose = False
    if capture_ns is not None:
        times = [each.time_ns for each in snapshots]
        loose = min(times) - MTIME_NS > capture_ns[1] or max(times) + MTIME_NS < capture_ns[0]
    same = len(own) > 1 and len(set(places.values())) == 1

    def placed(each: Snapshot) -> Snapshot:
        if each.time_from != "mtime" or not (loose or same or each.loose):
            return each
        notes = [NO_TIME if note == FILE_TIME else note for note in each.notes]
        return replace(each, loose=True, notes=notes)

    def place(each: Snapshot) -> int:
        return places[each.time_ns] if each.time_from == "mtime" else each.time_ns

    return sorted(map(placed, snapshots), key=place)
