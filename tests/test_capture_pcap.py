"""Classic pcap and snoop files: every variant against the naive twin, cut short anywhere, damaged in the middle."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest

from analyzer.capture.pcap import MAX_SNAPLEN
from analyzer.errors import CaptureError
from tests import build, strategies
from tests.helpers import naive_records, read_all, read_bytes, same_rows
from tests.naive.capture import read_capture

MAGICS = {"micro": build.MICROSECONDS, "nano": build.NANOSECONDS, "modified": build.MODIFIED}
VERSIONS = ((2, 0), (2, 1), (2, 2), (2, 3), (2, 4), (543, 0))
BATCHES = (1, 2, 7, 1000)
WINDOWS = (64, 4096, 1 << 16, 8 << 20)
START_S = 1_700_000_000


def records_of(seed: int, count: int, *, start_s: int = START_S) -> list[build.Record]:
    """Records with real frames, a few milliseconds apart, some of them cut."""
    rng = random.Random(seed)
    records = []
    time_ns = start_s * 10**9
    for _ in range(count):
        time_ns += rng.randint(1, 5_000_000) * 1000
        frame = strategies.random_payload_frame(rng)
        captured = frame[: rng.choice((60, 96, len(frame)))]
        records.append(
            build.Record(captured, time_ns, len(frame), rng.randint(-1, 9), 0x0800, rng.choice((0, 1, 2, 3, 4)))
        )
    return records


# Variants


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", MAGICS)
def test_every_variant_reads_as_the_naive_twin_does(
    tmp_path: Path, magic: str, order: str, version: tuple[int, int]
) -> None:
    """Magic, byte order and version, with every count of FCS bits."""
    records = records_of(3, 13)
    for fcs in (None, 0, 2, 4, 30):
        content = build.pcap(records, magic=MAGICS[magic], order=order, version=version, fcs=fcs, link=276)
        expected = naive_records(read_capture(content))
        actual = read_bytes(tmp_path, content)
        assert len(expected) == 13
        assert actual.records == expected
        assert actual.damages == []
        (interface,) = actual.interfaces
        assert (interface.link_type, interface.snaplen, interface.fcs_len) == (276, 262144, fcs or 0)
        (file,) = actual.files
        assert (file.frames, file.read, file.size) == (13, len(content), len(content))
        assert file.notes == []
        assert f"{version[0]}.{version[1]}" in file.format


@pytest.mark.parametrize("seed", range(40))
def test_random_files_read_as_the_naive_twin_does(tmp_path: Path, seed: int) -> None:
    """Well-formed files of any variant, with times between 1970 and 2106."""
    content = strategies.random_pcap(random.Random(seed))
    actual = read_bytes(tmp_path, content)
    assert actual.records == naive_records(read_capture(content))
    assert actual.damages == []


@pytest.mark.parametrize("seconds", [0, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("magic", MAGICS)
def test_seconds_are_unsigned(tmp_path: Path, magic: str, seconds: int) -> None:
    """From 1970 over 2038 until 2106."""
    content = build.pcap([build.Record(b"frame", seconds * 10**9 + 999_999_000)], magic=MAGICS[magic])
    assert read_bytes(tmp_path, content).times == [seconds * 10**9 + 999_999_000]


@pytest.mark.parametrize("fraction", [999_999, 1_000_000, 1_000_001, 2**31, 2**32 - 1])
@pytest.mark.parametrize("magic", MAGICS)
def test_a_fraction_of_a_second_or_more_is_added(tmp_path: Path, magic: str, fraction: int) -> None:
    """Some writers let microseconds run over: the time is what it adds up to."""
    content = bytearray(build.pcap([build.Record(b"frame", START_S * 10**9)], magic=MAGICS[magic]))
    content[28:32] = struct.pack("<I", fraction)
    reading = read_bytes(tmp_path, bytes(content))
    unit = 1 if magic == "nano" else 1000
    assert reading.times == [START_S * 10**9 + fraction * unit]
    assert reading.damages == []


@pytest.mark.parametrize("version", [(2, 4), (2, 2), (543, 0)])
def test_captured_beyond_length_is_kept(tmp_path: Path, version: tuple[int, int]) -> None:
    """More captured than there was on the wire: the data are all there, and both lengths as the file says."""
    content = build.pcap([build.Record(b"captured bytes", 0, 5), build.Record(b"next", 0)], version=version)
    reading = read_bytes(tmp_path, content)
    assert reading.data == [b"captured bytes", b"next"]
    assert reading.rows["captured"].tolist() == [14, 4]
    assert reading.rows["length"].tolist() == [5, 4]
    assert reading.damages == []


def test_version_2_3_swaps_only_what_makes_no_sense(tmp_path: Path) -> None:
    """In 2.3 either order of the lengths occurs: the smaller one is what was captured."""
    one = build.pcap([build.Record(b"abcd", 0, 9)], version=(2, 3))
    other = build.pcap([build.Record(b"abcd", 0, 9)], version=(2, 2))[24:]
    reading = read_bytes(tmp_path, one + other)
    assert reading.rows["length"].tolist() == [9, 9]
    assert reading.data == [b"abcd", b"abcd"]


@pytest.mark.parametrize("version", [(2, 5), (3, 0), (0, 0), (1, 4)])
def test_an_unknown_version_is_noted(tmp_path: Path, version: tuple[int, int]) -> None:
    """It is read as the current one."""
    content = build.pcap([build.Record(b"frame", 0, 60)])
    content = content[:4] + struct.pack("<HH", *version) + content[8:]
    reading = read_bytes(tmp_path, content)
    assert reading.data == [b"frame"]
    assert reading.rows["length"].tolist() == [60]
    assert f"{version[0]}.{version[1]}" in reading.files[0].notes[0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_reserved_bits_of_the_link_type_are_noted(tmp_path: Path, order: str) -> None:
    """Only the low 16 bits are the link type."""
    content = build.pcap([build.Record(b"frame")], order=order)
    content = content[:20] + struct.pack(f"{order}I", 0x00200000 | 113) + content[24:]
    reading = read_bytes(tmp_path, content)
    assert reading.interfaces[0].link_type == 113
    assert "0x00200071" in reading.files[0].notes[0]


@pytest.mark.parametrize("snaplen", [0, 1, 65535, 2**31, 2**32 - 1])
def test_the_snap_length_of_the_header_cuts_nothing(tmp_path: Path, snaplen: int) -> None:
    """What the file holds is read, whatever the header says."""
    reading = read_bytes(tmp_path, build.pcap([build.Record(b"frame"), build.Record(b"other")], snaplen=snaplen))
    assert reading.data == [b"frame", b"other"]
    assert reading.damages == []


@pytest.mark.parametrize(("snaplen", "size"), [(65535, MAX_SNAPLEN), (1_000_003, 1_000_003)])
def test_the_longest_record(tmp_path: Path, snaplen: int, size: int) -> None:
    """262144 bytes, or more where the file header announces more; one byte beyond is a damaged header."""
    good = build.pcap([build.Record(bytes(size)), build.Record(b"next")], snaplen=snaplen)
    assert [len(data) for data in read_bytes(tmp_path, good).data] == [size, 4]
    bad = build.pcap([build.Record(bytes(size + 1))], snaplen=snaplen)
    reading = read_bytes(tmp_path, bad)
    assert len(reading) == 0
    assert reading.places == [(24, 0, len(bad) - 24)]


@pytest.mark.parametrize("magic", MAGICS)
def test_no_records(tmp_path: Path, magic: str) -> None:
    """A file header alone is a capture of nothing."""
    reading = read_bytes(tmp_path, build.pcap([], magic=MAGICS[magic]))
    assert len(reading) == 0
    assert reading.damages == []
    assert len(reading.interfaces) == 1


def test_records_without_bytes(tmp_path: Path) -> None:
    """A snap length of nothing: times and lengths only."""
    content = build.pcap([build.Record(b"", 1_000_000 * number, 60 + number) for number in range(17)])
    reading = read_bytes(tmp_path, content)
    assert reading.rows["length"].tolist() == list(range(60, 77))
    assert reading.rows["captured"].tolist() == [0] * 17
    assert reading.damages == []


# Cut short


@pytest.mark.parametrize("window_bytes", [64, 1 << 16])
@pytest.mark.parametrize(
    ("magic", "order", "version"), [("micro", "<", (2, 4)), ("nano", ">", (2, 2)), ("modified", "<", (2, 4))]
)
def test_cut_at_every_byte(tmp_path: Path, magic: str, order: str, version: tuple[int, int], window_bytes: int) -> None:
    """All whole records are read, and the damage says where the last one begins and how much of it is there."""
    records = [build.Record(bytes([65 + number]) * (7 * number), number * 10**9, 70) for number in range(5)]
    content = build.pcap(records, magic=MAGICS[magic], order=order, version=version)
    header = 24 if magic == "modified" else 16
    ends = [24]
    for record in records:
        ends.append(ends[-1] + header + len(record.data))
    path = tmp_path / "capture.pcap"
    for size in range(1, len(content) + 1):
        path.write_bytes(content[:size])
        if size < 24:
            with pytest.raises(CaptureError) as caught:
                read_all(path)
            assert caught.value.where == str(path)
            continue
        reading = read_all(path, window_bytes=window_bytes)
        whole = sum(end <= size for end in ends) - 1
        assert reading.data == [record.data for record in records[:whole]]
        left = size - ends[whole]
        assert reading.places == ([(ends[whole], whole, left)] if left else [])
        assert reading.files[0].read == size
        assert all("cut short" in damage.what for damage in reading.damages)


def test_the_header_cut_short_is_told(tmp_path: Path) -> None:
    """The error says how much is there and what to do."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([])[:23])
    with pytest.raises(CaptureError, match=r"capture\.pcap: a pcap file cut short in its header \(23 of 24 bytes\); "):
        read_all(path)


