"""What JSON can say, and arrays of records as bytes, in a file: what is read is never run.

Its first line is the seal of all behind it, the second says what is there, with the seals of other files of the folder; then come the
arrays. A seal is a size and a check sum, and none where nobody asked for one.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

import numpy as np
import numpy.typing as npt

FOUND = "found"  # the file
PIECE = 1 << 20


def write(
    folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], *, sealed: bool = False
) -> None:
    """All of it, as the last file of a folder; `sealed` with what tells whether all of its files are whole."""
    contents = {name: np.ascontiguousarray(array).view(np.uint8).reshape(-1) for name, array in arrays.items()}
    places, at = {}, 0
    for name, content in contents.items():
        places[name] = [at, len(content)]
        at += len(content)
    others = {file.name: _seal(file) for file in sorted(folder.iterdir())} if sealed else {}
    line = json.dumps({"facts": facts, "arrays": places, "files": others}).encode() + b"\n"
    seal = [0, 0]
    pieces: list[bytes | memoryview] = [line, *(content.data for content in contents.values())]
    for piece in pieces if sealed else ():
        seal = [seal[0] + len(piece), crc32(piece, seal[1])]
    with (folder / FOUND).open("wb") as file:
        file.write(json.dumps(seal if sealed else None).encode() + b"\n")
        for piece in pieces:
            file.write(piece)


def read_facts(folder: Path) -> dict[str, Any]:
    """What JSON said."""
    with (folder / FOUND).open("rb") as file:
        found: dict[str, Any] = _told(file)["facts"]
    return found


def read(folder: Path, name: str, dtype: Any) -> npt.NDArray[Any]:
    """An array of one dimension; it may be written to."""
    with (folder / FOUND).open("rb") as file:
        place, size = _told(file)["arrays"][name]
        file.seek(place, 1)
        return np.frombuffer(bytearray(file.read(size)), dtype)


def whole(folder: Path) -> dict[str, Any] | None:
    """What JSON said, if all is as it was sealed; None where anything is missing, damaged or was written by another."""
    try:
        with _file(folder / FOUND) as file:
            if json.loads(file.readline()) != _seal_of(file):
                return None
            file.seek(0)
            told = _told(file)
        facts: dict[str, Any] = told["facts"]
        sealed: dict[str, list[int]] = told["files"]
        return facts if all(_seal(folder / Path(name).name) == seal for name, seal in sealed.items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _told(file: BinaryIO) -> dict[str, Any]:
    """What the second line says; the arrays are behind it."""
    file.readline()
    told: dict[str, Any] = json.loads(file.readline())
    return told


def _file(path: Path) -> BinaryIO:
    """A file, opened. Raises OSError where it is none, but a link, or something that might be waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no file", str(path))
    return file


def _seal(path: Path) -> list[int]:
    """The seal of a file."""
    with _file(path) as file:
        return _seal_of(file)


def _seal_of(file: BinaryIO) -> list[int]:
    """The size of what is left of a file, and its check sum."""
    size = found = 0
    while piece := file.read(PIECE):
        size, found = size + len(piece), crc32(piece, found)
    return [size, found]
