"""What tasks have written, in a folder that outlives the process: who begins again finds what was done, if it is whole and of the same work.

The name of an entry says what it hangs on: first the work, which is the capture and the versions, then the task and all that it
reads. So an entry of other work is not looked at, and never removed; one of this work that is not what was written is done anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

from analyzer.capture.where import address_of, away_of, is_url, named
from analyzer.cluster import arrays
from analyzer.cluster.executor import Executor, Result, Task
from analyzer.cluster.same import about
from analyzer.errors import UsageError
from analyzer.output import meant, removed

FORMAT = 2  # of what tasks write
HEAD = 1 << 16  # bytes of the capture that are compared, at either end
LOCK = ".tcpcap-lock"
OVERFLOW = Path("/proc/sys/kernel/overflowuid")  # as Linux tells it
MAKING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
WORK, TASK = 12, 16  # hexadecimal digits of what an entry hangs on, in its name


class Kept:
    """The entries of the work on the files of one capture, below `folder`, which is made where it is not there, and is locked until `close`.

    Raises UsageError where that is no folder that can be written to, where another works there, and where another user could write
    there: what is found is believed.
    """

    def __init__(self, folder: Path, capture: Sequence[str]) -> None:
        self.folder = folder.absolute()
        self._work = _digest({"format": FORMAT, **about(), "capture": [sign_of(file) for file in capture]})[:WORK]
        self._closed = False
        self.found = 0  # tasks that were done before
        made: list[Path] = []
        try:
            for each in [each for each in (*reversed(self.folder.parents), self.folder) if not each.exists()]:
                each.mkdir(mode=0o700, exist_ok=True)
                made.append(each)
            if not self.folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            self.folder = self.folder.resolve()  # no link on the way is another one later
            if open_to_others := _open_to_others(self.folder):
                for each in reversed(made):
                    with suppress(OSError):
                        each.rmdir()
                todo = "name a folder of your own, in which nobody else may write"
                raise UsageError("--resume", f"{folder}: {open_to_others}", todo)
            self._lock = _locked(self.folder / LOCK)
        except BlockingIOError:
            raise UsageError(
                "--resume", f"{folder}: another tcpcap works there", "wait for it, or name another folder"
            ) from None
        except OSError as error:
            raise UsageError(
                "--resume", f"{folder}: {error.strerror}", "name a folder, or one that can be made"
            ) from None

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Others may work there; what is done stays."""
        if self._closed:  # the lock is another's, maybe
            return
        self._closed = True
        with suppress(OSError):  # the folder may be gone, or not ours to write in any more
            (self.folder / LOCK).unlink()  # before it is unlocked: then it could be another's
        if self._lock is not None:
            self._lock.close()

    def placed(self, name: str, task: Mapping[str, Any], label: str) -> dict[str, Any]:
        """The task, with the folder that it writes."""
        read = [Path(each).name for each in task.get("folders", ())]
        sign = _digest([name, _without_addresses({**task, "folders": read})])[:TASK]
        return {**task, "folder": str(self.folder / f"{label}-{self._work}-{sign}"), "sealed": True}

    def run(self, executor: Executor, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """As the executor does, but for what is there."""
        left = []
        for position, task in enumerate(tasks):
            folder = Path(task["folder"])
            facts = arrays.whole(folder)
            if facts is None:
                removed(folder)
                if os.path.lexists(folder):
                    found = f"{folder}: what is there is damaged, and cannot be removed"
                    raise UsageError("--resume", found, "remove it, or name another folder")
                left.append(position)
            else:
                self.found += 1
                yield position, facts
        for place, facts in executor.run(name, [tasks[position] for position in left]) if left else ():
            yield left[place], facts

    def drop(self) -> None:
        """The work is done: remove what was written of it, by this run or another, and what killed ones have begun to write.

        What they had begun of other work goes, too, if nobody else can be about to write it.
        """
        anybody = self._work if self._lock is None else f"[0-9a-f]{{{WORK}}}"
        with suppress(OSError):  # the folder may be gone
            for each in list(self.folder.iterdir()):
                if _is_entry(each.name, self._work) or _is_entry(meant(each.name), anybody):
                    removed(each)
        self.close()


def _is_entry(name: str, work: str) -> bool:
    """Is that the name of an entry of this work (a regular expression)?"""
    return re.fullmatch(rf"(range|share)-[0-9]+(-again)?-{work}-[0-9a-f]{{{TASK}}}", name) is not None


def _open_to_others(folder: Path) -> str:
    """What lets another user (but root) put something in the place of what is in this folder, there or in one above it; empty where nothing does.

    In a folder like /tmp nobody can take away what belongs to another. A group that is one user's own has no others in it.
    """
    if not hasattr(os, "geteuid"):  # Windows
        return ""
    owners = {0, os.geteuid()}
    for each in (folder, *folder.parents):
        status = each.stat()
        others = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid))
        if others and (each == folder or not status.st_mode & stat.S_ISVTX):
            return f"others can write to {each} (chmod go-w)"
        # In a container the root of the machine outside may have no number.
        outside = each != folder and status.st_uid == _nobody() and not os.access(each, os.W_OK)
        if status.st_uid not in owners and not outside:
            return f"{each} belongs to another user"
    return ""


def _is_own_group(number: int) -> bool:
    """Is it the group that many systems give each user alone, of the same name, which is this user's?"""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return user.pw_gid == number and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _nobody() -> int:
    """The number that stands for users without one; -1 where the system does not say."""
    try:
        return int(OVERFLOW.read_text())
    except (OSError, ValueError):
        return -1


def _locked(path: Path) -> BinaryIO | None:
    """A file, made and locked until it is closed; None where there are no locks.

    Raises BlockingIOError where another has locked it, and another OSError where it cannot be made.
    """
    while True:
        with ExitStack() as opened:
            file = opened.enter_context(os.fdopen(os.open(path, MAKING, 0o600), "ab"))
            if not _lock(file):
                return None
            # Else who had it has removed it meanwhile, and the next one would lock another file of that name.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    opened.pop_all()
                    return file


def _lock(file: BinaryIO) -> bool:
    """Lock it; or there are no locks. Raises BlockingIOError where another has done so."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # some network disks have none
        return False
    return True


def _without_addresses(what: Any) -> Any:
    """The same with the names of URLs in their place: who renews a signature, or a password, asks for the same work."""
    if isinstance(what, dict):
        return {key: _without_addresses(value) for key, value in what.items()}
    return named(what) if isinstance(what, str) else what


def _digest(what: Any) -> str:
    """Of what JSON can say."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def sign_of(capture: str) -> list[int | str]:
    """What changes with a file."""
    if (away := away_of(capture)) is not None:
        return list(away.sign)
    if is_url(capture):
        from analyzer.capture.remote import Remote

        with Remote(address_of(capture)) as remote:
            return remote.sign()
    path = Path(capture)
    seen = path.stat()
    with path.open("rb") as file:
        ends = hashlib.sha256(file.read(HEAD))
        file.seek(max(seen.st_size - HEAD, 0))
        ends.update(file.read(HEAD))
    return [seen.st_size, seen.st_mtime_ns, ends.hexdigest()]
