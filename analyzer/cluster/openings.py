"""The SYNs of a capture -> whether one connection could change what is said of another: on two sides of a NAT, or behind one address."""

from __future__ import annotations

from dataclasses import field

import numpy as np
import numpy.typing as npt

from analyzer.events.clock_kernel import CLOCKS, NO_CLOCK, PAWS_WINDOW, RECYCLE_NS, SAME_CLOCK, SOURCES
from analyzer.fields import of_fields
from analyzer.flows.handshake_kernel import BAD_SUM
from analyzer.flows.leg_kernel import LEG_NS
from analyzer.schema import Rows
from analyzer.serial import difference
from analyzer.tables import PACKETS

TIMESTAMPS = PACKETS.bit("options", "timestamps")
COLUMNS = (
    "time_ns", "src_hi", "src_lo", "dst_hi", "dst_lo", "seq", "tsval", "ip_id", "src_port", "dst_port", "window", "options", "ip_version",
    "ip_header_checksum",
)  # fmt: skip
OPENING = np.dtype([(name, PACKETS.dtype[name]) for name in COLUMNS])
"""Of a SYN without ACK."""
LEG = ("src_port", "dst_port", "seq", "tsval", "window", "ip_id", "ip_version")  # what a NAT leaves as it is
PORTS = ("src_port", "dst_port")
MOST_OPENINGS = 1 << 23
RECYCLED = "several hosts are behind one address, and their timestamps are compared"
ADDRESSES = ("src_hi", "src_lo", "dst_hi", "dst_lo")


def openings_of(rows: Rows) -> Rows:
    """What is kept of packet rows with a SYN."""
    found = np.zeros(len(rows), OPENING)
    for name in COLUMNS:
        found[name] = rows[name]
    return found


def why_not(openings: Rows) -> str:
    """Why one connection tells of another; empty where none does."""
    if len(openings) > MOST_OPENINGS:
        return "more connections are opened than can be compared"
    if may_be_legs(openings):
        return "the same connections were captured on both sides of a NAT"
    return RECYCLED if are_recycled(suspects(openings)) else ""


def damaged(openings: Rows) -> int:
    """How many of them have a wrong checksum of their IPv4 header."""
    return int(np.count_nonzero(openings["ip_header_checksum"] == BAD_SUM))


def may_be_legs(openings: Rows) -> bool:
    """Is there a SYN, of these in order of time, that was captured again with other addresses, as soon as a NAT passes it on?"""
    order, new = _grouped(openings, LEG)
    before, after = openings[order[:-1]], openings[order[1:]]
    soon = after["time_ns"] - before["time_ns"] <= LEG_NS
    other = np.any([before[name] != after[name] for name in ADDRESSES], axis=0)
    return bool((soon & other & (after["seq"] != 0) & ~new[1:]).any())


