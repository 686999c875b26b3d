"""The values that occur in an array, each once, in their order, and where they do."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


def distinct(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """`np.unique(values)` for whole numbers; that one imports masked arrays to ask whether these are some, which takes longer than a capture of ten frames."""
    ordered = np.sort(np.asarray(values), axis=None)
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    found: npt.NDArray[Any] = ordered[first]
    return found


class Grouped(NamedTuple):
    """`values` are the distinct ones, `first` and `counts` say of each where it is first and how often, `group` which of them each row has (all int64 but the first)."""

    values: npt.NDArray[Any]
    first: npt.NDArray[np.intp]
    group: npt.NDArray[np.intp]
    counts: npt.NDArray[np.intp]


def grouped(values: npt.NDArray[Any]) -> Grouped:
    """`np.unique` with all that it can say, of whole numbers or records of them, in one dimension; for the same reason."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.ones(len(ordered), bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    group = np.empty(len(ordered), np.intp)
    group[order] = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    return Grouped(ordered[begins], order[begins], group, np.diff(starts, append=len(ordered)))
