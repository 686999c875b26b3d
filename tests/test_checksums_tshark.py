"""Every checksum that tshark verifies, frame by frame: on the samples, on a corpus of captures, on frames made for it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from analyzer.capture import open_capture
from analyzer.checksums import Checker
from analyzer.decode import decode
from analyzer.errors import CaptureError
from analyzer.tables import PACKETS
from tests import build
from tests.helpers import PLAIN_CAPTURES, plain_row
from tests.naive.checksums import is_partial, payload_of_ip
from tests.test_checksums_naive import SEGMENTS, Frame, framed, known_frames, number_at
from tests.test_decode_tshark import CORPUS as TCP_CORPUS
from tests.test_decode_tshark import ROOT, Shape, shape_of
from tests.tshark import TRANSPORTS, Captures, custom_blocks, fields_of, needs_tshark

SMALLEST, LARGEST = 120, 1 << 20  # bytes of a file, to save time
ODD = ROOT.parent / "shared" / "corpus" / "odd"
ALL_FILES = [*TCP_CORPUS, *sorted(path for path in ODD.glob("*") if path.suffix != ".md")]
CORPUS = [path for path in ALL_FILES if SMALLEST < path.stat().st_size < LARGEST]
PREFERENCES = (
    "tcp.check_checksum:TRUE",
    "udp.check_checksum:TRUE",
    "ip.check_checksum:TRUE",
    "ip.defragment:TRUE",
    "ipv6.defragment:TRUE",
    "ip.tso_support:TRUE",
    "ipv6.tso_support:TRUE",
    "tcp.analyze_sequence_numbers:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
)
FIELDS = ("frame.protocols", "ip.checksum.status", *(f"{name}.checksum.status" for name in TRANSPORTS.values()))
STATUS = {"": "", "0": "bad", "1": "good", "2": "unverified", "3": "none", "4": "illegal"}

pytestmark = needs_tshark
needs_corpus = pytest.mark.skipif(not CORPUS, reason="needs ../shared/corpus")

Row = dict[str, Any]


# What the two say


@dataclass(frozen=True)
class Checked:
    """A frame, its row, the checker's words, and what tshark says of the same headers."""

    number: int
    data: bytes
    row: Row
    checksum: str
    header: str
    said_checksum: str
    said_header: str
    shape: Shape


def checked(path: Path) -> Iterator[tuple[bytes, Row]]:
    """Bytes and row of every frame."""
    checker = Checker()
    words = [(name, PACKETS[name].words) for name in ("checksum", "ip_header_checksum")]
    with open_capture([str(path)]) as capture:
        for batch in capture:
            rows = decode(batch, capture.interfaces)
            checker.check(batch, rows, capture.interfaces)
            for position in range(len(batch)):
                row = plain_row(rows, position)
                row |= {name: known[int(rows[name][position])] for name, known in words}
                row["record_flags"] = int(rows["record_flags"][position])
                yield batch.data(position), row


def of_innermost(shape: Shape, row: Row, said: dict[str, list[str]]) -> tuple[str, str]:
    """tshark's words on the transport and on the IP header that the row is about: the last before a quoted packet."""
    transport = header = ""
    place = shape.versions.count(4) - 1
    if row["ip_version"] == 4 and place < len(said["ip.checksum.status"]):
        header = said["ip.checksum.status"][place]
    if shape.transport and shape.transports <= len(said[f"{shape.transport}.checksum.status"]):
        transport = said[f"{shape.transport}.checksum.status"][shape.transports - 1]
    return STATUS[transport], STATUS[header]


def compared(path: Path, said_of_each: list[list[str]]) -> list[Checked]:
    """The frames whose headers tshark takes for the same ones, given what it says of each."""
    frames = []
    for number, ((data, row), parts) in enumerate(zip(checked(path), said_of_each, strict=False), 1):
        shape = shape_of(parts[0])
        same_depth = row["tunnel_depth"] + (row["ip_version"] > 0) == len(shape.versions)
        if not same_depth or not shape.versions or shape.versions[-1] != row["ip_version"]:
            continue
        said = {name: part.split(";") for name, part in zip(FIELDS, parts, strict=True)}
        words = of_innermost(shape, row, said)
        frames.append(Checked(number, data, row, row["checksum"], row["ip_header_checksum"], *words, shape))
    return frames


# Where the two may differ

AGREEING = {
    ("", ""),
    ("valid", "good"),
    ("none", "none"),
    ("unverifiable", "unverified"),
    ("unverifiable", ""),  # a fragment, or a header that is not complete
    *((word, "bad") for word in ("bad", "partial", "zero")),
    ("zero", "illegal"),  # UDP over IPv6
}


@dataclass(frozen=True)
class Exclusion:
    """Words of tcpcap and of tshark for a frame of which `applies` holds, though they do not agree."""

    name: str
    reason: str
    words: tuple[str, ...]
    said: tuple[str, ...]
    applies: Callable[[Checked], bool]


