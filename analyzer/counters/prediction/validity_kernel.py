"""Compiled prediction of what sockets refuse: tcp_validate_incoming(), tcp_check_req(), tcp_timewait_state_process().

Each counts why, and answers with an ACK unless it has just answered another such segment (tcp_oow_rate_limited()).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.counters.prediction.emit_kernel import add, add_range
from analyzer.counters.prediction.names import NUMBER
from analyzer.counters.prediction.socket_kernel import accept, note_syn, reset_side, scaled, segment_end, socket_sent
from analyzer.counters.prediction.validity_state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_2,
    JIFFY_NS,
    LAST_ACK,
    LIMIT_NS,
    PAWS_MSL_NS,
    PAWS_NS,
    RTO_MIN_NS,
    SYN_RECEIVED,
    SYN_SENT,
    TICK_NS,
    TIME_WAIT,
    TIME_WAIT_NS,
)  # fmt: skip
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16

IN_ERRS, ATTEMPT_FAILS = NUMBER["TcpInErrs"], NUMBER["TcpAttemptFails"]
EMBRYONIC_RSTS = NUMBER["TcpExtEmbryonicRsts"]
PAWS_ACTIVE, PAWS_ESTAB = NUMBER["TcpExtPAWSActive"], NUMBER["TcpExtPAWSEstab"]
PAWS_OLD_ACK, PAWS_TIMEWAIT = NUMBER["TcpExtPAWSOldAck"], NUMBER["TcpExtPAWSTimewait"]
TSECR_REJECTED, BEYOND_WINDOW = NUMBER["TcpExtTSEcrRejected"], NUMBER["TcpExtBeyondWindow"]
CHALLENGE_ACK, SYN_CHALLENGE = NUMBER["TcpExtTCPChallengeACK"], NUMBER["TcpExtTCPSYNChallenge"]
SKIPPED_SYN_RECV, SKIPPED_PAWS = NUMBER["TcpExtTCPACKSkippedSynRecv"], NUMBER["TcpExtTCPACKSkippedPAWS"]
SKIPPED_SEQ, SKIPPED_CHALLENGE = NUMBER["TcpExtTCPACKSkippedSeq"], NUMBER["TcpExtTCPACKSkippedChallenge"]
SKIPPED_FIN_WAIT_2 = NUMBER["TcpExtTCPACKSkippedFinWait2"]
SKIPPED_TIME_WAIT = NUMBER["TcpExtTCPACKSkippedTimeWait"]

ANSWER_NS = 2_000_000  # how soon an answer follows
PAWS_WINDOW = 1  # ticks that a full socket forgives (TCP_PAWS_WINDOW)
CLOCK_SLACK = 5  # ticks between a frame's capture and the clock that its sender read


@kernel
def validity_received(row: Any, own: Any, out: Any, used: Any) -> Any:
    """tcp_v4_rcv(): a segment to the host. Does a socket of the host, or none that is known, take it?"""
    side = 1 - np.int64(row["direction"])
    settle(row, own, side, False, out, used)
    state = own["state"][side]
    if state == TIME_WAIT and row["time_ns"] - own["ended_ns"][side] > TIME_WAIT_NS:
        reset_side(own, side)
        state = CLOSED
    if state == TIME_WAIT:
        return to_time_wait(row, own, side, out, used)
    if state == CLOSED:
        if row["flags"] & (SYN | ACK | RST) == SYN:
            note_syn(row, own, side)
        return True
    if state == SYN_SENT:
        return to_syn_sent(row, own, side, out, used)
    if state == SYN_RECEIVED:
        if repeats_syn(row, own, side, out, used):
            return False
        if not own["full"][side]:
            accepted = to_request(row, own, side, out, used)
            if not accepted or own["state"][side] == CLOSED:
                return accepted
    return to_socket(row, own, side, out, used)


@kernel
def limited(row: Any, own: Any, side: Int, counter: Int, out: Any, used: Any) -> Any:
    """__tcp_oow_rate_limited(): was another answer sent less than half a second ago? Then this one is counted, not sent."""
    elapsed = row["time_ns"] - own["oow_ns"][side]
    if own["oow_ns"][side] and 0 <= elapsed < LIMIT_NS + JIFFY_NS:
        if elapsed < LIMIT_NS - JIFFY_NS:
            add(row, counter, 1, out, used)
            if counter == SKIPPED_CHALLENGE:
                add(row, CHALLENGE_ACK, -1, out, used)
            return
        # The limit is compared in whole jiffies: whether an answer follows decides (see settle()).
        add_range(row, counter, 0, 0, 1, out, used)
        if counter == SKIPPED_CHALLENGE:
            add_range(row, CHALLENGE_ACK, 0, -1, 0, out, used)
        own["doubt"][side], own["doubt_ns"][side] = counter, own["oow_ns"][side]
    own["oow_ns"][side] = row["time_ns"]


@inline
def settle(row: Any, own: Any, side: Int, answered: Any, out: Any, used: Any) -> None:
    """The frame after a segment that may have been answered or not: it is the answer, or there was none."""
    counter = np.int64(own["doubt"][side])
    if counter == 0:
        return
    answered = answered and row["time_ns"] - own["oow_ns"][side] < ANSWER_NS
    own["doubt"][side] = 0
    if answered:
        add_range(row, counter, 0, 0, -1, out, used)
        if counter == SKIPPED_CHALLENGE:
            add_range(row, CHALLENGE_ACK, 0, 1, 0, out, used)
        return
    own["oow_ns"][side] = own["doubt_ns"][side]
    add_range(row, counter, 1, 1, 0, out, used)
    if counter == SKIPPED_CHALLENGE:
        add_range(row, CHALLENGE_ACK, -1, 0, -1, out, used)


@inline
def validity_sent(row: Any, own: Any, out: Any, used: Any) -> None:
    """A segment of the host: an answer perhaps, and what its socket tells."""
    pure = (row["payload_len"] == 0 and row["flags"] & (SYN | RST | FIN | ACK) == ACK) or row["flags"] & SYN != 0
    settle(row, own, np.int64(row["direction"]), pure, out, used)
    socket_sent(row, own)


@inline
def is_limited_kind(row: Any) -> Any:
    """tcp_oow_rate_limited(): data is always answered, a pure ACK or a SYN may be part of a loop."""
    return row["flags"] & SYN != 0 or (row["payload_len"] == 0 and not row["flags"] & FIN)


@inline
def challenge(row: Any, own: Any, side: Int, out: Any, used: Any) -> None:
    """tcp_send_challenge_ack(), where tcp_challenge_ack_limit is not set."""
    add(row, CHALLENGE_ACK, 1, out, used)
    limited(row, own, side, SKIPPED_CHALLENGE, out, used)


@inline
def older(row: Any, own: Any, side: Int) -> Int:
    """By how many ticks the TSval is older than TS.Recent; 0 without timestamps, or where TS.Recent is too old to tell."""
    if not row["options"] & O_TIMESTAMPS or own["recent"][side] == 0:
        return 0
    if row["time_ns"] - own["recent_ns"][side] >= PAWS_NS:
        return 0
    return max(0, difference(own["recent"][side], row["tsval"]))


@inline
def to_syn_sent(row: Any, own: Any, side: Int, out: Any, used: Any) -> Any:
    """tcp_rcv_synsent_state_process()."""
    flags = row["flags"]
    if not flags & ACK:
        if flags & RST or not flags & SYN:
            return False
        note_syn(row, own, side)
        own["state"][side], own["full"][side] = SYN_RECEIVED, 1
        own["rcv_nxt"][side] = own["rcv_wup"][side] = segment_end(row, own["irs"][side])
        return True
    if difference(row["ack"], own["una"][side]) <= 0 or difference(row["ack"], own["nxt"][side]) > 0:
        return False
    if row["options"] & O_TIMESTAMPS and own["offered"][side] and row["tsecr"]:
        since = difference(row["tsecr"], own["first_tsval"][side])
        if since < 0 or since > (row["time_ns"] - own["first_ns"][side]) // TICK_NS + CLOCK_SLACK:
            add(row, PAWS_ACTIVE, 1, out, used)
            return False
    if flags & RST:
        own["state"][side] = CLOSED
        return True
    if not flags & SYN:
        return False
    note_syn(row, own, side)
    own["rtt_ns"][side] = row["time_ns"] - own["first_ns"][side]
    own["state"][side] = ESTABLISHED
    own["rcv_nxt"][side] = own["top"][side] = np.int64(row["seq"]) + 1 + np.int64(row["payload_len"]) & 0xFFFFFFFF
    own["rcv_wup"][side] = np.int64(row["seq"]) + 1 & 0xFFFFFFFF
    own["una"][side] = row["ack"]
    own["snd_wnd"][side] = own["max_window"][side] = np.int64(row["window"])
    own["snd_wl1"][side] = row["seq"]
    return True


@inline
def repeats_syn(row: Any, own: Any, side: Int, out: Any, used: Any) -> Any:
    """tcp_check_req(): the SYN again is answered with the SYN-ACK again, but not too often."""
    if row["flags"] & (SYN | ACK | RST) != SYN or row["seq"] != own["irs"][side] or older(row, own, side) > 0:
        return False
    limited(row, own, side, SKIPPED_SYN_RECV, out, used)
    return True


@inline
def to_request(row: Any, own: Any, side: Int, out: Any, used: Any) -> Any:
    """tcp_check_req(): does the segment make a socket of the request?"""
    flags = row["flags"]
    if flags & ACK and row["ack"] != (np.int64(own["iss"][side]) + 1 & 0xFFFFFFFF):
        return False
    echo = (
        row["options"] & O_TIMESTAMPS and row["tsecr"] != 0 and own["offered"][side] != 0 and own["peer_offered"][side] != 0
    )
    stranger = echo and (
        difference(row["tsecr"], own["first_tsval"][side]) < 0
        or difference(own["last_tsval"][side], row["tsecr"]) < 0
    )
    old = older(row, own, side) > 0
    start = own["rcv_nxt"][side]
    stop = np.int64(start) + own["rcv_wnd"][side] & 0xFFFFFFFF
    end = segment_end(row, row["seq"])
    inside = (
        row["seq"] == start
        or (difference(end, start) > 0 and difference(row["seq"], stop) < 0)
        or (row["seq"] == stop and row["seq"] == end)
    )
    if old or stranger or not inside:
        if not flags & RST and is_limited_kind(row):
            limited(row, own, side, SKIPPED_SYN_RECV, out, used)
        if old:
            add(row, PAWS_ESTAB, 1, out, used)
        elif stranger:
            add(row, TSECR_REJECTED, 1, out, used)
        return False
    if flags & RST or (flags & SYN and row["seq"] != own["irs"][side]):
        add(row, EMBRYONIC_RSTS, 1, out, used)
        if not flags & RST:
            add(row, ATTEMPT_FAILS, 1, out, used)
        own["state"][side] = CLOSED
        return True
    if not flags & ACK:
        return False
    own["state"][side] = ESTABLISHED
    own["rtt_ns"][side] = row["time_ns"] - own["first_ns"][side]
    own["una"][side] = row["ack"]
    own["oow_ns"][side] = 0
    if row["options"] & O_TIMESTAMPS and difference(row["seq"], start) <= 0:
        own["recent"][side], own["recent_ns"][side] = row["tsval"], row["time_ns"]
    return True


@inline
def to_socket(row: Any, own: Any, side: Int, out: Any, used: Any) -> Any:
    """tcp_validate_incoming() and the checks of tcp_ack(): a full socket."""
    flags, state = row["flags"], own["state"][side]
    if not flags & (ACK | RST | SYN):
        return False
    # An orphan in FIN_WAIT_2 is kept as a small socket, which counts little; whether it is one, packets do not show.
    small = state == FIN_WAIT_2 and not own["half_closed"][side]
    if own["offered"][side] and own["peer_offered"][side] and not flags & RST and is_paws(row, own, side):
        if flags & SYN:
            syn_challenge(row, own, side, out, used)
        elif small:
            add_range(row, PAWS_ESTAB, 0, 0, 1, out, used)
            answer_small(row, own, side, out, used)
        elif is_overtaken_ack(row, own, side):
            add(row, PAWS_OLD_ACK, 1, out, used)
        else:
            add(row, PAWS_ESTAB, 1, out, used)
            if is_limited_kind(row):
                limited(row, own, side, SKIPPED_PAWS, out, used)
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
            syn_challenge(row, own, side, out, used)
        else:
            if beyond and not small:
                add(row, BEYOND_WINDOW, 1, out, used)
            if small:
                answer_small(row, own, side, out, used)
            elif is_limited_kind(row):
                limited(row, own, side, SKIPPED_SEQ, out, used)
        return False
    if over and not flags & (RST | SYN):  # refused unless the application has read all before it
        add_range(row, BEYOND_WINDOW, 0, 0, 1, out, used)
    if flags & RST:
        edge = row["seq"] == own["top"][side] and difference(own["top"][side], own["rcv_nxt"][side]) > 0
        if row["seq"] == own["rcv_nxt"][side] or closes(row, own, side) or edge:
            own["state"][side] = CLOSED
            return True
        challenge(row, own, side, out, used)
        return False
    if flags & SYN:
        crossed = state == SYN_RECEIVED and flags & ACK and difference(row["seq"], own["irs"][side]) == 0
        if not crossed:
            syn_challenge(row, own, side, out, used)
            return False
    return takes_ack(row, own, side, out, used)


@inline
def takes_ack(row: Any, own: Any, side: Int, out: Any, used: Any) -> Any:
    """tcp_ack(): an acknowledgment far below what was acknowledged is challenged, as is one of what was never sent."""
    if not row["flags"] & ACK:
        return False
    known = own["begun"] != 0
    behind = difference(own["una"][side], row["ack"])
    if known and behind > min(own["max_window"][side], own["bytes_acked"][side]):
        challenge(row, own, side, out, used)
        return False
    if known and difference(row["ack"], own["nxt"][side]) > 0:
        challenge(row, own, side, out, used)
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
def syn_challenge(row: Any, own: Any, side: Int, out: Any, used: Any) -> None:
    """A SYN in an open connection; only tcp_rcv_established() counts it as an error."""
    if own["state"][side] == ESTABLISHED:
        add(row, IN_ERRS, 1, out, used)
    add(row, SYN_CHALLENGE, 1, out, used)
    challenge(row, own, side, out, used)


@inline
def closes(row: Any, own: Any, side: Int) -> Any:
    """tcp_reset_check(): a reset with the number of the FIN that was received."""
    state = own["state"][side]
    waits = state == CLOSE_WAIT or state == LAST_ACK or state == CLOSING
    return waits and row["seq"] == (np.int64(own["rcv_nxt"][side]) - 1 & 0xFFFFFFFF)


@inline
def answer_small(row: Any, own: Any, side: Int, out: Any, used: Any) -> None:
    """An orphan's small socket limits its answers too, with a counter of its own."""
    if is_limited_kind(row):
        limited(row, own, side, SKIPPED_FIN_WAIT_2, out, used)


@inline
def to_time_wait(row: Any, own: Any, side: Int, out: Any, used: Any) -> Any:
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
        add(row, PAWS_TIMEWAIT, 1, out, used)
    if not flags & RST and (old or flags & ACK):
        own["ended_ns"][side] = row["time_ns"]
    if not flags & RST and is_limited_kind(row):
        limited(row, own, side, SKIPPED_TIME_WAIT, out, used)
    return False
