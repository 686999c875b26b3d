"""Two captures -> which connections both hold, which point is nearer to whom, and how their clocks differ: by samples of both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.points.clock import Clock, clock_of
from analyzer.points.pairing import NONE, Pairs, pairs_of
from analyzer.points.passing import Passings
from analyzer.points.sampling import samples_of, share_of
from analyzer.schema import Rows
from analyzer.tables import PACKETS

TIMESTAMPS = PACKETS.bit("options", "timestamps")
UNKNOWN = 2  # of `near`
LEAST_WAIT_NS, MORE_NS = 2_000_000_000, 1_000_000_000
LEAST_SEEN = 3  # samples of a connection at either point, none of which is at both
LEAST_CHANGED = (
    3  # samples of a way: fewer that differ may be two transmissions, of which each capture missed the other's
)
LEAST_SLACK_NS, MOST_SLACK_NS = 1_000_000, 50_000_000
CHANGED = 0.1  # of the samples have the same, at most, in a field that the path does not leave as it is
Ints = npt.NDArray[np.int64]
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


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of two captures before their packets are matched.

    `near` (uint8, by twice the connection and the way) says which point a packet of a way passes first: 0, 1 or UNKNOWN.
    `followed` (bool, by connection) says that the capture which lacks it, if one does, holds others between the same two hosts
    and to the same port: it would hold this one, too.
    `delays_ns` are the shortest and the longest that samples took, from the first point to the second and back, on the clock of
    the first; `wait_ns` is how long a packet may take, `slack_ns` how far it may seem to come before it was sent.
    `apart_ns` is how far the points are apart, there and back.
    """

    pairs: Pairs
    clock: Clock | None
    near: npt.NDArray[np.uint8]
    followed: npt.NDArray[np.bool_]
    ends_here: npt.NDArray[np.bool_]
    keeps: npt.NDArray[np.uint8]
    delays_ns: tuple[tuple[int, int], tuple[int, int]]
    wait_ns: int
    slack_ns: int
    apart_ns: int
    from_first: int  # connections whose client is on the side of the first point
    seen: int  # connections whose two points are in order


