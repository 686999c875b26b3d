"""The decoder as one reads it aloud: one frame's bytes enter, the decoding columns of `PACKETS` leave.

Every function looks at one header. It fills columns as far as bytes are readable and ends by calling the function of
the next header, or by raising `Stop` with the word for the `stop` column. What is in a tunnel is decoded on a copy,
which replaces the original only if it reaches a good IP header.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from analyzer.tables import DIRECTIONS, PACKETS, RECEPTIONS

MAX_STEPS = 32
MOST = 65535  # bytes of an IP packet

# What is put into a row after it was decoded.
NOT_DECODED = (
    "reused",
    "place",
    "checksum",
    "ip_header_checksum",
    "first_fragment",
    "told",
    "told_len",
    "more_len",
    "left_out",
)
NAMES = [column.name for column in PACKETS.columns if column.name not in NOT_DECODED]
DECODED_NAMES = ["ifindex", *NAMES[NAMES.index("link_direction") :]]
INNER_NAMES = NAMES[NAMES.index("ip_version") :]
NOTHING: dict[str, Any] = {"value": 0, "bits": frozenset(), "address": ""}


class Stop(Exception):
    """Decoding ends; the argument is the word for the `stop` column."""


class NotATunnel(Stop):
    """What was taken for a tunnel header is none, or leads nowhere."""


@dataclass
class Tunnel:
    """A tunnel being tried: its word in `tunnels`, and its identifier if it has one."""

    word: str
    ident: int | None = None


@dataclass
class Pieces:
    """The fragments of one datagram."""

    since_ns: int
    number: int  # how many datagrams in fragments began before it
    pieces: dict[int, bytes] = field(default_factory=dict)  # by their offset
    size: int | None = None  # of the datagram, known from its last fragment
    kind: int = 0  # protocol of what its first fragment begins with
    spoilt: bool = False

    def has(self, start: int, end: int) -> bool:
        """Is every byte from `start` to `end` there?"""
        while start < end:
            inside = [at for at, piece in self.pieces.items() if at <= start < at + len(piece)]
            if not inside:
                return False
            start = inside[0] + len(self.pieces[inside[0]])
        return True

    def overlaps(self, start: int, end: int) -> bool:
        """Is any byte from `start` to `end` there?"""
        return any(at < end and start < at + len(piece) for at, piece in self.pieces.items())

    def add(self, offset: int, piece: bytes, last: bool, kind: int, most: int) -> None:
        """RFC 791 3.2, RFC 8200 4.5. What was there before is ignored, any other overlap spoils the datagram (RFC 5722)."""
        end = offset + len(piece)
        if self.spoilt or self.has(offset, end):
            return
        ends = [at + len(known) for at, known in self.pieces.items()]
        self.spoilt = (
            self.overlaps(offset, end)
            or end > most
            or (self.size is not None and (last or end > self.size))
            or (last and max(ends, default=0) > end)
        )
        if self.spoilt:
            return
        self.pieces[offset] = piece
        if last:
            self.size = end
        if offset == 0:
            self.kind = kind

    @property
    def whole(self) -> bytes | None:
        """The datagram, if it is complete."""
        if self.spoilt or self.size is None or not self.has(0, self.size):
            return None
        return b"".join(piece for _, piece in sorted(self.pieces.items()))


@dataclass
class Joiner:
    """Datagrams in fragments of a capture whose frames are decoded in their order."""

    time_ns: int = 0  # of the frame that is decoded
    known: dict[tuple[Any, ...], Pieces] = field(default_factory=dict)
    begun: int = 0

    def take(self, key: tuple[Any, ...], offset: int, piece: bytes, last: bool, kind: int, most: int) -> Pieces | None:
        """The fragments of a datagram that this one completes."""
        found = self.known.get(key)
        if found is None or self.is_over(found):
            found = self.known[key] = Pieces(self.time_ns, self.begun)
            self.begun += 1
        fresh = not (found.spoilt or found.has(offset, offset + len(piece)))
        found.add(offset, piece, last, kind, most)
        if not fresh or found.whole is None:
            return None
        del self.known[key]
        return found

    def copy(self) -> Joiner:
        """One that goes on alone."""
        known = {key: replace(found, pieces=dict(found.pieces)) for key, found in self.known.items()}
        return Joiner(self.time_ns, known, self.begun)

    def is_over(self, found: Pieces) -> bool:
        """Is it too long ago that its first fragment came, or have too many others begun since?"""
        late = abs(self.time_ns - found.since_ns) > 30 * 10**9
        return late or self.begun - found.number > 16384


@dataclass
class Frame:
    """The bytes of a frame, the row being filled, and where the enclosing packet ends on the wire."""

    data: bytes
    wire_end: int
    fcs: int
    row: dict[str, Any]
    own_link: bool = True  # still on the frame's own link layer: not in a tunnel, not in a pseudowire
    steps: int = 0
    entering: Tunnel | None = field(default=None)
    joiner: Joiner | None = None  # without one, fragments are decoded as they stand

    @property
    def end(self) -> int:
        """Where the readable bytes end: what was captured, and not beyond the enclosing packet."""
        return min(len(self.data), self.wire_end)

    def has(self, at: int, count: int) -> bool:
        """Can `count` bytes be read at `at`?"""
        return at + count <= len(self.data) and at + count <= self.wire_end

    def number(self, at: int, count: int) -> int:
        """`count` bytes as a big-endian number."""
        assert self.has(at, count), "a header was read before its length was checked"
        return int.from_bytes(self.data[at : at + count], "big")

    def need(self, at: int, count: int, bad: str = "truncated") -> None:
        """Stop unless `count` bytes are readable: `truncated` if the capture ran out, `bad` if the packet did."""
        if not self.has(at, count):
            raise Stop("truncated" if at + count <= self.wire_end else bad)

    def found(self, layer: str, at: int) -> None:
        """Note the layer if at least one byte of its header is readable."""
        if self.has(at, 1):
            self.row["layers"] |= {layer}

    def fill(self, at: int, *fields: tuple[str, int, int]) -> None:
        """Fill each column (name, offset, size) of the header at `at` whose bytes are all readable."""
        for name, offset, size in fields:
            if self.has(at + offset, size):
                self.row[name] = self.number(at + offset, size)

    def quirk(self, word: str) -> None:
        """Note a peculiarity."""
        self.row["quirks"] |= {word}

    def step(self) -> None:
        """Count one tag, shim, label, extension header or tunnel more."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Stop("too_deep")


def decode_frame(data: bytes, length: int, link: int, **said: Any) -> dict[str, Any]:
    """Decode one frame of which `data` was captured and `length` bytes were on the wire; what else is `said` as in `decoded`."""
    return decoded(data, length, link, **said).row


def decoded(
    data: bytes,
    length: int,
    link: int,
    *,
    fcs: int = 0,
    record_flags: int = 0,
    ifindex: int = 0,
    pkt_type: int | None = None,
    joiner: Joiner | None = None,
) -> Frame:
    """The same frame with its row; its bytes are those of a whole datagram, where it completes one."""
    row = dict(EMPTY)
    frame = Frame(data, max(length, len(data)), fcs, row, joiner=joiner)
    if len(data) < length:
        frame.quirk("cut")
    if len(data) > length:
        frame.quirk("captured_beyond_length")
    row["record_flags"] = record_flags
    row["ifindex"] = ifindex & 0xFFFFFFFF
    if pkt_type is not None:
        packet_type(frame, pkt_type)
    addressed(frame, link)
    try:
        LINKS.get(link, unknown_link)(frame, 0)
    except Stop as stop:
        frame.row["stop"] = str(stop)
    flags_of_record(frame.row, record_flags)
    return frame


