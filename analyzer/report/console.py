"""An Analysis -> what `tcpcap analyze` prints: the answer first, then the capture, the protocols, the conversations."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.analysis import Analysis
from analyzer.decode.link import link_name
from analyzer.report.checksum_text import TITLES, fit_texts, host_text
from analyzer.report.conversation_text import ENDED, TOP, conversation_lines, conversations_title
from analyzer.report.finding_text import checked_text, finding_lines, not_checked_lines, nothing_wrong
from analyzer.report.layout import WIDTH, Style, is_quiet, plain, width, wrapped
from analyzer.report.socket_text import socket_lines
from analyzer.report.time_text import time_lines
from analyzer.report.trouble_text import trouble_lines, trouble_title
from analyzer.tables import PACKETS
from analyzer.text import (
    duration_text,
    plural,
    printable,
    rate_text,
    same_day,
    size_text,
    time_text,
)

MAX_LISTED = 8
MAX_NAMED = 3
STOP_TEXT = {
    "truncated": "cut off inside a header",
    "no_ip": "not IP",
    "ip_protocol": "IP with another transport",
    "fragment": "fragment whose transport header is in another frame",
    "link_type": "link layer not decoded",
    "encrypted": "encrypted 802.11",
    "not_data": "802.11 management or control",
    "bad_link_header": "impossible link header",
    "bad_ip_version": "impossible IP version",
    "bad_ip_header": "impossible IP header",
    "bad_tcp_header": "impossible TCP header",
    "bad_udp_header": "impossible UDP header",
    "bad_icmp_header": "impossible ICMP header",
    "too_deep": "more than 32 nested headers",
}
QUIRK_TEXT = {
    "captured_beyond_length": "more captured than was on the wire",
    "ip_length_zero": "IP length 0 (segmentation offload)",
    "ip_length_beyond_frame": "IP length beyond the frame",
    "tcp_options_malformed": "malformed TCP options",
}


def console_text(analysis: Analysis, top: int = TOP, style: Style = plain) -> str:
    """The whole answer, as wide as `layout.width()` says. `style(text, role)` may colour `title`, `warning`, `answer` and severities."""
    lines = _answer(analysis, style)
    lines += [style(line, "warning") for text in shown_warnings(analysis) for line in wrapped(text, "! ")]
    for title, body in () if is_quiet() else _sections(analysis, top):
        rows = list(body)
        if rows:
            lines += ["", style(title, "title"), *rows]
    return "\n".join(lines) + "\n"


def _sections(analysis: Analysis, top: int) -> Iterator[tuple[str, Iterator[str]]]:
    """What stands below the answer, by its weight: what decides how to read the rest, what happened, what proves it, what was read."""
    yield "the capture itself", _facts(analysis)
    yield trouble_title(analysis), trouble_lines(analysis, top)
    yield "where the time went", time_lines(analysis, top)
    yield "kernel counters", _counters(analysis)
    yield "sockets", socket_lines(analysis)
    yield "checksums", _checksums(analysis)
    yield conversations_title(analysis, top), conversation_lines(analysis, top)
    yield "capture", _capture(analysis)
    yield "protocols", _protocols(analysis)
    yield "not decoded to TCP, UDP or ICMP", _stops(analysis)
    yield "peculiar frames", _quirks(analysis)
    yield "not checked", not_checked_lines(analysis.diagnosis)


def _answer(analysis: Analysis, style: Style) -> list[str]:
    """What a reader wants to know first: what is wrong, worst first, or that nothing is; then what was read."""
    overview = wrapped(f"{overview_text(analysis)}; checked: {checked_text(analysis)}.", "")
    if analysis.account.is_opaque:
        return [style(line, "answer") for line in wrapped(f"{opaque_text(analysis)} {overview_text(analysis)}", "")]
    fine = nothing_wrong(analysis)
    lines = [style(line, "answer") for line in wrapped(fine, "")] + [""] if fine else []
    found = list(finding_lines(analysis.diagnosis, style, analysis.start_ns))
    if found and found[-1]:
        found.append("")
    return [*lines, *found, *overview]


def _facts(analysis: Analysis) -> Iterator[str]:
    for text in told_facts(analysis):
        yield from wrapped(text, "  * ")


def told_facts(analysis: Analysis) -> Iterator[str]:
    """What decides how all else can be read, but for what a finding has said."""
    said = [finding.summary for finding in analysis.diagnosis.findings]
    for fact in analysis.facts:
        if not any(fact.text[1:] in summary for summary in said):
            yield printable(fact.text)


def opaque_text(analysis: Analysis) -> str:
    """That nothing can be said, and why."""
    if not analysis.account.is_opaque:
        return ""
    names = sorted({link_name(interface.link_type) for interface in analysis.interfaces})
    return (
        f"No frame of this capture can be decoded: its link layer ({', '.join(names)}) carries no IP that tcpcap reads."
    )


def overview_text(analysis: Analysis) -> str:
    """What was read, in a sentence without its end."""
    summary = analysis.summary
    frames = summary.total("frames")
    duration = summary.total("last_ns") - summary.total("first_ns")
    states = analysis.flow_tracker.state_counts()
    tcp = sum(states.values())
    ended = [f"{count:,} {ENDED[word]}" for word, count in states.items()]
    detail = f" ({', '.join(ended)})" if ended else ""
    text = f"{_names(analysis.paths)}: {plural(frames, 'frame')}"
    if duration:
        text += f" in {duration_text(duration)}"
    text += f", {plural(tcp, 'TCP connection')}{detail}"
    udp = analysis.flow_tracker.total - tcp - analysis.flow_tracker.legs
    return text + (f", {plural(udp, 'UDP conversation')}" if udp else "")


def _names(paths: list[str]) -> str:
    """The paths, or of many the first and how many more."""
    if len(paths) <= MAX_NAMED:
        return ", ".join(printable(path) for path in paths)
    return f"{printable(paths[0])} and {plural(len(paths) - 1, 'more file')}"


def shown_warnings(analysis: Analysis) -> list[str]:
    """What to know before trusting the rest, printable; of many the first."""
    warnings = [printable(text) for text in analysis.warnings]
    if len(warnings) > MAX_LISTED:
        more = len(warnings) - MAX_LISTED
        return [*warnings[:MAX_LISTED], f"{plural(more, 'more warning')}; --json lists them all"]
    return warnings


def _capture(analysis: Analysis) -> Iterator[str]:
    summary = analysis.summary
    frames = summary.total("frames")
    for file in analysis.files[:MAX_LISTED]:
        kind = file.format + (f", {file.compression}" if file.compression else "")
        size = size_text(file.size) if file.size is not None else size_text(file.read)
        several = f"{printable(file.path)}: {plural(file.frames, 'frame')}, " if len(analysis.files) > 1 else ""
        yield from wrapped(f"{several}{kind}, {size}", "  file        ")
        if file.application:
            yield from wrapped(printable(file.application), "  written by  ")
    if len(analysis.files) > MAX_LISTED:
        yield f"              and {len(analysis.files) - MAX_LISTED:,} more files"
    if frames:
        first, last = summary.total("first_ns"), summary.total("last_ns")
        until = time_text(last, day=not same_day(first, last))
        yield from wrapped(f"{time_text(first)} to {until} UTC", "  time        ")
        sizes = f"{plural(frames, 'frame')}, {size_text(summary.total('bytes'))} on the wire"
        copies, once = summary.total("copies"), summary.total("bytes") - summary.total("copied_bytes")
        rate = rate_text(once, last - first)
        yield from wrapped(sizes + (f", {rate} on average" if rate and not copies else ""), "  frames      ")
        if copies:
            sizes = f"{frames - copies:,} without copies, {size_text(once)}"
            yield from wrapped(sizes + (f", {rate} on average" if rate else ""), "              ")
    cut = summary.quirks.get("cut", 0)
    captured = f"{size_text(summary.total('captured'))} captured"
    told = f"{cut:,} of {frames:,} ({_percent(cut, frames)}), {captured}" if cut else "none"
    yield from wrapped(told, "  cut frames  ")
    yield from _interfaces(analysis)
    yield from wrapped(_drops(analysis), "  drops       ")
    regressions = summary.total("regressions")
    if regressions:
        largest = duration_text(summary.total("largest_regression_ns"))
        times = "once" if regressions == 1 else f"{regressions:,} times"
        yield f"  clock       steps back {times}, by up to {largest}"
    else:
        yield "  clock       never steps back"
    if summary.tunnels:
        found = ", ".join(f"{name} {count:,}" for name, count in summary.tunnels.items())
        yield from wrapped(found, "  tunnels     ")


def _interfaces(analysis: Analysis) -> Iterator[str]:
    used = [(index, i) for index, i in enumerate(analysis.interfaces) if analysis.summary.interface_frames(index)]
    shown = used or list(enumerate(analysis.interfaces))
    for index, interface in shown[:MAX_LISTED]:
        name = f" {printable(interface.name)}" if interface.name else ""
        snaplen = f", snaplen {interface.snaplen:,}" if interface.snaplen else ""
        count = analysis.summary.interface_frames(index)
        text = f"{index}{name}: {link_name(interface.link_type)}{snaplen}, {plural(count, 'frame')}"
        if interface.filter:
            text += f', filter "{printable(interface.filter)}"'
        yield from wrapped(text, "  interface   ")
    rest = len(analysis.interfaces) - len(shown[:MAX_LISTED])
    if rest > 0:
        yield f"              and {plural(rest, 'more interface')}"


def _drops(analysis: Analysis) -> str:
    drops = {
        name: value for name, value in analysis.drops.items() if value is not None and name != "interface_received"
    }
    if not drops:
        return "not known: the file holds no drop counts"
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in drops.items())


def _protocols(analysis: Analysis) -> Iterator[str]:
    frames, size = analysis.summary.total("frames"), analysis.summary.total("bytes")
    shares = analysis.summary.protocols
    number = 14 if width() >= WIDTH else 10
    name = min(28, width() - 2 * number - 18)
    for share in shares[: 2 * MAX_LISTED]:
        yield (
            f"  {share.name:<{name}}{share.frames:>{number},}{_percent(share.frames, frames):>8}"
            f"{size_text(share.bytes):>{number}}{_percent(share.bytes, size):>8}"
        )
    if len(shares) > 2 * MAX_LISTED:
        yield f"  and {len(shares) - 2 * MAX_LISTED:,} more"


def _counters(analysis: Analysis) -> Iterator[str]:
    """The kernel's counters beside what the packets predict."""
    if analysis.counter_series is None:
        return
    others = analysis.counter_series.others
    if others and not analysis.counter_series.snapshots:
        from analyzer.correlate import ANY_HOST

        hosts = ", ".join(each.host for each in others[:MAX_LISTED])
        found = (
            f"not compared: {ANY_HOST} ({hosts}); keep those of that host, or give it one of these names in a host.json"
        )
        yield from wrapped(printable(found), "  ")
        return
    if analysis.comparison is None:
        yield from wrapped("not compared: which host took the capture is not known; --host ADDRESS names it", "  ")
        return
    from analyzer.report.counter_text import comparison_lines, disagreeing

    frames = analysis.kernel.frames_behind([each.counter for each in disagreeing(analysis.comparison)])
    yield from comparison_lines(analysis.comparison, frames, analysis.paths)


