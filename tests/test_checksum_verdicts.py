"""What wrong checksums mean: conversations of every kind, seen from either end and from the middle, and the samples."""

from __future__ import annotations

import ipaddress
import json
import random
import re
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from analyzer import Analysis, analyze
from analyzer.checksums import Checksums
from analyzer.checksums.counted import fits
from analyzer.checksums.result import HARMFUL
from analyzer.checksums.verdict import Verdict
from analyzer.report.checksum_text import HARMLESS, ORDER, TITLES, TODO, checksum_text, fit_texts
from analyzer.report.checksum_text import json_text as checksum_json
from analyzer.tables import CHECKED_PROTOCOLS, CHECKSUM_VERDICTS
from tests import build
from tests.command import run_here
from tests.each import for_each
from tests.helpers import fitting, is_plain

SAMPLES = Path(__file__).parent.parent / "samples"
BUNDLES = sorted(path.parent for path in SAMPLES.glob("*/*/capture.pcap"))
START_NS = 1_763_660_000_123_456_789
ENDS = {4: (build.SRC4, build.DST4), 6: (build.SRC6, build.DST6)}
FAR_NS, THINK_NS, NEXT_NS = 10_000_000, 11_000, 1_000  # one way to the other end; an answer; what follows at once
FIELD_AT = {build.TCP: 16, build.UDP: 6, build.ICMP: 2, build.ICMPV6: 2}
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}
ETHERNET, RAW, SLL2 = 1, 101, 276
OUTGOING = 4  # packet type of SLL
GOOD = ("", "valid", "unverifiable", "none")

Mark = Callable[[bytes], bytes]


# What happens to a packet


def version_of(packet: bytes) -> int:
    """4 or 6."""
    return packet[0] >> 4


def transport_at(packet: bytes) -> int:
    """Where the transport header begins."""
    return 20 if version_of(packet) == 4 else 40


def protocol_of(packet: bytes) -> int:
    """The number of the transport protocol."""
    return packet[9] if version_of(packet) == 4 else packet[6]


def replaced(packet: bytes, at: int, value: bytes) -> bytes:
    """The packet with other bytes at a place, and nothing else adapted."""
    return packet[:at] + value + packet[at + len(value) :]


def with_field(packet: bytes, value: int) -> bytes:
    """The packet with a value in its transport checksum."""
    return replaced(packet, transport_at(packet) + FIELD_AT[protocol_of(packet)], struct.pack(">H", value))


def with_header_field(packet: bytes, value: int) -> bytes:
    """The packet with a value in its IPv4 header checksum."""
    return replaced(packet, 10, struct.pack(">H", value))


def pseudo_header(packet: bytes) -> bytes:
    """The pseudo-header of a packet."""
    at, protocol = transport_at(packet), protocol_of(packet)
    addresses = packet[12:20] if version_of(packet) == 4 else packet[8:40]
    return addresses + struct.pack(">II", len(packet) - at, protocol)


def right(packet: bytes) -> bytes:
    """As it was made."""
    return packet


def partial(packet: bytes) -> bytes:
    """As Linux leaves it for the card: the checksum field holds the sum of the pseudo-header."""
    return with_field(packet, 0xFFFF - build.checksum(pseudo_header(packet)))


def zeroed(packet: bytes) -> bytes:
    """As Windows leaves it for the card: 0 in the checksum field."""
    return with_field(packet, 0)


def constant(packet: bytes) -> bytes:
    """A card that fills the field in later, and a driver that leaves always the same there."""
    return with_field(packet, 0x1234)


def stale(rng: random.Random) -> Mark:
    """Whatever was in the memory."""
    return lambda packet: with_field(packet, rng.randrange(1, 0xFFFF))


def flipped(at: int, bits: int = 0x20) -> Mark:
    """Bits of a byte of the transport datagram are wrong; of TCP without options byte 20 begins the payload."""

    def mark(packet: bytes) -> bytes:
        place = transport_at(packet) + at
        return replaced(packet, place, bytes([packet[place] ^ bits]))

    return mark


def rewritten(at: int, value: bytes) -> Mark:
    """A middlebox writes something else into a packet, mends the IPv4 header checksum, and no other."""

    def mark(packet: bytes) -> bytes:
        changed = replaced(packet, at, value)
        if version_of(packet) == 6:
            return changed
        return with_header_field(changed, build.checksum(with_header_field(changed, 0)[:20]))

    return mark


def port(packet_version: int, value: int, side: str = "dst") -> Mark:
    """A middlebox rewrites a port."""
    return rewritten((20 if packet_version == 4 else 40) + (2 if side == "dst" else 0), struct.pack(">H", value))


def address(value: str, side: str = "src") -> Mark:
    """A middlebox rewrites an address."""
    packed = build.packed(value)
    first = 12 if len(packed) == 4 else 8
    return rewritten(first + (0 if side == "src" else len(packed)), packed)


# Conversations, as captured at one end (`near` is c or s) or in the middle


@dataclass(frozen=True)
class Packet:
    """An IP packet: when it was captured, whether the capturing host sent it, and how much of it is in the file."""

    time_ns: int
    data: bytes
    out: bool = False
    cut_to: int | None = None


@dataclass
class Talk:
    """Builds what two hosts say to each other, packet by packet. `as_sent` changes everything that a side sends."""

    near: str = ""
    version: int = 4
    ends: tuple[str, str] = ("", "")
    ports: tuple[int, int] = (40001, 8080)
    as_sent: dict[str, Mark] = field(default_factory=dict)
    distance_ns: dict[str, int] = field(default_factory=dict)
    ttl: dict[str, int] = field(default_factory=dict)
    seed: int = 1
    now_ns: int = START_NS

    def __post_init__(self) -> None:
        self.ends = self.ends if self.ends[0] else ENDS[self.version]
        self.version = 6 if ":" in self.ends[0] else 4
        here = {side: side == self.near for side in "cs"}
        self.distance_ns = {side: 0 if here[side] else FAR_NS for side in "cs"} | self.distance_ns
        self.ttl = {side: 64 if here[side] else 57 for side in "cs"} | self.ttl
        self.rng = random.Random(self.seed)
        self.next = {side: self.rng.randrange(1 << 31) for side in "cs"}
        self.taken = dict(self.next)  # up to where the other side has it
        self.packets: list[Packet] = []
        self.last = ""

    def tcp(
        self, side: str, flags: str = "A", payload: bytes = b"", *, seq: int | None = None, options: bytes = b"",
        mark: Mark | None = None, lost: bool = False,
    ) -> bytes:  # fmt: skip
        """A TCP segment; with `seq` one that was sent before. `lost`: the other side drops it."""
        other = "s" if side == "c" else "c"
        bits = sum(FLAGS[letter] for letter in flags)
        seq = self.next[side] if seq is None else seq
        end = (seq + len(payload) + ("S" in flags) + ("F" in flags)) % 2**32
        self.next[side] = max(self.next[side], end)
        if not lost and seq <= self.taken[side]:
            self.taken[side] = max(self.taken[side], end)
        segment = build.tcp(
            payload, seq=seq, ack=self.taken[other] if "A" in flags else 0, flags=bits, options=options,
            src_port=self.ports[side == "s"], dst_port=self.ports[side == "c"], between=self.between(side),
        )  # fmt: skip
        return self.add(side, segment, build.TCP, mark)

    def udp(self, side: str, payload: bytes, *, mark: Mark | None = None) -> bytes:
        """A UDP datagram."""
        datagram = build.udp(
            payload, src_port=self.ports[side == "s"], dst_port=self.ports[side == "c"], between=self.between(side)
        )
        return self.add(side, datagram, build.UDP, mark)

    def icmp(
        self, side: str, payload: bytes, *, reply: bool = False, error: bool = False, mark: Mark | None = None
    ) -> bytes:
        """A ping, its answer, or an error (port unreachable)."""
        kinds = (8, 0, 3) if self.version == 4 else (128, 129, 1)
        kind, code = kinds[2 if error else reply], (3 if self.version == 4 else 4) if error else 0
        if self.version == 4:
            return self.add(side, build.icmp(payload, kind=kind, code=code), build.ICMP, mark)
        message = build.icmpv6(payload, kind=kind, code=code, between=self.between(side))
        return self.add(side, message, build.ICMPV6, mark)

    def between(self, side: str) -> tuple[str, str]:
        """Source and destination of what a side sends."""
        return (self.ends[0], self.ends[1]) if side == "c" else (self.ends[1], self.ends[0])

    def add(self, side: str, content: bytes, protocol: int, mark: Mark | None) -> bytes:
        """Put it into IP and capture it, in its time."""
        src, dst = self.between(side)
        if self.version == 4:
            ident = 1 + len(self.packets)
            packet = build.ipv4(content, protocol, src=src, dst=dst, ident=ident, ttl=self.ttl[side])
        else:
            packet = build.ipv6(content, protocol, src=src, dst=dst, hop_limit=self.ttl[side])
        packet = (mark or self.as_sent.get(side, right))(packet)
        self.now_ns += NEXT_NS if side == self.last else 2 * self.distance_ns[side] + THINK_NS
        self.last = side
        self.packets.append(Packet(self.now_ns, packet, side == self.near))
        return packet

    def bytes(self, size: int) -> bytes:
        """Payload that is like no other."""
        return self.rng.randbytes(size)

    def hello(self, mss: int = 1460) -> None:
        """The handshake."""
        self.tcp("c", "S", options=build.mss(mss))
        self.tcp("s", "SA", options=build.mss(mss))
        self.tcp("c")

    def bye(self) -> None:
        """Both close."""
        self.tcp("c", "FA")
        self.tcp("s", "FA")
        self.tcp("c")

    def upload(self, count: int = 23, size: int = 1400, wrong: dict[int, Mark] | None = None, side: str = "c") -> None:
        """Segments, each acknowledged. A wrong one is answered by a duplicate acknowledgment and sent again."""
        other = "s" if side == "c" else "c"
        for number in range(count):
            payload = self.bytes(size)
            mark = (wrong or {}).get(number)
            seq = self.next[side]
            self.tcp(side, "PA", payload, mark=mark, lost=mark is not None)
            if mark:
                self.tcp(other)
                self.tcp(side, "PA", payload, seq=seq)
            self.tcp(other)

    def download(self, **arguments: int) -> None:
        """The same the other way."""
        self.upload(**arguments, side="s")

    def questions(self, count: int = 23, wrong: dict[int, Mark] | None = None) -> None:
        """UDP there, and back if it was right."""
        for number in range(count):
            mark = (wrong or {}).get(number)
            self.udp("c", self.bytes(40 + number), mark=mark)
            if not mark:
                self.udp("s", self.bytes(60 + number))

    def pings(self, count: int = 23, wrong: dict[int, Mark] | None = None) -> None:
        """Echo requests and replies."""
        for number in range(count):
            payload, mark = self.bytes(56), (wrong or {}).get(number)
            self.icmp("c", payload, mark=mark)
            if not mark:
                self.icmp("s", payload, reply=True)


