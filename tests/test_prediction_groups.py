"""Packets to groups, to all, and with headers that are none: what a host takes, and what it only receives."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests import build
from tests.predicting import START_NS, Prediction, of_frames

HOST4, HOST6, OTHER4, OTHER6 = "10.0.0.2", "2001:db8::12:3456", "10.0.0.1", "2001:db8::1"
ALL, ALL_NODES = b"\xff" * 6, "ff02::1"


def datagram(src: str, dst: str) -> bytes:
    """One to a group or to all."""
    payload = build.udp(b"all", between=(src, dst))
    if ":" in dst:
        return build.ipv6(payload, build.UDP, src=src, dst=dst)
    return build.ipv4(payload, build.UDP, src=src, dst=dst)


def message(kind: int, dst: str, src: str = OTHER6) -> bytes:
    """An ICMPv6 message."""
    return build.ipv6(build.icmpv6(bytes(16), kind=kind, between=(src, dst)), build.ICMPV6, src=src, dst=dst)


def framed(path: Path, host: str, packet: bytes, dst: bytes) -> Prediction:
    """A frame to this link address."""
    record = build.Record(build.ethernet(packet, build.IPV4, dst=dst), START_NS)
    path.write_bytes(build.pcap([record], magic=build.NANOSECONDS))
    return Prediction(path, host)


@pytest.mark.parametrize(
    ("packet", "taken"),
    [
        (message(143, "ff02::16"), (0, 0, 1)),
        (message(133, "ff02::2"), (0, 0, 1)),
        (message(135, "ff02::1:ff12:3456"), 1),
        (message(135, "ff02::1:ff12:3457"), (0, 0, 1)),
        (message(134, ALL_NODES), 1),
        (datagram(OTHER6, "ff02::fb"), (0, 0, 1)),
        (datagram(OTHER6, ALL_NODES), 1),
    ],
)
def test_a_host_need_not_be_in_a_group(tmp_path: Path, packet: bytes, taken: int | tuple[int, int, int]) -> None:
    """IPv6 counts what comes to any group, and delivers what comes to those of all hosts and of its own addresses."""
    found = of_frames(tmp_path / "a.pcap", HOST6, [(0, packet)])
    assert found.of("Ip6InReceives") == found.of("Ip6InMcastPkts") == 1
    assert found.of("Ip6InDelivers") == taken
    if packet[6] == build.ICMPV6:
        assert found.of("Icmp6InMsgs") == taken


@pytest.mark.parametrize(("dst", "taken"), [("224.0.0.1", 1), ("239.1.2.3", (0, 0, 1))])
def test_a_group_that_nobody_has_joined_is_none_in_ipv4(
    tmp_path: Path, dst: str, taken: int | tuple[int, int, int]
) -> None:
    """It is dropped before it is counted as one (ip_route_input_mc())."""
    found = of_frames(tmp_path / "a.pcap", HOST4, [(0, datagram(OTHER4, dst))])
    assert found.of("IpInReceives") == 1
    assert found.of("IpExtInMcastPkts") == found.of("IpInDelivers") == taken


@pytest.mark.parametrize(("dst", "sure"), [("10.0.0.255", True), ("255.255.255.255", True), ("192.0.2.77", False)])
def test_broadcasts_of_the_subnet(tmp_path: Path, dst: str, sure: bool) -> None:
    """The frame goes to all, and the address ends in ones; a single address in such a frame is perhaps wrong."""
    found = framed(tmp_path / "a.pcap", HOST4, datagram(OTHER4, dst), ALL)
    assert found.of("IpExtInBcastPkts") == (1 if sure else (1, 0, 1))
    assert found.of("IpInDelivers") == (1 if sure else (0, 0, 1))
    assert found.of("UdpIgnoredMulti") == (int(sure), 0, 1)


def test_a_host_receives_its_own_broadcasts(tmp_path: Path) -> None:
    """Past the capture; of a group only if it is in it."""
    found = framed(tmp_path / "a.pcap", HOST4, datagram(HOST4, "10.0.0.255"), ALL)
    for name in ("IpExtOutBcastPkts", "IpExtInBcastPkts", "IpInReceives", "IpInDelivers", "IpOutRequests"):
        assert found.of(name) == 1, name
    found = of_frames(tmp_path / "b.pcap", HOST4, [(0, datagram(HOST4, "239.1.2.3"))])
    assert found.of("IpInReceives") == found.of("IpExtInMcastPkts") == (0, 0, 1)


def test_a_frame_to_all_with_the_hosts_own_address(tmp_path: Path) -> None:
    """It is no broadcast to IP."""
    found = framed(tmp_path / "a.pcap", HOST4, datagram(OTHER4, HOST4), ALL)
    assert found.of("IpInDelivers") == 1
    assert found.of("IpExtInBcastPkts") == 0


def test_ipv6_that_is_switched_off(tmp_path: Path) -> None:
    """What comes all the same is received and thrown away."""
    off = {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.eth0.disable_ipv6": "1"}
    found = of_frames(tmp_path / "a.pcap", HOST6, [(0, message(134, ALL_NODES))], off)
    assert found.of("Ip6InReceives") == 1
    assert found.of("Ip6InDelivers") == found.of("Ip6InMcastPkts") == found.of("Ip6InNoECTPkts") == 0


def test_headers_that_are_none(tmp_path: Path) -> None:
    """Of another version, shorter than a header, and a TCP header that says so of itself."""
    wrong_version = b"\x65" + datagram(OTHER4, HOST4)[1:]
    no_header = b"\x42" + datagram(OTHER4, HOST4)[1:]
    tcp = bytearray(build.tcp(between=(OTHER4, HOST4)))
    tcp[12] = 0x20
    short = build.ipv4(bytes(tcp), build.TCP, src=OTHER4, dst=HOST4)
    records = [
        build.Record(build.ethernet(packet, build.IPV4), START_NS + k)
        for k, packet in enumerate((wrong_version, no_header, short))
    ]
    (tmp_path / "a.pcap").write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    found = Prediction(tmp_path / "a.pcap", HOST4)
    assert found.of("IpInReceives") == (3, 2, 3)
    assert found.of("IpInHdrErrors") == (2, 1, 2)
    assert found.of("IpInDelivers") == found.of("TcpInSegs") == 1
    assert found.of("TcpInErrs") == (1, 0, 1)


def test_timestamp_replies(tmp_path: Path) -> None:
    """The kernel counts its answer as an echo reply; one that answers nothing is a program's own."""

    def timestamp(kind: int, src: str, dst: str, rest: int) -> bytes:
        return build.ipv4(build.icmp(struct.pack(">3I", 0, 0, 0), kind=kind, rest=rest), build.ICMP, src=src, dst=dst)

    asked = timestamp(13, OTHER4, HOST4, 7)
    frames = [(0.0, asked), (0.001, timestamp(14, HOST4, OTHER4, 7)), (0.002, timestamp(14, HOST4, OTHER4, 8))]
    found = of_frames(tmp_path / "a.pcap", HOST4, frames)
    assert found.of("IcmpMsgOutType0") == found.of("IcmpMsgOutType14") == 1


@pytest.mark.parametrize(("kind", "errors"), [(19, 1), (200, 1), (42, 0), (9, 0), (3, (0, 0, 1)), (5, (0, 0, 1))])
def test_icmp_types_that_no_kernel_knows(tmp_path: Path, kind: int, errors: int | tuple[int, int, int]) -> None:
    """They are errors; those that it knows and passes over are none."""
    packet = build.ipv4(build.icmp(bytes(8), kind=kind), build.ICMP, src=OTHER4, dst=HOST4)
    assert of_frames(tmp_path / "a.pcap", HOST4, [(0, packet)]).of("IcmpInErrors") == errors
