"""Packet rows with their flows -> the `wireshark` column: the labels of Wireshark 4.0's TCP sequence analysis.

It is kept for what engineers know and compare with, right or wrong; the rules are those of Wireshark's User's Guide
("TCP Analysis"), and where its program does otherwise, the program's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.schema import Rows

FIRST_CAPACITY = 1 << 12


class WiresharkLabeller:
    """Labels the rows of a capture, batch by batch, after the FlowTracker gave them their flows."""

    def __init__(self) -> None:
        from analyzer.events.wireshark_kernel import LABEL_STATE

        self._states = np.zeros(FIRST_CAPACITY, LABEL_STATE)
        self._used = 0

    def add(self, rows: Rows, previous: npt.NDArray[np.int64]) -> None:
        """Fill `wireshark` in `rows`; `previous` has, for each flow so far, the one before it on its tuple, or -1."""
        from analyzer.events.wireshark_kernel import clear, label

        flows = len(previous)
        while len(self._states) < flows:
            self._states.resize(2 * len(self._states), refcheck=False)
        clear(self._states, self._used, flows)
        self._used = flows
        label(rows, self._states, previous)
