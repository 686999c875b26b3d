"""A bundle in one file (.tar.zst, or compressed otherwise, or not at all) -> a folder with what is read of it, as long as somebody reads it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from analyzer.capture.compression import Damaged, RawReader, Unsupported, compression_of, decompressed
from analyzer.capture.kept import made_for
from analyzer.capture.tar import BLOCK, Archive, Member, is_header, taken
from analyzer.errors import CaptureError
from analyzer.output import appearing, removed, temporary_folder
from analyzer.parts import BESIDE, CAPTURE_PATTERNS
from analyzer.text import known_as, unknown

MAX_MEMBERS = 10_000
MAX_BESIDE = 16 << 30  # of counters or sockets: more than a week of a busy host
SHARE = 2  # of what is free, a part in so many is filled at most
UNPACK = "unpack it with tar, and name the folder"
MOST_KNOWN = 1 << 12  # files that are no archives, of which this is remembered
_folders: dict[tuple[str | int, ...], str] = {}  # of a file as it is: where it was unpacked, or itself


def folder_of(path: str) -> str:
    """The folder in which a packed bundle was unpacked; any other path as it is.

    It is unpacked when it is first asked for, below TMPDIR, and stays so while there is a `kept.Reader` of it. Raises CaptureError where that cannot be done.
    """
    try:
        status = os.stat(path) if path != "-" else None  # noqa: PTH116 all that is wanted of it, at once
    except OSError:  # whoever reads it says so
        return path
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size < BLOCK // 8:
        return path
    key = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if key not in _folders:
        try:
            with Path(path).open("rb") as file:
                folder = _unpacked(path, _plain(file), key) if _is_packed(file) else path
        except PermissionError:  # whoever reads it says so
            folder = path
        if folder == path and len(_folders) >= MOST_KNOWN:
            forget()
        _folders[key] = folder
    return _folders[key]


def forget() -> None:
    """Look at each file anew that was no archive."""
    for key in [key for key, folder in _folders.items() if folder == key[0]]:
        del _folders[key]


def _is_packed(file: BinaryIO) -> bool:
    """Does the file hold an archive? Captures do not look like one."""
    try:
        return is_header(taken(_plain(file), BLOCK))
    except (Damaged, EOFError):
        return False


def _plain(file: BinaryIO) -> RawReader:
    """What stands in a file, unpacked, from its beginning."""
    file.seek(0)
    head = file.read(64)
    if kind := compression_of(head):
        return decompressed(file, head, kind)
    file.seek(0)
    return file


def _unpacked(path: str, reader: RawReader, key: tuple[str | int, ...]) -> str:
    root = temporary_folder()
    target = root / Path(path).name
    try:
        target.mkdir()
        _unpack(path, reader, target)
    except OSError as error:
        removed(root)
        raise _no_room(path, error) from None
    except BaseException:
        removed(root)
        raise
    known_as(str(target), path)

    def gone() -> None:
        unknown(str(target))
        _folders.pop(key, None)

    made_for(path, root, gone)
    return str(target)


def _no_room(path: str, error: OSError) -> CaptureError:
    found = f"cannot be unpacked ({error.strerror or error})"
    return CaptureError(path, found, "make room, or set TMPDIR to a folder elsewhere")


def _unpack(path: str, reader: RawReader, target: Path) -> None:
    """Write the parts of the bundle in the archive into the folder, under their own names and nowhere else."""
    folders: dict[PurePosixPath, None] = {}
    try:
        archive = Archive(reader)
        for member in _parts(path, archive, target):
            place = PurePosixPath(member.name)
            folders[place.parent] = None
            if len(folders) > 1:
                names = ", ".join(map(str, folders))
                raise CaptureError(path, f"several bundles in one archive ({names})", f"{UNPACK} of one")
            _write(archive, member, target / place.name)
    except Unsupported as error:
        raise CaptureError(path, str(error), error.todo) from None
    except (Damaged, EOFError) as error:
        raise CaptureError(
            path, f"an archive that is cut short or damaged ({error})", f"copy it again, or {UNPACK}"
        ) from None
    except OSError as error:
        raise _no_room(path, error) from None
    if not any(fnmatchcase(file.name, pattern) for file in target.iterdir() for pattern in CAPTURE_PATTERNS):
        raise CaptureError(path, "an archive without a capture*.pcap", UNPACK)


def _parts(path: str, archive: Archive, target: Path) -> Iterator[Member]:
    """The members that are parts of a bundle. What else there is, links and devices among it, is passed over: but it is read, and that takes its time."""
    room = shutil.disk_usage(target).free // SHARE
    for number, member in enumerate(archive):
        if number >= MAX_MEMBERS:
            raise CaptureError(path, f"an archive of more than {MAX_MEMBERS:,} files", UNPACK)
        name = PurePosixPath(member.name).name
        most = min(room, MAX_BESIDE) if name in BESIDE else room
        if member.size > most:
            found = f"{member.name} in it has {member.size:,} bytes, and {most:,} may be filled in {target.parent}"
            raise CaptureError(path, found, f"{UNPACK}, or set TMPDIR to a folder with more room")
        room -= member.size
        if member.is_file and any(fnmatchcase(name, each) for each in (*CAPTURE_PATTERNS, *BESIDE)):
            yield member


def _write(archive: Archive, member: Member, target: Path) -> None:
    if target.exists():
        raise Damaged(f"{member.name} stands in it twice")
    with appearing(str(target), []) as file:
        for piece in archive.chunks():
            file.write(piece)
