"""One connection as several capture points saw it, packet by packet: which frame it is at each point, what became of it between them, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.follow import Flow, flow_number, flow_row
from analyzer.follow.flow import FROM_OUTSIDE
from analyzer.follow.telling import Telling
from analyzer.schema import Rows
from analyzer.tables import PASSAGES
from analyzer.text import printable
from analyzer.together import joined, taken

if TYPE_CHECKING:
    from analyzer.points.points import Points

SENT, CAME = (PASSAGES.bit("way", word) for word in ("sent", "came"))


@of_fields(slots=True)
class Sight:
    """A packet: `time_ns` when it was first seen, on the clock chosen, at the point with the place `first` in the order of the path.

    `frames` are its frames at each point in this order, `row` that of FRAME at the first, `hops` what became of it between two
    points (rows of `passages`, each where it was sent, or, if it was not, where it came), in the order in which it passed them.
    """

    time_ns: int
    first: int
    row: Rows
    frames: list[list[int]]
    hops: list[Rows] = field(default_factory=list)


@dataclass(repr=False)
class Followed(Telling):
    """One connection at several points. It shows itself as text, and in a notebook; `points.flow(0)` makes it.

    `names` are those of the points that have it, in the order of the path, `flows` the connection at each of them, `sights` its packets in
    order of time, `clock` the point whose clock times are on. `shown` makes the text.
    """

    names: list[str]
    flows: list[Flow]
    sights: list[Sight]
    clock: str
    uncertain_ns: list[int | None]  # by pair of points that are next to each other: how well delays are known
    shown: Callable[[Followed, bool], str] = lambda found, _: f"<Followed at {', '.join(found.names)}>"


def followed(points: Points, which: int | str) -> Followed:
    """The connection that `which` means: its number at the first point of the path, or an `ADDRESS:PORT` that one of its ends has at any point.

    Reads the captures again. Raises UsageError where there is none, several have this end, or one point alone has it.
    """
    place, number = _found(points, which)
    known = _at_points(points, place, number)
    places = sorted(known)
    if len(places) < 2:
        name = printable(points.names[points.order[place]] if points.order else points.names[0])
        raise UsageError(
            "FLOW",
            f"no other point is known to have flow {number:,} of {name}",
            f"`tcpcap flows --at ...` lists those of each; a number is that of {name}, the first point of the path",
        )
    names = [points.names[points.order[each]] for each in places]
    flows = [points.at[name].flow(known[each]) for name, each in zip(names, places, strict=True)]
    uncertain = []
    for each in places[:-1]:
        clock = points.between[each].survey.clock
        uncertain.append(None if clock is None else clock.uncertainty_ns)
    sights = _Sights(points, places, flows).all()
    return Followed(names, flows, sights, points.clock, uncertain)


def _found(points: Points, which: int | str) -> tuple[int, int]:
    """The place of a point in the order of the path, and the number of the flow there."""
    first: UsageError | None = None
    for place, point in enumerate(points.order):
        tracker = points.at[points.names[point]].flow_tracker
        try:
            number = flow_number(tracker, str(which))
            flow_row(tracker, number)
            return place, number
        except UsageError as error:
            first = first or error
        if ":" not in str(which):
            break  # a number is that of the first point
    raise first or UsageError("FLOW", "no connection that two points share", "follow it at each point alone")


def _at_points(points: Points, place: int, number: int) -> dict[int, int]:
    """Its number at each point that has it, by the place of the point."""
    known = {place: number}
    for pairs, one, other in (
        (range(place, len(points.between)), 0, 1),
        (range(place - 1, -1, -1), 1, 0),
    ):
        own = number
        for pair in pairs:
            shared = points.between[pair].survey.pairs.flows
            there = shared[shared[:, one] == own, other]
            if not len(there):
                break
            own = int(there[0])
            known[pair + other] = own
    return known


class _Sights:
    """Puts the frames of the points together."""

    def __init__(self, points: Points, places: Sequence[int], flows: Sequence[Flow]) -> None:
        self._points, self._places, self._flows = points, places, flows
        self._rows = [{int(row["frame"]): row for row in flow.frame_rows} for flow in flows]
        self._known: dict[tuple[int, int], Sight] = {}

    def all(self) -> list[Sight]:
        """Every packet, and every ICMP error about the connection, in order of time."""
        pairs = [self._passages(at) for at in range(len(self._places) - 1)]
        for at, rows in enumerate(pairs):  # what goes from the first point to the last
            self._passed(at, at + 1, rows)
        for at, rows in reversed(list(enumerate(pairs))):
            self._passed(at + 1, at, rows)
        for at, rows in enumerate(pairs):
            for row in rows[rows["way"] == 0]:
                self._first(self._place(row, at), row)
        self._errors()
        found = {id(each): each for each in self._known.values()}
        return sorted(found.values(), key=lambda each: (each.time_ns, each.first, int(each.row["frame"])))

    def _passages(self, at: int) -> Rows:
        """The rows of `passages` of the connection between two points, on the clock chosen."""
        pair = self._places[at]
        between = self._points.between[pair]
        own = {between.points[side]: self._flows[at + side].number for side in (0, 1)}
        kept = [np.zeros(0, PASSAGES.dtype)]
        for rows in between.passages():
            mine = np.zeros(len(rows), np.bool_)
            for point, flow in own.items():
                mine |= (rows["point_number"] == point) & (rows["flow"] == flow)
            kept.append(taken(rows, mine))
        every = joined(kept)
        every["time_ns"] = self._points.on_pair_clock(pair, every["time_ns"])
        return every

    def _place(self, row: Rows, at: int) -> int:
        """At which of the points of a pair a row was captured."""
        return at if int(row["point_number"]) == self._points.order[self._places[at]] else at + 1

    def _passed(self, near: int, far: int, rows: Rows) -> None:
        """What was sent at the one place and came to the other, and what came without having been sent."""
        numbers = [self._points.order[self._places[each]] for each in (near, far)]
        sent = rows[(rows["way"] == SENT) & (rows["point_number"] == numbers[0])]
        came = rows[(rows["way"] == CAME) & (rows["point_number"] == numbers[1])]
        of_packet: dict[int, list[int]] = {}
        for row in came:
            of_packet.setdefault(int(row["packet"]), []).append(int(row["frame"]))
        for row in sent:
            sight = self._first(near, row)
            related = int(row["related_frame"])
            for frame in of_packet.get(int(row["packet"]), [related] if related else []):
                if frame not in sight.frames[far]:
                    sight.frames[far].append(frame)
                self._known.setdefault((far, frame), sight)
        # What was never sent, or by a flow that has another number here: an old segment, after the ports were used again.
        for row in came:
            if (far, int(row["frame"])) not in self._known:
                self._first(far, row)

    def _first(self, place: int, row: Rows) -> Sight:
        """The packet of which a row of `passages` tells: known already, or seen here first."""
        key = (place, int(row["frame"]))
        sight = self._known.get(key)
        if sight is None:
            sight = self._new(place, int(row["time_ns"]), self._rows[place][key[1]])
        sight.hops.append(row)
        return sight

    def _new(self, place: int, time_ns: int, row: Rows) -> Sight:
        sight = Sight(time_ns, place, row, [[] for _ in self._places])
        sight.frames[place].append(int(row["frame"]))
        self._known[place, int(row["frame"])] = sight
        return sight

    def _errors(self) -> None:
        """ICMP errors belong to no flow: they stand alone, where they were captured."""
        for place, flow in enumerate(self._flows):
            point = self._points.order[self._places[place]]
            for row in flow.frame_rows[flow.frame_rows["side"] == FROM_OUTSIDE]:
                self._new(place, int(self._points.on_clock(point, row["time_ns"].reshape(1))[0]), row)


def hops_between(sights: Sequence[Sight], points: tuple[int, int]) -> Iterator[Rows]:
    """What became of packets that went from the one point to the other, by their numbers."""
    for sight in sights:
        for row in sight.hops:
            ends = (int(row["point_number"]), int(row["other_number"]))
            if (ends if int(row["way"]) == SENT else ends[::-1]) == points:
                yield row
