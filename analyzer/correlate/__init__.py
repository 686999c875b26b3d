"""Predicted against observed counters: aligned in time, interval by interval, and for the whole time of the snapshots."""

from __future__ import annotations

from analyzer.correlate.apart import ANY_HOST, OTHER_HOST, apart, fitting
from analyzer.correlate.clock import Fit, Offset
from analyzer.correlate.coincidence import EVERY_FLOW, Coincidence
from analyzer.correlate.compared import (
    AGREE,
    BOUNDED,
    EXACT,
    INFERRED_RELATION,
    NOT_COMPARABLE,
    OVER,
    UNDER,
    UNLIMITED,
    UNOBSERVABLE,
    Compared,
    table,
    texts,
)
from analyzer.correlate.comparison import Comparison
from analyzer.correlate.coverage import COVERING, Coverage
from analyzer.correlate.facts import Facts, facts_of
from analyzer.correlate.ledger import EDGE_NS

__all__ = [
    "AGREE",
    "ANY_HOST",
    "BOUNDED",
    "COVERING",
    "EDGE_NS",
    "EVERY_FLOW",
    "EXACT",
    "INFERRED_RELATION",
    "NOT_COMPARABLE",
    "OTHER_HOST",
    "OVER",
    "UNDER",
    "UNLIMITED",
    "UNOBSERVABLE",
    "Coincidence",
    "Compared",
    "Comparison",
    "Coverage",
    "Facts",
    "Fit",
    "Offset",
    "apart",
    "facts_of",
    "fitting",
    "table",
    "texts",
]
