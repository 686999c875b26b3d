"""The checksums of the headers of tunnels: against a twin, tshark, and what is known of frames made for it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.capture import RecordBatch
from analyzer.checksums import Checker
from analyzer.checksums.verdict import Verdict
from analyzer.decode import decode
from analyzer.report.checksum_text import answer
from tests import build, strategies
from tests.fragments import random_fragments
from tests.naive import fix as naive_fix
from tests.naive.checksums import NaiveChecker, Words, outer_words, worst
from tests.naive.decode import Joiner
from tests.test_checksums_naive import (
    HEADER_WORDS,
    SEEDS,
    WORDS,
    Frame,
    batch_of_frames,
    framed,
    known_frames,
)
from tests.test_checksums_tshark import written
from tests.tshark import fields_of, needs_tshark

SEGMENT = build.tcp(b"hello")
WRONG = build.tcp(b"hello", check=0x1234)


def outer(frames: Iterable[Frame], step: int = 1 << 30) -> list[Words]:
    """What the checker says of the packets around the innermost one."""
    batch, interfaces = batch_of_frames(frames)
    checker = Checker()
    found: list[Words] = []
    for start in range(0, len(batch), step):
        part = RecordBatch(batch.buffer, batch.rows[start : start + step], start + 1)
        rows = decode(part, interfaces)
        checker.check(part, rows, interfaces)
        codes = zip(rows["outer_checksum"].tolist(), rows["outer_ip_header_checksum"].tolist(), strict=True)
        found += [(WORDS[checksum], HEADER_WORDS[header]) for checksum, header in codes]
    return found


def twin(frames: Iterable[Frame]) -> list[Words]:
    """What the naive checker says of them."""
    checker, joiner = NaiveChecker(joined=True), Joiner()
    found = []
    for frame in frames:
        joiner.time_ns = frame.time_ns
        given = naive_fix.Frame(frame.data, frame.link, frame.length - len(frame.data), flags=frame.flags)
        levels = naive_fix.whole_levels(given, joiner)
        data, row = levels[-1]
        words = outer_words(levels, checker.check(data, row), frame.data) if row["ip_version"] else []
        found.append((worst([word for word, _ in words]), worst([header for _, header in words])))
    return found


def spoilt(rng: random.Random, frame: Frame) -> Frame:
    """Perhaps a byte changed anywhere in the frame, or the end cut off."""
    data = bytearray(frame.data)
    kind = rng.randint(0, 4)
    if kind == 0:
        return replace(frame, data=frame.data[: rng.randint(0, len(data))])
    if kind <= 2:
        data[rng.randrange(len(data))] ^= 1 << rng.randint(0, 7)
    return replace(frame, data=bytes(data))


def tunnelled(seed: int, count: int) -> list[Frame]:
    """Frames with tunnels, whole, changed or cut; in them right and wrong checksums of all kinds."""
    rng = random.Random(seed)
    found: list[Frame] = []
    while len(found) < count:
        for frame, known in known_frames(rng.getrandbits(32), 20):
            if len(frame.data) > len(known.packet) + 60:
                found.append(spoilt(rng, frame))
    return found


def in_fragments(seed: int, count: int) -> list[Frame]:
    """Frames of datagrams in fragments, many of them tunnels."""
    frames = random_fragments(random.Random(seed), count)
    return [Frame(each.link, each.data, each.length, each.time_ns) for each in frames]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_tunnels_as_the_twin(seed: int) -> None:
    """Every tunnel, one in another, spoilt in every way."""
    frames = tunnelled(seed, 400)
    words = outer(frames)
    assert words == twin(frames)
    assert outer(frames, 7) == words
    counts = Counter(word for word, _ in words)
    assert {"valid", "bad", "none", "unverifiable"} <= counts.keys()


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_random_fragments_as_the_twin(seed: int) -> None:
    """A tunnel whose packets were cut, and cut packets in a tunnel."""
    frames = in_fragments(seed, 150)
    words = outer(frames)
    assert words == twin(frames)
    assert Counter(word for word, _ in words)["valid"] > 10


def test_random_frames_as_the_twin() -> None:
    """Anything at all."""
    rng = random.Random(5)
    frames = [Frame(*strategies.random_frame(rng)) for _ in range(1500)]
    assert outer(frames) == twin(frames)


# What is known


def vxlan(segment: bytes, **fields: int | None) -> bytes:
    """A segment in VXLAN."""
    return build.ipv4(build.udp(build.vxlan(build.ethernet(build.ipv4(segment))), dst_port=4789, **fields), build.UDP)


def gre(segment: bytes, check: bool = True) -> bytes:
    """A segment in GRE."""
    return build.ipv4(build.gre(build.ipv4(segment), check=check), build.GRE)


def only(packet: bytes) -> Words:
    """What is said of one packet, on which both agree."""
    frames = framed([packet])
    assert outer(frames) == twin(frames)
    return outer(frames)[0]


def test_each_kind_of_tunnel() -> None:
    """Right, wrong, none."""
    assert only(vxlan(SEGMENT)) == ("valid", "valid")
    assert only(vxlan(SEGMENT, check=0xFFFF)) == ("bad", "valid")
    assert only(vxlan(SEGMENT, check=0)) == ("none", "valid")
    assert only(gre(SEGMENT)) == ("valid", "valid")
    assert only(gre(SEGMENT, check=False)) == ("", "valid")
    damaged = bytearray(gre(SEGMENT))
    damaged[24] ^= 1
    assert only(bytes(damaged)) == ("bad", "valid")
    assert only(build.ipv4(build.ipv4(SEGMENT), build.IPIP, check=0x1234)) == ("", "bad")
    assert only(build.ipv4(SEGMENT)) == ("", "")
    between = (build.SRC6, build.DST6)
    inner = build.vxlan(build.ethernet(build.ipv4(SEGMENT)))
    for check, word in ((None, "valid"), (0, "none"), (7, "bad")):
        datagram = build.udp(inner, dst_port=4789, check=check, between=between)
        assert only(build.ipv6(datagram, build.UDP)) == (word, "")


def test_what_is_wrong_inside_is_told_inside() -> None:
    """The outer checksum is right as it stands, or as if the inner one were right, as Linux computes it."""
    assert only(vxlan(WRONG)) == ("valid", "valid")
    right = vxlan(SEGMENT)
    ahead = right[: -len(SEGMENT)] + WRONG
    assert only(ahead) == ("valid", "valid")
    twice = vxlan(SEGMENT)
    around = build.ipv4(build.gre(twice, check=True), build.GRE)
    assert only(around[: -len(SEGMENT)] + WRONG) == ("valid", "valid")
    off = bytearray(ahead)
    off[40] ^= 1  # in the header of the tunnel
    assert only(bytes(off)) == ("bad", "valid")


def test_a_tunnel_in_fragments_has_its_checksum_on_the_last_to_come() -> None:
    """The datagram of the tunnel is whole then."""
    for check, word in ((None, "valid"), (5, "bad")):
        frames = framed(build.cut_up(vxlan(build.tcp(bytes(600)), check=check), (200, 400)))
        assert outer(frames)[:2] == [("", ""), ("", "")]
        assert outer(frames)[2] == (word, "valid")
        assert outer(frames[::-1])[2] == (word, "valid")
        assert outer(frames) == twin(frames)


@needs_tshark
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_outer_checksums_as_tshark(seed: int, tmp_path: Path) -> None:
    """UDP around others, with what is inside it right, so that there is one opinion only."""
    rng = random.Random(seed)
    frames = []
    for number in range(200):
        packet = bytearray(vxlan(build.tcp(bytes(rng.randint(0, 99)), seq=number)))
        if rng.randint(0, 1):
            packet[rng.choice((26, 27, 32, 34))] ^= 1 << rng.randint(0, 7)  # the field, or the header of VXLAN
        if rng.randint(0, 3) == 0:
            packet[10] ^= 1
        frames += framed([bytes(packet)])
    path = written(tmp_path / "frames.pcapng", frames)
    names = ["udp.checksum.status", "ip.checksum.status", "vxlan.vni"]
    said = fields_of(path, names, preferences=("udp.check_checksum:TRUE", "ip.check_checksum:TRUE"))
    status = {"0": "bad", "1": "valid"}
    compared = 0
    for (udp, ip, network), words in zip(said, outer(frames), strict=True):
        if network and len(ip.split(";")) == 2:
            assert words == (status[udp.split(";")[0]], status[ip.split(";")[0]])
            compared += 1
    assert compared > 100


# What it means


def carried(side: str, check: int | None, seq: int, ack: int, flags: int, size: int = 0) -> bytes:
    """A frame with VXLAN of one of two hosts, in it a segment between two others."""
    inner, ends = (build.SRC4, build.DST4), ("192.168.1.3", "192.168.1.1")
    ports = {"src_port": 40000, "dst_port": 80}
    if side == "s":
        inner, ends, ports = inner[::-1], ends[::-1], {"src_port": 80, "dst_port": 40000}
    segment = build.tcp(bytes(size), seq=seq, ack=ack, flags=flags, between=inner, **ports)
    frame = build.ethernet(build.ipv4(segment, src=inner[0], dst=inner[1]))
    datagram = build.udp(build.vxlan(frame), dst_port=4789, check=check, between=ends)
    return build.ethernet(build.ipv4(datagram, build.UDP, src=ends[0], dst=ends[1]))


def connection(check: int | None) -> list[bytes]:
    """Handshake and data; the outer checksums of the client's side are `check`."""
    return [
        carried("c", check, 1000, 0, 2),
        carried("s", None, 5000, 1001, 18),
        carried("c", check, 1001, 5001, 16),
        carried("c", check, 1001, 5001, 24, 100),
        carried("s", None, 5001, 1101, 24, 50),
        carried("c", check, 1101, 5051, 24, 99),
        carried("s", None, 5051, 1200, 16),
    ]


