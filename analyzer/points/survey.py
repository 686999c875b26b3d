"""Two captures -> which connections both hold, which point is nearer to whom, and how their clocks differ: by samples of both."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.points.clock import Clock, clock_of
from analyzer.points.met import keeps_of, met_of
from analyzer.points.pairing import NONE, Pairs, pairs_of
from analyzer.points.passing import NS, Passings
from analyzer.points.sampling import samples_of, share_of
from analyzer.points.segment import DATAGRAM
from analyzer.schema import Rows

UNKNOWN = 2  # of `near`
LEAST_WAIT_NS, MORE_NS = 2_000_000_000, 1_000_000_000
# So many segments may wait at a time, unless even those that take a few times as long as any sample are more.
MOST_WAITING, LONGER, SPARE_NS = 1 << 18, 4, 100_000_000
LEAST_SEEN = 3  # samples of a connection at either point, none of which is at both
LEAST_SLACK_NS, MOST_SLACK_NS = 1_000_000, 50_000_000
Ints = npt.NDArray[np.int64]


@of_fields(frozen=True, slots=True)
class Survey:
    """What is known of two captures before their packets are matched.

    `near` (uint8, by twice the connection and the way) says which point a packet of a way passes first: 0, 1 or UNKNOWN.
    `followed` (bool, by connection) says that the capture which lacks it, if one does, holds others between the same two hosts
    and to the same port: it would hold this one, too.
    `ends_at` (bool, by side and connection) says that an end of it is the host that took the capture of this side, and that both
    captures hold connections between its two hosts.
    `delays_ns` are the shortest and the longest that samples took, from the first point to the second and back, on the clock of
    the first; `wait_ns` is how long a packet may take, `slack_ns` how far it may seem to come before it was sent.
    `apart_ns` is how far the points are apart, there and back.
    """

    pairs: Pairs
    clock: Clock | None
    near: npt.NDArray[np.uint8]
    followed: npt.NDArray[np.bool_]
    ends_at: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
    ends_here: npt.NDArray[np.bool_]
    keeps: npt.NDArray[np.uint8]
    delays_ns: tuple[tuple[int, int], tuple[int, int]]
    wait_ns: int
    slack_ns: int
    apart_ns: int
    from_first: int  # connections whose client is on the side of the first point
    seen: int  # connections whose two points are in order
    by_part: bool  # are datagrams compared by their beginning alone, since some are cut
    datagrams: npt.NDArray[np.bool_]  # by connection: is it none of TCP


def survey_of(captures: tuple[Passings, Passings], local: tuple[Collection[int], Collection[int]]) -> Survey:
    """Survey two captures; `local` are the addresses of the hosts that took them, as PASSING has them, where they are known."""
    share = share_of(*captures)
    by_part = any(each.is_cut for each in captures)
    taken = [samples_of(each, share, by_part) for each in captures]
    samples, keys = (taken[0][0], taken[1][0]), (taken[0][1], taken[1][1])
    pairs = pairs_of(samples, keys, (captures[0].members, captures[1].members))
    known = [_told(rows, pairs, side) for side, rows in enumerate(samples)]
    met = met_of(samples, keys, known, pairs.shared)
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
    delays = _delays(met, near, clock)
    there, back = delays
    first = _clients(met, near)
    return Survey(
        pairs,
        clock,
        near,
        _followed(samples, known, pairs),
        _ends_at(samples, known, pairs, local),
        ends_here,
        keeps_of(met, pairs.count),
        delays,
        _wait(max(most for _, most in delays), sum(each.busiest for each in captures)),
        _slack(clock, delays),
        there[0] + back[0],
        first,
        int((near != UNKNOWN).sum() // 2),
        by_part,
        _datagrams(samples, known, pairs.count),
    )


def _datagrams(samples: tuple[Rows, Rows], known: list[tuple[Ints, Ints]], connections: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(connections, np.bool_)
    for rows, (connection, _) in zip(samples, known, strict=True):
        found[connection[(connection != NONE) & ((rows["flags"] & DATAGRAM) != 0)]] = True
    return found


def _told(rows: Rows, pairs: Pairs, side: int) -> tuple[Ints, Ints]:
    """Connection and way of samples."""
    connection = pairs.of_flow[side][rows["member"]].astype(np.int64)
    way = rows["low"].astype(np.int64)
    if side == 1:
        way = way ^ (pairs.turned[connection] & (connection != NONE))
    return connection, way


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


def _delays(met: Rows, near: npt.NDArray[np.uint8], clock: Clock | None) -> tuple[tuple[int, int], tuple[int, int]]:
    if clock is None:
        return (0, 0), (0, 0)
    found = []
    for sign, some in zip((1, -1), _split(met, near), strict=True):
        took = sign * (clock.to_first(some["second_ns"]) - some["first_ns"])
        found.append((int(took.min()), int(took.max())) if len(took) else (0, 0))
    return found[0], found[1]


def _wait(longest_ns: int, busiest: int) -> int:
    """How long segments wait, of which samples take so long at most; less where so many of a second would need too much memory."""
    usual = max(LEAST_WAIT_NS, 2 * longest_ns + MORE_NS)
    room = MOST_WAITING * NS // max(busiest, 1)
    return min(usual, max(room, LONGER * longest_ns + SPARE_NS))


def _slack(clock: Clock | None, delays: tuple[tuple[int, int], tuple[int, int]]) -> int:
    """Of packets that are no samples some are faster than all samples, the more so the more these vary; where packets went one way only, the clock is as wrong."""
    if clock is None:
        return 0
    varies = max(most - least for least, most in delays) if clock.uncertainty_ns is None else 0
    return max(clock.slack_ns, LEAST_SLACK_NS, min(varies, MOST_SLACK_NS))


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


def _ends_at(
    samples: tuple[Rows, Rows],
    known: list[tuple[Ints, Ints]],
    pairs: Pairs,
    local: tuple[Collection[int], Collection[int]],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    found = np.zeros((2, pairs.count), np.bool_)
    for rows, (connection, _) in zip(samples, known, strict=True):
        ends = rows["source"].astype(np.uint64), rows["target"].astype(np.uint64)
        hosts = np.minimum(*ends) << np.uint64(32) | np.maximum(*ends)
        both = np.isin(hosts, hosts[(connection >= 0) & (connection < pairs.shared)]) & (connection >= 0)
        for side in (0, 1):
            addresses = np.array(sorted(local[side]), np.uint64)
            found[side, connection[both & (np.isin(ends[0], addresses) | np.isin(ends[1], addresses))]] = True
    return found[0], found[1]


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
