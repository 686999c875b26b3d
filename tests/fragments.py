"""Random captures of datagrams in fragments: of any transport and tunnel, in any order, some lost, repeated, cut or changed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests import build, strategies

SECOND = 10**9


@dataclass(frozen=True)
class Captured:
    """A captured frame: link type, bytes, length on the wire, time."""

    link: int
    data: bytes
    length: int
    time_ns: int


def cuts(rng: random.Random, size: int) -> list[int]:
    """Where a payload of `size` bytes is cut: at multiples of 8, in two to nine pieces."""
    places = range(8, size, 8)
    return sorted(rng.sample(places, min(rng.choice((1, 1, 2, 3, 8)), len(places))))


def cut_up(rng: random.Random, packet: bytes, ident: int) -> list[bytes]:
    """A packet in fragments; too small a one stays as it is."""
    header = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    places = cuts(rng, len(packet) - header)
    return build.cut_up(packet, places, ident) if places else [packet]


def datagram(maker: strategies.FrameMaker) -> bytes:
    """An IP packet without a fragment header, and without a tunnel most of the time."""
    version = maker.rng.choice((4, 6))
    between = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
    protocol, content = maker.tunnel(2, between) if maker.chance(25) else maker.transport(version, between)
    content += maker.some_bytes(64) if maker.chance(5) else b""
    make = build.ipv4 if version == 4 else build.ipv6
    if version == 6 and maker.chance(20):
        content, protocol = build.extend(content, protocol, [build.options_header(60)]), 60
    if version == 4 and maker.chance(10):
        return build.ipv4(content, protocol, options=build.RECORD_ROUTE, ident=maker.number(16))
    return make(content, protocol)


def plain_datagram(maker: strategies.FrameMaker) -> bytes:
    """TCP, UDP or an echo, as everybody reads it."""
    version = maker.rng.choice((4, 6))
    between = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
    payload = bytes(maker.rng.randint(20, 900))
    protocol, content = maker.rng.choice(
        (
            (
                build.TCP,
                build.tcp(payload, options=build.timestamps(7, 8), seq=maker.number(32), between=between),
            ),
            (build.UDP, build.udp(payload, src_port=5000, dst_port=5001, between=between)),
            (build.ICMP, build.icmp(payload)) if version == 4 else (build.ICMPV6, build.icmpv6(payload)),
        )
    )
    if version == 6 and maker.chance(20):
        content, protocol = build.extend(content, protocol, [build.options_header(60)]), 60
    if version == 4 and maker.chance(10):
        return build.ipv4(content, protocol, options=build.RECORD_ROUTE)
    return (build.ipv4 if version == 4 else build.ipv6)(content, protocol)


def carried(maker: strategies.FrameMaker, packet: bytes, number: int | None) -> bytes:
    """The packet in a tunnel; one with a number has a source address of its own."""
    kind = build.IPV4 if packet[0] >> 4 == 4 else build.IPV6
    frame = build.ethernet(packet, kind)
    between = ("203.0.113.1", "203.0.113.2")
    if number is not None:
        between = (f"203.{number >> 6}.{(number & 63) << 2}.1", "203.0.113.2")
    protocol, content = maker.rng.choice(
        (
            (build.UDP, build.udp(build.vxlan(frame), dst_port=4789, between=between)),
            (build.UDP, build.udp(build.geneve(packet, kind), dst_port=6081, check=0, between=between)),
            (build.GRE, build.gre(packet, kind, check=maker.chance(50))),
            (build.GRE, build.erspan(frame)),
            (build.IPIP if kind == build.IPV4 else build.SIX_IN_FOUR, packet),
        )
    )
    return build.ipv4(content, protocol, src=between[0], dst=between[1])


def on_link(maker: strategies.FrameMaker, packet: bytes) -> tuple[int, bytes]:
    """The packet in a frame of some link type."""
    kind = build.IPV4 if packet[0] >> 4 == 4 else build.IPV6
    return maker.rng.choice(
        (
            (1, build.ethernet(packet, kind).ljust(60, b"\0")),
            (1, build.ethernet(build.vlan(packet, kind, vid=maker.rng.choice((5, 6))), build.VLAN)),
            (101, packet),
            (276, build.sll2(packet, kind, packet_type=4)),
        )
    )


def frames_of(maker: strategies.FrameMaker, number: int | None) -> list[tuple[int, bytes]]:
    """The frames of one datagram in fragments: with a tunnel around the datagram, around each fragment, or without one.

    With a `number` it is a plain one, and its identifications are its own.
    """
    rng = maker.rng
    plain = number is not None
    # tshark mixes identification, protocol and addresses by exclusive or: plain ones must not be mistaken for each other.
    ident, outer = (number * 64, 0) if number is not None else (rng.randint(1, 3), rng.randint(1, 3))
    packet = plain_datagram(maker) if plain else datagram(maker)
    shape = rng.randint(0, 5)
    if shape == 0:
        packets = cut_up(rng, carried(maker, packet, number), outer)
    elif shape == 1:
        packets = [carried(maker, piece, number) for piece in cut_up(rng, packet, ident)]
    elif shape == 2:
        inner = [carried(maker, piece, number) for piece in cut_up(rng, packet, ident)]
        packets = [
            each
            for place, piece in enumerate(inner)
            for each in cut_up(rng, piece, place * 64 if plain else rng.randint(1, 9))
        ]
    else:
        packets = cut_up(rng, packet, ident)
    seed = rng.getrandbits(32)
    frames = []
    for piece in packets:  # all on the same kind of link, most of the time
        again = random.Random(seed) if plain or rng.randint(0, 20) else rng
        frames.append(on_link(strategies.FrameMaker(again), piece))
    return frames


def random_fragments(rng: random.Random, datagrams: int, *, plain: bool = False) -> list[Captured]:
    """So many datagrams, three at a time, with everything that may happen to them; `plain` ones are all whole, in any order."""
    waiting: list[list[tuple[int, bytes]]] = []
    found: list[Captured] = []
    time_ns = 0
    made = 0
    while made < datagrams or waiting:
        if made < datagrams and len(waiting) < 3:
            maker = strategies.FrameMaker(rng, hostile=not plain and rng.randint(0, 9) == 0)
            frames = frames_of(maker, made if plain else None)
            if rng.randint(0, 1):
                rng.shuffle(frames)
            waiting.append(frames)
            made += 1
            continue
        frames = rng.choice(waiting)
        if not frames:
            waiting.remove(frames)
            continue
        link, data = frames.pop(0)
        length = len(data)
        time_ns += rng.choice((0, 1000, 10**6)) if plain else rng.choice((0, 1000, 10**6, SECOND))
        if not plain:
            kind = rng.randint(0, 59)
            if kind == 0:
                continue
            if kind == 1:
                frames.insert(rng.randint(0, len(frames)), (link, data))
            elif kind == 2:
                data = data[: rng.randint(0, len(data))]
            elif kind == 3:
                data = strategies.mutate(rng, data)
                length = len(data)
            elif kind == 4:
                time_ns += rng.choice((29 * SECOND, 31 * SECOND, -31 * SECOND))
        found.append(Captured(link, data, length, max(time_ns, 0)))
    return found