# Damaged in the middle

GARBAGE = {
    "ones": b"\xff" * 16,
    "text": b"GET / HTTP/1.1\r\n",
    "length beyond any": None,
    "just beyond the limit": None,
}


def damaged_content(kind: str, order: str, content: bytes, at: int) -> bytes:
    """The file with the record header at `at` overwritten."""
    garbage = GARBAGE[kind]
    if garbage is None:
        claimed = 2**31 if kind == "length beyond any" else MAX_SNAPLEN + 1
        garbage = content[at : at + 8] + struct.pack(f"{order}I", claimed) + content[at + 12 : at + 16]
    return content[:at] + garbage + content[at + 16 :]


@pytest.mark.parametrize("position", [0, 100, 192, 196])
@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize(("magic", "order"), [("micro", "<"), ("nano", ">"), ("modified", "<")])
def test_records_after_a_damaged_header_are_found_again(
    tmp_path: Path, magic: str, order: str, kind: str, position: int
) -> None:
    """One record is lost and none invented; batch and window make no difference."""
    records = records_of(5, 197)
    content = build.pcap(records, magic=MAGICS[magic], order=order)
    header = 24 if magic == "modified" else 16
    at = 24 + sum(header + len(record.data) for record in records[:position])
    lost = header + len(records[position].data)
    path = tmp_path / "capture.pcap"
    path.write_bytes(damaged_content(kind, order, content, at))
    expected = naive_records(read_capture(content))
    del expected[position]
    for batch_frames in BATCHES:
        for window_bytes in WINDOWS[batch_frames == 1 :]:
            reading = read_all(path, batch_frames=batch_frames, window_bytes=window_bytes)
            assert reading.records == expected
            assert reading.places == [(at, position, lost)]
            assert "damaged record header" in reading.damages[0].what


