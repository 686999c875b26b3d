"""The compiled decoder against its naive twin: random frames, real files, slices of a batch, frames read by eye."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from analyzer.capture import RecordBatch
from analyzer.decode import RowRoom, decode
from analyzer.decode.link import LINK_TYPES, is_decoded, link_name
from analyzer.schema import Rows, address_text, bits_text
from analyzer.tables import PACKETS
from tests import build, strategies
from tests.helpers import batch_of, differences, plain_rows, read_all, same_rows
from tests.naive.capture import read_capture
from tests.naive.decode import decode_frame

SEEDS = tuple(range(101, 113))
FRAMES_PER_SEED = 5000


def make_frame(link: int, rng: random.Random) -> bytes:
    """A well-formed frame of a link type."""
    return strategies.OTHER.get(link, lambda maker: maker.ethernet(0))(strategies.FrameMaker(rng))


@dataclass(frozen=True)
class Outcome:
    """What comparing the decoders on one seed's frames gave."""

    disagreements: list[str]
    links: Counter[int]
    words: dict[str, frozenset[str]]  # of every column of bits or of an enumeration


def random_frames(seed: int, count: int) -> list[strategies.Frame]:
    """Frames of every kind."""
    rng = random.Random(seed)
    return [strategies.random_frame(rng) for _ in range(count)]


def disagreements(frames: list[strategies.Frame], rows: Rows) -> list[str]:
    """One line for each frame that the twin decodes otherwise: the frame in hexadecimal, and the columns."""
    found = []
    for (link, data, length), row in zip(frames, plain_rows(rows), strict=True):
        wrong = differences(decode_frame(data, length, link), row)
        if wrong:
            found.append(f"link {link}, length {length}: {data.hex()}\n  (twin, decoder): {wrong}")
    return found


def words_of(rows: Rows) -> dict[str, frozenset[str]]:
    """The words that occur in each column of bits or of an enumeration."""
    found = {}
    for column in PACKETS.columns:
        if column.kind == "enum":
            found[column.name] = frozenset(column.words[code] for code in np.unique(rows[column.name]))
        elif column.kind == "bits":
            mask = int(np.bitwise_or.reduce(rows[column.name]))
            found[column.name] = frozenset(bits_text(column.words, mask).split())
    return found


@cache
def outcome(seed: int) -> Outcome:
    """Both decoders on one seed's frames."""
    frames = random_frames(seed, FRAMES_PER_SEED)
    batch, interfaces = batch_of(frames)
    rows = decode(batch, interfaces)
    return Outcome(disagreements(frames, rows), Counter(link for link, _, _ in frames), words_of(rows))


# Against the twin


@pytest.mark.parametrize("seed", SEEDS)
def test_random_frames_decode_as_the_naive_twin_does(seed: int) -> None:
    """Well-formed, cut and hostile frames of every link type, in all columns."""
    assert not outcome(seed).disagreements, "\n".join(outcome(seed).disagreements[:5])


def test_the_random_frames_are_many_and_of_every_link_type() -> None:
    """A new link type needs a maker in `strategies` before it counts as decoded."""
    seen: Counter[int] = sum((outcome(seed).links for seed in SEEDS), Counter())
    assert sum(seen.values()) >= 60_000
    rare = [link.number for link in LINK_TYPES if seen[link.number] < 300]
    assert not rare, "link types without enough random frames"
    assert any(not is_decoded(link) for link in seen)


@pytest.mark.parametrize("name", ["layers", "stop", "quirks", "tunnels", "options", "link_direction", "reception"])
def test_the_random_frames_have_every_word(name: str) -> None:
    """Every header, stop reason, peculiarity, tunnel, option, direction and reception was compared."""
    seen = frozenset[str]().union(*(outcome(seed).words[name] for seed in SEEDS))
    assert seen | {"reassembled"} == frozenset(PACKETS[name].words) | {
        "reassembled"
    }  # of several frames: test_reassembly


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.frames())
def test_any_frame_decodes_as_the_naive_twin_does(frame: strategies.Frame) -> None:
    """As above, with hypothesis to shrink what fails."""
    batch, interfaces = batch_of([frame])
    assert disagreements([frame], decode(batch, interfaces)) == []