def conversation(near: str = "", version: int = 4, **fields: object) -> Talk:
    """A whole TCP connection with data both ways."""
    talk = Talk(near, version, **fields)  # type: ignore[arg-type]
    talk.hello()
    talk.upload()
    talk.download()
    talk.bye()
    return talk


# Captures


def framed(packet: Packet, link: int) -> bytes:
    """The packet in a frame; what came over Ethernet has 60 bytes at least."""
    is_ipv4 = version_of(packet.data) == 4
    kind = build.IPV4 if is_ipv4 else build.IPV6
    if link == SLL2:
        return build.sll2(packet.data, kind, packet_type=OUTGOING if packet.out else 0)
    if link == RAW:
        return packet.data
    frame = build.ethernet(packet.data, kind)
    return frame if packet.out else frame.ljust(60, b"\0")


def written(path: Path, packets: Iterable[Packet], link: int = RAW) -> Path:
    """A capture file with the packets, in order of time."""
    records = []
    for packet in sorted(packets, key=lambda each: each.time_ns):
        frame = framed(packet, link)
        records.append(build.Record(frame[: packet.cut_to], packet.time_ns, len(frame)))
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS, link=link))
    return path


def marked(path: Path, packets: Iterable[Packet]) -> Path:
    """The same as pcapng, whose packets say whether they came in or went out."""
    blocks = [
        build.epb(framed(packet, ETHERNET), ticks=packet.time_ns, flags=2 if packet.out else 1)
        for packet in sorted(packets, key=lambda each: each.time_ns)
    ]
    path.write_bytes(build.pcapng(build.shb(), build.idb(resolution=9), *blocks))
    return path


# What tcpcap says


def judged(path: Path, talk: Talk | Iterable[Packet], link: int = RAW, **options: Sequence[str]) -> Analysis:
    """The analysis of a capture of the packets."""
    packets = talk.packets if isinstance(talk, Talk) else talk
    return analyze(written(path / "made.pcap", packets, link), **options)  # type: ignore[arg-type]


def result_of(analysis: Analysis) -> Checksums:
    """What became of the checksums."""
    assert analysis.checksum_result
    return analysis.checksum_result


def verdicts(analysis: Analysis) -> dict[tuple[str, str, str], Verdict]:
    """The verdicts by source, destination and protocol."""
    result = result_of(analysis)
    protocols = [CHECKED_PROTOCOLS.get(int(row["proto"]), "") for row in result.directions]
    return dict(zip(zip(result.sources, result.destinations, protocols, strict=True), result.verdicts, strict=True))


def said_of(analysis: Analysis, src: str, protocol: str = "tcp") -> Verdict:
    """The verdict on the only direction from an address."""
    (found,) = [
        verdict for (each, _, name), verdict in verdicts(analysis).items() if each == src and name.startswith(protocol)
    ]
    return found


def words(analysis: Analysis) -> set[str]:
    """The verdicts, each once."""
    return {verdict.word for verdict in verdicts(analysis).values()}


def host_of(analysis: Analysis) -> str:
    """The address that probably took the capture, if there is one."""
    return analysis.capture_hosts[0].address if analysis.capture_hosts else ""


def expected_errors(analysis: Analysis) -> dict[str, int]:
    """The counters of checksum errors that should have moved, and by how much."""
    return {name: frames for name, (frames, _, _) in result_of(analysis).expected_errors().items() if frames}


def answer_of(analysis: Analysis) -> str:
    """The first paragraph."""
    return " ".join(checked(analysis).partition("\n\n")[0].split())


def checked(analysis: Analysis) -> str:
    """The text, if it is as wide and as harmless as any text must be."""
    return fitting(checksum_text(analysis))


def assert_evidence(verdict: Verdict, *parts: str) -> None:
    """Each part stands in the evidence."""
    assert [part for part in parts if part not in "; ".join(verdict.evidence)] == [], verdict.evidence


# Offload at the capturing host: nothing is wrong, whatever stands in the field

UNFINISHED: dict[str, tuple[Mark, str]] = {
    "partial": (partial, "offload"),
    "zero": (zeroed, "offload"),
    "constant": (constant, "stale"),
    "random": (stale(random.Random(3)), "stale"),
}


@pytest.mark.parametrize("kind", UNFINISHED)
@pytest.mark.parametrize("near", ["c", "s"])
@pytest.mark.parametrize("version", [4, 6])
def test_offload(tmp_path: Path, version: int, near: str, kind: str) -> None:
    """All that the capturing host sends has no finished checksum, all that it receives has one."""
    mark, word = UNFINISHED[kind]
    talk = conversation(near, version, as_sent={near: mark})
    here, there = talk.between(near)
    analysis = judged(tmp_path, talk)
    assert said_of(analysis, here).word == word
    assert said_of(analysis, there).word == "valid"
    assert host_of(analysis) == here and analysis.capture_hosts[0].confidence >= 0.95
    assert expected_errors(analysis) == {}
    sent = sum(packet.out for packet in talk.packets)
    assert answer_of(analysis) == (
        f"Nothing is corrupt. {sent} frames only look wrong (offload). {98 - sent} of 98 are right."
    )


def test_offload_evidence(tmp_path: Path) -> None:
    """What stands in the field, that what came in is right, and where the capture was taken."""
    said = {kind: judged(tmp_path, conversation("c", as_sent={"c": mark})) for kind, (mark, _) in UNFINISHED.items()}
    here = "the capture was taken on 192.0.2.1"
    assert_evidence(said_of(said["partial"], build.SRC4), "50 of 50", "sum of the pseudo-header", "100% of what", here)
    assert_evidence(said_of(said["zero"], build.SRC4), "50 of 50", "0 in the checksum field", "100% of what", here)
    assert_evidence(said_of(said["constant"], build.SRC4), "acknowledged as captured", "the same value (0x1234)")
    assert_evidence(said_of(said["random"], build.SRC4), "acknowledged as captured", "its card fills the field in")


@pytest.mark.parametrize("near", ["c", "s", ""])
@pytest.mark.parametrize("version", [4, 6])
def test_all_is_right(tmp_path: Path, version: int, near: str) -> None:
    """Beyond the card, or without one."""
    analysis = judged(tmp_path, conversation(near, version), ETHERNET)
    assert words(analysis) == {"valid"}
    assert expected_errors(analysis) == {}
    assert answer_of(analysis) == "All 98 checksums that can be verified are right."


@pytest.mark.parametrize("kind", UNFINISHED)
def test_offload_beside_pings(tmp_path: Path, kind: str) -> None:
    """No card finishes ICMP: its right checksums say nothing against offload of the rest."""
    mark, word = UNFINISHED[kind]
    talk = conversation("c", as_sent={"c": mark})
    talk.as_sent = {}
    talk.pings(101)
    analysis = judged(tmp_path, talk)
    assert said_of(analysis, build.SRC4).word == word
    assert said_of(analysis, build.SRC4, "icmp").word == "valid"
    assert analysis.capture_hosts[0].confidence >= 0.95


@pytest.mark.parametrize("kind", ["partial", "constant", "random"])
@pytest.mark.parametrize("version", [4, 6])
def test_offload_of_udp_one_way(tmp_path: Path, version: int, kind: str) -> None:
    """Nothing comes back; that the frames went out tells enough. Without that, wrong ones may be anything."""
    mark, word = UNFINISHED[kind]
    talk = Talk("c", version, as_sent={"c": mark})
    for number in range(23):
        talk.udp("c", talk.bytes(30 + number))
    assert words(judged(tmp_path, talk, SLL2)) == {word}
    assert words(judged(tmp_path, talk)) == {"offload" if kind == "partial" else "wrong"}


