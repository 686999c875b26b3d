"""How an Analysis shows itself in a notebook: findings and connections as tables, the whole text behind a fold; and progress there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Any

from analyzer.analysis import Analysis
from analyzer.capture import Capture
from analyzer.flows.names import ends_text
from analyzer.report.console import console_text, opaque_text, overview_text, shown_warnings, told_facts
from analyzer.report.conversation_text import ENDED
from analyzer.report.finding_text import checked_text, cost_text, nothing_wrong, proof_text, when_text, where_text
from analyzer.report.progress import SHOW_AFTER_S
from analyzer.report.trouble_text import alike, sentences, who_text
from analyzer.report.words import numbers_text, offset_text
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, FLOWS
from analyzer.text import duration_text, plural, printable, size_text

MOST = 20  # findings in the table
BUSIEST = 10
EVERY_S = 0.25
CELL = "text-align:left;vertical-align:top"


def notebook_html(analysis: Analysis) -> str:
    """The answer as HTML: nothing in it but text, tables and a fold, all from the capture escaped."""
    return f"<div>{''.join(_parts(analysis))}</div>"


def _parts(analysis: Analysis) -> Iterator[str]:
    start_ns = analysis.start_ns
    opening = opaque_text(analysis) or nothing_wrong(analysis)
    if opening:
        yield _paragraph(f"<strong>{_text(opening)}</strong>")
    yield _paragraph(_text(f"{overview_text(analysis)}; checked: {checked_text(analysis)}."))
    for warning in shown_warnings(analysis):
        yield _paragraph(f"&#9888; {_text(warning)}")
    for fact in told_facts(analysis):
        yield _paragraph(_text(fact))
    findings = [each for each in analysis.diagnosis.findings if not each.because_of]
    if findings:
        rows = [
            (
                each.severity,
                f"{each.summary} ({each.rule.id})",
                "; ".join(filter(None, (where_text(each), when_text(each, start_ns)))),
                cost_text(each),
                proof_text(each),
                " ".join(each.next[:1]),
            )
            for each in findings[:MOST]
        ]
        yield _table("Findings", ("", "what happened", "where and when", "cost", "proof", "next"), rows)
        if len(findings) > MOST:
            yield _paragraph(_text(f"and {plural(len(findings) - MOST, 'more finding')}: see .findings"))
    groups = alike(analysis.flow_tracker.troubled(BUSIEST)[0])
    if groups:
        rows_of = [(who_text(group), " ".join(f"{each}." for each in sentences(group, analysis))) for group in groups]
        yield _table("Connections in trouble", ("connection", "what happened to it"), rows_of)
    busiest = analysis.flow_tracker.busiest(BUSIEST)
    if len(busiest):
        head = ("", "conversation", "from", "packets", "bytes", "lasted", "ended")
        yield _table("Busiest conversations", head, [_conversation(flow, start_ns) for flow in busiest])
    text = escape(console_text(analysis))
    yield f'<details><summary>All of it</summary><pre style="font-family:monospace;white-space:pre">{text}</pre></details>'


def _conversation(flow: Rows, start_ns: int) -> Sequence[str]:
    return (
        numbers_text([int(flow["flow"])]),
        f"{ends_text(flow)} {FLOWS['protocol'].words[int(flow['protocol'])]}",
        offset_text(int(flow["start_ns"]), start_ns),
        f"{int(flow['client_packets'] + flow['server_packets']):,}",
        size_text(int(flow["client_bytes"] + flow["server_bytes"])),
        duration_text(int(flow["end_ns"]) - int(flow["start_ns"])),
        ENDED[FLOW_STATES[int(flow["state"])]],
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _paragraph(content: str) -> str:
    return f"<p>{content}</p>"


def _table(title: str, head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f'<th style="{CELL}">{_text(each)}</th>' for each in head)
    lines = "".join(
        f"<tr>{''.join(f'<td style={chr(34)}{CELL}{chr(34)}>{_text(each)}</td>' for each in row)}</tr>" for row in rows
    )
    caption = f'<caption style="text-align:left;font-weight:bold">{_text(title)}</caption>'
    return f"<table>{caption}<thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"


def progress_in_notebook() -> Callable[[Capture], None] | None:
    """What draws progress in a running notebook; None anywhere else."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import display, get_ipython

    if get_ipython() is None:
        return None
    return Drawn(display)


class Drawn:
    """A line below the cell on how much is read, which goes when all is; of a small file nothing is seen."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None
        self._began = self._next = time.monotonic()

    def __call__(self, capture: Capture) -> None:
        now, size = time.monotonic(), capture.size
        if size is not None and capture.done >= size:
            if self._handle is not None:
                self._handle.update(self._display.HTML(""))
            return
        if now < max(self._next, self._began + SHOW_AFTER_S):
            return
        self._next = now + EVERY_S
        rate = size_text(round(capture.done / (now - self._began)))
        of = f" of {size_text(size)} ({100 * capture.done // size} %)" if size else ""
        line = self._display.HTML(f"reading: {size_text(capture.done)}{of}, {rate}/s")
        if self._handle is None:
            self._handle = self._display.display(line, display_id=True)
        else:
            self._handle.update(line)
