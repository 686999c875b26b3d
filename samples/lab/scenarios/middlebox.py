"""Traffic through a box that writes into packets and forgets their checksums."""

from __future__ import annotations

from ..frames import TCP, Segment
from ..impair import Rule
from ..lab import Lab
from ..rewrite import Change, rewrite, translate
from ..scenario import scenario
from ..traffic import connect, connect_in_vain

_PATIENCE_S = 4.5
"""How long the client waits for a connection: enough for five SYNs, a second apart."""

_TO_SERVER, _TO_CLIENT = Change(dst_port=8080), Change(src_port=80)
"""The client talks to port 80, the server listens on 8080."""


@scenario
def middlebox_port(lab: Lab) -> None:
    """A middlebox translates port 80 to 8080 without updating the TCP checksum: no connection is ever made.

    The client (port 40001) connects to port 80. On the way the destination port becomes 8080, where the server listens,
    but the checksum stays that of port 80, so every SYN is off by the same amount and the kernel of the server rejects
    it silently, in TcpInCsumErrors and TcpInErrs. The client sends its SYN five times, a second apart, and gives up.
    Its own capture shows valid SYNs and no answer.
    """
    client, server = lab.pair()
    rules = [rewrite("client", _is_tcp, _TO_SERVER), rewrite("server", _is_tcp, _TO_CLIENT)]
    with lab.recording(client, server, rules=rules, delay_ms=10):
        connect_in_vain(client, server, 80, 40001, _PATIENCE_S, listen_port=8080)


@scenario
def middlebox_port_late(lab: Lab) -> None:
    """A middlebox that translates port 80 to 8080 stops updating the TCP checksum in the middle of an upload.

    The connection (client port 40001 to port 80, which the server knows as 8080) is fine until 41 data segments have
    passed. From then on, the middlebox still translates the ports but leaves the checksums alone, both ways:
    everything that arrives at the server, and what acknowledgements were still to come to the client, is off by a
    constant and rejected (TcpInCsumErrors at both ends). The client sends again four times, later each time, and gives
    up. The server is not told.
    """
    client, server = lab.pair(sysctls={"ipv4.tcp_retries2": "3"})
    box = _Middlebox(41)
    rules: list[Rule] = [
        translate("client", box.counts, _TO_SERVER),
        rewrite("client", box.is_broken, _TO_SERVER),
        translate("server", box.works, _TO_CLIENT),
        rewrite("server", box.is_broken, _TO_CLIENT),
    ]
    with lab.recording(client, server, rules=rules, delay_ms=10):
        connection = connect(client, server, 80, 40001, listen_port=8080)
        connection.upload_in_vain(90_007)
    connection.abandon()


@scenario
def middlebox_address(lab: Lab) -> None:
    """A middlebox translates the client's address and updates the IPv4 header checksum, but not that of TCP.

    What 10.0.0.1 sends arrives from 10.0.0.9, which the server knows as a neighbour. The IPv4 header is right, but the
    TCP checksum covers the address too and is still that of 10.0.0.1: the kernel of the server rejects every SYN
    (TcpInCsumErrors). The client (port 40001) sends it five times, a second apart, and gives up.
    """
    client, server = lab.pair()
    server.knows("10.0.0.9", client.mac)
    rules = [rewrite("client", _is_tcp, Change(src="10.0.0.9")), rewrite("server", _is_tcp, Change(dst=client.address))]
    with lab.recording(client, server, rules=rules, delay_ms=10):
        connect_in_vain(client, server, 80, 40001, _PATIENCE_S)


def _is_tcp(segment: Segment) -> bool:
    return segment.protocol == TCP


class _Middlebox:
    """Updates checksums until `left` data segments of the client have passed, and then never again."""

    def __init__(self, left: int) -> None:
        self._left = left

    def counts(self, segment: Segment) -> bool:
        """Whether the checksum of this segment of the client is still updated; must be asked once of each."""
        self._left -= segment.is_data
        return _is_tcp(segment) and self._left >= 0

    def works(self, segment: Segment) -> bool:
        """Whether checksums are still updated."""
        return _is_tcp(segment) and self._left >= 0

    def is_broken(self, segment: Segment) -> bool:
        """Whether they are not any more."""
        return _is_tcp(segment) and self._left < 0