def test_the_same_datagram_again_and_again(tmp_path: Path) -> None:
    """The sum of each is off by the same: that is no sign of a middlebox where the field is the same, too."""
    talk = Talk("c", as_sent={"c": constant})
    for _ in range(7):
        talk.udp("c", b"still alive")
    assert words(judged(tmp_path, talk, SLL2)) == {"stale"}
    assert words(judged(tmp_path, talk)) == {"wrong"}


def test_only_super_segments_are_stale(tmp_path: Path) -> None:
    """A card that does small packets in software: a minority looks wrong, and is acknowledged."""
    talk = Talk("c")
    talk.hello()
    talk.upload(23)
    for _ in range(7):
        talk.tcp("c", "PA", talk.bytes(4200), mark=stale(talk.rng))
        talk.tcp("s")
    said = said_of(judged(tmp_path, talk), build.SRC4)
    assert said.word == "stale"
    assert_evidence(said, "7 of 32", "7 of them were acknowledged as captured")


@pytest.mark.parametrize("kind", UNFINISHED)
def test_busy_server(tmp_path: Path, kind: str) -> None:
    """2,000 peers, many of which get a single frame: a host offloads for all of them or for none."""
    mark, word = UNFINISHED[kind]
    packets: list[Packet] = []
    for number in range(2000):
        peer = f"10.{number >> 8}.{number & 255}.7"
        talk = Talk(
            "s", ends=(peer, build.DST4), ports=(40000 + number, 443), as_sent={"s": mark}, seed=number,
            now_ns=START_NS + 3_000_000 * number,
        )  # fmt: skip
        if number % 3 == 0:
            talk.tcp("c", "S")
            talk.tcp("s", "RA")
        elif number % 3 == 1:
            talk.tcp("c", "S")
            talk.tcp("s", "SA")
        else:
            talk.hello()
            talk.upload(1, 101)
            talk.download(count=1, size=997)
            talk.bye()
        packets += talk.packets
    analysis = judged(tmp_path, packets)
    sent = {verdict.word for (src, _, _), verdict in verdicts(analysis).items() if src == build.DST4}
    assert sent == {word}
    assert words(analysis) == {word, "valid"}
    assert [host.address for host in analysis.capture_hosts] == [build.DST4]
    assert expected_errors(analysis) == {}
    assert "and 1,997 more directions" in checked(analysis)


@pytest.mark.parametrize("kind", ["right", "partial"])
def test_ip_header_offload(tmp_path: Path, kind: str) -> None:
    """The card fills in the IPv4 header checksum, too."""
    mark = {"right": right, "partial": partial}[kind]
    analysis = judged(tmp_path, conversation("c", as_sent={"c": lambda packet: with_header_field(mark(packet), 0)}))
    said = said_of(analysis, build.SRC4)
    assert said.word == "offload"
    assert_evidence(said, "50 of 50 IPv4 header checksums are wrong", "the card of the sender fills them in")
    assert answer_of(analysis).startswith("Nothing is corrupt. 50 frames only look wrong (offload). ")
    assert answer_of(analysis).endswith("48 of 98 IPv4 headers are right.")


@pytest.mark.parametrize("value", [0, 0x1234])
def test_ip_headers_wrong_both_ways(tmp_path: Path, value: int) -> None:
    """The conversation goes on: nobody dropped any of it."""

    def mark(packet: bytes) -> bytes:
        return with_header_field(packet, value)

    analysis = judged(tmp_path, conversation("c", as_sent={"c": mark, "s": mark}))
    assert words(analysis) == {"stale" if value else "offload"}
    assert_evidence(said_of(analysis, build.SRC4), "50 of 50 IPv4 header", "so are those that come back")
    assert answer_of(analysis).startswith("Nothing is corrupt. 98 frames only look wrong (offload).")


# Nothing between the two finishes checksums


@pytest.mark.parametrize("mark", [partial, zeroed])
@pytest.mark.parametrize("version", [4, 6])
def test_virtual_link(tmp_path: Path, version: int, mark: Mark) -> None:
    """Partial both ways; ICMP is finished even there."""
    talk = conversation("c", version, as_sent={"c": mark, "s": mark}, distance_ns={"s": 4000}, ttl={"s": 64})
    talk.as_sent = {}
    talk.pings(101)
    analysis = judged(tmp_path, talk)
    assert {said_of(analysis, end).word for end in talk.ends} == {"virtual"}
    assert_evidence(said_of(analysis, talk.ends[0]), "so have 100% of the frames that come back")
    assert expected_errors(analysis) == {}
    assert answer_of(analysis).startswith("Nothing is corrupt.")


@pytest.mark.parametrize("ends", [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), (build.SRC4, build.SRC4)])
def test_one_host(tmp_path: Path, ends: tuple[str, str]) -> None:
    """A host that talks with itself."""
    nearby = {"c": 0, "s": 0}
    talk = conversation(ends=ends, as_sent={"c": partial, "s": partial}, distance_ns=nearby, ttl={"c": 64, "s": 64})
    analysis = judged(tmp_path, talk)
    assert words(analysis) == {"virtual"}
    assert [host.address for host in analysis.capture_hosts] == [ends[0]]
    assert analysis.capture_hosts[0].confidence >= 0.9
    (found,) = (each for each in analysis.diagnosis.findings if each.rule.id == "checksum-offload")
    assert found.summary.endswith("Nothing to do (`tcpcap fix-checksums` mends the file).")  # there is no other end


def test_one_host_one_way(tmp_path: Path) -> None:
    """Two addresses of loopback, and no answer."""
    talk = Talk(ends=("127.0.0.1", "127.0.0.53"), as_sent={"c": partial})
    for number in range(3):
        talk.udp("c", talk.bytes(40 + number))
    assert words(judged(tmp_path, talk)) == {"virtual"}


def test_partial_on_arrival(tmp_path: Path) -> None:
    """From a container on the same machine, whose answers are finished."""
    said = said_of(judged(tmp_path, conversation("s", as_sent={"c": partial}), hosts=[build.DST4]), build.SRC4)
    assert said.word == "virtual"
    assert_evidence(said, "they came in like this")


def test_zero_on_arrival(tmp_path: Path) -> None:
    """What arrives with 0 in the field and is not acknowledged was dropped, unless everything here looks like that."""
    talk = Talk("s")
    for number in range(5):
        talk.tcp("c", "S", seq=1000, options=build.timestamps(1000 * number, 0), mark=zeroed, lost=True)
        talk.now_ns += 10**9
    analysis = judged(tmp_path, talk, hosts=[build.DST4])
    assert words(analysis) == {"wrong"}
    assert expected_errors(analysis) == {"TcpInCsumErrors": 5}
    accepted = conversation("s", as_sent={"c": zeroed})
    assert said_of(judged(tmp_path, accepted, hosts=[build.DST4]), build.SRC4).word == "stale"


def test_both_captures_of_an_offload(tmp_path: Path) -> None:
    """Client and server as one capture: each frame of the client stands there unfinished and finished."""
    for name in ("client", "server"):
        shutil.copytree(SAMPLES / "offload-card" / name, tmp_path / name)
    analysis = analyze([tmp_path / "client", tmp_path / "server"])
    assert {host.address for host in analysis.capture_hosts} == {"10.0.0.1", "10.0.0.2"}
    assert {said_of(analysis, "10.0.0.1", name).word for name in ("tcp", "udp")} == {"offload"}
    assert {said_of(analysis, "10.0.0.2", name).word for name in ("tcp", "udp")} == {"valid"}


# Merged on arrival


def merging(near: str, mark: Mark, size: int = 4200) -> Talk:
    """An upload whose segments were merged into larger ones, but for the first."""
    talk = Talk(near)
    talk.hello()
    talk.upload(11)
    for _ in range(7):
        talk.tcp("c", "PA", talk.bytes(size), mark=mark)
        talk.tcp("s")
    talk.bye()
    return talk


@pytest.mark.parametrize("hosts", [[], [build.DST4]])
def test_gro(tmp_path: Path, hosts: list[str]) -> None:
    """Only what can have been merged is partial."""
    analysis = judged(tmp_path, merging("s", partial), hosts=hosts)
    assert host_of(analysis) == build.DST4
    assert said_of(analysis, build.SRC4).word == "merged"
    assert_evidence(said_of(analysis, build.SRC4), "7 of 22", "4,240 bytes and more", "GRO")


@pytest.mark.parametrize("hosts", [[], [build.DST4]])
def test_lro(tmp_path: Path, hosts: list[str]) -> None:
    """Only what is larger than any packet on the wire is wrong, and it is acknowledged."""
    analysis = judged(tmp_path, merging("s", stale(random.Random(2))), hosts=hosts)
    assert host_of(analysis) == build.DST4
    assert said_of(analysis, build.SRC4).word == "merged"
    assert_evidence(said_of(analysis, build.SRC4), "7 of 22", "acknowledged as captured", "LRO")
    assert expected_errors(analysis) == {}


