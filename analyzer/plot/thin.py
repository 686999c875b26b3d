"""Fewer points that look the same: no peak, no silence and no event is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.plot.extras import needed

Places = npt.NDArray[np.intp]


def extremes(signals: Sequence[npt.NDArray[Any]], count: int) -> Places:
    """Where the smallest and the largest values of each signal stand, part by part, in order: about `count` of each signal."""
    length = len(signals[0])
    if length <= count:
        return np.arange(length)
    sampler = needed("tsdownsample").MinMaxDownsampler()
    even = max(2, count // 2 * 2)
    found = [sampler.downsample(np.ascontiguousarray(signal, np.float64), n_out=even) for signal in signals]
    return np.unique(np.concatenate([*found, [0, length - 1]])).astype(np.intp)


def evenly(places: Places, count: int) -> Places:
    """At most `count` of the places, the first and the last among them."""
    if len(places) <= count:
        return places
    return places[np.unique(np.linspace(0, len(places) - 1, count).astype(np.intp))]
