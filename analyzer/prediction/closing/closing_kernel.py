"""Compiled prediction of how connections end: TIME_WAIT, and the aborts that tcp_close() and tcp_rcv_state_process() count.

A timewait socket is counted as it is made, not as its timer ends: when FIN_WAIT_2 begins for a socket that its application has
closed, else when TIME_WAIT begins (tcp_time_wait(), __inet_twsk_schedule()).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_MPTCP
from analyzer.flows.hash_kernel import place_in, sort_of
from analyzer.kinds import NUMBER as EVENT
from analyzer.prediction.closing.state import AT_ONCE_NS, SAME_TIME_NS, TIME_WAIT_NS, TIMER_NS, WAITS, WOKEN_NS
from analyzer.prediction.emit_kernel import add, add_range, add_then
from analyzer.prediction.names import NUMBER
from analyzer.prediction.state import ESTABLISHED
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16
DO_NOT_FRAGMENT = 2

TW, TW_KILLED, TW_RECYCLED = (NUMBER[f"TcpExt{name}"] for name in ("TW", "TWKilled", "TWRecycled"))
ON_CLOSE, ON_DATA = NUMBER["TcpExtTCPAbortOnClose"], NUMBER["TcpExtTCPAbortOnData"]
ON_TIMEOUT, ON_LINGER = NUMBER["TcpExtTCPAbortOnTimeout"], NUMBER["TcpExtTCPAbortOnLinger"]
ON_MEMORY = NUMBER["TcpExtTCPAbortOnMemory"]
AGAIN_BIT = np.uint64(1 << EVENT["retransmission"] | 1 << EVENT["capture_duplicate"])
MIX = np.uint64(0x9E3779B97F4A7C15)


@part
def closing_received(row: Any, talk: Any, own: Any, before: Int, accepted: Any, world: Any, out: Any) -> None:
    """A segment to the host, after it was applied to `talk`: tcp_fin(), tcp_rcv_state_process(), tcp_timewait_state_process().

    Of one that its socket has not `accepted`, no more is taken than that it came.
    """
    other, flags = np.int64(row["direction"]), row["flags"]
    side = 1 - other
    if flags & RST:
        if before == ESTABLISHED and talk["gone"][side] and waits_for_fin(own, side) and not own["counted"][side]:
            # Nobody can tell whether the application had closed it, which makes a timewait socket of it.
            add_then(row, own["acked_ns"][side], row["frame"], TW, 1, 0, 1, out)
        if own["counted"][side]:
            world["waits"][place_of(row, False)]["until_ns"] = 0
        own["reset"][side] |= talk["gone"][side]
        return
    if own["reset"][side] or not talk["established"][side]:
        return
    fresh = difference(np.int64(row["seq"]) + np.int64(row["payload_len"]), talk["told"][side]) > 0
    own["last_data"][side] = row["payload_len"] > 0 and fresh
    if not accepted:
        return
    if row["payload_len"] > 0:
        own["heard"][side], own["data_ns"][side] = 1, row["time_ns"]
        if own["acked_frame"][side]:
            own["late_data"][side] = 1
    if flags & FIN:
        own["fin"][other] = 1
        own["fin_end"][other] = np.int64(row["seq"]) + np.int64(row["payload_len"]) + 1 & 0xFFFFFFFF
        if not own["fin"][side]:
            # What it has sent is not all acknowledged: its FIN may wait behind more data, from before this one.
            own["perhaps_first"][side] = difference(talk["high"][side], talk["told"][other]) > 0
    if (
        flags & ACK
        and own["fin"][side]
        and not own["acked_frame"][side]
        and difference(row["ack"], own["fin_end"][side]) >= 0
    ):
        own["acked_frame"][side], own["acked_ns"][side] = row["frame"], row["time_ns"]
        own["acked_by_data"][side] = own["last_data"][side]
        if own["taken"][side]:  # CLOSING, or LAST_ACK, after which nothing is left
            begin_time_wait(row, own, side, False, world, out)


@part
def closing_sent(row: Any, talk: Any, own: Any, before: Int, world: Any, out: Any) -> None:
    """A segment of the host: tcp_send_fin(), tcp_send_active_reset(), tcp_v4_send_reset(), __inet_check_established()."""
    side, flags = np.int64(row["direction"]), row["flags"]
    other = 1 - side
    if flags & (SYN | ACK | RST) == SYN and not row["events"] & AGAIN_BIT:
        recycled(row, world["waits"], out)
    if own["reset"][side] or not talk["established"][side]:
        return
    if flags & RST:
        if before == ESTABLISHED:
            if row["options"] & O_MPTCP:
                pass  # mptcp_do_fastclose(), mptcp_subflow_reset(): not TCP's decision, and counted by MPTCP
            elif flags & ACK:
                closed(row, talk, own, world, out)
            else:
                refused(row, own, world, out)
            own["reset"][side] = 1
        return
    takes = flags & ACK and own["fin"][other] and difference(row["ack"], own["fin_end"][other]) >= 0
    if flags & FIN and not own["fin"][side]:
        own["fin"][side] = 1
        own["fin_ns"][side] = row["time_ns"]
        own["fin_end"][side] = np.int64(row["seq"]) + np.int64(row["payload_len"]) + 1 & 0xFFFFFFFF
        own["first"][side] = not takes
    if takes and not own["taken"][side]:
        own["taken"][side] = 1
        if own["acked_frame"][side]:
            begin_time_wait(row, own, side, True, world, out)


@inline
def waits_for_fin(own: Any, side: Int) -> Any:
    """Is it in FIN_WAIT_2?"""
    return own["first"][side] and own["acked_frame"][side] != 0 and not own["taken"][side]


@inline
def begin_time_wait(row: Any, own: Any, side: Int, sent: Any, world: Any, out: Any) -> None:
    """Both ends have closed and know it: TIME_WAIT, if this end was the first.

    For an application that had closed the socket it was counted as FIN_WAIT_2 began. In IPv4 the answer to the FIN tells: a
    timewait socket has no counter for the identification, and sends 0.
    """
    if own["counted"][side] or not (own["first"][side] or own["perhaps_first"][side]):
        return
    own["counted"][side] = 1
    began = np.int64(own["acked_ns"][side])
    if not own["first"][side]:
        add_range(row, TW, 0, 0, 1, out)
    elif own["late_data"][side] or (row["time_ns"] - began < SAME_TIME_NS and not world["brief"]):
        add(row, TW, 1, out)
    elif row["ip_version"] == 4 and row["ip_flags"] & DO_NOT_FRAGMENT:
        if row["ip_id"] == 0:
            orphaned(row, own, side, world, 1, out)
        else:
            add(row, TW, 1, out)
    else:
        orphaned(row, own, side, world, 0, out)
        add_range(row, TW, 0, 0, 1, out)
    wait = world["waits"][place_of(row, sent)]
    wait["until_ns"] = row["time_ns"] + TIME_WAIT_NS
    wait["my_hi"], wait["my_lo"] = (row["src_hi"], row["src_lo"]) if sent else (row["dst_hi"], row["dst_lo"])
    wait["your_hi"], wait["your_lo"] = (row["dst_hi"], row["dst_lo"]) if sent else (row["src_hi"], row["src_lo"])
    wait["my_port"] = row["src_port"] if sent else row["dst_port"]
    wait["your_port"] = row["dst_port"] if sent else row["src_port"]


@inline
def orphaned(row: Any, own: Any, side: Int, world: Any, sure: Int, out: Any) -> None:
    """A timewait socket was made as FIN_WAIT_2 began: surely, or perhaps. Its life is that setting, or longer for a slow peer."""
    began = np.int64(own["acked_ns"][side])
    if world["brief"]:
        add_then(row, began, row["frame"], TW_KILLED, 1, 0, 1, out)
        add_then(row, began, row["frame"], TW, 0, 0, 1, out)
    else:
        add_then(row, began, row["frame"], TW, 1, sure, 1, out)


@inline
def recycled(row: Any, waits: Any, out: Any) -> None:
    """A first SYN from addresses and ports that are in TIME_WAIT here takes their place."""
    wait = waits[place_of(row, True)]
    if (
        wait["until_ns"] != 0
        and wait["my_port"] == row["src_port"]
        and wait["your_port"] == row["dst_port"]
        and wait["my_lo"] == row["src_lo"]
        and wait["your_lo"] == row["dst_lo"]
        and wait["my_hi"] == row["src_hi"]
        and wait["your_hi"] == row["dst_hi"]
    ):
        late = np.int64(row["time_ns"]) - wait["until_ns"]
        if late < TIMER_NS:
            sure = 1 if late < 0 else 0
            add_range(row, TW_RECYCLED, sure, sure, 1, out)
        wait["until_ns"] = 0


@inline
def place_of(row: Any, sent: Any) -> Int:
    """Where a connection in TIME_WAIT is remembered."""
    ports = np.uint64(row["src_port"]) << np.uint64(16) | np.uint64(row["dst_port"])
    if not sent:
        ports = np.uint64(row["dst_port"]) << np.uint64(16) | np.uint64(row["src_port"])
    mixed = (row["src_lo"] ^ row["dst_lo"] ^ row["src_hi"] ^ row["dst_hi"] ^ ports << np.uint64(17) ^ ports) * MIX
    return place_in(np.int64(WAITS), sort_of(row), mixed >> np.uint64(40))


@inline
def closed(row: Any, talk: Any, own: Any, world: Any, out: Any) -> None:
    """tcp_send_active_reset(): which of its callers it was. Unread data, SO_LINGER and timers are in no packet; they leave signs."""
    side = np.int64(row["direction"])
    unread = world["unread"] != 0
    heard = 1 if own["heard"][side] or not (talk["offered"][0] or talk["offered"][1]) else 0
    given_up = talk["timeout_frame"][side] != 0  # nothing has come since its timer sent something
    lingers = waits_for_fin(own, side) and not own["late_data"][side]
    if waits_for_fin(own, side):
        unread = own["late_data"][side] != 0
    by_timeout = 1 if given_up and not unread else 0
    by_linger = 1 if lingers and not by_timeout else 0
    by_close = 1 if unread and heard and row["time_ns"] - own["data_ns"][side] > WOKEN_NS else 0
    # tcp_close() sends the FIN, and then finds that there are too many orphans.
    may_be_memory = own["fin"][side] and not own["acked_frame"][side]
    at_once = row["time_ns"] - own["fin_ns"][side] < AT_ONCE_NS
    by_memory = 1 if may_be_memory and at_once and not (by_timeout or by_linger or by_close) else 0
    by_data = 1 if not (by_timeout or by_linger or by_close or by_memory) else 0
    if given_up:
        add_range(row, ON_TIMEOUT, by_timeout, 0, 1, out)
    if lingers:
        add_range(row, ON_LINGER, by_linger, 0, 1, out)
    if heard:
        add_range(row, ON_CLOSE, by_close, 0, 1, out)
    if may_be_memory:
        add_range(row, ON_MEMORY, by_memory, 0, 1, out)
    sure = 1 if not (given_up or lingers or heard or may_be_memory) else 0
    add_range(row, ON_DATA, by_data, sure, 1, out)


@inline
def refused(row: Any, own: Any, world: Any, out: Any) -> None:
    """A reset in answer to a segment for a connection that seemed to live.

    To an orphan in FIN_WAIT_1 data came that nobody can read: it is aborted. In FIN_WAIT_2 an orphan is a timewait socket, which
    counts nothing more. One that had not sent its FIN was closed behind data of its own, or given up in silence.
    """
    side = np.int64(row["direction"])
    if waits_for_fin(own, side) and not own["acked_by_data"][side]:
        if not own["counted"][side]:
            orphaned(row, own, side, world, 1, out)
    elif own["fin"][side]:
        sure = 1 if own["last_data"][side] and not own["taken"][side] else 0
        add_range(row, ON_DATA, sure, sure, 1, out)
    else:
        add_range(row, ON_DATA, 1 if own["last_data"][side] else 0, 0, 1, out)
        add_range(row, ON_TIMEOUT, 0, 0, 1, out)