def test_corrupt_jumbo_frame_is_not_merged(tmp_path: Path) -> None:
    """The first large segment is corrupt; those after it are as large, and right."""
    talk = Talk("s")
    talk.hello()
    talk.tcp("c", "PA", talk.bytes(8900), mark=flipped(50), lost=True)
    for _ in range(5):
        talk.tcp("c", "PA", talk.bytes(8900))
        talk.tcp("s")
    analysis = judged(tmp_path, talk)
    assert said_of(analysis, build.SRC4).word == "corruption"
    assert expected_errors(analysis) == {"TcpInCsumErrors": 1}


# Corruption in transit


def corrupted(near: str, version: int = 4, wrong: dict[int, Mark] | None = None, count: int = 23) -> Talk:
    """An upload of which some segments were changed, and sent again."""
    talk = Talk(near, version)
    talk.hello()
    talk.upload(count, wrong=wrong or {5: flipped(100), 7: flipped(200, 3), 19: flipped(20, 0x80)})
    talk.bye()
    return talk


@pytest.mark.parametrize("near", ["c", "s", ""])
@pytest.mark.parametrize("version", [4, 6])
def test_corruption(tmp_path: Path, version: int, near: str) -> None:
    """A minority, dropped and sent again; the retransmissions show which bits were changed."""
    talk = corrupted(near, version)
    analysis = judged(tmp_path, talk)
    client, server = talk.ends
    said = said_of(analysis, client)
    assert said.word == "corruption"
    assert said_of(analysis, server).word == "valid"
    assert_evidence(
        said,
        "3 of 30 verified frames are wrong",
        "3 of them were sent again",
        "1.33 bits of payload differ on average (3 compared)",
        "frame 14: byte 80 of the payload, bits 0x20 (right in frame 16)",
    )
    assert expected_errors(analysis) == ({"TcpInCsumErrors": 3} if near == "s" else {})
    assert answer_of(analysis) == "3 frames are corrupt. 55 of 58 are right."
    assert host_of(analysis) == {"c": client, "s": server, "": ""}[near]
    assert any("it sends them so" in text for text in said.evidence) == (near == "c")


def test_one_of_a_thousand(tmp_path: Path) -> None:
    """Rare, and found all the same."""
    analysis = judged(tmp_path, corrupted("s", wrong={499: flipped(777)}, count=997))
    said = said_of(analysis, build.SRC4)
    assert said.word == "corruption"
    assert_evidence(said, "1 of 1,002 verified frames are wrong", "1 of them was sent again", "byte 757 of the payload")
    assert expected_errors(analysis) == {"TcpInCsumErrors": 1}


# 0-1 source port, 2-3 destination port, 4-7 sequence, 8-11 acknowledgment, 13 flags, 14-15 window, 16-17 checksum
@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 14, 16, 17, 18])
@pytest.mark.parametrize("version", [4, 6])
def test_corrupt_header(tmp_path: Path, version: int, at: int) -> None:
    """A bit of the TCP header is changed: the segment may look like another that was acknowledged long ago."""
    analysis = judged(tmp_path, corrupted("s", version, {5: flipped(at, 0x10), 17: flipped(at, 0x08)}))
    said = said_of(analysis, ENDS[version][0])
    assert said.word == "corruption"
    assert_evidence(said, "2 of 29 verified frames are wrong")
    assert not any("acknowledged as captured" in text for text in said.evidence)
    assert expected_errors(analysis) == {"TcpInCsumErrors": 2}
    if at in (8, 11, 14):
        assert_evidence(said, "2 of them were sent again", "the header was changed", "a single flipped bit")


@pytest.mark.parametrize("near", ["c", "s"])
def test_sent_again_in_a_larger_segment(tmp_path: Path, near: str) -> None:
    """The bytes are compared where they are in the larger one."""
    talk = Talk(near)
    talk.hello()
    talk.upload(11)
    payload, seq = talk.bytes(1400), talk.next["c"]
    talk.tcp("c", "PA", payload[:400])
    talk.tcp("c", "PA", payload[400:900], mark=flipped(120), lost=True)
    talk.tcp("c", "PA", payload[900:])
    talk.tcp("s")
    talk.tcp("c", "PA", payload, seq=seq)
    talk.tcp("s")
    said = said_of(judged(tmp_path, talk), build.SRC4)
    assert said.word == "corruption"
    assert_evidence(said, "1 of them was sent again", "byte 100 of the payload, bits 0x20 (right in frame 30)")


def test_sent_again_in_smaller_segments(tmp_path: Path) -> None:
    """Each brings a part again, and they are compared with it where they lie in it."""
    talk = Talk("s")
    talk.hello()
    talk.upload(11)
    payload, seq = talk.bytes(1400), talk.next["c"]
    talk.tcp("c", "PA", payload, mark=flipped(100), lost=True)
    talk.tcp("s")
    talk.tcp("c", "PA", payload[:700], seq=seq)
    talk.tcp("c", "PA", payload[700:], seq=seq + 700)
    talk.tcp("s")
    talk.upload(11)
    analysis = judged(tmp_path, talk)
    said = said_of(analysis, build.SRC4)
    assert said.word == "corruption"
    assert_evidence(said, "1 of them was sent again", "byte 80 of the payload, bits 0x20 (right in frame 28)")
    assert not any("acknowledge" in text for text in said.evidence)
    assert expected_errors(analysis) == {"TcpInCsumErrors": 1}


def test_sent_again_in_part(tmp_path: Path) -> None:
    """What lies behind a gap, or brings the beginning only, does not bring the segment again."""
    for parts in ([(0, 700)], [(700, 1400)], [(0, 500), (700, 1400)], [(700, 1400), (100, 700)]):
        talk = Talk("s")
        talk.hello()
        talk.upload(11)
        payload, seq = talk.bytes(1400), talk.next["c"]
        talk.tcp("c", "PA", payload, mark=flipped(100), lost=True)
        talk.tcp("s")
        for start, stop in parts:
            talk.tcp("c", "PA", payload[start:stop], seq=seq + start)
        said = said_of(judged(tmp_path, talk), build.SRC4)
        assert not any("sent again" in text for text in said.evidence), parts


@pytest.mark.parametrize("near", ["c", "s", ""])
def test_never_sent_again(tmp_path: Path, near: str) -> None:
    """The last segment, and then nothing more."""
    talk = Talk(near)
    talk.hello()
    talk.upload(11)
    talk.tcp("c", "PA", talk.bytes(100), mark=flipped(30), lost=True)
    said = said_of(judged(tmp_path, talk), build.SRC4)
    assert said.word == "corruption"
    assert_evidence(said, "1 of 14", "1 of them was never acknowledged", "a single flipped bit")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_stuck_bit(tmp_path: Path, protocol: str) -> None:
    """The same bit in every fifth packet is the memory of some device, and no field that was rewritten."""
    talk = Talk("s")
    talk.hello()
    for number in range(41):
        payload = bytearray(talk.bytes(1400))
        payload[100] |= 0x20
        bad = number % 5 == 2
        if protocol == "udp":
            talk.udp("c", bytes(payload), mark=flipped(108) if bad else None)
            talk.udp("s", talk.bytes(50))
            continue
        seq = talk.next["c"]
        if bad:
            talk.tcp("c", "PA", bytes(payload), mark=flipped(120), lost=True)
            talk.tcp("s")
        talk.tcp("c", "PA", bytes(payload), seq=seq)
        talk.tcp("s")
    said = said_of(judged(tmp_path, talk), build.SRC4, protocol)
    assert said.word == "corruption"
    assert_evidence(said, "8 of them were sent again" if protocol == "tcp" else "a single flipped bit")


@pytest.mark.parametrize("near", ["c", "s"])
def test_corruption_beside_offload(tmp_path: Path, near: str) -> None:
    """Three frames are corrupt among such as no card has finished (a virtual link through some broken program)."""
    talk = Talk(near, as_sent={"c": partial, "s": partial}, distance_ns={"c": 4000, "s": 4000})
    talk.hello()
    talk.upload(23, wrong={3: flipped(99), 7: flipped(99, 3), 19: flipped(99, 7)})
    said = said_of(judged(tmp_path, talk), build.SRC4)
    assert said.word == "corruption"
    assert_evidence(said, "3 of 28 verified frames are wrong", "3 of them were sent again")


@pytest.mark.parametrize("version", [4, 6])
def test_udp_and_icmp(tmp_path: Path, version: int) -> None:
    """Nothing is sent again; IPv6 has counters of its own."""
    talk = Talk("s", version)
    talk.questions(wrong={3: flipped(20), 7: flipped(30, 4), 11: flipped(8, 0x40)})
    talk.pings(wrong={2: flipped(9), 3: flipped(33)})
    analysis = judged(tmp_path, talk, hosts=[talk.ends[1]])
    for protocol in ("udp", "icmp"):
        assert said_of(analysis, talk.ends[0], protocol).word == "corruption"
        assert said_of(analysis, talk.ends[1], protocol).word == "valid"
    assert_evidence(said_of(analysis, talk.ends[0], "udp"), "3 of 23", "a single flipped bit")
    counters = {4: ("UdpInCsumErrors", "IcmpInCsumErrors"), 6: ("Udp6InCsumErrors", "Icmp6InCsumErrors")}[version]
    assert expected_errors(analysis) == dict(zip(counters, (3, 2), strict=True))


