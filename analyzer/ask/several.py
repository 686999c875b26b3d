"""The rows of any table of several capture points, piece by piece, with the columns that are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from analyzer.ask.rows import Request, Source
from analyzer.capture import Damage
from analyzer.passes import Progress
from analyzer.points.joined import POINT, SEVERAL, pieces_at
from analyzer.points.points import Points
from analyzer.tables import FINDINGS, PASSAGES, POINT_TABLES


class PointSource:
    """Makes rows of points that are asked about, or of such as were analysed: of a table of one capture those of all points."""

    tables = SEVERAL

    def __init__(self, asked: Request | Points) -> None:
        self._asked = asked
        self._known = asked if isinstance(asked, Points) else None
        self._sources: dict[str, Source] = {}
        self.progress: Progress | None = None

    @property
    def damages(self) -> list[Damage]:
        """What could not be read of the captures, as far as they were read."""
        return [] if self._known is None else [each for at in self._known.at.values() for each in at.damages]

    def pieces(self, name: str, columns: Collection[str]) -> Iterator[Any]:
        """The rows of a table as DuckDB takes them: dicts of arrays, or DataFrames with more columns."""
        points = self.points
        if name == PASSAGES.name:
            yield from points.passage_frames()
        elif name in POINT_TABLES or name == FINDINGS.name:
            yield points.table(name)
        else:
            first = next(column.name for column in SEVERAL[name].columns if column.public and column is not POINT)
            own = [column for column in columns if column != POINT.name] or [first]
            for point, source in self._sources.items():
                source.progress = self.progress
                yield from pieces_at(source.pieces(name, own), point)

    @property
    def points(self) -> Points:
        """The points; their captures are read when this is first asked for."""
        if self._known is None:
            request = self._asked
            assert isinstance(request, Request)
            asked = {**request.beside, **request.chosen, "rules": request.rules, "progress": self.progress}
            found: Points = request.analyze(at=request.at, clock=request.clock, **asked)
            self._known = found
        if not self._sources:
            self._sources = {point: Source(analysis) for point, analysis in self._known.at.items()}
        return self._known