def empty(name: str) -> Any:
    """What a column holds when nothing was found."""
    column = PACKETS[name]
    return column.words[0] if column.kind == "enum" else NOTHING[column.kind]


EMPTY = {name: empty(name) for name in DECODED_NAMES}  # of what nobody can change: a copy is as good as a new one


def flags_of_record(row: dict[str, Any], record_flags: int) -> None:
    """Direction and reception of pcapng's flags word win over everything else."""
    direction = record_flags & 0b11
    reception = record_flags >> 2 & 0b111
    if direction in (1, 2):
        row["link_direction"] = DIRECTIONS[direction]
    if 1 <= reception <= 4:
        row["reception"] = RECEPTIONS[reception]


def addressed(frame: Frame, link: int) -> None:
    """Whom an Ethernet frame is addressed to, where it is no single station."""
    at = {1: 0, 274: 8, 281: 0, 282: 4, 284: 0, 285: 0}.get(link)
    if at is None or not frame.has(at, 12):
        return
    if frame.number(at, 6) == 0xFFFFFFFFFFFF:
        frame.row["reception"] = "broadcast"
    elif frame.number(at, 1) & 1:
        frame.row["reception"] = "multicast"


def packet_type(frame: Frame, value: int) -> None:
    """Linux packet type: how the host got the frame."""
    if value == 4:
        frame.row["link_direction"] = "out"
    elif value in (0, 1, 2, 3):
        frame.row["link_direction"] = "in"
        frame.row["reception"] = ("unicast", "broadcast", "multicast", "promiscuous")[value]


# Link layers


def unknown_link(frame: Frame, at: int) -> None:
    """A link type that is not decoded."""
    raise Stop("link_type")


def ethernet(frame: Frame, at: int) -> None:
    """Ethernet II or 802.3: destination 6, source 6, type or length 2."""
    frame.found("ethernet", at)
    frame.need(at, 14)
    ether_type(frame, frame.number(at + 12, 2), at + 14, like_ethernet=True)


def sll(frame: Frame, at: int) -> None:
    """Linux cooked capture: packet type 2, ARPHRD 2, address length 2, address 8, protocol 2."""
    if frame.has(at, 2):
        packet_type(frame, frame.number(at, 2))
    frame.need(at, 16)
    cooked_protocol(frame, frame.number(at + 14, 2), at + 16)


def sll2(frame: Frame, at: int) -> None:
    """Linux cooked capture 2: protocol 2, reserved 2, interface 4, ARPHRD 2, packet type 1, address length 1, address 8."""
    frame.fill(at, ("ifindex", 4, 4))
    if frame.has(at + 10, 1):
        packet_type(frame, frame.number(at + 10, 1))
    frame.need(at, 20)
    cooked_protocol(frame, frame.number(at, 2), at + 20)


def cooked_protocol(frame: Frame, protocol: int, at: int) -> None:
    """Protocol of a cooked capture: 1 is Novell's raw 802.3, 4 is 802.2, the rest are EtherTypes."""
    if protocol == 4:
        llc(frame, at)
    ether_type(frame, protocol, at, like_ethernet=False)


def null(frame: Frame, at: int) -> None:
    """BSD loopback: the address family as a 32-bit number in the byte order of the host that wrote it."""
    frame.need(at, 4)
    family(frame, at, at + 4)


def family(frame: Frame, at: int, behind: int) -> None:
    """The family at `at` decides what is `behind`. No family exceeds 16 bits: a larger number is byte-swapped."""
    value = frame.number(at, 4)
    if value >= 0x10000:
        value = int.from_bytes(value.to_bytes(4, "little"), "big")
    if value == 2:
        ipv4(frame, behind)
    if value in (10, 23, 24, 26, 28, 30):
        ipv6(frame, behind)
    raise Stop("no_ip")


def raw(frame: Frame, at: int) -> None:
    """No link header: the first nibble says which IP version it is."""
    ip_by_version(frame, at, 4, 6)


def only_ipv4(frame: Frame, at: int) -> None:
    """No link header, IPv4."""
    ip_by_version(frame, at, 4)


def only_ipv6(frame: Frame, at: int) -> None:
    """No link header, IPv6."""
    ip_by_version(frame, at, 6)


def ip_by_version(frame: Frame, at: int, *allowed: int) -> None:
    """IPv4 or IPv6, as the version nibble says."""
    frame.need(at, 1)
    version = frame.number(at, 1) >> 4
    if version not in allowed:
        raise Stop("bad_ip_version")
    if version == 4:
        ipv4(frame, at)
    ipv6(frame, at)


def ppp(frame: Frame, at: int) -> None:
    """PPP: the address and control bytes FF 03 may have been left out."""
    frame.found("ppp", at)
    frame.need(at, 1)
    if frame.number(at, 1) == 0xFF:
        frame.need(at, 2)
        if frame.number(at, 2) == 0xFF03:
            at += 2
    ppp_protocol(frame, at)


def ppp_protocol(frame: Frame, at: int) -> None:
    """PPP protocol: 2 bytes, or 1 if it is odd (compressed)."""
    frame.found("ppp", at)
    frame.need(at, 1)
    size = 1 if frame.number(at, 1) & 1 else 2
    frame.need(at, size)
    protocol = frame.number(at, size)
    at += size
    if protocol == 0x21:
        ipv4(frame, at)
    if protocol == 0x57:
        ipv6(frame, at)
    if protocol == 0x281:
        mpls(frame, at)
    raise Stop("no_ip")


def direction_byte(frame: Frame, at: int) -> None:
    """One byte before the link header: 0 received, anything else sent."""
    frame.need(at, 1)
    frame.row["link_direction"] = "out" if frame.number(at, 1) else "in"


def ppp_with_direction(frame: Frame, at: int) -> None:
    """A direction byte, then PPP."""
    direction_byte(frame, at)
    ppp(frame, at + 1)


def ppp_pppd(frame: Frame, at: int) -> None:
    """PPP as the Linux pppd writes it: the address byte replaced by a direction (0 in, 1 out)."""
    frame.need(at, 1)
    direction = frame.number(at, 1)
    if direction in (0, 1):
        frame.row["link_direction"] = ("in", "out")[direction]
    frame.found("ppp", at + 1)
    frame.need(at, 2)
    ppp_protocol(frame, at + 2)


def pppoe(frame: Frame, at: int) -> None:
    """PPPoE session: version and type 1, code 1, session 2, length 2; then PPP without address and control."""
    frame.found("pppoe", at)
    frame.need(at, 6)
    end = at + 6 + frame.number(at + 4, 2)
    if end < frame.wire_end:
        frame.wire_end, frame.fcs = end, 0
    ppp_protocol(frame, at + 6)


def cisco_hdlc(frame: Frame, at: int) -> None:
    """Cisco HDLC: address 1, control 1, EtherType 2."""
    frame.need(at, 4)
    ether_type(frame, frame.number(at + 2, 2), at + 4, like_ethernet=False)


def cisco_hdlc_with_direction(frame: Frame, at: int) -> None:
    """A direction byte, then Cisco HDLC."""
    direction_byte(frame, at)
    cisco_hdlc(frame, at + 1)


def frame_relay(frame: Frame, at: int) -> None:
    """Frame Relay: Q.922 address 2, control 1 (03), perhaps a pad byte 0, NLPID 1."""
    frame.need(at, 3)
    if frame.number(at + 2, 1) != 3:
        raise Stop("no_ip")
    at += 3
    frame.need(at, 1)
    if frame.number(at, 1) == 0:
        at += 1
        frame.need(at, 1)
    nlpid = frame.number(at, 1)
    at += 1
    if nlpid == 0xCC:
        ipv4(frame, at)
    if nlpid == 0x8E:
        ipv6(frame, at)
    if nlpid == 0x80:
        snap(frame, at)
    raise Stop("no_ip")


