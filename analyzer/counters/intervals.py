"""By how much counters moved between snapshots. What went back is a wrap, a restart, or left out: never a negative count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from operator import sub

from analyzer.counters.names import GAUGES, group_of, listed_once_moved
from analyzer.counters.series import Series, Snapshot
from analyzer.fields import of_fields

WRAP = 1 << 32
_WIDE_GROUPS = ("Ip", "IpExt", "Ip6")  # of 64 bits on hosts of 32 bits, too


@of_fields(frozen=True, slots=True)
class Interval:
    """By how much each counter of one host moved from one time to another.

    Attributes
    ----------
    start_ns : None for increments whose begin (the run of nstat before) is not among the snapshots
    uncertainty_ns : how far either end may be off
    values : increments; gauges and settings are left out
    unknown : names that are not listed at one of the ends (or both) and may be zero or not known there; where there is
        a value all the same, it takes the absent one for zero
    exact : whether both times are those of the snapshots, not of files
    loose : whether it is not known at all when it was
    """

    start_ns: int | None
    end_ns: int
    uncertainty_ns: int
    values: dict[str, int]
    unknown: frozenset[str]
    notes: list[str] = field(default_factory=list)
    exact: bool = True
    loose: bool = False


@of_fields(frozen=True, slots=True)
class Restart:
    """Between these times the host started again, or the snapshots are of two hosts."""

    start_ns: int
    end_ns: int
    note: str


@of_fields(slots=True)
class Compared:
    """Two absolute snapshots, name by name."""

    values: dict[str, int] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    wrapped: list[str] = field(default_factory=list)
    fallen: list[str] = field(default_factory=list)


def deltas(series: Series) -> list[Interval]:
    """The intervals between snapshots, in order of time: each counter against the snapshot that listed it last.

    Across a restart there is none: see restarts().
    """
    names = {name for snapshot in series.snapshots for name in snapshot.values} - GAUGES
    absolute = [snapshot for snapshot in series.snapshots if snapshot.kind == "absolute"]
    increments = [snapshot for snapshot in series.snapshots if snapshot.kind == "increments"]
    between = (_between(before, after, names) for before, after in pairs(absolute))
    found = [interval for interval in between if interval]
    found += [_counted(before, after, names) for before, after in _runs(increments)]
    return sorted(found, key=lambda interval: interval.end_ns)


def standing(series: Series) -> list[Interval]:
    """What the counters have come to, where nothing tells by how much they moved: since a time that is not known."""
    found: dict[str, int] = {}
    for snapshot in series.snapshots:
        add = found if snapshot.kind == "increments" else {}
        found |= {
            name: value + add.get(name, 0)
            for name, value in snapshot.values.items()
            if value >= 0 and name not in GAUGES
        }
    if not found:
        return []
    last = series.snapshots[-1]
    since = "an earlier run of nstat" if last.kind == "increments" else "the host or its network namespace started"
    return [Interval(None, last.time_ns, last.uncertainty_ns, found, frozenset(), [f"counted since {since}"])]


def pairs(snapshots: Sequence[Snapshot]) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Two absolute snapshots each, the later one with an earlier one that listed the same counters last; they hold these only."""
    last: dict[str, int] = {}  # by name, which snapshot listed it last
    for number, after in enumerate(snapshots):
        before = snapshots[number - 1] if number else None
        if before is not None and _alike(before, after, last, number):
            yield before, after
        elif number:
            yield from _apart(snapshots, number, last)
        last |= dict.fromkeys(after.values, number)


def _alike(before: Snapshot, after: Snapshot, last: Mapping[str, int], number: int) -> bool:
    """Are all counters of both to be compared with each other?"""
    if before.values.keys() == after.values.keys():
        return True
    news = after.values.keys() - before.values.keys()
    if any(name in last for name in news):
        return False
    return not before.values or not after.values.keys().isdisjoint(before.values)


