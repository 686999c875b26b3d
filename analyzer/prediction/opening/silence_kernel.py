"""Compiled prediction of what silence means: a SYN without an answer, a SYN-ACK that is never repeated, data nobody acknowledges."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_MD5
from analyzer.prediction.emit_kernel import add_then
from analyzer.prediction.names import NUMBER
from analyzer.prediction.opening.state import ACKS, COOKIE, TIMER_NS, TIMER_SLACK_NS, UNANSWERED_NS, UNDECIDED

PURE_ACKS, TOGETHER = NUMBER["TcpExtTCPPureAcks"], NUMBER["TcpExtTCPPureAcks+TcpExtTCPHPAcks"]
RETRANS_SEGS, SYN_RETRANS = NUMBER["TcpRetransSegs"], NUMBER["TcpExtTCPSynRetrans"]
PASSIVE_OPENS = NUMBER["TcpPassiveOpens"]
LISTEN_OVERFLOWS, LISTEN_DROPS = NUMBER["TcpExtListenOverflows"], NUMBER["TcpExtListenDrops"]
FULL_DROP, FULL_COOKIES = NUMBER["TcpExtTCPReqQFullDrop"], NUMBER["TcpExtTCPReqQFullDoCookies"]
DEFER_ACCEPT_DROP = NUMBER["TcpExtTCPDeferAcceptDrop"]
MD5_NOT_FOUND, MD5_UNEXPECTED = NUMBER["TcpExtTCPMD5NotFound"], NUMBER["TcpExtTCPMD5Unexpected"]
MD5_FAILURE = NUMBER["TcpExtTCPMD5Failure"]
COOKIES_SENT, COOKIES_RECV = NUMBER["TcpExtSyncookiesSent"], NUMBER["TcpExtSyncookiesRecv"]


@inline
def at(row: Any, counter: Int, amount: Int, time_ns: Int, frame: Int, out: Any) -> None:
    """One increment of an earlier frame."""
    add_then(row, time_ns, frame, counter, amount, amount, amount, out)


@inline
def was_cookie(row: Any, own: Any, port: Any, out: Any) -> None:
    """The SYN-ACKs were cookies, if the host sends any."""
    if port["no_cookies"]:
        return
    own["kind"] = COOKIE
    port["cookie_ns"] = own["answer_ns"]
    at(row, COOKIES_SENT, own["answers"], own["answer_ns"], own["answer_frame"], out)
    at(row, FULL_COOKIES, own["answers"], own["answer_ns"], own["answer_frame"], out)
    if own["resent"]:  # for each SYN that comes again a new one is made
        at(row, RETRANS_SEGS, -own["resent"], own["answer_ns"], own["answer_frame"], out)
        at(row, SYN_RETRANS, -own["resent"], own["answer_ns"], own["answer_frame"], out)


@inline
def each(row: Any, own: Any, counter: Int, acks: Int, amount: Int, out: Any) -> None:
    """An increment at each of the first `acks` segments that would have ended the handshake."""
    for k in range(min(acks, ACKS)):
        many = amount if k < ACKS - 1 else amount * (acks - k)
        at(row, counter, many, own["acks_ns"][k], own["acks_in"][k], out)


@inline
def overflowed(row: Any, own: Any, port: Any, acks: Int, out: Any) -> None:
    """So many ends of a handshake were ignored: the accept queue was full. A cookie was valid each time."""
    if acks <= 0:
        return
    port["overflowed"] = 1
    each(row, own, LISTEN_OVERFLOWS, acks, 1, out)
    each(row, own, LISTEN_DROPS, acks, 1, out)
    if own["kind"] == COOKIE:
        each(row, own, COOKIES_RECV, acks, 1, out)


@inline
def no_acks(row: Any, own: Any, count: Int, out: Any) -> None:
    """ACKs that the listener ignored never came to tcp_ack()."""
    if count > 0:
        each(row, own, PURE_ACKS, count, -1, out)
        each(row, own, TOGETHER, count, -1, out)


@inline
def may_be(row: Any, counter: Int, most: Int, time_ns: Int, frame: Int, out: Any) -> None:
    """Nothing, or up to so much, at an earlier frame."""
    add_then(row, time_ns, frame, counter, 0, 0, most, out)


@inline
def deferred(row: Any, own: Any, acks: Int, out: Any) -> None:
    """TCP_DEFER_ACCEPT in tcp_check_req(): so many ACKs without data were most probably dropped."""
    if acks > 0:
        add_then(row, own["opened_ns"], own["opened_frame"], DEFER_ACCEPT_DROP, acks, 0, acks, out)


@inline
def dropped(row: Any, own: Any, port: Any, count: Int, time_ns: Int, frame: Int, out: Any) -> None:
    """tcp_conn_request(): a full accept queue, or while others are under way a full queue of requests, without cookies.

    The last quarter of net.ipv4.tcp_max_syn_backlog is kept for addresses that are known, which no other counter tells.
    """
    at(row, LISTEN_DROPS, count, time_ns, frame, out)
    most = np.int64(port["guarded"])
    if most > 0 and port["no_cookies"] and most - port["pending"] < most >> 2:
        return
    if port["pending"] > 0:
        own["held"] += count
    else:
        port["overflowed"] = 1
        at(row, LISTEN_OVERFLOWS, count, time_ns, frame, out)


@inline
def unanswered(row: Any, own: Any, port: Any, time_ns: Int, frame: Int, out: Any) -> None:
    """A SYN without an answer: dropped for a full queue, if this port answers others."""
    own["waits"] = 0
    port["asked"] = 1
    signed = own["syn_options"] & O_MD5 != 0
    if signed or port["signs"]:  # a listener that has a key may have one for this client, too
        if not signed:
            add_then(row, time_ns, frame, MD5_NOT_FOUND, 1, 0, 1, out)
        else:
            add_then(row, time_ns, frame, MD5_FAILURE if port["signs"] else MD5_UNEXPECTED, 1, 0, 1, out)
            may_be(row, MD5_UNEXPECTED if port["signs"] else MD5_FAILURE, np.int64(1), time_ns, frame, out)
        may_be(row, LISTEN_DROPS, np.int64(1), time_ns, frame, out)
        may_be(row, LISTEN_OVERFLOWS, np.int64(1), time_ns, frame, out)
        return
    if not port["answers"]:
        own["ignored"] += 1
        return
    dropped(row, own, port, 1, time_ns, frame, out)


@part
def syn_over(row: Any, own: Any, ports: Any, out: Any) -> None:
    """SYNs that never got an answer; a listener gives it at once."""
    port = ports[own["server"]]
    if own["waits"]:
        unanswered(row, own, port, own["syn_ns"], own["syn_frame"], out)
    if own["ignored"] > 0 and port["answers"]:
        dropped(row, own, port, own["ignored"], own["syn_ns"], own["syn_frame"], out)
    own["ignored"] = 0
    if own["held"] > 0:
        if port["overflowed"] or port["cookie_ns"]:
            counter = LISTEN_OVERFLOWS
        else:
            counter, port["no_cookies"] = FULL_DROP, 1
        at(row, counter, own["held"], own["syn_ns"], own["syn_frame"], out)
        own["held"] = 0


@part
def opening_over(row: Any, own: Any, ports: Any, now_ns: Int, out: Any) -> None:
    """What the silence after a SYN or a SYN-ACK meant, at the end of the capture or of what is known of the flow."""
    port = ports[own["server"]]
    if own["answers"] == 0 or own["spoken"]:
        return
    if own["opened"] and own["unanswered_ns"] == 0:
        may_be(row, DEFER_ACCEPT_DROP, own["pure_acks"], own["opened_ns"], own["opened_frame"], out)
    if own["kind"] == COOKIE:
        if own["opened"]:
            ignored = own["unanswered_ns"] and now_ns - own["unanswered_ns"] > UNANSWERED_NS
            at(row, COOKIES_RECV, own["acks"] if ignored else 1, own["answer_ns"], own["answer_frame"], out)
    elif own["kind"] == UNDECIDED and not port["no_cookies"]:
        undecided(row, own, port, now_ns, out)
    own["answers"] = 0


@inline
def undecided(row: Any, own: Any, port: Any, now_ns: Int, out: Any) -> None:
    """The host has said nothing but SYN-ACKs: of a request, or cookies."""
    time_ns, frame = own["answer_ns"], own["answer_frame"]
    # A request would have sent its SYN-ACK again, until a socket is made of it, which would acknowledge data.
    waits = own["unanswered_ns"] and now_ns - own["unanswered_ns"] > UNANSWERED_NS
    refused = own["opened"] and (waits or own["refused_acks"] > 0)
    silent = (refused or not own["opened"]) and now_ns - time_ns > TIMER_NS + TIMER_SLACK_NS
    if silent:
        was_cookie(row, own, port, out)
        if refused:
            overflowed(row, own, port, own["acks"], out)
            no_acks(row, own, own["pure_acks"], out)
            at(row, PASSIVE_OPENS, -1, own["opened_ns"], own["opened_frame"], out)
        return
    port["asked"] = 1
    if own["crowd"] > port["proven"] or (own["opened"] and port["cookie_ns"]):
        may_be(row, COOKIES_SENT, own["answers"], time_ns, frame, out)
        may_be(row, FULL_COOKIES, own["answers"], time_ns, frame, out)
        if own["opened"]:
            may_be(row, COOKIES_RECV, own["acks"], time_ns, frame, out)
            may_be(row, LISTEN_OVERFLOWS, own["acks"], time_ns, frame, out)
            may_be(row, LISTEN_DROPS, own["acks"], time_ns, frame, out)
            add_then(row, own["opened_ns"], own["opened_frame"], PASSIVE_OPENS, 0, -1, 0, out)
            for counter in (PURE_ACKS, TOGETHER):
                add_then(row, own["opened_ns"], own["opened_frame"], counter, 0, -own["pure_acks"], 0, out)
