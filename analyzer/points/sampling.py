"""A bounded number of the segments of each capture, the same ones of both: chosen by what no hop changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.points.passing import Passings
from analyzer.points.segment import PASSING
from analyzer.schema import Rows

MOST_OPENINGS, MOST_OTHERS = 1 << 20, 1 << 16  # of each capture
FIN, SYN, RST, ACK = 1, 2, 4, 16
_MIX = np.uint64(0x9E3779B97F4A7C15)


def identity(rows: Rows) -> npt.NDArray[np.uint64]:
    """What a segment is known by whoever forwards it (uint64): its sequence and acknowledgment numbers; of a SYN its timestamp for the latter."""
    first = (rows["flags"] & (SYN | ACK)) == SYN
    second = np.where(first, rows["tsval"], rows["ack"]).astype(np.uint64)
    return rows["seq"].astype(np.uint64) << np.uint64(32) | second


def share_of(*captures: Passings) -> tuple[int, int]:
    """One in how many segments is taken, of those that open or close a connection and of the others: powers of two."""
    most = max(each.count for each in captures)
    openings = max(each.openings for each in captures)
    return _power(openings / MOST_OPENINGS), _power((most - openings) / MOST_OTHERS)


def samples_of(capture: Passings, share: tuple[int, int]) -> tuple[Rows, npt.NDArray[np.uint64]]:
    """The segments (PASSING) of a capture that are taken, and their identities."""
    found = [np.zeros(0, PASSING)]
    for rows in capture.chunks():
        mixed = identity(rows) * _MIX >> np.uint64(40)
        opening = (rows["flags"] & (SYN | FIN)) != 0
        mask = np.where(opening, share[0] - 1, share[1] - 1).astype(np.uint64)
        found.append(rows[(mixed & mask) == 0])
    samples = np.concatenate(found)
    return samples, identity(samples)


def _power(ratio: float) -> int:
    power = 1
    while power < ratio:
        power *= 2
    return power
