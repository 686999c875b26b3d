"""ACKs that a kernel does not send because it just sent one for the same reason."""

from __future__ import annotations

import time

from ..impair import delay, duplicate
from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial, listener, stream

_MS = 1_000_000


@scenario
def ack_skipped_syn_recv(lab: Lab) -> None:
    """A SYN that comes again and again while the handshake is not finished: not every copy gets a SYN-ACK.

    The network delivers the client's SYN four times within a tenth of a second and delays the client's ACKs. The first
    copy gets a SYN-ACK once more; for the others the kernel keeps silent, since it answered less than half a second ago
    (tcp_invalid_ratelimit): TCPACKSkippedSynRecv.
    """
    client, server = lab.pair()
    rules = [
        delay("client", lambda segment: segment.src_port == 40001 and segment.is_pure_ack, 300 * _MS, nth=range(1, 9))
    ]
    rules += [
        duplicate("client", lambda segment: segment.is_syn, after_ns=each * _MS, nth={1}) for each in _spread(lab)
    ]
    counters = "TcpExtTCPACKSkippedSynRecv TcpRetransSegs TcpPassiveOpens"
    with (
        lab.recording(client, server, rules=rules, delay_ms=2, counters=counters),
        listener(server) as door,
        stream(client, 40001) as near,
    ):
        near.connect((server.address, 80))
        far, _ = door.accept()
        time.sleep(0.2)
        near.close()
        far.close()


@scenario
def ack_skipped_paws(lab: Lab) -> None:
    """Old ACKs with old timestamps come again: one is answered, the others are only counted.

    Of two downloads on one connection, the network keeps copies of an ACK of the first and delivers them after the second. Their
    timestamps are older than the last one seen, so the server rejects them (PAWSEstab); it answers the first with an
    ACK, and for the others, within half a second, it sends none (TCPACKSkippedPAWS).
    """
    client, server = lab.pair()
    rules = [
        duplicate("client", lambda segment: segment.is_pure_ack, after_ns=(400 + each) * _MS, nth={3})
        for each in _spread(lab)
    ]
    counters = "TcpExtTCPACKSkippedPAWS TcpExtPAWSEstab"
    with lab.recording(client, server, rules=rules, delay_ms=10, counters=counters):
        connection = dial(client, server, 40001)
        for _ in range(2):
            connection.download(lab.random.randrange(9_000, 14_000))
            time.sleep(0.3)
        time.sleep(0.3)
        connection.close()


@scenario
def ack_skipped_seq(lab: Lab) -> None:
    """Old ACKs from before the window, without timestamps: one is answered, the others are only counted.

    The hosts do not use TCP timestamps, so nothing but the sequence number tells that a segment is old. The client asks,
    gets an answer, and asks again; copies of the ACK of that answer come after the second question. Their
    sequence number is before the window. The server answers the first copy and no further one within half a second
    (TCPACKSkippedSeq).
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_timestamps": "0"})
    rules = [
        duplicate("client", lambda segment: segment.is_pure_ack, after_ns=(400 + each) * _MS, nth={2})
        for each in _spread(lab)
    ]
    with lab.recording(client, server, rules=rules, delay_ms=2, counters="TcpExtTCPACKSkippedSeq"):
        connection = dial(client, server, 40001)
        for _ in range(2):
            connection.upload(lab.random.randrange(100, 1000))
            connection.download(lab.random.randrange(100, 1000))
            time.sleep(0.1)
        time.sleep(0.5)
        connection.close()


def _spread(lab: Lab) -> list[int]:
    """When three copies of a frame come, in milliseconds."""
    return sorted(lab.random.sample(range(10, 90, 11), 3))
