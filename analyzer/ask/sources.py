"""Whoever makes the rows: of one capture, or of several capture points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.analysis import Analysis
from analyzer.ask.rows import Request, Source

if TYPE_CHECKING:
    from analyzer.ask.several import PointSource
    from analyzer.points.points import Points


def source_of(asked: Request | Analysis | Points) -> Source | PointSource:
    """What makes the rows; that of several points is imported where there are several."""
    if isinstance(asked, Analysis) or (isinstance(asked, Request) and not asked.at):
        return Source(asked)
    from analyzer.ask.several import PointSource

    return PointSource(asked)
