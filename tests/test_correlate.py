"""Predicted against observed counters: clocks, coverage, what may be claimed, and coincidences."""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.cli import cli
from analyzer.correlate import (
    AGREE,
    BOUNDED,
    EVERY_FLOW,
    EXACT,
    NOT_COMPARABLE,
    OVER,
    UNDER,
    UNLIMITED,
    UNOBSERVABLE,
    Compared,
    Comparison,
    Facts,
    table,
)
from analyzer.correlate.coverage import needs_beginning
from analyzer.correlate.observed import observed
from analyzer.counters import Series, Snapshot, series_of
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction import INCREMENT, NUMBER
from analyzer.prediction.steps import Steps
from analyzer.report.counter_text import comparison_lines
from analyzer.schema import Rows
from analyzer.tables import EVENTS
from tests import build
from tests.agreement import compared

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
SECOND = 1_000_000_000
START = 1_760_000_000 * SECOND
WITHIN = 50_000_000


def copied(tmp_path: Path, sample: str, shift: str = "0") -> Path:
    """A bundle whose snapshots are stamped by a clock that is `shift` seconds ahead."""
    folder = tmp_path / "bundle"
    shutil.copytree(SAMPLES / sample, folder)
    lines = []
    for line in (folder / "counters.jsonl").read_text().splitlines():
        found = json.loads(line, parse_float=Decimal)
        lines.append(f'{{"time": {found["time"] + Decimal(shift)}, "counters": {json.dumps(found["counters"])}}}\n')
    (folder / "counters.jsonl").write_text("".join(lines))
    return folder


def text_of(comparison: Comparison) -> str:
    """What the terminal shows, in one line; none of its lines may be too wide."""
    lines = list(comparison_lines(comparison))
    assert all(len(line) <= 80 for line in lines)
    return " ".join(" ".join(lines).split())


def disagreeing(comparison: Comparison) -> list[str]:
    """The counters that disagree anywhere."""
    rows = [*comparison.whole(), *comparison.rows()]
    return [each.counter for each in rows if each.verdict in (UNDER, OVER)]


def kept(folder: Path, keep: Callable[[int, int], bool]) -> None:
    """Leave only frames of which `keep(number, how many)` is true in the capture of a bundle."""
    with open_capture([str(folder)]) as capture:
        records = [
            build.Record(batch.data(i), int(batch.rows["time_ns"][i]), int(batch.rows["length"][i]))
            for batch in capture
            for i in range(len(batch))
        ]
    left = [record for number, record in enumerate(records) if keep(number, len(records))]
    (folder / "capture.pcap").write_bytes(build.pcap(left, magic=build.NANOSECONDS))


def increments(times: npt.ArrayLike, *counters: str, amount: npt.ArrayLike = 1) -> Rows:
    """At each of the times every counter moves."""
    at = np.asarray(times, np.int64)
    rows = np.zeros(len(at) * len(counters), INCREMENT)
    rows["time_ns"] = np.repeat(at, len(counters))
    rows["counter"] = np.tile([NUMBER[name] for name in counters], len(at))
    for name in ("amount", "least", "most"):
        rows[name] = np.repeat(np.broadcast_to(amount, at.shape), len(counters))
    return rows


def series(times: npt.ArrayLike, values: Mapping[str, npt.ArrayLike]) -> Series:
    """Absolute snapshots of some counters."""
    at = np.asarray(times, np.int64).tolist()
    columns = {name: np.asarray(column, np.int64).tolist() for name, column in values.items()}
    return Series(
        "host",
        [
            Snapshot(
                when, 1_000_000, "series", {name: column[i] for name, column in columns.items()}, "absolute", True, ""
            )
            for i, when in enumerate(at)
        ],
    )


def counted(rows: Rows, at: npt.ArrayLike, *names: str) -> dict[str, npt.NDArray[np.int64]]:
    """What a host that counts these increments shows at these times."""
    found = {}
    for name in names:
        own = rows[rows["counter"] == NUMBER[name]]
        sums = np.concatenate([[0], np.cumsum(own["amount"])])
        found[name] = sums[np.searchsorted(own["time_ns"], at, side="right")]
    return found


def filled(found: Comparison, *parts: Rows) -> Comparison:
    """With the increments added; once more where the clocks differ."""
    for part in parts:
        found.tally.add(part)
    again = found.realigned()
    return filled(again, *parts) if again else found


