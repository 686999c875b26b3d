"""What happened between capture points, in words: the findings, each way with what became of its packets, clocks, translations, and what each point says by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.diagnosis.finding import Diagnosis
from analyzer.points.points import Points
from analyzer.report.finding_text import finding_lines
from analyzer.report.layout import Style, is_quiet, plain, wrapped
from analyzer.report.points_counters import beside_lines
from analyzer.schema import bits_text
from analyzer.tables import PATHS
from analyzer.text import duration_text, endpoint, plural, printable

MOST_TRANSLATED = 8
MOST_CHANGES = 3
MOST_HEX = 16  # digits of the bytes that changed
INDENT = "  "


def points_text(points: Points, style: Style = plain) -> str:
    """The whole answer, as wide as `layout.width()` says."""
    start = min((each.summary.total("first_ns") for each in points.at.values()), default=0)
    found = list(finding_lines(found_at(points, ""), style, start))
    lines = found or ["Between the capture points nothing was found that is worth knowing."]
    lines += [style(line, "warning") for text in points.warnings for line in wrapped(printable(text), "! ")]
    for title, body in _sections(points, style):
        lines += ["", style(title, "title"), *body]
    return "\n".join(lines) + "\n"


def _sections(points: Points, style: Style) -> Iterator[tuple[str, list[str]]]:
    for title, sentences in path_lines(points):
        yield title, [line for sentence in sentences for line in wrapped(sentence, INDENT)]
    if is_quiet():
        return
    translated = list(_translations(points))
    if translated:
        yield "addresses and ports that were rewritten (NAT)", translated
    counters = list(beside_lines(points, style))
    if counters:
        yield "counters of the hosts, each beside its own packets", [INDENT + line for line in counters]
    for name, analysis in points.at.items():
        start = analysis.summary.total("first_ns")
        found = list(finding_lines(found_at(points, name), style, start))
        told = found or [f"{INDENT}nothing was found that is worth knowing"]
        frames = plural(analysis.summary.total("frames"), "frame")
        yield f"at {printable(name)} ({printable(', '.join(analysis.paths))}: {frames})", told


def found_at(points: Points, name: str) -> Diagnosis:
    """What was found at a point by itself, but for what the ways between points explain; without a name what was found between them."""
    numbers = {each.number for each in points.diagnosis.findings if each.point == name and not each.because_of}
    findings = [each for each in points.diagnosis.findings if {each.number, each.because_of} & numbers]
    return Diagnosis(findings, [], [])


def _name(points: Points, row: Any, end: str) -> str:
    return printable(points.names[int(row[f"{end}_number"])])


def path_lines(points: Points) -> Iterator[tuple[str, list[str]]]:
    """Each direction between two points: its name, and what is to be said of it, sentence by sentence."""
    for row in points.path_rows:
        told = (
            _fates(row, points),
            _delay(row),
            _rewritten(row),
            _repeats(row),
            _windows(row),
            _resets(row, points),
            _changes(row, points),
            _unknown(row),
            _clock(row, points),
        )
        yield f"from {_name(points, row, 'from')} to {_name(points, row, 'to')}", list(filter(None, told))


def _fates(row: Any, points: Points) -> str:
    packets, lost = int(row["packets"]), int(row["lost"])
    if not packets:
        return "no packet of which both captures could tell"
    parts = [f"{lost:,} of {packets:,} packets lost"]
    if lost:
        place = f"first frame {int(row['first_lost'])} at {_name(points, row, 'from')}"
        bursts = int(row["bursts"])
        parts[0] += f" ({100 * float(row['loss_rate']):.2g} %; {place}"
        parts[0] += (
            f"; in {plural(bursts, 'burst')}, the longest of {int(row['longest_burst'])})" if bursts < lost else ")"
        )
    words = {
        "duplicated": "came twice (duplicated)",
        "reordered": "overtaken (reordered",
        "corrupted": "changed and no longer right (corrupted)",
        "injected": "made on the way, not sent (injected)",
        "not_captured": "arrived, as they were acknowledged, but are not in the capture",
    }
    for name, text in words.items():
        if row[name]:
            text += f", by {plural(int(row['reordering_extent']), 'packet')} at most)" if name == "reordered" else ""
            parts.append(f"{int(row[name]):,} {text}")
    if row["ended_between"]:
        parts.append(f"{plural(int(row['ended_between']), 'connection')} ended by a box between them")
    return "; ".join(parts) + f"; largest packet that came {int(row['largest_arrived']):,} bytes"


def _delay(row: Any) -> str:
    if not row["delay_max_ns"]:
        return ""
    least, median, most, top = (
        duration_text(max(0, int(row[f"delay_{name}_ns"]))) for name in ("min", "median", "p95", "max")
    )
    unsure = int(row["delay_uncertainty_ns"])
    share = (
        f"; how it is shared with the way back is not known (by up to {duration_text(unsure)})"
        if unsure >= 0
        else "; less what the clocks differ, which nothing tells"
    )
    hops = int(row["hops"])
    away = f"; {plural(hops, 'router')} between them" if hops > 0 else ""
    return f"one way: {least} at least, {median} median, {most} at the 95th percentile, {top} at most{share}{away}"


def _rewritten(row: Any) -> str:
    if not row["rewritten"]:
        return ""
    fields = bits_text(PATHS["rewritten_fields"].words, int(row["rewritten_fields"])).replace(" ", ", ")
    return f"rewritten in {int(row['rewritten']):,} packets: {fields}"


def _changes(row: Any, points: Points) -> str:
    """Which bytes changed of the first packet that was damaged."""
    if not row["corrupted"]:
        return ""
    ends = [points.names[int(row[f"{end}_number"])] for end in ("from", "to")]
    mine = [each for each in points.changes if [each.point, each.other] == ends]
    if not mine:
        return ""
    first = [each for each in mine if each.frame == mine[0].frame]
    runs = [
        f"{each.part}, {plural(len(each.sent) // 2, 'byte')} from {each.offset:,}: {each.sent[:MOST_HEX]} became {each.came[:MOST_HEX]}"
        for each in first[:MOST_CHANGES]
    ]
    more = f"; and {plural(len(first) - MOST_CHANGES, 'more run')}" if len(first) > MOST_CHANGES else ""
    return f"damaged first: frame {mine[0].frame:,}, which came as {mine[0].related_frame:,} ({'; '.join(runs)}{more}); table corruptions has the others"


def _repeats(row: Any) -> str:
    """Were segments that were sent again needed?"""
    count = int(row["repeated"])
    if not count:
        return ""
    words = {
        "needed": "as what was sent before was lost, or came damaged",
        "ack_lost": "though it had arrived, as an ACK of it was lost",
        "needless": "though it had arrived",
    }
    parts = [f"{int(row[name]):,} {text}" for name, text in words.items() if row[name]]
    left = count - sum(int(row[name]) for name in words)
    parts += [f"{left:,} of which the captures do not tell whether they were needed"] if left else []
    return f"sent again {plural(count, 'segment')}: {', '.join(parts)}"


def _windows(row: Any) -> str:
    """Did the other end hear of a closed window, and of its opening?"""
    closed, unheard, unopened = (int(row[f"windows_{name}"]) for name in ("closed", "closed_lost", "opened_lost"))
    parts = [f"{plural(closed, 'time')} a window was closed"] if closed else []
    parts += [f"{unheard:,} of them never heard of at the other end"] if unheard else []
    parts += [f"{plural(unopened, 'segment')} that opened a window again lost"] if unopened else []
    return "; ".join(parts)


def _resets(row: Any, points: Points) -> str:
    """Who made the resets that came?"""
    own, made = int(row["resets"]), int(row["resets_injected"])
    parts = [f"{plural(own, 'reset')} seen leaving {_name(points, row, 'from')}"] if own else []
    parts += [f"{plural(made, 'reset')} made between the two points"] if made else []
    return "; ".join(parts)


def _unknown(row: Any) -> str:
    if not row["unknown"]:
        return ""
    return f"of {plural(int(row['unknown']), 'more packet')} nobody knows whether they came (table passages has the reasons)"


def _clock(row: Any, points: Points) -> str:
    if row["from_number"] != points.order[0] and len(points.order) == 2:
        return ""  # it is said of the way there
    offset, drift = int(row["clock_offset_ns"]), int(row["clock_drift_ppb"])
    drifts = (
        f", and gains {drift / 1000:.1f} us a second"
        if drift > 0
        else f", and loses {-drift / 1000:.1f} us a second"
        if drift
        else ""
    )
    low, high = int(row["clock_low_ns"]) - offset, int(row["clock_high_ns"]) - offset
    ahead = "ahead of" if offset >= 0 else "behind"
    return (
        f"the clock of {_name(points, row, 'to')} is {duration_text(abs(offset))} {ahead} that of {_name(points, row, 'from')}"
        f" (between {_signed(low)} and {_signed(high)} of that){drifts}; times are on the clock of {printable(points.clock)}"
    )


def _signed(ns: int) -> str:
    return ("+" if ns >= 0 else "-") + duration_text(abs(ns))


def _translations(points: Points) -> Iterator[str]:
    """Connections that are called otherwise at the one point than at the other."""
    rows = list(points.connection_rows())
    count = 0
    for first, second in zip(rows[::2], rows[1::2], strict=False):
        if first[3:] == second[3:]:
            continue
        count += 1
        if count <= MOST_TRANSLATED:
            yield f"{INDENT}{_ends(first)} at {printable(first[1])} is {_ends(second)} at {printable(second[1])}"
    if count > MOST_TRANSLATED:
        yield f"{INDENT}and {count - MOST_TRANSLATED:,} more"


def _ends(row: tuple[Any, ...]) -> str:
    _, _, flow, client, client_port, server, server_port = row
    return f"{endpoint(client, client_port)} > {endpoint(server, server_port)} (#{flow})"