def survey_of(captures: tuple[Passings, Passings], local: tuple[Collection[int], Collection[int]]) -> Survey:
    """Survey two captures; `local` are the addresses of the hosts that took them, as PASSING has them, where they are known."""
    share = share_of(*captures)
    taken = [samples_of(each, share) for each in captures]
    samples, keys = (taken[0][0], taken[1][0]), (taken[0][1], taken[1][1])
    pairs = pairs_of(samples, keys, (captures[0].flows, captures[1].flows))
    known = [_told(rows, pairs, side) for side, rows in enumerate(samples)]
    met = _met(samples, keys, known, pairs.shared)
    near = np.full(2 * pairs.count, UNKNOWN, np.uint8)
    score = _score(met, pairs.shared)
    _settle(near, np.flatnonzero(score > 0), 1)
    _settle(near, np.flatnonzero(score < 0), 0)
    ends_here = _ends_here(met, known, pairs)
    _by_hosts(near, samples, known, local)
    clock = _clock(met, near)
    if clock is not None:
        _by_clock(near, met, clock)
        clock = _clock(met, near) or clock
    near[np.repeat(ends_here, 2)] = UNKNOWN
    delays, wait = _delays(met, near, clock)
    there, back = delays
    first = _clients(met, near)
    return Survey(
        pairs,
        clock,
        near,
        _followed(samples, known, pairs),
        ends_here,
        _keeps(met, pairs.count),
        delays,
        wait,
        _slack(clock, delays),
        there[0] + back[0],
        first,
        int((near != UNKNOWN).sum() // 2),
    )


def _told(rows: Rows, pairs: Pairs, side: int) -> tuple[Ints, Ints]:
    """Connection and way of samples."""
    connection = pairs.of_flow[side][rows["flow"]].astype(np.int64)
    way = rows["low"].astype(np.int64)
    if side == 1:
        way = way ^ (pairs.turned[connection] & (connection != NONE))
    return connection, way


def _met(
    samples: tuple[Rows, Rows],
    keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]],
    known: list[tuple[Ints, Ints]],
    shared: int,
) -> Rows:
    """Packets that both captures hold, one of them once only, in order of connection and time (_MET)."""
    grouped = []
    for rows, key, (connection, way) in zip(samples, keys, known, strict=True):
        some = np.flatnonzero((connection >= 0) & (connection < shared))
        owner = 2 * connection[some] + way[some]
        order = np.lexsort((rows["time_ns"][some], key[some], owner))
        owner, key, rows = owner[order], key[some][order], rows[some[order]]
        new = np.ones(len(order), np.bool_)
        new[1:] = (owner[1:] != owner[:-1]) | (key[1:] != key[:-1])
        at = np.flatnonzero(new)
        grouped.append((owner[at], key[at], rows[at], np.diff(np.append(at, len(order)))))
    joined = np.zeros(sum(len(each[0]) for each in grouped), [("owner", "i8"), ("key", "u8"), ("at", "i8")])
    joined["owner"], joined["key"] = (np.concatenate([each[part] for each in grouped]) for part in (0, 1))
    joined["at"] = np.concatenate([np.arange(len(each[0])) for each in grouped])
    joined = joined[np.lexsort((joined["key"], joined["owner"]))]  # stable: the first point's before the second's
    twin = np.flatnonzero((joined["owner"][1:] == joined["owner"][:-1]) & (joined["key"][1:] == joined["key"][:-1]))
    # Of what came several times the first; of what was sent several times nobody knows which one came.
    once = (grouped[0][3][joined["at"][twin]] == 1) | (grouped[1][3][joined["at"][twin + 1]] == 1)
    twin = twin[once]
    one, two = grouped[0][2][joined["at"][twin]], grouped[1][2][joined["at"][twin + 1]]
    met = np.zeros(len(twin), _MET)
    met["connection"], met["way"] = joined["owner"][twin] // 2, joined["owner"][twin] % 2
    met["first_ns"], met["second_ns"], met["direction"] = one["time_ns"], two["time_ns"], one["direction"]
    both = (one["options"] & two["options"] & TIMESTAMPS) != 0
    met["same_tsval"] = np.where(both, one["tsval"] == two["tsval"], -1)
    # An ID of 0, as Linux has in a SYN-ACK, says nothing.
    both = (one["ip_version"] == 4) & (two["ip_version"] == 4) & ((one["ip_id"] | two["ip_id"]) != 0)
    met["same_id"] = np.where(both, one["ip_id"] == two["ip_id"], -1)
    kept = _keeps(met, shared)[2 * met["connection"] + met["way"]]
    # Another transmission of the same bytes, of which each capture missed the other's, says nothing.
    sure = ((met["same_tsval"] != 0) | (kept & 1 == 0)) & ((met["same_id"] != 0) | (kept & 2 == 0))
    met = met[sure]
    ordered: Rows = met[np.lexsort((met["first_ns"], met["connection"]))]
    return ordered


def _score(met: Rows, shared: int) -> npt.NDArray[np.float64]:
    """By connection: how much later, by the difference of the clocks, the second point is for packets of way 1 than for those of way 0 that pass next to them."""
    difference = met["second_ns"] - met["first_ns"]
    turns = np.flatnonzero((met["connection"][1:] == met["connection"][:-1]) & (met["way"][1:] != met["way"][:-1]))
    step = difference[turns + 1] - difference[turns]
    step = np.where(met["way"][turns] == 0, step, -step)
    return np.bincount(met["connection"][turns], weights=step.astype(np.float64), minlength=shared).astype(np.float64)


def _settle(near: npt.NDArray[np.uint8], connections: Ints, way: int) -> None:
    """Packets of this way pass the first point first, those of the other the second."""
    near[2 * connections + way] = 0
    near[2 * connections + 1 - way] = 1


def _by_hosts(
    near: npt.NDArray[np.uint8],
    samples: tuple[Rows, Rows],
    known: list[tuple[Ints, Ints]],
    local: tuple[Collection[int], Collection[int]],
) -> None:
    """Where packets do not tell: who sends from an address of the host that took a capture is nearest to it."""
    for side in (0, 1):
        (connection, way), rows = known[side], samples[side]
        addresses = np.array(sorted(local[side]), np.uint32)
        own, others = np.isin(rows["source"], addresses), np.isin(rows["target"], addresses)
        open_ = (connection != NONE) & (near[2 * connection] == UNKNOWN)
        for mine, turn in ((own & ~others & open_, 0), (others & ~own & open_, 1)):
            if side == 0:
                _settle(near, connection[mine & (way == 1)], 1 - turn)
                _settle(near, connection[mine & (way == 0)], turn)
            else:
                _settle(near, connection[mine & (way == 1)], turn)
                _settle(near, connection[mine & (way == 0)], 1 - turn)


