"""Sequence numbers of a connection, counted from its beginning as tcpdump shows them: int64, whatever wraps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.schema import Rows

SYN, ACK = 2, 16
UNKNOWN = -1


def number(frames: Rows, row: Rows) -> None:
    """Fill `start`, `end` and `acked` of the frames: 0 is the SYN, data begins at 1; without a SYN the first that was captured is 1.

    `row` is that of `flows`. `acked` is -1 on frames without ACK.
    """
    frames["acked"] = UNKNOWN
    if row["protocol"] != 0:  # UDP has no numbers
        return
    sides = [np.flatnonzero(frames["side"] == side) for side in (0, 1)]
    bases = [_base(frames[sides[side]], frames[sides[1 - side]]) for side in (0, 1)]
    for side in (0, 1):
        mine = frames[sides[side]]
        if not len(mine):
            continue
        start = _unwrapped(mine["seq"], bases[side])
        space = mine["payload_len"].astype(np.int64) + (mine["flags"] & 1) + (mine["flags"] >> 1 & 1)
        frames["start"][sides[side]], frames["end"][sides[side]] = start, start + space
        with_ack = sides[side][mine["flags"] & ACK != 0]
        frames["acked"][with_ack] = _unwrapped(frames["ack"][with_ack], bases[1 - side])


def _base(mine: Rows, other: Rows) -> int:
    """The number that counts as 0: of the SYN, else one below the first that was captured, else one below the first that is acknowledged."""
    opening = mine[mine["flags"] & SYN != 0]
    if len(opening):
        return int(opening["seq"][0])
    if len(mine):
        return int(mine["seq"][0]) - 1
    acks = other[other["flags"] & ACK != 0]
    return int(acks["ack"][0]) - 1 if len(acks) else 0


def _unwrapped(numbers: npt.NDArray[np.uint32], base: int) -> npt.NDArray[np.int64]:
    """32-bit numbers less `base`, each as near as it can be to the one before it."""
    if not len(numbers):
        return np.zeros(0, np.int64)
    steps = np.empty(len(numbers), np.int64)
    steps[0] = int(np.uint32((int(numbers[0]) - base) & 0xFFFFFFFF).astype(np.int32))
    steps[1:] = np.diff(numbers.astype(np.uint32)).astype(np.int32)
    return np.cumsum(steps)
