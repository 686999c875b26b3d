"""Some cases of the campaign over all paths (tests/fuzz.py), so that each of them is tried with every change."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from analyzer.output import temporary_folder
from tests.fuzz.campaign import SHARES, STRIDE, path_of, prepared, run, run_block


def test_every_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many cases of each as cost little, with an answer or an error of ours."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "")  # which `prepared` sets: here it is put back
    numbers: dict[str, list[int]] = {}
    for number in range(sum(SHARES.values())):
        numbers.setdefault(path_of(number).__name__, []).append(number)
    assert {name: len(each) for name, each in numbers.items()} == {
        path.__name__: share for path, share in SHARES.items()
    }
    with prepared() as folder:
        found = Counter(run(3, number, folder) for each in numbers.values() for number in each[:: len(each) // 5 or 1])
    assert {path for path, _ in found} == set(numbers)
    assert {"read", "damaged", "refused"} <= {outcome for _, outcome in found}


def test_neighbours_go_different_ways() -> None:
    """So that any run of cases, however short, tries many paths."""
    assert STRIDE % 2 and STRIDE % 5  # else some are never reached
    assert len({path_of(number) for number in range(40)}) > 5


def test_what_a_case_leaves_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder below TMPDIR that stays when all is closed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.setattr("tests.fuzz.campaign.path_of", lambda _: _leaving)
    with prepared() as folder:
        ((number, words),) = run_block(3, range(1), folder, lambda _: None).failures
    assert number == 0
    assert words.startswith("_leaving: AssertionError: 'tcpcap-")


def _leaving(_: random.Random, __: Path) -> str:
    """What forgets to remove."""
    temporary_folder()
    return "read"
