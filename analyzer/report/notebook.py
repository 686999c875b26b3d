"""An Analysis -> a notebook for Jupyter: its findings, each with the cells that show its proof, to be run and gone on with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np

from analyzer.analysis import Analysis
from analyzer.capture.pipes import refuse_pipe
from analyzer.choose import EVERYTHING, Choice
from analyzer.diagnosis.finding import Finding
from analyzer.fields import of_fields
from analyzer.output import Input, appearing
from analyzer.report.console import opaque_text, overview_text, shown_warnings, told_facts
from analyzer.report.finding_text import (
    MOST_TOLD,
    checked_text,
    cost_text,
    news_of,
    not_checked_lines,
    nothing_wrong,
    proof_text,
    when_text,
    where_text,
)
from analyzer.report.layout import WIDTH, columns
from analyzer.report.markdown import block, bullets, code, escaped, sentence
from analyzer.report.notebook_cells import (
    COUNTERS,
    EVENTS,
    FRAMES,
    PICTURE,
    PLACES,
    PROOF,
    READING,
    SOCKETS,
    TABLE,
    TIME,
    shown_list,
)
from analyzer.report.time_text import time_lines
from analyzer.tables import FLOW_PROTOCOLS
from analyzer.text import plural, time_text

FORMAT = {"nbformat": 4, "nbformat_minor": 5}
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MOST_PICTURES = 6  # each brings the drawing library along
MOST_FLOWS = 5  # connections of a finding whose events are listed
MOST_CONSEQUENCES = 8
SLOW = 5  # connections whose time is told


@of_fields(frozen=True)
class Request:
    """How the user asked for the analysis: the notebook asks in the same way."""

    snapshots: Sequence[str] = ()
    sockets: Sequence[str] = ()
    hosts: Sequence[str] = ()
    increments: bool | None = None
    rules: Sequence[str] = ()
    choice: Choice = EVERYTHING

    def arguments(self) -> Iterator[str]:
        """Those of `analyze`, as Python: files by their whole path, so that the notebook may run in any folder."""
        for name, paths in (("snapshots", self.snapshots), ("sockets", self.sockets), ("rules", self.rules)):
            if paths:
                yield f"{name}={shown_list(map(whole, paths))}"
        if self.hosts:
            yield f"hosts={shown_list(self.hosts)}"
        if self.increments is not None:
            yield f"increments={self.increments}"
        yield from self.choice.arguments()


def save_notebook(analysis: Analysis, target: str, request: Request, inputs: Sequence[Input] = ()) -> None:
    """Write the notebook; the file appears when it is complete, and never over what is read.

    Raises UsageError where the capture, or what is beside it, is a pipe, which no notebook could read again, and TcpcapError where the file is
    one of the `inputs` or cannot be written.
    """
    refuse_pipe([*analysis.paths, *request.snapshots, *request.sockets], "notebook")
    with appearing(target, inputs) as file:
        file.write(json.dumps(notebook(analysis, request), indent=1).encode() + b"\n")


def notebook(analysis: Analysis, request: Request) -> dict[str, Any]:
    """The notebook as nbformat 4.5 has it, without outputs. Nothing that comes from a capture is taken for Markdown, HTML or code."""
    with columns(WIDTH):  # whoever opens it has another terminal than who made it
        cells = [_cell(number, kind, text) for number, (kind, text) in enumerate(_cells(analysis, request))]
    return {"cells": cells, "metadata": KERNEL} | FORMAT


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    """A cell that has not run."""
    cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def whole(path: str) -> str:
    """A path that means the same in any folder."""
    return str(Path(path).absolute())


@of_fields()
class _Drawn:
    """What the cells before have shown, and what there is to be shown."""

    sockets: set[int]  # flows that have a socket in a list
    ports: set[int]  # that a socket listens on
    counters: bool
    pictures: dict[int, int] = field(default_factory=dict)  # by flow the finding that shows it


def _cells(analysis: Analysis, request: Request) -> Iterator[tuple[str, str]]:
    """Kind and text of each, from top to bottom."""
    findings = [each for each in analysis.diagnosis.findings if not each.because_of]
    told, rest = findings[:MOST_TOLD], findings[MOST_TOLD:]
    yield "markdown", _opening(analysis, told)
    yield (
        "code",
        READING.format(
            paths=shown_list(map(whole, analysis.paths)), more="".join(f", {each}" for each in request.arguments())
        ),
    )
    if len(told) > 1:
        yield "code", TABLE
    frames = sorted({frame for finding in told for frame in finding.frames})
    flows = sorted({flow for finding in told for flow in finding.flows[:MOST_FLOWS]})
    drawn = _Drawn(set(), set(), analysis.comparison is not None)
    if frames:
        yield "markdown", "The frames that the findings name, in one more pass over the capture:"
        yield "code", FRAMES.format(frames=shown_list(frames))
    if analysis.has_sockets:
        ports = sorted({port for finding in told if (port := _port(analysis, finding))})
        drawn.sockets, drawn.ports = _listed(analysis, flows, ports)
        if drawn.sockets or drawn.ports:
            yield "markdown", "Their sockets, in the lists that were recorded:"
            yield "code", PLACES.format(flows=shown_list(flows), ports=shown_list(ports))
    for finding in told:
        yield from _finding(analysis, finding, drawn)
    if rest:
        yield (
            "markdown",
            "## Further findings\n\n"
            + bullets(f"{each.severity}: {escaped(each.summary)} ({code(each.rule.id)})" for each in rest),
        )
    yield from _end(analysis)


def _opening(analysis: Analysis, told: Sequence[Finding]) -> str:
    """What it is about, the worst first, and what to know before trusting it."""
    worst = told[0] if told and told[0].severity != "info" else None
    opaque = opaque_text(analysis)
    if worst is not None:
        title, answer = worst.rule.title, f"**{escaped(worst.summary)}**"
    elif opaque or not analysis.summary.total("frames"):
        title, answer = "nothing to be read", escaped(opaque or "The capture holds no frame.")
    else:
        title, answer = "nothing that needs action", escaped(nothing_wrong(analysis))
    parts = [f"# Post-mortem: {escaped(title)}", answer]
    first = analysis.summary.total("first_ns")
    began = f" It begins at {time_text(first)} UTC." if first else ""
    parts.append(f"{escaped(overview_text(analysis))}; checked: {checked_text(analysis)}.{began}")
    known = [*told_facts(analysis), *shown_warnings(analysis)]
    if known:
        parts.append("What to know before trusting it:\n\n" + bullets(map(escaped, known)))
    parts.append(
        "Run all cells to see the proof. Pictures need `pip install 'tcpcap[plot]'`. Paths are absolute; change them "
        "in the next cell where the capture has moved."
    )
    return "\n\n".join(parts)


def _finding(analysis: Analysis, finding: Finding, drawn: _Drawn) -> Iterator[tuple[str, str]]:
    """What it says, then the cells that prove it, then what to do."""
    yield "markdown", _said(finding)
    if finding.frames:
        yield "code", PROOF.format(frames=shown_list(finding.frames))
    flows = finding.flows[:MOST_FLOWS]
    flow = _picture(analysis, finding, drawn)
    if flow is not None and flow in drawn.pictures:
        yield "markdown", f"The picture of flow {flow:,} stands at finding {drawn.pictures[flow]}."
    elif flow is not None:
        drawn.pictures[flow] = finding.number
        yield "code", PICTURE.format(flow=flow)
    if flows and np.isin(flows, analysis.gathered["flow"]).any():
        yield (
            "markdown",
            "What happened on "
            + ("its connection" if len(flows) == 1 else "its connections")
            + ", by kind of event (`tcpcap schema events` explains each):",
        )
        yield "code", EVENTS.format(flows=shown_list(flows))
    if finding.counters and drawn.counters:
        yield (
            "markdown",
            "The kernel's counters, interval by interval between the snapshots, beside what the packets say:",
        )
        yield "code", COUNTERS.format(names=shown_list(each.counter for each in finding.counters))
    port = _port(analysis, finding)
    if drawn.sockets & set(flows) or port in drawn.ports:
        yield "markdown", "Its sockets (of a listening one Recv-Q is the accept queue, and Send-Q its limit):"
        yield "code", SOCKETS.format(flows=shown_list(flows), ports=shown_list([port] if port else []))
    if finding.next:
        yield (
            "markdown",
            "**What to do next**\n\n"
            + "\n".join(f"{number}. {sentence(step)}" for number, step in enumerate(finding.next, 1)),
        )


def _said(finding: Finding) -> str:
    """A finding in words."""
    parts = [
        f"## Finding {finding.number}: {escaped(finding.rule.title)}",
        f"**{finding.severity}**: {escaped(finding.summary)} ({code(finding.rule.id)})",
    ]
    where = "; ".join(filter(None, (where_text(finding), when_text(finding))))
    facts = [("Cost", cost_text(finding)), ("Where", where), ("Proof", proof_text(finding))]
    facts += [("But", each) for each in finding.against if finding.confidence != "certain"]
    parts.append(bullets(f"{label}: {sentence(text)}" for label, text in facts if text))
    if finding.rule.why:
        parts.append(sentence(" ".join(finding.rule.why.split())))
    news = news_of(finding)
    if news:
        shown = [f"{escaped(each.summary)} ({code(each.rule.id)})" for each in news[:MOST_CONSEQUENCES]]
        left = len(news) - len(shown)
        parts.append("It led to:\n\n" + bullets([*shown, *([plural(left, "more consequence")] if left else [])]))
    if finding.rule.references:
        parts.append("References: " + "; ".join(map(sentence, finding.rule.references)))
    return "\n\n".join(parts)


def _picture(analysis: Analysis, finding: Finding, drawn: _Drawn) -> int | None:
    """The connection to draw: the first of the finding that is one of TCP, carried data and is still followed."""
    rows = analysis.flow_tracker.rows_of(np.array(finding.flows[:MOST_FLOWS], np.int64))
    carried = (rows["client_payload"] > 0) | (rows["server_payload"] > 0)
    worth = set(rows["flow"][(rows["protocol"] == FLOW_PROTOCOLS.index("tcp")) & carried].tolist())
    found = next((flow for flow in finding.flows if flow in worth), None)
    full = len(drawn.pictures) >= MOST_PICTURES or finding.severity == "info"
    return None if full and found not in drawn.pictures else found


def _port(analysis: Analysis, finding: Finding) -> int:
    """The port of its server, where that is the host whose sockets are listed; else 0."""
    address, _, port = finding.server.rpartition(":")
    return int(port) if port.isdecimal() and address.strip("[]") in analysis.local else 0


def _listed(analysis: Analysis, flows: Sequence[int], ports: Sequence[int]) -> tuple[set[int], set[int]]:
    """Which of these connections, and of these ports of listeners, are in the lists of sockets."""
    found: set[int] = set()
    listening: set[int] = set()
    for part in analysis.socket_frames():
        found.update(part.loc[part["flow"].isin(flows), "flow"].tolist())
        heard = part.loc[(part["state"] == "LISTEN") & part["local_port"].isin(ports), "local_port"]
        listening.update(map(int, heard.tolist()))
    return found, listening


def _end(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Where the time went, what was not checked, and how to go on."""
    lines = list(time_lines(analysis, SLOW))
    if lines:
        yield "markdown", "## Where the time went\n\n" + block(lines)
        yield "code", TIME
    missing = list(not_checked_lines(analysis.diagnosis))
    said = block(missing) if missing else "Every rule could run."
    yield "markdown", f"## What was not checked\n\n{said}"
    yield "markdown", _onwards()


def _onwards() -> str:
    """What else can be asked."""
    asked: Iterable[str] = (
        "`a` shows the whole answer as text; `a.flows` has a row for each connection, `a.flow_events` for each kind of event.",
        '`a.series(flow=0, every="100ms")` is a connection interval by interval, `a.plot.time_sequence(0)` its picture.',
        "`a.packets` and `a.events` have a row for each frame and event: of a large capture that is much.",
        "`tcpcap schema` explains every column.",
    )
    return "## To go on\n\n" + bullets(asked)
