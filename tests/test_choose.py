"""What of a capture is asked for: filters as tcpdump has them, flows, times and frames, whose numbers stay those of the whole capture."""

from __future__ import annotations

import random
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.capture.records import NO_PACKET_TYPE, RECORDS
from analyzer.choose import choice_of, compiler, libpcap
from analyzer.choose.filter_kernel import filter_frames
from analyzer.choose.moments import moment_of
from analyzer.choose.program import CELLS, INSTRUCTION, checked
from analyzer.errors import TcpcapError, UsageError
from analyzer.exported import table_frames
from analyzer.passes import table_rows
from tests import build, filters
from tests.command import run_here
from tests.helpers import SAMPLES
from tests.naive.bpf import passes

LOSS = SAMPLES / "loss-ipv4" / "server"
CAPTURE = LOSS / "capture.pcap"
RANDOM = 12  # expressions in the suite; `python -m tests.filters` tries 200 on every capture
needs_tcpdump = pytest.mark.skipif(filters.PROGRAM is None, reason="needs tcpdump")


@cache
def whole() -> Analysis:
    return analyze(str(CAPTURE))


# The machine


def random_program(rng: random.Random) -> list[tuple[int, int, int, int]]:
    """Any instructions that the check lets pass, with jumps forward."""
    loads = [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x60, 0x80, 0x01, 0x61, 0x81, 0xB1, 0x02, 0x03, 0x07, 0x87]
    codes = [*loads, *(0x04 + operation + source for operation in range(0x00, 0xB0, 0x10) for source in (0, 8)), 0x05, 0x15, 0x25, 0x2D, 0x35, 0x45]  # fmt: skip
    found = []
    count = rng.randint(1, 25)
    for at in range(count):
        code, behind = rng.choice(codes), count - at
        k = rng.choice((rng.randrange(16), rng.randrange(16), rng.getrandbits(32), 60))
        if code in (0x02, 0x03, 0x60, 0x61):
            k %= CELLS
        elif code in (0x34, 0x94):
            k = k or 1
        elif code == 0x05:
            k = rng.randrange(behind)
        found.append((code, rng.randrange(behind), rng.randrange(behind), k))
    return [*found, (0x16 if rng.random() < 0.5 else 0x06, 0, 0, rng.randrange(2))]


def test_the_machine_does_what_its_twin_does() -> None:
    rng = random.Random(7)
    frames = [rng.randbytes(rng.randrange(40)) for _ in range(12)]
    records = np.zeros(len(frames), RECORDS.dtype)
    offset = 0
    for row, frame in zip(records, frames, strict=True):
        row["offset"], row["captured"], row["length"], row["packet_type"] = (
            offset,
            len(frame),
            len(frame) + 9,
            NO_PACKET_TYPE,
        )
        offset += len(frame)
    buffer, some = np.frombuffer(b"".join(frames), np.uint8), 0
    for _ in range(300):
        program, marks = random_program(rng), np.zeros(len(frames), np.uint8)
        filter_frames(buffer, records, checked(program, ""), np.ones(1, np.uint8), np.zeros(CELLS, np.int64), marks)
        expected = [passes(program, frame, len(frame) + 9) for frame in frames]
        assert (marks == 0).tolist() == expected, program
        some += 0 < sum(expected) < len(expected)
    assert some > 10


@pytest.mark.parametrize(
    "program",
    [
        [],
        [(0x20, 0, 0, 0)],
        [(0x15, 1, 0, 0), (0x06, 0, 0, 0)],
        [(0x05, 0, 0, 1), (0x06, 0, 0, 0)],
        [(0x05, 0, 0, 0xFFFFFFFE), (0x06, 0, 0, 0)],
        [(0x02, 0, 0, 16), (0x06, 0, 0, 0)],
        [(0x34, 0, 0, 0), (0x06, 0, 0, 0)],
        [(0xFF, 0, 0, 0), (0x06, 0, 0, 0)],
    ],
)
def test_a_program_that_could_leave_itself_does_not_run(program: list[tuple[int, int, int, int]]) -> None:
    with pytest.raises(UsageError, match="is compiled to"):
        checked(np.array(program, INSTRUCTION), "x")


def test_a_program_that_goes_round_without_end_lets_nothing_pass() -> None:
    records, marks = np.zeros(1, RECORDS.dtype), np.zeros(1, np.uint8)
    loop = checked([(0x05, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 1)], "x")
    filter_frames(np.zeros(1, np.uint8), records, loop, np.ones(1, np.uint8), np.zeros(CELLS, np.int64), marks)
    assert marks.tolist() == [1]


# The language


