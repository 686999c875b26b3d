"""Compiled prediction of what arriving data moves in the host's receiver: tcp_data_queue() and tcp_data_queue_ofo()."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.arrival.buffer_kernel import buffered, crowded, is_predicted, joined
from analyzer.prediction.arrival.duplicates_kernel import duplicate
from analyzer.prediction.arrival.ranges_kernel import advance, forget, hold
from analyzer.prediction.arrival.receiver_kernel import (
    is_open,
    is_too_old,
    note_ack,
    note_options,
    note_stamp,
    note_window,
    settled,
    window_shift,
)
from analyzer.prediction.arrival.state import (
    AWAKE_NS,
    COPY_NS,
    IN_ORDER,
    MANY,
    NOTHING_NEW,
    OLD,
    OUT_OF_ORDER,
    REFUSED,
    SEEN_NS,
)
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.state import ESTABLISHED, GONE, NOTHING, SYN_RECEIVED, SYN_SENT
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16

OFO_QUEUE, OFO_MERGE = NUMBER["TcpExtTCPOFOQueue"], NUMBER["TcpExtTCPOFOMerge"]
OFO_DROP = NUMBER["TcpExtTCPOFODrop"]
OFO_PRUNED = NUMBER["TcpExtOfoPruned"]
RCVQ_DROP, RCV_PRUNED = NUMBER["TcpExtTCPRcvQDrop"], NUMBER["TcpExtRcvPruned"]
DELAYED_ACK_LOST, ZERO_WINDOW_DROP = NUMBER["TcpExtDelayedACKLost"], NUMBER["TcpExtTCPZeroWindowDrop"]


@part
def arrival_received(row: Any, talk: Any, own: Any, before: Int, pool: Any, dsack: Any, out: Any) -> Int:
    """A segment to the host, after `talk` knows of it: what became of it. `dsack`: whether the host reports duplicates."""
    other, flags = np.int64(row["direction"]), np.int64(row["flags"])
    side = 1 - other
    if flags & SYN:
        if before != ESTABLISHED:
            note_options(row, own, other)
        if before != ESTABLISHED and before != SYN_RECEIVED and not flags & RST:
            own["over"][side], own["fin"][side] = 0, 0
            forget(pool, own, side)
            own["ready"][side], own["next"][side] = 1, np.int64(row["seq"]) + 1 & 0xFFFFFFFF
            own["una"][side] = row["ack"]
            note_stamp(row, own, side)
            # tcp_rcv_synsent_state_process(): header prediction is on at once where the windows are not scaled.
            own["predicts"][side] = flags & ACK != 0 and before == SYN_SENT and window_shift(own, other) == 0
            own["peer_window"][side] = row["window"]
        elif (
            before == SYN_RECEIVED
            and flags & ACK
            and talk["syn"][side]
            and difference(talk["told"][side], row["seq"]) == 1
        ):
            add(row, DELAYED_ACK_LOST, 1, out)  # both ends opened: the SYN comes again, with the ACK
        return REFUSED
    if flags & RST:
        if talk["gone"][side] and before != GONE:
            own["over"][side] = 1
            forget(pool, own, side)
        return REFUSED
    if own["over"][side] or not own["ready"][side] or not is_open(talk, own, side) or not flags & ACK:
        return REFUSED
    space = np.int64(row["payload_len"]) + (flags & FIN)
    left = np.int64(row["seq"])
    right = left + space & 0xFFFFFFFF
    if is_too_old(row, own, side):
        if space > 0 and difference(left, own["next"][side]) < 0:
            add(row, DELAYED_ACK_LOST, 1, out)  # tcp_send_dupack()
            duplicate(row, own, side, 0, dsack, out)
        return REFUSED
    if difference(row["ack"], talk["high"][side]) > 0:  # acknowledges what was not sent yet
        return REFUSED
    found, fast = NOTHING_NEW, False
    # tcp_sequence(): what lies before the last acknowledgment, or beyond the window, is not looked at any further.
    if difference(right, talk["told"][side]) >= 0 and difference(left, own["edge"][side]) <= 0:
        fast = row["payload_len"] > 0 and (before == ESTABLISHED or before == NOTHING) and own["fin"][side] != 2
        fast = fast and not talk["fin"][side] and is_predicted(row, talk, own, side)  # by what was known before it
        note_ack(row, talk, own, side)
        note_window(row, own, side)
    if space > 0:
        own["joins"][side] = may_join(row, own, side)
        crowded(row, own, side, out)
        found = take_data(row, talk, own, pool, side, left, right, fast, dsack, out)
        own["kind"][side], own["end"][side] = found, right
        own["tsval"][side], own["tsecr"][side] = row["tsval"], row["tsecr"]
    if own["fin"][side] == 2 and talk["fin_acked"][side]:
        own["over"][side] = 1
    return found


@inline
def take_data(
    row: Any,
    talk: Any,
    own: Any,
    pool: Any,
    side: Int,
    left: Int,
    right: Int,
    fast: Any,
    dsack: Any,
    out: Any,
) -> Int:
    """tcp_data_queue(): what becomes of data or a FIN.

    Where the host has closed, nobody may be left to take it: new data resets the connection then, and once its FIN is
    acknowledged a mere stand-in answers (FIN_WAIT_2).
    """
    awaited = np.int64(own["next"][side])
    room = max(0, difference(own["edge"][side], awaited))
    if difference(right, awaited) <= 0:
        unsure = (own["joins"][side] and own["kind"][side] == OLD) or talk["fin_acked"][side]
        unsure = unsure or own["short"][side] or not settled(talk, side)
        add_range(row, DELAYED_ACK_LOST, 1 if settled(talk, side) else 0, 0 if unsure else 1, 1, out)
        duplicate(row, own, side, 0, dsack, out)
        return OLD
    if difference(left, awaited) <= 0:
        if room == 0 and row["payload_len"] > 0:
            # Data that waits to be read makes the kernel drop it earlier, for going beyond the window.
            add_range(row, ZERO_WINDOW_DROP, 1 if own["queue"][side] else 0, 0, 1, out)
            return REFUSED
        if difference(left, awaited) < 0:
            duplicate(row, own, side, 0, dsack, out)
        if row["flags"] & FIN:
            own["fin"][side], own["fin_end"][side] = 1, right
        own["taken"][side] = min(MANY, np.int64(own["taken"][side]) + 1)
        own["beyond"][side] = difference(right, awaited) > room
        one = buffered(row, own, side, fast, out)
        taken, fitting = advance(pool, own, side, right)
        joined(row, one + fitting, taken + np.int64(own["some"][side]), out)
        own["some"][side] = 1
        if own["queue"][side] == 0 and room > 0:
            own["predicts"][side] = 1
        until = np.int64(row["time_ns"]) + AWAKE_NS + COPY_NS * difference(own["next"][side], awaited)
        own["awake_ns"][side] = max(np.int64(own["awake_ns"][side]), until)
        if own["fin"][side] == 1 and difference(own["next"][side], own["fin_end"][side]) >= 0:
            own["fin"][side] = 2
            forget(pool, own, side)
        return IN_ORDER
    if difference(left, awaited) >= room:
        return REFUSED
    again = own["kind"][side] == OUT_OF_ORDER and left == own["end"][side]
    joins = np.int64(own["joins"][side]) if again else 0
    sure = difference(right, awaited) <= room and joins == 0 and not talk["fin"][side] and not own["short"][side]
    add_range(row, OFO_QUEUE, 0 if joins == 2 else 1, 1 if sure else 0, 1, out)
    if own["short"][side]:
        add_range(row, OFO_DROP, 0, 0, 1, out)
        add_range(row, RCV_PRUNED, 0, 0, 1, out)
    if row["flags"] & FIN:
        own["fin"][side], own["fin_end"][side] = 1, right
    own["predicts"][side] = 0
    dropped, least, most, twice = hold(pool, own, side, left, right)
    if twice:
        duplicate(row, own, side, 1, dsack, out)
    if dropped < 0:
        joined(row, 1, 1, out)
    elif most:
        add_range(row, OFO_MERGE, dropped, 0 if again else least, most, out)
    return OUT_OF_ORDER


@part
def arrival_sent(row: Any, talk: Any, own: Any, before: Int, world: Any, out: Any) -> None:
    """A segment of the host: what it acknowledges it has, and how far its window reaches."""
    side, flags = np.int64(row["direction"]), np.int64(row["flags"])
    pool = world["ranges"]
    for _ in range(world["reneged"]):  # tcp_prune_ofo_queue() forgets the SACK blocks
        add_range(row, OFO_PRUNED, 1, 0, 1, out)
        forget(pool, own, side)
        own["short"][side] = 1
    if flags & SYN and before != ESTABLISHED:
        note_options(row, own, side)
        own["over"][side], own["fin"][side] = 0, 0
        forget(pool, own, side)
        own["ready"][side], own["next"][side] = flags & ACK != 0, row["ack"]
        own["una"][side] = row["seq"]
    if row["sack_count"] > 0:
        own["sack"][:] = 1
    if flags & RST:
        if talk["gone"][side] and before != GONE:
            own["over"][side] = 1
            forget(pool, own, side)
        return
    if not flags & ACK:
        return
    if not own["ready"][side]:
        own["ready"][side], own["next"][side], own["una"][side] = 1, row["ack"], row["seq"]
    elif difference(row["ack"], own["next"][side]) > 0:
        advance(pool, own, side, np.int64(row["ack"]))
    elif difference(row["ack"], own["next"][side]) < 0:
        not_taken(row, own, pool, side, out)
    own["taken"][side] = 0
    own["kind"][side] = NOTHING_NEW
    if row["window"] == 0:
        own["predicts"][side] = 0
    shift = 0 if flags & SYN else window_shift(own, side)
    own["edge"][side] = np.int64(row["ack"]) + (np.int64(row["window"]) << shift) & 0xFFFFFFFF


@inline
def not_taken(row: Any, own: Any, pool: Any, side: Int, out: Any) -> None:
    """An ACK that does not cover all data in order: was some refused, or is it only not looked at yet?"""
    ack = np.int64(row["ack"])
    taken_back = row["window"] == 0 and difference(own["edge"][side], ack) > 0
    waited = row["time_ns"] - own["tail_ns"][side]
    left = np.int64(row["sack_left_1"])
    hole = waited > AWAKE_NS and row["sack_count"] > 0 and row["payload_len"] == 0
    hole = hole and difference(left, ack) > 0 and difference(left, own["next"][side]) < 0
    if taken_back and own["taken"][side] > 0:  # there was no memory for it
        many = np.int64(own["taken"][side])
        add_range(row, RCVQ_DROP, 1, 0, many, out)
        add_range(row, RCV_PRUNED, 1, 0, many, out)
        own["short"][side] = 1
    if taken_back or hole or waited > SEEN_NS or own["beyond"][side]:
        forget(pool, own, side)
        own["next"][side], own["fin"][side] = ack, 0
    if hole:
        # It was taken for data in order, and had to wait: what came before it found no place, as at a full listener.
        add_range(row, OFO_QUEUE, 1, 1, max(np.int64(1), np.int64(own["taken"][side])), out)
        hold(pool, own, side, left, np.int64(row["sack_right_1"]))


@inline
def may_join(row: Any, own: Any, side: Int) -> Int:
    """tcp_add_backlog(): does the segment join the one before, while the application is at work with the socket? 0 no, 1 perhaps, 2 probably.

    That takes two segments in a row with the same options. If the first should have been answered at once and was not, it still waits.
    """
    same = (
        own["kind"][side] != NOTHING_NEW
        and row["seq"] == own["end"][side]
        and row["tsval"] == own["tsval"][side]
        and row["tsecr"] == own["tsecr"][side]
    )
    if not same:
        return 0
    if own["direct"][side] and own["kind"][side] == OUT_OF_ORDER:
        return 2
    return 1 if row["time_ns"] < own["awake_ns"][side] else 0
