"""What was measured in, the table and the verdicts out, as text within 100 columns and as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .bars import Bar
from .run import Measured

WIDTH = 100
HEADS = ("capture", "tool", "frames", "wall s", "CPU s", "ns/frame", "beyond", "peak MB", "x whole", "x beyond")
WIDTHS = (8, 12, 12, 8, 8, 9, 9, 8, 8, 8)


@dataclass(frozen=True)
class Row:
    """A tool on a capture. `beyond_ns` is per frame without start-up, the `x` are multiples of tcpcap's figures."""

    capture: str
    tool: str
    frames: int
    whole: bool
    wall_s: float | None = None
    cpu_s: float | None = None
    peak_mb: float | None = None
    frame_ns: float | None = None
    beyond_ns: float | None = None
    x_whole: float | None = None
    x_beyond: float | None = None
    note: str = ""


def rows(measured: Iterable[Measured]) -> list[Row]:
    """The figures of each tool on each capture; start-up is what the same tool needs for the capture `ten`."""
    measured = list(measured)
    start = {row.tool: row.median("wall_s") for row in measured if row.capture == "ten"}
    wall_ns: dict[tuple[str, str], float] = {}
    beyond_ns: dict[tuple[str, str], float] = {}
    for row in measured:
        wall_s, start_s = row.median("wall_s"), start.get(row.tool)
        if wall_s is not None and row.capture != "ten":
            wall_ns[row.capture, row.tool] = wall_s / row.frames * 1e9
            if start_s is not None:
                beyond_ns[row.capture, row.tool] = (wall_s - start_s) / row.frames * 1e9
    made = []
    for row in measured:
        here, ours = (row.capture, row.tool), (row.capture, "tcpcap")
        made.append(
            Row(
                row.capture,
                row.tool,
                row.frames,
                row.whole,
                row.median("wall_s"),
                row.median("cpu_s"),
                row.median("peak_mb"),
                wall_ns.get(here),
                beyond_ns.get(here),
                _ratio(wall_ns.get(here), wall_ns.get(ours)) if row.whole else None,
                _ratio(beyond_ns.get(here), beyond_ns.get(ours)),
                row.note,
            )
        )
    return made


def table(found: Iterable[Row], floor_mb: float = 0.0) -> str:
    """One line per row. A peak below `floor_mb`, the memory of the bench itself, is not known any better than that."""
    found = list(found)
    lines = [_line(HEADS), _line(["-" * width for width in WIDTHS])]
    for row in found:
        frames = f"{row.frames:,}" + ("" if row.whole else "*")
        if row.note and row.wall_s is None:
            lines.append(f"{row.capture:<{WIDTHS[0]}} {row.tool:<{WIDTHS[1]}} {frames:>{WIDTHS[2]}} {row.note}"[:WIDTH])
            continue
        peak = _number(row.peak_mb, 0)
        if row.peak_mb is not None and row.peak_mb <= floor_mb:
            peak = f"<{floor_mb:.0f}"
        figures = [_number(row.wall_s, 2), _number(row.cpu_s, 2), _number(row.frame_ns, 0), _number(row.beyond_ns, 0)]
        ratios = [_number(row.x_whole, 1), _number(row.x_beyond, 1)]
        lines.append(_line([row.capture, row.tool, frames, *figures, peak, *ratios]))
    lines.append("medians; beyond: ns/frame without start-up; x: times tcpcap's figure, with start-up and beyond it")
    if not all(row.whole for row in found):
        lines.append("* the first frames of the capture only, once")
    return "\n".join(lines)


def verdicts(bars: Iterable[Bar]) -> str:
    """One line per bar; a note that does not fit comes below it."""
    lines = []
    for bar in bars:
        measured = "not measured" if bar.measured is None else f"{bar.measured:.2f} {bar.unit}"
        verdict = "met" if bar.met else "missed"
        limit = f"< {bar.limit:g} {bar.unit}"
        line = f"{verdict:<7}{bar.text:<33}{limit:<16}{measured:<18}"
        fits = len(line) + len(bar.note) <= WIDTH
        lines.append((line + bar.note if fits else line).rstrip())
        lines.extend([] if fits else [f"       {bar.note}"[:WIDTH]])
    return "\n".join(lines)


def status(bars: Iterable[Bar]) -> int:
    """The exit status: 1 if a bar was missed."""
    return 0 if all(bar.met for bar in bars) else 1


def data(measured: Iterable[Measured], bars: Iterable[Bar]) -> dict[str, Any]:
    """All of it as plain values for JSON: rows with their single runs, and bars with their verdicts."""
    measured = list(measured)
    tables = [
        {**asdict(row), "runs": [asdict(run) for run in runs.runs]}
        for row, runs in zip(rows(measured), measured, strict=True)
    ]
    return {"rows": tables, "bars": [{**asdict(bar), "met": bar.met} for bar in bars]}


def _ratio(figure: float | None, ours: float | None) -> float | None:
    """A figure as a multiple of tcpcap's."""
    return figure / ours if figure is not None and ours is not None and ours > 0 else None


def _number(value: float | None, places: int) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:,.{places}f}"


def _line(cells: Iterable[str]) -> str:
    """Cells beside each other: names to the left, figures to the right."""
    parts = [
        f"{cell:<{width}}" if place < 2 else f"{cell:>{width}}"
        for place, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    ]
    return " ".join(parts).rstrip()
