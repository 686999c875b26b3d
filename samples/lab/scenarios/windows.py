"""Readers that do not read, and windows that close."""

from __future__ import annotations

import contextlib
import socket
import time

from ..hosts import INTERFACE
from ..impair import drop
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, read_all, sending
from ..switch import Switch
from ..traffic import text

_SMALL = {(socket.SOL_SOCKET, socket.SO_RCVBUF): 4096}
_CLOSED = "TcpExtTCPToZeroWindowAdv TcpExtTCPWinProbe"


@scenario
def zero_window(lab: Lab) -> None:
    """An application that does not read: its window closes, the sender probes, and it reads at last.

    The server's application sleeps while data comes, with a small receive buffer. Its window closes
    (TCPToZeroWindowAdv), the client probes it (TCPWinProbe), and when the application reads after 1.3 s the window
    opens again (TCPFromZeroWindowAdv). `ss` shows the data in Recv-Q at the server and in Send-Q at the client: the
    network is fine, the application is slow.
    """
    client, server = lab.pair()
    size = lab.random.randrange(9_000, 15_000)
    with lab.recording(client, server, delay_ms=2, counters=f"{_CLOSED} TcpExtTCPFromZeroWindowAdv"):
        connection = dial(client, server, 40001, far=_SMALL)
        with sending(connection.client, text(size)):
            time.sleep(1.3)
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()


@scenario
def zero_window_ipv6(lab: Lab) -> None:
    """An application that does not read, over IPv6: its window closes, the sender probes, and it reads at last.

    The same as zero-window over IPv6; the counters of TCP do not tell the two apart.
    """
    client, server = lab.pair(family=6)
    size = lab.random.randrange(9_000, 15_000)
    with lab.recording(client, server, delay_ms=2, counters=f"{_CLOSED} TcpExtTCPFromZeroWindowAdv"):
        connection = dial(client, server, 40001, far=_SMALL)
        with sending(connection.client, text(size)):
            time.sleep(1.3)
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()


@scenario
def zero_window_forever(lab: Lab) -> None:
    """An application that never reads again: probes, ever more seldom, each answered.

    The server's application hangs. Its window stays closed; the client probes it after 0.2, 0.4, 0.8, ... seconds
    and every probe is answered, so the connection lives on, with nothing moving. The recording ends before anything
    changes.
    """
    client, server = lab.pair()
    size = lab.random.randrange(9_000, 15_000)
    with lab.recording(client, server, delay_ms=2, counters=_CLOSED):
        connection = dial(client, server, 40001, far=_SMALL)
        connection.client.sendall(text(size))
        time.sleep(1.9)
    connection.abandon()


@scenario
def zero_window_probe_timeout(lab: Lab) -> None:
    """A closed window, and then the host behind it is gone: probes without an answer, until the sender gives up.

    The server's application does not read, its window is closed. Then nothing of it arrives any more. The client
    goes on probing and, with TCP_USER_TIMEOUT at 1.5 s, ends the connection (TCPAbortOnTimeout).
    """
    client, server = lab.pair()
    gone = Switch()
    rules = [drop("server", gone, probability=1.0)]
    near = {(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): 1500}
    counters = "TcpExtTCPAbortOnTimeout TcpExtTCPWinProbe TcpExtTCPToZeroWindowAdv"
    with lab.recording(client, server, rules=rules, delay_ms=2, counters=counters):
        connection = dial(client, server, 40001, near=near, far=_SMALL)
        connection.client.sendall(text(lab.random.randrange(9_000, 15_000)))
        time.sleep(0.3)
        gone.on()
        time.sleep(2.5)
    connection.abandon()