@pytest.mark.parametrize("seed", [2, 3, 5, 7, 11])
def test_several_damaged_headers(tmp_path: Path, seed: int) -> None:
    """Each is one damage; read and lost bytes add up to the file."""
    rng = random.Random(seed)
    records = records_of(seed, 997)
    content = bytearray(build.pcap(records))
    starts = 24 + np.cumsum([0] + [16 + len(record.data) for record in records])
    hit = sorted(rng.sample(range(5, 980, 6), 13))  # at least four good records between two: they are recognised
    for position in hit:
        content[starts[position] + 8 : starts[position] + 12] = struct.pack(
            "<I", rng.randint(MAX_SNAPLEN + 1, 2**32 - 1)
        )
    readings = [
        read_bytes(tmp_path, bytes(content), batch_frames=batch, window_bytes=window)
        for batch, window in ((1000, 8 << 20), (7, 1 << 16), (2, 1000))
    ]
    expected = [record for position, record in enumerate(records) if position not in hit]
    first = readings[0]
    assert first.data == [record.data for record in expected]
    assert first.times == [record.time_ns for record in expected]
    assert [damage.offset for damage in first.damages] == [int(starts[position]) for position in hit]
    assert sum(damage.lost or 0 for damage in first.damages) == sum(
        16 + len(records[position].data) for position in hit
    )
    for reading in readings[1:]:
        assert same_rows(first.rows, reading.rows)
        assert reading.damages == first.damages


