"""Arrays of records in files, as bytes: what is read is never run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

FACTS = "facts.json"
SEALS = "seals"  # in what JSON says: of each other file its size and check sum
PIECE = 1 << 20


def write(
    folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], *, sealed: bool = False
) -> None:
    """Each array in a file of its name, and beside them what JSON can say. `sealed` with what tells whether all files are whole."""
    for name, array in arrays.items():
        (folder / name).write_bytes(np.ascontiguousarray(array).tobytes())
    seals = {SEALS: {file.name: _seal(file) for file in sorted(folder.iterdir())}} if sealed else {}
    (folder / FACTS).write_text(json.dumps({**facts, **seals}))


def read_facts(folder: Path) -> dict[str, Any]:
    """What JSON said."""
    found: dict[str, Any] = json.loads((folder / FACTS).read_text())
    return found


def read(folder: Path, name: str, dtype: Any) -> npt.NDArray[Any]:
    """An array of one dimension; it may be written to."""
    return np.fromfile(folder / name, np.uint8).view(dtype)


def whole(folder: Path) -> dict[str, Any] | None:
    """What JSON said, if all is as it was sealed; None where anything is missing, damaged or was written by another."""
    try:
        facts = read_facts(folder)
        seals = facts[SEALS]
        return facts if all(_seal(folder / name) == seal for name, seal in seals.items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _seal(file: Path) -> list[int]:
    """The size of a file, and its check sum."""
    size = found = 0
    with file.open("rb") as content:
        while piece := content.read(PIECE):
            size, found = size + len(piece), crc32(piece, found)
    return [size, found]
