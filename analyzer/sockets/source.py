"""The text of a socket list, a few hundred kB at a time, from files compressed or not, in UTF-8 or UTF-16.

Lines of JSON with a list in a string of theirs are never held as a whole: one snapshot of a busy host has hundreds of MB.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.capture.compression import Damaged, RawReader, compression_of, decompressed
from analyzer.counters.prefixes import message_of
from analyzer.counters.stamps import Stamp
from analyzer.patterns import regex
from analyzer.sockets.sockets import SocketsError

CHUNK = 1 << 18
WHOLE = 1 << 20  # a line of JSON up to this size is read as a whole
MAX_LINE = 1 << 20
MAX_OBJECT = 16 << 20
KINDS = ("ss", "netstat", "proc", "text")
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_HEAD = regex(rb'\s*\{\s*"time"\s*:\s*("?)([0-9.eE+-]{1,40})\1\s*,\s*"(?:' + "|".join(KINDS).encode() + rb')"\s*:\s*"')
_COLOUR = regex(r"\x1b\[[0-9;?]*[A-Za-z]")
_LAST_TIME = 1 << 33  # seconds
_WHOLE_LOGGED = 1 << 14  # docker cuts longer lines
_ANOTHER_NS = 400_000_000  # lines of a log as far apart are of two lists


class Piece(NamedTuple):
    """Some lines, without ends; `begins` says that a snapshot of JSON begins here, taken at `time_ns` (0 where it does not tell)."""

    lines: list[str]
    begins: bool = False
    time_ns: int = 0


class Source:
    """The pieces of a file. `damages` says what could not be read, `modified_ns` when the file was written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.damages: list[str] = []
        self.modified_ns = 0
        self._logged_ns = 0  # when the line before was logged, in a log of objects
        self._part = ""  # of a line that was logged in several objects

    def __iter__(self) -> Iterator[Piece]:
        try:
            with Path(self.path).open("rb") as file:
                self.modified_ns = os.fstat(file.fileno()).st_mtime_ns
                yield from self._pieces(file)
        except OSError as error:
            if isinstance(error, IsADirectoryError):
                raise SocketsError(self.path, "a directory", "name a file in it") from None
            todo = "check the path" if isinstance(error, FileNotFoundError) else "check its permissions and try again"
            raise SocketsError(self.path, f"cannot be read ({error.strerror or error})", todo) from error

    def _pieces(self, file: RawReader) -> Iterator[Piece]:
        head = file.read(1 << 12)
        if name := compression_of(head):
            reader = decompressed(file, head, name)
            head = self._read(reader)
        else:
            reader = file
        encoding = _UTF16.get(head[:2], "")
        if encoding:
            yield from self._text(reader, head[2:], encoding)
        elif head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            yield from self._objects(reader, head.removeprefix(b"\xef\xbb\xbf"))
        else:
            yield from self._text(reader, head.removeprefix(b"\xef\xbb\xbf"), "utf-8")

    def _read(self, reader: RawReader) -> bytes:
        """Some more bytes, b'' at the end; where compressed data breaks off, it ends there."""
        try:
            return reader.read(CHUNK)
        except Damaged as error:
            self.damages.append(f"{error}: what stands before is read")
            return b""

    def _text(self, reader: RawReader, data: bytes, encoding: str) -> Iterator[Piece]:
        unit = 2 if encoding.startswith("utf-16") else 1
        end = "\n".encode(encoding)
        number = 0
        while True:
            more = self._read(reader)
            data += more
            cut = len(data) if not more else _last(data, end, unit)
            if cut == 0 and len(data) > MAX_LINE * unit:
                where = f"{self.path}:{number + 1}"
                raise SocketsError(where, f"a line of more than {MAX_LINE:,} bytes", "is it the right file?")
            if cut:
                lines = _lines(data[:cut].decode(encoding, errors="replace"))
                number += len(lines)
                yield Piece(lines)
                data = data[cut:]
            if not more:
                return

    # Lines of JSON

    def _objects(self, reader: RawReader, data: bytes) -> Iterator[Piece]:
        at, number = 0, 0
        while True:
            end = data.find(b"\n", at)
            if end < 0 and (more := self._read(reader) if len(data) - at <= WHOLE else b""):
                data, at = data[at:] + more, 0
                continue
            number += 1
            if end >= 0:
                yield from self._object(data[at:end], number)
                at = end + 1
            elif not (data := data[at:]):
                return
            elif found := _HEAD.match(data):
                yield Piece([], True, _nanoseconds(found[2].decode()) or 0)
                data, at = (yield from self._string(lambda: self._read(reader), data[found.end() :], number)), 0
            else:
                data, at = (yield from self._long_object(reader, data, number)), 0

    def _object(self, line: bytes, number: int) -> Iterator[Piece]:
        """A line that is there as a whole."""
        if found := _HEAD.match(line):
            yield Piece([], True, _nanoseconds(found[2].decode()) or 0)
            whole = line.endswith(b'"}') and _unescaped(line[found.end() : -2])
            if isinstance(whole, str):  # as nearly always
                yield Piece(_lines(whole))
            else:
                yield from self._string(bytes, line[found.end() :], number)
        elif line.strip():
            yield from self._other_order(line, number)

    def _string(self, read: Callable[[], bytes], data: bytes, number: int) -> Generator[Piece, None, bytes]:
        """The list in the string that `data` begins with, piece by piece; returns what stands behind the line."""
        while True:
            # Escapes are masked by what is as long as they are; of them only the ends of lines are looked for.
            masked = data.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
            close, broken = masked.find(b'"'), masked.find(b"\n")
            if broken >= 0 and (close < 0 or broken < close):
                self._damage(number)
                return data[broken + 1 :]
            if close >= 0:
                yield self._decoded(data[:close], number)
                return _behind(read, data[close + 1 :])
            cut = masked.rfind(b"\\n") + 2
            if cut > 1:  # where the string goes on, a piece ends with an end of line
                yield self._decoded(data[:cut], number)
                data = data[cut:]
            elif len(data) > MAX_LINE:
                where = f"{self.path}:{number}"
                raise SocketsError(where, f"a socket of more than {MAX_LINE:,} bytes", "is it the right file?")
            more = read()
            if not more:
                self._damage(number)
                return b""
            data += more

    def _long_object(self, reader: RawReader, data: bytes, number: int) -> Generator[Piece, None, bytes]:
        """A line that is not there as a whole, and whose members stand in another order; returns what stands behind it."""
        while (end := data.find(b"\n")) < 0 and len(data) < MAX_OBJECT and (more := self._read(reader)):
            data += more
        if len(data) >= MAX_OBJECT:
            todo = 'write {"time": ..., "ss": "..."} in this order'
            raise SocketsError(f"{self.path}:{number}", f"an object of more than {MAX_OBJECT:,} bytes", todo)
        line, rest = (data, b"") if end < 0 else (data[:end], data[end + 1 :])
        yield from self._other_order(line, number)
        return rest

    def _other_order(self, line: bytes, number: int) -> Iterator[Piece]:
        body = _loaded(line)
        if logged := message_of(body):
            yield from self._logged(*logged)
            return
        kind = next((kind for kind in KINDS if isinstance(body, dict) and isinstance(body.get(kind), str)), None)
        if body is None or kind is None:
            self._damage(number)
            return
        yield Piece([], True, _nanoseconds(str(body.get("time"))) or 0)
        yield Piece(_lines(body[kind]))

    def _logged(self, text: str, stamp: Stamp | None) -> Iterator[Piece]:
        """A line in an object of docker's or the journal's: a list begins where some time has passed since the line before."""
        time_ns = stamp.time_ns if stamp else self._logged_ns
        if abs(time_ns - self._logged_ns) > _ANOTHER_NS:
            yield Piece([], True, time_ns)
        self._logged_ns = time_ns
        text, self._part = self._part + text, ""
        if len(text) > MAX_LINE:
            raise SocketsError(self.path, f"a line of more than {MAX_LINE:,} bytes", "is it the right file?")
        if text.endswith("\n") or len(text.encode()) < _WHOLE_LOGGED:
            yield Piece(_lines(text))
        else:
            self._part = text

    def _decoded(self, raw: bytes, number: int) -> Piece:
        """The lines in a part of a string of JSON."""
        text = _unescaped(raw)
        if text is None:
            self._damage(number)
        return Piece(_lines(text or ""))

    def _damage(self, number: int) -> None:
        self.damages.append(f"line {number} is damaged, or no object with a time and a list of sockets")


def _behind(read: Callable[[], bytes], data: bytes) -> bytes:
    """What follows the line; what else it holds is passed over."""
    while (end := data.find(b"\n")) < 0:
        data = read()
        if not data:
            return b""
    return data[end + 1 :]


def _last(data: bytes, end: bytes, unit: int) -> int:
    """Where the last whole line ends."""
    at = data.rfind(end)
    while at >= 0 and at % unit:
        at = data.rfind(end, 0, at + len(end) - 1)
    return at + len(end) if at >= 0 else 0


def _lines(text: str) -> list[str]:
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")


def _unescaped(raw: bytes) -> str | None:
    """What stands in a string of JSON; None where it ends early or is none."""
    try:
        text = json.loads(f'"{raw.decode("utf-8", errors="replace")}"', strict=False)
    except ValueError:
        return None
    return str(text)


def _loaded(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8", errors="replace"), parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None


def _nanoseconds(text: str) -> int | None:
    """Seconds since 1970 as nanoseconds, exactly."""
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        return None
    if not seconds.is_finite() or not 0 <= seconds < _LAST_TIME:
        return None
    return int(seconds.scaleb(9).to_integral_value())
