"""A frame -> the same frame without its addresses and its payload: only what is known to hold neither is copied.

Ports, lengths, numbers, flags, TCP options and timestamps stay, so that events, connections and counters are the same.
Checksums stay right or wrong as they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from analyzer.capture import Interface
from analyzer.capture.notes import PKTAP_LINKS
from analyzer.decode.link import FIXED, LINK_TYPES, LinkType
from analyzer.extract.cryptopan import Pan
from analyzer.extract.layers import MAC, Layers
from analyzer.extract.room import Room

PKTAP_HEADER = 108  # bytes at least
PPI, PPI_RADIO = 192, 2  # the link type, and the field of what is common to 802.11
NFLOG_PAYLOAD = 9  # the kind of the option that holds the packet
FIXED_LINKS = {link.number: link for link in LINK_TYPES if link.begin == FIXED}
Step = Callable[[Room, int, int], None]


class Anonymizer:
    """Anonymises frames, all by one key: `key` (32 bytes), or a new one that nobody keeps."""

    def __init__(self, key: bytes | None = None) -> None:
        self.pan = Pan(key)
        self._layers = layers = Layers(self.pan)
        self._links: dict[int, Step] = {
            0: self._family, 1: layers.ethernet, 9: layers.ppp, 12: layers.raw, 14: layers.raw, 50: layers.ppp, 51: layers.pppoe,
            101: layers.raw, 105: layers.wlan, 108: self._family, 109: self._enc, 113: self._sll, 127: self._radiotap, 228: layers.raw,
            229: layers.raw, 239: self._nflog, 276: self._sll2, 149: self._pktap, 166: self._pppd, 192: self._ppi, 204: self._directed,
            226: self._ipnet, 258: self._pktap,
        }  # fmt: skip

    def frame(self, data: bytes, length: int, interface: Interface) -> bytes:
        """The bytes of a frame, anonymised; `length` is that on the wire. What is of a link layer that is not known here becomes zeros."""
        room = Room(data)
        check = interface.fcs_len if len(data) == length and len(data) > interface.fcs_len else 0
        self._link(room, interface.link_type, 0, len(data) - check)
        if check == 4:
            body, given = data[:-4], data[-4:]
            right = zlib.crc32(room.new[:-4]).to_bytes(4, "little")
            was_right = zlib.crc32(body).to_bytes(4, "little") == given
            room.new[-4:] = right if was_right else bytes(byte ^ 0xFF for byte in right)
        return bytes(room.new)

    @property
    def links(self) -> list[int]:
        """The link types that it knows."""
        return [*self._links, *(number for number in FIXED_LINKS if number not in self._links)]

    def _link(self, room: Room, number: int, at: int, end: int) -> None:
        """A frame of this link type."""
        if number in self._links:
            self._links[number](room, at, end)
        elif number in FIXED_LINKS:
            self._fixed(room, FIXED_LINKS[number], at, end)

    def _fixed(self, room: Room, link: LinkType, at: int, end: int) -> None:
        """A header of fixed size; of one that does not begin as Ethernet does only the type is kept."""
        stop = at + link.prefix + link.header
        if not room.has(at, stop - at, end):
            return
        if link.direction:
            room.keep(at, link.prefix)
        at += link.prefix
        if link.ethernet:
            room.keep(at + 2 * MAC, link.header - 2 * MAC)
            self._layers.macs(room, at, at + MAC)
        room.keep(at + link.type_at, 2)
        self._layers.by_type(room, room.number(at + link.type_at), stop, end)

    def _sll(self, room: Room, at: int, end: int) -> None:
        if room.has(at, 16, end):
            room.keep(at, 6)
            if room.number(at + 4) == MAC:
                self._layers.macs(room, at + 6)
            room.keep(at + 14, 2)
            self._layers.by_type(room, room.number(at + 14), at + 16, end)

    def _sll2(self, room: Room, at: int, end: int) -> None:
        if room.has(at, 20, end):
            room.keep(at, 12)
            if room.old[at + 11] == MAC:
                self._layers.macs(room, at + 12)
            self._layers.by_type(room, room.number(at), at + 20, end)

    def _family(self, room: Room, at: int, end: int, size: int = 4) -> None:
        if room.has(at, size, end):
            room.keep(at, size)
            self._layers.raw(room, at + size, end)

    def _enc(self, room: Room, at: int, end: int) -> None:
        """The header that IPsec of the BSDs writes."""
        self._family(room, at, end, 12)

    def _radiotap(self, room: Room, at: int, end: int) -> None:
        """What the radio says of a frame: times, rates, levels; and whether its header is padded."""
        from analyzer.decode.wlan_kernel import radiotap_flags

        if not room.has(at, 8, end):
            return
        size = int.from_bytes(room.old[at + 2 : at + 4], "little")
        if size >= 8 and room.has(at, size, end):
            room.keep(at, size)
            flags = radiotap_flags(room.old, at, size)
            self._layers.wlan(room, at + size, end - 4 * bool(flags & 0x10), padded=bool(flags & 0x20))

    def _nflog(self, room: Room, at: int, end: int) -> None:
        """What the kernel's packet log says of a packet: kinds and lengths, and the packet itself."""
        if not room.has(at, 4, end):
            return
        room.keep(at, 4)
        place = at + 4
        while room.has(place, 4, end):
            size, kind = (int.from_bytes(room.old[place + offset : place + offset + 2], "little") for offset in (0, 2))
            if size < 4:
                return
            room.keep(place, 4)
            if kind == NFLOG_PAYLOAD:
                self._layers.raw(room, place + 4, min(place + size, end))
                return
            place += (size + 3) & ~3

    def _pppd(self, room: Room, at: int, end: int) -> None:
        """PPP behind a direction and a control byte."""
        room.keep(at, 2, end)
        self._layers.ppp_protocol(room, at + 2, end)

    def _directed(self, room: Room, at: int, end: int) -> None:
        """PPP behind a direction."""
        room.keep(at, 1, end)
        self._layers.ppp(room, at + 1, end)

    def _ipnet(self, room: Room, at: int, end: int) -> None:
        """IP behind what Solaris says of zones and interfaces."""
        room.keep(at, 24, end)
        self._layers.raw(room, at + 24, end)

    def _pktap(self, room: Room, at: int, end: int) -> None:
        """Apple's header without its names of interfaces and programs: its length, what follows, and the direction."""
        size, kind, number = (int.from_bytes(room.old[at + place : at + place + 4], "little") for place in (0, 4, 8))
        if size < PKTAP_HEADER or not room.has(at, size, end):
            return
        room.keep(at, 12)
        room.keep(at + 36, 4)
        if kind <= 1 and number not in PKTAP_LINKS:
            self._link(room, number, at + size, end)

    def _ppi(self, room: Room, at: int, end: int) -> None:
        """Kinds and lengths of what stands before a frame (positions, too), and what the radio said of it."""
        size, number = (int.from_bytes(room.old[at + place : at + place + width], "little") for place, width in ((2, 2), (4, 4)))  # fmt: skip
        if size < 8 or not room.has(at, size, end):
            return
        room.keep(at, 8)
        place, check = at + 8, 0
        while room.has(place, 4, at + size):
            kind, width = (int.from_bytes(room.old[place + each : place + each + 2], "little") for each in (0, 2))
            room.keep(place, 4 + width * (kind == PPI_RADIO), at + size)
            if kind == PPI_RADIO and width >= 10 and room.has(place, 14, at + size):
                check = 4 * (room.old[place + 12] & 1)
            place += 4 + width
            if room.old[at + 1] & 1:
                place = at + (place - at + 3 & ~3)
        if number != PPI:
            self._link(room, number, at + size, end - check)
