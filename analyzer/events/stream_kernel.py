"""Compiled: where a segment lies in the streams of its connection."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import inline
from analyzer.events.clock_kernel import id_behind
from analyzer.events.emit_kernel import ACK, FIN, RST, SYN
from analyzer.flows.end_state import IDS_SAME, IDS_VARY, OPEN
from analyzer.flows.state import ACKED
from analyzer.serial import difference as difference_python
from analyzer.tables import PACKETS

difference = inline(difference_python)

FEW_IDS = 8  # so many packets may have been lost at once where no other explains the step
NUMBERED = 2  # fewer steps of one in a row do not show that their end counts the packets of this connection only
TIMESTAMPS = PACKETS.bit("options", "timestamps")
IPV4 = PACKETS.bit("layers", "ipv4")


@inline
def note_id(seg: Any, me: Any) -> None:
    """The highest IPv4 ID of the end, and whether its packets have one each."""
    if seg["ip_id"]:
        if seg["ip_id"] == me["ip_id"]:
            me["ids"] = IDS_SAME
        elif me["ip_id"]:
            me["ids"] = IDS_VARY
        step = seg["ip_id"] - np.int64(me["ip_id"]) & 0xFFFF
        if step == 1:
            me["numbered"] = min(np.int64(me["numbered"]) + 1, 0xFF)
        elif me["ip_id"] and not 1 < step <= FEW_IDS:
            me["numbered"] = 0
        if not id_behind(seg, me):
            me["ip_id"] = seg["ip_id"]
            me["id_of_data"] = seg["length"] > 0
    elif seg["flags"] & SYN:
        # A SYN-ACK with ID 0 is of Linux, which then counts the packets of each connection by themselves (ip_build_and_send_pkt()).
        me["numbered"] = NUMBERED


@inline
def place_in_streams(row: Any, seg: Any, me: Any, you: Any, state: Any) -> None:
    """The segment's numbers as positions in the two streams, which may begin here."""
    flags, seq, ack = np.int64(row["flags"]), np.int64(row["seq"]), np.int64(row["ack"])
    seg["flags"], seg["length"] = flags, row["payload_len"]
    seg["has_ack"] = 1 if flags & ACK else 0
    seg["has_tsval"] = 1 if row["options"] & TIMESTAMPS else 0
    seg["tsval"], seg["tsecr"] = row["tsval"], row["tsecr"]
    seg["ip_id"] = row["ip_id"] if row["layers"] & IPV4 else 0
    seg["late"] = seg["is_dsack"] = 0
    seg["advanced"] = seg["sacked"] = seg["filled"] = 0
    if flags & RST and not me["known"]:  # its number need not be one of the connection's
        seg["start"] = seg["end"] = me["next"]
        seg["ack"] = 0
        return
    if not me["known"] or (flags & SYN and me["syns"] == 0 and not state["judged"] & ACKED):
        me["known"] = 1
        me["isn"] = seq if flags & SYN else seq - 1 & 0xFFFFFFFF
        me["next"] = me["una"] = 0 if flags & SYN else 1
        forget(me)
    next_ = me["next"]
    seg["start"] = next_ + difference(seq, np.int64(me["isn"]) + next_ & 0xFFFFFFFF)
    seg["end"] = seg["start"] + seg["length"] + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
    if (
        seg["has_tsval"]
        and not flags & (SYN | RST)
        and me["scale_known"]
        and not me["offered"] & you["offered"] & TIMESTAMPS
    ):
        # No end sends timestamps that were not agreed on: other SYNs than those that were captured last opened the connection.
        me["scale_known"] = you["scale_known"] = 0
    window = np.int64(row["window"])
    seg["window"] = window << np.int64(me["scale"]) if me["scale_known"] and not flags & SYN else window
    seg["ack"] = 0
    if flags & ACK:
        if not you["known"]:
            you["known"] = 1
            you["isn"] = ack - 1 & 0xFFFFFFFF
            you["next"] = you["una"] = 1
        if you["two_isns"] and not state["judged"] & ACKED and ack == (np.int64(you["other_isn"]) + 1 & 0xFFFFFFFF):
            you["isn"], you["two_isns"] = you["other_isn"], 0
            you["next"], you["una"] = 1, 0
            you["timestamps"] = you["recent_known"] = 0  # another host has another clock
            forget(you)
        next_ = you["next"]
        seg["ack"] = next_ + difference(ack, np.int64(you["isn"]) + next_ & 0xFFFFFFFF)
    seg["una"] = you["una"]


@inline
def forget(me: Any) -> None:
    """A stream that begins anew: nothing that was remembered in the numbers of before holds."""
    me["board"] = -1
    me["phase"] = OPEN
    me["doubts"] = me["lagging"] = me["captured"] = me["padding"] = 0
    me["hole_bytes"] = me["oldest"] = me["newest"] = me["newest_again"] = 0
    me["sacked_high"] = me["recovery_end"] = me["tail_probe_end"] = me["fin"] = me["fins"] = me["told_ns"] = 0
