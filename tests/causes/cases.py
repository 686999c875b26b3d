"""Traffic that waits for a known reason: a lab goes in, how long each cause took comes out, in seconds."""

from __future__ import annotations

import array
import fcntl
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from samples.lab.frames import Segment
from samples.lab.hosts import INTERFACE, Host
from samples.lab.impair import NS, Delivery, Rule, drop
from samples.lab.lab import Lab
from samples.lab.sockets import dial, sending
from samples.lab.tap import HEADER_LEN
from samples.lab.traffic import text

SIOCOUTQNSD = 0x894B
LEN = 1448
"""Payload of a full segment, with timestamps."""
ROOM = (socket.SOL_SOCKET, socket.SO_RCVBUF)

Truth = dict[str, float]
"""Seconds by cause, of what several causes share with their names joined by +; `CAUSE@HOST` in the capture of that host."""

SHOWN_S = 0.55
"""Until the sockets have been listed once more."""


@dataclass
class Clock:
    """Measures what passes while the application does one thing."""

    spent: Truth = field(default_factory=dict)

    def add(self, cause: str, seconds: float) -> None:
        """So much more of this cause."""
        self.spent[cause] = self.spent.get(cause, 0.0) + seconds

    def sleep(self, cause: str, seconds: float) -> None:
        """As long as it really takes."""
        start = time.monotonic()
        time.sleep(seconds)
        self.add(cause, time.monotonic() - start)


@dataclass
class Pair:
    """The sender of data and the receiver, with their hosts; which is the client alternates from seed to seed."""

    near: Host
    far: Host
    sender: socket.socket
    receiver: socket.socket
    source: str

    def passes(self, size: int, piece: int = 1 << 20) -> float:
        """Send so much, piece by piece, which the other end reads at once; for how long something waited to be sent."""
        reading = threading.Thread(target=read_exactly, args=(self.receiver, size), daemon=True)
        reading.start()
        seconds = self.waits(size, piece)
        reading.join()
        return seconds

    def waits(self, size: int, piece: int = 1 << 20) -> float:
        """The same, whoever reads."""
        self.sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no short segment waits for more
        start = time.monotonic()
        for done in range(0, size, piece):
            self.sender.sendall(bytes(min(piece, size - done)))
        left = array.array("i", [1])
        while left[0]:
            time.sleep(0.0005)
            fcntl.ioctl(self.sender, SIOCOUTQNSD, left)
        return time.monotonic() - start

    def close(self, shown_s: float = SHOWN_S) -> None:
        """The sender first, when its socket has been listed."""
        time.sleep(shown_s)
        self.sender.shutdown(socket.SHUT_WR)
        while self.receiver.recv(1 << 16):
            pass
        self.receiver.close()
        while self.sender.recv(1 << 16):
            pass
        self.sender.close()


def read_exactly(end: socket.socket, size: int) -> None:
    """Read so many bytes, as soon as they come."""
    while size > 0:
        size -= len(end.recv(min(size, 1 << 16)))


def connected(lab: Lab, client: Host, server: Host, room: int = 0) -> Pair:
    """A connection in which data goes up or down, to a receiver with this room."""
    up = lab.seed % 2 == 1
    options = {ROOM: room} if room else {}
    connection = dial(client, server, 40001, near={} if up else options, far=options if up else {})
    if up:
        return Pair(client, server, connection.client, connection.server, "client")
    return Pair(server, client, connection.server, connection.client, "server")


def ends(lab: Lab) -> tuple[str, str]:
    """Who sends, and who receives."""
    return ("client", "server") if lab.seed % 2 == 1 else ("server", "client")


def thinking_server(lab: Lab) -> Truth:
    """It sleeps before each answer."""
    client, server = lab.pair()
    clock = Clock()
    with lab.recording(client, server, delay_ms=lab.random.choice([2, 10, 25])):
        connection = dial(client, server, 40001)
        for _ in range(5):
            connection.upload(lab.random.randrange(100, 900))
            clock.sleep("server_think", lab.random.uniform(0.15, 0.35))
            connection.download(lab.random.randrange(20, 3000))
        connection.close()
    return clock.spent


