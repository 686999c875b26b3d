"""IPv4 and IPv6 packets -> the same without addresses and payload, tunnels and what ICMP quotes included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.extract.cryptopan import Pan
from analyzer.extract.room import Room
from analyzer.extract.sums import carried_over, compensation, sum16
from analyzer.extract.transport import Transport
from analyzer.fields import of_fields

if TYPE_CHECKING:
    from analyzer.extract.layers import Layers

HOP_BY_HOP, ROUTING, FRAGMENT, ESP, AUTHENTICATION, NOTHING, DESTINATION, MOBILITY = 0, 43, 44, 50, 51, 59, 60, 135
ADDRESSES_FROM = {0: 8, 2: 8, 4: 8}  # of routing headers, by type
ROUTER_ALERT4, ROUTER_ALERT6, JUMBO, PAD1 = 148, 5, 0xC2, 0


@of_fields(frozen=True, slots=True)
class Pseudo:
    """Sums of the pseudo-header without its length, before and after."""

    old: int
    new: int


class Internet:
    """Writes packets into a Room; `layers` writes what stands in tunnels."""

    def __init__(self, pan: Pan, layers: Layers) -> None:
        self._pan = pan
        self._transport = Transport(pan, self, layers)

    def ipv4(self, room: Room, at: int, end: int) -> None:
        """The packet at `at`; what stands behind its own end becomes zeros."""
        room.keep(at, 12, end)
        size = (room.old[at] & 15) * 4 if at < end else 0
        if size < 20 or not room.has(at, size, end):
            return
        for place in (at + 12, at + 16):
            room.put(place, self._pan.address(room.old[place : place + 4]))
        self._options4(room, at + 20, at + size)
        old, new = sum16(_without(room.old, at, at + size, at + 10)), sum16(_without(room.new, at, at + size, at + 10))
        room.put(at + 10, carried_over(room.number(at + 10), old, new).to_bytes(2))
        total = room.number(at + 2)
        stop = min(end, at + total) if total >= size else end
        pieces = room.number(at + 6)
        protocol = room.old[at + 9]
        if pieces & 0x1FFF:
            room.put(at + size, compensation(room.old[at + size : stop]))
            return
        sums = (sum16(each[at + 12 : at + 20]) + protocol for each in (room.old, room.new))
        length = total - size if total >= size and not pieces & 0x2000 else stop - at - size
        self._transport.segment(room, protocol, at + size, stop, Pseudo(*sums), length)

    def ipv6(self, room: Room, at: int, end: int) -> None:
        """The packet at `at`; what stands behind its own end becomes zeros."""
        room.keep(at, 8, end)
        if not room.has(at, 40, end):
            return
        for place in (at + 8, at + 24):
            room.put(place, self._pan.address(room.old[place : place + 16]))
        total = room.number(at + 4)
        stop = min(end, at + 40 + total) if total else end
        target, place, header = at + 24, at + 40, room.old[at + 6]
        whole = True
        while header in (HOP_BY_HOP, DESTINATION, ROUTING, FRAGMENT, AUTHENTICATION) and room.has(place, 8, stop):
            size = 8 if header == FRAGMENT else (room.old[place + 1] + 2) * 4 if header == AUTHENTICATION else (room.old[place + 1] + 1) * 8  # fmt: skip
            if header == ROUTING:
                target = self._routing(room, place, min(place + size, stop)) or target
            elif header == FRAGMENT:
                room.keep(place, 8)
                pieces = room.number(place + 2)
                whole = not pieces & 1
                if pieces & 0xFFF8:
                    room.put(place + 8, compensation(room.old[place + 8 : stop]))
                    return
            elif header == AUTHENTICATION:
                room.keep(place, 12, stop)
            else:
                room.keep(place, 2)
                self._options6(room, place + 2, min(place + size, stop))
            header, place = room.old[place], place + size
        sums = (
            sum16(each[at + 8 : at + 24]) + sum16(each[target : target + 16]) + header for each in (room.old, room.new)
        )
        length = at + 40 + total - place if total and whole else stop - place
        if place <= stop:
            self._transport.segment(room, header, place, stop, Pseudo(*sums), length)

    def _options4(self, room: Room, at: int, stop: int) -> None:
        """Kinds and lengths, and where routes and times are written next; no addresses."""
        while at < stop:
            kind = room.old[at]
            room.keep(at, 1)
            if kind == 0:
                return
            size = 1 if kind == 1 else room.old[at + 1] if at + 1 < stop else 0
            if kind != 1:
                room.keep(
                    at,
                    {ROUTER_ALERT4: 4, 68: 4}.get(kind, 3 if kind in (7, 131, 137) else 2),
                    min(at + max(size, 2), stop),
                )
            if size < (1 if kind == 1 else 2):
                return
            at += size

    def _options6(self, room: Room, at: int, stop: int) -> None:
        """Kinds and lengths; what they say only of router alerts and jumbograms."""
        while at < stop:
            kind = room.old[at]
            room.keep(at, 1 if kind == PAD1 else 2, stop)
            if kind == PAD1:
                at += 1
                continue
            size = room.old[at + 1] if at + 1 < stop else 0
            if kind in (ROUTER_ALERT6, JUMBO):
                room.keep(at, 2 + size, stop)
            at += 2 + size

    def _routing(self, room: Room, at: int, stop: int) -> int:
        """The addresses of a routing header; where the one stands to which the packet goes at last, 0 where it goes on to its destination."""
        kind, left = room.old[at + 2], room.old[at + 3]
        room.keep(at, 8 if kind in ADDRESSES_FROM else 4)
        if kind not in ADDRESSES_FROM:
            return 0
        count = (stop - at - 8) // 16 if kind != 4 else min(room.old[at + 4] + 1, (stop - at - 8) // 16)
        places = [at + 8 + 16 * number for number in range(count)]
        for place in places:
            room.put(place, self._pan.address(room.old[place : place + 16]))
        if not left or not places:
            return 0
        return places[0] if kind == 4 else places[-1]


def _without(data: bytes | bytearray, at: int, stop: int, field: int) -> bytes:
    """Bytes without a field of two in them, which stands at an even place."""
    return bytes(data[at:field]) + bytes(data[field + 2 : stop])
