"""The bench: its captures are valid and repeatable, and its table and verdicts say what the figures say."""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import dpkt
import numpy as np
import pytest

from analyzer.counters import read_snapshots
from tests.bench import bars, make, render, run, script, snapshots, sockets, table
from tests.bench.make import Capture, Recipe
from tests.bench.run import Measured, Run, Tool

BULK = Recipe("mtu", "bulk", 3_000_000, lanes=3)
SHORT = Recipe("small", "short", 150_000, lanes=20)
ROUNDS = Recipe("million", "rounds", frames=300, lanes=30)
FLOOD = Recipe("flood", "flood", frames=250)
SYN, FIN, ACK = dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN, dpkt.tcp.TH_ACK


@pytest.fixture(scope="module", params=[BULK, SHORT, ROUNDS, FLOOD], ids=lambda recipe: recipe.kind)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """A small capture of each kind, as a recipe."""
    return request.param


@pytest.fixture(scope="module")
def capture(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """The same as a file."""
    return make.capture(recipe, tmp_path_factory.mktemp("bench"))


def packets(path: Path) -> list[tuple[float, dpkt.ip.IP | dpkt.ip6.IP6, bytes]]:
    """Time, network layer and bytes of each frame, as dpkt reads them."""
    with path.open("rb") as file:
        return [(time, dpkt.ethernet.Ethernet(frame).data, frame) for time, frame in dpkt.pcap.Reader(file)]


def ones_complement_sum(data: bytes) -> int:
    """The sum of RFC 1071; 0xFFFF for bytes with a right checksum among them."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ahead(number: int, of: int) -> int:
    """How far a sequence number is beyond another."""
    return (number - of + 2**31) % 2**32 - 2**31


def test_frames_are_whole_in_order_and_sum_up(capture: Capture) -> None:
    found = packets(capture.path)
    assert len(found) == capture.frames
    assert capture.path.stat().st_size == capture.size == 24 + sum(16 + len(frame) for _, _, frame in found)
    times = [time for time, _, _ in found]
    assert times == sorted(times)
    versions = Counter(ip.v for _, ip, _ in found)
    assert set(versions) == ({4} if capture.name in ("mtu", "flood") else {4, 6})
    for _, ip, frame in found:
        segment = frame[34 if ip.v == 4 else 54 :]
        if ip.v == 4:
            assert ip.len == len(frame) - 14
            assert ones_complement_sum(frame[14:34]) == 0xFFFF
        else:
            assert ip.plen == len(segment)
        pseudo = ip.src + ip.dst + struct.pack(">II", len(segment), socket.IPPROTO_TCP)
        assert ones_complement_sum(pseudo + segment) == 0xFFFF


def test_numbers_of_a_connection_follow_each_other(capture: Capture) -> None:
    upto: dict[tuple[bytes, int, bytes, int], int] = {}
    repeated = 0
    for _, ip, _ in packets(capture.path):
        tcp = ip.data
        here, back = (ip.src, tcp.sport, ip.dst, tcp.dport), (ip.dst, tcp.dport, ip.src, tcp.sport)
        end = tcp.seq + len(tcp.data) + bool(tcp.flags & (SYN | FIN))
        gap = ahead(tcp.seq, upto.setdefault(here, tcp.seq))
        assert gap <= 0, "a segment is missing"
        repeated += gap < 0
        if ahead(end, upto[here]) > 0:
            upto[here] = end % 2**32
        if tcp.flags & ACK and back in upto:
            assert ahead(tcp.ack, upto[back]) <= 0, "acknowledges what was not sent"
    assert repeated <= capture.frames // 100


def test_a_lost_segment_is_reported_and_sent_again() -> None:
    rows = script.bulk(np.random.default_rng(7), 300, 1, 20_000, frozenset({151}))
    sent = Counter(rows["segment"][rows["length"] == script.MSS].tolist())
    assert [segment for segment, times in sent.items() if times > 1] == [151]
    assert sorted(sent) == list(range(300))
    assert (rows["options"] == script.SACK).sum() >= 3
    assert (np.diff(rows["time_us"]) >= 0).all()


def test_ten_frames_are_one_connection(tmp_path: Path) -> None:
    made = make.capture(make.recipes()["ten"], tmp_path)
    flags = [ip.data.flags for _, ip, _ in packets(made.path)]
    assert len(flags) == made.frames == 10
    assert flags[0] == SYN
    assert [bool(flag & FIN) for flag in flags].count(True) == 2


def test_all_connections_live_from_the_first_round_to_the_last(tmp_path: Path) -> None:
    found = packets(make.capture(ROUNDS, tmp_path).path)
    assert len(found) == 300
    rounds = [[ip for _, ip, _ in found[at : at + 30]] for at in range(0, 300, 30)]
    pairs = [[frozenset({(ip.src, ip.data.sport), (ip.dst, ip.data.dport)}) for ip in turn] for turn in rounds]
    assert len(set(pairs[0])) == 30
    assert all(turn == pairs[0] for turn in pairs)
    flags = [{ip.data.flags & (SYN | FIN | ACK) for ip in turn} for turn in rounds]
    assert flags == [{SYN}, {SYN | ACK}, *[{ACK}] * 5, {FIN | ACK}, {FIN | ACK}, {ACK}]


def test_a_flood_comes_from_everywhere_and_gets_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "FLOOD_AT_ONCE", 100)
    found = [ip for _, ip, _ in packets(make.capture(FLOOD, tmp_path).path)]
    assert len({ip.src for ip in found}) == len(found) == 250
    assert len({ip.data.sport for ip in found}) > 200
    assert {(ip.dst, ip.data.dport, ip.data.flags) for ip in found} == {(b"\x0a\x64\x00\x01", 5201, SYN)}


def test_large_captures_hold_what_they_are_named_for() -> None:
    million, flood = (make.recipes()[name] for name in ("million", "flood"))
    assert (million.lanes, million.frames, flood.frames) == (1_000_000, 10_000_000, 10_000_000)
    assert {len(rows) for rows in script.short_scripts(np.random.default_rng(1))} == {make.EXCHANGE}


def test_the_seed_decides_the_bytes(recipe: Recipe, capture: Capture, tmp_path: Path) -> None:
    expected = capture.path.read_bytes()
    assert make.capture(recipe, tmp_path).path.read_bytes() == expected
    assert make.capture(replace(recipe, seed=2), tmp_path).path.read_bytes() != expected


def test_the_size_of_blocks_changes_nothing(
    recipe: Recipe, capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "BLOCK", 10_000)
    assert make.capture(recipe, tmp_path).path.read_bytes() == capture.path.read_bytes()


def test_a_capture_is_made_once_and_again_if_damaged(tmp_path: Path) -> None:
    first = make.capture(SHORT, tmp_path)
    stamp = first.path.stat().st_mtime_ns
    assert make.capture(SHORT, tmp_path) == first
    assert first.path.stat().st_mtime_ns == stamp
    first.path.write_bytes(b"")
    assert make.capture(SHORT, tmp_path).path.stat().st_size == first.size


def test_a_full_disk_is_said_before(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"GB free, 1000000\.5 GB needed .* --dir or a smaller --size"):
        make.capture(replace(BULK, size=10**15), tmp_path)
    with pytest.raises(SystemExit, match=r"130000\.5 GB needed"):
        make.capture(replace(FLOOD, frames=10**12), tmp_path)
    assert not list(tmp_path.iterdir())


def test_runs_are_timed_and_failures_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)
    fed = "import sys, time; assert len(sys.stdin.buffer.read()) == 100_000; time.sleep(0.1)"
    good = run.once([sys.executable, "-c", fed], 30, file)
    assert not good.failed
    assert good.wall_s >= 0.1
    assert good.peak_mb > 1
    assert (
        run.once([sys.executable, "-c", "raise SystemExit('no such option')"], 30).failed
        == "exit status 1: no such option"
    )
    assert run.once([sys.executable, "-c", "import time; time.sleep(30)"], 0.2).failed == "more than 0.2 s"


def test_tools_take_turns_and_absent_ones_are_named(tmp_path: Path) -> None:
    file = tmp_path / "capture"
    file.write_bytes(b"")
    turns: list[str] = []
    tools = [Tool("one", ("true",)), Tool("none", ("no-such-program",)), Tool("slow", ("true",), slow=True)]
    rows = run.alternate(Capture("mtu", file, 10**6, 0, 0.0), tools, 3, 30, turns.append)
    assert [turn.split(":")[0] for turn in turns] == ["mtu one", "mtu slow", "mtu one", "mtu one"]
    assert [(row.tool, len(row.runs), row.frames, row.whole) for row in rows] == [
        ("one", 3, 1_000_000, True),
        ("none", 0, 1_000_000, True),
        ("slow", 1, 100_000, False),
    ]
    assert rows[1].note == "not installed"


def figures() -> list[Measured]:
    """Made-up runs: tcpcap at 500 ns per frame of which 200 beyond start-up, tshark on a slice, tcptrace absent."""

    def runs(*walls: float) -> list[Run]:
        return [Run(wall, wall, 100.0) for wall in walls]

    return [
        Measured("mtu", "tcpcap", 1_000_000, True, runs(0.4, 0.5, 9.0)),
        Measured("mtu", "tshark", 100_000, False, runs(2.5)),
        Measured("mtu", "tcptrace", 1_000_000, True, [], "not installed"),
        Measured("ten", "tcpcap", 10, True, runs(0.3, 0.3, 0.3)),
        Measured("ten", "tshark", 10, True, runs(0.5, 0.5, 0.5)),
    ]


def test_table_says_what_the_runs_say() -> None:
    tcpcap, tshark, absent, start, _ = table.rows(figures())
    assert (tcpcap.frame_ns, tcpcap.beyond_ns) == (pytest.approx(500), pytest.approx(200))
    assert (tcpcap.x_whole, tcpcap.x_beyond) == (1, 1)
    assert (tshark.x_whole, tshark.x_beyond) == (None, pytest.approx(100))
    assert (absent.wall_s, absent.note) == (None, "not installed")
    assert start.frame_ns is None
    text = table.table(table.rows(figures()), floor_mb=120)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[2].split() == ["mtu", "tcpcap", "1,000,000", "0.50", "0.50", "500", "200", "<120", "1.0", "1.0"]
    assert lines[3].split() == ["mtu", "tshark", "100,000*", "2.50", "2.50", "25,000", "20,000", "<120", "-", "100.0"]
    assert lines[4].endswith("1,000,000 not installed")
    assert "first frames of the capture only" in lines[-1]


def test_a_long_log_of_counters(tmp_path: Path) -> None:
    """It is one that tcpcap reads; its bars are met or missed."""
    snapshots.write_log(tmp_path / "log", 3)
    found = read_snapshots(tmp_path / "log")
    assert [len(each.values) for each in found] == [len(snapshots.COUNTERS)] * 3
    good = snapshots.bars(100_000_000, 1.5, 60.0, 61.0)
    assert [(bar.met, round(bar.measured or 0, 1)) for bar in good] == [(True, 15.0), (True, 1.7)]
    assert [bar.met for bar in snapshots.bars(100_000_000, 2.5, 60.0, 70.0)] == [False, False]
    assert not any(bar.met for bar in snapshots.bars(100_000_000, 1.5, 60.0, 61.0, "exit status 2"))


def test_bars_are_met_or_missed() -> None:
    good = bars.memory_bars(200.0, 208.0, 2.5)
    assert [bar.met for bar in good] == [True, True]
    assert table.status(good) == 0
    grown = bars.memory_bars(200.0, 230.0, 2.5)
    assert [bar.met for bar in grown] == [True, False]
    assert table.status(grown) == 1
    assert [bar.met for bar in bars.memory_bars(400.0, 400.0, 2.5)] == [False, True]
    assert not any(bar.met for bar in bars.memory_bars(200.0, 201.0, 2.5, "exit status 1"))
    lines = table.verdicts(grown).splitlines()
    assert [line.split()[0] for line in lines] == ["met", "missed"]
    assert "15.00 % more" in lines[1]
    long = table.verdicts(bars.memory_bars(200.0, 201.0, 2.5, "exit status 1: " + "x" * 80)).splitlines()
    assert [line.strip()[:11] for line in long[1::2]] == ["exit status"] * 2
    assert max(map(len, long)) <= 100
    assert "not measured" in table.verdicts([bars.Bar("help", "tcpcap --help", 0.25, "s")])


def test_speed_is_told_beside_others() -> None:
    frame, tshark, tcptrace = bars.speed_bars(figures())
    assert frame.met
    assert frame.measured == pytest.approx(200)
    assert tshark.met
    assert tshark.measured == pytest.approx(1)
    assert tshark.note == "200 of 20,000 ns/frame, 100.0 times as fast"
    assert (tcptrace.met, tcptrace.measured, tcptrace.note) == (False, None, "tcptrace: not installed")
    faster = Measured("mtu", "tcptrace", 1_000_000, True, [Run(0.4, 0.4, 100.0)])
    slower = Measured("mtu", "tcptrace", 1_000_000, True, [Run(0.8, 0.8, 100.0)])
    others = [row for row in figures() if row.tool != "tcptrace"]
    assert [bars.speed_bars([*others, row])[2].met for row in (faster, slower)] == [False, True]
    failed = [replace(row, runs=[], note="more than 9 s") if row.tool == "tcpcap" else row for row in figures()]
    assert [(bar.met, bar.note) for bar in bars.speed_bars(failed)] == [(False, "tcpcap: more than 9 s")] * 3
    short = [replace(row, runs=[Run(0.2, 0.2, 100.0)]) if row.capture == "mtu" else row for row in figures()]
    assert [(bar.met, bar.note) for bar in bars.speed_bars(short)][:2] == [(False, "too few frames to tell")] * 2


def test_peaks_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make.capture(FLOOD, tmp_path)
    for run_, met in ((Run(1.0, 1.0, 1_400.0), True), (Run(1.0, 1.0, 1_600.0), False), (Run(1, 1, 9, "killed"), False)):
        monkeypatch.setattr(bars, "once", lambda *_, found=run_: found)
        [bar] = bars.flood_bar(lambda _: made, 1, lambda _: None)
        assert (bar.met, bar.text, bar.note.split()[0]) == (
            met,
            "flood, peak memory",
            "killed" if run_.failed else "1.0",
        )


def test_everything_goes_into_json() -> None:
    plain = json.loads(json.dumps(table.data(figures(), bars.memory_bars(200.0, 230.0, 2.5))))
    assert [len(row["runs"]) for row in plain["rows"]] == [3, 1, 0, 3, 3]
    assert plain["rows"][0]["beyond_ns"] == pytest.approx(200)
    assert [bar["met"] for bar in plain["bars"]] == [True, False]


def test_the_bars_of_sockets(tmp_path: Path) -> None:
    """The file holds as many sockets as were asked for; the bars are for a million and for growth."""
    path = tmp_path / "sockets.jsonl"
    assert sockets.write(path, 2_003) == path.stat().st_size
    found = sockets.cost(path)
    assert (found["sockets"], found["bytes"]) == (2_003, path.stat().st_size)
    assert found["cpu_s"] > 0
    few = {"cpu_s": 1.0, "bytes": 1e9, "peak_mb": 100.0}
    assert [bar.met for bar in bars.sockets_bars([few, {**few, "cpu_s": 10.0}])] == [True, True]
    slow, grown = bars.sockets_bars([few, {"cpu_s": 30.0, "bytes": 1e9, "peak_mb": 120.0}])
    assert (slow.measured, slow.met, grown.met) == (pytest.approx(30.0), False, False)
    assert not any(bar.met for bar in bars.sockets_bars([], "exit status 1"))
