"""Tables with a row per frame, per event or per interval, made in parts: the same rows, and the same bytes, as one pass makes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analyzer.ask import Ask
from analyzer.ask.rows import Request
from analyzer.cli import cli
from analyzer.cluster import tables
from analyzer.cluster.lanes import Lane, LaneWriter, together
from analyzer.cluster.tables import IN_PARTS, table_in_parts
from analyzer.lines import SPOOLED, Spool, Written
from analyzer.passes import table_rows
from analyzer.run import analyze
from analyzer.schema import Rows
from analyzer.tables import TABLES
from analyzer.timing import series
from tests import build
from tests.house import ROOT
from tests.test_cluster import CHAINS, Several, cut_at, doubled, records, written
from tests.test_cluster_files import content_of, ring, split

EVERY_NS = 50_000_000
NUMBERS = np.dtype([("value", "i8")])


@pytest.fixture(autouse=True)
def few_frames_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are handed over often."""
    monkeypatch.setattr(series, "BLOCK", 100)


def same(table: str, one: Sequence[Rows], other: Sequence[Rows]) -> bool:
    """Are all columns that a table shows the same?"""
    frames = [TABLES[table].frame(np.concatenate([np.zeros(0, TABLES[table].dtype), *rows])) for rows in (one, other)]
    return len(frames[0]) > 10 and frames[0].equals(frames[1])


