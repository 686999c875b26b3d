"""Snapshots while a file is read: what each holds so far, which time it has, and which of too many are kept."""

from __future__ import annotations

import sys
from dataclasses import field
from operator import add

from analyzer.counters.guess import kind_of
from analyzer.counters.stamps import SECOND, Stamp
from analyzer.errors import TcpcapError
from analyzer.fields import of_fields

MAX_SNAPSHOTS = 5_000
JUDGED = 400  # of them, where it is judged what they are
OPEN = ("nstat", "json")  # forms that do not say whether they are increments
TOGETHER_NS = SECOND // 20  # times of lines one after the other that are the same one


class SnapshotError(TcpcapError):
    """A file without counters, or with values that no counter can have."""


@of_fields(slots=True)
class Draft:
    """A snapshot while it is read. `form`: nstat, json, raw, prose, exporter or series."""

    form: str
    line: int
    stamp: Stamp | None
    values: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    fell: dict[str, None] = field(default_factory=dict)
    """Names that nstat marks with (overflow): their increments are not known."""
    daemon: bool = False
    first: str = ""
    """The name or heading that begins another snapshot when it comes again; empty where a line of its own does."""
    twice: int = 0
    first_twice: str = ""
    passed_over: dict[str, int] | None = None
    """Sums of the snapshots before it that were left out: what they held is not lost where they are increments."""
    passed: Stamp | None = None
    """The time in the prefix of its first line."""
    host: str = ""
    """Whose it is, as labels or the prefix of its lines say it."""

    def put(self, name: str, value: int) -> None:
        """Add a counter; one that comes again wins."""
        name = sys.intern(name)
        if name in self.values:
            self.twice += 1
            self.first_twice = self.first_twice or name
        self.values[name] = value


class Drafts:
    """The snapshots of one file in its order.

    Parameters
    ----------
    kept_ns : from which time to which none is left out, where there are more than can be kept
    """

    def __init__(self, kept_ns: tuple[int, int] | None = None) -> None:
        self.all: list[Draft] = []
        self.open: Draft | None = None
        self.stamp: Stamp | None = None
        self.left_out = 0
        self._kept_ns = kept_ns
        self._stamped: dict[str, set[str]] = {}  # the names that have used this time, by form
        self._idle: list[tuple[int, Draft]] = []  # times that nothing followed, and before which draft they stand
        self._time_line = 0
        self._summing: bool | None = None  # are they increments, which nobody may leave out?

    def begin_time(self, stamp: Stamp, number: int) -> None:
        """A time holds for the snapshots that follow it."""
        self.close()
        before = self.stamp
        if before is not None and not self._stamped and before.source == "line":
            alike = before.lacks == stamp.lacks and before.uncertainty_ns == stamp.uncertainty_ns
            if not alike or abs(before.time_ns - stamp.time_ns) < TOGETHER_NS:
                stamp = min(before, stamp, key=lambda each: (bool(each.lacks), each.uncertainty_ns))
            else:
                self._idle.append((len(self.all), Draft("nstat", self._time_line, before)))
        self.stamp, self._stamped, self._time_line = stamp, {}, number

    def begin(self, form: str, number: int, stamp: Stamp | None = None) -> Draft:
        """Begin a snapshot. The last time holds for the first of each form that follows it, and for others with other names."""
        self.close()
        self._make_room()
        if stamp is None and self.stamp is not None and form not in self._stamped:
            stamp = self.stamp
            self._stamped[form] = set()
        self.open = Draft(form, number, stamp)
        self.all.append(self.open)
        return self.open

    def close(self) -> None:
        """The snapshot at hand is complete."""
        draft, self.open = self.open, None
        if draft is None or self.stamp is None or draft.form not in self._stamped:
            return
        names = self._stamped[draft.form]
        if draft.stamp is None and names.isdisjoint(draft.values):
            draft.stamp = self.stamp
        if draft.stamp is self.stamp:
            names |= draft.values.keys()

    def finish(self) -> list[Draft]:
        """The snapshots that hold anything, each with its time as far as one is known."""
        self.close()
        self._times_that_follow()
        for draft in self.all:
            draft.stamp = draft.stamp or draft.passed
        found = [draft for draft in self.all if draft.values or draft.form in OPEN]
        # A time that nothing follows: nothing was listed then, among snapshots that were searched for some names.
        searched = found and all(draft.form == "nstat" and draft.first and draft.stamp for draft in found)
        if searched:
            if self.stamp is not None and not self._stamped:
                self._idle.append((len(self.all), Draft("nstat", self._time_line, self.stamp)))
            for at, idle in reversed(self._idle):
                self.all.insert(at, idle)
            found = self.all
        return found

    def node_time(self, stamp: Stamp) -> None:
        """The host's own time, which an exporter tells behind its counters."""
        if self.open is not None and self.open.form == "exporter":
            self.open.stamp = stamp

    def _times_that_follow(self) -> None:
        """Where the first snapshot has no time and the last time no snapshot, the times stand behind their snapshots."""
        if self.stamp is None or self._stamped or not self.all or self.all[0].stamp is not None:
            return
        later = [draft.stamp for draft in self.all[1:]]
        if None not in later:
            for draft, stamp in zip(self.all, [*later, self.stamp], strict=True):
                draft.stamp = stamp

    def _make_room(self) -> None:
        """Of too many every second one goes: counters lose nothing but resolution in time."""
        if len(self.all) < MAX_SNAPSHOTS:
            return
        if self._summing is None:
            judged = [draft.values for draft in self.all[:JUDGED] if draft.form in OPEN]
            self._summing = bool(judged) and kind_of(judged, zeros=False).kind == "increments"
        kept: list[Draft] = []
        waiting: Draft | None = None
        drop = [not self._is_kept(draft) for draft in self.all]
        if sum(drop) < MAX_SNAPSHOTS // 2:  # too many even of those that are wanted
            drop = [True] * len(self.all)
        for number, draft in enumerate(self.all):
            if waiting is not None and self._summing:
                _remember(draft, waiting)
            waiting = None
            if drop[number] and number % 2 and number < len(self.all) - 1:
                waiting = draft
                self.left_out += 1
            else:
                kept.append(draft)
        self.all = kept
        self._idle = []

    def _is_kept(self, draft: Draft) -> bool:
        return (
            self._kept_ns is not None
            and draft.stamp is not None
            and self._kept_ns[0] <= draft.stamp.time_ns <= self._kept_ns[1]
        )


def _remember(draft: Draft, left_out: Draft) -> None:
    """Have a snapshot remember what the one before it held, and what that remembered."""
    if left_out.form in OPEN:
        sums = left_out.values if left_out.passed_over is None else _sum(left_out.values, left_out.passed_over)
        draft.passed_over = sums if draft.passed_over is None else _sum(sums, draft.passed_over)
        draft.fell |= left_out.fell


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    if one.keys() == other.keys() and list(one) == list(other):  # mostly, and without a loop
        return dict(zip(one, map(add, one.values(), other.values()), strict=True))
    return {name: one.get(name, 0) + other.get(name, 0) for name in one | other}