def test_a_damaged_header_far_from_the_next_record(tmp_path: Path) -> None:
    """More than the search looks at in one go lies between: it goes on, and counts every byte."""
    records = records_of(7, 50)
    good = build.pcap(records)
    gap = bytes(range(256)) * (72 << 10)  # 18 MiB: two windows of the search and a rest
    at = 24 + sum(16 + len(record.data) for record in records[:25])
    content = good[:at] + b"\xff" * 16 + gap + good[at:]
    for window_bytes in (1 << 16, 8 << 20, 32 << 20):
        reading = read_bytes(tmp_path, content, window_bytes=window_bytes)
        assert reading.data == [record.data for record in records]
        assert reading.places == [(at, 25, 16 + len(gap))]


def test_nothing_good_after_a_damaged_header(tmp_path: Path) -> None:
    """Everything to the end is lost, and the damage says so."""
    records = records_of(11, 7)
    good = build.pcap(records)
    content = good + b"\xff" * 50_021
    reading = read_bytes(tmp_path, content)
    assert reading.data == [record.data for record in records]
    assert reading.places == [(len(good), 7, 50_021)]
    assert "no further record was found" in reading.damages[0].what
    assert reading.files[0].read == len(content)


def test_a_damaged_header_and_the_file_cut_short(tmp_path: Path) -> None:
    """Two damages, in file order."""
    records = records_of(13, 11)
    content = bytearray(build.pcap(records))
    starts = [24 + sum(16 + len(record.data) for record in records[:position]) for position in range(12)]
    content[starts[3] + 8 : starts[3] + 12] = b"\xff" * 4
    reading = read_bytes(tmp_path, bytes(content[:-3]))
    assert reading.data == [record.data for position, record in enumerate(records[:10]) if position != 3]
    assert reading.places == [(starts[3], 3, starts[4] - starts[3]), (starts[10], 9, starts[11] - starts[10] - 3)]


# snoop

SNOOP = struct.Struct(">IIIIII")


def snoop(frames: list[bytes], *, datalink: int = 4, version: int = 2, drops: int = 0) -> bytes:
    """A snoop file: records padded to four bytes, 20 bytes longer on the wire than captured."""
    parts = [b"snoop\0\0\0" + struct.pack(">II", version, datalink)]
    for number, frame in enumerate(frames):
        padding = -len(frame) % 4
        size = SNOOP.size + len(frame) + padding
        parts.append(SNOOP.pack(len(frame) + 20, len(frame), size, drops * number, START_S + number, 1000 * number))
        parts.append(frame + bytes(padding))
    return b"".join(parts)


