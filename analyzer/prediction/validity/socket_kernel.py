"""Compiled model of the host's sockets: how what they send and accept moves their variables (RFC 9293 section 3.10)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_SACK_PERMITTED, O_TIMESTAMPS, O_WINDOW_SCALE
from analyzer.flows.hash_kernel import mix, place_in, sort_of
from analyzer.prediction.rest_kernel import bring
from analyzer.prediction.state import CONNECTION
from analyzer.prediction.validity.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LINKS,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    VALIDITY,
)  # fmt: skip
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16
FIRST_WORD = (
    dict(CONNECTION.fields or {})["validity"][1] // 4
)  # of a connection that is of its sockets, and the one after the last
END_WORD = FIRST_WORD + VALIDITY.itemsize // 4


@inline
def segment_end(row: Any, start: Any) -> Int:
    """The number after the segment, if it began at `start`."""
    flags = row["flags"]
    space = np.int64(row["payload_len"]) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
    return np.int64(start) + space & 0xFFFFFFFF


@inline
def scaled(row: Any, own: Any, sender: Int) -> Int:
    """The window that a segment of this end offers, in bytes."""
    shift: Int = 0
    if not row["flags"] & SYN and own["scale"][sender] and own["scale"][1 - sender]:
        shift = np.int64(own["scale"][sender]) - 1
    return np.int64(row["window"]) << shift


@inline
def reset_side(own: Any, side: Int) -> None:
    """The socket is gone, or another begins."""
    own["state"][side] = CLOSED
    own["full"][side] = own["half_closed"][side] = own["peer_fin"][side] = 0
    own["offered"][side] = own["peer_offered"][side] = 0
    own["window_known"][side] = own["scale"][side] = 0
    own["snd_wnd"][side] = own["max_window"][side] = own["bytes_acked"][side] = 0
    own["recent"][side] = own["fin_end"][side] = 0
    own["recent_ns"][side] = own["oow_ns"][side] = own["rtt_ns"][side] = 0


@inline
def note_syn(row: Any, own: Any, side: Int) -> None:
    """What the SYN or SYN-ACK of the other end says to this one."""
    own["begun"] = 1
    own["irs"][side] = row["seq"]
    own["peer_offered"][side] = 1 if row["options"] & O_TIMESTAMPS else 0
    own["scale"][1 - side] = 1 + np.int64(row["window_scale"]) if row["options"] & O_WINDOW_SCALE else 0
    own["peer_fin"][side] = 0
    own["sack"][1 - side] = 1 if row["options"] & O_SACK_PERMITTED else 0
    if row["options"] & O_TIMESTAMPS:
        own["recent"][side], own["recent_ns"][side] = row["tsval"], row["time_ns"]
    else:
        own["recent"][side], own["recent_ns"][side] = 0, row["time_ns"]


@inline
def accept(row: Any, own: Any, side: Int, current: Any) -> None:
    """A segment that passed all checks: tcp_ack() and tcp_data_queue(). `current` if its acknowledgment is not old."""
    if current:
        if (
            row["options"] & O_TIMESTAMPS
            and difference(row["seq"], own["rcv_wup"][side]) <= 0
            and (own["recent"][side] == 0 or difference(row["tsval"], own["recent"][side]) >= 0)
        ):
            own["recent"][side], own["recent_ns"][side] = row["tsval"], row["time_ns"]
        note_acknowledged(row, own, side)
    end = segment_end(row, row["seq"])
    if difference(end, own["top"][side]) > 0:
        own["top"][side] = end
    if row["flags"] & FIN:
        own["peer_fin"][side], own["peer_fin_end"][side] = 1, end
    if difference(row["seq"], own["rcv_nxt"][side]) <= 0 and difference(end, own["rcv_nxt"][side]) > 0:
        take(row, own, side, end)


@inline
def note_acknowledged(row: Any, own: Any, side: Int) -> None:
    """tcp_ack_update_window(), and what the acknowledgment of the own FIN does to the state."""
    window = scaled(row, own, 1 - side)
    news = difference(row["ack"], own["una"][side])
    ahead = difference(row["seq"], own["snd_wl1"][side])
    if news > 0 or ahead > 0 or (ahead == 0 and (window > own["snd_wnd"][side] or window == 0)):
        own["snd_wl1"][side], own["snd_wnd"][side] = row["seq"], window
        own["max_window"][side] = max(own["max_window"][side], window)
    if news > 0:
        own["una"][side] = row["ack"]
        own["bytes_acked"][side] += news
    state = own["state"][side]
    if state == SYN_RECEIVED:
        if news > 0:
            own["state"][side] = ESTABLISHED
        return
    if difference(own["una"][side], own["fin_end"][side]) < 0:
        return
    if state == FIN_WAIT_1:
        own["state"][side] = FIN_WAIT_2
    elif state == CLOSING:
        to_small_socket(row, own, side)
    elif state == LAST_ACK:
        own["state"][side] = CLOSED


@inline
def to_small_socket(row: Any, own: Any, side: Int) -> None:
    """tcp_time_wait()."""
    own["state"][side] = TIME_WAIT
    own["ended_ns"][side], own["oow_ns"][side] = row["time_ns"], 0


@inline
def take(row: Any, own: Any, side: Int, to: Int) -> None:
    """RCV.NXT moves on, perhaps over a FIN: tcp_fin()."""
    own["rcv_nxt"][side] = to
    if difference(to, own["top"][side]) > 0:
        own["top"][side] = to
    state = own["state"][side]
    if own["peer_fin"][side] and difference(to, own["peer_fin_end"][side]) >= 0:
        if state == ESTABLISHED or state == SYN_RECEIVED:
            own["state"][side] = CLOSE_WAIT
        elif state == FIN_WAIT_1:
            own["state"][side] = CLOSING
        elif state == FIN_WAIT_2:
            to_small_socket(row, own, side)
    elif state == FIN_WAIT_1 or state == FIN_WAIT_2:
        own["half_closed"][side] = 1


@part
def socket_sent(row: Any, own: Any) -> None:
    """__tcp_transmit_skb(): each segment of the host tells what its socket holds."""
    side, flags = np.int64(row["direction"]), row["flags"]
    if flags & SYN:
        sent_syn(row, own, side)
        return
    state = own["state"][side]
    if flags & RST:
        # Without ACK it answers a segment that no socket took; a request, or a socket that connects, stays.
        if flags & ACK or (state != SYN_SENT and state != SYN_RECEIVED and state != TIME_WAIT):
            own["state"][side] = CLOSED
        return
    if state == CLOSED:
        if own["begun"] or not flags & ACK:
            return
        adopt(row, own, side)
    if state == TIME_WAIT:
        return
    end = segment_end(row, row["seq"])
    if difference(end, own["nxt"][side]) > 0:
        own["nxt"][side] = end
    if flags & FIN and (state == ESTABLISHED or state == CLOSE_WAIT or state == SYN_RECEIVED):
        own["fin_end"][side] = end
        own["state"][side] = LAST_ACK if state == CLOSE_WAIT else FIN_WAIT_1
    if not flags & ACK:
        return
    own["rcv_wnd"][side] = scaled(row, own, side)
    own["rcv_wup"][side] = row["ack"]
    own["holes"][side] = 1 if row["sack_count"] > 0 else 0
    if row["options"] & O_TIMESTAMPS:
        own["last_tsval"][side] = row["tsval"]
    ahead = difference(row["ack"], own["rcv_nxt"][side])
    if ahead > 0:
        take(row, own, side, np.int64(row["ack"]))
    elif ahead < 0 and own["state"][side] <= FIN_WAIT_2:  # what came last waits in the backlog, or was dropped
        own["rcv_nxt"][side] = row["ack"]


@inline
def adopt(row: Any, own: Any, side: Int) -> None:
    """The capture begins within a connection: the socket is open, its windows are not known."""
    own["state"][side] = ESTABLISHED
    own["una"][side] = row["seq"]
    own["nxt"][side] = own["snd_wl1"][side] = row["seq"]
    own["rcv_nxt"][side] = own["rcv_wup"][side] = own["top"][side] = row["ack"]
    own["offered"][side] = own["peer_offered"][side] = 1 if row["options"] & O_TIMESTAMPS else 0
    if row["options"] & O_TIMESTAMPS:
        own["recent"][side], own["recent_ns"][side] = row["tsecr"], row["time_ns"]


@inline
def sent_syn(row: Any, own: Any, side: Int) -> None:
    """tcp_connect() or tcp_make_synack()."""
    flags, state = row["flags"], own["state"][side]
    # What has come since, even a FIN, was ignored together with the end of the handshake.
    ignored = flags & ACK and (state == ESTABLISHED or state == CLOSE_WAIT) and not own["full"][side]
    if row["seq"] == own["iss"][side] and (state == SYN_SENT or state == SYN_RECEIVED or ignored):
        if ignored:  # the end of the handshake made no socket of the request
            own["state"][side] = SYN_RECEIVED
            own["rcv_nxt"][side] = own["rcv_wup"][side] = own["top"][side] = row["ack"]
            own["una"][side], own["peer_fin"][side] = row["seq"], 0
        if row["options"] & O_TIMESTAMPS:
            own["last_tsval"][side] = row["tsval"]
        return
    if flags & ACK:
        irs, offered = own["irs"][side], own["peer_offered"][side]
        recent, recent_ns = own["recent"][side], own["recent_ns"][side]
        reset_side(own, side)
        own["irs"][side], own["peer_offered"][side] = irs, offered
        own["recent"][side], own["recent_ns"][side] = recent, recent_ns
        own["state"][side] = SYN_RECEIVED
        own["rcv_nxt"][side] = own["rcv_wup"][side] = own["top"][side] = row["ack"]
        own["full"][side] = 1 if difference(row["ack"], irs) > 1 else 0
    else:
        reset_side(own, side)
        own["state"][side] = SYN_SENT
    own["window_known"][side], own["rcv_wnd"][side] = 1, np.int64(row["window"])
    own["begun"] = 1
    own["scale"][side] = 1 + np.int64(row["window_scale"]) if row["options"] & O_WINDOW_SCALE else 0
    own["sack"][side] = 1 if row["options"] & O_SACK_PERMITTED else 0
    own["iss"][side] = own["una"][side] = row["seq"]
    own["nxt"][side] = segment_end(row, row["seq"])
    own["snd_wl1"][side] = own["irs"][side]
    own["offered"][side] = 1 if row["options"] & O_TIMESTAMPS else 0
    if row["options"] & O_TIMESTAMPS:
        own["first_tsval"][side] = own["last_tsval"][side] = row["tsval"]
    own["first_ns"][side] = row["time_ns"]


@inline
def link_key(client_lo: Any, server_lo: Any, client_port: Any, server_port: Any) -> Any:
    """The ends of a connection as one number."""
    ports = np.uint64(client_port) << np.uint64(16) | np.uint64(server_port)
    return mix(client_lo ^ mix(server_lo ^ mix(ports)))


@inline
def linked(key: Any, sort: Int, kept: Any, world: Any) -> Int:
    """The place of the last flow between these ends, whose flows are of that sort, or -1."""
    link = world["links"][place_in(np.int64(LINKS), sort, key)]
    there = kept.places[link["place"]]
    known = link["key"] == key and there["at"] != 0 and there["flow"] == link["flow"]
    return np.int64(link["place"]) if known else -1


@part
def inherit(row: Any, slot: Int, kept: Any, world: Any) -> None:
    """A flow begins: with the sockets of the last one between these ports, which may still be there."""
    if row["direction"] == 0:
        key = link_key(row["src_lo"], row["dst_lo"], row["src_port"], row["dst_port"])
    else:
        key = link_key(row["dst_lo"], row["src_lo"], row["dst_port"], row["src_port"])
    sort = sort_of(row)
    place = linked(key, sort, kept, world)
    if row["reused"] and place >= 0:
        before = bring(place, kept, world)
        for k in range(FIRST_WORD, END_WORD):
            kept.words[slot, k] = kept.words[before, k]
    link = world["links"][place_in(np.int64(LINKS), sort, key)]
    link["key"], link["place"], link["flow"] = key, row["place"], row["flow"]
