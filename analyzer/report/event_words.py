"""Events in words: the fact first, the term in brackets. A row of `events` -> a phrase."""

from __future__ import annotations

from analyzer.kinds import KINDS
from analyzer.schema import Rows
from analyzer.tables import EVENTS
from analyzer.text import duration_text, plural, size_text

# By kind, or kind/cause where the cause decides. {value} is a time, a size or a count, as the kind has it, {frame} the frame that
# it refers to, {since} the time since then.
WORDS = {
    "capture_duplicate": "captured again, {value} after the first copy (capture duplicate)",
    "network_duplicate": "repeated by the network {value} later (network duplicate)",
    "capture_gap": "acknowledges {value} that this capture does not hold (capture gap)",
    "captured_late": "written {value} after the ACK that covers it: captured late, not sent late",
    "retransmission/fast": "sent again ({value}) after the other side reported a hole (fast retransmission)",
    "retransmission/rto": "sent again ({value}) by the retransmission timer (RTO)",
    "retransmission/tlp": "sent again ({value}) to ask for an ACK (tail loss probe)",
    "retransmission/syn": "the SYN, sent again",
    "retransmission/syn_ack": "the SYN-ACK, sent again",
    "retransmission/fin": "the FIN, sent again",
    "retransmission/window_probe": "sent again ({value}) into a closed window (window probe)",
    "retransmission/lost_again": "sent again ({value}): what was sent again before was lost, too",
    "retransmission/unknown": "sent again ({value}; retransmission)",
    "retransmission_timeout": "nothing had come back for {value} (retransmission timeout)",
    "spurious_retransmission/dsack": "shows that what was sent again was not needed: it came twice (spurious, by DSACK)",
    "spurious_retransmission/eifel": "shows that what was sent again was not needed: it answers what was sent first (spurious, by timestamp)",
    "spurious_retransmission/acked": "sent again though it was acknowledged (spurious)",
    "spurious_retransmission/too_soon": "shows that what was sent again was not needed: it comes too soon to answer that (spurious)",
    "spurious_retransmission/answer_late": "shows that the SYN sent again was not needed: the answer was on its way (spurious)",
    "reordering": "came late: the network changed the order (reordering, by {value})",
    "duplicate_ack": "acknowledged again, number {value} in a row (duplicate ACK)",
    "mtu_black_hole": "no segment as large as this ({value}) ever arrives, smaller ones do (MTU black hole)",
    "dsack": "reports {value} that came twice (DSACK)",
    "invalid_sack": "reports data that was never sent (invalid SACK)",
    "sack_reneging": "takes back {value} that it had reported as received (SACK reneging)",
    "zero_window": "closes its window: it cannot take more (zero window)",
    "zero_window_end": "opens its window again, after {value}",
    "window_never_reopened": "this window stays closed, {value} until the end",
    "window_update": "opens its window by {value} (window update)",
    "window_full": "fills the window of the other side ({value})",
    "window_limited": "the window of the other side ({value}) limits it from here on",
    "window_probe": "asks whether the closed window is open (window probe)",
    "window_probe_answer": "answers the window probe after {value}",
    "window_probe_unanswered": "asks again: the probe {value} before was not answered",
    "window_probe_invalid": "asks in a way that nobody need answer (invalid window probe)",
    "window_shrunk": "takes back {value} of the window that it had offered (window shrunk)",
    "sent_beyond_window": "leaves {value} in flight beyond the window",
    "keep_alive": "asks whether the other side is still there (keep-alive)",
    "keep_alive_answer": "answers the keep-alive after {value}",
    "tsval_regression": "its timestamp goes back by {value} (TSval regression)",
    "tsecr_never_sent": "echoes a timestamp that was never sent (TSecr)",
    "paws/segment": "too old by its timestamp: the receiver must drop it (PAWS)",
    "paws/old_ack": "an ACK that others have overtaken (PAWS, harmless)",
    "tw_recycle": "its timestamp is older than another of this address: several hosts behind a NAT",
    "clock_regression": "the capture's clock goes back by {value}",
    "syn_unanswered": "no answer ever came to {value}",
    "refused": "refused after {value}: nobody listens there",
    "reset_in_handshake": "resets the connection before it was open",
    "answered_past_nat": "resets the answer, which came past the NAT",
    "syn_cookie": "an answer that keeps no state (SYN cookie): no window scaling, no SACK",
    "options_refused": "grants no window scaling, SACK or timestamps",
    "syn_ack_again/crossed": "the SYN-ACK again, {value} after its ACK: they crossed",
    "syn_ack_again/deferred": "the SYN-ACK again, {value} after its ACK: the server waits for data, or that ACK was lost",
    "syn_ack_again/ack_lost": "the SYN-ACK again, {value} after its ACK: that was lost behind the capture",
    "syn_ack_again_answer": "answers the repeated SYN-ACK",
    "syn_ack_by_middlebox": "a box on the way has answered the SYN, not the server",
    "simultaneous_open": "both sides opened at the same time",
    "fast_open/requested": "asks for a cookie (TCP Fast Open)",
    "fast_open/granted": "hands out a cookie (TCP Fast Open)",
    "fast_open/used": "sends data with the SYN ({value}; TCP Fast Open)",
    "fast_open/accepted": "takes the data of the SYN ({value}; TCP Fast Open)",
    "fast_open/refused": "does not take the data of the SYN ({value}; TCP Fast Open)",
    "ecn_negotiated": "both sides agree on ECN",
    "ce": "marked by a router: congestion (CE)",
    "ece": "reports congestion to the sender (ECE)",
    "cwr": "has slowed down for it (CWR)",
    "reset/in_window": "resets the connection",
    "reset/out_of_window": "a reset whose number does not fit: it is ignored, or challenged",
    "reset/unread_data": "resets the connection: its application closed without reading all",
    "reset/after_fin": "resets what it had closed",
    "closing_reset/after_fin": "resets what it had closed, an ordinary end",
    "closing_reset/after_fin_of_other": "resets after the other side's FIN, an ordinary end",
    "closing_reset/unread_data": "resets after the other side's FIN, with data unread",
    "closing_reset/begun_before": "resets a connection that began before the capture",
    "reset_by_middlebox": "a box on the way sent this reset in the name of the end ({value} from here)",
    "fin_unanswered": "no answer ever came to {value}",
    "half_open": "knows no such connection any more (half-open)",
    "stray": "belongs to an earlier connection of the same addresses and ports (stray)",
    "challenge_ack": "asks the sender of what did not fit to prove itself (challenge ACK)",
    "data_after_close": "data ({value}) for a side that has closed",
}
COUNTED = {  # what values count that are neither times nor sizes
    "duplicate_ack": "",
    "tsval_regression": "tick",
    "tsecr_never_sent": "tick",
    "paws": "tick",
    "tw_recycle": "clock",
    "syn_unanswered": "SYN",
    "fin_unanswered": "FIN",
    "syn_ack_by_middlebox": "hop",
    "reset_by_middlebox": "hop",
}
RELATED = {
    "retransmission": "first sent in frame {frame}",
    "spurious_retransmission": "it was sent again in frame {frame}",
    "reordering": "the segment behind it is frame {frame}",
    "zero_window_end": "it was closed in frame {frame}",
    "capture_duplicate": "the first copy is frame {frame}",
    "network_duplicate": "the first copy is frame {frame}",
}


def words_of(event: Rows) -> str:
    """What happened, in a phrase, with the frame that it refers to."""
    kind = KINDS[int(event["event"])]
    cause = EVENTS["cause"].words[int(event["cause"])]
    template = WORDS.get(f"{kind.name}/{cause}") or WORDS[kind.name]
    text = template.format(value=value_text(kind.name, int(event["value"]), kind.value))
    if event["related_frame"] in (0, event["frame"]):
        return text
    frame = f"{int(event['related_frame'])}"
    related = RELATED.get(kind.name, "see frame {frame}").format(frame=frame)
    since = (
        f", {duration_text(int(event['since_ns']))} before"
        if kind.name == "retransmission" and event["since_ns"]
        else ""
    )
    return f"{text}; {related}{since}"


def value_text(kind: str, value: int, meaning: str) -> str:
    """A value as its kind counts it: a time, a size, or a number with its noun."""
    if meaning.startswith("ns "):
        return duration_text(value) if value else "an unknown time"
    if meaning.startswith("bytes"):
        return size_text(value)
    noun = COUNTED.get(kind, "")
    return plural(value, noun) if noun else f"{value:,}"
