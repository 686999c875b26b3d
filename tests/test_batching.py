"""The result does not depend on the size of batches or windows: generated captures and every sample."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.checksums import Checker
from analyzer.decode import RowRoom, decode
from analyzer.frames import reader
from analyzer.passes import table_rows
from analyzer.report.json_text import json_pieces
from analyzer.schema import Rows
from analyzer.tables import TABLES, TIME_CAUSES
from analyzer.timing import series
from analyzer.together import joined
from tests import build, strategies
from tests.each import for_each
from tests.helpers import FEWER_CAPTURES, Reading, read_all, same_rows
from tests.test_flows import START_NS, conversation

SAMPLES = Path(__file__).parent.parent / "samples"
BATCHES = (1, 2, 7, 1000, 1 << 30)
WINDOWS = (1 << 16, 1 << 20, 64 << 20)
EVERY_NS = 100_000_000  # an interval of `series`
WHOLE = 1 << 22  # more records than any file here has


def mixed_capture(seed: int, count: int, kind: str) -> bytes:
    """A capture of `count` frames of every kind, in a classic file of one link type or a pcapng file of many."""
    rng = random.Random(seed)
    time_ns = 1_700_000_000 * 10**9
    records: list[tuple[int, build.Record]] = []
    while len(records) < count:
        link, data, length = strategies.random_frame(rng)
        if kind == "pcapng" or link == 1:
            time_ns += rng.randint(0, 10**7) * 1000
            records.append((link, build.Record(data, time_ns, length)))
    if kind == "pcap":
        return build.pcap(record for _, record in records)
    blocks, known = [build.shb()], {}
    for link, record in records:
        if link not in known:
            known[link] = len(known)
            blocks.append(build.idb(link=link, snaplen=262144))
        blocks.append(
            build.epb(
                record.data,
                interface=known[link],
                ticks=record.time_ns // 1000,
                length=record.length,
                flags=rng.choice((None, 1, 2)),
            )
        )
        if rng.randint(0, 9) == 0:
            blocks.append(rng.choice((build.nrb(), build.isb(), build.custom())))
    return build.pcapng(*blocks)


def assert_same(expected: Reading, actual: Reading) -> None:
    """Records, packets, damages, interfaces and files are the same."""
    assert same_rows(expected.rows, actual.rows)
    assert actual.data == expected.data
    assert np.array_equal(expected.packets, actual.packets)
    assert actual.damages == expected.damages
    assert actual.interfaces == expected.interfaces
    assert actual.files == expected.files


def assert_independent(*paths: Path, batches: tuple[int, ...] = BATCHES, windows: tuple[int, ...] = WINDOWS) -> Reading:
    """Read with every combination of sizes, compared with the defaults."""
    expected = read_all(*paths)
    for batch_frames in batches:
        for window_bytes in windows if batch_frames > 2 else windows[:1]:
            actual = read_all(*paths, batch_frames=min(batch_frames, WHOLE), window_bytes=window_bytes)
            assert max(actual.batches, default=0) <= batch_frames
            assert_same(expected, actual)
    return expected


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
@pytest.mark.parametrize("seed", [2, 3, 5])
def test_generated_captures(tmp_path: Path, seed: int, kind: str) -> None:
    """Frames of every kind, more than fill a small window."""
    path = tmp_path / f"capture.{kind}"
    path.write_bytes(mixed_capture(seed, 1501, kind))
    reading = assert_independent(path)
    assert len(reading) == 1501
    assert len(np.unique(reading.packets["stop"])) > 7
    assert reading.damages == []


@pytest.mark.parametrize("seed", range(24))
def test_damaged_captures(tmp_path: Path, seed: int) -> None:
    """The search after damage finds the same records too."""
    rng = random.Random(seed)
    content = bytearray(mixed_capture(seed, 211, ("pcap", "pcapng")[seed % 2]))
    for _ in range(rng.randint(1, 9)):
        at = rng.randrange(64, len(content))
        content[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), rng.randbytes(4), b""))
    path = tmp_path / "capture"
    path.write_bytes(content[: -rng.randint(1, 40)])
    assert_independent(path, batches=(1, 2, 7, 1 << 30), windows=(64, 1 << 16, 8 << 20))


@pytest.mark.parametrize("seed", [2, 3])
def test_several_files(tmp_path: Path, seed: int) -> None:
    """Two captures of the same time and one that begins later, merged."""
    paths = []
    for number, kind in enumerate(("pcap", "pcapng", "pcap")):
        paths.append(tmp_path / f"{number}.{kind}")
        paths[-1].write_bytes(mixed_capture(seed + number, 307, kind))
    reading = assert_independent(*paths)
    assert len(reading) == 921


@for_each("path", FEWER_CAPTURES)
def test_samples(path: Path) -> None:
    """Every capture of the samples, alone."""
    reading = assert_independent(path, batches=(2, 7, 1000, 1 << 30), windows=(1 << 16, 8 << 20))
    assert len(reading) > 0
    assert reading.damages == []


def test_one_record_at_a_time() -> None:
    """The smallest batch, on the smallest sample."""
    path = min(FEWER_CAPTURES, key=lambda each: each.stat().st_size)
    reading = assert_independent(path, batches=(1,))
    assert len(read_all(path, batch_frames=1).batches) == len(reading)


# Flows and events: what is said of a frame does not depend on the frames that were read along with it.


def conversations(path: Path, seed: int, count: int) -> Path:
    """A capture of many conversations at a time, with packets lost, repeated, exchanged and cut."""
    rng = random.Random(seed)
    waiting = [talk for talk in (conversation(rng) for _ in range(count)) if talk]
    records, now = [], START_NS
    while waiting:
        talk = rng.choice(waiting[:9])
        data, length = talk.pop(0)
        now += rng.choice((-50_000, 1_000, 1_000_000, 30_000_000, 300_000_000))
        records.append(build.Record(data, now, length))
        if not talk:
            waiting.remove(talk)
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    return path


def told(path: Path, max_flows: int, batch_frames: int | None) -> dict[str, Rows]:
    """The rows of every table."""
    sizes = {} if batch_frames is None else {"batch_frames": batch_frames}
    tables = {}
    for name in ("packets", "flows", "events", "checksums", "series"):
        table = TABLES[name]
        parts = list(table_rows([str(path)], name, max_flows=max_flows, every_ns=EVERY_NS, **sizes))
        tables[name] = joined([np.zeros(0, table.dtype), *parts])
    tables["flows"] = tables["flows"][np.argsort(tables["flows"]["flow"], kind="stable")]  # they come when they leave
    return tables


# Flows at a time, conversations, and frames at a time: one by one flows leave slowly.
@pytest.mark.parametrize(
    ("max_flows", "count", "batches"),
    [(1, 150, (7,)), (5, 60, (100,)), (16, 60, (1, 7)), (1_000_000, 60, (1,)), (1_000_000, 150, (7, 100))],
)
@pytest.mark.parametrize("seed", [2, 3])
def test_every_table(
    tmp_path: Path, seed: int, max_flows: int, count: int, batches: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows of all tables, also where flows must leave; those of intervals in the same order, too."""
    monkeypatch.setattr(series, "BLOCK", 100)
    path = conversations(tmp_path / "capture.pcap", seed, count)
    expected = told(path, max_flows, None)
    assert len(expected["events"]) > 100
    assert len(np.unique(expected["events"]["event"])) >= 9
    assert expected["flows"]["flow"].tolist() == list(range(len(expected["flows"])))
    shown = expected["packets"]["events"]
    assert np.count_nonzero(shown) > 100
    assert_times_agree(expected["flows"], expected["series"], expected["packets"])
    names, counts = np.unique(expected["events"]["event"], return_counts=True)
    counted = {TABLES["events"]["event"].words[name]: count for name, count in zip(names, counts, strict=True)}
    for batch_frames in batches:
        actual = told(path, max_flows, batch_frames)
        for name, rows in expected.items():
            assert same_rows(rows, actual[name]), name
        analysis = analyze(path, max_flows=max_flows, batch_frames=batch_frames)
        assert analysis.event_counts == counted
        assert sum(analysis.event_counts.values()) == len(expected["events"])


