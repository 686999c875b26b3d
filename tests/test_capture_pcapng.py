"""pcapng files: blocks, sections, interfaces and times against the naive twin; cut short anywhere; damaged."""

from __future__ import annotations

import random
import struct
import time
from itertools import accumulate
from pathlib import Path

import pytest

from analyzer.capture.file import MAX_INTERFACES
from analyzer.errors import CaptureError
from tests import build, strategies
from tests.each import for_each
from tests.helpers import Reading, naive_records, read_all, read_bytes
from tests.naive.capture import clamp, read_capture

ORDERS = ("<", ">")
SECOND = 10**9
DECIMAL = list(range(20))
BINARY = [0x80 | exponent for exponent in range(64)]
BEYOND = [20, 21, 40, 99, 127, 0x80 | 64, 0x80 | 65, 0x80 | 95, 0x80 | 96, 0x80 | 97, 0xFF]


def assert_like_the_twin(tmp_path: Path, content: bytes, **options: int) -> Reading:
    """Records and interfaces are those of the naive twin, without damage."""
    twin = read_capture(content)
    assert twin.damage == []
    reading = read_bytes(tmp_path, content, **options)
    assert reading.records == naive_records(twin)
    expected = [(each.link, each.snaplen, each.fcs, each.offset, each.name) for each in twin.interfaces]
    actual = [(each.link_type, each.snaplen, each.fcs_len, each.offset_s, each.name) for each in reading.interfaces]
    assert actual == expected
    drops = [0] * len(expected)
    for record in twin.records:
        drops[record.interface] += record.drops
    assert [interface.drops for interface in reading.interfaces] == drops
    assert reading.damages == []
    return reading


# Blocks


@pytest.mark.parametrize("order", ORDERS)
def test_every_type_of_block(tmp_path: Path, order: str) -> None:
    """Packets of three kinds are records; names, secrets, custom and unknown blocks are passed."""
    blocks = [
        build.shb(order=order),
        build.nrb(order=order),
        build.idb(order=order, link=113, snaplen=96, fcs_bits=32, name="eth0"),
        build.epb(b"enhanced", ticks=1_700_000_000_000_001, length=2000, order=order, flags=0x2A5, drops=3),
        build.dsb(order=order),
        build.spb(b"simple", order=order),
        build.custom(order=order),
        build.custom(order=order, copied=False),
        build.pb(b"packet", ticks=5, length=77, drops=4, order=order, flags=1),
        build.pb(b"drops not known", drops=0xFFFF, order=order),
        build.isb(order=order, received=23, dropped=7),
        *(build.block(kind, b"anything", order=order) for kind in (0, 7, 8, 9, 0x201, 0x80000001, 0xFFFFFFFF)),
        build.block(0x12345678, b"", order=order),
        build.epb(b"", order=order),
    ]
    for batch_frames in (1, 2, 1000):
        reading = assert_like_the_twin(tmp_path, b"".join(blocks), batch_frames=batch_frames)
        assert reading.data == [b"enhanced", b"simple", b"packet", b"drops not known", b""]
        assert reading.rows["length"].tolist() == [2000, 6, 77, 15, 0]
        assert reading.rows["flags"].tolist() == [0x2A5, 0, 1, 0, 0]
        assert reading.times == [1_700_000_000_000_001_000, 0, 5000, 0, 0]
        assert reading.interfaces[0].drops == 7
        assert reading.interfaces[0].statistics == {"received": 23, "dropped": 7}


