"""Compiled: connections that were open before the capture began. What was outstanding then is unknown, so all is a range."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.prediction.delivery.offers_kernel import mss_cache
from analyzer.prediction.delivery.queue_kernel import acknowledge, in_pieces, sacked
from analyzer.prediction.delivery.sack_kernel import DSACK_DUBIOUS, DSACK_SEGS, SACK_DISCARD, block, is_dsack
from analyzer.prediction.delivery.state import FOUND_OPEN
from analyzer.prediction.emit_kernel import add_range
from analyzer.prediction.names import NUMBER
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, ECE = 1, 2, 64
FEW = 64  # segments that the first ACK captured may have acknowledged, besides twice what was then outstanding

DELIVERED, DELIVERED_CE = NUMBER["TcpExtTCPDelivered"], NUMBER["TcpExtTCPDeliveredCE"]
PURE_ACKS, HP_ACKS = NUMBER["TcpExtTCPPureAcks"], NUMBER["TcpExtTCPHPAcks"]
TOGETHER = NUMBER["TcpExtTCPPureAcks+TcpExtTCPHPAcks"]


@inline
def midway(row: Any, own: Any, side: Int, pool: Any, out: Any) -> None:
    """tcp_ack() on a connection of which only the middle is known, or nothing but this segment."""
    ack = np.int64(row["ack"])
    first = own["bytes_acked"][side] == 0
    if first:
        own["snd_una"][side] = ack
        if own["known"][side] != FOUND_OPEN:
            own["snd_nxt"][side] = ack
    una = np.int64(own["snd_una"][side])
    ahead = difference(ack, una)
    if ahead < 0:
        return
    sure = 1 if own["known"][side] == FOUND_OPEN else 0
    pure = row["payload_len"] == 0 and not row["flags"] & (FIN | SYN)
    if pure or ahead > 0 or first:
        add_range(row, TOGETHER, sure if pure else 0, sure if pure else 0, 1, out)
        add_range(row, HP_ACKS, 0, 0, 1, out)
        add_range(row, PURE_ACKS, sure if pure else 0, 0, 1 if pure else 0, out)
    least, amount, most = np.int64(0), np.int64(0), np.int64(0)
    if first:
        waiting = max(np.int64(0), difference(own["snd_nxt"][side], ack))
        most = FEW + 2 * in_pieces(mss_cache(own, side), waiting)
    elif ahead > 0:
        unseen = max(np.int64(0), min(ahead, difference(own["begin"][side], una)))
        least = acknowledge(pool, own, side, ack)[1]
        amount = least + (in_pieces(mss_cache(own, side), unseen) if unseen else np.int64(0))
        most = least + unseen
    own["snd_una"][side] = ack
    own["bytes_acked"][side] += ahead + 1
    if difference(ack, own["snd_nxt"][side]) > 0:
        own["snd_nxt"][side] = ack
    if row["sack_count"] > 0:
        reported = reports(row, own, side, pool, out)
        amount, most = amount + reported, most + reported
    if most:
        add_range(row, DELIVERED, amount, least, most, out)
        if row["flags"] & ECE:
            add_range(row, DELIVERED_CE, 0, 0, most, out)


@inline
def reports(row: Any, own: Any, side: Int, pool: Any, out: Any) -> Int:
    """SACK blocks: how many segments they may report."""
    found: Int = 0
    for which in range(min(np.int64(row["sack_count"]), np.int64(4))):
        left, right = block(row, which)
        if which == 0 and is_dsack(row):
            segments = in_pieces(mss_cache(own, side), max(np.int64(0), difference(right, left)))
            found += segments
            add_range(row, DSACK_SEGS, segments, 0, segments, out)
            add_range(row, DSACK_DUBIOUS, 0, 0, 1, out)
            add_range(row, SACK_DISCARD, 0, 0, 1, out)
        elif difference(left, own["snd_una"][side]) > 0 and difference(right, left) > 0:
            found += sacked(pool, own, side, left, right)
    return found
