"""What the shares of a capture have said -> what is known of all its flows, or why only one pass can tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analyzer.cluster import arrays, counted, openings
from analyzer.cluster.executor import Result
from analyzer.cluster.judging import COUNTS, GATHERED, SERVERS
from analyzer.events.gather import CAPACITY, Gatherer, in_order
from analyzer.flows.joined import KEPT, Joining
from analyzer.flows.sent import BOARDS
from analyzer.kinds import NUMBER
from analyzer.schema import Rows
from analyzer.tables import FLOW_EVENTS

if TYPE_CHECKING:
    from analyzer.cluster.parted import Pass

GRANTED = "a server refused options that it had granted others, or sent SYN cookies"
RECYCLE = NUMBER["tw_recycle"]


class Judged:
    """The shares, each with the folder that it wrote and what it told."""

    def __init__(self, folders: Sequence[Path], told: Sequence[Result]) -> None:
        self.folders = list(folders)
        self._told = told
        self._joining: Joining | None = None

    def why_not(self, max_flows: int) -> str:
        """Why what they say may hang on each other; empty where it does not."""
        total = sum(each["flows"] for each in self._told)
        if any(each["left"] for each in self._told) or total > max_flows:
            return "there are more flows than are followed at a time"
        if sum(each["seen"]["boards"] for each in self._told) > BOARDS:
            return "more is missing at a time than is remembered"
        return counted.why_not([each["counters"] for each in self._told if each["counters"]])

    def into(self, found: Pass, opening: Rows) -> str:
        """Put together what is known of their flows, which begin with these SYNs; the same."""
        for each, told in zip(self.folders, self._told, strict=True):
            found.judge.join(arrays.read(each, COUNTS, np.int64), told["seen"])
        granted = found.judge.join_servers([arrays.read(each, SERVERS, np.uint64) for each in self.folders])
        reason = openings.RECYCLED if found.judge.counts[RECYCLE] else "" if granted else GRANTED
        reason = reason or self._join_flows(found, len(opening), openings.damaged(opening))
        if reason:
            return reason
        total = len(found.tracker)
        states, ends = found.tracker.states[:total], found.tracker.ends
        clients = states["ends"][np.arange(total), states["client"].astype(np.intp)]
        judged_syns = int(ends["syns"][clients].sum())
        # Else which SYNs the judge has looked at, and so which clocks it knows, is not told by the SYNs alone.
        suspects = openings.suspects(opening)
        return openings.RECYCLED if len(suspects) and judged_syns != len(opening) else ""

    def numbers(self, share: int, flows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The numbers that flows of a share have in the whole, once they are known; -1 stays."""
        assert self._joining is not None
        return self._joining.numbers(share, flows)

    def all_numbers(self) -> list[npt.NDArray[np.int64]]:
        """The same of all flows of each share."""
        return [self.numbers(share, np.arange(each["flows"])) for share, each in enumerate(self._told)]

    def _join_flows(self, found: Pass, syns: int, bad_syns: int) -> str:
        kept = [{name: arrays.read(each, name, dtype) for name, dtype in KEPT.items()} for each in self.folders]
        joining = Joining(kept)
        reason = joining.into(found.tracker, found.summary.total("last_ns"), syns, bad_syns)
        if reason:
            return reason
        self._joining = joining.alone()
        gathered = []
        for part, each in enumerate(self.folders):
            rows = arrays.read(each, GATHERED, FLOW_EVENTS.dtype)
            rows["flow"] = joining.numbers(part, rows["flow"])
            gathered.append(rows)
        late, found.late = Gatherer(), []
        for events in found.judge.finish():
            late.add(events)
            found.late.append(events.copy())
        found.gathered = in_order(np.concatenate([*gathered, late.rows()]))
        return "more happened than is told flow by flow" if len(found.gathered) > CAPACITY // 2 else ""
