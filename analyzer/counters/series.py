"""What reading counters gives: a snapshot of one time, and the series of a host."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from analyzer.fields import of_fields

Kind = Literal["absolute", "increments"]


@of_fields(frozen=True, slots=True)
class Snapshot:
    """The counters of one host at one time.

    Attributes
    ----------
    time_ns : when it was taken
    uncertainty_ns : how far that may be off
    time_from : where the time comes from: series, line, exporter, name, mtime
    values : the counters, under nstat's names
    kind : since the host started (absolute), or since the snapshot before (increments)
    zeros : whether counters that are zero are listed; otherwise a name that is absent means zero, or not known
    source : path, and line where the file holds several
    notes : what to know before trusting it
    guessed : why `kind` was chosen, where the text does not tell; empty where it is certain
    loose : whether `time_ns` tells nothing but its place among the others
    path : of the file
    passed_over : sums of the snapshots before it that were left out, where there were too many
    host : whose it is, as the labels of samples or the prefixes of lines say it
    """

    time_ns: int
    uncertainty_ns: int
    time_from: str
    values: dict[str, int]
    kind: Kind
    zeros: bool
    source: str
    notes: list[str] = field(default_factory=list)
    guessed: str = ""
    loose: bool = False
    path: str = ""
    passed_over: dict[str, int] | None = None
    host: str = ""


@of_fields(frozen=True, slots=True)
class Series:
    """The snapshots of one host in order of time, and what to know of them.

    `others` are the series of other hosts in the same files; while it is not decided whose counters are meant, of all, and
    `snapshots` is empty.
    """

    host: str
    snapshots: list[Snapshot]
    notes: list[str] = field(default_factory=list)
    others: tuple[Series, ...] = ()
