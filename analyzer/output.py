"""The one place that writes: files that appear when complete and never over an input, standard output, recordings."""

from __future__ import annotations

import atexit
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from io import BufferedRandom, FileIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from analyzer.errors import TcpcapError

STANDARD = "-"
REMEDIES = {
    errno.ENOENT: "make the folder first, or name another file",
    errno.ENOTDIR: "name a file in a folder",
    errno.EISDIR: "name a file in it",
    errno.EACCES: "write where you may, or name another file",
    errno.EROFS: "name a file on another disk",
    errno.ENAMETOOLONG: "give a shorter name",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room, or name a file on another disk"),
    errno.EFBIG: "raise the limit (`ulimit -f`), or name a file on a disk that holds larger ones",
}
_temporary: set[Path] = set()  # files and folders that leave when the process does; each stands here before it is made
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_temporary.clear)  # a fork removes what it makes itself


class Input(NamedTuple):
    """What is read: a file, `-` for standard input, or a folder (a bundle, rules) of which the files with certain names are read."""

    path: str
    names: tuple[str, ...] = ()  # as the shell writes them: capture*.pcap
    kind: str = "bundle"  # what the folder is called

    def files(self) -> list[str]:
        """Itself, or those files of the folder that are there."""
        if not self.names:
            return [self.path]
        try:
            return sorted(str(file) for file in Path(self.path).iterdir() if self.reads(file.name))
        except OSError:  # a folder that may not be listed: whoever reads it says so
            return []

    def reads(self, name: str) -> bool:
        """Would a file of this name in the folder be read?"""
        return any(fnmatchcase(name, each) for each in self.names)


@contextmanager
def appearing(target: str, inputs: Sequence[Input], binary: str = "") -> Iterator[BinaryIO]:
    """A file to write, which gets its name when all is written: what fails or is interrupted leaves nothing behind.

    A fifo or a device takes the bytes as they come, and so does standard output.

    Parameters
    ----------
    target : where to write, `-` for standard output
    inputs : all that is read meanwhile, as `analyzer.capture.bundle.inputs` gives it
    binary : what it is that is written, where a terminal cannot show it

    Raises TcpcapError where the target is an input or would become a part of one, before anything is opened, and where
    it cannot be written.
    """
    refuse_inputs(target, inputs)
    try:
        with _standard_output(binary) if target == STANDARD else _file(target, inputs) as file:
            yield file
    except OSError as error:
        if isinstance(error, BrokenPipeError) or not _is_about(error, target):
            raise
        raise TcpcapError(_shown(target), f"cannot be written ({error.strerror or error})", remedy(error)) from None


def remedy(error: OSError) -> str:
    """What to do about a file that cannot be written."""
    return REMEDIES.get(error.errno or 0, "name another file")


def growing(path: Path, new: bool = False) -> FileIO:
    """A file that grows while something is recorded: what is written is there at once, behind what is there already.

    One that is `new` is this user's alone; FileExistsError where there is one of its name.
    """
    return FileIO(path, "ab", opener=_opened_new if new else None)


def _opened_new(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_CLOEXEC, 0o600)


@contextmanager
def _file(target: str, inputs: Sequence[Input]) -> Iterator[BinaryIO]:
    path = Path(target)
    if path.exists() and not path.is_file():  # a directory refuses
        with path.open("wb") as file:
            yield file
        return
    path = _followed(path)
    draft = path.with_name(f".{path.name[:40]}-{secrets.token_hex(8)}")
    _temporary.add(draft)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            yield file
        # A file that is replaced keeps its permissions; a new one is as private as what it was made of.
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask() & _least(inputs))
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        _temporary.discard(draft)