@pytest.mark.parametrize("link", [link.number for link in LINK_TYPES])
def test_any_bytes_decode_as_the_naive_twin_does(link: int) -> None:
    """Noise, and every frame of a few cut at every byte."""
    rng = random.Random(link)
    frames = [(link, rng.randbytes(size), size) for size in range(80) for _ in range(4)]
    while len(frames) < 900:
        made = make_frame(link, rng)
        frames += [(link, made[:size], len(made)) for size in range(min(len(made), 200))]
    batch, interfaces = batch_of(frames)
    found = disagreements(frames, decode(batch, interfaces))
    assert not found, "\n".join(found[:5])


def test_gtpu_on_another_port() -> None:
    """Its own length and that of the packet in it prove it, to the byte; nothing less does."""
    packet = build.ipv4(build.tcp(b"hello"))
    whole = build.gtpu(packet, sequence=7)
    payloads = [
        whole,
        whole + b"x",
        whole[:-1],
        build.gtpu(packet + b"x"),
        build.gtpu(packet, message=1),
    ]
    frames = [
        build.ethernet(build.ipv4(build.udp(each, src_port=40000, dst_port=9999), build.UDP)) for each in payloads
    ]
    rows = decode(*batch_of((1, frame, len(frame)) for frame in frames))
    assert rows["tunnel_depth"].tolist() == [1, 0, 0, 0, 0]
    assert rows["tunnels"][0] == PACKETS.bit("tunnels", "gtpu")


def test_pppoe_says_where_its_packet_ends() -> None:
    """What stands behind is padding, even where IP does not say how long it is, or says too much."""
    for length, quirk in ((0, "ip_length_zero"), (400, "ip_length_beyond_frame"), (45, "")):
        frame = build.ethernet(
            build.pppoe(build.ipv4(build.tcp(b"hello"), total_length=length)) + bytes(30), build.PPPOE
        )
        row = decode(*batch_of([(1, frame, len(frame))]))[0]
        assert row["payload_len"] == 5
        assert row["quirks"] == (PACKETS.bit("quirks", quirk) if quirk else 0)


def test_a_link_type_has_a_name() -> None:
    """All of the registry have one. Numbers are unique; a link type that is not decoded has a name or is called by its number."""
    numbers = [link.number for link in LINK_TYPES]
    assert len(set(numbers)) == len(numbers)
    registered = {*range(11), 12, 14, 50, 51, *range(99, 302)} - {208}
    assert [number for number in registered if link_name(number).startswith("link type")] == []
    assert (link_name(113), is_decoded(113)) == ("LINUX_SLL", True)
    assert (link_name(189), is_decoded(189)) == ("USB_LINUX", False)
    assert (link_name(65000), is_decoded(65000)) == ("link type 65000", False)


# Through files: what the record and its interface say


def twin_rows(content: bytes) -> list[dict[str, Any]]:
    """The twin's rows of a capture file."""
    capture = read_capture(content)
    assert not capture.damage
    return [
        decode_frame(
            record.data,
            record.length,
            record.link,
            fcs=record.fcs,
            record_flags=record.record_flags,
            ifindex=record.ifindex,
            pkt_type=record.pkt_type,
        )
        for record in capture.records
    ]


def compare_file(content: bytes, path: Path) -> Rows:
    """Both decoders on a capture file: the packet rows, which must agree."""
    path.write_bytes(content)
    rows = read_all(path).packets
    expected = twin_rows(content)
    assert len(rows) == len(expected)
    for position, (row, actual) in enumerate(zip(expected, plain_rows(rows), strict=True)):
        assert int(rows["record_flags"][position]) == row["record_flags"]
        assert differences(row, actual) == {}, position
    return rows


