"""What hosts do where it is rough: ends that are queued and never sent, memory that runs out, listeners that are full, no way there."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from random import Random

from samples.lab.sockets import listener, stream
from samples.lab.traffic import text

from .applications import Application, Ends, drain, send_all, take, transfer

_LINGER_ZERO = struct.pack("ii", 1, 0)
_NODELAY = {(socket.IPPROTO_TCP, socket.TCP_NODELAY): 1}
_ELSEWHERE = {4: ("192.0.2.0/24", "192.0.2.7"), 6: ("2001:db8:ffff::/64", "2001:db8:ffff::7")}
_FORWARDING = {4: "ipv4.ip_forward", 6: "ipv6.conf.all.forwarding"}


def closed_behind_data(random: Random, ends: Ends) -> None:
    """The sender closes with data that its peer has no room for: its FIN waits in the queue, and the peer may never let it out."""
    room = random.choice([4096, 8192, 30_000])
    (ends.server if ends.upload else ends.client).sysctl("ipv4.tcp_rmem", f"4096 {room} {room}")
    connection = ends.connect()
    sender, receiver = ends.pair(connection)
    receiver.settimeout(5)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
    for _ in range(random.randrange(1, 4)):
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sender.send(text(random.choice([3000, 20_000, 80_000])))
        time.sleep(random.choice([0.0, 0.05]))
    half = random.random() < 0.3
    if half:
        sender.shutdown(socket.SHUT_WR)
    else:
        sender.close()
    time.sleep(random.choice([0.0, 0.1, 0.6]))
    with contextlib.suppress(OSError):
        receiver.recv(random.choice([1, 3000, 20_000]))
    if random.random() < 0.3:
        take(receiver, 30_000)
    time.sleep(random.choice([0.0, 0.05, 0.3]))
    what = random.choice(["reset", "close", "read"])
    if what == "reset":
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    if what == "read":
        drain(receiver)
    receiver.close()
    time.sleep(0.3)
    if half:
        sender.close()


def small_messages(random: Random, ends: Ends) -> None:
    """Many small messages for a reader with little memory who is late: each costs more memory than it has bytes."""
    room = random.choice([0, 4096, 8192, 16_384])
    receives = ends.server if ends.upload else ends.client
    if room:
        receives.sysctl("ipv4.tcp_rmem", f"4096 {room} {max(room, random.choice([room, 60_000]))}")
    connection = ends.connect()
    sender, receiver = ends.pair(connection)
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not room:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, random.choice([2048, 4096, 8192]))
    gap_s, size = random.choice([0.0, 0.0005, 0.002]), random.choice([3, 30, 200, 700])

    def speak() -> None:
        with contextlib.suppress(OSError):
            for number in range(random.choice([60, 150, 300])):
                sender.sendall(text(size + number % 7))
                time.sleep(gap_s)

    speaking = threading.Thread(target=speak, daemon=True)
    speaking.start()
    time.sleep(random.choice([0.1, 0.4, 1.0]))
    with contextlib.suppress(OSError):
        receiver.settimeout(0.2)
        for _ in range(random.randrange(0, 30)):
            receiver.recv(random.choice([10, 100, 1000]))
            time.sleep(0.005)
    receiver.settimeout(20)
    draining = threading.Thread(target=drain, args=(receiver,), daemon=True)
    draining.start()
    speaking.join()
    with contextlib.suppress(OSError):
        sender.shutdown(socket.SHUT_WR)
    draining.join()
    sender.close()
    receiver.close()


def no_way(random: Random, ends: Ends) -> None:
    """Attempts to reach somebody to whom the router knows no way; and then a transfer to one to whom it does."""
    net, address = _ELSEWHERE[ends.client.family]
    ends.server.sysctl(_FORWARDING[ends.client.family], "1")
    ends.client.run("ip", "route", "add", net, "via", ends.server.address)
    for number in range(random.randrange(1, 5)):
        with stream(ends.client, ends.source_port + 10 + number) as near, contextlib.suppress(OSError):
            near.settimeout(2)
            near.connect((address, ends.port))
    transfer(random, ends)


def crowd(random: Random, ends: Ends) -> None:
    """Several clients at once at a listener with a short queue, who accepts late; some give up, some have data at once."""
    with listener(ends.server, ends.port, backlog=random.choice([0, 1, 3])) as door:
        threads = [
            threading.Thread(target=_visit, args=(Random(random.random()), ends, number), daemon=True)
            for number in range(random.choice([2, 5, 9]))
        ]
        for thread in threads:
            thread.start()
            time.sleep(random.choice([0.0, 0.01]))
        time.sleep(random.choice([0.0, 0.5, 1.5]))
        door.settimeout(1.5)
        with contextlib.suppress(OSError):
            while True:
                far, _ = door.accept()
                far.settimeout(2)
                with far, contextlib.suppress(OSError):
                    far.sendall(text(200))
                    if random.random() < 0.7:
                        drain(far)
        for thread in threads:
            thread.join()


def _visit(random: Random, ends: Ends, number: int) -> None:
    with stream(ends.client, ends.source_port + 10 + number, _NODELAY) as near, contextlib.suppress(OSError):
        near.settimeout(random.choice([0.5, 2.5]))
        near.connect((ends.server.address, ends.port))
        if random.random() < 0.7:
            near.sendall(text(random.choice([10, 3000])))
        near.recv(100)
        if random.random() < 0.2:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)


def short_ones(random: Random, ends: Ends) -> None:
    """One short connection after the other, some from the same port; each end may be the first to close, or may reset."""
    ports = [ends.source_port + random.randrange(4) for _ in range(random.randrange(4, 14))]
    with listener(ends.server, ends.port) as door:
        for port in ports:
            with contextlib.suppress(OSError):
                _short_one(random, ends, door, port)


def _short_one(random: Random, ends: Ends, door: socket.socket, port: int) -> None:
    with stream(ends.client, port) as near:
        near.settimeout(3)
        near.connect((ends.server.address, ends.port))
        far, _ = door.accept()
        far.settimeout(3)
        pair = random.sample([near, far], 2)
        send_all(near, text(random.choice([1, 500, 6000])))
        if random.random() < 0.8:
            far.recv(1 << 16)
        send_all(far, text(random.choice([1, 500, 6000])))
        if random.random() < 0.8:
            near.recv(1 << 16)
        if random.random() < 0.25:
            pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        pair[0].close()
        time.sleep(random.choice([0.0, 0.05]))
        if random.random() < 0.3:
            send_all(pair[1], text(700))
            time.sleep(random.choice([0.0, 0.1]))
        pair[1].close()
        time.sleep(random.choice([0.0, 0.1]))


def large(random: Random, ends: Ends) -> None:
    """Much data, so that congestion control has time to do its work."""
    connection = ends.connect()
    send = connection.upload if ends.upload else connection.download
    send(random.choice([1_000_000, 3_000_000]))
    connection.close()


ROUGH: dict[str, Application] = {
    each.__name__: each for each in (closed_behind_data, small_messages, no_way, crowd, short_ones, large)
}
