"""Compiled prediction of how the host's receiver answers: delayed and compressed ACKs, and windows it would rather have closed."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.arrival.blocks_kernel import clear_blocks, note_block
from analyzer.prediction.arrival.receiver_kernel import window_shift
from analyzer.prediction.arrival.state import (
    AT_ONCE_NS,
    ATO_LATE_NS,
    ATO_MAX_NS,
    ATO_MIN_NS,
    ATO_NS,
    ATO_TICK_NS,
    BLOCKS_EXPECTED,
    DUPLICATES,
    FIRST_SEGMENTS,
    IN_ORDER,
    LEAST_MSS,
    NOTHING_NEW,
    OUT_OF_ORDER,
    QUIET_NS,
    REFUSED,
    WINDOW_PART,
)
from analyzer.prediction.emit_kernel import add_range, segment_size
from analyzer.prediction.names import NUMBER
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16

DELAYED_ACKS, ACK_COMPRESSED = NUMBER["TcpExtDelayedACKs"], NUMBER["TcpExtTCPAckCompressed"]
DELAYED_ACK_LOCKED = NUMBER["TcpExtDelayedACKLocked"]
WANT_ZERO_WINDOW = NUMBER["TcpExtTCPWantZeroWindowAdv"]


@part
def answer_due(row: Any, talk: Any, own: Any, found: Int, most: Int, out: Any) -> None:
    """tcp_ack_snd_check(): keep what a segment to the host asks for, after arrival_received() said what it was.

    It holds back `most` ACKs at most for segments out of order.
    """
    side = 1 - np.int64(row["direction"])
    own["bare_ns"][side] = 0
    if found == REFUSED:  # that may be answered too, and then it is not the timer that answers
        own["data_ns"][side] = row["time_ns"]
    if row["payload_len"] == 0 and not row["flags"] & FIN:
        own["heard_ns"][side] = row["time_ns"]
        if found == NOTHING_NEW and own["held"][side] > 0:  # whether an ACK is due is asked again: held back once more
            own["held"][side] += 1
            own["bare_ns"][side] = row["time_ns"]
        return
    own["data_ns"][side] = row["time_ns"]
    if own["due_ns"][side] == 0:
        own["due_ns"][side] = row["time_ns"]
    size = min(np.int64(row["payload_len"]), segment_size(row, talk))
    own["mss"][side] = max(np.int64(own["mss"][side]), size)
    own["direct"][side] = 1
    own["soon"][side] = found == IN_ORDER and own["mss"][side] == 0 and not talk["fin"][side]
    if found == IN_ORDER:
        estimate(row, own, side)
        clear_blocks(own, side)
        if own["queue"][
            side
        ]:  # the next hole: this segment is the first of those answered at once, or comes before them
            own["counted_at"][side], own["counted"][side] = own["next"][side], 1
    elif found == OUT_OF_ORDER and own["sack"][0] and own["sack"][1]:
        hold_back(row, own, side, most, out)


@inline
def estimate(row: Any, own: Any, side: Int) -> None:
    """tcp_event_data_recv(): for how long to delay an ACK, by how fast data comes."""
    ato: Int = np.int64(own["ato_ns"][side])
    gap = row["time_ns"] - own["data_last_ns"][side]
    if ato == 0:
        ato = ATO_MIN_NS
    elif gap <= ATO_MIN_NS >> 1:
        ato = (ato >> 1) + (ATO_MIN_NS >> 1)
    elif gap < ato:
        ato = (ato >> 1) + gap
    own["ato_ns"][side], own["data_last_ns"][side] = ato, row["time_ns"]


@inline
def hold_back(row: Any, own: Any, side: Int, most: Int, out: Any) -> None:
    """__tcp_ack_snd_check(): the first segments out of order are answered at once, later ones by a timer, together."""
    if own["joins"][side] == 2:
        own["joined"][side] += 1 if own["counted"][side] >= DUPLICATES and most > 0 else 0
        own["counted"][side] = DUPLICATES  # how many were answered at once is not certain any more
        return
    if own["counted_at"][side] != own["next"][side]:
        own["counted_at"][side], own["counted"][side] = own["next"][side], 0
    left = np.int64(row["seq"])
    space = np.int64(row["payload_len"]) + (row["flags"] & FIN)
    block = note_block(own, side, left, left + space & 0xFFFFFFFF)
    if block >= BLOCKS_EXPECTED and own["held"][side] > 0:
        saved(row, own, side, np.int64(own["held"][side]) - 1, out)  # what was held back goes out first
        own["early"][side] = 1
    elif own["held"][side] >= most:
        pass  # answered at once
    elif own["counted"][side] < DUPLICATES:
        own["counted"][side] += 1
    else:
        own["held"][side] += 1
        own["doubted"][side] += np.int64(own["joins"][side])
        own["direct"][side] = 0


@part
def answer_sent(row: Any, talk: Any, own: Any, rtt_ns: Int, out: Any) -> None:
    """tcp_event_ack_sent(), tcp_delack_timer_handler(), tcp_select_window(): a segment of the host; called before arrival_sent().

    `rtt_ns`: as the host has measured it, 0 if it has not.
    """
    side, flags = np.int64(row["direction"]), np.int64(row["flags"])
    if flags & (SYN | RST) or not flags & ACK or not own["ready"][side]:
        own["due_ns"][side] = own["held"][side] = own["doubted"][side] = own["early"][side] = own["widest"][side] = 0
        own["joined"][side] = 0
        own["told"][side] = row["ack"]
        return
    bare = row["payload_len"] == 0 and not flags & FIN
    if own["held"][side] or own["early"][side] or own["doubted"][side] or own["joined"][side]:
        compressed(row, own, side, bare, out)
    shift = window_shift(own, side)
    unit = 1 << shift
    window = np.int64(row["window"]) << shift
    moved: Int = difference(np.int64(row["ack"]) + window, own["edge"][side])
    if (
        bare
        and own["due_ns"][side]
        and difference(row["ack"], own["told"][side]) > 0
        and by_timer(row, own, side, moved < unit)
    ):
        # As good as due, it is also sent for what asks for no answer itself (tcp_send_delayed_ack()).
        asked = row["time_ns"] - own["heard_ns"][side] < AT_ONCE_NS
        unsure = asked or made_room(row, talk, own, side, moved >= unit, rtt_ns)
        add_range(row, DELAYED_ACKS, 0 if asked else 1, 0 if unsure else 1, 1, out)
        own["ato_ns"][side] = min(2 * np.int64(own["ato_ns"][side]), ATO_MAX_NS)
    if own["due_ns"][side] and row["time_ns"] - own["due_ns"][side] >= ATO_NS - ATO_TICK_NS:
        add_range(
            row, DELAYED_ACK_LOCKED, 0, 0, 1, out
        )  # the application may have held the socket as the timer ran out
    own["due_ns"][side] = 0
    own["widest"][side] = max(np.int64(own["widest"][side]), window)
    known = own["scales"][0] and own["scales"][1] and own["mss"][side] > 0  # only what was received takes room
    if known and 0 <= moved < unit and difference(own["edge"][side], row["ack"]) > 0:
        # The right edge stays: what was offered is not taken back. How much memory is left, only the socket knows.
        add_range(row, WANT_ZERO_WINDOW, 1 if wants_zero(row, own, side) else 0, 0, 1, out)
    if moved >= unit:
        own["crowd"][side] = 0
    own["told"][side] = row["ack"]


@inline
def by_timer(row: Any, own: Any, side: Int, kept: Any) -> Any:
    """tcp_delack_timer(): did the timer send this ACK? A reader that makes room may answer as well, at any time.

    The timer runs for 40 ms or more; not at all before the first data (tcp_event_data_recv() sets icsk_ack.ato).
    """
    waited = row["time_ns"] - own["due_ns"][side]
    if own["soon"][side]:
        return waited >= AT_ONCE_NS
    if row["time_ns"] - own["data_ns"][side] < QUIET_NS:
        return False
    return waited >= ATO_NS or (waited >= ATO_NS - ATO_TICK_NS and kept)


@inline
def made_room(row: Any, talk: Any, own: Any, side: Int, opens: Any, rtt_ns: Int) -> Any:
    """May a reader that made room have answered, since the timer was not due yet, or only just?

    It takes longer after each ACK that it sent, up to a round trip, unless the host sends data itself (inet_csk_in_pingpong_mode()).
    """
    longest = min(np.int64(own["ato_ns"][side]), max(rtt_ns, ATO_MIN_NS)) + ATO_LATE_NS
    listens = difference(row["seq"], talk["iss"][side]) == 1
    return opens and listens and row["time_ns"] - own["due_ns"][side] < longest


@inline
def wants_zero(row: Any, own: Any, side: Int) -> Any:
    """__tcp_select_window(): is there so little room that the window would be closed, were it not open already?"""
    mss: Int = max(np.int64(own["mss"][side]), np.int64(LEAST_MSS))
    widest = np.int64(own["widest"][side])
    offered = difference(own["edge"][side], row["ack"])
    free = offered
    if widest < FIRST_SEGMENTS * mss:  # the window is the whole buffer
        free = min(free, widest - np.int64(own["stored"][side]))
    return offered > 0 and free < max(mss, widest // WINDOW_PART)


@inline
def compressed(row: Any, own: Any, side: Int, bare: Any, out: Any) -> None:
    """ACKs that data out of order was owed and that this segment saves; one that answers nothing else is one of them."""
    if own["early"][side] and bare:
        own["early"][side] = 0
        return
    held = np.int64(own["held"][side])
    if own["bare_ns"][side] and not bare and row["time_ns"] - own["bare_ns"][side] < AT_ONCE_NS:
        held -= 1  # that ACK made room for this data, which went out first
    saved(row, own, side, held - 1 if bare and not own["direct"][side] else held, out)
    own["early"][side] = 0


@inline
def saved(row: Any, own: Any, side: Int, many: Int, out: Any) -> None:
    """So many ACKs were saved, unless segments joined in the backlog; and more, if those that seem to have joined did not."""
    many = max(0, many)
    joined = np.int64(own["joined"][side])
    if many + joined > 0:
        least = max(0, many - np.int64(own["doubted"][side]))
        add_range(row, ACK_COMPRESSED, many, least, many + joined, out)
    own["held"][side] = own["doubted"][side] = own["joined"][side] = 0