def whole_frames(seed: int, count: int) -> list[strategies.Frame]:
    """Random frames whose length a classic file can give."""
    return [frame for frame in random_frames(seed, count) if frame[2] >= len(frame[1])]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("link", [1, 113, 204, 276])
def test_epb_flags_win(tmp_path: Path, link: int, order: str) -> None:
    """Every direction and reception of the flags, over link headers that say something else or nothing."""
    rng = random.Random(link)
    words = [*range(64), *(rng.getrandbits(32) for _ in range(100))]
    blocks = [build.epb(make_frame(link, rng), flags=word, order=order) for word in words]
    content = build.pcapng(build.shb(order=order), build.idb(link=link, order=order), *blocks)
    rows = compare_file(content, tmp_path / "capture.pcapng")
    assert rows["record_flags"].tolist() == words
    directions = [PACKETS["link_direction"].words[value] for value in rows["link_direction"]]
    receptions = [PACKETS["reception"].words[value] for value in rows["reception"]]
    for word, direction, reception in zip(words, directions, receptions, strict=True):
        if word & 3 in (1, 2):
            assert direction == ("in", "out")[(word & 3) - 1]
        elif link == 1:
            assert direction == ""
        if 1 <= word >> 2 & 7 <= 4:
            assert reception == ("unicast", "multicast", "broadcast", "promiscuous")[(word >> 2 & 7) - 1]
        elif link == 1:
            assert reception == ""


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("link", [1, 113, 204, 276])
def test_modified_pcap_says_how_a_frame_was_received(tmp_path: Path, link: int, order: str) -> None:
    """Packet type and interface index of the record; a link header that says more wins."""
    rng = random.Random(link)
    records = [
        build.Record(make_frame(link, rng), ifindex=ifindex, pkt_type=kind)
        for kind in (0, 1, 2, 3, 4, 5, 6, 7, 254)
        for ifindex in (-1, 0, 1, 2**31 - 1)
    ]
    content = build.pcap(records, magic=build.MODIFIED, order=order, link=link)
    rows = compare_file(content, tmp_path / "capture.pcap")
    if link == 1:
        said = [(bits, reception) for bits, reception in zip(rows["link_direction"], rows["reception"], strict=True)]
        words = [(PACKETS["link_direction"].words[one], PACKETS["reception"].words[two]) for one, two in said]
        ways = ("unicast", "broadcast", "multicast", "promiscuous")
        expected = [("in", way) for way in ways] + [("out", "")] + [("", "")] * 4
        assert words == [each for each in expected for _ in range(4)]
        assert rows["ifindex"].tolist() == [2**32 - 1, 0, 1, 2**31 - 1] * 9


@pytest.mark.parametrize("fcs", [None, 0, 2, 4])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_files_decode_as_the_naive_twin_does(tmp_path: Path, seed: int, fcs: int | None) -> None:
    """Random frames in a classic file and in pcapng, with every length of the frame check sequence."""
    frames = whole_frames(1000 * seed + (fcs or 9), 500)
    rng = random.Random(seed)
    links = sorted({link for link, _, _ in frames})
    interfaces = [build.idb(link=link, fcs_bits=None if fcs is None else 8 * fcs) for link in links]
    blocks = [
        build.epb(data, interface=links.index(link), length=length, flags=rng.choice((None, rng.getrandbits(32))))
        for link, data, length in frames
    ]
    compare_file(build.pcapng(build.shb(), *interfaces, *blocks), tmp_path / "capture.pcapng")
    for link in links:
        records = [build.Record(data, 0, length) for kind, data, length in frames if kind == link]
        compare_file(build.pcap(records, link=link, fcs=fcs), tmp_path / f"{link}.pcap")


