"""By how much counters differ between two moments: what `tcpcap counters diff` shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from analyzer.counters.drafts import SnapshotError
from analyzer.counters.intervals import Compared, compare
from analyzer.counters.names import GAUGES, group_of, rank_of
from analyzer.counters.series import Snapshot
from analyzer.fields import of_fields


@of_fields(frozen=True, slots=True)
class Change:
    """A counter that differs between two snapshots; None is not known."""

    name: str
    group: str
    before: int | None
    after: int | None
    change: int | None
    note: str = ""


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
    compared = compare(before, after)
    rows = (_change(name, before, after, compared) for name in names)
    return [row for row in rows if (row.before or 0) != (row.after or 0)]


def _order(before: Snapshot, after: Snapshot) -> Iterable[str]:
    """Every name once, in the order of the kernel."""
    return dict.fromkeys([*after.values, *before.values])


def _change(name: str, before: Snapshot, after: Snapshot, compared: Compared) -> Change:
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


def difference(before: Sequence[Snapshot], after: Sequence[Snapshot]) -> list[Change]:
    """What moved from the first value of each counter in some snapshots to its last one in others, as diff() has it.

    Of increments, all those of the later ones: they came since.
    """
    if not before or not after:
        raise SnapshotError("A and B", "no snapshots that can be compared", "see the notes, and keep those of one host")
    first = before[0]
    for each in before[1:]:
        if each.kind == first.kind == "absolute":
            first = replace(first, values=each.values | first.values, zeros=first.zeros and each.zeros)
    last = after[0]
    for each in after[1:]:
        sums = last.values if each.kind == last.kind == "increments" else {}
        values = {name: value + sums.get(name, 0) for name, value in each.values.items()}
        last = replace(each, values=last.values | values if each.kind == last.kind else values)
    return diff(first, last)
