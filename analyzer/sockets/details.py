"""The words of many sockets at once -> columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.sockets.words import (
    DECIMALS,
    FLAG_LETTERS,
    LETTERS,
    MEANINGS,
    MEMORY_LETTERS,
    RATE_LETTERS,
    TIMER_LETTERS,
    WHOLES,
)
from analyzer.sockets.words_kernel import read_words

LARGEST = 1e30  # no time and no rate has such numbers


class Details(NamedTuple):
    """A row for each socket; see `words_kernel.read_words` for the columns."""

    text: bytes
    wholes: npt.NDArray[np.uint64]
    decimals: npt.NDArray[np.float64]
    known: npt.NDArray[np.uint8]
    codes: npt.NDArray[np.int64]
    spans: npt.NDArray[np.int64]


def details_of(words: Sequence[str]) -> Details:
    """Read the words of each socket."""
    count = len(words)
    parts = [each.encode("utf-8", "surrogatepass") for each in words]
    text = b"\n".join(parts)
    bounds = np.zeros((count, 2), np.int64)
    sizes = np.fromiter(map(len, parts), np.int64, count)
    bounds[:, 1] = np.cumsum(sizes) + np.arange(count)
    bounds[:, 0] = bounds[:, 1] - sizes
    details = Details(
        text,
        np.zeros((count, len(WHOLES)), np.uint64),
        np.zeros((count, len(DECIMALS)), np.float64),
        np.zeros((count, len(WHOLES) + len(DECIMALS)), np.uint8),
        np.zeros((count, 3), np.int64),
        np.zeros((count, 4), np.int64),
    )
    read_words(
        np.frombuffer(text, np.uint8),
        bounds,
        LETTERS,
        MEANINGS,
        FLAG_LETTERS,
        RATE_LETTERS,
        TIMER_LETTERS,
        MEMORY_LETTERS,
        *details[1:],
    )
    details.known[:, len(WHOLES) :] &= details.decimals < LARGEST
    return details
