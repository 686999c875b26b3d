"""Datagrams larger than a frame."""

from __future__ import annotations

import contextlib
import socket
import time

from ..frames import UDP, Segment
from ..hosts import Host
from ..impair import drop
from ..lab import Lab
from ..scenario import scenario
from ..traffic import text

_MADE = "IpFragOKs IpFragCreates IpReasmReqds"


@scenario
def fragments(lab: Lab) -> None:
    """UDP datagrams in several fragments each, all of which arrive.

    The client's kernel cuts each datagram into fragments of the size of a frame (IpFragOKs counts datagrams, IpFragCreates
    fragments), the server's puts them together (IpReasmReqds counts fragments, IpReasmOKs datagrams).
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=1, counters=f"{_MADE} IpReasmOKs UdpInDatagrams UdpOutDatagrams"):
        _datagrams(lab, client, server, 3)


@scenario
def fragments_ipv6(lab: Lab) -> None:
    """UDP datagrams over IPv6 in several fragments each, all of which arrive.

    As fragments over IPv6: Ip6FragOKs, Ip6FragCreates, Ip6ReasmReqds, Ip6ReasmOKs.
    """
    client, server = lab.pair(family=6)
    counters = "Ip6FragOKs Ip6FragCreates Ip6ReasmReqds Ip6ReasmOKs Udp6InDatagrams Udp6OutDatagrams"
    with lab.recording(client, server, delay_ms=1, counters=counters):
        _datagrams(lab, client, server, 3)


@scenario
def fragment_lost(lab: Lab) -> None:
    """One fragment lost: the whole datagram is, a second later.

    The second fragment of the second datagram is lost. The server waits for it for a second (ipfrag_time, 30 by
    default), then throws the others away (IpReasmTimeout, IpReasmFails) and says so by ICMP time exceeded, type 11
    code 1. The application gets the other datagrams only.
    """
    client, server = lab.pair(only={"server": {"sysctls": {"ipv4.ipfrag_time": "1"}}})
    rules = [drop("client", _SecondOf(2), probability=1.0)]
    counters = f"{_MADE} IpReasmOKs IpReasmTimeout IpReasmFails IcmpOutTimeExcds UdpInDatagrams UdpOutDatagrams"
    with lab.recording(client, server, rules=rules, delay_ms=1, counters=counters):
        _datagrams(lab, client, server, 3)
        time.sleep(1.2)


class _SecondOf:
    """A predicate for the second frame of the datagram with this number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._seen = 0
        self._part = 0

    def __call__(self, segment: Segment) -> bool:
        """Whether this is the one; must be asked once of each frame."""
        if segment.protocol != UDP:
            return False
        is_first = segment.dst_port == 7
        self._seen += is_first
        self._part = 1 if is_first else self._part + 1
        return (self._seen, self._part) == (self._number, 2)


def _datagrams(lab: Lab, client: Host, server: Host, count: int) -> None:
    """Datagrams of three or four fragments from port 40001 to port 7, where they are read."""
    with _udp(server) as far, _udp(client) as near:
        far.bind((server.address, 7))
        near.bind((client.address, 40001))
        far.settimeout(0.05)
        for _ in range(count):
            near.sendto(text(lab.random.randrange(3200, 5600)), (server.address, 7))
            with contextlib.suppress(TimeoutError):
                far.recv(1 << 16)


def _udp(host: Host) -> socket.socket:
    with host.inside():
        return socket.socket(socket.AF_INET if host.family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
