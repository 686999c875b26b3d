"""Points -> one self-contained page: findings between the points and at each, the ways, connections as both points saw them, counters side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from analyzer.capture.pipes import is_pipe
from analyzer.diagnosis.finding import Diagnosis
from analyzer.output import Input, appearing
from analyzer.passes import Progress
from analyzer.plot.extras import check
from analyzer.plot.page import drawn, rendered
from analyzer.points.points import Points
from analyzer.report.html import ASSETS, MOST_WORTH_KNOWING, PIPED, finding_parts
from analyzer.report.layout import plain
from analyzer.report.points_counters import counters_beside
from analyzer.report.points_text import found_at, path_lines, points_text
from analyzer.text import plural, printable, time_text

MOST_DRAWN = 4  # connections


def save_points_html(
    points: Points, target: str, inputs: Sequence[Input] = (), progress: Progress | None = None
) -> None:
    """Write the page; the file appears when it is complete, and never over what is read.

    Raises TcpcapError where a package of the extra `plot` is missing, or the file cannot be written.
    """
    check()
    with appearing(target, inputs) as file:
        file.write(points_html(points, progress).encode())


def points_html(points: Points, progress: Progress | None = None) -> str:
    """The page. All that comes from a capture or a snapshot is escaped; the page can fetch nothing."""
    piped = any(is_pipe(path) for analysis in points.at.values() for path in analysis.paths)
    starts = [analysis.summary.total("first_ns") for analysis in points.at.values()]
    known = [start for start in starts if start]
    names = [printable(name) for name in points.at]
    shared = sum(len(between.survey.pairs.flows) for between in points.between)
    counters = counters_beside(points)
    return rendered(
        ASSETS,
        "points.html",
        title=f"tcpcap: {', '.join(names[:3])}",
        time=f"{time_text(min(known))} UTC" if known else "",
        overview_text=f"Capture points {', '.join(names)}: {plural(shared, 'connection')} seen at two of them.",
        groups=list(_groups(points)),
        warnings=[printable(text) for text in points.warnings],
        ways=[{"title": title, "lines": lines} for title, lines in path_lines(points)],
        connections=[] if piped else list(_connections(points, progress)),
        undrawn=PIPED if piped else "",
        names=names,
        counters=[{"counter": printable(each.counter), "cells": each.cells, "wrong": each.wrong} for each in counters],
        text=points_text(points, plain),
    )


def _groups(points: Points) -> Iterator[dict[str, Any]]:
    """Findings between the points, then those of each."""
    yield {"title": "Between the points", **_told(found_at(points, ""))}
    for name in points.at:
        yield {"title": f"At {printable(name)}", **_told(found_at(points, name))}


def _told(diagnosis: Diagnosis) -> dict[str, Any]:
    alone = [each for each in diagnosis.findings if not each.because_of]
    full = sum(each.severity != "info" for each in alone) + MOST_WORTH_KNOWING
    told = [finding_parts(each, {}, False) for each in alone]
    return {"findings": told[:full], "others": told[full:]}


def _connections(points: Points, progress: Progress | None) -> Iterator[dict[str, Any]]:
    for number in points.plot.worst_of(MOST_DRAWN):
        yield drawn(f"connection-{number}", points.plot.time_sequence(number, progress))
