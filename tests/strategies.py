"""Random frames and capture files for tests, from a seeded `random.Random` or from hypothesis.

One generator serves both: `random_frame` asks a `random.Random` for every choice, and hypothesis offers a random
generator of its own whose choices it can shrink. At least half of the frames are well-formed and complete; the others
are cut short, or hostile: built with wrong lengths, or with bytes changed afterwards.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from collections.abc import Callable

from hypothesis import strategies as st

from tests import build

Frame = tuple[int, bytes, int]  # link type, captured bytes, length on the wire

UDP_TUNNEL_PORTS = (4789, 8472, 6081, 2152, 1701, 3544, 5247, 37008)
INTERESTING = (
    0,
    1,
    2,
    4,
    5,
    7,
    8,
    19,
    20,
    21,
    39,
    40,
    41,
    60,
    0x7F,
    0x80,
    0xFF,
    0x0FFF,
    0x1FFF,
    0x2000,
    0x8000,
    0xFFFF,
)


class FrameMaker:
    """Makes one frame from the inside out. A hostile maker puts wrong values into length fields now and then."""

    def __init__(self, rng: random.Random, *, hostile: bool = False) -> None:
        self.rng = rng
        self.hostile = hostile

    def chance(self, percent: float) -> bool:
        """True in about `percent` of 100 cases."""
        return self.rng.random() * 100 < percent

    def wrong(self, right: int, limit: int = 0xFFFF) -> int | None:
        """None (let the builder compute the field), or for a hostile maker sometimes something near or far."""
        if not (self.hostile and self.chance(15)):
            return None
        near = self.rng.choice((-20, -8, -4, -2, -1, 1, 2, 4, 8, 100, 1000))
        value = self.rng.choice((right + near, right + near, self.rng.choice(INTERESTING), self.rng.randint(0, limit)))
        return max(0, min(value, limit))

    def some_bytes(self, most: int = 64) -> bytes:
        """A few bytes that are all different from zero, mostly."""
        size = self.rng.randint(0, most)
        first = self.rng.randint(0, 255)
        return bytes((first + 7 * number) & 0xFF for number in range(size))

    def payload(self) -> bytes:
        """Payload: none, a little, or a full segment."""
        kind = self.rng.randint(0, 9)
        if kind < 3:
            return b""
        if kind == 9:
            return self.some_bytes(8) * self.rng.randint(0, 180)
        return self.some_bytes(64)

    def number(self, bits: int) -> int:
        """A number of so many bits, with a preference for the smallest and the largest."""
        if self.chance(10):
            return self.rng.choice((0, 1, (1 << bits) - 1, 1 << bits - 1))
        return self.rng.getrandbits(bits)

    # Transport

    def tcp_options(self) -> bytes:
        """Options of every kind, together at most 40 bytes; NOPs between; sometimes ended early."""
        if self.chance(30):
            return b""
        if self.chance(25):
            return build.NOP * 2 + build.timestamps(self.number(32), self.number(32))
        encoded = b""
        for _ in range(self.rng.randint(1, 6)):
            encoded += self.tcp_option()
            if self.chance(30):
                encoded += build.NOP
            if self.chance(5):
                encoded += build.END + self.some_bytes(4)
        return encoded[:40] if self.hostile else fitting(encoded)

    def tcp_option(self) -> bytes:
        """One option."""
        rng = self.rng
        kind = rng.randint(0, 11 if not self.hostile else 14)
        if kind == 0:
            return build.mss(self.number(16))
        if kind == 1:
            return build.window_scale(rng.randint(0, 15))
        if kind == 2:
            return build.SACK_PERMITTED
        if kind in (3, 4):
            return build.sack(*(self.number(32) for _ in range(2 * rng.randint(1, 4))))
        if kind == 5:
            return build.timestamps(self.number(32), self.number(32))
        if kind == 6:
            return build.fast_open(self.some_bytes(16))
        if kind == 7:
            return build.fast_open_experimental(self.some_bytes(16))
        if kind == 8:
            return build.md5()
        if kind == 9:
            return build.mptcp(rng.randint(0, 15), self.some_bytes(9) or b"\0")
        if kind == 10:
            return build.authentication_option(code=self.some_bytes(12))
        if kind == 11:
            return build.tcp_option(rng.choice((6, 14, 28, 69, 253, 254)), self.some_bytes(6))
        if kind == 12:  # a known kind with any length
            return build.tcp_option(rng.choice((2, 3, 4, 5, 8, 19, 29, 30, 34, 254)), self.some_bytes(34))
        return build.tcp_option(rng.randint(2, 255), self.some_bytes(6), size=rng.choice((0, 1, 2, 3, 11, 40, 255)))

    def transport(self, version: int, between: tuple[str, str]) -> tuple[int, bytes]:
        """Protocol number and bytes of what is in an IP packet that is not a tunnel."""
        rng = self.rng
        kind = rng.randint(0, 99)
        if kind < 60:
            return build.TCP, self.tcp(between)
        if kind < 78:
            return build.UDP, self.udp(self.payload(), between)
        if kind < 95:
            quote = self.chance(60)
            content = self.quote(version) if quote else self.payload()
            rest = self.number(32)
            if self.hostile and self.chance(10):
                return rng.choice((1, 58)), build.icmp(content, kind=rng.randint(0, 255), rest=rest)[
                    : rng.randint(0, 12)
                ]
            if version == 4:
                return build.ICMP, build.icmp(
                    content, kind=rng.choice((3, 4, 5, 11, 12) if quote else (0, 8, 13)), rest=rest
                )
            message = rng.choice((1, 2, 3, 4) if quote else (128, 129, 133, 135))
            return build.ICMPV6, build.icmpv6(content, kind=message, rest=rest, between=between)
        return rng.choice(
            (0 if version == 4 else 132, 1 if version == 6 else 58, 2, 47, 4, 41, 50, 59, 132, 255)
        ), self.payload()

    def tcp(self, between: tuple[str, str]) -> bytes:
        """A TCP segment."""
        rng = self.rng
        options = self.tcp_options()
        segment = build.tcp(
            self.payload(),
            src_port=self.number(16),
            dst_port=rng.choice((80, 443, self.number(16))),
            seq=self.number(32),
            ack=self.number(32),
            flags=rng.choice((2, 0x12, 0x10, 0x18, 0x11, 4, self.number(12))),
            window=self.number(16),
            urgent=self.number(16),
            options=options,
            header_len=self.wrong(20 + len(options), 60),
            check=None if self.chance(80) else self.number(16),
            between=between,
        )
        return segment[: rng.randint(0, 24)] if self.hostile and self.chance(5) else segment

    def udp(self, payload: bytes, between: tuple[str, str], port: int | None = None) -> bytes:
        """A UDP datagram; without `port` sometimes to the port of a tunnel that it is not."""
        rng = self.rng
        ports = [self.number(16), rng.choice((53, 123, 443, self.number(16)))]
        if self.chance(5):
            ports[rng.randint(0, 1)] = rng.choice(UDP_TUNNEL_PORTS)
        if port is not None:
            ports[1 if self.chance(80) else 0] = port
            if ports[1] != port and ports[1] in UDP_TUNNEL_PORTS:
                ports[1] = 5000
        length = 0 if self.chance(2) else self.wrong(len(payload) + 8)
        check = 0 if self.chance(20) else None
        datagram = build.udp(payload, src_port=ports[0], dst_port=ports[1], length=length, check=check, between=between)
        return datagram[: rng.randint(0, 10)] if self.hostile and self.chance(5) else datagram

    def quote(self, version: int) -> bytes:
        """The packet an ICMP error quotes: often no more than its headers."""
        rng = self.rng
        between = self.addresses(version)
        protocol, segment = rng.choice(
            (
                (build.TCP, build.tcp(seq=self.number(32), src_port=self.number(16), between=between)),
                (build.UDP, build.udp(src_port=self.number(16), dst_port=self.number(16), between=between)),
                (rng.choice((1, 50, 58, 132)), bytes(range(12))),
            )
        )
        if version == 4 and not (self.hostile and self.chance(5)):
            packet = build.ipv4(
                segment,
                protocol,
                src=between[0],
                dst=between[1],
                options=build.RECORD_ROUTE if self.chance(15) else b"",
                offset=8 * rng.randint(1, 99) if self.chance(8) else 0,
                header_len=self.wrong(20, 60),
            )
        else:
            extensions = self.extensions() if self.chance(30) else []
            if self.chance(10):
                extensions.append(build.fragment_header(offset=rng.choice((0, 1480)), ident=self.number(32)))
            source, target = between if version == 6 else self.addresses(6)
            packet = build.ipv6(segment, protocol, src=source, dst=target, extensions=extensions)
        return packet[: rng.randint(0, len(packet))] if self.chance(30) else packet + self.payload()

    # IP

    def addresses(self, version: int) -> tuple[str, str]:
        """Source and destination."""
        if self.chance(70):  # a few fixed pairs, so that the text of an address is computed once
            number = self.rng.randint(1, 30)
            return (f"192.0.2.{number}", build.DST4) if version == 4 else (f"2001:db8::{number:x}", build.DST6)
        kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
        bits = 32 if version == 4 else 128
        return str(kind(self.rng.getrandbits(bits))), str(kind(self.rng.getrandbits(bits)))

    def ip(self, depth: int, version: int | None = None) -> tuple[int, bytes]:
        """IP version and packet; `depth` is the number of tunnels around it."""
        version = version or (4 if self.chance(60) else 6)
        between = self.addresses(version)
        if self.chance((25, 20, 10, 0)[min(depth, 3)]):
            protocol, content = self.tunnel(depth + 1, between)
        else:
            protocol, content = self.transport(version, between)
        packet = self.ipv4(content, protocol, between) if version == 4 else self.ipv6(content, protocol, between)
        return version, packet

    def ipv4(self, content: bytes, protocol: int, between: tuple[str, str]) -> bytes:
        """An IPv4 packet: options, fragments, AH and segmentation offload are all rare."""
        rng = self.rng
        options = b""
        if self.chance(8):
            options = rng.choice((build.RECORD_ROUTE, build.ROUTER_ALERT, build.NOP * 40))
        offset, flags = 0, rng.choice((0, 2))
        if self.chance(5):
            offset, flags = rng.choice(((0, 1), (8 * rng.randint(1, 8191), 1), (8 * rng.randint(1, 8191), 0)))
            content = content[: rng.randint(0, len(content))] if self.hostile else content
        if self.chance(2):
            content, protocol = build.extend(content, protocol, [build.authentication_header()]), 51
        size = 20 + len(options)
        return build.ipv4(
            content,
            protocol,
            src=between[0],
            dst=between[1],
            tos=self.number(8),
            ident=self.number(16),
            flags=flags | (4 if self.hostile and self.chance(5) else 0),
            offset=offset,
            ttl=self.number(8),
            options=options,
            version=rng.randint(0, 15) if self.hostile and self.chance(3) else 4,
            header_len=self.wrong(size, 60),
            total_length=0 if self.chance(2) else self.wrong(size + len(content)),
            check=None if self.chance(90) else self.number(16),
        )

    def ipv6(self, content: bytes, protocol: int, between: tuple[str, str]) -> bytes:
        """An IPv6 packet: extension headers, fragments, jumbograms and segmentation offload are all rare."""
        rng = self.rng
        extensions = self.extensions() if self.chance(12) else []
        if self.chance(4):
            extensions.append(self.fragment())
        payload_length = 0 if self.chance(2) else None
        size = len(content) + sum(len(extension.rest) + 1 for extension in extensions)
        if self.chance(3):
            extensions.insert(0, self.jumbo(size))
            payload_length = 0
        return build.ipv6(
            content,
            protocol,
            src=between[0],
            dst=between[1],
            traffic_class=self.number(8),
            flow_label=self.number(20),
            hop_limit=self.number(8),
            extensions=extensions,
            version=rng.randint(0, 15) if self.hostile and self.chance(3) else 6,
            payload_length=self.wrong(size) if payload_length is None else payload_length,
        )

    def jumbo(self, size: int) -> build.Extension:
        """A hop-by-hop header with a jumbo payload option, for `size` bytes behind it."""
        before = self.rng.choice((b"", b"\0", b"\x05\x02\0\0"))
        size += len(build.options_header(0, before + build.jumbo_option(0)).rest) + 1
        wanted = self.wrong(size, 0xFFFFFFFF)
        option = build.jumbo_option(size if wanted is None else wanted)
        if self.hostile and self.chance(20):
            option = option[: self.rng.randint(1, 5)]
        return build.options_header(0, before + option)

    def fragment(self) -> build.Extension:
        """A fragment header: first, middle, last, or atomic."""
        offset, more = self.rng.choice(((0, True), (8 * self.rng.randint(1, 8191), True), (1480, False), (0, False)))
        return build.fragment_header(offset=offset, more=more, ident=self.number(32))

    def extensions(self) -> list[build.Extension]:
        """Extension headers of every kind but fragment; seldom far too many."""
        if self.chance(4):
            return [build.options_header(60)] * 45
        return [self.extension() for _ in range(self.rng.randint(1, 3))]

    def extension(self) -> build.Extension:
        """One extension header."""
        rng = self.rng
        extension = rng.choice(
            (
                build.options_header(0, b"\x05\x02\0\0"),
                build.options_header(60, build.ipv6_option(value=self.some_bytes(9))),
                build.routing_header([build.DST6] * rng.randint(0, 2)),
                build.authentication_header(),
                build.mobility_header(rng.choice((135, 139, 140))),
            )
        )
        if self.hostile and self.chance(20):
            return build.Extension(extension.kind, bytes([self.number(8)]) + extension.rest[1:])
        return extension

    # Tunnels

    def tunnel(self, depth: int, between: tuple[str, str]) -> tuple[int, bytes]:
        """Protocol number and bytes of a tunnel with something in it."""
        rng = self.rng
        kind = rng.randint(0, 16)
        if kind == 0:
            return build.IPIP, self.ip(depth, 4)[1]
        if kind == 1:
            return build.SIX_IN_FOUR, self.ip(depth, 6)[1]
        if kind in (2, 3):
            return build.GRE, self.gre(depth)
        if kind == 4:
            version = rng.randint(1, 3)
            return build.GRE, build.erspan(self.ethernet(depth), version=version, platform=self.chance(30))
        if kind == 5:
            ack = self.number(32) if self.chance(50) else None
            sequence = self.number(32) if self.chance(70) else None
            return build.GRE, build.gre_pptp(self.ppp(depth), call=self.number(16), sequence=sequence, ack=ack)
        if kind in (6, 7):
            flags = rng.choice((0, 0x80, 0xFF)) if self.hostile and self.chance(20) else 8
            inner = build.vxlan(self.ethernet(depth), network=self.number(24), flags=flags)
            return build.UDP, self.udp(inner, between, rng.choice((4789, 8472)))
        if kind == 8:
            return build.UDP, self.udp(self.geneve(depth), between, 6081)
        if kind in (9, 10):
            return build.UDP, self.udp(self.gtpu(depth), between, 2152 if self.chance(70) else 30_000)
        if kind == 12:
            return build.UDP, self.udp(self.teredo(depth), between, 3544)
        if kind == 13:
            return build.UDP, self.udp(self.capwap(depth), between, 5247)
        if kind == 14:
            native = self.chance(40)
            tags = b"".join(rng.choice((b"\0", bytes([10, 1, 200]), bytes([11, 0]))) for _ in range(rng.randint(0, 3)))
            number = rng.choice((0, 2, 119)) if self.hostile and self.chance(20) else 18 if native else 1
            inner = build.tzsp(self.wlan() if native else self.ethernet(depth), number, tags=tags)
            return build.UDP, self.udp(inner, between, 37008)
        if kind == 15:
            return build.GRE, build.gre(self.wlan(depth=depth), 0x8200 + self.number(8))
        offset = rng.randint(0, 8) if self.chance(20) else None
        inner = build.l2tp(
            self.ppp(depth),
            tunnel=self.number(16),
            session=self.number(16),
            length=self.chance(60),
            sequence=self.chance(20),
            offset=offset,
        )
        return build.UDP, self.udp(inner, between, 1701)

    def gre(self, depth: int) -> bytes:
        """GRE version 0 with every combination of its optional fields."""
        protocol, content = (build.BRIDGED, self.ethernet(depth)) if self.chance(30) else self.network(depth)
        extra = self.rng.choice((0x4000, 0x0800, 2, 7, 1)) if self.hostile and self.chance(15) else 0
        key = self.number(32) if self.chance(50) else None
        sequence = self.number(32) if self.chance(30) else None
        return build.gre(content, protocol, key=key, sequence=sequence, check=self.chance(30), extra_flags=extra)

    def teredo(self, depth: int) -> bytes:
        """Teredo with and without what may stand before the packet."""
        authentication = self.some_bytes(9) if self.chance(30) else None
        return build.teredo(self.ip(depth, 6)[1], authentication=authentication, origin=self.chance(40))

    def capwap(self, depth: int) -> bytes:
        """CAPWAP data with Ethernet or 802.11, whose first two bytes may be exchanged."""
        flags = self.rng.choice((0x80, 0x08, 0x40)) if self.hostile and self.chance(20) else 0
        words = self.rng.choice((2, 2, 4, 1 if self.hostile else 5))
        if self.chance(40):
            return build.capwap(self.ethernet(depth), flags=flags, words=max(words, 2))
        frame = self.wlan(depth=depth)
        frame = build.exchanged(frame) if self.chance(70) else frame
        return build.capwap(frame, native=True, flags=flags, words=max(words, 2))

    def nsh(self, depth: int) -> bytes:
        """A service header with a packet, a frame or labels."""
        kind = self.rng.randint(0, 9)
        context = self.rng.choice((4, 4, 0, 3))
        if kind < 6:
            version, packet = self.ip(depth)
            return build.nsh(packet, 1 if version == 4 else 2, context=context)
        if kind < 8:
            return build.nsh(self.ethernet(depth), 3, context=context)
        return build.nsh(self.mpls(depth), 5) if kind == 8 else build.nsh(self.some_bytes(), self.number(8))

    def geneve(self, depth: int) -> bytes:
        """GENEVE with Ethernet or IP."""
        protocol, content = (build.BRIDGED, self.ethernet(depth)) if self.chance(60) else self.network(depth)
        options = bytes(4 * self.rng.randint(0, 5))
        version = 1 if self.hostile and self.chance(10) else 0
        return build.geneve(content, protocol, network=self.number(24), options=options, version=version)

    def gtpu(self, depth: int) -> bytes:
        """GTP-U with sequence number and extension headers."""
        rng = self.rng
        bodies = [(rng.choice((0x85, 0xC0, 0x40)), bytes(4 * rng.randint(0, 2) + 2)) for _ in range(rng.randint(0, 2))]
        packet = build.gtpu(
            self.ip(depth)[1],
            teid=self.number(32),
            sequence=self.number(16) if self.chance(40) else None,
            extensions=bodies if self.chance(50) else (),
            message=1 if self.hostile and self.chance(10) else 0xFF,
        )
        return bytes([packet[0] ^ 1 << rng.randint(0, 7)]) + packet[1:] if self.hostile and self.chance(10) else packet

    # Between link layer and IP

    def network(self, depth: int, tags: int = 0) -> tuple[int, bytes]:
        """EtherType and what follows it."""
        rng = self.rng
        kind = rng.randint(0, 99)
        if kind < 70 or tags > 4:
            version, packet = self.ip(depth)
            if self.hostile and self.chance(2):
                return rng.choice((build.IPV4, build.IPV6)), packet
            return (build.IPV4 if version == 4 else build.IPV6), packet
        if kind < 82:
            ether_type, content = self.network(depth, tags + 1)
            if self.chance(5):  # LLC behind a tag
                content = self.llc(depth)
                ether_type = len(content) if len(content) <= 1500 else 1500
            tagged = build.vlan(content, ether_type, vid=self.number(12), priority=rng.randint(0, 7))
            if self.chance(4):
                for _ in range(45):
                    tagged = build.vlan(tagged, build.VLAN)
            return rng.choice((build.VLAN, build.QINQ, 0x9100, 0x9200)), tagged
        if kind < 89:
            return rng.choice((build.MPLS, 0x8848)), self.mpls(depth)
        if kind < 92:
            protocol, content = self.ppp_content(depth)
            session = build.pppoe(content, protocol, session=self.number(16))
            size = self.wrong(len(content) + 2, 1500)
            return build.PPPOE, session if size is None else session[:4] + struct.pack(">H", size) + session[6:]
        if kind == 92:
            if self.chance(50):
                return 0x2452, self.wlan(depth=depth)
            return 0x894F, self.nsh(depth)
        if kind < 96:
            shim = rng.choice((0x8926, 0x893F, 0x88E7, 0x892F))
            ether_type, content = self.network(depth, tags + 1)
            return shim, build.shim(content, ether_type, kind=shim)
        if kind < 98:
            return build.ARP, b"\x00\x01\x08\x00\x06\x04\x00\x01" + bytes(20)
        return rng.choice((0x88CC, 0x8863, 0x888E, 0x0600, 0x05FF if self.hostile else 0x88F7)), self.some_bytes()

    def mpls(self, depth: int) -> bytes:
        """MPLS with IP, or with Ethernet below it."""
        labels = [self.number(20) for _ in range(self.rng.randint(1, 3) if self.chance(96) else 45)]
        if self.chance(80):
            return build.mpls(self.ip(depth)[1], labels=labels)
        frame = self.ethernet(depth)
        if self.chance(70):
            return build.mpls(frame, labels=labels, control_word=True)
        return build.mpls(b"\x22" + frame[1:], labels=labels)  # an address that looks like none of the others

    def ppp_content(self, depth: int) -> tuple[int, bytes]:
        """PPP protocol and what it carries."""
        kind = self.rng.randint(0, 99)
        if kind < 85:
            version, packet = self.ip(depth)
            return (0x21 if version == 4 else 0x57), packet
        if kind < 92:
            return 0x281, self.mpls(depth)
        return self.rng.choice((0xC021, 0x8021, 0x2D)), self.some_bytes()

    def ppp(self, depth: int) -> bytes:
        """A PPP frame with or without address, control, and the first protocol byte."""
        protocol, content = self.ppp_content(depth)
        compressed = protocol < 256 and self.chance(30)
        return build.ppp(content, protocol, address=self.chance(60), compressed=compressed)

    def ethernet(self, depth: int) -> bytes:
        """An Ethernet frame, padded or not."""
        if self.chance(6):
            content = self.llc(depth)
            frame = build.ethernet_802_3(content, length=min(len(content), 1500))
        else:
            ether_type, content = self.network(depth)
            frame = build.ethernet(content, ether_type)
        return frame.ljust(60, b"\0") if self.chance(30) else frame

    def llc(self, depth: int) -> bytes:
        """802.2 with SNAP, IP, or something else."""
        kind = self.rng.randint(0, 99)
        if kind < 80:
            ether_type, content = self.network(depth)
            return build.llc_snap(content, ether_type, organisation=0xF8 if self.chance(10) else 0)
        if kind < 90:
            return build.llc(self.ip(depth, 4)[1])
        if kind < 95:
            return build.llc_snap(self.some_bytes(), 0x2000, organisation=0x00000C)
        return build.llc(self.some_bytes(), dsap=0x42, ssap=0x42)

    # Link types

    def frame(self) -> tuple[int, bytes]:
        """Link type and frame: Ethernet most often, every other link type now and then."""
        if self.chance(45):
            return 1, self.ethernet(0)
        link = self.rng.choice(OTHER_LINKS)
        return link, OTHER[link](self)

    def family(self) -> tuple[int, bytes]:
        """BSD address family and IP packet."""
        version, packet = self.ip(0)
        if self.hostile and self.chance(5):
            return self.number(16), packet
        return (2 if version == 4 else self.rng.choice((10, 23, 24, 26, 28, 30))), packet

    def null(self) -> bytes:
        """NULL, of a host of either byte order."""
        family, packet = self.family()
        return build.null(packet, family, order=self.rng.choice("<>"))

    def loop(self) -> bytes:
        """LOOP."""
        family, packet = self.family()
        return build.null(packet, family, order=">")

    def raw(self) -> bytes:
        """IP without a link header."""
        return self.ip(0)[1]

    def raw_ipv4(self) -> bytes:
        """IPv4 without a link header."""
        return self.ip(0, None if self.hostile and self.chance(10) else 4)[1]

    def raw_ipv6(self) -> bytes:
        """IPv6 without a link header."""
        return self.ip(0, None if self.hostile and self.chance(10) else 6)[1]

    def sll(self) -> bytes:
        """Linux cooked capture; protocol 4 carries LLC, 1 is Novell's."""
        ether_type, content = self.network(0)
        packet_type = self.rng.randint(0, 6)
        if self.chance(8):
            ether_type, content = 4, self.llc(0)
        elif self.chance(2):
            ether_type = 1
        return build.sll(content, ether_type, packet_type=packet_type)

    def sll2(self) -> bytes:
        """Linux cooked capture 2."""
        ether_type, content = self.network(0)
        if self.chance(8):
            ether_type, content = 4, self.llc(0)
        return build.sll2(content, ether_type, packet_type=self.rng.randint(0, 6), ifindex=self.number(32))

    def ppp_pppd(self) -> bytes:
        """PPP of pppd."""
        protocol, content = self.ppp_content(0)
        return build.ppp_pppd(content, protocol, direction=self.rng.choice((0, 1, 0xFF)))

    def ppp_with_direction(self) -> bytes:
        """PPP behind a direction byte."""
        return build.with_direction(self.ppp(0), self.rng.choice((0, 1, 255)))

    def ppp_plain(self) -> bytes:
        """PPP."""
        return self.ppp(0)

    def pppoe(self) -> bytes:
        """PPPoE as a link type."""
        protocol, content = self.ppp_content(0)
        return build.pppoe(content, protocol)

    def chdlc(self) -> bytes:
        """Cisco HDLC."""
        ether_type, content = self.network(0)
        return build.chdlc(content, ether_type)

    def chdlc_with_direction(self) -> bytes:
        """Cisco HDLC behind a direction byte."""
        return build.with_direction(self.chdlc(), self.rng.choice((0, 1, 255)))

    def frame_relay(self) -> bytes:
        """Frame Relay: IP directly or with SNAP."""
        pad = self.chance(30)
        if self.chance(30):
            ether_type, content = self.network(0)
            return build.frame_relay(build.snap(content, ether_type), nlpid=0x80, pad=pad)
        if self.chance(5):
            return build.frame_relay(self.some_bytes(), nlpid=0x81, pad=pad)
        version, packet = self.ip(0)
        return build.frame_relay(packet, nlpid=0xCC if version == 4 else 0x8E, pad=pad)

    def fddi(self) -> bytes:
        """FDDI."""
        return build.fddi(self.llc(0), control=0x41 if self.chance(5) else 0x50 | self.rng.randint(0, 7))

    def token_ring(self) -> bytes:
        """Token Ring, source-routed or not."""
        hops = self.rng.randint(0, 7)
        routing = bytes([2 + 2 * hops, 0]) + bytes(2 * hops) if self.chance(40) else b""
        if routing and self.hostile and self.chance(20):
            routing = bytes([self.number(8)]) + routing[1:]
        return build.token_ring(self.llc(0), control=0 if self.chance(5) else 0x40, routing=routing)

    def wlan(self, pad: bool = False, depth: int = 0) -> bytes:
        """802.11: mostly data frames, with everything that changes the header's length."""
        rng = self.rng
        return build.wlan(
            self.llc(depth),
            subtype=rng.choice((0, 8, 8, 8, 4, 12) if self.chance(10) else (0, 8, 8)),
            kind=rng.randint(0, 3) if self.chance(5) else 2,
            version=rng.randint(0, 3) if self.hostile and self.chance(5) else 0,
            flags=rng.choice((0, 1, 2, 3)) | (0x80 if self.chance(15) else 0) | (0x40 if self.chance(4) else 0),
            qos=rng.randint(0, 15),
            pad=pad,
            aggregate=self.chance(15),
        )

    def wlan_plain(self) -> bytes:
        """802.11 as a link type."""
        return self.wlan()

    def radiotap(self) -> bytes:
        """802.11 with radiotap."""
        pad = self.chance(30)
        flags = 0x20 if pad else self.rng.choice((None, 0, 0x10))
        flags = flags | 0x10 if pad and self.chance(30) else flags  # type: ignore[operator]
        trailer = bytes(4) if flags and flags & 0x10 else b""
        frame = self.wlan(pad) + trailer
        capture = build.radiotap(
            frame, flags=flags, time=self.chance(50), extended=self.chance(20), fields=self.some_bytes(20)
        )
        size = self.wrong(struct.unpack_from("<H", capture, 2)[0], 200)
        return capture if size is None else capture[:2] + struct.pack("<H", size) + capture[4:]

    def prism(self) -> bytes:
        """802.11 with Prism, or with AVS in its place."""
        return self.avs() if self.chance(30) else build.prism(self.wlan(), size=self.rng.choice((144, 24, 96)))

    def avs(self) -> bytes:
        """802.11 with AVS."""
        frame = build.avs(self.wlan(), size=self.rng.choice((64, 44)))
        size = self.wrong(64, 1100)
        return frame if size is None else frame[:4] + struct.pack(">I", size) + frame[8:]

    def mpacket(self) -> bytes:
        """Ethernet behind a preamble."""
        return build.mpacket(self.ethernet(0))

    def ipoib(self) -> bytes:
        """IP over InfiniBand."""
        ether_type, content = self.network(0)
        return build.ipoib(content, ether_type)

    def pflog(self) -> bytes:
        """Packet filter log."""
        version, packet = self.ip(0)
        family = 2 if version == 4 else self.rng.choice((10, 24, 28, 30))
        size = self.rng.choice((48, 61, 100))
        frame = build.pflog(packet, 5 if self.chance(3) else family, size=size)
        return bytes([self.number(8)]) + frame[1:] if self.hostile and self.chance(20) else frame

    def enc(self) -> bytes:
        """IPsec interface."""
        family, packet = self.family()
        return build.enc(packet, family, order=self.rng.choice("<>"))

    def ipnet(self) -> bytes:
        """Solaris ipnet."""
        version, packet = self.ip(0)
        return build.ipnet(packet, version)

    def nflog(self) -> bytes:
        """Netfilter log with a few attributes before the packet."""
        attributes = [(self.rng.randint(1, 8), self.some_bytes(9)) for _ in range(self.rng.randint(0, 5))]
        frame = build.nflog(self.ip(0)[1], attributes=attributes)
        size = self.wrong(8, 40)
        return frame if size is None else frame[:4] + struct.pack("<H", size) + frame[6:]

    def switch_tagged(self, size: int) -> bytes:
        """Ethernet with a switch tag in the middle."""
        ether_type, content = self.network(0)
        return build.switch_tagged(content, ether_type, tag=(b"\xda\xda\0\0" if size == 8 else b"") + b"\x20\0\0\x03")

    def dsa(self) -> bytes:
        """DSA and Broadcom tags."""
        return self.switch_tagged(4)

    def edsa(self) -> bytes:
        """DSA with an EtherType."""
        return self.switch_tagged(8)

    def prepended(self) -> bytes:
        """A tag before Ethernet."""
        return build.prepended_tag(self.ethernet(0))

    def of_type(self) -> tuple[int, bytes]:
        """A link type that another header names, and a frame of it."""
        number = self.rng.choice((0, 1, 1, 9, 12, 50, 101, 104, 105, 107, 108))
        if self.hostile and self.chance(5):
            return self.rng.choice((127, 189, 65000)), self.some_bytes()
        return number, self.ethernet(0) if number == 1 else OTHER[number](self)

    def ppi(self) -> bytes:
        """Per-packet information with fields of several kinds."""
        number, frame = self.of_type()
        checked = build.ppi_common(fcs=True)
        kinds = [
            build.ppi_common(fcs=self.chance(50)) if self.chance(50) else struct.pack("<HH", 3, 4) + bytes(4)
            for _ in range(self.rng.randint(0, 3))
        ]
        fields = b"".join(kinds)
        sequence = b"\x5a\xa5\xc3\x3c" if number == 105 and checked in kinds else b""
        made = build.ppi(frame + sequence, number, fields=fields, aligned=self.chance(30))
        size = self.wrong(8 + len(fields), 80)
        return made if size is None else made[:2] + struct.pack("<H", size) + made[4:]

    def pktap(self) -> bytes:
        """Apple's pktap."""
        number, frame = self.of_type()
        kind = self.rng.choice((0, 2)) if self.hostile and self.chance(10) else 1
        size = self.wrong(156, 200) or self.rng.choice((108, 156))
        return build.pktap(frame, number, flags=self.rng.randint(0, 3), size=max(size, 60), kind=kind)

    def juniper(self, inner: str) -> bytes:
        """Juniper's header before a frame, or a packet."""
        extensions = self.some_bytes(20) if self.chance(40) else None
        flags = self.rng.randint(0, 1)
        if self.chance(25):
            version, packet = self.ip(0)
            protocol = 5 if self.chance(20) else 2 if version == 4 else 6
            content = self.mpls(0) if protocol == 5 else packet
            protocol = 99 if self.hostile and self.chance(10) else protocol
            return build.juniper(content, flags=flags, extensions=extensions, protocol=protocol)
        content = self.ethernet(0) if inner == "ethernet" else getattr(self, inner)()
        made = build.juniper(content, flags=flags, extensions=extensions)
        return b"mgc" + made[3:] if self.hostile and self.chance(5) else made

    def juniper_ethernet(self) -> bytes:
        """Ethernet."""
        return self.juniper("ethernet")

    def juniper_ppp(self) -> bytes:
        """PPP."""
        return self.juniper("ppp_plain")

    def juniper_frame_relay(self) -> bytes:
        """Frame Relay."""
        return self.juniper("frame_relay")

    def juniper_chdlc(self) -> bytes:
        """Cisco HDLC."""
        return self.juniper("chdlc")

    def erf(self) -> bytes:
        """Endace's records of several types."""
        kind = self.rng.choice((1, 1, 2, 2, 11, 16, 20, 10, 15, 19, 22, 23, 5, 27) if self.chance(95) else (3, 4, 48))
        if kind in (1, 10, 15, 19):
            content = self.chdlc() if self.chance(60) else build.ppp(self.ip(0, 4)[1])
        elif kind in (22, 23):
            content = self.ip(0, 4 if kind == 22 else 6)[1]
        else:
            content = self.ethernet(0)
        return build.erf(content, kind=kind, extensions=self.rng.choice((0, 0, 1, 3)))

    def arcnet(self, linux: bool = False) -> bytes:
        """ARCNET of BSD."""
        version, packet = self.ip(0)
        kind = 196 if version == 6 else self.rng.choice((212, 212, 240))
        kind = 213 if self.chance(3) else kind
        split = self.rng.choice((1, 2, 5)) if self.chance(10) else 0
        return build.arcnet(packet, kind=kind, linux=linux, split=split, exception=self.chance(5))

    def arcnet_linux(self) -> bytes:
        """ARCNET of Linux."""
        return self.arcnet(True)

    def unknown(self) -> bytes:
        """A link type nobody decodes."""
        return self.some_bytes()


