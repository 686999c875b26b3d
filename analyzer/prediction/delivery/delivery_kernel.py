"""Compiled prediction of what acknowledgments move at the sender of the data: tcp_ack() on a model of its queue."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part, rare
from analyzer.decode.codes import O_SACK_PERMITTED
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.delivery.midway_kernel import DELIVERED, DELIVERED_CE, midway
from analyzer.prediction.delivery.offers_kernel import (
    MARKED,
    MAYBE_MARKED,
    agreed,
    marked,
    note_syn,
    scale,
    sent_size,
)
from analyzer.prediction.delivery.prediction_kernel import (
    after_segment,
    begin_race,
    closes,
    count_ack,
    is_predicted,
    may_be_held,
    not_taken,
    note_pace,
    overtaken,
    updates_window,
    widens,
    writes,
)
from analyzer.prediction.delivery.queue_kernel import acknowledge, forget, in_pieces, queue, renege
from analyzer.prediction.delivery.repair_kernel import recovered, repairs, without_sack
from analyzer.prediction.delivery.requeue_kernel import again
from analyzer.prediction.delivery.sack_kernel import blocks, dsacked
from analyzer.prediction.delivery.state import (
    FOUND_OPEN,
    LOST,
    NEVER,
    OPEN,
    OPENED,
    OPENING,
    P_FIN,
    P_SACKED,
    SPOKEN,
)
from analyzer.prediction.emit_kernel import add, add_range
from analyzer.prediction.names import NUMBER
from analyzer.prediction.state import GONE, SYN_RECEIVED, SYN_SENT
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK, ECE = 1, 2, 4, 16, 64
TO_ZERO_WINDOW, FROM_ZERO_WINDOW = NUMBER["TcpExtTCPToZeroWindowAdv"], NUMBER["TcpExtTCPFromZeroWindowAdv"]
AGAIN_BIT = np.uint64(1 << EVENT["retransmission"] | 1 << EVENT["capture_duplicate"])
PAWS_BIT = np.uint64(1 << EVENT["paws"])


@inline
def data_end(row: Any) -> Int:
    """The number after a segment."""
    space = np.int64(row["payload_len"]) + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
    return np.int64(row["seq"]) + space & 0xFFFFFFFF


@part
def delivery_sent(
    row: Any, own: Any, before: Int, segments: Int, most: Int, expired: Any, world: Any, out: Any
) -> None:  # fmt: skip
    """A segment of the host: what it waits for, and what it says of the other direction."""
    side, flags = np.int64(row["direction"]), row["flags"]
    repeated = row["events"] & AGAIN_BIT != 0
    pool = world["pieces"]
    if flags & RST and not flags & ACK and before == SYN_SENT:
        return  # it answers an ACK that is none of this connection's, and goes on
    if flags & RST:
        if before != GONE and own["known"][side] != LOST:
            overtaken(row, own, side, out)
            offered(row, own, side, out)
            if own["known"][side] == OPENED and may_be_held(row, own, side):
                widens(row, own, side, out)
        not_taken(row, own, side, False, out)
        if own["fresh"][side] and not flags & ACK:
            add(row, DELIVERED, -1, out)  # given up before the SYN-ACK came
        forget(pool, own, side)
        own["known"][side] = LOST
        return
    if flags & SYN:
        if repeated and flags & ACK and own["known"][side] == OPENED:
            not_taken(row, own, side, True, out)
            own["known"][side] = OPENING
        opens(row, own, side, repeated, pool)
    elif before == GONE or own["known"][side] == LOST:
        forget(pool, own, side)
        return
    else:
        if own["known"][side] == NEVER:
            own["known"][side] = FOUND_OPEN
            own["offers"][side] |= row["options"]
            own["snd_nxt"][side] = own["begin"][side] = row["seq"]
        own["handshake_acks"][side], own["fresh"][side] = SPOKEN, 0
        base = np.int64(world["base_mss"]) if segments > 1 else np.int64(0)
        if most > segments:
            may_be_delivered(row, own, 0, most - segments, out)
        sends(row, own, side, repeated, world["cause"], expired, segments, base, pool, out)
    if flags & ACK:
        own["rcv_wup"][side] = row["ack"]
        own["rcv_wnd"][side] = np.int64(row["window"]) << (np.int64(0) if flags & SYN else scale(own, side))
        if difference(row["ack"], own["rcv_nxt"][side]) > 0:
            own["rcv_nxt"][side] = row["ack"]
            if own["rcv_high"][side] == row["ack"]:
                own["predicts"][side] = 1  # tcp_data_queue(): the last hole was filled
        if row["window"] == 0 and not flags & SYN:
            own["predicts"][side] = 0  # tcp_select_window()


@inline
def may_be_delivered(row: Any, own: Any, least: Int, most: Int, out: Any) -> None:
    """So many fewer, or more, than it seems, once all of it is acknowledged; and perhaps as marked."""
    add_range(row, DELIVERED, 0, least, most, out)
    if own["asks"][0] & own["asks"][1] & ECE:
        add_range(row, DELIVERED_CE, 0, least, most, out)


@inline
def offered(row: Any, own: Any, side: Int, out: Any) -> None:
    """tcp_select_window(): a reset of the application's has a window too; data that was thrown away makes room."""
    if not row["flags"] & ACK or own["known"][side] != OPENED:
        return
    if own["rcv_wnd"][side] == 0 and row["window"] > 0:
        add(row, FROM_ZERO_WINDOW, 1, out)
    elif own["rcv_wnd"][side] > 0 and row["window"] == 0:
        add(row, TO_ZERO_WINDOW, 1, out)


