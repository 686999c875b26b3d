"""Compiled prediction of how connections are opened: fast open, SYN cookies, and listeners whose queues are full.

tcp_conn_request(), tcp_check_req(), cookie_v4_check(), tcp_try_fastopen(), tcp_rcv_fastopen_synack().
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_FAST_OPEN, O_MD5, O_SACK_PERMITTED, O_TIMESTAMPS, O_WINDOW_SCALE
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.opening.silence_kernel import (
    DEFER_ACCEPT_DROP,
    at,
    deferred,
    dropped,
    may_be,
    no_acks,
    overflowed,
    unanswered,
    was_cookie,
)
from analyzer.prediction.opening.state import (
    ACKS,
    COOKIE,
    COOKIE_TICKS,
    COOKIE_VALID_NS,
    LAG_TICKS,
    REQUEST,
    SILENCE_NS,
    TFO_TIMEOUTS,
    TIMER_NS,
    TIMER_SLACK_NS,
    UNANSWERED_NS,
    UNDECIDED,
)  # fmt: skip
from analyzer.prediction.validity.state import CLOSED, ESTABLISHED, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16
E_TIMEOUT, E_RETRANSMISSION = EVENT["retransmission_timeout"], EVENT["retransmission"]
AGAIN_BIT = np.uint64(1 << E_RETRANSMISSION | 1 << EVENT["capture_duplicate"])
TIMEOUT_BIT = np.uint64(1 << E_TIMEOUT)

PASSIVE_OPENS, TIMEOUTS = NUMBER["TcpPassiveOpens"], NUMBER["TcpExtTCPTimeouts"]
EMBRYONIC_RSTS = NUMBER["TcpExtEmbryonicRsts"]
LISTEN_OVERFLOWS, LISTEN_DROPS = NUMBER["TcpExtListenOverflows"], NUMBER["TcpExtListenDrops"]
FULL_COOKIES = NUMBER["TcpExtTCPReqQFullDoCookies"]
COOKIES_SENT, COOKIES_RECV = NUMBER["TcpExtSyncookiesSent"], NUMBER["TcpExtSyncookiesRecv"]
RETRANS_SEGS, SYN_RETRANS = NUMBER["TcpRetransSegs"], NUMBER["TcpExtTCPSynRetrans"]
COOKIES_FAILED = NUMBER["TcpExtSyncookiesFailed"]
FAST_ACTIVE, FAST_ACTIVE_FAIL = NUMBER["TcpExtTCPFastOpenActive"], NUMBER["TcpExtTCPFastOpenActiveFail"]
FAST_PASSIVE, FAST_PASSIVE_FAIL = NUMBER["TcpExtTCPFastOpenPassive"], NUMBER["TcpExtTCPFastOpenPassiveFail"]
FAST_COOKIE_REQD, FAST_OVERFLOW = NUMBER["TcpExtTCPFastOpenCookieReqd"], NUMBER["TcpExtTCPFastOpenListenOverflow"]
FAST_ALT_KEY, FAST_BLACKHOLE = NUMBER["TcpExtTCPFastOpenPassiveAltKey"], NUMBER["TcpExtTCPFastOpenBlackhole"]


@part
def opening_received(row: Any, own: Any, ports: Any, before: Int, after: Int, out: Any) -> None:
    """A segment to the host, whose socket was in the state `before` and is now in `after` (validity_state)."""
    flags = row["flags"]
    if flags & (SYN | ACK | RST) == SYN and (before == CLOSED or before == TIME_WAIT) and after == CLOSED:
        syn_to_listener(row, own, ports, out)
        return
    if before == SYN_SENT and after == ESTABLISHED:
        if own["sent_bytes"] > 0:
            taken = difference(row["ack"], own["first_byte"]) >= own["sent_bytes"]
            add(row, FAST_ACTIVE if taken else FAST_ACTIVE_FAIL, 1, out)
        own["timeouts"] = 0
        return
    if flags & ACK and after != SYN_SENT:
        own["timeouts"] = 0
    if own["answers"] == 0 or own["spoken"] or own["server"] != row["dst_port"]:
        if own["baked"] and before == CLOSED and flags & (SYN | RST | ACK) == ACK and row["seq"] == own["opened_seq"]:
            # What a reset has answered was behind the first byte; this fits the cookie again.
            for counter in (COOKIES_RECV, LISTEN_OVERFLOWS, LISTEN_DROPS):
                add_range(row, counter, 0, 0, 1, out)
        return
    port = ports[own["server"]]
    if flags & SYN:
        own["again_ns"] = row["time_ns"]
    if before == SYN_RECEIVED and after == CLOSED:
        over(own, port)
    if flags & (SYN | RST) or not flags & ACK or after == SYN_RECEIVED or after == CLOSED:
        return
    if not own["opened"]:
        own["opened"] = 1
        own["opened_ns"], own["opened_frame"], own["opened_seq"] = row["time_ns"], row["frame"], row["seq"]
        add(row, PASSIVE_OPENS, 1, out)
    if own["pending"]:
        own["pending"] = 0
        port["pending"] -= 1
    if own["unanswered_ns"] and row["time_ns"] - own["unanswered_ns"] > UNANSWERED_NS:
        own["refused_acks"], own["refused_pure"], own["unanswered_ns"] = own["acks"], own["pure_acks"], 0
    if row["events"] & AGAIN_BIT and own["unanswered_ns"]:
        own["again_acks"], own["again_pure"] = own["acks"], own["pure_acks"]
    place = min(np.int64(own["acks"]), ACKS - 1)
    own["acks_ns"][place], own["acks_in"][place] = row["time_ns"], row["frame"]
    own["acks"] += 1
    own["beyond"] = row["seq"] != own["opened_seq"]
    own["pure_acks"] += 1 if row["payload_len"] == 0 and not flags & FIN else 0
    own["ack_ns"], own["ack_frame"] = row["time_ns"], row["frame"]
    if row["payload_len"] > 0 and own["unanswered_ns"] == 0:
        own["unanswered_ns"] = row["time_ns"]
        may_be(row, DEFER_ACCEPT_DROP, own["pure_acks"], own["opened_ns"], own["opened_frame"], out)


@inline
def syn_to_listener(row: Any, own: Any, ports: Any, out: Any) -> None:
    """No socket of the connection is there: the SYN goes to a listener, if there is one."""
    own["server"] = row["dst_port"]
    if own["waits"]:
        unanswered(row, own, ports[own["server"]], own["syn_ns"], own["syn_frame"], out)
    own["waits"] = 1
    own["syn_ns"], own["syn_frame"] = row["time_ns"], row["frame"]
    own["syn_cookie_len"] = np.int64(row["fast_open_len"]) if row["options"] & O_FAST_OPEN else -1
    own["syn_bytes"], own["syn_options"] = row["payload_len"], row["options"]


@inline
def over(own: Any, port: Any) -> None:
    """The request is gone."""
    if own["pending"]:
        own["pending"] = 0
        port["pending"] -= 1
    own["answers"] = 0
    own["kind"] = REQUEST


@part
def opening_sent(row: Any, own: Any, ports: Any, before: Int, irs: Any, out: Any) -> None:
    """A segment of the host, whose socket was in the state `before`; `irs` is the number of the SYN it answers."""
    flags = row["flags"]
    if flags & (SYN | ACK) == SYN:
        sent_syn(row, own, out)
    elif flags & SYN:
        if not own["connects"] or own["first_byte"] != (np.int64(row["seq"]) + 1 & 0xFFFFFFFF):  # no simultaneous open
            sent_answer(row, own, ports[row["src_port"]], irs, out)
    elif flags & RST:
        sent_reset(row, own, ports[row["src_port"]], before, out)
    else:
        own["waits"] = 0  # a socket of the connection before has answered the SYN
        if row["events"] & TIMEOUT_BIT:
            timed_out(row, own, out)
        waits = own["answers"] > 0 and own["opened"] and not own["spoken"] and own["server"] == row["src_port"]
        if waits and before != CLOSED:
            first_words(row, own, ports[row["src_port"]], out)


@inline
def sent_syn(row: Any, own: Any, out: Any) -> None:
    """tcp_connect(), tcp_send_syn_data()."""
    if row["events"] & AGAIN_BIT:
        timed_out(row, own, out)
        return
    own["asks"] = 1 if row["options"] & O_FAST_OPEN or row["payload_len"] > 0 else 0
    own["sent_bytes"] = row["payload_len"]
    own["first_byte"] = np.int64(row["seq"]) + 1 & 0xFFFFFFFF
    own["timeouts"], own["connects"] = 0, 1


@inline
def timed_out(row: Any, own: Any, out: Any) -> None:
    """tcp_fastopen_active_detect_blackhole(): fast open is given up for a while after the third timeout in a row."""
    own["timeouts"] += 1
    if own["asks"] and own["timeouts"] == TFO_TIMEOUTS:
        add(row, FAST_ACTIVE_FAIL, 1, out)
        add_range(row, FAST_BLACKHOLE, 0, 0, 1, out)  # if tcp_fastopen_blackhole_timeout_sec is set


@inline
def sent_answer(row: Any, own: Any, port: Any, irs: Any, out: Any) -> None:
    """A SYN-ACK of a listener: for a SYN, or again by the timer of the request."""
    fresh = own["waits"] != 0 or own["answers"] == 0
    port["answers"] = 1
    if row["options"] & O_MD5:
        port["signs"] = 1
    if fresh and own["answers"] == 0:
        begin_request(row, own, port, irs, out)
    elif not own["waits"] and row["time_ns"] - own["again_ns"] > SILENCE_NS:  # by the timer
        is_request(own, port)
        own["timer_repeats"] += 1
        if not row["events"] & TIMEOUT_BIT:  # tcp_syn_ack_timeout(), though the client was heard: it was ignored
            add(row, TIMEOUTS, 1, out)
        took_ns = row["time_ns"] - own["answer_ns"]
        if own["opened"] and not own["fast"] and not own["spoken"]:
            own["opened"] = 0
            at(row, PASSIVE_OPENS, -1, own["opened_ns"], own["opened_frame"], out)
            # Later than the timer runs out, it is TCP_DEFER_ACCEPT that gives the client a last chance.
            if took_ns < (TIMER_NS << min(own["timer_repeats"] - 1, 6)) + TIMER_SLACK_NS:
                overflowed(row, own, port, own["acks"], out)
                may_be(row, DEFER_ACCEPT_DROP, own["pure_acks"], own["opened_ns"], own["opened_frame"], out)
            else:
                deferred(row, own, own["pure_acks"], out)
            own["pending"] = 1
            port["pending"] += 1
    elif own["kind"] == COOKIE:  # each SYN gets one of its own, which is none that is sent again
        cookie_again(row, port, out)
    own["waits"] = 0
    own["acks"] = own["refused_acks"] = own["again_acks"] = own["unanswered_ns"] = 0
    own["pure_acks"] = own["refused_pure"] = own["again_pure"] = 0
    own["answers"] += 1
    own["resent"] += 1 if row["events"] & AGAIN_BIT else 0
    own["answer_ns"], own["answer_frame"] = row["time_ns"], row["frame"]
    own["answer_tsval"] = row["tsval"]
    own["answer_clock"] = 1 if row["options"] & O_TIMESTAMPS else 0


@inline
def cookie_again(row: Any, port: Any, out: Any) -> None:
    """Another SYN cookie for a SYN that came again."""
    port["cookie_ns"] = row["time_ns"]
    add(row, COOKIES_SENT, 1, out)
    add(row, FULL_COOKIES, 1, out)
    if row["events"] & AGAIN_BIT:
        add(row, RETRANS_SEGS, -1, out)
        add(row, SYN_RETRANS, -1, out)


@inline
def is_request(own: Any, port: Any) -> None:
    """The SYN-ACK was no cookie: at that time the queue of requests was not full."""
    own["kind"] = REQUEST
    port["proven"] = max(port["proven"], own["crowd"])


@inline
def begin_request(row: Any, own: Any, port: Any, irs: Any, out: Any) -> None:
    """tcp_conn_request() makes a request, a cookie, or with fast open a socket."""
    own["server"] = row["src_port"]
    own["kind"], own["opened"], own["fast"], own["spoken"], own["baked"] = UNDECIDED, 0, 0, 0, 0
    own["timer_repeats"] = own["resent"] = 0
    own["crowd"] = port["pending"]
    if own["ignored"] > 0:
        dropped(row, own, port, own["ignored"], own["syn_ns"], own["syn_frame"], out)
        own["ignored"] = 0
    offers = own["syn_options"] & (O_WINDOW_SCALE | O_SACK_PERMITTED)
    if own["waits"] and offers and not own["syn_options"] & O_TIMESTAMPS:
        if not row["options"] & (O_WINDOW_SCALE | O_SACK_PERMITTED):
            own["kind"] = COOKIE  # nothing can be kept of the options
            add(row, COOKIES_SENT, 1, out)
            add(row, FULL_COOKIES, 1, out)
            port["cookie_ns"] = row["time_ns"]
            return
        is_request(own, port)
    gives = row["options"] & O_FAST_OPEN != 0
    shown = own["syn_cookie_len"] if own["waits"] else -1
    if shown == 0:
        add(row, FAST_COOKIE_REQD, 1, out)
    if difference(row["ack"], irs) > 1:
        own["fast"], own["opened"] = 1, 1
        add(row, PASSIVE_OPENS, 1, out)
        add(row, FAST_PASSIVE, 1, out)
        if gives:
            add(row, FAST_ALT_KEY, 1, out)
        port["fast_open"] = 1
    elif shown > 0 and gives:
        add(row, FAST_PASSIVE_FAIL, 1, out)
    elif port["fast_open"] and not gives and (shown >= 0 or own["syn_bytes"] > 0):
        if shown > 0 and own["syn_bytes"] == 0:  # taken, or too many under way
            add_range(row, FAST_PASSIVE, 1, 0, 1, out)
            add_range(row, FAST_OVERFLOW, 0, 0, 1, out)
        else:
            add(row, FAST_OVERFLOW, 1, out)
    if gives:
        port["fast_open"] = 1
    if own["fast"]:
        own["kind"] = REQUEST
    else:
        own["pending"] = 1
        port["pending"] += 1


@inline
def sent_reset(row: Any, own: Any, port: Any, before: Int, out: Any) -> None:
    """tcp_v4_send_reset(): no socket took a segment. tcp_send_active_reset() sets ACK."""
    own["waits"] = own["ignored"] = 0  # nobody listens
    if row["flags"] & ACK:
        own["spoken"] = 1
        return
    if own["answers"] > 0 and own["opened"] and not own["fast"] and not own["spoken"]:
        # tcp_abort_on_overflow: the accept queue was full at the end of the handshake.
        own["opened"] = 0
        at(row, PASSIVE_OPENS, -1, own["opened_ns"], own["opened_frame"], out)
        if own["timer_repeats"] == 0 and own["acks"] == 1:
            is_request(own, port)
            overflowed(row, own, port, 1, out)
            add(row, EMBRYONIC_RSTS, 1, out)
            over(own, port)
            return
        # What came before was ignored; for the last ACK there is no request any more, or its cookie is too old.
        silent_ns = row["time_ns"] - own["answer_ns"]
        silent = (
            silent_ns > TIMER_NS + TIMER_SLACK_NS or own["beyond"]
        )  # a request ignores data behind the first as well
        if own["kind"] == UNDECIDED and own["timer_repeats"] == 0 and silent:
            was_cookie(row, own, port, out)
        overflowed(row, own, port, own["acks"] - 1, out)
        own["baked"] = own["kind"] == COOKIE
        over(own, port)
        before = CLOSED
    recent = port["cookie_ns"] and row["time_ns"] - port["cookie_ns"] < COOKIE_VALID_NS
    if recent and (before == CLOSED or before == SYN_RECEIVED):
        add_range(row, COOKIES_FAILED, 1, 0, 1, out)  # unless nobody listens any more


@inline
def first_words(row: Any, own: Any, port: Any, out: Any) -> None:
    """The connection is open: its handshake was one of a request or of a cookie, the clock of the host tells."""
    own["spoken"] = 1
    if (
        own["kind"] == UNDECIDED
        and own["answer_clock"]
        and row["options"] & O_TIMESTAMPS
        and own["syn_options"] & O_TIMESTAMPS
    ):
        passed = (row["time_ns"] - own["answer_ns"]) // 1_000_000
        lag = difference(row["tsval"], own["answer_tsval"]) - passed
        if LAG_TICKS <= lag <= COOKIE_TICKS + LAG_TICKS:
            was_cookie(row, own, port, out)
    if own["kind"] != COOKIE:
        is_request(own, port)
    if own["fast"]:
        return
    if own["unanswered_ns"] and row["time_ns"] - own["unanswered_ns"] > UNANSWERED_NS:
        own["refused_acks"], own["refused_pure"] = own["acks"] - 1, min(own["pure_acks"], own["acks"] - 1)
    # Data that had arrived before would be reported by a DSACK now.
    if own["syn_options"] & O_SACK_PERMITTED and row["sack_count"] == 0:
        own["refused_acks"] = max(own["refused_acks"], own["again_acks"])
        own["refused_pure"] = max(own["refused_pure"], own["again_pure"])
    overflowed(row, own, port, own["refused_acks"], out)
    no_acks(row, own, own["refused_pure"], out)
    # Another that came before the last may have been ignored all the same, whatever it did not bring.
    more = np.int64(own["acks"]) - 1 - np.int64(own["refused_acks"])
    if own["again_acks"] > 0 and row["sack_count"] > 0:
        more = min(more, np.int64(own["pure_acks"]))
    if more > 0:
        may_be(row, LISTEN_OVERFLOWS, more, own["ack_ns"], own["ack_frame"], out)
        may_be(row, LISTEN_DROPS, more, own["ack_ns"], own["ack_frame"], out)
        if own["kind"] == COOKIE:
            may_be(row, COOKIES_RECV, more, own["ack_ns"], own["ack_frame"], out)
    if own["kind"] == COOKIE:
        at(row, COOKIES_RECV, 1, own["ack_ns"], own["ack_frame"], out)
