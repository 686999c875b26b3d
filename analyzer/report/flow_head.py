"""What stands above a connection's time line: its ends, what they agreed on, the way between them, its end, its time, its findings."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.capture.notes import Process
from analyzer.flows.names import ends_text
from analyzer.follow import Flow
from analyzer.follow.stalls import Stall
from analyzer.report.conversation_text import ENDED
from analyzer.report.layout import Style, plain, wrapped
from analyzer.report.story import story
from analyzer.report.time_text import percent, phrase, side_text, words_of
from analyzer.report.words import frames_text
from analyzer.schema import Rows, bits_text
from analyzer.tables import CLOSERS, FLOW_PROTOCOLS, FLOW_STATES, FLOWS, RESETS, TIME_CAUSES
from analyzer.text import duration_text, plural, printable, rate_text, size_text, time_text

SIDES = ("client", "server")
TOLD_TIMES, TOLD_SHARE = 4, 0.01
MOST_COMMENTS, MOST_FRAMES = 5, 3
LABEL = 12
AGREEMENTS = (
    ("window_scale", "window scaling"),
    ("sack_permitted", "SACK"),
    ("timestamps", "timestamps"),
    ("mptcp", "MPTCP"),
    ("fast_open", "Fast Open"),
)


def head_lines(flow: Flow, style: Style = plain) -> Iterator[str]:
    """All of it, each fact behind its name."""
    row = flow.row
    for line in wrapped(f"flow {flow.number}: {ends_text(row)}, {title_text(row)}", ""):
        yield style(line, "answer")
    told = story(row)
    if told:
        yield from (style(line, "warning") for line in wrapped(told, "  "))
    yield ""
    for label, text in facts(flow):
        yield from wrapped(printable(text), f"  {label:<{LABEL - 2}}")
    for finding in flow.findings:
        frames = frames_text(finding.frames[:MOST_FRAMES])
        text = f"{finding.severity}: {finding.summary} ({finding.rule.id})" + (f"; {frames}" if frames else "")
        yield from (
            style(line, finding.severity)
            for line in wrapped(printable(text), f"  {f'finding {finding.number}':<{LABEL - 2}}")
        )


def title_text(row: Rows) -> str:
    """What it is, how it ended, how long it lasted."""
    packets = plural(int(row["client_packets"] + row["server_packets"]), "packet")
    state = ENDED[FLOW_STATES[int(row["state"])]]
    lasted = int(row["end_ns"]) - int(row["start_ns"])
    parts = [FLOW_PROTOCOLS[int(row["protocol"])].upper() + (f", {state}" if state else ""), packets]
    return "; ".join((*parts, duration_text(lasted))) if lasted else "; ".join(parts)


def facts(flow: Flow) -> Iterator[tuple[str, str]]:
    """Name and sentence of each thing to be known."""
    row = flow.row
    yield "began", f"{time_text(int(row['start_ns']))} UTC, frame {int(row['first_frame'])}"
    for number, side in enumerate(SIDES):
        yield side, _side(row, side, SIDES[1 - number])
    if FLOW_PROTOCOLS[int(row["protocol"])] == "tcp":
        yield "agreed", _agreed(row)
        yield "path", _path(row)
        yield "segments", _segments(row)
        yield "ended", _ended(row)
        yield "time", _time(flow)
    if row["leg_of"] >= 0:
        yield (
            "NAT",
            f"the same packets were captured on the other side as flow {int(row['leg_of'])}, which tells what happened",
        )
    elif row["leg"] >= 0:
        yield "NAT", f"the same packets were captured on the other side as flow {int(row['leg'])}"
    if row["previous"] >= 0:
        since = duration_text(int(row["since_previous_ns"]))
        yield "before it", f"flow {int(row['previous'])} had the same addresses and ports, until {since} before"
    for side, processes in flow.processes.items():
        yield "program", f"{side}: {'; '.join(map(process_text, processes))}"
    for comment, frames in list(flow.comments.items())[:MOST_COMMENTS]:
        if len(frames) > MOST_FRAMES:
            yield "comment", f"on {plural(len(frames), 'frame')}: {'; '.join(comment.split(chr(10)))}"
    more = sum(len(frames) > MOST_FRAMES for frames in list(flow.comments.values())[MOST_COMMENTS:])
    if more:
        yield "comment", f"and {plural(more, 'more comment')}; --json has them all"


def process_text(process: Process) -> str:
    """Such as `curl (PID 4711)`."""
    if not process.sure:
        return f"PID {process.pid} ran when the frame was logged, which may be another's"
    if not process.name:
        return f"PID {process.pid}"
    return process.name + (f" (PID {process.pid})" if process.pid >= 0 else "")


def _side(row: Rows, side: str, other: str) -> str:
    lasted = int(row["end_ns"]) - int(row["start_ns"])
    text = f"{plural(int(row[f'{side}_packets']), 'packet')}, {size_text(int(row[f'{side}_payload']))} of payload"
    rate = rate_text(int(row[f"{side}_unique_bytes"]), lasted)
    text += f", {rate}" if rate and row[f"{side}_payload"] else ""
    again = int(row[f"{side}_retransmissions"])
    if again:
        share = (
            f" ({row[f'{side}_retransmitted_share']:.2%} of its payload)" if row[f"{side}_retransmitted_bytes"] else ""
        )
        text += f"; {plural(again, 'segment')} sent again{share}"
    shut = int(row[f"{side}_zero_window_ns"])
    return text + (f"; its window was closed for {duration_text(shut)}" if shut else "")


def _agreed(row: Rows) -> str:
    """The options that both offered, and those that one side refused."""
    offered = [set(bits_text(FLOWS[f"{side}_offered"].words, int(row[f"{side}_offered"])).split()) for side in SIDES]
    if not any(offered):
        opened = row["roles"] == FLOWS.bit("roles", "handshake")
        return "no options" if opened else "not known: the handshake was not captured"
    agreed = set(bits_text(FLOWS["agreed"].words, int(row["agreed"])).split())
    parts = []
    for word, text in AGREEMENTS:
        if word not in agreed:
            continue
        scales = f" (client {int(row['client_window_scale'])}, server {int(row['server_window_scale'])})"
        parts.append(text + (scales if word == "window_scale" else ""))
    refused = [text for word, text in AGREEMENTS[:3] if word in offered[0] and word not in agreed]
    text = ", ".join(parts) or "none of what was offered"
    if refused and offered[1]:
        return f"{text}; the server did not take up {', '.join(refused)}"
    return f"{text}; offered only: {', '.join(refused)}" if refused else text


def _path(row: Rows) -> str:
    """The round trip of the handshake, and from the place of the capture to each end."""
    parts = []
    if row["handshake_rtt_ns"] >= 0:
        parts.append(f"{duration_text(int(row['handshake_rtt_ns']))} there and back in the handshake")
    for side, other in (("client", "server"), ("server", "client")):
        if row[f"{side}_rtt_samples"]:
            low, middle, high = (int(row[f"{side}_rtt_{word}_ns"]) for word in ("min", "median", "p95"))
            spread = f" to {duration_text(high)}, usually {duration_text(middle)}" if high > low else ""
            parts.append(f"from here to the {other} and back {duration_text(low)}{spread}")
    return "; ".join(parts) or "round trips not known"


def _segments(row: Rows) -> str:
    parts = []
    for side in SIDES:
        largest = int(row[f"{side}_largest_segment"])
        accepts = int(row[f"{side}_mss"])
        text = f"the {side} sends up to {largest:,} bytes at a time" if largest else f"the {side} sends no data"
        text += f" and accepts {accepts:,} (MSS)" if accepts else ""
        merged = int(row[f"{side}_super_segments"])
        parts.append(
            text
            + (f"; {merged:,} captured before they were cut, or after they were merged (offload)" if merged else "")
        )
    return "; ".join(parts)


def _ended(row: Rows) -> str:
    """Who closed, who reset."""
    parts = []
    first = CLOSERS[int(row["closed_first"])]
    if first:
        parts.append(f"the {first} closed first (FIN)")
    for side in SIDES:
        reset = RESETS[int(row[f"{side}_reset"])]
        if reset:
            parts.append(f"the {side} sent a reset ({reset.upper().replace('_', '-')})")
    state = FLOW_STATES[int(row["state"])].replace("_", " ")
    return "; ".join(parts) or f"nobody closed it in this capture ({state})"


def _time(flow: Flow) -> str:
    """What its time went to, most first."""
    row, total = flow.row, int(flow.row["duration_ns"])
    if not total:
        return "no time passed"
    spent = sorted(((int(row[f"time_{cause}_ns"]), cause) for cause in TIME_CAUSES), reverse=True)
    told = [(ns, cause) for ns, cause in spent if ns >= TOLD_SHARE * total][:TOLD_TIMES]
    parts = [f"{percent(ns, total)} {phrase(row, cause, dict(flow.waits))} ({cause})" for ns, cause in told]
    return f"{duration_text(total)}, of which {'; '.join(parts)}"


def stall_text(flow: Flow, stall: Stall) -> str:
    """What was waited for in a pause."""
    sides = [side_text(flow.row, side) for side in SIDES]
    waits, other = sides[stall.waits], sides[1 - stall.waits]
    return (
        words_of(flow.row, stall.cause).format(client=sides[0], server=sides[1], side=waits, other=other)
        + f" ({stall.cause})"
    )
