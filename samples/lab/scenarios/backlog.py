"""Servers that get more connections than they accept."""

from __future__ import annotations

import contextlib
import socket
import time

from ..hosts import Host
from ..impair import drop
from ..lab import Lab
from ..scenario import scenario
from ..sockets import listener, stream


@scenario
def listen_overflows(lab: Lab) -> None:
    """Nobody accepts: the queue of finished handshakes is full, and further SYNs are dropped in silence.

    The server listens with a backlog of 1, which leaves room for two connections, and its application never accepts
    one. SYN cookies are off. Every further SYN is dropped (ListenOverflows, ListenDrops) and the client sends it again
    after a second, in vain. `ss` shows the full queue in Recv-Q of the listening socket.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_syncookies": "0"})
    count = lab.random.choice((5, 7))
    counters = "TcpExtListenOverflows TcpExtListenDrops TcpExtTCPSynRetrans TcpExtTCPTimeouts TcpPassiveOpens"
    lab.keep(listener(server, backlog=1))
    with lab.recording(client, server, delay_ms=2, counters=counters):
        _attempts(lab, client, server, count, pause_s=0.01)
        time.sleep(1.1)


@scenario
def syn_cookies(lab: Lab) -> None:
    """More half-open connections than the server remembers: SYN cookies, and they work.

    The SYN-ACKs of the server to some clients are lost, so these connections stay half open until their queue is full
    (the backlog of the listening socket is eight). From then on the server answers with cookies (SyncookiesSent,
    TCPReqQFullDoCookies) and remembers nothing; the last client returns its cookie and is connected all the same
    (SyncookiesRecv).
    """
    client, server = lab.pair()
    lost = lab.random.choice((11, 13))
    rules = [drop("server", lambda segment: 40001 <= segment.dst_port <= 40000 + lost, probability=1.0)]
    counters = "TcpExtSyncookiesSent TcpExtSyncookiesRecv TcpExtTCPReqQFullDoCookies TcpPassiveOpens"
    door = lab.keep(listener(server, backlog=8))
    with lab.recording(client, server, rules=rules, delay_ms=2, counters=counters):
        _attempts(lab, client, server, lost)
        time.sleep(0.1)
        with stream(client, 41001) as near:
            near.connect((server.address, 80))
            far, _ = door.accept()
            far.sendall(b"welcome")
            near.recv(7)
            far.close()


@scenario
def abort_on_overflow(lab: Lab) -> None:
    """Nobody accepts, and tcp_abort_on_overflow is on: clients are reset after their handshake.

    The queue of the listening socket has room for four. Three connections fill it but for one; three more begin at the
    same time, when there is still room, so each SYN is answered. The ACKs of two of them find the queue full
    (ListenOverflows), and with tcp_abort_on_overflow the server sends a RST to connections that their clients believe
    to be open.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_syncookies": "0", "ipv4.tcp_abort_on_overflow": "1"})
    first = lab.random.randrange(40_001, 50_000)
    counters = "TcpExtListenOverflows TcpExtListenDrops TcpOutRsts TcpPassiveOpens TcpEstabResets"
    lab.keep(listener(server, backlog=3))
    with lab.recording(client, server, delay_ms=10, counters=counters):
        _attempts(lab, client, server, 3, first)
        time.sleep(0.2)
        _attempts(lab, client, server, 3, first + 3)


def _attempts(
    lab: Lab, client: Host, server: Host, count: int, first: int = 40001, pause_s: float = 0.0
) -> list[socket.socket]:
    """Begin so many connections, from the port `first` on, and leave them as they are."""
    begun = []
    for number in range(count):
        near = lab.keep(stream(client, first + number))
        near.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            near.connect((server.address, 80))
        begun.append(near)
        time.sleep(pause_s)
    return begun


