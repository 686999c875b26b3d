"""The tables of one capture, of several capture points together: the same columns behind the name of the point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from analyzer.schema import Column, Table
from analyzer.tables import FINDINGS, POINT_TABLES, TABLES

if TYPE_CHECKING:
    import pandas as pd

POINT = Column("point", "", "The name of the capture point.", kind="text")
OF_FINDINGS = Column(
    "point", "", "The capture point that it was found at; empty where it is about the way between points.", kind="text"
)
# Frames and flows have the numbers that they have at their point.
SEVERAL: dict[str, Table] = {
    **{
        name: Table(name, table.doc, (OF_FINDINGS if table is FINDINGS else POINT, *table.columns))
        for name, table in TABLES.items()
    },
    **POINT_TABLES,
}


def at_point(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of one point with its name in front."""
    found = frame.copy(deep=False)
    found.insert(0, POINT.name, name)
    return found


def together(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all points, in the order in which the points were given, with an index of their own."""
    import pandas as pd

    every = list(frames)
    # An empty one would take away what type a column has.
    return pd.concat([frame for frame in every if len(frame)] or every[:1], ignore_index=True)


def pieces_at(pieces: Iterable[Any], name: str) -> Iterable[Any]:
    """Rows as DuckDB takes them (dicts of arrays, or DataFrames), each with the name of their point."""
    import numpy as np

    for piece in pieces:
        if isinstance(piece, Mapping):
            count = len(next(iter(piece.values())))
            yield {POINT.name: np.full(count, name, object), **piece}
        else:
            yield at_point(piece, name)
