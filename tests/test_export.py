"""Exported tables, read back with other readers: every value, every format, whatever happens on the way."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.errors import UsageError
from analyzer.moments import MOMENTS, rfc3339
from analyzer.passes import EXPORT_BATCH_FRAMES
from analyzer.report.export import FORMATS, export, format_of
from analyzer.schema import Column
from analyzer.tables import EVENTS, PACKETS, TABLES
from tests import build, strategies
from tests.command import COMMAND, TIMEOUT_S, run_here, status_of
from tests.each import for_each
from tests.helpers import interrupts_on

WHOLE = list(TABLES)
OF_ANY_TIME = [
    name for name in WHOLE if name != "series"
]  # a row for each interval: too many from the first time to the last

SAMPLES = Path(__file__).parent.parent / "samples"
SAMPLE = SAMPLES / "handshake" / "client" / "capture.pcap"
Table = tuple[list[str], list[tuple[Any, ...]]]  # names, rows
DUCKDB_TYPES = {
    "i8": "BIGINT",
    "i4": "INTEGER",
    "i2": "SMALLINT",
    "u8": "UBIGINT",
    "f8": "DOUBLE",
    "u4": "UINTEGER",
    "u2": "USMALLINT",
    "u1": "UTINYINT",
}


def run(*arguments: str | Path) -> int:
    """The exit status of `tcpcap export` in this process."""
    return status_of("export", *arguments)


def expected_table(frame: pd.DataFrame) -> Table:
    """Names and rows of a DataFrame as plain values."""
    columns = [[None if value is pd.NA else value for value in frame[name].tolist()] for name in frame.columns]
    return list(frame.columns), list(zip(*columns, strict=True))


def frame_of(analysis: Analysis, table: str) -> pd.DataFrame:
    """The same as a DataFrame; intervals of all connections together, then of one after the other."""
    if table != "series":
        return getattr(analysis, table)
    tcp = analysis.flows["flow"][analysis.flows["protocol"] == "tcp"]
    return pd.concat([analysis.series(), *(analysis.series(flow=flow) for flow in tcp)])


def _from_csv(column: Column) -> Callable[[str], Any]:
    """How the text of a column becomes a value; nothing stands where a number is missing."""
    number = float if column.dtype == "f8" else int
    if column.kind == "optional":
        return lambda text: number(text) if text else None
    return number if column.kind == "value" else str


# How the text of each column of a CSV file becomes a value, by the names of all columns.
KINDS: dict[tuple[str, ...], list[Callable[[str], Any]]] = {
    tuple(table.empty().columns): [_from_csv(column) for column in table.columns if column.public]
    for table in TABLES.values()
}


def read_csv(content: bytes) -> Table:
    """Names and rows, with numbers where the table has numbers."""
    names, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    kinds = KINDS[tuple(names)]
    return names, [tuple(kind(value) for kind, value in zip(kinds, row, strict=True)) for row in rows]


def read_jsonl(content: bytes) -> Table:
    """Names of the first row, and all rows, without the texts of moments, which say the same."""
    rows = [json.loads(line) for line in content.decode().splitlines()]
    assert len({tuple(row) for row in rows}) <= 1
    moments = [number for number in MOMENTS if rows and number in rows[0]]
    for row in rows:
        for number in moments:
            assert row.pop(MOMENTS[number]) == rfc3339(row[number])
    return list(rows[0]) if rows else [], [tuple(row.values()) for row in rows]


def read_parquet(content: bytes) -> Table:
    """Through DuckDB, from a file of its own."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(content)
        file.flush()
        with duckdb.connect() as connection:
            relation = connection.execute("SELECT * FROM read_parquet(?)", [file.name])
            names = [column[0] for column in relation.description]
            return names, relation.fetchall()


