"""A mended capture on its way into a file: compressed as the name of the file says."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from analyzer.capture.source import Bytes


class Output:
    """A file that takes bytes, compressed as its name says."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        make = COMPRESSORS.get(Path(name).suffix.lower()) if name != "-" else None
        self._compressor = make() if make is not None else None

    def write(self, data: Bytes) -> None:
        """Write some bytes."""
        if len(data):
            self._file.write(data.data if self._compressor is None else self._compressor.compress(data.data))

    def finish(self) -> None:
        """Write what is held back."""
        if self._compressor is not None:
            self._file.write(self._compressor.flush())
        self._file.flush()


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdCompressor().compressobj()


class _Lz4:
    """lz4's compressor, which begins a frame by itself."""

    def __init__(self) -> None:
        import lz4.frame

        self._inner = lz4.frame.LZ4FrameCompressor()
        self._begun: bytes = self._inner.begin()

    def compress(self, data: memoryview) -> bytes:
        """The next piece."""
        begun, self._begun = self._begun, b""
        return begun + bytes(self._inner.compress(data))

    def flush(self) -> bytes:
        """The end."""
        return self._begun + bytes(self._inner.flush())


COMPRESSORS: dict[str, Callable[[], Any]] = {
    ".gz": lambda: zlib.compressobj(wbits=31),
    ".zst": _zstd,
    ".lz4": _Lz4,
    ".xz": lzma.LZMACompressor,
    ".bz2": bz2.BZ2Compressor,
}
