"""A file, a compressed file or a pipe -> a window of bytes that slides forward and never back."""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from analyzer.capture.compression import CHUNK, Damaged, RawReader, Unsupported, compression_of, decompressed
from analyzer.ending import watch_mappings
from analyzer.text import shown

Bytes = npt.NDArray[np.uint8]
HEAD = 64
MADV_POPULATE_READ = 22  # of Linux 5.14


class OpenFile(RawReader, Protocol):
    """What a stream reads from, and closes at the end."""

    def close(self) -> None: ...


class Source:
    """The bytes of one capture file, seen through a window.

    `window` (uint8) holds what is available from `position` (in uncompressed bytes) on. `require` makes it longer,
    `advance` moves its start. A window is never written to again, so arrays that refer to it stay right.
    """

    compression = ""
    size: int | None = None

    def __init__(self, path: str, window_bytes: int) -> None:
        self.path = shown(path)  # what is said of it; those who open it have done so
        self.position = 0
        self.window: Bytes = np.zeros(0, np.uint8)
        self.broken = ""  # why the bytes ended before the file's own end
        self.again = "copy or compress it again"  # what to do where they end before anything of it could be read
        self.unsupported = ""  # what to do about it, where the bytes are right but not to be unpacked here
        self._window_bytes = window_bytes

    def require(self, count: int) -> bool:
        """Make at least `count` bytes available; False where the input ends before."""
        raise NotImplementedError

    def advance(self, count: int) -> None:
        """Let go of the first `count` bytes of the window."""
        self.window = self.window[count:]
        self.position += count

    @property
    def done(self) -> int:
        """Bytes of the file on disk consumed so far, for progress."""
        return self.position

    @property
    def stopped(self) -> bool:
        """Did the reader stop before the file's end, of its own will?"""
        return False

    def close(self) -> None:
        """Let go of the file."""


class MappedSource(Source):
    """A regular file in memory-mapped windows; pages that were passed are given back to the system."""

    def __init__(self, path: str, file: BinaryIO, window_bytes: int) -> None:
        super().__init__(path, window_bytes)
        self.size = os.fstat(file.fileno()).st_size
        watch_mappings()
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        file.close()  # the mapping keeps the file open itself: two descriptors each would halve how many can be merged
        self._bytes: Bytes = np.frombuffer(self._map, np.uint8)
        self._released = 0

    def require(self, count: int) -> bool:
        if count <= len(self.window):
            return True
        self._release()
        end = self._end()
        wanted = self.position + max(count, self._window_bytes)
        self.window = self._bytes[self.position : min(wanted, end)]
        self._fetch(min(wanted, end))
        return count <= len(self.window)

    def _end(self) -> int:
        """The file's end now: touching pages behind the end of a file that shrank would end the process."""
        assert self.size is not None
        now = self._map.size()
        if now < self.size:
            self.broken = f"the file shrank from {self.size:,} to {now:,} bytes while it was read"
            self.size = now
        return self.size

    def _fetch(self, end: int) -> None:
        """Have the pages of the window in memory: one call instead of a fault for every few of them."""
        start = self.position // mmap.PAGESIZE * mmap.PAGESIZE
        if start >= end:
            return
        with contextlib.suppress(OSError):  # a system that cannot do that: they come when they are touched
            self._map.madvise(MADV_POPULATE_READ, start, end - start)

    def _release(self) -> None:
        """Drop passed pages from this process's memory (one window behind: a batch may still be in use)."""
        keep = (self.position - self._window_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if keep > self._released and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, self._released, keep - self._released)
            self._released = keep

    def close(self) -> None:
        self.window = np.zeros(0, np.uint8)
        self._bytes = np.zeros(0, np.uint8)
        with contextlib.suppress(BufferError):  # a batch still refers to it: it goes when the batch goes
            self._map.close()


class StreamSource(Source):
    """A pipe or a compressed file, read forward in windows."""

    def __init__(self, path: str, file: OpenFile, window_bytes: int, head: bytes, size: int | None) -> None:
        super().__init__(path, window_bytes)
        self._file = file
        self._raw = _Counted(file, len(head))
        self.size = size
        self.compression = compression_of(head)
        self._plain: RawReader
        if self.compression:
            self._plain = decompressed(self._raw, head, self.compression)
        else:
            self._plain = self._raw
            self.window = np.frombuffer(head, np.uint8)
        self._ended = False

    def require(self, count: int) -> bool:
        if count <= len(self.window):
            return True
        pieces = [self.window]
        have = len(self.window)
        while have < count and not self._ended:
            # Doubling as bytes arrive: a length that the file merely claims never sizes a buffer.
            target = max(self._window_bytes, 2 * have)
            while have < target and not self._ended:
                piece = self._read(min(target - have, CHUNK))
                self._ended = not piece
                pieces.append(np.frombuffer(piece, np.uint8))
                have += len(piece)
        self.window = np.concatenate(pieces)
        self.window.flags.writeable = False  # as a mapped file's: numba compiles for each kind of array anew
        return count <= have

    def _read(self, count: int) -> bytes:
        try:
            return self._plain.read(count)
        except (Damaged, OSError) as error:
            self.broken = str(error)
            self.unsupported = error.todo if isinstance(error, Unsupported) else ""
            return b""

    @property
    def done(self) -> int:
        return self._raw.count

    def close(self) -> None:
        if self.path != "-":
            self._file.close()


class _Counted:
    """A reader that counts, so that progress can be told in bytes of the compressed file."""

    def __init__(self, file: RawReader, count: int) -> None:
        self._file = file
        self.count = count

    def read(self, size: int, /) -> bytes:
        piece = self._file.read(size)
        self.count += len(piece)
        return piece
