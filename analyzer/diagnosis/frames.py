"""A diagnosis as the tables `findings` and `not_checked`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.diagnosis.finding import Diagnosis
from analyzer.tables import FINDINGS, NOT_CHECKED

if TYPE_CHECKING:
    import pandas as pd


def findings_frame(diagnosis: Diagnosis) -> pd.DataFrame:
    """One row per finding."""
    found = [finding.as_dict() for finding in diagnosis.findings]
    rows = np.zeros(len(found), FINDINGS.dtype)
    texts: dict[str, Any] = {}
    for column in FINDINGS.columns:
        values = [each[column.name] for each in found]
        if column.kind == "enum":
            rows[column.name] = [column.words.index(value) for value in values]
        elif column.kind == "text":
            texts[column.name] = np.array([_text(value) for value in values], object)
        else:
            rows[column.name] = values
    return FINDINGS.frame(rows, texts)


def not_checked_frame(diagnosis: Diagnosis) -> pd.DataFrame:
    """One row per rule that could not run."""
    rows = np.zeros(len(diagnosis.not_checked), NOT_CHECKED.dtype)
    texts = {
        "rule": [each.rule for each in diagnosis.not_checked],
        "needs": [" ".join(each.needs) for each in diagnosis.not_checked],
        "text": [each.text for each in diagnosis.not_checked],
    }
    return NOT_CHECKED.frame(rows, {name: np.array(values, object) for name, values in texts.items()})


def _text(value: Any) -> str:
    """A text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