@pytest.mark.parametrize("order", ORDERS)
def test_the_options_of_an_interface_and_a_section(tmp_path: Path, order: str) -> None:
    """Names and texts are kept; bytes that are no UTF-8 do no harm; what has a wrong size is ignored."""
    extra = build.options((3, b"Linux"), (4, b"dumpcap \xff"), (1, b"a comment"), order=order)
    described = (
        (1, b"comment"),
        (3, b"uplink"),
        (11, b"\0tcp port 443"),
        (12, b"Linux 6.1"),
        (9, b"\x09\x09"),
        (14, b"1234"),
    )
    reading = read_bytes(
        tmp_path,
        build.shb(order=order, extra=extra),
        build.idb(order=order, name="eth0", extra=described),
        build.epb(b"frame", ticks=7, order=order),
    )
    (interface,) = reading.interfaces
    assert (interface.name, interface.description, interface.filter) == ("eth0", "uplink", "tcp port 443")
    assert (interface.os, interface.ticks_per_second, interface.offset_s) == ("Linux 6.1", "10^6", 0)
    assert reading.files[0].application == "dumpcap \ufffd"
    assert reading.times == [7000]


def test_the_last_statistics_count(tmp_path: Path) -> None:
    """Statistics are cumulative; those of an interface that is not described are noted."""
    reading = read_bytes(
        tmp_path,
        build.shb(),
        build.idb(),
        build.idb(),
        build.isb(interface=1, received=5, dropped=1),
        build.isb(interface=1, received=11, dropped=3),
        build.isb(interface=2),
    )
    assert [interface.statistics for interface in reading.interfaces] == [{}, {"received": 11, "dropped": 3}]
    assert "interface 2" in reading.files[0].notes[0]
    assert reading.damages == []


@pytest.mark.parametrize("snaplen", [0, 1, 5, 8, 9, 100])
@pytest.mark.parametrize("order", ORDERS)
def test_a_simple_packet_is_cut_by_the_snap_length(tmp_path: Path, order: str, snaplen: int) -> None:
    """It has no captured length: the padding goes by the snap length of the first interface or the length."""
    held = b"12345678"[: snaplen or 8]
    reading = assert_like_the_twin(
        tmp_path,
        build.shb(order=order)
        + build.idb(order=order, snaplen=snaplen)
        + build.idb(order=order, snaplen=3)
        + build.spb(held, length=8, order=order),
    )
    assert reading.data == [held]
    assert reading.rows["length"].tolist() == [8]


@pytest.mark.parametrize("flags", [0, 1, 2, 0x1E0, 0x200, 0x400, 0x800, 0xFFFF0000, 0xFFFFFFFF])
@pytest.mark.parametrize("order", ORDERS)
def test_flags_of_a_packet(tmp_path: Path, order: str, flags: int) -> None:
    """All 32 bits arrive, whatever stands before and behind them."""
    extra = [(1, b"comment"), (2988, b"x")]
    content = build.shb(order=order) + build.idb(order=order)
    content += build.epb(b"12345", order=order, flags=flags, extra=extra)
    before = build.options((1, b"abc"), (2, struct.pack(f"{order}I", flags)), order=order)
    body = struct.pack(f"{order}IIIII", 0, 0, 9, 3, 3) + b"xyz\0" + before
    content += build.block(6, body, order=order)
    assert assert_like_the_twin(tmp_path, content).rows["flags"].tolist() == [flags, flags]


def test_drops_are_summed(tmp_path: Path) -> None:
    """Per interface, over enhanced and old packets; a count beyond belief is not."""
    content = build.shb() + build.idb() + build.idb()
    content += build.epb(b"a", drops=2**40) + build.epb(b"b", drops=3) + build.pb(b"c", drops=4)
    content += build.epb(b"d", interface=1, drops=11)
    assert_like_the_twin(tmp_path, content)
    reading = read_bytes(tmp_path, content, build.epb(b"e", drops=2**64 - 1))
    assert [interface.drops for interface in reading.interfaces] == [2**40 + 7, 11]


