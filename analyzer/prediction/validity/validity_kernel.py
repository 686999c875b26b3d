"""Compiled prediction of what sockets refuse: tcp_validate_incoming(), tcp_ack() and tcp_timewait_state_process().

Each counts why, and answers with an ACK unless it has just answered another such segment (tcp_oow_rate_limited()).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.validity.limit_kernel import challenge, is_limited_kind, limited, older, settle
from analyzer.prediction.validity.request_kernel import repeats_syn, to_request, to_syn_sent
from analyzer.prediction.validity.socket_kernel import (
    accept,
    note_syn,
    reset_side,
    scaled,
    segment_end,
    socket_sent,
)
from analyzer.prediction.validity.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_2,
    LAST_ACK,
    PAWS_MSL_NS,
    RTO_MIN_NS,
    SYN_RECEIVED,
    SYN_SENT,
    TICK_NS,
    TIME_WAIT,
    TIME_WAIT_NS,
)  # fmt: skip
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16

IN_ERRS, SYN_CHALLENGE = NUMBER["TcpInErrs"], NUMBER["TcpExtTCPSYNChallenge"]
PAWS_ESTAB, PAWS_OLD_ACK = NUMBER["TcpExtPAWSEstab"], NUMBER["TcpExtPAWSOldAck"]
PAWS_TIMEWAIT, BEYOND_WINDOW = NUMBER["TcpExtPAWSTimewait"], NUMBER["TcpExtBeyondWindow"]
SKIPPED_PAWS, SKIPPED_SEQ = NUMBER["TcpExtTCPACKSkippedPAWS"], NUMBER["TcpExtTCPACKSkippedSeq"]
SKIPPED_FIN_WAIT_2, SKIPPED_TIME_WAIT = NUMBER["TcpExtTCPACKSkippedFinWait2"], NUMBER["TcpExtTCPACKSkippedTimeWait"]

PAWS_WINDOW = 1  # ticks that a full socket forgives (TCP_PAWS_WINDOW)


@part
def validity_received(row: Any, own: Any, out: Any) -> Any:
    """tcp_v4_rcv(): a segment to the host. Does a socket of the host, or none that is known, take it?"""
    side = 1 - np.int64(row["direction"])
    settle(row, own, side, False, out)
    state = own["state"][side]
    if state == TIME_WAIT and row["time_ns"] - own["ended_ns"][side] > TIME_WAIT_NS:
        reset_side(own, side)
        state = CLOSED
    if state == TIME_WAIT:
        return to_time_wait(row, own, side, out)
    if state == CLOSED:
        if row["flags"] & (SYN | ACK | RST) == SYN:
            note_syn(row, own, side)
        return True
    if state == SYN_SENT:
        return to_syn_sent(row, own, side, out)
    if state == SYN_RECEIVED:
        if repeats_syn(row, own, side, out):
            return False
        if not own["full"][side]:
            accepted = to_request(row, own, side, out)
            if not accepted or own["state"][side] == CLOSED:
                return accepted
    return to_socket(row, own, side, out)


@inline
def validity_sent(row: Any, own: Any, out: Any) -> None:
    """A segment of the host: an answer perhaps, and what its socket tells."""
    pure = (row["payload_len"] == 0 and row["flags"] & (SYN | RST | FIN | ACK) == ACK) or row["flags"] & SYN != 0
    settle(row, own, np.int64(row["direction"]), pure, out)
    socket_sent(row, own)


@inline
def to_socket(row: Any, own: Any, side: Int, out: Any) -> Any:
    """tcp_validate_incoming() and the checks of tcp_ack(): a full socket."""
    flags, state = row["flags"], own["state"][side]
    if not flags & (ACK | RST | SYN):
        return False
    # An orphan in FIN_WAIT_2 is kept as a small socket, which counts little; whether it is one, packets do not show.
    small = state == FIN_WAIT_2 and not own["half_closed"][side]
    if own["offered"][side] and own["peer_offered"][side] and not flags & RST and is_paws(row, own, side):
        if flags & SYN:
            syn_challenge(row, own, side, out)
        elif small:
            add_range(row, PAWS_ESTAB, 0, 0, 1, out)
            answer_small(row, own, side, out)
        elif is_overtaken_ack(row, own, side):
            add(row, PAWS_OLD_ACK, 1, out)
        else:
            add(row, PAWS_ESTAB, 1, out)
            if is_limited_kind(row):
                limited(row, own, side, SKIPPED_PAWS, out)
        return False
    end = segment_end(row, row["seq"])
    old = difference(end, own["rcv_wup"][side]) < 0
    limit = np.int64(own["rcv_wup"][side]) + own["rcv_wnd"][side] & 0xFFFFFFFF
    if difference(own["rcv_nxt"][side], limit) > 0:
        limit = np.int64(own["rcv_nxt"][side])
    beyond = own["window_known"][side] and difference(row["seq"], limit) > 0
    fin = 1 if flags & FIN else 0
    over = own["window_known"][side] and not beyond and difference(end, limit) - fin > 0
    if old or beyond:
        if flags & RST:
            if closes(row, own, side):
                own["state"][side] = CLOSED
                return True
        elif flags & SYN:
            syn_challenge(row, own, side, out)
        else:
            if beyond and not small:
                add(row, BEYOND_WINDOW, 1, out)
            if small:
                answer_small(row, own, side, out)
            elif is_limited_kind(row):
                limited(row, own, side, SKIPPED_SEQ, out)
        return False
    if over and not flags & (RST | SYN) and refuses_end(row, own, side, out):
        if is_limited_kind(row):
            limited(row, own, side, SKIPPED_SEQ, out)
        return False
    if flags & RST:
        edge = row["seq"] == own["top"][side] and difference(own["top"][side], own["rcv_nxt"][side]) > 0
        if row["seq"] == own["rcv_nxt"][side] or closes(row, own, side) or edge:
            own["state"][side] = CLOSED
            return True
        challenge(row, own, side, out)
        return False
    if flags & SYN:
        crossed = state == SYN_RECEIVED and flags & ACK and difference(row["seq"], own["irs"][side]) == 0
        if not crossed:
            syn_challenge(row, own, side, out)
            return False
    return takes_ack(row, own, side, out)


@inline
def refuses_end(row: Any, own: Any, side: Int, out: Any) -> Any:
    """tcp_sequence(): a segment that ends beyond the window is taken only while the application has nothing left to read.

    A window is closed by what waits for the application, unless segments out of order fill the buffer.
    """
    full = own["rcv_wnd"][side] == 0
    behind = difference(own["top"][side], own["rcv_nxt"][side]) > 0
    waiting = own["holes"][side] if own["sack"][0] and own["sack"][1] else behind
    if full and not waiting:
        add(row, BEYOND_WINDOW, 1, out)
        return True
    add_range(row, BEYOND_WINDOW, 0, 0, 1, out)
    return False


@inline
def takes_ack(row: Any, own: Any, side: Int, out: Any) -> Any:
    """tcp_ack(): an acknowledgment far below what was acknowledged is challenged, as is one of what was never sent."""
    if not row["flags"] & ACK:
        return False
    known = own["begun"] != 0
    behind = difference(own["una"][side], row["ack"])
    if known and behind > min(own["max_window"][side], own["bytes_acked"][side]):
        challenge(row, own, side, out)
        return False
    if known and difference(row["ack"], own["nxt"][side]) > 0:
        challenge(row, own, side, out)
        return False
    accept(row, own, side, behind <= 0)
    return True


@inline
def is_paws(row: Any, own: Any, side: Int) -> Any:
    """tcp_disordered_ack_check(): is the timestamp too old, and the segment no ACK that only repeats the last one?"""
    old = older(row, own, side)
    if old <= PAWS_WINDOW:
        return False
    pure = row["flags"] & ACK and row["payload_len"] == 0 and not row["flags"] & (FIN | SYN)
    if not pure or row["seq"] != own["rcv_nxt"][side] or row["ack"] != own["una"][side]:
        return True
    window = scaled(row, own, 1 - side)
    updates = difference(row["seq"], own["snd_wl1"][side]) > 0 or window > own["snd_wnd"][side] or window == 0
    rto_ns = RTO_MIN_NS + own["rtt_ns"][side]
    return updates or old * TICK_NS * 5 > rto_ns * 6


@inline
def is_overtaken_ack(row: Any, own: Any, side: Int) -> Any:
    """A pure ACK with a number below the next that is expected."""
    pure = row["flags"] & ACK and row["payload_len"] == 0 and not row["flags"] & FIN
    return pure and difference(row["seq"], own["rcv_nxt"][side]) < 0


@inline
def syn_challenge(row: Any, own: Any, side: Int, out: Any) -> None:
    """A SYN in an open connection; only tcp_rcv_established() counts it as an error, and a FIN may wait behind what is outstanding."""
    if own["state"][side] == ESTABLISHED:
        add_range(row, IN_ERRS, 1, 1 if own["una"][side] == own["nxt"][side] else 0, 1, out)
    add(row, SYN_CHALLENGE, 1, out)
    challenge(row, own, side, out)


@inline
def closes(row: Any, own: Any, side: Int) -> Any:
    """tcp_reset_check(): a reset with the number of the FIN that was received."""
    state = own["state"][side]
    waits = state == CLOSE_WAIT or state == LAST_ACK or state == CLOSING
    return waits and row["seq"] == (np.int64(own["rcv_nxt"][side]) - 1 & 0xFFFFFFFF)


@inline
def answer_small(row: Any, own: Any, side: Int, out: Any) -> None:
    """An orphan's small socket limits its answers too, with a counter of its own."""
    if is_limited_kind(row):
        limited(row, own, side, SKIPPED_FIN_WAIT_2, out)