@pytest.mark.parametrize(("fcs", "payload"), [(None, 14), (0, 14), (2, 12), (4, 10)])
@pytest.mark.parametrize("version", [4, 6])
def test_an_offloaded_packet_ends_before_the_check_sequence(
    tmp_path: Path, version: int, fcs: int | None, payload: int
) -> None:
    """Length 0 in the IP header: the frame's length counts, without its check sequence."""
    segment = build.tcp(b"ten bytes!" + b"\xaa" * 4)
    packet = build.ipv4(segment, total_length=0) if version == 4 else build.ipv6(segment, payload_length=0)
    record = build.Record(build.ethernet(packet, build.IPV4 if version == 4 else build.IPV6))
    rows = compare_file(build.pcap([record], fcs=fcs), tmp_path / "capture.pcap")
    assert rows["payload_len"].tolist() == [payload]
    assert rows["quirks"].tolist() == [PACKETS.bit("quirks", "ip_length_zero")]


# Decoding is stateless


@pytest.mark.parametrize("step", [1, 7, 100, 1999])
def test_slices_decode_as_the_whole(step: int) -> None:
    """No frame leaves anything behind for the next; only its number says where it stood."""
    frames = random_frames(5, 2000)
    batch, interfaces = batch_of(frames)
    whole = decode(batch, interfaces)
    assert whole["frame"].tolist() == list(range(1, 2001))
    parts = [
        decode(RecordBatch(batch.buffer, batch.rows[start : start + step], start + 1), interfaces)
        for start in range(0, len(frames), step)
    ]
    assert same_rows(whole, np.concatenate(parts))
    backwards = decode(RecordBatch(batch.buffer, batch.rows[::-1].copy(), 1), interfaces)[::-1]
    backwards["frame"] = whole["frame"]
    assert same_rows(whole, backwards)


@pytest.mark.parametrize("filler", [b"\x00", b"\xff", b"\x45\x00\x00\x28", b"\x01\x03\x03\x07"])
def test_bytes_around_a_frame_do_not_matter(filler: bytes) -> None:
    """A frame at the very end of the buffer decodes as one with any bytes before and behind it."""
    frames = random_frames(6, 3000)
    batch, interfaces = batch_of(frames)
    gap = filler * (128 // len(filler))
    rows = batch.rows.copy()
    rows["offset"] += len(gap) * np.arange(1, len(rows) + 1)
    apart = np.frombuffer(gap + b"".join(data + gap for _, data, _ in frames), np.uint8)
    expected = decode(batch, interfaces)
    assert same_rows(expected, decode(RecordBatch(apart, rows, 1), interfaces))
    for position in range(0, len(frames), 10):  # each as the only frame of its buffer
        alone, interface = batch_of([frames[position]])
        row = decode(alone, interface)
        for name in ("frame", "time_ns", "interface"):
            row[name] = expected[name][position]
        assert same_rows(expected[position : position + 1], row)


def test_the_record_is_copied() -> None:
    """Number, time, lengths, interface, interface index and flags of a record."""
    batch, interfaces = batch_of([(1, b"", 0), (1, bytes(20), 2**32 - 1), (101, bytes(9), 5)], flags=0x12345678)
    batch.rows["time_ns"] = (-(2**63), 0, 2**63 - 1)
    batch.rows["ifindex"] = (0, 2**32 - 1, 3)
    rows = decode(RecordBatch(batch.buffer, batch.rows, 1 << 40), interfaces)
    assert rows["frame"].tolist() == [1 << 40, (1 << 40) + 1, (1 << 40) + 2]
    for name in ("time_ns", "interface", "ifindex", "length", "captured"):
        assert rows[name].tolist() == batch.rows[name].tolist()
    assert rows["record_flags"].tolist() == [0x12345678] * 3
    assert rows["quirks"].tolist() == [0, 1, 2]


def test_no_frames_no_rows() -> None:
    """An empty batch, and one of a capture whose interfaces are not known yet."""
    batch, interfaces = batch_of([])
    rows = decode(batch, interfaces)
    assert (rows.dtype, len(rows)) == (PACKETS.dtype, 0)


# As a DataFrame


def test_the_frame_shows_words_and_addresses() -> None:
    """`PACKETS.frame` has the public columns, with words and addresses as the rows say."""
    frames = random_frames(7, 2000)
    batch, interfaces = batch_of(frames)
    rows = decode(batch, interfaces)
    shown = PACKETS.frame(rows)
    public = [column for column in PACKETS.columns if column.public]
    assert list(shown.columns) == [column.name for column in public]
    assert len(shown) == 2000
    some = plain_rows(rows[::40])
    for column in public:
        if column.kind == "value":
            assert shown[column.name].dtype == np.dtype(column.dtype)
            assert shown[column.name].tolist() == rows[column.name].tolist()
            continue
        assert shown[column.name].dtype == "category"
        expected = [row.get(column.name, "") for row in some]
        if column.kind == "bits":
            expected = [bits_text(column.words, int(mask)) for mask in rows[column.name][::40]]
        assert shown[column.name].tolist()[::40] == expected


def test_an_empty_frame_has_all_columns() -> None:
    """Dtypes do not depend on there being rows."""
    empty, full = PACKETS.empty(), PACKETS.frame(np.zeros(3, PACKETS.dtype))
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)
    for name in empty.columns:
        if PACKETS[name].kind == "value":
            assert empty[name].dtype == full[name].dtype == np.dtype(PACKETS[name].dtype)
        else:
            assert [str(table[name].dtype) for table in (empty, full)] == ["category", "category"]


