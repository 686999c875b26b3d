"""A file -> pieces of text of whole lines: unpacked, decoded, without what terminals add. None of its lines is longer than allowed."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from analyzer.counters.drafts import SnapshotError
from analyzer.patterns import regex

PIECE = 1 << 20
MAX_LINE = 1 << 20
MAX_JSON_LINE = 1 << 28  # an answer of Prometheus is one line
HEAD = 1 << 16

_TERMINAL = regex(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>])")
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF8, "utf-8"))


class Text:
    """The text of a file, and what else is to be known of it once it was read.

    Attributes
    ----------
    passed : characters that were read
    modified_ns : when the file was modified last
    head : its first characters
    complete : whether the last line has its end
    damage : what is wrong with a compressed file, empty if nothing is
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.passed = self.modified_ns = 0
        self.head = self.damage = ""
        self.complete = True

    def __iter__(self) -> Iterator[str]:
        parts: list[str] = []
        lines = 1
        for text in self._pieces():
            self.head = self.head or text[:HEAD]
            self.passed += len(text)
            end = text.rfind("\n") + 1
            if not end:
                parts.append(text)
                self._check(parts[0], sum(map(len, parts)), lines)
                continue
            whole = "".join([*parts, text[:end]])
            parts = [text[end:]]
            self._check(parts[0], len(parts[0]), lines + whole.count("\n"))
            if len(whole) > MAX_LINE and max(map(len, whole.split("\n"))) > MAX_LINE:
                for number, line in enumerate(whole.split("\n"), lines):
                    self._check(line, len(line), number)
            lines += whole.count("\n")
            yield whole
        if any(parts):
            self.complete = False
            yield "".join(parts)

    def _pieces(self) -> Iterator[str]:
        """Decoded, with `\\n` at the end of lines."""
        # Waits until a file is read: who only asks what a counter means needs no numpy.
        from analyzer.capture.compression import Damaged, compression_of, decompressed

        with self._path.open("rb") as file:
            self.modified_ns = os.fstat(file.fileno()).st_mtime_ns
            first = file.read(6)
            kind = compression_of(first)
            source = decompressed(file, first, kind) if kind else None
            start = b"" if source else first
            decoder, kept = None, ""
            while True:
                try:
                    data = start + (source.read(PIECE) if source else file.read(PIECE))
                except Damaged as error:
                    self.damage, data = str(error), b""
                start = b""
                if decoder is None:
                    name, data = _encoding(data)
                    decoder = codecs.getincrementaldecoder(name)(errors="replace")
                text = kept + decoder.decode(data, final=not data)
                kept = ""
                if data and text.endswith(("\r", "\x1b")):
                    text, kept = text[:-1], text[-1]  # what belongs to it comes next
                if text:
                    yield _plain(text)
                if not data:
                    break

    def _check(self, line: str, size: int, number: int) -> None:
        """Raise SnapshotError where a line is longer than allowed."""
        most = MAX_JSON_LINE if line.startswith(("{", "[")) else MAX_LINE
        if size > most:
            where = f"{self._path}:{number}"
            raise SnapshotError(where, f"a line of more than {most:,} bytes", "is it the right file?")


def _encoding(data: bytes) -> tuple[str, bytes]:
    """The encoding that a mark at the beginning tells, or zeros beside every letter; and the bytes behind the mark."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name, data[len(mark) :]
    sample = data[:64]
    for zeros, letters, name in ((sample[1::2], sample[::2], "utf-16-le"), (sample[::2], sample[1::2], "utf-16-be")):
        if len(sample) > 3 and not any(zeros) and all(letters):
            return name, data
    return "utf-8", data


def _plain(text: str) -> str:
    """Without colours and carriage returns."""
    if "\x1b" in text:
        text = _TERMINAL.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
