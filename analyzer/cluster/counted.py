"""What the packets of a share add to the counters of the host that took the capture; and what those of all shares do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.cluster import arrays
from analyzer.prediction import Predictor, Tally
from analyzer.prediction.sink import INCREMENT, SUM
from analyzer.prediction.steps import Arrays
from analyzer.prediction.world import ON_PIECES
from analyzer.schema import Rows

SUMS, MOVED, STEPS, SPANS, LATER = "sums", "moved", "steps", "spans", "later"
STEP = np.dtype([("followed", "i8"), ("time_ns", "i8"), ("least", "i8"), ("most", "i8")])
ALL = 1 << 20  # of a pool
PIECES = "super-segments are captured whole by some connections, and in pieces by others"
POOLS = "more is under way at a time than the prediction remembers"


class Counting:
    """Counts while the rows of a share pass.

    `asked` : the host's `addresses`, `mtu` and `sysctls`; the `cuts` of time and the counters that are `followed` (see Tally); the
    time of the last frame of the capture, `last_ns`.
    """

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._predictor = Predictor(asked["addresses"], asked["mtu"], asked["sysctls"])
        self._tally = Tally(np.array(asked["cuts"], np.int64), asked["followed"])
        self._last_ns = int(asked["last_ns"])

    def add(self, rows: Rows, events: Rows) -> None:
        """Rows with their flows, and their events."""
        self._predictor.count(rows, events, self._tally)

    def close(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """There are no more: what was counted, and how that hangs together with other shares, in what JSON can say."""
        tally, predictor = self._tally, self._predictor
        predictor.reach(self._last_ns)
        predictor.count_settled(tally)
        tally.reach(self._last_ns)
        later = predictor.finish()
        counters, sums, steps, rest = tally.told()
        found = {
            SUMS: np.ascontiguousarray(sums).ravel(), MOVED: counters, STEPS: _rows_of(steps), SPANS: rest, LATER: later,
        }  # fmt: skip
        return found, {
            "hangs": predictor.hangs(),
            "uncut": predictor.is_uncut(),
            "pieces": predictor.saw(ON_PIECES),
            "taken": predictor.taken(),
        }


def why_not(told: Sequence[Mapping[str, Any]]) -> str:
    """Why what the shares have counted is not what one pass counts; empty where it is."""
    reason = next((each["hangs"] for each in told if each["hangs"]), "")
    if not reason and any(each["uncut"] for each in told) and any(each["pieces"] for each in told):
        reason = PIECES
    if not reason and any(sum(taken) >= ALL for taken in zip(*(each["taken"] for each in told), strict=True)):
        reason = POOLS
    return str(reason)


def join(tally: Tally, folder: Path) -> Rows:
    """Add what was counted of a share to a tally; what may have come later (INCREMENT) is given back."""
    counters = arrays.read(folder, MOVED, np.int64)
    sums = arrays.read(folder, SUMS, SUM).reshape(len(tally.sums), len(counters))
    steps = arrays.read(folder, STEPS, STEP)
    each = [steps[steps["followed"] == number] for number in range(len(tally.steps))]
    parts = [Arrays(rows["time_ns"], rows["time_ns"], rows["least"], rows["most"]) for rows in each]
    tally.join(counters, sums, parts, arrays.read(folder, SPANS, np.int64))
    return arrays.read(folder, LATER, INCREMENT)


def _rows_of(steps: Sequence[Arrays]) -> Rows:
    found = [np.zeros(0, STEP)]
    for number, each in enumerate(steps):
        rows = np.zeros(len(each.first), STEP)
        rows["followed"], rows["time_ns"], rows["least"], rows["most"] = number, each.first, each.least, each.most
        found.append(rows)
    return np.concatenate(found)
