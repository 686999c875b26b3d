"""Floods: captures that an enemy makes as large as they like must cost in proportion to their frames, and no more memory than others.

    python -m tests.floods                  each at 100,000 and at ten times as many frames (bombs: 100 MB and 1 GB)
    python -m tests.floods --scale 10 syn   those that are named, at 1,000,000 and at 10,000,000

Prints processor time, memory and ratio of `tcpcap analyze`; the status is 1 where ten times the frames cost more than eleven times
the time, or the memory is more than 1.5 GB. Of both times is taken away what the same flood costs where it is small: what a start
costs depends on what is found, and that of another capture would be too much or too little.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import lz4.frame
import numpy as np
import zstandard

from tests import build
from tests.command import COMMAND, environment

FRAMES = 100_000
SMALL = 100  # of so many of the fewer frames one is enough for a start
RUNS = 3  # of which the quickest counts: what else the machine does costs time, too
BOMB_BYTES = 1000  # for each frame that is asked for
MOST_RATIO, MOST_BYTES = 11.0, 1_500_000_000
START = 1_795_205_020
AT_ONCE = 100_000
OPTIONS = build.mss(1460) + build.SACK_PERMITTED + build.timestamps(297198412, 0) + build.NOP + build.window_scale(7)
RECORD = np.dtype([("seconds", "<u4"), ("fraction", "<u4"), ("captured", "<u4"), ("length", "<u4")])


class Cost(NamedTuple):
    """Of one analysis."""

    seconds: float
    memory: int
    status: int


def _records(template: bytes, count: int, first: int) -> Any:
    """Frames like this one, a microsecond apart, as an array whose bytes can be changed: `data` has a row for each."""
    found = np.zeros(count, np.dtype([("record", RECORD), ("data", "u1", len(template))]))
    micros = np.arange(first, first + count)
    found["record"]["seconds"], found["record"]["fraction"] = START + micros // 1_000_000, micros % 1_000_000
    found["record"]["captured"] = found["record"]["length"] = len(template)
    found["data"] = np.frombuffer(template, np.uint8)
    return found


def _big(values: Any, size: int) -> Any:
    """Numbers as `size` bytes each, the highest first."""
    return values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - size :]


def _parts(count: int) -> Iterator[tuple[int, Any]]:
    for first in range(0, count, AT_ONCE):
        yield first, np.arange(first, min(first + AT_ONCE, count), dtype=np.int64)


def syn(file: IO[bytes], count: int) -> None:
    """Half-open connections: a SYN each, with the options of Linux, from addresses and ports of everywhere."""
    template = build.ethernet(
        build.ipv4(build.tcp(flags=2, dst_port=80, options=OPTIONS), src="10.0.0.1", dst="10.0.0.2")
    )
    file.write(build.pcap([]))
    for first, numbers in _parts(count):
        found = _records(template, len(numbers), first)
        mixed = numbers * 2654435761 % 2**32
        found["data"][:, 26:30], found["data"][:, 34:36] = _big(mixed, 4), _big(1024 + numbers % 60_000, 2)
        file.write(found.tobytes())


def tuples(file: IO[bytes], count: int) -> None:
    """IPv6 connections of one /48 in which address and port cancel each other, in whatever adds or mixes them in words."""
    template = build.ethernet(
        build.ipv6(build.tcp(flags=2, dst_port=80, options=OPTIONS), src="2001:db8:1::", dst="2001:db8::2"), 0x86DD
    )
    file.write(build.pcap([]))
    for first, numbers in _parts(count):
        found = _records(template, len(numbers), first)
        port = _big(numbers % 65536, 2)
        # The address is in bytes 22 to 37: behind the /48 the port, as in the last two and in the TCP header, and what makes it another.
        found["data"][:, 28:30] = found["data"][:, 36:38] = found["data"][:, 54:56] = port
        found["data"][:, 30:36] = _big(numbers // 65536, 6)
        file.write(found.tobytes())


def holes(file: IO[bytes], count: int) -> None:
    """One connection of which every second segment is missing, and the receiver says so in SACK blocks."""
    data = build.ethernet(build.ipv4(build.tcp(b"x" * 100, src_port=40001, dst_port=80, flags=0x10), src="10.0.0.1", dst="10.0.0.2"))  # fmt: skip
    answer = build.ethernet(build.ipv4(build.tcp(src_port=80, dst_port=40001, ack=1000, flags=0x10, options=build.NOP * 2 + build.sack(*range(6))), src="10.0.0.2", dst="10.0.0.1"))  # fmt: skip
    answer += bytes(len(data) - len(answer))
    file.write(build.pcap([]))
    for first, numbers in _parts(count):
        found = _records(data, len(numbers), first)
        segment = numbers // 2
        found["data"][:, 38:42] = _big(1000 + segment * 200 % 2**31, 4)
        back = numbers % 2 == 1
        found["data"][back] = np.frombuffer(answer, np.uint8)
        for block in range(3):
            left = 1000 + np.maximum(segment[back] - block, 0) * 200 % 2**31
            at = 14 + 20 + 20 + 4 + 8 * block
            found["data"][back, at : at + 4] = _big(left, 4)
            found["data"][back, at + 4 : at + 8] = _big(left + 100, 4)
        file.write(found.tobytes())


def fragments(file: IO[bytes], count: int) -> None:
    """First fragments of datagrams whose rest never comes."""
    template = build.ethernet(build.ipv4(build.udp(b"x" * 24), build.UDP, src="10.0.0.1", dst="10.0.0.2", flags=1))
    file.write(build.pcap([]))
    for first, numbers in _parts(count):
        found = _records(template, len(numbers), first)
        found["data"][:, 18:20], found["data"][:, 26:30] = (
            _big(numbers % 65536, 2),
            _big(0x0A000001 + numbers // 65536, 4),
        )
        file.write(found.tobytes())


def tunnels(file: IO[bytes], count: int) -> None:
    """IPv4 in IPv4, seventy deep."""
    packet = build.tcp(flags=2)
    for _ in range(70):
        packet = build.ipv4(packet, 4 if packet[:1] == b"\x45" else build.TCP)
    template = build.ethernet(packet)
    file.write(build.pcap([]))
    for first, numbers in _parts(count):
        found = _records(template, len(numbers), first)
        file.write(found.tobytes())


def _zeros(file: Any, count: int) -> None:
    """A capture of empty frames, as compressible as can be."""
    file.write(build.pcap([]))
    for start in range(0, count * BOMB_BYTES, 1 << 20):
        file.write(bytes(min(1 << 20, count * BOMB_BYTES - start)))


def _compressed(opened: Callable[[IO[bytes]], Any]) -> Callable[[IO[bytes], int], None]:
    def bomb(file: IO[bytes], count: int) -> None:
        with opened(file) as packed:
            _zeros(packed, count)

    return bomb


def _packed(opened: Callable[[IO[bytes]], Any], count: int) -> bytes:
    """A bomb."""
    found = io.BytesIO()
    _compressed(opened)(found, count)
    return found.getvalue()


def _archive(file: IO[bytes], opened: Callable[[IO[bytes]], Any], name: str, content: bytes) -> None:
    """A tar with one member, compressed."""
    with opened(file) as outer, tarfile.open(fileobj=outer, mode="w|") as archive:
        member = tarfile.TarInfo(f"b/{name}")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def nested(file: IO[bytes], count: int) -> None:
    """A tar in zstd, with a capture in gzip in it."""
    _archive(file, PACKING["zst"], "capture.pcap.gz", _packed(PACKING["gz"], count))


def nested_bz2(file: IO[bytes], count: int) -> None:
    """A tar in bzip2, with a capture in bzip2 in it."""
    _archive(file, PACKING["bz2"], "capture.pcap.bz2", _packed(PACKING["bz2"], count))


def archives(file: IO[bytes], count: int) -> None:
    """An archive in an archive, under the name of a capture, with a bomb in it."""
    inner = io.BytesIO()
    nested(inner, count)
    _archive(file, PACKING["gz"], "capture.pcap.zst", inner.getvalue())


def twice(file: IO[bytes], count: int) -> None:
    """A bomb that was packed again."""
    with PACKING["gz"](file) as packed:
        packed.write(_packed(PACKING["bz2"], count))


def members(file: IO[bytes], count: int) -> None:
    """An archive with as many members, all of them empty."""
    with PACKING["zst"](file) as outer:
        for number in range(count):
            outer.write(tarfile.TarInfo(f"b/{number}").tobuf(tarfile.GNU_FORMAT))
        outer.write(bytes(2 * tarfile.BLOCKSIZE))


PACKING: dict[str, Callable[[IO[bytes]], Any]] = {
    "gz": lambda file: gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1),
    "zst": lambda file: zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False),
    "lz4": lambda file: lz4.frame.LZ4FrameFile(file, mode="wb"),
    "xz": partial(lzma.LZMAFile, mode="wb", preset=0),
    "bz2": partial(bz2.BZ2File, mode="wb", compresslevel=1),
}
OF_FRAMES = ("syn", "tuples", "holes", "fragments", "tunnels")
ARCHIVES = ("nested", "nested-bz2", "archives", "members")
FLOODS: dict[str, tuple[str, Callable[[IO[bytes], int], None]]] = {
    "syn": ("half-open SYNs", syn),
    "tuples": ("hostile IPv6 tuples", tuples),
    "holes": ("SACK holes", holes),
    "fragments": ("open fragments", fragments),
    "tunnels": ("deep tunnels", tunnels),
    **{name: (f"bomb in {name}", _compressed(opened)) for name, opened in PACKING.items()},
    "twice": ("bomb in bz2 in gz", twice),
    "nested": ("bomb in gz in a tar in zst", nested),
    "nested-bz2": ("bomb in bz2 in a tar in bz2", nested_bz2),
    "archives": ("archive in an archive", archives),
    "members": ("members of an archive", members),
}  # fmt: skip


def cost(path: Path) -> Cost:
    """What `analyze` of a file costs."""
    with subprocess.Popen(
        [*COMMAND, "analyze", str(path)], stdout=subprocess.DEVNULL, env=environment(TMPDIR=str(path.parent))
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, process.returncode)


def main() -> int:
    """Measure the floods and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flood", nargs="*", default=list(FLOODS), help=", ".join(FLOODS))
    parser.add_argument("--scale", type=float, default=1.0, help=f"of {FRAMES:,} frames")
    options = parser.parse_args()
    few, wrong = int(FRAMES * options.scale), 0
    with tempfile.TemporaryDirectory() as name:
        for flood in options.flood:
            title, write = FLOODS[flood]
            start, *found = (_cost(Path(name), flood, write, count) for count in (few // SMALL, few, 10 * few))
            less, more = (max(each.seconds - start.seconds, 0.01) for each in found)
            bad = more > MOST_RATIO * less or found[1].memory > MOST_BYTES or found[1].status not in (0, 2, 3)
            wrong += bad
            size = f"{10 * few:,}" if flood in (*OF_FRAMES, "members") else f"{10 * few * BOMB_BYTES / 1e6:,.0f} MB"  # fmt: skip
            print(f"{title:<30} {size:>18} {start.seconds:>6.2f} s and {less:>6.2f} s {more:>7.2f} s  ratio {more / less:>5.1f} {found[1].memory / 1e6:>7.0f} MB  status {found[1].status}{'  WRONG' if bad else ''}", flush=True)  # fmt: skip
    return int(wrong > 0)


def _cost(folder: Path, flood: str, write: Callable[[IO[bytes], int], None], count: int) -> Cost:
    """What a flood of so many frames costs, where nothing else takes time."""
    path = folder / ("flood.tar.zst" if flood in ARCHIVES else "flood.pcap")
    with path.open("wb") as file:
        write(file, count)
    found = [cost(path) for _ in range(RUNS)]
    path.unlink()
    return Cost(min(each.seconds for each in found), max(each.memory for each in found), found[-1].status)


if __name__ == "__main__":
    sys.exit(main())
