"""Which checksums are right: the compiled checker against frames made right or wrong on purpose, its twin, and dpkt."""

from __future__ import annotations

import ipaddress
import random
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.capture import Interfaces, RecordBatch, open_capture
from analyzer.checksums import Checker
from analyzer.decode import decode
from analyzer.tables import PACKETS
from tests import build, strategies
from tests.each import for_each
from tests.helpers import batch_of
from tests.naive.checksums import NaiveChecker, Words, final_destination, is_partial, payload_of_ip, same_sum
from tests.naive.decode import Joiner, decode_frame, decoded

SEEDS = (2, 3, 5, 7, 11, 13)
SECOND = 10**9
NOT_READY, CHECKED, SEGMENTED = 0x200, 0x400, 0x800
WORDS, HEADER_WORDS = PACKETS["checksum"].words, PACKETS["ip_header_checksum"].words
SAMPLES = sorted((Path(__file__).parent.parent / "samples").rglob("*.pcap"))
FIELD_AT = {build.TCP: 16, build.UDP: 6, build.ICMP: 2, build.ICMPV6: 2}


# A capture, and what the two say of it


@dataclass(frozen=True)
class Frame:
    """A captured frame with all that a verdict depends on."""

    link: int
    data: bytes
    length: int
    time_ns: int = 0
    flags: int = 0


def whole(data: bytes, link: int = 1, **fields: int) -> Frame:
    """A frame that was not cut."""
    return Frame(link, data, len(data), **fields)


def batch_of_frames(frames: Iterable[Frame]) -> tuple[RecordBatch, Interfaces]:
    """The frames as one batch."""
    frames = list(frames)
    batch, interfaces = batch_of((frame.link, frame.data, frame.length) for frame in frames)
    batch.rows["time_ns"] = [frame.time_ns for frame in frames]
    batch.rows["flags"] = [frame.flags for frame in frames]
    return batch, interfaces


def check(batch: RecordBatch, interfaces: Interfaces, step: int = 1 << 30) -> list[Words]:
    """The checker's words, the frames handed over in batches of `step`."""
    checker = Checker()
    found = []
    for start in range(0, len(batch), step):
        part = RecordBatch(batch.buffer, batch.rows[start : start + step], start + 1)
        rows = decode(part, interfaces)
        checker.check(part, rows, interfaces)
        codes = zip(rows["checksum"].tolist(), rows["ip_header_checksum"].tolist(), strict=True)
        found += [(WORDS[checksum], HEADER_WORDS[header]) for checksum, header in codes]
    return found


def compiled(frames: Iterable[Frame], step: int = 1 << 30) -> list[Words]:
    """The words of the compiled checker."""
    return check(*batch_of_frames(frames), step)


def row_of(frame: Frame) -> dict[str, Any]:
    """The twin's row of a frame."""
    return decode_frame(frame.data, frame.length, frame.link, record_flags=frame.flags)


def twin(frames: Iterable[Frame]) -> list[Words]:
    """The words of the naive checker."""
    checker, joiner = NaiveChecker(joined=True), Joiner()
    found = []
    for frame in frames:
        joiner.time_ns = frame.time_ns
        whole_frame = decoded(frame.data, frame.length, frame.link, record_flags=frame.flags, joiner=joiner)
        found.append(checker.check(whole_frame.data, whole_frame.row))
    return found


def disagreements(frames: list[Frame], step: int = 1 << 30) -> list[str]:
    """One line for each frame on which the two differ."""
    pairs = zip(frames, twin(frames), compiled(frames, step), strict=True)
    return [
        f"frame {number}, link {frame.link}, length {frame.length}, flags {frame.flags:x}: twin {expected}, "
        f"checker {actual}: {frame.data.hex()}"
        for number, (frame, expected, actual) in enumerate(pairs, 1)
        if expected != actual
    ]


def framed(packets: Iterable[bytes], times: Iterable[int] = ()) -> list[Frame]:
    """IP packets as frames, at these times."""
    kinds = {4: build.IPV4, 6: build.IPV6}
    frames = [whole(build.ethernet(packet, kinds[packet[0] >> 4])) for packet in packets]
    for number, time_ns in enumerate(times):
        frames[number] = replace(frames[number], time_ns=time_ns)
    return frames


def verdicts(frames: list[Frame]) -> list[str]:
    """The words for the transport checksums, on which both agree."""
    found = compiled(frames)
    assert found == twin(frames)
    if len(frames) < 1000:
        assert compiled(frames, 1) == compiled(frames, 2) == found
    return [word for word, _ in found]


# Packets whose checksum is right, or wrong in a known way

STATES = ("right", "right", "partial", "partial without length", "zero", "flipped")


@dataclass(frozen=True)
class Known:
    """An IP packet and the words it deserves when it is captured whole, with nothing said in the record's flags."""

    version: int
    packet: bytes
    words: Words