@inline
def to_time_wait(row: Any, own: Any, side: Int, out: Any) -> Any:
    """tcp_timewait_state_process()."""
    flags = row["flags"]
    has_clock = row["options"] & O_TIMESTAMPS and own["offered"][side] and own["peer_offered"][side]
    old = has_clock and older(row, own, side) > 0
    if old and flags & RST and row["time_ns"] - own["recent_ns"][side] >= PAWS_MSL_NS:
        old = False
    if not old and row["seq"] == own["rcv_nxt"][side]:
        if flags & RST:
            own["state"][side] = CLOSED
            return True
        if segment_end(row, row["seq"]) == np.int64(row["seq"]):
            own["ended_ns"][side] = row["time_ns"]
            if has_clock:
                own["recent"][side], own["recent_ns"][side] = row["tsval"], row["time_ns"]
            return True
    later = has_clock and difference(own["recent"][side], row["tsval"]) < 0
    if flags & (SYN | RST | ACK) == SYN and not old and (later or difference(row["seq"], own["rcv_nxt"][side]) > 0):
        reset_side(own, side)
        note_syn(row, own, side)
        return True
    if old:
        add(row, PAWS_TIMEWAIT, 1, out)
    if not flags & RST and (old or flags & ACK):
        own["ended_ns"][side] = row["time_ns"]
    if not flags & RST and is_limited_kind(row):
        limited(row, own, side, SKIPPED_TIME_WAIT, out)
    return False
