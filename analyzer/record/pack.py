"""The folder of a bundle -> one file, which is complete when it appears; then the folder leaves."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from analyzer.output import appearing
from analyzer.parts import BESIDE

LEVEL = 3


def packed(folder: Path, target: Path) -> tuple[Path, int]:
    """Make the .tar.zst, small files first, and remove the folder; the file, and its size in bytes."""
    import zstandard

    files = sorted(folder.iterdir(), key=lambda file: (file.name not in BESIDE, file.name))
    with appearing(str(target), []) as output:
        compressor = zstandard.ZstdCompressor(level=LEVEL, threads=-1)
        with (
            compressor.stream_writer(output, closefd=False) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            for file in files:
                archive.add(file, f"{folder.name}/{file.name}", filter=_nobody)
    size = target.stat().st_size
    shutil.rmtree(folder)
    return target, size


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who recorded it is nobody's business."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
