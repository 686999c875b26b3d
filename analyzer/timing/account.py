"""Packet rows that were judged -> the time account of their flows, which the FlowTracker keeps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.flows import FlowTracker
from analyzer.schema import Rows


class TimeAccount:
    """Says where the time of every connection went, batch by batch, after the Judge has judged the rows."""

    def __init__(self, tracker: FlowTracker) -> None:
        self._tracker = tracker

    def add(self, rows: Rows, moments: npt.NDArray[np.void]) -> None:
        """Account for the time before the next rows; `moments` (MOMENT) are what the Judge says that each left behind."""
        from analyzer.timing.account_kernel import account

        tracker = self._tracker
        at = 0
        while True:
            at = account(
                rows,
                at,
                moments,
                tracker.times,
                tracker.talks,
                tracker.talks_used,
                tracker.free_talks,
                tracker.notes,
            )
            if at == len(rows):
                return
            tracker.make_talks()