class KnownMaker(strategies.FrameMaker):
    """Makes frames of every link type, with and without tunnels, around a packet whose checksums are known."""

    known: Known | None = None

    def ip(self, depth: int, version: int | None = None) -> tuple[int, bytes]:
        """A known packet, or a tunnel with one."""
        version = version or self.rng.choice((4, 4, 6))
        if depth < 3 and self.chance(20):
            between = self.addresses(version)
            protocol, content = self.tunnel(depth + 1, between)
            return version, (self.ipv4 if version == 4 else self.ipv6)(content, protocol, between)
        self.known = self.known_packet(version)
        return version, self.known.packet

    def known_packet(self, version: int) -> Known:
        """Transport of any kind in IP with any options."""
        rng = self.rng
        source, target = self.addresses(version)
        protocol = rng.choice((build.TCP, build.TCP, build.UDP, build.ICMP if version == 4 else build.ICMPV6))
        if version == 4:
            options, final = self.source_route(target)
            segment, word = self.segment(version, protocol, source, final)
            packet = build.ipv4(segment, protocol, src=source, dst=target, options=options, flags=rng.choice((0, 2)))
            packet, header_word = self.header_state(packet)
            return Known(version, packet, (word, header_word))
        extensions, last = self.route(target)
        segment, word = self.segment(version, protocol, source, last or target)
        if last is None:
            word = "unverifiable"
        packet = build.ipv6(segment, protocol, src=source, dst=target, extensions=extensions)
        return Known(version, packet, (word, ""))

    def source_route(self, target: str) -> tuple[bytes, str]:
        """IPv4 options, and the address at which the packet is to end."""
        rng = self.rng
        if self.chance(70):
            return rng.choice((b"", b"", b"", build.NOP * 3, build.RECORD_ROUTE, build.ROUTER_ALERT)), target
        stops = [self.addresses(4)[1] for _ in range(rng.randint(1, 8))]
        size = 3 + 4 * len(stops)
        pointer = rng.choice((4, 4 * rng.randint(1, len(stops)), size, size + 1))
        option = bytes([rng.choice((131, 137)), size, pointer]) + b"".join(build.packed(stop) for stop in stops)
        return build.NOP * rng.randint(0, 1) + option, stops[-1] if pointer <= size else target

    def route(self, target: str) -> tuple[list[build.Extension], str | None]:
        """IPv6 extension headers, and the address at which the packet is to end; None if nobody knows."""
        rng = self.rng
        before = [build.options_header(0)] if self.chance(10) else []
        behind = [self.extension() for _ in range(rng.randint(0, 2))] if self.chance(20) else []
        behind = [extension for extension in behind if extension.kind != 43]
        if self.chance(70):
            return before + behind, target
        stops = [self.addresses(6)[1] for _ in range(rng.randint(1, 4))]
        kind = rng.choice((0, 0, 2, 4, 4, 1, 3, 253))
        left = rng.randint(0, len(stops))
        if kind == 2:
            stops, left = stops[:1], min(left, 1)
        header = build.routing_header(stops, kind, left)
        if kind == 4 and self.chance(30):  # padding behind the segments
            header = build.Extension(43, bytes([header.rest[0] + 1]) + header.rest[1:] + b"\x04\x06" + bytes(6))
        final = {0: stops[-1], 2: stops[0], 4: stops[0]}.get(kind)
        return [*before, header, *behind], final if left else target

    def segment(self, version: int, protocol: int, source: str, final: str) -> tuple[bytes, str]:
        """Transport header and payload, and the word for its checksum."""
        rng = self.rng
        payload = self.payload()
        behind = b""
        if protocol == build.TCP:
            segment = build.tcp(payload, options=self.tcp_options(), check=0, seq=self.number(32))
        elif protocol == build.UDP:
            length = None
            if self.chance(10):  # up to the end of the packet, or less, or more
                length, behind = rng.choice(((0, b""), (None, b"behind" * rng.randint(1, 3)), (9 + len(payload), b"")))
            segment = build.udp(payload, src_port=5000, dst_port=rng.choice((53, 5001)), length=length, check=0)
        else:
            kind = rng.choice((0, 8) if version == 4 else (128, 129))
            segment = build.icmp(payload, kind=kind, rest=self.number(32), check=0)
        too_long = protocol == build.UDP and number_at(segment, 4) > len(segment)
        pseudo = build.packed(source) + build.packed(final)
        segment, word = self.finished(protocol, version, pseudo, segment)
        return segment + behind, "unverifiable" if too_long else word

    def finished(self, protocol: int, version: int, addresses: bytes, segment: bytes) -> tuple[bytes, str]:
        """The segment with its checksum, right or wrong in one of the known ways."""
        state = self.rng.choice(STATES)
        size = len(segment)
        pseudo = b"" if protocol == build.ICMP else addresses + struct.pack(">II", size, protocol)
        right = build.checksum(pseudo + segment) or (0xFFFF if protocol == build.UDP else 0)
        if protocol == build.ICMP and state.startswith("partial"):
            state = "flipped"
        if state == "zero" and right == 0:
            state = "right"
        without = "none" if (protocol, version) == (build.UDP, 4) else "zero"
        if state == "right":
            field, word = right, "valid"
        elif state == "partial":
            field, word = 0xFFFF - build.checksum(pseudo), "partial"
        elif state == "partial without length":
            field, word = 0xFFFF - build.checksum(addresses + struct.pack(">I", protocol)), "partial"
        elif state == "zero":
            field, word = 0, without
        else:
            field = right ^ 1 << self.rng.randint(0, 15)
            word = "bad" if field else without
        at = FIELD_AT[protocol]
        return segment[:at] + struct.pack(">H", field) + segment[at + 2 :], word

    def header_state(self, packet: bytes) -> tuple[bytes, str]:
        """An IPv4 packet with its header checksum right, wrong, or left out."""
        state = self.rng.choice(("right", "right", "zero", "flipped"))
        if state == "right":
            return packet, "valid"
        field = 0 if state == "zero" else number_at(packet, 10) ^ 1 << self.rng.randint(0, 15)
        return packet[:10] + struct.pack(">H", field) + packet[12:], "bad" if field else "zero"


def number_at(data: bytes, at: int) -> int:
    """Two bytes as a number."""
    return int.from_bytes(data[at : at + 2], "big")


def known_frames(seed: int, count: int) -> Iterator[tuple[Frame, Known]]:
    """Frames that decode down to a known packet, and that packet."""
    rng = random.Random(seed)
    while count:
        maker = KnownMaker(rng)
        link, data = maker.frame()
        row = decode_frame(data, len(data), link)
        if maker.known is None or not row["l4_at"] or "fragment" in row["layers"]:  # of a tunnel, which is not complete
            continue
        at = row["l3_at"]
        if data[at : at + len(maker.known.packet)] == maker.known.packet:
            yield whole(data, link), maker.known
            count -= 1


@cache
def many_known(seed: int) -> list[tuple[Frame, Known]]:
    """Some of them, made once."""
    return list(known_frames(seed, 1500))


@pytest.mark.parametrize("seed", SEEDS)
def test_known_checksums(seed: int) -> None:
    """Right, partial, left out and flipped, in every protocol, behind every route, link layer and tunnel."""
    frames = [frame for frame, _ in many_known(seed)]
    expected = [known.words for _, known in many_known(seed)]
    assert twin(frames) == expected
    assert compiled(frames) == expected


