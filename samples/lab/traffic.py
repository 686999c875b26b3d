"""Applications on hosts: hosts and bytes go in, connections, datagrams and pings between them come out."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass

from .errors import LabError
from .hosts import Host

_TIMEOUT_S = 20.0
_TCP_CONGESTION = 13


@dataclass(frozen=True, slots=True)
class Connection:
    """Both ends of one TCP connection."""

    client: socket.socket
    server: socket.socket

    def upload(self, size: int, pauses: int = 0, pause_s: float = 0.0) -> None:
        """Send `size` bytes from the client to the server, with equal pieces between the pauses."""
        _transfer(self.client, self.server, text(size), pauses, pause_s)

    def download(self, size: int, pauses: int = 0, pause_s: float = 0.0) -> None:
        """Send `size` bytes from the server to the client, with equal pieces between the pauses."""
        _transfer(self.server, self.client, text(size), pauses, pause_s)

    def close(self) -> None:
        """End the connection in order, the client first."""
        self.client.shutdown(socket.SHUT_WR)
        _expect_end(self.server)
        self.server.close()
        _expect_end(self.client)
        self.client.close()


def connect(
    client: Host,
    server: Host,
    port: int,
    source_port: int,
    *,
    congestion: str = "cubic",
    client_address: str | None = None,
    server_address: str | None = None,
) -> Connection:
    """A new TCP connection; both ends use `congestion`, whatever the default of this machine is."""
    with _socket(server, socket.SOCK_STREAM) as listener, contextlib.ExitStack() as stack:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, congestion.encode())
        listener.bind((server_address or server.address, port))
        listener.listen()
        near = stack.enter_context(_socket(client, socket.SOCK_STREAM))
        near.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, congestion.encode())
        near.bind((client_address or client.address, source_port))
        near.connect((server_address or server.address, port))
        far, _ = listener.accept()
        far.settimeout(_TIMEOUT_S)
        stack.pop_all()
        return Connection(near, far)


def refused(client: Host, server: Host, port: int, source_port: int) -> None:
    """Try to connect to a port where nobody listens."""
    with _socket(client, socket.SOCK_STREAM) as near:
        near.bind((client.address, source_port))
        try:
            near.connect((server.address, port))
        except ConnectionRefusedError:
            return
    raise LabError(f"port {port} of {server.name} is not closed")


def ask(client: Host, server: Host, question: bytes, answer: bytes, port: int, source_port: int) -> None:
    """One UDP datagram there and one back."""
    with _socket(client, socket.SOCK_DGRAM) as near, _socket(server, socket.SOCK_DGRAM) as far:
        near.bind((client.address, source_port))
        far.bind((server.address, port))
        near.sendto(question, (server.address, port))
        _, sender = far.recvfrom(2048)
        far.sendto(answer, sender)
        near.recv(2048)


def ping(client: Host, server: Host, identifier: int = 7, sequence: int = 1) -> None:
    """One ICMP echo request, which the kernel of `server` answers (IPv4 only)."""
    with _socket(client, socket.SOCK_RAW, socket.IPPROTO_ICMP) as near:
        echo = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + text(56)
        near.sendto(echo[:2] + struct.pack("!H", _checksum(echo)) + echo[4:], (server.address, 0))
        near.recv(2048)


def dns_question(name: str, identifier: int = 7) -> bytes:
    """A DNS question for the IPv4 address of `name`."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", identifier, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)


def dns_answer(question: bytes, address: str) -> bytes:
    """The answer to `question`: one address, good for a minute."""
    header = question[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
    return header + question[12:] + struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(address)


def text(size: int) -> bytes:
    """`size` bytes of numbered lines: readable in a capture, the same in each recording, easy to compress."""
    lines = (b"line %07d of the sample\n" % number for number in range(size // 27 + 1))
    return b"".join(lines)[:size]


def _socket(host: Host, kind: int, protocol: int = 0) -> socket.socket:
    with host.inside():
        new = socket.socket(socket.AF_INET if host.family == 4 else socket.AF_INET6, kind, protocol)
    new.settimeout(_TIMEOUT_S)
    new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return new


def _transfer(sender: socket.socket, receiver: socket.socket, data: bytes, pauses: int, pause_s: float) -> None:
    sending = threading.Thread(target=_send, args=(sender, data, pauses, pause_s), daemon=True)
    sending.start()
    received = bytearray()
    while len(received) < len(data) and (more := receiver.recv(1 << 16)):
        received += more
    sending.join()
    if received != data:
        raise LabError(f"{len(received)} of {len(data)} bytes arrived, or they are not the same")


def _send(sender: socket.socket, data: bytes, pauses: int, pause_s: float) -> None:
    step = -(-len(data) // (pauses + 1))
    for start in range(0, len(data), step):
        if start:
            time.sleep(pause_s)
        sender.sendall(data[start : start + step])


def _expect_end(end: socket.socket) -> None:
    if end.recv(1):
        raise LabError("bytes arrived after the end of a transfer")


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
