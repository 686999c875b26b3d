"""A capture and an executor in; out comes what one pass over it finds, or why only one pass can tell.

Ranges of the file are read, the rows of their flows go to shares, the shares are judged, and all is put together. What is said of
one flow must hang on no other: where it could, that is seen, and the capture is left to one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.capture import Capture
from analyzer.checksums import Checker
from analyzer.checksums import joined as sums
from analyzer.checksums.state import DIRECTION
from analyzer.cluster import arrays, openings
from analyzer.cluster.executor import Executor, Result, Task
from analyzer.cluster.judging import COUNTS, GATHERED
from analyzer.cluster.ranges import Range, RangeFile, head_of, ranges_of
from analyzer.cluster.scatter import DIRECTIONS, OPENINGS, QUOTING
from analyzer.events.gather import CAPACITY, Gatherer, in_order
from analyzer.events.icmp import IcmpErrors
from analyzer.events.judge import Judge
from analyzer.flows import FlowTracker
from analyzer.flows.joined import KEPT, Joining
from analyzer.flows.sent import BOARDS
from analyzer.flows.time_state import SORTS
from analyzer.kinds import NUMBER
from analyzer.output import removed, temporary_folder
from analyzer.presence import Presence
from analyzer.schema import Rows
from analyzer.summary import Summary
from analyzer.tables import FLOW_EVENTS, PACKETS

LEAST_RANGE, MOST_RANGE = 8 << 20, 1 << 28  # bytes
RANGES_EACH, SHARES_EACH = 4, 4  # for each that works at a time: so that nobody waits long for the last
MOST_OPENINGS = 1 << 23
MOST_TOGETHER = 4  # ranges that are read as one, since fragments of datagrams lie across their ends
FRAGMENTS_EVERYWHERE = "fragments of IP datagrams are missing wherever it is cut"
FROM_OTHERS = {  # events that tell of one flow by what was seen of others
    "options_refused": "a server refused options, or sent SYN cookies",
    "syn_cookie": "a server refused options, or sent SYN cookies",
    "tw_recycle": "several hosts are behind one address, and their timestamps are compared",
}


class NotInParts(Exception):
    """What is said of some flows may hang on others, for the reason given."""


@dataclass(slots=True)
class Pass:
    """What one pass over a capture finds."""

    summary: Summary
    tracker: FlowTracker
    judge: Judge
    checker: Checker | None
    gathered: Rows
    complaints: IcmpErrors
    presence: Presence


def cuts_of(head: int, size: int, width: int) -> Sequence[int]:
    """The bytes at which a file of this size is cut for so many that read it; the result does not depend on them."""
    step = min(max(size // (RANGES_EACH * width), LEAST_RANGE), MOST_RANGE)
    return range(head + step, size - step // 2, step)


class Parted:
    """One capture in parts.

    Parameters
    ----------
    capture : it is read nowhere else
    executor : who does the work
    checking, addresses, max_flows : are checksums verified, which addresses are looked for, how many flows are followed at most
    """

    def __init__(
        self,
        capture: Capture,
        executor: Executor,
        *,
        checking: bool,
        addresses: Sequence[str],
        max_flows: int,
        progress: Callable[[Capture], None] | None = None,
    ) -> None:
        self._capture, self._executor = capture, executor
        self._checking, self._addresses, self._max_flows = checking, addresses, max_flows
        self._progress = progress
        self._shares = min(1 << (SHARES_EACH * executor.width - 1).bit_length(), SORTS)

    def run(self) -> Pass:
        """All of it. Raises NotInParts where one pass must do it; nothing is known of the capture then."""
        folder = temporary_folder()
        try:
            ranges = self._ranges()
            folders, facts = self._scattered(ranges, folder)
            found = self._joined_ranges(folders, facts)
            self._judge(found, folders, facts, folder)
        finally:
            removed(folder)
        self._tell_capture(ranges[0], facts)
        return found

    def _ranges(self) -> list[Range]:
        path = str(Path(self._capture.paths[0]).absolute())
        head, size = head_of(path), self._capture.size
        assert head is not None and size is not None, "why_whole said so"
        return ranges_of(path, head, cuts_of(head, size, self._executor.width), size, self._capture.macs)

    def _scattered(self, ranges: Sequence[Range], folder: Path) -> tuple[list[Path], list[Result]]:
        """Read all ranges: the folders and the facts of those that follow each other without a gap."""
        folders = [folder / f"range-{number}" for number in range(len(ranges))]
        found: dict[int, Result] = {}
        tasks = [self._scatter(*each) for each in zip(ranges, folders, strict=True)]
        for position, facts in self._executor.run("scatter", tasks):
            found[position] = facts
            before = found.get(position - 1)
            if ranges[position].exact or (before is not None and before["end"] == facts["start"]):
                self._refuse(facts["reason"])  # else it may have begun where no record is
            self._capture.has_read(ranges[position].stop - ranges[position].start)
            if self._progress is not None:
                self._progress(self._capture)
        kept = self._without_gaps(ranges, folders, found, folder)
        self._refuse("" if kept else "it holds no frames")
        for number in kept[:-1]:
            self._refuse("the file is damaged" if found[number]["damages"] else "")
        facts = found[kept[-1]]
        cut_short = all(damage["frame"] == facts["frames"] for damage in facts["damages"])
        self._refuse("" if cut_short and len(facts["damages"]) < 2 else "the file is damaged")
        return [folders[number] for number in kept], [found[number] for number in kept]

    def _without_gaps(
        self, ranges: Sequence[Range], folders: list[Path], found: dict[int, Result], folder: Path
    ) -> list[int]:
        """Those of the ranges that follow each other; one that does not begin where the one before ends is read once more, from there.

        So is one with the one before, where a datagram in fragments lies across the cut. Those without a record are left out.
        """
        kept: list[int] = []
        expected = ranges[0].start
        for number, wanted in enumerate(ranges):
            if expected >= wanted.stop:
                continue  # one record covers all of it
            start = expected
            if kept and found[kept[-1]]["pending"]:
                start = found[kept.pop()]["start"]
            if found[number]["start"] != start:
                together = wanted.stop - start > MOST_TOGETHER * (wanted.stop - wanted.start)
                self._refuse(FRAGMENTS_EVERYWHERE if start < expected and together else "")
                folders[number] = folder / f"range-{number}-again"
                task = self._scatter(replace(wanted, start=start, exact=True), folders[number])
                ((_, found[number]),) = self._executor.run("scatter", [task])
            self._refuse(found[number]["reason"])
            kept.append(number)
            expected = found[number]["end"]
        return kept

    def _scatter(self, wanted: Range, folder: Path) -> Task:
        return {
            "given": wanted.plain(), "shares": self._shares, "checking": self._checking, "addresses": list(self._addresses),
            "folder": str(folder),
        }  # fmt: skip

    def _joined_ranges(self, folders: Sequence[Path], facts: Sequence[Result]) -> Pass:
        """What is known of the capture without its flows."""
        tracker = FlowTracker(self._max_flows)
        checker = self._checker(folders, facts) if self._checking else None
        found = Pass(
            Summary(),
            tracker,
            Judge(tracker),
            checker,
            np.zeros(0, FLOW_EVENTS.dtype),
            IcmpErrors(),
            Presence(self._addresses),
        )
        for folder, before in zip(folders, _before(facts), strict=True):
            counts = {name: arrays.read(folder, name, array.dtype) for name, array in found.summary.counts().items()}
            if not found.summary.join(counts):
                raise NotInParts("the capture clock goes back")
            quoting = arrays.read(folder, QUOTING, PACKETS.dtype)
            quoting["frame"] += before
            found.complaints.add(quoting)
        found.presence.know([each["missing"] for each in facts], found.summary.total("frames"))
        self._refuse("" if found.summary.total("frames") else "it holds no frames")
        interfaces = len(facts[0]["drops"])
        self._refuse(
            "" if interfaces == 1 else "several interfaces were captured, and their frames are put in order of time"
        )
        return found

    def _checker(self, folders: Sequence[Path], facts: Sequence[Result]) -> Checker:
        rows = sums.joined([arrays.read(folder, DIRECTIONS, DIRECTION) for folder in folders], _before(facts))
        self._refuse(sums.too_many(len(rows)))
        return sums.joined_checker(rows)

    def _judge(self, found: Pass, folders: Sequence[Path], facts: Sequence[Result], folder: Path) -> None:
        """Have the shares judged, and put together what is known of their flows."""
        opening = np.concatenate([arrays.read(each, OPENINGS, openings.OPENING) for each in folders])
        self._refuse("more connections are opened than can be compared" if len(opening) > MOST_OPENINGS else "")
        self._refuse(
            "the same connections were captured on both sides of a NAT" if openings.may_be_legs(opening) else ""
        )
        suspects = openings.suspects(opening)
        self._refuse(FROM_OTHERS["tw_recycle"] if openings.are_recycled(suspects) else "")
        judged = [folder / f"share-{share}" for share in range(self._shares)]
        tasks = [
            {
                "folders": [str(each) for each in folders], "before": _before(facts), "share": share,
                "first_ns": found.summary.total("first_ns"), "max_flows": self._max_flows, "folder": str(judged[share]),
            }
            for share in range(self._shares)
        ]  # fmt: skip
        results = dict(self._executor.run("judge", tasks))
        seen = [results[share]["seen"] for share in range(self._shares)]
        total = sum(each["flows"] for each in results.values())
        left = any(each["left"] for each in results.values())
        self._refuse("there are more flows than are followed at a time" if left or total > self._max_flows else "")
        self._refuse(
            "frames came twice, and whether the capture doubles them shows in all of it"
            if any(each["shared"] for each in seen)
            else ""
        )
        self._refuse(
            "more is missing at a time than is remembered" if sum(each["boards"] for each in seen) > BOARDS else ""
        )
        for each, told in zip(judged, seen, strict=True):
            found.judge.join(arrays.read(each, COUNTS, np.int64), told)
        for name, reason in FROM_OTHERS.items():
            self._refuse(reason if found.judge.counts[NUMBER[name]] else "")
        self._join_flows(found, judged, len(opening), openings.damaged(opening))
        states, ends = found.tracker.states[:total], found.tracker.ends
        clients = states["ends"][np.arange(total), states["client"].astype(np.intp)]
        judged_syns = int(ends["syns"][clients].sum())
        # Else which SYNs the judge has looked at, and so which clocks it knows, is not told by the SYNs alone.
        self._refuse(FROM_OTHERS["tw_recycle"] if len(suspects) and judged_syns != len(opening) else "")

    def _join_flows(self, found: Pass, judged: Sequence[Path], syns: int, bad_syns: int) -> None:
        joining = Joining([{name: arrays.read(each, name, dtype) for name, dtype in KEPT.items()} for each in judged])
        self._refuse(joining.into(found.tracker, found.summary.total("last_ns"), syns, bad_syns))
        gathered = []
        for part, each in enumerate(judged):
            rows = arrays.read(each, GATHERED, FLOW_EVENTS.dtype)
            rows["flow"] = joining.numbers(part, rows["flow"])
            gathered.append(rows)
        late = Gatherer()
        for events in found.judge.finish():
            late.add(events)
        found.gathered = in_order(np.concatenate([*gathered, late.rows()]))
        self._refuse("more happened than is told flow by flow" if len(found.gathered) > CAPACITY // 2 else "")

    def _tell_capture(self, first: Range, facts: Sequence[Result]) -> None:
        """The capture knows what was read of it."""
        opened = RangeFile(first)
        try:
            described = list(opened.file.interfaces)
        finally:
            opened.close()
        frames = sum(each["frames"] for each in facts)
        last = facts[-1]
        damages = [
            (each["offset"], each["what"], each["lost"], each["frame"] + frames - last["frames"])
            for each in last["damages"]
        ]
        for interface in described:
            interface.drops = sum(each["drops"][0] for each in facts)
            for each in facts:
                interface.statistics.update(each["statistics"][0])
        notes = [note for each in facts for note in each["notes"]]
        self._capture.was_read(frames, last["end"], described, notes, damages)

    def _refuse(self, reason: str) -> None:
        if reason:
            raise NotInParts(reason)


def _before(facts: Sequence[Result]) -> list[int]:
    """How many frames come before each range."""
    counts: npt.NDArray[Any] = np.cumsum([0, *(each["frames"] for each in facts)])
    return [int(count) for count in counts[:-1]]
