"""The same capture with right checksums: against a fixer in plain Python, and which are made right and which are not."""

from __future__ import annotations

import hashlib
import json
import random
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from analyzer.checksums.fix import fix_checksums
from analyzer.errors import CaptureError
from tests import build, test_fuzz
from tests.fixing import compare, data_of, fragments, nonzero, pcapng_of, random_frame, run, said_of, spoilt
from tests.naive.checksums import ALL_ONES, ones_complement_sum
from tests.naive.fix import GRE, ICMP, NOT_READY, TCP, UDP, VERIFIED, Frame, NaiveFixer, odd
from tests.tshark import needs_tshark

ROOT = Path(__file__).resolve().parent.parent


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
    sizes = ({}, {"batch_frames": 1}, {"batch_frames": 7, "window_bytes": 4096})[seed % 3]
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
    said = said_of(tmp_path / "out", "eth.fcs.status", "gre.checksum.status", "tcp.checksum.status")
    assert [said[0][0], said[1][0].split(";")[0]] == ["1", "1"]
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


if __name__ == "__main__":
    print(digest_of_fixes())
