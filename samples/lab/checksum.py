"""Internet checksums (RFC 1071): bytes go in; sums, checksums and the state of a frame's checksum come out."""

from __future__ import annotations

import struct

from .frames import ICMP, ICMPV6, TCP, UDP
from .packet import Packet, locate

FIELD = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
"""Where the checksum is, in bytes from the start of the transport header."""

STATES = ("valid", "partial", "zero", "bad", "none")


def folded(data: bytes, start: int = 0) -> int:
    """The ones-complement sum of 16-bit words, 0..0xFFFF; an odd byte at the end is the upper half of a word."""
    if len(data) % 2:
        data += b"\0"
    total: int = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data: bytes, start: int = 0) -> int:
    """The checksum of `data`, where its field holds 0, or the sum of what else it covers (the pseudo-header)."""
    return folded(data, start) ^ 0xFFFF


def updated(field: int, before: bytes, after: bytes) -> int:
    """The checksum `field` once the words `before` have become `after` (RFC 1624, equation 3)."""
    return folded(bytes(byte ^ 0xFF for byte in before) + after, field ^ 0xFFFF) ^ 0xFFFF


def pseudo_header(addresses: bytes, protocol: int, length: int) -> int:
    """The sum of what TCP and UDP add of the IP header; the words of IPv4 and IPv6 have the same sum."""
    return folded(addresses + struct.pack("!II", length, protocol))


def pseudo_header_of(frame: bytes, packet: Packet) -> int:
    """The pseudo-header of a located packet; 0 for ICMP over IPv4, which has none."""
    if packet.protocol == ICMP:
        return 0
    return pseudo_header(frame[packet.addresses], packet.protocol, packet.end - packet.transport)


def state(frame: bytes) -> str:
    """How the TCP, UDP or ICMP checksum of an Ethernet frame stands; `none` where there is none.

    `partial` holds the sum of the pseudo-header only, which is what the kernel leaves to whom it offloads the rest;
    `zero` is that of a UDP datagram without checksum; what is neither these nor `valid` is `bad`.
    """
    packet = locate(frame)
    if packet is None or packet.protocol not in FIELD:
        return "none"
    segment = frame[packet.transport : packet.end]
    (field,) = struct.unpack_from("!H", segment, FIELD[packet.protocol])
    if packet.protocol == UDP and field == 0:
        return "zero"
    start = pseudo_header_of(frame, packet)
    if folded(segment, start) == 0xFFFF:
        return "valid"
    return "partial" if field == start and packet.protocol in (TCP, UDP) else "bad"