def thinking_client(lab: Lab) -> Truth:
    """It sleeps before each request but the first."""
    client, server = lab.pair()
    clock = Clock()
    with lab.recording(client, server, delay_ms=lab.random.choice([2, 10, 25])):
        connection = dial(client, server, 40001)
        for number in range(6):
            if number:
                clock.sleep("client_think", lab.random.uniform(0.15, 0.35))
            connection.upload(lab.random.randrange(100, 900))
            connection.download(lab.random.randrange(20, 3000))
        connection.close()
    return clock.spent


def pausing_sender(lab: Lab) -> Truth:
    """It sleeps between its writes."""
    client, server = lab.pair()
    clock = Clock()
    with lab.recording(client, server, delay_ms=lab.random.choice([2, 10, 25])):
        pair = connected(lab, client, server)
        for number in range(6):
            if number:
                clock.sleep("sender_stall", lab.random.uniform(0.15, 0.35))
            pair.sender.sendall(text(lab.random.randrange(200, 1300)))
        pair.close()
    return clock.spent


def sleeping_reader(lab: Lab) -> Truth:
    """It sleeps before it reads, and has little room."""
    client, server = lab.pair()
    size = lab.random.randrange(12_000, 20_000)
    clock = Clock()
    with lab.recording(client, server, delay_ms=2):
        pair = connected(lab, client, server, room=4096)
        with sending(pair.sender, text(size)):
            clock.sleep("zero_window", lab.random.uniform(0.8, 1.3))
            read_exactly(pair.receiver, size)
        pair.close()
    return clock.spent


