"""Some cases of the campaign over all paths (tests/fuzz.py), so that each of them is tried with every change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz import ORDER, SHARES, run


def test_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds: as many cases of each as its share is, with an answer or an error of ours."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = Counter(run(3, number, tmp_path) for number in range(2 * len(ORDER)))
    assert Counter(path for path, _ in found.elements()) == {path.__name__: 2 * share for path, share in SHARES.items()}
    assert {"read", "damaged", "refused"} <= {outcome for _, outcome in found}
