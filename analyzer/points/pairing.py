"""Which connection of one capture is which of the other: by their segments, whatever addresses and ports were rewritten between.

Segments have the same sequence and acknowledgment numbers at both points, 64 bits that other connections do not have by chance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.points.sampling import ACK, SYN
from analyzer.points.segment import DATAGRAM
from analyzer.schema import Rows

NONE = -1
MOST_ALIKE = (
    8  # flows of a capture with a segment of the same numbers: legs on both sides of a NAT, or nothing to go by
)
LEAST_ALIKE = 2  # datagrams that a flow has in common with one between other ends
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC4CEB9FE1A85EC53], np.uint64)
_KNOWN = np.dtype(
    [
        ("key", "u8"),
        ("member", "i8"),
        ("low", "u1"),
        ("flags", "u2"),
        ("source", "u4"),
        ("target", "u4"),
        ("src_port", "u2"),
        ("dst_port", "u2"),
    ]
)


@of_fields(frozen=True, slots=True)
class Pairs:
    """Connections of two captures. Those that follow each other on one pair of ends are one, as whoever captures them tells them apart differently.

    They are numbered from 0, `shared` first that both captures hold, `count` in all. `of_flow` (int32) has that of each flow of
    either capture (of each PASSING `member`), -1 where no sample stands for it; `turned` (bool, by connection) says that the end with the lower address at
    the one point is not so at the other. `flows` (int64, two columns) are the flows that are one and the same in both.
    """

    flows: npt.NDArray[np.int64]
    of_flow: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
    turned: npt.NDArray[np.bool_]
    shared: int
    count: int


def pairs_of(
    samples: tuple[Rows, Rows], keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]], counts: tuple[int, int]
) -> Pairs:
    """The connections of two captures. `counts` is how many members each has."""
    here, there, turned = _voted(samples, keys, counts)
    ends, of_flow = _ends(samples, counts)
    order = np.argsort(here, kind="stable")
    here, there, turned = here[order], there[order], turned[order]
    # An end of the pair of ends that is the same at both points, and one whose flows are the same, belong together.
    sides = np.repeat([0, 1], [len(each) for each in ends])
    every = np.concatenate(ends)
    _, label = np.unique(every, return_inverse=True)
    label = label.astype(np.int64)
    first, second = of_flow[0][here], of_flow[1][there] + len(ends[0])
    while len(here):
        least = np.minimum(label[first], label[second])
        if (label[first] == least).all() and (label[second] == least).all():
            break
        # All that has the label of one of the two gets the lower one.
        lower = np.arange(int(label.max()) + 1)
        np.minimum.at(lower, label[first], least)
        np.minimum.at(lower, label[second], least)
        label = lower[label]
    names, label = np.unique(label, return_inverse=True)
    both = np.bincount(label[sides == 0], minlength=len(names)).astype(bool) & np.bincount(
        label[sides == 1], minlength=len(names)
    ).astype(bool)
    # In the order in which they are first met, those of both first.
    met = np.full(len(names), len(every), np.int64)
    np.minimum.at(met, label, np.arange(len(every)))
    order = np.lexsort((met, ~both))
    number = np.empty(len(names), np.int64)
    number[order] = np.arange(len(names))
    connection = number[label].astype(np.int32)
    starts = (0, len(ends[0]))
    known = [
        np.where(each >= 0, connection[np.maximum(each, 0) + start] if len(connection) else NONE, NONE)
        for each, start in zip(of_flow, starts, strict=True)
    ]
    crossed = np.zeros(len(names), np.bool_)
    crossed[known[0][here]] = turned
    flows = np.stack([here, there], axis=1)
    return Pairs(
        flows[(flows % 2 == 0).all(axis=1)] // 2,
        (known[0].astype(np.int32), known[1].astype(np.int32)),
        crossed,
        int(both.sum()),
        len(names),
    )


def _ends(
    samples: tuple[Rows, Rows], counts: tuple[int, int]
) -> tuple[list[npt.NDArray[np.uint64]], list[npt.NDArray[np.int64]]]:
    """Of each capture the pairs of ends of its flows (uint64), in the order of the first flow, and of each flow which it has, -1 without a sample."""
    ends, of_flow = [], []
    for rows, count in zip(samples, counts, strict=True):
        flows, at = np.unique(rows["member"], return_index=True)
        some = rows[at]
        low = some["low"] != 0
        address = np.where(low, some["source"], some["target"]), np.where(low, some["target"], some["source"])
        port = np.where(low, some["src_port"], some["dst_port"]), np.where(low, some["dst_port"], some["src_port"])
        mixed = [
            (one.astype(np.uint64) << np.uint64(16) | other.astype(np.uint64)) * factor
            for one, other, factor in zip(address, port, _FACTORS, strict=True)
        ]
        apart = (some["flags"] & DATAGRAM).astype(np.uint64) * _FACTORS[
            1
        ]  # a TCP connection and a flow of UDP with its ports
        codes, first, inverse = np.unique(
            mixed[0] ^ mixed[1] >> np.uint64(1) ^ apart, return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        rank = np.empty(len(codes), np.int64)
        rank[order] = np.arange(len(codes))
        found = np.full(count, NONE, np.int64)
        found[flows] = rank[inverse]
        ends.append(codes[order])
        of_flow.append(found)
    return ends, of_flow


def _voted(
    samples: tuple[Rows, Rows], keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]], counts: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Flows of both captures that have more segments in common with each other than with any other, and whether their ends are turned."""
    first, second = (_distinct(rows, known) for rows, known in zip(samples, keys, strict=True))
    left = np.searchsorted(second["key"], first["key"], side="left")
    number = np.searchsorted(second["key"], first["key"], side="right") - left
    number[number > MOST_ALIKE] = 0  # what many connections have says nothing
    alike = np.searchsorted(first["key"], first["key"], side="right") - np.searchsorted(first["key"], first["key"])
    one = np.repeat(np.arange(len(first)), number)
    other = np.repeat(left - np.concatenate([[0], np.cumsum(number)[:-1]]), number) + np.arange(len(one))
    turned = first["low"][one] != second["low"][other]
    same = (first["source"][one] == second["source"][other]) & (first["target"][one] == second["target"][other])
    # The same few bytes are sent by many: between other ends they tell only if nobody else sent them, and not alone.
    vague = (first["flags"][one] & DATAGRAM) != 0
    ports = [first[name][one] == second[name][other] for name in ("src_port", "dst_port")]
    same &= ~vague | (ports[0] & ports[1])
    told = same | ~vague | ((number[one] == 1) & (alike[one] == 1))
    one, other, turned, same, vague = (each[told] for each in (one, other, turned, same, vague))
    room = np.int64(counts[1]) * 2
    votes, at, count = np.unique(
        first["member"][one] * room + second["member"][other] * 2 + turned, return_index=True, return_counts=True
    )
    sure = same[at] | ~vague[at] | (count >= LEAST_ALIKE)
    votes, count, at = votes[sure], count[sure], at[sure]
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
    for name in ("member", "low", "flags", "source", "target", "src_port", "dst_port"):
        found[name] = rows[name]
    found = found[np.lexsort((2 * found["member"] + found["low"], found["key"]))]
    again = (found["key"][1:] == found["key"][:-1]) & (found["member"][1:] == found["member"][:-1])
    again &= found["low"][1:] == found["low"][:-1]
    first = np.concatenate([np.ones(min(1, len(found)), np.bool_), ~again])
    distinct: Rows = found[first]
    return distinct


def _mutual(
    here: npt.NDArray[np.int64], there: npt.NDArray[np.int64], turned: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Of pairs in order of weight those of which neither flow is in a pair before it."""
    first_here, first_there = (np.unique(flows, return_index=True)[1] for flows in (here, there))
    best = np.intersect1d(first_here, first_there)
    return here[best], there[best], turned[best]
