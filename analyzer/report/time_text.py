"""Where the time of connections went, in words: for the capture as a whole, and for each connection that lost some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from analyzer.analysis import Analysis
from analyzer.distinct import grouped
from analyzer.flows.names import address, ends_text
from analyzer.report.layout import wrapped
from analyzer.report.words import numbers_text, offset_text, times
from analyzer.schema import Rows
from analyzer.tables import FLOWS, LOST_TIME, TIME_CAUSES
from analyzer.text import duration_text, endpoint, plural

LOOKED_AT = 200  # connections, for what several of them have in common
TOLD = 3  # causes of a connection at most
SHARE = 0.1  # of its time is worth a word
LEAST_NS = 100_000_000  # the whole of a capture, to be told
NAMES = {
    "handshake": "handshakes",
    "client_think": "clients thinking",
    "server_think": "servers thinking",
    "idle": "idle",
    "transfer": "transfer",
    "round_trip": "round trips",
    "receive_window": "receive windows",
    "zero_window": "closed windows",
    "delayed_ack": "delayed ACKs",
    "loss_fast": "fast recovery",
    "loss_timeout": "retransmission timers",
    "sender_stall": "senders that paused",
    "closing": "closing",
    "unknown": "not to be told from here",
}
PHRASES = {
    "handshake": "in the handshake",
    "client_think": "waiting for {client} to ask",
    "server_think": "waiting for {server} to answer",
    "idle": "idle",
    "transfer": "moving data",
    "round_trip": "waiting for ACKs on their way",
    "receive_window": "waiting for the window of {other}",
    "zero_window": "waiting for the closed window of {other}",
    "delayed_ack": "waiting for the delayed ACK of {other}",
    "loss_fast": "repairing losses that {other} reported",
    "loss_timeout": "waiting for the retransmission timer of {side}, and repairing",
    "sender_stall": "waiting for {side}, which paused though nothing hindered it",
    "closing": "closing",
    "unknown": "for a reason that this capture cannot tell",
}
OWN_PACE = "while {side} paused, whom nothing hindered and nobody had asked"
ORDINARY = ("transfer", "round_trip", "client_think", "idle", "closing", "handshake")
assert set(NAMES) == set(PHRASES) == set(TIME_CAUSES), "a cause without words"


def shares_text(spent: dict[str, int]) -> str:
    """The causes and their shares, most first; those below a percent are left out."""
    total = sum(spent.values())
    found = sorted(spent.items(), key=lambda each: -each[1])
    return ", ".join(f"{NAMES[cause]} {percent(ns, total)}" for cause, ns in found if ns * 100 >= total > 0)


def percent(part: int, whole: int) -> str:
    """Without decimals, but for what is less than a percent."""
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 0.5 else "less than 1 %"


def time_lines(analysis: Analysis, top: int) -> Iterator[str]:
    """All connections together, then those that lost most of their time."""
    spent = analysis.time_spent
    total = sum(spent.values())
    if total < LEAST_NS:
        return
    yield from wrapped(f"{duration_text(total)}: {shares_text(spent)}", "  all         ")
    rows, some = analysis.slow_flows(max(top, LOOKED_AT) if top else 0)
    shared = shared_by(rows)
    if shared:
        yield from wrapped(shared, "  shared by   ")
    groups = _alike(rows)[:top]
    for group in groups:
        label = f"#{int(group[0]['flow'])}" if len(group) == 1 else f"{len(group):,} alike"
        yield from wrapped(_group_text(group, analysis), f"  {label:<12}")
    rest = some - sum(map(len, groups))
    if rest:
        yield f"              and {plural(rest, 'more connection')}"


def _alike(rows: Rows) -> list[Rows]:
    """The rows, those together that waited for the same with the same server; in the order of the first of each."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for position, row in enumerate(rows):
        causes = tuple(sorted(cause for cause, _ in _told(row)))
        ends = tuple(row[name].item() for name in ("server_hi", "server_lo", "server_port"))
        groups.setdefault((*ends, causes), []).append(position)
    return [rows[positions] for positions in groups.values()]


