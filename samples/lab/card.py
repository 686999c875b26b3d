"""A network card: frames with what offloading left undone go in, complete frames of the size of the link come out."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from .checksum import FIELD, checksum, pseudo_header_of
from .errors import LabError
from .frames import CWR, FIN, PSH, TCP, UDP, Segment, parse
from .packet import Packet, locate
from .tap import HEADER_LEN, PLAIN

_HEADER = struct.Struct("=BBHHHH")
"""`struct virtio_net_hdr`: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, as the machine has them."""

_NEEDS_CHECKSUM = 0x01
_NOTHING_TO_CUT, _TCPV4, _TCPV6, _ECN = 0, 1, 4, 0x80


@dataclass(frozen=True, slots=True)
class Cut:
    """One super-segment: the `number`-th frame that the host gave to its card, and how many frames became of it."""

    number: int
    pieces: int
    size: int
    """Payload bytes of each piece but the last."""
    segment: Segment


@dataclass(slots=True)
class Card:
    """The card of one host, which remembers how many frames it had to complete, and each that it cut."""

    taken: int = 0
    completed: int = 0
    cuts: list[Cut] = field(default_factory=list)

    def process(self, frame: bytes) -> list[bytes]:
        """The frames for the wire, with nothing left to do, from one that the kernel gave; each with a virtio header."""
        flags, kind, _, size, start, offset = _HEADER.unpack(frame[:HEADER_LEN])
        content = frame[HEADER_LEN:]
        self.taken += 1
        self.completed += bool(flags & _NEEDS_CHECKSUM)
        if kind & ~_ECN in (_TCPV4, _TCPV6):
            pieces = cut(content, size)
            self.cuts.append(Cut(self.taken, len(pieces), size, parse(content)))
        elif kind == _NOTHING_TO_CUT:
            pieces = [complete(content, start, offset) if flags & _NEEDS_CHECKSUM else content]
        else:
            raise LabError(f"the card cannot cut frames of type {kind} of virtio_net_hdr; allow fewer offloads")
        return [PLAIN + piece for piece in pieces]


def complete(frame: bytes, start: int, offset: int) -> bytes:
    """The frame with its checksum at `start + offset` over all from `start`; the field holds the pseudo-header's sum."""
    value = checksum(frame[start:])
    # 0 would mean that there is no checksum (RFC 768); only UDP has its field there.
    if value == 0 and offset == FIELD[UDP]:
        value = 0xFFFF
    return frame[: start + offset] + struct.pack("!H", value) + frame[start + offset + 2 :]


def cut(frame: bytes, size: int) -> list[bytes]:
    """A TCP segment of any length as complete frames with at most `size` bytes of payload each."""
    packet = locate(frame)
    if packet is None or packet.protocol != TCP:
        raise LabError("only TCP over IP can be cut")
    payload_start = packet.transport + (frame[packet.transport + 12] >> 4) * 4
    head, payload = frame[:payload_start], frame[payload_start : packet.end]
    last = (len(payload) - 1) // size
    return [
        _piece(head, packet, number, number * size, payload[number * size :][:size], number == last)
        for number in range(last + 1)
    ]


def _piece(head: bytes, packet: Packet, number: int, position: int, payload: bytes, is_last: bool) -> bytes:
    """The `number`-th piece, from 0, whose payload begins at `position`."""
    frame = bytearray(head + payload)
    ip, tcp = packet.start, packet.transport
    if packet.version == 4:
        (identification,) = struct.unpack_from("!H", frame, ip + 4)
        struct.pack_into("!HH", frame, ip + 2, len(frame) - ip, (identification + number) & 0xFFFF)
        struct.pack_into("!H", frame, ip + 10, 0)
        struct.pack_into("!H", frame, ip + 10, checksum(bytes(frame[ip:tcp])))
    else:
        struct.pack_into("!H", frame, ip + 4, len(frame) - tcp)
    (seq,) = struct.unpack_from("!I", frame, tcp + 4)
    struct.pack_into("!I", frame, tcp + 4, (seq + position) & 0xFFFFFFFF)
    # The end of the data belongs to the last piece, the answer to a congestion mark to the first (RFC 3168, 6.1.2).
    frame[tcp + 13] &= 0xFF if is_last else ~(FIN | PSH) & 0xFF
    frame[tcp + 13] &= 0xFF if number == 0 else ~CWR & 0xFF
    located = locate(bytes(frame))
    assert located is not None
    struct.pack_into("!H", frame, tcp + FIELD[TCP], pseudo_header_of(bytes(frame), located))
    return complete(bytes(frame), tcp, FIELD[TCP])
