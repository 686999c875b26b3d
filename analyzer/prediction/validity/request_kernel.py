"""Compiled prediction of what comes before a connection is open: tcp_rcv_synsent_state_process() and tcp_check_req()."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.emit_kernel import add
from analyzer.prediction.names import NUMBER
from analyzer.prediction.validity.limit_kernel import is_limited_kind, limited, older
from analyzer.prediction.validity.socket_kernel import note_syn, segment_end
from analyzer.prediction.validity.state import CLOSED, ESTABLISHED, SYN_RECEIVED, TICK_NS
from analyzer.serial import difference

difference = inline(difference)
SYN, RST, ACK = 2, 4, 16

ATTEMPT_FAILS, EMBRYONIC_RSTS = NUMBER["TcpAttemptFails"], NUMBER["TcpExtEmbryonicRsts"]
PAWS_ACTIVE, PAWS_ESTAB = NUMBER["TcpExtPAWSActive"], NUMBER["TcpExtPAWSEstab"]
TSECR_REJECTED, SKIPPED_SYN_RECV = NUMBER["TcpExtTSEcrRejected"], NUMBER["TcpExtTCPACKSkippedSynRecv"]

CLOCK_SLACK = 5  # ticks between a frame's capture and the clock that its sender read


@inline
def to_syn_sent(row: Any, own: Any, side: Int, out: Any) -> Any:
    """tcp_rcv_synsent_state_process()."""
    flags = row["flags"]
    if not flags & ACK:
        if flags & RST or not flags & SYN:
            return False
        note_syn(row, own, side)
        own["state"][side], own["full"][side] = SYN_RECEIVED, 1
        own["rcv_nxt"][side] = own["rcv_wup"][side] = segment_end(row, own["irs"][side])
        return True
    if difference(row["ack"], own["una"][side]) <= 0 or difference(row["ack"], own["nxt"][side]) > 0:
        return False
    if row["options"] & O_TIMESTAMPS and own["offered"][side] and row["tsecr"]:
        since = difference(row["tsecr"], own["first_tsval"][side])
        if since < 0 or since > (row["time_ns"] - own["first_ns"][side]) // TICK_NS + CLOCK_SLACK:
            add(row, PAWS_ACTIVE, 1, out)
            return False
    if flags & RST:
        own["state"][side] = CLOSED
        return True
    if not flags & SYN:
        return False
    note_syn(row, own, side)
    own["rtt_ns"][side] = row["time_ns"] - own["first_ns"][side]
    own["state"][side] = ESTABLISHED
    own["rcv_nxt"][side] = own["top"][side] = np.int64(row["seq"]) + 1 + np.int64(row["payload_len"]) & 0xFFFFFFFF
    own["rcv_wup"][side] = np.int64(row["seq"]) + 1 & 0xFFFFFFFF
    own["una"][side] = row["ack"]
    own["snd_wnd"][side] = own["max_window"][side] = np.int64(row["window"])
    own["snd_wl1"][side] = row["seq"]
    return True


@inline
def repeats_syn(row: Any, own: Any, side: Int, out: Any) -> Any:
    """tcp_check_req(): the SYN again is answered with the SYN-ACK again, but not too often."""
    if row["flags"] & (SYN | ACK | RST) != SYN or row["seq"] != own["irs"][side] or older(row, own, side) > 0:
        return False
    limited(row, own, side, SKIPPED_SYN_RECV, out)
    return True


@inline
def to_request(row: Any, own: Any, side: Int, out: Any) -> Any:
    """tcp_check_req(): does the segment make a socket of the request?"""
    flags = row["flags"]
    if flags & ACK and row["ack"] != (np.int64(own["iss"][side]) + 1 & 0xFFFFFFFF):
        return False
    echo = (
        row["options"] & O_TIMESTAMPS
        and row["tsecr"] != 0
        and own["offered"][side] != 0
        and own["peer_offered"][side] != 0
    )
    stranger = echo and (
        difference(row["tsecr"], own["first_tsval"][side]) < 0 or difference(own["last_tsval"][side], row["tsecr"]) < 0
    )
    old = older(row, own, side) > 0
    start = own["rcv_nxt"][side]
    stop = np.int64(start) + own["rcv_wnd"][side] & 0xFFFFFFFF
    end = segment_end(row, row["seq"])
    inside = (
        row["seq"] == start
        or (difference(end, start) > 0 and difference(row["seq"], stop) < 0)
        or (row["seq"] == stop and row["seq"] == end)
    )
    if old or stranger or not inside:
        if not flags & RST and is_limited_kind(row):
            limited(row, own, side, SKIPPED_SYN_RECV, out)
        if old:
            add(row, PAWS_ESTAB, 1, out)
        elif stranger:
            add(row, TSECR_REJECTED, 1, out)
        return False
    if flags & RST or (flags & SYN and row["seq"] != own["irs"][side]):
        add(row, EMBRYONIC_RSTS, 1, out)
        if not flags & RST:
            add(row, ATTEMPT_FAILS, 1, out)
        own["state"][side] = CLOSED
        return True
    if not flags & ACK:
        return False
    own["state"][side] = ESTABLISHED
    own["rtt_ns"][side] = row["time_ns"] - own["first_ns"][side]
    own["una"][side] = row["ack"]
    own["oow_ns"][side] = 0
    if row["options"] & O_TIMESTAMPS and difference(row["seq"], start) <= 0:
        own["recent"][side], own["recent_ns"][side] = row["tsval"], row["time_ns"]
    return True
