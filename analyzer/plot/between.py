"""`points.plot`: one connection as two capture points saw it, on one axis of time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.errors import UsageError
from analyzer.flows.names import ends_text
from analyzer.passes import Progress
from analyzer.plot.drawing import Drawing
from analyzer.plot.panels import SIDES, sending
from analyzer.plot.picture import Layer, Numbers, Panel
from analyzer.plot.plots import Plots
from analyzer.plot.sequence import MOST_DRAWN, Clock, Heights, sequence_panel
from analyzer.plot.thin import evenly
from analyzer.plot.trace import Trace
from analyzer.points.points import Points
from analyzer.schema import Rows
from analyzer.tables import PASSAGES
from analyzer.text import plural, printable, time_text

# What is marked of packets, at which point, in which colour and with which mark.
FATES = {
    "lost": ("lost on the way", "sent", "timeout", "x"),
    "corrupted": ("damaged on the way", "came", "odd", "hourglass"),
    "duplicated": ("came twice", "came", "dsack", "cross"),
    "reordered": ("was overtaken", "came", "odd", "square"),
    "injected": ("made on the way", "came", "timeout", "star"),
}


class PointPlots:
    """Pictures that show a connection at two points, each a `drawing.Drawing`. All times are seconds since the first frame of the connection, on the clock of the points.

    `connection` is a number in `points.connections`. Raises UsageError where there is none, and where a capture is a pipe.
    """

    def __init__(self, points: Points) -> None:
        self._points = points
        self._plots = [Plots(analysis) for analysis in points.at.values()]

    def time_sequence(self, connection: int, progress: Progress | None = None) -> Drawing:
        """What was sent at the one point and when it came to the other, with what was lost, doubled, damaged, overtaken or made between them: each direction that matters."""
        pair, flows = self._known(connection)
        first, second = self._points.between[pair].points
        traces = [self._trace(point, flow, progress) for point, flow in zip((first, second), flows, strict=True)]
        start = min(
            int(self._points.on_clock(point, trace.packets["time_ns"][:1])[0])
            for point, trace in zip((first, second), traces, strict=True)
        )
        fates = self._fates(pair, flows[0], flows[1])
        panels = [
            self._panel(pair, side, traces, fates, start) for side in sending(traces[0])
        ]  # fmt: skip
        names = [printable(self._points.names[point]) for point in (first, second)]
        title = f"{ends_text(traces[0].row)} (connection {connection:,}) at {names[0]} and {names[1]}"
        text = f"{plural(len(fates), 'packet')} of it had another fate than to arrive as it was sent."
        axis = f"seconds since its first frame, {time_text(start)} UTC on the clock of {printable(self._points.clock)}"
        ends = [
            int(self._points.on_clock(point, trace.packets["time_ns"][-1:])[0])
            for point, trace in zip((first, second), traces, strict=True)
        ]
        return Drawing(title, text, panels, axis, (0.0, (max(ends) - start) / 1e9))

    def worst(self) -> int:
        """The connection most worth a picture. Raises UsageError where two points share none."""
        found = self.worst_of(1)
        if not found:
            raise UsageError("flow", "no connection that two points share", "analyse each point alone")
        return found[0]

    def worst_of(self, most: int) -> list[int]:
        """Connections most worth a picture: those of which most packets were lost between two points, or else had another fate than to arrive; where none had, the first."""
        found = dict.fromkeys(self._numbers, (0, 0))
        lost, arrived, unknown = (PASSAGES.bit("fate", word) for word in ("lost", "arrived", "unknown"))
        for pair, between in enumerate(self._points.between):
            rows = between.notable.passages
            here = rows[rows["point_number"] == between.points[0]]
            for at in np.flatnonzero((here["fate"] != arrived) & (here["fate"] != unknown)):
                number = self._by_flow.get((pair, int(here["flow"][at])))
                if number is not None:
                    losses, others = found[number]
                    found[number] = (losses + int(here["fate"][at] == lost), others + 1)
        order = sorted(found, key=lambda number: (found[number], -number), reverse=True)
        return [number for number in order[:most] if any(found[number])] or order[:1]

    def connection_of(self, flow: int) -> int:
        """The number in `points.connections` of a flow of the first point of the way. Raises UsageError where the next point does not have it."""
        found = self._by_flow.get((0, flow))
        if found is None:
            name = printable(self._points.names[self._points.order[0]]) if self._points.order else "the first point"
            raise UsageError(
                "flow", f"flow {flow:,} of {name} is at no other point", "`tcpcap flows --at ...` lists them"
            )
        return found

    @cached_property
    def _numbers(self) -> dict[int, tuple[int, tuple[int, int]]]:
        """The pair of points, and the flows there, of each connection."""
        found, number = {}, 0
        for pair, between in enumerate(self._points.between):
            for first, second in between.survey.pairs.flows.tolist():
                found[number] = (pair, (first, second))
                number += 1
        return found

    @cached_property
    def _by_flow(self) -> dict[tuple[int, int], int]:
        return {(pair, flows[0]): number for number, (pair, flows) in self._numbers.items()}

    def _known(self, connection: int) -> tuple[int, tuple[int, int]]:
        if connection not in self._numbers:
            count = len(self._numbers)
            todo = f"there are {plural(count, 'connection')} that two points share, from 0; `points.connections` lists them"
            raise UsageError("flow", f"no connection {connection:,}", todo)
        return self._numbers[connection]

    def _trace(self, point: int, flow: int, progress: Progress | None) -> Trace:
        plots = self._plots[point]
        plots.prepare([flow], progress)
        return plots.trace(flow)

    def _fates(self, pair: int, first: int, second: int) -> Rows:
        """The passages of a connection that were no plain arrivals, on the clock of the points."""
        between = self._points.between[pair]
        kinds = [PASSAGES.bit("fate", word) for word in FATES]
        rows = between.notable.passages
        own = np.where(rows["point_number"] == between.points[0], first, second)
        every: Rows = rows[(rows["flow"] == own) & np.isin(rows["fate"], kinds)]
        every["time_ns"] = self._points.on_pair_clock(pair, every["time_ns"])
        return every

    def _panel(self, pair: int, side: int, traces: list[Trace], fates: Rows, start_ns: int) -> Panel:
        """One direction: as the point near the sender saw it, and when it came to the other one."""
        between = self._points.between[pair]
        at_near = fates[fates["direction"] == side]
        near = between.nearer(int(traces[0].row["flow"]), side)
        far = 1 - near

        def clock(which: int, times_ns: npt.NDArray[np.int64]) -> Numbers:
            found: Numbers = (self._points.on_clock(between.points[which], times_ns) - start_ns) / 1e9
            return found

        base = sequence_panel(traces[near], side, lambda times_ns: clock(near, times_ns))
        zero = Heights(traces[near].packets, side).zero
        layers = list(base.layers)
        layers += self._came(traces[far], side, zero, lambda times_ns: clock(far, times_ns), between.points[far])
        layers += self._marked(traces, at_near, side, zero, between.points, start_ns)
        names = [printable(self._points.names[between.points[which]]) for which in (near, far)]
        title = base.title.replace(
            f"Time-sequence: what the {SIDES[side]} sent",
            f"Time-sequence: what the {SIDES[side]} sent, at {names[0]}, and when it came to {names[1]}",
        )
        return Panel(title, base.unit, layers, base.height, base.bands, base.rows, base.top, base.whole)

    def _came(self, trace: Trace, side: int, zero: int, clock: Clock, point: int) -> Iterator[Layer]:
        """Each segment with data where it came."""
        packets = trace.packets
        heights = Heights(packets, side)
        data = np.flatnonzero(~np.isnan(heights.own) & (packets["payload_len"] > 0))
        few = evenly(data, MOST_DRAWN)
        low = heights.own[few] + _apart(heights.zero, zero)
        yield Layer(
            f"came to {printable(self._points.names[point])}",
            "bars",
            "server",
            clock(packets["time_ns"][few]),
            low,
            low + packets["payload_len"][few],
            packets["frame"][few],
            left_out=len(data) - len(few),
        )

    def _marked(
        self, traces: list[Trace], fates: Rows, side: int, zero: int, points: tuple[int, int], start_ns: int
    ) -> Iterator[Layer]:
        """What became of packets that did not just arrive, where they were captured."""
        for word, (name, way, role, symbol) in FATES.items():
            some = fates[(fates["fate"] == PASSAGES.bit("fate", word)) & (fates["way"] == PASSAGES.bit("way", way))]
            x, y, frames = [], [], []
            for which, trace in enumerate(traces):
                mine = some[some["point_number"] == points[which]]
                heights = Heights(trace.packets, side)
                order = np.argsort(trace.packets["frame"], kind="stable")
                places = np.searchsorted(trace.packets["frame"][order], mine["frame"])
                there = np.isin(mine["frame"], trace.packets["frame"])
                at = order[np.minimum(places, len(order) - 1)]
                height = heights.own[at] + _apart(heights.zero, zero)
                known = there & ~np.isnan(height)
                x.append((mine["time_ns"][known] - start_ns) / 1e9)
                y.append(height[known] + trace.packets["payload_len"][at[known]])
                frames.append(mine["frame"][known])
            if sum(map(len, x)):
                yield Layer(
                    name,
                    "points",
                    role,
                    np.concatenate(x),
                    np.concatenate(y),
                    frames=np.concatenate(frames),
                    symbol=symbol,
                    left_out=len(some) - sum(map(len, x)),
                )


def _apart(own: int, zero: int) -> int:
    """How far a sequence number is beyond the one at the height 0 of another capture point."""
    return (own - zero + (1 << 31)) % (1 << 32) - (1 << 31)