@scenario
def window_full_slow_reader(lab: Lab) -> None:
    """A reader that is a bit slower than the network: the sender fills each window that it gets.

    The server's application reads a small piece every 20 ms. The window is never closed for long; the client sends
    what it may and waits. The rate is that of the application.
    """
    client, server = lab.pair()
    size = lab.random.randrange(18_000, 24_000)
    with lab.recording(client, server, delay_ms=2, counters="TcpExtTCPRcvCoalesce TcpInSegs TcpOutSegs"):
        connection = dial(client, server, 40001, far=_SMALL)
        with sending(connection.client, text(size)):
            left = size
            while left > 0:
                left -= len(connection.server.recv(700))
                time.sleep(0.02)
        connection.close()


@scenario
def zero_window_empty_queue(lab: Lab) -> None:
    """A closed window although the application has read everything, and it never opens again.

    The client sends a burst of small messages, and one is lost. Those behind it wait in the server's queue for segments
    out of order, which Recv-Q does not show: it is 0. The server's buffer is small, small messages fill it (each
    costs several hundred bytes), and its kernel may take window back that it has given (tcp_shrink_window is 1): it
    announces 0 (TCPToZeroWindowAdv). Now the retransmission of the lost message finds a closed window and is
    dropped as well, each time (TCPZeroWindowDrop): neither side is at fault any more, and nothing moves.
    """
    small = {"ipv4.tcp_shrink_window": "1", "ipv4.tcp_rmem": "4096 16384 16384", "ipv4.tcp_comp_sack_nr": "0"}
    client, server = lab.pair(only={"server": {"sysctls": small}})
    client.run("ip", "route", "change", "10.0.0.0/24", "dev", INTERFACE, "initcwnd", "70")
    rules = [drop("client", lambda segment: segment.is_new_data, nth={lab.random.randrange(4, 8)})]
    near = {(socket.IPPROTO_TCP, socket.TCP_NODELAY): 1}
    counters = "TcpExtTCPToZeroWindowAdv TcpExtTCPZeroWindowDrop TcpExtTCPOFOQueue TcpRetransSegs"
    with lab.recording(client, server, rules=rules, delay_ms=30, counters=counters):
        connection = dial(client, server, 40001, near=near)
        for _ in range(60):
            connection.client.sendall(text(24))
        connection.server.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while connection.server.recv(1 << 16):
                pass
    connection.abandon()


@scenario
def out_of_order_dropped(lab: Lab) -> None:
    """One loss becomes many: what comes behind it does not fit into the receiver's memory.

    The server's application makes its receive buffer small after its kernel has offered a large window. The client sends a
    burst into that, and one of the first segments is lost. Those behind it wait out of order, and when the small buffer is
    full the kernel drops what still comes (TCPOFODrop).
    """
    client, server = lab.pair()
    client.run("ip", "route", "change", "10.0.0.0/24", "dev", INTERFACE, "initcwnd", "40")
    rules = [drop("client", lambda segment: segment.is_new_data, nth={lab.random.randrange(2, 4)})]
    with lab.recording(client, server, rules=rules, delay_ms=10, counters="TcpExtTCPOFODrop TcpExtTCPOFOQueue"):
        connection = dial(client, server, 40001)
        connection.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        with sending(connection.client, text(lab.random.randrange(40_000, 50_000))):
            time.sleep(0.3)
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()


@scenario
def receive_queue_pruned(lab: Lab) -> None:
    """Small messages that nobody reads: the receiver has to tidy its queue.

    The client sends many tiny messages, each in a segment of its own, to an application that does not read. They cost far
    more memory than they have bytes, so the server's buffer is full long before its window is: its kernel packs the
    queue (PruneCalled, TCPRcvCollapsed).
    """
    client, server = lab.pair()
    near = {(socket.IPPROTO_TCP, socket.TCP_NODELAY): 1}
    with lab.recording(client, server, delay_ms=1, counters="TcpExtPruneCalled TcpExtTCPRcvCollapsed"):
        connection = dial(client, server, 40001, near=near, far=_SMALL)
        for _ in range(150):
            connection.client.sendall(text(lab.random.randrange(5, 40)))
            time.sleep(0.001)
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()
