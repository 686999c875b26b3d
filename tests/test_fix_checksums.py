"""The same capture with right checksums: against a fixer in plain Python, tcprewrite and tshark, in every format."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import itertools
import json
import lzma
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import lz4.frame
import numpy as np
import numpy.typing as npt
import pytest
import zstandard

from analyzer.capture import open_capture
from analyzer.checksums import Checker
from analyzer.checksums.fix import Fixed, fix_checksums
from analyzer.errors import CaptureError, TcpcapError
from analyzer.schema import address_text
from tests import build, strategies, test_fuzz
from tests.helpers import PLAIN_CAPTURES
from tests.naive import decode as naive_decode
from tests.naive.checksums import (
    ALL_ONES,
    Datagram,
    Fragments,
    NaiveChecker,
    Row,
    final_destination,
    ip_header_word,
    number,
    ones_complement_sum,
    pseudo_header,
    verdict,
)

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = PLAIN_CAPTURES
SHARED = ROOT.parent / "shared" / "corpus"
CORPUS = sorted(path for path in SHARED.glob("*/*") if path.suffix != ".md")
FILES = [*SAMPLES, *CORPUS]
MOST_FRAMES = None if os.environ.get("TCPCAP_FULL_CORPUS") else 10_000  # of each file, to save time

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
needs_tcprewrite = pytest.mark.skipif(shutil.which("tcprewrite") is None, reason="needs tcprewrite")

TCP, UDP, ICMP, ICMPV6, GRE = 6, 17, 1, 58, 47
FIELD_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
NAMES = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP", ICMPV6: "ICMPv6"}
TUNNEL_PORTS = {4789, 8472, 6081, 2152, 1701}
NOT_READY, VERIFIED = 0x200, 0x400
MILLISECOND = 10**6


# A frame, and a capture of them


@dataclass(frozen=True)
class Frame:
    """A captured frame with all that matters here."""

    data: bytes
    link: int = 1
    cut: int = 0  # bytes that were on the wire behind those captured
    fcs: int = 0  # bytes of check sequence that the interface says a frame ends with
    flags: int = 0

    @property
    def length(self) -> int:
        """Bytes on the wire."""
        return len(self.data) + self.cut


def changed(frames: Sequence[Frame], contents: Sequence[bytes]) -> list[Frame]:
    """The frames with other bytes."""
    return [replace(frame, data=data) for frame, data in zip(frames, contents, strict=True)]


def pcapng_of(frames: Sequence[Frame], order: str = "<") -> bytes:
    """One section, an interface for each link type, a millisecond from frame to frame."""
    kinds = list(dict.fromkeys((frame.link, frame.fcs) for frame in frames))
    blocks = [build.idb(link=link, fcs_bits=8 * fcs if fcs else None, order=order) for link, fcs in kinds]
    for position, frame in enumerate(frames):
        blocks.append(
            build.epb(
                frame.data,
                interface=kinds.index((frame.link, frame.fcs)),
                ticks=position * 1000,
                length=frame.length,
                flags=frame.flags or None,
                order=order,
            )
        )
    return build.shb(order=order) + b"".join(blocks)


# The fixer in plain Python


@contextmanager
def no_deeper(depth: int) -> Iterator[None]:
    """The naive decoder enters at most `depth` tunnels."""
    really = naive_decode.try_tunnel

    def limited(frame: naive_decode.Frame, *rest: Any) -> None:
        if frame.row["tunnel_depth"] < depth:
            really(frame, *rest)

    with mock.patch.object(naive_decode, "try_tunnel", limited):
        yield


def levels(frame: Frame) -> list[Row]:
    """The rows of the IP packets in a frame, the outermost first."""
    rows: list[Row] = []
    while True:
        with no_deeper(len(rows)):
            row: Row = naive_decode.decode_frame(frame.data, frame.length, frame.link, fcs=frame.fcs)
        if row["ip_version"] == 0 or row["tunnel_depth"] < len(rows):
            return rows
        rows.append(row)


def is_piece(row: Row) -> bool:
    """Is it a fragment?"""
    return bool(row["fragment_offset"] or row["ip_flags"] & 1)


def way(row: Row) -> tuple[Any, ...]:
    """The direction that the packet belongs to."""
    return row["ip_version"], row["src"], row["dst"], row["ip_proto"]


Way = Callable[[tuple[Any, ...]], bool]


def never(_: tuple[Any, ...]) -> bool:
    """No host leaves checksums to its card."""
    return False


def odd(direction: tuple[Any, ...]) -> bool:
    """Some hosts do, whatever their checksums look like."""
    return zlib.crc32(repr(direction).encode()) % 2 == 1


def marked_by(is_marked: Way) -> Callable[[Checker], npt.NDArray[np.bool_]]:
    """What fix_checksums asks about the directions of a Checker."""

    def offloaded(checker: Checker) -> npt.NDArray[np.bool_]:
        found = []
        for row in checker.directions:
            version = int(row["version"])
            ends = [address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), version) for end in ("src", "dst")]
            found.append(is_marked((version, *ends, int(row["proto"]))))
        return np.array(found, np.bool_)

    return offloaded


def reason(row: Row) -> str:
    """Why a checksum cannot be verified."""
    if "fragment" in row["layers"]:
        return "fragment"
    missing = row["stop"] == "truncated" or row["payload_captured"] < row["payload_len"]
    return "cut" if missing and "cut" in row["quirks"] else "other"


def checksum(*parts: bytes) -> int:
    """RFC 1071."""
    return ALL_ONES - ones_complement_sum(b"".join(parts))


class NaiveFixer:
    """All frames of a capture; `fix` gives one of them with right checksums."""

    def __init__(self, frames: Sequence[Frame], *, everything: bool = False, marked: Way = never) -> None:
        self.frames = frames
        self.everything = everything
        self.rows = [levels(frame) for frame in frames]
        self.wrote: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.later: dict[tuple[int, int], bytes] = {}  # of a datagram: what its first fragment does not hold
        self.collect()
        seen = self.directions()
        self.marked = lambda row: way(row) in seen and marked(way(row))

    def collect(self) -> None:
        """Put fragments together."""
        checker = NaiveChecker()
        owners: dict[int, tuple[int, int]] = {}
        for position, (frame, rows) in enumerate(zip(self.frames, self.rows, strict=True)):
            for level in reversed(range(len(rows))):
                row = rows[level]
                if not is_piece(row) or not NaiveChecker().word_by_sum(frame.data, row, 0):
                    continue
                owners[id(row)] = position, level
                key = row["ip_version"], row["src"], row["dst"], row["ip_id"], row["ip_proto"]
                before = checker.fragments.get(key)
                checker.word_by_sum(frame.data, row, position * MILLISECOND)
                if before is not None and key not in checker.fragments:
                    assert before.first is not None
                    self.later[owners[id(before.first.row)]] = self.without_first(before)

    @staticmethod
    def without_first(datagram: Fragments) -> bytes:
        """The other fragments."""
        return b"".join(piece for offset, piece in sorted(datagram.pieces.items()) if offset)

    def directions(self) -> set[tuple[Any, ...]]:
        """Those that a Checker knows: it looks at the innermost packets."""
        checker = NaiveChecker()
        found = set()
        for position, (frame, rows) in enumerate(zip(self.frames, self.rows, strict=True)):
            if rows and any(checker.check(frame.data, rows[-1], position * MILLISECOND)):
                found.add(way(rows[-1]))
        return found

    def fixed(self) -> list[bytes]:
        """The bytes of all frames."""
        return [self.fix(position) for position in range(len(self.frames))]

    def fix(self, position: int) -> bytes:
        """The bytes of one frame."""
        frame, rows = self.frames[position], self.rows[position]
        data = bytearray(frame.data)
        wrote: set[str] = set()
        left: set[str] = set()
        for level in reversed(range(len(rows))):
            row = rows[level]
            inside = bool(wrote)
            if row["ip_version"] == 4:
                self.fix_header(data, row, wrote, left)
            outer = level < len(rows) - 1
            known = bool(frame.flags & (NOT_READY | VERIFIED)) and len(rows) == 1
            self.fix_transport(data, row, (position, level), outer, inside, known, wrote, left)
        if wrote and self.has_fcs(frame, rows[0]):
            begin = 8 if frame.link == 274 else 0
            data[-4:] = struct.pack("<I", zlib.crc32(bytes(data[begin:-4])))
            wrote.add("FCS")
        self.wrote.update(wrote)
        self.left.update(left)
        return bytes(data)

    def fix_header(self, data: bytearray, row: Row, wrote: set[str], left: set[str]) -> None:
        """RFC 791."""
        word, at = ip_header_word(bytes(data), row), row["l3_at"]
        if word == "unverifiable":
            left.add(reason(row))
        elif word == "bad" and not self.everything and not self.marked(row):
            left.add("corrupt")
        elif word in ("bad", "zero") or (word == "valid" and self.everything):
            header = bytes(data[at : at + (data[at] & 15) * 4])
            if word == "valid" and header[10:12] != b"\xff\xff":
                return
            self.put(data, at + 10, checksum(header[:10], header[12:]), "IPv4 header", wrote)

    @staticmethod
    def put(data: bytearray, at: int, value: int, name: str, wrote: set[str]) -> None:
        """Write 16 bits."""
        if number(data, at, 2) != value:
            wrote.add(name)
        data[at : at + 2] = value.to_bytes(2, "big")

    def fix_transport(
        self,
        data: bytearray,
        row: Row,
        place: tuple[int, int],
        outer: bool,
        inside: bool,
        known: bool,
        wrote: set[str],
        left: set[str],
    ) -> None:
        """TCP, UDP, ICMP, ICMPv6 or GRE."""
        protocol, at = row["ip_proto"], row["l4_at"]
        if not NaiveChecker().word_by_sum(bytes(data), row, 0):
            if protocol == GRE and (inside or self.everything) and not is_piece(row):
                self.fix_gre(data, row, wrote, left)
            elif row["stop"] == "truncated" and not outer:
                left.add(reason(row))
            return
        if is_piece(row):
            if place not in self.later:
                return  # the test for fragments counts them
            whole = bytes(data[at : row["l3_at"] + row["ip_len"]]) + self.later[place]
            if protocol == UDP and row["udp_len"] != len(whole):
                return
            word = verdict(Datagram(row, final_destination(bytes(data), row), whole, len(whole)))
        else:
            word = NaiveChecker().word_by_sum(bytes(data), row, 0)
            size = row["header_len"] + row["payload_len"]
            if row["stop"] == "bad_tcp_header":
                size = row["l3_at"] + row["ip_len"] - at
                if "ip_length_beyond_frame" in row["quirks"]:
                    word = "unverifiable"
            if protocol == UDP and row["udp_len"]:
                size = row["udp_len"]
            whole = bytes(data[at : at + size])
        if word == "unverifiable":
            left.add(reason(row))
            return
        field = FIELD_AT[protocol]
        value = number(whole, field, 2)
        if protocol == UDP and value == 0 and row["ip_version"] == 6:
            if outer or TUNNEL_PORTS & {row["src_port"], row["dst_port"]}:
                return
            word = "zero"
        if word == "valid" and self.everything and value == ALL_ONES and protocol != UDP:
            word = "zero"
        if word == "bad" and not (inside or known or self.everything or self.marked(row)):
            left.add("corrupt")
        elif word in ("bad", "zero", "partial"):
            destination = final_destination(bytes(data), row)
            assert destination is not None
            right = checksum(pseudo_header(row, destination, len(whole)), whole[:field], b"\0\0", whole[field + 2 :])
            if protocol == UDP:
                right = right or ALL_ONES
            self.put(data, at + field, right, NAMES[protocol], wrote)

    def fix_gre(self, data: bytearray, row: Row, wrote: set[str], left: set[str]) -> None:
        """RFC 2784."""
        at = row["l4_at"]
        packet = bytes(data[at : at + row["payload_len"]])
        if len(packet) < 8 or len(packet) < row["payload_len"] or number(packet, 0, 2) & 0x8007 != 0x8000:
            return
        if "ip_length_beyond_frame" in row["quirks"]:
            left.add("other")
        elif ones_complement_sum(packet) != ALL_ONES:
            self.put(data, at + 4, checksum(packet[:4], packet[6:]), "GRE", wrote)

    @staticmethod
    def has_fcs(frame: Frame, outermost: Row) -> bool:
        """Does an Ethernet frame end with a check sequence, which was captured?"""
        if frame.cut or row_end(outermost) > len(frame.data) - 4:
            return False
        if frame.link == 274:
            return frame.data[7] == 0xD5 and len(frame.data) >= 26 and frame.fcs in (0, 4)
        return frame.link in (1, 281, 284, 285) and frame.fcs == 4 and len(frame.data) >= 18


def row_end(row: Row) -> int:
    """Where the IP packet ends."""
    end: int = row["l3_at"] + row["ip_len"]
    return end


# The real one


def run(
    folder: Path, content: bytes, *, target: str = "out", marked: Way = never, **options: Any
) -> tuple[bytes, Fixed]:
    """Fix the capture `content`."""
    source = folder / "in"
    source.write_bytes(content)
    done = fix_checksums(str(source), str(folder / target), offloaded=marked_by(marked), **options)
    assert source.read_bytes() == content
    return (folder / target).read_bytes(), done


def nonzero(counts: dict[str, int] | Counter[str]) -> dict[str, int]:
    """What was counted."""
    return {name: count for name, count in counts.items() if count}


def compare(folder: Path, frames: Sequence[Frame], *, marked: Way = never, **options: Any) -> Fixed:
    """The twin's bytes and counts are the compiled kernel's."""
    naive = NaiveFixer(frames, everything=options.get("everything", False), marked=marked)
    expected = changed(frames, naive.fixed())
    out, done = run(folder, pcapng_of(frames), marked=marked, **options)
    if out != pcapng_of(expected):
        actual = data_of(folder / "out")
        for position, (frame, want, got) in enumerate(zip(frames, expected, actual, strict=True)):
            assert got == want.data, (
                f"frame {position + 1}, link {frame.link}, cut {frame.cut}, fcs {frame.fcs}, flags {frame.flags:x}\n"
                f"given  {frame.data.hex()}\nwanted {want.data.hex()}\ngot    {got.hex()}"
            )
    assert out == pcapng_of(expected)
    assert done.frames == len(frames)
    assert not done.damages
    assert nonzero(done.fixed) == naive.wrote
    ours, theirs = nonzero(done.left), dict(naive.left)
    ours.pop("fragment", None)
    theirs.pop("fragment", None)
    assert ours == theirs
    return done


def data_of(path: Path | str, most: int | None = None) -> list[bytes]:
    """The captured bytes of each frame of a file."""
    found: list[bytes] = []
    with open_capture([str(path)]) as capture:
        for batch in capture:
            found += [batch.data(position) for position in range(len(batch))]
            if most is not None and len(found) >= most:
                break
    return found[:most]


# Frames with wrong checksums


def spoilt(rng: random.Random, frame: Frame) -> Frame:
    """The frame with some of its checksums partial, zero, minus zero or anything."""
    data = bytearray(frame.data)
    for row in levels(frame):
        at = row["l3_at"]
        if row["ip_version"] == 4 and at + 12 <= len(data) and rng.random() < 0.3:
            data[at + 10 : at + 12] = rng.choice((b"\0\0", b"\xff\xff", rng.randbytes(2)))
        field = row["l4_at"] + FIELD_AT.get(row["ip_proto"], 0)
        known = row["ip_proto"] in FIELD_AT and row["l4_at"] and field + 2 <= len(data) and not row["fragment_offset"]
        if known and rng.random() < 0.6:
            size = row["header_len"] + row["payload_len"]
            partial = ones_complement_sum(pseudo_header(row, build.packed(row["dst"]), rng.choice((size, 0))))
            value = rng.choice((0, ALL_ONES, partial, partial, rng.getrandbits(16)))
            data[field : field + 2] = value.to_bytes(2, "big")
        if row["ip_proto"] == GRE and row["l4_at"] and row["l4_at"] + 6 <= len(data) and rng.random() < 0.2:
            data[row["l4_at"] + 4] ^= 1
    return replace(frame, data=bytes(data))


def random_frame(rng: random.Random) -> Frame:
    """A frame of any kind and link type, of any interface, with flags or without."""
    link, data, length = strategies.random_frame(rng)
    fcs = rng.choice((0, 0, 0, 4, 4, 2)) if link in (1, 274, 281, 282, 285, 113) else 0
    if fcs == 4 and length == len(data) and rng.random() < 0.8:
        data += zlib.crc32(data).to_bytes(4, "little")
        length += 4
    flags = rng.choice((NOT_READY, VERIFIED, 1, 2)) if rng.random() < 0.1 else 0
    if length < len(data):  # the file says that more was captured than there was
        data = data[:length]
    return Frame(data, link, length - len(data), fcs, flags)


def segment(rng: random.Random, protocol: int, size: int, between: tuple[str, str]) -> bytes:
    """A transport datagram with a right checksum, or UDP without."""
    payload = rng.randbytes(size)
    if protocol == TCP:
        return build.tcp(payload, between=between)
    if protocol == UDP:
        return build.udp(payload, between=between, check=0 if rng.random() < 0.15 else None)
    if protocol == ICMP:
        return build.icmp(payload)
    return build.icmpv6(payload, between=between)


def tunnelled(rng: random.Random, between: tuple[str, str]) -> bytes:
    """A UDP datagram that carries a frame whose checksums are wrong, as when the card is to finish them."""
    inner = Frame(build.ethernet(build.ipv4(build.tcp(rng.randbytes(200)))))
    check = rng.choice((0, None, None, rng.getrandbits(16)))
    datagram = build.udp(build.vxlan(inner.data), dst_port=4789, between=between, check=check)
    return datagram[:16] + spoilt(rng, inner).data


def fragments(rng: random.Random, ident: int) -> list[Frame]:
    """A datagram in pieces, on the wire or in a tunnel, sometimes one lost, doubled or late."""
    version = rng.choice((4, 6))
    between = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
    protocol = rng.choice((TCP, UDP, UDP, ICMP if version == 4 else ICMPV6))
    whole = bytearray(segment(rng, protocol, rng.randint(20, 300), between))
    if rng.random() < 0.2:
        protocol, whole = UDP, bytearray(tunnelled(rng, between))
    elif rng.random() < 0.7:
        field = FIELD_AT[protocol]
        whole[field : field + 2] = rng.choice((b"\0\0", b"\xff\xff", rng.randbytes(2)))
    edges = sorted({0, *(8 * rng.randint(1, len(whole) // 8) for _ in range(rng.randint(1, 5))), len(whole)})
    packets = []
    for start, end in itertools.pairwise(edges):
        more = end < len(whole)
        if version == 4:
            packets.append(build.ipv4(bytes(whole[start:end]), protocol, ident=ident, flags=int(more), offset=start))
        else:
            headers = [build.options_header(0)] * rng.randint(0, 1) + [
                build.fragment_header(offset=start, more=more, ident=ident)
            ]
            packets.append(build.ipv6(bytes(whole[start:end]), protocol, extensions=headers))
    if rng.random() < 0.2:
        packets.append(packets.pop(0))
    if rng.random() < 0.15:
        packets.pop(rng.randrange(len(packets)))
    if rng.random() < 0.15:
        packets.append(rng.choice(packets))
    found = []
    inside = rng.random() < 0.2
    for packet in packets:
        data = build.ethernet(packet, build.IPV4 if version == 4 else build.IPV6)
        if inside:
            data = build.ethernet(build.ipv4(build.udp(build.vxlan(data), dst_port=4789), UDP, src="203.0.113.7"))
        frame = Frame(data)
        found.append(spoilt(rng, frame) if rng.random() < 0.3 and not levels(frame)[-1]["l4_at"] else frame)
    return found


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("everything", [False, True], ids=["default", "all"])
def test_generated_frames_as_the_twin(tmp_path: Path, seed: int, everything: bool) -> None:
    """Every kind of frame, link type and tunnel, complete, cut or hostile."""
    rng = random.Random(seed)
    frames = [spoilt(rng, random_frame(rng)) for _ in range(250)]
    done = compare(tmp_path, frames, everything=everything, marked=odd)
    assert done.fixed["TCP"] > 10
    assert done.fixed["IPv4 header"] > 10


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("everything", [False, True], ids=["default", "all"])
def test_fragments_as_the_twin(tmp_path: Path, seed: int, everything: bool) -> None:
    """The checksum stands in the first fragment, the bytes that it covers in all."""
    rng = random.Random(seed)
    frames = [frame for ident in range(120) for frame in fragments(rng, ident)]
    for sizes in ({}, {"batch_frames": 1}, {"batch_frames": 7, "window_bytes": 4096}):
        done = compare(tmp_path, frames, everything=everything, marked=odd, **sizes)
    assert done.fixed["UDP"] + done.fixed["TCP"] > 10
    assert done.left["fragment"] > 10


def test_fragments_are_counted_by_what_is_missing(tmp_path: Path) -> None:
    """Complete ones are made right, those without checksum need nothing, and the others are left."""

    def pieces(transport: bytes, ident: int, protocol: int = UDP) -> list[Frame]:
        cuts = [transport[:32], transport[32:64], transport[64:]]
        packets = [
            build.ipv4(piece, protocol, ident=ident, flags=int(number < 2), offset=32 * number)
            for number, piece in enumerate(cuts)
        ]
        return [Frame(build.ethernet(packet)) for packet in packets]

    payload = bytes(range(90))
    right, wrong, silent = (build.udp(payload, check=check) for check in (None, 0x1234, 0))
    cases = {
        "right": pieces(right, 1),
        "wrong": pieces(wrong, 2),
        "silent": pieces(silent, 3),
        "silent, first late": pieces(silent, 4)[::-1],
        "one lost": pieces(wrong, 5)[:2],
        "first lost": pieces(wrong, 6)[1:],
        "one doubled": pieces(wrong, 7)[:2] + pieces(wrong, 7)[1:],
        "length of UDP wrong": pieces(build.udp(payload, length=50, check=1), 8),
        "TCP header in two": [
            Frame(build.ethernet(build.ipv4(piece, TCP, ident=9, flags=flags, offset=offset)))
            for piece, flags, offset in ((build.tcp()[:16], 1, 0), (build.tcp()[16:], 0, 16))
        ],
        "snaplen": [*pieces(wrong, 10)[:2], Frame(pieces(wrong, 10)[2].data[:-3], cut=3)],
    }
    left = {name: compare(tmp_path, frames, everything=True).left["fragment"] for name, frames in cases.items()}
    assert left == {
        "right": 0,
        "wrong": 0,
        "silent": 0,
        "silent, first late": 0,
        "one lost": 2,
        "first lost": 2,
        "one doubled": 1,
        "length of UDP wrong": 3,
        "TCP header in two": 2,
        "snaplen": 3,
    }
    done = compare(tmp_path, [frame for frames in cases.values() for frame in frames], everything=True)
    assert done.left == {"corrupt": 0, "cut": 0, "fragment": 13, "other": 0}
    assert nonzero(done.fixed) == {"UDP": 2}


# What is made right, and what is not


def one(data: bytes, folder: Path, **options: Any) -> tuple[bytes, dict[str, int], dict[str, int]]:
    """One Ethernet frame: its bytes afterwards, what was fixed, and what was left."""
    frame = Frame(data, **{name: options.pop(name) for name in ("cut", "fcs", "flags", "link") if name in options})
    _, done = run(folder, pcapng_of([frame]), **options)
    return data_of(folder / "out")[0], nonzero(done.fixed), nonzero(done.left)


def partial_tcp(payload: bytes = b"hello", *, length: int | None = None) -> bytes:
    """A TCP segment with the sum of its pseudo-header, for the card to finish."""
    size = 20 + len(payload) if length is None else length
    pseudo = build.packed(build.SRC4) + build.packed(build.DST4) + struct.pack(">II", TCP, size)
    return build.tcp(payload, check=ones_complement_sum(pseudo))


RIGHT = build.ethernet(build.ipv4(build.tcp(b"hello")))
SEGMENTS = {"partial": partial_tcp(), "partial, no length": partial_tcp(length=0), "zero": build.tcp(b"hello", check=0)}


@pytest.mark.parametrize("kind", SEGMENTS)
def test_what_the_card_was_to_fill_in(tmp_path: Path, kind: str) -> None:
    """Partial and zero, without being asked."""
    assert one(build.ethernet(build.ipv4(SEGMENTS[kind])), tmp_path) == (RIGHT, {"TCP": 1}, {})


def test_a_wrong_checksum_is_left_unless_it_is_stale_or_everything_is_wanted(tmp_path: Path) -> None:
    """Damage on the way is part of what was captured."""
    wrong = build.ethernet(build.ipv4(build.tcp(b"hello", check=0x1234)))
    assert one(wrong, tmp_path) == (wrong, {}, {"corrupt": 1})
    assert one(wrong, tmp_path, marked=lambda way: way == (4, build.SRC4, build.DST4, TCP)) == (RIGHT, {"TCP": 1}, {})
    assert one(wrong, tmp_path, marked=lambda way: way == (4, build.DST4, build.SRC4, TCP))[0] == wrong
    assert one(wrong, tmp_path, everything=True) == (RIGHT, {"TCP": 1}, {})


@pytest.mark.parametrize("flags", [NOT_READY, VERIFIED])
def test_what_the_capturing_host_says_of_a_checksum_counts(tmp_path: Path, flags: int) -> None:
    """Not ready yet, or found right by the card: a wrong field was not sent so."""
    wrong = build.ethernet(build.ipv4(build.tcp(b"hello", check=0x1234)))
    assert one(wrong, tmp_path, flags=flags) == (RIGHT, {"TCP": 1}, {})


def test_the_ipv4_header(tmp_path: Path) -> None:
    """Zero always, wrong if asked; a header with options, a fragment, and a frame cut behind it."""
    zero, wrong = (build.ethernet(build.ipv4(build.tcp(b"hello"), check=check)) for check in (0, 0x1234))
    assert one(zero, tmp_path) == (RIGHT, {"IPv4 header": 1}, {})
    assert one(wrong, tmp_path) == (wrong, {}, {"corrupt": 1})
    assert one(wrong, tmp_path, everything=True) == (RIGHT, {"IPv4 header": 1}, {})
    for fields in ({"options": build.RECORD_ROUTE}, {"offset": 800}, {"protocol": 89}, {"total_length": 0}):
        given, wanted = (build.ethernet(build.ipv4(b"12345678", check=check, **fields)) for check in (0, None))
        assert one(given, tmp_path)[0] == wanted, fields
    assert one(zero[:50], tmp_path, cut=9) == (RIGHT[:50], {"IPv4 header": 1}, {"cut": 1})
    assert one(zero[:30], tmp_path, cut=29) == (zero[:30], {}, {"cut": 1})


def test_udp_without_a_checksum(tmp_path: Path) -> None:
    """Over IPv4 it is left; over IPv6 only a tunnel may have none; a sum of 0 is written as FFFF."""
    for check in (None, 0):
        data = build.ethernet(build.ipv4(build.udp(b"hello", check=check), UDP))
        assert one(data, tmp_path, everything=True) == (data, {}, {})
    between = (build.SRC6, build.DST6)
    zero, right = (
        build.ethernet(build.ipv6(build.udp(b"hello", check=check, between=between), UDP), build.IPV6)
        for check in (0, None)
    )
    assert one(zero, tmp_path) == (right, {"UDP": 1}, {})
    for inner in (RIGHT, build.ethernet(bytes(28), build.ARP)):
        tunnel = build.udp(build.vxlan(inner), dst_port=4789, check=0, between=between)
        data = build.ethernet(build.ipv6(tunnel, UDP), build.IPV6)
        assert one(data, tmp_path, everything=True) == (data, {}, {})

    for version, ends in ((4, (build.SRC4, build.DST4)), (6, between)):
        fill = build.pseudo_checksum(UDP, build.udp(b"\0\0", check=0, between=ends), ends)
        datagram = build.udp(fill.to_bytes(2, "big"), check=0x1111, between=ends)
        packet, kind = (
            (build.ipv4(datagram, UDP), build.IPV4) if version == 4 else (build.ipv6(datagram, UDP), build.IPV6)
        )
        assert build.pseudo_checksum(UDP, datagram[:6] + b"\0\0" + datagram[8:], ends) == 0
        fixed, wrote, _ = one(build.ethernet(packet, kind), tmp_path, everything=True)
        assert (fixed[-4:-2], wrote) == (b"\xff\xff", {"UDP": 1})
    zero6 = datagram[:6] + b"\0\0" + datagram[8:]  # right as a sum, and still no checksum
    assert one(build.ethernet(build.ipv6(zero6, UDP), build.IPV6), tmp_path)[0][-4:-2] == b"\xff\xff"


def test_minus_zero_is_right_but_not_what_one_writes(tmp_path: Path) -> None:
    """RFC 1624: FFFF in TCP is accepted, and made 0 where every oddity is to go."""
    fill = build.pseudo_checksum(TCP, build.tcp(b"\0\0", check=0), (build.SRC4, build.DST4))
    minus, plus = (
        build.ethernet(build.ipv4(build.tcp(fill.to_bytes(2, "big"), check=check))) for check in (ALL_ONES, 0)
    )
    assert one(minus, tmp_path) == (minus, {}, {})
    assert one(minus, tmp_path, everything=True) == (plus, {"TCP": 1}, {})
    assert one(plus, tmp_path, everything=True) == (plus, {}, {})
    nothing = build.ethernet(build.ipv4(bytes(8), ICMP))  # all zero: here FFFF is the sum
    full = build.ethernet(build.ipv4(b"\0\0\xff\xff\0\0\0\0", ICMP))
    assert one(nothing, tmp_path) == (full, {"ICMP": 1}, {})
    assert one(full, tmp_path, everything=True) == (full, {}, {})


def test_segmentation_offload(tmp_path: Path) -> None:
    """A packet larger than any wire takes has one checksum, and perhaps no length."""
    payload = bytes(range(256)) * 200
    between = (build.SRC6, build.DST6)
    for packet, kind in (
        (build.ipv4(build.tcp(payload, check=0), check=0), build.IPV4),
        (build.ipv4(build.tcp(payload, check=0), total_length=0, check=0), build.IPV4),
        (build.ipv6(build.tcp(payload * 2, check=0, between=between), payload_length=0), build.IPV6),
        (build.ipv6_jumbo(build.tcp(payload * 2, check=0, between=between)), build.IPV6),
    ):
        data = build.ethernet(packet, kind)
        wanted = NaiveFixer([Frame(data)]).fixed()[0]
        fixed, wrote, left = one(data, tmp_path)
        assert fixed == wanted
        assert (wrote["TCP"], left) == (1, {})
    whole = build.tcp(payload, between=(build.SRC4, build.DST4))
    data = build.ethernet(build.ipv4(partial_tcp(payload, length=0), total_length=0))
    assert one(data, tmp_path)[0] == build.ethernet(build.ipv4(whole, total_length=0))


def test_padding_is_not_covered(tmp_path: Path) -> None:
    """What fills a frame up to the least size of Ethernet is no part of the segment."""
    zero, right = (build.ethernet(build.ipv4(build.tcp(check=check))) + b"trail!" for check in (0, None))
    assert one(zero, tmp_path)[0] == right


def vxlan(inner: bytes, check: int | None = None) -> bytes:
    """A frame in a frame."""
    return build.ethernet(build.ipv4(build.udp(build.vxlan(inner), dst_port=4789, check=check), UDP))


def test_outer_checksums_cover_the_inner_packet(tmp_path: Path) -> None:
    """Computed as if the inner one were finished they become right by themselves, otherwise they follow."""
    unfinished = build.ethernet(build.ipv4(partial_tcp()))
    right = vxlan(RIGHT)
    head = len(right) - len(RIGHT)
    ahead = right[:head] + unfinished  # Linux: local checksum offload
    assert one(ahead, tmp_path) == (right, {"TCP": 1}, {})
    assert one(vxlan(unfinished), tmp_path) == (right, {"TCP": 1, "UDP": 1}, {})
    assert one(vxlan(unfinished, 0), tmp_path) == (vxlan(RIGHT, 0), {"TCP": 1}, {})
    assert one(vxlan(unfinished, 0x1234), tmp_path) == (right, {"TCP": 1, "UDP": 1}, {})
    assert one(vxlan(RIGHT, 0x1234), tmp_path) == (vxlan(RIGHT, 0x1234), {}, {"corrupt": 1})
    assert one(vxlan(RIGHT, 0x1234), tmp_path, everything=True) == (right, {"UDP": 1}, {})
    corrupt = build.ethernet(build.ipv4(build.tcp(b"hello", check=0x1234)))
    assert one(vxlan(corrupt), tmp_path) == (vxlan(corrupt), {}, {"corrupt": 1})
    twice = vxlan(vxlan(unfinished))
    assert one(twice, tmp_path) == (vxlan(right), {"TCP": 1, "UDP": 1}, {})


def test_the_checksum_of_gre(tmp_path: Path) -> None:
    """It covers the inner packet where there is one."""
    inner, right = build.ipv4(partial_tcp()), build.ipv4(build.tcp(b"hello"))
    for options in ({}, {"key": 7, "sequence": 3}):
        given, wanted = (
            build.ethernet(build.ipv4(build.gre(packet, check=True, **options), GRE)) for packet in (inner, right)
        )
        assert one(given, tmp_path) == (wanted, {"TCP": 1, "GRE": 1}, {})
        plain = build.ethernet(build.ipv4(build.gre(inner, **options), GRE))
        assert one(plain, tmp_path)[1] == {"TCP": 1}
    damaged = bytearray(build.ethernet(build.ipv4(build.gre(right, check=True), GRE)))
    wanted = bytes(damaged)
    damaged[38] ^= 1
    assert one(bytes(damaged), tmp_path) == (bytes(damaged), {}, {})
    assert one(bytes(damaged), tmp_path, everything=True) == (wanted, {"GRE": 1}, {})


def with_fcs(data: bytes, begin: int = 0) -> bytes:
    """A frame with its check sequence."""
    return data + zlib.crc32(data[begin:]).to_bytes(4, "little")


def test_the_frame_check_sequence(tmp_path: Path) -> None:
    """It follows where a frame has one, and was changed."""
    wrong = build.ethernet(build.ipv4(build.tcp(b"hello", check=0)))
    assert one(with_fcs(wrong), tmp_path, fcs=4) == (with_fcs(RIGHT), {"TCP": 1, "FCS": 1}, {})
    assert one(with_fcs(wrong), tmp_path) == (RIGHT + with_fcs(wrong)[-4:], {"TCP": 1}, {})
    assert one(RIGHT + b"....", tmp_path, fcs=4) == (RIGHT + b"....", {}, {})
    assert one(wrong + b"..", tmp_path, fcs=2) == (RIGHT + b"..", {"TCP": 1}, {})
    assert one(wrong, tmp_path, fcs=4) == (RIGHT, {"TCP": 1}, {})  # not sent yet: it has none
    assert one(with_fcs(wrong)[:-2], tmp_path, fcs=4, cut=2) == (RIGHT + with_fcs(wrong)[-4:-2], {"TCP": 1}, {})
    offloaded, wanted = (build.ethernet(build.ipv4(build.tcp(check=check), total_length=0)) for check in (0, None))
    assert one(with_fcs(offloaded), tmp_path, fcs=4)[0] == with_fcs(wanted)
    express = bytes(7) + b"\xd5"
    assert one(with_fcs(express + wrong, 8), tmp_path, link=274)[0] == with_fcs(express + RIGHT, 8)
    part = bytes(7) + b"\xe6"  # of a preempted frame: the check sequence is another one
    assert one(part + wrong + b"....", tmp_path, link=274)[0] == part + RIGHT + b"...."


@needs_tshark
def test_tshark_likes_frame_check_sequences_and_gre(tmp_path: Path) -> None:
    """Both are computed as Wireshark does."""
    wrong = build.ethernet(build.ipv4(build.gre(build.ipv4(partial_tcp()), check=True), GRE))
    run(tmp_path, pcapng_of([Frame(with_fcs(wrong), fcs=4), Frame(with_fcs(vxlan(wrong)), fcs=4)]))
    said = tshark(tmp_path / "out", "eth.fcs.status", "gre.checksum.status", "tcp.checksum.status")
    assert [said[0][0], said[1][0].split(",")[0]] == ["1", "1"]
    assert [row[2] for row in said] == ["1", "1"]
    assert {row[1] for row in said} == {"1"}


def test_the_verdict_on_a_direction_decides(tmp_path: Path) -> None:
    """Of real recordings, what was damaged on its way stays so; what a card was to fill in is filled in."""
    for sample in ("corrupt-ipv4", "loss-ipv4", "tunnel-vxlan"):
        for path in sorted((ROOT / "samples" / sample).rglob("*.pcap")):
            done = fix_checksums(str(path), str(tmp_path / "out"))
            again = fix_checksums(str(tmp_path / "out"), str(tmp_path / "again"))
            assert nonzero(again.fixed) == {}
            assert again.left == done.left
            if sample == "corrupt-ipv4":
                everything = fix_checksums(str(path), str(tmp_path / "all"), everything=True)
                assert everything.fixed["TCP"] == done.left["corrupt"] + done.fixed["TCP"]


# Oracles: tshark and tcprewrite on real captures

STATUSES = ("ip", "tcp", "udp", "icmp", "icmpv6")
BAD = "0"


def tshark(path: Path, *fields: str, options: Sequence[str] = ()) -> list[list[str]]:
    """The fields of each frame, with every checksum verified."""
    checked = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    checked += ["eth.check_fcs:TRUE", "tcp.desegment_tcp_streams:FALSE", "tcp.analyze_sequence_numbers:FALSE"]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *options]
    command += [part for preference in checked for part in ("-o", preference)]
    command += [part for field in fields for part in ("-e", field)]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [line.split("\t") for line in out.splitlines()]


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


@needs_tshark
@pytest.mark.parametrize("path", named(READABLE))
def test_tshark_finds_no_bad_checksum(tmp_path: Path, path: Path) -> None:
    """In real captures, after everything was made right, but for what cannot be."""
    out, _ = run(tmp_path, uncompressed(path), everything=True)
    assert len(out) == len(uncompressed(path))
    limit = [] if MOST_FRAMES is None else ["-c", str(MOST_FRAMES)]
    fields = ["frame.number", "frame.protocols", *(f"{name}.checksum.status" for name in STATUSES)]
    said = tshark(tmp_path / "out", *fields, options=limit)
    suspects = [row for row in said if any(BAD in status.split(",") for status in row[2:])]
    if not suspects:
        return
    with open_capture([str(tmp_path / "out")]) as capture:
        link = capture.interfaces[0].link_type
    contents = data_of(tmp_path / "out")
    for row in suspects:
        frame, layers = int(row[0]), row[1].split(":")
        for name, status in zip(STATUSES, row[2:], strict=True):
            assert BAD not in outside_of_quotes(name, status.split(","), layers) or is_excused(
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


def against_tcprewrite(folder: Path, path: Path) -> Counter[str]:
    """How many frames are the same, and how many are not for which reason; nothing where it cannot read the file."""
    run(folder, uncompressed(path), everything=True)
    with open_capture([str(folder / "in")]) as capture:
        link = capture.interfaces[0].link_type if len(capture.interfaces) else 0
    if link not in (1, 12, 14, 101):
        return Counter()
    command = ["tcprewrite", "--fixcsum", "-i", str(folder / "in"), "-o", str(folder / "theirs")]
    if subprocess.run(command, capture_output=True, check=False, timeout=120).returncode:
        return Counter()
    found: Counter[str] = Counter()
    with open_capture([str(folder / "in")]) as capture:
        lengths = [int(length) for batch in capture for length in batch.rows["length"]]
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
@pytest.mark.parametrize("path", named(READABLE))
def test_the_same_as_tcprewrite(tmp_path: Path, path: Path) -> None:
    """Frame by frame the same bytes on Ethernet and raw IP, but for what the table explains."""
    against_tcprewrite(tmp_path, path)


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
    path = tmp_path / "wrong.pcap"
    path.write_bytes(build.pcap(build.Record(data) for data in frames))
    found = against_tcprewrite(tmp_path, path)
    assert found["same"] + found["none"] == len(frames)
    assert found["none"] < 10


# Formats


def some_frames(seed: int = 1, count: int = 40) -> list[Frame]:
    """Ethernet frames with wrong checksums, of any size and kind."""
    rng = random.Random(seed)
    return [spoilt(rng, Frame(strategies.FrameMaker(rng).ethernet(0))) for _ in range(count)]


def snoop_of(frames: Sequence[Frame]) -> bytes:
    """RFC 1761."""
    content = b"snoop\0\0\0" + struct.pack(">II", 2, 4)
    for position, frame in enumerate(frames):
        size = 24 + len(frame.data) + -len(frame.data) % 4
        content += struct.pack(">IIIIII", len(frame.data), len(frame.data), size, 0, position, 7)
        content += frame.data + b"pad"[: -len(frame.data) % 4]
    return content


def pcap_of(frames: Sequence[Frame], **fields: Any) -> bytes:
    """Classic pcap."""
    records = [build.Record(frame.data, position * MILLISECOND, ifindex=3) for position, frame in enumerate(frames)]
    return build.pcap(records, **fields)


def rich_pcapng_of(frames: Sequence[Frame]) -> bytes:
    """Sections of either byte order, every kind of block, options everywhere, and blocks that nobody knows."""
    content = b""
    third = len(frames) // 3
    for part, order in enumerate("<><"):
        mine = frames[part * third : (part + 1) * third if part < 2 else None]
        blocks = [
            build.idb(order=order, name="eth0", resolution=9, offset=-5, extra=[(1, b"a comment")]),
            build.custom(b"\x45" * 21, order=order),
            build.idb(order=order, name="lo", snaplen=65535),
            build.block(0x80000001, b"process information", order=order),
        ]
        for position, frame in enumerate(mine):
            data, kind = frame.data, position % 5
            if kind == 3:
                blocks.append(build.spb(data, order=order))
            elif kind == 4:
                blocks.append(build.pb(data, interface=1, ticks=position, drops=2, flags=1, order=order))
            else:
                extra = [(1, b"seen"), (2988, b"\x20\x7a\0\0custom")]
                blocks.append(build.epb(data, ticks=position * 10**6, drops=3, flags=2, extra=extra, order=order))
            if position % 7 == 0:
                blocks += [build.nrb(order=order), build.isb(order=order), build.dsb(order=order)]
        options = build.options((1, b"section"), (4, b"tests"), order=order)
        content += build.shb(order=order, extra=options) + b"".join(blocks)
    return content


FORMATS: dict[str, Callable[[Sequence[Frame]], bytes]] = {
    "pcap": pcap_of,
    "pcap, big-endian": lambda frames: pcap_of(frames, order=">"),
    "pcap, nanoseconds": lambda frames: pcap_of(frames, magic=build.NANOSECONDS),
    "pcap, nanoseconds, big-endian": lambda frames: pcap_of(frames, magic=build.NANOSECONDS, order=">"),
    "pcap, modified": lambda frames: pcap_of(frames, magic=build.MODIFIED),
    "pcap, modified, big-endian": lambda frames: pcap_of(frames, magic=build.MODIFIED, order=">"),
    "pcap 2.2": lambda frames: pcap_of(frames, version=(2, 2)),
    "pcap 2.3": lambda frames: pcap_of(frames, version=(2, 3)),
    "pcap, FCS length 0": lambda frames: pcap_of(frames, fcs=0, snaplen=96),
    "pcapng": pcapng_of,
    "pcapng, big-endian": lambda frames: pcapng_of(frames, ">"),
    "pcapng, sections": rich_pcapng_of,
    "snoop": snoop_of,
}


@cache
def given_and_wanted() -> tuple[list[Frame], list[Frame]]:
    """Frames, and the same with right checksums."""
    frames = some_frames()
    return frames, changed(frames, NaiveFixer(frames, everything=True).fixed())


@pytest.mark.parametrize("name", FORMATS)
def test_everything_but_checksums_stays_as_it_is(tmp_path: Path, name: str) -> None:
    """To the byte, whatever the format, and however much is worked on at once."""
    frames, wanted = given_and_wanted()
    make = FORMATS[name]
    assert make(frames) != make(wanted)
    for batch_frames in (1, 2, 7, 1000):
        for window_bytes in (64, 1000, 1 << 20):
            sizes = {"batch_frames": batch_frames, "window_bytes": window_bytes}
            out, done = run(tmp_path, make(frames), everything=True, **sizes)
            assert out == make(wanted), sizes
            assert done.frames == len(frames)
            assert not done.damages
    again, done = run(tmp_path, make(wanted), everything=True)
    assert again == make(wanted)
    assert nonzero(done.fixed) == {}


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip, members": lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]) + bytes(512),
    "zstd": lambda data: zstandard.compress(data),
    "lz4": lz4.frame.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "out.pcap": bytes,
    "out.pcap.gz": gzip.decompress,
    "out.pcap.zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "OUT.PCAP.LZ4": lz4.frame.decompress,
    "out.xz": lzma.decompress,
    "out.pcapng.bz2": bz2.decompress,
}


@pytest.mark.parametrize("how", COMPRESSED)
def test_the_input_may_be_compressed(tmp_path: Path, how: str) -> None:
    """Whatever it is called, the output is compressed only if its own name says so."""
    frames, wanted = given_and_wanted()
    out, _ = run(tmp_path, COMPRESSED[how](pcap_of(frames)), everything=True, window_bytes=300)
    assert out == pcap_of(wanted)


@pytest.mark.parametrize("target", DECOMPRESS)
def test_the_output_is_compressed_as_its_name_says(tmp_path: Path, target: str) -> None:
    """And can be read by those who compress so, and by tcpcap."""
    frames, wanted = given_and_wanted()
    out, _ = run(tmp_path, gzip.compress(pcap_of(frames)), target=target, everything=True, batch_frames=3)
    assert DECOMPRESS[target](out) == pcap_of(wanted)
    assert data_of(tmp_path / target) == [frame.data for frame in wanted]


def test_an_empty_capture(tmp_path: Path) -> None:
    """A header and no frame."""
    for content in (build.pcap([]), build.shb(), build.pcapng(build.shb(), build.idb()), snoop_of([])):
        out, done = run(tmp_path, content)
        assert (out, done.frames, nonzero(done.fixed), nonzero(done.left)) == (content, 0, {}, {})


# Damage


def test_what_is_damaged_is_copied(tmp_path: Path) -> None:
    """Between the records, at the end, and in the compressed stream: all that can be read is made right."""
    frames, wanted = given_and_wanted()
    half = len(frames) // 2
    for make, start in ((pcap_of, 24), (pcapng_of, 28 + 20)):
        for junk in (b"\xff" * 200, bytes(range(7, 250)) * 41 + b"abc"):
            junk += bytes(-len(junk) % 4)
            given, right = (
                make(some[:half]) + junk + make(some[half:])[start:] + b"the end" for some in (frames, wanted)
            )
            for window_bytes in (1000, 1 << 20):
                out, done = run(tmp_path, given, everything=True, window_bytes=window_bytes)
                assert out == right
                assert done.frames == len(frames)
                assert done.damages


def test_a_capture_that_ends_anywhere(tmp_path: Path) -> None:
    """Whole frames are made right, the beginning of another one is copied."""
    frames, wanted = (some[:6] for some in given_and_wanted())
    for make, begin in ((pcap_of, 24), (rich_pcapng_of, 400), (snoop_of, 16)):
        given = make(frames)
        for end in range(begin, len(given), 13):
            out, done = run(tmp_path, given[:end], everything=True)
            assert len(out) == end
            right = [frame.data for frame in wanted]
            assert data_of(tmp_path / "out") == right[: done.frames]
            assert data_of(tmp_path / "in") == [frame.data for frame in frames][: done.frames]
            if done.frames == 0:
                assert out == given[:end]


def test_compressed_input_that_breaks_off(tmp_path: Path) -> None:
    """What could be decompressed is there."""
    frames = some_frames(5, 3000)
    wanted = pcap_of(changed(frames, NaiveFixer(frames, everything=True).fixed()))
    stored = gzip.compress(pcap_of(frames), 1)
    out, done = run(tmp_path, stored[: len(stored) // 2], everything=True)
    assert len(done.damages) == 1
    assert done.damages[0].lost is None
    assert 1000 < len(out) < len(wanted)
    whole = out[:-1600]  # at most one frame that is not all there
    assert wanted.startswith(whole)


@pytest.mark.parametrize("seed", range(5))
def test_hostile_captures(tmp_path: Path, seed: int) -> None:
    """Whatever the bytes: as many come out, a second time changes nothing, and sizes do not matter."""
    kinds = ("flip", "length", "splice", "truncate", "noise", "traffic")
    outcomes: Counter[str] = Counter()
    for case in range(150):
        rng = random.Random(f"{seed}/{case}")
        content = test_fuzz.hostile(rng, kinds[case % len(kinds)])
        try:
            out, done = run(tmp_path, content, everything=True)
        except CaptureError:
            outcomes["refused"] += 1
            assert not [path for path in tmp_path.iterdir() if path.name not in ("in", "out", "again")]
            continue
        outcomes["fixed" if any(done.fixed.values()) else "same"] += 1
        assert len(out) == len(content)
        assert any(done.fixed.values()) == (out != content)
        small, counted = run(tmp_path, content, everything=True, batch_frames=2, window_bytes=64)
        assert (small, counted.fixed, counted.left) == (out, done.fixed, done.left)
        again, counted = run(tmp_path, out, everything=True)
        assert again == out
        assert not any(counted.fixed.values())
        assert (counted.left, len(counted.damages)) == (done.left, len(done.damages))
    assert outcomes["fixed"] > 5
    assert outcomes["same"] > 20


# Files


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    """By whatever name."""
    source = tmp_path / "in.pcap"
    source.write_bytes(pcap_of(given_and_wanted()[0]))
    (tmp_path / "hard").hardlink_to(source)
    (tmp_path / "soft").symlink_to(source)
    before = source.read_bytes()
    for one_name in ("in.pcap", "hard", "soft"):
        for other in ("in.pcap", "hard", "soft", "../" + tmp_path.name + "/in.pcap"):
            with pytest.raises(TcpcapError, match="is the input itself; name another file"):
                fix_checksums(str(tmp_path / one_name), str(tmp_path / other))
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard", "in.pcap", "soft"]


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    """In one line, and nothing is left behind."""
    source = tmp_path / "in.pcap"
    source.write_bytes(pcap_of(some_frames()))
    (tmp_path / "text").write_text("no capture at all\n")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    cases = (
        ("in.pcap", "folder", "folder: cannot be written \\(Is a directory\\); "),
        ("in.pcap", "none/out", "out: cannot be written \\(No such file or directory\\); "),
        ("folder", "out", "folder: a directory; "),
        ("missing", "out", "missing: no such file; "),
        ("text", "out", "text: a text file; "),
        ("empty", "out", "empty: an empty file; "),
    )
    for one_name, other, said in cases:
        with pytest.raises(TcpcapError, match=said):
            fix_checksums(str(tmp_path / one_name), str(tmp_path / other))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "folder", "in.pcap", "text"]


def test_the_output_appears_when_it_is_complete(tmp_path: Path) -> None:
    """An interruption leaves what was there before, and nothing else."""
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(pcap_of(some_frames()))
    target.write_bytes(b"something older")
    seen: list[tuple[int, int]] = []

    def interrupted(work: Any) -> None:
        seen.append((work.done, work.size))
        assert target.read_bytes() == b"something older"
        if len(seen) > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fix_checksums(str(source), str(target), batch_frames=1, progress=interrupted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pcap", "out.pcap"]
    assert target.read_bytes() == b"something older"
    assert seen == sorted(seen)
    assert {size for _, size in seen} == {2 * source.stat().st_size}


def test_permissions(tmp_path: Path) -> None:
    """Those of a new file, by the umask; a file that is replaced keeps its own; a link keeps pointing."""
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(pcap_of(some_frames()))
    before = os.umask(0o027)
    try:
        fix_checksums(str(source), str(target))
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o640
    target.chmod(0o600)
    (tmp_path / "link").symlink_to("out.pcap")
    fix_checksums(str(source), str(tmp_path / "link"))
    assert target.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "link").is_symlink()


def test_a_full_disk(tmp_path: Path) -> None:
    """Is told in one line, and nothing is left behind."""
    source = tmp_path / "in.pcap"
    source.write_bytes(pcap_of(some_frames(count=2000)))
    with pytest.raises(TcpcapError, match="/dev/full: cannot be written \\(No space left on device\\); make room"):
        fix_checksums(str(source), "/dev/full")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for name in ("out.pcap", "out.pcap.bz2"):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
            with pytest.raises(TcpcapError, match=name + ": cannot be written \\(File too large\\); make room"):
                fix_checksums(str(source), str(tmp_path / name))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["in.pcap"]


CALL = """
import sys
from analyzer.checksums.fix import fix_checksums
done = fix_checksums(sys.argv[1], sys.argv[2], everything=True)
print(done.frames, len(done.damages), *done.damages, file=sys.stderr)
"""


def call(source: str, target: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Fix in another process."""
    command = [sys.executable, "-W", "error", "-c", CALL, source, target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=300, **options)