def _split(met: Rows, near: npt.NDArray[np.uint8]) -> tuple[Rows, Rows]:
    """The packets that passed the first point first, and the others, as far as that is known."""
    nearer = near[2 * met["connection"] + met["way"]]
    return met[nearer == 0], met[nearer == 1]


def _clock(met: Rows, near: npt.NDArray[np.uint8]) -> Clock | None:
    forward, backward = _split(met, near)
    return clock_of(
        (forward["first_ns"].copy(), forward["second_ns"].copy()),
        (backward["first_ns"].copy(), backward["second_ns"].copy()),
    )


def _by_clock(near: npt.NDArray[np.uint8], met: Rows, clock: Clock) -> None:
    """Of connections of which packets passed one way only: that which the clock says, where it is bounded on both sides."""
    if clock.uncertainty_ns is None:
        return
    open_ = near[2 * met["connection"]] == UNKNOWN
    some = met[open_]
    took = clock.to_first(some["second_ns"]) - some["first_ns"]
    size = len(near) // 2
    signed = np.where(some["way"] == 1, took, -took).astype(np.float64)
    total = np.bincount(some["connection"], weights=signed, minlength=size)
    _settle(near, np.flatnonzero(total > 0), 1)
    _settle(near, np.flatnonzero(total < 0), 0)


def _delays(
    met: Rows, near: npt.NDArray[np.uint8], clock: Clock | None
) -> tuple[tuple[tuple[int, int], tuple[int, int]], int]:
    if clock is None:
        return ((0, 0), (0, 0)), LEAST_WAIT_NS
    found = []
    for sign, some in zip((1, -1), _split(met, near), strict=True):
        took = sign * (clock.to_first(some["second_ns"]) - some["first_ns"])
        found.append((int(took.min()), int(took.max())) if len(took) else (0, 0))
    longest = max(found[0][1], found[1][1])
    return (found[0], found[1]), max(LEAST_WAIT_NS, 2 * longest + MORE_NS)


def _slack(clock: Clock | None, delays: tuple[tuple[int, int], tuple[int, int]]) -> int:
    """Of packets that are no samples some are faster than all samples, the more so the more these vary; where packets went one way only, the clock is as wrong."""
    if clock is None:
        return 0
    varies = max(most - least for least, most in delays) if clock.uncertainty_ns is None else 0
    return max(clock.slack_ns, LEAST_SLACK_NS, min(varies, MOST_SLACK_NS))


def _keeps(met: Rows, connections: int) -> npt.NDArray[np.uint8]:
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


def _clients(met: Rows, near: npt.NDArray[np.uint8]) -> int:
    """How many connections have their client on the side of the first point."""
    forward, backward = _split(met, near)
    ahead = np.unique(forward["connection"][forward["direction"] == 0])
    behind = np.unique(backward["connection"][backward["direction"] == 1])
    return len(np.union1d(ahead, behind))


def _followed(samples: tuple[Rows, Rows], known: list[tuple[Ints, Ints]], pairs: Pairs) -> npt.NDArray[np.bool_]:
    found = np.arange(pairs.count) < pairs.shared
    for rows, (connection, _) in zip(samples, known, strict=True):
        ends = [
            _end(rows["source"], rows["src_port"], rows["target"]),
            _end(rows["target"], rows["dst_port"], rows["source"]),
        ]
        both = (connection >= 0) & (connection < pairs.shared)
        alone = connection >= pairs.shared
        for each in ends:
            there = np.unique(np.concatenate([end[both] for end in ends]))
            found[connection[alone][np.isin(each[alone], there)]] = True
    return found


def _end(address: Ints, port: Ints, peer: Ints) -> npt.NDArray[np.uint64]:
    """An end of a connection and the address at the other, as one number."""
    mixed = (address.astype(np.uint64) << np.uint64(16) | port.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ peer.astype(np.uint64) * np.uint64(0xC4CEB9FE1A85EC53)


def _ends_here(met: Rows, known: list[tuple[Ints, Ints]], pairs: Pairs) -> npt.NDArray[np.bool_]:
    found = np.ones(pairs.count, np.bool_)
    for connection, _ in known:
        found &= np.bincount(connection[connection >= 0], minlength=pairs.count) >= LEAST_SEEN
    found[met["connection"]] = False
    return found
