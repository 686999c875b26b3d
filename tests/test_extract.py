"""Frames cut out of a capture: which, with right interfaces and times, verdicts as comments; anonymised, they say the same."""

from __future__ import annotations

import random
import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import Interface, open_capture
from analyzer.decode import decode
from analyzer.errors import TcpcapError
from analyzer.extract import Cut, extract
from analyzer.extract.anonymize import Anonymizer
from analyzer.extract.cryptopan import KEPT4, Pan
from analyzer.extract.cut import DECODED
from analyzer.extract.sums import carried_over, compensation, sum16
from tests import anonymized, build, filters, strategies
from tests.anonymized import KEY
from tests.command import run_here
from tests.helpers import SAMPLES, batch_of
from tests.tshark import PROGRAM, needs_tshark

CAPTURE = SAMPLES / "loss-ipv4" / "server" / "capture.pcap"
TWO = SAMPLES / "any-sll2" / "client" / "capture.pcap"


def cut(tmp_path: Path, source: Path = CAPTURE, **wanted: Any) -> tuple[Cut, Path]:
    target = tmp_path / "cut.pcapng"
    return extract(str(source), target, **wanted), target


def records(path: Path) -> list[tuple[int, int, bytes]]:
    """Time, length on the wire and bytes of each frame."""
    with open_capture([path]) as capture:
        return [
            (int(row["time_ns"]), int(row["length"]), batch.data(place))
            for batch in capture
            for place, row in enumerate(batch.rows)
        ]


def comments(path: Path) -> list[str]:
    """All comments of enhanced packet blocks, in their order."""
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        kind, size = struct.unpack_from("<II", content, at)
        if kind == 6:
            (captured,) = struct.unpack_from("<I", content, at + 20)
            place = at + 28 + (captured + 3) // 4 * 4
            while place < at + size - 4:
                code, length = struct.unpack_from("<HH", content, place)
                found += [content[place + 4 : place + 4 + length].decode()] if code == 1 else []
                place += 4 + (length + 3) // 4 * 4
        at += size
    return found


def test_a_flow_with_what_was_around_it(tmp_path: Path) -> None:
    packets = analyze(str(CAPTURE)).packets
    done, target = cut(tmp_path, flow=1)
    own, everything = packets[packets["flow"] == 1], records(CAPTURE)
    assert records(target) == [everything[frame - 1] for frame in own["frame"]]
    assert (done.frames, done.of) == (len(own), len(packets))
    cut(tmp_path, flow=1, around="1140ms")
    near = [(abs(own["time_ns"] - time) <= 1140 * 10**6).any() for time in packets["time_ns"]]
    assert records(target) == [each for each, wanted in zip(everything, near, strict=True) if wanted]
    assert len(own) < sum(near) < len(packets)


def test_an_event_and_what_it_refers_to_with_verdicts_as_comments(tmp_path: Path) -> None:
    events = analyze(str(CAPTURE)).events
    some = events[events["event"] == "retransmission"]
    wanted = sorted({*some["frame"], *some["related_frame"]} - {0})
    done, target = cut(tmp_path, event="retransmission")
    assert done.frames == len(records(target)) == len(wanted)
    told = events[events["frame"].isin(wanted)]
    assert len(comments(target)) == done.comments == len(told)
    first = some.iloc[0]
    assert comments(target)[0].startswith(f"tcpcap: frame {first['frame']}, flow 0: retransmission ({first['cause']}")


def test_the_connections_of_a_finding(tmp_path: Path) -> None:
    finding = analyze(str(CAPTURE)).finding(1)
    done, _ = cut(tmp_path, finding=1)
    packets = analyze(str(CAPTURE)).packets
    assert done.frames == int(packets["flow"].isin(finding.flows).sum()) > 0


@needs_tshark
@pytest.mark.skipif(filters.PROGRAM is None, reason="needs tcpdump")
@pytest.mark.parametrize("source", [CAPTURE, TWO], ids=["ethernet", "sll2"])
def test_other_programs_read_it(source: Path, tmp_path: Path) -> None:
    done, target = cut(tmp_path, source, frames="1-", anonymize=KEY)
    said = subprocess.run(
        [str(PROGRAM), "-r", target, "-T", "fields", "-e", "frame.comment"], capture_output=True, text=True, check=True
    )
    assert sum(line.count("tcpcap: frame") for line in said.stdout.splitlines()) == done.comments
    assert "Malformed" not in said.stdout + said.stderr
    read = subprocess.run([str(filters.PROGRAM), "-r", target, "-n"], capture_output=True, text=True, check=True)
    assert len(read.stdout.splitlines()) >= done.frames
    assert all("reading from" in line or "Warning: interface names" in line for line in read.stderr.splitlines())