def fddi(frame: Frame, at: int) -> None:
    """FDDI: frame control 1, destination 6, source 6; LLC if the frame control says so."""
    frame.need(at, 13)
    if frame.number(at, 1) & 0xF0 != 0x50:
        raise Stop("no_ip")
    llc(frame, at + 13)


def token_ring(frame: Frame, at: int) -> None:
    """Token Ring: access control 1, frame control 1, destination 6, source 6, perhaps source routing."""
    frame.need(at, 14)
    behind = at + 14
    if frame.number(at + 8, 1) & 0x80:
        frame.need(behind, 1)
        routing = frame.number(behind, 1) & 0x1F
        if routing < 2:
            raise Stop("bad_link_header")
        frame.need(behind, routing)
        behind += routing
    if frame.number(at + 1, 1) & 0xC0 != 0x40:
        raise Stop("no_ip")
    llc(frame, behind)


def radiotap(frame: Frame, at: int) -> None:
    """Radiotap: version 1, pad 1, length 2 (little-endian), words saying which fields are present, fields."""
    frame.need(at, 4)
    size = int.from_bytes(frame.data[at + 2 : at + 4], "little")
    if size < 8:
        raise Stop("bad_link_header")
    frame.need(at, size)
    flags = radiotap_flags(frame.data[at : at + size])
    if flags & 0x10:
        frame.fcs = 4
    wlan(frame, at + size, padded=bool(flags & 0x20))


def radiotap_flags(header: bytes) -> int:
    """The flags field of a radiotap header, 0 if there is none. Only the time stamp may stand before it."""
    present = int.from_bytes(header[4:8], "little")
    at = 8
    last = present
    while last & 1 << 31:  # another word of presence bits follows
        if at + 4 > len(header):
            return 0
        last = int.from_bytes(header[at : at + 4], "little")
        at += 4
    if present & 1:
        at = (at + 7) // 8 * 8 + 8
    return header[at] if present & 2 and at < len(header) else 0


def prism(frame: Frame, at: int) -> None:
    """Prism header, or an AVS header in its place."""
    frame.need(at, 8)
    if frame.number(at, 4) == 0x80211001:
        avs(frame, at)
    behind_monitor_header(frame, at, int.from_bytes(frame.data[at + 4 : at + 8], "little"))


def avs(frame: Frame, at: int) -> None:
    """AVS header: version 4, length 4, more."""
    frame.need(at, 8)
    behind_monitor_header(frame, at, frame.number(at + 4, 4))


def behind_monitor_header(frame: Frame, at: int, size: int) -> None:
    """802.11 behind a header of `size` bytes."""
    if not 8 <= size <= 1024:
        raise Stop("bad_link_header")
    wlan(frame, at + size)


def wlan(frame: Frame, at: int, padded: bool = False, exchanged: bool = False) -> None:
    """802.11: frame control 2, duration 2, three or four addresses, sequence 2, QoS 2, HT control 4."""
    frame.need(at, 2)
    frame.row["layers"] |= {"wlan"}
    kind, flags = frame.number(at, 1), frame.number(at + 1, 1)
    if exchanged:
        kind, flags = flags, kind
    subtype = kind >> 4
    if kind & 0b11:
        raise Stop("bad_link_header")
    if kind >> 2 & 0b11 != 2 or subtype & 4:
        raise Stop("not_data")
    if flags & 0x40:
        raise Stop("encrypted")
    size = 30 if flags & 0b11 == 0b11 else 24
    several = False
    if subtype & 8:
        frame.need(at, size + 2)
        several = bool(frame.number(at + size, 1) & 0x80)
        size += 2
        if flags & 0x80:
            size += 4
    if padded:
        size = (size + 3) // 4 * 4
    if several:  # an aggregate of frames, each with destination 6, source 6, length 2
        size += 14
    frame.need(at, size)
    llc(frame, at + size)


def mpacket(frame: Frame, at: int) -> None:
    """IEEE 802.3br: preamble and delimiter 8, then Ethernet, and a check sequence of 4 bytes at the end."""
    frame.need(at, 8)
    frame.fcs = frame.fcs or 4
    ethernet(frame, at + 8)


def ipoib(frame: Frame, at: int) -> None:
    """IP over InfiniBand: global routing header 40, EtherType 2, reserved 2."""
    frame.need(at, 44)
    ether_type(frame, frame.number(at + 40, 2), at + 44, like_ethernet=False)


def pflog(frame: Frame, at: int) -> None:
    """Packet filter log of OpenBSD: header length 1, family 1, more."""
    frame.need(at, 1)
    size = (frame.number(at, 1) + 3) // 4 * 4
    if size < 1:
        raise Stop("bad_link_header")
    frame.need(at, size)
    address_family = frame.number(at + 1, 1)
    if address_family == 2:
        ipv4(frame, at + size)
    if address_family in (10, 23, 24, 26, 28, 30):
        ipv6(frame, at + size)
    raise Stop("no_ip")


def enc(frame: Frame, at: int) -> None:
    """IPsec interface of OpenBSD: family 4, index 4, flags 4."""
    frame.need(at, 12)
    family(frame, at, at + 12)


def ipnet(frame: Frame, at: int) -> None:
    """Solaris ipnet: 24 bytes, then IP."""
    frame.need(at, 24)
    ip_by_version(frame, at + 24, 4, 6)


def nflog(frame: Frame, at: int) -> None:
    """Netfilter log: family 1, version 1, group 2, then attributes until the packet itself (type 9)."""
    frame.need(at, 4)
    at += 4
    while True:
        frame.need(at, 4)
        size = int.from_bytes(frame.data[at : at + 2], "little")
        kind = int.from_bytes(frame.data[at + 2 : at + 4], "little")
        if size < 4:
            raise Stop("bad_link_header")
        if kind == 9:
            ip_by_version(frame, at + 4, 4, 6)
        at += (size + 3) // 4 * 4


def dsa(frame: Frame, at: int) -> None:
    """Ethernet with 4 bytes of a switch tag between source and type."""
    tagged_ethernet(frame, at, 4)


def edsa(frame: Frame, at: int) -> None:
    """Ethernet with 8 bytes of a switch tag between source and type."""
    tagged_ethernet(frame, at, 8)


def tagged_ethernet(frame: Frame, at: int, tag: int) -> None:
    """Ethernet with a switch tag of `tag` bytes between source and type."""
    frame.found("ethernet", at)
    frame.need(at, 14 + tag)
    ether_type(frame, frame.number(at + 12 + tag, 2), at + 14 + tag, like_ethernet=True)


def prepended_tag(frame: Frame, at: int) -> None:
    """A Broadcom switch tag of 4 bytes, then Ethernet."""
    frame.need(at, 4)
    ethernet(frame, at + 4)


def of_type(frame: Frame, at: int, number: int) -> None:
    """A frame of a link type that another header names."""
    kinds = {
        0: null,
        1: ethernet,
        9: ppp,
        12: raw,
        14: raw,
        50: ppp,
        101: raw,
        104: cisco_hdlc,
        105: wlan,
        107: frame_relay,
    }
    {**kinds, 108: null}.get(number, unknown_link)(frame, at)


def little(frame: Frame, at: int, size: int) -> int:
    """A number, least significant byte first."""
    return int.from_bytes(frame.data[at : at + size], "little")


