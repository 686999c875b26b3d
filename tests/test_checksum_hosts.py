"""Which host took the capture: each sign alone, what speaks against it, and captures from the middle."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer import Analysis, analyze
from analyzer.checksums import CaptureHost
from tests import build
from tests.test_checksum_verdicts import (
    ENDS,
    ETHERNET,
    FAR_NS,
    RAW,
    SAMPLES,
    SLL2,
    START_NS,
    Packet,
    Talk,
    checked,
    conversation,
    expected_errors,
    judged,
    marked,
    merging,
    partial,
    port,
    pseudo_header,
    replaced,
    rewritten,
    right,
    said_of,
    stale,
    transport_at,
    unanswered,
    with_field,
    written,
)

CLIENT, SERVER = ENDS[4]
INNER = "172.17.0.2"
NEARBY = {"c": 64, "s": 64}  # TTLs that tell nothing


def hosts(analysis: Analysis) -> list[str]:
    """The addresses that are said to have taken the capture, surest first."""
    return [host.address for host in analysis.capture_hosts]


def only(analysis: Analysis) -> CaptureHost:
    """The only one."""
    (host,) = analysis.capture_hosts
    return host


def questions(near: str = "", **fields: object) -> Talk:
    """Short UDP datagrams both ways: nothing can be known from answer times."""
    talk = Talk(near, **fields)  # type: ignore[arg-type]
    for number in range(11):
        talk.udp("c", talk.bytes(1 + number % 10))
        talk.udp("s", talk.bytes(2 + number % 10))
    return talk


# One sign at a time


@pytest.mark.parametrize("near", ["c", "s"])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("link", ["sll2", "pcapng"])
def test_direction_of_the_link_layer(tmp_path: Path, link: str, version: int, near: str) -> None:
    """The packet type of Linux, and the flags of pcapng."""
    talk = questions(near, version=version, ttl=NEARBY)
    analysis = judged(tmp_path, talk, SLL2) if link == "sll2" else analyze(marked(tmp_path / "a.pcapng", talk.packets))
    host = only(analysis)
    assert host.address == talk.between(near)[0] and host.confidence >= 0.99
    assert host.evidence[0] == "the link layer marks what it sent as outgoing (11 frames)"


def test_only_incoming(tmp_path: Path) -> None:
    """A host that never answers."""
    talk = unanswered("s", right)
    host = only(judged(tmp_path, talk, SLL2))
    assert host.address == SERVER and 0.5 <= host.confidence < 0.9
    assert host.evidence == ("the link layer marks what it received as incoming (5 frames)",)


@pytest.mark.parametrize("group", ["224.0.0.251", "255.255.255.255", "ff02::fb"])
def test_a_group_is_no_host(tmp_path: Path, group: str) -> None:
    """What comes in for all of them."""
    talk = Talk("s", ends=("fe80::7" if ":" in group else "192.0.2.7", group))
    for number in range(5):
        talk.udp("c", talk.bytes(40 + number))
    assert hosts(judged(tmp_path, talk, SLL2)) == []


@pytest.mark.parametrize("near", ["c", "s"])
@pytest.mark.parametrize("version", [4, 6])
def test_offload(tmp_path: Path, version: int, near: str) -> None:
    """Only its own card finishes checksums after the capture."""
    talk = questions(near, version=version, ttl=NEARBY, as_sent={near: partial})
    host = only(judged(tmp_path, talk))
    assert (host.address, host.confidence) == (talk.between(near)[0], 0.95)
    assert host.evidence == ("100% of what it sent has no finished checksum, what it received has",)


def test_offload_of_random_fields(tmp_path: Path) -> None:
    """One field in 30,000 happens to look partial: many others do not."""
    talk = Talk("c", ttl=NEARBY)
    mark = stale(random.Random(5))
    for number in range(50):
        talk.udp("c", talk.bytes(60 + number), mark=partial if number == 17 else mark)
        talk.udp("s", talk.bytes(40 + number))
    assert only(judged(tmp_path, talk)).confidence == 0.95


@pytest.mark.parametrize("near", ["c", "s"])
def test_unpadded_frames(tmp_path: Path, near: str) -> None:
    """Ethernet fills short frames up to 60 bytes, after the capture saw them leave."""
    talk = questions(near, ttl=NEARBY)
    host = only(judged(tmp_path, talk, ETHERNET))
    assert (host.address, host.confidence) == (talk.between(near)[0], 0.9)
    assert host.evidence == ("11 of its frames are shorter than Ethernet allows, those it received are padded",)


@pytest.mark.parametrize("out", [True, False])
def test_padding_of_all_or_none(tmp_path: Path, out: bool) -> None:
    """On a virtual link nobody pads, in the middle everybody has."""
    packets = [replace(packet, out=out) for packet in questions("c", ttl=NEARBY).packets]
    assert hosts(judged(tmp_path, packets, ETHERNET)) == []


@pytest.mark.parametrize("near", ["c", "s"])
@pytest.mark.parametrize("version", [4, 6])
def test_answer_times(tmp_path: Path, version: int, near: str) -> None:
    """It answers at once, the other end after the round trip."""
    talk = conversation(near, version, ttl=NEARBY)
    host = only(judged(tmp_path, talk))
    assert (host.address, host.confidence) == (talk.between(near)[0], 0.8)
    assert host.evidence == ("it answers after 11 us, its peers after 20,011 us",)


def test_answer_time_of_a_client_that_only_sends(tmp_path: Path) -> None:
    """What the handshake took, less the time of the server."""
    talk = Talk("c", ttl=NEARBY)
    talk.hello()
    talk.upload(7)
    assert only(judged(tmp_path, talk)).address == CLIENT


@pytest.mark.parametrize("ttl", [64, 128, 255])
def test_first_ttl(tmp_path: Path, ttl: int) -> None:
    """Too little alone; with other signs it counts."""
    assert hosts(judged(tmp_path, questions("c", ttl={"c": ttl, "s": 57}))) == []
    host = only(judged(tmp_path, conversation("c", ttl={"c": ttl, "s": 57})))
    assert (host.address, host.confidence) == (CLIENT, 0.86)
    assert host.evidence[0] == f"its packets still have their first TTL ({ttl}), those of its peers do not"


@pytest.mark.parametrize("mark", [partial, stale(random.Random(2))], ids=["gro", "lro"])
def test_merged_segments(tmp_path: Path, mark: Callable[[bytes], bytes]) -> None:
    """What the client sent came merged: then the server captured it."""
    host = only(judged(tmp_path, merging("s", mark)))
    assert host.address == SERVER and host.confidence > 0.9
    assert any("came merged" in text for text in host.evidence)
    talk = Talk("s", ttl=NEARBY)
    for _ in range(7):  # no answer times
        talk.tcp("c", "PA", talk.bytes(4200), mark=mark)
        talk.tcp("c")
    host = only(judged(tmp_path, talk))
    assert (host.address, host.confidence, len(host.evidence)) == (SERVER, 0.6, 1)
    assert "came merged" in host.evidence[0]


def bundle_of(folder: Path, talk: Talk, *addresses: str) -> Path:
    """A bundle with a capture and a host.json."""
    folder.mkdir()
    written(folder / "capture.pcap", talk.packets)
    host = {"hostname": "box", "kernel": "Linux 6.1", "interfaces": [{"name": "eth0", "addresses": list(addresses)}]}
    (folder / "host.json").write_text(json.dumps(host))
    return folder


def test_recorded_addresses(tmp_path: Path) -> None:
    """Those of host.json that are in the capture; it is said where they stand."""
    folder = bundle_of(tmp_path / "box", questions(), "127.0.0.1/8", f"{SERVER}/24", "203.0.113.9/32")
    host = only(analyze(folder))
    assert host.address == SERVER and host.confidence >= 0.999
    assert host.evidence == (f"{folder}/host.json lists it",)
    assert f"{SERVER} (certain)" in checked(analyze(folder))


def test_recorded_addresses_win(tmp_path: Path) -> None:
    """The answer times of the other end are explained by something else, such as a proxy."""
    folder = bundle_of(tmp_path / "box", conversation("c"), SERVER)
    assert hosts(analyze(folder)) == [SERVER]


def test_two_bundles(tmp_path: Path) -> None:
    """Both ends at once."""
    names = ("client", "server")
    for name in names:
        shutil.copytree(SAMPLES / "clean-ipv4" / name, tmp_path / name)
    assert set(hosts(analyze([tmp_path / name for name in names]))) == {"10.0.0.1", "10.0.0.2"}


def test_given_addresses_win(tmp_path: Path) -> None:
    """Nothing else counts, neither signs nor host.json; several may be given, in any spelling."""
    folder = bundle_of(tmp_path / "box", conversation("c", 6), build.SRC6)
    analysis = analyze(folder, hosts=["2001:0DB8:0001:0::2", "192.0.2.9"])
    assert analysis.capture_hosts == [
        CaptureHost(build.DST6, 1.0, ("named with --host",)),
        CaptureHost("192.0.2.9", 1.0, ("named with --host",)),
    ]


# What speaks against an end


@pytest.mark.parametrize("hops", [1, 2, 31])
@pytest.mark.parametrize("first", [64, 128, 255])
def test_routed_packets_were_sent_elsewhere(tmp_path: Path, first: int, hops: int) -> None:
    """However quickly they come, and even where they went out: a router captured them."""
    talk = conversation("c", ttl={"c": first - hops, "s": 57})
    assert hosts(judged(tmp_path, talk)) == []
    assert hosts(judged(tmp_path, talk, SLL2)) == []


def test_traceroute(tmp_path: Path) -> None:
    """Low TTLs are chosen, not left over."""
    talk = conversation("c", ttl=NEARBY)
    for hop in range(1, 31):
        talk.ttl["c"] = hop
        talk.udp("c", talk.bytes(40))
    assert only(judged(tmp_path, talk)).address == CLIENT


def test_padded_frames_were_sent_elsewhere(tmp_path: Path) -> None:
    """However quickly they come."""
    packets = [replace(packet, out=False) for packet in conversation("c").packets]
    assert hosts(judged(tmp_path, packets, ETHERNET)) == []


def test_delayed_acknowledgments(tmp_path: Path) -> None:
    """In the middle, the only segment is acknowledged so late that nothing of the handshake is left to the client."""
    talk = Talk("", ttl=NEARBY, distance_ns={"c": 3_000_000, "s": 7_000_000})
    talk.hello()
    talk.tcp("c", "PA", talk.bytes(100))
    talk.now_ns += 40_000_000
    talk.tcp("s")
    talk.bye()
    assert hosts(judged(tmp_path, talk)) == []


@pytest.mark.parametrize("link", [RAW, SLL2])
@pytest.mark.parametrize("version", [4, 6])
def test_broken_packets_are_no_offload(tmp_path: Path, version: int, link: int) -> None:
    """All that the client sends arrives broken, what it receives is right: it did not take the capture for that."""
    talk = unanswered("s", port(version, 8080), version, ttl=NEARBY)
    for number in range(11):
        talk.udp("s", talk.bytes(100 + number))
    analysis = judged(tmp_path, talk, link)
    assert hosts(analysis) == ([talk.ends[1]] if link == SLL2 else [])
    assert said_of(analysis, talk.ends[0]).word == "middlebox"
    assert expected_errors(analysis) == ({"TcpInCsumErrors": 5} if link == SLL2 else {})


# From the middle


@pytest.mark.parametrize("link", [RAW, ETHERNET])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("client_ns", "server_ns"),
    [(FAR_NS, FAR_NS), (3_000_000, 7_000_000), (1_000_000, 50_000_000), (100_000, FAR_NS), (FAR_NS, 60_000)],
)
@pytest.mark.parametrize("ttl", [{"c": 64, "s": 57}, {"c": 64, "s": 64}, {"c": 127, "s": 63}])
def test_middle(tmp_path: Path, ttl: dict[str, int], client_ns: int, server_ns: int, version: int, link: int) -> None:
    """A mirror port, near to one end or not."""
    talk = conversation("", version, ttl=ttl, distance_ns={"c": client_ns, "s": server_ns})
    assert hosts(judged(tmp_path, talk, link)) == []


def test_middle_of_one_direction(tmp_path: Path) -> None:
    """Half of a conversation."""
    talk = conversation("", distance_ns={"c": 1_000_000})
    for end in talk.ends:
        half = [packet for packet in talk.packets if packet.data[12:16] == build.packed(end)]
        assert hosts(judged(tmp_path, half, ETHERNET)) == []


def forwarded() -> list[Packet]:
    """What a router captures: each packet as it comes, and as it goes with a lower TTL."""
    packets = []
    for packet in conversation("", distance_ns={"c": 500_000}, ttl={"c": 64, "s": 57}).packets:
        gone = rewritten(8, bytes([packet.data[8] - 1]))(packet.data)
        packets += [packet, Packet(packet.time_ns + 5000, gone, out=True)]
    return packets


def is_of(packet: Packet, end: str) -> bool:
    """Did this end send it?"""
    return packet.data[12:16] == build.packed(end)


@pytest.mark.parametrize("link", [SLL2, ETHERNET, RAW])
def test_router(tmp_path: Path, link: int) -> None:
    """On all interfaces."""
    packets = forwarded()
    assert hosts(judged(tmp_path, packets, link)) == []


@pytest.mark.parametrize("end", [CLIENT, SERVER])
@pytest.mark.parametrize("link", [SLL2, ETHERNET, RAW])
def test_router_on_one_interface(tmp_path: Path, link: int, end: str) -> None:
    """What the one end sends goes out there, what the other one sends comes in."""
    packets = [packet for packet in forwarded() if is_of(packet, end) == packet.out]
    assert hosts(judged(tmp_path, packets, link)) == []


@pytest.mark.parametrize("both", [False, True])
def test_router_that_merges(tmp_path: Path, both: bool) -> None:
    """GRO is on for what a router forwards, too."""
    talk = Talk("", ttl={"c": 64, "s": 57}, distance_ns={"c": 3_000_000})
    talk.hello()
    for side in "sc" if both else "s":
        for _ in range(23):
            talk.tcp(side, "PA", talk.bytes(4200), mark=partial)
            talk.tcp("c" if side == "s" else "s")
            talk.tcp(side)
    talk.bye()
    analysis = judged(tmp_path, talk, ETHERNET)
    assert hosts(analysis) == []
    assert said_of(analysis, SERVER).word == "merged"


def test_mirror_port_with_directions(tmp_path: Path) -> None:
    """On the monitoring host everything comes in."""
    talk = conversation("", ttl=NEARBY)
    assert hosts(analyze(marked(tmp_path / "span.pcapng", talk.packets))) == []
    assert hosts(judged(tmp_path, talk, SLL2)) == []


# A host that forwards for others


def translated(packet: bytes, side: str, to: str, mark: Callable[[bytes], bytes]) -> bytes:
    """The packet with another address, as NAT does it: all checksums follow."""
    changed = rewritten(12 if side == "src" else 16, build.packed(to))(packet)
    empty = with_field(changed, 0)
    return mark(with_field(changed, build.checksum(pseudo_header(empty) + empty[transport_at(empty) :])))


@pytest.mark.parametrize("mark", [right, partial])
def test_address_translation_on_any(tmp_path: Path, mark: Callable[[bytes], bytes]) -> None:
    """Each packet of a container is seen twice: the address that it gets is that of the capturing host."""
    packets = []
    for packet in conversation("c", ends=(INNER, SERVER)).packets:
        if packet.out:
            routed = rewritten(8, b"\x3f")(packet.data)
            packets.append(replace(packet, data=mark(packet.data), out=False))
            packets.append(Packet(packet.time_ns + 3000, translated(routed, "src", CLIENT, mark), out=True))
        else:
            packets.append(
                replace(packet, time_ns=packet.time_ns - 3000, data=translated(packet.data, "dst", CLIENT, right))
            )
            packets.append(replace(packet, data=rewritten(8, b"\x38")(packet.data), out=True))
    analysis = judged(tmp_path, packets, SLL2)
    assert hosts(analysis) == [CLIENT]
    assert {said_of(analysis, end).word for end in (INNER, CLIENT)} == {"valid" if mark is right else "offload"}


# In general


@pytest.mark.parametrize("seed", range(60))
def test_any_conversation(tmp_path: Path, seed: int) -> None:
    """From an end, that end or nobody is named; from the middle nobody."""
    rng = random.Random(seed)
    near = rng.choice(["c", "s", ""])
    version = rng.choice([4, 6])
    hops = {side: 64 - rng.randrange(1 if near else 0, 20) for side in "cs"}
    far = {side: rng.choice([200_000, 1_000_000, 20_000_000, 90_000_000]) for side in "cs"}
    if near:
        hops[near], far[near] = rng.choice([64, 128, 255]), 0
    as_sent = {near: rng.choice([right, partial, stale(rng)])} if near else {}
    talk = Talk(near, version, ttl=hops, distance_ns=far, as_sent=as_sent, seed=seed)
    if rng.random() < 0.8:
        talk.hello()
    for _ in range(rng.randrange(1, 4)):
        step: Callable[[], None] = rng.choice([talk.upload, talk.download, talk.questions, talk.pings])
        step()
    found = judged(tmp_path, talk, rng.choice([RAW, ETHERNET, SLL2]) if near else rng.choice([RAW, ETHERNET]))
    assert hosts(found) in ([[], [talk.between(near)[0]]] if near else [[]])


def many(count: int) -> list[Packet]:
    """A server and as many peers, a question each."""
    packets: list[Packet] = []
    for number in range(count):
        peer = f"10.{number >> 8}.{number & 255}.9"
        start_ns = START_NS + 1_000_000 * number
        packets += conversation_of(peer, start_ns)
    return packets


def conversation_of(peer: str, start_ns: int) -> list[Packet]:
    """A short TCP connection to the server."""
    talk = Talk("s", ends=(peer, SERVER), ttl=NEARBY, now_ns=start_ns)
    talk.hello()
    talk.upload(1, 100)
    talk.download(count=1, size=300)
    return talk.packets


def test_many_peers(tmp_path: Path) -> None:
    """Each is far away."""
    assert only(judged(tmp_path, many(499))).address == SERVER


def test_text(tmp_path: Path) -> None:
    """How sure it is, in words; or that nothing tells."""
    sections: list[Sequence[str]] = []
    for talk in (conversation("c"), questions()):
        text = checked(judged(tmp_path, talk))
        sections.append(text.partition("captured on\n")[2].partition("\n\n")[0].split())
    assert " ".join(sections[0]).startswith("192.0.2.1 (86% sure): its packets still have their first TTL (64)")
    assert " ".join(sections[1]).startswith("not known: nothing in the packets tells; --host ADDRESS")


def test_text_of_many_addresses(tmp_path: Path) -> None:
    """The first three, and how many more."""
    talk = questions("c")
    given = [CLIENT, SERVER, *(f"10.0.0.{number}" for number in range(1, 6))]
    text = checked(judged(tmp_path, talk, hosts=given))
    assert "  and 4 more addresses\n" in text
    assert text.count("(certain)") == 3


def test_replaced_bytes() -> None:
    """The builders of these tests: a rewritten address leaves a right IPv4 header."""
    talk = questions("c")
    packet = talk.packets[0].data
    assert replaced(packet, 0, packet[:4]) == packet
    assert build.checksum(translated(packet, "src", INNER, right)[:20]) == 0