def test_the_known_checksums_are_of_every_kind() -> None:
    """Every state with every protocol and version that can have it, also in tunnels."""
    seen = Counter[tuple[int, int, str]]()
    headers = Counter[str]()
    tunnels = Counter[str]()
    for seed in SEEDS:
        for frame, known in many_known(seed):
            row = row_of(frame)
            seen[known.version, row["ip_proto"], known.words[0]] += 1
            headers[known.words[1]] += 1
            tunnels.update(row["tunnels"])
    usual = ("valid", "partial", "zero", "bad")
    for version, protocol, words in (
        (4, build.TCP, usual),
        (6, build.TCP, (*usual, "unverifiable")),
        (4, build.UDP, ("valid", "partial", "none", "bad", "unverifiable")),
        (6, build.UDP, (*usual, "unverifiable")),
        (4, build.ICMP, ("valid", "zero", "bad")),
        (6, build.ICMPV6, (*usual, "unverifiable")),
    ):
        assert {word for number, kind, word in seen if (number, kind) == (version, protocol)} == set(words)
    assert min(seen.values()) > 5
    assert set(headers) == {"", "valid", "zero", "bad"}
    assert set(tunnels) == set(PACKETS["tunnels"].words)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_cut_anywhere(seed: int) -> None:
    """Of a cut frame nothing is said until all that the checksum covers is there; then what the whole frame says."""
    for frame, known in [pair for pair in many_known(seed) if len(pair[0].data) < 300][:40]:
        row = row_of(frame)
        frames = [replace(frame, data=frame.data[:size]) for size in range(len(frame.data) + 1)]
        words = compiled(frames)
        assert words == twin(frames)
        if row["tunnel_depth"]:
            continue
        size = row["udp_len"] if row["ip_proto"] == build.UDP else 0
        covered = row["l4_at"] + size if size else row["l3_at"] + len(known.packet)
        begins = row["l4_at"] + (8 if known.words[0] == "none" else 0)
        for captured, (checksum, header) in enumerate(words):
            if captured >= (begins if known.words[0] == "none" else covered):
                assert checksum == known.words[0]
            else:
                assert checksum == ("unverifiable" if captured > row["l4_at"] else "")
            if known.version == 4:
                ends = row["l3_at"] + (known.packet[0] & 15) * 4
                early = "unverifiable" if captured >= row["l3_at"] + 12 else ""
                assert header == (known.words[1] if captured >= ends else early)


# Sums


def echo(payload: bytes) -> Frame:
    """An ICMP echo with a right checksum."""
    return whole(build.ethernet(build.ipv4(build.icmp(payload), build.ICMP)))


@pytest.mark.parametrize("filler", [b"\x00", b"\xff", b"\xff\x00", b"\x01\x80\xfe"])
def test_every_length(filler: bytes) -> None:
    """Odd and even, shorter and longer than the machine's words, up to the longest packet, whatever is summed up."""
    sizes = [*range(120), *range(1440, 1480), 65486, 65487]
    payloads = [(filler * size)[:size] for size in sizes]
    frames = [echo(payload) for payload in payloads]
    frames += [whole(build.ethernet(build.ipv4(build.tcp(payload[:65485])))) for payload in payloads]
    assert set(compiled(frames)) == set(twin(frames)) == {("valid", "valid")}
    one_off = [replace(frame, data=frame.data[:-1] + bytes([frame.data[-1] ^ 0x80])) for frame in frames]
    assert set(compiled(one_off)) == set(twin(one_off)) == {("bad", "valid")}


@pytest.mark.parametrize("version", [4, 6])
def test_before_segmentation(version: int) -> None:
    """A packet with length 0, as long as its frame; also longer than 64 KiB. The pseudo-header counts all of it."""
    for size in (1, 3000, 65515, 65535, 65536, 70001, 200_000):
        between = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
        segment = build.tcp(bytes(size), check=0, between=between)
        addresses = build.packed(between[0]) + build.packed(between[1])
        pseudo = addresses + struct.pack(">II", len(segment), build.TCP)
        for field, word in (
            (build.checksum(pseudo + segment), "valid"),
            (0xFFFF - build.checksum(pseudo), "partial"),
            (0xFFFF - build.checksum(addresses + b"\0\6"), "partial"),
            (0, "zero"),
            (1, "bad"),
        ):
            made = segment[:16] + struct.pack(">H", field) + segment[18:]
            packet = build.ipv4(made, total_length=0) if version == 4 else build.ipv6(made, payload_length=0)
            frame = whole(build.ethernet(packet, build.IPV4 if version == 4 else build.IPV6))
            assert [words[0] for words in twin([frame]) + compiled([frame])] == [word] * 2, (size, field)


def test_nothing_but_zeros_is_not_all_ones() -> None:
    """The checksum of zeros is FFFF; a field of 0 is wrong then, although it adds up to 0."""
    frame = whole(build.ethernet(build.ipv4(bytes(8), build.ICMP)))
    right = whole(build.ethernet(build.ipv4(bytes(2) + b"\xff\xff" + bytes(4), build.ICMP)))
    assert compiled([frame, right]) == twin([frame, right]) == [("zero", "valid"), ("valid", "valid")]


@pytest.mark.parametrize("protocol", [build.TCP, build.UDP, build.ICMPV6])
def test_both_zeros_are_the_same(protocol: int) -> None:
    """A sum of FFFF may be written 0, and a right checksum of 0 also FFFF: ones' complement has two zeros."""
    source, target = build.packed(build.SRC6), bytearray(build.packed(build.DST6))
    header = build.tcp(check=0) if protocol == build.TCP else build.udp(check=0) if protocol == build.UDP else b""
    header = header or build.icmp(check=0)
    frames = []
    for covered in (header, b""):  # the sum of everything, then of the pseudo-header, becomes FFFF
        target[-2:] = b"\0\0"
        rest = build.checksum(source + target + struct.pack(">II", len(header), protocol) + covered)
        target[-2:] = struct.pack(">H", rest)
        for field in (b"\0\0", b"\xff\xff"):
            at = FIELD_AT[protocol]
            packet = build.ipv6(header[:at] + field + header[at + 2 :], protocol)
            frames.append(whole(build.ethernet(packet[:24] + bytes(target) + packet[40:], build.IPV6)))
    assert [word for word, _ in twin(frames)] == ["valid", "valid", "partial", "partial"]
    assert compiled(frames) == twin(frames)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.integers(0, 0xFFFF), st.sampled_from((build.TCP, build.UDP, build.ICMP)))