def ppi(frame: Frame, at: int) -> None:
    """Per-packet information: version 1, flags 1, length 2, link type 4, fields; all least significant byte first."""
    frame.need(at, 8)
    size = little(frame, at + 2, 2)
    if size < 8:
        raise Stop("bad_link_header")
    frame.need(at, size)
    place, fcs = 8, 0
    while place + 4 <= size:
        kind, length = little(frame, at + place, 2), little(frame, at + place + 2, 2)
        if kind == 2 and length >= 10 and place + 14 <= size:  # of 802.11: time 8, flags 2
            flags = little(frame, at + place + 12, 2)
            fcs = 4 if flags & 1 else 0
        place += 4 + length
        if frame.number(at + 1, 1) & 1:
            place = (place + 3) // 4 * 4
    frame.fcs = max(frame.fcs, fcs)
    of_type(frame, at + size, little(frame, at + 4, 4))


def pktap(frame: Frame, at: int) -> None:
    """Apple's pktap: length 4, type of record 4, link type 4, ... flags 4 at 36."""
    frame.need(at, 12)
    size, kind = little(frame, at, 4), little(frame, at + 4, 4)
    if size < 108 or kind > 1:
        raise Stop("bad_link_header")
    frame.need(at, size)
    direction = little(frame, at + 36, 4) & 3
    if direction in (1, 2):
        frame.row["link_direction"] = DIRECTIONS[direction]
    if kind == 0:
        raise Stop("no_ip")
    of_type(frame, at + size, little(frame, at + 8, 4))


def user_2(frame: Frame, at: int) -> None:
    """What macOS wrote before pktap had its number; else somebody's own link type."""
    frame.need(at, 12)
    if little(frame, at, 4) < 108 or little(frame, at + 4, 4) > 1:
        raise Stop("link_type")
    pktap(frame, at)


def juniper(number: int) -> Callable[[Frame, int], None]:
    """Juniper's header before a frame of a link type: "MGC" 3, flags 1, perhaps the length of extensions 2 and they."""

    def decode(frame: Frame, at: int) -> None:
        frame.need(at, 4)
        if frame.number(at, 3) != 0x4D4743:
            raise Stop("bad_link_header")
        flags = frame.number(at + 3, 1)
        frame.row["link_direction"] = "in" if flags & 1 else "out"
        behind = at + 4
        if flags & 0x80:
            frame.need(at, 6)
            behind = at + 6 + frame.number(at + 4, 2)
            frame.need(at, behind - at)
        if not flags & 2:
            of_type(frame, behind, number)
        frame.need(behind, 4)
        protocol = little(frame, behind, 4)
        {2: ipv4, 5: mpls, 6: ipv6}.get(protocol, no_ip)(frame, behind + 4)

    return decode


def no_ip(frame: Frame, at: int) -> None:
    """Something else."""
    raise Stop("no_ip")


def erf(frame: Frame, at: int) -> None:
    """A record of Endace's: time 8, type 1, flags 1, lengths 6; extension headers of 8 bytes while the highest bit is set."""
    frame.need(at, 16)
    kind = frame.number(at + 8, 1)
    at += 16
    more = kind & 0x80
    while more:
        frame.need(at, 8)
        more = frame.number(at, 1) & 0x80
        at += 8
    kind &= 0x7F
    if kind in (2, 11, 16, 20):
        frame.need(at, 2)
        ethernet(frame, at + 2)
    if kind in (1, 10, 15, 19):
        frame.need(at, 4)
        if frame.number(at, 2) == 0xFF03:
            ppp(frame, at)
        if frame.number(at, 2) in (0x0F00, 0x8F00):
            cisco_hdlc(frame, at)
    if kind == 22:
        ipv4(frame, at)
    if kind == 23:
        ipv6(frame, at)
    raise Stop("no_ip")


def arcnet(frame: Frame, at: int, size: int = 3) -> None:
    """ARCNET: source 1, destination 1, perhaps an offset 2, protocol 1; in RFC 1201 split flag 1 and sequence 2."""
    frame.need(at, size)
    at += size
    kind = frame.number(at - 1, 1)
    if kind == 240:
        ipv4(frame, at)
    if kind not in (196, 212):
        raise Stop("no_ip")
    frame.need(at, 3)
    if frame.number(at, 1) == 0xFF:
        at += 3
        frame.need(at, 3)
    split = frame.number(at, 1)
    if split and split % 2 == 0:
        raise Stop("no_ip")
    (ipv4 if kind == 212 else ipv6)(frame, at + 3)


def arcnet_linux(frame: Frame, at: int) -> None:
    """With the offset."""
    arcnet(frame, at, 5)


LINKS: dict[int, Callable[[Frame, int], None]] = {
    0: null,
    1: ethernet,
    6: token_ring,
    7: arcnet,
    9: ppp,
    10: fddi,
    12: raw,
    14: raw,
    50: ppp,
    51: pppoe,
    101: raw,
    104: cisco_hdlc,
    105: wlan,
    107: frame_relay,
    108: null,
    109: enc,
    113: sll,
    117: pflog,
    119: prism,
    127: radiotap,
    129: arcnet_linux,
    149: user_2,
    163: avs,
    166: ppp_pppd,
    178: juniper(1),
    179: juniper(9),
    180: juniper(107),
    181: juniper(104),
    192: ppi,
    197: erf,
    204: ppp_with_direction,
    205: cisco_hdlc_with_direction,
    226: ipnet,
    228: only_ipv4,
    229: only_ipv6,
    239: nflog,
    242: ipoib,
    258: pktap,
    274: mpacket,
    276: sll2,
    281: dsa,
    282: prepended_tag,
    284: dsa,
    285: edsa,
}


# What an EtherType leads to

VLAN_TYPES = (0x8100, 0x88A8, 0x9100, 0x9200)
SHIMS = {
    0x8926: 6,
    0x893F: 8,
    0x88E7: 18,
    0x892F: 6,
}  # VN-tag, 802.1BR, PBB I-TAG, HSR: bytes, the type being the last 2


def ether_type(frame: Frame, value: int, at: int, *, like_ethernet: bool) -> None:
    """Follow a type field; in Ethernet a value up to 1500 is a length, and LLC follows."""
    if value < 1536:
        if like_ethernet and value <= 1500:
            llc(frame, at)
        raise Stop("no_ip")
    if frame.own_link:
        frame.row["ethertype"] = value
    if value in VLAN_TYPES:
        vlan(frame, at)
    if value in SHIMS:
        shim(frame, at, SHIMS[value])
    if value == 0x0800:
        ipv4(frame, at)
    if value == 0x86DD:
        ipv6(frame, at)
    if value == 0x0806:
        frame.found("arp", at)
    if value == 0x8864:
        pppoe(frame, at)
    if value == 0x2452:
        frame.own_link = False
        wlan(frame, at)
    if value == 0x894F:
        nsh(frame, at)
    if value in (0x8847, 0x8848):
        mpls(frame, at)
    raise Stop("no_ip")


def vlan(frame: Frame, at: int) -> None:
    """VLAN tag: priority and identifier 2, type 2."""
    frame.step()
    frame.found("vlan", at)
    if frame.own_link and frame.has(at, 2):
        if frame.row["vlan_depth"] == 0:
            frame.row["vlan"] = frame.number(at, 2) & 0xFFF
        frame.row["vlan_depth"] += 1
    frame.need(at, 4)
    ether_type(frame, frame.number(at + 2, 2), at + 4, like_ethernet=True)


def shim(frame: Frame, at: int, size: int) -> None:
    """A tag of `size` bytes of which only the type at its end matters."""
    frame.step()
    frame.need(at, size)
    ether_type(frame, frame.number(at + size - 2, 2), at + size, like_ethernet=True)


