"""Compiled prediction of what a TCP segment moves at once: opens, resets, segments, and what the events on it say."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.checksums.state import BAD, ZERO
from analyzer.counters.prediction.emit_kernel import add, add_range
from analyzer.counters.prediction.names import NUMBER
from analyzer.counters.prediction.state import ESTABLISHED, GONE, NOTHING, RUN_BYTES, RUN_NS, SYN_RECEIVED, SYN_SENT
from analyzer.decode.codes import O_MSS
from analyzer.kinds import CAUSE
from analyzer.kinds import NUMBER as EVENT
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

ACTIVE_OPENS, PASSIVE_OPENS = NUMBER["TcpActiveOpens"], NUMBER["TcpPassiveOpens"]
ATTEMPT_FAILS, ESTAB_RESETS = NUMBER["TcpAttemptFails"], NUMBER["TcpEstabResets"]
IN_SEGS, OUT_SEGS, RETRANS_SEGS = NUMBER["TcpInSegs"], NUMBER["TcpOutSegs"], NUMBER["TcpRetransSegs"]
IN_ERRS, OUT_RSTS, TCP_CSUM = NUMBER["TcpInErrs"], NUMBER["TcpOutRsts"], NUMBER["TcpInCsumErrors"]
SYN_RETRANS, ORIG_DATA_SENT = NUMBER["TcpExtTCPSynRetrans"], NUMBER["TcpExtTCPOrigDataSent"]
DSACK_RECV, DSACK_OFO_RECV = NUMBER["TcpExtTCPDSACKRecv"], NUMBER["TcpExtTCPDSACKOfoRecv"]
DSACK_OLD_SENT, DSACK_OFO_SENT = NUMBER["TcpExtTCPDSACKOldSent"], NUMBER["TcpExtTCPDSACKOfoSent"]
SACK_RENEGING = NUMBER["TcpExtTCPSACKReneging"]
TO_ZERO_WINDOW, FROM_ZERO_WINDOW = NUMBER["TcpExtTCPToZeroWindowAdv"], NUMBER["TcpExtTCPFromZeroWindowAdv"]
WIN_PROBE, KEEP_ALIVE, CHALLENGE_ACK = (
    NUMBER["TcpExtTCPWinProbe"],
    NUMBER["TcpExtTCPKeepAlive"],
    NUMBER["TcpExtTCPChallengeACK"],
)
SYN_CHALLENGE = NUMBER["TcpExtTCPSYNChallenge"]
PAWS_ESTAB, PAWS_OLD_ACK = NUMBER["TcpExtPAWSEstab"], NUMBER["TcpExtPAWSOldAck"]
TIMEOUTS, FAST_RETRANS = NUMBER["TcpExtTCPTimeouts"], NUMBER["TcpExtTCPFastRetrans"]
SLOW_START_RETRANS = NUMBER["TcpExtTCPSlowStartRetrans"]

E_RETRANSMISSION, E_TIMEOUT, E_COPY = (
    EVENT["retransmission"],
    EVENT["retransmission_timeout"],
    EVENT["capture_duplicate"],
)
E_DSACK, E_RENEGING = EVENT["dsack"], EVENT["sack_reneging"]
E_ZERO, E_ZERO_END, E_PROBE = EVENT["zero_window"], EVENT["zero_window_end"], EVENT["window_probe"]
E_KEEP_ALIVE, E_CHALLENGE, E_PAWS = (
    EVENT["keep_alive"],
    EVENT["challenge_ack"],
    EVENT["paws"],
)
C_OLD, C_EMPTY, C_SEGMENT = CAUSE["old"], CAUSE["empty"], CAUSE["segment"]
C_FAST, C_LOST_AGAIN, C_RTO, C_PROBE = CAUSE["fast"], CAUSE["lost_again"], CAUSE["rto"], CAUSE["window_probe"]
AGAIN_BIT = np.uint64(1 << E_RETRANSMISSION)


@inline
def goes_on(row: Any, talk: Any, segments: Int) -> Any:
    """May the stack have sent this segment in one piece with the one before (software segmentation before the capture)?

    The pieces of a super-segment follow each other at once and carry the same TSval; all but the last are of one size,
    and only the last has PSH or FIN (tcp_gso_segment()).
    """
    side = np.int64(row["direction"])
    size = np.int64(row["payload_len"])
    found = (
        talk["run_bytes"][side] > 0
        and size > 0
        and row["seq"] == talk["run_end"][side]
        and row["tsval"] == talk["run_tsval"][side]
        and row["time_ns"] - talk["run_ns"][side] < RUN_NS
        and size <= talk["run_size"][side]
        and talk["run_bytes"][side] + size < RUN_BYTES
        and not row["flags"] & (SYN | RST)
    )
    bytes_before = np.int64(talk["run_bytes"][side]) if found else 0
    talk["run_bytes"][side] = 0
    if (
        segments == 1
        and size > 0
        and not row["flags"] & (PSH | FIN | SYN | RST)
        and (not found or size == talk["run_size"][side])
    ):
        talk["run_bytes"][side], talk["run_size"][side] = bytes_before + size, size
        talk["run_end"][side] = np.int64(row["seq"]) + size & 0xFFFFFFFF
        talk["run_tsval"][side], talk["run_ns"][side] = row["tsval"], row["time_ns"]
    return found


@kernel
def tcp_sent(row: Any, talk: Any, segments: Int, out: Any, used: Any) -> None:
    """__tcp_transmit_skb(), tcp_make_synack(), tcp_v4_send_reset(): a segment of the host."""
    side, flags = np.int64(row["direction"]), row["flags"]
    again = row["events"] & AGAIN_BIT != 0
    if flags & SYN:
        if row["options"] & O_MSS:
            talk["mss"][side] = row["mss"]
        if again:
            add(row, RETRANS_SEGS, 1, out, used)
            add(row, SYN_RETRANS, 1, out, used)
        if flags & ACK:
            add(row, OUT_SEGS, 1, out, used)
            talk["syn_ack"][side] = 1
        elif not again:
            add(row, OUT_SEGS, 1, out, used)
            add(row, ACTIVE_OPENS, 1, out, used)
            if row["payload_len"] > 0:
                add(row, ORIG_DATA_SENT, 1, out, used)  # tcp_send_syn_data()
            talk["syn"][side] = 1
        talk["iss"][side] = row["seq"]
    elif flags & RST:
        add(row, OUT_SEGS, 1, out, used)
        add(row, OUT_RSTS, 1, out, used)
        if talk["established"][side] and not talk["gone"][side] and not talk["fin"][side]:
            # With tcp_abort_on_overflow the first answer to the ACK is a reset, and nothing was opened.
            perhaps = talk["syn_ack"][side] and not talk["spoken"][side]
            if perhaps:
                add_range(row, PASSIVE_OPENS, 0, -1, 0, out, used)
            # tcp_send_active_reset() sets ACK; without it the segment before found no connection here (any more).
            sure = flags & ACK and not perhaps
            add_range(row, ESTAB_RESETS, 1 if flags & ACK else 0, 1 if sure else 0, 1, out, used)
        talk["gone"][side] = 1
    elif again:
        add(row, RETRANS_SEGS, segments, out, used)
    else:
        add(row, OUT_SEGS, segments, out, used)
        if row["payload_len"] > 0 or flags & FIN:
            add(row, ORIG_DATA_SENT, segments, out, used)
    note_end(row, talk, side)
    if not flags & (SYN | RST):
        talk["spoken"][side] = 1
    if flags & FIN:
        talk["fin"][side] = 1
        talk["fin_end"][side] = np.int64(row["seq"]) + np.int64(row["payload_len"]) + 1 & 0xFFFFFFFF


@kernel
def tcp_received(row: Any, talk: Any, out: Any, used: Any) -> None:
    """tcp_v4_rcv() and what follows: a segment to the host."""
    other, flags = np.int64(row["direction"]), row["flags"]
    side = 1 - other
    add(row, IN_SEGS, 1, out, used)
    if row["checksum"] == BAD or row["checksum"] == ZERO:
        add(row, IN_ERRS, 1, out, used)
        add(row, TCP_CSUM, 1, out, used)
        return
    talk["timeout_frame"][side] = 0
    if flags & SYN and row["options"] & O_MSS:
        talk["mss"][other] = row["mss"]
    if flags & SYN and talk["established"][side] and not talk["gone"][side]:
        add(row, SYN_CHALLENGE, 1, out, used)
        add(row, IN_ERRS, 1, out, used)
    elif flags & (SYN | ACK) == SYN and row["reused"]:  # the connection before may not be over at this end
        add_range(row, SYN_CHALLENGE, 0, 0, 1, out, used)
        add_range(row, IN_ERRS, 0, 0, 1, out, used)
    # In an open connection only the number that is waited for resets, the others are challenged (RFC 5961 section 3).
    fits = row["seq"] == talk["told"][side] or row["seq"] == talk["high"][other]
    if flags & RST and (fits or not at_work(talk, side)):
        if talk["established"][side]:
            if not talk["gone"][side] and not talk["fin"][side]:
                add(row, ESTAB_RESETS, 1, out, used)
            talk["gone"][side] = 1
        elif talk["syn"][side] or talk["syn_ack"][side]:
            if not talk["gone"][side]:
                add(row, ATTEMPT_FAILS, 1, out, used)
            talk["gone"][side] = 1
    elif flags & ACK and not talk["established"][side] and not talk["gone"][side]:
        after_syn = difference(row["ack"], talk["iss"][side]) >= 1
        if talk["syn"][side] and flags & SYN and after_syn:
            talk["established"][side] = 1
        elif talk["syn_ack"][side] and after_syn:
            talk["established"][side] = 1
            add(row, PASSIVE_OPENS, 1, out, used)
    if flags & ACK and talk["fin"][side] and difference(row["ack"], talk["fin_end"][side]) >= 0:
        talk["fin_acked"][side] = 1
    if flags & FIN:
        talk["fin"][other] = 1
    if talk["fin_acked"][side] and talk["fin"][other]:
        talk["gone"][side] = 1
    note_end(row, talk, other)


@inline
def note_end(row: Any, talk: Any, side: Int) -> None:
    """Keep up to where this end has sent, and what it last acknowledged."""
    if row["flags"] & RST:
        return
    space = np.int64(row["payload_len"]) + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
    end = np.int64(row["seq"]) + space & 0xFFFFFFFF
    if row["flags"] & SYN or difference(end, talk["high"][side]) > 0:
        talk["high"][side] = end
    if row["flags"] & ACK:
        talk["told"][side] = row["ack"]


@inline
def stage(talk: Any, side: Int) -> Int:
    """How far the connection is at this end: NOTHING to GONE."""
    if talk["gone"][side]:
        return GONE
    if talk["established"][side]:
        return ESTABLISHED
    if talk["syn_ack"][side]:
        return SYN_RECEIVED
    return SYN_SENT if talk["syn"][side] else NOTHING


@inline
def at_work(talk: Any, side: Int) -> Any:
    """Is the connection established at this end, and not over?"""
    return talk["established"][side] and not talk["gone"][side]


@kernel
def tcp_events(
    row: Any, talk: Any, events: Any, first: Int, stop: Int, mine: Any, to_me: Any, segments: Int, out: Any, used: Any
) -> None:
    """What the events on a frame say of the counters of its sender or its receiver."""
    timeout = dsack = False
    for k in range(first, stop):
        timeout = timeout or events[k]["event"] == E_TIMEOUT
        dsack = dsack or events[k]["event"] == E_DSACK
    for k in range(first, stop):
        event, cause = events[k]["event"], events[k]["cause"]
        if mine:
            if event == E_TIMEOUT or event == E_PROBE or event == E_KEEP_ALIVE:
                talk["timeout_ns"][np.int64(row["direction"])] = row["time_ns"]
                talk["timeout_frame"][np.int64(row["direction"])] = row["frame"]
            if event == E_TIMEOUT:
                add(row, TIMEOUTS, 1, out, used)
            elif event == E_RETRANSMISSION:
                if cause == C_FAST or cause == C_LOST_AGAIN:
                    add(row, FAST_RETRANS, segments, out, used)
                elif cause == C_RTO and not timeout:
                    add(row, SLOW_START_RETRANS, segments, out, used)
            elif event == E_DSACK:
                add(row, DSACK_OLD_SENT if cause == C_OLD else DSACK_OFO_SENT, 1, out, used)
            elif event == E_ZERO:
                add(row, TO_ZERO_WINDOW, 1, out, used)
            elif event == E_ZERO_END:
                add(row, FROM_ZERO_WINDOW, 1, out, used)
            elif event == E_PROBE and cause == C_EMPTY:
                add(row, WIN_PROBE, 1, out, used)
            elif event == E_KEEP_ALIVE:
                add(row, KEEP_ALIVE, 1, out, used)
            elif (
                event == E_CHALLENGE and not dsack
            ):  # a DSACK answers what tcp_send_dupack() was asked for: PAWS, old data
                here = at_work(
                    talk, np.int64(row["direction"])
                )  # else it may be of the connection before, or TIME_WAIT
                add_range(row, CHALLENGE_ACK, 1 if here else 0, 1 if here else 0, 1, out, used)
        if to_me:
            alive = not talk["gone"][1 - np.int64(row["direction"])]
            if event == E_DSACK and alive:
                add(row, DSACK_RECV if cause == C_OLD else DSACK_OFO_RECV, 1, out, used)
            elif event == E_RENEGING:
                add(row, SACK_RENEGING, 1, out, used)
            elif event == E_PAWS and alive:
                add(row, PAWS_ESTAB if cause == C_SEGMENT else PAWS_OLD_ACK, 1, out, used)
