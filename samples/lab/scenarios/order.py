"""Traffic that arrives in another order, more than once, or damaged."""

from __future__ import annotations

import contextlib

from ..frames import ICMP, UDP
from ..impair import corrupt, duplicate, overtake
from ..lab import Lab
from ..scenario import scenario
from ..traffic import ask_all, connect, ping, text


@scenario
def reorder_duplicate(lab: Lab) -> None:
    """Five data segments overtaken by others, three more and one acknowledgement duplicated, none lost.

    Of the upload of 90,007 bytes (client port 40001, 10 ms each way) the relay holds one data segment back behind
    one other, two behind two others and two behind five others. The first of those five is so late that TCP takes
    it for lost and sends it again, which was not necessary: nothing is lost here. Later ones find a TCP that has
    learnt about reordering. Three other data segments and one pure acknowledgement are delivered twice. The client's
    capture shows the order in which things were sent, the server's that in which they arrived.
    """
    client, server = lab.pair()
    rules = [
        overtake("client", lambda segment: segment.is_new_data, by=5, nth={13, 47}),
        overtake("client", lambda segment: segment.is_new_data, by=2, nth={23, 37}),
        overtake("client", lambda segment: segment.is_new_data, by=1, nth={41}),
        duplicate("client", lambda segment: segment.is_new_data, nth={7, 31, 58}),
        duplicate("server", lambda segment: segment.is_pure_ack, nth={11}),
    ]
    with lab.recording(client, server, rules=rules, delay_ms=10):
        connection = connect(client, server, 80, 40001)
        connection.upload(90_007)
        connection.close()


@scenario
def corrupt_ipv4(lab: Lab) -> None:
    """Three data segments with a flipped bit, which the receiver must reject by their checksum.

    The upload of 60,013 bytes (client port 40001, 10 ms each way) has one bit changed on the way in three of its data
    segments. The client's capture has them intact, the server's has them damaged; there they count in TcpInErrs
    and TcpInCsumErrors, and the client has to send them again.
    """
    client, server = lab.pair()
    rules = [corrupt("client", lambda segment: segment.is_new_data, nth={11, 19, 31})]
    with lab.recording(client, server, rules=rules, delay_ms=10):
        connection = connect(client, server, 80, 40001)
        connection.upload(60_013)
        connection.close()


@scenario
def corrupt_udp(lab: Lab) -> None:
    """UDP datagrams and pings with a flipped bit, which the receivers must reject by their checksums.

    The client (port 40001) asks 23 questions by UDP, and the server sends back each one that it gets. On the way (2 ms)
    one bit changes in five of the questions and in three of the answers: these count in UdpInErrors and
    UdpInCsumErrors of whom they reach. Then it sends eleven pings: three echo requests and two replies are changed
    likewise and count in IcmpInErrors and IcmpInCsumErrors. Nothing of it is sent again. A TCP connection (port 40002)
    that follows stays untouched.
    """
    client, server = lab.pair()
    rules = [
        corrupt("client", lambda segment: segment.protocol == UDP, nth={2, 5, 11, 17, 23}),
        corrupt("server", lambda segment: segment.protocol == UDP, nth={3, 7, 13}),
        corrupt("client", lambda segment: segment.protocol == ICMP, nth={3, 5, 7}),
        corrupt("server", lambda segment: segment.protocol == ICMP, nth={1, 5}),
    ]
    with lab.recording(client, server, rules=rules, delay_ms=2):
        questions = [text(37 + 53 * number) for number in range(23)]
        ask_all(client, server, questions, 7, 40001, wait_s=0.05)
        for sequence in range(1, 12):
            with contextlib.suppress(TimeoutError):
                ping(client, server, sequence=sequence, wait_s=0.1)
        connection = connect(client, server, 80, 40002)
        connection.upload(1009)
        connection.close()
