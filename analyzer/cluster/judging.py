"""A share of the flows of a capture -> all that there is to know of each, as far as it does not hang on the end of the capture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from analyzer.cluster import arrays
from analyzer.cluster.beside import Beside
from analyzer.cluster.shares import rows_of_share
from analyzer.events.gather import Gatherer
from analyzer.events.judge import Judge, new_sent
from analyzer.flows import FlowTracker
from analyzer.flows.joined import kept_of
from analyzer.flows.sent import Sent
from analyzer.output import whole_folder
from analyzer.timing import TimeAccount

COUNTS, SERVERS, GATHERED = "counts", "servers", "gathered"
_sent: list[
    Sent
] = []  # memory that no Judge uses: to have its pages given anew for each share would take as long as judging it


@contextmanager
def _lent() -> Iterator[Sent]:
    """Memory of what was sent, for one share."""
    sent = _sent.pop() if _sent else new_sent()
    try:
        yield sent
    finally:
        _sent.append(sent)


def judge(
    folders: Sequence[str],
    before: Sequence[int],
    share: int,
    first_ns: int,
    max_flows: int,
    folder: str,
    sealed: bool = False,
    beside: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Follow and judge the flows of a share, and write what is known of them into `folder`, which appears when it is complete.

    `folders` are those of the ranges, which have so many frames `before` them; the capture began at `first_ns`; what is asked for
    `beside` what is known of flows is as `Beside` says. Returns what `arrays.read_facts` reads there: `seen` by the judge, how the
    counters hang together with other shares, and `reason`, why the share cannot be judged for itself.
    """
    beside = beside or {}
    tracker, gatherer = FlowTracker(max_flows), Gatherer()
    with _lent() as sent, whole_folder(Path(folder)) as draft, ExitStack() as opened:
        judge = Judge(tracker, whole="series" in beside.get("tables", ()), sent=sent)
        judge.go_on_behind(first_ns)
        written = Beside(draft, beside, tracker, TimeAccount(tracker), opened)
        for rows in rows_of_share([Path(each) for each in folders], before, share):
            for part in tracker.follow(rows):
                for piece, events in judge.judged(part):
                    written.add(piece, events, judge)
                    gatherer.add(events)
            written.pass_by(rows)
            if tracker.left:
                break
        for events in judge.settled():
            gatherer.add(events)
            written.settle(events)
        more, counters = written.close()
        seen = judge.seen
        facts = {"seen": seen, "flows": len(tracker), "left": tracker.left.total(), "counters": counters}
        kept = kept_of(tracker, seen["histograms"])
        found = {**kept, COUNTS: judge.counts, SERVERS: judge.servers, GATHERED: gatherer.rows(), **more}
        arrays.write(draft, facts, found, sealed=sealed)
    return facts
