"""What settles the fate of packets between capture points: the count of a kernel, options that were cut off, and checksums behind NAT."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.points.points import Points
from samples.lab.rewrite import Change, changed
from tests.helpers import SAMPLES
from tests.points import deeds_of, fates_of, points_of, written, wrong_in

BEHIND = "192.168.7.2"  # what the client calls 10.0.0.2


@pytest.mark.parametrize(
    "name", ["icmp-errors-to-client", "icmp-errors-to-server", "headers-cut", "fast-open-overflow"]
)
def test_what_evidence_decides_is_decided(name: str) -> None:
    """A SYN of which nothing else passed, answers to what another one sent, and segments without their options."""
    assert wrong_in(SAMPLES / name) == []


@pytest.mark.parametrize(
    ("counters", "lost"), [({}, 1), ({"IpInReceives": 1}, 0), ({"TcpInSegs": 1, "IpInReceives": 1}, 0)]
)
def test_a_kernel_that_counted_more_proves_no_loss(counters: dict[str, int], lost: int, tmp_path: Path) -> None:
    """The SYN went to a port of which the server's capture has nothing: a filter may have let none pass, unless the kernel got none."""
    sample, server = SAMPLES / "icmp-errors-to-client", tmp_path / "server"
    shutil.copytree(sample / "server", server)
    lines = [json.loads(line) for line in (server / "counters.jsonl").read_text().splitlines()]
    for name, more in counters.items():
        lines[-1]["counters"][name] += more
    (server / "counters.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = fates_of(analyze(at={"client": sample / "client", "server": server}))
    assert len(found["lost"]) == lost


def test_a_count_that_ended_before_proves_nothing(tmp_path: Path) -> None:
    """Without the snapshots after the SYN was sent."""
    sample, server = SAMPLES / "icmp-errors-to-client", tmp_path / "server"
    shutil.copytree(sample / "server", server)
    lines = (server / "counters.jsonl").read_text().splitlines(keepends=True)
    sent_ns = int(analyze(sample / "client").packets["time_ns"].iloc[0])
    early = [line for line in lines if float(json.loads(line)["time"]) * 1e9 < sent_ns]
    (server / "counters.jsonl").write_text("".join(early))
    assert fates_of(analyze(at={"client": sample / "client", "server": server}))["lost"] == set()


@pytest.mark.parametrize("side", ["client", "server"])
def test_options_that_were_cut_off_have_not_changed(side: str, tmp_path: Path) -> None:
    """60 bytes of each frame at one point: losses are found where the other says all, and nothing was rewritten."""
    sample, other = SAMPLES / "loss-ipv4", "server" if side == "client" else "client"
    cut = written(sample / side / "capture.pcap", tmp_path / "cut.pcap", snaplen=60)
    points = analyze(at={side: cut, other: sample / other})
    found = fates_of(points)
    assert found["rewritten"] == found["duplicated"] == set()
    assert found["lost"] <= deeds_of(sample)["lost"]
    if side == "client":  # the server's capture is a bundle, and whole
        assert found["lost"] == {each for each in deeds_of(sample)["lost"] if each[0] == "client"}
    known = points.passages[points.passages["fate"] != "unknown"]
    assert len(known) > 0.9 * len(points.passages)


def _behind_nat(name: str, folder: Path, *, mended: bool) -> Points:
    """A sample whose server has another address and port than the client knows, as its own capture shows."""
    own, there = Change(dst=BEHIND, dst_port=8080), Change(src=BEHIND, src_port=8080)

    def change(frame: bytes) -> bytes:
        is_sent = frame[12:14] == b"\x08\x00" and frame[26:30] == bytes((10, 0, 0, 2))
        return changed(frame, there if is_sent else own, transport=mended)

    server = written(SAMPLES / name / "server" / "capture.pcap", folder / "server.pcap", change=change)
    return analyze(at={"client": SAMPLES / name / "client", "server": server})


@pytest.mark.parametrize("name", ["corrupt-ipv4", "corrupt-udp"])
def test_damage_is_told_from_translation(name: str, tmp_path: Path) -> None:
    """Behind a NAT that mends checksums what is still wrong was damaged, and of its bytes only those that were."""
    points = _behind_nat(name, tmp_path, mended=True)
    sample = points_of(SAMPLES / name)
    assert fates_of(points)["corrupted"] == deeds_of(SAMPLES / name)["corrupted"]
    same = ["frame", "part", "offset", "sent", "came"]
    assert points.corruptions[same].values.tolist() == sample.corruptions[same].values.tolist()
    assert len(points.corruptions) > 0


def test_a_checksum_that_was_left_as_it_was_is_no_damage(tmp_path: Path) -> None:
    """Where addresses and ports were rewritten, and nothing mended."""
    points = _behind_nat("loss-ipv4", tmp_path, mended=False)
    assert fates_of(points)["corrupted"] == set()
    passages = points.passages[
        points.passages["point"] == "server"
    ]  # which sends with checksums that are wrong already
    fields = passages[passages["way"] == "came"]["fields"].astype(str)
    assert set(fields) == {"dst dst_port checksum"}