READERS: dict[str, Callable[[bytes], Table]] = {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random frames at the most extreme times, with the most extreme lengths."""
    rng = random.Random(1)
    blocks = [build.shb()]
    times = (0, -1, 2**63 - 1, -(2**63), 10**18 + 1, 2**53 + 1, -(2**53) - 1)
    for time_ns in times:
        blocks.append(build.idb(resolution=9, offset=time_ns // 10**9))
    for number in range(499):
        _, data, _ = strategies.random_frame(rng)
        data = data if number else build.ethernet(build.ipv4(build.tcp(), src=HOST))
        interface = number % len(times)
        length = 2**32 - 1 if number % 11 == 0 else None
        ticks = times[interface] % 10**9
        blocks.append(build.epb(data, interface=interface, ticks=ticks, length=length, flags=rng.getrandbits(32)))
    path = tmp_path_factory.mktemp("hostile") / "hostile.pcapng"
    path.write_bytes(build.pcapng(*blocks))
    return path


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More frames than three batches hold; the first and the last have words that no other has."""
    frame = build.Record(build.ethernet(build.ipv4(build.tcp(check=0))), 10**18)
    content = build.pcap([frame])
    first = build.pcap([frame._replace(data=build.ethernet(bytes(28), build.ARP))])[24:]
    last = build.pcap([frame._replace(data=build.ethernet(build.ipv6(build.udp(), build.UDP), build.IPV6))])[24:]
    path = tmp_path_factory.mktemp("long") / "long.pcap"
    path.write_bytes(content[:24] + first + 3 * EXPORT_BATCH_FRAMES * content[24:] + last)
    return path


# What the tables of counters need besides the capture.
HOST = "10.0.0.1"  # has sent the first frame
SNAPSHOTS = SAMPLES / "handshake" / "client" / "counters.jsonl"
LISTED = Path(__file__).parent / "listed.txt"
BESIDE: dict[str, tuple[str | Path, ...]] = {
    **dict.fromkeys(("counters", "increments"), ("--host", HOST, "--snapshots", SNAPSHOTS)),
    "sockets": ("--sockets", LISTED),
    "hosts": ("--host", HOST),
}


def beside(table: str) -> dict[str, list[Any]]:
    """The same for analyze()."""
    if table == "sockets":
        return {"sockets": [LISTED]}
    if table == "hosts":
        return {"hosts": [HOST]}
    return {"hosts": [HOST], "snapshots": [SNAPSHOTS]} if table in BESIDE else {}


# Values


@cache
def analysed(path: Path, beside_what: str) -> Analysis:
    """Analysed once for all tables and formats, with what is beside the capture for a table (empty: nothing)."""
    return analyze(path, **beside(beside_what))


@cache
def expected_of(path: Path, table: str, beside_what: str) -> Table:
    """What the file must hold, whatever its format."""
    return expected_table(frame_of(analysed(path, beside_what), table))


SAMPLES_READ = ("handshake/client", "tunnel-vxlan/server", "clean-ipv6/client", "snaplen/server")
WITHOUT_ROWS = {
    *(("not_checked", sample) for sample in SAMPLES_READ),  # bundles hold all that rules need
    ("events", "clean-ipv6/client"),
    ("flow_events", "clean-ipv6/client"),
    ("capture_facts", "clean-ipv6/client"),
    ("capture_facts", "handshake/client"),
    ("capture_facts", "tunnel-vxlan/server"),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("table", WHOLE)
@for_each("sample", SAMPLES_READ)
def test_every_value_of_the_samples(sample: str, table: str, kind: str, tmp_path: Path) -> None:
    """The file holds what the DataFrame holds, in the same order, but for intervals: they come when they are certain."""
    output = tmp_path / f"out.{kind}"
    beside_what = table if table == "sockets" else ""
    assert run(SAMPLES / sample, "--table", table, *BESIDE.get(beside_what, ()), "-o", output) == 0
    expected = expected_of(SAMPLES / sample, table, beside_what)
    nothing = len(expected[1]) == 0
    assert nothing == ((table, sample) in WITHOUT_ROWS)
    # Lines of JSON have no names where there are none of them.
    names, rows = READERS[kind](output.read_bytes())
    if table == "series":
        rows.sort(key=lambda row: row[:2])
    assert (names, rows) == (([], []) if nothing and kind == "jsonl" else expected)


LEAST_ROWS = {"capture_facts": 2, "events": 50, "flow_events": 10, "findings": 5, "not_checked": 10}
SUMMED_UP = ("capture_facts", "flow_events", "findings", "not_checked")  # not a row for each frame


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("table", OF_ANY_TIME)
def test_every_value_of_hostile_frames(table: str, kind: str, hostile: Path, tmp_path: Path) -> None:
    """Nanoseconds at the ends of int64, lengths at the end of uint32, all words."""
    output = tmp_path / f"out.{kind}"
    assert run(hostile, "--table", table, *BESIDE.get(table, ()), "-o", output) == 0
    # Both tables of counters have the same beside them.
    names, rows = expected_of(hostile, table, {"increments": "counters"}.get(table, table if table in BESIDE else ""))
    assert READERS[kind](output.read_bytes()) == (names, rows)
    if table in BESIDE:  # the frames are of other hosts and other times
        return
    assert len(rows) > LEAST_ROWS.get(table, 100)
    found = {value for row in rows for value in row if isinstance(value, int)}
    assert {2**63 - 1, -(2**63)} <= found or table in SUMMED_UP
    if table == "packets":
        assert {2**53 + 1, -(2**53) - 1, 2**32 - 1} <= found


EVENTS_OF_THE_SAMPLE = {  # frame, event, cause: what a reader finds in the file, byte by byte
    "csv": b"frame,time_ns,flow,direction,event,cause,related_frame,value,since_ns\n",
    "jsonl": b'{"frame":',
    "parquet": b"PAR1",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_events(kind: str, tmp_path: Path) -> None:
    """The refused connection of the sample: one row with its words, times and frames."""
    output = tmp_path / f"out.{kind}"
    assert run(SAMPLE, "--table", "events", "-o", output) == 0
    content = output.read_bytes()
    assert content.startswith(EVENTS_OF_THE_SAMPLE[kind])
    names, rows = READERS[kind](content)
    assert names == list(EVENTS.empty().columns)
    (row,) = [dict(zip(names, row, strict=True)) for row in rows if row[names.index("event")] == "refused"]
    packets, flows = analyze(SAMPLE).packets, analyze(SAMPLE).flows
    reset = packets[packets["frame"] == row["frame"]].iloc[0]
    syn = packets[packets["flow"] == row["flow"]].iloc[0]
    assert (reset["flags"], reset["events"], row["direction"]) == (0x14, "refused", 1)
    assert (row["time_ns"], row["flow"], row["cause"]) == (reset["time_ns"], reset["flow"], "")
    assert row["value"] == reset["time_ns"] - syn["time_ns"] > 0
    assert flows["state"][row["flow"]] == "refused"


@pytest.mark.parametrize("kind", FORMATS)
def test_many_batches(kind: str, long: Path, tmp_path: Path) -> None:
    """One header, every frame once, in order; words that only one batch has."""
    output = tmp_path / f"out.{kind}"
    assert run(long, "--table", "packets", "-o", output) == 0
    names, rows = READERS[kind](output.read_bytes())
    assert names == list(PACKETS.empty().columns)
    assert [row[0] for row in rows] == [*range(1, 3 * EXPORT_BATCH_FRAMES + 3)]
    layers, src = names.index("layers"), names.index("src")
    assert [row[layers] for row in (rows[0], rows[1], rows[-2], rows[-1])] == [
        "ethernet arp", *["ethernet ipv4 tcp"] * 2, "ethernet ipv6 udp"
    ]  # fmt: skip
    assert [row[src] for row in (rows[0], rows[1], rows[-1])] == ["", "192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize("table", WHOLE)
def test_types_in_parquet(table: str, tmp_path: Path) -> None:
    """The declared widths; text where the table says words or text. For an empty capture too."""
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(build.pcap([]))
    expected = [
        (column.name, DUCKDB_TYPES.get(column.dtype, "") if column.kind in ("value", "optional") else "VARCHAR")
        for column in TABLES[table].columns
        if column.public
    ]
    for source in (SAMPLE, empty):
        output = tmp_path / "out.parquet"
        assert run(source, "--table", table, *BESIDE.get(table, ()), "-o", output) == 0
        with duckdb.connect() as connection:
            described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(output)]).fetchall()
        assert [column[:2] for column in described] == expected


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("table", WHOLE)
def test_an_empty_capture(table: str, kind: str, tmp_path: Path) -> None:
    """A header and no rows; JSON Lines has no header."""
    empty, output = tmp_path / "empty.pcap", tmp_path / f"out.{kind}"
    empty.write_bytes(build.pcap([]))
    assert run(empty, "--table", table, *BESIDE.get(table, ()), "-o", output) == 0
    names, rows = READERS[kind](output.read_bytes())
    if table == "sockets":  # the list is there without a single frame
        assert [row[names.index("flow")] for row in rows] == [-1] * 4
        return
    if table == "not_checked":  # what rules lack is missing without a single frame, too
        assert any("sockets" in row[1] for row in rows)
        return
    if table == "hosts":  # the one that was named is known without a single frame
        assert [row[:3] for row in rows] == [(HOST, HOST, "")]
        return
    if table == "counters":  # what the kernel counted is there without a single frame
        assert {row[names.index("predicted")] for row in rows} == {0}
        return
    assert rows == []
    assert names == ([] if kind == "jsonl" else list(TABLES[table].empty().columns))


# Formats and names

ENDINGS = {
    "a.csv": "csv",
    "a.CSV": "csv",
    "a.b.jsonl": "jsonl",
    "a.json": "jsonl",
    "a.ndjson": "jsonl",
    "a.parquet": "parquet",
    "a.pq": "parquet",
    "dir.csv/a.parquet": "parquet",
    "-": "csv",
}


@pytest.mark.parametrize("output", ENDINGS)
def test_the_ending_tells_the_format(output: str) -> None:
    """Unless it is said."""
    assert format_of(output, None) == ENDINGS[output]
    assert [format_of(output, kind) for kind in FORMATS] == list(FORMATS)


@pytest.mark.parametrize("output", ["a", "a.txt", "a.xlsx", ".csv", "csv", "a.csv.gz", "a.", "dir.csv/a"])
def test_an_ending_that_tells_nothing(output: str) -> None:
    """Is an error that names the ways out; a format that is said is enough."""
    with pytest.raises(UsageError) as error:
        format_of(output, None)
    assert error.value.where == output
    assert "--format" in error.value.todo
    assert format_of(output, "jsonl") == "jsonl"


def test_an_unknown_ending_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 before anything is read."""
    assert run(SAMPLE, "--table", "flows", "-o", tmp_path / "out.xlsx") == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err.startswith(f"tcpcap: {tmp_path}/out.xlsx: ")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_wins_over_the_ending(kind: str, tmp_path: Path) -> None:
    """--format csv into a file named .parquet."""
    output = tmp_path / "out.txt"
    assert run(SAMPLE, "--table", "flows", "-o", output, "--format", kind) == 0
    assert READERS[kind](output.read_bytes()) == expected_table(analyze(SAMPLE).flows)


@pytest.mark.parametrize("kind", FORMATS)
def test_standard_output(kind: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The same bytes as in a file; nothing else."""
    assert run(SAMPLE, "--table", "packets", "--format", kind, "-o", "-") == 0
    out, err = capfdbinary.readouterr()
    assert READERS[kind](out) == expected_table(analyze(SAMPLE).packets)
    assert err == b""


def test_csv_to_standard_output_by_default(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without -o and --format."""
    assert run(SAMPLE, "--table", "flows") == 0
    assert read_csv(capfdbinary.readouterr().out) == expected_table(analyze(SAMPLE).flows)


@pytest.mark.parametrize(
    "words",
    [
        ("export", SAMPLE, "--table", "packets"),
        ("export", SAMPLE, "--table", "events", "--frames", "1-9"),
        ("sql", SAMPLE, "SELECT frame FROM packets ORDER BY frame"),
    ],
    ids=["packets", "part", "sql"],
)
def test_so_many_rows(words: tuple[str | Path, ...], tmp_path: Path) -> None:
    """`--limit` holds for what is written, too: the first rows, or all where there are fewer."""
    target, found = tmp_path / "rows.csv", {}
    for limit in ("1", "2", "1000"):
        assert status_of(*words, "-o", target, "--limit", limit) == 0
        found[limit] = target.read_text().splitlines()
    assert len(found["1"]) == min(2, len(found["1000"]))
    assert found["2"] == found["1000"][:3] and found["2"][:2] == found["1"]


# Where it is written


def test_a_file_appears_with_usual_permissions(tmp_path: Path) -> None:
    """Those that the umask leaves, and no other file beside it."""
    mask = os.umask(0o027)
    try:
        assert run(SAMPLE, "--table", "flows", "-o", tmp_path / "out.csv") == 0
    finally:
        os.umask(mask)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o640


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    """By a complete one."""
    output = tmp_path / "out.csv"
    output.write_text("older")
    assert run(SAMPLE, "--table", "flows", "-o", output) == 0
    assert read_csv(output.read_bytes()) == expected_table(analyze(SAMPLE).flows)


def test_a_link_keeps_pointing_to_its_target(tmp_path: Path) -> None:
    """The target is written."""
    link, target = tmp_path / "link.csv", tmp_path / "target.csv"
    target.write_text("older")
    link.symlink_to(target)
    assert run(SAMPLE, "--table", "flows", "-o", link) == 0
    assert link.is_symlink()
    assert read_csv(target.read_bytes()) == expected_table(analyze(SAMPLE).flows)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_named_pipe_is_written_not_replaced(kind: str, tmp_path: Path) -> None:
    """Whoever reads it gets the table."""
    fifo, got = tmp_path / f"fifo.{kind}", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    assert run(SAMPLE, "--table", "flows", "-o", fifo) == 0
    reader.join(TIMEOUT_S)
    assert fifo.is_fifo()
    assert READERS[kind](got[0]) == expected_table(analyze(SAMPLE).flows)


def test_the_device_of_standard_output(tmp_path: Path) -> None:
    """/dev/stdout is a name like any other."""
    if not Path("/dev/stdout").exists():
        pytest.skip("there is no /dev/stdout")
    arguments = [str(SAMPLE), "--table", "flows", "--format", "csv", "-o", "/dev/stdout"]
    done = subprocess.run([*COMMAND, "export", *arguments], capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert read_csv(done.stdout) == expected_table(analyze(SAMPLE).flows)


def test_a_folder_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and the folder is as before."""
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert run(SAMPLE, "--table", "flows", "-o", folder) == 2
    assert "Is a directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("content", [None, b"", b"a text file, no capture"], ids=["missing", "empty", "text"])
@for_each("table", WHOLE)
def test_an_unreadable_input_leaves_nothing(content: bytes | None, table: str, kind: str, tmp_path: Path) -> None:
    """No file, no temporary file; what was there before stays."""
    source, before = tmp_path / "in.pcap", tmp_path / f"before.{kind}"
    if content is not None:
        source.write_bytes(content)
    before.write_text("before")
    listing = sorted(tmp_path.iterdir())
    assert run(source, "--table", table, *BESIDE.get(table, ()), "-o", tmp_path / f"out.{kind}") == 2
    assert run(source, "--table", table, *BESIDE.get(table, ()), "-o", before) == 2
    assert sorted(tmp_path.iterdir()) == listing
    assert before.read_text() == "before"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_input_gives_what_was_read(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is there, status 3, the damage on standard error."""
    source, output = tmp_path / "cut.pcap", tmp_path / f"out.{kind}"
    source.write_bytes(SAMPLE.read_bytes()[:5000])
    assert run(source, "--table", "packets", "-o", output) == 3
    names, rows = READERS[kind](output.read_bytes())
    assert [row[names.index("frame")] for row in rows] == [*range(1, 32)]
    assert capsys.readouterr().err.startswith(f"tcpcap: {source}: byte 4,")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_failure_in_the_middle_leaves_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the file nor anything temporary, there or in the folder for such things."""
    scratch, there = tmp_path / "scratch", tmp_path / "there"
    scratch.mkdir()
    there.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def frames() -> Any:
        yield analyze(SAMPLE).packets
        assert list(there.iterdir()) != []
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        export(frames(), str(there / f"out.{kind}"), kind, ())
    assert list(there.iterdir()) == list(scratch.iterdir()) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_for_temporary_files_with_a_quote(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name stands in SQL; nothing stays in it."""
    scratch = tmp_path / 'it\'s; -- "here" 表'
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert run(SAMPLE, "--table", "flows", "-o", tmp_path / f"it's.{kind}") == 0
    assert READERS[kind]((tmp_path / f"it's.{kind}").read_bytes()) == expected_table(analyze(SAMPLE).flows)
    assert list(scratch.iterdir()) == []


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in the middle leaves nothing, here or there."""
    scratch, fifo, output = tmp_path / "scratch", tmp_path / "fifo", tmp_path / "out.csv"
    scratch.mkdir()
    os.mkfifo(fifo)
    with interrupts_on():
        process = subprocess.Popen(
            [*COMMAND, "export", str(fifo), "--table", "packets", "-o", str(output)],
            env=os.environ | {"TMPDIR": str(scratch)},
            stderr=subprocess.PIPE,
            text=True,
        )
    with fifo.open("wb"):  # returns when the command has opened the other end
        time.sleep(0.2)
        assert len([*tmp_path.iterdir(), *scratch.iterdir()]) == 4  # two folders' worth of temporary things
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert sorted(tmp_path.iterdir()) == [fifo, scratch]
    assert list(scratch.iterdir()) == []


# Size


def test_csv_begins_before_the_input_ends(long: Path) -> None:
    """A live capture's table can be followed."""
    content = long.read_bytes()
    pieces = 9_000_000 // len(content) + 1  # more than is looked at at once
    process = subprocess.Popen(
        [*COMMAND, "export", "-", "--table", "packets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr
    more = threading.Event()
    lines: list[bytes] = []

    def feed() -> None:
        assert process.stdin
        process.stdin.write(content[:24] + pieces * content[24:])
        process.stdin.flush()
        more.wait(TIMEOUT_S)
        process.stdin.write(content[24:])
        process.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    lines = [process.stdout.readline() for _ in range(1000)]
    assert not more.is_set()
    assert feeder.is_alive(), "all was fed before anything came out"
    more.set()
    with process.stdout, process.stderr:
        rest = process.stdout.read()
    feeder.join(TIMEOUT_S)
    assert process.wait(TIMEOUT_S) == 0
    assert lines[0].startswith(b"frame,time_ns,interface,")
    assert lines[1].startswith(b"1,1000000000000000000,0,")
    assert 1000 + rest.count(b"\n") == 1 + (pieces + 1) * (3 * EXPORT_BATCH_FRAMES + 2)


PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_capture(kind: str, tmp_path: Path) -> None:
    """200 MB, in less than 500 MB of which most is the libraries."""
    frame = build.ethernet(build.ipv4(build.tcp(bytes(8000), check=0)))
    records = build.pcap([build.Record(frame, 10**18 + number) for number in range(1000)])
    source, output = tmp_path / "large.pcap", tmp_path / f"out.{kind}"
    with source.open("wb") as file:
        file.write(records[:24])
        for _ in range(25):
            file.write(records[24:])
    assert source.stat().st_size > 200_000_000
    command = [*COMMAND, "export", str(source), "--table", "packets", "-o", str(output)]
    # Between this process and the command stands a small one: a peak of memory is inherited.
    done = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True, check=True)
    peak = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert 50_000_000 < peak < 500_000_000
    if kind == "csv":
        with output.open("rb") as file:
            assert sum(1 for _ in file) == 25_001
    else:
        with duckdb.connect() as connection:
            counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(output)]).fetchone()
        assert counted == (25_000,)


# Counters


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--table", "counters"], "no snapshots of counters"),
        (["--table", "increments"], "name one of its addresses with --host"),
        (["--table", "counters", "--snapshots", SNAPSHOTS], "name one of its addresses with --host"),
    ],
)
def test_counters_need_a_host(
    arguments: list[str | Path], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody knows whose counters these are, or there are none, a line says what to do."""
    output = tmp_path / "out.csv"
    assert run(SAMPLES / "middlebox-port" / "client" / "capture.pcap", *arguments, "-o", output) == 2
    assert why in capsys.readouterr().err
    assert not output.exists()


def test_increments_sum_up_to_counters() -> None:
    """Interval by interval, as far as it is the frames that count."""
    analysis = analyze(SAMPLES / "loss-ipv4" / "client")
    increments = analysis.increments
    for row in analysis.counters.itertuples():
        if row.relation != "unobservable":
            inside = increments[
                (increments["counter"] == row.counter)
                & (increments["time_ns"] > row.start_ns)
                & (increments["time_ns"] <= row.end_ns)
            ]
            assert inside["amount"].sum() == row.predicted, row.counter
    assert (analysis.counters["relation"] == "exact").sum() > 20


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 10 kB."""
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    try:
        (folder / "fill").write_bytes(bytes(54_000))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_no_room_to_prepare(
    kind: str, full_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where TMPDIR is full it is that which is said, whatever DuckDB calls it, in one line; and nothing is left."""
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    bundle = SAMPLES / "clean-ipv6" / "client"
    ran = run_here("export", bundle, "--table", "packets", "-o", tmp_path / f"x.{kind}", capsys=capsys)
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert f"no room to prepare it in {full_disk} (No space left on device); make room, or set TMPDIR" in ran.err
    assert [file.name for file in full_disk.iterdir()] == ["fill"]
    assert not (tmp_path / f"x.{kind}").exists()


def test_what_is_made_of_a_private_capture_is_private(tmp_path: Path) -> None:
    """A new file may be read by those who may read all that it was made of; one that is replaced stays as it was."""
    bundle = Path(shutil.copytree(SAMPLES / "handshake" / "client", tmp_path / "bundle"))
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.touch(0o644)
    (bundle / "capture.pcap").chmod(0o640)
    (bundle / "counters.jsonl").chmod(0o604)
    for file in (old, new):
        assert status_of("export", bundle, "--table", "flows", "-o", file) == 0
    assert [file.stat().st_mode & 0o777 for file in (old, new)] == [0o644, 0o600]