@pytest.mark.parametrize("version", [4, 6])
def test_icmp_errors(tmp_path: Path, version: int) -> None:
    """Errors quote a packet; theirs is the checksum that counts, not that of the quoted one."""
    talk = Talk("c", version)
    for number in range(11):
        quoted = talk.udp("c", talk.bytes(40))
        talk.icmp("s", bytes(4) + with_field(quoted, 1)[:60], error=True, mark=flipped(20) if number == 7 else None)
    analysis = judged(tmp_path, talk, hosts=[talk.ends[0]])
    said = said_of(analysis, talk.ends[1], "icmp")
    assert said.word == "corruption"
    assert_evidence(said, "1 of 11")
    assert expected_errors(analysis) == {"IcmpInCsumErrors" if version == 4 else "Icmp6InCsumErrors": 1}


def spoilt_header(packet: bytes) -> bytes:
    """The IPv4 packet with a wrong header checksum."""
    return replaced(packet, 10, bytes([packet[10] ^ 0x10]))


def test_corrupt_ip_header(tmp_path: Path) -> None:
    """TCP is right, but never sees the packet: IP drops it, and counts it elsewhere."""
    analysis = judged(tmp_path, corrupted("s", wrong={3: spoilt_header, 9: spoilt_header}))
    said = said_of(analysis, build.SRC4)
    assert said.word == "corruption"
    assert_evidence(said, "2 of 29 IPv4 header checksums are wrong", "drops such packets")
    assert answer_of(analysis) == "2 frames are corrupt. 56 of 56, and 54 of 56 IPv4 headers are right."
    assert expected_errors(analysis) == {}


def test_corrupt_ip_header_and_segment(tmp_path: Path) -> None:
    """Both are told, and only what reaches TCP is expected in its counter, in its time."""
    analysis = judged(tmp_path, corrupted("s", wrong={3: spoilt_header, 9: flipped(50)}))
    said = said_of(analysis, build.SRC4)
    assert said.word == "corruption"
    assert_evidence(said, "1 of 29 verified frames are wrong", "1 of 29 IPv4 header checksums are wrong")
    frames, first, last = result_of(analysis).expected_errors()["TcpInCsumErrors"]
    assert (frames, first) == (1, last) and first > START_NS


def test_corrupt_address(tmp_path: Path) -> None:
    """A bit of the source address: a direction of its own, which IP drops before TCP."""
    analysis = judged(tmp_path, corrupted("s", wrong={3: lambda packet: replaced(packet, 15, b"\x41")}))
    said = said_of(analysis, "192.0.2.65")
    assert said.word == "wrong"
    assert_evidence(said, "1 of 1 IPv4 header checksums are wrong", "drops such packets")
    assert expected_errors(analysis) == {}


# A middlebox that rewrites a field and leaves the checksum


def unanswered(near: str, mark: Mark, version: int = 4, count: int = 5, stamps: bool = True, **fields: object) -> Talk:
    """SYNs of a connection that is never made; the server gets them rewritten."""
    talk = Talk(near, version, **{"ports": (40001, 80), **fields})  # type: ignore[arg-type]
    for number in range(count):
        options = build.mss(1460) + (build.timestamps(7000 + 1000 * number, 0) if stamps else b"")
        talk.tcp("c", "S", seq=1000, options=options, mark=mark, lost=True)
        talk.now_ns += 10**9
    return talk


@pytest.mark.parametrize("stamps", [True, False])
@pytest.mark.parametrize("version", [4, 6])
def test_rewritten_port(tmp_path: Path, version: int, stamps: bool) -> None:
    """80 became 8080."""
    talk = unanswered("s", port(version, 8080), version, stamps=stamps)
    analysis = judged(tmp_path, talk, hosts=[talk.ends[1]])
    said = said_of(analysis, talk.ends[0])
    assert said.word == "middlebox"
    assert_evidence(
        said, "5 of 5", "5 of them were never acknowledged", "(0x1f40) in 5", "probably destination port 80 became 8080"
    )
    assert expected_errors(analysis) == {"TcpInCsumErrors": 5}
    assert answer_of(analysis) == "5 frames are broken by a middlebox. 0 of 5 are right."
    (row,) = result_of(analysis).rows()
    assert (int(row["offset"]), int(row["first_wrong"])) == (8000, 1)


@pytest.mark.parametrize("version", [4, 6])
def test_rewritten_source_port(tmp_path: Path, version: int) -> None:
    """What answers from 8080 should come from 80."""
    talk = Talk("c", version, ports=(40001, 80))
    for _ in range(5):
        talk.tcp("c", "S", seq=1000, options=build.mss(1460))
        talk.tcp(
            "s",
            "SA",
            seq=5000,
            mark=port(version, 8080, "src"),
            options=build.timestamps(talk.rng.randrange(99), 0),
            lost=True,
        )
        talk.now_ns += 10**9
    said = said_of(judged(tmp_path, talk), talk.ends[1])
    assert said.word == "middlebox"
    assert_evidence(said, "source port 80 became 8080")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("side", ["src", "dst"])
def test_rewritten_address(tmp_path: Path, side: str, version: int) -> None:
    """The address that the checksum was made for is elsewhere in the capture."""
    other = {4: "203.0.113.77", 6: "2001:db8:5::7:1"}[version]
    talk = unanswered("s", address(other, side), version)
    talk.icmp("c", talk.bytes(20))
    analysis = judged(tmp_path, talk)
    was = ENDS[version][side == "dst"]
    field_name = "source" if side == "src" else "destination"
    (said,) = [verdict for ends, verdict in verdicts(analysis).items() if other in ends]
    assert said.word == "middlebox"
    assert_evidence(said, f"probably {field_name} address {was} became {other}")


def test_rewritten_address_that_was_never_seen(tmp_path: Path) -> None:
    """In the same network it can be named, not for certain; elsewhere it cannot."""
    talk = unanswered("s", address("192.0.2.77"))
    assert_evidence(said_of(judged(tmp_path, talk), "192.0.2.77"), "perhaps source address 192.0.2.1 became 192.0.2.77")
    talk = unanswered("s", address("203.0.113.77"))
    said = said_of(judged(tmp_path, talk), "203.0.113.77")
    assert said.word == "middlebox"
    assert not any("address" in text or "probably" in text for text in said.evidence)


@pytest.mark.parametrize("version", [4, 6])
def test_rewritten_mss(tmp_path: Path, version: int) -> None:
    """Clamped from 1460 to 1380: only SYNs are wrong, and no connection is made."""
    mark = rewritten((20 if version == 4 else 40) + 22, struct.pack(">H", 1380))
    said = said_of(judged(tmp_path, unanswered("s", mark, version)), ENDS[version][0])
    assert said.word == "middlebox"
    assert_evidence(said, "probably the MSS option 1460 became 1380")


def broken_late(near: str, version: int, now: int, before: int = 80) -> Talk:
    """The server's port is translated well until the middlebox stops updating the checksum."""
    talk = Talk(near, version, ports=(40001, now))
    talk.hello()
    talk.upload(23)

    def mark(packet: bytes) -> bytes:
        as_sent = with_field(port(version, before)(packet), 0)
        return with_field(packet, build.pseudo_checksum(build.TCP, as_sent[transport_at(packet) :], talk.between("c")))

    seq, payloads = talk.next["c"], [talk.bytes(1400) for _ in range(11)]
    for payload in payloads:
        talk.tcp("c", "PA", payload, mark=mark, lost=True)
    for _ in range(4):
        talk.now_ns += 10**9
        talk.tcp("c", "PA", payloads[0], seq=seq, mark=mark, lost=True)
    return talk


@pytest.mark.parametrize("now", [8080, 80 + 4096])  # a difference of one bit is no flipped bit if it lasts
@pytest.mark.parametrize("near", ["s", ""])
@pytest.mark.parametrize("version", [4, 6])
def test_broken_late(tmp_path: Path, version: int, near: str, now: int) -> None:
    """A minority, off by a constant from some frame on."""
    analysis = judged(tmp_path, broken_late(near, version, now))
    said = said_of(analysis, ENDS[version][0])
    assert said.word == "middlebox"
    assert_evidence(said, "15 of 40", f"probably destination port 80 became {now}")
    assert expected_errors(analysis) == ({"TcpInCsumErrors": 15} if near else {})


def test_broken_address_translation_seen_twice(tmp_path: Path) -> None:
    """A capture on `any` has each packet before and after its source address is rewritten."""
    talk = unanswered("", right, ends=("172.17.0.2", build.DST4), count=7)
    packets = []
    for packet in talk.packets:
        after = address(build.SRC4)(rewritten(8, b"\x3f")(packet.data))
        packets += [packet, Packet(packet.time_ns + 5000, after, out=True)]
    analysis = judged(tmp_path, packets, SLL2)
    assert said_of(analysis, "172.17.0.2").word == "valid"
    said = said_of(analysis, build.SRC4)
    assert said.word == "middlebox"
    assert_evidence(said, "7 of 7", f"probably source address 172.17.0.2 became {build.SRC4}")


