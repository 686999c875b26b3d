"""Packets between others, fragments and ICMP errors: what a router, and a host that is none, counts for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import build
from tests.predicting import of_frames

ROUTER4, ROUTER6 = "192.0.2.254", "2001:db8::fe"
FORWARDING = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}
NO_FORWARDING = {"net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "0"}


def datagram(six: bool = False, **fields: int) -> bytes:
    """From one host to another, neither of which took the capture."""
    between = (build.SRC6, build.DST6) if six else (build.SRC4, build.DST4)
    payload = build.udp(b"question", between=between)
    return build.ipv6(payload, build.UDP, **fields) if six else build.ipv4(payload, build.UDP, **fields)  # type: ignore[arg-type]


def error(kind: int, code: int, about: bytes, rest: int = 0) -> bytes:
    """An ICMP error of the router to the sender of what it is about."""
    if about[0] >> 4 == 6:
        message = build.icmpv6(about, kind=kind, code=code, rest=rest, between=(ROUTER6, build.SRC6))
        return build.ipv6(message, build.ICMPV6, src=ROUTER6, dst=build.SRC6)
    return build.ipv4(build.icmp(about, kind=kind, code=code, rest=rest), build.ICMP, src=ROUTER4, dst=build.SRC4)


def test_a_router_passes_on(tmp_path: Path) -> None:
    """Received, forwarded and sent; nothing is delivered or requested."""
    found = of_frames(tmp_path / "a.pcap", ROUTER4, [(0, datagram()), (1, datagram(ident=2))], FORWARDING)
    for name in ("IpInReceives", "IpForwDatagrams", "IpOutTransmits", "IpExtInNoECTPkts"):
        assert found.of(name) == 2
    assert found.of("IpExtOutOctets") == 2 * len(datagram())
    for name in ("IpInDelivers", "IpOutRequests", "UdpInDatagrams", "UdpOutDatagrams", "IpInAddrErrors"):
        assert found.of(name) == 0


def test_a_host_that_does_not_forward_may_have_an_address_error(tmp_path: Path) -> None:
    """Or it only overheard the packet."""
    found = of_frames(tmp_path / "a.pcap", ROUTER4, [(0, datagram())], NO_FORWARDING)
    assert found.of("IpInAddrErrors") == (1, 0, 1)
    assert found.of("IpInReceives") == (1, 0, 1)
    assert found.of("IpForwDatagrams") == 0


@pytest.mark.parametrize("code", [0, 1])
def test_a_setting_that_was_changed_since(tmp_path: Path, code: int) -> None:
    """A host that does not forward answers for no other: it does by now, and what it counts for such packets is open again."""
    frames = [(0, datagram()), (0.001, error(3, code, datagram())), (1, datagram(ident=2))]
    found = of_frames(tmp_path / "a.pcap", ROUTER4, frames, NO_FORWARDING)
    amount, least, most = found.of("IpInAddrErrors")  # type: ignore[misc]
    assert (least, most) == (0, 1 if code == 0 else 2)
    assert least <= amount <= most
    for name in ("IpForwDatagrams", "IpOutTransmits", "IpExtInNoRoutes"):
        value = found.of(name)
        amount, least, most = value if isinstance(value, tuple) else (value,) * 3
        assert 0 <= least <= amount <= most, name
    assert found.of("IpExtInNoRoutes") == ((2, 1, 2) if code == 0 else (0, 0, 2))


def test_without_settings_all_is_possible(tmp_path: Path) -> None:
    """Ranges, then."""
    found = of_frames(tmp_path / "a.pcap", ROUTER4, [(0, datagram())])
    assert found.of("IpForwDatagrams") == (1, 0, 1)
    assert found.of("IpInAddrErrors") == (0, 0, 1)


@pytest.mark.parametrize("six", [False, True])
def test_a_packet_too_big_is_forwarded_but_not_sent(tmp_path: Path, six: bool) -> None:
    """The error names it, and takes back what was thought to be sent."""
    packet = datagram(six)
    told = error(2, 0, packet, rest=1280) if six else error(3, 4, packet, rest=1200)
    found = of_frames(
        tmp_path / "a.pcap", ROUTER6 if six else ROUTER4, [(0, packet), (0.0001, told), (1, packet)], FORWARDING
    )
    ip = "Ip6" if six else "Ip"
    assert found.of(f"{ip}FragFails") == 1
    assert found.of("Ip6OutForwDatagrams" if six else "IpForwDatagrams") == 2
    assert found.of(f"{ip}OutTransmits") == 2  # the second packet, and the error
    assert found.of("Ip6InTooBigErrors") == (1 if six else 0)


@pytest.mark.parametrize("six", [False, True])
def test_no_route(tmp_path: Path, six: bool) -> None:
    """Each error is one; a packet to the same address without an error may be one whose error was limited."""
    packet = datagram(six)
    told = error(1, 0, packet) if six else error(3, 0, packet)
    packets = [(0, packet), (0.0001, told), (1, packet), (1.0001, told), (2, packet)]
    found = of_frames(tmp_path / "a.pcap", ROUTER6 if six else ROUTER4, packets, FORWARDING)
    assert found.of("Ip6InNoRoutes" if six else "IpExtInNoRoutes") == (3, 2, 3)
    assert found.of("Ip6OutForwDatagrams" if six else "IpForwDatagrams") == (0, 0, 1)
    assert found.of("Icmp6OutRateLimitHost" if six else "IcmpOutRateLimitHost") == (1, 0, 1)


@pytest.mark.parametrize("six", [False, True])
def test_time_to_live_is_over(tmp_path: Path, six: bool) -> None:
    """A packet with its last hop may be dying here, or on its way out; the error tells."""
    packet = datagram(True, hop_limit=1) if six else datagram(ttl=1)
    told = error(3, 0, packet) if six else error(11, 0, packet)
    name = "Ip6InHdrErrors" if six else "IpInHdrErrors"
    host = ROUTER6 if six else ROUTER4
    assert of_frames(tmp_path / "a.pcap", host, [(0, packet)], FORWARDING).of(name) == (1, 0, 1)
    found = of_frames(tmp_path / "b.pcap", host, [(0, packet), (0.0001, told)], FORWARDING)
    assert found.of(name) == 1
    assert found.of("Ip6OutForwDatagrams" if six else "IpForwDatagrams") == 0


def fragment(offset: int, size: int, more: bool, ident: int = 7, six: bool = False) -> bytes:
    """A piece of a datagram for DST."""
    between = (build.SRC6, build.DST6) if six else (build.SRC4, build.DST4)
    part = build.udp(bytes(2992), between=between)[offset : offset + size]
    if six:
        header = build.fragment_header(offset=offset, more=more, ident=ident)
        return build.ipv6(part, build.UDP, extensions=[header])
    return build.ipv4(part, build.UDP, ident=ident, flags=int(more), offset=offset)


@pytest.mark.parametrize("six", [False, True])
def test_fragments_that_come_late_twice_or_overlap(tmp_path: Path, six: bool) -> None:
    """A copy is nothing; an overlap ends the datagram, and what follows begins another."""
    host, ip = (build.DST6, "Ip6") if six else (build.DST4, "Ip")
    pieces = [
        fragment(0, 1400, True, six=six),
        fragment(2800, 200, False, six=six),
        fragment(1400, 1400, True, six=six),
    ]
    found = of_frames(tmp_path / "a.pcap", host, [(k, piece) for k, piece in enumerate([pieces[0], *pieces])])
    assert (found.of(f"{ip}ReasmReqds"), found.of(f"{ip}ReasmOKs"), found.of(f"{ip}ReasmFails")) == (4, 1, 0)
    assert found.of("Udp6InDatagrams" if six else "UdpInDatagrams") == (1, 0, 1)
    overlap = fragment(1392, 1400, True, six=six)
    found = of_frames(tmp_path / "b.pcap", host, [(0, pieces[0]), (1, overlap), (2, pieces[1])])
    assert (found.of(f"{ip}ReasmOKs"), found.of(f"{ip}ReasmFails")) == (0, 1)
    assert found.of("IpExtReasmOverlaps") == (0 if six else 1)
    assert found.may_follow(f"{ip}ReasmTimeout") == 1  # of the last fragment


def test_fragments_that_contradict_each_other(tmp_path: Path) -> None:
    """A last fragment before another one, and one beyond the last."""
    early = [(0, fragment(1400, 1400, True)), (1, fragment(800, 8, False))]
    beyond = [(2, fragment(800, 8, False, ident=8)), (3, fragment(1400, 1400, True, ident=8))]
    found = of_frames(tmp_path / "a.pcap", build.DST4, [*early, *beyond])
    assert (found.of("IpReasmFails"), found.of("IpReasmOKs"), found.of("IpReasmTimeout")) == (2, 0, 0)
    assert found.may_follow("IpReasmFails") == 0


def test_the_host_says_that_a_datagram_stayed_incomplete(tmp_path: Path) -> None:
    """Then it is certain when; without its first fragment it says nothing."""
    first, last = fragment(0, 1400, True), fragment(2800, 200, False, ident=8)
    told = build.ipv4(build.icmp(first[:28], kind=11, code=1, rest=0), build.ICMP, src=build.DST4, dst=build.SRC4)
    found = of_frames(tmp_path / "a.pcap", build.DST4, [(0, first), (1, last), (30.2, told), (40, datagram())])
    assert found.of("IpReasmTimeout") == (2, 1, 3)
    assert found.seconds("IpReasmTimeout")[:2] == [30.2, 31.0]
    assert found.may_follow("IpReasmTimeout") == 0


@pytest.mark.parametrize("six", [False, True])
def test_a_protocol_that_nobody_knows(tmp_path: Path, six: bool) -> None:
    """Perhaps, until the host says so."""
    if six:
        packet = build.ipv6(bytes(40), 253)
        message = build.icmpv6(packet, kind=4, code=1, rest=6, between=(build.DST6, build.SRC6))
        told = build.ipv6(message, build.ICMPV6, src=build.DST6, dst=build.SRC6)
    else:
        packet = build.ipv4(bytes(40), 253)
        told = build.ipv4(build.icmp(packet, kind=3, code=2), build.ICMP, src=build.DST4, dst=build.SRC4)
    host, name = (build.DST6, "Ip6InUnknownProtos") if six else (build.DST4, "IpInUnknownProtos")
    assert of_frames(tmp_path / "a.pcap", host, [(0, packet)]).of(name) == (0, 0, 1)
    assert of_frames(tmp_path / "b.pcap", host, [(0, packet), (0.1, told)]).of(name) == 1
    packets = [(0, packet), (0.1, told), (1, packet), (1.1, told), (2, packet)]
    assert of_frames(tmp_path / "c.pcap", host, packets).of(name) == (3, 2, 3)


def test_a_closed_port_whose_errors_are_limited(tmp_path: Path) -> None:
    """Datagrams to a port that is known to be closed are not delivered, whether an error follows or not."""
    packet = build.ipv4(build.udp(b"knock", dst_port=9), build.UDP)
    told = build.ipv4(build.icmp(packet, kind=3, code=3), build.ICMP, src=build.DST4, dst=build.SRC4)
    found = of_frames(
        tmp_path / "a.pcap", build.DST4, [(0, packet), (0.1, told), (1, packet), (2, packet), (2.1, told)]
    )
    assert found.of("UdpNoPorts") == (3, 2, 3)
    assert found.of("UdpInDatagrams") == (0, 0, 1)
    assert found.of("IcmpOutRateLimitHost") == (1, 0, 1)


def test_a_packet_that_is_cut_off(tmp_path: Path) -> None:
    """Its header claims more than has arrived: no protocol sees it."""
    segment = build.tcp(b"hello", flags=2)
    packet = build.ipv4(segment, total_length=2000)
    found = of_frames(tmp_path / "a.pcap", build.DST4, [(0, packet)])
    assert found.of("IpExtInTruncatedPkts") == 1
    assert found.of("IpInReceives") == 1
    assert found.of("IpInDelivers") == 0
    assert found.of("TcpInSegs") == 0


@pytest.mark.parametrize("six", [False, True])
def test_udp_lite(tmp_path: Path, six: bool) -> None:
    """Counted in lines of its own."""
    packet = build.ipv6(bytes(20), 136) if six else build.ipv4(bytes(20), 136)
    name = "UdpLite6" if six else "UdpLite"
    received = of_frames(tmp_path / "a.pcap", build.DST6 if six else build.DST4, [(0, packet)])
    assert received.of(f"{name}InDatagrams") == (1, 0, 1)
    assert received.of("Ip6InDelivers" if six else "IpInDelivers") == 1
    sent = of_frames(tmp_path / "a.pcap", build.SRC6 if six else build.SRC4, [(0, packet)])
    assert sent.of(f"{name}OutDatagrams") == 1


def test_a_router_that_translates_is_no_end(tmp_path: Path) -> None:
    """A SYN under its own address has lost a hop: it comes from behind the router."""
    syn = build.ipv4(build.tcp(flags=2, options=build.mss(1460)), ttl=63)
    own = build.ipv4(build.tcp(flags=2, options=build.mss(1460), src_port=40001))
    found = of_frames(tmp_path / "a.pcap", build.SRC4, [(0, syn), (1, own)], FORWARDING)
    assert (found.of("IpForwDatagrams"), found.of("TcpActiveOpens"), found.of("IpOutRequests")) == (1, 1, 1)
    assert of_frames(tmp_path / "b.pcap", build.SRC4, [(0, syn)], NO_FORWARDING).of("TcpActiveOpens") == 1


def test_many_incomplete_datagrams_push_the_oldest_out(tmp_path: Path) -> None:
    """What is kept does not grow; all of them end sooner or later."""
    packets = [(k / 1000, fragment(0, 1400, True, ident=k)) for k in range(200)]
    found = of_frames(tmp_path / "a.pcap", build.DST4, packets)
    assert found.of("IpReasmReqds") == 200
    known = found.of("IpReasmTimeout")
    assert isinstance(known, tuple)
    assert known[0] + found.may_follow("IpReasmTimeout") == 200


def test_what_a_router_was_captured_passing_on_twice(tmp_path: Path) -> None:
    """As it came in and as it left, with a time to live that is one less: once; and cut in two as it left."""
    large = build.ipv4(build.udp(bytes(1200), between=(build.SRC4, build.DST4)), build.UDP, ident=9)
    left = datagram(ttl=63)
    pieces = [bytearray(piece) for piece in build.cut_up(large, [800], ident=9)]
    for piece in pieces:
        piece[8] = 63
        piece[10:12] = bytes(2)
        piece[10:12] = build.checksum(bytes(piece[:20])).to_bytes(2, "big")
    frames = [(0.0, datagram()), (0.0001, left), (1.0, large), *((1.0001, bytes(piece)) for piece in pieces)]
    found = of_frames(tmp_path / "a.pcap", ROUTER4, frames, FORWARDING)
    assert found.of("IpInReceives") == found.of("IpForwDatagrams") == 2
    assert found.of("IpOutTransmits") == 3
    assert (found.of("IpFragOKs"), found.of("IpFragCreates")) == (1, 2)
    assert found.of("IpExtOutOctets") == len(left) + sum(map(len, pieces))
