"""Small traffic of which every counter can be followed by hand."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, read_all, sending, stream
from ..traffic import ping, text


@scenario
def counters_ping(lab: Lab) -> None:
    """One ping and its reply: what a single packet each way moves.

    The client sends one echo request (ICMP type 8) with 56 bytes of data, the server's kernel answers (type 0). Each host
    has one IP packet in and one out, and the ICMP counters say twice what they were: by meaning (IcmpOutEchos) and by
    type on the wire (IcmpMsgOutType8).
    """
    client, server = lab.pair()
    counters = (
        "IpInReceives IpInDelivers IpOutRequests IcmpInMsgs IcmpInEchos IcmpInEchoReps IcmpOutMsgs IcmpOutEchos "
        "IcmpOutEchoReps IcmpMsgInType0 IcmpMsgInType8 IcmpMsgOutType0 IcmpMsgOutType8 IpExtInOctets IpExtOutOctets "
        "IpExtInNoECTPkts"
    )
    with lab.recording(client, server, counters=counters):
        ping(client, server)


@scenario
def counters_handshake(lab: Lab) -> None:
    """A TCP handshake and nothing else: the client opens actively, the server passively.

    SYN, SYN-ACK, ACK, and then both ends keep silent; the connection stays open. The client sends two segments and
    gets one, the server the other way round. The SYN counts in TcpActiveOpens at once, TcpPassiveOpens only when the
    ACK has arrived.
    """
    client, server = lab.pair()
    with lab.recording(client, server, counters="TcpActiveOpens TcpPassiveOpens TcpInSegs TcpOutSegs"):
        connection = dial(client, server, 40001)
    connection.abandon()


@scenario
def counters_fast_path(lab: Lab) -> None:
    """Pieces of data with pauses between them: which segments take the fast path, and which ACK is a pure one.

    The client sends `hello`, then `world`, and then two larger pieces, each after a quarter of a second. The ACK of
    the first piece counts in TCPPureAcks at the client, that of the second in TCPHPAcks: after the first, the header
    that is expected next is known. At the server, a piece that the application is not waiting for may count in
    TCPHPHits.
    """
    client, server = lab.pair()
    sizes = [lab.random.randrange(2000, 14_000) for _ in range(2)]
    counters = "TcpExtTCPPureAcks TcpExtTCPHPAcks TcpExtTCPHPHits TcpExtTCPOrigDataSent TcpExtTCPDelivered"
    with lab.recording(client, server, delay_ms=2, counters=counters):
        connection = dial(client, server, 40001)
        for piece in (b"hello", b"world", *map(text, sizes)):
            connection.client.sendall(piece)
            time.sleep(0.25)
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()


@scenario
def receive_coalesce(lab: Lab) -> None:
    """A burst that nobody reads yet: the receiver joins segments in its queue.

    The server's application sleeps while data arrives. Each segment that fits behind the last one in the receive queue is
    joined to it, which counts in TCPRcvCoalesce. Nothing is wrong; the counter says that data waited.
    """
    client, server = lab.pair()
    size = lab.random.randrange(15_000, 21_000)
    with lab.recording(client, server, delay_ms=2, counters="TcpExtTCPRcvCoalesce TcpInSegs"):
        connection = dial(client, server, 40001)
        with sending(connection.client, text(size)):
            time.sleep(0.4)
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()


@scenario
def counters_ping_ipv6(lab: Lab) -> None:
    """One ping over IPv6 and its reply: the counters of IPv6 have names of their own.

    The client sends one echo request (ICMPv6 type 128), the server's kernel answers (type 129). None of the Ip and Icmp
    counters moves.
    """
    client, server = lab.pair(family=6)
    counters = (
        "Ip6InReceives Ip6InDelivers Ip6OutRequests Icmp6InMsgs Icmp6InEchos Icmp6InEchoReplies Icmp6OutMsgs "
        "Icmp6OutEchos Icmp6OutEchoReplies Icmp6InType128 Icmp6InType129 Icmp6OutType128 Icmp6OutType129 Ip6InOctets "
        "Ip6OutOctets"
    )
    with lab.recording(client, server, counters=counters):
        with client.inside():
            end = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        with end:
            end.settimeout(1)
            # The kernel fills in the checksum of ICMPv6.
            end.sendto(struct.pack("!BBHHH", 128, 0, 0, 7, 1) + text(56), (server.address, 0))
            end.recv(2048)


@scenario
def simultaneous_open(lab: Lab) -> None:
    """Both ends connect to each other at the same time: two SYNs cross, and one connection comes of it.

    Each end has sent a SYN when it gets that of the other, and answers with a SYN-ACK. Both count an active opening; none
    counts a passive one.
    """
    client, server = lab.pair()
    ports = lab.random.sample(range(40_001, 50_000), 2)
    with lab.recording(client, server, delay_ms=50, counters="TcpActiveOpens TcpInSegs TcpOutSegs"):
        ends = [stream(host, port) for host, port in zip((client, server), ports, strict=True)]
        for end, host, port in zip(ends, (server, client), reversed(ports), strict=True):
            end.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                end.connect((host.address, port))
        time.sleep(0.2)
        ends[0].send(text(59))
        time.sleep(0.1)
        ends[1].recv(100)
        for end in ends:
            end.close()
        time.sleep(0.1)


@scenario
def delayed_acks(lab: Lab) -> None:
    """Requests that wait for delayed ACKs (Nagle's algorithm): 40 ms lost each time, though the network is idle.

    The client sends each request in two small pieces. The second waits until the first is acknowledged, the server waits
    for the whole request before it answers, and its kernel delays the ACK: DelayedACKs. Nothing is lost; the
    applications should send their requests in one piece.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=1, counters="TcpExtDelayedACKs"):
        connection = dial(client, server, 40001)
        for _ in range(17):
            sizes = [lab.random.randrange(20, 90) for _ in range(2)]
            for size in sizes:
                connection.client.sendall(text(size))
            left = sum(sizes)
            while left:
                left -= len(connection.server.recv(left))
            connection.download(lab.random.randrange(20, 90))
        connection.close()