OTHER: dict[int, Callable[[FrameMaker], bytes]] = {
    0: FrameMaker.null,
    6: FrameMaker.token_ring,
    7: FrameMaker.arcnet,
    9: FrameMaker.ppp_plain,
    10: FrameMaker.fddi,
    12: FrameMaker.raw,
    14: FrameMaker.raw,
    50: FrameMaker.ppp_plain,
    51: FrameMaker.pppoe,
    101: FrameMaker.raw,
    104: FrameMaker.chdlc,
    105: FrameMaker.wlan_plain,
    107: FrameMaker.frame_relay,
    108: FrameMaker.loop,
    109: FrameMaker.enc,
    113: FrameMaker.sll,
    117: FrameMaker.pflog,
    119: FrameMaker.prism,
    127: FrameMaker.radiotap,
    129: FrameMaker.arcnet_linux,
    149: FrameMaker.pktap,
    163: FrameMaker.avs,
    166: FrameMaker.ppp_pppd,
    178: FrameMaker.juniper_ethernet,
    179: FrameMaker.juniper_ppp,
    180: FrameMaker.juniper_frame_relay,
    181: FrameMaker.juniper_chdlc,
    189: FrameMaker.unknown,
    192: FrameMaker.ppi,
    197: FrameMaker.erf,
    204: FrameMaker.ppp_with_direction,
    205: FrameMaker.chdlc_with_direction,
    226: FrameMaker.ipnet,
    228: FrameMaker.raw_ipv4,
    229: FrameMaker.raw_ipv6,
    239: FrameMaker.nflog,
    242: FrameMaker.ipoib,
    258: FrameMaker.pktap,
    274: FrameMaker.mpacket,
    276: FrameMaker.sll2,
    281: FrameMaker.dsa,
    282: FrameMaker.prepended,
    284: FrameMaker.dsa,
    285: FrameMaker.edsa,
}
OTHER_LINKS = tuple(OTHER)