def mpls(frame: Frame, at: int) -> None:
    """MPLS labels up to the bottom of the stack. Nothing says what is below: its first nibble is a good guess."""
    bottom = False
    while not bottom:
        frame.step()
        frame.found("mpls", at)
        frame.need(at, 4)
        entry = frame.number(at, 4)
        if frame.own_link:
            if frame.row["mpls_depth"] == 0:
                frame.row["mpls_label"] = entry >> 12
            frame.row["mpls_depth"] += 1
        bottom = bool(entry & 0x100)
        at += 4
    frame.need(at, 1)
    nibble = frame.number(at, 1) >> 4
    if nibble == 4:
        ipv4(frame, at)
    if nibble == 6:
        ipv6(frame, at)
    if nibble == 1:  # the associated channel of a pseudowire
        raise Stop("no_ip")
    frame.own_link = False
    common = (0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x8847)
    if nibble == 0 and not (frame.has(at, 14) and frame.number(at + 12, 2) in common):  # a control word comes first
        frame.need(at, 4)
        at += 4
    ethernet(frame, at)


def nsh(frame: Frame, at: int) -> None:
    """RFC 8300: a length in 4 bytes in the low 6 bits of the first 2, metadata type 1, next protocol 1, the rest."""
    frame.own_link = False
    frame.step()
    frame.need(at, 8)
    size = (frame.number(at, 2) & 0x3F) * 4
    if size < 8:
        raise Stop("bad_link_header")
    frame.need(at, size)
    {1: ipv4, 2: ipv6, 3: ethernet, 5: mpls}.get(frame.number(at + 3, 1), no_ip)(frame, at + size)


def llc(frame: Frame, at: int) -> None:
    """802.2: destination 1, source 1, control 1."""
    frame.found("llc", at)
    frame.need(at, 3)
    if frame.number(at, 3) == 0xAAAA03:
        snap(frame, at + 3)
    if frame.number(at, 2) == 0x0606:
        ipv4(frame, at + 3)
    raise Stop("no_ip")


def snap(frame: Frame, at: int) -> None:
    """SNAP: organisation 3, type 2; an EtherType if the organisation is 0 or the bridge-tunnel one."""
    frame.found("snap", at)
    frame.need(at, 5)
    if frame.number(at, 3) in (0x000000, 0x0000F8):
        ether_type(frame, frame.number(at + 3, 2), at + 5, like_ethernet=False)
    raise Stop("no_ip")


# IP


def ipv4(frame: Frame, at: int) -> None:
    """IPv4 header with its options."""
    frame.need(at, 1)
    if frame.number(at, 1) >> 4 != 4:
        raise Stop("bad_ip_version")
    if frame.entering:
        if not good_ipv4(frame, at):
            raise NotATunnel
        enter(frame)
    row = frame.row
    row["layers"] |= {"ipv4"}
    row.update(ip_version=4, src="0.0.0.0", dst="0.0.0.0", l3_at=at)
    frame.fill(at, ("tos", 1, 1), ("ip_len", 2, 2), ("ip_id", 4, 2))
    if frame.has(at + 6, 2):
        row["ip_flags"] = frame.number(at + 6, 2) >> 13
        row["fragment_offset"] = (frame.number(at + 6, 2) & 0x1FFF) * 8
        if row["ip_flags"] & 1 or row["fragment_offset"]:
            row["layers"] |= {"fragment"}
    frame.fill(at, ("ttl", 8, 1), ("ip_proto", 9, 1), ("ip_checksum", 10, 2))
    for name, offset in (("src", 12), ("dst", 16)):
        if frame.has(at + offset, 4):
            row[name] = address(frame, at + offset, 4)
    frame.need(at, 20)

    header = (frame.number(at, 1) & 0xF) * 4
    total = row["ip_len"]
    if header < 20 or 0 < total < header:
        raise Stop("bad_ip_header")
    limit_to_packet(frame, at, header, total)
    if header > 20:
        row["layers"] |= {"ip_options"}
    frame.need(at, header, "bad_ip_header")
    at += header
    if "fragment" in row["layers"]:
        fragment(frame, at, total - header, row["ip_proto"], MOST - header, lambda: ipv4_payload(frame, at))
    ipv4_payload(frame, at)


def ipv4_payload(frame: Frame, at: int) -> None:
    """What an IPv4 header carries."""
    if "fragment" in frame.row["layers"] and frame.row["fragment_offset"]:
        frame.row["l4_at"] = at
        stop_with_payload(frame, "fragment", at)
    transport(frame, extension_headers(frame, at, (51,)))


def fragment(frame: Frame, at: int, size: int, kind: int, most: int, go_on: Callable[[], None]) -> None:
    """The payload of a fragment, `size` bytes at `at`: where it completes a datagram, `go_on` with that; else return.

    Of a tunnel in fragments nothing inside it is shown before it is complete. Where a fragment is not all there, those inside
    of it are not put together either.
    """
    row = frame.row
    if size <= 0 or at > 65536 or "ip_length_beyond_frame" in row["quirks"] or not frame.has(at, size):
        frame.joiner = None
    if frame.joiner is None:
        return
    version, vlan_id = row["ip_version"], row["vlan"]
    key = version, row["src"], row["dst"], row["ip_id"], kind if version == 4 else None, vlan_id
    piece, last = frame.data[at : at + size], not row["ip_flags"] & 1
    found = frame.joiner.take(key, row["fragment_offset"], piece, last, kind, most)
    if found is not None:
        whole = found.whole
        assert whole is not None
        frame.data = frame.data[:at] + whole
        frame.wire_end = len(frame.data)
        frame.steps = frame.fcs = 0
        row["layers"] = row["layers"] - {"fragment"} | {"reassembled"}
        if version == 6:
            row["ip_proto"] = found.kind
        go_on()
    before, depth = dict(row), row["tunnel_depth"]
    frame.joiner = None
    try:
        go_on()
    except Stop:
        if frame.row["tunnel_depth"] == depth:
            raise
    frame.row = before
    frame.row.update(l4_at=at, ip_proto=kind)
    stop_with_payload(frame, "fragment", at)


def good_ipv4(frame: Frame, at: int) -> bool:
    """Is this an IPv4 header that a tunnel may lead to?"""
    if not frame.has(at, 20):
        return False
    header, total = (frame.number(at, 1) & 0xF) * 4, frame.number(at + 2, 2)
    return header >= 20 and (total == 0 or total >= header)


def address(frame: Frame, at: int, size: int) -> str:
    """An address as text."""
    return address_text(frame.data[at : at + size])


@lru_cache(maxsize=10_000)
def address_text(raw_address: bytes) -> str:
    """4 or 16 bytes as text."""
    return str(ipaddress.IPv4Address(raw_address) if len(raw_address) == 4 else ipaddress.IPv6Address(raw_address))


def limit_to_packet(frame: Frame, at: int, header: int, length: int) -> None:
    """From here on nothing beyond the IP packet is read; `length` 0 means: as long as there is room."""
    room = frame.wire_end - at
    if length == 0:
        frame.quirk("ip_length_zero")
        length = room - frame.fcs if room - frame.fcs >= header else room
    elif length > room:
        frame.quirk("ip_length_beyond_frame")
        length = room
    frame.wire_end = at + length
    frame.fcs = 0  # it belongs to the frame, and the frame's end no longer matters


