"""Findings in words: the worst cause first, each with its cost, its proof, the next step, and what it led to."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.analysis import Analysis
from analyzer.diagnosis.engine import WHAT_TO_RECORD
from analyzer.diagnosis.finding import Diagnosis, Finding
from analyzer.report.layout import Style, plain, wrapped
from analyzer.report.time_text import SHARE, shares_text
from analyzer.report.words import frames_text, numbers_text, offset_text
from analyzer.tables import LOST_TIME
from analyzer.text import duration_text, plural, printable, same_day, size_text, time_text

MOST_TOLD = 10  # findings in full; the others get a line each
MOST_LINES = 20
INDENT = "         "
SIDES = {
    "client": "the client's side",
    "server": "the server's side",
    "network": "the network",
    "capture": "the capture itself",
    "host": "the host",
    "": "",
}
STEPS = 3
MOST_COUNTERS = 4
MOST_FRAMES = 8
LEAST_NS = 100_000_000
LOOKED_FOR = {
    "loss": ("retransmission", "retransmission_timeout"),
    "reset": ("reset", "closing_reset", "reset_in_handshake", "reset_by_middlebox", "refused", "half_open"),
    "closed window": ("zero_window",),
}


def finding_lines(diagnosis: Diagnosis, style: Style = plain, start_ns: int = 0) -> Iterator[str]:
    """All that is to be told: what somebody must act on in full, what is only worth knowing in a few lines.

    `start_ns` is the time of the first frame, from which moments are counted; 0 where that is not known.
    """
    matter = [each for each in diagnosis.findings if each.severity != "info" and not each.because_of]
    for finding in matter[:MOST_TOLD]:
        yield from told(finding, style, start_ns)
    if len(matter) > MOST_TOLD:
        yield from (
            line for finding in matter[MOST_TOLD : MOST_TOLD + MOST_LINES] for line in _short(finding, style, start_ns)
        )
        rest = len(matter) - MOST_TOLD - MOST_LINES
        if rest > 0:
            yield f"{INDENT}and {plural(rest, 'more finding')}; --json lists them all"
        yield ""
    known = [each for each in diagnosis.findings if each.severity == "info" and not each.because_of]
    for finding in known[:MOST_TOLD]:
        yield from _short(finding, style, start_ns)
    if len(known) > MOST_TOLD:
        yield f"{INDENT}and {len(known) - MOST_TOLD:,} more worth knowing; --json lists them all"


def told(finding: Finding, style: Style = plain, start_ns: int = 0) -> Iterator[str]:
    """One finding: what, at what cost, to whom, since when; the proof; what speaks against it; what to do; what it explains."""
    yield from _headed(finding, style)
    yield from _labelled("cost", cost_text(finding))
    yield from _labelled("where", where_text(finding))
    yield from _labelled("when", when_text(finding, start_ns))
    yield from _labelled("proof", proof_text(finding))
    if finding.against and finding.confidence != "certain":
        yield from _labelled("but", finding.against[0])
    for number, step in enumerate(finding.next[:STEPS]):
        yield from _labelled("next" if number == 0 else "", step)
    news = news_of(finding)
    for number, each in enumerate(news[:STEPS]):
        yield from _labelled(
            "so" if number == 0 else "",
            "; ".join(filter(None, (f"{at_text(each)}{each.summary} ({each.rule.id})", pinned(each, start_ns)))),
        )
    if len(news) > STEPS:
        yield from _labelled("", f"and {plural(len(news) - STEPS, 'more consequence')}")
    yield ""


def at_text(finding: Finding) -> str:
    """At which of several capture points it was found; empty where there is one, or where it is about the way between them."""
    return f"at {finding.point}: " if finding.point else ""


def news_of(finding: Finding) -> list[Finding]:
    """What it explains, but for what would only say the same again."""
    return [each for each in finding.explained if not each.repeats(finding)]


def _short(finding: Finding, style: Style, start_ns: int) -> Iterator[str]:
    yield from _headed(finding, style)
    yield from _labelled("proof", pinned(finding, start_ns))


def pinned(finding: Finding, start_ns: int) -> str:
    """Connections, since when, and frames, in short."""
    since = offset_text(finding.start_ns, start_ns) if finding.start_ns and start_ns else ""
    numbers = " ".join(filter(None, (flows_text(finding), f"at {since}" if since else "")))
    shown, without = frames_text(finding.frames, most=MOST_FRAMES), _without(finding)
    if not shown and without:
        return f"{without}{f', from {since}' if since else ''}"
    return ", ".join(filter(None, (numbers, shown)))


def _without(finding: Finding) -> str:
    """Of what only counters tell, that no frame is to be looked for."""
    return "counters alone tell it (no frame)" if finding.counters or "counters" in finding.rule.needs else ""


def _headed(finding: Finding, style: Style) -> Iterator[str]:
    lines = wrapped(f"{printable(finding.summary)} ({finding.rule.id})", INDENT)
    label = f"{finding.severity:<8} "
    first = style(finding.severity, finding.severity) + label[len(finding.severity) :]
    yield first + style(lines[0][len(INDENT) :], "answer" if finding.severity != "info" else "plain")
    yield from (
        INDENT + style(line[len(INDENT) :], "answer" if finding.severity != "info" else "plain") for line in lines[1:]
    )


def _labelled(label: str, text: str) -> Iterator[str]:
    if text:
        yield from wrapped(printable(text), f"  {label:<6} ")


def cost_text(finding: Finding) -> str:
    """Connections that failed, time, bytes; empty where it cost none of these."""
    parts = []
    if finding.failed:
        parts.append(f"{plural(finding.failed, 'connection')} failed")
    if finding.cost_ns:
        parts.append(duration_text(finding.cost_ns) + (" in all" if finding.connections > 1 else ""))
    if finding.cost_bytes:
        parts.append(f"{size_text(finding.cost_bytes)} sent for nothing")
    return ", ".join(parts)


def flows_text(finding: Finding) -> str:
    """The numbers of its connections."""
    return numbers_text(finding.flows, finding.connections)


def where_text(finding: Finding) -> str:
    """Which connections, on whose side, and how sure that is."""
    return "; ".join(filter(None, (flows_text(finding), _side_text(finding))))


def _side_text(finding: Finding) -> str:
    side = SIDES[finding.side]
    if not side:
        return ""
    host = (
        "" if not finding.host else f", seen at {finding.host}" if finding.side == "network" else f" ({finding.host})"
    )
    sure = "" if finding.confidence == "certain" else f", {finding.confidence}"
    return f"on {side}{host}{sure}" if finding.side in ("client", "server", "host") else f"{side}{host}{sure}"


def when_text(finding: Finding, start_ns: int = 0) -> str:
    """Since when, by the first frame and by the clock, and for how long; where it lasted less than it cost, the one would only confuse the other."""
    if not finding.start_ns:
        return ""
    later = start_ns > 0 and not same_day(start_ns, finding.start_ns)  # the time of day alone would not tell when
    clock, lasted = time_text(finding.start_ns, day=later)[:-3], finding.end_ns - finding.start_ns
    began = f"{offset_text(finding.start_ns, start_ns)} ({clock} UTC)" if start_ns else f"{clock} UTC"
    if lasted < max(LEAST_NS, finding.cost_ns):
        return f"at {began}"
    return f"from {began} for {duration_text(lasted)}"


def proof_text(finding: Finding) -> str:
    """Frames, counters, lines of sockets."""
    frames = frames_text(finding.frames, most=MOST_FRAMES) or _without(finding)
    return "; ".join(filter(None, [frames, *finding.proofs, *_counters(finding)]))


def _counters(finding: Finding) -> Iterator[str]:
    """Those that moved: first what the packets say, too, together."""
    shown = finding.counters[:MOST_COUNTERS]
    agreeing = [each.moved for each in shown if each.predicted == each.observed]
    if agreeing:
        yield f"{', '.join(agreeing)} (as the packets say)"
    yield from (each.text for each in shown if each.predicted != each.observed)
    if len(finding.counters) > MOST_COUNTERS:
        yield plural(len(finding.counters) - MOST_COUNTERS, "more counter")


def nothing_wrong(analysis: Analysis) -> str:
    """What was looked at in vain, and where the time went; empty where something is wrong, or nothing was there to look at."""
    diagnosis = analysis.diagnosis
    connections = sum(analysis.flow_tracker.state_counts().values())
    if diagnosis.at_least("warning"):
        return ""
    if not connections:
        return "Nothing wrong found; there is no TCP connection." if analysis.summary.total("frames") else ""
    lossy = any(finding.rule.family == "loss" for finding in diagnosis.findings)
    spent = analysis.time_spent
    total = sum(spent.values())
    opening = "Nothing that needs action" if lossy or analysis.troubled else "Nothing wrong"
    if total >= LEAST_NS and sum(spent[cause] for cause in LOST_TIME) >= SHARE * total and not lossy:
        opening = _not_there(analysis) or "Nothing that needs action"
    text = f"{opening} found in {plural(connections, 'TCP connection')}"
    where = f": {duration_text(total)} in all, {shares_text(spent)}" if total >= LEAST_NS else ""
    unfinished = analysis.flow_tracker.state_counts().get("opening", 0)
    more = f", but {unfinished:,} had not finished opening when the capture ended" if unfinished else ""
    return f"{text}{more}{where}."


def _not_there(analysis: Analysis) -> str:
    """What was looked for and is not there, where it would say too much that nothing is wrong: time was lost, and perhaps somebody waited."""
    absent = [name for name, kinds in LOOKED_FOR.items() if not any(map(analysis.event_counts.get, kinds))]
    return ", no ".join(["", *absent]).removeprefix(", ").capitalize()


def checked_text(analysis: Analysis) -> str:
    """What the answer rests on."""
    parts = ["packets"]
    if analysis.checksum_result is not None:
        parts.append("checksums")
    if analysis.counter_series is not None:
        parts.append(
            "kernel counters" + ("" if analysis.comparison else " (not compared: whose they are is not known)")
        )
    if analysis.has_sockets:
        parts.append("sockets")
    return ", ".join(parts)


def not_checked_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Which rules could not run, by what they lack; how to have it is told once."""
    by_need: dict[tuple[str, tuple[str, ...]], int] = {}
    for each in diagnosis.not_checked:
        if each.needs:
            key = ("or" if each.any_of else "and", tuple(each.needs))
            by_need[key] = by_need.get(key, 0) + 1
        else:
            yield from wrapped(printable(each.text), "  ! ")
    for rule, count in diagnosis.left_out.items():
        yield from wrapped(f"{plural(count, 'more finding')} of {rule} than are told", "  ")
    told: set[str] = set()
    for (word, needs), count in sorted(by_need.items(), key=lambda each: (len(each[0][1]), -each[1])):
        named = f" {word} ".join(WHAT_TO_RECORD.get(name, (name,))[0] for name in needs)
        ways = f"; {word} ".join(way for name in needs if name not in told for way in WHAT_TO_RECORD.get(name, ())[1:])
        told.update(needs)
        yield from wrapped(f"{plural(count, 'rule')} for lack of {named}{': ' if ways else ''}{ways}", "  ")