def assert_times_agree(flows: Rows, series: Rows, packets: Rows) -> None:
    """The intervals of every flow hold all of its time, and all flows together all."""
    flows = flows[flows["protocol"] == 0]
    turned = told_late(flows, packets)
    assert len(np.unique(series[["flow", "start_ns"]])) == len(series) > len(flows) > 10
    found = {}
    for cause in TIME_CAUSES:
        name = f"time_{cause}_ns"
        sums = {int(flow): 0 for flow in flows["flow"]} | {-1: 0}
        for row in series[["flow", name]]:
            sums[int(row["flow"])] += int(row[name])
        assert sums.pop(-1) == sum(sums.values()), cause
        found[cause] = np.array(list(sums.values()))
        same = found[cause] == flows[name]
        assert (same | turned).all() if cause in ("client_think", "server_think") else same.all(), cause
    both = flows["time_client_think_ns"] + flows["time_server_think_ns"]
    assert (found["client_think"] + found["server_think"] == both).all()


def told_late(flows: Rows, packets: Rows) -> np.ndarray:
    """Whose handshake came after other frames: what intervals had told by then of the client's thinking may have been the server's."""
    flags, numbers = packets["flags"], packets["flow"]
    firsts = {int(flow): int(flags[np.flatnonzero(numbers == flow)[0]]) for flow in flows["flow"]}
    return np.array([not flag & 2 for flag in firsts.values()]) & (
        flows["roles"] == TABLES["flows"].bit("roles", "handshake")
    )


