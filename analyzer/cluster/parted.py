"""A capture and an executor in; out comes what one pass over it finds, or why only one pass can tell.

Ranges of its files are read, the rows of their flows go to shares, the shares are judged, and all is put together. What is said of
one flow must hang on no other: where it could, that is seen, and the capture is left to one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
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
from analyzer.cluster.judged import Judged
from analyzer.cluster.kept import Kept
from analyzer.cluster.planned import Plan, plan_of, tell
from analyzer.cluster.ranges import Bounds, Range, are_in_order, cuts_of
from analyzer.cluster.scatter import DIRECTIONS, OPENINGS, QUOTING
from analyzer.cluster.tabled import Parts
from analyzer.events.icmp import IcmpErrors
from analyzer.events.judge import Judge
from analyzer.fields import of_fields
from analyzer.flows import FlowTracker
from analyzer.flows.time_state import SORTS
from analyzer.presence import Presence
from analyzer.schema import Rows
from analyzer.summary import Summary
from analyzer.tables import FLOW_EVENTS, PACKETS

SHARES_EACH = 2  # for each that works at a time: so that nobody waits long for the last
MOST_TOGETHER = 4  # ranges that are read as one, since what began in one goes on in the next
COPIES = "frames came twice, and whether the capture doubles them shows in all of it"
CLOCK_BACK = "the capture clock goes back"
OUT_OF_ORDER = "several interfaces were captured, and their frames are not in order of time"
EVERYWHERE = "wherever it is cut"
AT_AN_END = "where a file ends and another goes on"
OVERLAP = "there are several files that overlap in time, which are read side by side"
LATE_INTERFACE = "an interface has its first frame far behind the beginning of a file, and others have theirs before"


class NotInParts(Exception):
    """What is said of some flows may hang on others, for the reason given."""


@of_fields(slots=True)
class Pass:
    """What one pass over a capture finds."""

    summary: Summary
    tracker: FlowTracker
    judge: Judge
    checker: Checker | None
    gathered: Rows
    complaints: IcmpErrors
    presence: Presence
    late: list[Rows] = field(default_factory=list)  # events that only the end of the capture makes certain
    parts: Parts | None = None


class Parted:
    """One capture in parts.

    Parameters
    ----------
    capture : it is read nowhere else
    executor, folder : who does the work, and where it is written
    checking, addresses, max_flows : are checksums verified, which addresses are looked for, how many flows are followed at most
    kept : what was done before, and keeps what is done now
    beside : what the shares are to write beside what is known of their flows, as `Beside` says
    """

    def __init__(
        self,
        capture: Capture,
        executor: Executor,
        folder: Path,
        *,
        checking: bool,
        addresses: Sequence[str],
        max_flows: int,
        progress: Callable[[Capture], None] | None = None,
        kept: Kept | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        self._beside = beside or {}
        self._capture, self._executor, self._folder = capture, executor, folder
        self._checking, self._addresses, self._max_flows = checking, addresses, max_flows
        self._progress, self._kept = progress, kept
        self._shares = min(1 << (SHARES_EACH * executor.width - 1).bit_length(), SORTS)

    @contextmanager
    def running(self) -> Iterator[Pass]:
        """All of it, and for as long as it is wanted what the shares have written `beside` it. Raises NotInParts where one pass must do it; nothing is known of the capture then."""
        plan = plan_of(self._capture, cuts_of, self._executor.width)
        folders, facts, read = self._scattered(plan)
        found = self._joined_ranges(folders, facts)
        silent = plan.interfaces.silent
        self._refuse(LATE_INTERFACE if any(map(found.summary.interface_frames, silent)) else "")
        judged = self._judge(found, folders, facts)
        tell(self._capture, plan, facts, read)
        found.parts = Parts(self._executor, self._folder, read, _before(facts), judged)
        yield found

    def _placed(self, name: str, task: dict[str, Any], label: str) -> Task:
        """The task, with the folder that it writes."""
        if self._kept is not None:
            return self._kept.placed(name, task, label)
        return {**task, "folder": str(self._folder / label)}

    def _run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        return self._kept.run(self._executor, name, tasks) if self._kept else self._executor.run(name, tasks)

    def _scattered(self, plan: Plan) -> tuple[list[Path], list[Result], list[Range]]:
        """Read all ranges: of those that follow each other without a gap the folders, the facts, and what was read."""
        ranges = plan.ranges
        found: dict[int, Result] = {}
        tasks = [self._scatter(wanted, f"range-{number}") for number, wanted in enumerate(ranges)]
        folders = [Path(task["folder"]) for task in tasks]
        for position, facts in self._run("scatter", tasks):
            found[position] = facts
            before = found.get(position - 1)
            if ranges[position].exact or (before is not None and before["end"] == facts["start"]):
                self._refuse(facts["reason"])  # else it may have begun where no record is
                late = facts["frames"] and plan.overlaps(ranges[position].file, facts["times"][1])
                self._refuse(OVERLAP if late else "")
            self._capture.has_read(ranges[position].stop - ranges[position].start)
            if self._progress is not None:
                self._progress(self._capture)
        kept = self._without_gaps(ranges, folders, found)
        self._refuse("" if kept else "it holds no frames")
        files = [ranges[number].file for number in kept]
        for at, number in enumerate(kept):
            facts, last = found[number], at + 1 == len(kept) or files[at + 1] != files[at]
            self._refuse(OVERLAP if facts["frames"] and plan.overlaps(files[at], facts["times"][1]) else "")
            cut_short = all(damage["frame"] == facts["frames"] for damage in facts["damages"])
            self._refuse("" if len(facts["damages"]) <= last and cut_short else "the file is damaged")
        read = [replace(ranges[number], start=found[number]["start"], exact=True) for number in kept]
        return [folders[number] for number in kept], [found[number] for number in kept], read

    def _without_gaps(self, ranges: Sequence[Range], folders: list[Path], found: dict[int, Result]) -> list[int]:
        """Those of the ranges that follow each other; one that does not begin where the one before ends is read once more, from there.

        So is one with the one before, where a datagram in fragments lies across the cut, or what became of a wrong segment shows
        behind it. Those without a record are left out. What began at the end of a file must not go on in the next.
        """
        kept: list[int] = []
        expected = 0
        for number, wanted in enumerate(ranges):
            if number == 0 or wanted.file != ranges[number - 1].file:
                expected = wanted.start
                pending = found[kept[-1]]["pending"] if kept else ""
                self._refuse(f"{pending} {AT_AN_END}" if pending else "")
            if expected >= wanted.stop:
                continue  # one record covers all of it
            start, pending = expected, ""
            if kept and found[kept[-1]]["pending"]:
                pending = found[kept[-1]]["pending"]
                start = found[kept.pop()]["start"]
            if found[number]["start"] != start:
                together = wanted.stop - start > MOST_TOGETHER * (wanted.stop - wanted.start)
                self._refuse(f"{pending} {EVERYWHERE}" if pending and together else "")
                task = self._scatter(replace(wanted, start=start, exact=True), f"range-{number}-again")
                folders[number] = Path(task["folder"])
                ((_, found[number]),) = self._run("scatter", [task])
            self._refuse(found[number]["reason"])
            kept.append(number)
            expected = found[number]["end"]
        return kept

    def _scatter(self, wanted: Range, label: str) -> Task:
        asked = {"shares": self._shares, "checking": self._checking, "addresses": list(self._addresses)}
        if "counters" in self._beside:
            asked["whole"] = True
        return self._placed("scatter", {"given": wanted.plain(), **asked}, label)

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
        bounds: list[Bounds] = []
        for folder, before in zip(folders, _before(facts), strict=True):
            counts = {name: arrays.read(folder, name, array.dtype) for name, array in found.summary.counts().items()}
            totals = counts["totals"][0]
            bounds += [Bounds(int(totals["first_ns"]), int(totals["previous_ns"]))] if totals["frames"] else []
            if not found.summary.join(counts):
                raise NotInParts(CLOCK_BACK if len(facts[0]["drops"]) == 1 else OUT_OF_ORDER)
            quoting = arrays.read(folder, QUOTING, PACKETS.dtype)
            quoting["frame"] += before
            found.complaints.add(quoting)
        found.presence.know([each["missing"] for each in facts], found.summary.total("frames"))
        self._refuse("" if found.summary.total("frames") else "it holds no frames")
        sorted_ = are_in_order(bounds) and not any(each["back"] for each in facts)
        self._refuse("" if sorted_ else OUT_OF_ORDER)
        return found

    def _checker(self, folders: Sequence[Path], facts: Sequence[Result]) -> Checker:
        parts = [arrays.read(folder, DIRECTIONS, DIRECTION) for folder in folders]
        self._refuse(sums.why_not(parts))
        rows = sums.joined(parts, _before(facts))
        self._refuse(sums.too_many(len(rows)))
        return sums.joined_checker(rows)

    def _judge(self, found: Pass, folders: Sequence[Path], facts: Sequence[Result]) -> Judged:
        """Have the shares judged, and put together what is known of their flows."""
        asked: dict[str, Any] = {"first_ns": found.summary.total("first_ns"), "max_flows": self._max_flows}
        if self._beside:
            last = {"last_frame": found.summary.total("frames")}
            beside = {**self._beside, **last}
            if "counters" in beside:
                beside["counters"] = {**beside["counters"], "last_ns": found.summary.total("last_ns")}
            asked["beside"] = beside
        asked |= {"folders": [str(each) for each in folders], "before": _before(facts)}
        count = self._shares + ("counters" in self._beside)  # rows without a flow have a share of their own
        tasks = [self._placed("judge", {**asked, "share": share}, f"share-{share}") for share in range(count)]
        results: dict[int, Result] = {}
        for position, told in self._run("judge", tasks):
            self._refuse(COPIES if told["seen"]["shared"] else "")
            results[position] = told
        judged = Judged([Path(task["folder"]) for task in tasks], [results[share] for share in range(count)])
        self._refuse(judged.why_not(self._max_flows))
        opening = np.concatenate([arrays.read(each, OPENINGS, openings.OPENING) for each in folders])
        self._refuse(openings.why_not(opening))
        self._refuse(judged.into(found, opening))
        return judged

    def _refuse(self, reason: str) -> None:
        if reason:
            raise NotInParts(reason)


def _before(facts: Sequence[Result]) -> list[int]:
    """How many frames come before each range."""
    counts: npt.NDArray[Any] = np.cumsum([0, *(each["frames"] for each in facts)])
    return [int(count) for count in counts[:-1]]
