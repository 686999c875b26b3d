"""The account of time: against its naive twin, against what captures are known to hold, and that it always adds up."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.errors import UsageError
from analyzer.events.judge import Judge
from analyzer.flows import FlowTracker
from analyzer.flows import moment as s
from analyzer.flows.time_state import SPENT
from analyzer.passes import table_rows
from analyzer.report.console import console_text
from analyzer.report.json_text import json_pieces
from analyzer.schema import Rows
from analyzer.tables import FLOWS, SERIES, TIME_CAUSES
from analyzer.text import length_ns
from analyzer.timing import TimeAccount, series
from analyzer.timing.series import SeriesMaker
from analyzer.together import joined
from tests import build, pkt
from tests.command import run
from tests.each import for_each
from tests.helpers import CAPTURES, FEWER_CAPTURES
from tests.naive import account as naive
from tests.test_judge import SCENARIOS, decoded, hostile_rows, simulated

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from samples.lab.scenarios import waiting

SAMPLES = Path(__file__).parent.parent / "samples"
BATCHES = (1, 2, 7, 1000)
SEEDS = range(60)
KINDS = ("", "ack", "data", "again", "syn", "fin", "rst", "keep_alive")
ROW = ("frame", "time_ns", "direction", "payload_len")  # what the twin needs of a packet
STORED = ("handshake", "think_0", "think_1", *TIME_CAUSES[3:SPENT])


@dataclass
class Accounted:
    """What the engine made of packet rows, and what the judge told of each frame: the rows and their moments, part by part."""

    tracker: FlowTracker
    told: list[tuple[Rows, Rows]]

    @cached_property
    def frames(self) -> dict[int, list[naive.Frame]]:
        """The frames of each flow as the twin wants them."""
        found: dict[int, list[naive.Frame]] = defaultdict(list)
        for rows, moments in self.told:
            for row, moment in zip(values_of(rows, ROW), values_of(moments, moments.dtype.names or ()), strict=True):
                if moment["kind"] != s.SKIPPED:
                    found[moment["flow"]].append(frame_of(row, moment))
        return found

    @property
    def flows(self) -> Rows:
        """The rows of all flows, those that left too."""
        return joined([*self.tracker.rows_left, self.tracker.rows()])


def accounted(rows: Rows, batch_frames: int = 1 << 30, max_flows: int = 1000) -> Accounted:
    """Follow, judge and account for packet rows, so many at a time."""
    tracker = FlowTracker(max_flows, keep_left=True)
    judge, account = Judge(tracker), TimeAccount(tracker)
    told = []
    for start in range(0, len(rows), batch_frames):
        for part in tracker.follow(rows[start : start + batch_frames].copy()):
            for piece, _ in judge.judged(part):
                account.add(piece, judge.moments)
                told.append((piece, judge.moments.copy()))
    for _ in judge.finish():
        pass
    return Accounted(tracker, told)


def values_of(rows: Rows, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows as plain values, a column at a time."""
    for values in zip(*(rows[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))


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
        *(
            bool(bits & bit)
            for bit in (s.BOTH, s.SHORT, s.OPENED, s.WITH_FIN, s.IS_AGAIN, s.NEXT_ID, s.LATER_ID, s.FULL)
        ),
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


@for_each("path", FEWER_CAPTURES)
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


# What captures are known to hold

WAITS = pkt.read(Path(__file__).parent / "waits" / "causes.pkt")


@pytest.mark.parametrize("scenario", WAITS, ids=lambda scenario: scenario.title)
def test_the_cause_is_found(scenario: pkt.Scenario, tmp_path: Path) -> None:
    """The title says to which cause most time must go, and how much: 10 % or 5 ms more or less."""
    cause, amount = scenario.title.split()[:2]
    flows = accounted(decoded(scenario.write(tmp_path / "capture.pcapng"))).flows
    assert_adds_up(flows)
    times = {name: int(flows[0][f"time_{name}_ns"]) for name in TIME_CAUSES}
    wanted = float(amount) * 1e6
    assert max(times, key=lambda name: times[name]) == cause, times
    assert abs(times[cause] - wanted) <= max(0.1 * wanted, 5e6), times


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("sender_stall 1000 ms: two", {("sender_stall", 0): (2, 1000)}),
        ("delayed_ack 600 ms: the", {("delayed_ack", 0): (1, 200), ("delayed_ack", 1): (2, 400)}),
    ],
)
def test_a_pause_is_noted_once_and_of_the_side_that_waited(
    start: str, expected: dict[tuple[str, int], tuple[int, int]], tmp_path: Path
) -> None:
    """How often, and how many ms in all, of the causes that are expected."""
    (scenario,) = (scenario for scenario in WAITS if scenario.title.startswith(start))
    ((_, notes),) = analyze(scenario.write(tmp_path / "capture.pcapng")).slow_notes(7)
    causes = {cause for cause, _ in expected}
    found = {(cause, note["direction"]): (note["count"], round(note["ns"] / 1e6)) for cause, note in notes}
    assert {key: value for key, value in found.items() if key[0] in causes} == expected


