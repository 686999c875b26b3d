"""A frame -> the same frame without its addresses and its payload: only what is known to hold neither is copied.

Ports, lengths, numbers, flags, TCP options and timestamps stay, so that events, connections and counters are the same.
Checksums stay right or wrong as they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from analyzer.capture import Interface
from analyzer.extract.cryptopan import Pan
from analyzer.extract.internet import Internet
from analyzer.extract.room import Room

VLANS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
IPV4, ARP, RARP, IPV6, MPLS, MPLS_MULTICAST, PPPOE = 0x0800, 0x0806, 0x8035, 0x86DD, 0x8847, 0x8848, 0x8864
LARGEST_LENGTH = 1500  # of an IEEE 802.3 frame; larger numbers are EtherTypes
SNAP = b"\xaa\xaa\x03"
MAC = 6


class Anonymizer:
    """Anonymises frames, all by one key: `key` (32 bytes), or a new one that nobody keeps."""

    def __init__(self, key: bytes | None = None) -> None:
        self.pan = Pan(key)
        self._links: dict[int, Callable[[Room, int, int], None]] = {
            0: self._family, 1: self._ethernet, 101: self._raw, 108: self._family, 113: self._sll, 228: self._raw, 229: self._raw,
            276: self._sll2,
        }  # fmt: skip

    def frame(self, data: bytes, length: int, interface: Interface) -> bytes:
        """The bytes of a frame, anonymised; `length` is that on the wire. What is of a link layer that is not known here becomes zeros."""
        room = Room(data)
        check = interface.fcs_len if len(data) == length and len(data) > interface.fcs_len else 0
        link = self._links.get(interface.link_type)
        if link is not None:
            link(room, 0, len(data) - check)
        if check == 4:
            body, given = data[:-4], data[-4:]
            right = zlib.crc32(room.new[:-4]).to_bytes(4, "little")
            was_right = zlib.crc32(body).to_bytes(4, "little") == given
            room.new[-4:] = right if was_right else bytes(byte ^ 0xFF for byte in right)
        return bytes(room.new)

    def ethernet(self, room: Room, at: int, end: int) -> None:
        """An Ethernet frame in a tunnel."""
        self._ethernet(room, at, end)

    def _ethernet(self, room: Room, at: int, end: int) -> None:
        if room.has(at, 14, end):
            self._macs(room, at, at + MAC)
            self._by_type(room, room.number(at + 12), at + 14, end)
            room.keep(at + 12, 2)

    def _macs(self, room: Room, *places: int) -> None:
        for at in places:
            room.put(at, self.pan.mac(room.old[at : at + MAC]))

    def _sll(self, room: Room, at: int, end: int) -> None:
        if room.has(at, 16, end):
            room.keep(at, 6)
            if room.number(at + 4) == MAC:
                self._macs(room, at + 6)
            room.keep(at + 14, 2)
            self._by_type(room, room.number(at + 14), at + 16, end)

    def _sll2(self, room: Room, at: int, end: int) -> None:
        if room.has(at, 20, end):
            room.keep(at, 12)
            if room.old[at + 11] == MAC:
                self._macs(room, at + 12)
            self._by_type(room, room.number(at), at + 20, end)

    def _family(self, room: Room, at: int, end: int) -> None:
        if room.has(at, 4, end):
            room.keep(at, 4)
            self._raw(room, at + 4, end)

    def _raw(self, room: Room, at: int, end: int) -> None:
        if room.has(at, 1, end):
            version = room.old[at] >> 4
            if version in (4, 6):
                self.packet(room, version, at, end)

    def packet(self, room: Room, version: int, at: int, end: int) -> None:
        """An IP packet."""
        internet = Internet(self.pan, self.ethernet)
        (internet.ipv4 if version == 4 else internet.ipv6)(room, at, end)

    def _by_type(self, room: Room, kind: int, at: int, end: int) -> None:
        """What stands behind an EtherType. What is no IP and no ARP becomes zeros."""
        while kind in VLANS and room.has(at, 4, end):
            room.keep(at, 4)
            kind, at = room.number(at + 2), at + 4
        if kind in (IPV4, IPV6):
            self.packet(room, 4 if kind == IPV4 else 6, at, end)
        elif kind in (ARP, RARP):
            self._arp(room, at, end)
        elif kind in (MPLS, MPLS_MULTICAST):
            self._mpls(room, at, end)
        elif kind == PPPOE and room.has(at, 8, end):
            room.keep(at, 8)
            version = {0x21: 4, 0x57: 6}.get(room.number(at + 6))
            if version:
                self.packet(room, version, at + 8, end)
        elif kind <= LARGEST_LENGTH and room.has(at, 8, end) and room.old[at : at + 3] == SNAP:
            room.keep(at, 8)
            self._by_type(room, room.number(at + 6), at + 8, end)
        elif kind <= LARGEST_LENGTH and room.has(at, 3, end):
            room.keep(at, 3)

    def _mpls(self, room: Room, at: int, end: int) -> None:
        while room.has(at, 4, end):
            room.keep(at, 4)
            at += 4
            if room.old[at - 2] & 1:
                self._raw(room, at, end)
                return

    def _arp(self, room: Room, at: int, end: int) -> None:
        """Request or answer; of other hardware than Ethernet only its head."""
        if not room.has(at, 8, end):
            return
        room.keep(at, 8)
        if room.old[at + 4 : at + 6] == b"\x06\x04" and room.has(at, 28, end):
            self._macs(room, at + 8, at + 18)
            for place in (at + 14, at + 24):
                room.put(place, self.pan.address(room.old[place : place + 4]))