def slow_reader(lab: Lab) -> Truth:
    """It sleeps before each read of a part."""
    client, server = lab.pair()
    size, part = 60_000, 4_000
    pauses = [lab.random.uniform(0.08, 0.12) for _ in range(size // part)]
    with lab.recording(client, server, delay_ms=2):
        pair = connected(lab, client, server, room=8192)
        reading = threading.Thread(target=read_parts, args=(pair.receiver, part, pauses), daemon=True)
        reading.start()
        spent = pair.waits(size)
        reading.join()
        pair.close()
    return {"receive_window+zero_window": spent}


def read_parts(end: socket.socket, part: int, pauses: list[float]) -> None:
    """Sleep, read a part, and again."""
    for pause in pauses:
        time.sleep(pause)
        read_exactly(end, part)


def long_path(lab: Lab) -> Truth:
    """A congestion window that begins with little, and a long way."""
    client, server = lab.pair()
    delay_s = lab.random.choice([0.055, 0.06, 0.065])
    for host in (client, server):
        host.run("ip", "route", "replace", "10.0.0.0/24", "dev", INTERFACE, "initcwnd", "1")
    with lab.recording(client, server, delay_ms=1000 * delay_s):
        pair = connected(lab, client, server)
        spent = pair.passes(LEN * lab.random.randrange(80, 105))  # a flight of more would fill the window
        pair.close()
    # The sender waits for its last ACK too. A client that receives waits for the first data, as long as the way is there and back.
    return {"round_trip@client": spent + 2 * delay_s, "round_trip@server": spent + 2 * delay_s * (pair.near is server)}


def little_send_room(lab: Lab) -> Truth:
    """SO_SNDBUF of a sender, and a long way: no more is in flight than has room there."""
    client, server = lab.pair()
    delay_s = lab.random.choice([0.02, 0.03])
    with lab.recording(client, server, delay_ms=1000 * delay_s):
        pair = connected(lab, client, server)
        pair.sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 9000)
        spent = pair.passes(LEN * lab.random.randrange(120, 140), piece=LEN)
        pair.close()
    return {"round_trip@client": spent + 2 * delay_s, "round_trip@server": spent + 2 * delay_s * (pair.near is server)}


@dataclass
class Link:
    """So many bits a second, one frame after the other."""

    source: str
    rate: float
    free_ns: int = 0

    def carry(self, delivery: Delivery, random: Random) -> list[Delivery]:
        """Deliver when those before are through."""
        size = len(delivery.frame) - HEADER_LEN
        self.free_ns = max(self.free_ns, delivery.due_ns) + round(8 * size * NS / self.rate)
        return [Delivery(self.free_ns, delivery.frame)]

    @property
    def rule(self) -> Rule:
        """For all that the source sends."""
        return Rule("rate", self.source, lambda segment: True, self.carry, probability=1.0)


def slow_link(lab: Lab) -> Truth:
    """Few bits a second."""
    client, server = lab.pair()
    rate = lab.random.choice([2e6, 3e6, 4e6])
    size = round(rate / 8 * 0.9)
    with lab.recording(client, server, delay_ms=10, rules=[Link(ends(lab)[0], rate).rule]):
        pair = connected(lab, client, server)
        pair.passes(size)
        pair.close()
    return {"transfer": 8 * size * (1 + 66 / LEN) / rate}


def little_room(lab: Lab) -> Truth:
    """SO_RCVBUF of a receiver that reads at once, at the other end of a long way."""
    client, server = lab.pair()
    size = lab.random.randrange(100_000, 120_000)
    with lab.recording(client, server, delay_ms=lab.random.choice([40, 50, 60])):
        pair = connected(lab, client, server, room=8192)
        spent = pair.passes(size)
        pair.close()
    return {"receive_window": spent}


def unscaled_window(lab: Lab) -> Truth:
    """No window scaling, a long way, and a congestion window that is large from the beginning."""
    client, server = lab.pair(sysctls={"ipv4.tcp_window_scaling": "0"})
    for host in (client, server):
        host.run("ip", "route", "replace", "10.0.0.0/24", "dev", INTERFACE, "initcwnd", "60", "initrwnd", "44")
    with lab.recording(client, server, delay_ms=lab.random.choice([40, 60])):
        pair = connected(lab, client, server)
        spent = pair.passes(14 * 64_000)
        pair.close()
    return {"receive_window": spent}


@dataclass
class LateAcks:
    """Measures how long the ACKs of small writes are held back, and loses nothing."""

    delay_s: float
    clock: Clock
    since_ns: int = 0

    def asked(self, segment: Segment) -> bool:
        """A write that passes on its way to the server."""
        if segment.is_data:
            self.since_ns = time.monotonic_ns()
        return False

    def answered(self, segment: Segment) -> bool:
        """What comes back: an ACK alone is late by what it took beyond the way to the server."""
        if segment.is_pure_ack and self.since_ns:
            self.clock.add("delayed_ack", max(0.0, (time.monotonic_ns() - self.since_ns) / NS - self.delay_s))
        self.since_ns = 0
        return False


def nagle(lab: Lab) -> Truth:
    """Requests in two small writes: the second waits for the delayed ACK of the first."""
    client, server = lab.pair()
    delay_s = lab.random.choice([1, 3, 5]) / 1000
    late = LateAcks(delay_s, Clock())
    rules = [drop("client", late.asked, probability=1.0), drop("server", late.answered, probability=1.0)]
    with lab.recording(client, server, delay_ms=1000 * delay_s, rules=rules):
        connection = dial(client, server, 40001)
        for _ in range(14):
            sizes = [lab.random.randrange(20, 90) for _ in range(2)]
            for size in sizes:
                connection.client.sendall(text(size))
            read_exactly(connection.server, sum(sizes))
            connection.download(lab.random.randrange(20, 90))
        connection.close()
    return late.clock.spent


@dataclass
class Lost:
    """Loses the first `times` copies of the last segment of each write, and measures until it passes."""

    source: str
    times: int
    clock: Clock
    cause: str
    wanted: bool = False
    since_ns: int = 0
    seen: int = 0

    def __call__(self, segment: Segment) -> bool:
        """Whether to lose it."""
        if not segment.is_data or not self.wanted:
            return False
        now = time.monotonic_ns()
        self.seen += 1
        if self.seen == 1:
            self.since_ns = now
        if self.seen <= self.times:
            return True
        self.clock.add(self.cause, (now - self.since_ns) / NS)
        self.wanted, self.seen = False, 0
        return False


def lost_tail(lab: Lab) -> Truth:
    """What is written is lost, and the probe as well: only the timer is left."""
    client, server = lab.pair()
    delay_s = lab.random.choice([2, 5, 10]) / 1000
    clock = Clock()
    lost = Lost(ends(lab)[0], 2, clock, "loss_timeout")
    with lab.recording(client, server, delay_ms=1000 * delay_s, rules=[drop(lost.source, lost, probability=1.0)]):
        pair = connected(lab, client, server)
        for number in range(7):
            lost.wanted = number % 2 == 1
            size = lab.random.randrange(200, 1300)
            pair.waits(size)
            read_exactly(pair.receiver, size)
        pair.close()
    # The repair has yet to arrive when it passes, and to be acknowledged.
    clock.add("loss_timeout", 3 * 2 * delay_s)
    return clock.spent


@dataclass
class Repairs:
    """Notes when something is sent again, and loses nothing."""

    times: list[int] = field(default_factory=list)

    def __call__(self, segment: Segment) -> bool:
        """Whether to lose it: never."""
        if segment.is_data and not segment.is_new:
            self.times.append(time.monotonic_ns())
        return False


def lost_in_flight(lab: Lab) -> Truth:
    """Many segments of one flight, without SACK: one repair each round trip."""
    client, server = lab.pair(sysctls={"ipv4.tcp_sack": "0"})
    delay_s = lab.random.choice([20, 30, 40]) / 1000
    first = lab.random.randrange(2, 4)
    repairs = Repairs()
    rules = [
        drop(ends(lab)[0], lambda segment: segment.is_new_data, nth={*range(first, first + 5)}),
        drop(ends(lab)[0], repairs, probability=1.0),
    ]
    with lab.recording(client, server, delay_ms=1000 * delay_s, rules=rules):
        pair = connected(lab, client, server)
        pair.passes(10 * LEN)
        pair.close(0)
    # The last repair has yet to arrive when it passes, and to be acknowledged.
    return {"loss_fast": (repairs.times[-1] - repairs.times[0]) / NS + 2 * delay_s}


def several(lab: Lab) -> Truth:
    """A long way, a server that thinks, an answer that the window holds back, and a client that thinks."""
    client, server = lab.pair()
    delay_s = lab.random.choice([10, 20]) / 1000
    clock = Clock()
    with lab.recording(client, server, delay_ms=1000 * delay_s):
        connection = dial(client, server, 40001, near={ROOM: 8192})
        pair = Pair(server, client, connection.server, connection.client, "server")
        for number in range(3):
            if number:
                clock.sleep("client_think", lab.random.uniform(0.2, 0.3))
            connection.upload(lab.random.randrange(100, 900))
            clock.sleep("server_think", lab.random.uniform(0.4, 0.6))
            clock.add("receive_window", pair.passes(lab.random.randrange(60_000, 90_000)))
        clock.sleep("client_think", SHOWN_S)
        connection.close()
    return clock.spent


CASES: dict[str, Callable[[Lab], Truth]] = {
    each.__name__: each
    for each in (
        thinking_server, thinking_client, pausing_sender, sleeping_reader, slow_reader, long_path, little_send_room, slow_link, little_room,
        unscaled_window, nagle, lost_tail, lost_in_flight, several,
    )
}  # fmt: skip
