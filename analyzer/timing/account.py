"""Packet rows that were judged -> the time account of their flows, which the FlowTracker keeps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from analyzer.flows import FlowTracker
from analyzer.flows.time_state import STRETCH
from analyzer.schema import Rows

AT_ONCE = 1 << 14


class TimeAccount:
    """Says where the time of every connection went, batch by batch, after the Judge has judged the rows."""

    def __init__(self, tracker: FlowTracker) -> None:
        self._tracker = tracker

    def add(self, rows: Rows, moments: npt.NDArray[np.void]) -> None:
        """Account for the time before the next rows; `moments` (MOMENT) are what the Judge says that each left behind."""
        for _ in self._pass_by(rows, moments, np.zeros(0, STRETCH)):
            pass

    def stretches(self, rows: Rows, moments: npt.NDArray[np.void]) -> Iterator[Rows]:
        """The same, and what the time went to (STRETCH), piece by piece."""
        yield from self._pass_by(rows, moments, np.zeros(AT_ONCE, STRETCH))

    def _pass_by(self, rows: Rows, moments: npt.NDArray[np.void], out: Rows) -> Iterator[Rows]:
        from analyzer.timing.account_kernel import account

        tracker = self._tracker
        used = tracker.talks_used
        at = 0
        while at < len(rows):
            at = account(rows, at, moments, tracker.times, tracker.talks, used, tracker.free_talks, tracker.notes, out)
            if used[2]:
                yield out[: int(used[2])].copy()
                used[2] = 0
            if used[0] >= len(tracker.talks) and not used[1]:
                tracker.make_talks()
