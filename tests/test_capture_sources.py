"""Where captures come from: compressed files, pipes, directories, what is no capture, several files, large files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import resource
import struct
import subprocess
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import lz4.frame
import numpy as np
import pytest
import zstandard

from analyzer.capture import open_capture
from analyzer.capture.same import Named
from analyzer.errors import CaptureError
from tests import build, strategies
from tests.helpers import Reading, read_all, read_bytes, same_rows

START_NS = 1_700_000_000 * 10**9
SECOND = 10**9
SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"skip"


def records_of(seed: int, count: int, *, start_ns: int = START_NS, size: int = 0) -> list[build.Record]:
    """Records with real frames, or of `size` random bytes, up to a millisecond apart."""
    rng = random.Random(seed)
    records, time_ns = [], start_ns
    for _ in range(count):
        frame = rng.randbytes(size) if size else strategies.random_payload_frame(rng)
        records.append(build.Record(frame, time_ns))
        time_ns += rng.randint(0, 1000) * 1000
    return records


# Compressed files


def zstd(data: bytes) -> bytes:
    """With a checksum, as the command line tool does."""
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)


def lz4_blocks(data: bytes) -> bytes:
    """Small blocks, each with a checksum."""
    return lz4.frame.compress(data, block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_checksum=True, content_checksum=True)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "zstd": zstd,
    "lz4": lz4_blocks,
    "xz": lambda data: lzma.compress(data, preset=0),
    "bzip2": lambda data: bz2.compress(data, 1),
}


@pytest.fixture(scope="module")
def plain() -> bytes:
    """A capture of 1.3 MB that compresses a little."""
    return build.pcap([*records_of(3, 997), *records_of(5, 997, size=1000), *records_of(7, 97)])


@pytest.fixture(scope="module")
def expected(plain: bytes, tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """What the plain file says."""
    path = tmp_path_factory.mktemp("plain") / "capture.pcap"
    path.write_bytes(plain)
    reading = read_all(path)
    assert len(reading) == 2091
    return reading


def assert_same(expected: Reading, actual: Reading) -> None:
    """The same records and packets, without damage."""
    assert same_rows(expected.rows, actual.rows)
    assert np.array_equal(expected.packets, actual.packets)
    assert actual.damages == []


@pytest.mark.parametrize("name", COMPRESS)
def test_compression_is_recognised_by_content(tmp_path: Path, name: str, plain: bytes, expected: Reading) -> None:
    """The same records as in the plain file, for every window."""
    content = COMPRESS[name](plain)
    for window_bytes in (None, 1000, 1 << 16, 64 << 20):
        reading = read_bytes(tmp_path, content, **({} if window_bytes is None else {"window_bytes": window_bytes}))
        assert_same(expected, reading)
        (file,) = reading.files
        assert (file.compression, file.size, file.read) == (name, len(content), len(plain))
        assert file.format.startswith("pcap, microseconds")


@pytest.mark.parametrize("name", COMPRESS)
def test_several_members(tmp_path: Path, name: str, plain: bytes, expected: Reading) -> None:
    """Members or frames in a row, an empty one among them, and padding with zeros behind the last."""
    pieces = [plain[:5], b"", plain[5:1000], plain[1000:500_000], plain[500_000:]]
    content = b"".join(COMPRESS[name](piece) for piece in pieces)
    assert_same(expected, read_bytes(tmp_path, content))
    assert_same(expected, read_bytes(tmp_path, content + bytes(10_001)))


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_skippable_frames(tmp_path: Path, name: str, plain: bytes, expected: Reading) -> None:
    """Before the first, between and after frames; pzstd writes one in front."""
    first, second = COMPRESS[name](plain[:70_001]), COMPRESS[name](plain[70_001:])
    assert_same(expected, read_bytes(tmp_path, first + SKIPPABLE + second + SKIPPABLE))
    reading = read_bytes(tmp_path, SKIPPABLE + SKIPPABLE + first + second)
    assert_same(expected, reading)
    assert reading.files[0].compression == name


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("name", COMPRESS)
def test_compressed_and_cut_short(tmp_path: Path, name: str, share: float, plain: bytes, expected: Reading) -> None:
    """What can be decompressed is analysed, and the damage says why it ends."""
    content = COMPRESS[name](plain)
    reading = read_bytes(tmp_path, content[: int(len(content) * share) - 1])
    assert len(reading) >= int(len(expected) * share * 0.6) - 50
    assert reading.data == expected.data[: len(reading)]
    (damage,) = reading.damages
    assert (damage.frame, damage.lost) == (len(reading), None)
    assert damage.what == f"the {name} data is cut short"
    assert damage.offset == 24 + sum(16 + len(data) for data in reading.data)
    assert "an unknown number of bytes lost" in str(damage)


@pytest.mark.parametrize("seed", [2, 3, 5, 7])
@pytest.mark.parametrize("name", COMPRESS)
def test_compressed_and_damaged(tmp_path: Path, name: str, seed: int, plain: bytes, expected: Reading) -> None:
    """A byte of the middle flipped: what comes before is analysed, and a damage names the compression."""
    content = bytearray(COMPRESS[name](plain))
    rng = random.Random(seed)
    at = len(content) // 2 + rng.randint(-500, 500)
    content[at] ^= 1 << rng.randint(0, 7)
    reading = read_bytes(tmp_path, bytes(content))
    assert len(reading) > 600
    assert reading.data[:600] == expected.data[:600]
    assert f"the {name} data is damaged" in reading.damages[-1].what
    assert reading.damages[-1].lost is None


@pytest.mark.parametrize("name", COMPRESS)
def test_garbage_behind_compressed_data(tmp_path: Path, name: str, plain: bytes, expected: Reading) -> None:
    """All records are there; that something else followed is told."""
    reading = read_bytes(tmp_path, COMPRESS[name](plain) + b"garbage" * 5)
    assert same_rows(expected.rows, reading.rows)
    (damage,) = reading.damages
    assert (damage.frame, damage.offset) == (len(expected), len(plain))
    assert f"the {name} data is" in damage.what


@pytest.mark.parametrize("name", COMPRESS)
def test_compressed_and_damaged_at_once(tmp_path: Path, name: str, plain: bytes) -> None:
    """Nothing can be decompressed: an error that says why."""
    content = bytearray(COMPRESS[name](plain))
    content[8:40] = b"\xff" * 32
    with pytest.raises(CaptureError, match=rf"file: the {name} data is damaged"):
        read_bytes(tmp_path, bytes(content))
    with pytest.raises(CaptureError, match=rf"file: the {name} data is cut short"):
        read_bytes(tmp_path, COMPRESS[name](plain)[:9])


@pytest.mark.parametrize("name", COMPRESS)
def test_compressed_nothing(tmp_path: Path, name: str) -> None:
    """An empty file, compressed."""
    with pytest.raises(CaptureError, match=f"an empty file, {name}-compressed"):
        read_bytes(tmp_path, COMPRESS[name](b""))


@pytest.mark.parametrize("name", COMPRESS)
def test_compressed_text(tmp_path: Path, name: str) -> None:
    """What is inside is named."""
    with pytest.raises(CaptureError, match="a text file"):
        read_bytes(tmp_path, COMPRESS[name](b"hello world\n" * 9))


def test_damage_inside_and_around(tmp_path: Path, plain: bytes) -> None:
    """A record header damaged, and the compressed file cut while the next one is searched: both are told."""
    content = bytearray(plain[:30_000]) + b"\xff" * 2_000_000
    packed = gzip.compress(bytes(content), 1)
    reading = read_bytes(tmp_path, packed[: len(packed) * 3 // 4])
    assert len(reading) > 19
    whats = [damage.what for damage in reading.damages]
    assert "the gzip data is cut short" in whats[-1]
    assert any("damaged record header" in what for what in whats)


# Pipes


def feed(write: int, content: bytes, step: int) -> None:
    """Write slowly and close."""
    with os.fdopen(write, "wb", buffering=0) as pipe:
        for at in range(0, len(content), step):
            pipe.write(content[at : at + step])


@pytest.mark.parametrize("name", ["plain", *COMPRESS])
def test_a_named_pipe(tmp_path: Path, name: str, plain: bytes, expected: Reading) -> None:
    """Read forward only; its size is not known."""
    content = plain if name == "plain" else COMPRESS[name](plain)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: feed(os.open(path, os.O_WRONLY), content, 40_009), daemon=True)
    writer.start()
    reading = read_all(path)
    writer.join(10)
    assert_same(expected, reading)
    assert reading.files[0].size is None
    assert reading.files[0].read == len(plain)


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_pipe_that_trickles(step: int) -> None:
    """A few bytes at a time; the progress counts them."""
    records = records_of(11, 13)
    content = build.pcap(records)
    read, write = os.pipe()
    writer = threading.Thread(target=feed, args=(write, content, step), daemon=True)
    writer.start()
    try:
        with open_capture([f"/dev/fd/{read}"]) as capture:
            data = [batch.data(position) for batch in capture for position in range(len(batch))]
            assert capture.size is None
    finally:
        os.close(read)
    writer.join(10)
    assert data == [record.data for record in records]


@pytest.mark.parametrize("name", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("how", ["pipe", "file"])
def test_standard_input(tmp_path: Path, how: str, name: str, plain: bytes, expected: Reading) -> None:
    """`-`, from a pipe and from a file."""
    content = plain if name == "plain" else COMPRESS[name](plain)
    program = dedent("""
        from analyzer.capture import open_capture
        with open_capture(["-"]) as capture:
            frames = sum(len(batch) for batch in capture)
            print(frames, len(capture.damages), capture.size, capture.files[0].read)
    """)
    command = [sys.executable, "-W", "error", "-c", program]
    if how == "pipe":
        done = subprocess.run(command, input=content, capture_output=True, check=True, timeout=60)
    else:
        path = tmp_path / "capture"
        path.write_bytes(content)
        with path.open("rb") as stdin:
            done = subprocess.run(command, stdin=stdin, capture_output=True, check=True, timeout=60)
    assert done.stdout.split() == [b"2091", b"0", b"None", str(len(plain)).encode()]
    assert done.stderr == b""


def test_standard_input_only_once() -> None:
    """Two inputs cannot come from one."""
    with pytest.raises(CaptureError, match="standard input named twice"):
        open_capture(["-", "-"])


# What is no capture

NO_CAPTURE = {
    "empty": (b"", "an empty file", "was the capture written"),
    "text": (b"No.,Time,Source\n1,0.0,192.0.2.1\n", "a text file", "name a pcap or pcapng file"),
    "short text": (b"x", "a text file", "name a pcap"),
    "unknown": (b"\x01\x02\x03\x04\x05" * 20, r"not a capture \(begins with 01 02 03 04\)", "editcap"),
    "two bytes": (b"\xd4\x00", r"not a capture \(begins with d4 00\)", "editcap"),
    "zip": (b"PK\x03\x04" + bytes(40), "a zip archive", "unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "a 7-Zip archive", "unpack it"),
    "netmon": (b"GMBU" + bytes(40), "a Microsoft Network Monitor 2 capture", "editcap"),
    "encrypted zip": (b"PK\x03\x04\x14\0\x09\0" + bytes(40), "an encrypted zip archive", "7z x"),
    "age": (b"age-encryption.org/v1\n-> X25519 abc\n", "a file encrypted with age", "age --decrypt"),
    "OpenPGP by password": (b"\x8c\x0d\x04\x09\x03\x02" + b"\xe3" * 40, "a file encrypted with OpenPGP", "gpg -o OUT"),
    "OpenPGP for a key": (b"\x85\x01\x0c\x03" + b"\xe3" * 400, "a file encrypted with OpenPGP", "gpg -o OUT"),
    "OpenPGP, new form": (b"\xc1\xc0\x4c\x03" + b"\xe3" * 400, "a file encrypted with OpenPGP", "gpg -o OUT"),
    "armoured": (b"-----BEGIN PGP MESSAGE-----\n\n" + b"hQEM" * 20, "a file encrypted with OpenPGP", "gpg -o OUT"),
    "openssl": (b"Salted__" + b"\xe3" * 40, "encrypted with `openssl enc`", "decrypt it"),
    "sniffer": (b"TRSNIFF data    \x1a" + bytes(40), "a Sniffer capture", "editcap"),
    "5view": (b"\xaa\xaa\xaa\xaa" + bytes(40), "a 5View capture", "editcap"),
    "k12": (bytes.fromhex("0000020012050010") + bytes(40), "a Tektronix K12 capture", "editcap"),
    "k12 text": (b"+---------+---------------+----------+\n" * 3, "K12 capture in text form", "editcap"),
    "lanalyzer": (bytes.fromhex("01100c00010500000000") + bytes(40), "a Novell LANalyzer capture", "editcap"),
    "iptrace": (b"iptrace 2.0" + bytes(40), "an AIX iptrace capture", "editcap"),
    "erf": (
        b"".join(
            struct.pack("<Q", (1_763_660_000 + n) << 32) + struct.pack(">BBHHH", 2, 4, 84, 0, 66) + bytes(68)
            for n in range(3)
        ),
        "an Endace ERF capture",
        "editcap",
    ),
    "web page": (b"\n<!DOCTYPE html>\n<html><head><title>Log in</title>", "a web page, not a capture", "download"),
    "store's error": (
        b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code>',
        "the error message of a file store",
        "download",
    ),
    "large file pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        "a pointer to a file in Git LFS",
        "git lfs pull",
    ),
    "tcpdump's text": (
        b"12:34:56.789012 IP 192.0.2.1.4000 > 192.0.2.2.80: Flags [S]\n",
        "the text that tcpdump printed",
        "tcpdump -w",
    ),
    "hex dump": (b"0000  45 00 00 3c 1c 46 40 00 40 06  E..<.F@.@.\n", "a hex dump of frames", "text2pcap"),
    "zeros": (bytes(5000), "zeros only", "copy it again"),
    "program": (b"\x7fELF" + bytes(40), "a program, not a capture", "name a pcap"),
    "text mode": (b"\x0d\x0a\x0d\x0d\x0a" + bytes(40), "text-mode transfer", "binary mode"),
    "gzip of nothing": (b"\x1f\x8b", "the gzip data is cut short", "copy or compress it again"),
}


def test_what_unpacks_with_an_option_only(tmp_path: Path, plain: bytes) -> None:
    """It is right, and what it needs is said: a large window, a dictionary; in an archive, too."""
    window = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    long = zstandard.ZstdCompressor(compression_params=window).compressobj()
    packed = long.compress(plain) + long.flush()
    with pytest.raises(CaptureError, match=r"needs a window of 256 MiB, and 128 are granted; .*--long=28"):
        read_bytes(tmp_path, packed)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("b/capture.pcap")
        member.size = len(plain)
        tar.addfile(member, io.BytesIO(plain))
    long = zstandard.ZstdCompressor(compression_params=window).compressobj()
    with pytest.raises(CaptureError, match=r"needs a window of 256 MiB, and 128 are granted; .*--long=28"):
        read_bytes(tmp_path, long.compress(archive.getvalue()) + long.flush())
    with pytest.raises(CaptureError, match=r"with a dictionary \(number 77\); .*-D DICTIONARY"):
        read_bytes(tmp_path, b"\x28\xb5\x2f\xfd\x21\x4d\x00" + bytes(90))


@pytest.mark.parametrize("kind", NO_CAPTURE)
def test_no_capture(tmp_path: Path, kind: str) -> None:
    """The error names the file, what it is, and what to do."""
    content, found, todo = NO_CAPTURE[kind]
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=found) as caught:
        read_all(path)
    assert caught.value.where == str(path)
    assert todo in caught.value.todo
    assert str(caught.value) == f"{path}: {caught.value.found}; {caught.value.todo}"
    with pytest.raises(CaptureError, match=found):  # among several files it is no different
        read_all(path, path)


def test_a_missing_file(tmp_path: Path) -> None:
    """Alone and among others."""
    good = tmp_path / "good.pcap"
    good.write_bytes(build.pcap([]))
    for paths in ([tmp_path / "none.pcap"], [good, tmp_path / "none.pcap"]):
        with pytest.raises(CaptureError, match=r"none\.pcap: no such file; check the path"):
            read_all(*paths)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without permission, which the superuser who may run the tests always has."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([]))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CaptureError, match=r"capture\.pcap: permission denied; "):
        read_all(path)


def test_a_device_that_gives_nothing() -> None:
    """Not a regular file, and empty."""
    with pytest.raises(CaptureError, match="/dev/null: an empty file"):
        read_all(os.devnull)


# Directories


def test_a_bundle_directory(tmp_path: Path) -> None:
    """Stands for the capture files in it, rotated ones included, and nothing else."""
    records = records_of(13, 9)
    (tmp_path / "capture.pcap").write_bytes(build.pcap(records[:3]))
    (tmp_path / "capture.pcap.1").write_bytes(build.pcap(records[3:5]))
    (tmp_path / "capture-2.pcap.gz").write_bytes(gzip.compress(build.pcap(records[5:8])))
    (tmp_path / "capture.pcapng").write_bytes(build.shb() + build.idb())
    (tmp_path / "other.pcap").write_bytes(b"no capture")
    (tmp_path / "counters.jsonl").write_text("{}\n")
    reading = read_all(tmp_path)
    assert reading.data == [record.data for record in records[:8]]
    assert len(reading.files) == 4


def test_a_directory_without_capture(tmp_path: Path) -> None:
    """The error says what is missing, and where captures are if they are one level below."""
    with pytest.raises(CaptureError, match=r"a directory without a capture; name a capture file"):
        read_all(tmp_path)
    for name in ("client", "server"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "capture.pcap").write_bytes(build.pcap([]))
    with pytest.raises(CaptureError) as caught:
        read_all(tmp_path)
    assert caught.value.todo == f"name one of {tmp_path / 'client'}, {tmp_path / 'server'}"
    assert len(read_all(tmp_path / "client")) == 0


# Several files


def pcapng_of(records: list[build.Record], *, resolution: int = 9, link: int = 1) -> bytes:
    """The records in a pcapng file of another resolution."""
    unit = SECOND // 10**resolution
    packets = [build.epb(record.data, ticks=record.time_ns // unit) for record in records]
    return build.pcapng(build.shb(), build.idb(link=link, resolution=resolution), *packets)


def naive_merge(files: list[list[build.Record]]) -> list[tuple[int, int]]:
    """(file, place) of every record, by the running maximum of time in its file, then by file and place."""
    keyed = []
    for number, records in enumerate(files):
        reached = -(2**63)
        for place, record in enumerate(records):
            reached = max(reached, record.time_ns)
            keyed.append((reached, number, place))
    return [(number, place) for _, number, place in sorted(keyed)]


def labelled(number: int, times: list[int]) -> list[build.Record]:
    """Records whose data say where they are from."""
    return [build.Record(b"%d:%d" % (number, place), time_ns) for place, time_ns in enumerate(times)]


def assert_merged(tmp_path: Path, files: list[list[build.Record]]) -> None:
    """Any batch and window size gives the order of the naive merge; every second file is pcapng."""
    paths = []
    for number, records in enumerate(files):
        paths.append(tmp_path / f"{number}.cap")
        paths[-1].write_bytes(
            pcapng_of(records, resolution=(9, 6)[number // 2 % 2]) if number % 2 else build.pcap(records)
        )
    order = naive_merge(files)
    interfaces: list[int] = []
    for number, _ in order:
        if number not in interfaces:
            interfaces.append(number)
    interfaces += [number for number in range(len(files)) if number not in interfaces]
    for batch_frames, window_bytes in ((None, None), (1, 100), (2, 64), (7, 1000), (1000, 1 << 20)):
        reading = read_all(*paths, batch_frames=batch_frames, window_bytes=window_bytes)
        assert reading.data == [files[number][place].data for number, place in order]
        assert reading.times == [files[number][place].time_ns for number, place in order]
        assert reading.packets["frame"].tolist() == list(range(1, len(order) + 1))
        assert [interface.file for interface in reading.interfaces] == interfaces
        assert [interfaces[number] for number in reading.rows["interface"]] == [number for number, _ in order]
        assert sorted(file.path for file in reading.files) == [str(path) for path in paths]
        assert reading.damages == []


@pytest.mark.parametrize("seed", range(20))
def test_merge_by_time(tmp_path: Path, seed: int) -> None:
    """Overlapping captures of different formats and resolutions, with many equal times, and some that step back."""
    rng = random.Random(seed)
    files = []
    for number in range(rng.randint(2, 6)):
        time_ns = START_NS + rng.choice((0, 0, 5, 100)) * 1000
        times = []
        for _ in range(rng.choice((0, 1, 29, 101))):
            time_ns += rng.choice((0, 0, 1, 2, 3, 50, -4 if seed % 2 else 0)) * 1000
            times.append(time_ns)
        files.append(labelled(number, times))
    assert_merged(tmp_path, files)


def test_more_files_than_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All overlap in time: the limit is raised as far as that is allowed; where it is not, the error says how."""
    for number in range(60):
        records = [
            build.Record(b"frame %d" % number, START_NS + 1_000_000 * moment + 1000 * number) for moment in range(3)
        ]
        (tmp_path / f"{number}.pcap").write_bytes(build.pcap(records))
    paths = [tmp_path / f"{number}.pcap" for number in range(60)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = len(list(Path("/dev/fd").iterdir())) + 30
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
        assert [data.decode() for data in read_all(*paths).data] == [f"frame {n}" for n in range(60)] * 3
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
        monkeypatch.setattr("analyzer.capture.opened._more_files", lambda: False)
        with pytest.raises(CaptureError, match=r"too many files that overlap in time.*ulimit -n"):
            read_all(*paths)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_equal_times_stay_in_file_order(tmp_path: Path) -> None:
    """All records at one time: one file after the other."""
    assert_merged(tmp_path, [labelled(number, [START_NS] * 17) for number in range(4)])


def test_a_rotated_set(tmp_path: Path) -> None:
    """Files that follow each other, given in any order, are read one after the other."""
    times = [START_NS + number * 1_000_000 for number in range(90)]
    files = [labelled(number, times[start : start + 30]) for number, start in enumerate((60, 0, 30))]
    assert_merged(tmp_path, files)


def test_a_clock_that_steps_back(tmp_path: Path) -> None:
    """A file keeps its own order, alone and merged with another."""
    times = [START_NS + offset * 1000 for offset in (5, 6, 2, 3, 7, 1, 8)]
    files = [labelled(0, times), labelled(1, [START_NS + offset * 1000 for offset in range(10)])]
    assert_merged(tmp_path, files)
    path = tmp_path / "alone.pcap"
    path.write_bytes(build.pcap(files[0]))
    assert read_all(path, batch_frames=2).times == times


def test_files_know_their_interfaces(tmp_path: Path) -> None:
    """`files` is in the order of the paths, whichever was opened first: interfaces refer to it by position."""
    paths = [tmp_path / "late.pcap", tmp_path / "early.pcap"]
    paths[0].write_bytes(build.pcap(labelled(0, [START_NS + SECOND]), link=113))
    paths[1].write_bytes(build.pcap(labelled(1, [START_NS]), link=276))
    reading = read_all(*paths)
    assert [file.path for file in reading.files] == [str(path) for path in paths]
    assert [(interface.file, interface.link_type) for interface in reading.interfaces] == [(1, 276), (0, 113)]


@pytest.mark.parametrize("batch_frames", [None, 1, 7])
def test_damage_among_several_files(tmp_path: Path, batch_frames: int | None) -> None:
    """A damaged file loses its own records only, and the damage names it."""
    files = [labelled(number, [START_NS + place * 1000 for place in range(23)]) for number in range(3)]
    paths = [tmp_path / f"{number}.pcap" for number in range(3)]
    for path, records in zip(paths, files, strict=True):
        path.write_bytes(build.pcap(records))
    paths[1].write_bytes(build.pcap(files[1])[:-3])
    reading = read_all(*paths, batch_frames=batch_frames)
    assert len(reading) == 68
    assert [(damage.path, damage.lost) for damage in reading.damages] == [(str(paths[1]), 17)]


# Progress and size


@pytest.mark.parametrize("name", ["plain", "gzip"])
def test_progress_in_bytes_on_disk(tmp_path: Path, name: str, plain: bytes) -> None:
    """From somewhere to all of it, never back."""
    paths = [tmp_path / "one", tmp_path / "two"]
    for path, content in zip(paths, (plain, plain[:-1] + bytes([plain[-1] ^ 1])), strict=True):  # no copies
        path.write_bytes(content if name == "plain" else gzip.compress(content))
    for chosen in (paths[:1], paths):
        with open_capture(chosen, batch_frames=50, window_bytes=1 << 16) as capture:
            done = [capture.done for _ in capture]
            assert capture.size == sum(path.stat().st_size for path in chosen)
            assert capture.done == capture.size
        assert done == sorted(done)
        assert 0 < done[0] < done[-1] <= capture.size


# Large files

LARGE = dedent("""
    import resource, sys, tracemalloc
    import numpy as np
    from analyzer.capture import open_capture

    def run(path):
        frames = total = 0
        largest = 0
        with open_capture([path]) as capture:
            for batch in capture:
                frames += len(batch)
                total += int(batch.rows["captured"].sum())
                largest = max(largest, len(batch.buffer))
            return frames, total, largest, len(capture.damages), capture.files[0].read

    run(sys.argv[2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    print(*run(sys.argv[1]), tracemalloc.get_traced_memory()[1])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
""")


def measure(path: Path, small: Path) -> list[int]:
    """Frames, bytes, largest buffer, damages, bytes read, traced peak, growth of the resident set in KiB."""
    command = [sys.executable, "-W", "error", "-c", LARGE, str(path), str(small)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    """300 MB of records, mapped or decompressed, in a few windows of memory."""
    record = build.pcap([build.Record(bytes(range(250)) * 6, START_NS)])[24:]
    piece = record * 1000
    header = build.pcap([])
    small = tmp_path / "small"
    path = tmp_path / "large"
    count = 300 * 10**6 // len(piece)
    if kind == "plain":
        small.write_bytes(header + piece)
        with path.open("wb") as file:
            file.write(header)
            for _ in range(count):
                file.write(piece)
    else:
        small.write_bytes(gzip.compress(header + piece, 1))
        member = gzip.compress(piece, 1)
        with path.open("wb") as file:
            file.write(gzip.compress(header, 1))
            for _ in range(count):
                file.write(member)
    frames, total, largest, damages, read, traced, grown_kib = measure(path, small)
    assert (frames, total, damages) == (count * 1000, count * 1500 * 1000, 0)
    assert read == 24 + count * len(piece)
    assert largest < 33 << 20
    assert traced < 48 << 20
    assert grown_kib < 64 << 10


def test_beyond_four_gibibytes(tmp_path: Path) -> None:
    """Offsets need more than 32 bits: a sparse file is read to its end, where a cut-off record is."""
    path = tmp_path / "sparse.pcap"
    sizes = [64 << 20] * 67 + [262144] * 101  # the file header announces the long ones
    at = 24
    with path.open("wb") as file:
        file.write(build.pcap([], snaplen=64 << 20))
        for number, size in enumerate(sizes):
            file.seek(at)
            file.write(struct.pack("<IIII", 1_700_000_000 + number, number, size, size) + b"%d" % number)
            at += 16 + size
        file.seek(at)
        file.write(b"cut short")
    assert path.stat().st_size > 4 << 30
    with open_capture([path], window_bytes=1 << 16) as capture:
        seen, times, captured = [], [], []
        for batch in capture:
            assert batch.first_frame == len(seen) + 1
            times += batch.rows["time_ns"].tolist()
            captured += batch.rows["captured"].tolist()
            seen += [batch.buffer[start : start + 8].tobytes().rstrip(b"\0") for start in batch.rows["offset"]]
    assert captured == sizes
    assert times == [(1_700_000_000 + number) * SECOND + number * 1000 for number in range(168)]
    assert seen == [b"%d" % number for number in range(168)]
    (damage,) = capture.damages
    assert (damage.offset, damage.frame, damage.lost) == (at, 168, 9)


# Odd uses


def test_a_capture_closed_early(tmp_path: Path) -> None:
    """A batch may still be used after the capture was left."""
    records = records_of(17, 97)
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(records))
    with open_capture([path], batch_frames=5) as capture:
        batch = next(iter(capture))
    assert batch.data(4) == records[4].data
    assert capture.done <= path.stat().st_size


def test_an_empty_member_padding_and_noise(tmp_path: Path) -> None:
    """A gzip member with every optional header field is read."""
    records = records_of(19, 11)
    body = build.pcap(records)
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = raw.compress(body) + raw.flush()
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + struct.pack("<H", 4) + b"more" + b"name\0" + b"comment\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    content = head + packed + struct.pack("<II", zlib.crc32(body), len(body))
    assert read_bytes(tmp_path, content).data == [record.data for record in records]


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_behind_a_compression_magic(tmp_path: Path, seed: int) -> None:
    """An error, never anything else."""
    rng = random.Random(seed)
    magic = rng.choice(
        (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\xfd7zXZ\0", b"BZh9", SKIPPABLE[:8])
    )
    with pytest.raises(CaptureError):
        read_bytes(tmp_path, magic + rng.randbytes(rng.randint(0, 3000)))


def test_a_file_that_grows_is_the_same_by_another_name(tmp_path: Path) -> None:
    """Whatever its size was when it was first looked at."""
    ring, latest = tmp_path / "ring_1.pcap", tmp_path / "latest.pcap"
    ring.write_bytes(bytes(100))
    latest.symlink_to(ring)
    named = Named()
    named.add(str(latest))
    ring.write_bytes(bytes(200))
    assert named.same_as(str(ring)) == str(latest)
    assert named.same_as(str(tmp_path / "other")) == ""