def test_any_field_over_any_bytes(payload: bytes, field: int, protocol: int) -> None:
    """Exactly the right field is right, and only the sums of the pseudo-header are partial."""
    make = {build.TCP: build.tcp, build.UDP: build.udp, build.ICMP: build.icmp}[protocol]
    right = number_at(make(payload), FIELD_AT[protocol])
    pseudo = build.packed(build.SRC4) + build.packed(build.DST4)
    sums = [
        0xFFFF - build.checksum(pseudo + struct.pack(">II", size, protocol)) for size in (len(make(payload)), 0)
    ]  # never 0 with these addresses
    for value in {field, right, right ^ 1, *sums}:
        [(word, _)] = compiled([whole(build.ethernet(build.ipv4(make(payload, check=value), protocol)))])
        if value == 0:
            assert word == ("none" if protocol == build.UDP else "valid" if same_sum(right, 0) else "zero")
        elif same_sum(value, right):
            assert word == "valid"
        else:
            assert word == ("partial" if value in sums and protocol != build.ICMP else "bad")


# What is covered


@pytest.mark.parametrize("version", [4, 6])
def test_a_wrong_data_offset(version: int) -> None:
    """The header of TCP ends nowhere, but the IP packet says where the datagram does, if it has a length."""
    between = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
    make: Any = build.ipv4 if version == 4 else build.ipv6
    for offset, payload in ((0, b"x"), (16, b"xyz"), (24, b""), (60, b"not that long")):
        right = build.tcp(payload, header_len=offset, between=between)
        wrong = right[:16] + bytes([right[16] ^ 1]) + right[17:]
        for size in range(1, len(right) + 1):
            packets = framed(make(segment[:size]) for segment in (right, wrong))
            whole_words = ["valid", "bad"] if size == len(right) else ["bad", "bad"]
            assert verdicts(packets) == (whole_words if size >= 18 else ["unverifiable"] * 2)
        cut = replace(packets[0], data=packets[0].data[:-1])
        length = {"total_length": 0} if version == 4 else {"payload_length": 0}
        assert verdicts([cut, *framed([make(right, **length)])]) == ["unverifiable"] * 2


def test_several_routing_headers() -> None:
    """Each is used up in turn: the packet ends where the last one with segments left says."""
    first, last = "2001:db8:8::8", "2001:db8:9::9"
    for kinds, lefts, target in (
        ((0, 0), (1, 1), last),
        ((0, 4), (1, 0), first),
        ((4, 2), (0, 1), last),
        ((3, 0), (1, 1), last),
        ((0, 0), (0, 0), build.DST6),
        ((0, 3), (1, 1), None),
    ):
        headers = [
            build.routing_header([stop], kind=kind, left=left)
            for stop, kind, left in zip((first, last), kinds, lefts, strict=True)
        ]
        segment = build.tcp(b"payload", between=(build.SRC6, target or last))
        packet = build.ipv6(segment, extensions=[headers[0], build.options_header(60), headers[1]])
        assert verdicts(framed([packet])) == ["valid" if target else "unverifiable"]


def test_the_length_of_udp_decides() -> None:
    """Also where the IP packet is said to be longer than the frame; but not where it is shorter."""
    for check in (None, 0):
        word = "none" if check == 0 else "valid"
        datagram = build.udp(b"payload", check=check)
        assert verdicts(framed([build.ipv4(datagram, build.UDP, total_length=1000)])) == [word]
        assert verdicts(framed([build.ipv4(datagram + b"more", build.UDP)])) == [word]
        assert verdicts(framed([build.ipv4(datagram, build.UDP, total_length=28)])) == ["unverifiable"]
        datagram = build.udp(b"payload", length=0, check=check)
        assert verdicts(framed([build.ipv4(datagram, build.UDP, total_length=1000)])) == ["unverifiable"]


# What the capturing host says


@pytest.mark.parametrize(
    "flags",
    [0, NOT_READY, CHECKED, NOT_READY | CHECKED, SEGMENTED, SEGMENTED | CHECKED, SEGMENTED | NOT_READY, 0xFFFFF1FF],
)
def test_flags_overrule_a_wrong_sum(flags: int) -> None:
    """Not ready wins over checked, that over segmented; all over a wrong or unknown sum, none over a right or absent one."""
    said = "partial" if flags & NOT_READY else "valid" if flags & CHECKED else "partial" if flags & SEGMENTED else ""
    segment = build.tcp(b"payload", check=1)
    cases = {
        "valid": build.ipv4(build.tcp(b"payload")),
        "none": build.ipv4(build.udp(check=0), build.UDP),
        "": build.ipv4(bytes(20), 132),
        "bad": build.ipv4(segment),
        "zero": build.ipv4(build.tcp(check=0)),
        "unverifiable": build.ipv4(segment, total_length=1000),
    }
    for word, packet in cases.items():
        frame = whole(build.ethernet(packet), flags=flags)
        expected = word if word in ("valid", "none", "") else said or word
        assert compiled([frame]) == twin([frame]) == [(expected, "valid")]
    pieces = [
        whole(build.ethernet(packet), flags=flags) for packet in build.in_pieces(4, build.TCP, build.tcp(bytes(80)))
    ]
    assert [word for word, _ in compiled(pieces)] == [said or "unverifiable"] * (len(pieces) - 1) + ["valid"]
    inner = whole(build.ethernet(build.ipv4(build.ipv4(segment), build.IPIP)), flags=flags)
    assert compiled([inner]) == twin([inner]) == [("bad", "valid")]