# Series


@pytest.mark.parametrize("every_ns", [100_000_000, 7_000_000])
@pytest.mark.parametrize("batch_frames", [5, 1 << 14])
@pytest.mark.parametrize("sample", ["loss-ipv4/client", "slow-answers/server", "zero-window/server"])
def test_intervals_add_up_to_their_flows(sample: str, batch_frames: int, every_ns: int) -> None:
    """Bytes, retransmissions and time; no interval holds more than it is long, and none comes twice."""
    path = str(SAMPLES / sample / "capture.pcap")
    series = joined(list(table_rows([path], "series", batch_frames=batch_frames, every_ns=every_ns)))
    flows = joined(list(table_rows([path], "flows")))
    flows = flows[flows["protocol"] == 0]
    assert len(np.unique(series[["flow", "start_ns"]])) == len(series)
    for flow in (*flows["flow"], -1):
        rows, whole = series[series["flow"] == flow], flows if flow < 0 else flows[flows["flow"] == flow]
        for cause in TIME_CAUSES:
            assert rows[f"time_{cause}_ns"].sum() == whole[f"time_{cause}_ns"].sum(), cause
        for side in ("client", "server"):
            size = rows[f"{side}_throughput_bps"].sum() * every_ns / 8e9
            assert size == pytest.approx(whole[f"{side}_bytes"].sum(), abs=len(rows))
            assert rows[f"{side}_retransmissions"].sum() == whole[f"{side}_retransmissions"].sum()
            if flow >= 0:
                assert rows[f"{side}_in_flight_max"].max() <= whole[f"{side}_in_flight_max"].max()
        spent = sum(rows[f"time_{cause}_ns"] for cause in TIME_CAUSES)
        assert flow < 0 or (spent <= every_ns).all()
        assert (rows["end_ns"] - rows["start_ns"] == every_ns).all()
        assert (rows["start_ns"] % every_ns == 0).all()
        assert flow < 0 or (np.diff(rows["start_ns"]) == every_ns).all()


def series_of(rows: Rows, batch_frames: int, max_flows: int) -> tuple[Rows, Rows]:
    """The `series` of packet rows in intervals of 50 ms, as they are handed over, and the `flows`; so many rows at a time."""
    tracker = FlowTracker(max_flows, keep_left=True)
    judge, account = Judge(tracker, whole=True), TimeAccount(tracker)
    maker, found = SeriesMaker(tracker, 50_000_000), []
    for start in range(0, len(rows), batch_frames):
        for part in tracker.follow(rows[start : start + batch_frames].copy()):
            for piece, _ in judge.judged(part):
                maker.add(piece, judge.moments)
                for stretches in account.stretches(piece, judge.moments):
                    maker.spend(stretches)
                found += maker.certain()
    found += maker.finish()
    return joined(found), joined([*tracker.rows_left, tracker.rows()])


def with_a_clock_that_is_set(rows: Rows, seed: int) -> Rows:
    """Now and then it steps back or forward, by up to half a second."""
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random(len(rows)) < 0.03, rng.choice((-500, -90, -20, -3, 3, 40, 200), len(rows)), 0)
    rows["time_ns"] += np.cumsum(steps) * 1_000_000
    return rows


