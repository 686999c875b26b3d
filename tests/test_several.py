"""Several files: sets that a capture program rotated are one capture, of others it is said what was assumed; and hosts that are not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.capture.sets import is_set
from analyzer.errors import UsageError
from tests import build
from tests.command import run_here
from tests.helpers import SAMPLES

HOUR, START = 3600 * 10**9, 1_763_660_000 * 10**9
CLIENT, SERVER = SAMPLES / "loss-ipv4" / "client", SAMPLES / "loss-ipv4" / "server"


def file(path: Path, first_s: float, last_s: float, link: int = 1, source: str = build.SRC4) -> Path:
    """A capture of two frames."""
    packet = build.ipv4(build.udp(b"x" * len(path.name)), build.UDP, src=source)
    frame = build.ethernet(packet) if link == 1 else packet
    path.write_bytes(build.pcap([build.Record(frame, START + int(at * 1e9)) for at in (first_s, last_s)], link=link))
    return path


@pytest.mark.parametrize(
    ("names", "one"),
    [
        (["a.pcap", "a.pcap1", "a.pcap2"], True),  # tcpdump -C
        (["ring.pcap00", "ring.pcap01"], True),  # tcpdump -W
        (["t-2026-03-01-120000.pcap", "t-2026-03-01-130000.pcap"], True),  # tcpdump -G
        (["d_00001_20260301120000.pcapng", "d_00002_20260301120500.pcapng"], True),  # dumpcap
        (["w_20260301120000_00001.pcapng.gz", "w_20260301120500_00002.pcapng"], True),  # Wireshark 4.4
        (["client.pcap", "server.pcap"], False),
        (["a/x.pcap", "b/x.pcap"], False),
    ],
)
def test_names_of_sets(names: list[str], one: bool) -> None:
    assert is_set(names) == one


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("a.pcap", 0, 5), ("a.pcap1", 5, 9)], None),
        ([("a.pcap", 0, 5), ("a.pcap1", 4.5, 9)], None),
        ([("a.pcap", 0, 5), ("b.pcap", 6, 9)], "2 files whose names tell no set were read as one capture"),
        ([("a.pcap", 0, 5), ("b.pcap", 2, 9)], "overlap in time (by 3 s) and were read as one capture"),
        ([("a1.pcap", 0, 5), ("a2.pcap", 2, 9)], "overlap in time (by 3 s)"),
        ([("a1.pcap", 0, 5), ("a2.pcap", 7205, 7206)], "are 2.0 h apart, and were read as one capture"),
        ([("a1.pcap", 0, 5), ("a2.pcap", 6, 9, 101)], "different link layers"),
    ],
)
def test_what_is_assumed_is_said(files: list[tuple], said: str | None, tmp_path: Path) -> None:
    paths = [str(file(tmp_path / name, *rest)) for name, *rest in files]
    warnings = [text for text in analyze(paths).warnings if "--each" in text]
    assert len(warnings) == (said is not None)
    if said is not None:
        assert said in warnings[0]
        assert "--each answers for each file alone" in warnings[0]


def test_bundles_of_different_hosts_are_told(tmp_path: Path) -> None:
    for name, bundle in (("one", CLIENT), ("two", SERVER)):
        shutil.copytree(bundle, tmp_path / name)
        (tmp_path / name / "host.json").write_text(json.dumps({"hostname": name}))
    warnings = analyze([str(tmp_path / "one"), str(tmp_path / "two")]).warnings
    assert any("captures of different hosts (one and two) were read as one" in text for text in warnings)
    assert not any("--each" in text for text in analyze(str(tmp_path / "one")).warnings)


def test_the_same_file_twice_is_read_once(tmp_path: Path) -> None:
    first = file(tmp_path / "a.pcap", 0, 5)
    copy, link = tmp_path / "copy.pcap", tmp_path / "link.pcap"
    copy.write_bytes(first.read_bytes())
    link.symlink_to(first)
    analysis = analyze([str(first), str(first), str(copy), str(link)])
    assert analysis.summary.total("frames") == 2
    assert f"{first} was named twice, and read once" in analysis.warnings
    assert f"{copy} is the same as {first}, and read once" in analysis.warnings
    assert f"{link} is the same as {first}, and read once" in analysis.warnings


def test_what_lies_beside_the_captures_of_a_bundle_is_named(tmp_path: Path) -> None:
    """It is not read, unless it is named, too."""
    file(tmp_path / "capture.pcap", 0, 5)
    other = file(tmp_path / "eth0.pcap", 1, 4)
    (tmp_path / "notes.txt").write_text("nothing to be read")
    analysis = analyze(str(tmp_path))
    (told,) = [text for text in analysis.warnings if "not read" in text]
    assert told.startswith(f"not read: eth0.pcap in {tmp_path}, beside the captures of a bundle")
    assert analysis.summary.total("frames") == 2
    both = analyze([str(tmp_path), str(other)])
    assert both.summary.total("frames") == 4 and not any("not read" in text for text in both.warnings)


def test_a_folder_of_captures_of_any_names(tmp_path: Path) -> None:
    for number in (1, 2):
        file(tmp_path / f"dump{number}.cap", number, number + 0.5)
    (tmp_path / "notes.txt").write_text("not a capture")
    analysis = analyze(str(tmp_path))
    assert [Path(each.path).name for each in analysis.files] == ["dump1.cap", "dump2.cap"]
    assert analysis.warnings == []


def test_each_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [file(tmp_path / name, 0, 5) for name in ("a.pcap", "b.pcap")]
    ran = run_here("analyze", "--each", *paths, capsys=capsys)
    assert ran.status == 0
    assert [line for line in ran.out.splitlines() if line.startswith("== ")] == [f"== {path}" for path in paths]
    assert ran.out.count(": 2 frames in 5 s") == 2
    answers = json.loads(run_here("analyze", "--each", "--json", tmp_path, capsys=capsys).out)
    assert [len(answer["capture"]["files"]) for answer in answers] == [1, 1]
    broken = tmp_path / "c.pcap"
    broken.write_text("no capture")
    ran = run_here("analyze", "--each", "--json", broken, paths[0], capsys=capsys)
    assert (ran.status, ran.err.count("a text file")) == (2, 1)
    assert [answer is None for answer in json.loads(ran.out)] == [True, False]


def test_a_host_that_is_in_no_frame(tmp_path: Path) -> None:
    path = str(file(tmp_path / "a.pcap", 0, 5, source="192.0.2.17"))
    with pytest.raises(UsageError, match=r"--host: 192\.0\.2\.71 is in no frame; the nearest are 192\.0\.2\.17"):
        analyze(path, hosts=["192.0.2.71"])
    warnings = analyze(path, hosts=["192.0.2.71", "192.0.2.17"]).warnings
    assert any(text.startswith("--host 192.0.2.71 is in no frame") for text in warnings)
    assert analyze(path, hosts=["192.0.2.71"], flow=0).summary.total("frames") == 2