@inline
def opens(row: Any, own: Any, side: Int, repeated: Any, pool: Any) -> None:
    """tcp_connect(), tcp_send_syn_data(), tcp_make_synack(): a SYN of the host."""
    first = np.int64(row["seq"])
    if repeated:
        own["total_retrans"][side] += 1
        own["episodes"][side] = 1
        return
    crossed = row["flags"] & ACK and own["head"][side] and own["snd_una"][side] == row["seq"]
    note_syn(row, own, side)
    if crossed:  # the SYN of a simultaneous open still waits
        return
    forget(pool, own, side)
    own["known"][side] = OPENING
    own["total_retrans"][side] = own["dsack_dups"][side] = own["bytes_acked"][side] = own["sacked_out"][side] = 0
    own["repair"][side] = OPEN
    own["handshake_acks"][side] = 0
    start = first + 1 & 0xFFFFFFFF
    own["snd_una"][side] = start
    own["snd_nxt"][side] = start
    if not row["flags"] & ACK:
        own["snd_una"][side] = first
        queue(pool, own, side, first, start, 1, 0)
        if row["payload_len"] > 0:
            end = data_end(row)
            queue(pool, own, side, start, end, np.int64(row["payload_len"]), 0)
            own["snd_nxt"][side] = end


@inline
def sends(
    row: Any,
    own: Any,
    side: Int,
    repeated: Any,
    cause: Int,
    expired: Any,
    segments: Int,
    base: Int,
    pool: Any,
    out: Any,
) -> None:
    """tcp_write_xmit(), __tcp_retransmit_skb(): data or FIN, for the first time or again."""
    start, end = np.int64(row["seq"]), data_end(row)
    fin = 1 if row["flags"] & FIN else 0
    if fin and not own["fin"][side]:
        closes(row, own, side, out)
        own["fin"][side] = 1
    if end == start:
        return
    full = sent_size(row, own, side)
    size = min(full, base) if base else full
    if repeated:
        own["total_retrans"][side] += segments
        head = np.int64(own["head"][side])
        if head and pool[head]["flags"] & P_SACKED and difference(start, own["snd_una"][side]) <= 0:
            renege(pool, own, side)
        last = end if difference(end, own["snd_nxt"][side]) <= 0 else np.int64(own["snd_nxt"][side])
        if difference(last, start) > 0:
            again(pool, own, side, start, last, size, fin if last == end else 0)
        repairs(row, own, side, cause, expired)
    if difference(end, own["snd_nxt"][side]) > 0:
        if difference(start, own["snd_nxt"][side]) < 0:
            start = np.int64(own["snd_nxt"][side])
        writes(row, own, side, full)
        if size < full:
            # Until a larger window is offered, and once probes got through, they are larger (tcp_mtup_init()).
            more = in_pieces(size, difference(end, start)) - in_pieces(full, difference(end, start))
            may_be_delivered(row, own, -more, 0, out)
        queue(pool, own, side, start, end, size, P_FIN if fin else 0)
        own["sent_ns"][side] = row["time_ns"]
        own["snd_nxt"][side] = end


