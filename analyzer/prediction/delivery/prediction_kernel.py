"""Compiled model of header prediction: does an acknowledgment take the fast path of tcp_rcv_established()?"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.delivery.offers_kernel import agreed, mss_cache, scale
from analyzer.prediction.delivery.state import EARLY_TIMES, SPOKEN
from analyzer.prediction.emit_kernel import add, add_range, add_then
from analyzer.prediction.names import NUMBER
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, ACK = 1, 2, 16
ALL_BUT_PSH = 0x1F7
AT_ONCE_NS = 1_000_000  # what an ACK lets go is sent within that
IDLE_NS = 100_000_000  # more than pacing delays a segment
EARLY_NS = 5_000_000
MOST_NS = 2_000_000_000
RACE_NS = 200_000  # what the host sends so soon after a frame was captured may have been under way before the stack looked at that
OVERTAKEN_NS = 4_000  # and probably was

DELIVERED = NUMBER["TcpExtTCPDelivered"]
PURE_ACKS, HP_ACKS = NUMBER["TcpExtTCPPureAcks"], NUMBER["TcpExtTCPHPAcks"]
TOGETHER = NUMBER["TcpExtTCPPureAcks+TcpExtTCPHPAcks"]


@inline
def is_predicted(row: Any, own: Any, side: Int) -> Any:
    """Is the segment the one that pred_flags expects?"""
    if not own["predicts"][side] or own["fin"][side] or own["fin_received"][side]:
        return False
    if row["flags"] & ALL_BUT_PSH != ACK or np.int64(row["window"]) != own["snd_wnd"][side] >> scale(own, 1 - side):
        return False
    timestamps = agreed(own, O_TIMESTAMPS)
    if row["seq"] != own["rcv_nxt"][side] or row["header_len"] != (32 if timestamps else 20):
        return False
    stamped = row["options"] & O_TIMESTAMPS and difference(row["tsval"], own["ts_recent"][side]) >= 0
    return stamped or not timestamps


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
def count_ack(row: Any, own: Any, side: Int, fast: Any, advances: Any, out: Any) -> None:
    """What tcp_ack() counts for the segment itself."""
    pure = row["payload_len"] == 0 and not row["flags"] & (FIN | SYN)
    if pure:
        if own["handshake_acks"][side] != SPOKEN:
            own["handshake_acks"][side] += 1
        if fast and advances:
            note_early(row, own, side)
            add(row, HP_ACKS, 1, out)
            own["race_fast"][side] += 1
        else:
            add(row, PURE_ACKS, 1, out)
            own["race_pure"][side] += 1
        add(row, TOGETHER, 1, out)
    elif fast and advances:
        add_range(row, HP_ACKS, 1, 0, 1, out)
        add_range(row, TOGETHER, 1, 0, 1, out)


@inline
def note_early(row: Any, own: Any, side: Int) -> None:
    """Keep when the ACK came; with too many times, the nearest two become one."""
    times: Int = np.int64(own["early_times"][side])
    if times and row["time_ns"] - own["early_ns"][side, times - 1] < EARLY_NS:
        own["early"][side, times - 1] += 1
        return
    if times == EARLY_TIMES:
        nearest: Int = 1
        for k in range(2, times):
            gap = own["early_ns"][side, k] - own["early_ns"][side, k - 1]
            if gap < own["early_ns"][side, nearest] - own["early_ns"][side, nearest - 1]:
                nearest = k
        own["early"][side, nearest - 1] += own["early"][side, nearest]
        times -= 1
        for k in range(nearest, times):
            own["early_ns"][side, k], own["early"][side, k] = own["early_ns"][side, k + 1], own["early"][side, k + 1]
    own["early_ns"][side, times], own["early"][side, times] = row["time_ns"], 1
    own["early_times"][side] = times + 1


@inline
def closes(row: Any, own: Any, side: Int, out: Any) -> None:
    """tcp_close(): FIN_WAIT_1 has no fast path, and begins when the FIN is queued, which may be long before it is sent.

    A FIN behind data that was not sent yet goes with the last of it (tcp_send_fin()). One on its own was queued just now, unless
    the ACK before it let it go.
    """
    at_once = row["time_ns"] - own["last_ns"][side] < AT_ONCE_NS
    waited = own["last_ns"][side] > own["sent_ns"][side] and (own["packets_out"][side] > 0 or own["episodes"][side])
    if row["payload_len"] == 0 and not (at_once and waited):
        own["early_times"][side] = 0
        return
    widens(row, own, side, out)


@inline
def widens(row: Any, own: Any, side: Int, out: Any) -> None:
    """The ACKs that came early may have met a socket that was closed already."""
    for k in range(np.int64(own["early_times"][side])):
        count = np.int64(own["early"][side, k])
        for counter, least, most in ((HP_ACKS, -count, np.int64(0)), (PURE_ACKS, np.int64(0), count)):
            add_then(row, own["early_ns"][side, k], row["frame"], counter, 0, least, most, out)
    own["early_times"][side] = 0


@inline
def writes(row: Any, own: Any, side: Int, full: Int) -> None:
    """New data some time after all was acknowledged: it was written now, so that the socket is not closed.

    Into a window that is smaller than a segment, the timer of tcp_probe_timer() sends a part of what waits. And what is paced
    (BBR) may follow as late as an acknowledgment comes.
    """
    paced_ns = np.int64(own["sent_ns"][side]) + 2 * np.int64(own["slowest_ns"][side])
    late_ns = row["time_ns"] - max(np.int64(own["last_ns"][side]), paced_ns)
    if own["packets_out"][side] == 0 and late_ns > IDLE_NS and own["snd_wnd"][side] >= full:
        own["early_times"][side] = 0


@inline
def note_pace(row: Any, own: Any, side: Int) -> None:
    """All is acknowledged: keep how long that took at most, which is as much as pacing delays a segment."""
    if own["sent_ns"][side]:
        took_ns = min(np.int64(row["time_ns"]) - np.int64(own["sent_ns"][side]), MOST_NS)
        own["slowest_ns"][side] = max(np.int64(own["slowest_ns"][side]), took_ns)


@inline
def may_be_held(row: Any, own: Any, side: Int) -> Any:
    """May data wait to be sent, with a FIN behind it, when a segment comes that ends the connection?

    Not where all was acknowledged some time ago, and the window has room for a segment: then everything was sent.
    """
    if own["packets_out"][side] > 0 or own["snd_wnd"][side] < mss_cache(own, side):
        return True
    return row["time_ns"] - own["last_ns"][side] < AT_ONCE_NS and own["race_fast"][side] + own["race_pure"][side] > 0


@inline
def begin_race(row: Any, own: Any, side: Int) -> None:
    """A segment some time after the one before: that one was looked at when it came."""
    if row["time_ns"] - own["last_ns"][side] > RACE_NS:
        own["race_ns"][side] = row["time_ns"]
        own["race_pure"][side] = own["race_fast"][side] = own["race_delivered"][side] = 0


@inline
def overtaken(row: Any, own: Any, side: Int, out: Any) -> None:
    """A reset of the host: it may have been under way when an ACK was captured, which then found no connection any more."""
    if row["time_ns"] - own["last_ns"][side] > RACE_NS:
        return
    was = 1 if row["time_ns"] - own["race_ns"][side] <= OVERTAKEN_NS else 0
    pure, fast = np.int64(own["race_pure"][side]), np.int64(own["race_fast"][side])
    for counter, count in ((PURE_ACKS, pure), (HP_ACKS, fast), (TOGETHER, pure + fast)):
        if count:
            add_range(row, counter, -was * count, -count, 0, out)
    if own["race_delivered"][side]:
        count = np.int64(own["race_delivered"][side])
        add_range(row, DELIVERED, -was * count, -count, 0, out)


@inline
def not_taken(row: Any, own: Any, side: Int, sure: Any, out: Any) -> None:
    """tcp_check_req(): a full listener drops the ACKs that would end the handshake, or answers them with a reset."""
    count = np.int64(own["handshake_acks"][side])
    if count > 0:
        most = -count if sure else np.int64(0)
        add_range(row, PURE_ACKS, most, -count, most, out)
        add_range(row, TOGETHER, most, -count, most, out)
    own["handshake_acks"][side] = 0


@inline
def after_segment(row: Any, own: Any, side: Int, end: Int, out: Any) -> None:
    """What the segment leaves for the next: tcp_data_queue(), tcp_replace_ts_recent()."""
    if row["flags"] & FIN and own["packets_out"][side] > 0 and not own["fin"][side]:
        widens(row, own, side, out)  # its own FIN may never get out
    own["last_ns"][side] = row["time_ns"]
    newer = row["options"] & O_TIMESTAMPS and difference(row["tsval"], own["ts_recent"][side]) > 0
    if newer and difference(row["seq"], own["rcv_wup"][side]) <= 0:
        own["ts_recent"][side] = row["tsval"]
    if row["payload_len"] > 0 or row["flags"] & FIN:
        if difference(end, own["rcv_high"][side]) > 0:
            own["rcv_high"][side] = end
        if difference(row["seq"], own["rcv_nxt"][side]) <= 0:
            if difference(end, own["rcv_nxt"][side]) > 0:
                own["rcv_nxt"][side] = end
            if row["flags"] & FIN:
                own["fin_received"][side] = 1
        waits = difference(own["rcv_high"][side], own["rcv_nxt"][side]) > 0
        own["predicts"][side] = 0 if waits or own["rcv_wnd"][side] == 0 else 1