def saved(path: Path, frames: list[tuple[int, bytes]]) -> Path:
    """The frames as a capture."""
    path.write_bytes(build.pcap(build.Record(data, time_ns) for time_ns, data in frames))
    return path


def outer_verdicts(path: Path) -> tuple[str, dict[str, Verdict]]:
    """The answer, and the verdict on the outer headers that each host sent."""
    result = analyze(path).checksum_result
    assert result is not None
    found = zip(result.directions, result.sources, result.verdicts, strict=True)
    return answer(result), {source: verdict for row, source, verdict in found if row["outer"]}


def test_a_tunnel_whose_checksum_offload_is_broken(tmp_path: Path) -> None:
    """The receiver drops what has the wrong outer checksum, and answers what has none."""
    syn = carried("c", 0xFFFF, 1000, 0, 2)
    frames = [((2**number - 1) * 10**9, syn) for number in range(6)]
    frames += [(63 * 10**9 + number * 10**6, data) for number, data in enumerate(connection(0))]
    said, words = outer_verdicts(saved(tmp_path / "a.pcap", frames))
    assert said == "6 frames are broken in the outer header of a tunnel. 16 of 22 are right."
    assert (words["192.168.1.3"].word, words["192.168.1.1"].word) == ("tunnel", "valid")
    assert "6 of 6 verified frames are wrong" in words["192.168.1.3"].evidence
    assert "6 of them were sent again: the receiver had dropped them" in words["192.168.1.3"].evidence


def test_a_wrong_outer_checksum_that_is_accepted_is_none(tmp_path: Path) -> None:
    """Captured before the card computed it."""
    frames = [(number * 10**6, data) for number, data in enumerate(connection(0xFFFF))]
    said, words = outer_verdicts(saved(tmp_path / "b.pcap", frames))
    assert said.startswith("Nothing is corrupt. 4 frames only look wrong (offload).")
    assert {source: verdict.word for source, verdict in words.items()} == {
        "192.168.1.3": "stale",
        "192.168.1.1": "valid",
    }


def test_one_wrong_outer_checksum_is_a_packet_that_was_changed(tmp_path: Path) -> None:
    """Sent again with the right one."""
    wrong, right = carried("c", 0x1234, 1200, 5051, 24, 99), carried("c", None, 1200, 5051, 24, 99)
    frames = [(number * 10**6, data) for number, data in enumerate([*connection(None), wrong, right])]
    said, words = outer_verdicts(saved(tmp_path / "c.pcap", frames))
    assert said.startswith("1 frame is corrupt.")
    assert words["192.168.1.3"].word == "corruption"
