"""Traffic without any fault: what a capture and the counters look like when all is well."""

from __future__ import annotations

import time

from ..lab import Lab
from ..scenario import scenario
from ..traffic import ask, connect, dns_answer, dns_question, ping, refused

_BETWEEN_S = 0.2


@scenario
def handshake(lab: Lab) -> None:
    """Three short TCP connections, a refused one, a DNS question and a ping.

    ARP comes first, then a DNS question over UDP with its answer, an echo request with its reply, and four attempts to
    connect from the client: three to port 80 of the server, with a few bytes each way and an orderly end, and
    one (from port 40004) to port 81, where nobody listens and the server answers with RST.
    """
    client, server = lab.pair(arp=True)
    with lab.recording(client, server):
        question = dns_question("server.example")
        ask(client, server, question, dns_answer(question, server.address), 53, 40000)
        time.sleep(_BETWEEN_S)
        ping(client, server)
        time.sleep(_BETWEEN_S)
        for source_port, request, response in ((40001, 59, 307), (40002, 61, 1009), (40003, 67, 2003)):
            connection = connect(client, server, 80, source_port)
            connection.upload(request)
            connection.download(response)
            connection.close()
            time.sleep(_BETWEEN_S)
        refused(client, server, 81, 40004)


@scenario
def clean_ipv4(lab: Lab) -> None:
    """An upload and a download over IPv4, 10 ms each way, nothing lost.

    The first connection (client port 40001) carries 149,993 bytes to the server, the second (40002) a short request
    and 150,001 bytes back, each in two bursts with a pause in between. There is nothing wrong here: whatever complains
    about this sample is mistaken.
    """
    _up_and_down(lab, family=4)


@scenario
def clean_ipv6(lab: Lab) -> None:
    """An upload and a download over IPv6, 10 ms each way, nothing lost.

    The same as clean-ipv4, over IPv6: 149,993 bytes to the server (client port 40001), a short request and 150,001
    bytes back (40002), each in two bursts with a pause in between. There is nothing wrong here.
    """
    _up_and_down(lab, family=6)


def _up_and_down(lab: Lab, family: int) -> None:
    client, server = lab.pair(family=family)
    with lab.recording(client, server, delay_ms=10):
        connection = connect(client, server, 80, 40001)
        connection.upload(149_993, pauses=1, pause_s=0.6)
        connection.close()
        connection = connect(client, server, 80, 40002)
        connection.upload(67)
        connection.download(150_001, pauses=1, pause_s=0.6)
        connection.close()
