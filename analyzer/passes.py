"""One pass over a capture: files in; packet rows, events and what else a table holds out, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from analyzer.capture import Capture, Damage, Interfaces, RecordBatch, open_capture
from analyzer.capture.bundle import host_of
from analyzer.checksums import Checker, Checksums
from analyzer.choose import EVERYTHING, Choice
from analyzer.events.judge import Judge
from analyzer.events.wireshark import WiresharkLabeller
from analyzer.flows import FlowTracker
from analyzer.flows.tracker import MAX_FLOWS
from analyzer.frames import FrameReader
from analyzer.ordering import FileOrder, TimeOrder
from analyzer.schema import Rows
from analyzer.timing import TimeAccount
from analyzer.timing.series import SeriesMaker

if TYPE_CHECKING:
    from analyzer.choose.chooser import Chooser
    from analyzer.prediction import Predictor

Progress = Callable[[Capture], None]
Mark = Callable[[RecordBatch, Interfaces, Rows], None]
EXPORT_BATCH_FRAMES = 1 << 14
EVERY_NS = 1_000_000_000  # an interval of `series`
SOON_BYTES = (
    1 << 20
)  # on disk: of a capture that is read before a thread has begun, or hardly later where it is compressed
TIMED_FLOWS = 1000  # the busiest: their round-trip times tell which host is near


def table_rows(
    paths: list[str],
    table: str,
    *,
    batch_frames: int = EXPORT_BATCH_FRAMES,
    max_flows: int = MAX_FLOWS,
    progress: Progress | None = None,
    damages: list[Damage] | None = None,
    every_ns: int = EVERY_NS,
    flow: int | None = None,
    checksums: bool = True,
    choice: Choice = EVERYTHING,
) -> Iterator[Rows]:
    """The rows of a table, piece by piece while the capture is read; what could not be read is added to `damages`.

    Without `checksums` none is verified, unless the table has them. `series` has intervals of `every_ns`, of all flows or of one. In `packets`, `flow` and `direction` are what was known when
    the frame passed. `flows` come when they leave or the
    capture ends.
    """
    chooser = chooser_of(choice, max_flows)
    tracker = FlowTracker(max_flows, keep_left=table == "flows", numbered=chooser is not None)
    labeller = WiresharkLabeller()
    judge, account = Judge(tracker, keep=table == "events", whole=table == "series"), TimeAccount(tracker)
    # A SYN that was damaged is no attempt: what is said of flows and events rests on checksums, too.
    checker = Checker() if checksums or table in ("packets", "checksums") else None
    recorded, as_filed = recorded_hosts(paths), FileOrder()
    series = SeriesMaker(tracker, every_ns, flow) if table == "series" else None
    with open_capture(paths, batch_frames=batch_frames) as capture:
        for rows in decoded(capture, checker, chooser=chooser):
            for part in tracker.follow(rows):
                for piece, events in judge.judged(part):
                    if table == "flows":
                        account.add(piece, judge.moments)
                    elif series is not None:
                        yield from series.take(piece, judge.moments, account)
                    if table == "events" and len(events):
                        yield events.copy()
                while tracker.rows_left:
                    yield tracker.rows_left.pop(0)
            if table == "packets":
                rows = as_filed.put(rows, chooser.gone if chooser else None)
                labeller.add(rows)
                if len(rows):
                    yield rows.copy()
            if progress is not None:
                progress(capture)
        for events in judge.finish():
            if table == "events":
                yield events
        if series is not None:
            yield from series.finish()
        if table == "flows":
            yield from tracker.row_parts()
        if table == "checksums" and checker is not None:
            told = chooser.ways.among if chooser else None
            yield Checksums(checker, tracker.busiest(TIMED_FLOWS), recorded, told=told).rows()
        if damages is not None:
            damages.extend(capture.damages)


def increment_rows(
    paths: list[str], predictor: Predictor, *, max_flows: int = MAX_FLOWS, choice: Choice = EVERYTHING
) -> Iterator[Rows]:
    """What each frame must add to the counters of the predictor's host (INCREMENT), piece by piece.

    What is yielded is overwritten by the next.
    """
    for rows, events in judged_rows(paths, max_flows=max_flows, choice=choice):
        yield from predictor.add(rows, events)
    yield from predictor.settle()


def judged_rows(
    paths: list[str], *, max_flows: int = MAX_FLOWS, choice: Choice = EVERYTHING
) -> Iterator[tuple[Rows, Rows]]:
    """The packet rows of a capture with verified checksums, piece by piece, and their events."""
    chooser = chooser_of(choice, max_flows)
    tracker, checker = FlowTracker(max_flows, numbered=chooser is not None), Checker()
    judge = Judge(tracker)
    with open_capture(paths, batch_frames=EXPORT_BATCH_FRAMES) as capture:
        for rows in decoded(capture, checker, chooser=chooser):
            for part in tracker.follow(rows):
                yield from judge.judged(part)


class Watcher(Protocol):
    """Who is told of the packets of a capture as they are judged."""

    def add(self, rows: Rows, moments: Rows) -> None:
        """Packets with their flows, and what each left behind (MOMENT)."""

    def add_events(self, events: Rows) -> None:
        """Events, some of them later than their packets."""

    def spend(self, stretches: Rows) -> None:
        """Time of connections, by cause."""


def watch(
    watcher: Watcher,
    paths: Sequence[str],
    *,
    max_flows: int = MAX_FLOWS,
    checksums: bool = True,
    choice: Choice = EVERYTHING,
    progress: Progress | None = None,
) -> Capture:
    """Read a capture again for the connections that somebody looks at closely; it is closed when it is returned.

    `max_flows`, `checksums` and `choice` are those with which it was read before: what is said of connections rests on them.
    """
    chooser = chooser_of(choice, max_flows)
    tracker = FlowTracker(max_flows, numbered=chooser is not None)
    judge, account = Judge(tracker, keep=True, whole=True), TimeAccount(tracker)
    with open_capture(list(paths), batch_frames=EXPORT_BATCH_FRAMES) as capture:
        for rows in decoded(capture, Checker() if checksums else None, chooser=chooser):
            for part in tracker.follow(rows):
                for events in judge.left():
                    watcher.add_events(events)
                for piece, events in judge.judged(part):
                    watcher.add(piece, judge.moments)
                    watcher.add_events(events)
                    for stretches in account.stretches(piece, judge.moments):
                        watcher.spend(stretches)
            if progress is not None:
                progress(capture)
    for events in judge.finish():
        watcher.add_events(events)
    return capture


def chooser_of(choice: Choice, max_flows: int = MAX_FLOWS) -> Chooser | None:
    """Who picks the frames that are asked for; None where all are."""
    if not choice:
        return None
    from analyzer.choose.chooser import Chooser

    return Chooser(choice, max_flows)


def decoded(
    capture: Capture,
    checker: Checker | None,
    order: TimeOrder | None = None,
    chooser: Chooser | None = None,
    mark: Mark | None = None,
    *,
    ahead: bool = True,
) -> Iterator[Rows]:
    """The packet rows of a capture in order of time, batch by batch, datagrams put together and checksums verified.

    They hold until the next are asked for. `order` (a new one if not given) puts them in order, and tells what it did. With a
    `chooser` they are those that it picks, whose flows have their numbers; there may be none in a batch. `mark` is called with each
    batch while its bytes are there. With `ahead` the next batch is read while the caller works on this one.
    """
    order = order or TimeOrder(capture)
    for rows in _as_filed(capture, checker, chooser, mark, ahead):
        for part in order.put(rows):
            yield part if chooser is None else chooser.choose(part)
    for part in order.rest():
        yield part if chooser is None else chooser.choose(part)
    if chooser is not None:
        chooser.finish()


def _as_filed(
    capture: Capture, checker: Checker | None, chooser: Chooser | None, mark: Mark | None, ahead: bool
) -> Iterator[Rows]:
    """The packet rows of each batch in the order of the file. They hold until the next are asked for.

    With `ahead`, and of a capture of SOON_BYTES or more, the next batch is read and decoded in a thread of its own while the caller works on this one: compiled code does
    not hold Python's lock. A pipe is read when the caller asks, so that an interrupt need not wait for its sender.
    """
    reader = FrameReader(checker)
    capture.read_with(reader)
    batches = iter(capture)

    def rows_of_next() -> Rows | None:
        batch = next(batches, None)
        if batch is None:
            return None
        rows = reader.rows_of(batch, capture.interfaces)
        if mark is not None:
            mark(batch, capture.interfaces, rows)
        if chooser is not None:
            chooser.mark(batch, capture.interfaces, rows)
            if chooser.is_past(rows):
                return None
        return rows

    if capture.size is None or capture.size < SOON_BYTES or not ahead:
        while (rows := rows_of_next()) is not None:
            yield rows
        return
    from concurrent.futures import ThreadPoolExecutor  # with all that it logs to: not for a capture of a few frames

    with ThreadPoolExecutor(1, "decode") as thread:
        coming = thread.submit(rows_of_next)
        while (rows := coming.result()) is not None:
            coming = thread.submit(rows_of_next)
            yield rows


def recorded_hosts(paths: Sequence[str]) -> dict[str, str]:
    """The addresses of the hosts of all bundles, and the file that says so."""
    hosts = [host for host in map(host_of, paths) if host is not None]
    return {address: host.path for host in hosts for address in host.addresses}
