"""Folders that hold counters among much else: a sosreport, what supportconfig wrote."""

from __future__ import annotations

from pathlib import Path

from analyzer.counters.drafts import SnapshotError
from analyzer.counters.reading import Reading, read_file


def files_of(path: str | Path) -> list[str]:
    """The files of counters in a folder; a file itself, and a folder of another kind, as they are."""
    # Only here: counters alone need no numpy.
    from analyzer.capture.support import report_of
    from analyzer.capture.where import is_url, named

    if is_url(str(path)):
        found = "a URL, from which only captures are read"
        raise SnapshotError(named(str(path)), found, "copy it here first")
    report = report_of(path)
    return (report.counters if report else []) or [str(path)]


def readings_of(path: str | Path, capture_ns: tuple[int, int] | None = None) -> list[Reading]:
    """What was read of them. Of a folder one with counters is enough: a tool may not have been there."""
    found: list[Reading] = []
    failed: list[SnapshotError] = []
    for file in files_of(path):
        try:
            found.append(read_file(file, capture_ns))
        except SnapshotError as error:
            failed.append(error)
    if failed and not found:
        raise failed[0]
    for each in failed:
        found[-1].notes.append(f"left out: {each}")
    return found


def holds_counters(path: str | Path) -> bool:
    """Is it the folder of a report with counters that can be read?"""
    # Only here: counters alone need no numpy.
    from analyzer.capture.support import report_of

    report = report_of(path)
    if report is None or not report.counters:
        return False
    try:
        return bool(readings_of(path))
    except SnapshotError:
        return False
