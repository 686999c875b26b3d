"""What a rule may ask about a frame: Ethernet bytes go in, a Segment comes out, through VLAN tags and VXLAN."""

from __future__ import annotations

import struct
from dataclasses import dataclass

FIN, SYN, RST, PSH, ACK, CWR = 0x01, 0x02, 0x04, 0x08, 0x10, 0x80
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_VXLAN_PORT = 4789
_VLAN_TYPES = (0x8100, 0x88A8)


@dataclass(frozen=True, slots=True)
class Segment:
    """The fields of a frame that rules look at; all zero where the frame has none."""

    protocol: int = 0
    src: bytes = b""
    dst: bytes = b""
    src_port: int = 0
    dst_port: int = 0
    seq: int = 0
    ack: int = 0
    flags: int = 0
    payload_len: int = 0
    is_new: bool = False
    """Sequence numbers that its sender has not sent before; the Tracker knows."""

    @property
    def is_syn(self) -> bool:
        """The first segment of a connection."""
        return self.flags & (SYN | ACK) == SYN

    @property
    def is_syn_ack(self) -> bool:
        """The answer to the first segment of a connection."""
        return self.flags & (SYN | ACK) == SYN | ACK

    @property
    def is_data(self) -> bool:
        """A TCP segment with payload, sent for the first time or again."""
        return self.protocol == TCP and self.payload_len > 0

    @property
    def is_new_data(self) -> bool:
        """A TCP segment with payload, sent for the first time."""
        return self.is_data and self.is_new

    @property
    def is_pure_ack(self) -> bool:
        """A TCP segment that only acknowledges."""
        return self.protocol == TCP and self.flags == ACK and self.payload_len == 0

    @property
    def kind(self) -> str:
        """One word for the segment, for the list of what the relay did."""
        if self.protocol != TCP:
            return {UDP: "udp", ICMP: "icmp", ICMPV6: "icmp"}.get(self.protocol, "other")
        names = (("rst", self.flags & RST), ("syn_ack", self.is_syn_ack), ("syn", self.flags & SYN))
        more = (("data", self.payload_len), ("fin", self.flags & FIN), ("ack", 1))
        return next(name for name, present in names + more if present)


def parse(frame: bytes) -> Segment:
    """The innermost TCP or UDP segment of an Ethernet frame, an empty Segment where there is none."""
    try:
        return _ethernet(frame)
    except (struct.error, IndexError):
        return Segment()


def _ethernet(frame: bytes) -> Segment:
    offset = 12
    (ether_type,) = struct.unpack_from("!H", frame, offset)
    while ether_type in _VLAN_TYPES:
        offset += 4
        (ether_type,) = struct.unpack_from("!H", frame, offset)
    packet = frame[offset + 2 :]
    if ether_type == 0x0800:
        header_len, (total_len,) = (packet[0] & 0x0F) * 4, struct.unpack_from("!H", packet, 2)
        return _transport(packet[9], packet[12:16], packet[16:20], packet[header_len:], total_len - header_len)
    if ether_type == 0x86DD:
        (payload_len,) = struct.unpack_from("!H", packet, 4)
        return _transport(packet[6], packet[8:24], packet[24:40], packet[40:], payload_len)
    return Segment()


def _transport(protocol: int, src: bytes, dst: bytes, packet: bytes, length: int) -> Segment:
    if protocol == UDP:
        src_port, dst_port = struct.unpack_from("!HH", packet)
        if dst_port == _VXLAN_PORT:
            return _ethernet(packet[16:])
        return Segment(protocol, src, dst, src_port, dst_port, payload_len=length - 8)
    if protocol == TCP:
        src_port, dst_port, seq, ack, offset_flags = struct.unpack_from("!HHIIH", packet)
        payload_len = length - (offset_flags >> 12) * 4
        return Segment(protocol, src, dst, src_port, dst_port, seq, ack, offset_flags & 0x01FF, payload_len)
    return Segment(protocol, src, dst)