@needs_tcpdump
def test_filters_let_pass_what_tcpdump_lets_pass(tmp_path: Path) -> None:
    """Both compilers, on random frames of some link types and on a sample."""
    rng = random.Random(11)
    known = {f"link-{number}.pcap" for number in (1, 101, 113, 276)}
    random_ones = [path for path in filters.random_captures(tmp_path, rng, 400) if path.name in known]
    assert len(random_ones) == len(known)
    for path in [CAPTURE, *random_ones]:
        assert list(filters.tried(path, rng, RANDOM)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("host", "the end stands where an address"),
        ("port http", "`http` is no port"),
        ("tcp host 10.0.0.1", "`10.0.0.1` is no address of tcp"),
        ("ip6 host 10.0.0.1", "`10.0.0.1` is no address of ip6"),
        ("(tcp", "the end stands where `)`"),
        ("tcp)", "`)` is not expected"),
        ("tcp or 80", "`80` stands where an address"),
        ("net 10.0.0.1/8", "`10.0.0.1/8` is no network"),
        ("less than", "`than` stands where a number"),
        ("tcp[13] = 2", "known without libpcap"),
    ],
)
def test_our_compiler_says_where_it_does_not_follow(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        compiler.compiled(text, 1)
    assert said in str(caught.value)


def test_without_libpcap_our_compiler_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    filtered = analyze(str(CAPTURE), filter="src port 80")
    monkeypatch.setattr(libpcap, "library", lambda: None)
    assert filtered.summary.as_dict() == analyze(str(CAPTURE), filter="src port 80").summary.as_dict()
    with pytest.raises(UsageError, match="known without libpcap"):
        analyze(str(CAPTURE), filter="tcp[13] = 2")


# Answers about a part


@needs_tcpdump
@pytest.mark.parametrize("text", ["src host 10.0.0.1", "greater 100", "port 40001"])
def test_the_answer_is_that_of_the_frames_that_pass(text: str, tmp_path: Path) -> None:
    """As if nothing else had been captured, but for the numbers of frames and flows."""
    cut = tmp_path / "cut.pcap"
    precise = ["--time-stamp-precision=nano"]
    subprocess.run([str(filters.PROGRAM), *precise, "-r", CAPTURE, "-w", cut, text], check=True, capture_output=True)
    part, alone = analyze(str(CAPTURE), filter=text), analyze(str(cut))
    frames = dict(zip(alone.packets["frame"], part.packets["frame"], strict=True))
    flows = dict(zip(alone.packets["flow"], part.packets["flow"], strict=True))
    assert part.event_counts == alone.event_counts
    renumbered = alone.events.assign(
        frame=alone.events["frame"].map(frames),
        flow=alone.events["flow"].map(flows),
        related_frame=alone.events["related_frame"].map(frames | {0: 0}),
    )
    pd.testing.assert_frame_equal(renumbered, part.events)
    numbers = {"flow", "first_frame", "last_frame", "previous_flow"}
    columns = [name for name in alone.flows.columns if name not in numbers and not name.endswith("_frame")]
    pd.testing.assert_frame_equal(alone.flows[columns], part.flows[columns])
    assert part.flows["flow"].tolist() == [flows[flow] for flow in alone.flows["flow"]]
    assert set(part.packets["frame"]) < set(whole().packets["frame"])


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({"flow": 1}, lambda packets: packets["flow"] == 1),
        ({"flow": "0,1"}, lambda packets: packets["flow"] >= 0),
        ({"frames": "10-20"}, lambda packets: packets["frame"].between(10, 20)),
        ({"frames": "7,190-"}, lambda packets: (packets["frame"] == 7) | (packets["frame"] >= 190)),
        ({"frames": (1, 3)}, lambda packets: packets["frame"] <= 3),
        ({"between": ("+0.1", "+1s")}, lambda packets: (packets["time_ns"] - packets["time_ns"][0]).between(10**8, 10**9)),
        ({"between": ("-", "20:03:33.655")}, lambda packets: packets["time_ns"] <= 1795205013655000000),
        ({"flow": 1, "filter": "src port 80", "frames": "100-"}, lambda packets: (packets["flow"] == 1) & (packets["src_port"] == 80) & (packets["frame"] >= 100)),
    ],
)  # fmt: skip
def test_what_is_asked_for_keeps_its_numbers(wanted: dict[str, Any], kept: Any) -> None:
    packets = whole().packets
    expected = packets[kept(packets)]
    analysis = analyze(str(CAPTURE), **wanted)
    assert len(expected) > 0
    assert analysis.summary.total("frames") == len(expected) == len(analysis.packets)
    assert analysis.packets[["frame", "flow"]].values.tolist() == expected[["frame", "flow"]].values.tolist()
    assert set(analysis.flows["flow"]) == set(expected["flow"])
    (fact,) = (fact for fact in analysis.facts if fact.fact == "chosen")
    assert (fact.frames, round(fact.share, 6)) == (
        len(expected),
        round(len(expected) / len(packets), 6),
    ) or "first" in fact.text
    assert fact.text.startswith(f"only {len(expected)} of ")


@pytest.mark.parametrize("table", ["packets", "events", "flows", "checksums", "series", "flow_events"])
def test_every_table_is_of_what_is_asked_for(table: str) -> None:
    """And says of a flow that stands alone what it says of it among others."""
    found = pd.concat(table_frames([str(CAPTURE)], table, flow=0))
    assert len(found)
    if "flow" in found:
        everything = pd.concat(table_frames([str(CAPTURE)], table))
        expected = everything[everything["flow"] == 0].reset_index(drop=True)
        pd.testing.assert_frame_equal(
            found.reset_index(drop=True), expected, check_categorical=False, check_dtype=False
        )


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_size_of_batches_changes_nothing(size: int) -> None:
    asked = choice_of(filter="tcp", between=("+0.1", "-"), flow=1)
    parts = [
        np.concatenate(list(table_rows([str(CAPTURE)], "packets", batch_frames=batch, choice=asked)))
        for batch in (size, 10_000)
    ]
    for name in ("frame", "flow", "events", "wireshark"):
        assert parts[0][name].tolist() == parts[1][name].tolist()