@scenario
def syn_queue_full(lab: Lab) -> None:
    """More half-open connections than the server remembers, without SYN cookies: further SYNs are dropped.

    The SYN-ACKs to all clients but one are lost, so their connections stay half open until the queue of the listening
    socket is full (the backlog is eight). SYN cookies are off: what comes then is dropped in silence
    (TCPReqQFullDrop, ListenDrops), also the SYN of the client that could finish its handshake.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_syncookies": "0"})
    lost = lab.random.choice((11, 13))
    rules = [drop("server", lambda segment: 40001 <= segment.dst_port <= 40000 + lost, probability=1.0)]
    lab.keep(listener(server, backlog=8))
    with lab.recording(client, server, rules=rules, counters="TcpExtTCPReqQFullDrop TcpExtListenDrops"):
        _attempts(lab, client, server, lost)
        time.sleep(0.05)
        _attempts(lab, client, server, 1, first=41001)


@scenario
def syn_flood(lab: Lab) -> None:
    """Many more connection attempts than are ever finished: a flood, and SYN cookies against it.

    The SYN-ACKs to 61 of the client's ports are lost, as those to forged addresses are: these attempts are never finished. The
    queue of half-open connections (the backlog is eight) is full at once, and the server answers with cookies
    (SyncookiesSent), so that the two connections that are meant are served.
    """
    client, server = lab.pair()
    lost = 61
    rules = [drop("server", lambda segment: 40001 <= segment.dst_port <= 40000 + lost, probability=1.0)]
    door = lab.keep(listener(server, backlog=8))
    with lab.recording(client, server, rules=rules, delay_ms=2, counters="TcpExtSyncookiesSent TcpExtSyncookiesRecv"):
        with contextlib.ExitStack() as attempts:
            for number in range(lost):
                near = attempts.enter_context(stream(client, 40001 + number))
                near.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    near.connect((server.address, 80))
            time.sleep(0.02)  # whoever gives up sends no SYN again
        for number in range(2):
            with stream(client, 41001 + number) as near:
                near.connect((server.address, 80))
                far, _ = door.accept()
                far.sendall(b"welcome")
                near.recv(7)
                far.close()


@scenario
def syn_backlog_guarded(lab: Lab) -> None:
    """SYNs that are dropped though no queue is full: the last quarter of tcp_max_syn_backlog is for known addresses.

    SYN cookies are off, tcp_max_syn_backlog is 16 and the backlog of the listening socket 64. The SYN-ACKs are lost, so the
    connections stay half open. When three quarters of 16 are reached, the kernel drops the SYNs of addresses that it does
    not know (ListenDrops); neither ListenOverflows nor TCPReqQFullDrop moves.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_syncookies": "0", "ipv4.tcp_max_syn_backlog": "16"})
    rules = [drop("server", lambda segment: segment.dst_port > 40_000, probability=1.0)]
    lab.keep(listener(server, backlog=64))
    with lab.recording(client, server, rules=rules, counters="TcpExtListenDrops"):
        _attempts(lab, client, server, 18)
        time.sleep(0.05)


@scenario
def handshake_acks_ignored(lab: Lab) -> None:
    """Handshakes end, and data comes, while the queue of accepted connections is full: both are thrown away.

    Six clients connect at once to a server with a backlog of 1, which does not accept. All six get a SYN-ACK and send the
    ACK that ends their handshake, but only two connections are made; for the others each ACK, and later each piece of data,
    moves ListenOverflows and ListenDrops, and none TCPPureAcks.
    """
    client, server = lab.pair()
    lab.keep(listener(server, backlog=1))
    counters = "TcpExtListenOverflows TcpExtListenDrops TcpExtTCPPureAcks TcpPassiveOpens"
    with lab.recording(client, server, delay_ms=10, counters=counters):
        ends = _attempts(lab, client, server, 6)
        time.sleep(0.3)
        for end in ends:
            end.send(b"hello")
        time.sleep(1.5)


@scenario
def deferred_accept(lab: Lab) -> None:
    """A server that wants to see data before it accepts (TCP_DEFER_ACCEPT): the ACK that ends a handshake is dropped.

    Of five clients three send something a little later, and their connections are made then (TcpPassiveOpens); the others
    keep silent. Each bare ACK counts as TCPDeferAcceptDrop, and not as TCPPureAcks.
    """
    client, server = lab.pair()
    defer = {(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT): 5}
    lab.keep(listener(server, options=defer))
    counters = "TcpExtTCPDeferAcceptDrop TcpPassiveOpens"
    with lab.recording(client, server, delay_ms=5, counters=counters):
        ends = _attempts(lab, client, server, 5)
        time.sleep(0.2)
        for end in ends[:3]:
            end.send(b"hello")
        time.sleep(0.3)