def test_two_are_no_pattern(tmp_path: Path) -> None:
    """Two frames that are off by the same."""
    assert words(judged(tmp_path, unanswered("s", port(4, 8080), count=2))) == {"wrong"}


def test_addresses_explain_no_icmp(tmp_path: Path) -> None:
    """The checksum of ICMP (IPv4) covers no address."""
    talk = Talk("s")
    talk.icmp("c", talk.bytes(56))
    for _ in range(5):
        packet = talk.icmp("c", talk.bytes(56))
        talk.packets[-1] = replace(
            talk.packets[-1], data=with_field(packet, (packet[22] << 8 | packet[23]) + 8 & 0xFFFF)
        )
    talk.icmp("s", talk.bytes(56), reply=True)
    said = said_of(judged(tmp_path, talk), build.SRC4, "icmp")
    assert not any("address" in text for text in said.evidence), said


# Little to go by


@pytest.mark.parametrize(
    ("mark", "there", "unknown", "here"),
    [
        (right, "valid", "valid", "valid"),
        (partial, "offload", "offload", "virtual"),
        (zeroed, "offload", "offload", "wrong"),
        (constant, "stale", "wrong", "wrong"),
        (flipped(30), "stale", "wrong", "wrong"),
        (spoilt_header, "stale", "wrong", "wrong"),
        (lambda packet: with_header_field(packet, 0), "offload", "offload", "wrong"),
    ],
)
def test_a_single_frame(tmp_path: Path, mark: Mark, there: str, unknown: str, here: str) -> None:
    """Sent by the capturing host, by nobody knows whom, or received by it."""
    talk = Talk("c")
    talk.tcp("c", "PA", talk.bytes(100), mark=mark)
    assert words(judged(tmp_path, talk, hosts=[build.SRC4])) == {there}
    assert words(judged(tmp_path, talk)) == {unknown}
    assert words(judged(tmp_path, talk, hosts=[build.DST4])) == {here}


def test_the_answer_to_a_single_frame(tmp_path: Path) -> None:
    """Grammar."""
    talk = Talk("c")
    talk.tcp("c")
    assert answer_of(judged(tmp_path, talk)) == "The only checksum that can be verified is right."
    (bad,) = (Packet(START_NS, flipped(14)(packet.data)) for packet in talk.packets)
    assert answer_of(judged(tmp_path, [bad])) == "1 frame is wrong without a known cause. 0 of 1 are right."
    assert answer_of(judged(tmp_path, [])) == "No checksum can be verified in this capture."


@pytest.mark.parametrize("kind", UNFINISHED)
def test_one_direction(tmp_path: Path, kind: str) -> None:
    """No answer was captured: what is stale cannot be told from what is wrong, and is not called corrupt."""
    mark, word = UNFINISHED[kind]
    packets = [packet for packet in conversation("c", as_sent={"c": mark}).packets if packet.out]
    assert words(judged(tmp_path, packets, SLL2)) == {word}
    assert words(judged(tmp_path, packets)) == ({word} if word == "offload" else {"wrong"})


def test_corruption_in_one_direction(tmp_path: Path) -> None:
    """What is sent again tells enough."""
    packets = [packet for packet in corrupted("s").packets if not packet.out]
    analysis = judged(tmp_path, packets)
    assert words(analysis) == {"corruption"}
    assert_evidence(said_of(analysis, build.SRC4), "3 of them were sent again", "bits 0x20")


def test_cut_frames(tmp_path: Path) -> None:
    """With a snaplen only small packets can be verified."""
    talk = conversation("c", as_sent={"c": partial})
    cut = [replace(packet, cut_to=96) for packet in talk.packets]
    analysis = judged(tmp_path, cut, ETHERNET)
    assert said_of(analysis, build.SRC4).word == "offload"
    assert said_of(analysis, build.DST4).word == "valid"
    assert result_of(analysis).counts == {"partial": 27, "valid": 25, "unverifiable": 46}
    only_data = [packet for packet in cut if len(packet.data) > 1000]
    analysis = judged(tmp_path, only_data, ETHERNET)
    assert words(analysis) == {"unverifiable"}
    assert answer_of(analysis) == "No checksum can be verified in this capture."


def test_udp_without_checksum(tmp_path: Path) -> None:
    """Allowed in IPv4 and dropped in IPv6 (RFC 8200 section 8.1)."""
    found = {}
    for version in (4, 6):
        talk = Talk("s", version)
        for number in range(5):
            talk.udp("c", talk.bytes(40 + number), mark=zeroed)
        found[version] = judged(tmp_path, talk, hosts=[talk.ends[1]])
    assert words(found[4]) == {"none"}
    assert expected_errors(found[4]) == {}
    assert words(found[6]) == {"wrong"}
    assert expected_errors(found[6]) == {"Udp6InCsumErrors": 5}


def flood(count: int, mark: Mark) -> list[Packet]:
    """SYNs from that many addresses; those beyond the first 16,383 are marked."""
    packets = []
    for number in range(count):
        src = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        segment = build.tcp(flags=2, src_port=1024 + number % 50021, between=(src, build.DST4))
        packet = build.ipv4(segment, src=src, dst=build.DST4)
        packets.append(Packet(START_NS + 1000 * number, mark(packet) if number >= 16_383 else packet))
    return packets


@pytest.mark.parametrize("mark", [right, constant])
def test_more_directions_than_fit(tmp_path: Path, mark: Mark) -> None:
    """The others are counted, and said to be."""
    analysis = judged(tmp_path, flood(16_490, mark))
    result = result_of(analysis)
    assert (len(result.directions), result.uncounted, result.unjudged) == (16_383, 107, 107 * (mark is constant))
    assert sum(result.counts.values()) == sum(result.header_counts.values()) == 16_490
    text = checked(analysis)
    assert "and 107 frames of more directions, which were only counted" in text
    assert json.loads(checksum_json(analysis))["frames_of_more_directions"] == 107
    if mark is right:
        assert answer_of(analysis) == "All 16,490 checksums that can be verified are right."
    else:
        assert answer_of(analysis).startswith("107 frames of directions beyond the first 16,383 not judged. ")


# The kernel's counters


def snapshots(path: Path, first_ns: int, last_ns: int, **moved: int) -> str:
    """Two snapshots, between which counters moved."""
    names = {"TcpInCsumErrors": 0, "UdpInCsumErrors": 0, "IcmpInCsumErrors": 0} | moved
    lines = [
        {"time": time_ns / 1e9, "counters": {name: 1000 + by * late for name, by in names.items()}}
        for late, time_ns in enumerate((first_ns, last_ns))
    ]
    file = path / "counters.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(file)


def counted(path: Path, talk: Talk, before_ns: int = 10**9, **moved: int) -> list[str]:
    """What the text says of the counters."""
    file = snapshots(path, START_NS - before_ns, START_NS + 100 * 10**9, **moved)
    return fit_texts(judged(path, talk, snapshots=[file], hosts=[talk.ends[1]]))


def test_counters_that_fit(tmp_path: Path) -> None:
    """The kernel dropped what is corrupt."""
    assert counted(tmp_path, corrupted("s"), TcpInCsumErrors=3) == ["TcpInCsumErrors rose by 3, as the capture shows"]
    assert counted(tmp_path, conversation("s")) == ["no counter of checksum errors moved, and nothing wrong arrived"]
    assert counted(tmp_path, conversation("s", as_sent={"s": partial})) == [
        "no counter of checksum errors moved, and nothing wrong arrived"
    ]


@pytest.mark.parametrize(
    ("moved", "reason"),
    [(0, "they were right when they arrived"), (2, "not all of them reached"), (5, "or the capture lost them")],
)
def test_counters_that_contradict(tmp_path: Path, moved: int, reason: str) -> None:
    """It is said, and what may be behind it."""
    (text,) = counted(tmp_path, corrupted("s"), TcpInCsumErrors=moved)
    assert text.startswith(f"contradiction: TcpInCsumErrors rose by {moved}, the capture shows 3 wrong frames")
    assert reason in text


def test_counters_against_nothing(tmp_path: Path) -> None:
    """The kernel dropped something that the capture does not show."""
    (text,) = counted(tmp_path, conversation("s"), UdpInCsumErrors=7)
    assert text.startswith("contradiction: UdpInCsumErrors rose by 7, the capture shows 0 wrong frames")


def test_counters_of_another_time(tmp_path: Path) -> None:
    """The first wrong frame came before the first snapshot."""
    (text,) = counted(tmp_path, corrupted("s"), before_ns=-200_000_000, TcpInCsumErrors=1)
    assert "contradiction" not in text and "between the snapshots" in text


def test_fits_only_what_was_counted() -> None:
    """A counter that is not in the snapshots says nothing."""
    expected = {"TcpInCsumErrors": (3, 10, 20), "UdpInCsumErrors": (0, 0, 0)}
    assert [fit.counter for fit in fits(expected, {"UdpInCsumErrors": 0}, 0, 100)] == ["UdpInCsumErrors"]
    assert [fit.fits for fit in fits(expected, {"TcpInCsumErrors": 3, "UdpInCsumErrors": 0}, 0, 100)] == [True, True]
    assert [fit.fits for fit in fits(expected, {"TcpInCsumErrors": 3}, 11, 100)] == [None]


