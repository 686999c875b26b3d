"""The input of fix_checksums, which is read twice, and whose bytes pass through unseen by any format's writer."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from analyzer.capture.opened import open_source, source_of
from analyzer.capture.source import Bytes, Source
from analyzer.errors import CaptureError
from analyzer.output import nothing_temporary, temporary_file


@contextmanager
def rereadable(path: str, window_bytes: int) -> Iterator[Callable[[], Source]]:
    """Yields what opens the input anew each time; what can be read only once is kept in a temporary file."""
    if path != "-" and (not Path(path).exists() or Path(path).is_file() or Path(path).is_dir()):
        yield lambda: open_source(path, window_bytes)
        return
    with ExitStack() as stack:
        spool = stack.enter_context(temporary_file())
        _spool(path, spool)

        def open_again() -> Source:
            file = os.fdopen(os.dup(spool.fileno()), "rb", buffering=0)
            stack.callback(file.close)
            file.seek(0)
            return source_of(path, file, window_bytes)

        yield open_again


def _spool(path: str, spool: BinaryIO) -> None:
    """Copy a pipe to its end."""
    if path == "-" and sys.stdin is None:
        raise CaptureError(path, "standard input is closed", "name a file")
    try:
        source = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 closed below
    except OSError as error:
        raise CaptureError(path, f"cannot be read ({error.strerror})", "check the file") from None
    try:
        shutil.copyfileobj(source, spool, 1 << 20)
        spool.flush()
    except OSError as error:
        raise nothing_temporary(error) from None
    finally:
        if path != "-":
            source.close()


class Copied(Source):
    """Another source whose bytes are written once they are passed: whatever a reader makes of them, none is lost."""

    def __init__(self, inner: Source, write: Callable[[Bytes], None]) -> None:
        super().__init__(inner.path, 0)
        self._inner = inner
        self._write = write
        self._ready = np.zeros(0, np.uint8)
        self.size, self.compression = inner.size, inner.compression
        self._follow()

    def _follow(self) -> None:
        self.window, self.position, self.broken = self._inner.window, self._inner.position, self._inner.broken

    def require(self, count: int) -> bool:
        enough = self._inner.require(count)
        self._follow()
        return enough

    def replace(self, ready: Bytes) -> None:
        """Have `ready` written in place of as many bytes at the window's beginning."""
        self._ready = ready

    def advance(self, count: int) -> None:
        self._write(self._ready)
        self._write(self.window[len(self._ready) : count])
        self._ready = self._ready[:0]
        self._inner.advance(count)
        self._follow()

    def copy_rest(self) -> None:
        """Write what the reader did not want."""
        while self.require(1):
            self.advance(len(self.window))

    @property
    def done(self) -> int:
        return self._inner.done

    def close(self) -> None:
        self.window = np.zeros(0, np.uint8)
        self._inner.close()
