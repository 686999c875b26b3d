"""The busiest conversations: who talked to whom, how much, how long, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.analysis import Analysis
from analyzer.flows.names import address, ends_text
from analyzer.report.layout import WIDTH, width, wrapped
from analyzer.report.words import offset_text
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, FLOWS
from analyzer.text import duration_text, endpoint, plural, size_text

TOP = 10
ENDED = {
    "": "",
    "open": "still open",
    "closed": "closed",
    "half_closed": "half closed",
    "reset_by_client": "reset by client",
    "reset_by_server": "reset by server",
    "refused": "refused",
    "unanswered": "unanswered",
    "half_open": "half open",
    "opening": "still opening",
    "reset_by_middlebox": "reset by a middlebox",
}
HEAD = f"{'from':>11} {'packets':>11} {'bytes':>9} {'lasted':>9} {'handshake':>10}  ended"
LONGEST = 60  # characters of two ends that stand on a line with their numbers


def conversations_title(analysis: Analysis, top: int) -> str:
    """How many are told of how many."""
    total = analysis.flow_tracker.total
    return f"busiest conversations ({min(top, total):,} of {total:,})"


def conversation_lines(analysis: Analysis, top: int) -> Iterator[str]:
    """A line of numbers for each, beside its ends where there is room, else below them."""
    flows = analysis.flow_tracker.busiest(top)
    if not len(flows):
        return
    start_ns = analysis.start_ns
    names = [_ends(flow) for flow in flows]
    longest = max(map(len, names))
    beside = longest <= LONGEST and longest + 2 + len(HEAD) + max(map(len, ENDED.values())) <= width()
    narrow = width() < WIDTH  # no room for columns
    if not narrow:
        yield f"  {'':<{longest}} {HEAD}" if beside else f"  {HEAD}"
    for flow, name in zip(flows, names, strict=True):
        numbers = _numbers(flow, start_ns)
        if narrow:
            yield from _named(flow, name)
            yield from wrapped(_in_words(flow, start_ns), "      ")
        elif beside:
            yield f"  {name:<{longest}} {numbers}".rstrip()
        else:
            yield from _named(flow, name)
            yield f"  {numbers}".rstrip()


def _in_words(flow: Rows, start_ns: int) -> str:
    parts = [
        f"from {offset_text(int(flow['start_ns']), start_ns)}",
        plural(int(flow["client_packets"] + flow["server_packets"]), "packet"),
        size_text(int(flow["client_bytes"] + flow["server_bytes"])),
        f"in {duration_text(int(flow['end_ns']) - int(flow['start_ns']))}",
        ENDED[FLOW_STATES[int(flow["state"])]],
    ]
    return ", ".join(filter(None, parts))


def _numbers(flow: Rows, start_ns: int) -> str:
    packets = int(flow["client_packets"] + flow["server_packets"])
    size = int(flow["client_bytes"] + flow["server_bytes"])
    rtt = duration_text(int(flow["handshake_rtt_ns"])) if flow["handshake_rtt_ns"] >= 0 else "-"
    lasted_ns = int(flow["end_ns"]) - int(flow["start_ns"])
    lasted = duration_text(lasted_ns) if lasted_ns else "-"
    begun = offset_text(int(flow["start_ns"]), start_ns)
    return f"{begun:>11} {packets:>11,} {size_text(size):>9} {lasted:>9} {rtt:>10}  {ENDED[FLOW_STATES[int(flow['state'])]]}"


def _ends(flow: Rows) -> str:
    return f"#{int(flow['flow'])} {ends_text(flow)}  {FLOWS['protocol'].words[int(flow['protocol'])]}"


def _named(flow: Rows, name: str) -> Iterator[str]:
    """Who talked to whom; on two lines where the addresses are long."""
    if len(name) + 2 <= width():
        yield f"  {name}"
        return
    client, server = (endpoint(address(flow, side), int(flow[f"{side}_port"])) for side in ("client", "server"))
    number, rest = name.split(client, 1)
    yield f"  {number}{client}"
    yield f"  {rest.split()[0]} {server}  {rest.rsplit('  ', 1)[1]}"