def _group_text(group: Rows, analysis: Analysis) -> str:
    """A connection, or several: where it went, and since when; of several the one that lost most proves it."""
    first = group[0]
    start_ns = analysis.start_ns
    if len(group) == 1:
        begun = offset_text(int(first["start_ns"]), start_ns)
        return f"{ends_text(first)} from {begun}: {flow_text(first, analysis)}"
    numbers = numbers_text([int(flow) for flow in group["flow"]])
    begun = offset_text(int(group["start_ns"].min()), start_ns)
    server = endpoint(address(first, "server"), int(first["server_port"]))
    whole = duration_text(int(group["duration_ns"].sum()))
    worst = f"most lost #{int(first['flow'])}, {flow_text(first, analysis)}"
    return f"{numbers} with {server} from {begun}: {whole} in all; {worst}"


def shared_by(rows: Rows) -> str:
    """The server and the client that most of the lost time of several connections has in common."""
    if len(rows) < 2:
        return ""
    found = []
    lost = np.sum([rows[f"time_{cause}_ns"] for cause in (*LOST_TIME, "server_think")], axis=0)
    for side, keys in (("server", ("server_hi", "server_lo", "server_port")), ("client", ("client_hi", "client_lo"))):
        which = rows[list(keys)]
        _, _, inverse, counts = grouped(which)
        most = int(np.argmax(np.bincount(inverse, weights=lost)))
        if counts[most] > 1:
            row = rows[int(np.flatnonzero(inverse == most)[0])]
            name = address(row, side) if side == "client" else endpoint(address(row, side), int(row["server_port"]))
            share = int(lost[inverse == most].sum())
            found.append(
                f"{counts[most]:,} of them with {side} {name} ({percent(share, int(lost.sum()))} of what they lost)"
            )
    return "; ".join(found)


def flow_text(row: Rows, analysis: Analysis) -> str:
    """How long it lasted, and what most of that went to, with the frames that prove it."""
    total = int(row["duration_ns"])
    notes = analysis.notes_of(int(row["flow"]))
    texts = [f"{percent(ns, total)} {phrase(row, cause, notes)}" for cause, ns in _told(row)]
    return f"{duration_text(total)}, of which " + "; ".join(texts)


def _told(row: Rows) -> list[tuple[str, int]]:
    """The causes that are worth a word, most first."""
    spent = {cause: int(row[f"time_{cause}_ns"]) for cause in TIME_CAUSES}
    found = sorted(spent.items(), key=lambda each: -each[1])
    return [(cause, ns) for cause, ns in found if ns >= SHARE * int(row["duration_ns"])][:TOLD]


def phrase(row: Rows, cause: str, notes: dict[str, dict[str, Any]]) -> str:
    """What was waited for, how often and how long, and where it is to be seen."""
    known = notes.get(cause)
    sides = [side_text(row, side) for side in ("client", "server")]
    waits = known["direction"] if known else 0
    text = words_of(row, cause).format(client=sides[0], server=sides[1], side=sides[waits], other=sides[1 - waits])
    if not known or cause in ORDINARY:
        return text
    if known["count"] == 1:
        return f"{text}: {duration_text(known['longest_ns'])} before frame {known['first_frame']}"
    each = f"{times(known['count'])} {duration_text(known['ns'] // known['count'])}"
    return f"{text}: {each}, first before frame {known['first_frame']}, longest {duration_text(known['longest_ns'])} before frame {known['longest_frame']}"


def words_of(row: Rows, cause: str) -> str:
    """The cause in words, with the sides in braces. Where neither side ever answered the other, nobody shows that he waited for a sender that paused."""
    one_way = not int(row["client_answers"]) + int(row["server_answers"])
    return OWN_PACE if cause == "sender_stall" and one_way else PHRASES[cause]


def side_text(row: Rows, side: str) -> str:
    """`the client`, where the handshake told who that is; else the address."""
    if row["roles"] == FLOWS.bit("roles", "handshake"):
        return f"the {side}"
    return endpoint(address(row, side), int(row[f"{side}_port"]))
