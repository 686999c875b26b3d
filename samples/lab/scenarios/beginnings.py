"""Connections of which a capture holds no beginning, and such that end as soon as they have begun."""

from __future__ import annotations

import socket
import struct
import time

from ..impair import drop, duplicate
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, listener, stream
from ..traffic import Connection

_NO_LINGER = struct.pack("ii", 1, 0)


@scenario
def found_open(lab: Lab) -> None:
    """Four connections were open before the capture began: two go on, one is reset with unread data, one without a word.

    Nobody knows the scale of their windows, nor their largest segments. A RST is the only frame of the last two.
    """
    client, server = lab.direct_pair()
    found = [dial(client, server, 40001 + number) for number in range(4)]
    found[2].client.sendall(b"unread")
    time.sleep(0.3)
    with lab.recording(client, server, counters="TcpEstabResets TcpOutRsts TcpExtTCPAbortOnClose TcpExtTCPAbortOnData"):
        found[0].download(lab.random.randrange(20_000, 60_000))
        found[1].upload(lab.random.randrange(100, 900))
        found[2].server.close()
        found[3].server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        found[3].server.close()
        time.sleep(0.1)
        for each in found[:2]:
            each.close()
    for each in found[2:]:
        each.abandon()


@scenario
def found_open_losses(lab: Lab) -> None:
    """Two connections that were open before the capture began lose data, one with SACK and one without.

    What was outstanding then, how windows are scaled and how large segments may be, is not known: counters of what the ends
    remember can lie anywhere in wide ranges, and those that each packet moves are certain all the same.
    """
    client, server = lab.pair()
    rules = [
        drop("client", lambda segment: segment.is_new_data, nth={5, 6, 14}),
        duplicate("client", lambda segment: segment.is_new_data, nth={12}),
    ]
    found: list[Connection] = []

    def before() -> None:
        for number, sack in enumerate("10"):
            client.sysctl("ipv4.tcp_sack", sack)
            found.append(dial(client, server, 40001 + number))
        client.sysctl("ipv4.tcp_sack", "1")

    counters = "TcpRetransSegs TcpExtTCPDelivered TcpExtTCPOFOQueue"
    with lab.recording(client, server, rules=rules, delay_ms=5, counters=counters, before=before):
        for each in found:
            each.upload(13_000)
            each.close()


@scenario
def resets_overtake(lab: Lab) -> None:
    """Short connections that end with a reset just as the ACK of their only data comes in.

    Each client connects, sends nine bytes and closes with SO_LINGER and no time. Some of the ACKs are captured before the
    RST, and yet come too late: when they were looked at the connection was gone. They are not in TCPPureAcks and TCPDelivered.
    """
    client, server = lab.direct_pair()
    counters = "TcpExtTCPAbortOnData TcpEstabResets TcpOutRsts TcpActiveOpens"
    with lab.recording(client, server, counters=counters), listener(server, backlog=256) as door:
        for number in range(lab.random.choice((61, 67, 71))):
            with stream(client, 41_000 + number) as near:
                near.connect((server.address, 80))
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                near.send(b"nine byte")
        door.close()


@scenario
def syn_to_time_wait(lab: Lab) -> None:
    """The same ports again while the server remembers the connection: the ACK of the old one, a RST, and the SYN once more.

    The server closed first and keeps the connection in TIME_WAIT. The client's clock is behind that of the connection before,
    so its SYN is answered with an ACK of that one (PAWSTimewait); the client's RST without ACK ends it, and ten milliseconds
    later its timer sends the SYN again (TCPTimeouts), which is no fast retransmission.
    """
    client, server = lab.pair()
    counters = "TcpExtTCPTimeouts TcpExtTcpTimeoutRehash TcpPassiveOpens TcpExtTW"
    with lab.recording(client, server, delay_ms=2, counters=counters), listener(server) as door:
        for number in range(3):
            for timestamps in ("1", "2", "1"):  # with an offset of the connection, and without: one is behind the other
                client.sysctl("ipv4.tcp_timestamps", timestamps)
                with stream(client, 40001 + number) as near:
                    near.connect((server.address, 80))
                    far, _ = door.accept()
                    far.sendall(b"bye")
                    far.close()
                    near.recv(10)
                    time.sleep(0.01)
                    near.recv(10)
                time.sleep(0.05)
