"""The rows of any table of a capture, piece by piece, with the columns that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from analyzer.analysis import Analysis
from analyzer.capture import Damage
from analyzer.capture.pipes import is_pipe
from analyzer.choose import choice_of
from analyzer.diagnosis.views import columns_of
from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.passes import Progress
from analyzer.schema import Rows, Table
from analyzer.streamed import streamed_rows
from analyzer.tables import CHECKSUMS, FLOWS, TABLES
from analyzer.whole import WHOLE, whole_frames

STREAMED = ("packets", "flows", "events", "series", "checksums")  # the others only the whole of a capture makes


@of_fields()
class Request:
    """A capture, what may be given beside it, and what of it is asked for (`chosen`), as `analyze()` takes them; or several capture points (`at`).

    `analyze` is that function: it runs where a table is wanted that only the whole capture makes.
    """

    paths: list[str]
    analyze: Callable[..., Any]
    beside: dict[str, Any] = field(default_factory=dict)
    rules: Sequence[str] = ()
    chosen: dict[str, Any] = field(default_factory=dict)
    at: Mapping[str, list[str]] = field(default_factory=dict)
    clock: str | None = None
    jobs: int | None = None


class Source:
    """Makes rows, of a capture that is asked about, or of one that was analysed.

    The capture is read once for each table that is streamed, and once for all others.
    """

    tables: Mapping[str, Table] = TABLES

    def __init__(self, asked: Request | Analysis) -> None:
        self._asked = asked
        self._known = asked if isinstance(asked, Analysis) else None
        self._read = self._known is not None
        self._damages: list[Damage] = []
        self.progress: Progress | None = None

    @property
    def damages(self) -> list[Damage]:
        """What could not be read of the capture, as far as it was read."""
        return self._known.damages if self._known is not None else list(dict.fromkeys(self._damages))

    def pieces(self, name: str, columns: Collection[str]) -> Iterator[Any]:
        """The rows of a table as DuckDB takes them: dicts of arrays, or DataFrames with more columns."""
        if name not in STREAMED:
            yield from whole_frames(self.analysis, name)
        elif self._known is not None and name == CHECKSUMS.name:
            yield self._known.checksums
        else:
            for rows in self._streamed(name):
                yield columns_of(TABLES[name], rows, names=columns)

    def _streamed(self, name: str) -> Iterator[Rows]:
        known = self._known
        if known is not None and name == FLOWS.name and not known.flow_tracker.left:
            return known.flow_parts()
        self._once_more(name)
        if known is not None:
            return known.parts(name, self.progress)
        assert isinstance(self._asked, Request)
        request, choice = self._asked, choice_of(**self._asked.chosen)
        told: dict[str, Any] = {"progress": self.progress, "damages": self._damages, "choice": choice}
        return streamed_rows(request.paths, name, jobs=request.jobs, **told)

    @property
    def analysis(self) -> Analysis:
        """The capture as a whole; it is read when this is first asked for."""
        if self._known is None:
            self._once_more("analysis")
            request = self._asked
            assert isinstance(request, Request)
            found: Analysis = request.analyze(
                request.paths, **request.beside, **request.chosen, rules=request.rules, progress=self.progress
            )
            self._known = found
        return self._known

    def _once_more(self, what: str) -> None:
        """The capture is about to be read. Raises UsageError where that cannot be done again."""
        if self._read and any(map(is_pipe, self._asked.paths)):
            raise UsageError(what, "a pipe can be read only once, for one table", "save the capture to a file first")
        self._read = True


assert {*WHOLE, *STREAMED} == set(TABLES), "a table that nobody makes"
