"""Records as wholes: NumPy takes and joins structured arrays field by field, which takes a hundred times as long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]


def taken(rows: Records, which: npt.NDArray[Any]) -> Records:
    """`rows[which]`, for a mask or positions of any shape."""
    found: Records = rows.view(_whole(rows.dtype))[which].view(rows.dtype)
    return found


def joined(parts: Sequence[Records]) -> Records:
    """np.concatenate of records that have one dtype. Raises ValueError if they have several, or there are none."""
    (dtype,) = {part.dtype for part in parts}
    return np.concatenate([part.view(_whole(dtype)) for part in parts]).view(dtype)


def cleared(rows: Records, which: npt.NDArray[Any]) -> None:
    """Make all fields of `rows[which]` 0."""
    rows.view(np.uint8).reshape(len(rows), rows.itemsize)[which] = 0


def _whole(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype((np.void, dtype.itemsize))
