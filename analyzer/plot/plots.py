"""`analysis.plot`: the pictures of an Analysis. The capture is read once more for the connections that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analyzer.capture.pipes import refuse_pipe
from analyzer.errors import UsageError
from analyzer.flows.names import ends_text
from analyzer.passes import Progress
from analyzer.plot.drawing import Drawing
from analyzer.plot.overview import overview_panels
from analyzer.plot.panels import (
    SIDES,
    connection_panels,
    rtt_panel,
    sending,
    throughput_panel,
    time_panel,
    window_panel,
)
from analyzer.plot.passing import Seen, read_again
from analyzer.plot.picture import Numbers, Panel
from analyzer.plot.sequence import sequence_panel
from analyzer.plot.strips import Strips
from analyzer.plot.trace import Trace
from analyzer.schema import Rows
from analyzer.tables import COUNTERS, FLOW_PROTOCOLS, FLOWS
from analyzer.text import command, duration_text, plural, printable, size_text, time_text

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

MOST_DRAWN = 12  # connections that `chosen` gives
OF_A_FINDING = 3
STRIPS_OF_A_CONNECTION = 3


class Kept:
    """What was read for pictures of one capture, which stays with what was found in it for the next ones."""

    def __init__(self) -> None:
        self.seen: dict[int, Trace] = {}
        self.rows: dict[int, Rows] = {}  # of `flows`
        self.whole: Seen | None = None


class Plots:
    """Pictures, each a `drawing.Drawing`: it shows itself in a notebook, and `save` writes it. All times are seconds since the first frame of the capture.

    `flow` is the number of a TCP connection in `analysis.flows`. Raises UsageError where there is none of this number, and
    where the capture is a pipe, which cannot be read once more.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._kept: Kept = analysis.drawn or Kept()
        analysis.drawn = self._kept
        self._first_ns = analysis.summary.total("first_ns")

    def time_sequence(self, flow: int) -> Drawing:
        """What was sent, acknowledged, allowed, reported by SACK and sent again, over time: each direction that matters."""
        return self._of(
            flow, "time-sequence", lambda trace: [sequence_panel(trace, each, self._clock) for each in sending(trace)]
        )

    def throughput(self, flow: int) -> Drawing:
        """Bits a second of both directions, on the wire and without what was sent again."""
        return self._of(flow, "throughput", lambda trace: [throughput_panel(trace, self._clock)])

    def rtt(self, flow: int) -> Drawing:
        """Round trips of both directions, each one and smoothed, as seen where the capture was taken."""
        return self._of(flow, "round-trip time", lambda trace: [rtt_panel(trace, self._clock)])

    def window(self, flow: int) -> Drawing:
        """Bytes in flight, and the window that limits them."""
        return self._of(flow, "bytes in flight and window", lambda trace: [window_panel(trace, self._clock)])

    def time_account(self, flow: int) -> Drawing:
        """When its time went to what."""
        return self._of(flow, "where the time went", lambda trace: [time_panel(trace, self._clock)])

    def connection(self, flow: int) -> Drawing:
        """All of these above one another, and the counters that findings about it name."""
        named = [
            proof.counter
            for finding in self._analysis.diagnosis.findings
            if flow in finding.flows
            for proof in finding.counters
        ]
        names = self._strips.moved(named)[:STRIPS_OF_A_CONNECTION]
        return self._of(
            flow,
            "",
            lambda trace: [*connection_panels(trace, self._clock), *self._strips.panels(names, self._clock)],
        )

    def counters(self, names: Sequence[str] = ()) -> Drawing:
        """By how much counters rose a second, beside what the packets say; without names those that matter most."""
        self._analysis.kernel.need_host(COUNTERS.name)
        found = self._strips.names(names)
        text = f"By how much {', '.join(map(printable, found))} rose a second, beside what the packets say."
        return self._picture("Kernel counters", text, list(self._strips.panels(found, self._clock)), self._span)

    def overview(self, flows: Sequence[int] = ()) -> Drawing:
        """The whole capture: rates, trouble, findings but for consequences of others, these connections, counters."""
        self.prepare(flows)
        assert self._kept.whole is not None, "it was read just now"
        drawn = [(self.name(flow), self._kept.seen[flow].row) for flow in flows]
        findings = [each for each in self._analysis.diagnosis.findings if not each.because_of]
        panels = [
            *overview_panels(self._kept.whole.whole, findings, drawn, self._clock),
            *self._strips.panels(self._strips.names(), self._clock),
        ]
        text = (
            f"{plural(self._analysis.summary.total('frames'), 'frame')} over time: bits a second, events that are "
            f"trouble, {plural(len(findings), 'finding')}, and when the connections were."
        )
        return self._picture("The whole capture", text, panels, self._span)

    def prepare(self, flows: Iterable[int], progress: Progress | None = None) -> None:
        """Read the capture once for all of these connections, and for the overview; `progress` is called with the Capture after each batch."""
        missing = [flow for flow in flows if flow not in self._kept.seen]
        if missing or self._kept.whole is None:
            self._read(missing, progress)

    def chosen(self, most: int = MOST_DRAWN) -> list[int]:
        """The connections most worth a picture: those of findings, worst first, then those that lost most time; where nothing is wrong the busiest."""
        findings = self._analysis.diagnosis.findings
        # One of each finding before the second of any.
        named = [
            flow for turn in range(OF_A_FINDING) for finding in findings for flow in finding.flows[turn : turn + 1]
        ]
        slow = self._analysis.slow_flows(most)[0]["flow"].tolist()
        busy = self._analysis.flow_tracker.busiest(most)["flow"].tolist()[:OF_A_FINDING]
        wanted = list(dict.fromkeys([*named, *slow]))
        self._look_up([*wanted, *busy])
        return [flow for flow in wanted if flow in self._kept.rows][:most] or [
            flow for flow in busy if flow in self._kept.rows
        ]

    def worst(self) -> int:
        """The first of these; UsageError where there is no TCP connection."""
        found = self.chosen(1)
        if not found:
            raise UsageError("flow", "no TCP connection in the capture", "draw --kind overview")
        return found[0]

    def name(self, flow: int) -> str:
        """Who talked to whom."""
        return ends_text(self._known(flow))

    def row(self, flow: int) -> Rows:
        """Its row of `flows`."""
        return self._known(flow)

    def trace(self, flow: int) -> Trace:
        """What is kept of a connection."""
        self.prepare([flow])
        return self._kept.seen[flow]

    def seconds(self, time_ns: int) -> float:
        """A time on the axis of time."""
        return (time_ns - self._first_ns) / 1e9

    @cached_property
    def axis(self) -> str:
        """What the axis of time counts."""
        return f"seconds since the first frame, {time_text(self._first_ns)} UTC"

    @cached_property
    def _strips(self) -> Strips:
        return Strips(self._analysis)

    @property
    def _span(self) -> tuple[float, float]:
        return 0.0, (self._analysis.summary.total("last_ns") - self._first_ns) / 1e9

    def _clock(self, time_ns: npt.NDArray[np.int64]) -> Numbers:
        found: Numbers = (time_ns - self._first_ns) / 1e9
        return found

    def _of(self, flow: int, what: str, panels: Callable[[Trace], list[Panel]]) -> Drawing:
        trace = self.trace(flow)
        title = f"{self.name(flow)} (flow {flow:,})" + (f": {what}" if what else "")
        end_ns = max(int(trace.row["end_ns"]), int(trace.row["start_ns"]) + int(trace.row["duration_ns"]))
        start, end = self._clock(np.array([int(trace.row["start_ns"]), end_ns]))
        return self._picture(title, self._words(trace), panels(trace), (float(start), float(end)))

    def _picture(self, title: str, text: str, panels: Sequence[Panel], span: tuple[float, float]) -> Drawing:
        drawn = [panel for panel in panels if any(len(layer.x) for layer in panel.layers)]
        if not drawn:
            raise UsageError(title, "there is nothing of that to draw", "choose another kind of picture")
        return Drawing(title, text, drawn, self.axis, span)

    def _words(self, trace: Trace) -> str:
        """What a connection's pictures show, for those who do not see them."""
        row = trace.row
        parts = [f"{duration_text(int(row['duration_ns']))} long"]
        for side in SIDES:
            again = int(row[f"{side}_retransmissions"])
            text = f"the {side} sent {size_text(int(row[f'{side}_payload']))} in {plural(int(row[f'{side}_packets']), 'packet')}"
            parts.append(text + (f", {plural(again, 'segment')} of it again" if again else ""))
        if trace.thinned:
            parts.append(f"drawn from {len(trace.packets):,} of {trace.total:,} packets, with all peaks")
        return "; ".join(parts) + "."

    def _read(self, flows: Sequence[int], progress: Progress | None) -> None:
        analysis = self._analysis
        refuse_pipe(analysis.paths, "pictures")
        rows = [self._known(flow) for flow in flows]
        found = np.array(rows, FLOWS.dtype) if rows else np.zeros(0, FLOWS.dtype)
        seen = read_again(
            analysis.paths,
            found,
            self._first_ns,
            analysis.summary.total("last_ns"),
            analysis.flow_tracker.max_flows,
            checksums=analysis.checksum_result is not None,
            progress=progress,
            choice=analysis.choice,
        )
        self._kept.seen |= seen.traces
        self._kept.whole = self._kept.whole or seen

    def _known(self, flow: int) -> Rows:
        if flow not in self._kept.rows:
            self._look_up([flow])
        if flow not in self._kept.rows:
            listing = command("export", *self._analysis.paths, "--table", "flows")
            raise UsageError("flow", f"no TCP connection {flow}", f"the table flows has their numbers: {listing}")
        return self._kept.rows[flow]

    def _look_up(self, flows: Sequence[int]) -> None:
        """The rows of those that are TCP connections and are still followed."""
        rows = self._analysis.flow_tracker.rows_of(np.array(flows, np.int64))
        rows = rows[rows["protocol"] == FLOW_PROTOCOLS.index("tcp")]
        self._kept.rows |= {int(row["flow"]): row for row in rows}
