"""What the shares have written beside what is known of their flows -> rows of tables, in the order in which one pass makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.cluster import arrays, counted
from analyzer.cluster.beside import CELLS, LAST, SAID, SPENT, STRETCHED, TOGETHER
from analyzer.cluster.executor import Executor
from analyzer.cluster.lanes import Lane, together
from analyzer.cluster.ranges import Range
from analyzer.cluster.tabulate import STORED, TABLE, tabulate, write_numbers
from analyzer.flows import FlowTracker
from analyzer.lines import Written
from analyzer.output import removed
from analyzer.schema import Rows
from analyzer.tables import EVENTS, PACKETS, SERIES
from analyzer.timing.series import CELL, SeriesMaker

if TYPE_CHECKING:
    from analyzer.cluster.judged import Judged
    from analyzer.prediction import Tally

AT_ONCE = 1 << 14  # rows


class Parts:
    """What was written: `ranges` with so many frames `before` each, and the shares as they were `judged`."""

    def __init__(
        self, executor: Executor, folder: Path, ranges: Sequence[Range], before: Sequence[int], judged: Judged
    ) -> None:
        self._executor, self._folder = executor, folder
        self._ranges, self._before, self._judged = ranges, before, judged

    def packets(self, kind: str) -> Iterator[Written]:
        """The rows of all frames, piece by piece, as files of this kind (see `tabulate`), each of which leaves when the next is asked for."""
        numbers = self._folder / "numbers"
        write_numbers(numbers, self._judged.all_numbers())
        folders = [str(each) for each in (numbers, *self._judged.folders)]
        tasks = [
            {"given": wanted.plain(), "before": before, "folders": folders, "kind": kind, "folder": str(self._folder / f"table-{number}")}
            for number, (wanted, before) in enumerate(zip(self._ranges, self._before, strict=True))
        ]  # fmt: skip
        done: dict[int, int] = {}
        at = 0
        for position, facts in self._executor.run(tabulate.__name__, tasks):
            done[position] = int(facts["frames"])
            while at in done:
                folder = Path(str(tasks[at]["folder"]))
                yield Written(folder / TABLE, done[at])
                removed(folder)
                at += 1

    def packet_rows(self) -> Iterator[Rows]:
        """The same as rows, which hold until the next are asked for."""
        for piece in self.packets(STORED):
            rows = np.memmap(piece.path, PACKETS.dtype, "r") if piece.rows else np.zeros(0, PACKETS.dtype)
            for start in range(0, len(rows), AT_ONCE):
                yield rows[start : start + AT_ONCE]

    def events(self, *, also_last: bool = True) -> Iterator[Rows]:
        """The events in the order in which they became certain; perhaps without those that only the end of the flows did."""
        lanes = [Lane(each, SAID, EVENTS.dtype) for each in self._judged.folders]
        for keys, parts in together(lanes):
            rows = np.concatenate([self._numbered(share, rows) for share, rows in parts])
            yield rows[np.argsort(keys, kind="stable")]
        last = [np.zeros(0, EVENTS.dtype)]
        for share, each in enumerate(self._judged.folders if also_last else ()):
            last.append(self._numbered(share, arrays.read(each, LAST, EVENTS.dtype)))
        rows = np.concatenate(last)
        if len(rows):
            yield rows[np.argsort(rows["flow"], kind="stable")]

    def series(self, tracker: FlowTracker, every_ns: int) -> Iterator[Rows]:
        """The rows of `series`, of all connections, which the tracker knows."""
        lanes = [Lane(each, STRETCHED, SERIES.dtype) for each in self._judged.folders]
        for keys, parts in together(lanes):
            rows = np.concatenate([self._numbered(share, rows) for share, rows in parts])
            order = np.lexsort((rows["start_ns"], rows["flow"], keys))
            yield rows[order]
        maker = SeriesMaker(tracker, every_ns)
        cells, sums = [np.zeros(0, CELL)], [np.zeros(0, CELL)]
        spent = np.zeros(len(tracker), np.int64)
        for share, each in enumerate(self._judged.folders):
            mine = self._numbered(share, arrays.read(each, CELLS, CELL))
            mine["place"] = mine["flow"]
            cells.append(mine)
            sums.append(arrays.read(each, TOGETHER, CELL))
            told: Any = arrays.read(each, SPENT, np.int64)
            spent[self._judged.numbers(share, np.arange(len(told)))] = told
        maker.go_on(np.concatenate(cells), np.concatenate(sums), spent)
        yield from maker.finish()

    def count_into(self, tally: Tally) -> Rows:
        """Add what the shares have counted to a tally; gives what may have come later (INCREMENT)."""
        return np.concatenate([counted.join(tally, each) for each in self._judged.folders])

    def _numbered(self, share: int, rows: Rows) -> Rows:
        """With the numbers of flows that they have in the whole."""
        rows["flow"] = self._judged.numbers(share, rows["flow"])
        return rows
