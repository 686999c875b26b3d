"""Writes captures and frames in plain Python: header by header, correct unless told otherwise.

A header function takes what it carries as its first argument and returns the bytes of both, so that a frame reads
from the outside in: `ethernet(ipv4(tcp(b"hello")))`. Keyword arguments override single fields.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

SRC4, DST4 = "192.0.2.1", "198.51.100.2"
SRC6, DST6 = "2001:db8::1", "2001:db8:1::2"
MAC_A, MAC_B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")

IPV4, IPV6, ARP, VLAN, QINQ, MPLS, PPPOE = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x8847, 0x8864
BRIDGED = 0x6558  # Ethernet inside GRE or GENEVE
TCP, UDP, ICMP, ICMPV6, IPIP, SIX_IN_FOUR, GRE = 6, 17, 1, 58, 4, 41, 47


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071). Sums of 16-bit words with end-around carry are sums modulo 65535."""
    padded = data if len(data) % 2 == 0 else data + b"\0"
    total = int.from_bytes(padded, "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


@lru_cache(maxsize=4096)
def packed(address: str) -> bytes:
    """An IP address as bytes."""
    return ipaddress.ip_address(address).packed


def pseudo_checksum(protocol: int, segment: bytes, between: tuple[str, str]) -> int:
    """Checksum of a transport segment with its pseudo-header."""
    src, dst = packed(between[0]), packed(between[1])
    if len(src) == 4:
        return checksum(src + dst + struct.pack(">HH", protocol, len(segment) & 0xFFFF) + segment)
    return checksum(src + dst + struct.pack(">II", len(segment), protocol) + segment)


# Transport


def tcp(
    payload: bytes = b"",
    *,
    src_port: int = 40000,
    dst_port: int = 80,
    seq: int = 1000,
    ack: int = 2000,
    flags: int = 0x10,
    window: int = 64240,
    urgent: int = 0,
    options: bytes = b"",
    header_len: int | None = None,
    check: int | None = None,
    between: tuple[str, str] = (SRC4, DST4),
) -> bytes:
    """TCP; options are padded to 4 bytes with end-of-list."""
    options += b"\0" * (-len(options) % 4)
    size = 20 + len(options) if header_len is None else header_len
    offset_flags = (size // 4 & 0xF) << 12 | flags
    head = struct.pack(">HHIIHH", src_port, dst_port, seq, ack, offset_flags, window)
    tail = struct.pack(">H", urgent) + options + payload
    if check is None:
        check = pseudo_checksum(TCP, head + b"\0\0" + tail, between)
    return head + struct.pack(">H", check) + tail


def tcp_option(kind: int, value: bytes = b"", size: int | None = None) -> bytes:
    """Any TCP option with a length byte."""
    return bytes([kind, len(value) + 2 if size is None else size]) + value


NOP, END = b"\x01", b"\x00"
SACK_PERMITTED = tcp_option(4)


def mss(value: int) -> bytes:
    """Maximum segment size."""
    return tcp_option(2, struct.pack(">H", value))


def window_scale(shift: int) -> bytes:
    """Window scale."""
    return tcp_option(3, bytes([shift]))


def timestamps(value: int, echo: int) -> bytes:
    """Timestamps."""
    return tcp_option(8, struct.pack(">II", value, echo))


def sack(*edges: int) -> bytes:
    """SACK blocks: left, right, left, right..."""
    return tcp_option(5, struct.pack(f">{len(edges)}I", *edges))


def fast_open(cookie: bytes = b"") -> bytes:
    """TCP Fast Open."""
    return tcp_option(34, cookie)


def fast_open_experimental(cookie: bytes = b"") -> bytes:
    """TCP Fast Open as an experimental option."""
    return tcp_option(254, b"\xf9\x89" + cookie)


def md5(digest: bytes = bytes(16)) -> bytes:
    """MD5 signature."""
    return tcp_option(19, digest)


def mptcp(subtype: int, body: bytes = b"\x00") -> bytes:
    """Multipath TCP: the subtype in the high nibble of the first byte."""
    return tcp_option(30, bytes([subtype << 4 | body[0] & 0xF]) + body[1:])


def authentication_option(key: int = 1, next_key: int = 1, code: bytes = bytes(12)) -> bytes:
    """TCP-AO."""
    return tcp_option(29, bytes([key, next_key]) + code)


def udp(
    payload: bytes = b"",
    *,
    src_port: int = 40000,
    dst_port: int = 53,
    length: int | None = None,
    check: int | None = None,
    between: tuple[str, str] = (SRC4, DST4),
) -> bytes:
    """UDP."""
    head = struct.pack(">HHH", src_port, dst_port, (len(payload) + 8 if length is None else length) & 0xFFFF)
    if check is None:
        check = pseudo_checksum(UDP, head + b"\0\0" + payload, between) or 0xFFFF
    return head + struct.pack(">H", check) + payload


def icmp(
    payload: bytes = b"", *, kind: int = 8, code: int = 0, rest: int = 0x00010002, check: int | None = None
) -> bytes:
    """ICMP; for an error the payload is the quoted packet."""
    if check is None:
        check = checksum(struct.pack(">BBHI", kind, code, 0, rest) + payload)
    return struct.pack(">BBHI", kind, code, check, rest) + payload


def icmpv6(
    payload: bytes = b"",
    *,
    kind: int = 128,
    code: int = 0,
    rest: int = 0x00010002,
    check: int | None = None,
    between: tuple[str, str] = (SRC6, DST6),
) -> bytes:
    """ICMPv6; for an error the payload is the quoted packet."""
    if check is None:
        check = pseudo_checksum(ICMPV6, struct.pack(">BBHI", kind, code, 0, rest) + payload, between)
    return struct.pack(">BBHI", kind, code, check, rest) + payload


# IP


def ipv4(
    payload: bytes = b"",
    protocol: int = TCP,
    *,
    src: str = SRC4,
    dst: str = DST4,
    tos: int = 0,
    ident: int = 1,
    flags: int = 2,
    offset: int = 0,
    ttl: int = 64,
    options: bytes = b"",
    version: int = 4,
    header_len: int | None = None,
    total_length: int | None = None,
    check: int | None = None,
) -> bytes:
    """IPv4. `flags`: 1 more fragments, 2 do not fragment; `offset` in bytes; options padded to 4 bytes."""
    options += b"\0" * (-len(options) % 4)
    size = 20 + len(options) if header_len is None else header_len
    total = 20 + len(options) + len(payload) if total_length is None else total_length
    head = struct.pack(
        ">BBHHHBB", version << 4 | size // 4 & 0xF, tos, total & 0xFFFF, ident, flags << 13 | offset // 8, ttl, protocol
    )
    tail = packed(src) + packed(dst) + options
    if check is None:
        check = checksum(head + b"\0\0" + tail)
    return head + struct.pack(">H", check) + tail + payload


RECORD_ROUTE = b"\x07\x07\x04\x00\x00\x00\x00\x00"
ROUTER_ALERT = b"\x94\x04\x00\x00"


class Extension(NamedTuple):
    """An IPv6 extension header: its number, and its bytes after the next-header byte."""

    kind: int
    rest: bytes


def ipv6(
    payload: bytes = b"",
    next_header: int = TCP,
    *,
    src: str = SRC6,
    dst: str = DST6,
    traffic_class: int = 0,
    flow_label: int = 0,
    hop_limit: int = 64,
    extensions: Sequence[Extension] = (),
    version: int = 6,
    payload_length: int | None = None,
) -> bytes:
    """IPv6 with extension headers."""
    carried = extend(payload, next_header, extensions)
    first = extensions[0].kind if extensions else next_header
    length = len(carried) if payload_length is None else payload_length
    word = version << 28 | traffic_class << 20 | flow_label
    return struct.pack(">IHBB", word, length & 0xFFFF, first, hop_limit) + packed(src) + packed(dst) + carried


def extend(payload: bytes, next_header: int, extensions: Sequence[Extension]) -> bytes:
    """The payload behind a chain of extension headers."""
    for extension in reversed(extensions):
        payload = bytes([next_header]) + extension.rest + payload
        next_header = extension.kind
    return payload


def options_header(kind: int, options: bytes = b"") -> Extension:
    """Hop-by-hop (0) or destination options (60): options padded with PadN to a multiple of 8 bytes."""
    missing = -(len(options) + 2) % 8
    if missing == 1:
        options += b"\0"
    elif missing:
        options += bytes([1, missing - 2]) + bytes(missing - 2)
    return Extension(kind, bytes([(len(options) + 2) // 8 - 1]) + options)


def ipv6_option(kind: int = 0x1E, value: bytes = b"") -> bytes:
    """Any option of a hop-by-hop or destination options header; unlike in TCP its length does not count itself."""
    return bytes([kind, len(value)]) + value


def jumbo_option(length: int) -> bytes:
    """The jumbo payload option; behind 2 bytes of header it is aligned."""
    return ipv6_option(0xC2, struct.pack(">I", length))


def ipv6_jumbo(payload: bytes, next_header: int = TCP, *, length: int | None = None, **fields: str) -> bytes:
    """IPv6 with payload length 0 and a jumbo payload option."""
    size = len(payload) + 8 if length is None else length
    return ipv6(payload, next_header, extensions=[options_header(0, jumbo_option(size))], payload_length=0, **fields)  # type: ignore[arg-type]


def routing_header(addresses: Sequence[str] = (DST6,), kind: int = 0, left: int = 0) -> Extension:
    """Routing header."""
    body = b"".join(packed(address) for address in addresses)
    return Extension(43, bytes([len(body) // 8, kind, left]) + bytes(4) + body)


def mobility_header(kind: int = 135) -> Extension:
    """Mobility (135), HIP (139) or Shim6 (140): 16 bytes of it."""
    return Extension(kind, b"\x01" + bytes(14))


def fragment_header(*, offset: int = 0, more: bool = True, ident: int = 7) -> Extension:
    """IPv6 fragment header; `offset` in bytes."""
    return Extension(44, b"\0" + struct.pack(">HI", offset & 0xFFF8 | more, ident))


def authentication_header(code: bytes = bytes(12)) -> Extension:
    """AH."""
    return Extension(51, bytes([(12 + len(code)) // 4 - 2]) + bytes(2) + struct.pack(">II", 1, 1) + code)


def in_pieces(
    version: int, protocol: int, segment: bytes, cuts: Iterable[int] = (64,), ident: int = 7, **fields: Any
) -> list[bytes]:
    """A datagram in fragments, cut at these offsets: IP packets in order."""
    ends = [*cuts, len(segment)]
    return [
        fragment(version, protocol, segment[start:end], start, end < len(segment), ident, **fields)
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]


def cut_up(packet: bytes, cuts: Iterable[int], ident: int = 7) -> list[bytes]:
    """An IP packet in fragments, its payload cut at these offsets; the headers of IPv6 are part of what is cut."""
    if packet[0] >> 4 == 4:
        size = (packet[0] & 15) * 4
        between = {"src": str(ipaddress.IPv4Address(packet[12:16])), "dst": str(ipaddress.IPv4Address(packet[16:20]))}
        fields = {"tos": packet[1], "ttl": packet[8], "options": packet[20:size], **between}
        return in_pieces(4, packet[9], packet[size:], cuts, ident & 0xFFFF, **fields)
    between = {"src": str(ipaddress.IPv6Address(packet[8:24])), "dst": str(ipaddress.IPv6Address(packet[24:40]))}
    return in_pieces(6, packet[6], packet[40:], cuts, ident, hop_limit=packet[7], **between)


def fragment(
    version: int, protocol: int, piece: bytes, offset: int, more: bool, ident: int = 7, **fields: Any
) -> bytes:
    """One fragment as an IP packet."""
    if version == 4:
        return ipv4(piece, protocol, offset=offset, flags=int(more), ident=ident, **fields)
    before = fields.pop("extensions", [])
    header = fragment_header(offset=offset, more=more, ident=ident)
    return ipv6(piece, protocol, extensions=[*before, header], **fields)


# Tunnels


def gre(
    payload: bytes,
    protocol: int = IPV4,
    *,
    key: int | None = None,
    sequence: int | None = None,
    check: bool = False,
    extra_flags: int = 0,
) -> bytes:
    """GRE version 0."""
    flags = check << 15 | (key is not None) << 13 | (sequence is not None) << 12 | extra_flags
    optional = b"" if key is None else struct.pack(">I", key)
    optional += b"" if sequence is None else struct.pack(">I", sequence)
    head = struct.pack(">HH", flags, protocol)
    if check:
        optional = struct.pack(">HH", checksum(head + bytes(4) + optional + payload), 0) + optional
    return head + optional + payload


def gre_pptp(payload: bytes, *, call: int = 1, sequence: int | None = 1, ack: int | None = None) -> bytes:
    """GRE version 1; `payload` starts with PPP."""
    flags = 0x2001 | (sequence is not None) << 12 | (ack is not None) << 7
    optional = b"" if sequence is None else struct.pack(">I", sequence)
    optional += b"" if ack is None else struct.pack(">I", ack)
    return struct.pack(">HHHH", flags, 0x880B, len(payload) & 0xFFFF, call) + optional + payload


def erspan(frame: bytes, *, version: int = 2, platform: bool = False, session: int = 5) -> bytes:
    """GRE with a mirrored Ethernet frame: ERSPAN 1, 2 or 3, the last with or without a platform header."""
    if version == 1:
        return gre(frame, 0x88BE)
    if version == 2:
        return gre(struct.pack(">HHI", 0x1000, session, 0) + frame, 0x88BE, sequence=1)
    head = struct.pack(">HHIHH", 0x2000, session, 0, 0, int(platform)) + bytes(8 * platform)
    return gre(head + frame, 0x22EB, sequence=1)


def vxlan(frame: bytes, *, network: int = 42, flags: int = 0x08) -> bytes:
    """VXLAN, to be carried in UDP to port 4789."""
    return struct.pack(">BxxxI", flags, network << 8) + frame


def geneve(
    payload: bytes, protocol: int = BRIDGED, *, network: int = 42, options: bytes = b"", version: int = 0
) -> bytes:
    """GENEVE, to be carried in UDP to port 6081."""
    return struct.pack(">BBHI", version << 6 | len(options) // 4, 0, protocol, network << 8) + options + payload


def gtpu(
    payload: bytes,
    *,
    teid: int = 42,
    sequence: int | None = None,
    extensions: Sequence[tuple[int, bytes]] = (),
    message: int = 0xFF,
) -> bytes:
    """GTP-U, to be carried in UDP to port 2152. An extension is its type and a body of 4n + 2 bytes."""
    flags = 0x30 | (0x04 if extensions else 0) | (0x02 if sequence is not None else 0)
    optional = b""
    if flags & 7:
        optional = struct.pack(">HBB", sequence or 0, 0, extensions[0][0] if extensions else 0)
        for number, (_, body) in enumerate(extensions):
            following = extensions[number + 1][0] if number + 1 < len(extensions) else 0
            optional += bytes([(len(body) + 2) // 4]) + body + bytes([following])
    return struct.pack(">BBHI", flags, message, len(optional + payload) & 0xFFFF, teid) + optional + payload


def l2tp(
    payload: bytes,
    *,
    tunnel: int = 1,
    session: int = 2,
    length: bool = True,
    sequence: bool = False,
    offset: int | None = None,
) -> bytes:
    """L2TP version 2 data message, to be carried in UDP to port 1701; `payload` starts with PPP."""
    flags = 2 | length << 14 | sequence << 11 | (offset is not None) << 9
    rest = struct.pack(">HH", tunnel, session) + bytes(4 * sequence)
    rest += b"" if offset is None else struct.pack(">H", offset) + bytes(offset)
    rest += payload
    return struct.pack(">H", flags) + (struct.pack(">H", (len(rest) + 4) & 0xFFFF) if length else b"") + rest


# Link layers, and what stands between them and IP


def ethernet(payload: bytes, ether_type: int = IPV4, *, dst: bytes = MAC_B, src: bytes = MAC_A) -> bytes:
    """Ethernet II."""
    return dst + src + struct.pack(">H", ether_type) + payload


def ethernet_802_3(payload: bytes, *, length: int | None = None) -> bytes:
    """802.3: a length instead of a type; `payload` starts with LLC."""
    return ethernet(payload, len(payload) if length is None else length)


def vlan(payload: bytes, ether_type: int = IPV4, *, vid: int = 1, priority: int = 0) -> bytes:
    """What follows an EtherType of 8100: one VLAN tag."""
    return struct.pack(">HH", priority << 13 | vid, ether_type) + payload


def qinq(payload: bytes, ether_type: int = IPV4, *, outer: int = 100, inner: int = 200) -> bytes:
    """What follows an EtherType of 88A8: a service tag and a customer tag."""
    return vlan(vlan(payload, ether_type, vid=inner), VLAN, vid=outer)


def shim(payload: bytes, ether_type: int = IPV4, *, kind: int = 0x8926) -> bytes:
    """What follows an EtherType of 8926 (VN-tag), 893F (802.1BR), 88E7 (PBB), 892F (HSR)."""
    size = {0x8926: 6, 0x893F: 8, 0x88E7: 18, 0x892F: 6}[kind]
    head = struct.pack(">I", 42) + MAC_B + MAC_A if kind == 0x88E7 else bytes(size - 2)
    if kind == 0x892F:
        head = struct.pack(">HH", len(payload) + 6 & 0xFFF, 1)
    return head + struct.pack(">H", ether_type) + payload


def mpls(payload: bytes, *, labels: Sequence[int] = (16,), control_word: bool = False) -> bytes:
    """A stack of MPLS labels, perhaps with the control word of a pseudowire below."""
    entries = [
        struct.pack(">I", label << 12 | (position == len(labels) - 1) << 8 | 64)
        for position, label in enumerate(labels)
    ]
    return b"".join(entries) + bytes(4 * control_word) + payload


def pppoe(payload: bytes, protocol: int = 0x21, *, session: int = 1) -> bytes:
    """PPPoE session with the PPP protocol."""
    return struct.pack(">BBHHH", 0x11, 0, session, (len(payload) + 2) & 0xFFFF, protocol) + payload


def ppp(payload: bytes, protocol: int = 0x21, *, address: bool = True, compressed: bool = False) -> bytes:
    """PPP, with or without address and control, the protocol in 2 bytes or compressed to 1."""
    number = bytes([protocol]) if compressed else struct.pack(">H", protocol)
    return b"\xff\x03" * address + number + payload


def ppp_pppd(payload: bytes, protocol: int = 0x21, *, direction: int = 0) -> bytes:
    """PPP as pppd writes it: a direction in place of the address."""
    return bytes([direction, 3]) + struct.pack(">H", protocol) + payload


def with_direction(frame: bytes, direction: int = 0) -> bytes:
    """A direction byte before PPP or Cisco HDLC: 0 received."""
    return bytes([direction]) + frame


def chdlc(payload: bytes, ether_type: int = IPV4) -> bytes:
    """Cisco HDLC."""
    return struct.pack(">BBH", 0x0F, 0, ether_type) + payload


def frame_relay(payload: bytes, *, nlpid: int = 0xCC, pad: bool = False) -> bytes:
    """Frame Relay (RFC 2427)."""
    return b"\x18\x41\x03" + b"\0" * pad + bytes([nlpid]) + payload


def llc(payload: bytes, *, dsap: int = 0x06, ssap: int = 0x06, control: int = 3) -> bytes:
    """802.2."""
    return bytes([dsap, ssap, control]) + payload


def snap(payload: bytes, ether_type: int = IPV4, *, organisation: int = 0) -> bytes:
    """SNAP without the LLC before it."""
    return organisation.to_bytes(3, "big") + struct.pack(">H", ether_type) + payload


def llc_snap(payload: bytes, ether_type: int = IPV4, *, organisation: int = 0) -> bytes:
    """802.2 with SNAP."""
    return llc(snap(payload, ether_type, organisation=organisation), dsap=0xAA, ssap=0xAA)


def sll(payload: bytes, ether_type: int = IPV4, *, packet_type: int = 0, hardware: int = 1) -> bytes:
    """Linux cooked capture."""
    return struct.pack(">HHH", packet_type, hardware, 6) + MAC_A + b"\0\0" + struct.pack(">H", ether_type) + payload


def sll2(payload: bytes, ether_type: int = IPV4, *, packet_type: int = 0, ifindex: int = 3, hardware: int = 1) -> bytes:
    """Linux cooked capture 2."""
    return struct.pack(">HHIHBB", ether_type, 0, ifindex, hardware, packet_type, 6) + MAC_A + b"\0\0" + payload


def null(payload: bytes, family: int = 2, *, order: str = "<") -> bytes:
    """BSD loopback (`order` of the writing host), or LOOP with order '>'."""
    return struct.pack(f"{order}I", family) + payload


def wlan(
    payload: bytes,
    *,
    subtype: int = 0,
    kind: int = 2,
    version: int = 0,
    flags: int = 0x01,
    qos: int = 0,
    pad: bool = False,
    aggregate: bool = False,
) -> bytes:
    """802.11 frame carrying LLC: QoS control with subtype 8, HT control with flags 80, 4 addresses with flags 3."""
    control = bytes([version | kind << 2 | subtype << 4, flags]) + b"\0\0"
    header = control + MAC_A + MAC_B + MAC_A + b"\0\0"
    if flags & 3 == 3:
        header += MAC_B
    if subtype & 8:
        header += bytes([qos | (0x80 if aggregate else 0), 0])
        if flags & 0x80:
            header += bytes(4)
    if pad:
        header += bytes(-len(header) % 4)
    if aggregate:
        header += MAC_B + MAC_A + struct.pack(">H", len(payload))
    return header + payload


def radiotap(
    frame: bytes, *, flags: int | None = 0, time: bool = False, extended: bool = False, fields: bytes = b""
) -> bytes:
    """Radiotap: perhaps more presence words, perhaps a time stamp, perhaps flags, then `fields` to be skipped."""
    present = time | (flags is not None) << 1 | extended << 31
    header = struct.pack("<I", present) + (struct.pack("<I", 0) if extended else b"")
    if time:
        header += bytes(-(4 + len(header)) % 8 + 8)
    if flags is not None:
        header += bytes([flags])
    header += fields
    return struct.pack("<BBH", 0, 0, len(header) + 4) + header + frame


def prism(frame: bytes, *, size: int = 144) -> bytes:
    """Prism header: message code, length, device name, empty fields."""
    return struct.pack("<II", 0x44, size) + b"wlan0".ljust(16, b"\0") + bytes(size - 24) + frame


def avs(frame: bytes, *, size: int = 64) -> bytes:
    """AVS header."""
    return struct.pack(">II", 0x80211001, size) + bytes(size - 8) + frame


def fddi(payload: bytes, *, control: int = 0x50) -> bytes:
    """FDDI; `payload` starts with LLC."""
    return bytes([control]) + MAC_B + MAC_A + payload


def token_ring(payload: bytes, *, control: int = 0x40, routing: bytes = b"") -> bytes:
    """Token Ring, perhaps with source routing; `payload` starts with LLC."""
    src = bytes([MAC_A[0] | 0x80]) + MAC_A[1:] if routing else MAC_A
    return bytes([0x10, control]) + MAC_B + src + routing + payload


def mpacket(frame: bytes, *, check: bool = True) -> bytes:
    """802.3br: preamble and start delimiter before Ethernet, its check sequence behind."""
    return b"\x55" * 7 + b"\xd5" + frame + (struct.pack("<I", zlib.crc32(frame)) if check else b"")


def ipoib(payload: bytes, ether_type: int = IPV4) -> bytes:
    """IP over InfiniBand."""
    return b"\x60" + bytes(39) + struct.pack(">HH", ether_type, 0) + payload


def pflog(payload: bytes, family: int = 2, *, size: int = 61) -> bytes:
    """Packet filter log; the header is padded to 4 bytes."""
    return (bytes([size, family, 0, 0]) + b"em0".ljust(16, b"\0")).ljust((size + 3) // 4 * 4, b"\0") + payload


def enc(payload: bytes, family: int = 2, *, order: str = "<") -> bytes:
    """OpenBSD's IPsec interface."""
    return struct.pack(f"{order}I", family) + bytes(8) + payload


def ipnet(payload: bytes, version: int = 4) -> bytes:
    """Solaris ipnet."""
    return struct.pack(">BBHIIIII", 1, 2 if version == 4 else 26, 0, len(payload), 0, 0, 0, 0) + payload


def nflog(
    payload: bytes, *, attributes: Sequence[tuple[int, bytes]] = ((1, b"\x08\x00\x01\x00"), (10, b"in\0"))
) -> bytes:
    """Netfilter log: attributes, then the packet as attribute 9."""
    body = b""
    for kind, value in (*attributes, (9, payload)):
        body += struct.pack("<HH", (len(value) + 4) & 0xFFFF, kind) + value
        body += b"" if kind == 9 else bytes(-len(value) % 4)
    family = 10 if payload[:1] >= b"\x60" else 2
    return struct.pack(">BBH", family, 0, 7) + body


def switch_tagged(payload: bytes, ether_type: int = IPV4, *, tag: bytes = bytes.fromhex("20000003")) -> bytes:
    """Ethernet with a switch tag between source and type (DSA, EDSA, Broadcom)."""
    return MAC_B + MAC_A + tag + struct.pack(">H", ether_type) + payload


def prepended_tag(frame: bytes, *, tag: bytes = bytes.fromhex("20000003")) -> bytes:
    """A switch tag before Ethernet."""
    return tag + frame


# Capture files: classic pcap

MICROSECONDS, NANOSECONDS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


class Record(NamedTuple):
    """One record; `length` None means that everything was captured. The last three are for modified pcap only."""

    data: bytes
    time_ns: int = 0
    length: int | None = None
    ifindex: int = 0
    protocol: int = 0
    pkt_type: int = 0


def pcap(
    records: Iterable[Record],
    *,
    magic: int = MICROSECONDS,
    order: str = "<",
    version: tuple[int, int] = (2, 4),
    link: int = 1,
    snaplen: int = 262144,
    fcs: int | None = None,
) -> bytes:
    """A classic capture file. Before version 2.3, and in 543.0, the two lengths of a record are swapped."""
    link_field = link | (0 if fcs is None else fcs // 2 << 28 | 0x04000000)
    parts = [struct.pack(f"{order}IHHiIII", magic, *version, 0, 0, snaplen, link_field)]
    swapped = version[0] == 543 or version[1] < 3
    unit = 1 if magic == NANOSECONDS else 1000
    for record in records:
        lengths = len(record.data), len(record.data) if record.length is None else record.length
        seconds, fraction = divmod(record.time_ns, 10**9)
        parts.append(struct.pack(f"{order}IIII", seconds, fraction // unit, *(lengths[::-1] if swapped else lengths)))
        if magic == MODIFIED:
            parts.append(struct.pack(f"{order}iHBx", record.ifindex, record.protocol, record.pkt_type))
        parts.append(record.data)
    return b"".join(parts)


# Capture files: pcapng


def pcapng(*blocks: bytes) -> bytes:
    """A pcapng file from its blocks."""
    return b"".join(blocks)


def block(kind: int, body: bytes, *, order: str = "<") -> bytes:
    """Any block: type, length, body padded to 4 bytes, length."""
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def options(*pairs: tuple[int, bytes], order: str = "<", end: bool = True) -> bytes:
    """Options as code and value, each padded to 4 bytes; nothing at all if there are none."""
    encoded = b"".join(
        struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in pairs
    )
    return encoded + bytes(4) * (end and bool(pairs))


def shb(*, order: str = "<", version: tuple[int, int] = (1, 0), section_length: int = -1, extra: bytes = b"") -> bytes:
    """Section header; `extra` are encoded options."""
    body = struct.pack(f"{order}IHHq", 0x1A2B3C4D, *version, section_length)
    return block(0x0A0D0D0A, body + extra, order=order)


def section(*blocks: bytes, order: str = "<") -> bytes:
    """A section whose header says how long it is."""
    content = b"".join(blocks)
    return shb(order=order, section_length=len(content)) + content


def idb(
    *,
    link: int = 1,
    snaplen: int = 0,
    order: str = "<",
    resolution: int | None = None,
    offset: int | None = None,
    fcs_bits: int | None = None,
    name: str | None = None,
    extra: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Interface; `resolution` as the option's byte: n for 10^-n, 80h + n for 2^-n; `offset` in seconds."""
    pairs: list[tuple[int, bytes]] = []
    if name is not None:
        pairs.append((2, name.encode()))
    if resolution is not None:
        pairs.append((9, bytes([resolution])))
    if fcs_bits is not None:
        pairs.append((13, bytes([fcs_bits])))
    if offset is not None:
        pairs.append((14, struct.pack(f"{order}q", offset)))
    body = struct.pack(f"{order}HHI", link, 0, snaplen)
    return block(1, body + options(*pairs, *extra, order=order), order=order)


def epb(
    data: bytes,
    *,
    interface: int = 0,
    ticks: int = 0,
    length: int | None = None,
    order: str = "<",
    flags: int | None = None,
    drops: int | None = None,
    extra: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Enhanced packet; `ticks` in the interface's resolution."""
    pairs: list[tuple[int, bytes]] = []
    if flags is not None:
        pairs.append((2, struct.pack(f"{order}I", flags)))
    if drops is not None:
        pairs.append((4, struct.pack(f"{order}Q", drops)))
    wire = len(data) if length is None else length
    body = struct.pack(f"{order}IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire)
    body += data + bytes(-len(data) % 4)
    return block(6, body + options(*pairs, *extra, order=order), order=order)


def spb(data: bytes, *, length: int | None = None, order: str = "<") -> bytes:
    """Simple packet: no time, no interface, no captured length."""
    return block(3, struct.pack(f"{order}I", len(data) if length is None else length) + data, order=order)


def pb(
    data: bytes,
    *,
    interface: int = 0,
    ticks: int = 0,
    length: int | None = None,
    drops: int = 0,
    order: str = "<",
    flags: int | None = None,
) -> bytes:
    """The obsolete packet block."""
    wire = len(data) if length is None else length
    body = struct.pack(f"{order}HHIIII", interface, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire)
    body += data + bytes(-len(data) % 4)
    pairs = [] if flags is None else [(2, struct.pack(f"{order}I", flags))]
    return block(2, body + options(*pairs, order=order), order=order)


def isb(*, interface: int = 0, ticks: int = 0, received: int = 10, dropped: int = 0, order: str = "<") -> bytes:
    """Interface statistics."""
    body = struct.pack(f"{order}III", interface, ticks >> 32, ticks & 0xFFFFFFFF)
    pairs = [(4, struct.pack(f"{order}Q", received)), (5, struct.pack(f"{order}Q", dropped))]
    return block(5, body + options(*pairs, order=order), order=order)


def nrb(*, address: str = SRC4, name: str = "host.example", order: str = "<") -> bytes:
    """Name resolution: one IPv4 address."""
    value = packed(address) + name.encode() + b"\0"
    record = struct.pack(f"{order}HH", 1, len(value)) + value + bytes(-len(value) % 4)
    return block(4, record + bytes(4), order=order)


def dsb(secrets: bytes = b"CLIENT_RANDOM 00 00\n", *, kind: int = 0x544C534B, order: str = "<") -> bytes:
    """Decryption secrets."""
    return block(10, struct.pack(f"{order}II", kind, len(secrets)) + secrets, order=order)


def custom(data: bytes = b"anything", *, enterprise: int = 32473, copied: bool = True, order: str = "<") -> bytes:
    """Custom block."""
    return block(0xBAD if copied else 0x40000BAD, struct.pack(f"{order}I", enterprise) + data, order=order)


def ppi(frame: bytes, link: int = 105, *, fields: bytes = b"", aligned: bool = False) -> bytes:
    """Per-packet information before a frame of a link type."""
    return struct.pack("<BBHI", 0, int(aligned), 8 + len(fields), link) + fields + frame


def ppi_common(*, fcs: bool) -> bytes:
    """The field of PPI that says whether an 802.11 frame ends with a check sequence."""
    return struct.pack("<HHQH", 2, 20, 1, int(fcs)) + bytes(10)


def pktap(frame: bytes, link: int = 1, *, flags: int = 1, size: int = 156, kind: int = 1) -> bytes:
    """Apple's pktap before a frame of a link type: flags 1 in, 2 out."""
    head = struct.pack("<III24sIIII", size, kind, link, b"en0", flags, 2, 14, 0)
    return head.ljust(size, b"\0") + frame


def juniper(frame: bytes, *, flags: int = 0, extensions: bytes | None = None, protocol: int | None = None) -> bytes:
    """Juniper's header; with a `protocol` in place of a link header."""
    flags |= (0x80 if extensions is not None else 0) | (2 if protocol is not None else 0)
    behind = b"" if extensions is None else struct.pack(">H", len(extensions)) + extensions
    behind += b"" if protocol is None else struct.pack("<I", protocol)
    return b"MGC" + bytes([flags]) + behind + frame


def erf(frame: bytes, *, kind: int = 2, extensions: int = 0) -> bytes:
    """A record of Endace's; an Ethernet frame stands behind two bytes."""
    pad = bytes(2) if kind in (2, 11, 16, 20) else b""
    size = 16 + 8 * extensions + len(pad) + len(frame)
    head = struct.pack("<Q", 0) + struct.pack(
        ">BBHHH", kind | (0x80 if extensions else 0), 4, size & 0xFFFF, 0, len(frame) & 0xFFFF
    )
    more = b"".join(bytes([5 | (0x80 if n + 1 < extensions else 0)]) + bytes(7) for n in range(extensions))
    return head + more + pad + frame


def arcnet(packet: bytes, *, kind: int = 212, linux: bool = False, split: int = 0, exception: bool = False) -> bytes:
    """ARCNET of BSD or Linux."""
    head = b"\x01\x02" + bytes(2 * linux) + bytes([kind])
    rest = b"\xff\0\0" if exception else b""
    return head + (b"" if kind == 240 else rest + bytes([split, 0, 7])) + packet


def nsh(payload: bytes, following: int = 1, *, context: int = 4) -> bytes:
    """A network service header, with so many words of context."""
    return (
        struct.pack(">HBBI", 2 + context | 0x0FC0, 1 if context == 4 else 2, following, 1 << 8 | 255)
        + bytes(4 * context)
        + payload
    )


def teredo(packet: bytes, *, authentication: bytes | None = None, origin: bool = False) -> bytes:
    """Teredo, to be carried in UDP to port 3544."""
    head = b"" if authentication is None else struct.pack(">HBB", 1, 0, len(authentication)) + authentication + bytes(9)
    return head + (struct.pack(">HHI", 0, 0xABCD, 0x0A0B0C0D) if origin else b"") + packet


def capwap(frame: bytes, *, native: bool = False, flags: int = 0, words: int = 2) -> bytes:
    """CAPWAP data, to be carried in UDP to port 5247."""
    bits = words << 19 | 1 << 14 | 1 << 9 | (0x100 if native else 0) | flags
    return struct.pack(">II", bits, 0) + bytes(4 * (words - 2)) + frame


def exchanged(frame: bytes) -> bytes:
    """An 802.11 frame of which the bytes of the frame control are."""
    return frame[1::-1] + frame[2:]


def tzsp(frame: bytes, kind: int = 1, *, tags: bytes = b"") -> bytes:
    """TZSP, to be carried in UDP to port 37008."""
    return struct.pack(">BBH", 1, 0, kind) + tags + b"\x01" + frame