def _apart(snapshots: Sequence[Snapshot], number: int, last: Mapping[str, int]) -> Iterator[tuple[Snapshot, Snapshot]]:
    """One snapshot with several earlier ones, each for the counters that it listed last."""
    after = snapshots[number]
    groups: dict[int, dict[str, int]] = {}
    new: dict[str, int] = {}
    for name, value in after.values.items():
        if name in last:
            groups.setdefault(last[name], {})[name] = value
        else:
            new[name] = value
    if groups:  # a name that was never listed was not there, or zero, when its neighbours were
        groups[max(groups)] |= new
    elif new and (idle := next((at for at in range(number - 1, -1, -1) if not snapshots[at].values), None)) is not None:
        groups[idle] = new
    for at, values in sorted(groups.items()):
        known = {name: value for name, value in snapshots[at].values.items() if name in values or last[name] == at}
        yield replace(snapshots[at], values=known), replace(after, values=values)


def _runs(increments: Sequence[Snapshot]) -> Iterator[tuple[Snapshot | None, Snapshot]]:
    """Increments with the run before: of the same file, else of any that has counters in common."""
    for number, after in enumerate(increments):
        earlier = increments[number - 1 :: -1] if number else []
        same = next((each for each in earlier if each.path == after.path), None)
        akin = (each for each in earlier if not each.values or not each.values.keys().isdisjoint(after.values))
        yield same or next(akin, None), after


def restarts(series: Series) -> list[Restart]:
    """Where the counters of a series begin again."""
    absolute = [snapshot for snapshot in series.snapshots if snapshot.kind == "absolute"]
    found = []
    for before, after in pairs(absolute):
        compared = compare(before, after)
        if restarted(compared, before):
            note = (
                f"between {before.source} and {after.source} {len(compared.fallen)} counters go back"
                f" ({', '.join(compared.fallen[:3])}): the host or its network namespace started again, or they are of two"
                " hosts; nothing is counted between them"
            )
            found.append(Restart(before.time_ns, after.time_ns, note))
    return found


def _counted(before: Snapshot | None, after: Snapshot, names: set[str]) -> Interval:
    """Increments are the interval since the snapshot before, where there is one."""
    values = {name: value for name, value in after.values.items() if value >= 0 and name not in GAUGES}
    uncertainty = max(after.uncertainty_ns, before.uncertainty_ns if before else 0)
    notes = [] if before else ["increments since an earlier run of nstat, at a time that is not known"]
    start = before.time_ns if before else None
    ends = [after, *([before] if before else [])]
    return Interval(
        start, after.time_ns, uncertainty, values, frozenset(names - values.keys()), notes, *_certainty(ends)
    )


def _between(before: Snapshot, after: Snapshot, names: set[str]) -> Interval | None:
    """The interval between two absolute snapshots; None where they are the same one or a restart is between them."""
    if before.time_ns == after.time_ns and before.values == after.values:
        return None
    compared = compare(before, after)
    if restarted(compared, before):
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
    certainty = _certainty([before, after])
    start, end = sorted((before.time_ns, after.time_ns))
    return Interval(start, end, uncertainty, compared.values, frozenset(unknown), notes, *certainty)


def _certainty(ends: Sequence[Snapshot]) -> tuple[bool, bool]:
    """Are the times of an interval exact, and are they none at all?"""
    return all(each.time_from != "mtime" for each in ends), any(each.loose for each in ends)


def _zero_at_both(name: str, before: Snapshot, after: Snapshot) -> bool:
    """Is it one that the kernel lists only once it has moved, among others that are listed?"""
    sibling = listed_once_moved(name)
    return sibling in before.values and sibling in after.values and name not in before.values | after.values


def restarted(compared: Compared, before: Snapshot) -> bool:
    """Did so many counters fall that the host must have started again?"""
    if not compared.fallen:
        return False
    moved = sum(1 for name, value in before.values.items() if value > 0 and name not in GAUGES)
    return len(compared.fallen) >= 3 or len(compared.fallen) * 5 >= max(moved, 1)


def compare(before: Snapshot, after: Snapshot) -> Compared:
    """Every counter of the later snapshot against the earlier one."""
    if list(before.values) == list(after.values):  # mostly, and that nothing fell: without a loop
        values = dict(zip(after.values, map(sub, after.values.values(), before.values.values()), strict=True))
        for name in GAUGES & values.keys():
            del values[name]
        if min(values.values(), default=0) >= 0:
            return Compared(values)
    compared = Compared()
    narrow = _may_wrap(before) and _may_wrap(after)
    for name, new in after.values.items():
        if name in GAUGES or new < 0:
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


def _settled(compared: Compared, before: Snapshot, after: Snapshot) -> Compared:
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
