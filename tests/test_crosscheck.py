"""Second opinions: agreement where there is one, who is right where there is none, and one frame whole."""

from __future__ import annotations

import asyncio
import functools
import json
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.choose import EVERYTHING, choice_of
from analyzer.cli import cli
from analyzer.crosscheck import compare, crosscheck, dissection
from analyzer.crosscheck.compare import Crosscheck
from analyzer.crosscheck.differences import Difference
from analyzer.crosscheck.programs import library, tshark_version
from analyzer.crosscheck.sums import proved
from analyzer.crosscheck.text import crosscheck_lines, frame_lines
from analyzer.crosscheck.tshark import Said, said_of
from analyzer.errors import UsageError
from tests import build
from tests.command import run_here
from tests.helpers import SAMPLES, fitting
from tests.tshark import needs_tshark

LOSS = SAMPLES / "loss-ipv4" / "client" / "capture.pcap"


def text_of(found: Crosscheck) -> str:
    """The answer, folded lines put together again."""
    return " ".join(fitting("\n".join(crosscheck_lines(found)) + "\n").split())


# Agreement


@needs_tshark
@pytest.mark.parametrize(
    "name", ["loss-ipv4/client", "corrupt-ipv4/server", "tunnel-vxlan/client", "clean-ipv6/client"]
)
def test_all_agree_on_samples(name: str) -> None:
    """Every frame: labels, checksums, streams, headers."""
    found = crosscheck(str(SAMPLES / name / "capture.pcap"))
    assert (found.differences, found.unexplained) == ([], 0)
    assert found.compared["checksums"] == found.frames > 50
    assert found.grouped == found.streams > 50
    assert found.compared["headers"] + found.left_out["frames with tunnels (dpkt)"] == found.frames
    assert "say the same." in text_of(found)


@needs_tshark
def test_a_known_reason_is_given(tmp_path: Path) -> None:
    """tshark takes the frame's end for the end of a packet that is said to be longer."""
    packet = build.ipv4(build.tcp(b"abcd"), total_length=100)
    (tmp_path / "odd.pcap").write_bytes(build.pcap([build.Record(build.ethernet(packet))]))
    found = crosscheck(str(tmp_path / "odd.pcap"))
    (difference,) = found.differences
    assert (difference.what, difference.ours, found.unexplained) == ("checksum", "unverifiable", 0)
    assert "agree, but for 1 difference whose reason is known" in text_of(found)
    assert "said to be longer than its frame" in text_of(found)


@needs_tshark
def test_a_capture_cut_short_is_compared_up_to_there(tmp_path: Path) -> None:
    """Both stop at the same place."""
    (tmp_path / "cut.pcap").write_bytes(LOSS.read_bytes()[:-500])
    found = crosscheck(str(tmp_path / "cut.pcap"))
    assert found.differences == [] and found.frames > 200


# Differences


@functools.cache
def said_of_loss() -> list[Said]:
    """What tshark says of a sample, asked once."""
    return list(said_of(str(LOSS)))


def altered(monkeypatch: pytest.MonkeyPatch, changes: dict[int, dict[str, Any]]) -> Crosscheck:
    """What is found where tshark says something else of these frames."""

    def said(path: str) -> Iterator[Said]:
        for each in said_of_loss():
            yield each._replace(**changes.get(each.frame, {}))

    monkeypatch.setattr(compare, "said_of", said)
    return crosscheck(str(LOSS))


@needs_tshark
def test_another_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """The column says what Wireshark says, so that Wireshark is right."""
    found = altered(monkeypatch, {20: {"labels": frozenset({"window_full"})}})
    (difference,) = found.differences
    assert (difference.frame, difference.what, difference.theirs) == (20, "wireshark", "window_full")
    assert difference.right == f"tshark {tshark_version()}" and found.unexplained == 1
    assert "differ 1 time without a known reason" in text_of(found)


@needs_tshark
def test_another_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Summed up once more: that decides."""
    wrong = said_of_loss()[19].checksums | {"tcp.checksum.status": ["0"], "ip.checksum.status": ["0"]}
    found = altered(monkeypatch, {20: {"checksums": wrong}})
    assert [(each.what, each.ours, each.theirs, each.right) for each in found.differences] == [
        ("ip_header_checksum", "valid", "bad", "tcpcap"),
        ("checksum", "valid", "bad", "tcpcap"),
    ]
    assert all("add up to 0xffff" in each.reason for each in found.differences) and found.unexplained == 0


@needs_tshark
def test_another_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that tshark puts into a connection of its own: proved wrong where it is no SYN."""
    found = altered(monkeypatch, {20: {"stream": 99}})
    (difference,) = found.differences
    assert (difference.what, difference.ours, difference.theirs) == ("flow", "flow 0", "stream 99")
    assert (difference.right, found.unexplained) == ("tcpcap", 0)
    assert difference.reason == "stream 99 begins at frame 20 without a SYN, amid the connection"
    assert (found.grouped, found.streams) == (found.frames - 1, found.frames)


