"""`tcpcap notebook`: what it writes is a notebook, says what `analyze` says, runs in any folder, and takes no name for anything else."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.plot.picture import Picture
from analyzer.report.markdown import block, code, escaped, sentence
from analyzer.report.notebook import Request, notebook
from tests.command import run_here
from tests.notebooks import cells_of, ran

SAMPLES = Path(__file__).parent.parent / "samples"
BUNDLE = SAMPLES / "zero-window-empty-queue" / "server"
HOSTILE = "it's \"`<img src=x onerror=alert(1)>`$x^2$ *\\\n# [x](y)\nimport os {a} \udcff"


@cache
def analysed() -> Analysis:
    """The bundle."""
    return analyze(BUNDLE)


@cache
def written() -> dict[str, Any]:
    """The notebook of it, as it is written."""
    return notebook(analysed(), Request())


def prose(book: dict[str, Any]) -> str:
    """Its Markdown."""
    return "\n\n".join(cells_of(book, "markdown"))


def test_what_is_written_is_a_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """nbformat 4.5: ids that differ, sources as lines, code without outputs; and the status is that of `analyze`."""
    target = tmp_path / "post-mortem.ipynb"
    assert run_here("notebook", BUNDLE, "-o", target, capsys=capsys) == (0, "", "")
    book = json.loads(target.read_text())
    assert book == written()
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert set(Counter(cell["id"] for cell in book["cells"]).values()) == {1}
    for cell in book["cells"]:
        fields = {"cell_type", "id", "metadata", "source"}
        assert set(cell) == fields | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert cell.get("outputs", []) == []
        assert "".join(cell["source"]).splitlines(keepends=True) == cell["source"]


def test_it_says_what_was_found() -> None:
    """The title names the worst finding; its sentence, its frames, counters, next steps, the time, and what was not checked."""
    finding = analysed().finding(1)
    text = prose(written())
    assert text.startswith(f"# Post-mortem: {finding.rule.title}\n")
    for said in (
        escaped(finding.summary),
        "frames 73, 122, 124, 126",
        "TcpExtTCPZeroWindowDrop +3",
        "## Where the time went",
        "## What was not checked",
    ):
        assert said in text
    assert [sentence(step) for step in finding.next if sentence(step) not in text] == []


def test_it_runs_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells show the frames that prove it, the picture, events, counters and sockets of the connection."""
    monkeypatch.chdir(tmp_path)
    names, shown = ran(written())
    assert names["packets"].index.tolist() == [73, 122, 124, 126]
    assert names["packets"]["window"].tolist() == [0, 63, 63, 63]
    assert set(names["of_flows"]["event"]) >= {"zero_window", "window_shrunk", "retransmission"}
    assert names["moved"].groupby("counter")["observed"].sum()["TcpExtTCPZeroWindowDrop"] == 3
    assert names["its"]["recv_q"].tolist() == [0, 0]
    assert names["time"]["share"].iloc[0] == "90.5 %"
    pictures = [each for each in shown if isinstance(each, Picture)]
    assert [picture.title for picture in pictures] == ["10.0.0.1:40001 > 10.0.0.2:80 (flow 0)"]


def test_frames_are_the_rows_of_packets() -> None:
    """Of these frames only, in order, however they are named."""
    a = analysed()
    expected = a.packets[a.packets["frame"].isin([1, 73, 127])].reset_index(drop=True)
    pd.testing.assert_frame_equal(expected, a.frames([127, 1, 73, 73]), check_categorical=False)
    assert len(a.frames([])) == 0
    assert len(a.frames([128])) == 0


def test_options_are_those_of_analyze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture with its counters and sockets beside it, named from its own folder, is analysed in the same way from another one."""
    monkeypatch.chdir(BUNDLE)
    capture = tmp_path / "alone.pcap"
    shutil.copy("capture.pcap", capture)
    request = Request(("counters.jsonl",), ("sockets.jsonl",), ("10.0.0.2",), False, (str(tmp_path),))
    a = analyze(capture, snapshots=request.snapshots, sockets=request.sockets, hosts=request.hosts, increments=False)
    book = notebook(a, request)
    monkeypatch.chdir(tmp_path)
    names, _ = ran(book)
    assert names["a"].findings.equals(a.findings)
    assert names["its"]["recv_q"].tolist() == [0, 0]
    assert 'hosts=["10.0.0.2"], increments=False' in "".join(cells_of(book, "code"))


def test_a_name_stays_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes, backticks, line ends, HTML, mathematics, braces and bytes that are no UTF-8 in a file name: the same cells, which still find it."""
    folder = tmp_path / HOSTILE
    shutil.copytree(BUNDLE, folder)
    book = notebook(analyze(folder), Request())
    kinds = [cell["cell_type"] for cell in book["cells"]]
    assert kinds == [cell["cell_type"] for cell in written()["cells"]]
    text = prose(book)
    assert "<img" not in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in prose(written()).splitlines() if line.startswith("#")
    ]
    monkeypatch.chdir("/")
    names, _ = ran(json.loads(json.dumps(book)))
    assert names["paths"] == [str(folder)]
    assert len(names["packets"]) == 4


