"""TCP, UDP, ICMP and tunnels behind an IP header -> the same without addresses and payload, their checksums as right as before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from analyzer.extract.cryptopan import Pan
from analyzer.extract.room import Room
from analyzer.extract.sums import carried_over, sum16

if TYPE_CHECKING:
    from analyzer.extract.internet import Internet, Pseudo
    from analyzer.extract.layers import Layers

ICMP, IGMP, IPIP, TCP, UDP, IP6, GRE, ESP, AH, ICMP6, SCTP, MOBILITY = 1, 2, 4, 6, 17, 41, 47, 50, 51, 58, 132, 135
QUOTING4, QUOTING6 = (3, 4, 5, 11, 12), (1, 2, 3, 4)
REDIRECT = 5
NEIGHBORS = {133: (8, ()), 134: (16, ()), 135: (8, (8,)), 136: (8, (8,)), 137: (8, (8, 24)), 130: (8, (8,)), 131: (8, (8,)), 132: (8, (8,))}  # fmt: skip
VXLAN, GENEVE, GTPU, L2TP, TEREDO, CAPWAP, TZSP = (4789, 8472), (6081,), (2152,), (1701,), (3544,), (5247,), (37008,)
TCP_KEPT = (2, 3, 4, 5, 8, 34)  # options with sizes, blocks and times
MPTCP, ADD_ADDRESS = 30, 3
EXPERIMENTS, FAST_OPEN = (253, 254), 0xF989
ETHERNET_IN, PPP_IN = 0x6558, 0x880B
ARUBA_IN = range(0x8200, 0x8300)  # 802.11 from access points


class Transport:
    """Writes what stands behind IP headers into a Room."""

    def __init__(self, pan: Pan, internet: Internet, layers: Layers) -> None:
        self._pan, self._internet, self._layers = pan, internet, layers
        self._tunnels = {
            **dict.fromkeys(VXLAN, self._vxlan), **dict.fromkeys(GENEVE, self._geneve), **dict.fromkeys(GTPU, self._gtpu),
            **dict.fromkeys(L2TP, self._l2tp), **dict.fromkeys(TEREDO, self._teredo), **dict.fromkeys(CAPWAP, self._capwap),
            **dict.fromkeys(TZSP, self._tzsp),
        }  # fmt: skip

    def segment(self, room: Room, protocol: int, at: int, stop: int, pseudo: Pseudo, length: int) -> None:
        """A segment from `at` to `stop`; `length` is what the pseudo-header says of it."""
        if protocol == TCP:
            self._tcp(room, at, stop)
            self._check(room, at + 16, at, stop, pseudo, length)
        elif protocol == UDP:
            self._udp(room, at, stop)
            declared = room.number(at + 4) if at + 6 <= stop else length
            inside = min(stop, at + declared) if declared >= 8 else stop
            self._check(room, at + 6, at, inside, pseudo, declared or length)
        elif protocol == ICMP:
            self._icmp(room, at, stop)
            self._check(room, at + 2, at, stop)
        elif protocol == ICMP6:
            self._icmp6(room, at, stop)
            self._check(room, at + 2, at, stop, pseudo, length)
        elif protocol == IGMP:
            room.keep(at, 4, stop)
            self._check(room, at + 2, at, stop)
        elif protocol == GRE:
            self._gre(room, at, stop)
        elif protocol == AH and room.has(at, 12, stop):  # of IPv6 it is an extension header
            room.keep(at, 12)
            size = (room.old[at + 1] + 2) * 4
            if at + size <= stop:
                more = room.old[at] - AH
                carried = replace(pseudo, old=pseudo.old + more, new=pseudo.new + more)
                self.segment(room, room.old[at], at + size, stop, carried, length - size)
        elif protocol in (IPIP, IP6):
            (self._internet.ipv4 if protocol == IPIP else self._internet.ipv6)(room, at, stop)
        else:
            room.keep(at, {SCTP: 12, ESP: 8, MOBILITY: 6}.get(protocol, 0), stop)

    def _check(self, room: Room, field: int, at: int, stop: int, pseudo: Pseudo | None = None, length: int = 0) -> None:
        """Let a checksum follow what was changed of what it covers."""
        if field + 2 > stop:
            return
        given = room.number(field)
        old, new = (sum16(each[at:stop]) - given for each in (room.old, room.new))
        sums = (pseudo.old, pseudo.new) if pseudo is not None else (0, 0)
        room.put(field, carried_over(given, old, new, *sums, length=length).to_bytes(2))

    def _tcp(self, room: Room, at: int, stop: int) -> None:
        room.keep(at, 20, stop)
        if not room.has(at, 20, stop):
            return
        place, end = at + 20, min(at + (room.old[at + 12] >> 4) * 4, stop)
        while place < end:
            kind = room.old[place]
            room.keep(place, 1)
            if kind == 0:
                return
            if kind == 1:
                place += 1
                continue
            room.keep(place, 2, end)
            size = room.old[place + 1] if place + 1 < end else 0
            if size < 2:
                return
            if kind == MPTCP and place + 2 < end:
                told = 4 if room.old[place + 2] >> 4 == ADD_ADDRESS else size
                room.keep(place, told, min(place + size, end))
            elif kind in EXPERIMENTS:  # RFC 6994: what it is stands in the first two bytes
                known = place + 4 <= end and room.number(place + 2) == FAST_OPEN
                room.keep(place, size if known else 4, min(place + size, end))
            elif kind in TCP_KEPT:
                room.keep(place, size, end)
            place += size

    def _udp(self, room: Room, at: int, stop: int) -> None:
        room.keep(at, 8, stop)
        if not room.has(at, 16, stop):
            return
        inner = at + 8
        for port in (room.number(at + 2), room.number(at)):
            if port in self._tunnels:
                self._tunnels[port](room, inner, stop)
                return
        if room.old[inner] & 0xF8 == 0x30 and inner + 8 + room.number(inner + 2) == stop:
            self._gtpu(room, inner, stop)

    def _vxlan(self, room: Room, at: int, stop: int) -> None:
        if room.old[at] & 0x08:
            room.keep(at, 8)
            self._layers.ethernet(room, at + 8, stop)

    def _l2tp(self, room: Room, at: int, stop: int) -> None:
        """A data message of version 2, which carries PPP."""
        flags = room.number(at)
        room.keep(at, 2)
        if flags & 0x800F != 2:
            return
        size = 6 + 2 * bool(flags & 0x4000) + 4 * bool(flags & 0x0800)
        if flags & 0x0200 and room.has(at, size + 2, stop):
            size += 2 + room.number(at + size)
        room.keep(at, size, stop)
        self._layers.ppp(room, at + size, stop)

    def _teredo(self, room: Room, at: int, stop: int) -> None:
        """IPv6, perhaps behind an authentication and an origin indication."""
        if room.has(at, 4, stop) and room.number(at) == 1:
            size = 13 + room.old[at + 2] + room.old[at + 3]
            room.keep(at, 4)
            at += size
        if room.has(at, 8, stop) and room.number(at) == 0:
            at += 8
        self._internet.ipv6(room, at, stop)

    def _capwap(self, room: Room, at: int, stop: int) -> None:
        """Ethernet, or 802.11 whose frame control may be exchanged; not a part of a frame."""
        flags = room.number(at, 4)
        room.keep(at, 8)
        inner = at + (flags >> 19 & 0x1F) * 4
        if room.old[at] or flags & 0x88 or inner < at + 8 or not room.has(inner, 2, stop):
            return
        if not flags & 0x100:
            self._layers.ethernet(room, inner, stop)
        elif flags >> 9 & 0x1F == 1:
            self._layers.wlan(room, inner, stop, exchanged=bool(room.old[inner] & 3))

    def _tzsp(self, room: Room, at: int, stop: int) -> None:
        """A frame that somebody mirrors, behind tags, of which kinds and lengths stay."""
        room.keep(at, 4)
        place = at + 4
        while place + 1 < stop and room.old[place] != 1:
            size = 2 + room.old[place + 1] if room.old[place] else 1
            room.keep(place, min(size, 2))
            place += size
        room.keep(place, 1, stop)
        kind = room.number(at + 2)
        if kind == 1:
            self._layers.ethernet(room, place + 1, stop)
        elif kind == 18:
            self._layers.wlan(room, place + 1, stop)

    def _geneve(self, room: Room, at: int, stop: int) -> None:
        size = 8 + (room.old[at] & 0x3F) * 4
        room.keep(at, 8)
        place = at + 8
        while place < min(at + size, stop):
            room.keep(place, 4, stop)
            place += 4 + (room.old[place + 3] & 0x1F) * 4 if place + 3 < stop else 4
        self._inside(room, room.number(at + 2), at + size, stop)

    def _gtpu(self, room: Room, at: int, stop: int) -> None:
        if room.old[at] >> 4 != 3 or room.old[at + 1] != 0xFF:
            return
        room.keep(at, 12 if room.old[at] & 7 else 8, stop)
        place, more = at + 8, 0
        if room.old[at] & 7:
            place, more = at + 12, room.old[at + 11] if room.old[at] & 4 else 0
        while more and place < stop and room.old[place]:
            size = 4 * room.old[place]
            room.keep(place, 1)
            room.keep(place + size - 1, 1, stop)
            more, place = room.old[place + size - 1] if place + size <= stop else 0, place + size
        self._layers.raw(room, place, stop)

    def _gre(self, room: Room, at: int, stop: int) -> None:
        if not room.has(at, 4, stop):
            return
        flags, kind = room.number(at), room.number(at + 2)
        version, place = (
            flags & 7,
            at + 4 + 4 * bool(flags & 0xC000) + 4 * bool(flags & 0x2000) + 4 * bool(flags & 0x1000),
        )
        place += 4 * (version == 1 and bool(flags & 0x80))
        room.keep(at, place - at, stop)
        if kind in (0x88BE, 0x22EB):  # ERSPAN
            size = 12 if kind == 0x22EB else 8 * bool(flags & 0x1000)
            if kind == 0x22EB and place + 12 <= stop:
                size += 8 * (room.old[place + 11] & 1)
            room.keep(place, size, stop)
            self._inside(room, ETHERNET_IN, place + size, stop)
        elif version == 0:
            self._inside(room, kind, place, stop)
        elif version == 1 and kind == PPP_IN:
            self._layers.ppp(room, place, stop)
        if flags & 0x8000:
            self._check(room, at + 4, at, stop)

    def _inside(self, room: Room, kind: int, at: int, stop: int) -> None:
        """What is carried in a tunnel, by its EtherType."""
        if kind == ETHERNET_IN:
            self._layers.ethernet(room, at, stop)
        elif kind in ARUBA_IN:
            self._layers.wlan(room, at, stop)
        else:
            self._layers.by_type(room, kind, at, stop)

    def _icmp(self, room: Room, at: int, stop: int) -> None:
        room.keep(at, 8, stop)
        if not room.has(at, 8, stop):
            return
        if room.old[at] == REDIRECT:
            room.put(at + 4, self._pan.address(room.old[at + 4 : at + 8]))
        if room.old[at] in QUOTING4:
            self._internet.ipv4(room, at + 8, stop)

    def _icmp6(self, room: Room, at: int, stop: int) -> None:
        kind = room.old[at] if at < stop else 0
        size, addresses = NEIGHBORS.get(kind, (8, ()))
        room.keep(at, size, stop)
        if kind in QUOTING6:
            self._internet.ipv6(room, at + 8, stop)
        if kind not in NEIGHBORS:
            return
        place = at + size
        for offset in addresses:
            place = at + offset + 16
            if room.has(at + offset, 16, stop):
                room.put(at + offset, self._pan.address(room.old[at + offset : place]))
        while place + 1 < stop and room.old[place + 1]:  # options: kinds and lengths
            room.keep(place, 2)
            place += 8 * room.old[place + 1]
