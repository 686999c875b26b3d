"""Compiled: the segments of a host and those that it receives, as the model of Linux's sender takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_SACK_PERMITTED, O_TIMESTAMPS, O_WINDOW_SCALE
from analyzer.prediction.arrival.receiver_kernel import settled
from analyzer.prediction.emit_kernel import add, segment_size
from analyzer.prediction.names import NUMBER
from analyzer.prediction.recovery.ack_kernel import acknowledge
from analyzer.prediction.recovery.queue_kernel import difference, forget, position
from analyzer.prediction.recovery.rack_kernel import detect_loss
from analyzer.prediction.recovery.rtt_kernel import TICK_NS, clock_at, note_rtt
from analyzer.prediction.recovery.sent_kernel import TIMEOUTS, again, late, new_data, retransmit_simply
from analyzer.prediction.recovery.state import LOSS, REORDERING, TICKS_NS
from analyzer.prediction.state import ESTABLISHED, GONE, SYN_RECEIVED, SYN_SENT
from analyzer.prediction.world import ON_PIECES

FIN, SYN, RST, ACK, ECE = 1, 2, 4, 16, 64

DUPLICATE_REHASH = NUMBER["TcpExtTcpDuplicateDataRehash"]


@inline
def space(row: Any) -> Int:
    """How many numbers the segment takes."""
    return np.int64(row["payload_len"]) + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)


@part
def start(row: Any, talk: Any, end: Any, at: Int) -> None:
    """The first segment of an end, its SYN where that was captured."""
    end["known"] = 1
    end["una"] = end["next"] = end["high"] = at
    end["reordering"] = REORDERING
    end["reo_steps"] = 1
    end["undo_left"] = -1
    end["mss"] = segment_size(row, talk)
    if not end["offered"]:
        end["sack"] = 1


@inline
def agree(row: Any, me: Any, you: Any) -> None:
    """What a SYN offers; that of the server has only what both have (tcp_make_synack()). `me` sent it."""
    flags = row["flags"]
    me["offered"] = 1
    me["scale_offer"] = np.int64(row["window_scale"]) + 1 if row["options"] & O_WINDOW_SCALE else 0
    if flags & ACK:
        you["offered"] = 1
        me["sack"] = you["sack"] = 1 if row["options"] & O_SACK_PERMITTED else 0
        me["ecn"] = you["ecn"] = 1 if flags & ECE else 0
        if me["scale_offer"] and you["scale_offer"]:
            me["scale"] = you["scale_offer"] - 1  # of the windows that it receives
            you["scale"] = me["scale_offer"] - 1


@part
def recovery_received(row: Any, talk: Any, ends: Any, before: Int, world: Any, out: Any) -> None:
    """tcp_rcv_established(), tcp_rcv_synsent_state_process(): a segment to the host."""
    side = 1 - np.int64(row["direction"])
    end, peer, flags, now = ends[side], ends[1 - side], row["flags"], row["time_ns"]
    pool = world["segments"]
    if flags & SYN and before < ESTABLISHED:
        agree(row, peer, end)
        end["expected"] = np.int64(row["seq"]) + 1
        end["window_seq"], end["window"] = row["seq"], row["window"]
        end["window_max"] = max(end["window_max"], row["window"])
    if flags & RST or before == GONE:
        if talk["gone"][side]:
            forget(end, pool)
        return
    if end["known"] and end["reo_ns"] and now > end["reo_ns"] + TICKS_NS:
        detect_loss(row, end, pool, out)
    if not end["known"] or not flags & ACK:
        return
    if before == SYN_SENT and not flags & SYN:
        return
    size = space(row)
    if before == ESTABLISHED:
        if flags & SYN:
            return
        past = difference(np.int64(row["seq"]) + size & 0xFFFFFFFF, talk["told"][side]) < 0  # tcp_sequence()
        if settled(talk, side):
            received(row, end, size, past, out)
        if past or world["paws"]:
            return
    opening = before == SYN_SENT or before == SYN_RECEIVED
    if opening and row["options"] & O_TIMESTAMPS and row["tsecr"] == end["stamp"]:
        end["undo"] = 0  # tcp_try_undo_spurious_syn()
    if before == SYN_RECEIVED:
        handshake_rtt(row, end)
    if world["uncut"]:
        end["cut"] = 0
    acknowledge(row, end, pool, out)
    end["heard_ns"] = now
    if before == SYN_SENT and end["first"]:  # tcp_rcv_fastopen_synack(): the data in the SYN was not taken
        retransmit_simply(row, end, pool, np.int64(0), out)


@inline
def handshake_rtt(row: Any, end: Any) -> None:
    """tcp_synack_rtt_meas(): of a SYN-ACK that was repeated only the TSecr tells."""
    sample: Int = np.int64(0)
    if end["syn_ns"]:
        sample = row["time_ns"] - end["syn_ns"]
    elif row["options"] & O_TIMESTAMPS and row["tsecr"]:
        sample = max(1, difference(clock_at(end, row["time_ns"]), row["tsecr"])) * TICK_NS
    end["syn_ns"] = 0
    if sample > 0:
        note_rtt(end, sample, sample)


@inline
def received(row: Any, end: Any, size: Int, past: Any, out: Any) -> None:
    """Data, new or not: tcp_rcv_spurious_retrans() looks at the flow label of what is old.

    What lies before the window (`past`) gets there only where a DSACK can answer it (tcp_send_dupack()).
    """
    if size == 0 or (past and not end["sack"]):
        return
    at = position(row["seq"], end["expected"])
    label = np.int64(row["flow_label"])
    if at + size <= end["expected"]:
        if row["ip_version"] == 6:
            if label != end["label"] and end["state"] != LOSS:
                add(row, DUPLICATE_REHASH, 1, out)
            end["label"] = label
    elif at <= end["expected"]:
        end["expected"] = at + size
        if row["payload_len"]:  # tcp_event_data_recv()
            end["label"] = label


@part
def recovery_sent(row: Any, talk: Any, ends: Any, before: Int, full: Int, segments: Int, world: Any, out: Any) -> None:
    """tcp_transmit_skb() and whoever called it: a segment of the host."""
    side = np.int64(row["direction"])
    end, flags, now = ends[side], row["flags"], row["time_ns"]
    pool = world["segments"]
    if flags & RST:
        if talk["gone"][side]:
            forget(end, pool)
        return
    if before == GONE:
        return
    if flags & SYN and before < ESTABLISHED:
        agree(row, end, ends[1 - side])
    if flags & ACK and end["known"]:
        end["expected"] = position(row["ack"], end["expected"])
    if row["options"] & O_TIMESTAMPS:
        end["clock"], end["clock_ns"] = row["tsval"], now
    size = space(row)
    # A SYN is repeated by the timer only, however soon: an ACK of another connection brings that forward.
    expired, cause = world["timeout"] != 0 or flags & (SYN | ACK) == SYN, world["cause"]
    probes, end["no_frto"] = world["probes"] != 0, world["no_frto"]
    if flags & SYN and flags & ACK and not talk["syn"][side]:
        if not end["known"]:
            start(row, talk, end, np.int64(row["seq"]) + 1)
            end["expected"] = np.int64(row["ack"])
            end["syn_ns"] = now
            end["stamp"] = row["tsval"]
            end["delivered"] = 1
        else:
            end["syn_ns"] = 0
            end["resent"] += 1
            if expired:  # tcp_create_openreq_child()
                add(row, TIMEOUTS, 1, out)
                end["undo"], end["undo_from"], end["undo_left"] = 1, np.int64(row["seq"]), 0
        return
    if flags & SYN and flags & ACK and not expired:
        return  # the answer to a SYN that crossed its own
    if not end["known"]:
        start(row, talk, end, np.int64(row["seq"]))
        end["expected"] = np.int64(row["ack"])
    if size == 0:
        return
    at = position(row["seq"], end["next"])
    if not flags & SYN and row["payload_len"]:
        end["mss"] = full
    if segments > 1:
        world["uncut"] = 1
    joined = world["joined"] != 0 and not world["uncut"]
    if joined:
        world["hangs"] |= ON_PIECES
    if at >= end["next"]:
        end["next"] = at + size
        new_data(row, end, pool, at, at + size, segments, joined, probes, out)
        return
    end["next"] = max(end["next"], at + size)
    if at + size <= end["una"] or end["blind"]:
        late(row, end, at, segments, expired, cause, probes, out)
        return
    again(row, end, pool, at, at + size, expired, cause, probes, out)
