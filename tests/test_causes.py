"""Where the time of real traffic went, against the truth: kept recordings, and the kernel's own clocks. `python -m tests.causes` makes new ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.causes.cases import CASES
from tests.causes.compare import Result, compare, table
from tests.causes.kernel_times import Measured, kernel_times
from tests.causes.record import TRUTH

SAMPLES = Path(__file__).parent.parent / "samples"
KEPT = sorted(each.parent for each in (Path(__file__).parent / "causes" / "recorded").glob(f"*/{TRUTH}"))


def test_most_cases_are_kept() -> None:
    """One recording each, of those that fit into some kB."""
    assert {each.name.partition("-")[0] for each in KEPT} <= set(CASES)
    assert len(KEPT) >= 8


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_kept_recordings(folder: Path) -> None:
    """From both ends: the cause has the largest share, and its time is within a tenth or 5 ms of the truth."""
    found = list(compare(folder))
    assert {each.host for each in found} == {"client", "server"}
    assert all(each.agrees for each in found), table(found)


def test_the_clocks_of_a_sample() -> None:
    """`busy` and `rwnd_limited` of the sender, up to the last list that shows its socket."""
    clocks = {each.name: each for each in kernel_times(SAMPLES / "receive-window-limited")}
    assert set(clocks) == {"busy_ms", "rwnd_limited_ms"}
    assert all(each.agrees for each in clocks.values()), clocks


@pytest.mark.parametrize(
    ("ours_s", "largest", "agrees"),
    [(1.0, True, True), (1.09, True, True), (1.11, True, False), (0.89, True, False), (1.0, False, False)],
)
def test_what_agrees(ours_s: float, largest: bool, agrees: bool) -> None:
    """A tenth of the truth, and the largest share."""
    assert Result("some", "client", "round_trip", 1.0, ours_s, largest).agrees == agrees


def test_little_time_may_be_wrong_by_5_ms() -> None:
    """Also where that is more than a tenth; the kernel's clocks are coarser."""
    assert Result("some", "client", "transfer", 0.01, 0.0149, True).agrees
    assert not Result("some", "client", "transfer", 0.01, 0.0151, True).agrees
    assert Measured("some", "busy_ms", 0.1, 0.111).agrees
    assert not Measured("some", "busy_ms", 0.2, 0.23).agrees