def size_in_packet(row: Row) -> int:
    """Bytes of the IP packet behind its headers."""
    return int(row["l3_at"] + row["ip_len"] - row["l4_at"])


EXCLUSIONS = (
    Exclusion(
        "length beyond the frame",
        "the IP packet is said to be longer than its frame; tshark takes the frame's end for its end",
        ("unverifiable",),
        ("good", "bad"),
        lambda frame: "ip_length_beyond_frame" in frame.row["quirks"],
    ),
    Exclusion(
        "bad TCP header",
        "tshark does not verify a segment whose data offset is too small, of which the IP packet says how long it is",
        ("bad",),
        ("",),
        lambda frame: frame.row["stop"] == "bad_tcp_header",
    ),
    Exclusion(
        "cut behind what is covered",
        "UDP ends early in its packet; tshark does not verify what is cut anywhere",
        ("valid", "bad", "partial", "zero"),
        ("unverified",),
        lambda frame: frame.row["udp_len"] > 0 and "cut" in frame.row["quirks"],
    ),
)
# With frames made to be odd, these also:
ODD_EXCLUSIONS = (
    Exclusion(
        "unknown routing header",
        "segments are left in a routing header of an unknown type; tshark takes the destination of the IPv6 header",
        ("unverifiable",),
        ("good", "bad", "illegal"),
        lambda frame: "extension" in frame.row["layers"],
    ),
    Exclusion(
        "pointer of a source route",
        "one that points into its last address has not passed it (RFC 791); tshark wants it to leave a whole address",
        ("valid", "bad", "partial", "none"),
        ("bad", "good", "none"),
        lambda frame: "ip_options" in frame.row["layers"] and pointer_at_end(frame),
    ),
    Exclusion(
        "length 0 of UDP",
        "which tshark does not go into but in a jumbogram",
        ("valid", "bad", "partial", "zero", "none"),
        ("",),
        lambda frame: frame.row["ip_proto"] == 17 and frame.row["udp_len"] == 0,
    ),
    Exclusion(
        "UDP longer than its packet",
        "tshark says that there is no checksum before it says that the length is wrong",
        ("unverifiable",),
        ("none", "illegal"),
        lambda frame: frame.row["ip_proto"] == 17 and frame.row["udp_len"] > size_in_packet(frame.row),
    ),
    Exclusion(
        "FFFF for 0",
        "a right sum, which a receiver accepts, but a badly computed one (RFC 1624), which tshark calls bad",
        ("valid",),
        ("bad",),
        lambda frame: frame.row["checksum_field"] == 0xFFFF,
    ),
)


def pointer_at_end(frame: Checked) -> bool:
    """Does the pointer of a source route point to the last byte of the route?"""
    option = frame.data[frame.row["l3_at"] + 20 : frame.row["l4_at"]].lstrip(b"\x01")
    return option[0] in (131, 137) and option[1] == option[2]


def unexplained(frames: Iterable[Checked], exclusions: tuple[Exclusion, ...]) -> tuple[list[str], Counter[str]]:
    """The frames on which the two differ without a reason, and how many have each reason."""
    found, used = [], Counter[str]()
    for frame in frames:
        if (frame.header, frame.said_header) not in AGREEING:
            found.append(f"frame {frame.number}: IP header {frame.header}, tshark {frame.said_header}")
        words = frame.checksum, frame.said_checksum
        if words in AGREEING or frame.shape.transport != TRANSPORTS.get(frame.row["ip_proto"]):
            continue
        for exclusion in exclusions:
            if words[0] in exclusion.words and words[1] in exclusion.said and exclusion.applies(frame):
                used[exclusion.name] += 1
                break
        else:
            found.append(f"frame {frame.number}: {words[0]}, tshark {words[1]}, in {':'.join(frame.shape.protocols)}")
    return found, used


def proven_partial(frame: Checked) -> bool:
    """Does the field hold the sum of the pseudo-header, or has the capturing host said that it is not ready?"""
    row = frame.row
    datagram = payload_of_ip(frame.data, row, row["l4_at"])
    return bool(row["record_flags"] & 0x200) or is_partial(datagram, row["udp_len"] or datagram.size)


# Files

SAID = Captures([*PLAIN_CAPTURES, *CORPUS], FIELDS, preferences=PREFERENCES, whole=False)


@cache
def outcome(path: Path) -> list[Checked]:
    """The frames of a file that can be compared; none where tshark counts other frames."""
    try:
        return [] if custom_blocks(path) else compared(path, SAID[path])
    except CaptureError:
        return []


@pytest.mark.parametrize("path", PLAIN_CAPTURES, ids=lambda path: str(path.relative_to(ROOT)))
def test_samples_as_tshark(path: Path) -> None:
    """Every frame of a sample, with no exception at all."""
    frames = outcome(path)
    found, used = unexplained(frames, ())
    assert (found, used) == ([], Counter())
    assert all(frame.said_checksum for frame in frames)
    assert all(proven_partial(frame) for frame in frames if frame.checksum == "partial")


