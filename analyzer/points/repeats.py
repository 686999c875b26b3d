"""Segments of two points with their fates -> of each that was sent again whether that was needed: both captures tell it together."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

import numpy as np

from analyzer.points.pending import ACKED_BEFORE, NEAR
from analyzer.points.sampling import ACK, FIN, SYN
from analyzer.points.segment import AGAIN, DATAGRAM
from analyzer.schema import Rows
from analyzer.tables import PASSAGES

NEEDED, ACK_LOST, NEEDLESS, UNKNOWN = (
    PASSAGES.bit("retransmission", word) for word in ("needed", "ack_lost", "needless", "unknown")
)
ARRIVED, LOST, CORRUPTED, UNKNOWN_FATE = (
    PASSAGES.bit("fate", word) for word in ("arrived", "lost", "corrupted", "unknown")
)
REMEMBERED = (LOST, CORRUPTED, UNKNOWN_FATE)
MOST_KEPT = 4096  # losses of each way that are remembered


class Repeats:
    """Takes rows in the order in which they were sent, and remembers of each way what did not simply arrive, or is not known to have.

    `damaged` are the numbers of the packets that were needed since what was sent before came damaged.
    """

    def __init__(self) -> None:
        self.damaged: set[int] = set()
        self._data: defaultdict[int, deque[tuple[int, int, int]]] = defaultdict(_few)  # sequence number, how much, fate
        self._acks: defaultdict[int, deque[int]] = defaultdict(_few)

    def judge(self, rows: Rows, found: Rows) -> None:
        """Set `retransmission` of passages (`found`), made of these rows (PASSED)."""
        near = ((rows["status"] & NEAR) != 0) & ((rows["flags"] & DATAGRAM) == 0)
        again, special = near & ((rows["note"] & AGAIN) != 0), near & np.isin(found["fate"], REMEMBERED)
        verdicts = found["retransmission"]
        for at in np.flatnonzero(again | special).tolist():
            row, fate = rows[at], int(found["fate"][at])
            way, flags = 2 * int(row["connection"]) + int(row["way"]), int(row["flags"])
            span = int(row["payload_len"]) + bool(flags & SYN) + bool(flags & FIN)
            if again[at]:
                verdicts[at] = self._verdict(row, way, int(row["seq"]), span)
            if span:
                self._data[way].append((int(row["seq"]), span, fate))
            if fate == LOST and flags & ACK:
                self._acks[way].append(int(row["ack"]))

    def _verdict(self, row: Rows, way: int, start: int, span: int) -> int:
        """What became of the bytes when they were sent the last time before; and had their receiver acknowledged them?"""
        known = self._data[way]
        # What overlaps it, the latest first; without any, what was sent before arrived.
        fate = next(
            (
                fate
                for other, size, fate in reversed(known)
                if _ahead(other, start) < span and _ahead(start, other) < size
            ),
            ARRIVED if len(known) < MOST_KEPT else UNKNOWN_FATE,
        )
        if int(row["status"]) & ACKED_BEFORE or fate not in REMEMBERED:
            acked = any(_ahead(ack, start + span) >= 0 for ack in self._acks[way ^ 1])
            return ACK_LOST if acked else NEEDLESS
        if fate == UNKNOWN_FATE:
            return UNKNOWN
        if fate == CORRUPTED:
            self.damaged.add(int(row["packet"]))
        return NEEDED


def _few() -> deque[Any]:
    return deque(maxlen=MOST_KEPT)


def _ahead(one: int, other: int) -> int:
    """By how much a sequence number is beyond another (RFC 1982)."""
    return (one - other + 0x80000000) % 0x100000000 - 0x80000000
