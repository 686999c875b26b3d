"""Arrays of records in files, as bytes: what is read is never run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FACTS = "facts.json"


def write(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Each array in a file of its name, and beside them what JSON can say."""
    for name, array in arrays.items():
        (folder / name).write_bytes(np.ascontiguousarray(array).tobytes())
    (folder / FACTS).write_text(json.dumps(facts))


def read_facts(folder: Path) -> dict[str, Any]:
    """What JSON said."""
    found: dict[str, Any] = json.loads((folder / FACTS).read_text())
    return found


def read(folder: Path, name: str, dtype: Any) -> npt.NDArray[Any]:
    """An array of one dimension; it may be written to."""
    return np.fromfile(folder / name, np.uint8).view(dtype)
