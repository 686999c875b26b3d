"""Connections that a kernel ends before their time, each for another reason."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from ..impair import drop
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial
from ..switch import Switch
from ..traffic import text

_LINGER_0 = struct.pack("ii", 1, 0)
_MAX_ORPHANS = Path("/proc/sys/net/ipv4/tcp_max_orphans")  # there is none in a namespace
_RESET = "TcpEstabResets TcpOutRsts"


@scenario
def abort_on_close(lab: Lab) -> None:
    """An application closes a connection whose data it has not read: reset instead of FIN.

    The client sends a request. The server's application closes without having looked at it, so its kernel, which must
    not pretend that the data was taken, sends a RST (TCPAbortOnClose). The client's application learns that its
    connection is gone when it uses it next.
    """
    client, server = lab.pair()
    size = lab.random.randrange(100, 4000)
    with lab.recording(client, server, delay_ms=2, counters=f"TcpExtTCPAbortOnClose {_RESET}"):
        connection = dial(client, server, 40001)
        connection.client.sendall(text(size))
        time.sleep(0.2)
        connection.server.close()
        time.sleep(0.2)
        connection.client.close()


@contextlib.contextmanager
def _max_orphans(count: int) -> Iterator[None]:
    """Allow so many sockets without an application. The setting is the whole machine's: it is put back at once."""
    before = _MAX_ORPHANS.read_text()
    _MAX_ORPHANS.write_text(str(count))
    try:
        yield
    finally:
        _MAX_ORPHANS.write_text(before)


@scenario
def abort_on_memory(lab: Lab) -> None:
    """A close when more sockets wait without an application than tcp_max_orphans allows: reset after the FIN.

    For half a second tcp_max_orphans is 0. The FIN of the client's first connection (port 40001) is lost, so its socket waits,
    and no application holds it. When the second (40002) is closed in order, it would be one more: the kernel sends a RST right
    after its FIN and forgets it (TCPAbortOnMemory). The setting is for all namespaces of the machine: record it where nothing
    else is at work.
    """
    client, server = lab.pair()
    rules = [drop("client", lambda segment: segment.src_port == 40001 and segment.flags & 1 == 1, nth={1})]
    with lab.recording(client, server, rules=rules, delay_ms=2, counters="TcpExtTCPAbortOnMemory TcpOutRsts"):
        waiting, second = dial(client, server, 40001), dial(client, server, 40002)
        for connection in (waiting, second):
            connection.upload(lab.random.randrange(50, 3000))
        time.sleep(0.1)
        waiting.client.close()
        with _max_orphans(0):
            time.sleep(0.15)  # the kernel looks ten times a second how many there are (tcp_orphan_update())
            second.client.close()
            time.sleep(0.35)
    waiting.abandon()
    second.abandon()


@scenario
def abort_on_linger(lab: Lab) -> None:
    """An application that does not want to wait for the other side's FIN (TCP_LINGER2 below 0): reset in FIN_WAIT_2.

    The client ends its direction, which the server acknowledges without ending its own. When the client then closes the
    socket, its kernel may not wait in FIN_WAIT_2 and sends a RST (TCPAbortOnLinger).
    """
    client, server = lab.pair()
    near = {(socket.IPPROTO_TCP, socket.TCP_LINGER2): -1}
    with lab.recording(client, server, delay_ms=2, counters=f"TcpExtTCPAbortOnLinger {_RESET}"):
        connection = dial(client, server, 40001, near=near)
        connection.upload(lab.random.randrange(50, 3000))
        connection.client.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        connection.client.close()
        time.sleep(0.2)
    connection.abandon()


@scenario
def abort_on_data(lab: Lab) -> None:
    """SO_LINGER with no time, and data that comes after close: two ways to the same counter.

    The client closes its first connection (port 40001) with SO_LINGER 0: the kernel throws away what it has and sends
    a RST (TCPAbortOnData). On the second (40002) it closes in order, and its FIN is lost on the way; the server, which
    knows nothing, sends more: data for a socket in FIN_WAIT_1 that has no application any more. The client answers
    that with a RST, and counts it likewise.
    """
    client, server = lab.pair()
    rules = [drop("client", lambda segment: segment.src_port == 40002 and segment.flags & 1 == 1, nth={1})]
    with lab.recording(client, server, rules=rules, delay_ms=2, counters=f"TcpExtTCPAbortOnData {_RESET}"):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(50, 3000))
        connection.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        connection.client.close()
        time.sleep(0.05)
        connection.server.close()
        connection = dial(client, server, 40002)
        connection.upload(lab.random.randrange(50, 3000))
        connection.client.close()
        connection.server.sendall(text(59))
        time.sleep(0.3)
        connection.server.close()


@scenario
def abort_on_timeout(lab: Lab) -> None:
    """The other host is gone without a word: data is sent again and again until the kernel gives up.

    After an ordinary exchange nothing of the client gets through any more. It sends its data again, each time after twice
    as long, three times (tcp_retries2 is 3 here, 15 by default), and then gives up (TCPAbortOnTimeout): the application
    gets ETIMEDOUT. Nothing of this can be seen at the server, where the connection stays ESTABLISHED.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_retries2": "3"})
    counters = "TcpExtTCPAbortOnTimeout TcpExtTCPTimeouts TcpRetransSegs TcpExtTCPLossProbes"
    gone = Switch()
    rules = [drop("client", gone, probability=1.0)]
    with lab.recording(client, server, rules=rules, delay_ms=2, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(0.1)
        gone.on()
        connection.upload_in_vain(lab.random.randrange(200, 1400))
    connection.abandon()


@scenario
def abort_by_keep_alive(lab: Lab) -> None:
    """Keep-alive probes to a host that is gone: after three without an answer the connection is ended.

    The connection is idle. The client has keep-alive on, after one second, then each second, three times (two hours, 75
    seconds and nine times by default). One probe is answered; from then on nothing reaches the server. Three
    probes later the client's kernel sends a RST, which is lost too, and the application gets ETIMEDOUT.
    """
    client, server = lab.pair()
    gone = Switch()
    rules = [drop("client", gone, probability=1.0)]
    near = {
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 1,
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 1,
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): 3,
    }
    counters = "TcpExtTCPKeepAlive TcpExtTCPAbortOnTimeout TcpOutRsts"
    with lab.recording(client, server, rules=rules, delay_ms=2, counters=counters):
        connection = dial(client, server, 40001, near=near)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(1.5)
        gone.on()
        time.sleep(4)
    connection.abandon()
