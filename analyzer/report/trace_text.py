"""One counter -> the frames that move it, interval by interval between the snapshots, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.analysis import Analysis
from analyzer.catalogue import find
from analyzer.correlate import AGREE, UNLIMITED, Compared
from analyzer.correlate.slow_start import SLOW_START
from analyzer.errors import UsageError
from analyzer.prediction import INFERRED as MODELLED
from analyzer.prediction import NUMBER
from analyzer.report.counter_text import meaning
from analyzer.report.layout import Style, plain, wrapped
from analyzer.schema import Rows, address_text
from analyzer.tables import COUNTER_VERDICTS, INCREMENTS, RELATIONS
from analyzer.text import endpoint, plural, time_text

INFERRED = RELATIONS[2]
HEADER = f"{'frame':>10}  {'time (UTC)':<15}  {'adds':>10}  connection"


def trace_lines(analysis: Analysis, name: str, style: Style = plain) -> Iterator[str]:
    """What a counter means, how it moved between the snapshots, and every frame that should have moved it.

    Raises UsageError where no counter is called so, where it is not predicted, or the host is not known.
    """
    counter = find(name).name
    if counter not in NUMBER or counter in SLOW_START:
        raise UsageError(counter, "packets do not tell when it moves", f"`tcpcap counters explain {counter}` says why")
    analysis.kernel.need_host(INCREMENTS.name)
    yield style(counter, "title")
    yield from wrapped(meaning(counter), "  ")
    intervals = _intervals(analysis, counter)
    if analysis.comparison is not None and not intervals:
        yield "  It did not move between the snapshots."
    yield ""
    frames = movements = 0
    parts = analysis.kernel.increment_frames([counter])
    for number, part in enumerate(parts):
        if number == 0:
            yield HEADER
        ends = _ends(analysis, part["flow"].to_numpy())
        rows: Iterable[Any] = part.itertuples(index=False)
        for row in rows:
            while intervals and row.time_ns > intervals[0].start_ns:
                yield style(_interval_line(intervals.pop(0)), "title")
            frames += row.amount != 0
            movements += row.amount
            yield _frame_line(row, ends)
    yield from (style(_interval_line(interval), "title") for interval in intervals)
    yield f"{plural(frames, 'frame')}, {movements:,} in all" if frames else "No frame moves it."
    if counter in MODELLED:
        yield "~ what a model of Linux decides, not the packets alone"


def _intervals(analysis: Analysis, counter: str) -> list[Compared]:
    """The intervals in which the counter moved or should have, in order of time."""
    if analysis.comparison is None:
        return []
    return [each for each in analysis.comparison.rows() if each.counter == counter]


def _interval_line(each: Compared) -> str:
    """What was counted in it, and whether that fits."""
    forecast = f"{each.predicted:,}" if each.low == each.high else f"{each.low:,} to {each.high:,}"
    forecast = f"{each.low:,} or more" if each.high == UNLIMITED else forecast
    verdict = COUNTER_VERDICTS[each.verdict].replace("_", " ")
    shown = verdict if each.verdict == AGREE else verdict.upper()
    times = f"{time_text(each.start_ns, day=False)} to {time_text(each.end_ns, day=False)}"
    return f"-- {times}: counted {each.observed:,}, forecast {forecast}: {shown}"


def _frame_line(row: Any, ends: dict[int, str]) -> str:
    """A frame, what it adds, and whose it is."""
    amount = f"{row.amount:,}" if row.low == row.high else f"{row.low:,} to {row.high:,}"
    amount = f"~{amount}" if row.relation == INFERRED else amount
    whose = ends.get(row.flow, "-" if row.flow < 0 else f"flow {row.flow:,}")
    return f"{row.frame:>10}  {time_text(row.time_ns, day=False)}  {amount:>10}  {whose}"


def _ends(analysis: Analysis, flows: npt.NDArray[np.int64]) -> dict[int, str]:
    """Both ends of each of these flows, as far as they are still known."""
    rows = analysis.flow_tracker.rows_of(np.unique(flows[flows >= 0]))
    return {int(row["flow"]): f"{_end(row, 'client')} > {_end(row, 'server')}" for row in rows}


def _end(row: Rows, side: str) -> str:
    address = address_text(int(row[f"{side}_hi"]), int(row[f"{side}_lo"]), int(row["ip_version"]))
    return endpoint(address, int(row[f"{side}_port"]))
