"""Signed connections (RFC 2385): what a host refuses whose peer has another key, or none."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

from .. import forge
from ..frames import ACK, RST
from ..hosts import Host
from ..lab import Lab
from ..scenario import scenario
from ..sockets import listener, stream

_MD5_OPTION = (socket.IPPROTO_TCP, 14)
_SECONDS = 1.3  # a SYN, and one that is sent again


@scenario
def md5_signatures(lab: Lab) -> None:
    """A server with a key: a client that has it, one with another, one with none; and a port without a key that gets signed SYNs.

    Segments with a wrong signature (TCPMD5Failure), without one (TCPMD5NotFound), or with one that nobody asked for
    (TCPMD5Unexpected) are dropped, and nothing answers. On the connection that is signed a stranger's segments are not: a
    reset that would fit, and ACKs.
    """
    client, server = lab.pair()
    counters = "TcpExtTCPMD5NotFound TcpExtTCPMD5Unexpected TcpExtTCPMD5Failure"
    with lab.recording(client, server, delay_ms=3, counters=counters):
        door = lab.keep(listener(server, options={_MD5_OPTION: _key(client, b"secret")}))
        lab.keep(listener(server, 81))
        near = stream(client, 40001, {_MD5_OPTION: _key(server, b"secret")})
        near.connect((server.address, 80))
        far, _ = door.accept()
        near.sendall(b"signed")
        far.recv(100)
        time.sleep(0.1)
        for flags in (ACK, RST, ACK, RST | ACK)[: lab.random.randrange(2, 5)]:
            forge.send(client, server, (40001, 80), 4_000_000, 5_000_000, flags)
            time.sleep(0.02)
        near.close()
        far.close()
        _in_vain(client, server, 40002, 80, b"another")
        _in_vain(client, server, 40003, 80, b"")
        _in_vain(client, server, 40004, 81, b"secret")


def _key(peer: Host, key: bytes) -> bytes:
    """struct tcp_md5sig."""
    address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(peer.address)).ljust(128, b"\0")
    return address + struct.pack("=BBHi80s", 0, 0, len(key), 0, key)


def _in_vain(client: Host, server: Host, source_port: int, port: int, key: bytes) -> None:
    with stream(client, source_port, {_MD5_OPTION: _key(server, key)} if key else None) as near:
        near.settimeout(_SECONDS)
        with contextlib.suppress(OSError):
            near.connect((server.address, port))
