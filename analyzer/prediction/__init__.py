"""What the packets of a capture must have added to the counters of the host that took it, frame by frame."""

from __future__ import annotations

from analyzer.prediction.names import BY_OTHERS, INFERRED, NUMBER, PREDICTED
from analyzer.prediction.predictor import DEFAULT_MTU, Predictor
from analyzer.prediction.rows import increment_table, increment_texts
from analyzer.prediction.sink import INCREMENT
from analyzer.prediction.tally import Tally
from analyzer.prediction.world import unfit_settings

__all__ = [
    "BY_OTHERS",
    "DEFAULT_MTU",
    "INCREMENT",
    "INFERRED",
    "NUMBER",
    "PREDICTED",
    "Predictor",
    "Tally",
    "increment_table",
    "increment_texts",
    "unfit_settings",
]
