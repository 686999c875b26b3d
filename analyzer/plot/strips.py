"""The kernel's counters as strips on the time axis of the packets: by how much each rose a second, beside what the packets say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.errors import UsageError, suggest
from analyzer.plot.picture import Layer, Panel
from analyzer.plot.sequence import Clock
from analyzer.plot.thin import extremes
from analyzer.tables import COUNTERS

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.analysis import Analysis

MOST_STRIPS = 6
MOST_INTERVALS = 2_000
# What is worth a look where nothing else points anywhere.
USUAL = ("TcpRetransSegs", "TcpExtTCPTimeouts", "TcpExtListenDrops", "TcpExtTCPRcvQDrop", "TcpOutSegs", "TcpInSegs")


def strip_names(analysis: Analysis, names: Sequence[str] = (), most: int = MOST_STRIPS) -> list[str]:
    """The counters to draw: those that are named, else those that findings name, those that packets contradict, and the usual ones.

    Raises UsageError for a name that no snapshot has or that never moved, and where there are no snapshots.
    """
    counters = _own(analysis)
    moved = set(counters["counter"])
    if names:
        analysis.kernel.need_host(COUNTERS.name)
        unknown = [name for name in names if name not in moved]
        if unknown:
            raise UsageError("counters", f"{unknown[0]!r} did not move", suggest(unknown[0], sorted(moved)))
        return list(names)
    findings = [proof.counter for finding in analysis.diagnosis.findings for proof in finding.counters]
    wrong = counters["counter"][counters["verdict"].isin(["under", "over"])].tolist()
    return [name for name in dict.fromkeys([*findings, *wrong, *USUAL]) if name in moved][:most]


def strips(analysis: Analysis, names: Sequence[str], clock: Clock) -> Iterator[Panel]:
    """A panel for each of the counters."""
    counters = _own(analysis)
    intervals = counters[["start_ns", "end_ns"]].drop_duplicates().sort_values("start_ns")
    for name in names:
        mine = intervals.merge(counters[counters["counter"] == name], how="left", on=["start_ns", "end_ns"])
        comparable = bool((mine["relation"].dropna() != "unobservable").any())
        layers = [_steps("the kernel counted", "observed", mine, mine["observed"], clock)]
        if comparable:
            layers.append(_steps("the packets say", "predicted", mine, mine["predicted"], clock, dashed=True))
        yield Panel(f"{name}, a second", "", layers, 0.5)


def _own(analysis: Analysis) -> pd.DataFrame:
    """The counters of the host that took the capture, as far as it is known when they were read."""
    counters = analysis.counters
    return counters[(counters["host"] == analysis.host_name) & (counters["start_ns"] > 0)]


def _steps(name: str, role: str, rows: pd.DataFrame, amounts: Any, clock: Clock, dashed: bool = False) -> Layer:
    """Rates by interval; nothing is drawn where no snapshots enclose a time."""
    start, end = rows["start_ns"].to_numpy(np.int64), rows["end_ns"].to_numpy(np.int64)
    rates = amounts.fillna(0).to_numpy(np.float64) * 1e9 / np.maximum(end - start, 1)
    few = extremes([rates], MOST_INTERVALS) if len(rates) else np.arange(0)
    start, end, rates = start[few], end[few], rates[few]
    # Begin and end of each interval, and a gap behind those that the next does not follow at once.
    x = np.column_stack([clock(start), clock(end), clock(end)]).ravel()
    y = np.column_stack([rates, rates, np.full(len(rates), np.nan)]).ravel()
    joined = np.zeros(len(x), bool)
    joined[2:-1:3] = start[1:] == end[:-1]
    return Layer(name, "line", role, x[~joined], y[~joined], dashed=dashed)
