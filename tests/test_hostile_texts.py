"""Texts from outside that would control a terminal, a page or a spreadsheet: pushed into every place that has one, and looked for in every output."""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from pathlib import Path

import pytest

from analyzer.text import LONGEST, harmless, printable
from tests import build
from tests.command import Ran, run_here
from tests.house import PACKAGE, ROOT

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
BAD = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eleft\u2066</script><script>alert(1)</script>&amp;\r\n=HYPERLINK(1)`|"
LONG = BAD + "x" * 60_000
FORMULAS = ("=1+1", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\uff1d1")
SAMPLE = ROOT / "samples" / "reorder-duplicate" / "server"
ANSWERS = (
    ("analyze",),
    ("analyze", "--json"),
    ("flows",),
    ("flow", "0"),
    ("show", "3"),
    ("checksums",),
    ("sql", "SELECT * FROM counters ORDER BY counter"),
    ("sql", "SELECT * FROM hosts"),
    ("sql", "SELECT * FROM sockets", "--json"),
)
TABLES = ("hosts", "sockets", "counters", "capture_facts")


@functools.cache
def bundle(folder: Path) -> Path:
    """A recording whose every text was written by an enemy: comments, names, filters, hosts, settings, counters, processes."""
    text, process = BAD.encode(), BAD.replace("\r\n", "")
    frames = [
        build.ethernet(build.ipv4(build.tcp(data, flags=flags, seq=seq, ack=ack, src_port=one, dst_port=other), src=src, dst=dst))
        for data, flags, seq, ack, one, other, src, dst in (
            (b"", 2, 1000, 0, 40001, 80, "10.0.0.1", "10.0.0.2"),
            (b"", 18, 5000, 1001, 80, 40001, "10.0.0.2", "10.0.0.1"),
            (b"", 16, 1001, 5001, 40001, 80, "10.0.0.1", "10.0.0.2"),
            (b"\x1b[2J", 24, 1001, 5001, 40001, 80, "10.0.0.1", "10.0.0.2"),
        )
    ]  # fmt: skip
    start = 1_795_205_020_200_000_000
    capture = build.pcapng(
        build.shb(extra=build.options((1, text), (2, text), (3, text), (4, text))),
        build.idb(resolution=9, name=BAD, extra=[(1, text), (3, text), (11, b"\0" + text), (12, text)]),
        *(build.epb(frame, ticks=start + number * 1000, extra=[(1, text)]) for number, frame in enumerate(frames)),
    )
    (folder / "capture.pcapng").write_bytes(capture)
    host = json.loads((SAMPLE / "host.json").read_text())
    host |= {"hostname": LONG, "kernel": LONG, "recording": {"interface": BAD, "filter": BAD}}
    host["interfaces"][0] |= {"name": BAD, "offloads": {BAD: True}}
    host["sysctls"] |= {BAD: BAD}
    (folder / "host.json").write_text(json.dumps(host))
    snapshots = []
    for number, line in enumerate((SAMPLE / "counters.jsonl").read_text().splitlines()):
        snapshot = json.loads(line)
        snapshot["counters"] |= {BAD: 5 * number, f"TcpExt{LONG}": 7 * number, "=1+1": number, "": number}
        snapshots.append(json.dumps(snapshot))
    (folder / "counters.jsonl").write_text("\n".join(snapshots))
    sockets = "\n".join(
        f"{words} users:((\"{process}\",pid=1,fd=3))"
        for words in ("CLOSE-WAIT 5 0 10.0.0.1:80 10.0.0.2:4000", "LISTEN 9 5 0.0.0.0:80 0.0.0.0:*")
    )  # fmt: skip
    shown = {"time": 1795205020.2, "ss": f"{sockets}\n{LONG} 1 2\n"}
    (folder / "sockets.jsonl").write_text(json.dumps(shown))
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Under a name that is one, too."""
    folder = tmp_path_factory.mktemp("hostile") / "b\x1b[2J\u202e"
    folder.mkdir()
    return bundle(folder)


def check(ran: Ran) -> None:
    """Nothing controls the terminal, no text is endless, and no line begins as the enemy wants it to."""
    assert ran.status in (0, 3), ran.err
    for said in (ran.out, ran.err):
        assert not CONTROLS.search(said)
        assert not re.search(r"^=HYPERLINK", said, re.MULTILINE)
        assert "Traceback" not in said


@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_what_commands_print(hostile: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON."""
    ran = run_here(words[0], hostile, *words[1:], capsys=capsys)
    check(ran)
    if "--json" in words:
        json.loads(ran.out)
    else:
        assert len(ran.out) < 40_000


@pytest.mark.parametrize("table", TABLES)
def test_tables(hostile: Path, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON Lines are lines of JSON; safe CSV has no formula, and as many fields in each row."""
    lines = run_here("export", hostile, "--table", table, "--format", "jsonl", capsys=capsys)
    assert all(isinstance(json.loads(line), dict) for line in lines.out.splitlines())
    safe = run_here("export", hostile, "--table", table, "--safe-csv", capsys=capsys)
    rows = list(csv.reader(io.StringIO(safe.out, newline="")))
    assert len({len(row) for row in rows}) == 1
    assert not any(re.match(r"\s*[=+@]|\s*-(?!\d)", field) for row in rows for field in row)


def test_formulas_in_an_answer(hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In values and in names of columns; what is a number stays one, and other formats have nothing to be made safe."""
    values = ", ".join(f"('{text}')" for text in FORMULAS)
    question = f"SELECT t AS \"=name\", -5 AS n, 'plain' AS p FROM (VALUES {values}) v(t)"
    safe = run_here("sql", hostile, question, "--safe-csv", capsys=capsys)
    head, *rows = csv.reader(io.StringIO(safe.out, newline=""))
    assert head == ["'=name", "n", "p"]
    assert [row[0] for row in rows] == [f"'{text}" for text in FORMULAS]
    assert {tuple(row[1:]) for row in rows} == {("-5", "plain")}
    wrong = run_here("sql", hostile, question, "--safe-csv", "--format", "jsonl", capsys=capsys)
    assert wrong.status == 2
    assert "--safe-csv: a table in jsonl" in wrong.err


def test_page_and_notebook(hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Markup of an enemy is text there."""
    check(run_here("analyze", hostile, "--html", tmp_path / "page.html", capsys=capsys))
    page = (tmp_path / "page.html").read_text()
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert not CONTROLS.search(page)
    check(run_here("notebook", hostile, "-o", tmp_path / "notebook.ipynb", capsys=capsys))
    cells = json.loads((tmp_path / "notebook.ipynb").read_text())["cells"]
    told = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert not CONTROLS.search(told)
    assert "<script>alert" not in told.replace("\\<script", "")


def test_one_place() -> None:
    """Commands print through `say` alone, which leaves lines, tabs and colours; a text of a file is shown in part."""
    for file in (PACKAGE / "cli").glob("*.py"):
        assert file.read_text().count("click.echo(") == (2 if file.name == "base.py" else 0), (
            f"{file.name} prints past `say`"
        )
    assert (
        harmless("\x1b[1mbold\x1b[0m\n\ttab\x1b[2J\x9b\r\u202e\ud800")
        == "\x1b[1mbold\x1b[0m\n\ttab\\x1b[2J\\x9b\\x0d\\x202e\\xd800"
    )
    assert printable("a\x1b\u2066") == "a\\x1b\\x2066"
    assert printable("y" * 60_000) == "y" * LONGEST + "... (58,000 characters more)"
