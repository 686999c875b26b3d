"""The headers of a frame as dpkt reads them. Where it reads another value, the bytes of the frame say who is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from analyzer.crosscheck.differences import TCPCAP, Difference
from analyzer.crosscheck.programs import library
from analyzer.fields import of_fields

Row = Mapping[str, Any]
NULL, ETHERNET, RAW, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 0, 1, 101, 113, 228, 229, 276
TCP, UDP = 6, 17


@of_fields(frozen=True, slots=True)
class Field:
    """A value of a header: its column, where it stands (from the header's begin), its bytes and mask, and how dpkt calls it."""

    column: str
    at: int
    size: int
    theirs: Callable[[Any], int]
    mask: int = -1
    shift: int = 0

    def in_bytes(self, data: bytes, begin: int) -> int:
        """The value as it stands in the frame."""
        return int.from_bytes(data[begin + self.at : begin + self.at + self.size], "big") >> self.shift & self.mask


IPV4_HEADER = (
    Field("tos", 1, 1, lambda ip: ip.tos),
    Field("ip_len", 2, 2, lambda ip: ip.len),
    Field("ip_id", 4, 2, lambda ip: ip.id),
    Field("ttl", 8, 1, lambda ip: ip.ttl),
    Field("ip_proto", 9, 1, lambda ip: ip.p),
    Field("ip_checksum", 10, 2, lambda ip: ip.sum),
    Field("src", 12, 4, lambda ip: int.from_bytes(ip.src, "big")),
    Field("dst", 16, 4, lambda ip: int.from_bytes(ip.dst, "big")),
)
IPV6_HEADER = (
    Field("tos", 0, 2, lambda ip: ip.fc, 0xFF, 4),
    Field("flow_label", 1, 3, lambda ip: ip.flow, 0xFFFFF),
    Field("ttl", 7, 1, lambda ip: ip.hlim),
    Field("src", 8, 16, lambda ip: int.from_bytes(ip.src, "big")),
    Field("dst", 24, 16, lambda ip: int.from_bytes(ip.dst, "big")),
)
PORTS = (
    Field("src_port", 0, 2, lambda segment: segment.sport),
    Field("dst_port", 2, 2, lambda segment: segment.dport),
)
TRANSPORTS = {
    TCP: (
        *PORTS,
        Field("seq", 4, 4, lambda tcp: tcp.seq),
        Field("ack", 8, 4, lambda tcp: tcp.ack),
        Field("header_len", 12, 1, lambda tcp: tcp.off << 2, 0x3C, 2),
        Field("flags", 13, 1, lambda tcp: tcp.flags & 0xFF),
        Field("window", 14, 2, lambda tcp: tcp.win),
        Field("checksum_field", 16, 2, lambda tcp: tcp.sum),
        Field("urgent", 18, 2, lambda tcp: tcp.urp),
    ),
    UDP: (
        *PORTS,
        Field("udp_len", 4, 2, lambda udp: udp.ulen),
        Field("checksum_field", 6, 2, lambda udp: udp.sum),
    ),
}
PARTS = {"flags": 0xFF}  # of a column only these bits stand in the bytes of the field


class Dpkt:
    """Reads frames with dpkt. Raises UsageError where it is not installed."""

    def __init__(self) -> None:
        self._dpkt, self.version = library("dpkt")
        from dpkt import ethernet, ip, ip6, loopback, sll, sll2, tcp, udp

        self._ip = {4: ip.IP, 6: ip6.IP6}
        self._links = {
            NULL: loopback.Loopback,
            ETHERNET: ethernet.Ethernet,
            LINUX_SLL: sll.SLL,
            LINUX_SLL2: sll2.SLL2,
        }
        self._transports = {TCP: tcp.TCP, UDP: udp.UDP}

    @property
    def name(self) -> str:
        return f"dpkt {self.version}"

    def packet_of(self, data: bytes, link_type: int) -> tuple[Any, str]:
        """The IP packet of a frame, or None and why there is none."""
        try:
            if link_type in self._links:
                packet = self._links[link_type](data)
                while not isinstance(packet, (*self._ip.values(), bytes)):
                    packet = packet.data
            elif link_type in (RAW, IPV4, IPV6) and data:
                packet = self._ip.get(data[0] >> 4, bytes)(data)
            else:
                return None, "link layers that dpkt does not know"
        except (self._dpkt.UnpackError, ValueError, IndexError, AttributeError, TypeError):
            return None, "frames that dpkt does not take"
        return (None, "frames in which dpkt finds no IP") if isinstance(packet, bytes) else (packet, "")

    def differences(self, frame: int, data: bytes, row: Row, packet: Any) -> Iterator[Difference]:
        """What it reads otherwise."""
        version, begin = row["ip_version"], row["l3_at"]
        if not isinstance(packet, self._ip[version]):
            yield Difference(frame, "ip_version", str(version), type(packet).__name__, self.name)
            return
        yield from self._fields(frame, data, row, packet, IPV4_HEADER if version == 4 else IPV6_HEADER, begin)
        segment = getattr(packet, "data", None)
        kind = self._transports.get(row["ip_proto"])
        if row["stop"] == "decoded" and kind is not None and isinstance(segment, kind):
            yield from self._fields(frame, data, row, segment, TRANSPORTS[row["ip_proto"]], row["l4_at"])

    def _fields(
        self, frame: int, data: bytes, row: Row, header: Any, fields: tuple[Field, ...], begin: int
    ) -> Iterator[Difference]:
        for field in fields:
            ours, theirs = row[field.column] & PARTS.get(field.column, -1), field.theirs(header)
            if field.column == "ip_len" and "ip_length_zero" in row["quirks"]:
                continue  # the field is 0, and the column holds how long the packet is
            if field.column == "header_len":
                ours, theirs = ours & 0x3C, theirs & 0x3C
            if ours != theirs:
                stands = field.in_bytes(data, begin)
                right = TCPCAP if ours == stands else self.name if theirs == stands else ""
                reason = (
                    f"bytes {begin + field.at:,} to {begin + field.at + field.size - 1:,} of the frame hold {stands:,}"
                )
                yield Difference(frame, field.column, f"{ours:,}", f"{theirs:,}", self.name, right, reason)
