"""A row of `flows` -> what happened to the connection, in a sentence, worst first."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.flows.edge import LONG_CLOSED_NS
from analyzer.kinds import KINDS
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, WINDOW_CLOSED
from analyzer.text import duration_text, plural, size_text

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
# What needs more words than its name; the last three are no trouble, but worth knowing where there is some.
PHRASES = {
    "fin_unanswered": "nothing came back after a FIN, sent again and again: that end, or the way to it, is gone",
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


def story(flow: Rows) -> str:
    """What happened to the connection; empty where nothing is worth telling."""
    happened = {kind.name for number, kind in enumerate(KINDS) if int(flow["events"]) >> number & 1}
    end, told = _end(flow, happened)
    phrases = [end] if end else []
    opening = int(flow["time_handshake_ns"])
    if opening >= SLOW_OPENING_NS and FLOW_STATES[int(flow["state"])] not in FAILED:
        phrases.append(f"opening it took {duration_text(opening)}")
    for side, other in (("client", "server"), ("server", "client")):
        phrases += _of_side(flow, side, other, happened)
    phrases += [phrase for name, phrase in PHRASES.items() if name in happened]
    rest = [kind.name for kind in KINDS if kind.trouble and kind.name in happened - told - OF_SIDES - set(PHRASES)]
    if rest:
        phrases.append(("also seen: " if phrases else "seen: ") + ", ".join(name.replace("_", " ") for name in rest))
    return "; ".join(phrases)


def _end(flow: Rows, happened: set[str]) -> tuple[str, set[str]]:
    """How the connection failed or was torn down, and the kinds of events that are told by that."""
    state = FLOW_STATES[int(flow["state"])]
    if state in FAILED:
        return FAILED[state].format(syns=plural(int(flow["client_packets"]), "SYN")), {"refused", "syn_unanswered"}
    if state == "reset_by_middlebox":
        side = "server" if flow["server_middlebox_hops"] >= 0 else "client"
        hops = plural(int(flow[f"{side}_middlebox_hops"]), "hop")
        return f"a box on the way, {hops} from here, reset it in the name of the {side}", {"reset_by_middlebox"}
    if state not in ("reset_by_client", "reset_by_server"):
        return "", set()
    side, other = ("client", "server") if state == "reset_by_client" else ("server", "client")
    if "answered_past_nat" in happened:
        told = {"answered_past_nat", "reset_in_handshake"}
        return "the answer came past the NAT, from the address behind it, and the client reset it", told
    if "reset_in_handshake" in happened:
        return f"the {side} reset the handshake", {"reset_in_handshake"}
    if "half_open" in happened:
        return f"the {side} reset it: it knew no such connection", {"half_open", "reset"}
    left = int(flow[f"{other}_unique_bytes"])
    return f"the {side} reset it" + (f" after {size_text(left)} from the {other}" if left else ""), {"reset"}


def _of_side(flow: Rows, side: str, other: str, happened: set[str]) -> Iterator[str]:
    hops = int(flow[f"{side}_middlebox_hops"])
    if hops >= 0 and "syn_ack_by_middlebox" in happened:
        yield f"a box on the way, {plural(hops, 'hop')} from here, answered the SYN in the name of the {side}"
    again = int(flow[f"{side}_retransmissions"])
    if again:
        size = int(flow[f"{side}_retransmitted_bytes"])
        text = f"the {side} sent {plural(again, 'segment')} again" + (f" ({size_text(size)})" if size else "")
        timeouts, needless = int(flow[f"{side}_timeouts"]), int(flow[f"{side}_spurious"])
        details = [plural(timeouts, "timeout")] if timeouts else []
        details += [f"{needless:,} needlessly"] if needless else []
        yield text + (", " + ", ".join(details) if details else "")
    late = int(flow[f"{side}_out_of_order"])
    if late:
        yield f"{plural(late, 'segment')} of the {side} came out of order"
    twice = int(flow[f"{other}_dsacks"])
    if twice:
        yield f"the {other} received {plural(twice, 'segment')} twice"
    shut = int(flow[f"{side}_zero_windows"])
    if shut:
        text = f"the {side} closed its window {plural(shut, 'time')}"
        total, longest = int(flow[f"{side}_zero_window_ns"]), int(flow[f"{side}_zero_window_longest_ns"])
        text = f"{text} for {duration_text(total)}" + (f" (longest {duration_text(longest)})" if shut > 1 else "")
        closed = WINDOW_CLOSED[int(flow[f"{side}_window_closed"])]
        if closed:
            text += ", still closed at the end"
            if int(flow[f"{side}_window_closed_ns"]) >= LONG_CLOSED_NS:
                text += f"; {LEFT_CLOSED[closed].format(other=other)}"
        yield text
    missing = int(flow[f"{side}_missing_bytes"])
    if missing:
        yield f"{size_text(missing)} of the {side} were not captured"
