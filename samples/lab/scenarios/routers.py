"""A router between the client and the server, captured on its outer side."""

from __future__ import annotations

import contextlib
import socket
import time

from ..errors import LabError
from ..hosts import Host
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, listener, stream
from ..traffic import ping, text

_TCP_TIMESTAMP = 24


@scenario
def forwarding(lab: Lab) -> None:
    """A host that forwards for another: its own TCP counts nothing of it.

    `router` is captured on the side of the server. The client behind it (192.168.1.2) uploads and downloads; all this
    moves IpForwDatagrams, IpInReceives and IpOutTransmits of the router, but neither its IpOutRequests nor its
    Tcp counters. A ping of the router itself does move IpOutRequests.
    """
    router, server = lab.hosts("router", "server")
    inner = lab.behind(router, 1)
    server.run("ip", "route", "add", "192.168.0.0/16", "via", router.address)
    counters = "IpForwDatagrams IpOutTransmits IpOutRequests IpInReceives IpInDelivers TcpPassiveOpens"
    with lab.recording(router, server, delay_ms=2, counters=counters):
        connection = dial(inner, server, 40001)
        connection.upload(lab.random.randrange(2000, 6000))
        connection.download(lab.random.randrange(2000, 6000))
        connection.close()
        ping(router, server)


@scenario
def forwarding_nat(lab: Lab) -> None:
    """Two clients behind one address: a router that translates.

    The clients 192.168.1.2 and 192.168.2.2 use the same local port; the router gives both its own address, 10.0.0.1, and
    one of them another port. The capture of the router is of its outer side and shows the translated packets only. At the
    server both seem to be one host; only the timestamps, which do not fit together, tell.
    """
    router, server = lab.hosts("router", "server")
    clients = [lab.behind(router, number) for number in (1, 2)]
    router.run(*["iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE"])
    with lab.recording(router, server, delay_ms=2, counters="IpForwDatagrams TcpPassiveOpens"):
        for client in clients:
            connection = dial(client, server, 40001)
            connection.upload(lab.random.randrange(2000, 6000))
            connection.close()
            time.sleep(0.05)


@scenario
def timestamps_behind_nat(lab: Lab) -> None:
    """Two clients behind one address and one port after the other: the clock of that address goes back.

    The router gives both clients the address 10.0.0.1 and the port 50001. The first connection ends by the server, which
    keeps it in TIME_WAIT. Then the second client connects, and its timestamps, which have nothing to do with those of
    the first, are lower: the server takes its SYN for an old one (PAWSTimewait) and answers with an ACK for the
    connection that it remembers. The client rejects that with a RST, which ends TIME_WAIT, and sends its SYN again, which
    is accepted. Kernels before 4.12 with tcp_tw_recycle refused such clients altogether.
    """
    router, server = lab.hosts("router", "server")
    first = lab.behind(router, 1)
    second = lab.behind(router, 2, sysctls={"ipv4.tcp_timestamps": "2"})
    for state in ("time_wait", "close", "close_wait", "last_ack", "fin_wait"):
        router.sysctl(f"netfilter.nf_conntrack_tcp_timeout_{state}", "1")
    translate = "iptables -t nat -A POSTROUTING -p tcp -o eth0 -j SNAT --to-source 10.0.0.1:50001"
    router.run(*translate.split())
    port = _port_with_later_clock(first, second, server)
    counters = "TcpExtPAWSTimewait TcpPassiveOpens TcpExtTW"
    with (
        lab.recording(router, server, delay_ms=2, counters=counters),
        listener(server) as door,
    ):
        for client, source_port in ((first, port), (second, 40001)):
            with stream(client, source_port) as near:
                near.connect((server.address, 80))
                far, _ = door.accept()
                near.sendall(text(lab.random.randrange(100, 900)))
                far.recv(1 << 16)
                far.close()
                near.recv(1)
            time.sleep(1.4)


