"""Which connection of one capture is which of the other: by their segments, whatever addresses and ports were rewritten between.

Segments have the same sequence and acknowledgment numbers at both points, 64 bits that other connections do not have by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.points.sampling import ACK, SYN
from analyzer.schema import Rows

NONE = -1
MOST_ALIKE = 8  # flows of a capture with a segment of the same numbers: legs on both sides of a NAT, or nothing to go by
_KNOWN = np.dtype([("key", "u8"), ("flow", "i8"), ("low", "u1"), ("source", "u4"), ("target", "u4")])


@dataclass(frozen=True, slots=True)
class Pairs:
    """Connections of two captures, numbered from 0: first those that both hold, in order of their number in the first, then what one holds alone.

    `flows` (int64, two columns) are their numbers in both, -1 where one has not got it; `of_flow` (int32) the connection of each
    flow of either capture; `turned` (bool) says that the end with the lower address at the one point is not so at the other.
    """

    flows: npt.NDArray[np.int64]
    of_flow: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
    turned: npt.NDArray[np.bool_]
    shared: int


def pairs_of(samples: tuple[Rows, Rows], keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]], counts: tuple[int, int]) -> Pairs:
    """The connections of two captures. `counts` is how many flows each has."""
    here, there, turned = _voted(samples, keys, counts)
    of_flow = tuple(np.full(count, NONE, np.int32) for count in counts)
    order = np.argsort(here, kind="stable")
    here, there, turned = here[order], there[order], turned[order]
    shared = len(here)
    of_flow[0][here] = of_flow[1][there] = np.arange(shared)
    flows = [np.stack([here, there], axis=1)]
    at = shared
    for side in (0, 1):
        alone = np.unique(samples[side]["flow"])
        alone = alone[of_flow[side][alone] == NONE]
        of_flow[side][alone] = at + np.arange(len(alone))
        at += len(alone)
        only = np.full((len(alone), 2), NONE, np.int64)
        only[:, side] = alone
        flows.append(only)
    every = np.concatenate(flows).astype(np.int64)
    return Pairs(every, (of_flow[0], of_flow[1]), np.concatenate([turned, np.zeros(len(every) - shared, np.bool_)]), shared)


def _voted(
    samples: tuple[Rows, Rows], keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]], counts: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Flows of both captures that have more segments in common with each other than with any other, and whether their ends are turned."""
    first, second = (_distinct(rows, known) for rows, known in zip(samples, keys, strict=True))
    left = np.searchsorted(second["key"], first["key"], side="left")
    number = np.searchsorted(second["key"], first["key"], side="right") - left
    number[number > MOST_ALIKE] = 0  # what many connections have says nothing
    one = np.repeat(np.arange(len(first)), number)
    other = np.repeat(left - np.concatenate([[0], np.cumsum(number)[:-1]]), number) + np.arange(len(one))
    turned = first["low"][one] != second["low"][other]
    same = (first["source"][one] == second["source"][other]) & (first["target"][one] == second["target"][other])
    room = np.int64(counts[1]) * 2
    votes, at, count = np.unique(
        first["flow"][one] * room + second["flow"][other] * 2 + turned, return_index=True, return_counts=True
    )
    # Where one capture holds a connection on both sides of a NAT, that with the same addresses is the one.
    weight = 2 * count + same[at]
    votes = votes[np.argsort(-weight, kind="stable")]
    return _mutual(votes // room, votes % room // 2, votes % 2 == 1)


def _distinct(rows: Rows, keys: npt.NDArray[np.uint64]) -> Rows:
    """Each identity of each flow once, in order of identity."""
    # A SYN without a timestamp is known by 32 bits only, which others have by chance.
    weak = ((rows["flags"] & (SYN | ACK)) == SYN) & (rows["tsval"] == 0)
    rows, keys = rows[~weak], keys[~weak]
    found = np.empty(len(rows), _KNOWN)
    found["key"] = keys
    for name in ("flow", "low", "source", "target"):
        found[name] = rows[name]
    found = found[np.lexsort((2 * found["flow"] + found["low"], found["key"]))]
    again = (found["key"][1:] == found["key"][:-1]) & (found["flow"][1:] == found["flow"][:-1])
    again &= found["low"][1:] == found["low"][:-1]
    return found[np.concatenate([np.ones(min(1, len(found)), np.bool_), ~again])]


def _mutual(
    here: npt.NDArray[np.int64], there: npt.NDArray[np.int64], turned: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Of pairs in order of weight those of which neither flow is in a pair before it."""
    firsts = (np.unique(flows, return_index=True)[1] for flows in (here, there))
    best = np.intersect1d(*firsts)
    return here[best], there[best], turned[best]