def test_flags_of_a_file(tmp_path: Path) -> None:
    """The flags arrive from pcapng, and only from there."""
    data = build.ethernet(build.ipv4(build.tcp(b"payload", check=1)))
    blocks = [build.epb(data, flags=flags) for flags in (None, 0, NOT_READY, CHECKED, NOT_READY | CHECKED)]
    path = tmp_path / "capture.pcapng"
    path.write_bytes(build.pcapng(build.shb(), build.idb(), *blocks))
    assert [word for word, _ in checked_file(path)] == ["bad", "bad", "partial", "valid", "partial"]


# Fragments


SEGMENTS = {
    (4, build.TCP): build.tcp(bytes(range(200))),
    (4, build.UDP): build.udp(bytes(range(200))),
    (4, build.ICMP): build.icmp(bytes(range(200))),
    (6, build.TCP): build.tcp(bytes(range(200)), between=(build.SRC6, build.DST6)),
    (6, build.UDP): build.udp(bytes(range(200)), between=(build.SRC6, build.DST6)),
    (6, build.ICMPV6): build.icmpv6(bytes(range(200))),
}


@pytest.mark.parametrize(("version", "protocol"), SEGMENTS)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_the_last_to_come_has_the_verdict(version: int, protocol: int, order: tuple[int, ...]) -> None:
    """Whichever it is; also when one bit of any fragment is wrong."""
    for wrong in (None, 0, 70, 207):
        segment = bytearray(SEGMENTS[version, protocol])
        if wrong is not None:
            segment[wrong] ^= 4
        pieces = build.in_pieces(version, protocol, bytes(segment), (64, 136))
        frames = framed(pieces[place] for place in order)
        assert verdicts(frames) == ["unverifiable", "unverifiable", "valid" if wrong is None else "bad"]


@pytest.mark.parametrize("version", [4, 6])
def test_partial_and_missing_checksums_of_fragments(version: int) -> None:
    """As of whole datagrams. A fragment that shows the missing checksum of UDP says so at once."""
    between = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
    for protocol, make in ((build.TCP, build.tcp), (build.UDP, build.udp)):
        size = len(make(bytes(200)))
        pseudo = build.packed(between[0]) + build.packed(between[1]) + struct.pack(">II", size, protocol)
        partial = make(bytes(200), check=0xFFFF - build.checksum(pseudo))
        assert verdicts(framed(build.in_pieces(version, protocol, partial, (64, 136))))[-1] == "partial"
        zero = make(bytes(200), check=0)
        words = verdicts(framed(build.in_pieces(version, protocol, zero, (64, 136))))
        none = (version, protocol) == (4, build.UDP)
        assert words == ["none" if none else "unverifiable", "unverifiable", "none" if none else "zero"]


PIECES = build.in_pieces(4, build.TCP, SEGMENTS[4, build.TCP], (64, 136))
ONE, TWO, THREE = PIECES


def part(start: int, end: int, *, more: bool = True, **fields: Any) -> bytes:
    """Another fragment of the same datagram."""
    return build.fragment(4, build.TCP, SEGMENTS[4, build.TCP][start:end], start, more, **fields)


def beyond(start: int) -> bytes:
    """A fragment that is not part of it."""
    return build.fragment(4, build.TCP, bytes(8), start, True)


# Fragments in the order of the capture.
COMPLETE: dict[str, list[bytes]] = {
    "exact repetitions": [ONE, ONE, TWO, ONE, TWO, THREE],
    "a repetition of the end": [THREE, ONE, THREE, TWO],
    "contained in one": [ONE, TWO, part(64, 128), part(72, 136), part(72, 80), THREE],
    "contained in two": [ONE, TWO, part(56, 72), THREE],
    "another datagram between": [
        ONE,
        *build.in_pieces(4, build.TCP, SEGMENTS[4, build.TCP], (80,), ident=8),
        TWO,
        THREE,
    ],
    "another protocol between": [ONE, *build.in_pieces(4, build.UDP, SEGMENTS[4, build.UDP], (80,)), TWO, THREE],
    "the same identification again": [*PIECES, *PIECES],
    "header in two": build.in_pieces(4, build.TCP, SEGMENTS[4, build.TCP], (16, 136)),
    "many pieces": [part(at, at + 8 if at else 24) for at in range(0, 216, 8) if at not in (8, 16)]
    + [part(216, 220, more=False)],
}
INCOMPLETE: dict[str, list[bytes]] = {
    "no first": [TWO, THREE],
    "no middle": [ONE, THREE],
    "no last": [ONE, TWO],
    "overlap": [ONE, TWO, part(128, 144), THREE],
    "overlap of another range": [ONE, part(56, 136), THREE],
    "containing": [ONE, part(72, 80), TWO, THREE],
    "repeated after an overlap": [ONE, part(56, 136), TWO, THREE, ONE, TWO, THREE],
    "two ends": [ONE, part(136, 144, more=False), part(144, 220, more=False), TWO],
    "beyond the end": [ONE, beyond(240), TWO, THREE],
    "beyond the end, later": [ONE, THREE, beyond(240), TWO],
    "beyond the end, as long as the hole": [ONE, build.fragment(4, build.TCP, bytes(72), 240, True), THREE],
    "length that is no multiple of 8": [part(0, 61), TWO, THREE],
    "beyond 65535": build.in_pieces(4, build.ICMP, build.icmp(bytes(65600)), (40000, 65528)),
    "no length": [build.ipv4(SEGMENTS[4, build.TCP][:64], flags=1, ident=7, total_length=0), TWO, THREE],
    "length beyond the frame": [build.ipv4(ONE[20:], flags=1, ident=7, total_length=100), TWO, THREE],
    "another source": [ONE, part(64, 136, src="192.0.2.77"), THREE],
    "another destination": [ONE, part(64, 136, dst="192.0.2.77"), THREE],
    "another identification": [ONE, part(64, 136, ident=8), THREE],
    "another protocol": [ONE, build.fragment(4, build.UDP, TWO[20:], 64, True), THREE],
}


@pytest.mark.parametrize("name", COMPLETE)
def test_complete(name: str) -> None:
    """The last frame has the verdict."""
    words = verdicts(framed(COMPLETE[name]))
    assert words[-1] == "valid"
    assert set(words[:-1]) <= {"unverifiable", "valid"}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_incomplete(name: str) -> None:
    """There is no verdict."""
    assert set(verdicts(framed(INCOMPLETE[name]))) == {"unverifiable"}