def fitting(options: bytes) -> bytes:
    """As many whole options as fit into 40 bytes; what stands behind the end of the list is no option."""
    at = 0
    while at < len(options):
        if options[at] == 0:
            return options[:40]
        size = 1 if options[at] == 1 else options[at + 1]
        if at + size > 40:
            break
        at += size
    return options[:at]


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Change a few bytes or 16-bit words, mostly among the headers."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if not changed:
            break
        at = rng.randint(0, min(len(changed), rng.choice((20, 80, 2000))) - 1)
        kind = rng.randint(0, 2)
        if kind == 0:
            changed[at] ^= 1 << rng.randint(0, 7)
        elif kind == 1:
            changed[at] = rng.choice((0, 0xFF, rng.randint(0, 255)))
        elif at + 2 <= len(changed):
            changed[at : at + 2] = rng.choice(INTERESTING).to_bytes(2, "big")
    return bytes(changed)


def random_frame(rng: random.Random) -> Frame:
    """One frame of any kind: 60 of 100 well-formed and complete, 18 cut short, 22 hostile (some of them also cut)."""
    kind = rng.randint(0, 99)
    maker = FrameMaker(rng, hostile=kind >= 82)
    link, data = maker.frame()
    if kind < 60:
        return link, data, len(data)
    if kind >= 90:
        data = mutate(rng, data)
    length = len(data)
    if kind < 82 or maker.chance(40):
        data = data[: rng.randint(0, length) if maker.chance(60) else rng.choice((14, 34, 54, 58, 64, 68, 96, 128))]
    if kind >= 82 and maker.chance(15):
        length = max(0, length + rng.choice((-40, -4, -1, 1, 4, 100)))
    return link, data, length


