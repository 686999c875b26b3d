"""A tar archive read forward, once: the name, the kind and the bytes of each member, whoever made it.

Python's tarfile follows headers that hang on one another as deep as they go, and takes any number in them for one: this
reader holds no more than a block or a name at a time, and what it cannot take for a header is damage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from analyzer.capture.compression import CHUNK, Damaged, RawReader
from analyzer.patterns import regex

BLOCK = 512
MAX_EXTRA = 1 << 20  # bytes of all headers in an archive that say more of the member behind them
REGULAR, SPARSE, LONG_NAME, PAX = b"0\x007", b"S", b"L", b"xX"
TELLING = b"LKxXg"  # headers that say something of others
WITHOUT_CONTENT = b"123456"  # links, devices, folders: what they give as their size is not there
SPARSE_MORE, SPARSE_MORE_AGAIN = 482, 504  # where it is said that another block of the map follows
_OCTAL = regex(rb"[ \0]*([0-7]*)[ \0].*|[ \0]*([0-7]*)", re.DOTALL)


class Member(NamedTuple):
    """What stands in an archive: `is_file` where its bytes are those of a regular file, in their order."""

    name: str
    size: int
    is_file: bool


class Archive:
    """The members, one after the other; `chunks` gives the bytes of the last one. Raises Damaged (or what `reader` does)."""

    def __init__(self, reader: RawReader) -> None:
        self._reader = _Ahead(reader)
        self._extra = MAX_EXTRA
        self._left = self._padding = 0  # of the content of the last member, and behind it

    def __iter__(self) -> Iterator[Member]:
        told: dict[bytes, bytes] = {}
        while True:
            for _ in self.chunks():
                pass
            self._take(self._padding)
            self._padding = 0
            block = taken(self._reader, BLOCK)
            if not block.strip(b"\0"):  # so many zeros, or nothing: it is the end
                return
            if not is_header(block):
                raise Damaged("not a header where one must stand")
            kind, size = block[156:157], number(block[124:136])
            if kind in TELLING:
                content = self._more(size)
                if kind in LONG_NAME:
                    told[b"path"] = content
                elif kind in PAX:
                    told |= records(content)
                continue
            if kind in SPARSE:
                more = block[SPARSE_MORE]
                while more:
                    more = self._more(BLOCK)[SPARSE_MORE_AGAIN]
            if b"size" in told:
                size = number(told[b"size"], 10)
            size = 0 if kind in WITHOUT_CONTENT else size
            sparse = kind in SPARSE or any(name.startswith(b"GNU.sparse") for name in told)
            name = _text(told[b"path"] if b"path" in told else _name(block))
            self._left, self._padding = size, -size % BLOCK
            told = {}
            yield Member(name, size, kind in REGULAR and not sparse and not name.endswith("/"))

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the last member, as far as they were not asked for yet."""
        while self._left:
            piece = self._reader.read(min(self._left, CHUNK))
            if not piece:
                raise Damaged("it ends within a file")
            self._left -= len(piece)
            yield piece

    def _more(self, size: int) -> bytes:
        """What a header says of others, as long as all of that together is of a sane size."""
        self._extra -= size + BLOCK
        if self._extra < 0:
            raise Damaged(f"more than {MAX_EXTRA:,} bytes of headers about other headers")
        content = self._take(size)
        self._take(-size % BLOCK)
        return content

    def _take(self, count: int) -> bytes:
        found = taken(self._reader, count)
        if len(found) < count:
            raise Damaged("it ends within a header")
        return found


class _Ahead:
    """Reads much at a time, and gives little: what unpacks has more work with each request than with each byte."""

    def __init__(self, reader: RawReader) -> None:
        self._reader = reader
        self._held = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        if not self._held:
            self._held = memoryview(self._reader.read(CHUNK))
        piece, self._held = self._held[:size], self._held[size:]
        return bytes(piece)


def taken(reader: RawReader, count: int) -> bytes:
    """So many bytes, or those that are left."""
    pieces, left = [], count
    while left and (piece := reader.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def is_header(block: bytes) -> bool:
    """Is it the header of a member? It says so, and its checksum is right: a frame of a capture may hold the word."""
    if len(block) != BLOCK or block[257:262] != b"ustar":
        return False
    try:
        told = number(block[148:156])
    except Damaged:
        return False
    return told == sum(block) - sum(block[148:156]) + 8 * ord(" ")


def number(field: bytes, base: int = 8) -> int:
    """A number as digits, or to the base 256 where its first bit says so. Raises Damaged where it is none, or less than 0."""
    if base == 10:
        if re.fullmatch(rb"\d{1,18}", field):
            return int(field)
    elif field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    elif found := _OCTAL.fullmatch(field):
        return int(found[1] or found[2] or b"0", 8)
    raise Damaged(f"{field!r} is no size")


def records(content: bytes) -> dict[bytes, bytes]:
    """The records `LENGTH NAME=VALUE` of a pax header, each on its line."""
    found, at = {}, 0
    while at < len(content) and content[at : at + 1] != b"\0":
        digits, space, _ = content[at : at + 20].partition(b" ")
        length = number(digits, 10) if space else 0
        name, equals, value = content[at + len(digits) + 1 : at + length].partition(b"=")
        if not equals or value[-1:] != b"\n":
            raise Damaged("a header with a record that is none")
        found[name] = value[:-1]
        at += length
    return found


def _name(block: bytes) -> bytes:
    """As POSIX has it, with what stands before it in another place; GNU keeps other things there."""
    name, before = (part.partition(b"\0")[0] for part in (block[:100], block[345:500]))
    return before + b"/" + name if before and block[257:263] == b"ustar\0" else name


def _text(name: bytes) -> str:
    return name.partition(b"\0")[0].decode(errors="surrogateescape")
