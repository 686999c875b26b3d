"""A URL -> its bytes, by fsspec: in any order where whoever serves it gives ranges, else as a stream. Nobody else imports that package."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

from analyzer.capture.compression import compression_of
from analyzer.capture.http import KINDS, Broken, ways
from analyzer.capture.source import HEAD, Source, StreamSource
from analyzer.capture.where import chain_of, named
from analyzer.errors import CaptureError, suggest

T = TypeVar("T")
FIRST = 1 << 16  # bytes that are asked for at first: what a file says of itself, behind which nobody may read on
PIECE = 1 << 22  # bytes that are asked for at a time of what is unpacked
ENDS = 1 << 16  # bytes at either end that tell whether it is the same
TODO = "check the address, and that you may read it"
MISSING = 404
SERVER_FAILS = 500  # and above, of the statuses of HTTP


class Remote:
    """What lies at a URL, opened. Raises CaptureError, without what is secret in the URL, where it cannot be.

    `size` in bytes, None where nobody says; `has_ranges` whether any part of it can be asked for.
    """

    def __init__(self, url: str) -> None:
        self.name = named(url)
        if find_spec("fsspec") is None:
            raise CaptureError(self.name, "fsspec is not installed, which reads URLs", "pip install 'tcpcap[remote]'")
        _refuse_unknown(self.name)
        known = ways([part.partition("://")[0] for part in chain_of(url)])
        self._system, self._path = self._opened(lambda: import_module("fsspec.core").url_to_fs(url, **known))
        self._info = info = dict(self._opened(lambda: self._system.info(self._path)))
        if info.get("type") == "directory":
            raise CaptureError(self.name, "a folder", "name a file in it")
        size = info.get("size")
        self.size: int | None = size if isinstance(size, int) else None
        self._file: Any = self._opened(lambda: self._system.open(self._path, "rb", cache_type="none", **self._sized))
        self._streamed = 0  # bytes
        self.has_ranges = self.size is not None and self._gives_ranges(self.size)
        if not self.has_ranges:
            self.close()
            self._file = self._opened(lambda: self._system.open(self._path, "rb", **self._streaming))

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, both inside of it; raises Broken where they do not come."""

        def asked() -> bytes:
            self._file.seek(start)
            found = b""
            while len(found) < stop - start and (piece := self._file.read(stop - start - len(found))):
                found += piece
            return found

        found = _tried(asked)
        if len(found) != stop - start:
            raise Broken(f"{len(found):,} bytes came of {stop - start:,} that were asked for")
        return found

    def beginning(self, count: int) -> bytes:
        """Up to so many bytes from its beginning, none where only a stream of it can be had. Raises CaptureError where they do not come."""
        if self.size is None or not self.has_ranges:
            return b""
        return self._come(0, min(count, self.size))

    def read(self, size: int, /) -> bytes:
        """The next bytes of a stream, b"" at the end; raises Broken where they do not come."""
        found: bytes = _tried(lambda: self._file.read(size))
        self._streamed += len(found)
        if not found and size and self._streamed < (self.size or 0):
            raise Broken(f"{self._streamed:,} bytes came of {self.size:,} that it has")
        return found

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def sign(self) -> list[int | str]:
        """What changes with it: its size, what the server says of it, and its ends where they can be asked for."""
        # Its times, tags and sums; where it is found may hold a signature, which changes without it.
        told = str(sorted((key, str(value)) for key, value in self._info.items() if str(value) not in self._places))
        if not self.has_ranges or self.size is None:
            return [told]
        first = self._come(0, min(ENDS, self.size))
        ends = first + (self._come(self.size - ENDS, self.size) if self.size > ENDS else first)
        return [self.size, told, hashlib.sha256(ends).hexdigest()]

    @property
    def _places(self) -> tuple[str, ...]:
        """What it is called where it lies."""
        return (self._path, str(self._info.get("name")), str(self._info.get("url")))

    @property
    def _sized(self) -> dict[str, Any]:
        """What is known of it when it is opened: who reads HTTP would ask once more."""
        return {"size": self.size} if self._is_http and self.size is not None else {}

    @property
    def _streaming(self) -> dict[str, Any]:
        """How it is opened to be read from its beginning to its end; of HTTP, it must be said."""
        return {"block_size": 0} if self._is_http else {}

    @property
    def _is_http(self) -> bool:
        kinds = self._system.protocol
        return not set(KINDS).isdisjoint([kinds] if isinstance(kinds, str) else kinds)

    def _come(self, start: int, stop: int) -> bytes:
        """As `fetch`; raises CaptureError."""
        try:
            return self.fetch(start, stop)
        except Broken as error:
            raise CaptureError(self.name, f"cannot be read ({error})", TODO) from None

    def _gives_ranges(self, size: int) -> bool:
        """Is the last byte given alone? Some servers say so of ranges that they do not give: then another answer comes, or too much. Raises CaptureError where none comes."""
        try:
            return size == 0 or len(self.fetch(size - 1, size)) == 1
        except Broken as error:
            if error.status is not None and error.status >= SERVER_FAILS:
                raise CaptureError(self.name, f"cannot be read ({error})", TODO) from None
            return False

    def _opened(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except FileNotFoundError as error:
            cause = error.__cause__  # of HTTP, all that is no success comes as this
            status = getattr(cause, "status", None)
            if cause is not None and status != MISSING:  # nobody answers, can be asked, or is believed
                said = f"status {status}" if isinstance(status, int) else _said(cause)
                raise CaptureError(self.name, f"cannot be read ({said})", TODO) from None
            raise CaptureError(self.name, "no such file", "check the address") from None
        except PermissionError:
            raise CaptureError(self.name, "permission denied", "say who you are, as that place wants it") from None
        except ImportError as error:  # names the package that is missing
            raise CaptureError(self.name, str(error), "pip install it beside 'tcpcap[remote]'") from None
        except Exception as error:  # noqa: BLE001 # each of many packages has errors of its own
            raise CaptureError(self.name, f"cannot be read ({_said(error)})", TODO) from None


class RangedSource(Source):
    """What gives ranges, in windows: while one piece after the other is read, the next is on its way. It may be told to read a part of it only."""

    def __init__(self, remote: Remote, window_bytes: int) -> None:
        super().__init__(remote.name, window_bytes)
        assert remote.size is not None, "it has ranges"
        self.size: int = remote.size
        self._remote = remote
        self._thread = ThreadPoolExecutor(1, "fetch")
        self._coming: tuple[int, int, Future[bytes]] | None = None
        self._stop: int | None = None
        self._behind = -1  # the piece that was taken last

    def read_range(self, start: int, stop: int) -> None:
        """Go to `start`, and end with the record that begins before `stop`."""
        self.window = self.window[:0]
        self.position, self._stop = start, stop

    def look(self, start: int, count: int) -> tuple[Any, bool]:
        """Up to so many bytes from `start` on, and whether the file ends with them."""
        stop = min(start + count, self.size)
        try:
            return np.frombuffer(self._asked(start, stop).result(), np.uint8), stop == self.size
        except Broken as error:
            raise CaptureError(self.path, f"cannot be read ({error})", TODO) from None

    def require(self, count: int) -> bool:
        if count <= len(self.window):
            return True
        if self._stop is not None and self.position >= self._stop:
            return False
        end = self.size if self._stop is None else min(self.size, max(self._stop, self.position + count))
        at = self.position + len(self.window)
        stop = min(max(at + (self._window_bytes if at else min(FIRST, self._window_bytes)), self.position + count), end)
        if at < stop and not self.broken:
            try:
                self.window = np.concatenate([self.window, np.frombuffer(self._taken(at, stop, end), np.uint8)])
                self.window.flags.writeable = False  # as a mapped file's
            except Broken as error:
                self.broken = str(error)
        return count <= len(self.window)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._remote.close()

    def _taken(self, start: int, stop: int, end: int) -> bytes:
        """These bytes, or fewer that have come already; those behind them are asked for, up to `end`."""
        if self._coming is not None and self._coming[0] == start and self._coming[1] <= end:
            _, stop, future = self._coming
        else:
            future = self._asked(start, stop)
        behind = min(stop + self._window_bytes, end)
        reads_on, self._behind = start == self._behind, stop
        self._coming = (stop, behind, self._asked(stop, behind)) if reads_on and stop < behind else None
        return future.result()

    def _asked(self, start: int, stop: int) -> Future[bytes]:
        return self._thread.submit(self._remote.fetch, start, stop)


class Forward:
    """What gives ranges, read from its beginning to its end, the next piece while one is worked on."""

    def __init__(self, remote: Remote, at: int) -> None:
        self._source = RangedSource(remote, PIECE)
        self._source.read_range(at, self._source.size)

    def read(self, size: int, /) -> bytes:
        """The next bytes, b"" at the end."""
        self._source.require(1)
        if self._source.broken:
            raise Broken(self._source.broken)
        piece = self._source.window[:size].tobytes()
        self._source.advance(len(piece))
        return piece

    def close(self) -> None:
        """Let go of it."""
        self._source.close()


def remote_source(url: str, window_bytes: int) -> Source:
    """The source for what lies at a URL."""
    with contextlib.ExitStack() as opened:
        remote = Remote(url)
        opened.callback(remote.close)
        try:
            ranged = remote.size is not None and remote.has_ranges
            head = remote.fetch(0, min(HEAD, remote.size or 0)) if ranged else _head(remote)
        except Broken as error:
            raise CaptureError(remote.name, f"cannot be read ({error})", TODO) from None
        if not head:
            raise CaptureError(
                remote.name, "an empty file", "was the capture written, or stopped before the first packet?"
            )
        opened.pop_all()
    source: Source
    if ranged and not compression_of(head):
        source = RangedSource(remote, window_bytes)
    else:
        file = Forward(remote, len(head)) if ranged else remote
        source = StreamSource(remote.name, file, window_bytes, head, remote.size)
    source.again = TODO
    return source


def _head(remote: Remote) -> bytes:
    head = b""
    while len(head) < HEAD and (piece := remote.read(HEAD - len(head))):
        head += piece
    return head


def _tried(call: Callable[[], T]) -> T:
    """What it gives; raises Broken where that fails."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 # each of many packages has errors of its own
        status = getattr(error, "status", None)
        raise Broken(_said(error), status if isinstance(status, int) else None) from None


def _refuse_unknown(name: str) -> None:
    """Raise CaptureError where there is nothing that reads a part of this URL."""
    known = import_module("fsspec").available_protocols()
    for part in chain_of(name):
        kind = part.partition("://")[0]
        if kind not in known:
            near = [each for each in known if each.startswith(kind[:2])]
            todo = suggest(kind, near) if near else "name a file, or a URL of HTTP, S3 or another that fsspec knows"
            raise CaptureError(name, f"nothing reads {kind}://", todo)


def _said(error: BaseException) -> str:
    """An error in a few words: what it says may have the whole address in it, and secrets with that."""
    ours: BaseException | None = error
    while ours is not None:
        if isinstance(ours, Broken):  # which aiohttp tells as an error of the system
            return str(ours)
        ours = ours.__cause__
    status = getattr(error, "status", None)
    name = type(error).__name__
    return f"{name}, status {status}" if isinstance(status, int) else name