class TestClocks:
    """Snapshots that another clock has stamped."""

    @pytest.mark.parametrize(
        ("sample", "shift"),
        [
            ("clean-ipv4/client", "0.37"),
            ("clean-ipv6/server", "-12"),
            ("delayed-acks/server", "3600"),
            ("window-full-slow-reader/client", "-259200.123456"),
            ("corrupt-udp/client", "0.2"),
        ],
    )
    def test_an_offset_is_found_and_corrected(self, tmp_path: Path, sample: str, shift: str) -> None:
        """From fractions of a second to days: nothing disagrees for it, and it is said."""
        comparison = compared(copied(tmp_path, sample, shift))
        assert comparison.offset is not None
        assert abs(comparison.offset.ns + int(Decimal(shift) * SECOND)) <= comparison.offset.uncertainty_ns <= WITHIN
        assert comparison.coverage().complete
        assert disagreeing(comparison) == []
        assert " clock the snapshots' clock is" in " " + text_of(comparison)

    def test_what_it_says(self, tmp_path: Path) -> None:
        """Which way the clock is off; and times of rows are those of the capture's clock."""
        folder = copied(tmp_path, "clean-ipv4/client", "3600")
        analysis = analyze(folder)
        assert analysis.comparison is not None
        assert "ahead of the capture's; corrected" in text_of(analysis.comparison)
        assert abs(int(analysis.counters["start_ns"].min()) - analysis.summary.total("first_ns")) < SECOND

    @pytest.mark.parametrize("sample", ["keep-alive/client", "receive-queue-pruned/client"])
    def test_what_the_traffic_does_not_tell_is_unknown(self, tmp_path: Path, sample: str) -> None:
        """One burst between two snapshots fits anywhere between them: the range is said, and used, but no offset is claimed."""
        comparison = compared(copied(tmp_path, sample, "3600"))
        assert comparison.offset is None
        assert comparison.fit.range_ns is not None
        low, high = comparison.fit.range_ns
        assert low <= -3600 * SECOND <= high
        assert high - low > 2 * WITHIN
        assert "between" in text_of(comparison)
        assert disagreeing(comparison) == []

    def test_hardly_any_traffic_says_nothing(self, tmp_path: Path) -> None:
        """A refused connection looks like any other."""
        comparison = compared(copied(tmp_path, "refused/client", "3600"))
        assert comparison.offset is None
        assert comparison.fit.range_ns is None
        assert disagreeing(comparison) == []

    @pytest.mark.parametrize(
        "sample", ["clean-ipv4/client", "loss-ipv6/server", "keep-alive/client", "bbr-losses/server"]
    )
    def test_clocks_that_agree_are_left_alone(self, sample: str) -> None:
        """And nothing is said of them."""
        comparison = compared(SAMPLES / sample)
        assert comparison.fit.shift_ns == 0
        assert "clock" not in text_of(comparison)

    def test_another_host_s_counters_fit_nowhere(self, tmp_path: Path) -> None:
        """No offset makes them agree."""
        folder = copied(tmp_path, "clean-ipv4/client")
        for other in ("loss-ipv4/server", "delayed-acks/server", "bbr-losses/server", "congestion-marks/client"):
            shutil.copy(SAMPLES / other / "counters.jsonl", folder)
            assert compared(folder).offset is None

    def test_regular_traffic_is_ambiguous(self) -> None:
        """A packet every tenth of a second: a shift by ten of them fits as well."""
        names = ("IpInReceives", "IpExtInOctets", "TcpInSegs")
        rows = increments(START + np.arange(1000) * SECOND // 10 + 12_345_678, *names)
        at = START + np.arange(20, 60) * SECOND
        stamped = series(at + 7 * SECOND, counted(rows, at, *names))
        found = filled(Comparison(stamped), rows)
        assert found.offset is None
        assert found.fit.shift_ns == 0

    @pytest.mark.parametrize("shift", [-86_400 * SECOND, 377_000_000, 5_400 * SECOND])
    @pytest.mark.parametrize("part", [slice(0, 50), slice(25, 60), slice(30, 100)])
    def test_capture_and_snapshots_overlap_in_part(self, shift: int, part: slice) -> None:
        """The capture begins before or after the snapshots, and ends so; then only what they share tells."""
        random = np.random.default_rng(5)
        names = ("IpInReceives", "TcpInSegs", "IpExtInOctets")
        times = START + np.sort(random.integers(0, 100 * SECOND, 6000))
        rows = increments(times, *names)
        at = START + np.arange(20, 71) * SECOND
        stamped = series(at + shift, counted(rows, at, *names))
        seen = (rows["time_ns"] >= START + part.start * SECOND) & (rows["time_ns"] < START + part.stop * SECOND)
        found = filled(Comparison(stamped), rows[seen])
        assert found.offset is not None
        assert abs(found.offset.ns + shift) <= found.offset.uncertainty_ns <= WITHIN
        assert found.coverage().complete
        assert (found.coverage().time_share < 1) == (part.start > 20 or part.stop < 70)
        assert disagreeing(found) == []

    def test_a_few_frames_that_are_missing_do_not_matter(self) -> None:
        """Counters vote; not every interval must agree."""
        random = np.random.default_rng(6)
        names = ("IpInReceives", "TcpInSegs", "IpExtInOctets")
        rows = increments(START + np.sort(random.integers(0, 100 * SECOND, 6000)), *names)
        at = START + np.arange(0, 101) * SECOND
        stamped = series(at - 43 * SECOND, counted(rows, at, *names))
        captured = rows[np.repeat(random.random(6000) > 0.002, 3)]
        found = filled(Comparison(stamped), captured)
        assert found.offset is not None
        assert abs(found.offset.ns - 43 * SECOND) <= WITHIN
        assert not found.coverage().complete

    def test_memory_is_bounded_and_the_offset_is_found_all_the_same(self) -> None:
        """More steps than are kept become one; what they hide is within the bounds."""
        random = np.random.default_rng(7)
        times = START + np.sort(random.integers(0, 60 * SECOND, 50_000))
        ones = np.ones(len(times), np.int64)
        steps = Steps(capacity=1000)
        for part in np.array_split(np.arange(len(times)), 30):
            steps.add(times[part], ones[part], ones[part])
        found = steps.arrays()
        assert len(found.first) <= 1000
        assert found.most.sum() == found.least.sum() == len(times)
        for at in random.integers(START, START + 60 * SECOND, 50):
            assert found.least[found.last <= at].sum() <= (times <= at).sum() <= found.most[found.first <= at].sum()


class TestCoverage:
    """What the capture does not hold."""

    def test_one_frame_in_ten_is_missing(self, tmp_path: Path) -> None:
        """The share is said, and nothing is claimed to be exact."""
        folder = copied(tmp_path, "clean-ipv4/client")
        kept(folder, lambda number, _: number % 10 != 3)
        comparison = compared(folder)
        coverage = comparison.coverage()
        assert not coverage.complete
        assert 0.8 < coverage.share < 0.97
        for each in (*comparison.whole(), *comparison.rows()):
            assert each.relation != EXACT
            assert each.relation == UNOBSERVABLE or each.high == UNLIMITED
            assert each.verdict in (AGREE, NOT_COMPARABLE)
        text = text_of(comparison)
        assert "coverage the capture holds" in text
        assert "or more (bounded)" in text
        assert "exact" not in text

    def test_a_capture_that_began_late(self, tmp_path: Path) -> None:
        """The intervals within it are compared, the others are not, and how much that is is said."""
        folder = copied(tmp_path, "corrupt-udp/client")
        kept(folder, lambda number, count: number > count // 2)
        comparison = compared(folder)
        coverage = comparison.coverage()
        assert coverage.complete
        assert 0.1 < coverage.time_share < 0.9
        assert disagreeing(comparison) == []
        outside = [each for each in comparison.rows() if "does not cover" in each.reason]
        assert outside
        assert all(each.relation != EXACT and each.verdict == NOT_COMPARABLE for each in outside)
        assert any(each.relation == EXACT and each.observed for each in comparison.whole())
        assert "of the snapshots' time, and only that is compared" in text_of(comparison)

    def test_snapshots_outside_of_the_capture(self) -> None:
        """Nothing can be said at all."""
        rows = increments(START + np.arange(50) * SECOND // 7, "IpInReceives")
        at = START + np.array([100, 101, 102]) * SECOND
        found = filled(Comparison(series(at, {"IpInReceives": [0, 4, 9]})), rows)
        assert found.coverage().time_share == 0
        assert not found.coverage().complete
        assert found.whole() == []
        assert all(each.verdict == NOT_COMPARABLE for each in found.rows())
        assert "outside" in text_of(found)

    def test_what_the_file_says_is_said(self) -> None:
        """Dropped packets, a filter, cut headers, other interfaces: reasons for what is missing."""
        facts = Facts(START, START + 9 * SECOND, 12, ("tcp port 80",), 3, ("eth1",))
        rows = increments(START + np.arange(9) * SECOND, "IpInReceives")
        at = [START - SECOND, START + 10 * SECOND]
        text = text_of(filled(Comparison(series(at, {"IpInReceives": [0, 20]}), facts), rows))
        for words in ("45.0%", "dropped 12 packets", '"tcp port 80"', "3 frames are cut", "on eth1"):
            assert words in text
        whole = filled(Comparison(series(at, {"IpInReceives": [0, 9]}), facts), rows)
        assert whole.coverage().complete
        assert "coverage" not in text_of(whole)
        blind = filled(Comparison(series(at, {"TcpRetransSegs": [0, 0]}), facts), rows)
        assert not blind.coverage().complete  # no counter tells that nothing is missing

    def test_counters_that_stand_still(self) -> None:
        """Traffic of the host's addresses, and no counter moves."""
        rows = increments(START + np.arange(9) * SECOND, "IpInReceives", "TcpInSegs")
        at = [START - SECOND, START + 10 * SECOND]
        found = filled(Comparison(series(at, {"IpInReceives": [5, 5], "TcpInSegs": [5, 5]})), rows)
        assert not found.coverage().complete
        assert found.coverage().surplus == 1
        assert "stand still" in text_of(found)
        assert disagreeing(found) == []

    def test_frames_captured_twice(self) -> None:
        """Exactly twice as many as were counted."""
        rows = increments(START + np.arange(40) * SECOND // 2, "IpInReceives", "TcpInSegs")
        at = [START - SECOND, START + 30 * SECOND]
        found = filled(Comparison(series(at, {"IpInReceives": [0, 20], "TcpInSegs": [0, 20]})), rows)
        assert "captured twice" in " ".join(found.coverage().contradictions)

    def test_retransmissions_that_were_not_counted(self) -> None:
        """They are of another host, or of none."""
        rows = np.concatenate(
            [
                increments(START + np.arange(40) * SECOND // 2, "TcpOutSegs"),
                increments([START + SECOND], "TcpRetransSegs", amount=2),
            ]
        )
        at = [START - SECOND, START + 30 * SECOND]
        found = filled(Comparison(series(at, {"TcpOutSegs": [0, 40], "TcpRetransSegs": [0, 0]})), rows)
        assert "TcpRetransSegs stays 0" in text_of(found)

    def test_dropped_before_delivery(self) -> None:
        """IP counted all of them, TCP did not: no other host."""
        rows = increments(START + np.arange(40) * SECOND // 2, "IpInReceives", "TcpInSegs")
        at = [START - SECOND, START + 30 * SECOND]
        found = filled(Comparison(series(at, {"IpInReceives": [0, 40], "TcpInSegs": [0, 30]})), rows)
        assert found.coverage().surplus == 0.25
        assert "firewall" in found.coverage().reason


class TestCoincidences:
    """Counters that packets do not decide."""

    @staticmethod
    def with_events(
        events: Mapping[tuple[int, str], npt.NDArray[np.bool_]], counters: Mapping[str, npt.ArrayLike]
    ) -> Comparison:
        """One interval a second, all with traffic."""
        size = len(next(iter(events.values())))
        at = START + np.arange(size + 1) * SECOND
        values = {name: np.concatenate([[0], np.cumsum(moved)]) for name, moved in counters.items()}
        found = Comparison(series(at, values))
        found.tally.add(increments(at[:-1] + SECOND // 2, "IpInReceives"))
        for (flow, event), mask in events.items():
            rows = np.zeros(int(mask.sum()), EVENTS.dtype)
            rows["time_ns"], rows["flow"], rows["event"] = at[:-1][mask] + SECOND // 3, flow, EVENT[event]
            found.add_events(rows)
        return found

    def test_an_event_that_explains_a_counter_is_named(self) -> None:
        """The flow and the event that happened in the very intervals, not others; shared by text and rows."""
        random = np.random.default_rng(1)
        closed = random.random(60) < 0.15
        events = {(3, "zero_window"): closed}
        events |= {(flow, "duplicate_ack"): random.random(60) < 0.3 for flow in range(8)}
        found = self.with_events(events, {"TcpExtTCPBacklogDrop": closed * 4, "TcpExtTCPPureAcks": np.ones(60)})
        (row,) = found.coincidences()
        assert (row.counter, row.flow, row.event) == ("TcpExtTCPBacklogDrop", 3, "zero_window")
        assert row.share == 1
        assert row.moved == row.present == row.both == int(closed.sum())
        assert row.p < 0.001
        total = int(closed.sum()) * 4
        assert f"TcpExtTCPBacklogDrop {total}: in the intervals of zero_window of flow 3 (100%)" in text_of(found)

    def test_counters_that_packets_only_bound(self) -> None:
        """Those of receive memory, as far as they keep to the bound."""
        closed = np.random.default_rng(1).random(60) < 0.15
        found = self.with_events({(3, "zero_window"): closed}, {"TcpExtPruneCalled": closed * 4})
        for _ in range(9):
            rows = increments(START + np.arange(60) * SECOND + SECOND // 2, "TcpExtPruneCalled")
            rows["amount"] = rows["least"] = 0
            found.tally.add(rows)
        (row,) = found.coincidences()
        assert (row.counter, row.event) == ("TcpExtPruneCalled", "zero_window")
        assert disagreeing(found) == []

    def test_all_flows_together(self) -> None:
        """Where each connection has its part in it."""
        random = np.random.default_rng(2)
        events = {(flow, "retransmission"): random.random(80) < 0.05 for flow in range(6)}
        found = self.with_events(events, {"TcpExtTCPMemoryPressures": np.logical_or.reduce(list(events.values()))})
        (row,) = found.coincidences()
        assert (row.flow, row.event) == (EVERY_FLOW, "retransmission")
        assert "of any flow" in text_of(found)

    def test_chance_is_not_claimed(self) -> None:
        """Counters and events that have nothing to do with each other, also where both come in runs."""
        claims = 0
        for seed in range(30):
            random = np.random.default_rng(seed)
            events = {
                (flow, event): np.repeat(random.random(20) < 0.3, 2 + seed % 2)
                for flow in range(10)
                for event in ("retransmission", "duplicate_ack", "zero_window")
            }
            size = 20 * (2 + seed % 2)
            names = [f"TcpExtUnheardOf{number}" for number in range(30)]
            moves = {name: np.repeat(random.random(20) < 0.3, size // 20) for name in names}
            claims += bool(self.with_events(events, moves).coincidences())
        assert claims <= 3

    def test_a_few_intervals_are_not_enough(self) -> None:
        """However well they fit."""
        mask = np.array([False, True, False, True, False])
        assert self.with_events({(0, "zero_window"): mask}, {"TcpExtTCPBacklogDrop": mask * 9}).coincidences() == []

    def test_one_busy_time_is_not_enough(self) -> None:
        """Everything happens at once when there is traffic."""
        mask = np.arange(60) // 30 == 1
        assert self.with_events({(0, "zero_window"): mask}, {"TcpExtTCPBacklogDrop": mask * 9}).coincidences() == []

    def test_events_reach_the_comparison(self) -> None:
        """Those of a bundle, while the capture is read again."""
        analysis = analyze(SAMPLES / "zero-window" / "client")
        assert analysis.comparison is not None
        activity = analysis.comparison._activity.patterns(np.ones(len(analysis.comparison.intervals), np.bool_))
        assert EVENT["zero_window"] in activity.kinds.tolist()


def test_an_observed_sum() -> None:
    """A counter of two names is both together, if both are listed."""
    values = {"A": 3, "B": 4}
    assert observed(values, "A") == 3
    assert observed(values, "A+B") == 7
    assert observed(values, "A+C") is None
    assert observed(values, "C") is None


@pytest.mark.parametrize("sample", ["loss-ipv4/client", "clean-ipv6/server", "udp-buffer-full/client"])
def test_rows_add_up_to_the_whole(sample: str) -> None:
    """Interval by interval, in order of time."""
    comparison = compared(SAMPLES / sample)
    rows = comparison.rows()
    assert [each.start_ns for each in rows] == sorted(each.start_ns for each in rows)
    for each in comparison.whole():
        own = [row for row in rows if row.counter == each.counter]
        assert sum(row.observed for row in own) == each.observed
        assert sum(row.predicted for row in own) == each.predicted
    numbers = table(rows)
    assert numbers["observed"].tolist() == [each.observed for each in rows]
    assert numbers["verdict"].tolist() == [each.verdict for each in rows]


def test_an_hour_of_snapshots_every_half_second() -> None:
    """7,200 intervals of 80 counters are judged in seconds."""
    random = np.random.default_rng(3)
    at = START + np.arange(7201) * SECOND // 2
    names = ("IpInReceives", "TcpInSegs", "IpExtInOctets")
    rows = increments(START + np.sort(random.integers(0, 3600 * SECOND, 40_000)), *names)
    others = {f"TcpExtUnheardOf{number}": np.cumsum(random.integers(0, 2, 7201)) for number in range(77)}
    found = Comparison(series(at, {**counted(rows, at, *names), **others}))
    found.tally.add(rows)
    assert found.offset is not None
    assert found.offset.ns == 0
    begin = time.perf_counter()
    whole, every = found.whole(), found.rows()
    took = time.perf_counter() - begin
    assert len(whole) == 80
    assert len(every) > 200_000
    assert disagreeing(found) == []
    assert took < 15  # under 2 on a machine with nothing else to do


class TestCountersThatASumShows:
    """What could not be sent again, or came to nobody: another counter lies above the packets, or below, by as much."""

    AT = START + np.array([0, 10]) * SECOND

    def rows(self, packets: Mapping[str, int], **counted: int) -> dict[str, Compared]:
        """So many packets of each kind five seconds after the first snapshot, and what the kernel counted until the second."""
        found = Comparison(series(self.AT, {name: [0, value] for name, value in counted.items()}))
        for name, many in packets.items():
            found.tally.add(increments(np.full(many, START + 5 * SECOND), name))
        assert [each.counter for each in found.rows()] == [each.counter for each in found.whole()]
        return {each.counter: each for each in found.whole()}

    @pytest.mark.parametrize(
        ("name", "total", "seen", "observed"),
        [
            ("TcpExtTCPRetransFail", "TcpRetransSegs", 7, 10),
            ("IpOutDiscards", "IpOutRequests", 7, 10),
            ("TcpExtIPReversePathFilter", "IpInDelivers", 10, 7),
        ],
    )
    def test_by_as_much(self, name: str, total: str, seen: int, observed: int) -> None:
        """Both agree, and each says what belongs to the other."""
        found = self.rows({total: seen}, **{total: observed, name: 3})
        row = found[name]
        assert (row.observed, row.predicted, row.low, row.high) == (3, 3, 0, 3)
        assert (row.relation, row.verdict) == (BOUNDED, AGREE)
        assert total in row.reason
        assert found[total].verdict == AGREE

    def test_more_than_the_sum_shows(self) -> None:
        """Five, of which the sum has but three: that cannot be."""
        found = self.rows({"TcpRetransSegs": 7}, TcpRetransSegs=10, TcpExtTCPRetransFail=5)
        assert found["TcpExtTCPRetransFail"].verdict == OVER
        assert found["TcpExtTCPRetransFail"].high == 3

    def test_what_nobody_tells_is_not_predicted(self) -> None:
        """The ends of slow start, where neither flows nor sockets were asked."""
        (row,) = Comparison(series(self.AT, {"TcpExtTCPHystartDelayDetect": [0, 1]})).whole()
        assert (row.relation, row.verdict) == (UNOBSERVABLE, NOT_COMPARABLE)

    def test_what_stands_still_is_not_mentioned(self) -> None:
        """Neither where a sum might show it, nor where there is a bound only."""
        assert set(self.rows({"TcpRetransSegs": 7}, TcpRetransSegs=7, TcpExtTCPRetransFail=0)) == {"TcpRetransSegs"}
        found = Comparison(series(self.AT, {"TcpInSegs": [0, 5], "TcpExtTCPBacklogCoalesce": [0, 0]}))
        found.tally.add(increments(np.full(5, START + 5 * SECOND), "TcpInSegs"))
        perhaps = increments(np.full(3, START + 5 * SECOND), "TcpExtTCPBacklogCoalesce")
        perhaps["amount"] = perhaps["least"] = 0
        found.tally.add(perhaps)
        assert [each.counter for each in found.whole()] == [each.counter for each in found.rows()] == ["TcpInSegs"]


class TestTimesThatAreNotKnown:
    """Files that were copied, single snapshots, snapshots so close together that their edges overlap."""

    @staticmethod
    def files(tmp_path: Path, *texts: str) -> list[Path]:
        """Written at one moment, long after the capture."""
        paths = [tmp_path / f"nstat.{number}" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
            os.utime(path, ns=(START + 10**16,) * 2)
        return paths

    def test_before_and_after_are_taken_to_embrace_the_capture(self, tmp_path: Path) -> None:
        """What both say is no contradiction, but no more than a lower bound either."""
        paths = self.files(tmp_path, "#kernel\nIpInReceives 1000 0.0\nTcpInSegs 7 0.0\n", "#kernel\nIpInReceives 1012 0.0\nTcpInSegs 9 0.0\n")  # fmt: skip
        found = Comparison(series_of(paths, capture_ns=(START, START + SECOND)))
        found.tally.add(increments(START + np.arange(10), "IpInReceives"))
        found.tally.add(increments(START + np.arange(2), "TcpInSegs"))
        found.know(Facts(START, START + SECOND))
        rows = {each.counter: each for each in found.whole()}
        received, segments = rows["IpInReceives"], rows["TcpInSegs"]
        assert (received.observed, received.predicted, received.low, received.high) == (12, 10, 10, UNLIMITED)
        assert (received.verdict, received.start_ns, received.end_ns) == (NOT_COMPARABLE, START, START + SECOND)
        assert "not known" in received.reason
        assert (segments.verdict, segments.relation) == (AGREE, BOUNDED)
        assert found.realigned() is None
        assert "taken as before and after the capture" in text_of(found)

    @pytest.mark.parametrize(("zero", "since"), [("", "an earlier run of nstat"), ("TcpOutRsts 0 0.0\n", "started")])
    def test_a_single_snapshot_is_an_upper_bound(self, tmp_path: Path, zero: str, since: str) -> None:
        """Increments since nobody knows when, or all since the start."""
        found = Comparison(series_of(self.files(tmp_path, f"#kernel\nTcpInSegs 9 0.0\n{zero}")))
        found.tally.add(increments(START + np.arange(2), "TcpInSegs"))
        found.know(Facts(START, START + SECOND))
        (row,) = found.whole()
        assert (row.observed, row.low, row.high, row.verdict) == (9, 2, UNLIMITED, NOT_COMPARABLE)
        assert since in text_of(found)
        assert [each._replace(reason="") for each in found.rows()] == [row._replace(reason="")]

    def test_times_of_files_claim_nothing_exact(self, tmp_path: Path) -> None:
        """Though they fit the capture."""
        paths = self.files(tmp_path, "Tcp: InSegs\nTcp: 7\n", "Tcp: InSegs\nTcp: 9\n")
        for path, when in zip(paths, (START - 10 * SECOND, START + 20 * SECOND), strict=True):
            os.utime(path, ns=(when, when))
        found = Comparison(series_of(paths, capture_ns=(START, START + SECOND)))
        found.tally.add(increments(START + np.arange(2), "TcpInSegs"))
        found.know(Facts(START, START + SECOND))
        (row,) = found.whole()
        assert (row.observed, row.low, row.high, row.verdict, row.relation) == (2, 2, 2, AGREE, BOUNDED)

    def test_no_packet_is_at_two_edges(self) -> None:
        """Snapshots 4 ms apart, and an edge of 5 ms: each packet is uncertain once, and ranges begin at 0."""
        found = Comparison(series(START + np.arange(4) * 4_000_000, {"TcpInSegs": [0, 3, 6, 9]}))
        found.tally.add(increments(START + 2_000_000 + np.arange(3) * 4_000_000, "TcpInSegs", amount=3))
        found.know(Facts(START, START + SECOND))
        (whole,) = found.whole()
        assert (whole.observed, whole.predicted, whole.low, whole.high) == (9, 9, 3, 9)
        assert [(each.low, each.high) for each in found.rows()] == [(0, 6), (0, 9), (0, 6)]

    def test_corrections_of_what_was_not_captured_are_no_forecast_below_zero(self) -> None:
        """A capture of ICMP alone: the errors take away datagrams that it does not hold."""
        found = Comparison(series([START, START + SECOND], {"UdpInDatagrams": [0, 0], "IcmpOutMsgs": [0, 5]}))
        found.tally.add(increments(START + SECOND // 2 + np.arange(5), "UdpInDatagrams", amount=-1))
        found.tally.add(increments(START + SECOND // 2 + np.arange(5), "IcmpOutMsgs"))
        found.know(Facts(START, START + SECOND))
        assert all(each.predicted >= 0 and each.low >= 0 for each in [*found.whole(), *found.rows()])
        assert "a filter left these out" in text_of(found)

    def test_an_error_about_a_packet_that_was_not_captured_claims_nothing(self) -> None:
        """It makes certain what was to be possible before. All else is compared as ever: nothing else is missing."""
        observed = {"IpInUnknownProtos": [0, 3], "IpInReceives": [0, 3]}
        found = Comparison(series([START, START + SECOND], observed))
        confirmed = increments(START + SECOND // 2 + np.arange(2), "IpInUnknownProtos")
        confirmed["most"] = 0  # as the prediction has it: the packet before could have been one
        found.tally.add(confirmed)
        found.tally.add(increments(START + SECOND // 2 + np.arange(3), "IpInReceives"))
        found.know(Facts(START, START + SECOND))
        for unknown, received in (found.whole()[::-1], found.rows()[::-1]):
            assert (unknown.counter, unknown.verdict, unknown.relation) == (
                "IpInUnknownProtos",
                NOT_COMPARABLE,
                BOUNDED,
            )
            assert unknown.low <= unknown.predicted <= unknown.high
            assert "ICMP messages about packets" in unknown.reason
            assert (received.counter, received.verdict) == ("IpInReceives", AGREE)


def test_what_was_assumed_reaches_the_answer(tmp_path: Path) -> None:
    """Warnings name the file and what was taken for granted; the caller may overrule it, in Python and on the command line."""
    capture = SAMPLES / "loss-ipv4" / "client" / "capture.pcap"
    path = tmp_path / "nstat.log"
    rows = [
        json.loads(line, parse_float=Decimal) for line in (capture.parent / "counters.jsonl").read_text().splitlines()
    ]
    path.write_text(
        "".join(
            f"{row['time']}\n#kernel\n"
            + "".join(f"{name} {value} 0.0\n" for name, value in row["counters"].items() if value)
            for row in rows
        )
    )
    found = analyze(capture, snapshots=[path], hosts=["10.0.0.1"])
    assert any("taken as absolute: nothing falls in" in text for text in found.warnings)
    assert found.counters_whole.set_index("counter").loc["TcpRetransSegs", "observed"] == 8
    forced = analyze(capture, snapshots=[path], hosts=["10.0.0.1"], increments=True)
    assert not any("taken as" in text for text in forced.warnings)
    assert forced.counters_whole.set_index("counter").loc["TcpRetransSegs", "observed"] > 8
    command = ["analyze", str(capture), "--snapshots", str(path), "--host", "10.0.0.1", "--json"]
    for flag, wrong in ((None, False), ("--absolute", False), ("--increments", True)):
        shown = CliRunner().invoke(cli, [*command, *([flag] if flag else [])])
        answer = json.loads(shown.stdout)
        assert ("taken as" in " ".join(answer["warnings"])) is (flag is None)
        (row,) = [each for each in answer["counters"] if each["counter"] == "TcpRetransSegs"]
        assert (row["observed"] > 8) is wrong


@pytest.mark.parametrize(
    ("sample", "counter"),
    [
        ("ack-skipped-seq/client", "TcpExtTW"),
        ("keep-alive/client", "TcpExtTCPKeepAlive"),
        ("zero-window/server", "TcpExtTCPFromZeroWindowAdv"),
    ],
)
def test_connections_from_their_middle(sample: str, counter: str, tmp_path: Path) -> None:
    """A recording that begins with them: what they did before may move counters later, by no more than they have segments."""
    folder = Path(shutil.copytree(SAMPLES / sample, tmp_path / "bundle"))
    lines = (folder / "counters.jsonl").read_text().splitlines(keepends=True)
    lines = lines[len(lines) // 2 :]
    (folder / "counters.jsonl").write_text("".join(lines))
    start_ns = int(json.loads(lines[0], parse_float=Decimal)["time"] * 10**9)
    with open_capture([str(folder)]) as capture:
        before = sum(int((batch.rows["time_ns"] < start_ns).sum()) for batch in capture)
    kept(folder, lambda number, _: number >= before > 0)
    comparison = analyze(folder).comparison
    assert comparison is not None
    assert comparison.coverage().complete
    assert disagreeing(comparison) == []
    found = next(each for each in comparison.whole() if each.counter == counter)
    assert (found.relation, found.verdict) == (BOUNDED, AGREE)
    assert found.low <= found.observed <= found.high < UNLIMITED
    assert sum(each.relation == EXACT for each in comparison.whole()) > 5


def test_connections_of_others_from_their_middle(tmp_path: Path) -> None:
    """What two other hosts said before the capture moves no counter of this one: all of it that depends on its own connections is claimed as before."""
    folder = Path(shutil.copytree(SAMPLES / "zero-window/server", tmp_path / "bundle"))
    expected = analyze(folder).comparison
    capture = folder / "capture.pcap"
    content = capture.read_bytes()
    order = "<" if content[0] in (0xD4, 0x4D) else ">"
    link = int.from_bytes(content[20:24], "little" if order == "<" else "big")
    assert link == 1
    one, other = "192.0.2.1", "192.0.2.2"
    packet = build.ipv4(build.tcp(b"x" * 20, between=(one, other)), src=one, dst=other)
    frame = build.ethernet(packet, src=bytes.fromhex("020000000063"), dst=bytes.fromhex("020000000064"))
    first = content[24:32]
    record = first + struct.pack(f"{order}II", len(frame), len(frame)) + frame
    capture.write_bytes(content[:24] + record + content[24:])
    found = analyze(folder)
    assert found.flow_tracker.coverage().begun == 1
    comparison = found.comparison
    assert expected is not None and comparison is not None
    exact = [
        [each for each in found.whole() if each.relation == EXACT and needs_beginning(each.counter)]
        for found in (expected, comparison)
    ]
    assert exact[0] == exact[1]
    assert len(exact[0]) > 2