def suspects(openings: Rows) -> Rows:
    """Those of the SYNs, in order of time, from which one must look whether several hosts are behind one address.

    Only where two clocks were seen between two addresses, each by several connections, the judge compares their timestamps. Most
    systems give each connection a clock of its own; what shares a place of the judge's with such addresses belongs to them.
    """
    shown = openings[openings["options"] & TIMESTAMPS > 0]
    if not len(shown):
        return shown
    offsets = difference(shown["tsval"], shown["time_ns"] // 1_000_000 & 0xFFFFFFFF)
    _, group = np.unique(shown[list(ADDRESSES)], return_inverse=True)
    order = np.lexsort((offsets, group))
    near = (np.diff(group[order]) == 0) & (np.diff(offsets[order]) < 2 * SAME_CLOCK)
    ports = shown[[*PORTS, "seq"]][order]
    several = near & (ports[1:] != ports[:-1])
    clocks = np.cumsum(np.concatenate([[True], ~near]))  # neighbours with nearly the same offset: perhaps one clock
    shared = np.unique(np.stack([group[order][1:], clocks[1:]])[:, several], axis=1)
    groups, counts = np.unique(shared[0], return_counts=True)
    around = np.ptp(offsets) >= 1 << 31  # offsets are numbers on a circle, and a clock may lie across its end
    asked = np.isin(group, groups[counts > (0 if around else 1)])
    places = _places(shown)
    return shown[np.isin(places, np.unique(places[asked]))]


def are_recycled(openings: Rows) -> bool:
    """Would the judge say of one of these SYNs, all `suspects`, that its timestamp is behind that of another host at its address?"""
    first = _first_of_connections(openings).tolist()
    identities = _identities(openings).tolist()
    sources: dict[int, _Source] = {}
    columns = (identities, _places(openings).tolist(), first, openings["tsval"].tolist(), openings["time_ns"].tolist())
    for identity, place, is_first, tsval, time_ns in zip(*columns, strict=True):
        source = sources.get(place)
        if source is None or source.identity != identity:
            source = sources[place] = _Source(identity)
        if source.shows(tsval, time_ns, is_first):
            return True
    return False


@of_fields(slots=True)
class _Source:
    """What is known of the clocks between two addresses, as `clock_kernel.recycling` keeps it."""

    identity: int
    clocks: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    last: int = NO_CLOCK
    tsval: int = 0
    time_ns: int = 0

    def shows(self, tsval: int, time_ns: int, is_first: bool) -> bool:
        """The next SYN, the first of its connection or not: is its clock that of another host, and behind?"""
        before, at = self.last, self._find(int(difference(tsval, time_ns // 1_000_000 & 0xFFFFFFFF)))
        same = before >= 0 and (tsval, time_ns) == (self.tsval, self.time_ns)
        if is_first and at >= 0:
            self.connections[at] = min(self.connections[at] + 1, 2)
        two = before >= 0 and at >= 0 and before != at and not same
        told = two and self.connections[before] > 1 and self.connections[at] > 1
        behind = difference(self.tsval, tsval) > PAWS_WINDOW and 0 <= time_ns - self.time_ns < RECYCLE_NS
        self.tsval, self.time_ns, self.last = tsval, time_ns, at
        return bool(told and behind)

    def _find(self, clock: int) -> int:
        for at, known in enumerate(self.clocks):
            if abs(difference(clock & 0xFFFFFFFF, known & 0xFFFFFFFF)) < SAME_CLOCK:
                return at
        if len(self.clocks) < CLOCKS:
            self.clocks.append(clock)
            self.connections.append(0)
            return len(self.clocks) - 1
        free = max((at for at, count in enumerate(self.connections) if count < 2), default=NO_CLOCK)
        if free >= 0:
            self.clocks[free], self.connections[free] = clock, 0
        return free


def _first_of_connections(openings: Rows) -> npt.NDArray[np.bool_]:
    """Is each the first SYN of its connection: is the one before it on its tuple another?"""
    order, new = _grouped(openings, (*ADDRESSES, *PORTS))
    again = (openings["seq"][order[1:]] == openings["seq"][order[:-1]]) & ~new[1:]
    first = np.ones(len(openings), np.bool_)
    first[order[1:]] = ~again
    return first


def _identities(openings: Rows) -> npt.NDArray[np.uint64]:
    """Of source and destination together."""
    with np.errstate(over="ignore"):
        found: npt.NDArray[np.uint64] = mixed(openings["dst_hi"] ^ mixed(openings["dst_lo"]))
        return mixed(openings["src_hi"] ^ mixed(openings["src_lo"] ^ found))


def _places(openings: Rows) -> npt.NDArray[np.int64]:
    """Where the judge keeps what it knows of them."""
    return (_identities(openings) & np.uint64(SOURCES - 1)).astype(np.int64)


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """As `hash_kernel.mix`, of many."""
    values = values ^ values >> np.uint64(33)
    values = values * np.uint64(0xFF51AFD7ED558CCD)
    values = values ^ values >> np.uint64(33)
    values = values * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ values >> np.uint64(33)


def _grouped(openings: Rows, names: tuple[str, ...]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Where those with the same in all of these columns are, together and in their order; and where others begin."""
    order = np.lexsort([openings[name] for name in names])
    new = np.ones(len(order), np.bool_)
    if len(order):
        new[1:] = np.any([openings[name][order[1:]] != openings[name][order[:-1]] for name in names], axis=0)
    return order, new