def test_sections_of_both_byte_orders(tmp_path: Path) -> None:
    """Interfaces are numbered through, and each section begins with none."""
    content = b""
    for number, order in enumerate("<><>>"):
        content += build.section(
            build.idb(order=order, link=1 + number, resolution=6 + number % 4, name=f"eth{number}"),
            build.epb(bytes([number]) * 10, ticks=10**6, order=order),
            build.idb(order=order, link=100 + number, snaplen=60 + number),
            build.epb(bytes([number]) * 7, interface=1, ticks=10**6 + number, order=order),
            order=order,
        )
    for batch_frames in (1, 2, 7):
        reading = assert_like_the_twin(tmp_path, content, batch_frames=batch_frames)
        assert reading.rows["interface"].tolist() == list(range(10))
        assert [each.link_type for each in reading.interfaces] == [1, 100, 2, 101, 3, 102, 4, 103, 5, 104]
        assert "5 sections" in reading.files[0].format


@pytest.mark.parametrize("seed", range(60))
def test_random_files_read_as_the_naive_twin_does(tmp_path: Path, seed: int) -> None:
    """Well-formed files of any kind."""
    content = strategies.random_pcapng(random.Random(seed))
    assert_like_the_twin(
        tmp_path, content, batch_frames=(1, 2, 7, 1000)[seed % 4], window_bytes=(64, 1 << 20)[seed % 2]
    )


@pytest.mark.parametrize("version", [(1, 1), (2, 0), (0, 9)])
def test_an_unknown_version_is_noted(tmp_path: Path, version: tuple[int, int]) -> None:
    """It is read as the current one."""
    reading = read_bytes(tmp_path, build.shb(version=version), build.idb(), build.epb(b"frame"))
    assert reading.data == [b"frame"]
    assert f"{version[0]}.{version[1]}" in reading.files[0].notes[0]


# Times


