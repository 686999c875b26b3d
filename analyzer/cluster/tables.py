"""Tables with a row per frame, or per event, of a capture that several processes read: who does it, or that one pass must."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from analyzer.capture import Capture, Damage, open_capture
from analyzer.capture.pipes import is_pipe
from analyzer.capture.where import address_of
from analyzer.cluster import asked
from analyzer.cluster.asked import executor_for, room_for, why_small
from analyzer.cluster.parted import NotInParts, Parted, Pass
from analyzer.cluster.planned import NO_FILE, why_whole
from analyzer.flows.tracker import MAX_FLOWS
from analyzer.lines import Written
from analyzer.passes import EVERY_NS
from analyzer.schema import Rows

IN_PARTS = ("packets", "events", "series")
LEAST_JOBS = {"packets": 2, "events": 3, "series": 3}  # one pass keeps two cores busy, but for the text of packets
LEAST_BYTES = {"packets": 64 << 20, "events": 256 << 20, "series": 256 << 20}
EACH_FILE = {"packets": 0, "events": asked.EACH_FILE, "series": asked.EACH_FILE}  # to make text of frames takes longer


class TableParts:
    """The rows of one table, once all that they hang on is known."""

    def __init__(self, found: Pass, table: str, every_ns: int) -> None:
        assert found.parts is not None
        self._found, self._parts = found, found.parts
        self._table, self._every_ns = table, every_ns

    def rows(self) -> Iterator[Rows]:
        """Piece by piece, in the order of one pass. They hold until the next are asked for."""
        if self._table == "packets":
            yield from self._parts.packet_rows()
        elif self._table == "series":
            yield from self._parts.series(self._found.tracker, self._every_ns)
        else:
            yield from self._parts.events()
            yield from self._found.late

    def written(self, kind: str) -> Iterator[Written]:
        """Those of `packets` in the text of a format (see `lines`)."""
        return self._parts.packets(kind)


@contextmanager
def table_in_parts(
    paths: Sequence[str],
    table: str,
    jobs: int | None,
    *,
    every_ns: int = EVERY_NS,
    progress: Callable[[Capture], None] | None = None,
    damages: list[Damage] | None = None,
    reasons: list[str] | None = None,
    cluster: Any = None,
) -> Iterator[TableParts | None]:
    """A table as several processes make it; None where one pass must, or is done as soon.

    Parameters
    ----------
    jobs, cluster : how many processes, or the executor that does it instead
    every_ns : of `series`
    damages, reasons : get what could not be read, and why one pass must do it
    """
    if table not in IN_PARTS or (cluster is None and (jobs or 1) < LEAST_JOBS[table]):
        yield None
        return
    beside = {"tables": [table], "every_ns": every_ns}
    if any(map(is_pipe, paths)):  # what is looked at in one is gone
        _note(reasons, NO_FILE)
        yield None
        return
    with open_capture(list(paths)) as capture:
        reason = why_whole(capture)
        if not reason and cluster is None:
            reason = why_small(capture, jobs or 1, LEAST_BYTES[table], EACH_FILE[table])
        if reason:
            _note(reasons, reason)
            yield None
            return
        with ExitStack() as stack:
            folder = stack.enter_context(room_for(None))
            executor = stack.enter_context(
                executor_for(cluster, jobs or 1, list(map(address_of, capture.paths)), keeping=False)
            )
            parted = Parted(
                capture,
                executor,
                folder,
                checking=True,
                addresses=(),
                max_flows=MAX_FLOWS,
                progress=progress,
                beside=beside,
            )
            found = None
            try:
                found = stack.enter_context(parted.running())
            except NotInParts as error:
                _note(reasons, str(error))
            yield TableParts(found, table, every_ns) if found is not None else None
        if damages is not None and found is not None:
            damages.extend(capture.damages)


def _note(reasons: list[str] | None, reason: str) -> None:
    if reasons is not None:
        reasons.append(reason)
