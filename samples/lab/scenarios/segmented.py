"""What the counters make of offloading: super-segments and merged ones."""

from __future__ import annotations

from ..lab import Lab
from ..scenario import scenario
from ..sockets import dial

_SEGMENTS = "TcpOutSegs TcpInSegs IpOutRequests IpInReceives IpExtInNoECTPkts IpExtOutOctets IpExtInOctets"
_LARGE = {"ipv4.tcp_min_tso_segs": "3"}


@scenario
def counters_gso(lab: Lab) -> None:
    """A card that cuts super-segments: TcpOutSegs counts segments, IpOutRequests what was handed to the card.

    The client's kernel makes super-segments and leaves them to the card. Its capture shows them whole, as
    IpOutRequests counts them; TcpOutSegs counts the segments that the card makes of them. The server gets and counts
    each frame.
    """
    has_card = {"offloads": ("checksum", "tso4"), "card": True, "sysctls": _LARGE}
    client, server = lab.pair(mtu=576, only={"client": has_card})
    with lab.recording(client, server, delay_ms=5, counters=_SEGMENTS):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(12_000, 16_000))
        connection.close()


@scenario
def counters_gro(lab: Lab) -> None:
    """A receiver that merges segments (GRO): IpInReceives counts what is left, IpExtInNoECTPkts what arrived.

    The client sends single segments. The server's interface merges those that follow each other before anybody sees
    them: its capture, IpInReceives and TcpInSegs have fewer than the client has sent; IpExtInNoECTPkts counts the segments
    in the merged ones.
    """
    client, server = lab.direct_pair(client="tx off tso off gso off", server="tx off tso off gro on")
    with lab.recording(client, server, counters=_SEGMENTS):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(20_000, 30_000))
        connection.close()


@scenario
def shaped(lab: Lab) -> None:
    """A shaper on the host itself (tbf, 20 Mbit/s) cuts super-segments and spaces out their pieces, before they are captured.

    IpOutRequests counts the super-segments that TCP gave to IP, and the capture shows only pieces, each with the timestamp of the
    whole: how many there were is not certain.
    """
    client, server = lab.direct_pair(client="tx off", server="gro off")
    shaper = "tc qdisc replace dev eth0 root tbf rate 20mbit burst 4kb limit 200kb"
    client.run(*shaper.split())
    with lab.recording(client, server, counters="IpOutRequests IpOutTransmits TcpOutSegs"):
        connection = dial(client, server, 40001)
        connection.upload(lab.random.randrange(20_000, 25_000))
        connection.close()
