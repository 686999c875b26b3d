"""Connections that wait, though nothing is lost: for an application that thinks, for one that pauses, for a window."""

from __future__ import annotations

import socket
import time

from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, read_all, sending
from ..traffic import text

ASKED = 5
THINK_S, READ_S = 0.31, 0.13
WRITES, PAUSE_S = 7, 0.17
REQUESTS, CLIENT_S = 9, 0.21


@scenario
def slow_answers(lab: Lab) -> None:
    """A server that needs 310 ms for each of five answers, and a client that asks again 130 ms after each.

    The server's kernel acknowledges each request at once, its application answers later: `ss` shows no queue, no
    counter moves but those of segments. Whoever blames the network for it is wrong.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=10, counters="TcpInSegs TcpOutSegs"):
        connection = dial(client, server, 40001)
        for _ in range(ASKED):
            connection.upload(lab.random.randrange(100, 900))
            time.sleep(THINK_S)
            connection.download(lab.random.randrange(2000, 3000))
            time.sleep(READ_S)
        connection.close()


@scenario
def slow_requests(lab: Lab) -> None:
    """A client that lets 210 ms pass before each of its nine requests, and a server that answers at once.

    Nothing is under way between an answer and the next request: the time goes to the client's application, and neither
    a faster server nor a faster network would save any of it.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=5, counters="TcpInSegs TcpOutSegs"):
        connection = dial(client, server, 40001)
        for _ in range(REQUESTS):
            time.sleep(CLIENT_S)
            connection.upload(lab.random.randrange(100, 300))
            connection.download(lab.random.randrange(300, 900))
        connection.close()


@scenario
def sender_pauses(lab: Lab) -> None:
    """A sender that writes seven times, 170 ms apart, while nothing hinders it.

    All that was written is acknowledged long before the next write; the window is open. The time goes to the client's
    application.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=10, counters="TcpInSegs TcpOutSegs"):
        connection = dial(client, server, 40001)
        for number in range(WRITES):
            if number:
                time.sleep(PAUSE_S)
            connection.client.sendall(text(lab.random.randrange(600, 1300)))
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()


@scenario
def receive_window_limited(lab: Lab) -> None:
    """A receiver with little room (SO_RCVBUF) at the other end of a long way: a few segments a round trip.

    The server's application reads at once, so that the window is never closed; but it is so small that the client must wait
    for nearly all of each round trip of 120 ms (`rwnd_limited` of its `ss -i`). The link is idle meanwhile.
    """
    client, server = lab.pair()
    size = lab.random.randrange(55_000, 60_000)
    with lab.recording(client, server, delay_ms=60, counters="TcpInSegs TcpOutSegs"):
        connection = dial(client, server, 40001, far={(socket.SOL_SOCKET, socket.SO_RCVBUF): 8192})
        with sending(connection.client, text(size)):
            left = size
            while left > 0:
                left -= len(connection.server.recv(1 << 16))
        time.sleep(0.55)  # until the next snapshot
        connection.close()


@scenario
def window_scaling_refused(lab: Lab) -> None:
    """A server that grants no window scaling, at the end of a long way: 64 kB a round trip, whatever the line could do.

    The client offers window scaling, the server's kernel does not know it (tcp_window_scaling is 0). So its window cannot be
    larger than 65,535 bytes, although its buffer is, and with a round trip of 120 ms that is the limit.
    """
    old = {"ipv4.tcp_window_scaling": "0", "ipv4.tcp_rmem": "4096 524288 6291456"}
    client, server = lab.pair(only={"server": {"sysctls": old}})
    size = lab.random.randrange(500_000, 540_000)
    with lab.recording(client, server, delay_ms=60, snaplen=96):
        connection = dial(client, server, 40001)
        with sending(connection.client, text(size)):
            left = size
            while left > 0:
                left -= len(connection.server.recv(1 << 16))
        connection.close()
