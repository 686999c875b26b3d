"""The rows of any table of a capture, piece by piece, with the columns that are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from analyzer.analysis import Analysis
from analyzer.capture import Damage
from analyzer.choose import choice_of
from analyzer.diagnosis.views import columns_of
from analyzer.errors import UsageError
from analyzer.kernel_counters import is_pipe
from analyzer.passes import Progress, table_rows
from analyzer.run import WHOLE, analyze, frames_of_analysis
from analyzer.tables import TABLES

STREAMED = (
    "packets",
    "flows",
    "events",
    "series",
    "checksums",
)  # while the capture is read; the others only the whole of it makes


@dataclass
class Request:
    """A capture, what may be given beside it, and what of it is asked for (`chosen`), as `analyze()` takes them."""

    paths: list[str]
    beside: dict[str, Any] = field(default_factory=dict)
    rules: Sequence[str] = ()
    chosen: dict[str, Any] = field(default_factory=dict)
    progress: Progress | None = None


class Source:
    """Makes rows. The capture is read once for each table that is streamed, and once for all others."""

    def __init__(self, request: Request, analysis: Analysis | None = None) -> None:
        self._request = request
        self._analysis = analysis
        self._read = False
        self._damages: list[Damage] = []

    @property
    def damages(self) -> list[Damage]:
        """What could not be read of the capture, as far as it was read."""
        return self._analysis.damages if self._analysis is not None else list(dict.fromkeys(self._damages))

    def pieces(self, name: str, columns: Collection[str]) -> Iterator[Any]:
        """The rows of a table as DuckDB takes them: dicts of arrays, or DataFrames with more columns."""
        if name == "flows" and self._analysis is not None and not self._analysis.flow_tracker.left:
            for rows in self._analysis.flow_parts():
                yield columns_of(TABLES[name], rows, names=columns)
        elif name in STREAMED:
            self._once_more(name)
            request = self._request
            choice = choice_of(**request.chosen)
            for rows in table_rows(
                request.paths, name, progress=request.progress, damages=self._damages, choice=choice
            ):
                yield columns_of(TABLES[name], rows, names=columns)
        else:
            yield from frames_of_analysis(self.analysis, name)

    @property
    def analysis(self) -> Analysis:
        """The capture as a whole; it is read when this is first asked for."""
        if self._analysis is None:
            self._once_more("analysis")
            request = self._request
            self._analysis = analyze(
                request.paths, **request.beside, **request.chosen, rules=request.rules, progress=request.progress
            )
        return self._analysis

    def _once_more(self, what: str) -> None:
        """The capture is about to be read. Raises UsageError where that cannot be done again."""
        if self._read and any(map(is_pipe, self._request.paths)):
            raise UsageError(what, "a pipe can be read only once, for one table", "save the capture to a file first")
        self._read = True


assert {*WHOLE, *STREAMED} == set(TABLES), "a table that nobody makes"
