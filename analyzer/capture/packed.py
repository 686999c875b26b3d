"""A bundle in one file (.tar.zst, or compressed otherwise, or not at all) -> a folder with what is read of it, until the process ends."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from analyzer.capture.compression import CHUNK, Damaged, RawReader, Unsupported, compression_of, decompressed
from analyzer.errors import CaptureError
from analyzer.output import appearing
from analyzer.parts import BESIDE, CAPTURE_PATTERNS

BLOCK, MAGIC, MAGIC_AT = 512, b"ustar", 257
MAX_MEMBERS = 10_000
MAX_EXTRA = 1 << 20  # bytes of a header that says more of the member behind it
MAX_BESIDE = 16 << 30  # of counters or sockets: more than a week of a busy host
SHARE = 2  # of what is free, a part in so many is filled at most
UNPACK = "unpack it with tar, and name the folder"


def folder_of(path: str) -> str:
    """The folder in which a packed bundle was unpacked; any other path as it is.

    It is unpacked when it is first asked for, below TMPDIR. Raises CaptureError where that cannot be done.
    """
    try:
        status = os.stat(path) if path != "-" else None  # noqa: PTH116 all that is wanted of it, at once
    except OSError:  # whoever reads it says so
        return path
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size < BLOCK // 8:
        return path
    return _folder_of(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(64)
def _folder_of(path: str, *_: int) -> str:
    """The same for a file that is as it was."""
    try:
        with Path(path).open("rb") as file:
            return _unpacked(path, _plain(file)) if _is_packed(file) else path
    except PermissionError:  # whoever reads it says so
        return path


def _is_packed(file: BinaryIO) -> bool:
    """Does the file hold an archive? Captures do not look like one."""
    try:
        head = _taken(_plain(file), BLOCK)
    except (Damaged, EOFError):
        return False
    return len(head) == BLOCK and head[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def _plain(file: BinaryIO) -> RawReader:
    """What stands in a file, unpacked, from its beginning."""
    file.seek(0)
    head = file.read(64)
    if kind := compression_of(head):
        return decompressed(file, head, kind)
    file.seek(0)
    return file


def _taken(reader: RawReader, count: int) -> bytes:
    found = b""
    while len(found) < count and (piece := reader.read(count - len(found))):
        found += piece
    return found


class _Member(tarfile.TarInfo):
    """A member of which a header of a sane size tells more."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        found = super().frombuf(buf, encoding, errors)
        if found.size > MAX_EXTRA and found.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE):
            raise tarfile.ReadError(f"a header of {found.size:,} bytes")
        return found


def _unpacked(path: str, reader: RawReader) -> str:
    root = Path(tempfile.mkdtemp(prefix="tcpcap-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    target = root / Path(path).name
    target.mkdir()
    try:
        _unpack(path, reader, target)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return str(target)


def _unpack(path: str, reader: RawReader, target: Path) -> None:
    """Write the parts of the bundle in the archive into the folder, under their own names and nowhere else."""
    room = shutil.disk_usage(target).free // SHARE
    folders: dict[PurePosixPath, None] = {}
    try:
        with tarfile.open(fileobj=_Stream(reader), mode="r|", tarinfo=_Member) as archive:  # type: ignore[call-overload]
            for member in _parts(path, archive):
                place = PurePosixPath(member.name)
                folders[place.parent] = None
                if len(folders) > 1:
                    names = ", ".join(map(str, folders))
                    raise CaptureError(path, f"several bundles in one archive ({names})", f"{UNPACK} of one")
                room = _write(path, archive, member, target / place.name, room)
    except Unsupported as error:
        raise CaptureError(path, str(error), error.todo) from None
    except (Damaged, tarfile.TarError, EOFError) as error:
        raise CaptureError(
            path, f"an archive that is cut short or damaged ({error})", f"copy it again, or {UNPACK}"
        ) from None
    except OSError as error:
        todo = "make room, or set TMPDIR to a folder elsewhere"
        raise CaptureError(path, f"cannot be unpacked into {target.parent} ({error.strerror or error})", todo) from None
    if not any(fnmatchcase(file.name, pattern) for file in target.iterdir() for pattern in CAPTURE_PATTERNS):
        raise CaptureError(path, "an archive without a capture*.pcap", UNPACK)


def _parts(path: str, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members that are parts of a bundle. What else there is, links and devices among it, is passed over."""
    for number, member in enumerate(archive):
        if number >= MAX_MEMBERS:
            raise CaptureError(path, f"an archive of more than {MAX_MEMBERS:,} files", UNPACK)
        archive.members = []  # type: ignore[attr-defined] # it would remember them all
        name = PurePosixPath(member.name).name
        if (
            member.isreg()
            and not member.issparse()
            and any(fnmatchcase(name, each) for each in (*CAPTURE_PATTERNS, *BESIDE))
        ):
            yield member


def _write(path: str, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, room: int) -> int:
    """Write a member; how much room is left then."""
    most = min(room, MAX_BESIDE) if target.name in BESIDE else room
    if member.size > most:
        todo = f"{UNPACK}, or set TMPDIR to a folder with more room"
        raise CaptureError(
            path,
            f"{member.name} in it has {member.size:,} bytes, and {most:,} may be filled in {target.parent.parent}",
            todo,
        )
    content = archive.extractfile(member)
    assert content is not None  # it is a regular file
    if target.exists():
        raise tarfile.ReadError(f"{member.name} stands in it twice")
    with appearing(str(target), []) as file:
        while piece := content.read(CHUNK):
            file.write(piece)
    if target.stat().st_size < member.size:
        raise tarfile.ReadError(f"{member.name} ends early")
    return room - member.size


class _Stream:
    """A reader as tarfile wants it: it gives what is asked for, as long as there is any."""

    def __init__(self, reader: RawReader) -> None:
        self._reader = reader

    def read(self, size: int) -> bytes:
        return _taken(self._reader, size)
