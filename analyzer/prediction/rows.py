"""Increments as rows of the table `increments`."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.prediction.names import INFERRED, PREDICTED
from analyzer.schema import Rows
from analyzer.tables import INCREMENTS

EXACT, BOUNDED, INFERRED_RELATION = (
    INCREMENTS.bit("relation", word) for word in ("exact", "bounded", "inferred")
)  # fmt: skip
_MODELLED = np.array([name in INFERRED for name in PREDICTED])


def increment_table(found: Rows) -> Rows:
    """The rows (INCREMENTS) of increments (INCREMENT)."""
    rows = np.zeros(len(found), INCREMENTS.dtype)
    for name in ("time_ns", "frame", "flow", "amount"):
        rows[name] = found[name]
    rows["low"], rows["high"] = found["least"], found["most"]
    decided = np.where(found["least"] == found["most"], EXACT, BOUNDED)
    rows["relation"] = np.where(_MODELLED[found["counter"]], INFERRED_RELATION, decided)
    return rows


def increment_texts(host: str, found: Rows) -> dict[str, Any]:
    """Their text columns, as categories: the names repeat."""
    import pandas as pd

    return {
        "host": pd.Categorical.from_codes(np.zeros(len(found), np.int8), categories=pd.Index([host], dtype=str)),
        "counter": pd.Categorical.from_codes(
            found["counter"].astype(np.int16), categories=pd.Index(PREDICTED, dtype=str)
        ),
    }
