"""What the hosts do: a source of chance and an open connection go in, traffic comes out."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.lab import forge
from samples.lab.frames import ACK, FIN, RST, SYN
from samples.lab.hosts import Host
from samples.lab.traffic import Connection, connect, refused, text

_LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Ends:
    """Two hosts, the ports between them, and how they use them."""

    client: Host
    server: Host
    port: int
    source_port: int
    congestion: str
    upload: bool
    piece: int
    pieces: int
    pause_s: float

    def connect(self) -> Connection:
        """A new connection."""
        return connect(self.client, self.server, self.port, self.source_port, congestion=self.congestion)

    def pair(self, connection: Connection) -> tuple[socket.socket, socket.socket]:
        """The end that sends the data, and the one that receives it."""
        ends = (connection.client, connection.server)
        return ends if self.upload else ends[::-1]


def transfer(random: Random, ends: Ends) -> None:
    """Pieces of data with pauses between them, then an orderly end."""
    connection = ends.connect()
    send = connection.upload if ends.upload else connection.download
    send(ends.piece * ends.pieces, ends.pieces - 1, ends.pause_s)
    connection.close()


def bulk(random: Random, ends: Ends) -> None:
    """All data at once."""
    connection = ends.connect()
    send = connection.upload if ends.upload else connection.download
    send(ends.piece * ends.pieces)
    connection.close()


def requests(random: Random, ends: Ends) -> None:
    """Small questions and answers."""
    connection = ends.connect()
    for _ in range(random.randrange(3, 15)):
        connection.upload(random.randrange(20, 400))
        connection.download(random.choice([50, 500, 3000, 9000]))
    connection.close()


def slow_reader(random: Random, ends: Ends) -> None:
    """The receiver has little room and reads late."""
    room = random.choice([4096, 6000, 12000])
    (ends.server if ends.upload else ends.client).sysctl("ipv4.tcp_rmem", f"4096 {room} {room}")
    connection = ends.connect()
    sender, receiver = ends.pair(connection)
    sending = threading.Thread(target=sender.sendall, args=(text(random.choice([30_000, 60_000])),), daemon=True)
    sending.start()
    time.sleep(random.choice([0.3, 0.8, 1.5]))
    for _ in range(random.randrange(3)):
        receiver.recv(random.choice([500, 4000]))
        time.sleep(random.choice([0.05, 0.4]))
    draining = threading.Thread(target=drain, args=(receiver,), daemon=True)
    draining.start()
    sending.join()
    sender.shutdown(socket.SHUT_WR)
    draining.join()
    sender.close()
    receiver.close()


def refusal(random: Random, ends: Ends) -> None:
    """Nobody listens; then a connection elsewhere."""
    refused(ends.client, ends.server, ends.port + 1, ends.source_port + 100)
    transfer(random, ends)


def abort(random: Random, ends: Ends) -> None:
    """One end resets in the middle of a transfer."""
    connection = ends.connect()
    sender, receiver = ends.pair(connection)
    data = text(ends.piece * ends.pieces)
    sending = threading.Thread(target=send_all, args=(sender, data), daemon=True)
    sending.start()
    with contextlib.suppress(OSError):
        receiver.recv(random.choice([1000, 20_000]))
    end = random.choice([sender, receiver])
    if end is sender:
        sending.join()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    end.close()
    sending.join()
    time.sleep(0.2)
    (receiver if end is sender else sender).close()


def unread(random: Random, ends: Ends) -> None:
    """The receiver closes without reading what it has."""
    connection = ends.connect()
    sender, receiver = ends.pair(connection)
    sending = threading.Thread(target=send_all, args=(sender, text(ends.piece)), daemon=True)
    sending.start()
    time.sleep(0.3)
    receiver.close()
    sending.join()
    time.sleep(0.3)
    sender.close()


def keep_alive(random: Random, ends: Ends) -> None:
    """A silent connection that is kept alive."""
    connection = ends.connect()
    end = random.choice([connection.client, connection.server])
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.upload(500)
    time.sleep(random.choice([1.2, 2.3]))
    connection.download(500)
    connection.close()


def both_ways(random: Random, ends: Ends) -> None:
    """Data in both directions at once."""
    connection = ends.connect()
    pairs = [(connection.client, connection.server), (connection.server, connection.client)]
    threads = []
    for sender, receiver in pairs:
        threads.append(threading.Thread(target=send_all, args=(sender, text(ends.piece * 2)), daemon=True))
        threads.append(threading.Thread(target=take, args=(receiver, ends.piece * 2), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection.close()


def half_closed(random: Random, ends: Ends) -> None:
    """The client has nothing more to say; the server goes on."""
    connection = ends.connect()
    connection.upload(ends.piece)
    connection.client.shutdown(socket.SHUT_WR)
    connection.download(ends.piece)
    connection.server.close()
    drain(connection.client)
    connection.client.close()


def strangers(random: Random, ends: Ends) -> None:
    """Somebody sends segments in the client's name: while data flows, and in each state on the way to the end.

    Of IPv4 only; the client has not sent them, though its capture has them.
    """
    if ends.client.family == 6:
        transfer(random, ends)
        return
    connection = ends.connect()
    connection.upload(random.randrange(200, 5000))
    _meddle(random, ends, connection)
    order = random.sample([connection.client, connection.server], 2)
    connection.download(random.randrange(200, 5000))
    for end in order:
        end.shutdown(socket.SHUT_WR)
        time.sleep(0.15)
        _meddle(random, ends, connection)
    connection.close()


def _meddle(random: Random, ends: Ends, connection: Connection) -> None:
    with contextlib.suppress(OSError):
        now = forge.position(connection.client)
        for _ in range(random.randrange(1, 4)):
            flags = random.choice([RST, RST | ACK, SYN, SYN | ACK, ACK, FIN | ACK, FIN, 0])
            seq = now.seq + random.choice([0, 0, 1, -1, 100, -100, 10_000, 70_000, 1 << 20, -(1 << 20)])
            ack = now.ack + random.choice([0, 0, 0, 1, -1, 1000, -1000, 1 << 20, -(1 << 20)])
            forge.send(ends.client, ends.server, (ends.source_port, ends.port), seq, ack, flags)
            time.sleep(random.choice([0.02, 0.6]))


def drain(end: socket.socket) -> None:
    """Read until the other end has closed, or nothing more can come."""
    with contextlib.suppress(OSError):
        while end.recv(1 << 16):
            pass


def take(end: socket.socket, size: int) -> None:
    """Read so many bytes, if they come."""
    with contextlib.suppress(OSError):
        while size > 0 and (more := end.recv(1 << 16)):
            size -= len(more)


def send_all(end: socket.socket, data: bytes) -> None:
    """Send, as far as that is possible."""
    with contextlib.suppress(OSError):
        end.sendall(data)


Application = Callable[[Random, Ends], None]
APPLICATIONS: dict[str, Application] = {
    each.__name__: each
    for each in (
        transfer,
        bulk,
        requests,
        slow_reader,
        refusal,
        abort,
        unread,
        keep_alive,
        both_ways,
        half_closed,
        strangers,
    )
}