@part
def delivery_received(row: Any, own: Any, before: Int, joins: Any, pool: Any, out: Any) -> None:
    """tcp_v4_do_rcv(): a segment to the host, with a right checksum; it may have been joined to the one before (`joins`)."""
    other, flags = np.int64(row["direction"]), row["flags"]
    side = 1 - other
    known = own["known"][side]
    if before == GONE or known == LOST:
        forget(pool, own, side)
        return
    if flags & SYN:
        synchronizes(row, own, side, known, pool, out)
        return
    if flags & RST:
        if known == FOUND_OPEN or row["seq"] == own["rcv_nxt"][side] or row["seq"] == own["rcv_wup"][side]:
            if known == OPENED and may_be_held(row, own, side):
                widens(row, own, side, out)
            forget(pool, own, side)
            own["known"][side] = LOST
        return
    if not flags & ACK or row["events"] & PAWS_BIT:
        return
    if known == NEVER or known == FOUND_OPEN:
        if known == FOUND_OPEN or not own["asks"][other]:
            midway(row, own, side, pool, out)
        return
    if not in_window(row, own, side):
        return
    if known == OPENING:
        if difference(row["ack"], own["snd_una"][side]) < 0 or difference(row["ack"], own["snd_nxt"][side]) > 0:
            return
        if before != SYN_RECEIVED and own["head"][side]:
            return  # it waits for a SYN
        accepts(row, own, side)
    begin_race(row, own, side)
    acks(row, own, side, known == OPENING, joins, pool, out)
    after_segment(row, own, side, data_end(row), out)


@inline
def in_window(row: Any, own: Any, side: Int) -> Any:
    """tcp_sequence(): does the segment lie in the receive window?"""
    end = data_end(row)
    if difference(end, own["rcv_wup"][side]) < 0:
        return False
    edge = np.int64(own["rcv_wup"][side]) + np.int64(own["rcv_wnd"][side]) & 0xFFFFFFFF
    return difference(row["seq"], edge) <= 0


@inline
def accepts(row: Any, own: Any, side: Int) -> None:
    """tcp_create_openreq_child(): the ACK that ends the handshake at the server."""
    own["known"][side] = OPENED
    own["snd_wnd"][side] = np.int64(row["window"]) << scale(own, 1 - side)
    own["max_window"][side] = own["snd_wnd"][side]
    own["snd_wl1"][side] = np.int64(row["seq"]) - 1 & 0xFFFFFFFF
    own["rcv_nxt"][side] = own["rcv_high"][side] = own["rcv_wup"][side]
    own["predicts"][side] = 1


