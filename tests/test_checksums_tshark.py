"""Every checksum that tshark verifies, frame by frame: on the samples, on a corpus of captures, on frames made for it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from analyzer.capture import open_capture
from analyzer.checksums import Checker
from analyzer.crosscheck.checksums import (
    AGREEING,
    EXCLUSIONS,
    ODD_EXCLUSIONS,
    STATUS_FIELDS,
    Checked,
    Exclusion,
    of_innermost,
    same_headers,
)
from analyzer.crosscheck.shape import shape_of
from analyzer.crosscheck.tshark import VERIFYING
from analyzer.decode import decode
from analyzer.errors import CaptureError
from analyzer.tables import PACKETS
from tests import build
from tests.each import for_each
from tests.helpers import PLAIN_CAPTURES, plain_rows
from tests.naive.checksums import is_partial, payload_of_ip
from tests.test_checksums_naive import SEGMENTS, Frame, framed, known_frames, number_at
from tests.test_decode_tshark import CORPUS as TCP_CORPUS
from tests.test_decode_tshark import ROOT
from tests.tshark import Captures, custom_blocks, fields_of, needs_tshark

SMALLEST, LARGEST = 120, 1 << 20  # bytes of a file, to save time
ODD = ROOT.parent / "shared" / "corpus" / "odd"
ALL_FILES = [*TCP_CORPUS, *sorted(path for path in ODD.glob("*") if path.suffix != ".md")]
CORPUS = [path for path in ALL_FILES if SMALLEST < path.stat().st_size < LARGEST]
PREFERENCES = (*VERIFYING, "tcp.analyze_sequence_numbers:FALSE")
FIELDS = ("frame.protocols", *STATUS_FIELDS)

pytestmark = needs_tshark
needs_corpus = pytest.mark.skipif(not CORPUS, reason="needs ../shared/corpus")

Row = dict[str, Any]


# What the two say


def checked(path: Path) -> Iterator[tuple[bytes, Row]]:
    """Bytes and row of every frame."""
    checker = Checker()
    words = [(name, PACKETS[name].words) for name in ("checksum", "ip_header_checksum")]
    with open_capture([str(path)]) as capture:
        for batch in capture:
            rows = decode(batch, capture.interfaces)
            checker.check(batch, rows, capture.interfaces)
            for position, row in enumerate(plain_rows(rows)):
                row |= {name: known[int(rows[name][position])] for name, known in words}
                row["record_flags"] = int(rows["record_flags"][position])
                yield batch.data(position), row


def compared(path: Path, said_of_each: list[list[str]]) -> list[Checked]:
    """The frames whose headers tshark takes for the same ones, given what it says of each."""
    frames = []
    for number, ((data, row), parts) in enumerate(zip(checked(path), said_of_each, strict=False), 1):
        shape = shape_of(parts[0])
        if not same_headers(row, shape):
            continue
        said = {name: part.split(";") for name, part in zip(FIELDS, parts, strict=True)}
        words = of_innermost(shape, row, said)
        frames.append(Checked(number, data, row, row["checksum"], row["ip_header_checksum"], *words, shape))
    return frames


# Where the two differ


def unexplained(frames: Iterable[Checked], exclusions: tuple[Exclusion, ...]) -> tuple[list[str], Counter[str]]:
    """The frames on which the two differ without a reason, and how many have each reason."""
    found, used = [], Counter[str]()
    for frame in frames:
        if (frame.header, frame.said_header) not in AGREEING:
            found.append(f"frame {frame.number}: IP header {frame.header}, tshark {frame.said_header}")
        words = frame.checksum, frame.said_checksum
        if words in AGREEING or not frame.comparable:
            continue
        for exclusion in exclusions:
            if exclusion.explains(frame):
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


@for_each("path", PLAIN_CAPTURES, ids=lambda path: str(path.relative_to(ROOT)))
def test_samples_as_tshark(path: Path) -> None:
    """Every frame of a sample, with no exception at all."""
    frames = outcome(path)
    found, used = unexplained(frames, ())
    assert (found, used) == ([], Counter())
    assert all(frame.said_checksum for frame in frames)
    assert all(proven_partial(frame) for frame in frames if frame.checksum == "partial")


@needs_corpus
@for_each("path", CORPUS, ids=lambda path: path.name)
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
