"""ICMP errors about segments of TCP, in each state that a connection can be in."""

from __future__ import annotations

import contextlib
import socket
import time

from .. import forge
from ..frames import ACK, SYN
from ..hosts import Host
from ..impair import drop
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, listener, stream

_HOST, _PORT, _TIME = (3, 1), (3, 3), (11, 0)
_ALL = socket.ntohs(0x0003)  # ETH_P_ALL: also what the host sends


@scenario
def icmp_errors_to_server(lab: Lab) -> None:
    """A router says of a server's segments that nobody is there: only a handshake that is not finished is given up for it.

    For a request it is the end (TcpExtListenDrops), unless what is quoted is not the SYN-ACK. A connection that is open, or half
    closed, remembers it and goes on; what is not outstanding moves OutOfWindowIcmps. To TIME_WAIT it is nothing, and of a port
    without any connection it is counted in IcmpInErrors.
    """
    client, server, router = lab.hosts("client", "server", "router")
    counters = "TcpExtListenDrops TcpExtOutOfWindowIcmps IcmpInErrors IcmpInDestUnreachs IcmpInTimeExcds"
    unheard = drop("server", lambda segment: segment.dst_port > 50_000, probability=1.0)
    with lab.recording(client, server, beside=[router], rules=[unheard], delay_ms=5, counters=counters):
        with listener(server):
            _requests(router, client, server)
        time.sleep(0.2)
        connection = dial(client, server, 40002)
        connection.download(300)
        time.sleep(0.1)
        _tell_each(router, server, client, 40002, connection.server)
        connection.client.shutdown(socket.SHUT_WR)
        time.sleep(0.05)
        _tell_each(router, server, client, 40002, connection.server)
        last = forge.position(connection.server).seq
        connection.server.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        forge.icmp_error(router, server, client, (80, 40002), last, *_HOST)
        forge.icmp_error(router, server, client, (80, 40009), 1, *_HOST)
        connection.client.close()
        connection.server.close()


@scenario
def icmp_errors_to_client(lab: Lab) -> None:
    """The same of a client's segments: it ends an attempt to connect, and nothing else.

    The first attempt is to an address where nobody answers, and ends at once, at the error (TcpAttemptFails), after another that
    quotes no segment of it (OutOfWindowIcmps). The connection that follows hears of errors while it is open and in FIN_WAIT, and in
    TIME_WAIT, which it enters as it closes first.
    """
    client, server, router = lab.hosts("client", "server", "router")
    counters = "TcpAttemptFails TcpExtOutOfWindowIcmps IcmpInDestUnreachs IcmpInTimeExcds TcpExtTW"
    unheard = drop("client", lambda segment: segment.dst_port == 81, probability=1.0)
    with lab.recording(client, server, beside=[router], rules=[unheard], delay_ms=5, counters=counters):
        _attempt(router, client, server)
        connection = dial(client, server, 40002)
        connection.upload(300)
        time.sleep(0.1)
        _tell_each(router, client, server, 80, connection.client, 40002)
        connection.client.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        now = forge.position(connection.client).seq
        for offset in (-1, 0, 1000):
            forge.icmp_error(router, client, server, (40002, 80), now + offset, *_HOST)
        time.sleep(0.05)
        connection.server.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        forge.icmp_error(router, client, server, (40002, 80), now, *_HOST)
        time.sleep(0.05)
        connection.server.close()
        connection.client.close()


def _requests(router: Host, client: Host, server: Host) -> None:
    """Two requests in the client's name, whose answers it knows nothing of, are told of before it resets them."""
    with server.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ALL) as wire:
        wire.settimeout(2)
        for port in (50_001, 50_002):
            forge.send(client, server, (port, 80), 7, 0, SYN, by=router)
            seq = _answered(wire, port)
            for offset, error in ((1000, _HOST), (0, _PORT), (0, _HOST)):
                forge.icmp_error(router, server, client, (80, port), seq + offset, *error)
                time.sleep(0.02)
            forge.send(client, server, (port, 80), 8, seq + 1, ACK, by=router)


def _answered(wire: socket.socket, port: int) -> int:
    """The initial sequence number of the SYN-ACK to a port."""
    while True:
        frame = wire.recv(2048)
        if frame[23] == 6 and int.from_bytes(frame[36:38], "big") == port and frame[47] == SYN | ACK:
            return int.from_bytes(frame[38:42], "big")


def _tell_each(router: Host, target: Host, peer: Host, port: int, end: socket.socket, own: int = 80) -> None:
    """Errors about what is not outstanding any more, or not yet, and about the next number."""
    now = forge.position(end).seq
    for offset, error in ((-100, _HOST), (0, _HOST), (0, _PORT), (0, _TIME), (1, _HOST), (100_000, _TIME)):
        forge.icmp_error(router, target, peer, (own, port), now + offset, *error)
        time.sleep(0.02)


def _attempt(router: Host, client: Host, server: Host) -> None:
    """An attempt to connect to which nothing comes but errors."""
    with (
        client.inside(),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ALL) as wire,
        stream(client, 40001) as near,
    ):
        wire.settimeout(2)
        near.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            near.connect((server.address, 81))
        frame = wire.recv(2048)
        seq = int.from_bytes(frame[38:42], "big")
        for offset in (1000, 0):
            forge.icmp_error(router, client, server, (40001, 81), seq + offset, *_HOST)
            time.sleep(0.05)
