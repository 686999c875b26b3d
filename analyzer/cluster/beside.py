"""What is written of a share beside what is known of its flows: rows of tables, and what its packets add to the counters of a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.cluster.counted import Counting
from analyzer.cluster.lanes import LaneWriter
from analyzer.events.judge import Judge
from analyzer.events.wireshark import WiresharkLabeller
from analyzer.flows import FlowTracker
from analyzer.schema import Rows
from analyzer.tables import EVENTS, SERIES
from analyzer.timing import TimeAccount
from analyzer.timing.series import CELL, SeriesMaker

TOLD = np.dtype(
    [("events", "u8"), ("flow", "i8"), ("wireshark", "u2"), ("direction", "u1"), ("reused", "u1")], align=True
)
"""What following and judging say of a frame, beyond what decoding does."""
FRAMES, SAID, LAST, STRETCHED, CELLS, TOGETHER, SPENT = (
    "frames", "said", "last", "stretched", "cells", "together", "spent",
)  # fmt: skip
ARRAYS: dict[str, Any] = {LAST: EVENTS.dtype, CELLS: CELL, TOGETHER: CELL, SPENT: np.int64}


class Beside:
    """Writes what is asked for of a share into `folder`.

    Parameters
    ----------
    asked : `tables` of which rows are wanted (`packets`, `events`, `series`); `every_ns` and `flow` of series; `last_frame` of the
        capture; `counters`, where these are predicted (see `Counting`)
    opened : closes the files when it is left, whatever happened
    """

    def __init__(
        self, folder: Path, asked: Mapping[str, Any], tracker: FlowTracker, account: TimeAccount, opened: ExitStack
    ) -> None:
        tables = asked.get("tables", ())
        self._account, self._last_frame = account, int(asked.get("last_frame", 0))
        self._frames = LaneWriter(folder, FRAMES, opened) if "packets" in tables else None
        self._said = LaneWriter(folder, SAID, opened) if "events" in tables else None
        self._series = (
            _Series(LaneWriter(folder, STRETCHED, opened), SeriesMaker(tracker, asked["every_ns"], None))
            if "series" in tables
            else None
        )
        self._counting = Counting(asked["counters"]) if "counters" in asked else None
        self._labeller = WiresharkLabeller() if "packets" in tables else None
        self._last = [np.zeros(0, EVENTS.dtype)]

    def add(self, rows: Rows, events: Rows, judge: Judge) -> None:
        """Rows that were judged just now, and what was said; their account is kept here, too."""
        if self._series is None:
            self._account.add(rows, judge.moments)
        else:
            self._series.write(self._series.maker.take(rows, judge.moments, self._account))
        if self._said is not None and len(events):
            self._said.add(np.maximum(events["frame"], events["late"]), events)
        if self._counting is not None:
            self._counting.add(rows, events)

    def pass_by(self, rows: Rows) -> None:
        """A batch of which all rows were added."""
        if self._frames is None or self._labeller is None:
            return
        self._labeller.add(rows)
        told = np.zeros(len(rows), TOLD)
        for name in TOLD.names or ():
            told[name] = rows[name]
        self._frames.add(rows["frame"], told)

    def settle(self, events: Rows) -> None:
        """What was said at the end, flow by flow."""
        if self._said is not None:
            self._last.append(events.copy())

    def close(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """There are no more: what is left of it, as arrays; and what JSON can say of counters."""
        found: dict[str, npt.NDArray[Any]] = {LAST: np.concatenate(self._last)}
        if self._series is not None:
            self._series.write(self._series.maker.pass_by(self._last_frame))
            found |= dict(zip((CELLS, TOGETHER, SPENT), self._series.maker.kept(), strict=True))
            self._series.lane.close()
        for lane in (self._frames, self._said):
            if lane is not None:
                lane.close()
        if self._counting is None:
            return found, {}
        counted, told = self._counting.close()
        return found | counted, told


@dataclass(frozen=True)
class _Series:
    """Rows of `series`, and where they are written."""

    lane: LaneWriter
    maker: SeriesMaker

    def write(self, pieces: Iterable[Rows]) -> None:
        """Each in front of the block that is open when it comes."""
        for rows in pieces:
            self.lane.add(np.full(len(rows), self.maker.block + 1), rows)


assert SERIES.dtype["flow"] == TOLD["flow"]