# The samples

# Sample and host: verdicts that are not `valid`, by sender and protocol, each with a part of its evidence.
SAID: dict[str, dict[tuple[str, str], tuple[str, str]]] = {
    "corrupt-ipv4/client": {},
    "corrupt-ipv4/server": {("10.0.0.1", "tcp"): ("corruption", "3 of them were sent again")},
    "corrupt-udp/client": {
        ("10.0.0.2", "udp"): ("corruption", "3 of 18"),
        ("10.0.0.2", "icmp"): ("corruption", "2 of 8"),
    },
    "corrupt-udp/server": {
        ("10.0.0.1", "udp"): ("corruption", "5 of 23"),
        ("10.0.0.1", "icmp"): ("corruption", "3 of 11"),
    },
    "middlebox-address/client": {},
    "middlebox-address/server": {("10.0.0.9", "tcp"): ("middlebox", "source address 10.0.0.1 became 10.0.0.9")},
    "middlebox-port/client": {},
    "middlebox-port/server": {("10.0.0.1", "tcp"): ("middlebox", "probably destination port 80 became 8080")},
    "middlebox-port-late/client": {("10.0.0.2", "tcp"): ("middlebox", "probably source port 8080 became 80")},
    "middlebox-port-late/server": {("10.0.0.1", "tcp"): ("middlebox", "probably destination port 80 became 8080")},
    "offload-card/client": {
        ("10.0.0.1", "tcp"): ("offload", "63 of 63"),
        ("10.0.0.1", "udp"): ("offload", "5 of 5"),
    },
    "offload-card/server": {},
    "counters-gro/server": {("10.0.0.1", "tcp"): ("merged", "3 of 7")},
    "counters-gso/client": {("10.0.0.1", "tcp"): ("offload", "13 of 13")},
    "offload-card-ipv6/client": {
        ("2001:db8::1", "tcp"): ("offload", "64 of 64"),
        ("2001:db8::1", "udp"): ("offload", "5 of 5"),
    },
    "offload-card-ipv6/server": {},
    "offload-gro/client": {},
    "offload-gro/server": {("10.0.0.1", "tcp"): ("merged", "7 of 30")},
    "malformed-headers/server": {
        ("10.0.0.3", "tcp"): ("corruption", "1 of 6 IPv4 header checksums are wrong"),
        ("10.0.0.3", "icmp"): ("wrong", "1 of 1"),
    },
    "shaped/client": {("10.0.0.2", "tcp"): ("virtual", "17 of 17")},
    "shaped/client alone": {("10.0.0.2", "tcp"): ("offload", "17 of 17")},
    "shaped/server": {("10.0.0.2", "tcp"): ("offload", "17 of 17")},
    "offload-off/client": {},
    "offload-off/server": {},
    **{
        f"{sample}/{name}": {
            (end, protocol): ("virtual", "so have 100% of the frames that come back")
            for end in ("10.0.0.1", "10.0.0.2")
            for protocol in protocols
        }
        for sample, protocols in {"found-open": ["tcp"], "offload-veth": ["tcp", "udp"], "resets-overtake": ["tcp"]}.items()
        for name in ("client", "server")
    },
}  # fmt: skip


DECEIVING = {"shaped/client": "10.0.0.2"}
"""Whose packets alone look as if the other end had captured them: on their way, the shaper has finished the sums of one end only."""


CABLES = {
    path.parent.name for path in SAMPLES.glob("*/expected.toml") if 'link = "cable"' in path.read_text(encoding="utf-8")
}
"""Samples whose hosts nothing but a veth pair joins: nobody finishes their checksums."""


def name_of(bundle: Path) -> str:
    """Sample and host."""
    return "/".join(bundle.parts[-2:])


def alone(bundle: Path, folder: Path) -> Path:
    """The capture of a bundle without what was recorded beside it."""
    return Path(shutil.copy(bundle / "capture.pcap", folder / "capture.pcap"))


def addresses_of(bundle: Path) -> set[str]:
    """The addresses of the host that recorded a bundle, as host.json lists them."""
    host = json.loads((bundle / "host.json").read_text())
    return {text.partition("/")[0] for interface in host["interfaces"] for text in interface["addresses"]}


def link_local_of(bundle: Path) -> set[str]:
    """Those that its interfaces make of their Ethernet addresses, maybe after host.json was written (RFC 4291 appendix A)."""
    host = json.loads((bundle / "host.json").read_text())
    macs = [bytes.fromhex(interface["mac"].replace(":", "")) for interface in host["interfaces"]]
    return {
        str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]))
        for mac in macs
        if any(mac)
    }


@pytest.mark.parametrize("is_alone", [False, True], ids=["bundle", "alone"])
@for_each("bundle", BUNDLES, ids=name_of)
def test_samples(bundle: Path, is_alone: bool, tmp_path: Path) -> None:
    """What the laboratory did is what is said, with host.json or without; a clean sample has no other verdict.

    Which host took the capture is told surest first, sure to some degree, and never without a reason; host.json makes certain.
    """
    analysis = analyze(alone(bundle, tmp_path) if is_alone else bundle)
    found = {
        (src, protocol): verdict
        for (src, _, protocol), verdict in verdicts(analysis).items()
        if verdict.word not in GOOD
    }
    name = name_of(bundle)
    expected = SAID.get(f"{name} alone" if is_alone and f"{name} alone" in SAID else name, {})
    assert {key: verdict.word for key, verdict in found.items()} == {key: word for key, (word, _) in expected.items()}
    for key, (_, part) in expected.items():
        assert_evidence(found[key], part)
    listed, hosts = addresses_of(bundle), analysis.capture_hosts
    here = listed | link_local_of(bundle)
    if is_alone and name in DECEIVING:
        assert [(host.address, host.confidence < 0.99) for host in hosts] == [(DECEIVING[name], True)]
        return
    assert {host.address for host in hosts} <= here
    for host in hosts:  # one that is not listed is sure by what leaves its interface
        assert (
            0.5 if is_alone else 0.999 if host.address in listed else 0.99
        ) <= host.confidence <= 1 and host.evidence
    assert hosts == sorted(hosts, key=lambda host: -host.confidence)
    if not is_alone:
        assert_counters(bundle, analysis)
        assert bool(analysis.capture_hosts) == bool(
            here & {*result_of(analysis).sources, *result_of(analysis).destinations}
        )
    elif is_plain(bundle) and (analysis.flows["handshake_rtt_ns"] >= 0).any():  # else the packets may not tell
        assert analysis.capture_hosts
    checked(analysis)


def assert_counters(bundle: Path, analysis: Analysis) -> None:
    """What the kernel counted between the first and the last snapshot is what the capture lets expect."""
    lines = [json.loads(line)["counters"] for line in (bundle / "counters.jsonl").read_text().splitlines()]
    expected = {name: frames for name, (frames, _, _) in result_of(analysis).expected_errors().items()}
    assert len(expected) == (5 if analysis.capture_hosts else 0)
    moved = {name: lines[-1].get(name, 0) - lines[0].get(name, 0) for name in expected}
    assert moved == expected
    assert {fit.fits for fit in analysis.checksum_fits} <= {True}
    assert sum(moved.values()) == sum(
        int(row["bad"]) + int(row["zero"])
        for row, verdict in zip(result_of(analysis).rows(), result_of(analysis).verdicts, strict=True)
        if verdict.word in HARMFUL
    )


def test_samples_are_all_there() -> None:
    """Every sample with wrong checksums has its expectation, and none is left over."""
    assert {name.removesuffix(" alone") for name in SAID} <= {name_of(bundle) for bundle in BUNDLES}
    assert {name.partition("/")[0] for name in SAID} - {"malformed-headers"} == CABLES | {
        path.name
        for path in SAMPLES.iterdir()
        if path.name.startswith(("corrupt", "offload", "middlebox", "counters-gro", "counters-gso"))
    }


# The text, the JSON object, the command

LONG = ("2001:1db8:1111:2222:3333:4444:5555:6666", "fe80:aaaa:bbbb:cccc:dddd:eeee:ffff:1111")
KEYS = [
    "schema_version",
    "checksums", "outer_checksums", "ip_header_checksums", "capture_hosts", "directions", "directions_total",
    "frames_of_more_directions", "counters",
    "warnings",
]  # fmt: skip
DIRECTION_KEYS = [
    "src", "dst", "protocol", "outer", "frames", "checksums", "ip_header_checksums", "first_wrong", "repaired", "acknowledged",
    "verdict", "evidence", "next",
]  # fmt: skip


@pytest.mark.parametrize("mark", [partial, constant, flipped(14), zeroed])
def test_long_addresses(tmp_path: Path, mark: Mark) -> None:
    """Nothing is wider than a terminal, and the answer is the first."""
    analysis = judged(tmp_path, conversation("c", ends=LONG, as_sent={"c": mark}))
    text = checked(analysis)
    assert text.startswith("Nothing is corrupt.")
    assert all(end in text for end in LONG)


