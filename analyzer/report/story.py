"""Rows of `flows` -> what happened to a connection, or to several that fared alike, in sentences, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.flows.edge import LONG_CLOSED_NS
from analyzer.kinds import KINDS
from analyzer.report.seen import BOTH
from analyzer.report.words import EVENT_WORDS, times
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, WINDOW_CLOSED
from analyzer.text import duration_text, plural, size_text


class Phrase(NamedTuple):
    """A sentence about a connection; which events, of which sides, are its proof (the first that was seen counts), and whether its first frame is, too."""

    text: str
    events: tuple[str, ...] = ()
    sides: tuple[int, ...] = BOTH
    opening: bool = False


NAMED = ("client", "server")
FAILED = {
    "refused": "refused: the server answered the SYN with a reset",
    "unanswered": "no answer to {syns}",
    "half_open": "the handshake was never completed",
}
# What the phrases of a side tell.
OF_SIDES = {
    "retransmission",
    "retransmission_timeout",
    "spurious_retransmission",
    "reordering",
    "dsack",
    "zero_window",
    "window_never_reopened",
    "syn_ack_by_middlebox",
}
# What needs more words than its name; the last two, and a window that limits, are no trouble, but worth knowing where there is some.
PHRASES = {
    "fin_unanswered": "nothing came back after a FIN, sent again and again: that end, or the way to it, is gone",
    "mtu_black_hole": "no segment of full size was ever acknowledged, however often it was sent, though smaller ones were: "
    "a smaller MTU on the way, of which no ICMP tells, looks like this (an MTU black hole)",
    "sent_beyond_window": "a window was taken back from under data in flight",
    "window_limited": "the receiver's window limits the sender",
    "window_probe_invalid": "a closed window was probed with segments that no receiver need answer",
    "options_refused": "the server, or a box before it, grants no window scaling, SACK or timestamps",
    "syn_ack_again": "the SYN-ACK was repeated although the ACK of it was captured: the server waits for data "
    "(TCP_DEFER_ACCEPT), or the ACK was late or lost behind the capture",
}
SLOW_OPENING_NS = 900_000_000  # a SYN that is sent again waits for a second (RFC 6298 section 2)
LEFT_CLOSED = {
    "unprobed": "the {other} sent no probe",
    "probed": "the {other} probed it and was answered",
    "unanswered": "the last probe of the {other} was not answered",
    "invalid_probes": "the {other} sent only probes that no receiver need answer",
}
# Of connections that fared alike these add up, and of these the largest is told.
ADDED = (
    *("retransmissions", "retransmitted_bytes", "timeouts", "spurious", "out_of_order", "dsacks"),
    *("zero_windows", "zero_window_ns", "missing_bytes", "unique_bytes", "packets"),
)
LARGEST = ("zero_window_longest_ns", "window_closed_ns")


def story(flow: Rows) -> str:
    """What happened to the connection; empty where nothing is worth telling."""
    return "; ".join(phrase.text for phrase in phrases(flow))


def likeness(flow: Rows) -> tuple[object, ...]:
    """What connections that fared alike have in common: the server, how they ended, and what is told of them but for its numbers."""
    told = tuple((phrase.events, phrase.sides) for phrase in phrases(flow))
    return (*(flow[name].item() for name in ("server_hi", "server_lo", "server_port", "state", "protocol")), told)


def together(rows: Rows) -> Rows:
    """A row that stands for several that fared alike: what is counted adds up."""
    total: Rows = rows[:1].copy()[0]
    for side in ("client", "server"):
        for name in ADDED:
            total[f"{side}_{name}"] = min(int(rows[f"{side}_{name}"].sum()), np.iinfo(rows[f"{side}_{name}"].dtype).max)
        for name in LARGEST:
            total[f"{side}_{name}"] = rows[f"{side}_{name}"].max()
    total["time_handshake_ns"] = rows["time_handshake_ns"].max()
    total["events"] = np.bitwise_or.reduce(rows["events"])
    return total


def phrases(flow: Rows) -> list[Phrase]:
    """What happened, a sentence each."""
    happened = {kind.name for number, kind in enumerate(KINDS) if int(flow["events"]) >> number & 1}
    end, told = _end(flow, happened)
    found = [end] if end else []
    opening = int(flow["time_handshake_ns"])
    if opening >= SLOW_OPENING_NS and FLOW_STATES[int(flow["state"])] not in FAILED:
        found.append(Phrase(f"opening it took {duration_text(opening)}", opening=True))
    for side, other in (("client", "server"), ("server", "client")):
        found += _of_side(flow, side, other, happened)
    found += [Phrase(text, (name,)) for name, text in PHRASES.items() if name in happened]
    rest = [kind for kind in KINDS if kind.trouble and kind.name in happened - told - OF_SIDES - set(PHRASES)]
    rest.sort(key=lambda kind: -kind.trouble)
    return found + [Phrase(EVENT_WORDS[kind.name], (kind.name,)) for kind in rest]


def _end(flow: Rows, happened: set[str]) -> tuple[Phrase | None, set[str]]:
    """How the connection failed or was torn down, and the kinds of events that are told by that."""
    state = FLOW_STATES[int(flow["state"])]
    if state in FAILED:
        text = FAILED[state].format(syns=plural(int(flow["client_packets"]), "SYN"))
        if state == "refused":
            return Phrase(text, ("refused",)), {"refused"}
        return Phrase(text, ("retransmission",), opening=True), {"syn_unanswered"}
    if state == "reset_by_middlebox":
        side = "server" if flow["server_middlebox_hops"] >= 0 else "client"
        hops = plural(int(flow[f"{side}_middlebox_hops"]), "hop")
        text = f"a box on the way, {hops} from here, reset it in the name of the {side}"
        return Phrase(text, ("reset_by_middlebox",)), {"reset_by_middlebox"}
    if state not in ("reset_by_client", "reset_by_server"):
        return None, set()
    side, other = ("client", "server") if state == "reset_by_client" else ("server", "client")
    if "answered_past_nat" in happened:
        told = {"answered_past_nat", "reset_in_handshake"}
        text = "the answer came past the NAT, from the address behind it, and the client reset it"
        return Phrase(text, ("answered_past_nat",)), told
    if "reset_in_handshake" in happened:
        return Phrase(f"the {side} reset the handshake", ("reset_in_handshake",)), {"reset_in_handshake"}
    if "half_open" in happened:
        return Phrase(f"the {side} reset it: it knew no such connection", ("half_open",)), {"half_open", "reset"}
    left = int(flow[f"{other}_unique_bytes"])
    after = f" after {size_text(left)} from the {other}" if left else ""
    return Phrase(f"the {side} reset it{after}", ("reset", "closing_reset"), (NAMED.index(side),)), {"reset"}


def _of_side(flow: Rows, side: str, other: str, happened: set[str]) -> Iterator[Phrase]:
    mine, others = (NAMED.index(side),), (NAMED.index(other),)
    hops = int(flow[f"{side}_middlebox_hops"])
    if hops >= 0 and "syn_ack_by_middlebox" in happened:
        text = f"a box on the way, {plural(hops, 'hop')} from here, answered the SYN in the name of the {side}"
        yield Phrase(text, ("syn_ack_by_middlebox",))
    again = int(flow[f"{side}_retransmissions"])
    if again:
        size = int(flow[f"{side}_retransmitted_bytes"])
        text = f"the {side} sent {plural(again, 'segment')} again" + (f" ({size_text(size)})" if size else "")
        timeouts, needless = int(flow[f"{side}_timeouts"]), int(flow[f"{side}_spurious"])
        details = [f"{timeouts:,} when the timer ran out (retransmission timeout)"] if timeouts else []
        details += [f"{needless:,} needlessly"] if needless else []
        yield Phrase(text + (", " + ", ".join(details) if details else ""), ("retransmission",), mine)
    late = int(flow[f"{side}_out_of_order"])
    if late:
        yield Phrase(f"{plural(late, 'segment')} of the {side} came out of order (reordering)", ("reordering",), mine)
    twice = int(flow[f"{other}_dsacks"])
    if twice:
        yield Phrase(f"the {other} received {plural(twice, 'segment')} twice (DSACK)", ("dsack",), others)
    shut = int(flow[f"{side}_zero_windows"])
    if shut:
        yield Phrase(_shut(flow, side, other, shut), ("zero_window",), mine)
    missing = int(flow[f"{side}_missing_bytes"])
    if missing:
        yield Phrase(f"{size_text(missing)} of the {side} were not captured", ("capture_gap",), others)


def _shut(flow: Rows, side: str, other: str, shut: int) -> str:
    """How often and for how long a side had no room, and what became of that."""
    text = f"the {side} closed its window (zero window) {times(shut)}"
    total, longest = int(flow[f"{side}_zero_window_ns"]), int(flow[f"{side}_zero_window_longest_ns"])
    if total:  # else it was closed by the last frame of all, or time stood still
        text = f"{text} for {duration_text(total)}" + (f" (longest {duration_text(longest)})" if shut > 1 else "")
    closed = WINDOW_CLOSED[int(flow[f"{side}_window_closed"])]
    if closed:
        text += ", still closed at the end"
        if int(flow[f"{side}_window_closed_ns"]) >= LONG_CLOSED_NS:
            text += f"; {LEFT_CLOSED[closed].format(other=other)}"
    return text