def test_rows_of_another_table_are_refused() -> None:
    """A structured array of another layout is no row of packets."""
    batch, _ = batch_of([(1, b"", 0)])
    with pytest.raises(TypeError, match="table packets"):
        PACKETS.frame(batch.rows)


def test_addresses_are_text_of_their_version() -> None:
    """IPv4-mapped addresses in IPv6 headers stay IPv6."""
    mapped = build.ethernet(build.ipv6(build.tcp(), src="::ffff:192.0.2.1", dst="::"), build.IPV6)
    frames = [(1, build.ethernet(build.ipv4(build.tcp())), 54), (1, mapped, len(mapped)), (1, b"", 0)]
    batch, interfaces = batch_of(frames)
    shown = PACKETS.frame(decode(batch, interfaces))
    assert shown["src"].tolist() == ["192.0.2.1", address_text(0, 0xFFFF_C000_0201, 6), ""]
    assert shown["dst"].tolist() == ["198.51.100.2", "::", ""]
    assert shown["outer_src"].tolist() == ["", "", ""]


# Read by eye: frames as tcpdump -nnev shows them, and what the decoder must say

LITERALS: dict[str, tuple[str, int, dict[str, Any]]] = {
    # 02:00:00:00:00:01 > 02:00:00:00:00:02, IPv4, 192.0.2.1.40000 > 198.51.100.2.80: Flags [S], seq 3000000000,
    # win 64240, options [mss 1460,sackOK,TS val 123456 ecr 0,nop,wscale 7], length 0
    "SYN": (
        "020000000002020000000001" "0800"
        "4500003c" "00014000" "40064e84" "c0000201" "c6336402"
        "9c400050" "b2d05e00" "00000000" "a002faf0" "d1340000"
        "020405b4" "0402" "080a0001e24000000000" "01" "030307",
        74,
        {
            "layers": {"ethernet", "ipv4", "tcp"}, "stop": "decoded", "quirks": set(), "ethertype": 0x0800,
            "ip_version": 4, "src": "192.0.2.1", "dst": "198.51.100.2", "ttl": 64, "tos": 0, "ip_proto": 6,
            "ip_flags": 2, "ip_id": 1, "ip_len": 60, "ip_checksum": 0x4E84, "src_port": 40000, "dst_port": 80,
            "seq": 3_000_000_000, "ack": 0, "flags": 2, "window": 64240, "urgent": 0, "checksum_field": 0xD134,
            "header_len": 40, "payload_len": 0, "payload_captured": 0,
            "options": {"mss", "sack_permitted", "timestamps", "window_scale"}, "mss": 1460, "window_scale": 7,
            "tsval": 123456, "tsecr": 0,
        },
    ),
    # vlan 42, p 5, IPv6, (class 0x02, flowlabel 0xabcde, hlim 57, payload length: 52) 2001:db8::1.40000 >
    # 2001:db8:1::2.80: Flags [.], ack 5001, options [nop,nop,TS val 77 ecr 88,nop,nop,sack 2 {6001:7001}{8001:9001}]
    "VLAN, IPv6, SACK": (
        "020000000002020000000001" "8100a02a" "86dd"
        "602abcde" "00340639" "20010db8000000000000000000000001" "20010db8000100000000000000000002"
        "9c400050" "00000064" "00001389" "d010faf0" "a3d80000"
        "0101080a0000004d00000058" "010105120000177100001b5900001f4100002329",
        110,
        {
            "layers": {"ethernet", "vlan", "ipv6", "tcp"}, "stop": "decoded", "ethertype": 0x86DD, "vlan": 42,
            "vlan_depth": 1, "ip_version": 6, "src": "2001:db8::1", "dst": "2001:db8:1::2", "ttl": 57, "tos": 2,
            "flow_label": 0xABCDE, "ip_len": 92, "ip_checksum": 0, "seq": 100, "ack": 5001, "flags": 0x10,
            "header_len": 52, "payload_len": 0, "options": {"timestamps", "sack"}, "tsval": 77, "tsecr": 88,
            "sack_count": 2, "sack_left_1": 6001, "sack_right_1": 7001, "sack_left_2": 8001, "sack_right_2": 9001,
            "sack_left_3": 0,
        },
    ),
    # 203.0.113.1.49152 > 203.0.113.2.4789: VXLAN, flags [I] (0x08), vni 5000
    # 192.0.2.1.40000 > 198.51.100.2.80: Flags [P.], seq 1000:1005, ack 2000, win 64240, length 5
    "VXLAN": (
        "020000000002020000000001" "0800"
        "4500005f" "00014000" "ff110388" "cb007101" "cb007102" "c00012b5" "004b04de"
        "08000000" "00138800"
        "020000000002020000000001" "0800"
        "4500002d" "00014000" "40064e93" "c0000201" "c6336402"
        "9c400050" "000003e8" "000007d0" "5018faf0" "dc840000" "68656c6c6f",
        109,
        {
            "layers": {"ethernet", "ipv4", "udp", "tunnel", "tcp"}, "stop": "decoded", "tunnels": {"vxlan"},
            "tunnel_depth": 1, "tunnel_id": 5000, "outer_version": 4, "outer_src": "203.0.113.1",
            "outer_dst": "203.0.113.2", "src": "192.0.2.1", "dst": "198.51.100.2", "ttl": 64, "ip_len": 45,
            "udp_len": 0, "src_port": 40000, "dst_port": 80, "seq": 1000, "ack": 2000, "flags": 0x18,
            "payload_len": 5, "payload_captured": 5, "l3_at": 64, "l4_at": 84,
        },
    ),
    # 192.0.2.254 > 198.51.100.2: ICMP 192.0.2.1 unreachable - need to frag (mtu 1400), length 36
    #     (DF, TCP, length 1500) 198.51.100.2.443 > 192.0.2.1.51000: seq 7777
    "need to fragment": (
        "020000000002020000000001" "0800"
        "45000038" "00014000" "40014d90" "c00002fe" "c6336402"
        "0304102f" "00000578"
        "450005dc" "00014000" "400648e4" "c6336402" "c0000201" "01bbc738" "00001e61",
        70,
        {
            "layers": {"ethernet", "ipv4", "icmp", "quoted"}, "stop": "decoded", "src": "192.0.2.254",
            "icmp_type": 3, "icmp_code": 4, "icmp_rest": 1400, "checksum_field": 0x102F, "header_len": 8,
            "payload_len": 28, "quoted_version": 4, "quoted_proto": 6, "quoted_src": "198.51.100.2",
            "quoted_dst": "192.0.2.1", "quoted_src_port": 443, "quoted_dst_port": 51000, "quoted_seq": 7777,
            "src_port": 0, "seq": 0,
        },
    ),
    # IPv4, length 0: 192.0.2.1.40000 > 198.51.100.2.80: Flags [P.], seq 1000:1016, ack 2000, length 16
    "segmentation offload": (
        "020000000002020000000001" "0800"
        "45000000" "00014000" "40064ec0" "c0000201" "c6336402"
        "9c400050" "000003e8" "000007d0" "5018faf0" "f1140000" "30313233343536373839616263646566",
        70,
        {
            "layers": {"ethernet", "ipv4", "tcp"}, "stop": "decoded", "quirks": {"ip_length_zero"}, "ip_len": 0,
            "header_len": 20, "payload_len": 16, "payload_captured": 16,
        },
    ),
    # 192.0.2.1.40000 > 198.51.100.2.80: Flags [P.], seq 1000:1100, ack 2000, win 64240, options [nop,nop,TS [|tcp]>
    "60 of 166 bytes": (
        "020000000002020000000001" "0800"
        "45000098" "00014000" "40064e28" "c0000201" "c6336402"
        "9c400050" "000003e8" "000007d0" "8018faf0" "5f560000" "0101080a0000",
        166,
        {
            "layers": {"ethernet", "ipv4", "tcp"}, "stop": "truncated", "quirks": {"cut"}, "ip_len": 152,
            "seq": 1000, "window": 64240, "checksum_field": 0x5F56, "header_len": 32, "payload_len": 100,
            "payload_captured": 0, "options": set(), "tsval": 0,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LITERALS)
def test_literal_frames(name: str) -> None:
    """Byte by byte, without a builder and without the twin."""
    digits, length, expected = LITERALS[name]
    data = bytes.fromhex(digits)
    batch, interfaces = batch_of([(1, data, length)])
    (row,) = plain_rows(decode(batch, interfaces))
    assert {column: row[column] for column in expected} == expected
    assert disagreements([(1, data, length)], decode(batch, interfaces)) == []


# Memory that is used again


def test_rows_in_used_memory_are_as_in_new() -> None:
    """Whatever was decoded there before: nothing of it is left."""
    room = RowRoom(2)
    for seed in SEEDS[:6]:
        batch, interfaces = batch_of(random_frames(seed, 1500))
        plain, links = batch_of([(1, make_frame(1, random.Random(seed)), 1500)] * 900)
        for each, known in ((batch, interfaces), (plain, links)):
            assert same_rows(decode(each, known, room), decode(each, known))


def test_the_hot_part_tells_whether_the_rest_is_empty() -> None:
    """Otherwise it would not be cleared for the next frame."""
    from analyzer.decode.frame_kernel import COLD_LAYERS, COLD_OPTIONS

    batch, interfaces = batch_of([frame for seed in SEEDS[:6] for frame in random_frames(seed, 1500)])
    rows = decode(batch, interfaces)
    cold = rows["layers"] & COLD_LAYERS | rows["options"] & COLD_OPTIONS | (rows["sack_count"] > 1)
    assert 100 < np.count_nonzero(cold) < len(rows) - 100
    hot = {name for column in PACKETS.hot for name, _ in PACKETS[column].fields}
    used = [name for name in PACKETS.dtype.names or () if name not in hot and rows[name].any()]
    assert len(used) > 20
    assert [name for name in used if rows[name][cold == 0].any()] == []


def test_room_is_given_in_turns() -> None:
    """What was given out holds until all others were; where more is asked for than there is, it is new."""
    room = RowRoom(2)
    first = room.take(5)
    assert np.shares_memory(room.take(4), first)
    room.turn()
    second = room.take(900)
    room.turn()
    first["frame"], second["frame"] = 1, 2
    third = room.take(3)
    assert np.shares_memory(third, first)
    assert third["frame"].tolist() == [1, 1, 1]
    fourth = room.take(2000)
    assert not np.shares_memory(fourth, first)
    assert not np.shares_memory(fourth, second)
    assert not fourth["frame"].any()
    assert [rows.ctypes.data % 64 for rows in (first, second, fourth)] == [0, 0, 0]
