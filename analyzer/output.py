"""The one place that writes: files that appear when complete and never over an input, standard output, recordings."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from analyzer.errors import TcpcapError

STANDARD = "-"


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
        with _standard_output(binary) if target == STANDARD else _file(target) as file:
            yield file
    except OSError as error:
        if isinstance(error, BrokenPipeError) or not _is_about(error, target):
            raise
        raise TcpcapError(
            _shown(target), f"cannot be written ({error.strerror or error})", "make room, or name another file"
        ) from None


def growing(path: Path) -> FileIO:
    """A file that grows while something is recorded: what is written is there at once, behind what is there already."""
    return FileIO(path, "ab")


@contextmanager
def _file(target: str) -> Iterator[BinaryIO]:
    path = Path(target)
    if path.exists() and not path.is_file():  # a directory refuses
        with path.open("wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))  # a link keeps pointing at its target
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        # A file that is replaced keeps its permissions: captures are nobody else's business.
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _standard_output(binary: str) -> Iterator[BinaryIO]:
    if sys.stdout is None:
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
    for each in inputs:
        part = f"a part of the {each.kind} {each.path}"
        for path in each.files():
            if _same(target, path):
                if each.names:
                    found = f"is {part}" if path == target else f"is {path}, {part}"
                else:
                    found = "is the input itself" if path in (target, STANDARD) else f"is the input {path} itself"
                raise TcpcapError(_shown(target), found, "name another file")
        if target != STANDARD and each.reads(Path(os.path.realpath(target)).name) and _same(_folder(target), each.path):
            raise TcpcapError(target, f"would be read as {part}", "choose another name, or another folder")


def _same(target: str, path: str) -> bool:
    """Is it one file? A terminal or a socket may well be read and written at once."""
    one, other = _status(target, sys.stdout), _status(path, sys.stdin)
    if one is None or other is None:  # what is not there yet has its name only
        return STANDARD not in (target, path) and os.path.realpath(target) == os.path.realpath(path)
    return os.path.samestat(one, other) and not (stat.S_ISCHR(one.st_mode) or stat.S_ISSOCK(one.st_mode))


def _status(path: str, standard: Any) -> os.stat_result | None:
    """What the system says of the file; None where there is none."""
    try:
        return os.fstat(standard.fileno()) if path == STANDARD else Path(path).stat()
    except (OSError, AttributeError, ValueError):
        return None