@needs_tshark
@pytest.mark.parametrize(
    ("streams", "unexplained"),
    [
        ({1: 99}, 1),  # a connection may begin there
        ({1: 99, 20: 98}, 1),  # what proves the one wrong is no proof against the other
        ({1: 99, 2: 99, 3: 99}, 0),  # that most of the connection begins without a SYN is one
    ],
)
def test_a_proof_is_about_its_stream(
    streams: dict[int, int], unexplained: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two streams of a connection the later must begin amid it."""
    found = altered(monkeypatch, {frame: {"stream": stream} for frame, stream in streams.items()})
    assert found.unexplained == unexplained
    assert len(found.differences) == len(set(streams.values()))


@needs_tshark
def test_another_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes say who is right: here it is dpkt, since our row was spoilt."""
    rows_of = compare.table_rows

    def spoilt(paths: list[str], table: str) -> Iterator[Any]:
        for rows in rows_of(paths, table):
            rows["window"][rows["frame"] == 7] += 1
            yield rows

    monkeypatch.setattr(compare, "table_rows", spoilt)
    found = crosscheck(str(LOSS))
    (difference,) = found.differences
    assert (difference.frame, difference.what) == (7, "window") and difference.right.startswith("dpkt ")
    assert difference.reason == f"bytes 48 to 49 of the frame hold {difference.theirs}"
    assert found.unexplained == 1
    assert "differ 1 time without a known reason" in text_of(found)


@needs_tshark
def test_frames_that_tshark_numbers_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that tshark counts as a frame is passed over."""

    def said(path: str) -> Iterator[Said]:
        for each in said_of(path):
            if each.frame == 5:
                yield each._replace(captured=3)
            yield each

    monkeypatch.setattr(compare, "said_of", said)
    assert crosscheck(str(LOSS)).differences == []


SEGMENTS = {
    "tcp4": build.ipv4(build.tcp(b"odd")),
    "tcp6": build.ipv6(build.tcp(b"even", between=(build.SRC6, build.DST6))),
    "udp4": build.ipv4(build.udp(b"abc"), build.UDP),
    "icmp": build.ipv4(build.icmp(b"ping"), build.ICMP),
}


@pytest.mark.parametrize("name", SEGMENTS)
@pytest.mark.parametrize("spoil", [False, True])
def test_a_sum_proves(name: str, spoil: bool, tmp_path: Path) -> None:
    """Right checksums add up; one changed bit is seen."""
    content = SEGMENTS[name]
    data = build.ethernet(content, build.IPV6 if name == "tcp6" else build.IPV4)
    data = data[:-1] + bytes([data[-1] ^ spoil])
    (tmp_path / "a.pcap").write_bytes(build.pcap([build.Record(data)]))
    (rows,) = compare.table_rows([str(tmp_path / "a.pcap")], "packets")
    (row,) = compare._plain(rows)
    word, proof = proved(row, data, header=False)
    assert word == ("wrong" if spoil else "valid") == {"bad": "wrong"}.get(row["checksum"], row["checksum"])
    assert ("add up to 0xffff" in proof) != spoil
    assert proved(row, data, header=True)[0] == ("" if name == "tcp6" else "valid")


# What is not installed


def test_without_tshark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the next step."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match="tshark: not installed; install it"):
        tshark_version()


def test_without_dpkt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the next step."""
    monkeypatch.setitem(sys.modules, "dpkt", None)
    with pytest.raises(UsageError, match=r"dpkt: not installed; pip install 'tcpcap\[crosscheck\]'"):
        library("dpkt")


# One frame, and the commands


def test_a_frame_with_its_events() -> None:
    """The row but for what is empty, in the words of the field; each event with what it means."""
    text = fitting("\n".join(frame_lines([str(SAMPLES / "zero-window" / "client")], 9)) + "\n")
    told = " ".join(text.split())
    assert "flags 0x010 ACK" in told and "src_port 80" in told and "window 0" not in told
    assert "zero_window The receiver closes its window" in told
    assert "zero_window_end on frame 13, about this one, 1.26 s it was closed" in told
    assert "dsack (old), related to frame 8, 1,448 bytes" in told


@needs_tshark
def test_what_is_chosen_is_compared_as_it_stands_in_the_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels hang on what was before: a retransmission among the chosen frames is one for both."""
    monkeypatch.setattr(compare, "said_of", lambda _: (said for said in said_of_loss()))
    labelled = [said.frame for said in said_of_loss() if said.labels][:2]
    found = crosscheck(str(LOSS), choice_of(frames=f"{labelled[0]},{labelled[1]}-"))
    assert found.frames == found.compared["labels"] == 2 + len(said_of_loss()) - labelled[1]
    assert (found.differences, found.streams) == ([], found.frames)
    assert f"(frames {labelled[0]},{labelled[1]}-); compared were" in text_of(found)
    (told,) = json.loads(run_here("crosscheck", LOSS, "--filter", "src port 80", "--json", capsys=capsys).out)
    assert told["asked"] == "filter src port 80" and 0 < told["frames"] < len(said_of_loss())
    with pytest.raises(UsageError, match="no flow 99"):
        crosscheck(str(LOSS), choice_of(flow=99))


def test_so_many_differences_as_json() -> None:
    """All are counted."""
    found = Crosscheck("x")
    for number in range(1, 4):
        found.note(Difference(number, "seq", "1", "2", "dpkt", "", "", False))
    assert [len(found.as_dict(top)["differences"]) for top in (None, 2, 0)] == [3, 2, 0]
    assert found.as_dict(0)["differing"] == {"seq": 3}


def test_a_frame_of_what_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """Its events follow from that part alone; what is not in it is said to be left out."""
    whole, alone = (
        "\n".join(frame_lines([str(LOSS)], 73, choice=choice)) for choice in (EVERYTHING, choice_of(frames="73"))
    )
    assert "retransmission (" in whole and "no events" in alone
    done = run_here("show", LOSS, "20", "--no-wireshark", "--frames", "1-5", capsys=capsys)
    assert done.status == 2 and "no frame 20 among those that were asked for (frames 1-5)" in done.err


def test_no_such_frame() -> None:
    """How many there are is said."""
    with pytest.raises(UsageError, match="no frame 999; the capture has 216 frames"):
        list(frame_lines([str(LOSS)], 999))


@needs_tshark
def test_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Wireshark's view below ours, as its tree; JSON; exit status 0 where all agree."""
    shown = run_here("show", LOSS, "20", capsys=capsys)
    assert (shown.status, shown.err) == (0, "")
    command = ["tshark", "-r", str(LOSS), "-c", "20", "-Y", "frame.number == 20", "-n", "-V"]
    tree = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = [
        line.replace("    ", "  ") for line in tree[tree.index(next(each for each in tree if each[:8] == "Ethernet")) :]
    ]
    told = shown.out.partition("\nWireshark\n")[2].splitlines()
    assert [depth(line) for line in told] == [depth(line) + 2 for line in wanted if line]
    assert "      Kind: Time Stamp Option (8)" not in told
    assert "        Kind: Time Stamp Option (8)" in told
    assert "Wireshark" not in run_here("show", LOSS, "5", "--no-wireshark", capsys=capsys).out
    found = run_here("crosscheck", LOSS, "--json", capsys=capsys)
    assert found.status == 0
    assert json.loads(found.out)[0]["compared"] == {"labels": 216, "checksums": 216, "headers": 216}


def depth(line: str) -> int:
    """By how much it is indented."""
    return len(line) - len(line.lstrip(" "))


@needs_tshark
def test_a_settings_file_of_this_folder_names_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyshark would run what a config.ini beside the capture calls tshark."""
    import pyshark

    program, ran = tmp_path / "tshark", tmp_path / "ran"
    program.write_text(f"#!/bin/sh\necho > {ran}\n")
    program.chmod(0o755)
    (tmp_path / "config.ini").write_text(f"[tshark]\ntshark_path = {program}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pyshark.config, "fp_config_path", tmp_path / "config.ini")
    assert "Ethernet II" in next(dissection(str(LOSS), 5))
    assert not ran.exists()


@needs_tshark
def test_wireshark_is_asked_apart_from_the_loop_of_the_caller() -> None:
    """Where one is running, as in Jupyter; and processes of asyncio are waited for as before."""

    async def told() -> tuple[str, int]:
        first = next(dissection(str(LOSS), 5))
        process = await asyncio.create_subprocess_exec("true")
        return first, await process.wait()

    for _ in range(2):
        first, status = asyncio.run(told())
        assert "Ethernet II" in first
        assert status == 0


@needs_tshark
def test_what_tshark_cannot_read_is_shown_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Our row stands, and why the rest is missing."""
    packed = tmp_path / "a.pcap.xz"
    packed.write_bytes(lzma.compress(LOSS.read_bytes()))
    shown = run_here("show", packed, "5", capsys=capsys)
    assert (shown.status, shown.err) == (0, "")
    assert "frame 5\n" in shown.out
    assert "without Wireshark's dissection: " in shown.out and "tshark cannot read it" in shown.out


@needs_tshark
def test_a_capture_cut_short_is_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the place, on standard error."""
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(LOSS.read_bytes()[:-500])
    for words in (("show", cut, "5"), ("crosscheck", cut)):
        done = run_here(*words, capsys=capsys)
        assert (done.status, done.err.count("bytes lost")) == (3, 1), words


@pytest.mark.parametrize(
    "words", [("show", "PIPE", "5"), ("crosscheck", "PIPE"), ("show", "-", "5"), ("crosscheck", "-")]
)
def test_a_pipe_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    """Both read twice; nothing is opened, which would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=f"{words[0]}: a pipe can be read only once"):
        cli.main([str(tmp_path / "pipe") if word == "PIPE" else word for word in words], standalone_mode=False)
