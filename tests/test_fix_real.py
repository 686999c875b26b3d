"""The same capture with right checksums: tshark and tcprewrite about real captures."""

from __future__ import annotations

import gzip
import lzma
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from analyzer.capture import open_capture
from analyzer.errors import CaptureError
from tests import build
from tests.each import for_each
from tests.fixing import CHECKED, data_of, run, segment
from tests.helpers import FEWER_CAPTURES
from tests.naive.fix import FIELD_AT, ICMP, ICMPV6, TCP, UDP, Frame, NaiveFixer, is_piece, levels
from tests.tshark import Captures, needs_tshark

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "corpus"
CORPUS = sorted(path for path in SHARED.glob("*/*") if path.suffix != ".md")
FILES = [*FEWER_CAPTURES, *CORPUS]
MOST_FRAMES = None if os.environ.get("TCPCAP_FULL_CORPUS") else 10_000  # of each file, to save time

needs_tcprewrite = pytest.mark.skipif(shutil.which("tcprewrite") is None, reason="needs tcprewrite")

STATUSES = ("ip", "tcp", "udp", "icmp", "icmpv6")
FIELDS = ["frame.number", "frame.protocols", *(f"{name}.checksum.status" for name in STATUSES)]
BAD = "0"


def uncompressed(path: Path) -> bytes:
    """The content of a file, as far as it can be decompressed."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        return gzip.decompress(content)
    return lzma.decompress(content) if content[:6] == b"\xfd7zXZ\0" else content


def is_refused(path: Path) -> bool:
    """Is it no capture at all?"""
    try:
        with open_capture([str(path)]):
            return False
    except CaptureError:
        return True


def named(paths: Sequence[Path]) -> list[Any]:
    """The files as parameters."""
    return [pytest.param(path, id="-".join(path.parts[-3:])[-70:]) for path in paths]


READABLE = [path for path in FILES if not is_refused(path)]
"""The captures among the files."""


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Path]]:
    """For each real capture a folder where it is `in`, and the same with everything made right `out`."""
    base = tmp_path_factory.mktemp("fixed")
    folders = {path: base / str(number) for number, path in enumerate(READABLE)}
    for path, folder in folders.items():
        folder.mkdir()
        run(folder, uncompressed(path), everything=True)
    yield folders
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def said(fixed: dict[Path, Path]) -> Captures:
    """What tshark says of the fixed ones."""
    outs = [folder / "out" for folder in fixed.values()]
    return Captures(outs, FIELDS, preferences=CHECKED, most=MOST_FRAMES, whole=False)


@for_each("path", named(READABLE))
def test_the_length_stays(path: Path, fixed: dict[Path, Path]) -> None:
    """To the byte."""
    sizes = {name: (fixed[path] / name).stat().st_size for name in ("in", "out")}
    assert sizes["out"] == sizes["in"] > 0


@needs_tshark
@for_each("path", named(READABLE))
def test_tshark_finds_no_bad_checksum(path: Path, fixed: dict[Path, Path], said: Captures) -> None:
    """In real captures, after everything was made right, but for what cannot be."""
    out = fixed[path] / "out"
    suspects = [row for row in said[out] if any(BAD in status.split(";") for status in row[2:])]
    if not suspects:
        return
    with open_capture([str(out)]) as capture:
        link = capture.interfaces[0].link_type
    contents = data_of(out)
    for row in suspects:
        frame, layers = int(row[0]), row[1].split(":")
        for name, status in zip(STATUSES, row[2:], strict=True):
            assert BAD not in outside_of_quotes(name, status.split(";"), layers) or is_excused(
                Frame(contents[frame - 1], link)
            ), (frame, name, row)


def outside_of_quotes(name: str, statuses: list[str], layers: list[str]) -> list[str]:
    """Those of the packet itself: an ICMP error quotes a packet that somebody else may have changed before."""
    quoting = [position for position, layer in enumerate(layers) if layer in ("icmp", "icmpv6")]
    own = layers[: quoting[0] + 1] if quoting else layers
    return statuses[: own.count(name)]


def is_excused(frame: Frame) -> bool:
    """What cannot be made right, while tshark has an opinion: which part of the datagram is there?"""
    outermost = levels(frame)[0]
    beyond = "ip_length_beyond_frame" in outermost["quirks"]  # tshark sums up what there is
    # A TCP header in several fragments: the field may be in another one.
    return beyond or (is_piece(outermost) and outermost["stop"] != "decoded")


# Where tcprewrite 4.4 gives other bytes. That ours are right then is proved by the fixer in plain Python.
TCPREWRITE = {
    "length": "it sets the IPv4 total length to what the frame holds: padding, a trailer or a cut end become part of the packet",
    "tunnel": "it does not look into tunnels",
    "beyond": "it sums up what there is of a packet that claims to be longer than its frame",
    "shorter": "it cuts frames that are longer than the snaplen of the file, or than they say they were on the wire",
    "none": "it takes a UDP checksum of 0 for none over IPv6 too, which RFC 8200 section 8.1 forbids",
}


def why_otherwise(frame: Frame, theirs: bytes) -> str:
    """A key of TCPREWRITE."""
    if len(theirs) < len(frame.data):
        return "shorter"
    rows = levels(frame)
    if rows:
        outermost, at = rows[0], rows[0]["l3_at"]
        if outermost["ip_version"] == 4 and theirs[at + 2 : at + 4] != frame.data[at + 2 : at + 4]:
            return "length"
        if "ip_length_beyond_frame" in outermost["quirks"]:
            return "beyond"
        if len(rows) > 1:
            return "tunnel"
        if (outermost["ip_version"], outermost["ip_proto"], outermost["checksum_field"]) == (6, UDP, 0):
            return "none"
    return "unknown"


def against_tcprewrite(folder: Path) -> Counter[str]:
    """How many frames are the same, and how many are not for which reason; nothing where it cannot read the file."""
    with open_capture([str(folder / "in")]) as capture:
        link = capture.interfaces[0].link_type if len(capture.interfaces) else 0
    if link not in (1, 12, 14, 101):
        return Counter()
    command = ["tcprewrite", "--fixcsum", "-i", str(folder / "in"), "-o", str(folder / "theirs")]
    if subprocess.run(command, capture_output=True, check=False, timeout=120).returncode:
        return Counter()
    found: Counter[str] = Counter()
    with open_capture([str(folder / "in")]) as capture:
        lengths = [length for batch in capture for length in batch.rows["length"].tolist()]
    # libpcap gives up where a file is damaged, or describes several interfaces.
    every = zip(data_of(folder / "in"), lengths, data_of(folder / "out"), data_of(folder / "theirs"), strict=False)
    for position, (given, length, ours, theirs) in enumerate(every):
        if link == 1:  # it also writes the MAC addresses of multicast groups, and of any IPv6 address
            theirs = ours[:12] + theirs[12:]
        if ours == theirs:
            found["same"] += 1
            continue
        frame = Frame(given, link, length - len(given))
        why = why_otherwise(frame, theirs)
        assert why in TCPREWRITE, (position, given.hex(), ours.hex(), theirs.hex())
        assert ours == NaiveFixer([frame], everything=True).fixed()[0], position
        found[why] += 1
    return found


@needs_tcprewrite
@for_each("path", named(READABLE))
def test_the_same_as_tcprewrite(path: Path, fixed: dict[Path, Path]) -> None:
    """Frame by frame the same bytes on Ethernet and raw IP, but for what the table explains."""
    against_tcprewrite(fixed[path])


@needs_tcprewrite
def test_the_same_as_tcprewrite_on_wrong_frames(tmp_path: Path) -> None:
    """Frames made wrong on purpose, of every protocol that it knows."""
    frames = []
    for version in (4, 6):
        ends = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
        for protocol in (TCP, UDP, ICMP if version == 4 else ICMPV6):
            for size in range(30, 60):
                datagram = bytearray(segment(random.Random(size), protocol, size, ends))
                if protocol != UDP or datagram[6:8] != b"\0\0":
                    datagram[FIELD_AT[protocol] : FIELD_AT[protocol] + 2] = b"\x12\x34"
                if version == 4:
                    packet, kind = build.ipv4(bytes(datagram), protocol, check=0x1111), build.IPV4
                else:
                    packet, kind = build.ipv6(bytes(datagram), protocol), build.IPV6
                frames.append(build.ethernet(packet, kind, src=build.MAC_B, dst=build.MAC_A))
    run(tmp_path, build.pcap(build.Record(data) for data in frames), everything=True)
    found = against_tcprewrite(tmp_path)
    assert found["same"] + found["none"] == len(frames)
    assert found["none"] < 10
