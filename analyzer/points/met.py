"""Samples of two captures -> those that are one and the same packet, and what the path leaves as it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.schema import Rows
from analyzer.tables import PACKETS

TIMESTAMPS = PACKETS.bit("options", "timestamps")
NO_SIDE = 2  # of the direction of what belongs to no flow
LEAST_CHANGED = (
    3  # samples of a way: fewer that differ may be two transmissions, of which each capture missed the other's
)
CHANGED = 0.1  # of the samples have the same, at most, in a field that the path does not leave as it is
Ints = npt.NDArray[np.int64]
_OWNER = np.uint64(0x9E3779B97F4A7C15)
_MET = np.dtype(
    [
        ("connection", "i8"),
        ("way", "i8"),
        ("first_ns", "i8"),
        ("second_ns", "i8"),
        ("same_tsval", "i1"),  # 1 the same, 0 another, -1 not there
        ("same_id", "i1"),
        ("direction", "u1"),
    ]
)


def met_of(
    samples: tuple[Rows, Rows],
    keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]],
    known: list[tuple[Ints, Ints]],
    shared: int,
) -> Rows:
    """Packets that both captures hold, one of them once only, in order of connection and time (_MET)."""
    grouped = []
    for key, (connection, way) in zip(keys, known, strict=True):
        some = np.flatnonzero((connection >= 0) & (connection < shared))
        owner = 2 * connection[some] + way[some]
        # Identity and owner as one number, which sorts three times as fast; those of one are in order of time already.
        told = key[some] ^ (owner.astype(np.uint64) + np.uint64(1)) * _OWNER
        order = np.argsort(told, kind="stable")
        told = told[order]
        at = np.flatnonzero(np.append(True, told[1:] != told[:-1])[: len(told)])
        grouped.append((told[at], owner[order[at]], some[order[at]], np.diff(np.append(at, len(told)))))
    _, first, second = np.intersect1d(grouped[0][0], grouped[1][0], assume_unique=True, return_indices=True)
    # Of what came several times the first; of what was sent several times nobody knows which one came.
    once = (grouped[0][3][first] == 1) | (grouped[1][3][second] == 1)
    first, second = first[once], second[once]
    one, two = samples[0][grouped[0][2][first]], samples[1][grouped[1][2][second]]
    owner = grouped[0][1][first]
    met = np.zeros(len(owner), _MET)
    met["connection"], met["way"] = owner // 2, owner % 2
    met["first_ns"], met["second_ns"], met["direction"] = one["time_ns"], two["time_ns"], one["direction"]
    met["direction"][one["member"] % 2 == 1] = NO_SIDE
    both = (one["options"] & two["options"] & TIMESTAMPS) != 0
    met["same_tsval"] = np.where(both, one["tsval"] == two["tsval"], -1)
    # An ID of 0, as Linux has in a SYN-ACK, says nothing.
    both = (one["ip_version"] == 4) & (two["ip_version"] == 4) & ((one["ip_id"] | two["ip_id"]) != 0)
    met["same_id"] = np.where(both, one["ip_id"] == two["ip_id"], -1)
    kept = keeps_of(met, shared)[2 * met["connection"] + met["way"]]
    # Another transmission of the same bytes, of which each capture missed the other's, says nothing.
    sure = ((met["same_tsval"] != 0) | (kept & 1 == 0)) & ((met["same_id"] != 0) | (kept & 2 == 0))
    met = met[sure]
    ordered: Rows = met[np.lexsort((met["first_ns"], met["connection"]))]
    return ordered


def keeps_of(met: Rows, connections: int) -> npt.NDArray[np.uint8]:
    """By connection and way: does the path leave the timestamps as they are (1), and the IPv4 ID (2)? Where nothing tells, it does."""
    owner = 2 * met["connection"] + met["way"]
    found = np.zeros(2 * connections, np.uint8)
    for bit, name, other in ((1, "same_tsval", "same_id"), (2, "same_id", "same_tsval")):
        there = met[name] >= 0
        changed = met[name] == 0
        number, same, both, sure = (
            np.bincount(owner[each], minlength=2 * connections)
            for each in (there, met[name] == 1, changed & (met[other] == 0), changed & (met[other] == 1))
        )
        # What differs in both is another transmission, unless some that differ in one only tell of a path that rewrites.
        few = (sure == 0) & ((number < LEAST_CHANGED) | (both > 0))
        found |= np.where((same > CHANGED * number) | (number == 0) | few, bit, 0).astype(np.uint8)
    return found