@pytest.mark.parametrize(
    ("function", "text", "expected"),
    [
        (escaped, "<b> & $x$", "&lt;b&gt; &amp; <span>&#36;</span>x<span>&#36;</span>"),
        (escaped, "a*b_c [d](e)\n", "a\\*b\\_c \\[d\\](e)\\\\x0a"),
        (escaped, "- a", "\\- a"),
        (escaped, "1. a", "1\\. a"),
        (escaped, "10.0.0.2 is", "10.0.0.2 is"),
        (sentence, "On it: `ss -tn | wc`, and *now*", "On it: `ss -tn | wc`, and \\*now\\*"),
        (sentence, "an odd ` one, <b>", "an odd \\` one, &lt;b&gt;"),
        (sentence, "``two``", "\\`\\`two\\`\\`"),
        (code, "a`b", "`` a`b ``"),
        (code, "syn-unanswered", "`syn-unanswered`"),
    ],
)
def test_text_stays_text(function: Any, text: str, expected: str) -> None:
    """In Markdown, and what a rule marks as code stays code."""
    assert function(text) == expected


def test_a_block_cannot_be_left() -> None:
    """By a line that looks like its end."""
    assert block(["a", "```", "b"]) == "````text\na\n```\nb\n````"


@pytest.mark.parametrize(("host", "listening"), [("server", [0, 2, 2, 2]), ("client", [])])
def test_listeners_are_those_of_the_host(host: str, listening: list[int]) -> None:
    """The accept queue is shown where the sockets are the server's; a listener of the client on the same port would be another one."""
    book = notebook(analyze(SAMPLES / "listen-overflows" / host), Request())
    names, _ = ran(book)
    its = names["its"]
    assert its.loc[its["state"] == "LISTEN", "recv_q"].tolist() == listening
    assert any("isin([80])" in text for text in cells_of(book, "code")) == bool(listening)


def test_nothing_wrong_is_said_so() -> None:
    """The title does not name a finding that is only worth knowing."""
    book = notebook(analyze(SAMPLES / "offload-card" / "client"), Request())
    assert prose(book).startswith(
        "# Post-mortem: nothing that needs action\n\nNothing wrong found in 2 TCP connections"
    )
    assert not any("a.plot" in text for text in cells_of(book, "code"))
    names, _ = ran(book)
    assert names["a"].diagnosis.worst == "info"


@pytest.mark.parametrize(
    ("link", "count", "said"),
    [(1, 0, "The capture holds no frame."), (147, 1, "No frame of this capture can be decoded")],
)
def test_nothing_wrong_is_not_said_of_what_cannot_be_read(link: int, count: int, said: str, tmp_path: Path) -> None:
    """A capture without frames, and one of a link layer that is not decoded."""
    path = tmp_path / "file.pcap"
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    path.write_bytes(header + count * (struct.pack("<IIII", 1, 0, 60, 60) + bytes(60)))
    book = notebook(analyze(path), Request())
    assert prose(book).startswith(f"# Post-mortem: nothing to be read\n\n{said}")
    names, _ = ran(book)
    assert names["a"].capture["frames"] == count


@pytest.mark.parametrize("name", ["capture.pcap", "counters.jsonl", "capture-2.pcap"])
def test_it_is_not_written_over_what_it_reads(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor into the bundle as a new part."""
    bundle = tmp_path / "bundle"
    shutil.copytree(BUNDLE, bundle)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    done = run_here("notebook", bundle, "-o", bundle / name, capsys=capsys)
    assert done.status == 2
    assert "a part of the bundle" in done.err
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_a_pipe_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it is read: no notebook could read it again, nor what is beside the capture."""
    target, pipe = tmp_path / "a.ipynb", tmp_path / "pipe"
    os.mkfifo(pipe)
    capture = tmp_path / "a.pcap"
    for words in (["-"], [capture, "--snapshots", pipe], [capture, "--sockets", pipe]):
        done = run_here("notebook", *words, "-o", target, capsys=capsys)
        assert done.status == 2
        assert "a pipe can be read only once" in done.err
        assert not target.exists()
