"""Compiled prediction of what acknowledgments move at the sender of the data: tcp_ack() on a model of its queue."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.counters.prediction.delivery_state import (
    FOUND_OPEN,
    LOSS,
    LOST,
    NEVER,
    OPEN,
    OPENED,
    OPENING,
    P_FIN,
    P_GUESS,
    P_SACKED,
    RECOVERY,
)
from analyzer.counters.prediction.emit_kernel import add, add_range
from analyzer.counters.prediction.names import NUMBER
from analyzer.counters.prediction.prediction_kernel import (
    after_segment,
    closes,
    count_ack,
    is_predicted,
    not_taken,
    writes,
)
from analyzer.counters.prediction.queue_kernel import acknowledge, again, below, forget, piece, queue, renege, sacked
from analyzer.counters.prediction.state import DEFAULT_MSS, GONE, SYN_RECEIVED
from analyzer.decode.codes import O_MSS, O_SACK_PERMITTED, O_TIMESTAMPS, O_WINDOW_SCALE
from analyzer.kinds import CAUSE
from analyzer.kinds import NUMBER as EVENT
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK, ECE, CWR, AE = 1, 2, 4, 16, 64, 128, 256
NO_OPTION_MSS, LEAST_MSS = 536, 68
MAX_SCALE = 14

DELIVERED, DELIVERED_CE = NUMBER["TcpExtTCPDelivered"], NUMBER["TcpExtTCPDeliveredCE"]
DSACK_SEGS, DSACK_DUBIOUS = NUMBER["TcpExtTCPDSACKRecvSegs"], NUMBER["TcpExtTCPDSACKIgnoredDubious"]
DSACK_OLD, DSACK_NO_UNDO = NUMBER["TcpExtTCPDSACKIgnoredOld"], NUMBER["TcpExtTCPDSACKIgnoredNoUndo"]
SACK_DISCARD = NUMBER["TcpExtTCPSACKDiscard"]
E_PAWS, E_RETRANSMISSION, E_TIMEOUT = EVENT["paws"], EVENT["retransmission"], EVENT["retransmission_timeout"]
C_TLP = CAUSE["tlp"]
AGAIN_BIT = np.uint64(1 << E_RETRANSMISSION)
PAWS_BIT = np.uint64(1 << E_PAWS)
TIMEOUT_BIT = np.uint64(1 << E_TIMEOUT)


@inline
def data_end(row: Any) -> Int:
    """The number after a segment."""
    space = np.int64(row["payload_len"]) + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
    return np.int64(row["seq"]) + space & 0xFFFFFFFF


@inline
def agreed(own: Any, option: Int) -> Any:
    """Have both ends offered the option?"""
    return own["offers"][0] & own["offers"][1] & option != 0


@inline
def mss_cache(own: Any, side: Int) -> Int:
    """tcp_sync_mss(): the largest segment to the peer, also bounded by half of the largest window it has offered."""
    found = np.int64(own["mss"][1 - side])
    if found == 0:
        found = DEFAULT_MSS if own["known"][side] == FOUND_OPEN else NO_OPTION_MSS
    mine = np.int64(own["mss"][side])
    if mine:
        found = min(found, mine)
    header = 20
    if agreed(own, O_TIMESTAMPS):
        found, header = found - 12, 32
    largest = np.int64(own["max_window"][side])
    if largest > NO_OPTION_MSS:
        largest >>= 1
    if 0 < largest < found:
        found = max(largest, LEAST_MSS - header)
    return max(np.int64(1), found)


@inline
def sent_size(row: Any, own: Any, side: Int) -> Int:
    """tcp_current_mss(): the size of a full segment with as many options as this one has."""
    options = np.int64(row["header_len"]) - (32 if agreed(own, O_TIMESTAMPS) else 20)
    return max(np.int64(1), mss_cache(own, side) - max(np.int64(0), options))


@inline
def note_syn(row: Any, own: Any, end: Int) -> None:
    """What an end offers in its SYN."""
    own["offers"][end], own["asks"][end] = row["options"], row["flags"]
    own["shift"][end] = min(MAX_SCALE, np.int64(row["window_scale"]))
    own["mss"][end] = row["mss"] if row["options"] & O_MSS else 0


@inline
def scale(own: Any, end: Int) -> Int:
    """By how much the windows of an end are shifted."""
    return np.int64(own["shift"][end]) if agreed(own, O_WINDOW_SCALE) else np.int64(0)


@kernel
def delivery_sent(
    row: Any, own: Any, before: Int, segments: Int, events: Any, first: Int, stop: Int, pool: Any, out: Any, used: Any
) -> None:
    """A segment of the host: what it waits for, and what it says of the other direction."""
    side, flags = np.int64(row["direction"]), row["flags"]
    repeated = row["events"] & AGAIN_BIT != 0
    cause: Int = 0
    for k in range(first, stop):
        if events[k]["event"] == E_RETRANSMISSION:
            cause = np.int64(events[k]["cause"])
    if flags & RST:
        not_taken(row, own, side, False, out, used)
        if own["fresh"][side] and not flags & ACK:
            add(row, DELIVERED, -1, out, used)  # given up before the SYN-ACK came
        forget(pool, own, side)
        own["known"][side] = LOST
        return
    if flags & SYN:
        if repeated and flags & ACK and own["known"][side] == OPENED:
            not_taken(row, own, side, True, out, used)
            own["known"][side] = OPENING
        opens(row, own, side, repeated, pool)
    elif before == GONE or own["known"][side] == LOST:
        forget(pool, own, side)
        return
    else:
        if own["known"][side] == NEVER:
            own["known"][side] = FOUND_OPEN
            own["offers"][side] |= row["options"]
            if own["snd_nxt"][side] == 0:
                own["snd_una"][side] = own["snd_nxt"][side] = row["seq"]
        own["handshake_acks"][side] = own["fresh"][side] = 0
        sends(row, own, side, repeated, cause, segments, pool, out, used)
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
def opens(row: Any, own: Any, side: Int, repeated: Any, pool: Any) -> None:
    """tcp_connect(), tcp_send_syn_data(), tcp_make_synack(): a SYN of the host."""
    first = np.int64(row["seq"])
    if repeated:
        own["total_retrans"][side] += 1
        own["episodes"][side] = 1
        own["undo_marker"][side] = own["undo_latest"][side] = first
        return
    crossed = row["flags"] & ACK and own["head"][side] and own["snd_una"][side] == row["seq"]
    note_syn(row, own, side)
    if crossed:  # the SYN of a simultaneous open still waits
        return
    forget(pool, own, side)
    own["known"][side] = OPENING
    own["total_retrans"][side] = own["dsack_dups"][side] = own["bytes_acked"][side] = own["sacked_out"][side] = 0
    own["repair"][side] = OPEN
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
    row: Any, own: Any, side: Int, repeated: Any, cause: Int, segments: Int, pool: Any, out: Any, used: Any
) -> None:
    """tcp_write_xmit(), __tcp_retransmit_skb(): data or FIN, for the first time or again."""
    start, end = np.int64(row["seq"]), data_end(row)
    fin = 1 if row["flags"] & FIN else 0
    if fin and not own["fin"][side]:
        closes(row, own, side, out, used)
        own["fin"][side] = 1
    if end == start:
        return
    size = sent_size(row, own, side)
    if repeated:
        own["total_retrans"][side] += segments
        head = np.int64(own["head"][side])
        if head and piece(pool, head)["flags"] & P_SACKED and difference(start, piece(pool, head)["start"]) <= 0:
            renege(pool, own, side)
        last = end if difference(end, own["snd_nxt"][side]) <= 0 else np.int64(own["snd_nxt"][side])
        if difference(last, start) > 0:
            again(pool, own, side, start, last, size, fin if last == end else 0)
        repairs(row, own, side, cause)
    if difference(end, own["snd_nxt"][side]) > 0:
        if difference(start, own["snd_nxt"][side]) < 0:
            start = np.int64(own["snd_nxt"][side])
        writes(row, own, side)
        queue(pool, own, side, start, end, size, P_FIN if fin else 0)
        own["sent_ns"][side] = row["time_ns"]
        own["snd_nxt"][side] = end


@inline
def repairs(row: Any, own: Any, side: Int, cause: Int) -> None:
    """tcp_enter_recovery(), tcp_enter_loss(): an episode of repair begins, as a retransmission shows."""
    timeout = row["events"] & TIMEOUT_BIT != 0
    if cause == C_TLP:
        return
    own["episodes"][side], own["undo_latest"][side] = 1, own["snd_una"][side]
    if own["repair"][side] != OPEN and not timeout:
        return
    if own["repair"][side] == OPEN:
        own["undo_marker"][side] = own["snd_una"][side]
    own["repair"][side] = LOSS if timeout else RECOVERY
    own["high_seq"][side], own["retrans_stamp"][side] = own["snd_nxt"][side], row["tsval"]
    if timeout:
        own["lost_seq"][side], own["sacked_out"][side] = own["snd_nxt"][side], 0


@inline
def recovered(own: Any, side: Int) -> None:
    """tcp_try_undo_recovery(): all that was outstanding when the episode began is acknowledged."""
    if own["repair"][side] != OPEN and difference(own["snd_una"][side], own["high_seq"][side]) >= 0:
        own["repair"][side] = OPEN


@kernel
def delivery_received(row: Any, own: Any, before: Int, pool: Any, out: Any, used: Any) -> None:
    """tcp_v4_do_rcv(): a segment to the host, with a right checksum."""
    other, flags = np.int64(row["direction"]), row["flags"]
    side = 1 - other
    known = own["known"][side]
    if before == GONE or known == LOST:
        forget(pool, own, side)
        return
    if flags & SYN:
        synchronizes(row, own, side, known, pool, out, used)
        return
    if known == NEVER:  # nothing is known of this end: its first segment will tell
        if flags & ACK and not flags & RST:
            own["snd_una"][side] = own["snd_nxt"][side] = row["ack"]
        return
    if flags & RST:
        if row["seq"] == own["rcv_nxt"][side] or row["seq"] == own["rcv_wup"][side]:
            forget(pool, own, side)
            own["known"][side] = LOST
        return
    if not flags & ACK or row["events"] & PAWS_BIT or not in_window(row, own, side):
        return
    if known == OPENING:
        if difference(row["ack"], own["snd_una"][side]) < 0 or difference(row["ack"], own["snd_nxt"][side]) > 0:
            return
        if before != SYN_RECEIVED and own["head"][side]:
            return  # it waits for a SYN
        accepts(row, own, side)
    acks(row, own, side, known == OPENING, pool, out, used)
    after_segment(row, own, side, data_end(row))


@inline
def in_window(row: Any, own: Any, side: Int) -> Any:
    """tcp_sequence(): does the segment lie in the receive window?"""
    if own["known"][side] == FOUND_OPEN and own["rcv_wup"][side] == 0:
        return True
    end = data_end(row)
    if difference(end, own["rcv_wup"][side]) < 0:
        return False
    edge = np.int64(own["rcv_wup"][side]) + np.int64(own["rcv_wnd"][side]) & 0xFFFFFFFF
    return own["known"][side] == FOUND_OPEN or difference(row["seq"], edge) <= 0


@inline
def accepts(row: Any, own: Any, side: Int) -> None:
    """tcp_create_openreq_child(): the ACK that ends the handshake at the server."""
    own["known"][side] = OPENED
    own["snd_wnd"][side] = np.int64(row["window"]) << scale(own, 1 - side)
    own["max_window"][side] = own["snd_wnd"][side]
    own["snd_wl1"][side] = np.int64(row["seq"]) - 1 & 0xFFFFFFFF
    own["rcv_nxt"][side] = own["rcv_high"][side] = own["rcv_wup"][side]
    own["predicts"][side] = 1


@inline
def synchronizes(row: Any, own: Any, side: Int, known: Int, pool: Any, out: Any, used: Any) -> None:
    """tcp_rcv_synsent_state_process(), tcp_conn_request(): a SYN."""
    if known == OPENED or known == FOUND_OPEN:
        return
    answers = row["flags"] & ACK and own["head"][side]
    if answers:
        if difference(row["ack"], own["snd_una"][side]) <= 0 or difference(row["ack"], own["snd_nxt"][side]) > 0:
            return
    elif row["flags"] & ACK:
        return
    note_syn(row, own, 1 - side)
    own["rcv_nxt"][side] = own["rcv_high"][side] = own["rcv_wup"][side] = np.int64(row["seq"]) + 1 & 0xFFFFFFFF
    own["rcv_wnd"][side] = 65535
    own["ts_recent"][side] = row["tsval"]
    own["fin_received"][side] = 0
    if answers:
        own["known"][side], own["fresh"][side] = OPENED, 1
        own["snd_wl1"][side] = row["seq"]
        acks(row, own, side, False, pool, out, used)
        own["snd_wnd"][side] = row["window"]
        own["max_window"][side] = max(np.int64(own["max_window"][side]), np.int64(row["window"]))
        own["predicts"][side] = 1 if scale(own, 1 - side) == 0 else 0


@inline
def acks(row: Any, own: Any, side: Int, handshake: Any, pool: Any, out: Any, used: Any) -> None:
    """tcp_ack(): an acknowledgment that may be of use."""
    ack, una = np.int64(row["ack"]), np.int64(own["snd_una"][side])
    ahead = difference(ack, una)
    if ahead < 0:
        furthest = min(np.int64(own["max_window"][side]), np.int64(own["bytes_acked"][side]))
        if own["known"][side] == OPENED and -ahead > furthest:
            return
        if row["sack_count"] > 0 and agreed(own, O_SACK_PERMITTED):
            segments = dsacked(row, own, side, una, out, used)
            if -ahead <= own["max_window"][side] and own["packets_out"][side] > 0:
                blocks(row, own, side, una, segments > 0, pool, out, used)
        return
    if difference(ack, own["snd_nxt"][side]) > 0:
        if own["known"][side] != FOUND_OPEN:
            return
        own["snd_nxt"][side] = row["ack"]
    waiting = np.int64(own["packets_out"][side])
    fast = not handshake and is_predicted(row, own, side, scale(own, 1 - side), agreed(own, O_TIMESTAMPS))
    count_ack(row, own, side, fast, ahead > 0, out, used)
    moved = False
    if not fast:
        moved = updates_window(row, own, side, ahead > 0)
    own["snd_una"][side] = ack
    own["bytes_acked"][side] += ahead
    repeats: Int = 0
    fresh: Int = 0
    with_sack = agreed(own, O_SACK_PERMITTED) or own["known"][side] == FOUND_OPEN
    if row["sack_count"] > 0 and with_sack and not fast:
        repeats = dsacked(row, own, side, una, out, used)
        if waiting > 0:
            fresh = blocks(row, own, side, una, repeats > 0, pool, out, used)
    if waiting == 0:
        delivers(row, own, side, repeats, 0, out, used)
        return
    total, unreported, guessed = acknowledge(pool, own, side, ack)
    if with_sack:
        recovered(own, side)
        delivers(row, own, side, repeats + fresh + unreported, guessed, out, used)
    else:
        again_ack = ahead == 0 and not moved and row["payload_len"] == 0 and not row["flags"] & (FIN | SYN)
        delivers(row, own, side, without_sack(row, pool, own, side, total, again_ack, ahead > 0), guessed, out, used)


@inline
def updates_window(row: Any, own: Any, side: Int, advances: Any) -> Any:
    """tcp_ack_update_window(): take over the window that is offered; is it counted for news?"""
    ahead = difference(row["seq"], own["snd_wl1"][side])
    window = np.int64(row["window"]) << (np.int64(0) if row["flags"] & SYN else scale(own, 1 - side))
    news = advances or ahead > 0 or (ahead == 0 and (window > own["snd_wnd"][side] or window == 0))
    if news:
        own["snd_wl1"][side] = row["seq"]
        if own["snd_wnd"][side] != window:
            own["snd_wnd"][side] = window
            own["predicts"][side] = 1 if own["rcv_high"][side] == own["rcv_nxt"][side] and own["rcv_wnd"][side] else 0
            own["max_window"][side] = max(np.int64(own["max_window"][side]), window)
    return news


@inline
def block(row: Any, which: Int) -> tuple[Int, Int]:
    """A SACK block."""
    if which == 0:
        return np.int64(row["sack_left_1"]), np.int64(row["sack_right_1"])
    if which == 1:
        return np.int64(row["sack_left_2"]), np.int64(row["sack_right_2"])
    if which == 2:
        return np.int64(row["sack_left_3"]), np.int64(row["sack_right_3"])
    return np.int64(row["sack_left_4"]), np.int64(row["sack_right_4"])


@inline
def dsacked(row: Any, own: Any, side: Int, una: Int, out: Any, used: Any) -> Int:
    """tcp_check_dsack(), tcp_dsack_seen(): how many segments a DSACK reports, if it is believed."""
    left, right = block(row, 0)
    if difference(left, row["ack"]) >= 0:
        if row["sack_count"] < 2:
            return np.int64(0)
        left_2, right_2 = block(row, 1)
        if difference(right, right_2) > 0 or difference(left, left_2) < 0:
            return np.int64(0)
    found: Int = 0
    size = difference(right, left)
    if 0 < size <= own["max_window"][side]:
        mss = mss_cache(own, side)
        found = (size + mss - 1) // mss
        own["dsack_dups"][side] += found
        if own["known"][side] == FOUND_OPEN:
            add_range(row, DSACK_SEGS, found, 0, found, out, used)
            add_range(row, DSACK_DUBIOUS, 0, 0, 1, out, used)
            return found
        if own["dsack_dups"][side] > own["total_retrans"][side]:
            found = np.int64(0)
    if found:
        add(row, DSACK_SEGS, found, out, used)
    else:
        add(row, DSACK_DUBIOUS, 1, out, used)
    return found


@inline
def blocks(row: Any, own: Any, side: Int, una: Int, is_dsack: Any, pool: Any, out: Any, used: Any) -> Int:
    """tcp_sacktag_write_queue(): the SACK blocks of an ACK; how many segments they report for the first time."""
    fresh: Int = 0
    for which in range(min(np.int64(row["sack_count"]), np.int64(4))):
        left, right = block(row, which)
        turned = difference(right, own["snd_nxt"][side]) > 0 or difference(right, left) <= 0
        if not turned and difference(left, own["snd_una"][side]) > 0:
            fresh += sacked(pool, own, side, left, right)
        elif is_dsack and which == 0:
            ignores(row, own, side, right, turned, out, used)
        elif row["ack"] == own["snd_una"][side] or difference(right, own["snd_una"][side]) > 0:
            add_range(row, SACK_DISCARD, 1, 0 if own["known"][side] == FOUND_OPEN else 1, 1, out, used)
    return fresh


@inline
def ignores(row: Any, own: Any, side: Int, right: Int, turned: Any, out: Any, used: Any) -> None:
    """tcp_is_sackblock_valid(): a DSACK that is believed, and of use only while there is something to undo.

    Whether the episode was undone since is in no packet; that none has begun is.
    """
    if own["known"][side] == FOUND_OPEN:
        add_range(row, DSACK_NO_UNDO, 0, 0, 1, out, used)
        add_range(row, DSACK_OLD, 0, 0, 1, out, used)
    elif not own["episodes"][side] and row["sack_count"] == 1:
        add(row, DSACK_NO_UNDO, 1, out, used)
    else:
        add_range(row, DSACK_NO_UNDO, 0, 0, 1, out, used)
        # With other blocks an episode may have begun whose retransmissions are still to come.
        if turned or row["sack_count"] > 1 or difference(right, own["undo_latest"][side]) <= 0:
            old = turned or difference(right, own["undo_marker"][side]) <= 0
            add_range(row, DSACK_OLD, 1 if old else 0, 0, 1, out, used)


@inline
def without_sack(row: Any, pool: Any, own: Any, side: Int, total: Int, repeats: Any, advances: Any) -> Int:
    """tcp_remove_reno_sacks(), tcp_fastretrans_alert(): duplicate ACKs stand for segments that arrived; how many did."""
    found: Int = 0
    if total > 0:
        found = max(total - np.int64(own["sacked_out"][side]), np.int64(1))
        own["sacked_out"][side] = max(np.int64(0), np.int64(own["sacked_out"][side]) - (total - 1))
        limit_sacked(pool, own, side)
    done = difference(own["snd_una"][side], own["high_seq"][side])
    if advances and own["repair"][side] != OPEN and row["options"] & O_TIMESTAMPS:
        if difference(row["tsecr"], own["retrans_stamp"][side]) < 0:  # tcp_packet_delayed()
            own["lost_seq"][side] = own["snd_una"][side]
            if own["repair"][side] == RECOVERY and done < 0:
                own["repair"][side] = OPEN
                return found
    repair = np.int64(own["repair"][side])
    if repair != OPEN and done >= 0:
        own["sacked_out"][side] = 0
        if done == 0:  # tcp_is_non_sack_preventing_reopen()
            return found
        repair = OPEN
        own["repair"][side] = OPEN
    if repair == LOSS and difference(own["snd_nxt"][side], own["high_seq"][side]) <= 0:
        repeats = False
    if repair != RECOVERY and advances:
        own["sacked_out"][side] = 0
    if repeats:
        before = np.int64(own["sacked_out"][side])
        own["sacked_out"][side] += 1
        limit_sacked(pool, own, side)
        found += max(np.int64(0), np.int64(own["sacked_out"][side]) - before)
    return found


@inline
def limit_sacked(pool: Any, own: Any, side: Int) -> None:
    """tcp_limit_reno_sacked(): what is lost has not arrived, and one segment is at least."""
    lost: Int = 1
    if own["repair"][side] == LOSS:
        lost = max(lost, below(pool, own, side, np.int64(own["lost_seq"][side])))
    most = max(np.int64(0), np.int64(own["packets_out"][side]) - lost)
    own["sacked_out"][side] = min(np.int64(own["sacked_out"][side]), most)


@inline
def delivers(row: Any, own: Any, side: Int, count: Int, guessed: Int, out: Any, used: Any) -> None:
    """tcp_newly_delivered()."""
    if count == 0:
        return
    add_range(row, DELIVERED, count, count - guessed, count, out, used)
    if row["flags"] & ECE and not row["flags"] & SYN:
        answer = own["asks"][0] if own["asks"][0] & ACK else own["asks"][1]
        both = own["asks"][0] & own["asks"][1] & ECE
        if answer & (ECE | CWR | AE) == ECE and both:
            add(row, DELIVERED_CE, count, out, used)
        elif own["known"][side] == FOUND_OPEN or both:
            add_range(row, DELIVERED_CE, 0, 0, count, out, used)
