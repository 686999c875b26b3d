"""The account of time: against its naive twin, against what captures are known to hold, and that it always adds up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.events.judge import Judge
from analyzer.flows import FlowTracker
from analyzer.flows import state as s
from analyzer.schema import Rows
from analyzer.tables import FLOWS, TIME_CAUSES
from analyzer.timing import TimeAccount
from tests import pkt
from tests.helpers import CAPTURES, FEWER_CAPTURES
from tests.naive import account as naive
from tests.test_judge import SCENARIOS, decoded, hostile_rows, simulated

SAMPLES = Path(__file__).parent.parent / "samples"
BATCHES = (1, 2, 7, 1000)
SEEDS = range(60)
KINDS = ("", "ack", "data", "again", "syn", "fin", "rst", "keep_alive")
STORED = ("handshake", "think_0", "think_1", *TIME_CAUSES[3 : s.SPENT])


@dataclass
class Accounted:
    """What the engine made of packet rows, and what the judge told of each frame."""

    tracker: FlowTracker
    frames: dict[int, list[naive.Frame]]

    @property
    def flows(self) -> Rows:
        """The rows of all flows, those that left too."""
        return np.concatenate([*self.tracker.rows_left, self.tracker.rows()])


def accounted(rows: Rows, batch_frames: int = 1 << 30, max_flows: int = 1000) -> Accounted:
    """Follow, judge and account for packet rows, so many at a time."""
    tracker = FlowTracker(max_flows, keep_left=True)
    judge, account = Judge(tracker), TimeAccount(tracker)
    frames: dict[int, list[naive.Frame]] = defaultdict(list)
    for start in range(0, len(rows), batch_frames):
        for part in tracker.follow(rows[start : start + batch_frames].copy()):
            for piece, _ in judge.judged(part):
                account.add(piece, judge.moments)
                for row, moment in zip(piece, judge.moments, strict=True):
                    if moment["kind"] != s.SKIPPED:
                        frames[int(row["flow"])].append(frame_of(row, moment))
    for _ in judge.finish():
        pass
    return Accounted(tracker, frames)


def frame_of(row: Any, moment: Any) -> naive.Frame:
    """A frame as the twin wants it."""
    bits = int(moment["bits"])
    ends = []
    for end in (0, 1):
        repairs = "timeout" if bits & s.IN_LOSS << end else "fast" if bits & s.IN_FAST << end else ""
        numbers = (int(moment[name][end]) for name in ("flight", "window", "rtt_ns", "srtt_ns", "segment"))
        limits = (bool(bits & bit << end) for bit in (s.LIMITED, s.UNSCALED, s.ZERO))
        ends.append(naive.End(*numbers, *limits, repairs))
        assert bool(bits & s.FLIGHT << end) == ends[end].flying
    end = int(moment["end"])
    return naive.Frame(
        int(row["frame"]),
        int(row["time_ns"]),
        end,
        KINDS[int(moment["kind"])],
        end ^ int(row["direction"]),
        int(row["payload_len"]),
        int(moment["since_ns"]),
        int(moment["advanced"]),
        (ends[0], ends[1]),
        *(bool(bits & bit) for bit in (s.BOTH, s.SHORT, s.OPENED, s.WITH_FIN, s.IS_AGAIN, s.NEXT_ID, s.LATER_ID)),
    )


def assert_twin_agrees(rows: Rows, name: str) -> None:
    """Time by cause, what is pending, and the answers of every flow that is still there."""
    found = accounted(rows)
    tracker = found.tracker
    rows_of = dict(zip(found.flows["flow"].tolist(), found.flows, strict=True))
    for place in tracker.places():
        flow = int(tracker.states["flow"][place])
        if flow not in found.frames:
            continue
        times, expected = tracker.times[place], naive.account(found.frames[flow])
        actual = dict(zip(STORED, times["spent_ns"].tolist(), strict=True))
        assert actual == {cause: expected.spent[cause] for cause in STORED}, f"{name}, flow {flow}"
        assert (int(times["pending_trip_ns"]), int(times["pending_ns"])) == (expected.trip, expected.late)
        for number, side in enumerate(("client", "server")):
            assert_same_answers(expected, rows_of[flow], side, int(tracker.states["client"][place]) ^ number)


def assert_same_answers(expected: naive.Connection, row: Any, side: str, end: int) -> None:
    """How many, the slowest to begin and to end, the largest; and the busiest second."""
    answers = [answer for answer in expected.answers if answer.end == end]
    assert int(row[f"{side}_answers"]) == len(answers)
    seconds = [sizes[end] for _, sizes in expected.seconds]
    assert int(row[f"{side}_busiest_second_bytes"]) == max(seconds, default=0)
    if not answers:
        assert int(row[f"{side}_first_byte_max_ns"]) == int(row[f"{side}_answer_bytes_max"]) == -1
        return
    slowest = max(answers, key=lambda answer: answer.first)  # the first of them
    assert int(row[f"{side}_first_byte_max_ns"]) == slowest.first
    assert int(row[f"{side}_first_byte_frame"]) == slowest.frame
    assert int(row[f"{side}_answer_bytes_max"]) == max(answer.size for answer in answers)
    middle = sorted(answer.first for answer in answers)[(len(answers) - 1) // 2]
    assert abs(int(row[f"{side}_first_byte_median_ns"]) - middle) <= max(0.13 * middle, 40_000)


def assert_adds_up(flows: Rows) -> None:
    """To the nanosecond, and nothing is negative where the clock does not step back."""
    total = sum(flows[f"time_{cause}_ns"] for cause in TIME_CAUSES)
    assert total.tolist() == flows["duration_ns"].tolist()
    lasted = flows["end_ns"] - flows["start_ns"]
    assert (flows["duration_ns"] >= lasted).all()
    for cause in TIME_CAUSES:
        assert (flows[f"time_{cause}_ns"] >= 0).all(), cause


@pytest.mark.parametrize("first", SEEDS[::10])
def test_the_twin_agrees_on_simulated_conversations(first: int) -> None:
    """Ten at a time."""
    for seed in range(first, first + 10):
        assert_twin_agrees(simulated(seed), f"seed {seed}")


@pytest.mark.parametrize("seed", range(4))
def test_the_twin_agrees_on_hostile_traffic(tmp_path: Path, seed: int) -> None:
    """Numbers from anywhere."""
    assert_twin_agrees(hostile_rows(tmp_path, seed), f"seed {seed}")


@pytest.mark.parametrize("path", FEWER_CAPTURES, ids=[path.relative_to(SAMPLES).as_posix() for path in FEWER_CAPTURES])
def test_the_twin_agrees_on_samples(path: Path) -> None:
    """Real ones."""
    assert_twin_agrees(decoded(path), path.parent.name)


def every_input(folder: Path) -> Iterator[Rows]:
    """Samples, scenarios, simulated and hostile conversations."""
    for path in CAPTURES:
        yield decoded(path)
    for seed in SEEDS:
        yield simulated(seed)
    for seed in range(4):
        yield hostile_rows(folder, seed)
    for path in SCENARIOS:
        for scenario in pkt.read(path):
            yield decoded(scenario.write(folder / "scenario.pcapng"))


def test_every_account_adds_up(tmp_path: Path) -> None:
    """To the nanosecond, whatever the flow."""
    count = 0
    for rows in every_input(tmp_path):
        flows = accounted(rows).flows
        assert_adds_up(flows)
        count += len(flows)
    assert count > 600


@pytest.mark.parametrize("max_flows", [3, 1000])
@pytest.mark.parametrize("batch_frames", BATCHES)
def test_the_batch_size_changes_nothing(batch_frames: int, max_flows: int) -> None:
    """Nor in which batch a flow leaves."""
    for seed in SEEDS[:10]:
        rows = simulated(seed)
        expected, actual = accounted(rows, max_flows=max_flows).flows, accounted(rows, batch_frames, max_flows).flows
        for name in FLOWS.dtype.names or ():
            assert expected[name].tolist() == actual[name].tolist(), name
        assert_adds_up(actual)
