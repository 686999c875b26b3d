"""Compiled prediction of what a TCP segment moves at once: opens, resets, segments, and what the events on it say."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.checksums.state import BAD, ZERO
from analyzer.decode.codes import O_MSS, O_TIMESTAMPS, O_WINDOW_SCALE
from analyzer.kinds import CAUSE
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.arrival.duplicates_kernel import reported
from analyzer.prediction.delivery.sack_kernel import is_dsack
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.state import ESTABLISHED, GONE, NOTHING, RUN_BYTES, RUN_NS, SHAPED_NS, SYN_RECEIVED, SYN_SENT
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

ACTIVE_OPENS = NUMBER["TcpActiveOpens"]
ATTEMPT_FAILS, ESTAB_RESETS = NUMBER["TcpAttemptFails"], NUMBER["TcpEstabResets"]
IN_SEGS, OUT_SEGS, RETRANS_SEGS = NUMBER["TcpInSegs"], NUMBER["TcpOutSegs"], NUMBER["TcpRetransSegs"]
IN_ERRS, OUT_RSTS, TCP_CSUM = NUMBER["TcpInErrs"], NUMBER["TcpOutRsts"], NUMBER["TcpInCsumErrors"]
SYN_RETRANS, ORIG_DATA_SENT = NUMBER["TcpExtTCPSynRetrans"], NUMBER["TcpExtTCPOrigDataSent"]
DSACK_RECV, DSACK_OFO_RECV = NUMBER["TcpExtTCPDSACKRecv"], NUMBER["TcpExtTCPDSACKOfoRecv"]
SACK_RENEGING = NUMBER["TcpExtTCPSACKReneging"]
TO_ZERO_WINDOW, FROM_ZERO_WINDOW = NUMBER["TcpExtTCPToZeroWindowAdv"], NUMBER["TcpExtTCPFromZeroWindowAdv"]
WIN_PROBE, KEEP_ALIVE = NUMBER["TcpExtTCPWinProbe"], NUMBER["TcpExtTCPKeepAlive"]

E_RETRANSMISSION, E_TIMEOUT, E_COPY = (
    EVENT["retransmission"],
    EVENT["retransmission_timeout"],
    EVENT["capture_duplicate"],
)
E_DSACK, E_RENEGING, E_DOUBLED = EVENT["dsack"], EVENT["sack_reneging"], EVENT["network_duplicate"]
E_ZERO, E_ZERO_END, E_PROBE = EVENT["zero_window"], EVENT["zero_window_end"], EVENT["window_probe"]
E_KEEP_ALIVE = EVENT["keep_alive"]
C_OLD, C_EMPTY = CAUSE["old"], CAUSE["empty"]
AGAIN_BIT = np.uint64(1 << E_RETRANSMISSION | 1 << E_COPY)  # copies are no matter here, unless the network made them


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
        and row["time_ns"] - talk["run_ns"][side] < (SHAPED_NS if row["options"] & O_TIMESTAMPS else RUN_NS)
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


@part
def tcp_sent(row: Any, talk: Any, segments: Int, fewest: Int, most: Int, held: Any, out: Any) -> None:
    """__tcp_transmit_skb(), tcp_make_synack(), tcp_v4_send_reset(): a segment of the host, cut into `segments`, `fewest` to `most`.

    `held`: whether data may wait to be sent, and a FIN behind it, by which the connection was no longer ESTABLISHED.
    """
    side, flags = np.int64(row["direction"]), row["flags"]
    again = row["events"] & AGAIN_BIT != 0 and (row["payload_len"] > 0 or flags & (SYN | FIN))
    if flags & SYN:
        note_offer(row, talk, side)
        if again:
            add(row, RETRANS_SEGS, 1, out)
            add(row, SYN_RETRANS, 1, out)
        if flags & ACK:
            add(row, OUT_SEGS, 1, out)
            if talk["syn_ack"][side] and not talk["spoken"][side]:
                talk["established"][side] = 0  # the end of the handshake was ignored
            talk["syn_ack"][side] = 1
        elif not again:
            add(row, OUT_SEGS, 1, out)
            add(row, ACTIVE_OPENS, 1, out)
            if row["payload_len"] > 0:
                add(row, ORIG_DATA_SENT, 1, out)  # tcp_send_syn_data()
            talk["syn"][side] = 1
        talk["iss"][side] = row["seq"]
    elif flags & RST:
        add(row, OUT_SEGS, 1, out)
        add(row, OUT_RSTS, 1, out)
        if talk["established"][side] and not talk["gone"][side] and not talk["fin"][side]:
            # tcp_send_active_reset() sets ACK; without it the segment before found no connection here (any more), or never
            # made one: the accept queue was full, and tcp_abort_on_overflow is set.
            never = (talk["syn_ack"][side] or is_midway(talk)) and not talk["spoken"][side]
            was = 1 if flags & ACK else 0
            sure = 0 if is_midway(talk) or held else was
            add_range(row, ESTAB_RESETS, was, sure, 0 if never and not was else 1, out)
        # Without ACK it answers what a socket that connects did not take.
        if flags & ACK or stage(talk, side) != SYN_SENT:
            talk["gone"][side] = 1
    elif again:
        cut(row, RETRANS_SEGS, segments, fewest, most, out)
    else:
        cut(row, OUT_SEGS, segments, fewest, most, out)
        if row["payload_len"] > 0 or flags & FIN:
            cut(row, ORIG_DATA_SENT, segments, fewest, most, out)
    note_end(row, talk, side)
    if not flags & (SYN | RST):
        talk["spoken"][side] = 1
    if flags & FIN:
        talk["fin"][side] = 1
        talk["fin_end"][side] = np.int64(row["seq"]) + np.int64(row["payload_len"]) + 1 & 0xFFFFFFFF


@inline
def cut(row: Any, counter: Int, segments: Int, fewest: Int, most: Int, out: Any) -> None:
    """So many segments of one super-segment."""
    if fewest == most:
        add(row, counter, segments, out)
    else:
        add_range(row, counter, segments, fewest, most, out)


@part
def tcp_received(row: Any, talk: Any, accepted: Any, held: Any, out: Any) -> None:
    """tcp_v4_rcv() and what follows: a segment to the host; `accepted` unless its socket refuses it, `held` as above."""
    other, flags = np.int64(row["direction"]), row["flags"]
    side = 1 - other
    add(row, IN_SEGS, 1, out)
    if row["checksum"] == BAD or row["checksum"] == ZERO:
        add(row, IN_ERRS, 1, out)
        add(row, TCP_CSUM, 1, out)
        return
    talk["timeout_frame"][side] = 0
    if flags & SYN:
        note_offer(row, talk, other)
    if flags & RST and accepted:
        if talk["established"][side]:
            if not talk["gone"][side] and not talk["fin"][side]:
                waits = held or difference(talk["high"][side], talk["told"][other]) > 0 or is_midway(talk)
                add_range(row, ESTAB_RESETS, 1, 0 if waits else 1, 1, out)
            talk["gone"][side] = 1
        elif talk["syn"][side] or talk["syn_ack"][side]:
            if not talk["gone"][side]:
                add(row, ATTEMPT_FAILS, 1, out)
            talk["gone"][side] = 1
    elif flags & ACK and accepted and not talk["established"][side] and not talk["gone"][side]:
        after_syn = difference(row["ack"], talk["iss"][side]) >= 1
        if (talk["syn"][side] and flags & SYN and after_syn) or (talk["syn_ack"][side] and after_syn):
            talk["established"][side] = 1
    if flags & ACK and talk["fin"][side] and difference(row["ack"], talk["fin_end"][side]) >= 0:
        talk["fin_acked"][side] = 1
    if flags & FIN:
        talk["fin"][other] = 1
    if talk["fin_acked"][side] and talk["fin"][other]:
        talk["gone"][side] = 1
    note_end(row, talk, other)


@inline
def note_offer(row: Any, talk: Any, side: Int) -> None:
    """Keep what a SYN offers."""
    talk["offered"][side] = 1
    talk["mss"][side] = row["mss"] if row["options"] & O_MSS else 0
    talk["scaled"][side] = row["options"] & O_WINDOW_SCALE != 0
    talk["shift"][side] = min(14, np.int64(row["window_scale"]))


@inline
def note_end(row: Any, talk: Any, side: Int) -> None:
    """Keep up to where this end has sent, what it last acknowledged, and the largest window it offered."""
    if row["flags"] & RST:
        return
    space = np.int64(row["payload_len"]) + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
    end = np.int64(row["seq"]) + space & 0xFFFFFFFF
    if row["flags"] & SYN or difference(end, talk["high"][side]) > 0:
        talk["high"][side] = end
    if row["flags"] & ACK:
        talk["told"][side] = row["ack"]
    window = np.int64(row["window"])
    if not row["flags"] & SYN and talk["scaled"][0] and talk["scaled"][1]:
        window <<= np.int64(talk["shift"][side])
    talk["widest"][side] = max(np.int64(talk["widest"][side]), window)


@inline
def is_midway(talk: Any) -> Any:
    """Was it there before the capture began, if it is a connection at all?"""
    return not (talk["offered"][0] or talk["offered"][1])


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


@part
def tcp_events(
    row: Any, talk: Any, arrival: Any, events: Any, first: Int, stop: Int, mine: Any, to_me: Any, heeded: Any, out: Any
) -> None:  # fmt: skip
    """What the events on a frame say of the counters of its sender or its receiver; `heeded`: whether that one looks at it."""
    other = np.int64(row["direction"])
    heeded = to_me and heeded and not talk["gone"][1 - other]
    doubled, reports = False, False
    least = 0 if to_me and arrival["waited"][1 - other] else 1  # joined to the ACK before, a DSACK is not looked at
    for k in range(first, stop):
        event, cause = events[k]["event"], events[k]["cause"]
        if mine:
            if event == E_TIMEOUT or event == E_PROBE or event == E_KEEP_ALIVE:
                talk["timeout_ns"][np.int64(row["direction"])] = row["time_ns"]
                talk["timeout_frame"][np.int64(row["direction"])] = row["frame"]
            if event == E_DSACK:
                reported(row, arrival, np.int64(row["direction"]), np.int64(cause), out)
            elif event == E_ZERO:
                add(row, TO_ZERO_WINDOW, 1, out)
            elif event == E_ZERO_END:
                add(row, FROM_ZERO_WINDOW, 1, out)
            elif event == E_PROBE and cause == C_EMPTY:
                add(row, WIN_PROBE, 1, out)
            elif event == E_KEEP_ALIVE:
                add(row, KEEP_ALIVE, 1, out)
        if to_me:
            if event == E_DSACK and heeded:
                reports = True
                add_range(row, DSACK_RECV if cause == C_OLD else DSACK_OFO_RECV, 1, least, 1, out)
            elif event == E_RENEGING:
                add(row, SACK_RENEGING, 1, out)
            elif event == E_DOUBLED:
                doubled = True
    if doubled and heeded and not reports and row["sack_count"] > 0 and is_dsack(row):
        # What the network has doubled reports once more.
        old = difference(row["sack_left_1"], row["ack"]) < 0
        add_range(row, DSACK_RECV if old else DSACK_OFO_RECV, 1, least, 1, out)
