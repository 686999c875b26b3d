"""What stands between the link layer and IP -> the same without hardware addresses: tags, labels, PPP, LLC, 802.11, ARP.

What is no IP and no ARP becomes zeros.
"""

from __future__ import annotations

from analyzer.extract.cryptopan import Pan
from analyzer.extract.internet import Internet
from analyzer.extract.room import Room

VLANS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
SHIMS = {0x8926: 6, 0x892F: 6, 0x893F: 8}  # VN-tag, HSR, E-tag: so long, the next type at their end
BACKBONE, BACKBONE_TAG = 0x88E7, 18  # 802.1ah: the customer's addresses stand in the tag
IPV4, ARP, RARP, IPV6, MPLS, MPLS_MULTICAST, PPPOE = 0x0800, 0x0806, 0x8035, 0x86DD, 0x8847, 0x8848, 0x8864
WLAN, NSH = 0x2452, 0x894F
INSIDE = (IPV4, IPV6, ARP, 0x8100, 0x88A8, MPLS)  # the types by which Ethernet is known where nothing announces it
LARGEST_LENGTH = 1500  # of an IEEE 802.3 frame; larger numbers are EtherTypes
SNAP, IP_IN_LLC = b"\xaa\xaa\x03", b"\x06\x06"
PPP_IPV4, PPP_IPV6, PPP_MPLS = 0x21, 0x57, 0x281
MAC = 6


