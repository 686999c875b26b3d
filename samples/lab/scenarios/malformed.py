"""Packets whose headers are none."""

from __future__ import annotations

import socket
import struct
import time

from .. import forge
from ..checksum import checksum, pseudo_header
from ..frames import ICMP, TCP, UDP
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial


@scenario
def malformed_headers(lab: Lab) -> None:
    """A broken host sends headers that are none, among the traffic of others: each kind is thrown away, and counted elsewhere.

    A wrong version, a header that is too short, a wrong checksum of the header: IpInHdrErrors, IpExtInCsumErrors. A length beyond
    the end of the frame: IpExtInTruncatedPkts. A data offset of TCP that points into its fixed header, or behind the packet: TcpInErrs.
    A length of UDP that is too large: UdpInErrors. A message of ICMP that is cut off: IcmpInErrors.
    """
    client, server, broken = lab.hosts("client", "server", "broken")
    counters = "IpInHdrErrors IpExtInCsumErrors IpExtInTruncatedPkts TcpInErrs UdpInErrors IcmpInErrors"
    with lab.recording(client, server, beside=[broken], delay_ms=2, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(1009)
        for packet in _packets(socket.inet_aton(broken.address) + socket.inet_aton(server.address)):
            forge.raw(broken, server, packet)
            time.sleep(0.02)
        connection.download(1009)
        connection.close()


def _packets(addresses: bytes) -> list[bytes]:
    """One of each kind."""
    tcp = _tcp(addresses, offset=5)
    good = _ip(addresses, TCP, len(tcp)) + tcp
    return [
        b"\x65" + good[1:],
        b"\x44" + good[1:],
        good[:10] + bytes([good[10] ^ 1]) + good[11:],
        _ip(addresses, TCP, len(tcp) + 30) + tcp,
        *(_ip(addresses, TCP, len(each)) + each for each in (_tcp(addresses, 4), _tcp(addresses, 9), tcp[:12])),
        _ip(addresses, UDP, 12) + struct.pack("!HHHH", 5000, 80, 40, 0) + b"four",
        _ip(addresses, UDP, 4) + struct.pack("!HH", 5000, 80),
        _ip(addresses, ICMP, 4) + struct.pack("!BBH", 8, 0, 0xF7FF),
        _ip(addresses, ICMP, 12) + struct.pack("!BBHI", 8, 0, 1, 7) + b"four",
    ]


def _ip(addresses: bytes, protocol: int, length: int) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, protocol, 0) + addresses
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def _tcp(addresses: bytes, offset: int) -> bytes:
    """An ACK of no connection whose header has `offset` words."""
    head = struct.pack("!HHIIHHHH", 5000, 5001, 1, 1, offset << 12 | 16, 500, 0, 0)
    return head[:16] + struct.pack("!H", checksum(head, pseudo_header(addresses, TCP, len(head)))) + head[18:]
