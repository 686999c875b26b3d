"""Packets that nobody wants: no such address, no route, no port, no time to live."""

from __future__ import annotations

import contextlib
import socket
import time

from ..hosts import Host
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, stream
from ..traffic import text

_ELSEWHERE = "192.0.2.7"
_IP_TTL, _IP_RECVERR = 2, 11


@scenario
def in_addr_errors(lab: Lab) -> None:
    """Packets for an address that the host does not have: IpInAddrErrors.

    The client believes that 192.0.2.7 is behind the server and sends datagrams there. The server does not forward
    (ip_forward is 0), so it throws them away without a word: IpInReceives moves, IpInDelivers does not.
    """
    client, server = lab.pair()
    _leads_to(client, server)
    count = lab.random.choice((3, 5, 7, 11))
    with lab.recording(client, server, counters="IpInAddrErrors IpInReceives IpOutRequests"):
        _datagrams(client, _ELSEWHERE, count)


@scenario
def in_no_routes(lab: Lab) -> None:
    """Packets to be forwarded, and no route for them: IpExtInNoRoutes.

    The client sends datagrams for 192.0.2.7 to the server, which does forward but knows no route there. It throws them
    away and answers with ICMP, network unreachable (type 3, code 0), as long as its limits of ICMP errors allow.
    """
    client, server = lab.pair(only={"server": {"sysctls": {"ipv4.ip_forward": "1"}}})
    _leads_to(client, server)
    count = lab.random.choice((3, 5, 7))
    counters = "IpExtInNoRoutes IpInReceives IcmpOutDestUnreachs IcmpMsgOutType3 IcmpInDestUnreachs IcmpMsgInType3"
    with lab.recording(client, server, counters=counters):
        _datagrams(client, _ELSEWHERE, count)


@scenario
def connect_unreachable(lab: Lab) -> None:
    """Attempts to connect to an address that a router knows no way to: its ICMP error ends each of them (TcpAttemptFails).

    The client asks the server, which forwards but has no route for 192.0.2.7. An ICMP error ends an attempt; of a connection
    that is open it would only be remembered.
    """
    client, server = lab.pair(only={"server": {"sysctls": {"ipv4.ip_forward": "1"}}})
    _leads_to(client, server)
    counters = "TcpAttemptFails TcpActiveOpens IpExtInNoRoutes IcmpInDestUnreachs"
    with lab.recording(client, server, delay_ms=2, counters=counters):
        for number in range(lab.random.choice((3, 5))):
            with stream(client, 41_000 + number) as near, contextlib.suppress(OSError):
                near.connect((_ELSEWHERE, 80))


@scenario
def out_no_routes(lab: Lab) -> None:
    """A host that has no route itself: IpOutNoRoutes, and nothing on the wire.

    The client's applications try to send to 192.0.2.7, for which it has no route, not even a default one. Each attempt
    fails at once (ENETUNREACH). The capture holds only an unrelated short connection before it.
    """
    client, server = lab.pair()
    count = lab.random.choice((3, 5, 7, 11))
    with lab.recording(client, server, counters="IpOutNoRoutes"):
        connection = dial(client, server, 40001)
        connection.upload(59)
        connection.close()
        for _ in range(count):
            with _udp(client) as end, contextlib.suppress(OSError):
                end.sendto(text(31), (_ELSEWHERE, 53))


@scenario
def no_ports(lab: Lab) -> None:
    """UDP to a port where nobody listens: UdpNoPorts, and ICMP port unreachable back.

    The client sends questions to a closed port. Each counts in UdpNoPorts at the server, which answers with ICMP type 3
    code 3 (IcmpOutDestUnreachs) as long as its limits of ICMP errors allow.
    """
    client, server = lab.pair()
    count = lab.random.choice((5, 7, 11))
    counters = "UdpNoPorts UdpOutDatagrams IcmpOutDestUnreachs IcmpInDestUnreachs IcmpMsgOutType3 IcmpMsgInType3"
    with lab.recording(client, server, counters=counters):
        _datagrams(client, server.address, count)


