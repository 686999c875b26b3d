"""The match of two capture points as one reads it aloud: every segment with every other, no rings and no hashes.

It knows segments that pass as they are sent: which copy is which, what was lost, doubled and overtaken. Segmentation and
merging are not its matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """A segment at one point, by the clock of the first."""

    frame: int
    when_ns: int
    connection: int
    way: int
    near: bool
    numbers: tuple[int, int, int, int]  # seq, ack, payload length, flags
    tsval: int
    ip_id: int
    window: int
    checksum: int


@dataclass
class Passed:
    """What became of it."""

    related: int = 0
    copies: int = 0
    is_copy: bool = False
    late_by: int = 0
    is_late: bool = False


def match(segments: Sequence[Segment]) -> dict[tuple[bool, int], Passed]:
    """By (near, frame): what became of each segment. Of those at the same time what was sent goes before what came."""
    found = {(each.near, each.frame): Passed() for each in segments}
    sent: list[Segment] = []
    place: dict[int, int] = {}  # among those sent, by frame
    came: dict[tuple[int, int], list[Segment]] = {}  # by way: the originals of those that came, in that order
    usual: dict[tuple[int, int], int] = {}
    for each in sorted(segments, key=lambda segment: (segment.when_ns, not segment.near)):
        way = (each.connection, each.way)
        if each.near:
            place[each.frame] = len(sent)
            sent.append(each)
            continue
        likely = [one for one in sent if _same(one, each)]
        if not likely:
            continue
        origin = min(likely, key=lambda one: _rank(one, each, found, usual.get(way, 0)))
        told, original = found[False, each.frame], found[True, origin.frame]
        told.related = origin.frame
        if original.related:
            told.is_copy = True
            original.copies += 1
            continue
        original.related = each.frame
        took = each.when_ns - origin.when_ns
        usual[way] = took if way not in usual else usual[way] + (took - usual[way]) // 8
        before = came.setdefault(way, [])
        later = [number for number, one in enumerate(before) if place[one.frame] > place[origin.frame]]
        if later:
            told.is_late = original.is_late = True
            told.late_by = len(before) - later[0]
        before.append(origin)
    return found


def _rank(one: Segment, other: Segment, found: dict[tuple[bool, int], Passed], usual_ns: int) -> tuple[int, bool, int]:
    """The lower the likelier: fields in common, not come yet, as long on the way as is usual; of equals the one sent first."""
    return -_common(one, other), found[True, one.frame].related != 0, abs(other.when_ns - one.when_ns - usual_ns)


def _same(one: Segment, other: Segment) -> bool:
    """Could it be the same one: the same numbers, timestamp and IPv4 ID?"""
    return (one.connection, one.way, one.numbers, one.tsval, one.ip_id) == (
        other.connection, other.way, other.numbers, other.tsval, other.ip_id,
    )  # fmt: skip


def _common(one: Segment, other: Segment) -> int:
    """What they have in common that may differ."""
    return 2 * (one.checksum == other.checksum) + (one.window == other.window)


@dataclass(frozen=True)
class Datagram:
    """A UDP datagram of one way: its IPv4 ID, its size, and what it begins with."""

    when_ns: int
    near: bool
    ip_id: int
    size: int
    begins: int


def pieces(datagrams: Sequence[Datagram]) -> dict[Datagram, Datagram]:
    """Of each that came, and was not sent so: the one that was cut, or the first of those that were merged into it."""
    sent = [each for each in datagrams if each.near]
    found: dict[Datagram, Datagram] = {}
    sizes: dict[Datagram, int] = {}  # of the pieces of what was cut
    for each in sorted((one for one in datagrams if not one.near), key=lambda one: one.when_ns):
        before = [one for one in sent if one.when_ns <= each.when_ns]
        if any((one.ip_id, one.size, one.begins) == (each.ip_id, each.size, each.begins) for one in before):
            continue
        for one in reversed(before):
            if one.size > each.size and one.ip_id == each.ip_id and one.begins == each.begins:
                sizes[one] = each.size
                found[each] = one
            elif one in sizes:
                ends = [*range(sizes[one], one.size, sizes[one]), one.size]
                starts = [0, *ends]
                place = (each.ip_id - one.ip_id) % 65536
                if 0 < place < len(ends) and each.size == ends[place] - starts[place]:
                    found[each] = one
            elif one.ip_id == each.ip_id and one.begins == each.begins and _merged(each, before, one):
                found[each] = one
            if each in found:
                break
    return found


def _merged(whole: Datagram, sent: Sequence[Datagram], first: Datagram) -> bool:
    """Do those from the first on make it up?"""
    by_id = {one.ip_id: one for one in sent if one.when_ns >= first.when_ns}
    total, ident = 0, first.ip_id
    while total < whole.size and ident in by_id and by_id[ident].size <= first.size and total % first.size == 0:
        total, ident = total + by_id[ident].size, (ident + 1) % 65536
    return total == whole.size
