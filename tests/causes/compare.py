"""A recording goes in; for each of its captures and causes, the truth and what the account says come out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from analyzer import analyze
from analyzer.tables import TIME_CAUSES

from .record import TRUTH

SHARE, LEAST_S = 0.1, 0.005
_ROW = "{:22}{:8}{:28}{:>9}{:>9}{:>8}  {}"


@dataclass(frozen=True, slots=True)
class Result:
    """One cause in one capture; `largest` says whether the cause that took most of the time has the largest share."""

    recording: str
    host: str
    cause: str
    truth_s: float
    ours_s: float
    largest: bool

    @property
    def agrees(self) -> bool:
        """Within a tenth or 5 ms, and the largest share where it should be."""
        return self.largest and abs(self.ours_s - self.truth_s) <= max(SHARE * self.truth_s, LEAST_S)


def compare(folder: Path) -> Iterator[Result]:
    """Of both ends."""
    truth: dict[str, float] = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    for host in ("client", "server"):
        flows = analyze(folder / host / "capture.pcap").flows
        flow = flows.loc[flows["duration_ns"].idxmax()]
        spent = {cause: int(flow[f"time_{cause}_ns"]) / 1e9 for cause in TIME_CAUSES}
        mine = {name.partition("@")[0]: each for name, each in truth.items() if name.partition("@")[2] in ("", host)}
        most = max(spent, key=lambda cause: spent[cause])
        largest = most in max(mine, key=lambda cause: mine[cause]).split("+")
        for cause, seconds in mine.items():
            ours = sum(spent[each] for each in cause.split("+"))
            yield Result(folder.name, host, cause, seconds, ours, largest)


def table(results: Sequence[Result]) -> str:
    """A line for each."""
    lines = [_ROW.format("recording", "from", "cause", "truth", "ours", "off", "")]
    for each in results:
        off = f"{100 * (each.ours_s - each.truth_s) / each.truth_s:+.1f} %"
        numbers = (f"{each.truth_s:.3f}", f"{each.ours_s:.3f}", off, "" if each.agrees else "WRONG")
        lines.append(_ROW.format(each.recording, each.host, each.cause, *numbers))
    return "\n".join(lines)
