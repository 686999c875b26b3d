"""All socket lists beside a capture, one file after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.capture.support import Report, report_of
from analyzer.sockets.batch import Batch
from analyzer.sockets.files import SocketFile
from analyzer.sockets.joined import FlowIndex
from analyzer.sockets.sockets import SocketsError
from analyzer.sockets.tally import Tally
from analyzer.sockets.totals import Summary


class ListFile(NamedTuple):
    """A file of socket lists, and the name of the host they are of, where that is known."""

    path: str
    host: str = ""


def lists_named(path: str, host: str = "") -> list[ListFile]:
    """The files of lists at a path: itself, or those in the report of a support tool.

    Raises SocketsError for a report without any.
    """
    report = report_of(path)
    if report is None:
        return [ListFile(path, host)]
    found = lists_in(report)
    if not found:
        todo = "name a file with the output of ss, netstat or /proc/net/tcp"
        raise SocketsError(path, f"a {report.kind} without a list of sockets", todo)
    return found


def lists_in(report: Report) -> list[ListFile]:
    """The lists in a report; what is called so may hold none, where the tool was not there."""
    return [ListFile(file, report.name) for file in report.sockets if _holds_any(file)]


def _holds_any(file: str) -> bool:
    try:
        next(iter(SocketFile(file, batch_rows=1)), None)
    except SocketsError:
        return False
    return True


class SocketLists:
    """The files of one analysis.

    `read` gives their sockets as often as it is asked for. `tally`, `summaries` (of `ss -s`) and `notes` are there once
    all has been read.
    """

    def __init__(self, files: Sequence[ListFile]) -> None:
        self.files = list(files)
        self.tally = Tally()
        self.summaries: list[Summary] = []
        self.others: dict[str, int] = {}
        self.notes: list[str] = []
        self.complete = False

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {**self.tally.as_dict(), "other_families": self.others, "summaries": self.summaries}

    def check(self) -> None:
        """Raise SocketsError now where a file holds no sockets: before a capture is read for them."""
        for file in self.files:
            if not Path(file.path).is_fifo():  # that can be read once
                next(iter(SocketFile(file.path, batch_rows=1)), None)

    def read(self, flows: FlowIndex) -> Iterator[tuple[str, Batch]]:
        """The sockets of all files, joined to their flows, each batch with the name of its host."""
        tally, snapshots = Tally(), 0
        summaries: list[Summary] = []
        others: dict[str, int] = {}
        notes: list[str] = []
        for each in self.files:
            file = SocketFile(each.path, first_snapshot=snapshots)
            for batch in file:
                flows.join(batch)
                tally.add(batch)
                yield each.host, batch
            snapshots += file.snapshots
            summaries += file.summaries
            notes += [f"{each.path}: {note}" for note in file.notes]
            for family, count in file.others.items():
                others[family] = others.get(family, 0) + count
        tally.snapshots = snapshots
        self.tally, self.summaries, self.others, self.notes = tally, summaries, others, notes
        self.complete = True
