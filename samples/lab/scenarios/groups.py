"""Packets to groups and to all: who takes them, and who only hears them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from ..hosts import INTERFACE, Host
from ..lab import Lab
from ..scenario import scenario

_PORT = 5353
_GROUP4, _GROUP6, _OTHER4, _OTHER6 = "239.1.2.3", "ff02::1:3", "239.1.2.4", "ff02::fb"


@scenario
def groups_ipv4(lab: Lab) -> None:
    """Datagrams to a group, to another group and to the broadcast address of the subnet.

    The server has joined 239.1.2.3, and nobody 239.1.2.4: what goes there is received (IpInReceives), but not
    delivered, and not even counted as multicast. To 10.0.0.255, no socket listens: each datagram moves IpExtInBcastPkts,
    IpInDelivers and UdpIgnoredMulti, and so it does at the sender, which receives its own broadcasts.
    """
    client, server = lab.pair()
    counts = [lab.random.choice((3, 5, 7)) for _ in range(3)]
    for host in (client, server):
        host.run("ip", "link", "set", INTERFACE, "arp", "on")
        host.run("ip", "route", "add", "239.0.0.0/8", "dev", INTERFACE)
        host.run("ip", "address", "change", f"{host.address}/24", "broadcast", "10.0.0.255", "dev", INTERFACE)
    counters = "IpExtInBcastPkts IpExtOutBcastPkts IpExtInMcastPkts IpExtOutMcastPkts UdpIgnoredMulti IpInDelivers"
    with lab.recording(client, server, counters=counters), _member(server, _GROUP4) as end:
        time.sleep(0.1)
        for address, count in zip((_GROUP4, _OTHER4, "10.0.0.255"), counts, strict=True):
            _send(client, address, count, _PORT if address == _GROUP4 else _PORT + 1)
        for _ in range(counts[0]):
            end.recv(2048)


@scenario
def groups_ipv6(lab: Lab) -> None:
    """Two IPv6 hosts as they come: neighbor discovery, multicast listener reports, router solicitations, and datagrams to groups.

    Both interfaces get their link-local addresses while they are recorded. Each host reports the groups of its addresses to
    ff02::16 and asks for routers at ff02::2, groups in which no host is: these frames move Ip6InReceives and Ip6InMcastPkts of
    the other, but neither Ip6InDelivers nor Icmp6InMsgs. So do datagrams to a group that nobody has joined.
    """
    client, server = lab.pair(family=6)
    counts = [lab.random.choice((3, 5, 7)) for _ in range(2)]
    counters = "Ip6InMcastPkts Ip6OutMcastPkts Icmp6OutMLDv2Reports Icmp6OutRouterSolicits Ip6InDelivers"
    with lab.recording(client, server, counters=counters):
        for host in (client, server):
            host.run("ip", "link", "set", INTERFACE, "arp", "on")
            host.sysctl(f"ipv6.conf.{INTERFACE}.addr_gen_mode", "0")
        time.sleep(2.5)
        with _member(server, _GROUP6) as end:
            for address, count in zip((_GROUP6, _OTHER6), counts, strict=True):
                _send(client, address, count, _PORT)
            for _ in range(counts[0]):
                end.recv(2048)


@contextlib.contextmanager
def _member(host: Host, group: str) -> Iterator[socket.socket]:
    """A socket of the host that has joined a group."""
    six = host.family == 6
    with host.inside():
        end = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        index = socket.if_nametoindex(INTERFACE)
    with end:
        end.settimeout(5)
        end.bind(("", _PORT))
        packed = socket.inet_pton(end.family, group)
        if six:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed + index.to_bytes(4, "little"))
        else:
            end.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, packed + socket.inet_aton(host.address))
        yield end


def _send(host: Host, address: str, count: int, port: int) -> None:
    """Datagrams of the host, one after the other."""
    six = host.family == 6
    with host.inside():
        end = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        index = socket.if_nametoindex(INTERFACE)
    with end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for number in range(count):
            end.sendto(b"tell all %d" % number, (address, port, 0, index) if six else (address, port))
            time.sleep(0.01)
