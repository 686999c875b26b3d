"""The folder of a bundle -> one file, which is complete when it appears; then what is in it leaves the folder, and the folder."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from analyzer.output import Input, appearing
from analyzer.parts import BESIDE
from analyzer.record.namespace import RecordError
from analyzer.record.plan import RESERVE

LEVEL = 3
ASK_BYTES = 4 << 20  # written between two looks at what is free


def packed(folder: Path, target: Path, over: Callable[[], bool] = lambda: False) -> int:
    """Make the .tar.zst, small files first, and remove what went into it, and the folder; its size in bytes.

    `over` says whether to leave it at that. Raises TcpcapError where it was over, where there is a file of that name by now,
    and where there is no room: as much as a recording leaves to others is left. Then the folder is as it was.
    """
    import zstandard

    if os.path.lexists(target) and not target.is_symlink():
        raise RecordError(str(target), "is there already", "name another file")
    files = sorted(folder.iterdir(), key=lambda file: (file.name not in BESIDE, file.name))
    with appearing(str(target), list(map(Input, map(str, files)))) as output:
        compressor = zstandard.ZstdCompressor(level=LEVEL, threads=-1)
        with (
            compressor.stream_writer(_Careful(output, target.parent, over), closefd=False) as stream,  # type: ignore[arg-type]
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            for file in files:
                archive.add(file, f"{folder.name}/{file.name}", filter=_nobody)
    for file in files:
        file.unlink()
    with contextlib.suppress(OSError):  # a link to a folder is whose it is
        folder.rmdir()
    return target.stat().st_size


class _Careful:
    """A file that ends as a full disk does where others would find none free."""

    def __init__(self, file: BinaryIO, folder: Path, over: Callable[[], bool]) -> None:
        self._file, self._folder, self._over = file, folder, over
        self._unasked = ASK_BYTES

    def write(self, data: bytes) -> int:
        self._unasked += len(data)
        if self._over():
            raise RecordError(str(self._folder), "was not packed: it was interrupted", "pack it with tar")
        if self._unasked >= ASK_BYTES:
            self._unasked = 0
            if shutil.disk_usage(self._folder).free <= RESERVE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who recorded it is nobody's business."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