class Layers:
    """Writes headers, and the packets behind them, into a Room."""

    def __init__(self, pan: Pan) -> None:
        self._pan = pan
        self._internet = Internet(pan, self)

    def ethernet(self, room: Room, at: int, end: int) -> None:
        """An Ethernet frame."""
        if room.has(at, 14, end):
            self.macs(room, at, at + MAC)
            room.keep(at + 12, 2)
            self.by_type(room, room.number(at + 12), at + 14, end)

    def macs(self, room: Room, *places: int) -> None:
        """Hardware addresses."""
        for at in places:
            room.put(at, self._pan.mac(room.old[at : at + MAC]))

    def raw(self, room: Room, at: int, end: int) -> None:
        """An IP packet of either version."""
        if room.has(at, 1, end):
            self.packet(room, room.old[at] >> 4, at, end)

    def packet(self, room: Room, version: int, at: int, end: int) -> None:
        """An IP packet of this version."""
        if version in (4, 6):
            (self._internet.ipv4 if version == 4 else self._internet.ipv6)(room, at, end)

    def by_type(self, room: Room, kind: int, at: int, end: int) -> None:
        """What stands behind an EtherType, or behind a length."""
        while size := 4 if kind in VLANS else SHIMS.get(kind, BACKBONE_TAG if kind == BACKBONE else 0):
            if not room.has(at, size, end):
                return
            room.keep(at, size)
            if kind == BACKBONE:
                self.macs(room, at + 4, at + 4 + MAC)
            kind, at = room.number(at + size - 2), at + size
        if kind in (IPV4, IPV6):
            self.packet(room, 4 if kind == IPV4 else 6, at, end)
        elif kind in (ARP, RARP):
            self._arp(room, at, end)
        elif kind in (MPLS, MPLS_MULTICAST):
            self.mpls(room, at, end)
        elif kind == PPPOE:
            self.pppoe(room, at, end)
        elif kind == WLAN:
            self.wlan(room, at, end)
        elif kind == NSH:
            self._nsh(room, at, end)
        elif kind <= LARGEST_LENGTH:
            self.llc(room, at, end)

    def llc(self, room: Room, at: int, end: int) -> None:
        """LLC, and behind SNAP an EtherType."""
        if room.old[at : at + 3] == SNAP and room.has(at, 8, end):
            room.keep(at, 8)
            self.by_type(room, room.number(at + 6), at + 8, end)
        elif room.has(at, 3, end):
            room.keep(at, 3)
            if room.old[at : at + 2] == IP_IN_LLC:
                self.packet(room, 4, at + 3, end)

    def mpls(self, room: Room, at: int, end: int) -> None:
        """A stack of labels, and IP or a pseudowire's Ethernet behind it."""
        while room.has(at, 4, end):
            room.keep(at, 4)
            at += 4
            if room.old[at - 2] & 1:
                break
        else:
            return
        version = room.old[at] >> 4 if room.has(at, 1, end) else 1  # 1 is a channel that carries no packets
        if version in (4, 6):
            self.packet(room, version, at, end)
        elif version != 1:
            if version == 0 and not (room.has(at, 14, end) and room.number(at + 12) in INSIDE):
                room.keep(at, 4, end)  # its control word
                at += 4
            self.ethernet(room, at, end)

    def pppoe(self, room: Room, at: int, end: int) -> None:
        """A PPPoE session."""
        if room.has(at, 6, end):
            room.keep(at, 6)
            self.ppp_protocol(room, at + 6, min(end, at + 6 + room.number(at + 4)))

    def ppp(self, room: Room, at: int, end: int) -> None:
        """PPP, perhaps in HDLC-like framing."""
        if room.has(at, 2, end) and room.number(at) == 0xFF03:
            room.keep(at, 2)
            at += 2
        self.ppp_protocol(room, at, end)

    def wlan(self, room: Room, at: int, end: int, *, exchanged: bool = False, padded: bool = False) -> None:
        """An 802.11 frame; only unencrypted data goes on. `exchanged` are the two bytes of the frame control."""
        room.keep(at, 4, end)
        if not room.has(at, 24, end):
            return
        self.macs(room, at + 4, at + 10, at + 16)
        room.keep(at + 22, 2)
        control, flags = (room.old[at + 1], room.old[at]) if exchanged else (room.old[at], room.old[at + 1])
        if control & 0x4F != 0x08 or flags & 0x40:
            return
        size, aggregated = 24, False
        if flags & 3 == 3 and room.has(at, 30, end):
            self.macs(room, at + 24)
            size = 30
        if control & 0x80 and room.has(at, size + 2, end):
            aggregated = bool(room.old[at + size] & 0x80)
            more = 6 if flags & 0x80 else 2
            room.keep(at + size, more, end)
            size += more
        behind = at + ((size + 3) & ~3 if padded else size)
        if aggregated and room.has(behind, 14, end):  # the first of several frames in one
            self.macs(room, behind, behind + MAC)
            room.keep(behind + 12, 2)
            behind += 14
        self.llc(room, behind, end)

    def ppp_protocol(self, room: Room, at: int, end: int) -> None:
        """A protocol number of PPP, of one byte or two, and what it names."""
        if not room.has(at, 1, end):
            return
        size = 1 if room.old[at] & 1 else 2
        room.keep(at, size, end)
        if not room.has(at, size, end):
            return
        protocol = room.number(at, size)
        if protocol in (PPP_IPV4, PPP_IPV6):
            self.packet(room, 4 if protocol == PPP_IPV4 else 6, at + size, end)
        elif protocol == PPP_MPLS:
            self.mpls(room, at + size, end)

    def _nsh(self, room: Room, at: int, end: int) -> None:
        """A network service header, without what it says in its context."""
        if not room.has(at, 8, end):
            return
        room.keep(at, 8)
        behind = at + (room.number(at) & 0x3F) * 4
        following = room.old[at + 3]
        if behind < at + 8:
            return
        if following in (1, 2):
            self.packet(room, 4 if following == 1 else 6, behind, end)
        elif following == 3:
            self.ethernet(room, behind, end)
        elif following == 5:
            self.mpls(room, behind, end)

    def _arp(self, room: Room, at: int, end: int) -> None:
        """Request or answer; of other hardware than Ethernet only its head."""
        if not room.has(at, 8, end):
            return
        room.keep(at, 8)
        if room.old[at + 4 : at + 6] == b"\x06\x04" and room.has(at, 28, end):
            self.macs(room, at + 8, at + 18)
            for place in (at + 14, at + 24):
                room.put(place, self._pan.address(room.old[place : place + 4]))
