"""Packet rows of a capture -> those that are asked for, with the numbers that their flows have in the whole capture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.capture import Interfaces, RecordBatch
from analyzer.choose.choice import Choice
from analyzer.choose.filtering import Filter
from analyzer.choose.members import Members
from analyzer.choose.ways import Ways
from analyzer.errors import UsageError
from analyzer.flows.numbers import FlowNumbers
from analyzer.flows.tracker import MAX_FLOWS
from analyzer.schema import Rows
from analyzer.together import taken

EARLIEST, LATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
NONE = np.zeros(0, np.int64)


class Chooser:
    """Picks rows. `mark` sees each batch as it is read, `choose` the same rows in order of time.

    `frames` counts all rows that were seen, `chosen` those that were picked; `gone` are the numbers of the frames that the last
    `choose` left out, `ways` from whom to whom the picked ones go. `first_ns` is when the whole capture begins. `ended` tells whether the capture was left before its end, since no further frame can be meant.
    """

    def __init__(self, choice: Choice, max_flows: int = MAX_FLOWS) -> None:
        self.choice = choice
        self.frames = self.chosen = 0
        self.gone: npt.NDArray[np.int64] = NONE
        self.ended = False
        self.first_ns: int | None = None
        self.ways = Ways()
        self._filter = Filter(choice.filter) if choice.filter else None
        self._numbers = FlowNumbers(max_flows)
        self._members = Members(choice.flows) if choice.flows else None
        self._span: tuple[int, int] | None = None

    def mark(self, batch: RecordBatch, interfaces: Interfaces, rows: Rows) -> None:
        """Note in the rows of a batch what can be told only while its bytes are there."""
        if self._filter is not None:
            self._filter.mark(batch, interfaces, rows)

    def is_past(self, rows: Rows) -> bool:
        """Do the rows of this batch, and all that come behind it, stand behind the last frame that is meant?"""
        self.ended = len(rows) > 0 and int(rows["frame"][0]) > self.choice.last_frame
        return self.ended

    def choose(self, rows: Rows) -> Rows:
        """The rows that are asked for, their flows numbered."""
        self._numbers.add(rows)
        if self.first_ns is None and len(rows):
            self.first_ns = int(rows["time_ns"][0])
        self.frames += len(rows)
        wanted = self._wanted(rows)
        count = int(np.count_nonzero(wanted))
        self.chosen += count
        self.gone = rows["frame"][~wanted]
        picked = rows if count == len(rows) else taken(rows, wanted)
        self.ways.add(picked)
        return picked

    def finish(self) -> None:
        """The capture is over. Raises UsageError where it has none of a flow that was asked for."""
        total = self._numbers.total
        missing = [flow for flow in self.choice.flows if flow >= total]
        if missing and not self.ended:
            known = f"the capture has {total:,}, from 0 to {total - 1:,}" if total else "the capture has none"
            raise UsageError("--flow", f"no flow {missing[0]:,}", f"{known}; tcpcap export --table flows lists them")

    def _wanted(self, rows: Rows) -> npt.NDArray[np.bool_]:
        wanted = np.ones(len(rows), np.bool_)
        if self._filter is not None:
            wanted &= rows["left_out"] == 0
        if self.choice.frames:
            frames, inside = rows["frame"], np.zeros(len(rows), np.bool_)
            for first, last in self.choice.frames:
                inside |= (frames >= first) & (frames <= last)
            wanted &= inside
        if self.choice.between != (None, None) and len(rows):
            first_ns, last_ns = self._bounds(self.first_ns or 0)
            wanted &= (rows["time_ns"] >= first_ns) & (rows["time_ns"] <= last_ns)
        if self._members is not None:
            wanted &= self._members.among(rows)
        return wanted

    def _bounds(self, time_ns: int) -> tuple[int, int]:
        """The span that is asked for; the first row that is ever seen tells when the capture begins."""
        if self._span is None:
            low, high = self.choice.between
            first = EARLIEST if low is None else low.at(time_ns)
            last = LATEST if high is None else high.at(time_ns)
            if first > last:
                todo = "give the earlier one first"
                raise UsageError("--between", "the second time is before the first", todo)
            self._span = max(first, EARLIEST), min(last, LATEST)
        return self._span
