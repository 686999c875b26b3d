"""What applications do to their hosts: queues that stand still, sockets that are never closed, ports that run out."""

from __future__ import annotations

import errno
import socket
import time

from ..errors import LabError
from ..hosts import Host
from ..impair import drop, duplicate
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, listener, read_all, stream
from ..switch import Switch
from ..traffic import text

_MS = 1_000_000


@scenario
def send_queue_stuck(lab: Lab) -> None:
    """The path fails for a second and a half: data stays in Send-Q, not acknowledged.

    The client's application has written, but nothing of it reaches the server. `ss` shows the bytes in Send-Q of the
    client and nothing in Recv-Q of the server, with a retransmission timer that doubles (TCPTimeouts). The receiver is not
    slow: its window is wide open. When the path is back, the next retransmission goes through.
    """
    client, server = lab.pair()
    broken = Switch()
    rules = [drop("client", broken, probability=1.0)]
    counters = "TcpExtTCPTimeouts TcpRetransSegs TcpExtTCPLossProbes"
    with lab.recording(client, server, rules=rules, delay_ms=10, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(500, 1400))
        time.sleep(0.05)
        broken.on()
        connection.client.sendall(text(lab.random.randrange(2000, 5000)))
        time.sleep(1.2)
        broken.off()
        connection.client.shutdown(socket.SHUT_WR)
        read_all(connection.server)
        connection.close()


@scenario
def forgotten_while_idle(lab: Lab) -> None:
    """A box on the way forgets a connection that is idle: the first request after the pause is never answered.

    The connection worked; then nobody said anything for six seconds. What the client sends after that goes into the void, as
    a firewall does it with packets of connections that it does not know (any more): its request stays in Send-Q, and
    the retransmission timer doubles (TCPTimeouts). The server knows nothing of it, its end is still open.
    """
    client, server = lab.pair()
    forgotten = Switch()
    rules = [drop("client", forgotten, probability=1.0)]
    with lab.recording(client, server, rules=rules, delay_ms=5, counters="TcpExtTCPTimeouts TcpRetransSegs"):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 900))
        connection.download(lab.random.randrange(200, 900))
        time.sleep(6)
        forgotten.on()
        connection.client.sendall(text(lab.random.randrange(200, 900)))
        time.sleep(1.8)
    connection.abandon()


@scenario
def ports_exhausted(lab: Lab) -> None:
    """A client without ephemeral ports: connections that never reach the wire.

    The client may use only a few local ports (ip_local_port_range) and opens and closes connections one after the other.
    Each of them stays in TIME_WAIT at the client (`ss` shows them), and tcp_tw_reuse is off: at last `connect` fails with
    EADDRNOTAVAIL, and neither a counter nor a packet tells of it. A few more attempts fail likewise.
    """
    ports = lab.random.choice((6, 8, 12))
    sysctls = {"ipv4.ip_local_port_range": f"50000 {50_000 + ports - 1}", "ipv4.tcp_tw_reuse": "0"}
    client, server = lab.pair(sysctls=sysctls)
    with lab.recording(client, server, delay_ms=1, counters="TcpActiveOpens TcpPassiveOpens"):
        failed = sum(not _short_connection(client, server) for _ in range(ports + 5))
        if failed < 5:
            raise LabError("the ports did not run out")


@scenario
def time_wait_overflow(lab: Lab) -> None:
    """More connections than may wait in TIME_WAIT: the kernel forgets the others at once.

    The client keeps five at most (tcp_max_tw_buckets) and closes thirteen or seventeen connections first. Those above the limit
    are gone with their last ACK (TCPTimeWaitOverflow): a late segment of theirs would be answered by a reset.
    """
    client, server = lab.pair(only={"client": {"sysctls": {"ipv4.tcp_max_tw_buckets": "5"}}})
    with lab.recording(client, server, delay_ms=1, counters="TcpExtTCPTimeWaitOverflow TcpActiveOpens"):
        for _ in range(lab.random.choice((13, 17))):
            _short_connection(client, server)


@scenario
def close_wait(lab: Lab) -> None:
    """A server that never closes: connections pile up in CLOSE_WAIT.

    The clients have sent their request and closed. The server's kernel acknowledges each FIN, but its application
    never closes its side: `ss` shows CLOSE-WAIT at the server, with the unread bytes in Recv-Q, and FIN-WAIT-2 at the
    client. No counter tells; the sockets do.
    """
    client, server = lab.pair()
    count = lab.random.choice((5, 7, 11))
    with lab.recording(client, server, delay_ms=1, counters="TcpPassiveOpens TcpActiveOpens TcpInSegs"):
        door = lab.keep(listener(server))
        for number in range(count):
            with stream(client, 40001 + number) as near:
                near.connect((server.address, 80))
                lab.keep(door.accept()[0])
                near.sendall(text(lab.random.randrange(50, 300)))
        time.sleep(0.1)


@scenario
def time_wait_reuse(lab: Lab) -> None:
    """A connection takes the place of one in TIME_WAIT, and a segment of the old one arrives late.

    The client connects from the same port again 1.2 s after its first connection has ended; the socket in TIME_WAIT
    makes room, since timestamps tell the two apart (TWRecycled at the client). Then the network delivers a copy of a data
    segment of the first connection: the server, which holds the second, rejects it by its timestamp (PAWSEstab).
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_tw_reuse": "1", "ipv4.tcp_timestamps": "2"})
    rules = [duplicate("client", lambda segment: segment.is_new_data, nth={1}, after_ns=1600 * _MS)]
    counters = "TcpExtTWRecycled TcpExtPAWSEstab TcpActiveOpens TcpPassiveOpens"
    with lab.recording(client, server, rules=rules, delay_ms=2, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 1400))
        connection.close()
        time.sleep(1.3)
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(0.4)
        connection.upload(lab.random.randrange(200, 1400))
        connection.close()


@scenario
def keep_alive(lab: Lab) -> None:
    """An idle connection that is kept alive: probes without data, each answered.

    The client probes after each idle second (two hours by default), with a sequence number one too low; the server's ACK
    is the answer (TCPKeepAlive). Nothing is wrong.
    """
    client, server = lab.pair()
    near = {
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 1,
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 1,
    }
    with lab.recording(client, server, delay_ms=2, counters="TcpExtTCPKeepAlive"):
        connection = dial(client, server, 40001, near=near)
        connection.upload(lab.random.randrange(200, 1400))
        time.sleep(2.3)
        connection.close()


def _short_connection(client: Host, server: Host) -> bool:
    """A connection from any free port that the client closes first; False if there is none."""
    with listener(server) as door, stream(client) as near:
        if reason := near.connect_ex((server.address, 80)):
            assert reason == errno.EADDRNOTAVAIL
            return False
        far, _ = door.accept()
        near.shutdown(socket.SHUT_WR)
        read_all(far)
        far.close()
        read_all(near)
        return True