def _port_with_later_clock(first: Host, second: Host, server: Host) -> int:
    """A port from which `first` would send timestamps ahead of those of `second`; its offset depends on the port."""
    reference = _timestamp(second, server, 40001)
    for port in range(40001, 40100):
        ahead = (_timestamp(first, server, port) - reference) & 0xFFFFFFFF
        if 1 << 20 < ahead < 1 << 30:
            return port
    raise LabError("no port has timestamps that fit")


def _timestamp(host: Host, server: Host, port: int) -> int:
    """The timestamp that a SYN from this port carries; the SYN itself does not leave the host."""
    rule = ["OUTPUT", "-p", "tcp", "--syn", "-j", "DROP"]
    host.run("iptables", "-A", *rule)
    with stream(host, port) as end:
        end.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            end.connect((server.address, 80))
        value = end.getsockopt(socket.IPPROTO_TCP, _TCP_TIMESTAMP)
    host.run("iptables", "-D", *rule)
    return value & 0xFFFFFFFF


@scenario
def fragmentation_needed(lab: Lab) -> None:
    """A smaller MTU behind a router: ICMP says how large packets may be, and TCP sends smaller ones.

    The client behind the router has a link of 1,200 bytes, which the server does not know. It sends full segments that
    must not be fragmented (DF); the router drops them (IpFragFails) and answers with ICMP type 3 code 4 and the MTU
    (IcmpOutDestUnreachs). The server cuts what it has sent into smaller segments and sends it again.
    """
    router, server = lab.hosts("router", "server")
    inner = lab.behind(router, 1)
    router.run("ip", "link", "set", "lan1", "mtu", "1200")
    server.run("ip", "route", "add", "192.168.0.0/16", "via", router.address)
    counters = "IpFragFails IcmpOutDestUnreachs IcmpMsgOutType3 IcmpInDestUnreachs IcmpMsgInType3 TcpRetransSegs"
    with lab.recording(router, server, delay_ms=5, counters=counters):
        connection = dial(inner, server, 40001)
        connection.upload(lab.random.randrange(50, 300))
        connection.download(lab.random.randrange(6000, 9000))
        connection.close()


@scenario
def mtu_black_hole(lab: Lab) -> None:
    """A smaller MTU behind a router whose ICMP is filtered: full segments vanish, small ones pass.

    As in fragmentation-needed, but a firewall on the router keeps its ICMP back. The handshake and the request pass;
    every full segment of the answer is dropped (IpFragFails at the router), also when it is sent again (TCPTimeouts). The
    server, which has tcp_mtu_probing on, suspects a black hole after some timeouts and tries smaller segments.
    """
    router, server = lab.hosts(
        "router", "server", only={"server": {"sysctls": {"ipv4.tcp_mtu_probing": "1", "ipv4.tcp_retries1": "1"}}}
    )
    inner = lab.behind(router, 1)
    router.run("ip", "link", "set", "lan1", "mtu", "1200")
    router.run(*["iptables", "-A", "OUTPUT", "-p", "icmp", "-j", "DROP"])
    server.run("ip", "route", "add", "192.168.0.0/16", "via", router.address)
    counters = "IpFragFails IcmpOutDestUnreachs TcpExtTCPTimeouts TcpRetransSegs TcpExtTCPLossProbes"
    with lab.recording(router, server, delay_ms=5, counters=counters):
        connection = dial(inner, server, 40001)
        connection.upload(lab.random.randrange(50, 300))
        connection.download(lab.random.randrange(3000, 5000))
        connection.close()


@scenario
def forwarding_two_sides(lab: Lab) -> None:
    """A router captured on both of its interfaces: all that it passes on is there twice, as it came and as it left.

    The client behind it uploads and downloads; what the router itself answers, a ping, is there once.
    """
    router, server = lab.hosts("router", "server")
    inner = lab.behind(router, 1)
    server.run("ip", "route", "add", "192.168.0.0/16", "via", router.address)
    counters = "IpForwDatagrams IpOutTransmits IpOutRequests IpInReceives IpInDelivers"
    with lab.recording(router, server, delay_ms=2, interface="any", counters=counters):
        connection = dial(inner, server, 40001)
        connection.upload(lab.random.randrange(2000, 6000))
        connection.download(lab.random.randrange(2000, 6000))
        connection.close()
        ping(router, server)
