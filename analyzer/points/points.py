"""Analyses of several capture points and what was put aside of their packets -> what became of the packets between them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analyzer.analysis import Analysis
from analyzer.described import described
from analyzer.points.between import Between
from analyzer.points.clock import SAME, Clock
from analyzer.points.corrupted import Change, changes_of
from analyzer.points.counted import Ran, ran_of
from analyzer.points.order import facing, folded_address, in_order
from analyzer.points.passing import CHUNK, Passings
from analyzer.points.survey import Survey, survey_of
from analyzer.points.tabled import Tabled, Tools
from analyzer.schema import Rows, address_text
from analyzer.tables import CORRUPTIONS, PASSAGES, PATHS

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.points.followed import Followed

CONNECTIONS = ("connection", "point", "flow", "client", "client_port", "server", "server_port")


class Points(Tabled):
    """Several capture points of the same traffic. Tables are pandas DataFrames, made when first asked for.

    `at` has the Analysis of each point by its name; `paths`, `passages`, `connections` (what each connection is called at each
    point: NAT shows here), `findings` (of the ways between the points, then of each point), `warnings`.
    Each table of one capture, such as `flows` or `packets`, holds the rows of all points.
    """

    def __init__(
        self,
        at: Mapping[str, Analysis],
        passings: Sequence[Passings],
        clock: str | None = None,
        tools: Tools | None = None,
        times: str = "ns",
    ) -> None:
        self.at = dict(at)
        self.names = list(at)
        self.between: list[Between] = []
        weakref.finalize(self, _close, self.between)
        self._tools, self._times = tools or Tools(), times
        surveys = self._surveys(passings)
        self.order = in_order(self.names, surveys)
        self.apart = [name for number, name in enumerate(self.names) if number not in self.order]
        for first, second in zip(self.order, self.order[1:], strict=False):
            survey = facing(first, second, surveys, passings, self._local())
            ran = self._ran(first, second, survey, passings)
            self.between.append(Between((first, second), (passings[first], passings[second]), survey, ran, CHUNK))
        self.clock = clock or (self.names[self.order[0]] if self.order else self.names[0])

    def _surveys(self, passings: Sequence[Passings]) -> dict[tuple[int, int], Survey]:
        local, found = self._local(), {}
        for second in range(len(passings)):
            for first in range(second):
                survey = survey_of((passings[first], passings[second]), (local[first], local[second]))
                if survey.pairs.shared:
                    found[first, second] = survey
        return found

    def _local(self) -> list[set[int]]:
        return [set(map(folded_address, each.local)) for each in self.at.values()]

    def _ran(self, first: int, second: int, survey: Survey, passings: Sequence[Passings]) -> tuple[Ran, Ran]:
        """When both captures ran, on the clock of the first."""
        found = [
            ran_of(self.at[self.names[number]], survey, number == second, passings[number].cut)
            for number in (first, second)
        ]
        return found[0], found[1]

    @cached_property
    def _clocks(self) -> dict[int, list[tuple[Clock, bool]]]:
        """How times of the first point of each pair become those of the clock that was chosen: clocks, and whether each is turned."""
        wanted = self.order.index(self.names.index(self.clock)) if self.names.index(self.clock) in self.order else 0
        found: dict[int, list[tuple[Clock, bool]]] = {}
        for at in range(len(self.between)):
            if at >= wanted:
                found[at] = [(self.between[each].survey.clock or SAME, True) for each in range(at - 1, wanted - 1, -1)]
            else:
                found[at] = [(self.between[each].survey.clock or SAME, False) for each in range(at, wanted)]
        return found

    def on_clock(self, point: int, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Times of a point, by its number, on the clock chosen; those of a point that shares nothing with the others stay."""
        for pair, between in enumerate(self.between):
            if point in between.points:
                clock = between.survey.clock
                if point == between.points[1] and clock is not None:
                    times_ns = clock.to_first(times_ns)
                return self.on_pair_clock(pair, times_ns)
        return times_ns

    def on_pair_clock(self, pair: int, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Times on the clock of the first point of a pair, on the clock chosen."""
        for clock, turned in self._clocks[pair]:
            times_ns = clock.to_first(times_ns) if turned else clock.to_second(times_ns)
        return times_ns

    def passage_rows(self) -> Iterator[Rows]:
        """The rows of `passages`, some at a time, on the clock chosen."""
        for pair, between in enumerate(self.between):
            for rows in between.passages():
                rows["time_ns"] = self.on_pair_clock(pair, rows["time_ns"])
                yield rows

    def passage_frames(self) -> Iterator[pd.DataFrame]:
        """The table `passages`, some rows at a time."""
        for rows in self.passage_rows():
            yield self._passages_frame(rows)

    def _passages_frame(self, rows: Rows) -> pd.DataFrame:
        names = np.array(self.names, object)
        return PASSAGES.frame(rows, {"point": names[rows["point_number"]], "other": names[rows["other_number"]]})

    @cached_property
    def passages(self) -> pd.DataFrame:
        """One row per packet and point; the columns are those of `tables.PASSAGES`."""
        rows = list(self.passage_rows())
        every = np.concatenate(rows) if rows else np.zeros(0, PASSAGES.dtype)
        return described(PASSAGES, self._passages_frame(every), self._times)

    @property
    def path_rows(self) -> Rows:
        """The rows of `paths`."""
        found = [np.zeros(0, PATHS.dtype), *(each.paths for each in self.between)]
        return np.concatenate(found)

    @cached_property
    def paths(self) -> pd.DataFrame:
        """One row per direction between two points; the columns are those of `tables.PATHS`."""
        rows, names = self.path_rows, np.array(self.names, object)
        texts = {"from_point": names[rows["from_number"]], "to_point": names[rows["to_number"]]}
        return described(PATHS, PATHS.frame(rows, texts), self._times)

    @cached_property
    def changes(self) -> list[Change]:
        """Which bytes changed of packets that were damaged, a bounded number of them. Reads the captures again, as far as those frames."""
        return list(changes_of(self))

    @cached_property
    def corruptions(self) -> pd.DataFrame:
        """The same, one row per run of bytes; the columns are those of `tables.CORRUPTIONS`."""
        rows = np.zeros(len(self.changes), CORRUPTIONS.dtype)
        texts: dict[str, Any] = {}
        for column in CORRUPTIONS.columns:
            values = [getattr(each, column.name) for each in self.changes]
            if column.kind == "text":
                texts[column.name] = np.array(values, object)
            else:
                rows[column.name] = values
        return described(CORRUPTIONS, CORRUPTIONS.frame(rows, texts), self._times)

    @cached_property
    def connections(self) -> pd.DataFrame:
        """What each connection that two points share is at each of them: its number, its addresses and ports."""
        import pandas as pd

        return pd.DataFrame(list(self.connection_rows()), columns=list(CONNECTIONS))

    def connection_rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows of `connections`: of each pair of points, each connection at the first and at the second."""
        number = 0
        for between in self.between:
            shared = between.survey.pairs.flows
            ends = [self._ends(point, shared[:, side]) for side, point in enumerate(between.points)]
            for flows in shared.tolist():
                for side, point in enumerate(between.points):
                    if flows[side] in ends[side]:
                        yield number, self.names[point], flows[side], *ends[side][flows[side]]
                number += 1

    def flow(self, which: int | str) -> Followed:
        """One connection packet by packet, with its frames at each point, which shows itself as text: `which` is its number at the first point of the path, or the `ADDRESS:PORT` of one of its ends at any point.

        Reads the captures again. Raises UsageError where there is no such flow, several have this end, or one point alone has it.
        """
        from analyzer.points.followed import followed

        found, shown = followed(self, which), self._tools.shown_flow
        if shown is not None:
            found.shown = lambda each, everything: shown(each, self, everything)
        return found

    def _ends(self, point: int, flows: Any) -> dict[int, tuple[str, int, str, int]]:
        """Client and server of flows by their number, as far as they are still known."""
        rows = self.at[self.names[point]].flow_tracker.rows_of(flows)
        found = {}
        for row in rows:
            client, server = (
                address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), int(row["ip_version"]))
                for end in ("client", "server")
            )
            found[int(row["flow"])] = (client, int(row["client_port"]), server, int(row["server_port"]))
        return found

    @property
    def is_damaged(self) -> bool:
        """Was one of the captures cut short or damaged?"""
        return any(each.is_damaged for each in self.at.values())

    @cached_property
    def warnings(self) -> list[str]:
        """What the reader should know before trusting the rest, a sentence each."""
        found = [f"{name}: no connection of it is in the capture of another point" for name in self.apart]
        for between in self.between:
            first, second = (self.names[number] for number in between.points)
            clock = between.survey.clock
            if clock is None or clock.uncertainty_ns is None:
                found.append(
                    f"{first} and {second}: packets passed both one way only, so that delays and the difference of their clocks cannot be told apart"
                )
            elif clock.slack_ns:
                found.append(
                    f"{first} and {second}: no steady drift makes their clocks agree (packets come up to {clock.slack_ns / 1e6:.3f} ms before they were sent): one of them was set, or is read unevenly"
                )
            for side, name in enumerate((first, second)):
                if between.misses.often(side):
                    found.append(
                        f"{name}: its capture missed {between.misses.number(side):,} packets at least that passed it; what it lacks is not called lost"
                    )
        return found

    def __repr__(self) -> str:
        return f"<Points {', '.join(self.names)}: {sum(each.survey.pairs.shared for each in self.between):,} connections seen at two of them>"

    def _repr_html_(self) -> str:
        import html

        return f"<pre>{html.escape(self._tools.shown(self) if self._tools.shown else repr(self))}</pre>"


def points_of(
    at: Mapping[str, Any],
    analyze: Callable[[Any, Passings], Analysis],
    tools: Tools,
    clock: str | None = None,
    times: str = "ns",
) -> Points:
    """Analyse the captures of several points, by their names, and what happened between them. Raises what `analyze` does."""
    kept = [Passings() for _ in at]
    try:
        analyses = {name: analyze(captures, each) for (name, captures), each in zip(at.items(), kept, strict=True)}
        return Points(analyses, kept, clock, tools, times)
    finally:
        for each in kept:
            each.close()


def _close(between: Sequence[Between]) -> None:
    """Give the room on disk back."""
    for each in between:
        each.close()
