"""Sockets on hosts: a host and options go in, a TCP socket that stays on this host comes out.

Congestion control is set for each socket: a namespace may only choose what the whole machine allows to everybody.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping

from .hosts import Host
from .traffic import Connection

PORT = 80
TIMEOUT_S = 20.0
CONGESTION = (socket.IPPROTO_TCP, 13)
Options = Mapping[tuple[int, int], int | bytes]


def stream(host: Host, port: int = 0, options: Options | None = None) -> socket.socket:
    """A TCP socket, bound if it gets a port, with cubic; options are by level and name, as in `setsockopt`."""
    with host.inside():
        new = socket.socket(socket.AF_INET if host.family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    new.settimeout(TIMEOUT_S)
    new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for (level, name), value in {CONGESTION: b"cubic", **(options or {})}.items():
        new.setsockopt(level, name, value)
    if port:
        new.bind((host.address, port))
    return new


def listener(host: Host, port: int = PORT, backlog: int = 64, options: Options | None = None) -> socket.socket:
    """A socket that accepts connections."""
    new = stream(host, port, options)
    new.listen(backlog)
    return new


def dial(
    client: Host,
    server: Host,
    source_port: int,
    port: int = PORT,
    *,
    near: Options | None = None,
    far: Options | None = None,
) -> Connection:
    """A new connection, with options for the socket of the client (`near`) and the listening one (`far`)."""
    with listener(server, port, options=far) as door:
        calling = stream(client, source_port, near)
        calling.connect((server.address, port))
        answering, _ = door.accept()
    answering.settimeout(TIMEOUT_S)
    return Connection(calling, answering)


def read_all(end: socket.socket) -> int:
    """Read until the other side has closed; how many bytes there were."""
    total = 0
    while more := end.recv(1 << 16):
        total += len(more)
    return total


@contextlib.contextmanager
def sending(end: socket.socket, data: bytes) -> Iterator[None]:
    """Send in the background, while the body runs and does what the other side does."""
    thread = threading.Thread(target=_send_if_possible, args=(end, data), daemon=True)
    thread.start()
    yield
    thread.join(TIMEOUT_S)


def _send_if_possible(end: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        end.sendall(data)