@scenario
def no_ports_ipv6(lab: Lab) -> None:
    """UDP over IPv6 to a port where nobody listens: Udp6NoPorts, and ICMPv6 port unreachable back.

    The same as no-ports over IPv6, where the kernel counts with other names: Udp6NoPorts, Icmp6OutDestUnreachs.
    """
    client, server = lab.pair(family=6)
    count = lab.random.choice((5, 7, 11))
    counters = "Udp6NoPorts Udp6OutDatagrams Icmp6OutDestUnreachs Icmp6InDestUnreachs Icmp6OutType1 Icmp6InType1"
    with lab.recording(client, server, counters=counters):
        _datagrams(client, server.address, count)


@scenario
def time_exceeded(lab: Lab) -> None:
    """Datagrams that live for one hop only, as traceroute sends them: ICMP time exceeded.

    The client sends datagrams with TTL 1 to 192.0.2.7 through the server, which forwards and would have to decrease
    the TTL to 0: it drops them (IpInHdrErrors) and says so by ICMP type 11 (IcmpOutTimeExcds).
    """
    client, server = lab.pair(only={"server": {"sysctls": {"ipv4.ip_forward": "1"}}})
    _leads_to(client, server)
    server.run("ip", "route", "add", "192.0.2.0/24", "via", client.address)
    server.sysctl("ipv4.conf.all.send_redirects", "0")
    server.sysctl("ipv4.conf.eth0.send_redirects", "0")
    counters = "IpInHdrErrors IcmpOutTimeExcds IcmpInTimeExcds IcmpMsgOutType11 IcmpMsgInType11"
    with lab.recording(client, server, counters=counters):
        _datagrams(client, _ELSEWHERE, lab.random.choice((3, 5, 7)), ttl=1)


@scenario
def udp_buffer_full(lab: Lab) -> None:
    """A UDP receiver that does not read: datagrams are thrown away at its full buffer.

    The server's application has a small receive buffer and does not read. What does not fit counts in UdpRcvbufErrors
    and UdpInErrors; the capture shows that every datagram arrived.
    """
    client, server = lab.pair()
    count = lab.random.choice((31, 37, 41))
    with (
        lab.recording(client, server, counters="UdpRcvbufErrors UdpInErrors UdpInDatagrams"),
        _udp(server) as far,
        _udp(client) as near,
    ):
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8000)
        far.bind((server.address, 7))
        near.bind((client.address, 40001))
        for _ in range(count):
            near.sendto(text(lab.random.randrange(100, 500)), (server.address, 7))
        time.sleep(0.2)
        far.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while far.recv(2048):
                pass


def _leads_to(client: Host, server: Host) -> None:
    """Let the client believe that the way elsewhere is through the server."""
    client.run("ip", "route", "add", "192.0.2.0/24", "via", server.address)


def _udp(host: Host) -> socket.socket:
    with host.inside():
        return socket.socket(socket.AF_INET if host.family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)


def _datagrams(host: Host, address: str, count: int, ttl: int = 64) -> None:
    """Some datagrams to port 53 of an address, 60 ms apart, each from another port."""
    for number in range(count):
        with _udp(host) as end:
            end.bind((host.address, 40001 + number))
            if host.family == 4:
                end.setsockopt(socket.IPPROTO_IP, _IP_TTL, ttl)
            end.sendto(text(31), (address, 53))
            time.sleep(0.06)


@scenario
def unknown_protocol(lab: Lab) -> None:
    """IP packets of a protocol that the host does not know: IpInUnknownProtos, and ICMP protocol unreachable.

    The client sends packets of the protocols 253 and 254, which are for experiments. The server's kernel has nobody to
    give them to and says so by ICMP type 3 code 2.
    """
    client, server = lab.pair()
    counters = "IpInUnknownProtos IcmpOutDestUnreachs IcmpInDestUnreachs IcmpMsgOutType3 IcmpMsgInType3"
    with lab.recording(client, server, counters=counters):
        for number in range(lab.random.choice((3, 5))):
            with client.inside(), socket.socket(socket.AF_INET, socket.SOCK_RAW, 253 + number % 2) as end:
                end.sendto(text(31), (server.address, 0))
            time.sleep(0.06)
