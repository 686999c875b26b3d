"""An Analysis -> one self-contained page: findings first, each with its proof and its plots, then connections, counters, the capture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analyzer.analysis import Analysis
from analyzer.capture.pipes import is_pipe
from analyzer.correlate import OVER, UNDER
from analyzer.diagnosis.finding import Finding
from analyzer.output import Input, appearing
from analyzer.passes import Progress
from analyzer.plot.extras import check
from analyzer.plot.page import drawn, library, rendered
from analyzer.plot.plots import Plots
from analyzer.report.connection_html import connection
from analyzer.report.console import console_text, opaque_text, overview_text, shown_warnings, told_facts
from analyzer.report.counter_text import forecast_text
from analyzer.report.finding_text import (
    at_text,
    checked_text,
    cost_text,
    news_of,
    not_checked_lines,
    nothing_wrong,
    proof_text,
    when_text,
    where_text,
)
from analyzer.report.layout import plain
from analyzer.tables import COUNTER_VERDICTS, RELATIONS
from analyzer.text import plural, printable, time_text

ASSETS = Path(__file__).parent / "assets"
LARGEST = 8_500_000  # bytes of a page, about: what would be more is not drawn, and that is said
TEXT_ROOM = 600_000  # of it for all that is no figure
MOST_CONSEQUENCES = 8
MOST_COUNTERS = 40
MOST_WORTH_KNOWING = 8  # findings that are no more than that, and are told at once
PIPED = "There are no plots: a pipe can be read only once. Save the capture to a file to have them."
EMPTY = "There are no plots: the capture holds no frame."
VERDICTS = {
    "agree": "as the packets say",
    "under": "less than the packets show",
    "over": "more than the packets show",
    "not_comparable": "cannot be compared",
}
LABELS = {"error": "error", "warning": "warning", "info": "good to know"}


def save_html(analysis: Analysis, target: str, inputs: Sequence[Input] = (), progress: Progress | None = None) -> None:
    """Write the page; the file appears when it is complete, and never over what is read.

    Raises TcpcapError where a package of the extra `plot` is missing, or the file cannot be written.
    """
    check()
    with appearing(target, inputs) as file:
        file.write(html_text(analysis, progress).encode())


def html_text(analysis: Analysis, progress: Progress | None = None) -> str:
    """The page. All that comes from a capture or a snapshot is escaped; the page can fetch nothing."""
    undrawn = PIPED if any(map(is_pipe, analysis.paths)) else "" if analysis.summary.total("frames") else EMPTY
    drawable = not undrawn
    plots: Plots = analysis.plot
    flows = plots.chosen() if drawable else []
    if drawable:
        plots.prepare(flows, progress)
    overview = drawn("overview", plots.overview(flows)) if drawable else None
    shown, left = _connections(analysis, plots, flows, len(overview["data"]) if overview else 0)
    places = {each["flow"]: each["place"] for each in shown}
    first = analysis.summary.total("first_ns")
    alone = [each for each in analysis.diagnosis.findings if not each.because_of]
    told = [finding_parts(each, places, overview is not None) for each in alone]
    full = sum(each.severity != "info" for each in alone) + MOST_WORTH_KNOWING
    return rendered(
        ASSETS,
        "report.html",
        title=f"tcpcap: {', '.join(printable(Path(path).name or path) for path in analysis.paths[:3])}",
        time=f"{time_text(first)} UTC" if first else "",
        overview_text=f"{overview_text(analysis)}; checked: {checked_text(analysis)}.",
        answer=opaque_text(analysis) or nothing_wrong(analysis),
        findings=told[:full],
        others=told[full:],
        warnings=shown_warnings(analysis),
        facts=list(told_facts(analysis)),
        not_checked=list(not_checked_lines(analysis.diagnosis)),
        overview=overview,
        undrawn=undrawn,
        connections=shown,
        left=left,
        counters=list(_counters(analysis)),
        text=console_text(analysis, style=plain),
    )


def _connections(analysis: Analysis, plots: Plots, flows: Sequence[int], size: int) -> tuple[list[dict[str, Any]], int]:
    """As many connections as the page has room for, and how many it has not."""
    room = LARGEST - len(library()) - TEXT_ROOM - size
    shown: list[dict[str, Any]] = []
    for flow in flows:
        each = connection(analysis, plots, flow)
        room -= len(each["figure"]["data"])
        if room < 0 and shown:
            break
        shown.append(each)
    return shown, len(flows) - len(shown)


def finding_parts(finding: Finding, places: dict[int, str], overview: bool) -> dict[str, Any]:
    """What the template needs of a finding: sentences, and links to what is drawn of it."""
    flows = [flow for flow in finding.flows if flow in places]
    links = [{"to": places[flow], "text": f"plots of flow {flow:,}"} for flow in flows]
    if overview:
        links.append({"to": "overview", "text": "the whole capture"})
    news = news_of(finding)
    consequences = [
        {"number": each.number, "text": printable(at_text(each) + each.summary), "rule": each.rule.id}
        for each in news[:MOST_CONSEQUENCES]
    ]
    return {
        "number": finding.number,
        "severity": finding.severity,
        "brief": finding.severity == "info",
        "label": LABELS[finding.severity],
        "summary": printable(finding.summary),
        "rule": finding.rule.id,
        "cost": printable(cost_text(finding)),
        "where": printable("; ".join(filter(None, (where_text(finding), when_text(finding))))),
        "proof": printable(proof_text(finding)),
        "against": [printable(each) for each in finding.against],
        "sure": finding.confidence == "certain",
        "next": [printable(each) for each in finding.next],
        "why": " ".join(finding.rule.why.split()),
        "references": list(finding.rule.references),
        "consequences": consequences,
        "more": plural(len(news) - MOST_CONSEQUENCES, "more consequence") if len(news) > MOST_CONSEQUENCES else "",
        "links": links,
    }


def _counters(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """The counters over the whole time of the snapshots: those that packets contradict, then those of findings, then those that moved most."""
    if analysis.comparison is None:
        return
    named = {proof.counter for finding in analysis.diagnosis.findings for proof in finding.counters}
    found = [each for each in analysis.comparison.whole() if each.observed or each.predicted]
    found.sort(key=lambda each: (each.verdict not in (UNDER, OVER), each.counter not in named, -each.observed))
    for each in found[:MOST_COUNTERS]:
        yield {
            "name": printable(each.counter),
            "observed": f"{each.observed:,}",
            "forecast": forecast_text(each),
            "relation": RELATIONS[each.relation],
            "verdict": VERDICTS[COUNTER_VERDICTS[each.verdict]],
            "wrong": each.verdict in (UNDER, OVER),
            "reason": printable(each.reason),
        }