@pytest.mark.parametrize("table", IN_PARTS)
@pytest.mark.parametrize("chain", CHAINS)
def test_the_rows_of_one_pass(tmp_path: Path, chain: str, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the file is cut, and for how many it is; numbers of frames and flows included, and in the same order."""
    path = str(written(tmp_path, chain, "pcap"))
    expected = list(table_rows([path], table, every_ns=EVERY_NS))
    random = Random(f"{chain} {table}")
    for pieces, width in ((1, 1), (2, 3), (7, 2)):
        cut_at(monkeypatch, [random.randrange(Path(path).stat().st_size) for _ in range(pieces - 1)])
        with table_in_parts([path], table, None, every_ns=EVERY_NS, cluster=Several(width)) as found:
            assert found is not None
            assert same(table, expected, [rows.copy() for rows in found.rows()])


@pytest.mark.parametrize("table", IN_PARTS)
def test_a_pipe_is_read_by_one(tmp_path: Path, table: str) -> None:
    """What several processes cannot open is not touched before one does."""
    path = str(written(tmp_path, CHAINS[0] if isinstance(CHAINS, list | tuple) else next(iter(CHAINS)), "pcap"))
    with Path(path).open("rb") as file:
        words = [sys.executable, "-m", "analyzer", "export", "-", "--table", table, "--jobs", "3", "-o", "-"]
        done = subprocess.run(words, stdin=file, cwd=ROOT, capture_output=True, check=False)
    expected = CliRunner().invoke(cli, ["export", path, "--table", table, "-o", "-"])
    assert (done.returncode, done.stdout) == (0, expected.stdout_bytes)


@pytest.mark.parametrize("table", IN_PARTS)
def test_several_files(tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of different kinds, in any order, one packed: interfaces have the numbers of one pass in each row."""
    random = Random(table)
    kinds = ("interfaces", "pcap", "pcapng", "interfaces")
    pieces = [
        content_of(each, kind, at)
        for at, (each, kind) in enumerate(zip(split(records("losses"), 4, random), kinds, strict=True))
    ]
    paths = ring(tmp_path, pieces, ["", ".gz", "", ""])
    random.shuffle(paths)
    expected = list(table_rows(paths, table, every_ns=EVERY_NS))
    cut_at(monkeypatch, [random.randrange(max(map(len, pieces))) for _ in range(3)])
    with table_in_parts(paths, table, None, every_ns=EVERY_NS, cluster=Several(2)) as found:
        assert found is not None
        assert same(table, expected, [rows.copy() for rows in found.rows()])


def exported(path: Path, output: Path, *more: str) -> bytes:
    """What the command writes."""
    done = CliRunner().invoke(cli, ["export", str(path), "-o", str(output), *more])
    assert done.exit_code == 0, done.output
    return output.read_bytes()


@pytest.mark.parametrize("kind", ["csv", "safe-csv", "jsonl", "parquet"])
def test_the_bytes_of_one_pass(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every format; processes write the text, the one that was asked puts it together."""
    path = written(tmp_path, "losses", "pcap")
    cut_at(monkeypatch, [path.stat().st_size // 3, path.stat().st_size // 2])
    monkeypatch.setattr(tables, "LEAST_BYTES", dict.fromkeys(IN_PARTS, 0))
    chosen = ["--table", "packets", *(["--safe-csv"] if kind == "safe-csv" else [])]
    output = tmp_path / f"table.{kind.removeprefix('safe-')}"
    made = count_parts(monkeypatch)
    expected = exported(path, output, *chosen)
    assert made == []
    assert exported(path, output, *chosen, "--jobs", "2") == expected
    assert made == ["packets"]
    assert exported(path, output, *chosen, "--jobs", "2", "--limit", "3") == exported(
        path, output, *chosen, "--limit", "3"
    )
    assert made == ["packets"]


def count_parts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that are made in parts from now on."""
    made: list[str] = []

    class Counted(tables.TableParts):
        def __init__(self, found: Any, table: str, every_ns: int) -> None:
            super().__init__(found, table, every_ns)
            made.append(table)

    monkeypatch.setattr(tables, "TableParts", Counted)
    return made


def test_what_is_asked_in_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answers about each of the tables, from rows that several processes have made."""
    path = written(tmp_path, "windows", "pcap")
    cut_at(monkeypatch, [path.stat().st_size // 2])
    monkeypatch.setattr(tables, "LEAST_BYTES", dict.fromkeys(IN_PARTS, 0))
    made = count_parts(monkeypatch)
    for table in IN_PARTS:
        query = f"SELECT * FROM {table}"
        with Ask(Request([str(path)], analyze)) as one, Ask(Request([str(path)], analyze, jobs=3)) as other:
            expected = one.frame(query)
            assert len(expected) > 20
            assert other.frame(query).equals(expected)
    assert made == list(IN_PARTS)


@pytest.mark.parametrize("table", IN_PARTS)
def test_what_one_pass_alone_can_tell(tmp_path: Path, table: str) -> None:
    """Then it is left to that, before anything is handed out; and so is what is no single file, or has too few processes."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(doubled(records("losses"))))
    with table_in_parts([str(path)], table, None, cluster=Several(2)) as found:
        assert found is None
    other = str(written(tmp_path, "losses", "pcapng"))
    for paths, jobs in (([str(path), other], 8), ([other], 1), ([other], 8)):
        with table_in_parts(paths, table, jobs) as found:
            assert found is None  # the last of them is small


def test_a_file_that_was_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said once, as one pass says it."""
    path = written(tmp_path, "windows", "pcap")
    path.write_bytes(path.read_bytes()[:-7])
    cut_at(monkeypatch, [path.stat().st_size // 2])
    damages: list[Any] = []
    expected: list[Any] = []
    rows = list(table_rows([str(path)], "packets", damages=expected))
    with table_in_parts([str(path)], "packets", None, cluster=Several(2), damages=damages) as found:
        assert found is not None
        assert same("packets", rows, [part.copy() for part in found.rows()])
    assert damages == expected
    assert len(damages) == 1


def test_lanes_are_read_together(tmp_path: Path) -> None:
    """In order of their keys, of which none is in two pieces, whatever each lane holds."""
    random = Random(3)
    for case in range(20):
        lanes, everything = [], []
        for number in range(random.randrange(1, 5)):
            keys = np.sort(np.array([random.randrange(50) for _ in range(random.choice([0, 1, 9000]))], np.int64))
            rows = np.zeros(len(keys), NUMBERS)
            rows["value"] = np.arange(len(keys)) + 100_000 * number
            with ExitStack() as opened:
                writer = LaneWriter(tmp_path, f"{case}-{number}", opened)
                for start in range(0, len(keys), 777):
                    writer.add(keys[start : start + 777], rows[start : start + 777])
            lanes.append(Lane(tmp_path, f"{case}-{number}", NUMBERS))
            everything += [(int(key), int(value)) for key, value in zip(keys, rows["value"], strict=True)]
        found: list[tuple[int, int]] = []
        for keys, parts in together(lanes):
            assert not found or keys.min() > found[-1][0]
            values = np.concatenate([rows["value"] for _, rows in parts])
            found += sorted(zip(keys.tolist(), values.tolist(), strict=True))
        assert found == sorted(everything)


def pieces(count: int, random: Random, folder: Path) -> Iterator[pd.DataFrame | Written]:
    """So many rows in pieces of any size, some of them as files, which are gone when the next piece comes."""
    at = 0
    while at < count:
        rows = min(random.choice([0, 1, 5_000, 40_000]), count - at)
        values = np.arange(at, at + rows)
        frame = pd.DataFrame({"value": values, "text": pd.Categorical(values % 7)})
        at += rows
        if random.random() < 0.5:
            yield frame
            continue
        path = folder / "piece.parquet"
        with duckdb.connect() as connection:
            connection.register("frame", frame)
            columns = "value, CAST(text AS VARCHAR) AS text"
            connection.execute(f"COPY (SELECT {columns} FROM frame) TO '{path}' (FORMAT parquet)")
        yield Written(path, rows)
        path.unlink()


def test_parquet_does_not_hang_on_the_pieces(tmp_path: Path) -> None:
    """The same rows give the same bytes."""
    count, made = 5 * SPOOLED + 100, set()
    for seed in range(5):
        target = tmp_path / "table.parquet"
        with duckdb.connect(str(tmp_path / f"{seed}.duckdb")) as connection:
            spool = Spool(connection)
            for piece in pieces(count, Random(seed), tmp_path):
                spool.add(piece)
            spool.finish(target, "FORMAT parquet")
            read = connection.execute(f"SELECT value, text FROM read_parquet('{target}')").fetchall()
        assert read == [(value, str(value % 7)) for value in range(count)]
        made.add(target.read_bytes())
    assert len(made) == 1
