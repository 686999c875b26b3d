"""A bounded number of the segments of each capture, the same ones of both: chosen by what no hop changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.points.passing import Passings
from analyzer.points.segment import DATAGRAM, PASSING
from analyzer.schema import Rows

MOST_OPENINGS, MOST_OTHERS, MOST_DATAGRAMS = 1 << 20, 1 << 16, 1 << 18  # of each capture
FIN, SYN, RST, ACK = 1, 2, 4, 16
# What is asked of a sample, of all that PASSING has.
SAMPLE = np.dtype(
    [
        (name, PASSING[name])
        for name in ("time_ns", "member", "tsval", "source", "target", "src_port", "dst_port", "flags", "options", "ip_id", "ip_version", "low", "direction")
    ],
    align=True,
)  # fmt: skip
_MIX = np.uint64(0x9E3779B97F4A7C15)


def identity(rows: Rows) -> npt.NDArray[np.uint64]:
    """What a segment is known by whoever forwards it (uint64): its sequence and acknowledgment numbers; of a SYN its timestamp for the latter."""
    first = (rows["flags"] & (SYN | ACK)) == SYN
    second = np.where(first, rows["tsval"], rows["ack"]).astype(np.uint64)
    return rows["seq"].astype(np.uint64) << np.uint64(32) | second


def share_of(*captures: Passings) -> tuple[int, int, int]:
    """One in how many is taken, of segments that open or close a connection, of other segments and of datagrams: powers of two."""
    openings, datagrams = (max(getattr(each, name) for each in captures) for name in ("openings", "datagrams"))
    others = max(each.count - each.openings - each.datagrams for each in captures)
    return _power(openings / MOST_OPENINGS), _power(others / MOST_OTHERS), _power(datagrams / MOST_DATAGRAMS)


def samples_of(capture: Passings, share: tuple[int, int, int], by_part: bool) -> tuple[Rows, npt.NDArray[np.uint64]]:
    """The segments and datagrams of a capture that are taken (SAMPLE), in order of time, and their identities."""
    found, keys = [np.zeros(0, SAMPLE)], [np.zeros(0, np.uint64)]
    masks = np.array(share, np.uint64) - np.uint64(1)
    for rows in capture.chunks(by_part=by_part):
        mixed = identity(rows) * _MIX >> np.uint64(40)
        opening = (rows["flags"] & (SYN | FIN)) != 0
        mask = masks[np.where((rows["flags"] & DATAGRAM) != 0, 2, np.where(opening, 0, 1))]
        kept = (mixed & mask) == 0
        taken = np.empty(int(kept.sum()), SAMPLE)
        for name in SAMPLE.names or ():
            taken[name] = rows[name][kept]
        found.append(taken)
        keys.append(identity(rows[kept]))
    return np.concatenate(found), np.concatenate(keys)


def _power(ratio: float) -> int:
    power = 1
    while power < ratio:
        power *= 2
    return power