def test_a_cut_fragment_counts_as_missing() -> None:
    """All fragments must be captured whole; only a missing checksum is seen without."""
    frames = framed([ONE, TWO, TWO, THREE])
    frames[1] = replace(frames[1], data=frames[1].data[:-1])
    assert verdicts(frames) == ["unverifiable"] * 3 + ["valid"]
    assert verdicts([*frames[:2], *frames[3:]]) == ["unverifiable"] * 3
    frames = framed([build.ethernet(b"")[14:] + build.fragment(4, build.UDP, build.udp(bytes(60), check=0), 0, True)])
    assert verdicts([replace(frames[0], data=frames[0].data[:42])]) == ["none"]


@pytest.mark.parametrize("since_ns", [0, -(10**18), 10**18])
@pytest.mark.parametrize("after_ns", [30 * SECOND, 30 * SECOND + 1, 3600 * SECOND, -30 * SECOND, -30 * SECOND - 1])
def test_fragments_wait_for_half_a_minute(since_ns: int, after_ns: int) -> None:
    """From the first to come to the last; a later one begins anew."""
    late = since_ns + after_ns
    words = verdicts(framed(PIECES, (since_ns, since_ns, late)))
    assert words[-1] == ("valid" if abs(after_ns) <= 30 * SECOND else "unverifiable")
    assert verdicts(framed([ONE, TWO, *PIECES], (since_ns, since_ns, late, late, late)))[-1] == "valid"


def test_udp_shorter_or_longer_than_its_fragments() -> None:
    """Its length decides, as in a datagram that came in one."""
    for length, word in ((100, "bad"), (207, "bad"), (209, "unverifiable"), (0, "bad")):
        segment = build.udp(bytes(200), length=length)
        assert verdicts(framed([build.ipv4(segment, build.UDP)])) == [word if length else "valid"]
        assert verdicts(framed(build.in_pieces(4, build.UDP, segment))) == ["unverifiable", word if length else "valid"]
        segment = build.udp(bytes(200), length=length, check=0)
        none = "unverifiable" if length == 209 else "none"
        assert verdicts(framed(build.in_pieces(4, build.UDP, segment))) == ["none", none]


@pytest.mark.parametrize(("others", "word"), [(16383, "valid"), (16384, "unverifiable")])
def test_a_datagram_is_forgotten_when_many_others_began(others: int, word: str) -> None:
    """Identifications come again (RFC 4963): what is left of a datagram must not become part of another."""
    pieces = [
        packet
        for ident in range(others)
        for packet in build.in_pieces(4, build.ICMP, build.icmp(bytes(64)), (8,), ident)
    ]
    assert verdicts(framed([ONE, *pieces, TWO, THREE]))[-1] == word


def test_captured_twice() -> None:
    """The second copy of the last fragment stays behind; later it does not make a right datagram look wrong."""
    segments = [build.udp(bytes([number]) * 200) for number in (1, 2)]
    old, new = (build.in_pieces(4, build.UDP, segment) for segment in segments)
    others = [
        packet
        for ident in range(20000)
        for packet in build.in_pieces(4, build.ICMP, build.icmp(bytes(64)), (8,), ident)
    ]
    words = verdicts(framed([packet for packet in old for _ in range(2)] + others + new))
    assert words[:4] == ["unverifiable", "unverifiable", "valid", "unverifiable"]
    assert words[-1] == "valid"
    assert "bad" not in words


def test_too_many_at_a_time() -> None:
    """Of thousands of datagrams in pieces some are forgotten; none of them gets a wrong word."""
    firsts, lasts = zip(
        *(build.in_pieces(4, build.TCP, SEGMENTS[4, build.TCP], ident=ident) for ident in range(5000)), strict=True
    )
    frames = framed([*firsts, *lasts[::-1]])
    assert {word for word, _ in twin(frames)[5000:]} == {"valid"}
    words = [word for word, _ in compiled(frames)]
    assert set(words[:5000]) == {"unverifiable"}
    assert set(words[5000:]) == {"unverifiable", "valid"}
    few = framed([*firsts[:100], *lasts[:100]])
    assert {word for word, _ in compiled(few)[100:]} == {"valid"}


def test_fragments_with_routes() -> None:
    """The destination is that of the first fragment's source route or routing header."""
    last = "203.0.113.9"
    route = bytes([131, 7, 4]) + build.packed(last)
    segment = build.tcp(bytes(100), between=(build.SRC4, last))
    assert verdicts(framed(build.in_pieces(4, build.TCP, segment, options=route)))[-1] == "valid"
    assert verdicts(framed(build.in_pieces(4, build.TCP, segment)))[-1] == "bad"
    last = "2001:db8:9::9"
    segment = build.tcp(bytes(100), between=(build.SRC6, last))
    for kind, word in ((0, "valid"), (2, "valid"), (4, "valid"), (3, "unverifiable")):
        header = build.routing_header([last], kind=kind, left=1)
        packets = build.in_pieces(6, build.TCP, segment, extensions=[header])
        assert verdicts(framed(packets))[-1] == word


def test_headers_behind_the_fragment_header() -> None:
    """Only the first fragment leads to the transport protocol; the others do when they complete the datagram."""
    between = (build.SRC6, build.DST6)
    behind = build.extend(build.tcp(bytes(200), between=between), build.TCP, [build.options_header(60)])
    assert verdicts(framed(build.in_pieces(6, 60, behind))) == ["unverifiable", "valid"]
    assert verdicts(framed(build.in_pieces(6, 60, behind, (64, 128)))) == ["unverifiable", "", "valid"]
    assert verdicts(framed(build.in_pieces(6, 60, behind)[::-1])) == ["", "valid"]
    assert verdicts(framed(build.in_pieces(6, 132, behind))) == ["", ""]
    assert verdicts(framed(build.in_pieces(4, build.ICMPV6, bytes(100)))) == ["", ""]
    assert verdicts(framed(build.in_pieces(6, build.ICMP, bytes(100)))) == ["", ""]


