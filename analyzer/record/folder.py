"""The folder of a bundle while it is made: host.json, the files of snapshots, and which files of frames are too old for a ring."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from analyzer.output import Input, appearing
from analyzer.parts import CAPTURE_PATTERNS, COUNTERS_FILE, HOST_FILE, SOCKETS_FILE
from analyzer.record.lines import SLACK, Lines
from analyzer.record.namespace import RecordError
from analyzer.record.plan import RESERVE, Plan
from analyzer.record.programs import Program, group_of
from analyzer.record.rights import User, acting_as, grant, is_root
from analyzer.text import size_text

THERE = ("is there already", "name another folder with -o, or remove it")
PRIVATE, SHARED = 0o700, 0o1770  # the latter with one group; in such a folder each removes only what is its own


class Folder:
    """What is written beside the frames. `counters` and `sockets` take snapshots."""

    def __init__(self, plan: Plan) -> None:
        self.path = plan.folder
        self.counters = Lines(self.path / COUNTERS_FILE, plan.ring_ns)
        self.sockets = Lines(self.path / SOCKETS_FILE, plan.ring_ns)
        self._ring_ns = plan.ring_ns + plan.ring_ns // SLACK  # the frames of all snapshots that are there
        self._seen: dict[Path, int] = {}  # when each file of frames was first seen, in their order

    def describe(self, host: dict[str, Any], recording: dict[str, Any]) -> None:
        """Write host.json: the host, and what is known of the recording by now."""
        with appearing(str(self.path / HOST_FILE), [Input(str(self.path / COUNTERS_FILE))]) as file:  # as private
            file.write(json.dumps({**host, "recording": recording}, indent=2).encode() + b"\n")

    def prune(self, now_ns: int) -> None:
        """Remove the files whose frames are all older than the ring: another one was begun so long ago."""
        if not self._ring_ns:
            return
        for file in sorted(set(self.captures()) - self._seen.keys(), key=lambda each: each.stat().st_mtime_ns):
            self._seen[file] = now_ns
        files = list(self._seen)
        for file, after in pairwise(files):
            if now_ns - self._seen[after] > self._ring_ns:
                file.unlink(missing_ok=True)
                del self._seen[file]

    def captures(self) -> list[Path]:
        """The files of frames."""
        return sorted({file for pattern in CAPTURE_PATTERNS for file in self.path.glob(pattern)})

    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.path.iterdir())

    def has_room(self) -> bool:
        """Is there more free than what is left to others?"""
        return shutil.disk_usage(self.path).free > RESERVE

    def close(self) -> None:
        """No more snapshots come."""
        self.counters.close()
        self.sockets.close()

    def taken_back(self, owner: User | None) -> None:
        """Nobody captures any more: the folder is its owner's alone, and what another user wrote there root's, where it records."""
        try:
            grant(self.path, PRIVATE, owner)
        except FileNotFoundError:  # one file was made of it
            return
        except (
            OSError
        ):  # somebody has put something else there: it is theirs, and what was recorded is told all the same
            return
        for file in self.captures() if is_root() and owner is None else ():
            os.chown(file, os.geteuid(), os.getegid(), follow_symlinks=False)


@contextlib.contextmanager
def made(plan: Plan, program: Program | None = None, owner: User | None = None) -> Iterator[Folder]:
    """The folder of a plan, which is gone again where the body fails before anything was recorded.

    Parameters
    ----------
    program : what captures into it; None where nothing does that is another user
    owner : who makes it, and whose it is; None for this user

    Raises RecordError where it is there already, or cannot be made, or has no room.
    """
    with acting_as(owner):
        path, missing = plan.folder, _missing(plan)
        folder = _begun(plan, missing)
    try:
        if program and missing:
            _let_in(path, program, owner)
        yield folder
    finally:
        with acting_as(owner):
            if missing:
                folder.taken_back(owner)
            folder.close()
            if not folder.counters.count:  # it did not begin
                _remove(path, missing)


def _begun(plan: Plan, missing: list[Path]) -> Folder:
    """The folder with the files of snapshots in it."""
    path = plan.folder
    try:
        for each in reversed(missing):
            each.mkdir(PRIVATE if each == path else 0o777)
        free = shutil.disk_usage(path).free
        if free <= RESERVE:
            found = f"{size_text(free)} are free there, and {size_text(RESERVE)} are left to others"
            raise RecordError(str(path), found, "make room, or name a folder elsewhere with -o")
        return Folder(plan)
    except FileExistsError:  # by somebody who began in the same moment: all that is there is theirs
        raise RecordError(str(path), *THERE) from None
    except OSError as error:
        _remove(path, missing)
        raise RecordError(str(path), f"cannot be written ({error.strerror or error})", "name another folder") from None
    except RecordError:
        _remove(path, missing)
        raise


def _let_in(path: Path, program: Program, owner: User | None) -> None:
    """Let a program that opens its files as another user make them there; it can neither remove nor replace what is another's."""
    if program.to_output or (program.user is None and owner is None):
        return
    grant(path, SHARED, owner, group_of(program, owner))


def written(plan: Plan) -> set[Path]:
    """The folders that are there, and are written to."""
    path = plan.folder.absolute()
    nearest = next(each for each in (path, *path.parents) if each.exists())
    return {nearest, *([path.parent] if plan.packed and nearest == path else [])}


def _missing(plan: Plan) -> list[Path]:
    """The folder and those above it that are to be made, from the inside out. Raises RecordError where something is there already."""
    path = plan.folder
    there = plan.pack if plan.packed and plan.pack.exists() else path
    try:
        if there != path or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
            raise RecordError(str(there), *THERE)
        return [each for each in (path, *path.parents) if not each.exists()]
    except OSError as error:
        raise RecordError(str(path), f"cannot be read ({error.strerror or error})", "name another folder") from None


def _remove(path: Path, made: list[Path]) -> None:
    """Leave nothing behind: neither files, nor the folders that were made for them."""
    with contextlib.suppress(OSError):  # there may be no folder
        for file in path.iterdir():
            file.unlink()
    for each in made:
        with contextlib.suppress(OSError):  # there may be something of others by now
            each.rmdir()
