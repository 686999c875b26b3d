"""When a counter must have moved, and by how much: a step function in bounded memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CAPACITY = 1 << 17
FINEST_BIN = 20  # bits: about a millisecond, from which bins double until they are few enough

Numbers = npt.NDArray[np.int64]


class Arrays(NamedTuple):
    """Steps in order of time: each at `first` or later, up to `last`, of `least` to `most`."""

    first: Numbers
    last: Numbers
    least: Numbers
    most: Numbers


class Steps:
    """Steps are kept with their times up to CAPACITY of them; beyond it, those of a short time become one.

    The result does not depend on when it is looked at how many there are.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._parts: list[tuple[Numbers, Numbers, Numbers]] = []
        self._waiting = 0
        self.bits = 0  # of the width of a bin; 0 keeps times as they are

    def add(self, times: Numbers, least: Numbers, most: Numbers) -> None:
        """More steps, roughly in order of time."""
        self._parts.append((times, least, most))
        self._waiting += len(times)
        if self._waiting > self._capacity + self._capacity // 4:
            self._join()

    def arrays(self) -> Arrays:
        """All of them."""
        self._join()
        times, least, most = self._parts[0]
        return Arrays(times, times + (1 << self.bits) - 1, least, most)

    def _join(self) -> None:
        """One part of at most CAPACITY steps."""
        empty = np.zeros(0, np.int64)
        columns = zip((empty, empty, empty), *self._parts, strict=True)
        times, least, most = (np.concatenate(each) for each in columns)
        if (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            times, least, most = times[order], least[order], most[order]
        times = times >> self.bits << self.bits
        while (later := times[1:] != times[:-1]).sum() >= self._capacity:
            self.bits = max(self.bits + 1, FINEST_BIN)
            times = times >> self.bits << self.bits
        if not later.all():
            begins = np.append(0, np.flatnonzero(later) + 1)
            times, least, most = times[begins], np.add.reduceat(least, begins), np.add.reduceat(most, begins)
        self._parts = [(times, least, most)]
        self._waiting = len(times)
