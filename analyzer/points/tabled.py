"""What several capture points offer as any capture does: its tables (with `point` in front), findings, SQL, pictures."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from analyzer.analysis import Analysis
from analyzer.described import described
from analyzer.diagnosis.finding import Diagnosis
from analyzer.diagnosis.frames import findings_frame
from analyzer.errors import UsageError, suggest
from analyzer.fields import of_fields
from analyzer.points.joined import POINT, SEVERAL, at_point, together
from analyzer.tables import COUNTERS, FINDINGS, POINT_TABLES, SERIES

if TYPE_CHECKING:
    import pandas as pd


@of_fields(frozen=True)
class Tools:
    """What comes after this stage: what rules say of the points, how they are shown as text, asked in SQL and drawn, and how one connection is shown."""

    diagnose: Callable[[Any], Diagnosis] | None = None
    shown: Callable[[Any], str] | None = None
    ask: Callable[[Any], Any] | None = None
    plots: Callable[[Any], Any] | None = None
    shown_flow: Callable[[Any, Any, bool], str] | None = None


def _joined(name: str) -> cached_property[pd.DataFrame]:
    """A table of one capture, of all points."""

    def made(self: Tabled) -> pd.DataFrame:
        return self.table(name)

    made.__doc__ = f"The rows of `{name}` of all points, `point` in front."
    return cached_property(made)


class Tabled:
    """The tables of all points of `at`."""

    at: dict[str, Analysis]
    _tools: Tools
    _times: str

    flows, packets, events, flow_events = map(_joined, ("flows", "packets", "events", "flow_events"))
    counters, increments = map(_joined, ("counters", "increments"))
    sockets, hosts, checksums = map(_joined, ("sockets", "hosts", "checksums"))
    capture_facts, not_checked = map(_joined, ("capture_facts", "not_checked"))

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What the rules say of the ways between the points, then of each point by itself, but for what the former explain."""
        return self._tools.diagnose(self) if self._tools.diagnose else Diagnosis([], [], [])

    @cached_property
    def findings(self) -> pd.DataFrame:
        """One row per finding, those about the ways between the points first; `point` and the columns of `tables.FINDINGS`."""
        found = findings_frame(self.diagnosis)
        found.insert(0, POINT.name, [each.point or "" for each in self.diagnosis.findings])
        return described(SEVERAL[FINDINGS.name], found, self._times)

    def table(self, name: str) -> pd.DataFrame:
        """Any table by its name (`tcpcap schema` lists them); of those of one capture the rows of all points, `point` in front. Raises UsageError for a name that is none."""
        if name not in SEVERAL:
            raise UsageError("table", f"no table {name!r}", suggest(name, list(SEVERAL)))
        if name in POINT_TABLES or name == FINDINGS.name:
            found: pd.DataFrame = getattr(self, name)
            return found
        return self._described(name, name)

    @cached_property
    def counters_whole(self) -> pd.DataFrame:
        """The rows of `counters` of all points, one per counter, from the first snapshot of its point to the last."""
        return self._described(COUNTERS.name, "counters_whole")

    def series(self, every: str = "1s") -> pd.DataFrame:
        """The rows of `series` of all points, of all TCP connections of a point together. Reads the captures again."""
        return self._described(SERIES.name, lambda analysis: analysis.series(every=every))

    def _described(self, table: str, of: str | Callable[[Analysis], pd.DataFrame]) -> pd.DataFrame:
        frames = {
            name: getattr(analysis, of) if isinstance(of, str) else of(analysis) for name, analysis in self.at.items()
        }
        found = together(at_point(frame, name) for name, frame in frames.items())
        return described(SEVERAL[table], found)  # dates are there where they were asked for

    def sql(self, query: str) -> pd.DataFrame:
        """The answer to one SELECT in DuckDB's SQL over the tables of all points (`point` in front), `passages` and `paths`. Raises UsageError for what is no query, or names what is not there."""
        found: pd.DataFrame = self._tables_asked.frame(query)
        return found

    @property
    def plot(self) -> Any:
        """Pictures that show both points, such as `plot.time_sequence(connection)`: see `analyzer.plot.between.PointPlots`, which comes after this module."""
        return self._tools.plots(self) if self._tools.plots else None

    @property
    def _tables_asked(self) -> Any:
        """The tables in SQL, which keep what was made for one query for the next; as in Analysis."""
        assert self._tools.ask is not None, "made without analyze()"
        of, asked = vars(self).get("_kept_tables", (None, None))
        if of is None or of() is not self:
            asked = self._tools.ask(weakref.proxy(self))
            self._kept_tables = (weakref.ref(self), asked)
        return asked