def random_payload_frame(rng: random.Random) -> bytes:
    """An ordinary Ethernet frame, for tests of capture files."""
    return FrameMaker(rng).ethernet(0)


# Capture files


def random_time(rng: random.Random) -> int:
    """Nanoseconds since the epoch, from 1970 until the unsigned seconds end in 2106."""
    seconds = rng.choice((0, 1_700_000_000, 2**31 - 1, 2**31, 2**32 - 1, rng.getrandbits(32)))
    return seconds * 10**9 + rng.randint(0, 10**9 - 1)


def random_pcap(rng: random.Random) -> bytes:
    """A well-formed classic capture file of any magic, byte order and version."""
    magic = rng.choice((build.MICROSECONDS, build.NANOSECONDS, build.MODIFIED))
    link = rng.choice((1, *OTHER_LINKS))
    records = []
    for _ in range(rng.randint(0, 6)):
        data = bytes(FrameMaker(rng).some_bytes(70))
        cut = rng.randint(0, 1000) if rng.randint(0, 3) == 0 else 0
        records.append(
            build.Record(
                data,
                random_time(rng),
                len(data) + cut,
                ifindex=rng.randint(-1, 9),
                protocol=0x0800,
                pkt_type=rng.randint(0, 6),
            )
        )
    return build.pcap(
        records,
        magic=magic,
        order=rng.choice("<>"),
        version=rng.choice(((2, 4), (2, 4), (2, 3), (2, 2), (2, 1), (2, 0), (543, 0))),
        link=link,
        snaplen=rng.choice((0, 96, 65535, 262144)),
        fcs=rng.choice((None, None, 0, 2, 4)),
    )


