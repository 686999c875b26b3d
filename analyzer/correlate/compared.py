"""What a comparison says of one counter over one interval, and the table that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.schema import Rows
from analyzer.tables import COUNTER_VERDICTS, COUNTERS, RELATIONS

AGREE, UNDER, OVER, NOT_COMPARABLE = range(len(COUNTER_VERDICTS))
EXACT, BOUNDED, INFERRED_RELATION, UNOBSERVABLE = range(len(RELATIONS))
UNLIMITED = int(np.iinfo(np.int64).max)  # `high` where the capture does not hold all: there may be any number more


class Compared(NamedTuple):
    """One counter over one interval."""

    counter: str
    start_ns: int
    end_ns: int
    observed: int
    predicted: int
    low: int
    high: int
    relation: int
    verdict: int
    reason: str

    @property
    def is_range(self) -> bool:
        """Do the packets give a range and not a number: of a bounded counter, and of another that agrees within its range only."""
        within = self.verdict == AGREE and self.observed != self.predicted
        return self.relation == BOUNDED or (within and self.low <= self.observed <= self.high)


def table(compared: Sequence[Compared]) -> Rows:
    """The numbers of the rows of the table `counters`."""
    rows = np.zeros(len(compared), COUNTERS.dtype)
    for at, name in enumerate(Compared._fields):
        if name in (COUNTERS.dtype.names or ()):
            rows[name] = np.fromiter((each[at] for each in compared), np.int64, len(compared))
    return rows


def texts(host: str, compared: Sequence[Compared]) -> dict[str, npt.NDArray[np.object_]]:
    """Its text columns."""
    columns = {"host": [host] * len(compared), "counter": [each.counter for each in compared]}
    columns["reason"] = [each.reason for each in compared]
    return {name: np.array(values, object) for name, values in columns.items()}
