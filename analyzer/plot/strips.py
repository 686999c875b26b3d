"""The kernel's counters as strips on the time axis of the packets: by how much each rose a second, beside what the packets say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from analyzer.analysis import Analysis
from analyzer.correlate import OVER, UNDER, UNLIMITED, UNOBSERVABLE, Compared
from analyzer.errors import UsageError, suggest
from analyzer.plot.picture import Layer, Panel
from analyzer.plot.sequence import Clock
from analyzer.plot.thin import extremes
from analyzer.tables import COUNTERS
from analyzer.text import printable

MOST_STRIPS = 6
MOST_INTERVALS = 2_000
HEADROOM = 1.15  # a line at the edge of a panel is hardly seen
# What is worth a look where nothing else points anywhere.
USUAL = ("TcpRetransSegs", "TcpExtTCPTimeouts", "TcpExtListenDrops", "TcpExtTCPRcvQDrop", "TcpOutSegs", "TcpInSegs")


class Strips:
    """The counters of the host that took the capture, interval by interval; empty without snapshots, or where it is not known whose they are."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._rows: dict[str, dict[tuple[int, int], Compared]] = {}
        compared = analysis.comparison.rows() if analysis.comparison else []
        for each in compared:
            if each.start_ns > 0:
                self._rows.setdefault(each.counter, {})[each.start_ns, each.end_ns] = each
        self._intervals = sorted({interval for rows in self._rows.values() for interval in rows})
        self._wrong = list(dict.fromkeys(each.counter for each in compared if each.verdict in (UNDER, OVER)))

    def names(self, names: Sequence[str] = (), most: int = MOST_STRIPS) -> list[str]:
        """The counters to draw: those that are named, else those that findings name, those that packets contradict, and the usual ones.

        Raises UsageError for a name that never moved.
        """
        unknown = [name for name in names if name not in self._rows]
        if unknown:
            raise UsageError(COUNTERS.name, f"{unknown[0]!r} did not move", suggest(unknown[0], sorted(self._rows)))
        findings = [proof.counter for finding in self._analysis.diagnosis.findings for proof in finding.counters]
        return list(names) or self.moved([*findings, *self._wrong, *USUAL])[:most]

    def moved(self, names: Iterable[str]) -> list[str]:
        """Those of the names that can be drawn, each once."""
        return [name for name in dict.fromkeys(names) if name in self._rows]

    def panels(self, names: Sequence[str], clock: Clock) -> Iterator[Panel]:
        """A panel for each of the counters."""
        for name in names:
            rows = self._rows[name]
            lines = [("the kernel counted", "observed", "observed")]
            if any(each.is_range for each in rows.values()):
                lines += [
                    ("the packets say: at least", "predicted", "low"),
                    ("the packets say: at most", "odd", "high"),
                ]
            elif any(each.relation != UNOBSERVABLE for each in rows.values()):
                lines.append(("the packets say", "predicted", "predicted"))
            layers = []
            for text, role, field in lines:
                amounts = [getattr(rows[each], field) if each in rows else 0 for each in self._intervals]
                layers.append(self._rates(text, role, amounts, clock, dashed=role != "observed"))
            highest = max(float(np.nanmax(each.y, initial=0.0)) for each in layers)
            yield Panel(f"{printable(name)}, a second", "", layers, 0.5, top=HEADROOM * highest)

    def _rates(self, name: str, role: str, amounts: Sequence[int], clock: Clock, dashed: bool = False) -> Layer:
        """Rates by interval; nothing is drawn where no snapshots enclose a time."""
        start, end = np.array(self._intervals, np.int64).reshape(-1, 2).T
        counts = np.array(amounts, np.int64)
        rates = np.where(counts == UNLIMITED, np.nan, counts) * 1e9 / np.maximum(end - start, 1)
        few = extremes([np.nan_to_num(rates)], MOST_INTERVALS)
        start, end, rates = start[few], end[few], rates[few]
        # Begin and end of each interval, and a gap behind those that the next does not follow at once.
        x = np.column_stack([clock(start), clock(end), clock(end)]).ravel()
        y = np.column_stack([rates, rates, np.full(len(rates), np.nan)]).ravel()
        joined = np.zeros(len(x), bool)
        joined[2:-1:3] = start[1:] == end[:-1]
        return Layer(name, "line", role, x[~joined], y[~joined], dashed=dashed, broad=not dashed)