SHOWN = ("loss-ipv4/server", "loss-ipv6/client", "any-sll2/client", "fragments/server", "fragments-ipv6/client", "fast-open-not-supported/client", "forwarding-nat/router", "fragmentation-needed/router", "tunnel-vxlan/*")  # fmt: skip


@pytest.mark.parametrize("path", [each for name in SHOWN for each in sorted((SAMPLES / name).glob("capture*.pcap*"))[:1]], ids=lambda path: path.parts[-3])  # fmt: skip
def test_an_anonymised_capture_says_the_same_and_names_nobody(path: Path, tmp_path: Path) -> None:
    """`python -m tests.anonymized` tries all of them."""
    assert list(anonymized.differences(path, tmp_path)) == []


def test_counters_move_as_before(tmp_path: Path) -> None:
    _, target = cut(tmp_path, frames="1-", anonymize=KEY)
    host = Pan(KEY).address(build.packed("10.0.0.2"))
    own, other = (analyze(str(path), hosts=[address]).increments for path, address in ((CAPTURE, "10.0.0.2"), (target, ".".join(map(str, host)))))  # fmt: skip
    assert len(own)
    assert own.drop(columns="host").equals(other.drop(columns="host"))


def test_addresses_are_gone_from_wherever_they_stand(tmp_path: Path) -> None:
    """ARP, quotes of ICMP, routes that are recorded, MPTCP's further addresses, payload, what names a filter and a host."""
    route = bytes([7, 11, 12]) + build.packed(build.SRC4) * 2 + b"\0"
    added = build.tcp_option(30, b"\x30\x01" + build.packed(build.DST4))
    quote = build.ipv4(build.tcp(b"", between=(build.SRC4, build.DST4)), build.TCP)
    packets = [
        build.ipv4(build.tcp(build.packed(build.SRC4) * 5, options=added), build.TCP, options=route),
        build.ipv4(build.icmp(quote, kind=3, code=4), build.ICMP, src=build.DST4, dst=build.SRC4),
        build.ipv4(build.icmp(quote, kind=5, rest=int.from_bytes(build.packed(build.DST4))), build.ICMP),
        build.ipv6(build.icmpv6(build.packed(build.DST6), kind=135), 58),
    ]
    arp = (
        bytes.fromhex("0001080006040001") + build.MAC_A + build.packed(build.SRC4) + bytes(6) + build.packed(build.DST4)
    )
    kinds = [build.IPV4, build.IPV4, build.IPV4, build.IPV6]
    frames = [build.ethernet(packet, kind) for packet, kind in zip([*packets, arp], [*kinds, 0x0806], strict=True)]
    source, target = tmp_path / "in.pcapng", tmp_path / "cut.pcapng"
    described = ((11, b"\0host " + build.SRC4.encode()), (2, b"eth0"))
    source.write_bytes(build.pcapng(build.shb(), build.idb(extra=described), *(build.epb(frame) for frame in frames)))
    done = extract(str(source), target, frames="1-", anonymize=KEY)
    content = target.read_bytes()
    secrets = [build.packed(each) for each in (build.SRC4, build.DST4, build.SRC6, build.DST6)]
    for secret in [*secrets, build.MAC_A, build.MAC_B, build.SRC4.encode()]:
        assert secret in source.read_bytes()
        assert secret not in content
    assert (done.frames, done.emptied) == (5, 0)
    states = analyze(str(target)).packets["checksum"].tolist()
    assert states == analyze(str(source)).packets["checksum"].tolist()


def test_tunnels_and_link_layers_stay_what_they_are() -> None:
    """Random frames, well-formed, of all link layers that are known: the same headers, but for a few that nobody would miss."""
    rng, anonymizer = random.Random(5), Anonymizer(KEY)
    frames = []
    while len(frames) < 300:
        link, data = strategies.FrameMaker(rng).frame()
        if link in {*anonymizer.links}:
            frames.append((link, data, len(data)))
    batch, interfaces = batch_of(frames)
    made = [
        (link, anonymizer.frame(data, length, interfaces[number]), length)
        for (link, data, length), number in zip(frames, batch.rows["interface"].tolist(), strict=True)
    ]
    before, after = decode(batch, interfaces), decode(*batch_of(made))
    names = [name for name in DECODED if name != "payload_len"]
    same = np.all([before[name] == after[name] for name in names], axis=0)
    assert np.count_nonzero(same) >= 0.97 * len(frames)
    assert set(np.flatnonzero(before["tunnel_depth"])) - set(np.flatnonzero(~same)), "no tunnel was tried"
    left = before["src_lo"] == after["src_lo"]
    assert np.count_nonzero(left & (before["ip_version"] > 0)) < 0.1 * len(frames)  # groups, loopback, no address


