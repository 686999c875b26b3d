"""By how much counters moved between snapshots. What went back is a wrap, a restart, or left out: never a negative count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from operator import sub

from analyzer.counters.drafts import SnapshotError
from analyzer.counters.names import GAUGES, group_of, listed_once_moved, rank_of
from analyzer.counters.series import Series, Snapshot

WRAP = 1 << 32
_WIDE_GROUPS = ("Ip", "IpExt", "Ip6")  # of 64 bits on hosts of 32 bits, too


@dataclass(frozen=True, slots=True)
class Interval:
    """By how much each counter of one host moved from one time to another.

    Attributes
    ----------
    start_ns : None for increments whose begin (the run of nstat before) is not among the snapshots
    uncertainty_ns : how far either end may be off
    values : increments; gauges and settings are left out
    unknown : names that are not listed at one of the ends (or both) and may be zero or not known there; where there is
        a value all the same, it takes the absent one for zero
    """

    start_ns: int | None
    end_ns: int
    uncertainty_ns: int
    values: dict[str, int]
    unknown: frozenset[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Restart:
    """Between these times the host started again, or the snapshots are of two hosts."""

    start_ns: int
    end_ns: int
    note: str


@dataclass(frozen=True, slots=True)
class Change:
    """A counter that differs between two snapshots; None is not known."""

    name: str
    group: str
    before: int | None
    after: int | None
    change: int | None
    note: str = ""


@dataclass(slots=True)
class _Compared:
    """Two absolute snapshots, name by name."""

    values: dict[str, int] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    wrapped: list[str] = field(default_factory=list)
    fallen: list[str] = field(default_factory=list)


def deltas(series: Series) -> list[Interval]:
    """The intervals between consecutive snapshots, in order of time. Across a restart there is none: see restarts()."""
    names = {name for snapshot in series.snapshots for name in snapshot.values} - GAUGES
    absolute = [snapshot for snapshot in series.snapshots if snapshot.kind == "absolute"]
    increments = [snapshot for snapshot in series.snapshots if snapshot.kind == "increments"]
    between = (_between(before, after, names) for before, after in pairwise(absolute))
    found = [interval for interval in between if interval]
    found += [_counted(before, after, names) for before, after in pairwise([None, *increments]) if after]
    return sorted(found, key=lambda interval: interval.end_ns)


def restarts(series: Series) -> list[Restart]:
    """Where the counters of a series begin again."""
    absolute = [snapshot for snapshot in series.snapshots if snapshot.kind == "absolute"]
    found = []
    for before, after in pairwise(absolute):
        compared = _compare(before, after)
        if _restarted(compared, before):
            note = (
                f"between {before.source} and {after.source} {len(compared.fallen)} counters go back"
                f" ({', '.join(compared.fallen[:3])}): the host or its network namespace started again, or they are of two"
                " hosts; nothing is counted between them"
            )
            found.append(Restart(before.time_ns, after.time_ns, note))
    return found


def diff(before: Snapshot, after: Snapshot) -> list[Change]:
    """What moved between two snapshots, group by group.

    Where the second holds increments, they are the change. Raises SnapshotError where only the first does.
    """
    names = sorted(_order(before, after), key=rank_of)
    if after.kind == "increments":
        old = before.values if before.kind == "absolute" else {}
        moved = [name for name in names if after.values.get(name) and name not in GAUGES]
        return [Change(name, group_of(name), old.get(name), None, after.values[name]) for name in moved]
    if before.kind == "increments":
        raise SnapshotError(
            f"{before.source} and {after.source}",
            "increments, and then absolute values",
            "compare two snapshots of one kind, or say which kind they are",
        )
    compared = _compare(before, after)
    rows = (_change(name, before, after, compared) for name in names)
    return [row for row in rows if (row.before or 0) != (row.after or 0)]


def _order(before: Snapshot, after: Snapshot) -> Iterable[str]:
    """Every name once, in the order of the kernel."""
    return dict.fromkeys([*after.values, *before.values])


def _change(name: str, before: Snapshot, after: Snapshot, compared: _Compared) -> Change:
    old, new = before.values.get(name), after.values.get(name)
    if name in GAUGES:
        change = None if old is None or new is None else new - old
        return Change(name, group_of(name), old, new, change, "goes up and down")
    if name in compared.fallen and old is not None and new is not None:
        return Change(name, group_of(name), old, new, new - old, "went back: restarted, or another host")
    note = ""
    if name in compared.wrapped:
        note = "wrapped at 32 bits"
    elif name in compared.assumed:
        note = "not listed before: taken as zero"
    elif old is None or new is None:
        note = f"not listed {'before' if old is None else 'after'}"
    return Change(name, group_of(name), old, new, compared.values.get(name), note)


def _counted(before: Snapshot | None, after: Snapshot, names: set[str]) -> Interval:
    """Increments are the interval since the snapshot before, where there is one."""
    values = {name: value for name, value in after.values.items() if name not in GAUGES}
    uncertainty = max(after.uncertainty_ns, before.uncertainty_ns if before else 0)
    notes = [] if before else ["increments since an earlier run of nstat, at a time that is not known"]
    start = before.time_ns if before else None
    return Interval(start, after.time_ns, uncertainty, values, frozenset(names - values.keys()), notes)


def _between(before: Snapshot, after: Snapshot, names: set[str]) -> Interval | None:
    """The interval between two absolute snapshots; None where they are the same one or a restart is between them."""
    if before.time_ns == after.time_ns and before.values == after.values:
        return None
    compared = _compare(before, after)
    if _restarted(compared, before):
        return None
    notes = []
    if before.time_ns == after.time_ns:
        notes.append("both snapshots have the same time: when they were taken is not known")
    if compared.wrapped:
        notes.append(f"taken to have wrapped at 32 bits: {', '.join(compared.wrapped)}")
    if compared.fallen:
        notes.append(f"went back while the others went on, left out: {', '.join(compared.fallen)}")
    unknown = {name for name in names - compared.values.keys() if not _zero_at_both(name, before, after)}
    unknown |= set(compared.assumed)
    uncertainty = max(before.uncertainty_ns, after.uncertainty_ns)
    return Interval(before.time_ns, after.time_ns, uncertainty, compared.values, frozenset(unknown), notes)


def _zero_at_both(name: str, before: Snapshot, after: Snapshot) -> bool:
    """Is it one that the kernel lists only once it has moved, among others that are listed?"""
    sibling = listed_once_moved(name)
    return sibling in before.values and sibling in after.values and name not in before.values | after.values


def _restarted(compared: _Compared, before: Snapshot) -> bool:
    """Did so many counters fall that the host must have started again?"""
    if not compared.fallen:
        return False
    moved = sum(1 for name, value in before.values.items() if value > 0 and name not in GAUGES)
    return len(compared.fallen) >= 3 or len(compared.fallen) * 5 >= max(moved, 1)


def _compare(before: Snapshot, after: Snapshot) -> _Compared:
    """Every counter of the later snapshot against the earlier one."""
    if list(before.values) == list(after.values):  # mostly, and that nothing fell: without a loop
        values = dict(zip(after.values, map(sub, after.values.values(), before.values.values()), strict=True))
        for name in GAUGES & values.keys():
            del values[name]
        if min(values.values(), default=0) >= 0:
            return _Compared(values)
    compared = _Compared()
    narrow = _may_wrap(before) and _may_wrap(after)
    for name, new in after.values.items():
        if name in GAUGES:
            continue
        old = before.values.get(name)
        if old is None:
            if listed_once_moved(name) in before.values:
                compared.values[name] = new
            elif not before.zeros:
                compared.values[name] = new
                compared.assumed.append(name)
        elif new >= old:
            compared.values[name] = new - old
        elif narrow and WRAP // 2 <= old < WRAP and new + WRAP - old < WRAP // 2:
            compared.wrapped.append(name)
        else:
            compared.fallen.append(name)
    return _settled(compared, before, after)


def _settled(compared: _Compared, before: Snapshot, after: Snapshot) -> _Compared:
    """Counters wrap one by one while others go on; where none does, they have fallen."""
    going_on = any(compared.values.get(name, 0) > 0 or before.values.get(name) for name in compared.values)
    if compared.wrapped and (compared.fallen or not going_on):
        compared.fallen += compared.wrapped
        compared.wrapped = []
    for name in compared.wrapped:
        compared.values[name] = after.values[name] + WRAP - before.values[name]
    return compared


def _may_wrap(snapshot: Snapshot) -> bool:
    """May the host count in 32 bits? Not where one of its counters is past them."""
    past = (name for name, value in snapshot.values.items() if value >= WRAP)
    return all(group_of(name) in _WIDE_GROUPS for name in past)
