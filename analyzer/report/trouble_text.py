"""Connections in trouble, worst first: those that fared alike together, each sentence with its number, moment and frames."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.analysis import Analysis
from analyzer.flows.names import address, ends_text
from analyzer.report.layout import wrapped
from analyzer.report.seen import Place, Seen, seen_by_flow, seen_of
from analyzer.report.story import Phrase, likeness, phrases, together
from analyzer.report.words import numbers_text, offset_text
from analyzer.schema import Rows
from analyzer.tables import FLOWS
from analyzer.text import endpoint, plural

LOOKED_AT = 500  # connections, for what several of them have in common
Known = dict[int, dict[Place, Seen]]


def trouble_title(analysis: Analysis) -> str:
    """How many there are in all."""
    return f"connections in trouble ({analysis.troubled:,})"


def trouble_lines(analysis: Analysis, top: int) -> Iterator[str]:
    """At most `top` kinds of trouble, and how many connections are not told of."""
    if not top:
        return
    rows, some = analysis.flow_tracker.troubled(max(LOOKED_AT, top))
    groups = alike(rows)[:top]
    for group in groups:
        yield from wrapped(who_text(group), "  ")
        for text in sentences(group, analysis):
            yield from wrapped(text, "      ")
    rest = some - sum(map(len, groups))
    if rest:
        yield f"  and {plural(rest, 'more connection')}"


def alike(rows: Rows) -> list[Rows]:
    """The rows, those together that fared alike; in the order of the first of each."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for position, row in enumerate(rows):
        groups.setdefault(likeness(row), []).append(position)
    return [rows[positions] for positions in groups.values()]


def who_text(group: Rows) -> str:
    """The ends of a connection; of several the server and how many, and the client where it is one."""
    first = group[0]
    protocol = FLOWS["protocol"].words[int(first["protocol"])]
    if len(group) == 1:
        return f"{ends_text(first)}  {protocol}"
    clients = len(set(group[["client_hi", "client_lo"]].tolist()))
    come = address(first, "client") if clients == 1 else plural(clients, "client")
    server = endpoint(address(first, "server"), int(first["server_port"]))
    return f"{len(group):,} connections of {come} with {server}  {protocol}"


def sentences(group: Rows, analysis: Analysis) -> list[str]:
    """What happened to connections that fared alike: which ones, since when, what, and in which frames."""
    known = seen_by_flow(analysis.gathered, {int(flow) for flow in group["flow"]})
    start_ns = analysis.start_ns
    return [_sentence(phrase, group, known, start_ns) for phrase in phrases(together(group))]


def _sentence(phrase: Phrase, group: Rows, known: Known, start_ns: int) -> str:
    numbers = numbers_text([int(flow) for flow in group["flow"]])
    seen = proof(phrase, group, known)
    since = "at" if seen.count == 1 else "from"
    return f"{numbers} {since} {offset_text(seen.first_ns, start_ns)}: {phrase.text}, {seen.text}"


def proof(phrase: Phrase, group: Rows, known: Known) -> Seen:
    """What the sentence rests on; of very many connections not all events are kept: then the frames in which they began."""
    every = [known[int(flow)] for flow in group["flow"]]
    found = (seen_of(every, [event], phrase.sides) for event in phrase.events)
    seen = next(filter(None, found), Seen())
    if phrase.opening or not seen.count:
        for flow in group:
            seen.add(1, int(flow["start_ns"]), [int(flow["first_frame"])])
    return seen
