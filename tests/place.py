"""Where commands run that are ended before they are done, and what they may have left there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.helpers import SAMPLES

BUNDLE = SAMPLES / "zero-window" / "server"
WAIT_S = 60.0  # for what a process began to end behind it


class Place(NamedTuple):
    """Where commands run: `folder` with what they read, `temporary` for what they may not leave."""

    folder: Path
    temporary: Path

    def wrong(self, before: dict[str, bytes], expected: dict[str, bytes]) -> Iterator[str]:
        """What is not as it must be: `before` is what was there, `expected` what may have been written, if it is whole."""
        now = self.files()
        for name, content in before.items():
            if now.pop(name, None) != content:
                yield f"{name} has changed"
        for name, content in now.items():
            if name not in expected or not _is_whole(content, expected[name]):
                yield f"{name} was left with {len(content):,} bytes"
        for path in self.temporary.iterdir():
            yield f"{path.name} was left"

    def clean(self) -> None:
        """Have it as it was."""
        for path in (*(self.folder / "out").iterdir(), *self.temporary.iterdir()):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def files(self) -> dict[str, bytes]:
        """All files and what is in them."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


def _is_whole(content: bytes, other: bytes) -> bool:
    """The same to its end: on a busy machine a rule may have had no time, and a page says so."""
    return content == other or content[-64:] == other[-64:]


def place_in(root: Path) -> Place:
    """A place below `root`: the bundle, the same as one file, and a folder to write to."""
    place = Place(root / "work", root / "temporary")
    shutil.copytree(BUNDLE, place.folder / "B")
    (place.folder / "out").mkdir()
    place.temporary.mkdir()
    archive = shutil.make_archive(str(place.folder / "packed"), "gztar", BUNDLE.parent, BUNDLE.name)
    Path(archive).rename(place.folder / "packed.tgz")
    (place.folder / "key").write_bytes(bytes(range(32)))
    return place


def workers_left(temporary: Path, other: int = 0) -> list[int]:
    """The processes that began with this TMPDIR but for an `other`, after as long as they may take to end."""
    until = time.monotonic() + WAIT_S
    while (found := workers(temporary, other)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def workers(temporary: Path, other: int = 0) -> list[int]:
    """Those that there are now. A fork is called as who forked it, and has what was in the environment of that when it began."""
    mark, found = f"TMPDIR={temporary}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int(process.name) != other and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:  # it has ended meanwhile
            continue
    return found
