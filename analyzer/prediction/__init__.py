"""What the packets of a capture must have added to the counters of the host that took it, frame by frame."""

from __future__ import annotations

from analyzer.prediction.names import BY_MERGING, INFERRED, MERGED, NUMBER, PREDICTED
from analyzer.prediction.predictor import DEFAULT_MTU, Predictor
from analyzer.prediction.rows import increment_table, increment_texts
from analyzer.prediction.state import INCREMENT, OUT_CAPACITY

__all__ = [
    "BY_MERGING",
    "DEFAULT_MTU",
    "INCREMENT",
    "INFERRED",
    "MERGED",
    "NUMBER",
    "OUT_CAPACITY",
    "PREDICTED",
    "Predictor",
    "increment_table",
    "increment_texts",
]
