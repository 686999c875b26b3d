"""The values that occur in an array, each once, in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def distinct(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """`np.unique(values)` for whole numbers; that one imports masked arrays to ask whether these are some, which takes longer than a capture of ten frames."""
    ordered = np.sort(np.asarray(values), axis=None)
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    found: npt.NDArray[Any] = ordered[first]
    return found
