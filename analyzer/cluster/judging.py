"""A share of the flows of a capture -> all that there is to know of each, as far as it does not hang on the end of the capture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analyzer.cluster import arrays
from analyzer.cluster.shares import rows_of_share
from analyzer.events.gather import Gatherer
from analyzer.events.judge import Judge
from analyzer.flows import FlowTracker
from analyzer.flows.joined import kept_of
from analyzer.output import whole_folder
from analyzer.timing import TimeAccount

COUNTS, GATHERED = "counts", "gathered"


def judge(
    folders: Sequence[str],
    before: Sequence[int],
    share: int,
    first_ns: int,
    max_flows: int,
    folder: str,
    sealed: bool = False,
) -> dict[str, Any]:
    """Follow and judge the flows of a share, and write what is known of them into `folder`, which appears when it is complete.

    `folders` are those of the ranges, which have so many frames `before` them; the capture began at `first_ns`. Returns what
    `arrays.read_facts` reads there: `seen` by the judge, and `reason`, why the share cannot be judged for itself.
    """
    tracker = FlowTracker(max_flows)
    judge = Judge(tracker)
    account, gatherer = TimeAccount(tracker), Gatherer()
    judge.go_on_behind(first_ns)
    with whole_folder(Path(folder)) as draft:
        for rows in rows_of_share([Path(each) for each in folders], before, share):
            for part in tracker.follow(rows):
                for piece, events in judge.judged(part):
                    account.add(piece, judge.moments)
                    gatherer.add(events)
            if tracker.left:
                break
        for events in judge.settled():
            gatherer.add(events)
        seen = judge.seen
        facts = {"seen": seen, "flows": len(tracker), "left": tracker.left.total()}
        kept = kept_of(tracker, seen["histograms"])
        arrays.write(draft, facts, {**kept, COUNTS: judge.counts, GATHERED: gatherer.rows()}, sealed=sealed)
    return facts