@needs_corpus
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus_as_tshark(path: Path) -> None:
    """Every frame of a capture, but for the exclusions. What is called partial is proven to be."""
    frames = outcome(path)
    assert unexplained(frames, EXCLUSIONS)[0] == []
    assert all(proven_partial(frame) for frame in frames if frame.checksum == "partial")


@needs_corpus
def test_the_corpus_holds_what_is_compared() -> None:
    """Every word with every protocol; few frames are excluded, and there is no exclusion that nothing needs."""
    used, seen = Counter[str](), Counter[tuple[str, str]]()
    for path in CORPUS:
        used += unexplained(outcome(path), EXCLUSIONS)[1]
        seen.update((frame.shape.transport, frame.checksum) for frame in outcome(path) if frame.said_checksum)
        seen.update(("ip", frame.header) for frame in outcome(path) if frame.said_header)
    assert seen["tcp", "valid"] > 50_000
    assert min(seen["tcp", word] for word in ("bad", "partial", "zero", "unverifiable")) > 100
    assert min(seen["udp", word] for word in ("valid", "bad", "partial", "none")) > 5
    assert min(seen["icmp", "valid"], seen["icmp", "bad"], seen["icmpv6", "valid"]) > 5
    assert min(seen["ip", word] for word in ("valid", "bad", "zero")) > 500
    assert set(used) == {exclusion.name for exclusion in EXCLUSIONS}
    assert used.total() < 500


# Frames made for it


def compared_alone(path: Path) -> list[Checked]:
    """The same for one file."""
    return compared(path, fields_of(path, FIELDS, preferences=PREFERENCES, whole=False))


def written(path: Path, frames: list[Frame]) -> Path:
    """A capture file of these frames."""
    links = sorted({frame.link for frame in frames})
    interfaces = [build.idb(link=link, resolution=9) for link in links]
    packets = [build.epb(frame.data, interface=links.index(frame.link), ticks=frame.time_ns) for frame in frames]
    path.write_bytes(build.pcapng(build.shb(), *interfaces, *packets))
    return path


@pytest.mark.parametrize("seed", [101, 103, 107])
def test_made_frames_as_tshark(seed: int, tmp_path: Path) -> None:
    """Right and wrong checksums behind every route, link layer and tunnel, as far as tshark knows the way there."""
    known = list(known_frames(seed, 1500))
    frames = compared_alone(written(tmp_path / "known.pcapng", [frame for frame, _ in known]))
    assert len(frames) > 1000
    found, used = unexplained(frames, EXCLUSIONS + ODD_EXCLUSIONS)
    assert found == []
    assert used.total() < len(frames) / 10
    assert all(frame.checksum == known[frame.number - 1][1].words[0] for frame in frames)


def test_ffff_for_zero(tmp_path: Path) -> None:
    """As a translator of addresses left it, once in 41,000 segments of a capture in the corpus."""
    bare = build.tcp(urgent=0, check=0)
    right = build.tcp(urgent=number_at(build.tcp(), 16), check=0xFFFF)  # the checksum of the rest is 0 then
    frames = compared_alone(written(tmp_path / "zero.pcapng", framed([build.ipv4(right), build.ipv4(bare)])))
    assert [frame.checksum for frame in frames] == ["valid", "zero"]
    assert unexplained(frames, ODD_EXCLUSIONS) == ([], Counter({"FFFF for 0": 1}))


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_fragments_as_tshark(seed: int, tmp_path: Path) -> None:
    """Datagrams of every protocol in fragments, three at a time, right or with one bit changed, in any order."""
    rng = random.Random(seed)
    packets: list[bytes] = []
    for first in range(0, 240, 3):
        together = []
        for ident in range(256 * first, 256 * (first + 3), 256):  # tshark mixes the protocol into it with XOR
            version, protocol = rng.choice(list(SEGMENTS))
            segment = bytearray(SEGMENTS[version, protocol])
            if rng.randint(0, 1):
                segment[rng.choice((0, 70, 200))] ^= 1
            pieces = build.in_pieces(version, protocol, bytes(segment), (64, 8 * rng.randint(9, 24)), ident)
            rng.shuffle(pieces)
            together += pieces if rng.randint(0, 9) else pieces[1:]
        order = sorted(range(len(together)), key=lambda place: place + rng.randint(0, 4))
        packets += [together[place] for place in order]
    frames = [replace(frame, time_ns=10**18 + number) for number, frame in enumerate(framed(packets))]
    result = compared_alone(written(tmp_path / "fragments.pcapng", frames))
    assert len(result) == len(frames)
    words = Counter((frame.checksum, frame.said_checksum) for frame in result)
    assert set(words) == {("unverifiable", ""), ("valid", "good"), ("bad", "bad")}
    assert min(words.values()) > 70
