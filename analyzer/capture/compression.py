"""Compressed bytes -> plain bytes, recognised by content, as a stream that never seeks."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Protocol

CHUNK = 1 << 18
FEED = 1 << 12  # compressed bytes at a time: what a decompressor makes of them is lost where it meets damage in them
MAX_WINDOW = 1 << 27  # as much as `zstd -d` grants without --long
MAX_XZ_MEMORY = 1 << 28  # xz -9 needs 65 MiB
ZSTD_HEADER = 18  # bytes of the header of a frame, at most


class RawReader(Protocol):
    """What is read from: a file, a pipe."""

    def read(self, size: int, /) -> bytes: ...


class Damaged(Exception):
    """The compressed data ends early or is not what it should be."""


class Unsupported(Damaged):
    """The compressed data is right, as far as that is known, but asks for more than is granted; `todo` is the next step."""

    def __init__(self, found: str, todo: str) -> None:
        super().__init__(found)
        self.todo = todo


class _Members:
    """A decompressor object per member or frame, as `gzip`, `xz`, `bzip2`, `zstd` and `lz4` allow several in a row."""

    def __init__(
        self, raw: RawReader, first: bytes, name: str, make: Callable[[], Any], errors: tuple[type[Exception], ...]
    ):
        self._raw, self._name, self._make, self._errors = raw, name, make, errors
        self._pending = first
        self._member: Any = None
        self._members = 0

    def read(self, size: int) -> bytes:
        """Up to `size` plain bytes, b'' at the end; raises Damaged where the stream breaks off."""
        while True:
            if self._member is None:
                if not self._refill():
                    return b""
                self._member = self._make()
                self._members += 1
            out = self._decompress(size)
            if self._member.eof:
                self._pending = self._member.unused_data or b""  # None in lz4
                self._member = None
            if out:
                return out

    def _refill(self) -> bool:
        """Bytes for the next member; zero padding after the last one (tar, dd) is no member."""
        while True:
            if self._members:
                self._pending = self._pending.lstrip(b"\0")
            if self._pending:
                return True
            self._pending = self._raw.read(FEED)
            if not self._pending:
                return False

    def _decompress(self, size: int) -> bytes:
        member = self._member
        fed = self._pending
        self._pending = b""
        if not fed and getattr(member, "needs_input", True):
            fed = self._raw.read(FEED)
            if not fed:
                raise Damaged(f"the {self._name} data is cut short")
        try:
            out: bytes = member.decompress(fed, size)
        except self._errors as error:
            if isinstance(error, lzma.LZMAError) and "limit" in str(error):
                raise Unsupported(
                    f"the xz data needs more than {MAX_XZ_MEMORY >> 20} MiB to be unpacked",
                    "unpack it with `xz -d IN`, and name what that writes",
                ) from None
            raise Damaged(f"the {self._name} data is damaged ({error})") from error
        return out


class _Gzip:
    """zlib's decompressor with the interface of bz2's: `needs_input`, `eof`, bounded output."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, size: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, size)


class _Zstd:
    """zstandard's decompressor; what it makes of one small input is held back and handed out in pieces."""

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj(write_size=CHUNK)
        self._inner_eof = False
        self._held = b""
        self._input = b""
        self._head: bytes | None = b""  # the header of the frame, as far as it is there; None when it was looked at
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._inner_eof and not self._held

    @property
    def needs_input(self) -> bool:
        return not self._held and not self._input

    def decompress(self, data: bytes, size: int) -> bytes:
        self._input += data
        self._look_at_header(data)
        # A little input at a time: a zstd block is at most 128 KiB of output, so what is held stays below 16 MiB.
        while not self._held and self._input and not self._inner_eof:
            piece, self._input = self._input[:512], self._input[512:]
            self._held = self._inner.decompress(piece)
            if self._inner.eof:
                self._inner_eof = True
                self.unused_data = self._inner.unused_data + self._input
                self._input = b""
        out, self._held = self._held[:size], self._held[size:]
        return out

    def _look_at_header(self, data: bytes) -> None:
        """Raise Unsupported where the frame cannot be unpacked without an option of zstd (RFC 8878 section 3.1.1.1)."""
        import zstandard

        if self._head is None:
            return
        self._head += data[:ZSTD_HEADER]
        try:
            needs = zstandard.get_frame_parameters(self._head)
        except zstandard.ZstdError:  # not all of it yet, or damaged: unpacking tells
            if len(self._head) >= ZSTD_HEADER:
                self._head = None
            return
        self._head = None
        if needs.window_size > MAX_WINDOW:
            bits = (needs.window_size - 1).bit_length()
            raise Unsupported(
                f"the zstd data needs a window of {needs.window_size >> 20:,} MiB, and {MAX_WINDOW >> 20} are granted",
                f"unpack it with `zstd -d --long={bits} IN`, and name what that writes",
            )
        if needs.dict_id:
            raise Unsupported(
                f"the zstd data was compressed with a dictionary (number {needs.dict_id})",
                "unpack it with `zstd -d -D DICTIONARY IN`, and name what that writes",
            )


def _lz4() -> Any:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor()


def _zstd_errors() -> tuple[type[Exception], ...]:
    import zstandard

    return (zstandard.ZstdError,)


_MAGIC_OF = {
    "gzip": b"\x1f\x8b",
    "zstd": b"\x28\xb5\x2f\xfd",
    "lz4": b"\x04\x22\x4d\x18",
    "xz": b"\xfd7zXZ\0",
    "bzip2": b"BZh",
}
_MAKE: dict[str, tuple[Callable[[], Any], Callable[[], tuple[type[Exception], ...]]]] = {
    "gzip": (_Gzip, lambda: (zlib.error,)),
    "zstd": (_Zstd, _zstd_errors),
    "lz4": (_lz4, lambda: (RuntimeError,)),
    "xz": (lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_XZ_MEMORY), lambda: (lzma.LZMAError,)),
    "bzip2": (bz2.BZ2Decompressor, lambda: (OSError, ValueError)),
}


def compression_of(head: bytes) -> str:
    """The name of the compression that `head`, the first bytes of a file, shows; '' for none."""
    while head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:  # a skippable frame (zstd, lz4), as pzstd begins with
        head = head[8 + int.from_bytes(head[4:8], "little") :]
    return next((name for name, magic in _MAGIC_OF.items() if head.startswith(magic)), "")


def decompressed(raw: RawReader, head: bytes, name: str) -> RawReader:
    """A reader of the plain bytes of `raw`, of which `head` has been read already."""
    make, errors = _MAKE[name]
    return _Members(raw, head, name, make, errors())