@pytest.mark.parametrize("order", ORDERS)
@for_each("resolution", [*DECIMAL, *BINARY, *BEYOND])
def test_times_are_exact(tmp_path: Path, resolution: int, order: str) -> None:
    """Every resolution: integer arithmetic of any width gives the same nanoseconds."""
    rng = random.Random(resolution)
    unit = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    around = [1_700_000_000 * unit, unit, 9_223_372_036 * unit]
    ticks = [0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
    ticks += [each + step for each in around for step in (-1, 0, 1, unit // 3)]
    ticks += [rng.getrandbits(bits) for bits in (20, 31, 40, 50, 60, 63, 64, 64, 64)]
    ticks = [each for each in ticks if 0 <= each < 2**64]
    offsets = (
        None,
        1_700_000_000,
        -1_700_000_000,
        -1,
        2**40,
        -(2**40),
        2**63 - 1,
        -(2**62),
        9_223_372_036,
        -9_223_372_037,
    )
    content = build.shb(order=order)
    expected = []
    for number, offset in enumerate(offsets):
        content += build.idb(order=order, resolution=resolution, offset=offset)
        for each in ticks:
            content += build.epb(b"", interface=number, ticks=each, order=order)
            expected.append(clamp(each * SECOND // unit + (offset or 0) * SECOND))
    assert assert_like_the_twin(tmp_path, content).times == expected


@pytest.mark.parametrize("resolution", [None, 6, 9, 0x80 | 30])
def test_the_resolution_is_named(tmp_path: Path, resolution: int | None) -> None:
    """Ticks per second as one writes them; microseconds where the file says nothing."""
    reading = read_bytes(tmp_path, build.shb(), build.idb(resolution=resolution))
    expected = {None: "10^6", 6: "10^6", 9: "10^9", 0x80 | 30: "2^30"}
    assert reading.interfaces[0].ticks_per_second == expected[resolution]


# Cut short


def small_file(order: str) -> list[bytes]:
    """One of each block that matters, in two sections."""
    return [
        build.shb(order=order),
        build.idb(order=order, name="eth0"),
        build.epb(b"A" * 5, order=order, flags=1),
        build.spb(b"B" * 6, order=order),
        build.nrb(order=order),
        build.pb(b"C" * 3, order=order),
        build.isb(order=order),
        build.shb(order="<>"[order == "<"]),
        build.idb(order="<>"[order == "<"], link=113),
        build.epb(b"D" * 8, order="<>"[order == "<"]),
    ]


@pytest.mark.parametrize("window_bytes", [64, 1 << 16])
@pytest.mark.parametrize("order", ORDERS)
def test_cut_at_every_byte(tmp_path: Path, order: str, window_bytes: int) -> None:
    """All whole blocks are read, and the damage says where the last one begins and how much of it is there."""
    blocks = small_file(order)
    packets = {2: b"A" * 5, 3: b"B" * 6, 5: b"C" * 3, 9: b"D" * 8}
    content = b"".join(blocks)
    ends = list(accumulate(map(len, blocks)))
    path = tmp_path / "capture.pcapng"
    for size in range(1, len(content) + 1):
        path.write_bytes(content[:size])
        if size < ends[0]:
            with pytest.raises(CaptureError) as caught:
                read_all(path)
            assert caught.value.where == str(path)
            continue
        reading = read_all(path, window_bytes=window_bytes)
        whole = sum(end <= size for end in ends)
        assert reading.data == [data for position, data in packets.items() if position < whole]
        left = size - ends[whole - 1]
        assert reading.places == ([(ends[whole - 1], len(reading), left)] if left else [])
        assert reading.files[0].read == size


@pytest.mark.parametrize("size", [8, 12, 27])
def test_the_header_cut_short_is_told(tmp_path: Path, size: int) -> None:
    """The error says what is there and what to do."""
    path = tmp_path / "capture.pcapng"
    path.write_bytes(build.shb()[:size])
    with pytest.raises(CaptureError, match=rf"capture\.pcapng: .*cut short in its first header \({size} bytes\); "):
        read_all(path)


# Damaged


def many_packets(order: str, count: int) -> list[bytes]:
    """A section header, an interface and packets with the bytes of their number."""
    packets = [
        build.epb(bytes([number % 251]) * (40 + number % 9), ticks=number, order=order) for number in range(count)
    ]
    return [build.shb(order=order), build.idb(order=order), *packets]


LENGTHS = {
    "nothing": lambda size: 0,
    "too short": lambda size: 8,
    "odd": lambda size: size + 1,
    "a little longer": lambda size: size + 4,
    "a little shorter": lambda size: size - 4,
    "beyond any block": lambda size: 2**32 - 4,
    "ones": lambda size: 2**32 - 1,
}


@pytest.mark.parametrize("where", ["first length", "last length"])
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_damaged_block_length(tmp_path: Path, order: str, kind: str, where: str) -> None:
    """The damaged block is lost and no other; batch and window make no difference."""
    blocks = many_packets(order, 97)
    wrong = struct.pack(f"{order}I", LENGTHS[kind](len(blocks[50])))
    packet = blocks[50]
    blocks[50] = packet[:4] + wrong + packet[8:] if where == "first length" else packet[:-4] + wrong
    at = sum(map(len, blocks[:50]))
    content = b"".join(blocks)
    for batch_frames in (1, 2, 7, 1000):
        for window_bytes in (100, 1 << 16, 8 << 20):
            reading = read_bytes(tmp_path, content, batch_frames=batch_frames, window_bytes=window_bytes)
            assert reading.times == [number * 1000 for number in range(97) if number != 48]
            assert reading.places == [(at, 48, len(packet))]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at", [0, 1, 4, 5])
def test_a_block_overwritten(tmp_path: Path, order: str, at: int) -> None:
    """Text over the beginning of a block: the next block is found, and what was skipped is counted."""
    blocks = many_packets(order, 31)
    blocks[11] = blocks[11][:at] + b"overwritten with text" + blocks[11][at + 21 :]
    start = sum(map(len, blocks[:11]))
    reading = read_bytes(tmp_path, *blocks)
    if at or order == "<":  # an unknown block type whose lengths agree could not be told from damage
        assert reading.times == [number * 1000 for number in range(31) if number != 9]
        assert reading.places == [(start, 9, len(blocks[11]))]


def test_captured_beyond_the_block(tmp_path: Path) -> None:
    """A packet that claims more bytes than its block holds is damage, not a record."""
    blocks = many_packets("<", 13)
    for claimed in (53, 2**16, 2**31, 2**32 - 1):
        blocks[7] = blocks[7][:20] + struct.pack("<I", claimed) + blocks[7][24:]
        reading = read_bytes(tmp_path, *blocks)
        assert reading.times == [number * 1000 for number in range(13) if number != 5]
        assert reading.places == [(sum(map(len, blocks[:7])), 5, len(blocks[7]))]


@pytest.mark.parametrize("kind", [2, 3, 6])
def test_a_packet_block_too_short(tmp_path: Path, kind: int) -> None:
    """Smaller than its fixed fields."""
    content = build.shb() + build.idb()
    short = build.block(kind, b"" if kind == 3 else bytes(16))
    reading = read_bytes(tmp_path, content, short, build.epb(b"frame"))
    assert reading.data == [b"frame"]
    assert reading.places == [(len(content), 0, len(short))]


@pytest.mark.parametrize("kind", [1, 5])
@pytest.mark.parametrize("claimed", [12, 16, 21, 2**20 + 4, 2**32 - 4])
def test_a_state_block_of_impossible_length(tmp_path: Path, kind: int, claimed: int) -> None:
    """Interface and statistics blocks: skipped, and the packets behind them read."""
    content = build.shb() + build.idb()
    block = build.idb() if kind == 1 else build.isb()
    damaged = block[:4] + struct.pack("<I", claimed) + block[8:]
    reading = read_bytes(tmp_path, content, damaged, build.epb(b"frame"))
    assert reading.data == [b"frame"]
    assert reading.places == [(len(content), 0, len(block))]


def test_a_damaged_section_header(tmp_path: Path) -> None:
    """What follows it in its section has no interface; the section after it is read."""
    first = build.shb() + build.idb() + build.epb(b"first")
    damaged = bytearray(build.shb())
    damaged[8:12] = b"none"
    reading = read_bytes(tmp_path, first, bytes(damaged), build.shb(), build.idb(link=113), build.epb(b"third"))
    assert reading.data == [b"first", b"third"]
    assert [interface.link_type for interface in reading.interfaces] == [1, 113]
    assert reading.places == [(len(first), 1, 28)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("window_bytes", [1 << 16, 8 << 20])
def test_damage_far_from_the_next_block(tmp_path: Path, order: str, window_bytes: int) -> None:
    """More than the search looks at in one go lies between, with beginnings of blocks in it that have no end."""
    blocks = many_packets(order, 31)
    gap = (struct.pack(f"{order}II", 6, 1 << 20) + bytes(120)) * (40 << 10)  # 5 MiB
    at = sum(map(len, blocks[:13]))
    reading = read_bytes(tmp_path, *blocks[:13], b"\xff" * 12, gap, *blocks[13:], window_bytes=window_bytes)
    assert reading.times == [number * 1000 for number in range(31)]
    assert reading.places == [(at, 11, 12 + len(gap))]


@pytest.mark.parametrize("gap", [0, 1 << 20, 3 << 20])
def test_nothing_good_after_damage(tmp_path: Path, gap: int) -> None:
    """The end of the file is found, also behind the beginning of a block that has no end."""
    good = b"".join(many_packets("<", 5))
    rest = struct.pack("<II", 6, 3) + bytes(gap + 4) + struct.pack("<II", 6, 1 << 20) + bytes(1001)
    reading = read_bytes(tmp_path, good, rest)
    assert len(reading) == 5
    assert reading.places == [(len(good), 5, len(rest))]
    assert "no further block was found" in reading.damages[0].what
    assert reading.files[0].read == len(good) + len(rest)


@pytest.mark.parametrize("order", ORDERS)
def test_options_that_run_over(tmp_path: Path, order: str) -> None:
    """A list that claims more than its block holds: what stands before it counts, the packet is read."""
    broken = struct.pack(f"{order}HH", 2, 4000) + b"name"
    head = build.shb(order=order, extra=build.options((4, b"tests"), order=order, end=False) + broken)
    body = struct.pack(f"{order}HHI", 1, 0, 0) + build.options((9, b"\x09"), order=order, end=False) + broken
    interface = build.block(1, body, order=order)
    flags = build.options((2, struct.pack(f"{order}I", 2)), order=order, end=False)
    body = struct.pack(f"{order}IIIII", 0, 0, 77, 4, 4) + b"data" + flags + broken
    reading = read_bytes(tmp_path, head, interface, build.block(6, body, order=order))
    assert reading.data == [b"data"]
    assert reading.times == [77]
    assert reading.rows["flags"].tolist() == [2]
    assert reading.files[0].application == "tests"
    assert reading.damages == []
    assert len([note for note in reading.files[0].notes if "runs over" in note]) == 1


@pytest.mark.parametrize("stray", [1, 2, 2**31, 2**32 - 1])
@pytest.mark.parametrize("order", ORDERS)
def test_a_packet_of_no_interface(tmp_path: Path, order: str, stray: int) -> None:
    """Each is a damage of its own size; the others are read."""
    head = build.shb(order=order) + build.idb(order=order) + build.epb(b"before", order=order)
    bad = build.epb(b"stray", interface=stray, order=order)
    reading = read_bytes(tmp_path, head, bad, bad, build.epb(b"after", order=order))
    assert reading.data == [b"before", b"after"]
    assert reading.places == [(len(head), 1, len(bad)), (len(head) + len(bad), 1, len(bad))]
    assert "interface that is not described (1 are)" in reading.damages[0].what


@pytest.mark.parametrize(
    "packet", [build.epb(b"data"), build.spb(b"data"), build.pb(b"data")], ids=["epb", "spb", "pb"]
)
def test_a_packet_before_any_interface(tmp_path: Path, packet: bytes) -> None:
    """Also where an earlier section had one."""
    head = build.shb() + build.idb() + build.shb()
    reading = read_bytes(tmp_path, head, packet, build.idb(), packet)
    assert reading.data == [b"data"]
    assert reading.rows["interface"].tolist() == [1]
    assert reading.places == [(len(head), 0, len(packet))]


def test_very_many_damages_are_counted_up_to_a_limit(tmp_path: Path) -> None:
    """A file of nothing else costs neither much time nor much memory."""
    reading = read_bytes(tmp_path, build.shb(), build.epb(b"stray") * 5003, build.idb(), build.epb(b"frame"))
    assert reading.data == [b"frame"]
    assert len(reading.damages) == 1000


def test_too_many_interfaces(tmp_path: Path) -> None:
    """The limit is told, and what was read before it stays."""
    blocks = [build.shb(), build.idb(), build.epb(b"before"), build.idb() * MAX_INTERFACES, build.epb(b"after")]
    reading = read_bytes(tmp_path, *blocks)
    assert reading.data == [b"before"]
    assert len(reading.interfaces) == MAX_INTERFACES
    (damage,) = reading.damages
    assert (damage.frame, damage.lost) == (1, None)
    assert f"more than {MAX_INTERFACES:,} interfaces" in damage.what
    whole = read_bytes(
        tmp_path, build.shb(), build.idb() * MAX_INTERFACES, build.epb(b"after", interface=MAX_INTERFACES - 1)
    )
    assert whole.data == [b"after"]
    assert whole.damages == []


def test_an_interface_for_every_packet(tmp_path: Path) -> None:
    """Each description ends a batch: the work per batch must not grow with the interfaces."""
    count = 5003
    blocks = [build.idb(link=1 + number % 2) + build.epb(b"x", interface=number) for number in range(count)]
    path = tmp_path / "capture.pcapng"
    path.write_bytes(build.shb() + b"".join(blocks))
    read_all(path)
    started = time.process_time()
    reading = read_all(path)
    assert reading.rows["interface"].tolist() == list(range(count))
    assert time.process_time() - started < 5
