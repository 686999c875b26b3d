"""Whether rules will be asked, as far as that is known while a capture is being read: then what answers them is opened meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyzer.diagnosis.opened import open_ahead
from analyzer.diagnosis.rule import Rule
from analyzer.kinds import NAMES


class Expected:
    """`at_once` says that something is known already that rules are mostly asked about."""

    def __init__(self, rules: Sequence[Rule], at_once: bool) -> None:
        named = {word.partition("/")[0] for rule in rules for word in rule.when.get("events", ())}
        self._kinds = np.array([name in named for name in NAMES])
        self._begun = False
        if at_once:
            self._begin()

    def see(self, counts: npt.NDArray[np.int64]) -> None:
        """`counts` are those of the events of each kind (int64, one for each of NAMES) until now."""
        if not self._begun and counts[self._kinds].any():
            self._begin()

    def _begin(self) -> None:
        self._begun = True
        open_ahead()
