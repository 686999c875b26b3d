"""TCP Fast Open: data in the SYN, when the server allows it and when not."""

from __future__ import annotations

import socket
import time

from ..hosts import Host
from ..impair import drop
from ..lab import Lab
from ..scenario import scenario
from ..sockets import TIMEOUT_S, listener, read_all, stream
from ..traffic import text

_ENABLED = {"ipv4.tcp_fastopen": "3"}
_MSG_FASTOPEN = 0x20000000
_QUEUE = {(socket.IPPROTO_TCP, socket.TCP_FASTOPEN): 8}
_KEY = "00000001-00000002-00000003-00000004"


@scenario
def fast_open(lab: Lab) -> None:
    """TCP Fast Open: a cookie is asked for with the first connection, and the second has its data in the SYN.

    The first SYN asks for a cookie and carries no data yet (TCPFastOpenCookieReqd at the server). The second shows it, with
    the request: the server hands the data to its application at once (TCPFastOpenPassive) and acknowledges it
    with the SYN-ACK (TCPFastOpenActive at the client).
    """
    client, server = lab.pair(sysctls=_ENABLED)
    counters = "TcpExtTCPFastOpenActive TcpExtTCPFastOpenPassive TcpExtTCPFastOpenCookieReqd"
    with lab.recording(client, server, delay_ms=10, counters=counters):
        for source_port in (40001, 40002):
            _request(client, server, source_port, lab.random.randrange(100, 1200))


@scenario
def fast_open_refused(lab: Lab) -> None:
    """TCP Fast Open with a cookie that the server does not know any more: the data of the SYN is lost and sent again.

    The client has a cookie from its first connection. Then the server gets another key. It refuses the cookie of the
    second SYN (TCPFastOpenPassiveFail), takes no data from it and sends a new cookie; the client sends its data again
    after the handshake (TCPFastOpenActiveFail). The third connection uses the new cookie.
    """
    client, server = lab.pair(sysctls=_ENABLED)
    counters = (
        "TcpExtTCPFastOpenActive TcpExtTCPFastOpenActiveFail TcpExtTCPFastOpenPassive TcpExtTCPFastOpenPassiveFail "
        "TcpExtTCPFastOpenCookieReqd TcpRetransSegs"
    )
    with lab.recording(client, server, delay_ms=10, counters=counters):
        _request(client, server, 40001, lab.random.randrange(100, 1200))
        server.sysctl("ipv4.tcp_fastopen_key", _KEY)
        _request(client, server, 40002, lab.random.randrange(100, 1200))
        _request(client, server, 40003, lab.random.randrange(100, 1200))


@scenario
def fast_open_not_supported(lab: Lab) -> None:
    """A client that asks for a Fast Open cookie, and a server that does not know of such a thing.

    Each SYN asks for a cookie; the SYN-ACK has none, so the data follows after an ordinary handshake. Nothing is lost by it.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_fastopen": "1"})
    with lab.recording(client, server, delay_ms=10, counters="TcpActiveOpens TcpPassiveOpens TcpOutSegs"):
        for source_port in (40001, 40002):
            _request(client, server, source_port, lab.random.randrange(100, 1200))


@scenario
def fast_open_lost(lab: Lab) -> None:
    """TCP Fast Open on a path that loses the SYN with the data, then the SYN-ACK, then the ACK.

    The first connection asks for a cookie. The SYN of the second is lost with its data, and sent again without any: the data follows
    the handshake. Of the third the SYN-ACK is lost, of the fourth the ACK of the handshake.
    """
    client, server = lab.pair(sysctls=_ENABLED)
    rules = [
        drop("client", lambda segment: segment.is_syn, nth={2}),
        drop("server", lambda segment: segment.is_syn_ack, nth={3}),
        drop("client", lambda segment: segment.is_pure_ack and segment.src_port == 40004, nth={1}),
    ]
    with lab.recording(
        client, server, rules=rules, delay_ms=10, counters="TcpExtTCPSynRetrans TcpExtTCPFastOpenPassive"
    ):
        for number in range(5):
            _request(client, server, 40001 + number, lab.random.randrange(100, 1200))


@scenario
def fast_open_overflow(lab: Lab) -> None:
    """A listener with room for one request of TCP Fast Open at a time: the next is served in the old way.

    The client's ACK of the SYN-ACK is lost, so the first of two requests stays in the queue (TCP_FASTOPEN is 1). The data of the second
    SYN is not taken (TCPFastOpenListenOverflow) and comes again after the handshake. No cookie is needed: both sides have it so
    (net.ipv4.tcp_fastopen 0x207).
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_fastopen": "519"})
    rules = [drop("client", lambda segment: segment.is_pure_ack and segment.src_port == 40001, nth=range(1, 4))]
    counters = "TcpExtTCPFastOpenListenOverflow TcpExtTCPFastOpenPassive TcpExtTCPFastOpenActiveFail"
    with (
        lab.recording(client, server, rules=rules, delay_ms=10, counters=counters),
        listener(server, options={(socket.IPPROTO_TCP, socket.TCP_FASTOPEN): 1}) as door,
    ):
        ends = []
        for source_port in (40001, 40002):
            ends.append(stream(client, source_port))
            ends[-1].settimeout(None)
            ends[-1].sendto(text(lab.random.randrange(100, 1200)), _MSG_FASTOPEN, (server.address, 80))
        time.sleep(0.2)
        for near in ends:
            with near, door.accept()[0] as far:
                near.shutdown(socket.SHUT_WR)
                far.settimeout(TIMEOUT_S)
                read_all(far)


def _request(client: Host, server: Host, source_port: int, size: int) -> None:
    """Send `size` bytes as early as may be, and close."""
    with listener(server, options=_QUEUE) as door, stream(client, source_port) as near:
        # With a timeout Python makes the socket non-blocking, which this way of connecting does not survive.
        near.settimeout(None)
        near.sendto(text(size), _MSG_FASTOPEN, (server.address, 80))
        far, _ = door.accept()
        with far:
            far.settimeout(TIMEOUT_S)
            near.shutdown(socket.SHUT_WR)
            read_all(far)
        read_all(near)
    time.sleep(0.05)