def test_a_flow_has_its_fragments_and_the_errors_about_it(tmp_path: Path) -> None:
    datagram = build.ipv4(build.udp(b"x" * 3000, src_port=5000, dst_port=53), build.UDP)
    pieces = build.cut_up(datagram, (1000, 2000))
    error = build.ipv4(build.icmp(build.ipv4(build.udp(b"", src_port=5000, dst_port=53), build.UDP), kind=3), build.ICMP, src=build.DST4, dst=build.SRC4)  # fmt: skip
    other = build.ipv4(build.udp(b"y", src_port=5001, dst_port=53), build.UDP)
    frames = [build.ethernet(packet) for packet in (other, *pieces, error, other)]
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([build.Record(frame, number * 10**6) for number, frame in enumerate(frames)]))
    assert analyze(str(path), flow=1).packets["frame"].tolist() == [2, 3, 4, 5]
    assert analyze(str(path), flow=0).packets["frame"].tolist() == [1, 6]


def test_counters_are_not_claimed_to_be_exact_of_a_part() -> None:
    assert "exact" in set(analyze(str(LOSS)).counters["relation"])
    part = analyze(str(LOSS), flow=1)
    assert "exact" not in set(part.counters["relation"])
    assert "only a part of the capture was asked for (flow 1)" in part.comparison.coverage().causes  # type: ignore[union-attr]


def test_without_any_frame_it_is_said_that_none_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run_here("analyze", CAPTURE, "--filter", "port 9", capsys=capsys)
    assert (ran.status, ran.err) == (0, "")
    assert "only 0 of 209 frames were asked for (filter port 9)" in " ".join(ran.out.split())
    assert "the capture holds no frames" not in ran.out


def test_what_stands_behind_the_last_frame_is_not_read() -> None:
    analysis = analyze(str(CAPTURE), frames="1-5", batch_frames=10)
    assert any("of the first 10 frames were asked for (frames 1-5), and what stands behind them was not read" in fact.text for fact in analysis.facts)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"flow": 9}, "--flow: no flow 9; the capture has 2, from 0 to 1"),
        ({"flow": "x"}, "'x' is no number of a flow"),
        ({"frames": "9-3"}, "'9-3' are no frames"),
        ({"frames": "0"}, "'0' are no frames"),
        ({"frames": "-"}, "'-' are no frames"),
        ({"between": ("25:00", "-")}, "'25:00' is no time"),
        ({"between": ("+5", "+1")}, "the second time is before the first"),
        ({"between": ("+5",)}, "are no two times"),
        ({"filter": "foo bar"}, "'foo bar'"),
    ],
)
def test_what_cannot_be_asked_for(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(TcpcapError) as caught:
        analyze(str(CAPTURE), **wanted)
    assert said in str(caught.value)


FIRST = 1795205013_654968000  # 2026-11-20 20:03:33


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("20:03:33.655", 1795205013_655000000),
        ("20:04", 1795205040_000000000),
        ("02:00", 1795205013_000000000 - 72213 * 10**9 + 26 * 3600 * 10**9),  # of the next day
        ("22:03:33.655+02:00", 1795205013_655000000),
        ("2026-11-20T20:03:33.655123456Z", 1795205013_655123456),
        ("2026-11-20 20:03", 1795204980_000000000),
        ("1795205013.655", 1795205013_655000000),
        ("1795205013655000001", 1795205013_655000001),
        (1795205013655000001, 1795205013_655000001),
        ("+1.5", FIRST + 1_500_000_000),
        ("90", FIRST + 90 * 10**9),
        ("20ms", FIRST + 20_000_000),
        (pd.Timestamp("2026-11-20 20:03:33.655"), 1795205013_655000000),
    ],
)
def test_times_as_people_give_them(text: Any, ns: int) -> None:
    moment = moment_of(text, "")
    assert moment is not None
    assert moment.at(FIRST) == ns


def test_texts_of_a_part_count_from_the_beginning_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """A moment that is read there can be asked for with --between; flows have their numbers as index."""
    queue = SAMPLES / "listen-overflows" / "server"
    part, full = analyze(queue, frames="9-"), analyze(queue)
    assert part.start_ns == full.start_ns == full.summary.total("first_ns") < part.summary.total("first_ns")
    number = int(part.flows["start_ns"].idxmin())
    began = (int(part.flows.loc[number, "start_ns"]) - full.start_ns) / 1e9
    text = run_here("analyze", queue, "--frames", "9-", capsys=capsys).out
    assert f"#{number} at {began:.3f} s" in text
    assert part.flows.index.tolist() == part.flows["flow"].tolist() != list(range(len(part.flows)))