def test_words_are_explained() -> None:
    """Every verdict has a title and a place; every one that is not plain says what to do."""
    assert set(TITLES) == set(ORDER) == set(CHECKSUM_VERDICTS)
    assert set(TODO) == set(CHECKSUM_VERDICTS) - {"", "valid", "none"}
    assert {word for word, text in TODO.items() if text.startswith("Nothing: stop worrying.")} == set(HARMLESS)
    assert set(HARMFUL).isdisjoint(HARMLESS)


def test_trouble_comes_first(tmp_path: Path) -> None:
    """Of several directions the corrupt one is on top, however few frames it has."""
    talk = conversation("s")
    other = Talk("s", ends=("192.0.2.99", build.DST4), now_ns=talk.now_ns)
    other.questions(5, wrong={2: flipped(12)})
    text = checked(judged(tmp_path, [*talk.packets, *other.packets], hosts=[build.DST4]))
    assert text.startswith("1 frame is corrupt. 106 of 107 are right.\n")
    table = text.partition("directions (4 of 4)\n")[2].splitlines()
    assert table[1].split() == ["192.0.2.99", ">", build.DST4, "udp"]
    assert table[2].split() == ["5", "4", "0", "1", "0", "corruption"]
    assert text.index("CORRUPT: changed on the way") < text.index("  -> Look for what changes bits")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, with these keys in this order."""
    status, out, err = run_here("checksums", SAMPLES / "corrupt-ipv4" / "server", "--json", capsys=capsys)
    content = json.loads(out)
    assert (status, err) == (0, "")
    assert list(content) == KEYS
    assert all(list(direction) == DIRECTION_KEYS for direction in content["directions"])
    assert content["checksums"] == {"valid": 89, "bad": 3}
    assert content["ip_header_checksums"] == {"valid": 92}
    (host,) = content["capture_hosts"]
    assert list(host) == ["address", "confidence", "evidence"] and host["address"] == "10.0.0.2"
    assert all(list(each) == ["counter", "expected", "counted", "fits", "says"] for each in content["counters"])
    assert {each["counter"]: each["counted"] for each in content["counters"]}["TcpInCsumErrors"] == 3
    corrupt, valid = content["directions"]
    assert (corrupt["verdict"], valid["verdict"]) == ("corruption", "valid")
    assert (corrupt["first_wrong"], valid["first_wrong"]) == (24, None)
    assert (corrupt["repaired"], corrupt["acknowledged"]) == (3, 0)
    assert corrupt["next"].startswith("Look for what changes bits")
    told = json.loads(
        run_here("checksums", SAMPLES / "corrupt-ipv4" / "server", "--json", "--top", "1", capsys=capsys).out
    )
    assert (told["directions"], told["directions_total"]) == ([corrupt], 2)


def test_host_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the user says counts, however an address is written; what is no address is refused."""
    path = written(tmp_path / "made.pcap", conversation("c", 6).packets)
    status, out, _ = run_here("checksums", path, "--host", "2001:DB8:1:0:0:0:0:2", "--json", capsys=capsys)
    assert status == 0
    assert json.loads(out)["capture_hosts"] == [
        {"address": build.DST6, "confidence": 1.0, "evidence": ["named with --host"]}
    ]
    status, out, err = run_here("checksums", path, "--host", "server", capsys=capsys)
    assert (status, out) == (2, "")
    assert "'server' is no IP address" in err


@pytest.mark.parametrize("option", ["", "--json"])
def test_cut_file(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Done, but the input was cut short: status 3, and it is said where."""
    whole = (SAMPLES / "offload-card" / "client" / "capture.pcap").read_bytes()
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[: len(whole) // 2])
    status, out, err = run_here("checksums", path, *option.split(), capsys=capsys)
    assert status == 3
    if option:
        assert "cut.pcap" in json.loads(out)["warnings"][0]
    else:
        assert out.startswith("Nothing is corrupt.")
        assert "cut.pcap" in err


def test_snapshots_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counters beside a capture that is no bundle."""
    path = written(tmp_path / "made.pcap", corrupted("s").packets)
    file = snapshots(tmp_path, START_NS - 10**9, START_NS + 10**11, TcpInCsumErrors=1)
    status, out, _ = run_here("checksums", path, "--snapshots", file, capsys=capsys)
    assert status == 0
    told = " ".join(out.partition("\ncounters\n")[2].split())
    assert told.startswith("contradiction: TcpInCsumErrors rose by 1, the capture shows 3 wrong frames")


def test_top(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many directions are shown."""
    path = written(tmp_path / "made.pcap", conversation("c").packets)
    for top, shown in ((0, 0), (1, 1), (20, 2)):
        _, out, _ = run_here("checksums", path, "--top", str(top), capsys=capsys)
        assert f"directions ({shown} of 2)" in out
        assert len(re.findall(r" > .*  tcp\n", out)) == shown


def test_hostile_folder(tmp_path: Path) -> None:
    """The name of a folder stands in the evidence, and must not reach the terminal as it is."""
    folder = tmp_path / "eth\x1b[31m0\n"
    shutil.copytree(SAMPLES / "corrupt-ipv4" / "server", folder)
    assert "eth\\x1b[31m0\\x0a" in "".join(checked(analyze(folder)).split())


@pytest.mark.parametrize("batch_frames", [1, 2, 7])
def test_batches(tmp_path: Path, batch_frames: int) -> None:
    """However many frames are looked at together."""
    talks = [corrupted("s"), conversation("s", 6, as_sent={"s": partial}), broken_late("s", 4, 8080)]
    path = written(tmp_path / "made.pcap", [packet for talk in talks for packet in talk.packets])
    whole, piecewise = analyze(path), analyze(path, batch_frames=batch_frames)
    assert verdicts(piecewise) == verdicts(whole)
    assert piecewise.capture_hosts == whole.capture_hosts
    assert expected_errors(piecewise) == expected_errors(whole)


def test_counts_are_those_of_the_frames(tmp_path: Path) -> None:
    """Frames per state, and in the table."""
    analysis = judged(tmp_path, corrupted("s"))
    assert result_of(analysis).counts == {"valid": 55, "bad": 3}
    assert Counter(analysis.packets["checksum"]) == Counter({"valid": 55, "bad": 3})
    assert int(np.sum(result_of(analysis).rows()["frames"])) == 58
    assert list(analysis.checksums["verdict"]) == [verdict.word for verdict in result_of(analysis).verdicts]


# Changed in the file, or beside the capture


def anonymised(version: int, near: str = "") -> Talk:
    """A connection of which the client has another address in the file, both ways, as an anonymiser or NAT writes it."""
    new = "203.0.113.77" if version == 4 else "2001:db8:77::5"
    return conversation(near, version, as_sent={"c": address(new, "src"), "s": address(new, "dst")})


@pytest.mark.parametrize("version", [4, 6])
def test_addresses_changed_both_ways(tmp_path: Path, version: int) -> None:
    """Nobody's packets were dropped: the two went on talking. It is no middlebox that breaks them."""
    analysis = judged(tmp_path, anonymised(version))
    assert words(analysis) == {"rewritten"}
    for verdict in verdicts(analysis).values():
        assert_evidence(verdict, "off by the same amount", "in both directions", "right on their way")
    assert re.fullmatch(
        r"Nothing is corrupt\. (\d+) frames only look wrong \(changed in the file, or beside the capture\)\. 0 of \1 are right\.",
        answer_of(analysis),
    )
    assert expected_errors(analysis) == {}


def test_what_goes_one_way_in_a_changed_file(tmp_path: Path) -> None:
    """SYNs without an answer tell nothing by themselves; but not one checksum of the capture is right."""
    lost = unanswered("", address("203.0.113.99"), ports=(40002, 8080))
    analysis = judged(tmp_path, [*anonymised(4).packets, *lost.packets])
    assert words(analysis) == {"rewritten"}
    assert_evidence(said_of(analysis, "203.0.113.99"), "not one of", "checksums in the capture is right")


def test_one_address_changed_in_one_direction(tmp_path: Path) -> None:
    """What a middlebox breaks is dropped: only one direction shows it, and others are right."""
    analysis = judged(tmp_path, unanswered("", address("203.0.113.99")))
    assert "rewritten" not in words(analysis)


def test_payload_erased_in_the_file(tmp_path: Path) -> None:
    """Headers as they came, and zeros for all payload; the ACKs without any are right."""

    def erased(packet: bytes) -> bytes:
        at = transport_at(packet) + 4 * (packet[transport_at(packet) + 12] >> 4)
        return packet[:at] + bytes(len(packet) - at)

    analysis = judged(tmp_path, conversation("s", as_sent={"c": erased}))
    said = said_of(analysis, build.SRC4)
    assert said.word == "rewritten"
    assert_evidence(said, "nothing but zeros is in the payload", "erased in the file")
    assert expected_errors(analysis) == {}


def test_a_single_payload_of_zeros_that_is_wrong(tmp_path: Path) -> None:
    """Beside others that are right, it was not the file that was changed."""
    talk = Talk("s")
    talk.hello()
    talk.upload(9)
    talk.tcp("c", "PA", bytes(100), mark=flipped(6), lost=True)
    talk.upload(9)
    assert said_of(judged(tmp_path, talk), build.SRC4).word == "corruption"
