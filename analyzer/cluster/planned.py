"""The files of a capture -> in which order they follow each other, what the interfaces of each are called in all of it, and its ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from analyzer.capture import Capture, Interface
from analyzer.capture.capture import NO_TIME, Beginning
from analyzer.capture.where import address_of, away_of, is_file
from analyzer.cluster.executor import Result
from analyzer.cluster.ranges import MOST_HEAD, Range, head_in, ranges_of
from analyzer.fields import of_fields

Cut = Callable[
    [int, int, int], Sequence[int]
]  # head and size of a file, and for how many: the bytes at which it is cut

NO_FILE = "it is no file, or none of a known size"


class Numbered(NamedTuple):
    """The interfaces of several files: the number of each, by the position of its file; and those that are taken to have no frames."""

    numbers: dict[int, tuple[int, ...]]
    silent: tuple[int, ...]


@of_fields(frozen=True, slots=True)
class Plan:
    """What is to be read: `ranges` of the files in their `order`, and what is taken for granted of them until they were read."""

    order: tuple[int, ...]  # positions of the files, in order of time
    ranges: tuple[Range, ...]
    interfaces: Numbered
    begins: dict[
        int, int
    ]  # of each of several files, by its position: the time of its first frame; NO_TIME without one

    def overlaps(self, file: int, last_ns: int) -> bool:
        """Is there a file behind this one with a frame that one pass reads before this time of this file?"""
        after = self.order[self.order.index(file) + 1 :]
        return bool(after) and (last_ns, file) > (self.begins[after[0]], after[0])


def why_whole(capture: Capture) -> str:
    """Why a capture cannot be read in ranges of files; empty where it can."""
    if capture.size is None or not all(map(is_file, capture.paths)):
        return NO_FILE
    only = capture.paths[0] if len(capture.paths) == 1 else None
    if only is None or away_of(only) is not None:  # else nobody else could read it
        return ""
    if capture.files[0].compression:
        return "it is compressed"
    start = capture.start_of(0, MOST_HEAD)
    if not start:
        return "it can be had as a stream only"
    return "" if head_in(start) is not None else "it is not of a format that can be read from the middle"


def plan_of(capture: Capture, cut: Cut, width: int) -> Plan:
    """How a capture is read for so many that work at a time; `cut` says where a file is cut."""
    several, all_of_it = len(capture.paths) > 1, capture.size or 0
    begins = [each.first_ns for each in capture.beginnings] if several else [0]
    order = sorted(range(len(begins)), key=lambda position: (begins[position], position))
    numbered = numbered_of(capture.beginnings, order) if several else Numbered({}, ())
    ranges = []
    for position in order:
        path, size = address_of(capture.paths[position]), capture.size_of(position) or 0
        numbers = numbered.numbers.get(position, ())
        known: dict[str, Any] = {"macs": capture.macs(position), "file": position, "numbers": numbers}
        head = head_in(capture.start_of(position, MOST_HEAD)) if begins[position] != NO_TIME else None
        if head is None:
            ranges.append(Range(path, 0, 0, size, exact=True, **known, whole=True))
        else:
            cuts = cut(head, size, max(width * size // max(all_of_it, 1), 1))
            ranges += ranges_of(path, head, cuts, size, **known)
    return Plan(tuple(order), tuple(ranges), numbered, dict(enumerate(begins)))


def numbered_of(beginnings: Sequence[Beginning], order: Sequence[int]) -> Numbered:
    """The numbers that one pass gives the interfaces of files in this `order`: by their first frames, then those without any, file by file.

    One that has no frame at the beginning of its file is taken to have none.
    """
    seen = [(position, at) for position in order for at in beginnings[position].seen]
    known = set(seen)
    every = [(position, at) for position, each in enumerate(beginnings) for at in range(each.interfaces)]
    named = {each: number for number, each in enumerate([*seen, *(each for each in every if each not in known)])}
    numbers = {
        position: tuple(named[position, at] for at in range(each.interfaces))
        for position, each in enumerate(beginnings)
    }
    return Numbered(numbers, tuple(range(len(seen), len(every))))


def tell(capture: Capture, plan: Plan, every: Sequence[Result], ranges: Sequence[Range]) -> None:
    """The capture knows what was read of it: by the facts of its ranges."""
    for file in plan.order:
        facts = [each for each, of in zip(every, ranges, strict=True) if of.file == file]
        described = [Interface(**{**each, "macs": tuple(each["macs"])}) for each in facts[0]["interfaces"]]
        for number, interface in enumerate(described):
            interface.drops = sum(each["drops"][number] for each in facts)
            for each in facts:
                interface.statistics.update(each["statistics"][number])
        frames, last = sum(each["frames"] for each in facts), facts[-1]
        damages = [
            (each["offset"], each["what"], each["lost"], each["frame"] + frames - last["frames"])
            for each in last["damages"]
        ]
        notes = [note for each in facts for note in each["notes"]]
        with_frames = [each["times"] for each in facts if each["frames"]]
        times = (with_frames[0][0], with_frames[-1][1]) if with_frames else (0, 0)
        capture.was_read(file, frames, last["end"], described, notes, damages, times)
    capture.all_read(plan.interfaces.numbers)