def _followed(path: Path) -> Path:
    """A link keeps pointing at its target; what has become a link since is replaced, and not followed."""
    if not path.is_symlink():
        return Path(os.path.realpath(path.parent)) / path.name
    link, folder = path.lstat(), path.parent.stat()
    shared = folder.st_mode & (stat.S_ISVTX | stat.S_IWOTH) == stat.S_ISVTX | stat.S_IWOTH
    if shared and link.st_uid not in (os.geteuid(), folder.st_uid):  # as fs.protected_symlinks of Linux has it
        raise PermissionError(errno.EACCES, "a link of another user", str(path))
    return Path(os.path.realpath(path))


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name when all is written. Where another has made one of that name meanwhile, that stays."""
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}")
    _temporary.add(draft)
    try:
        draft.mkdir(mode=0o700)
        yield draft
        with suppress(OSError):
            draft.rename(folder)
        if not folder.is_dir():
            raise TcpcapError(str(folder), "cannot be written", "name another place for temporary files (TMPDIR)")
    finally:
        removed(draft)


def meant(draft: str) -> str:
    """The name that a draft of `whole_folder` was to get; empty where that is no name of a draft."""
    found = re.fullmatch(r"\.(.+)-[0-9a-f]{16}", draft)
    return found[1] if found else ""


def temporary_folder() -> Path:
    """A folder below TMPDIR for this user alone, until it is `removed` or the process ends. Raises TcpcapError where none can be made."""
    try:
        folder = Path(tempfile.gettempdir()) / f"tcpcap-{secrets.token_hex(8)}"
        _temporary.add(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise nothing_temporary(error) from None
    return folder


class _Unnamed(BufferedRandom):
    """A temporary file: where there is no room for it, that is said of TMPDIR, and not of what is written in the end."""

    def write(self, data: Any) -> int:
        with self._told():
            return super().write(data)

    def flush(self) -> None:
        with self._told():
            super().flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.raw.close()  # else what was not written would be tried again when it is closed
            raise nothing_temporary(error) from None

    def seek(self, target: int, whence: int = 0) -> int:
        self.flush()
        return super().seek(target, whence)


def temporary_file() -> BinaryIO:
    """A file without a name, which goes with whoever holds it; to write and to read. Raises TcpcapError where none can be made, and where it has no room."""
    try:
        return _Unnamed(tempfile.TemporaryFile(prefix="tcpcap-", buffering=0))
    except OSError as error:
        raise nothing_temporary(error) from None


def nothing_temporary(error: OSError) -> TcpcapError:
    """What is said where something temporary cannot be made, or written to."""
    found = f"nothing can be written in {tempfile.tempdir} ({error.strerror})"
    if tempfile.tempdir is None:  # no folder was found that may be the one
        found = "nothing can be written there, nor in /tmp, /var/tmp and the current folder"
    return TcpcapError("TMPDIR", found, "make room, or set it to a folder where you may write")


def removed(folder: Path) -> None:
    """Remove a temporary folder, with all that is in it; or what stands in its place."""
    if os.path.isdir(folder) and not os.path.islink(folder):  # noqa: PTH112, PTH114 # which raise nothing where one may not look
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with suppress(OSError):
            folder.unlink(missing_ok=True)
    _temporary.discard(folder)


@atexit.register
def remove_temporary() -> None:
    """Remove all that is temporary: the process ends."""
    for path in list(_temporary):
        if path.is_dir():
            removed(path)
        else:
            path.unlink(missing_ok=True)


def _least(inputs: Sequence[Input]) -> int:
    """What everybody may do with all files that are read."""
    mode = 0o777
    for path in (path for each in inputs for path in each.files()):
        status = _status(path, sys.stdin)
        if status is not None and stat.S_ISREG(status.st_mode):
            mode &= status.st_mode
    return mode | 0o600


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _standard_output(binary: str) -> Iterator[BinaryIO]:
    if not hasattr(sys.stdout, "buffer"):
        raise TcpcapError(_shown(STANDARD), "closed", "name a file")
    if binary and sys.stdout.isatty():
        raise TcpcapError(_shown(STANDARD), f"a terminal, and {binary} is binary", "name a file")
    yield sys.stdout.buffer


def _shown(target: str) -> str:
    return "standard output" if target == STANDARD else target


def _is_about(error: OSError, target: str) -> bool:
    """Did writing fail, or opening in the target's folder? What failed elsewhere names its own file."""
    return error.filename is None or (target != STANDARD and _folder(error.filename) == _folder(target))


def _folder(path: str) -> str:
    return str(Path(os.path.realpath(path)).parent)


def refuse_inputs(target: str, inputs: Sequence[Input]) -> None:
    """What is read stays what it is, whatever the target is called; no bundle gets a part that nobody recorded, no folder of rules one that is none: else a TcpcapError.

    `appearing` asks this, too; who reads for long before asks first.
    """
    there, name = _status(target, sys.stdout), Path(os.path.realpath(target)).name
    for each in inputs:
        part = f"a part of the {each.kind} {each.path}"
        for path in each.files():
            if _same(target, there, path):
                if each.names:
                    found = f"is {part}" if path == target else f"is {path}, {part}"
                else:
                    found = "is the input itself" if path in (target, STANDARD) else f"is the input {path} itself"
                raise TcpcapError(_shown(target), found, "name another file")
        if target != STANDARD and each.reads(name):
            folder = _folder(target)
            if _same(folder, _status(folder, sys.stdout), each.path):
                raise TcpcapError(target, f"would be read as {part}", "choose another name, or another folder")


def _same(target: str, there: os.stat_result | None, path: str) -> bool:
    """Is it one file, when `there` is what the system says of the target? A terminal or a socket may well be read and written at once."""
    other = _status(path, sys.stdin)
    if there is None and other is None:  # what is not there yet has its name only
        return STANDARD not in (target, path) and os.path.realpath(target) == os.path.realpath(path)
    if there is None or other is None:
        return False
    return os.path.samestat(there, other) and not (stat.S_ISCHR(there.st_mode) or stat.S_ISSOCK(there.st_mode))


def _status(path: str, standard: Any) -> os.stat_result | None:
    """What the system says of the file; None where there is none."""
    try:
        return os.fstat(standard.fileno()) if path == STANDARD else Path(path).stat()
    except (OSError, AttributeError, ValueError):
        return None