def ipv6(frame: Frame, at: int) -> None:
    """IPv6 header, jumbo payload and extension headers."""
    frame.need(at, 1)
    if frame.number(at, 1) >> 4 != 6:
        raise Stop("bad_ip_version")
    if frame.entering:
        if not frame.has(at, 40):
            raise NotATunnel
        enter(frame)
    row = frame.row
    row["layers"] |= {"ipv6"}
    row.update(ip_version=6, src="::", dst="::", l3_at=at)
    if frame.has(at, 2):
        row["tos"] = frame.number(at, 2) >> 4 & 0xFF
    if frame.has(at, 4):
        row["flow_label"] = frame.number(at, 4) & 0xFFFFF
    if frame.has(at + 4, 2):
        row["ip_len"] = frame.number(at + 4, 2) + 40
    frame.fill(at, ("ip_proto", 6, 1), ("ttl", 7, 1))
    for name, offset in (("src", 8), ("dst", 24)):
        if frame.has(at + offset, 16):
            row[name] = address(frame, at + offset, 16)
    frame.need(at, 40)

    length = row["ip_len"]
    if length == 40:
        jumbo = jumbo_length(frame, at + 40) if row["ip_proto"] == 0 else None
        if jumbo is not None:
            length = jumbo + 40
            row["ip_len"] = min(length, 0xFFFFFFFF)
        elif row["ip_proto"] != 59 and frame.wire_end - at > 40:
            length = row["ip_len"] = 0
    limit_to_packet(frame, at, 40, length)
    transport(frame, extension_headers(frame, at + 40, (0, 43, 44, 51, 60, 135, 139, 140)))


def jumbo_length(frame: Frame, at: int) -> int | None:
    """The jumbo payload length of the hop-by-hop header at `at`, if it is readable and has one."""
    if not frame.has(at, 2):
        return None
    end = at + (frame.number(at + 1, 1) + 1) * 8
    if not frame.has(at, end - at):
        return None
    at += 2
    while at < end:
        if frame.number(at, 1) == 0:  # one byte of padding
            at += 1
            continue
        if at + 2 > end:
            return None
        kind, size = frame.number(at, 1), frame.number(at + 1, 1)
        if at + 2 + size > end:
            return None
        if kind == 0xC2 and size == 4:
            return frame.number(at + 2, 4)
        at += 2 + size
    return None


def extension_headers(frame: Frame, at: int, kinds: tuple[int, ...]) -> int:
    """Follow extension headers of these kinds; `ip_proto` becomes the last next-header value. Returns the end."""
    row = frame.row
    while row["ip_proto"] in kinds:
        frame.step()
        kind = row["ip_proto"]
        frame.found("extension", at)
        frame.fill(at, ("ip_proto", 0, 1))
        if kind == 44:
            fragment_header(frame, at, kinds)
            at += 8
            continue
        frame.need(at, 2, "bad_ip_header")
        size = extension_size(kind, frame.number(at + 1, 1))
        frame.need(at, size, "bad_ip_header")
        at += size
    return at


def extension_size(kind: int, length_byte: int) -> int:
    """Bytes of an extension header: AH counts its length in 4 bytes, less 2; the others in 8, less 1."""
    return (length_byte + 2) * 4 if kind == 51 else (length_byte + 1) * 8


def fragment_header(frame: Frame, at: int, kinds: tuple[int, ...]) -> None:
    """IPv6 fragment header: next header 1, reserved 1, offset and more-fragments 2, identification 4."""
    row = frame.row
    whole = True
    if frame.has(at + 2, 2):
        word = frame.number(at + 2, 2)
        row["fragment_offset"] = word & 0xFFF8
        row["ip_flags"] = word & 1
        if word & 0xFFF9:
            row["layers"] |= {"fragment"}
            whole = False
    frame.fill(at, ("ip_id", 4, 4))
    frame.need(at, 8, "bad_ip_header")

    def go_on() -> None:
        if "fragment" in row["layers"] and row["fragment_offset"]:
            row["l4_at"] = at + 8
            stop_with_payload(frame, "fragment", at + 8)
        transport(frame, extension_headers(frame, at + 8, kinds))

    if not whole:
        most = MOST + 40 - (at + 8 - row["l3_at"])
        if frame.number(row["l3_at"] + 4, 2):
            fragment(frame, at + 8, row["l3_at"] + row["ip_len"] - at - 8, row["ip_proto"], most, go_on)
        go_on()


def stop_with_payload(frame: Frame, reason: str, at: int, end: int | None = None) -> None:
    """Stop; what is between `at` and `end` (the packet's end) is payload."""
    set_payload(frame, at, frame.wire_end if end is None else end)
    raise Stop(reason)


def set_payload(frame: Frame, at: int, end: int) -> None:
    """Payload on the wire, and how much of it was captured."""
    frame.row["payload_len"] = end - at
    frame.row["payload_captured"] = max(0, min(end, len(frame.data)) - at)


# Transport


def transport(frame: Frame, at: int) -> None:
    """What `ip_proto` says is at `at`: a transport header, a tunnel, or something else."""
    row = frame.row
    row["l4_at"] = at
    protocol = row["ip_proto"]
    if protocol == 6:
        tcp(frame, at)
    if protocol == 17:
        udp(frame, at)
    if protocol == 1 and row["ip_version"] == 4:
        icmp(frame, at, "icmp", errors=(3, 4, 5, 11, 12))
    if protocol == 58 and row["ip_version"] == 6:
        icmp(frame, at, "icmpv6", errors=(1, 2, 3, 4))
    if protocol in IP_TUNNELS:
        word, header = IP_TUNNELS[protocol]
        try_tunnel(frame, word, header, at, frame.wire_end)
    stop_with_payload(frame, "ip_protocol", at)


def tcp(frame: Frame, at: int) -> None:
    """TCP header with its options."""
    row = frame.row
    frame.found("tcp", at)
    frame.fill(at, ("src_port", 0, 2), ("dst_port", 2, 2), ("seq", 4, 4), ("ack", 8, 4))
    if frame.has(at + 12, 2):
        row["header_len"] = (frame.number(at + 12, 1) >> 4) * 4
        row["flags"] = frame.number(at + 12, 2) & 0xFFF
    frame.fill(at, ("window", 14, 2), ("checksum_field", 16, 2), ("urgent", 18, 2))
    frame.need(at, 20, "bad_tcp_header")
    behind = at + row["header_len"]
    if row["header_len"] < 20 or behind > frame.wire_end:
        raise Stop("bad_tcp_header")
    set_payload(frame, behind, frame.wire_end)
    tcp_options(frame, at + 20, behind)
    frame.need(at, row["header_len"])
    raise Stop("decoded")


def tcp_options(frame: Frame, at: int, header_end: int) -> None:
    """Options until the end of the header, of the list, or of what was captured."""
    while at < min(header_end, frame.end):
        kind = frame.number(at, 1)
        if kind == 0:
            return
        if kind == 1:
            at += 1
            continue
        if at + 1 >= header_end:
            frame.quirk("tcp_options_malformed")
            return
        if not frame.has(at, 2):
            return
        size = frame.number(at + 1, 1)
        if size < 2 or at + size > header_end:
            frame.quirk("tcp_options_malformed")
            return
        if not frame.has(at, size):
            return
        tcp_option(frame.row, kind, frame.data[at + 2 : at + size])
        at += size


