"""Traffic with exactly known losses."""

from __future__ import annotations

from ..frames import Segment
from ..impair import drop
from ..lab import Lab
from ..scenario import scenario
from ..traffic import connect

_LOST_DATA = (19, 31, 32, 47, 59, 73, 83)
"""Seven of the data segments of the upload, two of them neighbours, none near the end."""


@scenario
def loss_ipv4(lab: Lab) -> None:
    """Seven data segments, one acknowledgement and one SYN lost over IPv4, 10 ms each way.

    The upload (client port 40001, 149,993 bytes) loses seven data segments on the way to the server, all
    of them at their first transmission and none near the end of a burst, and one pure acknowledgement on the way back,
    which does no harm since later ones cover it. The second connection (client port 40002) loses its first SYN,
    which comes again a second later. The client captures what it sent before it was lost, the server only what
    arrived.
    """
    _lossy(lab, family=4)


@scenario
def loss_ipv6(lab: Lab) -> None:
    """Seven data segments, one acknowledgement and one SYN lost over IPv6, 10 ms each way.

    The same as loss-ipv4, over IPv6: seven data segments of the upload (client port 40001) and one pure
    acknowledgement of it are lost, and the first SYN of the second connection (client port 40002).
    """
    _lossy(lab, family=6)


def _lossy(lab: Lab, family: int) -> None:
    client, server = lab.pair(family=family)
    rules = [
        drop("client", lambda segment: _of_upload(segment) and segment.is_new_data, nth=_LOST_DATA),
        drop("server", lambda segment: segment.dst_port == 40001 and segment.is_pure_ack, nth={23}),
        drop("client", lambda segment: segment.src_port == 40002 and segment.is_syn, nth={1}),
    ]
    with lab.recording(client, server, rules=rules, delay_ms=10):
        connection = connect(client, server, 80, 40001)
        connection.upload(149_993)
        connection.close()
        connection = connect(client, server, 80, 40002)
        connection.upload(67)
        connection.download(10_007)
        connection.close()


def _of_upload(segment: Segment) -> bool:
    return segment.src_port == 40001
