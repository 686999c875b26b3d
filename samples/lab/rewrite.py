"""Middleboxes: rules that write another address or port into frames, with the checksums that follow from it or without."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from random import Random

from .checksum import FIELD, updated
from .frames import TCP, UDP
from .impair import Delivery, Predicate, Rule
from .packet import Packet, locate
from .tap import HEADER_LEN


@dataclass(frozen=True, slots=True)
class Change:
    """What is written into a frame; a field that is empty or 0 stays as it is."""

    src: str = ""
    dst: str = ""
    src_port: int = 0
    dst_port: int = 0

    def places(self, packet: Packet) -> Iterator[tuple[int, bytes]]:
        """Offset in the frame and new bytes."""
        middle = (packet.addresses.start + packet.addresses.stop) // 2
        for start, address in ((packet.addresses.start, self.src), (middle, self.dst)):
            if address:
                yield start, ipaddress.ip_address(address).packed
        for start, port in ((packet.transport, self.src_port), (packet.transport + 2, self.dst_port)):
            if port:
                yield start, struct.pack("!H", port)


def translate(
    source: str, when: Predicate, change: Change, nth: Collection[int] = (), probability: float = 1.0
) -> Rule:
    """Write into the frame and update its checksums, as address translation must."""
    return _rule("translate", source, when, change, nth, probability)


def rewrite(source: str, when: Predicate, change: Change, nth: Collection[int] = (), probability: float = 1.0) -> Rule:
    """Write into the frame and leave the TCP or UDP checksum as it was, which is then wrong."""
    return _rule("rewrite", source, when, change, nth, probability)


def _rule(action: str, source: str, when: Predicate, change: Change, nth: Collection[int], probability: float) -> Rule:
    def effect(delivery: Delivery, random: Random) -> list[Delivery]:
        head, frame = delivery.frame[:HEADER_LEN], delivery.frame[HEADER_LEN:]
        return [replace(delivery, frame=head + changed(frame, change, transport=action == "translate"))]

    return Rule(action, source, when, effect, nth, probability)


def changed(frame: bytes, change: Change, *, transport: bool) -> bytes:
    """The frame with the change in it and the right IPv4 header checksum; with `transport`, that of TCP or UDP too.

    Checksums are updated, not calculated: what was wrong before stays wrong. Frames without TCP or UDP stay as they are.
    """
    packet = locate(frame)
    if packet is None or packet.protocol not in (TCP, UDP):
        return frame
    new = bytearray(frame)
    for start, value in change.places(packet):
        new[start : start + len(value)] = value
    if packet.version == 4:
        _update(new, packet.start + 10, frame, slice(packet.start, packet.transport))
    field = packet.transport + FIELD[packet.protocol]
    if transport and (packet.protocol == TCP or frame[field : field + 2] != bytes(2)):
        _update(new, field, frame, slice(packet.addresses.start, packet.transport + 4))
    return bytes(new)


def _update(new: bytearray, field: int, before: bytes, covered: slice) -> None:
    """Correct the checksum at `field` by what changed among the bytes `covered`."""
    (value,) = struct.unpack_from("!H", before, field)
    struct.pack_into("!H", new, field, updated(value, before[covered], bytes(new[covered])))