def tcp_option(row: dict[str, Any], kind: int, value: bytes) -> None:
    """One complete option; a known kind with a wrong length counts as another option. The first of a kind wins."""
    size = len(value) + 2
    columns: dict[str, int] = {}
    if kind == 2 and size == 4:
        word, columns = "mss", {"mss": int.from_bytes(value, "big")}
    elif kind == 3 and size == 3:
        word, columns = "window_scale", {"window_scale": value[0]}
    elif kind == 4 and size == 2:
        word = "sack_permitted"
    elif kind == 5 and len(value) in (8, 16, 24, 32):
        word, columns = "sack", sack_blocks(value)
    elif kind == 8 and size == 10:
        word = "timestamps"
        columns = {"tsval": int.from_bytes(value[:4], "big"), "tsecr": int.from_bytes(value[4:], "big")}
    elif kind == 34 and 2 <= size <= 18:
        word, columns = "fast_open", {"fast_open_len": size - 2}
    elif kind == 254 and 4 <= size <= 20 and value[:2] == b"\xf9\x89":  # fast open before it had its own number
        word, columns = "fast_open", {"fast_open_len": size - 4}
    elif kind == 19 and size == 18:
        word = "md5"
    elif kind == 30 and size >= 3:
        word, columns = "mptcp", {"mptcp_subtype": value[0] >> 4}
    elif kind == 29 and size >= 4:
        word = "ao"
    else:
        word = "other"
    if word not in row["options"]:
        row["options"] |= {word}
        row.update(columns)


