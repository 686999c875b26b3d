"""Packet rows with their flows -> the `wireshark` column: the labels of Wireshark 4.0's TCP sequence analysis.

It is kept for what engineers know and compare with, right or wrong; the rules are those of Wireshark's User's Guide
("TCP Analysis"), and where its program does otherwise, the program's.
"""

from __future__ import annotations

import numpy as np

from analyzer.schema import Rows

FIRST_CAPACITY = 1 << 12


class WiresharkLabeller:
    """Labels the rows of a capture, batch by batch, after the FlowTracker gave them their flows."""

    def __init__(self) -> None:
        from analyzer.events.wireshark_kernel import LABEL_STATE

        self._states = np.zeros(FIRST_CAPACITY, LABEL_STATE)
        self._blank = np.zeros(1, LABEL_STATE)
        self._blank["window"] = self._blank["window_scale"] = -1

    def add(self, rows: Rows) -> None:
        """Fill `wireshark` in `rows`, a part that the FlowTracker gave its flows."""
        from analyzer.events.wireshark_kernel import label

        places = int(rows["place"].max(initial=-1)) + 1
        while len(self._states) < places:
            self._states.resize(2 * len(self._states), refcheck=False)
        label(rows, self._states, self._blank)
