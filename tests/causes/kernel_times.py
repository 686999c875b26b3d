"""A recording goes in; the times that a sender's kernel measured (`ss -i`) beside what the account says until then come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas

from analyzer import analyze

MEANT = {
    "busy_ms": ("transfer", "round_trip", "receive_window", "zero_window", "delayed_ack", "loss_fast", "loss_timeout"),
    "rwnd_limited_ms": ("receive_window", "zero_window"),
    "sndbuf_limited_ms": ("round_trip",),
}
"""What the account calls the time in which the kernel's clock runs: data is not acknowledged, and what keeps more from being sent."""
SHARE, LEAST_S = 0.1, 0.012
"""The kernel counts in jiffies, 4 ms here, and each of its clocks starts and stops a few times."""
WORTH_S = 0.1
_ROW = "{:22}{:20}{:>9}{:>9}{:>8}  {}"


@dataclass(frozen=True, slots=True)
class Measured:
    """One of the kernel's times, in the last list that shows the socket of the host that sent the data."""

    recording: str
    name: str
    kernel_s: float
    ours_s: float

    @property
    def agrees(self) -> bool:
        """Within a tenth or a few jiffies."""
        return abs(self.ours_s - self.kernel_s) <= max(SHARE * self.kernel_s, LEAST_S)


def kernel_times(folder: Path) -> Iterator[Measured]:
    """Those that are worth it, of the host whose socket was busy longest."""
    found = []
    for host in ("client", "server"):
        analysis = analyze(folder / host)
        sockets = analysis.sockets
        shown = sockets[(sockets["flow"] >= 0) & (sockets["state"] == "ESTAB") & (sockets["busy_ms"].fillna(0) > 0)]
        if len(shown):
            found.append((float(shown["busy_ms"].iloc[-1]), analysis, shown.iloc[-1]))
    if not found:
        return
    _, analysis, row = max(found, key=lambda each: each[0])
    series = analysis.series(flow=int(row["flow"]), every="2ms")
    until = series[series["end_ns"] <= row["time_ns"]]
    for name, causes in MEANT.items():
        if not pandas.isna(row[name]) and row[name] >= 1000 * WORTH_S:
            ours_s = sum(int(until[f"time_{cause}_ns"].sum()) for cause in causes) / 1e9
            yield Measured(folder.name, name, float(row[name]) / 1000, ours_s)


def kernel_table(measured: Sequence[Measured]) -> str:
    """A line for each."""
    lines = [_ROW.format("recording", "time of ss -i", "kernel", "ours", "off", "")]
    for each in measured:
        off = f"{100 * (each.ours_s - each.kernel_s) / each.kernel_s:+.1f} %"
        numbers = (f"{each.kernel_s:.3f}", f"{each.ours_s:.3f}", off, "" if each.agrees else "WRONG")
        lines.append(_ROW.format(each.recording, each.name, *numbers))
    return "\n".join(lines)
