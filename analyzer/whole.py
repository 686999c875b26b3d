"""The tables that only the whole of a capture makes, as DataFrames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from analyzer.analysis import Analysis
from analyzer.tables import (
    CAPTURE_FACTS,
    COUNTERS,
    FINDINGS,
    FLOW_EVENTS,
    HOSTS,
    INCREMENTS,
    NOT_CHECKED,
    SOCKETS,
)

if TYPE_CHECKING:
    import pandas as pd

WHOLE = tuple(
    table.name for table in (FINDINGS, NOT_CHECKED, CAPTURE_FACTS, FLOW_EVENTS, COUNTERS, INCREMENTS, SOCKETS, HOSTS)
)


def whole_frames(analysis: Analysis, table: str) -> Iterator[pd.DataFrame]:
    """A table that only the whole capture makes."""
    if table == CAPTURE_FACTS.name:
        return iter([analysis.capture_facts])
    if table in (FINDINGS.name, NOT_CHECKED.name, FLOW_EVENTS.name, HOSTS.name):
        return iter([getattr(analysis, table)])
    if table == SOCKETS.name:
        return analysis.socket_frames()
    analysis.kernel.need_host(table)
    return iter([analysis.counters]) if table == COUNTERS.name else analysis.kernel.increment_frames()
