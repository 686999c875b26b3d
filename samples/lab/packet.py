"""Where things are in a frame: Ethernet bytes go in, the offsets of the outermost IP packet come out."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ETHERNET_LEN = 14


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet in a frame; offsets count bytes from the start of the frame."""

    version: int
    protocol: int
    start: int
    addresses: slice
    """Source and destination, one after the other."""
    transport: int
    end: int
    """Behind the last byte of the packet: what follows is padding."""


def locate(frame: bytes) -> Packet | None:
    """The IP packet right behind the Ethernet header; None where there is something else.

    Of IPv6, an extension header is taken for the transport header: nothing here sends one with TCP or UDP.
    """
    start = _ETHERNET_LEN
    (ether_type,) = struct.unpack_from("!H", frame, start - 2)
    if ether_type == 0x0800:
        (total_len,) = struct.unpack_from("!H", frame, start + 2)
        transport = start + (frame[start] & 0x0F) * 4
        return Packet(4, frame[start + 9], start, slice(start + 12, start + 20), transport, start + total_len)
    if ether_type == 0x86DD:
        (payload_len,) = struct.unpack_from("!H", frame, start + 4)
        transport = start + 40
        return Packet(6, frame[start + 6], start, slice(start + 8, transport), transport, transport + payload_len)
    return None