@for_each(("path", "batch_frames"), [(path, (1, 7, 23)[number % 3]) for number, path in enumerate(FEWER_CAPTURES)])
def test_every_table_of_the_samples(path: Path, batch_frames: int) -> None:
    """As one batch and in small ones, some frame by frame."""
    expected, actual = told(path, 1_000_000, None), told(path, 1_000_000, batch_frames)
    for name, rows in expected.items():
        assert same_rows(rows, actual[name]), name


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_rows_hold_until_the_batch_after_the_next(tmp_path: Path, kind: str) -> None:
    """Read in one pass, also between interfaces that are described: the same as decoded afterwards, while the next is read."""
    path = tmp_path / f"capture.{kind}"
    path.write_bytes(mixed_capture(6, 400, kind))
    checker, found = Checker(), []
    with open_capture([path], batch_frames=9) as capture:
        read = reader.FrameReader(checker)
        capture.read_with(read)
        for batch in capture:
            found.append((batch.packets, read.rows_of(batch, capture.interfaces).copy()))
            for rows, copy in found[-2:]:
                assert same_rows(rows, copy)
    assert len(found) >= 400 / 9
    apart, later = Checker(), []
    with open_capture([path]) as capture:
        for batch in capture:
            later.append(decode(batch, capture.interfaces))
            apart.check(batch, later[-1], capture.interfaces)
    assert same_rows(joined(later), joined([rows for _, rows in found]))
    assert same_rows(apart.directions, checker.directions)


class Poisoned(RowRoom):
    """Room in which nothing is left of what was decoded there before."""

    def take(self, count: int) -> Rows:
        rows = super().take(count)
        rows.view(np.uint8)[:] = 0xFF
        return rows


def test_nobody_keeps_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that is used for other rows, as soon as it may be: nothing changes."""
    path = conversations(tmp_path / "capture.pcap", 4, 60)
    expected, analysis = told(path, 16, 3), analyze(path, batch_frames=3)
    monkeypatch.setattr(reader, "RowRoom", Poisoned)
    for name, rows in told(path, 16, 3).items():
        assert same_rows(expected[name], rows), name
    poisoned = analyze(path, batch_frames=3)
    assert "".join(json_pieces(poisoned)) == "".join(json_pieces(analysis))
    assert poisoned.checksums.equals(analysis.checksums)