@pytest.mark.parametrize("max_flows", [1000, 2])
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_the_series_does_not_depend_on_the_batch_size(seed: int, max_flows: int) -> None:
    """Also where flows must leave, and the clock steps back: no interval comes twice, each in its order, and time is that of the flows."""
    rows = with_a_clock_that_is_set(simulated(seed), seed)
    whole, flows = series_of(rows, len(rows), max_flows)
    expected = np.sort(whole, order=("flow", "start_ns"))
    for batch_frames in (1, 7):
        series, _ = series_of(rows, batch_frames, max_flows)
        assert np.sort(series, order=("flow", "start_ns")).tolist() == expected.tolist()
        for flow in np.unique(series["flow"]):
            assert (np.diff(series["start_ns"][series["flow"] == flow]) > 0).all()
    for cause in TIME_CAUSES:
        spent = sum(whole[f"time_{cause}_ns"][whole["flow"] >= 0])
        assert spent == flows[f"time_{cause}_ns"][flows["protocol"] == 0].sum(), cause


def test_a_series_of_one_flow_and_of_all() -> None:
    """In Python, as DataFrames; of a flow that is not there, none."""
    analysis = analyze(SAMPLES / "clean-ipv4" / "client")
    one, every = analysis.series(flow=1, every="100ms"), analysis.series(every="100ms")
    assert list(one.columns) == list(every.columns) == [column.name for column in SERIES.columns]
    assert set(one["flow"]) == {1} and set(every["flow"]) == {-1}
    assert one["time_sender_stall_ns"].sum() == analysis.flows["time_sender_stall_ns"][1]
    assert every["time_sender_stall_ns"].sum() == analysis.flows["time_sender_stall_ns"].sum()
    assert one["server_goodput_bps"].max() > 1e6 > one["client_goodput_bps"].max()
    assert len(analysis.series(flow=99)) == 0


@pytest.mark.parametrize(
    ("text", "expected"), [("100ms", 10**8), ("1s", 10**9), ("2", 2 * 10**9), ("0.5m", 3 * 10**10)]
)
def test_lengths_of_time(text: str, expected: int) -> None:
    """With a unit, or in seconds."""
    assert length_ns(text, "--every") == expected


@pytest.mark.parametrize("text", ["", "soon", "-1s", "0", "1 year", "10ns"])
def test_what_is_no_length_of_time(text: str) -> None:
    """It is said, with an example."""
    with pytest.raises(UsageError, match="100ms"):
        length_ns(text, "--every")


# Recordings with a known cause

RECORDED = {  # the sample, the cause, and how long the application slept
    "slow-answers": ("server_think", waiting.ASKED * waiting.THINK_S),
    "sender-pauses": ("sender_stall", (waiting.WRITES - 1) * waiting.PAUSE_S),
    "receive-window-limited": ("receive_window", None),
    "delayed-acks": ("delayed_ack", 17 * 0.04),
    "zero-window": ("zero_window", 1.3),
    "tail-loss": ("loss_timeout", None),
    "retransmission-timeout": ("loss_timeout", None),
    "syn-loss": ("handshake", None),
}


@pytest.mark.parametrize(
    ("sample", "host"),
    # The SYN that was lost is in the client's capture only.
    [
        (sample, host)
        for sample in RECORDED
        for host in ("client", "server")
        if (sample, host) != ("syn-loss", "server")
    ],
)
def test_recordings(sample: str, host: str) -> None:
    """From both ends: the cause has the largest share, and its time is that of the truth."""
    cause, slept_s = RECORDED[sample]
    flow = max(accounted(decoded(SAMPLES / sample / host / "capture.pcap")).flows, key=lambda row: row["duration_ns"])
    times = {name: int(flow[f"time_{name}_ns"]) for name in TIME_CAUSES}
    assert max(times, key=lambda name: times[name]) == cause, times
    if slept_s is not None:
        assert times[cause] == pytest.approx(slept_s * 1e9, rel=0.1)


def test_the_kernel_was_limited_for_as_long() -> None:
    """`busy` and `rwnd_limited` of the sender's `ss -i`, up to the last snapshot that shows the connection."""
    folder = SAMPLES / "receive-window-limited" / "client"
    shown = [json.loads(line)["ss"] for line in (folder / "sockets.jsonl").read_text().splitlines()]
    limited = max(int(found) for text in shown for found in re.findall(r"rwnd_limited:(\d+)ms", text))
    (flow,) = accounted(decoded(folder / "capture.pcap")).flows
    assert int(flow["time_receive_window_ns"]) / 1e6 == pytest.approx(limited, rel=0.15)


# Words


