"""Some cases of the campaign over all paths (tests/fuzz.py), so that each of them is tried with every change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.campaign import SHARES, STRIDE, path_of, run


def test_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many cases of each as cost little, with an answer or an error of ours."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    numbers: dict[str, list[int]] = {}
    for number in range(sum(SHARES.values())):
        numbers.setdefault(path_of(number).__name__, []).append(number)
    assert {name: len(each) for name, each in numbers.items()} == {
        path.__name__: share for path, share in SHARES.items()
    }
    found = Counter(run(3, number, tmp_path) for each in numbers.values() for number in each[:: len(each) // 5 or 1])
    assert {path for path, _ in found} == set(numbers)
    assert {"read", "damaged", "refused"} <= {outcome for _, outcome in found}


def test_neighbours_go_different_ways() -> None:
    """So that any run of cases, however short, tries many paths."""
    assert STRIDE % 2 and STRIDE % 5  # else some are never reached
    assert len({path_of(number) for number in range(40)}) > 5
