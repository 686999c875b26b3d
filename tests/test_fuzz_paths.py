"""Some cases of the campaign over all paths (tests/fuzz.py), so that each of them is tried with every change."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from analyzer.output import temporary_folder
from tests.fuzz import campaign as campaigns
from tests.fuzz.campaign import SHARES, STRIDE, path_of, prepared, run, run_case


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
        ((number, words),) = run_case(3, 0, folder).failures
    assert number == 0
    assert words.startswith("_leaving: AssertionError: 'tcpcap-")


def _leaving(_: random.Random, __: Path) -> str:
    """What forgets to remove."""
    temporary_folder()
    return "read"


DEADLY = {3: "the process ended with 9", 17: "the process ended with 9", 18: "it waits for ever", 39: "the process ended with 9"}  # fmt: skip
GREEDY = (5, 19)  # behind which a process is another one, whose first case is the next


def test_no_case_is_lost_where_some_kill_their_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before a deadly one, in the same block, are told as those behind it are, each once; also where it is the last."""
    monkeypatch.setattr(campaigns, "BLOCK", 10)
    monkeypatch.setattr(campaigns, "CHECKED", 1000)  # none of these
    monkeypatch.setattr(campaigns, "_work", _deadly_work)
    whole = campaigns.Outcome()
    for outcome in campaigns.campaign(3, range(40), 2):
        whole.add(outcome)
    expected = DEADLY | dict.fromkeys(GREEDY, "MemoryError: ''")
    assert sorted(whole.failures) == [
        (number, f"{path_of(number).__name__}: {words}") for number, words in sorted(expected.items())
    ]
    assert whole.ends == {(str(number), "read"): 1 for number in range(40) if number not in expected}
    assert whole.cases == 40


def test_one_that_is_ended_leaves_nobody_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor files, though its processes were in the middle of cases."""
    monkeypatch.setattr(campaigns, "CHECKED", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcomes = campaigns.campaign(3, range(4000), 1)
    assert next(outcomes).cases < 4000
    outcomes.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
    assert list(tmp_path.iterdir()) == []


def _deadly_work(*given: Any) -> None:
    """The life of a process some of whose cases end it."""
    campaigns.run = _deadly
    _WORK(*given)


_WORK = campaigns._work


def _deadly(_: int, number: int, __: Path) -> tuple[str, str]:
    if number in GREEDY:
        raise MemoryError
    if DEADLY.get(number, "").endswith("9"):
        os._exit(9)
    if number in DEADLY:
        signal.alarm(1)
        time.sleep(60)
    return str(number), "read"
