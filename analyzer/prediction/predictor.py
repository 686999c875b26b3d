"""Packet rows and events -> increments: what each frame must add to the counters of the host that took the capture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analyzer.prediction.hosts import host_table
from analyzer.prediction.names import NUMBER
from analyzer.prediction.sink import INCREMENT, Kept
from analyzer.prediction.state import CHUNK, CONNECTION, PLACE, SLOT, SLOTS, Connections
from analyzer.prediction.tally import Tally
from analyzer.prediction.world import ON_FRAGMENTS, ON_PASSED, ON_QUOTED, ON_REFUSED, world_of
from analyzer.schema import Rows
from analyzer.tables import PACKETS

FIRST_CAPACITY = 1 << 12
FIRST_CHUNKS = 1 << 10
CHUNKS_MORE = 16  # by this part of them their number grows
NO_FLOW = -1
DEFAULT_MTU = 1500
ON_PORTS = "connections of a port tell of each other: SYNs without an answer, cookies, fast open"
HANGS = {
    ON_QUOTED: "an ICMP error is about a TCP connection of the host",
    ON_FRAGMENTS: "fragments came to the host",
    ON_PASSED: "the host passes packets on",
    ON_REFUSED: "the host refuses packets by ICMP errors",
}


class Predictor:
    """Predicts the counters of one host, part by part, after the Judge has said the events of the rows.

    Parameters
    ----------
    addresses : of the host's interfaces, as text
    mtu : the largest IP packet that these carry; a larger one was captured merged, or before it was segmented
    sysctls : its settings below /proc/sys, such as `net.ipv4.ip_forward`, as far as they are known
    copies : count also what was taken for captured twice: the network made two of it

    Increments are either seen one by one (`add`, `settle`), or only their sums (`count`, `count_settled`).
    """

    def __init__(
        self,
        addresses: Sequence[str],
        mtu: int = DEFAULT_MTU,
        sysctls: Mapping[str, str] | None = None,
        *,
        copies: bool = False,
    ) -> None:
        self._hosts = host_table(addresses)
        self._kept = _connections()
        self._world = world_of(mtu, sysctls or {}, copies=copies)
        self._increments = Kept()

    def add(self, rows: Rows, events: Rows) -> Iterator[Rows]:
        """The increments (INCREMENT) of a part; what is yielded is overwritten by the next."""
        for _ in self._walk(rows, events, self._increments):
            yield self._increments.taken()

    def count(self, rows: Rows, events: Rows, tally: Tally) -> None:
        """The same summed, each in its cell of `tally`; some of it waits there until it is drained."""
        for _ in self._walk(rows, events, tally):
            tally.make_room()
        tally.reach(int(self._world["end_ns"][0]))

    def reach(self, time_ns: int) -> None:
        """The capture goes on to this time, whatever rows were given."""
        self._world["end_ns"] = np.maximum(self._world["end_ns"], time_ns)

    def hangs(self) -> str:
        """Why what it has counted hangs on more than the packets that it was given, where these are some connections of a capture.

        Empty where the sum over several predictors is what one counts, if of none of their pools (`taken`) more is taken than there is.
        """
        ports, bits = self._world["ports"], int(self._world["hangs"][0])
        if ports["asked"].any() or ports["fast_open"].any() or ports["cookie_ns"].any():
            return ON_PORTS
        return next((reason for bit, reason in HANGS.items() if bits & bit), "")

    def saw(self, bit: int) -> bool:
        """Was that asked (ON_...)?"""
        return bool(int(self._world["hangs"][0]) & bit)

    def is_uncut(self) -> bool:
        """Was a segment captured that the card has cut?"""
        return bool(self._world["uncut"][0])

    def taken(self) -> list[int]:
        """How much of each of the pools that all connections share was ever in use, in parts of all of it (2^20)."""
        pools = (("segments", "start"), ("ranges", "left"), ("pieces", "count"))
        marks = [(int(self._world[name][mark][0, 0]), self._world[name].shape[1]) for name, mark in pools]
        return [-(-(mark << 20) // size) for mark, size in marks]

    def settle(self) -> Iterator[Rows]:
        """The increments of frames whose answer, or the lack of it, only the end of the capture makes certain.

        They are made once, after all rows, and overwritten as those of add().
        """
        for _ in self._settle(self._increments):
            yield self._increments.taken()

    def count_settled(self, tally: Tally) -> None:
        """The same summed, at the latest time of a frame, and all that waits."""
        tally.enter(int(self._world["end_ns"][0]))
        for _ in self._settle(tally):
            tally.drain()

    def finish(self) -> Rows:
        """What may have happened after a frame without leaving one: each row says that its counter moved at most so much more."""
        from analyzer.prediction.end_kernel import late

        parts, at = [], 0
        while at < 2 * len(self._kept.places):
            at = late(at, self._kept, self._world, self._increments.sink)
            parts.append(self._increments.taken().copy())
            self._grow_chunks()
        return np.concatenate([*parts, self._incomplete()])

    def _walk(self, rows: Rows, events: Rows, into: Kept | Tally) -> Iterator[None]:
        """Have the rows looked at; stops when what was added must be taken away, and at the end."""
        from analyzer.prediction.walk_kernel import predict

        if events["late"].any():
            events = events[events["late"] == 0]  # what was said of earlier frames is no news of these
        at = event_at = 0
        while True:
            at, event_at = predict(
                rows,
                at,
                events,
                event_at,
                self._hosts,
                self._kept,
                self._world,
                into.sink,
                into.cuts,
                into.sums,
            )
            yield
            if at == len(rows):
                return
            self._grow(int(rows["place"][at]))

    def _settle(self, into: Kept | Tally) -> Iterator[None]:
        from analyzer.prediction.end_kernel import settle

        blank_rows, at = np.zeros(1, PACKETS.dtype), 0
        while at < 2 * len(self._kept.places):
            at = settle(at, self._kept, self._world, blank_rows, into.sink)
            yield
            self._grow_chunks()

    def _incomplete(self) -> Rows:
        """Fragments that still waited for the rest: ip_expire()."""
        rows = [
            (entry["until_ns"], entry["frame"], NO_FLOW, NUMBER[f"{'Ip6' if entry['six'] else 'Ip'}{name}"], 0, 0, 1)
            for entry in self._world["fragments"][self._world["fragments"]["until_ns"] != 0]
            for name in ("ReasmFails", "ReasmTimeout")
        ]
        return np.array(rows, INCREMENT)

    def _grow(self, place: int) -> None:
        """Have room for a place, and for what the next frame may bring to rest."""
        kept = self._kept
        size = len(kept.places)
        while size <= place:
            size *= 2
        if size > len(kept.places):
            # In place: for large arrays the system moves pages instead of copying bytes, and there are never two of them.
            kept.places.resize(size, refcheck=False)
        self._grow_chunks()

    def _grow_chunks(self) -> None:
        """Have room for what the next frame may bring to rest."""
        from analyzer.prediction.rest_kernel import FOLDED_AT_ONCE, MOST_CHUNKS

        chunks = self._kept.chunks
        taken, free = chunks["words"][0, :2].tolist()
        if len(chunks) - 1 - taken + free < FOLDED_AT_ONCE * MOST_CHUNKS:
            chunks.resize(len(chunks) + max(FIRST_CHUNKS, len(chunks) // CHUNKS_MORE), refcheck=False)


def _connections() -> Connections:
    """None at first. What nobody writes to takes no memory."""
    hot = np.zeros(SLOTS, CONNECTION)
    places, slots, chunks = np.zeros(FIRST_CAPACITY, PLACE), np.zeros(SLOTS, SLOT), np.zeros(FIRST_CHUNKS, CHUNK)
    return Connections(places, hot, hot.view(np.uint32).reshape(SLOTS, -1), slots, chunks)
