"""Routers that mark congestion: a rule sets CE in packets whose sender allows it (RFC 3168)."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import replace
from random import Random

from .checksum import updated
from .impair import Delivery, Predicate, Rule
from .packet import locate
from .tap import HEADER_LEN

_CE = 0x03


def mark(source: str, when: Predicate, nth: Collection[int] = (), probability: float = 0.0) -> Rule:
    """Write CE into the IP header; a packet that is not ECN-capable is left alone."""

    def effect(delivery: Delivery, random: Random) -> list[Delivery]:
        head, frame = delivery.frame[:HEADER_LEN], delivery.frame[HEADER_LEN:]
        return [replace(delivery, frame=head + marked(frame))]

    return Rule("mark", source, when, effect, nth, probability)


def marked(frame: bytes) -> bytes:
    """The frame with CE, if it was ECT(0) or ECT(1), and the IPv4 header checksum that follows from it."""
    packet = locate(frame)
    if packet is None:
        return frame
    shift = 0 if packet.version == 4 else 4
    (word,) = struct.unpack_from("!H", frame, packet.start)
    if not word >> shift & _CE:
        return frame
    new = bytearray(frame)
    struct.pack_into("!H", new, packet.start, word | _CE << shift)
    if packet.version == 4:
        field = packet.start + 10
        (before,) = struct.unpack_from("!H", frame, field)
        words = (bytes(each[packet.start : packet.start + 2]) for each in (frame, new))
        struct.pack_into("!H", new, field, updated(before, *words))
    return bytes(new)