def random_pcapng(rng: random.Random) -> bytes:
    """A well-formed pcapng file: sections of either byte order, interfaces of every resolution, every kind of block."""
    return build.pcapng(*(random_section(rng) for _ in range(rng.randint(1, 3))))


def random_section(rng: random.Random) -> bytes:
    """One section, its length given or not."""
    order = rng.choice("<>")
    blocks = []
    interfaces = 0
    for _ in range(rng.randint(0, 9)):
        if interfaces == 0 or rng.randint(0, 5) == 0:
            blocks.append(random_interface(rng, order))
            interfaces += 1
        else:
            blocks.append(random_block(rng, order, interfaces))
    if rng.randint(0, 1):
        return build.section(*blocks, order=order)
    version = rng.choice(((1, 0), (1, 2)))
    extra = build.options((3, b"Linux"), (4, b"tests"), order=order) if rng.randint(0, 1) else b""
    return build.shb(order=order, version=version, extra=extra) + b"".join(blocks)


def random_interface(rng: random.Random, order: str) -> bytes:
    """An interface description."""
    return build.idb(
        link=rng.choice((1, *OTHER_LINKS)),
        snaplen=rng.choice((0, 0, 20, 96, 65535)),
        order=order,
        resolution=rng.choice((None, 0, 3, 6, 9, 12, 15, 0x80, 0x80 | 10, 0x80 | 30, 0x80 | 40)),
        offset=rng.choice((None, None, 0, 3600, -3600, 1_700_000_000)),
        fcs_bits=rng.choice((None, None, 0, 16, 32)),
        name=rng.choice((None, "eth0", "lo")),
        extra=((1, b"a comment"),) if rng.randint(0, 3) == 0 else (),
    )


