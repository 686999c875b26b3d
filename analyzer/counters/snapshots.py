"""Files of counters in, snapshots out: one shape for every form in which Linux shows its network counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analyzer.counters.apart import by_host, by_turns, name_of
from analyzer.counters.drafts import JUDGED, SnapshotError
from analyzer.counters.folders import files_of, readings_of
from analyzer.counters.guess import Guess, kind_of
from analyzer.counters.intervals import restarts
from analyzer.counters.reading import Reading, read_file
from analyzer.counters.series import Series, Snapshot
from analyzer.counters.times import OVERFLOW, in_order, timed


def read_snapshots(path: str | Path, *, increments: bool | None = None) -> list[Snapshot]:
    """Every snapshot in a file, in its order.

    Parameters
    ----------
    path : counters in any form that people log them in: nstat, /proc/net/snmp, `netstat -s`, an exporter, counters.jsonl
    increments : whether nstat's values are increments; None guesses. No other form is in doubt.

    Raises SnapshotError where there is no counter, and where a value cannot be one.
    """
    reading = read_file(path)
    return _judged(timed(reading), increments)


def series_of(
    paths: Sequence[str | Path],
    host: str = "",
    *,
    increments: bool | None = None,
    capture_ns: tuple[int, int] | None = None,
) -> Series:
    """The snapshots of several files of one host, in order of time; of a sosreport or supportconfig, those in it.

    Parameters
    ----------
    increments : whether nstat's values are increments; None guesses, from all files together
    capture_ns : times of the first and the last frame of the capture beside them, where it was read: clocks without
        a date are of its day, and times of files that have nothing to do with it are none
    """
    readings = [reading for path in paths for reading in readings_of(path, capture_ns)]
    return _series(readings, host, increments, capture_ns)


def judged_together(
    before: str | Path, after: str | Path, *, increments: bool | None = None
) -> tuple[list[Snapshot], list[Snapshot], list[str]]:
    """The snapshots of two files (or folders) in the order of their times, each file on its own, and what is to be known.

    What they are is judged by both together, in the order in which they were named.
    """
    parts = []
    for path in (before, after):
        every = [each for reading in readings_of(path) for each in timed(reading)]
        parts.append(in_order(every, None))
    series = _series_of(parts[0] + parts[1], "", increments)
    if series.others:
        found = f"counters of several hosts, {', '.join(each.host for each in series.others[:8])}"
        raise SnapshotError(str(before), found, "keep those of one")
    count = len(parts[0])
    return series.snapshots[:count], series.snapshots[count:], series.notes


def _series(
    readings: Sequence[Reading], host: str, increments: bool | None, capture_ns: tuple[int, int] | None
) -> Series:
    every = in_order([each for reading in readings for each in timed(reading, capture_ns)], capture_ns)
    return _series_of(every, host, increments)


def _series_of(every: list[Snapshot], host: str, increments: bool | None) -> Series:
    """Snapshots in their order as a series; those of several hosts as one each, beside one without any."""
    parts = by_host(every)
    if len(parts) > 1:
        return _several(host, parts, increments)
    guesses: list[Guess] = []
    snapshots = _judged(every, increments, guesses)
    if any(guess.hosts for guess in guesses):
        return _several(host, by_turns(every), increments)
    notes = _notes(snapshots)
    series = Series(host, snapshots, notes)
    return replace(series, notes=[*notes, *(restart.note for restart in restarts(series))])


def _several(host: str, parts: dict[str, list[Snapshot]], increments: bool | None) -> Series:
    """A series for each host, none of which is the one that is meant so far."""
    found = [
        _series_of([replace(each, host=of) for each in part], name_of(of) or "a host without a name", increments)
        for of, part in parts.items()
    ]
    others = tuple(one for each in found for one in (each.others or [each]))
    notes = list(dict.fromkeys(note for each in others for note in each.notes))
    names = ", ".join(each.host for each in others[:8]) + (", ..." if len(others) > 8 else "")
    return Series(host, [], [*notes, f"counters of {len(others)} hosts (or namespaces): {names}"], others)


def _judged(snapshots: list[Snapshot], increments: bool | None, guesses: list[Guess] | None = None) -> list[Snapshot]:
    """With the kind that all those have in common of which it is not certain; `guesses` takes what was thought."""
    unsure = [each for each in snapshots if each.guessed]
    absolute = [each.values for each in snapshots if not each.guessed and each.kind == "absolute"]
    thoughts = [kind_of(_some(absolute), True)] if len(absolute) > 1 else []
    if unsure:
        # A file in which nstat marks an (overflow) speaks for itself.
        judged = [each for each in unsure if each.guessed != OVERFLOW]
        guess = kind_of(_some([each.values for each in judged]), all(each.zeros for each in judged))
        thoughts.append(guess)
        told = None if increments is None else Guess("increments" if increments else "absolute", "")
        marked = told or Guess("increments", OVERFLOW, True)
        snapshots = [
            _of_kind(each, marked if each.guessed == OVERFLOW else told or guess) if each.guessed else each
            for each in snapshots
        ]
    if guesses is not None:
        guesses += thoughts
    return [_whole(each) if each.passed_over else each for each in snapshots]


def _of_kind(snapshot: Snapshot, guess: Guess) -> Snapshot:
    """As it was guessed, or told: then without a word."""
    notes = snapshot.notes
    if guess.reason and not guess.certain:
        notes = [*notes, f"taken as {guess.kind}: {guess.reason}"]
    return replace(snapshot, kind=guess.kind, guessed="" if guess.certain else guess.reason, notes=notes)


def _whole(snapshot: Snapshot) -> Snapshot:
    """Increments with those of the snapshots that were left out before them."""
    values = snapshot.values
    if snapshot.kind == "increments":
        sums = snapshot.passed_over or {}
        names = dict.fromkeys([*values, *sums])  # in an order that is the same in every run
        values = {name: values.get(name, 0) + sums.get(name, 0) for name in names}
    return replace(snapshot, values=values, passed_over=None)


def _some(values: list[dict[str, int]]) -> list[dict[str, int]]:
    """The first and the last of very many."""
    return values if len(values) <= JUDGED else values[: JUDGED // 2] + values[-JUDGED // 2 :]


def _notes(snapshots: Sequence[Snapshot]) -> list[str]:
    """What is to be known, each sentence once for a file, with how many snapshots it holds for."""
    count: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], str] = {}
    for each in snapshots:
        for note in each.notes:
            key = (each.path or each.source, note)
            count[key] = count.get(key, 0) + 1
            first.setdefault(key, each.source)
    return [
        f"{first[path, note]}: {note}" if times == 1 else f"{path}: {note} ({times:,} snapshots)"
        for (path, note), times in count.items()
    ]


def refitted(
    series: Series, paths: Sequence[str | Path], increments: bool | None, capture_ns: tuple[int, int]
) -> Series | None:
    """The series as it is beside a capture that has been read; None where that changes nothing, or a file was a pipe."""
    every = [each for part in (series, *series.others) for each in part.snapshots]
    needed = any(_depends(each) for each in every) or any("left out, to keep" in note for note in series.notes)
    files = [file for path in paths for file in files_of(path)]
    if not needed or not all(Path(file).is_file() for file in files):
        return None
    again = series_of(paths, series.host, increments=increments, capture_ns=capture_ns)
    return again if again != series else None


def _depends(snapshot: Snapshot) -> bool:
    """Does its time depend on that of the capture?"""
    return snapshot.time_from == "mtime" or any("a time without a" in note for note in snapshot.notes)
