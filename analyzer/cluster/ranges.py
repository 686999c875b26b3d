"""A capture file -> ranges of it, each of which is read for itself; together they are the file, without a gap."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, cast

import numpy as np

from analyzer.capture import pcap, pcapng
from analyzer.capture.capture import BATCH_FRAMES, WINDOW_BYTES
from analyzer.capture.file import CaptureFile
from analyzer.capture.formats import capture_file
from analyzer.capture.opened import open_source
from analyzer.capture.records import Damage
from analyzer.capture.source import MappedSource
from analyzer.errors import CaptureError
from analyzer.fields import of_fields
from analyzer.schema import Rows

if TYPE_CHECKING:
    from analyzer.frames import FrameReader

PACKET_BLOCKS = (2, 3, 6)
MOST_HEAD = 1 << 20  # bytes before the first packet of a pcapng file that are looked through
LOOK_AT = pcap.RESYNC_WINDOW
LEAST_RANGE, MOST_RANGE = 1 << 25, 1 << 28  # bytes
RANGES_EACH = 4  # for each that works at a time: so that nobody waits long for the last


@of_fields(frozen=True, slots=True)
class Range:
    """Which part of which file: the records that begin from `start` on and before `stop`.

    `exact` says that one begins at `start`; else the first is looked for from there on. Records begin behind `head`, where the
    file has said all that is to be known of its interfaces, whose host has the MAC addresses `macs`. A `whole` file is read from
    its beginning, unpacked where it is compressed. It is the one at position `file` of the capture, in which its interfaces have
    the `numbers`, or without any those that they have in the file.
    """

    path: str
    head: int
    start: int
    stop: int
    exact: bool
    macs: tuple[int, ...] = ()
    file: int = 0
    numbers: tuple[int, ...] = ()
    whole: bool = False

    @staticmethod
    def of(given: dict[str, Any]) -> Range:
        """As `asdict` wrote it."""
        return Range(**{**given, "macs": tuple(given["macs"]), "numbers": tuple(given["numbers"])})

    def plain(self) -> dict[str, Any]:
        """In what JSON can say."""
        return asdict(self)


class Bounds(NamedTuple):
    """The times of the first and the last frame of a range, as the file holds them."""

    first_ns: int
    last_ns: int


class Part(Protocol):
    """A source of which only a range is read: up to the end of the record that lies across the end of the range."""

    def read_range(self, start: int, stop: int) -> None:
        """Go to `start`, and end with the record that begins before `stop`."""

    def look(self, start: int, count: int) -> tuple[Any, bool]:
        """Up to so many bytes from `start` on, and whether the file ends with them."""


class RangeSource(MappedSource):
    """A mapped file as a Part."""

    _stop: int | None = None

    def read_range(self, start: int, stop: int) -> None:
        """Go to `start`, and end with the record that begins before `stop`."""
        self.window = self.window[:0]
        self.position, self._stop = start, stop

    def require(self, count: int) -> bool:
        if self._stop is None:
            return super().require(count)
        if count <= len(self.window):
            return True
        if self.position >= self._stop:
            return False
        self._release()
        end = min(self._end(), max(self._stop, self.position + count))
        wanted = min(self.position + max(count, self._window_bytes), end)
        self.window = self._bytes[self.position : wanted]
        self._fetch(wanted)
        return count <= len(self.window)

    def look(self, start: int, count: int) -> tuple[Any, bool]:
        """Up to so many bytes from `start` on, and whether the file ends with them."""
        end = min(start + count, self._end())
        return self._bytes[start:end], end == self._end()


class RangeFile:
    """A range of a capture file, opened; `file` reads its records once `begin` has found the first."""

    def __init__(self, wanted: Range, *, window_bytes: int = WINDOW_BYTES, batch_frames: int = BATCH_FRAMES) -> None:
        self.wanted = wanted
        self._numbers = np.array(wanted.numbers, np.int32)
        self.damages: list[Damage] = []
        self.source = open_source(wanted.path, window_bytes, None if wanted.whole else _range_source)
        self.file: CaptureFile = capture_file(self.source, wanted.file, self.damages, batch_frames)
        self.file.interfaces.belong_to(wanted.macs)
        if wanted.whole:
            return
        self._part.read_range(self.source.position, wanted.head)
        for _ in self.file.batches() if isinstance(self.file, pcapng.PcapngFile) else ():
            raise AssertionError("packets before the first packet")

    def begin(self) -> int | None:
        """Find the first record of the range: where it begins; None where none does."""
        wanted = self.wanted
        if wanted.whole:
            return wanted.start
        start = wanted.start if wanted.exact else self._found(max(wanted.start, wanted.head))
        if start is not None:
            self._part.read_range(start, wanted.stop)
        return start

    def rows(self, reader: FrameReader) -> Iterator[Rows]:
        """The packet rows of its records, piece by piece, whose interfaces have their numbers in the capture. They hold until the next are asked for."""
        self.file.reader = reader
        for batch in self.file.batches():
            rows = reader.rows_of(batch, self.file.interfaces)
            if len(self._numbers):  # other files have interfaces, too
                if len(self.file.interfaces) > len(
                    self._numbers
                ):  # described in the middle: nobody can tell their numbers
                    self._numbers = np.resize(self._numbers, len(self.file.interfaces))
                rows["interface"] = self._numbers[rows["interface"]]
            yield rows

    @property
    def known(self) -> int:
        """How many interfaces the capture has at least: all numbers so far are lower."""
        return max(len(self.file.interfaces), 1 + max(self.wanted.numbers, default=0))

    @property
    def _part(self) -> Part:
        assert not self.wanted.whole, "else it may be a stream"
        if not hasattr(self.source, "read_range"):  # what gave ranges before
            raise CaptureError(self.source.path, "parts of it are not given any more", "try again, or copy it first")
        return cast(Part, self.source)

    def close(self) -> None:
        """Let go of the file."""
        self.source.close()

    def _found(self, start: int) -> int | None:
        if isinstance(self.file, pcapng.PcapngFile):
            return _next_block(self._part, start, self.file)
        assert isinstance(self.file, pcap.PcapFile)
        return _next_record(self._part, start, self.file)


def _range_source(path: str, file: BinaryIO, window_bytes: int) -> RangeSource:
    return RangeSource(path, file, window_bytes)


def head_in(start: bytes) -> int | None:
    """Where the first packet of a file that begins so stands, or would; None where it is no capture that can be read in ranges."""
    if pcap.magic_of(start):
        return pcap.HEADER_LEN if len(start) >= pcap.HEADER_LEN else None
    if not start.startswith(pcapng.MAGIC) or start[8:12] not in pcapng.BYTE_ORDER:
        return None
    order = pcapng.BYTE_ORDER[start[8:12]]
    at = 0
    while at + 8 <= len(start):
        kind, size = struct.unpack_from(order + "II", start, at)
        if kind in PACKET_BLOCKS:
            return at
        if size < 12 or size % 4 or (at and start[at : at + 4] == pcapng.MAGIC):
            return None
        at += size
    return None


def cuts_of(head: int, size: int, width: int) -> Sequence[int]:
    """The bytes at which a file of this size is cut for so many that read it; the result does not depend on them."""
    step = min(max(size // (RANGES_EACH * width), LEAST_RANGE), MOST_RANGE)
    return range(head + step, size - step // 2, step)


def ranges_of(path: str, head: int, cuts: Sequence[int], size: int, **known: Any) -> list[Range]:
    """The ranges between bytes at which a file is cut; `known` is what else they say of it."""
    starts = sorted({cut for cut in cuts if head < cut < size})
    ends = [*starts, size]
    return [
        Range(path, head, start, stop, start == head, **known)
        for start, stop in zip([head, *starts], ends, strict=True)
    ]


def are_in_order(bounds: Sequence[Bounds]) -> bool:
    """Does each range begin no earlier than the one before ends?"""
    return all(before.last_ns <= after.first_ns for before, after in pairwise(bounds))


def _next_record(source: Part, start: int, file: pcap.PcapFile) -> int | None:
    """Where the first plausible chain of records begins from `start` on."""
    from analyzer.capture.pcap_kernel import resync

    at = start - 1  # what it finds lies behind the first byte
    while True:
        window, ended = source.look(at, LOOK_AT)
        stop = len(window) if ended else len(window) - pcap.CHAIN
        found: int = resync(window, *file.signs(), pcap.MAX_SNAPLEN, -1, stop, ended)
        if found > 0:
            return at + found
        if ended:
            return None
        at += stop - 1


def _next_block(source: Part, start: int, file: pcapng.PcapngFile) -> int | None:
    """Where the first plausible block begins from `start` on: blocks are aligned."""
    from analyzer.capture.pcapng_kernel import resync

    at = (start + 3) // 4 * 4
    while True:
        window, ended = source.look(at, LOOK_AT)
        found: int = resync(window, file.is_big, 0, ended)
        if found >= 0:
            return at + found
        if found < -1:  # a block that runs over the end of what was looked at
            at += -1 - found
            continue
        if ended:
            return None
        at += (len(window) - 12) // 4 * 4
