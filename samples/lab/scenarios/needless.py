"""Segments that come late, twice, in another order or out of time: what TCP takes for loss although nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..impair import Rule, delay, duplicate, overtake
from ..lab import Lab
from ..mark import mark
from ..scenario import scenario
from ..sockets import dial
from ..switch import Switch
from ..traffic import text

_MS = 1_000_000
_PAYLOAD = 524
_DSACK = "TcpExtTCPDSACKOldSent TcpExtTCPDSACKRecv"


@scenario
def spurious_timeout(lab: Lab) -> None:
    """The network stalls for 0.4 s: the timer fires although nothing is lost, and timestamps reveal it.

    A burst is delayed as a whole. The client sends a loss probe and then, by timeout, the first segment again
    (TCPTimeouts). The ACK that follows echoes the timestamp of the original, so the timeout was needless: TCPLossUndo,
    the congestion window is restored. The server answers the copies with DSACK (TCPDSACKOldSent, TCPDSACKRecv).
    """
    _stall(lab, f"TcpExtTCPLossUndo TcpExtTCPTimeouts TcpExtTCPLossProbes TcpRetransSegs {_DSACK}", timestamps="1")


@scenario
def spurious_timeout_frto(lab: Lab) -> None:
    """The network stalls for 0.4 s between hosts without timestamps: F-RTO reveals that the timer fired needlessly.

    As in spurious-timeout a burst is delayed, but no timestamp tells which transmission an ACK is for. After the
    timeout the client sends new data first; segments are acknowledged which were never sent again: they were not
    lost, so the timeout was spurious (TCPSpuriousRTOs).
    """
    counters = f"TcpExtTCPSpuriousRTOs TcpExtTCPTimeouts TcpRetransSegs {_DSACK}"
    _stall(lab, counters, timestamps="0", more=11)


@scenario
def network_duplicates(lab: Lab) -> None:
    """The network delivers some segments twice: DSACK, and nothing was sent again.

    Of each copy the server says so with a DSACK (TCPDSACKOldSent at the server, TCPDSACKRecv at the client). The client did
    not send anything again: TcpRetransSegs stays, so the copies are not its own.
    """
    copied = lab.random.sample(range(3, 20), 5)
    rules = [duplicate("client", lambda segment: segment.is_new_data, nth=copied, after_ns=_MS)]
    _upload(lab, 23, rules, _DSACK)


@scenario
def reordering(lab: Lab) -> None:
    """Segments that others overtake by much: sent again without need, and taken back.

    The network holds two segments back behind six others. The client takes the first for lost and sends it again; the
    original arrives all the same, the server says so by DSACK, and the client learns that this path changes the
    order (TCPSACKReorder or TCPTSReorder) and undoes its slowing down.
    """
    first = lab.random.randrange(11, 15)
    rules = [overtake("client", lambda segment: segment.is_new_data, by=6, nth={first, first + 20})]
    counters = f"TcpExtTCPOFOQueue TcpExtTCPSACKReorder TcpRetransSegs {_DSACK}"
    _upload(lab, 53, rules, counters)


@scenario
def reordering_slightly(lab: Lab) -> None:
    """Segments that one other overtakes: out of order, but nothing is sent again.

    Neighbours change places three times. The server queues the one that came first (TCPOFOQueue) and answers with a
    SACK; the client waits a little before it believes in a loss, and the missing one arrives.
    """
    first = lab.random.randrange(5, 9)
    rules = [overtake("client", lambda segment: segment.is_new_data, by=1, nth={first, first + 7, first + 11})]
    _upload(lab, 29, rules, "TcpExtTCPOFOQueue TcpExtTCPSACKReorder")


@scenario
def paws_drop(lab: Lab) -> None:
    """Copies of old segments with old timestamps: rejected by PAWS.

    The network delivers three segments of a first burst once more, half a second later, when newer timestamps have been
    seen. The server drops them as too old (PAWSEstab) and answers with an ACK.
    """
    old = lab.random.sample(range(2, 9), 3)
    rules = [duplicate("client", lambda segment: segment.is_new_data, nth=old, after_ns=500 * _MS)]
    client, server = lab.pair(mtu=576)
    counters = "TcpExtPAWSEstab TcpExtTCPDSACKOldSent"
    with lab.recording(client, server, rules=rules, delay_ms=10, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(9 * _PAYLOAD)
        time.sleep(0.2)
        connection.upload(3 * _PAYLOAD)
        time.sleep(0.5)
        connection.close()


@scenario
def congestion_marks(lab: Lab) -> None:
    """A router that marks packets instead of dropping them: ECN.

    Both hosts use ECN (tcp_ecn is 1). The network sets CE in three segments of the client: the server counts them
    (InCEPkts) and reports with ECE until the client has slowed down and says so with CWR (TCPDeliveredCE at the
    client). Nothing is lost, nothing is sent again.
    """
    marked = lab.random.sample(range(5, 19), 3)
    rules = [mark("client", lambda segment: segment.is_new_data, nth=marked)]
    counters = "IpExtInCEPkts IpExtInECT0Pkts IpExtInNoECTPkts TcpExtTCPDeliveredCE"
    _upload(lab, 29, rules, counters, ecn=True)


def _stall(lab: Lab, counters: str, timestamps: str, more: int = 0) -> None:
    """A burst, `more` segments longer than the shortest, in which every frame of the client takes 0.4 s longer."""
    stalled = Switch()
    rules = [delay("client", stalled, 400 * _MS, probability=1.0)]
    client, server = lab.pair(mtu=576, sysctls={"ipv4.tcp_timestamps": timestamps})
    with lab.recording(client, server, rules=rules, delay_ms=10, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(3 * _PAYLOAD)
        time.sleep(0.1)
        stalled.on()
        connection.client.sendall(text((more + lab.random.randrange(5, 10)) * _PAYLOAD))
        time.sleep(0.35)
        stalled.off()
        time.sleep(0.4)
        connection.server.recv(1 << 16)
        connection.close()


def _upload(lab: Lab, segments: int, rules: Sequence[Rule], counters: str, *, ecn: bool = False) -> None:
    """So many segments from the client to the server, 10 ms each way."""
    client, server = lab.pair(mtu=576, sysctls={"ipv4.tcp_ecn": "1"} if ecn else None)
    with lab.recording(client, server, rules=rules, delay_ms=10, counters=counters):
        connection = dial(client, server, 40001)
        connection.upload(segments * _PAYLOAD)
        time.sleep(0.1)
        connection.close()
