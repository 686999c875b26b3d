"""TCP Fast Open: data in the SYN, when the server allows it and when not."""

from __future__ import annotations

import socket
import time

from ..hosts import Host
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