@pytest.mark.parametrize("how", ["plain", "zstd"])
def test_standard_input_and_output(tmp_path: Path, how: str) -> None:
    """Pipes: the input is kept in a temporary file, which nobody sees."""
    frames, wanted = given_and_wanted()
    stored = COMPRESSED[how](pcap_of(frames))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = call("-", "-", input=stored, env=environment)
    assert (done.stdout, done.stderr) == (pcap_of(wanted), f"{len(frames)} 0\n".encode())
    done = call("-", str(tmp_path / "out.pcap.gz"), input=stored, env=environment)
    assert done.returncode == 0, done.stderr
    assert gzip.decompress((tmp_path / "out.pcap.gz").read_bytes()) == pcap_of(wanted)
    (tmp_path / "in").write_bytes(stored)
    assert call(str(tmp_path / "in"), "-", env=environment).stdout == pcap_of(wanted)
    done = call("-", "-", input=pcap_of(frames)[:-3], env=environment)
    assert done.stderr.startswith(f"{len(frames) - 1} 1 -: byte ".encode())
    assert len(done.stdout) == len(pcap_of(wanted)) - 3
    done = call("-", "-", input=b"", env=environment)
    assert b"CaptureError: -: an empty file" in done.stderr
    assert list(scratch.iterdir()) == []