@rare
def synchronizes(row: Any, own: Any, side: Int, known: Int, pool: Any, out: Any) -> None:
    """tcp_rcv_synsent_state_process(), tcp_conn_request(): a SYN."""
    if known == OPENED or known == FOUND_OPEN:
        return
    answers = row["flags"] & ACK and own["head"][side]
    if answers:
        if difference(row["ack"], own["snd_una"][side]) <= 0 or difference(row["ack"], own["snd_nxt"][side]) > 0:
            return
    elif row["flags"] & ACK:
        return
    elif known == OPENING and not own["head"][side] and difference(row["seq"], own["rcv_nxt"][side]) == -1:
        return  # tcp_check_req(): the request stays as the first SYN had it; one that is repeated asks for no ECN any more
    note_syn(row, own, 1 - side)
    own["rcv_nxt"][side] = own["rcv_high"][side] = own["rcv_wup"][side] = np.int64(row["seq"]) + 1 & 0xFFFFFFFF
    own["rcv_wnd"][side] = 65535
    own["ts_recent"][side] = row["tsval"]
    own["fin_received"][side] = 0
    if answers:
        own["known"][side], own["fresh"][side] = OPENED, 1
        own["snd_wl1"][side] = row["seq"]
        acks(row, own, side, False, False, pool, out)
        own["snd_wnd"][side] = row["window"]
        own["max_window"][side] = max(np.int64(own["max_window"][side]), np.int64(row["window"]))
        own["predicts"][side] = 1 if scale(own, 1 - side) == 0 else 0


@inline
def acks(row: Any, own: Any, side: Int, handshake: Any, joins: Any, pool: Any, out: Any) -> None:
    """tcp_ack(): an acknowledgment that may be of use."""
    ack, una = np.int64(row["ack"]), np.int64(own["snd_una"][side])
    ahead = difference(ack, una)
    if ahead < 0:
        furthest = min(np.int64(own["max_window"][side]), np.int64(own["bytes_acked"][side]))
        if -ahead > furthest:
            return
        if row["sack_count"] > 0 and agreed(own, O_SACK_PERMITTED):
            segments = dsacked(row, own, side, out)
            if -ahead <= own["max_window"][side] and own["packets_out"][side] > 0:
                blocks(row, own, side, segments > 0, pool, out)
        return
    if difference(ack, own["snd_nxt"][side]) > 0:
        return
    waiting = np.int64(own["packets_out"][side])
    fast = not handshake and is_predicted(row, own, side)
    count_ack(row, own, side, fast, ahead > 0, out)
    moved = False
    if not fast or ahead == 0:
        moved = updates_window(row, own, side, ahead > 0)
    else:
        own["snd_wl1"][side] = row["seq"]  # tcp_update_wl()
    own["snd_una"][side] = ack
    own["bytes_acked"][side] += ahead
    joins = joins and own["advanced"][side] != 0
    own["advanced"][side] = 1 if ahead > 0 or joins else 0
    repeats: Int = 0
    fresh: Int = 0
    with_sack = agreed(own, O_SACK_PERMITTED)
    if row["sack_count"] > 0 and with_sack and not fast:
        repeats = dsacked(row, own, side, out)
        if waiting > 0:
            fresh = blocks(row, own, side, repeats > 0, pool, out)
    if waiting == 0:
        delivers(row, own, side, repeats, repeats, out)
        return
    total, unreported = acknowledge(pool, own, side, ack)
    if own["packets_out"][side] == 0:
        note_pace(row, own, side)
    if with_sack:
        recovered(own, side)
        delivers(row, own, side, repeats + fresh + unreported, repeats + fresh + unreported, out)
    else:
        again_ack = ahead == 0 and not moved and row["payload_len"] == 0 and not row["flags"] & (FIN | SYN)
        arrived = without_sack(row, pool, own, side, total, again_ack, ahead > 0, marked(row, own) == MARKED)
        # Joined in the backlog to an ACK that advances it repeats nothing.
        delivers(row, own, side, arrived, 0 if again_ack and joins else arrived, out)


@inline
def delivers(row: Any, own: Any, side: Int, count: Int, least: Int, out: Any) -> None:
    """tcp_newly_delivered(): so many segments, or at least so many."""
    if count == 0:
        return
    if least == count:
        add(row, DELIVERED, count, out)
    else:
        add_range(row, DELIVERED, count, least, count, out)
    own["race_delivered"][side] += count
    echo = marked(row, own)
    if echo == MARKED:
        add_range(row, DELIVERED_CE, count, least, count, out)
    elif echo == MAYBE_MARKED:
        add_range(row, DELIVERED_CE, 0, 0, count, out)
