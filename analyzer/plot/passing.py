"""One more pass over a capture, for the connections that are to be drawn and for the capture as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.choose import EVERYTHING, Choice
from analyzer.passes import Progress, watch
from analyzer.plot.bins import Bins
from analyzer.plot.trace import Trace
from analyzer.schema import Rows
from analyzer.together import taken


class Seen:
    """What a pass has kept: a Trace of each connection by its number, and the sums of the whole capture."""

    def __init__(self, flows: Rows, first_ns: int, last_ns: int) -> None:
        self.traces = {int(row["flow"]): Trace(row) for row in flows}
        self.whole = Bins(first_ns, last_ns)
        most = max(self.traces, default=-1)
        self._known = np.zeros(most + 3, bool)  # by flow; the last one stands for -1 and for all that are not drawn
        self._known[list(self.traces)] = True

    def add(self, rows: Rows, moments: Rows) -> None:
        """Take in rows that were judged."""
        self.whole.add_all(rows)
        for flow, which in self._mine(rows):
            self.traces[flow].add(taken(rows, which), taken(moments, which))

    def add_events(self, events: Rows) -> None:
        """Take in rows of `events`."""
        self.whole.add_events(events)
        for flow, which in self._mine(events):
            self.traces[flow].add_events(taken(events, which))

    def spend(self, stretches: Rows) -> None:
        """Take in where time went."""
        for flow, which in self._mine(stretches):
            self.traces[flow].spend(taken(stretches, which))

    def finish(self) -> None:
        """The capture is over."""
        for trace in self.traces.values():
            trace.finish()

    def _mine(self, rows: Rows) -> list[tuple[int, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
        """The connections that are drawn, each with the places of its rows."""
        places = np.flatnonzero(self._known[np.clip(rows["flow"], -1, len(self._known) - 2)])
        flows = rows["flow"][places]
        return [(int(flow), places[flows == flow]) for flow in np.unique(flows)]


def read_again(
    paths: Sequence[str],
    flows: Rows,
    first_ns: int,
    last_ns: int,
    max_flows: int,
    *,
    checksums: bool = True,
    progress: Progress | None = None,
    choice: Choice = EVERYTHING,
) -> Seen:
    """Read the capture for the connections of these rows of `flows`; `first_ns` and `last_ns` are those of all frames, `checksums` says whether these were verified when it was read before.

    Memory is bounded by the number of connections, whatever their length.
    """
    seen = Seen(flows, first_ns, last_ns)
    watch(seen, paths, max_flows=max_flows, checksums=checksums, choice=choice, progress=progress)
    seen.finish()
    return seen