def random_block(rng: random.Random, order: str, interfaces: int) -> bytes:
    """A packet block of any kind, or one to be skipped."""
    data = bytes(FrameMaker(rng).some_bytes(70))
    length = len(data) + (rng.randint(0, 1000) if rng.randint(0, 3) == 0 else 0)
    interface = rng.randint(0, interfaces - 1)
    ticks = rng.choice((0, rng.getrandbits(31), rng.getrandbits(50), rng.getrandbits(61)))
    flags = rng.choice((None, rng.getrandbits(11), rng.getrandbits(32)))
    kind = rng.randint(0, 11)
    if kind < 5:
        drops = rng.choice((None, 0, rng.getrandbits(20)))
        extra = ((1, b"comment"), (2988, b"any"))[: rng.randint(0, 2)]
        return build.epb(
            data, interface=interface, ticks=ticks, length=length, order=order, flags=flags, drops=drops, extra=extra
        )
    if kind == 5:  # without a captured length, only the snap length of the first interface can cut it
        return build.spb(data, order=order)
    if kind == 6:
        drops = rng.choice((0, 5, 1000))
        return build.pb(data, interface=interface, ticks=ticks, length=length, drops=drops, order=order, flags=flags)
    if kind == 7:
        return build.isb(interface=interface, ticks=ticks, order=order)
    if kind == 8:
        return build.nrb(order=order)
    if kind == 9:
        return build.dsb(order=order)
    if kind == 10:
        return build.custom(data, copied=bool(rng.randint(0, 1)), order=order)
    return build.block(rng.choice((7, 9, 0x80000001, 0x204)), data, order=order)


def random_capture(rng: random.Random) -> tuple[str, bytes]:
    """A capture file ('pcap' or 'pcapng'), sometimes simply truncated."""
    kind = rng.choice(("pcap", "pcapng"))
    content = random_pcap(rng) if kind == "pcap" else random_pcapng(rng)
    if rng.randint(0, 4) == 0:
        content = content[: rng.randint(24 if kind == "pcap" else 28, len(content))]
    return kind, content


# Hypothesis


def frames() -> st.SearchStrategy[Frame]:
    """(link type, captured bytes, length on the wire) of frames of every kind."""
    return st.randoms(use_true_random=False).map(random_frame)


def captures() -> st.SearchStrategy[tuple[str, bytes]]:
    """('pcap' or 'pcapng', content) of capture files, well-formed or simply truncated."""
    return st.randoms(use_true_random=False).map(random_capture)