def test_a_named_pipe(tmp_path: Path) -> None:
    """On either side."""
    frames, wanted = given_and_wanted()
    received: list[bytes] = []
    os.mkfifo(tmp_path / "in")
    os.mkfifo(tmp_path / "out")
    threads = [
        threading.Thread(target=lambda: (tmp_path / "in").write_bytes(pcap_of(frames))),
        threading.Thread(target=lambda: received.append((tmp_path / "out").read_bytes())),
    ]
    for thread in threads:
        thread.start()
    fix_checksums(str(tmp_path / "in"), str(tmp_path / "out"), everything=True)
    for thread in threads:
        thread.join(60)
    assert received == [pcap_of(wanted)]


def test_no_room_for_a_pipe(tmp_path: Path) -> None:
    """The temporary file cannot grow."""
    program = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n" + CALL
    command = [sys.executable, "-c", program, "-", "-"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    content = pcap_of(some_frames())
    done = subprocess.run(command, cwd=ROOT, input=content, env=environment, capture_output=True, check=False)
    said = f"TcpcapError: {tmp_path}: cannot be written (File too large); make room, or set TMPDIR"
    assert said in done.stderr.decode()
    assert done.stdout == b""


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """Is for the command to be quiet about."""
    source = tmp_path / "in.pcap"
    content = pcap_of(some_frames(count=5000))
    source.write_bytes(content[:24] + content[24:] * 20)  # more than a pipe holds
    command = [sys.executable, "-c", CALL, str(source), "-"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert b"BrokenPipeError" in process.stderr.read()


# Compiled or not


def digest_of_fixes() -> str:
    """What comes out for frames of every kind, and hostile captures."""
    found = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        for everything in (False, True):
            rng = random.Random(1729)
            frames = [spoilt(rng, random_frame(rng)) for _ in range(150)]
            frames += [frame for ident in range(25) for frame in fragments(rng, ident)]
            out, done = run(Path(folder), pcapng_of(frames), everything=everything, marked=odd)
            found.update(out + json.dumps([done.fixed, done.left]).encode())
        for case in range(20):
            content = test_fuzz.hostile(random.Random(case), "traffic")
            try:
                out, done = run(Path(folder), content, everything=True, window_bytes=64)
            except CaptureError:
                continue
            found.update(out + json.dumps([done.fixed, done.left]).encode())
    return found.hexdigest()


HASH_OVERFLOWS = "ignore:overflow encountered:RuntimeWarning:analyzer.checksums.tally_kernel"  # as a hash should


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_kernels_without_numba_and_with_checks_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, variable: str
) -> None:
    """As plain Python an overflow gives a warning or another number; with checks a wrong index is an error."""
    environment = environment_of_kernels(variable, tmp_path_factory)
    command = [sys.executable, "-W", "error", "-W", HASH_OVERFLOWS, "-m", "tests.test_fix_checksums"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == digest_of_fixes()


if __name__ == "__main__":
    print(digest_of_fixes())