def snoop_frames(seed: int, count: int) -> list[bytes]:
    """Frames of odd lengths."""
    return [record.data for record in records_of(seed, count)]


@pytest.mark.parametrize("batch_frames", BATCHES)
def test_snoop_records(tmp_path: Path, batch_frames: int) -> None:
    """Lengths, times and data, without the padding."""
    frames = [*snoop_frames(3, 29), b"", b"x"]
    reading = read_bytes(tmp_path, snoop(frames, drops=3), batch_frames=batch_frames)
    assert reading.data == frames
    assert reading.rows["length"].tolist() == [len(frame) + 20 for frame in frames]
    assert reading.times == [(START_S + number) * 10**9 + number * 1_000_000 for number in range(31)]
    assert reading.damages == []
    assert reading.files[0].format == "snoop 2"
    assert reading.interfaces[0].drops == 90


@pytest.mark.parametrize(
    ("datalink", "link"), [(0, 1), (2, 6), (4, 1), (8, 10), (0x12, 242), (0x1D, 226), (3, 0xFFFF), (2**32 - 1, 0xFFFF)]
)
def test_snoop_link_types(tmp_path: Path, datalink: int, link: int) -> None:
    """The datalink type of snoop has numbers of its own; an unknown one is noted."""
    reading = read_bytes(tmp_path, snoop([b"frame"], datalink=datalink))
    assert reading.interfaces[0].link_type == link
    assert [str(datalink) in note for note in reading.files[0].notes] == ([True] if link == 0xFFFF else [])


def test_snoop_of_an_unknown_version_is_noted(tmp_path: Path) -> None:
    """It is read as version 2."""
    reading = read_bytes(tmp_path, snoop([b"frame"], version=3))
    assert reading.data == [b"frame"]
    assert "version 3" in reading.files[0].notes[0]


@pytest.mark.parametrize("window_bytes", [64, 1 << 16])
def test_snoop_cut_at_every_byte(tmp_path: Path, window_bytes: int) -> None:
    """All whole records are read; the padding belongs to a record."""
    frames = [b"A" * 5, b"", b"B" * 8, b"C" * 11]
    content = snoop(frames)
    ends = [16]
    for frame in frames:
        ends.append(ends[-1] + SNOOP.size + (len(frame) + 3) // 4 * 4)
    path = tmp_path / "capture.snoop"
    for size in range(1, len(content) + 1):
        path.write_bytes(content[:size])
        if size < 16:
            with pytest.raises(CaptureError):
                read_all(path)
            continue
        reading = read_all(path, window_bytes=window_bytes)
        whole = sum(end <= size for end in ends) - 1
        assert reading.data == frames[:whole]
        left = size - ends[whole]
        assert reading.places == ([(ends[whole], whole, left)] if left else [])
        assert reading.files[0].read == size


@pytest.mark.parametrize("lengths", [(60, 60, 23), (60, 60, 2**32 - 1), (60, 61, 84), (2**32 - 1, 2**32 - 1, 84)])
def test_snoop_damaged_in_the_middle(tmp_path: Path, lengths: tuple[int, int, int]) -> None:
    """Lengths that contradict each other: the records before are read, the rest is lost and counted."""
    frames = [bytes([number]) * 60 for number in range(13)]
    content = bytearray(snoop(frames))
    at = 16 + 7 * 84
    content[at : at + 12] = struct.pack(">III", *lengths)
    for batch_frames in BATCHES:
        reading = read_bytes(tmp_path, bytes(content), batch_frames=batch_frames, window_bytes=256)
        assert reading.data == frames[:7]
        assert reading.places == [(at, 7, len(content) - at)]
        assert "damaged record header" in reading.damages[0].what
