"""Packet rows -> the numbers of their flows, and no more: for whoever tells of some of the frames only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.flows.state import END_STATE, TIME_STATE
from analyzer.flows.tracker import MAX_FLOWS, FlowTracker


class FlowNumbers(FlowTracker):
    """Gives packet rows the flows that FlowTracker gives them, and keeps nothing that only a judge needs."""

    def __init__(self, max_flows: int = MAX_FLOWS) -> None:
        super().__init__(max_flows)
        self.ends = np.zeros(0, END_STATE)
        self.times = np.zeros(0, TIME_STATE)

    def _make_room(self, size: int) -> None:
        """There is nothing beside their states."""

    def _account_for(self, leaving: npt.NDArray[np.intp]) -> None:
        """Nobody asks what became of them."""