def sack_blocks(value: bytes) -> dict[str, int]:
    """The columns of a SACK option."""
    columns = {"sack_count": len(value) // 8}
    for number in range(1, len(value) // 8 + 1):
        at = (number - 1) * 8
        columns[f"sack_left_{number}"] = int.from_bytes(value[at : at + 4], "big")
        columns[f"sack_right_{number}"] = int.from_bytes(value[at + 4 : at + 8], "big")
    return columns


def udp(frame: Frame, at: int) -> None:
    """UDP header, and the tunnels known by their port."""
    row = frame.row
    frame.found("udp", at)
    frame.fill(at, ("src_port", 0, 2), ("dst_port", 2, 2), ("udp_len", 4, 2), ("checksum_field", 6, 2))
    frame.need(at, 8, "bad_udp_header")
    row["header_len"] = 8
    if 0 < row["udp_len"] < 8:
        raise Stop("bad_udp_header")
    end = min(frame.wire_end, at + row["udp_len"]) if row["udp_len"] else frame.wire_end
    for port in (row["dst_port"], row["src_port"]):
        if port in UDP_TUNNELS:
            word, header = UDP_TUNNELS[port]
            try_tunnel(frame, word, header, at + 8, end)
            break
    else:
        if certainly_gtpu(frame.data[at + 8 : min(end, len(frame.data))]):
            try_tunnel(frame, "gtpu", gtpu, at + 8, end)
    stop_with_payload(frame, "decoded", at + 8, end)


def icmp(frame: Frame, at: int, layer: str, errors: tuple[int, ...]) -> None:
    """ICMP or ICMPv6: type 1, code 1, checksum 2, rest 4; an error quotes the packet it is about."""
    row = frame.row
    frame.found(layer, at)
    frame.fill(at, ("icmp_type", 0, 1), ("icmp_code", 1, 1), ("checksum_field", 2, 2), ("icmp_rest", 4, 4))
    frame.need(at, 8, "bad_icmp_header")
    row["header_len"] = 8
    if row["icmp_type"] in errors:
        if layer == "icmp":
            quoted_ipv4(frame, at + 8)
        else:
            quoted_ipv6(frame, at + 8)
    stop_with_payload(frame, "decoded", at + 8)


def quoted_ipv4(frame: Frame, at: int) -> None:
    """The packet quoted by an ICMP error."""
    if not frame.has(at, 20) or frame.number(at, 1) >> 4 != 4 or frame.number(at, 1) & 0xF < 5:
        return
    quoted(frame, 4, frame.number(at + 9, 1), at + 12, 4)
    if frame.number(at + 6, 2) & 0x1FFF == 0:
        quoted_transport(frame, at + (frame.number(at, 1) & 0xF) * 4)


def quoted_ipv6(frame: Frame, at: int) -> None:
    """The packet quoted by an ICMPv6 error."""
    if not frame.has(at, 40) or frame.number(at, 1) >> 4 != 6:
        return
    quoted(frame, 6, frame.number(at + 6, 1), at + 8, 16)
    at += 40
    while (kind := frame.row["quoted_proto"]) in (0, 43, 44, 51, 60, 135, 139, 140):
        frame.fill(at, ("quoted_proto", 0, 1))
        if kind == 44:
            if not frame.has(at, 8) or frame.number(at + 2, 2) & 0xFFF8:
                return
            at += 8
            continue
        if not frame.has(at, 2):
            return
        size = extension_size(kind, frame.number(at + 1, 1))
        if not frame.has(at, size):
            return
        at += size
    quoted_transport(frame, at)


def quoted(frame: Frame, version: int, protocol: int, addresses_at: int, size: int) -> None:
    """Version, protocol and addresses of the quoted packet."""
    row = frame.row
    row["layers"] |= {"quoted"}
    row.update(quoted_version=version, quoted_proto=protocol)
    row["quoted_src"] = address(frame, addresses_at, size)
    row["quoted_dst"] = address(frame, addresses_at + size, size)


def quoted_transport(frame: Frame, at: int) -> None:
    """Ports and sequence number of the quoted packet, as far as they are quoted."""
    if frame.row["quoted_proto"] in (6, 17) and frame.has(at, 4):
        frame.fill(at, ("quoted_src_port", 0, 2), ("quoted_dst_port", 2, 2))
    if frame.row["quoted_proto"] == 6:
        frame.fill(at, ("quoted_seq", 4, 4))


# Tunnels


def try_tunnel(frame: Frame, word: str, header: Callable[[Frame, int], None], at: int, end: int) -> None:
    """Decode what is at `at` and ends on the wire at `end` as a tunnel; return as if nothing happened if it is none."""
    inner = replace(
        frame, row=dict(frame.row), wire_end=end, fcs=0, own_link=False, entering=Tunnel(word)
    )  # sets in the row are frozen: a shallow copy is enough
    try:
        header(inner, at)
    except Stop as stop:
        if inner.entering:
            return
        frame.row, frame.data = inner.row, inner.data
        raise Stop(*stop.args) from None


def enter(frame: Frame) -> None:
    """A good IP header is reached: it becomes the innermost one."""
    tunnel, row = frame.entering, frame.row
    assert tunnel is not None
    frame.step()
    if row["tunnel_depth"] == 0:
        row.update(outer_version=row["ip_version"], outer_src=row["src"], outer_dst=row["dst"])
        row["outer_l3_at"] = row["l3_at"]
    row["tunnel_depth"] += 1
    row["tunnels"] |= {tunnel.word}
    row["layers"] |= {"tunnel"}
    if tunnel.ident is not None:
        row["tunnel_id"] = tunnel.ident
    row.update({name: empty(name) for name in INNER_NAMES})
    frame.entering = None


def identify(frame: Frame, ident: int) -> None:
    """The tunnel being tried has an identifier."""
    assert frame.entering is not None
    frame.entering.ident = ident


def check(frame: Frame, at: int, size: int) -> None:
    """A tunnel header must be readable."""
    if not frame.has(at, size):
        raise NotATunnel


def gre(frame: Frame, at: int) -> None:
    """GRE: flags and version 2, type 2, then what the flags say."""
    check(frame, at, 4)
    version = frame.number(at, 2) & 7
    if version == 0:
        gre_plain(frame, at)
    if version == 1:
        gre_pptp(frame, at)
    raise NotATunnel


def gre_plain(frame: Frame, at: int) -> None:
    """GRE version 0: checksum 4 if C, key 4 if K, sequence 4 if S; routing (R) is obsolete."""
    flags, carried = frame.number(at, 2), frame.number(at + 2, 2)
    if flags & 0x4000:
        raise NotATunnel
    at += 4
    if flags & 0x8000:
        at += 4
    if flags & 0x2000:
        check(frame, at, 4)
        identify(frame, frame.number(at, 4))
        at += 4
    numbered = bool(flags & 0x1000)
    if numbered:
        at += 4
    if carried == 0x6558:
        ethernet(frame, at)
    if carried == 0x88BE:
        erspan(frame, at + 8 if numbered else at)
    if carried >> 8 == 0x82:  # Aruba
        wlan(frame, at)
    if carried == 0x22EB:
        check(frame, at, 12)
        erspan(frame, at + 20 if frame.number(at + 11, 1) & 1 else at + 12)
    ether_type(frame, carried, at, like_ethernet=False)


def erspan(frame: Frame, at: int) -> None:
    """A mirrored Ethernet frame."""
    assert frame.entering is not None
    frame.entering.word = "erspan"
    ethernet(frame, at)


def gre_pptp(frame: Frame, at: int) -> None:
    """GRE version 1 (PPTP): flags 2, type 2, length 2, call 2, sequence 4 if S, acknowledgment 4 if A; then PPP."""
    flags, carried = frame.number(at, 2), frame.number(at + 2, 2)
    check(frame, at, 8)
    if carried != 0x880B:
        raise NotATunnel
    identify(frame, frame.number(at + 6, 2))
    at += 8
    if flags & 0x1000:
        at += 4
    if flags & 0x0080:
        at += 4
    ppp(frame, at)


def vxlan(frame: Frame, at: int) -> None:
    """VXLAN: flags 1, reserved 3, network 3, reserved 1; then Ethernet."""
    check(frame, at, 8)
    if not frame.number(at, 1) & 0x08:
        raise NotATunnel
    identify(frame, frame.number(at + 4, 3))
    ethernet(frame, at + 8)


def geneve(frame: Frame, at: int) -> None:
    """GENEVE: version and option length 1, flags 1, type 2, network 3, reserved 1, options."""
    check(frame, at, 8)
    if frame.number(at, 1) >> 6:
        raise NotATunnel
    identify(frame, frame.number(at + 4, 3))
    carried = frame.number(at + 2, 2)
    behind = at + 8 + (frame.number(at, 1) & 0x3F) * 4
    if carried == 0x6558:
        ethernet(frame, behind)
    ether_type(frame, carried, behind, like_ethernet=False)


def gtpu(frame: Frame, at: int) -> None:
    """GTP-U: flags 1, message 1, length 2, tunnel 4; sequence, N-PDU and extension headers if the flags say so."""
    check(frame, at, 8)
    flags = frame.number(at, 1)
    if flags >> 5 != 1 or not flags & 0x10 or frame.number(at + 1, 1) != 0xFF:
        raise NotATunnel
    identify(frame, frame.number(at + 4, 4))
    at += 8
    if flags & 7:
        check(frame, at, 4)
        following = frame.number(at + 3, 1) if flags & 4 else 0
        at += 4
        while following:
            check(frame, at, 1)
            size = frame.number(at, 1) * 4
            if size == 0:
                raise NotATunnel
            check(frame, at, size)
            following = frame.number(at + size - 1, 1)
            at += size
    ip_by_version(frame, at, 4, 6)


def certainly_gtpu(payload: bytes) -> bool:
    """Is it GTP-U, on whatever port: do its length and that of the IP packet in it both end where the datagram does?"""
    if len(payload) < 28 or payload[0] >> 3 != 6 or payload[1] != 0xFF:
        return False
    if int.from_bytes(payload[2:4], "big") != len(payload) - 8:
        return False
    at = 8
    if payload[0] & 7:
        following = payload[11] if payload[0] & 4 else 0
        at = 12
        while following:
            if at >= len(payload) or payload[at] == 0 or at + payload[at] * 4 > len(payload):
                return False
            at += payload[at] * 4
            following = payload[at - 1]
    packet = payload[at:]
    if len(packet) < 20:
        return False
    if packet[0] >> 4 == 4:
        return bool(packet[0] & 15 >= 5) and int.from_bytes(packet[2:4], "big") == len(packet)
    return packet[0] >> 4 == 6 and int.from_bytes(packet[4:6], "big") + 40 == len(packet)


def teredo(frame: Frame, at: int) -> None:
    """RFC 4380: IPv6, perhaps behind an authentication (type 2, lengths 1 and 1, both, nonce 8, confirmation 1) and an origin 8."""
    if frame.has(at, 4) and frame.number(at, 2) == 1:
        at += 13 + frame.number(at + 2, 1) + frame.number(at + 3, 1)
    if frame.has(at, 2) and frame.number(at, 2) == 0:
        at += 8
    ipv6(frame, at)


def capwap(frame: Frame, at: int) -> None:
    """RFC 5415 section 4.3: preamble 1, then 24 bits: length 5, radio 5, binding 5, T, F, L, W, M, K and 3 more."""
    check(frame, at, 8)
    if frame.number(at, 1):
        raise NotATunnel
    bits = frame.number(at + 1, 3)
    size, binding, native = (bits >> 19) * 4, bits >> 9 & 31, bits & 0x100
    if bits & 0x88 or size < 8:
        raise NotATunnel
    check(frame, at + size, 2)
    if not native:
        ethernet(frame, at + size)
    if binding != 1:
        raise NotATunnel
    wlan(frame, at + size, exchanged=bool(frame.number(at + size, 1) & 3))


def tzsp(frame: Frame, at: int) -> None:
    """TZSP: version 1, type 1, what is carried 2, tags until one of type 1."""
    check(frame, at, 4)
    if frame.number(at, 1) != 1 or frame.number(at + 1, 1) > 1:
        raise NotATunnel
    kind = frame.number(at + 2, 2)
    at += 4
    while frame.has(at, 1) and frame.number(at, 1) != 1:
        if frame.number(at, 1) == 0:
            at += 1
            continue
        check(frame, at, 2)
        at += 2 + frame.number(at + 1, 1)
    if kind == 1:
        ethernet(frame, at + 1)
    if kind == 18:
        wlan(frame, at + 1)
    raise NotATunnel


def l2tp(frame: Frame, at: int) -> None:
    """L2TP version 2, data message: flags 2, length 2, tunnel 2, session 2, sequence numbers 4, offset; then PPP."""
    check(frame, at, 2)
    flags = frame.number(at, 2)
    if flags & 0xF != 2 or flags & 0x8000:
        raise NotATunnel
    at += 2
    if flags & 0x4000:
        at += 2
    check(frame, at, 4)
    identify(frame, frame.number(at, 4))
    at += 4
    if flags & 0x0800:
        at += 4
    if flags & 0x0200:
        check(frame, at, 2)
        at += 2 + frame.number(at, 2)
    ppp(frame, at)


IP_TUNNELS: dict[int, tuple[str, Callable[[Frame, int], None]]] = {
    4: ("ipip", ipv4),
    41: ("6in4", ipv6),
    47: ("gre", gre),
}
UDP_TUNNELS: dict[int, tuple[str, Callable[[Frame, int], None]]] = {
    4789: ("vxlan", vxlan),
    8472: ("vxlan", vxlan),
    6081: ("geneve", geneve),
    2152: ("gtpu", gtpu),
    1701: ("l2tp", l2tp),
    3544: ("teredo", teredo),
    5247: ("capwap", capwap),
    37008: ("tzsp", tzsp),
}


@contextmanager
def no_deeper(depth: int) -> Iterator[list[Frame]]:
    """The decoder enters at most `depth` tunnels. The list is of those who would have gone on."""
    global try_tunnel
    really, stopped = try_tunnel, []

    def limited(frame: Frame, *rest: Any) -> None:
        if frame.row["tunnel_depth"] < depth:
            really(frame, *rest)
        else:
            stopped.append(frame)

    try_tunnel = limited
    try:
        yield stopped
    finally:
        try_tunnel = really
