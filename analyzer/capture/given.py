"""What Python programs name as a capture: a path, bytes, or an open binary file -> paths, which all stages read, more than once."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from analyzer.capture.compression import CHUNK
from analyzer.capture.kept import made_for
from analyzer.capture.where import is_url, named
from analyzer.errors import UsageError
from analyzer.output import appearing, temporary_folder

Given = str | Path | bytes | bytearray | memoryview | BinaryIO
WHAT = "a path, bytes, or an open binary file, or several of them"


def paths_of(captures: Given | Sequence[Given], where: str = "paths") -> list[str]:
    """The paths of captures; bytes, and open files that are no plain files on disk, are kept in temporary files, as long as a `kept.Reader` of these paths is there.

    Raises UsageError where something is none of these.
    """
    several = isinstance(captures, Iterable) and not isinstance(captures, str | bytes | bytearray | memoryview)
    if several and not _is_open(captures):
        return [_path_of(each, where) for each in captures]  # type: ignore[union-attr] # an iterable, as was asked
    return [_path_of(captures, where)]


def names_of(files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], where: str) -> list[str]:
    """Names, where one alone may be given, too. Raises UsageError where something is none."""
    if isinstance(files, str | os.PathLike):
        files = [files]
    for each in files if isinstance(files, Iterable) else [files]:
        if not isinstance(each, str | os.PathLike):
            raise UsageError(where, f"{_shown(each)} is no name", "give a text or a path, or several of them")
    return [_name_of(each, where) for each in files]


def files_here(files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], where: str) -> list[str]:
    """As `names_of`, of what is read from this machine only. Raises UsageError where something is a URL."""
    names = names_of(files, where)
    for name in filter(is_url, names):
        raise UsageError(where, f"{named(name)} is a URL, from which only captures are read", "copy it here first")
    return names


def _name_of(path: str | os.PathLike[str], where: str) -> str:
    name = os.fspath(path)
    if "\0" in name:
        raise UsageError(where, f"{_shown(name)} has a NUL in it, which no file's name has", "name a file")
    return name


def _path_of(given: Any, where: str) -> str:
    if isinstance(given, str | os.PathLike):
        return named(_name_of(given, where))
    if isinstance(given, bytes | bytearray | memoryview):
        return _kept(io.BytesIO(given))
    if _is_open(given):
        first = given.read(0)
        if not isinstance(first, bytes):
            raise UsageError(where, "a file that was opened as text", 'open it with mode "rb"')
        return _on_disk(given) or _kept(given)
    raise UsageError(where, f"{_shown(given)} is no capture", f"give {WHAT}")


def _is_open(given: Any) -> bool:
    return callable(getattr(given, "read", None))


def _shown(given: Any) -> str:
    text = repr(given)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(given).__name__})"


def _on_disk(file: Any) -> str:
    """The name of an open file, where it is on disk and stands at its beginning."""
    try:
        name = os.fspath(file.name)
        same = os.path.samestat(os.fstat(file.fileno()), Path(name).stat())
        return str(name) if same and Path(name).is_file() and file.tell() == 0 else ""
    except (AttributeError, TypeError, OSError, ValueError):  # no name, no number, no place: it is no file on disk
        return ""


def _kept(file: Any) -> str:
    """What the file holds from here on, in a temporary file."""
    folder = temporary_folder()
    target = str(folder / "capture")
    made_for(target, folder)
    with appearing(target, []) as kept:
        while piece := file.read(CHUNK):
            kept.write(piece)
    return target
