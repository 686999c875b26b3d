"""What a capture is called -> its bytes: a source that reads them, how many there are, and how they begin."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from analyzer.capture.compression import compression_of
from analyzer.capture.source import HEAD, MappedSource, Source, StreamSource
from analyzer.capture.where import address_of, away_of, is_file, is_url
from analyzer.errors import CaptureError


def open_source(path: str, window_bytes: int, make: Callable[[str, BinaryIO, int], Source] | None = None) -> Source:
    """Open `path` (or standard input for `-`); raises CaptureError with the next step. `make` is what makes a source of the open file, if not `source_of`."""
    if (away := away_of(path)) is not None:
        from analyzer.capture.beginning import beginning_source

        return beginning_source(path, away)
    if is_url(path):
        from analyzer.capture.remote import remote_source

        return remote_source(address_of(path), window_bytes)
    if path == "-" and sys.stdin is None:
        raise CaptureError(path, "standard input is closed", "name a file")
    try:
        file = sys.stdin.buffer if path == "-" else _opened(path)
        try:
            return (make or source_of)(path, file, window_bytes)
        except BaseException:
            if path != "-":
                file.close()
            raise
    except FileNotFoundError:
        raise CaptureError(path, "no such file", "check the path") from None
    except PermissionError:
        raise CaptureError(path, "permission denied", "read it as a user who may, or copy it") from None
    except IsADirectoryError:
        raise CaptureError(path, "a directory", "name a capture file in it") from None
    except OSError as error:
        if error.errno == errno.EMFILE:
            found = "too many files that overlap in time: no more may be open at once"
            raise CaptureError(path, found, "allow more (`ulimit -n 65536`), or merge some of them first") from None
        raise CaptureError(path, f"cannot be read ({error.strerror or error})", "check the file") from None


def _opened(path: str) -> BinaryIO:
    """The file, to be read; where no more may be open, as many as the system grants."""
    try:
        return Path(path).open("rb", buffering=0)
    except OSError as error:
        if error.errno != errno.EMFILE or not _more_files():
            raise
    return Path(path).open("rb", buffering=0)


def _more_files() -> bool:
    """Raise the limit of open files to the highest that this process may set; False where it is there already."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return False
    limit, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == highest:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))
    return True


def source_of(path: str, file: BinaryIO, window_bytes: int) -> Source:
    """The source for an open file that stands at its beginning; `path` is how it is called."""
    status = os.fstat(file.fileno())
    regular = stat.S_ISREG(status.st_mode)
    head = _read_head(file)
    if not head:
        raise CaptureError(path, "an empty file", "was the capture written, or stopped before the first packet?")
    size = status.st_size if regular else None
    if regular and path != "-" and not compression_of(head):
        try:
            return MappedSource(path, file, window_bytes)
        except (OSError, ValueError):  # a file system that cannot map files
            pass
    return StreamSource(path, file, window_bytes, head, size)


def _read_head(file: BinaryIO) -> bytes:
    head = b""
    while len(head) < HEAD:
        piece = file.read(HEAD - len(head))
        if not piece:
            break
        head += piece
    return head


def size_of(name: str) -> int | None:
    """Bytes of a file; None where nobody knows: a pipe, or a URL that does not say. Raises CaptureError where a URL cannot be read."""
    if (away := away_of(name)) is not None:
        return away.size
    if is_url(name):
        from analyzer.capture.remote import Remote

        with Remote(address_of(name)) as remote:
            return remote.size
    return Path(name).stat().st_size if is_file(name) else None


def start_of(name: str, count: int) -> bytes:
    """Up to so many bytes from the beginning of a file; none where only a stream of it can be had."""
    if (away := away_of(name)) is not None:
        return away.head[:count]
    if is_url(name):
        from analyzer.capture.remote import Remote

        with Remote(address_of(name)) as remote:
            return remote.beginning(count)
    with Path(name).open("rb") as file:
        return file.read(count)