def test_frames_cut_anywhere_are_anonymised() -> None:
    """Whatever stands in a frame, it keeps its size, and nothing fails."""
    rng, anonymizer = random.Random(6), Anonymizer(KEY)
    for _ in range(300):
        link, data, length = strategies.random_frame(rng)
        assert len(anonymizer.frame(data, length, Interface(0, link))) == len(data)


def test_interfaces_stand_before_all_frames(tmp_path: Path) -> None:
    """So that a reader knows from the first frame on that those of another interface may come late."""
    frame = build.ethernet(build.ipv4(build.tcp()))
    blocks = [build.idb(), build.idb(), build.idb(), *(build.epb(frame, interface=number) for number in (0, 0, 2))]
    (tmp_path / "three.pcapng").write_bytes(build.section(*blocks))
    _, target = cut(tmp_path, tmp_path / "three.pcapng", frames="1-")
    content, at, kinds = target.read_bytes(), 0, []
    while at < len(content):
        kind, size = struct.unpack_from("<II", content, at)
        kinds.append(kind)
        at += size
    assert kinds == [0x0A0D0D0A, 1, 1, 6, 6, 6]


def test_pseudonyms_are_those_of_the_paper() -> None:
    """Known answers of Crypto-PAn's reference implementation; what stays is ours."""
    key = bytes([21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2])  # fmt: skip
    pan = Pan(key, kept4=())
    for plain, expected in (("128.11.68.132", "135.242.180.132"), ("129.118.74.4", "134.136.186.123"), ("130.132.252.244", "133.68.164.234")):  # fmt: skip
        assert pan.address(build.packed(plain)) == build.packed(expected)


@pytest.mark.parametrize("size", [4, 16])
def test_pseudonyms_keep_prefixes_and_what_an_address_is_for(size: int) -> None:
    rng, pan = np.random.default_rng(3), Pan(KEY)
    numbers = [rng.bytes(size) for _ in range(200)]
    numbers += [number[: size - 1] + bytes([number[-1] ^ 1]) for number in numbers]
    found = [pan.address(number) for number in numbers]
    assert len(set(found)) == len(set(numbers))
    for (one, other), (first, second) in zip(pairwise(numbers), pairwise(found), strict=True):
        common = [(int.from_bytes(a) ^ int.from_bytes(b)).bit_length() for a, b in ((one, other), (first, second))]
        assert common[0] == common[1]
    if size == 4:
        for value, length, inside in KEPT4:
            assert [int.from_bytes(each) >> (32 - length) == value >> (32 - length) for each in numbers] == [int.from_bytes(each) >> (32 - length) == value >> (32 - length) for each in found]  # fmt: skip
            kept = (value | 0xABCD & (1 << (32 - inside)) - 1).to_bytes(4)
            assert int.from_bytes(pan.address(kept)) >> (32 - inside) == value >> (32 - inside)


@pytest.mark.parametrize("state", ["right", "wrong", "partial", "zero"])
def test_a_checksum_stays_what_it_is(state: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        old, new = rng.bytes(21), rng.bytes(21)
        pseudo, other, length = sum16(rng.bytes(12)), sum16(rng.bytes(12)), 23
        right = 0xFFFF - (sum16(old) + pseudo + length) % 0xFFFF
        field = {"right": right, "wrong": (right + 77) % 0xFFFF or 1, "partial": (pseudo + length) % 0xFFFF, "zero": 0}[
            state
        ]
        made = carried_over(field, sum16(old), sum16(new), pseudo, other, length=length)
        error = (made + sum16(new) + other + length) % 0xFFFF
        assert state not in ("right", "wrong") or error == {"right": 0, "wrong": 77}[state]
        assert state != "partial" or made % 0xFFFF == (other + length) % 0xFFFF
        assert state != "zero" or made == 0
        assert sum16(compensation(old)) == sum16(old)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, "it is not said what to cut out"),
        ({"event": "retransmision"}, "did you mean retransmission"),
        ({"finding": 99}, "no finding 99"),
        ({"flow": 1, "around": "soon"}, "'soon' is no length of time"),
        ({"flow": 1, "anonymize": b"short"}, "of 5 bytes"),
    ],
)
def test_what_cannot_be_cut_out(wanted: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(TcpcapError) as caught:
        cut(tmp_path, **wanted)
    assert said in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, key = tmp_path / "cut.pcapng.gz", tmp_path / "key"
    key.write_bytes(KEY)
    ran = run_here("extract", CAPTURE, "--flow", "1", "--anonymize", "--key", key, "-o", target, capsys=capsys)
    assert (ran.status, ran.out, ran.err) == (0, "22 of 209 frames written, with 0 comments\n", "")
    assert len(records(target)) == 22
    key.write_bytes(b"short")
    assert run_here("extract", CAPTURE, "--flow", "1", "--key", key, "-o", target, capsys=capsys).status == 2