def _checksums(analysis: Analysis) -> Iterator[str]:
    """Frames per verdict on their direction, and which host they make the capture's."""
    result = analysis.checksum_result
    if result is None or not len(result.directions):
        return
    counts = ", ".join(f"{count:,} {word}" for word, count in result.counts.items())
    yield from wrapped(counts or "none to verify", "  frames      ")
    frames: dict[str, int] = {}
    for row, verdict in zip(result.rows(), result.verdicts, strict=True):
        if verdict.word not in ("", "valid", "none"):
            odd = sum(int(row[state]) for state in ("partial", "zero", "bad"))
            frames[verdict.word] = frames.get(verdict.word, 0) + (odd or int(row["unverifiable"]))
    for word, count in sorted(frames.items(), key=lambda item: -item[1]):
        yield from wrapped(f"{plural(count, 'frame')}: {TITLES[word]}", "  found       ")
    for host in result.hosts[:MAX_NAMED]:
        yield from wrapped(host_text(host), "  taken by    ")
    for text in fit_texts(analysis):
        yield from wrapped(text, "  counters    ")


def _stops(analysis: Analysis) -> Iterator[str]:
    for word, count in sorted(analysis.summary.stops.items(), key=lambda item: -item[1]):
        if word != "decoded":
            yield f"  {STOP_TEXT[word]:<36}{count:>14,}"


def _quirks(analysis: Analysis) -> Iterator[str]:
    for word, count in analysis.summary.quirks.items():
        if word in QUIRK_TEXT:
            yield f"  {QUIRK_TEXT[word]:<36}{count:>14,}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


assert set(STOP_TEXT) | {"decoded"} == set(PACKETS["stop"].words), "a stop reason without a text"
