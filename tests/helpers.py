"""What several tests need: frames as a record batch, packet rows as plain values."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.accelerate.build import build
from analyzer.accelerate.library import KernelsError, Library
from analyzer.capture import Damage, FileInfo, Interface, Interfaces, RecordBatch, open_capture
from analyzer.capture.records import NO_PACKET_TYPE, RECORDS
from analyzer.decode import decode
from analyzer.frames import FrameReader
from analyzer.schema import Column, Rows, address_text
from analyzer.tables import PACKETS
from analyzer.together import joined
from tests.naive.capture import NaiveCapture
from tests.naive.decode import NOT_DECODED


@contextmanager
def interrupts_on() -> Iterator[None]:
    """What is started inside can be interrupted and hung up, though a runner in the background may have switched that off for its children."""
    interrupts = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_ups = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupts)
        signal.signal(signal.SIGHUP, hang_ups)


SAMPLES = Path(__file__).resolve().parent.parent / "samples"


CAPTURES = sorted(SAMPLES.glob("*/*/capture*.pcap*"))
"""Every capture of every sample."""


def is_plain(path: Path) -> bool:
    """Is it in one of the samples about TCP connections and their frames; those about counters name these in expected.toml."""
    sample = SAMPLES / path.relative_to(SAMPLES).parts[0]
    return "[counters." not in (sample / "expected.toml").read_text(encoding="utf-8")


def is_first(path: Path) -> bool:
    """Is it of the first host of its sample?"""
    return path.parent == min(capture.parent for capture in CAPTURES if capture.parts[:-2] == path.parts[:-2])


PLAIN_CAPTURES = [path for path in CAPTURES if is_plain(path)]
FEWER_CAPTURES = [path for path in CAPTURES if is_plain(path) or is_first(path)]
"""Of every sample, but of those about counters one host only: for tests that take long."""


DECODED_COLUMNS = [
    column
    for column in PACKETS.columns
    if column.name
    not in (
        "frame",
        "time_ns",
        "interface",
        "length",
        "captured",
        "record_flags",
        "flow",
        "direction",
        "wireshark",
        "events",
        *NOT_DECODED,
    )
]


def batch_of(frames: Iterable[tuple[int, bytes, int]], flags: int = 0) -> tuple[RecordBatch, Interfaces]:
    """A batch of (link type, data, length on the wire), with one interface per link type."""
    frames = list(frames)
    interfaces = Interfaces()
    index: dict[int, int] = {}
    rows = np.zeros(len(frames), RECORDS.dtype)
    offset = 0
    for position, (link, data, length) in enumerate(frames):
        if link not in index:
            index[link] = interfaces.add(Interface(0, link))
        rows[position] = (offset, len(data), length, position * 1000, index[link], flags, 0, NO_PACKET_TYPE)
        offset += len(data)
    # Exactly as long as the frames: reading beyond the last one is an error, not a lucky zero.
    buffer = np.frombuffer(b"".join(data for _, data, _ in frames), np.uint8)
    return RecordBatch(buffer, rows, 1), interfaces


def plain(column: Column, rows: Rows) -> list[Any]:
    """The values of a column as the naive twins give them: int, word, frozenset of words, or text. Whole columns at once: value by value takes ten times as long."""
    if column.kind == "address":
        stored = (rows[name].tolist() for name in (f"{column.name}_hi", f"{column.name}_lo", column.version))
        return [_address(*halves) for halves in zip(*stored, strict=True)]
    values: list[Any] = rows[column.name].tolist()
    if column.kind == "ascii":
        return [value.decode() for value in values]
    if column.kind == "enum":
        return [column.words[value] for value in values]
    if column.kind == "bits":
        words = {
            value: frozenset(word for bit, word in enumerate(column.words) if value >> bit & 1) for value in set(values)
        }
        return [words[value] for value in values]
    return values


_address = lru_cache(maxsize=10_000)(address_text)


def plain_of(rows: Rows, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Rows as plain values, by the names of these columns."""
    names = [column.name for column in columns]
    values = zip(*(plain(column, rows) for column in columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in values]


def plain_rows(rows: Rows) -> list[dict[str, Any]]:
    """All decoded columns of packet rows."""
    return plain_of(rows, DECODED_COLUMNS)


def packets_of(rows: Rows, names: Iterable[str]) -> list[dict[str, Any]]:
    """These columns of packet rows, as the naive twins want them."""
    return plain_of(rows, [PACKETS[name] for name in names])


def rows_with(count: int, **columns: Any) -> Rows:
    """Packet rows with the given columns, all others 0."""
    rows = np.zeros(count, PACKETS.dtype)
    rows["frame"] = 1 + np.arange(count)
    for name, values in columns.items():
        rows[name] = values
    return rows


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Columns that differ: name -> (expected, actual)."""
    return {name: (expected[name], actual[name]) for name in actual if expected[name] != actual[name]}


# Capture files


@dataclass(frozen=True)
class Reading:
    """Everything that reading a capture gave, its batches joined."""

    rows: Rows  # of RECORDS, with the offset in the batch that the record was in
    data: list[bytes]
    packets: Rows  # of PACKETS
    damages: list[Damage]
    interfaces: list[Interface]
    files: list[FileInfo]
    batches: list[int]  # how many records each batch had

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def times(self) -> list[int]:
        """Capture times in ns."""
        return [int(time_ns) for time_ns in self.rows["time_ns"]]

    @property
    def places(self) -> list[tuple[int, int, int | None]]:
        """Offset, frame and lost bytes of each damage."""
        return [(damage.offset, damage.frame, damage.lost) for damage in self.damages]

    @property
    def records(self) -> list[tuple[Any, ...]]:
        """Records as plain values, comparable with `naive_records`."""
        names = ("time_ns", "length", "flags", "ifindex", "packet_type", "interface")
        plain_rows = zip(*(self.rows[name].tolist() for name in names), strict=True)
        return [
            (*values, self.interfaces[values[-1]].link_type, self.interfaces[values[-1]].fcs_len, data)
            for values, data in zip(plain_rows, self.data, strict=True)
        ]


def read_all(
    *paths: Path | str, batch_frames: int | None = None, window_bytes: int | None = None, together: bool = False
) -> Reading:
    """Read and decode a capture to its end; `together` says whether fragments are put together."""
    reader = FrameReader(None)
    rows, data, packets, batches = [np.zeros(0, RECORDS.dtype)], [], [np.zeros(0, PACKETS.dtype)], []
    with open_capture([str(path) for path in paths], batch_frames=batch_frames, window_bytes=window_bytes) as capture:
        first_frame = 1
        for batch in capture:
            assert batch.first_frame == first_frame
            first_frame += len(batch)
            rows.append(batch.rows.copy())
            data += contents(batch)
            rows_of = reader.rows_of if together else decode
            packets.append(rows_of(batch, capture.interfaces).copy())
            batches.append(len(batch))
    return Reading(
        joined(rows),
        data,
        joined(packets),
        list(capture.damages),
        list(capture.interfaces),
        list(capture.files),
        batches,
    )


def contents(batch: RecordBatch) -> list[bytes]:
    """The captured bytes of each of its records, all at once: one by one, NumPy looks for their place in twice the time."""
    found, whole = [], memoryview(batch.buffer)
    for at, size in zip(batch.rows["offset"].tolist(), batch.rows["captured"].tolist(), strict=True):
        found.append(bytes(whole[at : at + size]))
    assert not found or found[-1] == batch.data(len(batch) - 1)
    return found


def read_bytes(folder: Path, *blocks: bytes, **options: int) -> Reading:
    """The same for the blocks in a file whose name says nothing."""
    path = folder / "file"
    path.write_bytes(b"".join(blocks))
    return read_all(path, **options)


def naive_records(capture: NaiveCapture) -> list[tuple[Any, ...]]:
    """The records of the naive twin as plain values, comparable with `Reading.records`."""
    return [
        (
            record.time_ns,
            record.length,
            record.record_flags,
            record.ifindex,
            NO_PACKET_TYPE if record.pkt_type is None else record.pkt_type,
            record.interface,
            record.link,
            record.fcs,
            record.data,
        )
        for record in capture.records
    ]


def same_rows(expected: Rows, actual: Rows) -> bool:
    """Whether two arrays of records are the same in every column but `offset`, which depends on the batch."""
    names = [name for name in expected.dtype.names or () if name != "offset"]
    return len(expected) == len(actual) and all(np.array_equal(expected[name], actual[name]) for name in names)


# Texts


def fitting(text: str) -> str:
    """The text, if it is as wide and as harmless as any text for a terminal must be."""
    assert text.endswith("\n")
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert [char for char in text if char != "\n" and not char.isprintable()] == []
    return text


# Other ways to run the kernels


@cache
def _library_with_checks() -> None:
    """The library in which every index is checked: made once, and anew when a kernel was edited."""
    try:
        Library(checked=True)
    except KernelsError:
        build(jobs=1, checked=True, tell=lambda text: None)


def said_in_mode(mode: str, factory: pytest.TempPathFactory, *words: str, overflowing: Sequence[str] = ()) -> str:
    """What Python prints for these words where kernels run in another way, as `analyzer.accelerate` names them.

    Warnings are errors, but for overflows in the kernels named, which calculate hashes. What numba compiles is kept for the other
    tests of the same run, and for nobody else.
    """
    if mode == "checked-library":
        _library_with_checks()
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= {"XDG_CACHE_HOME": str(shared / "cache"), "PYTHONHASHSEED": "0", "TCPCAP_KERNELS": mode}
    ignored = [f"-Wignore:overflow encountered:RuntimeWarning:analyzer.{module}" for module in overflowing]
    done = subprocess.run(
        [sys.executable, "-Werror", *ignored, *words],
        cwd=SAMPLES.parent,
        env=environment | {"PYTHONPATH": str(SAMPLES.parent)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
