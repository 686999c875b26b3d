"""Traffic that is fine, in captures whose checksums are not: offloading, as a virtual link, a card and neither shows it."""

from __future__ import annotations

from ..hosts import Host
from ..lab import Lab
from ..scenario import scenario
from ..traffic import ask, connect, text

_QUESTIONS = (19, 61, 307, 641, 1301)
"""Bytes of each UDP datagram to the server; its answer is twice as long if that fits into a frame."""

_LARGE = {"ipv4.tcp_min_tso_segs": "7"}
"""At this delay the kernel would make super-segments of only two segments."""


@scenario
def offload_veth(lab: Lab) -> None:
    """Two hosts on a veth pair, which never finishes what is offloaded to it: each checksum at both ends is partial.

    The kernel offloads TCP and UDP checksums and segmentation to the veth pair as it would to a card, but the pair only
    hands memory over. So both captures show the same frames: TCP and UDP checksum fields with nothing but the sum of
    the pseudo-header, also in what was received, and super-segments far above the MTU of 1500. Nothing is wrong
    here. The first connection (client port 40001) carries 170,003 bytes to the server, the second (40002) a short
    request and 60,013 bytes back; five UDP questions (40003) are answered.
    """
    client, server = lab.direct_pair()
    with lab.recording(client, server):
        _traffic(client, server, 170_003, 60_013)


@scenario
def offload_card(lab: Lab) -> None:
    """A client whose card completes checksums and cuts super-segments: partial where captured, valid where received.

    What the client sends is captured before its card has it: checksum fields hold the sum of the pseudo-header, and
    segments are larger than the MTU of 1500 allows. The card calculates the checksums and cuts the super-segments, so
    the server captures complete segments of at most 1448 bytes, all of them valid, as is all that the server sends:
    it offloads nothing. Nothing is wrong here. The first connection (client port 40001) carries 90,007 bytes to
    the server, 10 ms each way, the second (40002) a short request and 60,013 bytes back; five UDP questions (40003)
    are answered.
    """
    _with_card(lab, family=4)


@scenario
def offload_card_ipv6(lab: Lab) -> None:
    """The same as offload-card, over IPv6: partial where captured, valid where received.

    The client's card completes the checksums of what it sends, after its capture, and cuts the super-segments; the
    server offloads nothing. 90,007 bytes to the server (client port 40001), a short request and 60,013 bytes back
    (40002), five UDP questions (40003), 10 ms each way. Nothing is wrong here.
    """
    _with_card(lab, family=6)


@scenario
def offload_gro(lab: Lab) -> None:
    """A receiver that merges segments (GRO) before they are captured: what was merged looks partial, the rest is valid.

    Two hosts on a veth pair that offload nothing of what they send: every frame leaves with a valid checksum. The
    server merges data segments that follow one another into super-segments, which its capture shows as received, and its
    kernel, having verified each of them, leaves the sum of the pseudo-header where their checksums were. So there a
    received frame is partial if it was merged, and valid if not. The client merges nothing. Nothing is wrong
    here. The first connection (client port 40001) carries 90,007 bytes to the server, the second (40002) a short request
    and 20,011 bytes back; five UDP questions (40003) are answered.
    """
    client, server = lab.direct_pair(client="tx off tso off", server="tx off tso off gro on")
    with lab.recording(client, server):
        _traffic(client, server, 90_007, 20_011)


@scenario
def offload_off(lab: Lab) -> None:
    """The same traffic without any offloading: every checksum is valid at both ends.

    A shorter upload of 20,011 bytes (client port 40001) and a download of 10,007 (40002), five UDP questions (40003),
    10 ms each way, between hosts whose kernels calculate all checksums and cut all segments themselves. Nothing
    is wrong here, and it looks like it.
    """
    client, server = lab.pair()
    with lab.recording(client, server, delay_ms=10):
        _traffic(client, server, 20_011, 10_007)


def _with_card(lab: Lab, family: int) -> None:
    has_card = {"offloads": ("checksum", f"tso{family}"), "card": True, "sysctls": _LARGE}
    client, server = lab.pair(family=family, only={"client": has_card})
    with lab.recording(client, server, delay_ms=10):
        _traffic(client, server, 90_007, 60_013)


def _traffic(client: Host, server: Host, upload: int, download: int) -> None:
    connection = connect(client, server, 80, 40001)
    connection.upload(upload)
    connection.close()
    connection = connect(client, server, 80, 40002)
    connection.upload(67)
    connection.download(download)
    connection.close()
    for size in _QUESTIONS:
        ask(client, server, text(size), text(min(2 * size, 1301)), 7, 40003)
