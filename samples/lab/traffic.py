"""Applications on hosts: hosts and bytes go in, connections, datagrams and pings between them come out."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .checksum import checksum
from .errors import LabError
from .hosts import Host

_TIMEOUT_S = 20.0
_IDLE_S = 0.05
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

    def upload_in_vain(self, size: int) -> int:
        """Send `size` bytes from the client until its kernel gives up; how many of them the server got."""
        received = 0
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(_send_until_given_up, self.client, text(size))
            while not sending.done():
                if select.select([self.server], [], [], _IDLE_S)[0]:
                    received += len(self.server.recv(1 << 16))
            sending.result()
        return received

    def abandon(self) -> None:
        """Close both ends whatever their state; to be done when nothing is recorded any more."""
        self.client.close()
        self.server.close()

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
    listen_port: int | None = None,
) -> Connection:
    """A new TCP connection; both ends use `congestion`, whatever the default of this machine is.

    The server listens on `listen_port`, if something on the way leads the client there, else on `port`.
    """
    with _socket(server, socket.SOCK_STREAM) as listener, contextlib.ExitStack() as stack:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, congestion.encode())
        listener.bind((server_address or server.address, listen_port or port))
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


def connect_in_vain(
    client: Host, server: Host, port: int, source_port: int, wait_s: float, listen_port: int | None = None
) -> None:
    """Try to connect for `wait_s`, in vain although the server listens on `listen_port` or `port`."""
    with _socket(server, socket.SOCK_STREAM) as listener, _socket(client, socket.SOCK_STREAM) as near:
        listener.bind((server.address, listen_port or port))
        listener.listen()
        near.bind((client.address, source_port))
        near.settimeout(wait_s)
        with contextlib.suppress(TimeoutError):
            near.connect((server.address, port))
            raise LabError("what should have failed has succeeded")


def ask(client: Host, server: Host, question: bytes, answer: bytes, port: int, source_port: int) -> None:
    """One UDP datagram there and one back."""
    with _socket(client, socket.SOCK_DGRAM) as near, _socket(server, socket.SOCK_DGRAM) as far:
        near.bind((client.address, source_port))
        far.bind((server.address, port))
        near.sendto(question, (server.address, port))
        _, sender = far.recvfrom(2048)
        far.sendto(answer, sender)
        near.recv(2048)


def ask_all(client: Host, server: Host, questions: Sequence[bytes], port: int, source_port: int, wait_s: float) -> int:
    """A UDP datagram for each question, which the server sends back if it arrives; how many came back within `wait_s`."""
    with _socket(client, socket.SOCK_DGRAM) as near, _socket(server, socket.SOCK_DGRAM) as far:
        near.bind((client.address, source_port))
        far.bind((server.address, port))
        for end in (near, far):
            end.setblocking(False)
        answers = 0
        for question in questions:
            near.sendto(question, (server.address, port))
            answers += _echo_until(far, near, time.monotonic() + wait_s)
        return answers


def _echo_until(far: socket.socket, near: socket.socket, end_s: float) -> int:
    """Send back what comes to `far` until the time `end_s`; how many datagrams came to `near`."""
    answers = 0
    while (left_s := end_s - time.monotonic()) > 0:
        for end in select.select([far, near], [], [], left_s)[0]:
            # What select() announces may be gone again: the checksum is verified late.
            with contextlib.suppress(BlockingIOError):
                datagram, sender = end.recvfrom(2048)
                if end is far:
                    far.sendto(datagram, sender)
                else:
                    answers += 1
    return answers


def ping(client: Host, server: Host, identifier: int = 7, sequence: int = 1, wait_s: float = _TIMEOUT_S) -> None:
    """One ICMP echo request, which the kernel of `server` answers (IPv4 only), within `wait_s` or it is a TimeoutError."""
    with _socket(client, socket.SOCK_RAW, socket.IPPROTO_ICMP) as near:
        near.settimeout(wait_s)
        echo = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + text(56)
        near.sendto(echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:], (server.address, 0))
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


def _send_until_given_up(sender: socket.socket, data: bytes) -> None:
    try:
        sender.sendall(data)
        sender.recv(1)
    except TimeoutError as error:
        # Without a number it is not the kernel's timeout but Python's.
        if error.errno == errno.ETIMEDOUT:
            return
        raise
    raise LabError("what should have failed has succeeded")