@pytest.mark.parametrize(
    ("start", "verdict", "line"),
    [
        ("delayed_ack 2000 ms: ten", "warning 192.0.2.1 waited 10 times for a delayed ACK of the server 198.51.100.2, 200 ms each: 79 % of the time", "waiting for the delayed ACK of the server: 10 times 200 ms, first before frame 6"),
        ("server_think 3000 ms: ack", "warning 198.51.100.2:80 answers slowly: 1 answer took 3 s to begin (frame 6), 98 % of the time", "waiting for the server to answer: 3 s before frame 6"),
        ("receive_window 1000 ms: 5", "warning 192.0.2.1:40000 > 198.51.100.2:80 moves 58.4 kB/s, a window of 5,840 B for each round trip of 100 ms: 91 % of the time", "waiting for the window of the server: 9 times 100 ms"),
        ("sender_stall 1000 ms: two", "No loss, no reset, no closed window found in 1 TCP connection: ", "while the client paused, whom nothing hindered and nobody had asked: 2 times 500 ms, first before frame"),
        ("idle 20000", "Nothing wrong found in 1 TCP connection: 20.1 s in all, idle 100 %.", ""),
    ],
)  # fmt: skip
def test_the_text_says_where_time_went(start: str, verdict: str, line: str, tmp_path: Path) -> None:
    """What was waited for, how often and how long, and a frame that shows it."""
    (scenario,) = (scenario for scenario in WAITS if scenario.title.startswith(start))
    analysis = analyze(scenario.write(tmp_path / "capture.pcapng"))
    text = " ".join(console_text(analysis).split())
    assert text.startswith(verdict)
    assert ("where the time went" in text) and (line in text)
    assert (" #0 192.0.2.1:40000 > 198.51.100.2:80 from 0.000 s: " in text) == bool(line)
    found = json.loads("".join(json_pieces(analysis)))["time"]
    assert found["spent_ns"] == analysis.time_spent
    assert [each["flow"] for each in found["slowest"]] == [0] * bool(line)


SYN = build.ethernet(build.ipv4(build.tcp(flags=2)))


def test_series_on_the_command_line(tmp_path: Path) -> None:
    """Of one flow, in intervals of the length that is asked for; a length that is none is said."""
    path = str(SAMPLES / "clean-ipv4" / "client")
    ran = run(
        "export", path, "--table", "series", "--every", "200ms", "--flow", "1", "-o", str(tmp_path / "series.csv")
    )
    assert (ran.status, ran.err) == (0, "")
    head, *lines = (tmp_path / "series.csv").read_text().splitlines()
    assert head.split(",")[:3] == ["flow", "start_ns", "end_ns"]
    assert {line.split(",")[0] for line in lines} == {"1"}
    starts = [int(line.split(",")[1]) for line in lines]
    assert [later - before for before, later in pairwise(starts)] == [200_000_000] * (len(starts) - 1)
    assert run("export", path, "--table", "series", "--every", "soon").status == 2
    late = [build.Record(ethernet, time_ns) for ethernet, time_ns in ((SYN, 0), (SYN, 10**18))]
    (tmp_path / "late.pcap").write_bytes(build.pcap(late))
    assert "longer" in run("export", tmp_path / "late.pcap", "--table", "series", "--every", "1ms").err


def test_a_long_wait_is_put_in_order_a_few_times_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each interval without a frame is a row; what they cost grows with their number, and no faster. Too many are refused in a line."""
    count, sorted_ = 1 << 19, [0]
    syn = build.ethernet(build.ipv4(build.tcp(flags=2)))
    late = build.ethernet(build.ipv4(build.tcp(flags=2)))
    path = tmp_path / "a.pcap"
    path.write_bytes(build.pcap([build.Record(syn, 0), build.Record(late, count * 1_000_000_000)]))
    joined = series._joined

    def counting(cells: Rows) -> Rows:
        sorted_[0] += len(cells)
        return joined(cells)

    monkeypatch.setattr(series, "_joined", counting)
    rows = sum(map(len, table_rows([str(path)], "series", every_ns=1_000_000_000)))
    assert 2 * count <= rows < 2 * count + 10  # of the connection, and of all together
    assert sorted_[0] < 8 * count
    with pytest.raises(UsageError, match="give a longer one"):
        list(table_rows([str(path)], "series", every_ns=100_000_000))