def test_an_atomic_fragment_is_whole() -> None:
    """RFC 6946: offset 0, and no more to come."""
    packet = build.fragment(6, build.TCP, SEGMENTS[6, build.TCP], 0, False)
    assert verdicts(framed([packet])) == ["valid"]


class Story:
    """Fragmented datagrams of a few hosts at a time, with everything that may happen to fragments on their way."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.maker = KnownMaker(rng)

    def datagram(self) -> list[tuple[bytes, bool]]:
        """Fragments of one datagram in the order of the capture, and which of them the capture has cut."""
        rng = self.rng
        version = rng.choice((4, 6))
        protocol = rng.choice((build.TCP, build.UDP, build.ICMP if version == 4 else build.ICMPV6))
        source = build.SRC4 if version == 4 else build.SRC6
        target = build.DST4 if version == 4 else build.DST6
        segment, _ = self.maker.segment(version, protocol, source, target)
        segment += self.maker.some_bytes(64) if rng.randint(0, 9) == 0 else b""
        first = 8 * rng.randint(1, 3) if rng.randint(0, 9) == 0 else 64
        cuts = [first]
        while cuts[-1] + 8 < len(segment) and len(cuts) < 9:
            cuts.append(cuts[-1] + 8 * rng.randint(1, 40))
        cuts = [cut for cut in cuts if cut < len(segment)]
        ident = rng.randint(1, 3)
        packets = build.in_pieces(version, protocol, segment, cuts, ident)
        for _ in range(rng.choice((0, 0, 1, 2))):  # another range
            start = 8 * rng.randint(0, len(segment) // 8)
            end = min(start + 8 * rng.randint(1, 9), len(segment))
            more = end < len(segment) or rng.randint(0, 5) == 0
            packets.append(build.fragment(version, protocol, segment[start:end], start, more, ident))
        packets += rng.choices(packets, k=rng.choice((0, 0, 1, 3)))  # repetitions
        if rng.randint(0, 1):
            rng.shuffle(packets)
        if rng.randint(0, 3) == 0:  # losses
            del packets[rng.randrange(len(packets))]
        return [(packet, rng.randint(0, 60) == 0) for packet in packets]

    def frames(self, count: int) -> list[Frame]:
        """Datagrams interleaved, no more than three at a time: the checker does not keep any number of them."""
        rng = self.rng
        going: list[list[tuple[bytes, bool]]] = []
        frames: list[Frame] = []
        time_ns = 10**18
        while len(frames) < count:
            while len(going) < rng.randint(1, 3):
                going.append(self.datagram())
            now = rng.choice(going)
            if now:
                packet, cut = now.pop(0)
                time_ns += rng.choice((1000, 10**6, SECOND, 12 * SECOND))
                [frame] = framed([packet])
                data = frame.data[: rng.randint(20, len(frame.data))] if cut else frame.data
                flags = rng.choice((0, 0, 0, NOT_READY, CHECKED)) if rng.randint(0, 20) == 0 else 0
                frames.append(replace(frame, data=data, time_ns=time_ns, flags=flags))
            going = [datagram for datagram in going if datagram]
        return frames


@pytest.mark.parametrize("seed", SEEDS)
def test_fragments_as_the_naive_twin(seed: int) -> None:
    """In and out of order, repeated, overlapping, interleaved, lost, late, cut; identifications used again."""
    frames = Story(random.Random(seed)).frames(3000)
    found = disagreements(frames)
    assert not found, "\n".join(found[:5])
    words = Counter(word for word, _ in twin(frames))
    assert min(words[word] for word in ("valid", "bad", "zero", "partial", "none", "unverifiable")) > 10


# Against the twin


def random_frames(seed: int, count: int) -> list[Frame]:
    """Frames of every kind: well-formed, cut and hostile, with flags now and then."""
    rng = random.Random(seed)
    frames = []
    for number in range(count):
        link, data, length = strategies.random_frame(rng)
        flags = rng.choice((NOT_READY, CHECKED, rng.getrandbits(32))) if rng.randint(0, 9) == 0 else 0
        frames.append(Frame(link, data, length, number * 1000, flags))
    return frames


@pytest.mark.parametrize("seed", range(201, 213))
def test_random_frames_as_the_naive_twin(seed: int) -> None:
    """Frames of every link type, header, tunnel and kind of damage."""
    found = disagreements(random_frames(seed, 4000))
    assert not found, "\n".join(found[:5])


def test_the_random_frames_have_every_word() -> None:
    """Every word of both columns was compared."""
    words = compiled(random_frames(201, 4000))
    assert {word for word, _ in words} == set(WORDS)
    assert {word for _, word in words} == set(HEADER_WORDS)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.frames(), st.sampled_from((0, NOT_READY, CHECKED)))
def test_any_frame_as_the_naive_twin(frame: strategies.Frame, flags: int) -> None:
    """As above, with hypothesis to shrink what fails."""
    assert disagreements([Frame(*frame, flags=flags)]) == []


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_any_fragments_as_the_naive_twin(rng: random.Random) -> None:
    """A few datagrams, with hypothesis to shrink what fails."""
    assert disagreements(Story(rng).frames(12)) == []


def made_right(frame: Frame) -> Frame:
    """The frame with the checksum of TCP that is right for the destination that the twin finds."""
    row = row_of(frame)
    target = final_destination(frame.data, row)
    if target is None:
        return frame
    segment = frame.data[row["l4_at"] :]
    between = row["src"], str(ipaddress.ip_address(target))
    right = build.pseudo_checksum(build.TCP, segment[:16] + b"\0\0" + segment[18:], between)
    at = row["l4_at"] + 16
    return replace(frame, data=frame.data[:at] + struct.pack(">H", right) + frame.data[at + 2 :])


def noisy_options(rng: random.Random) -> bytes:
    """Bytes that often look like source routes, whole or not."""
    return bytes(rng.choice((0, 1, 7, 11, 131, 137, 2, 3, 4, 5, 8, rng.randint(0, 255))) for _ in range(16))


def noisy_routing_header(rng: random.Random) -> build.Extension:
    """Any type, any number of segments left, room for two addresses and a half at most."""
    size = rng.randint(0, 5)
    kind, left = rng.choice((0, 2, 4, rng.randint(0, 255))), rng.choice((0, 1, 2, 255))
    return build.Extension(43, bytes([size, kind, left]) + rng.randbytes(8 * size + 4))


def test_noise_in_extension_and_option_headers() -> None:
    """Any option bytes in IPv4, any routing header in IPv6: the same destination, and nothing beyond the header."""
    rng = random.Random(31)
    packets = [build.ipv4(build.tcp(b"odd"), options=noisy_options(rng)) for _ in range(5000)]
    packets += [build.ipv6(build.tcp(), extensions=[noisy_routing_header(rng)]) for _ in range(3000)]
    frames = [made_right(frame) for frame in framed(packets)]
    found = disagreements(frames)
    assert not found, "\n".join(found[:5])
    rows = [row_of(frame) for frame in frames]
    ends = [final_destination(frame.data, row) for frame, row in zip(frames, rows, strict=True)]
    elsewhere = [end for end, row in zip(ends, rows, strict=True) if end not in (None, build.packed(row["dst"]))]
    assert len(elsewhere) > 1000
    assert ends.count(None) > 500


# Neither batch nor buffer matters


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_batches_of_any_size(step: int) -> None:
    """Also where the fragments of a datagram are in several batches."""
    frames = Story(random.Random(17)).frames(800) + random_frames(17, 1200) + [frame for frame, _ in many_known(2)]
    random.Random(17).shuffle(frames)
    assert compiled(frames, step) == compiled(frames)


@pytest.mark.parametrize("shift", range(8))
@pytest.mark.parametrize("filler", [b"\x00", b"\xff"])
def test_any_place_in_the_buffer(shift: int, filler: bytes) -> None:
    """Sums of eight bytes at a time begin and end anywhere; what is before and behind a frame does not count."""
    frames = [frame for frame, _ in many_known(3)[:300]] + random_frames(19, 300)
    batch, interfaces = batch_of_frames(frames)
    expected = check(batch, interfaces)
    rng = random.Random(shift)
    rows = batch.rows.copy()
    content = bytearray(filler * shift)
    for number, frame in enumerate(frames):
        content += filler * rng.randint(0, 9)
        rows["offset"][number] = len(content)
        content += frame.data
    content += filler * rng.randint(0, 3)
    memory = np.frombuffer(bytes(64) + bytes(content), np.uint8)
    for skip in (64, 63, 61):  # the buffer itself may begin at any address
        moved = rows.copy()
        moved["offset"] += 64 - skip
        assert check(RecordBatch(memory[skip:], moved, 1), interfaces) == expected


def test_frames_alone_in_their_buffer() -> None:
    """No byte behind the last frame is read, and none is needed."""
    frames = [frame for frame, _ in many_known(5)[:400]]
    assert [compiled([frame])[0] for frame in frames] == compiled(frames)


# Samples


def checked_file(path: Path) -> list[Words]:
    """The words for every frame of a file."""
    checker = Checker()
    found = []
    with open_capture([str(path)]) as capture:
        for batch in capture:
            rows = decode(batch, capture.interfaces)
            checker.check(batch, rows, capture.interfaces)
            codes = zip(rows["checksum"].tolist(), rows["ip_header_checksum"].tolist(), strict=True)
            found += [(WORDS[checksum], HEADER_WORDS[header]) for checksum, header in codes]
    return found


def frames_of_file(path: Path) -> list[Frame]:
    """The frames of a file."""
    frames = []
    with open_capture([str(path)]) as capture:
        for batch in capture:
            for position, record in enumerate(batch.rows):
                link = capture.interfaces[int(record["interface"])].link_type
                numbers = (int(record[name]) for name in ("length", "time_ns", "flags"))
                frames.append(Frame(link, batch.data(position), *numbers))
    return frames


@for_each("path", SAMPLES, ids=lambda path: path.parent.relative_to(path.parents[2]).as_posix())
def test_samples_as_the_naive_twin(path: Path) -> None:
    """Every frame of a sample."""
    words, frames = checked_file(path), frames_of_file(path)
    assert words == twin(frames)
    verified = any(word in ("valid", "partial", "bad") for word, _ in words)
    assert verified != (path.parts[-3] == "headers-cut"), "where all is cut, nothing can be verified"


# Against dpkt, which computes a checksum where the field is 0


def packed_by_dpkt(data: bytes) -> tuple[int, int]:
    """The checksums of the transport and of the IPv4 header that dpkt would write."""
    kind = dpkt.ip.IP if data[0] >> 4 == 4 else dpkt.ip6.IP6
    packet = kind(data)
    packet.sum = packet.data.sum = 0
    packet = kind(bytes(packet))
    return packet.data.sum, getattr(packet, "sum", 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_dpkt_computes_the_same(seed: int) -> None:
    """TCP, UDP and ICMP over IPv4 and IPv6, without routes and tunnels: a field is right if dpkt would write it."""
    compared = Counter[str]()
    for frame, known in many_known(seed):
        row = row_of(frame)
        plain = not row["layers"] & {"extension", "ip_options", "tunnel"}
        if not plain or (row["ip_proto"] == build.UDP and row["udp_len"] != number_of_bytes(row)):
            continue
        checksum, header = packed_by_dpkt(known.packet)
        zeros = row["ip_proto"] == build.ICMP and row["checksum_field"] == 0  # without a pseudo-header all may be 0
        right = checksum == 0 if zeros else same_sum(checksum, row["checksum_field"])
        assert (known.words[0] == "valid") == right
        if known.version == 4:
            assert (known.words[1] == "valid") == same_sum(header, row["ip_checksum"])
        if known.words[0] == "partial":
            assert is_partial(payload_of_ip(frame.data, row, row["l4_at"]), number_of_bytes(row))
        compared[known.words[0]] += 1
    assert min(compared[word] for word in ("valid", "partial", "zero", "bad")) > 10


def number_of_bytes(row: dict[str, Any]) -> int:
    """In the IP packet behind its headers."""
    return int(row["l3_at"] + row["ip_len"] - row["l4_at"])
