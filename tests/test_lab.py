"""The laboratory: its rules on frames, its bundles, and the samples that it recorded."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import tomllib
import uuid
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import dpkt
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from samples.lab import __main__ as command_line
from samples.lab import bundle, pcap, tools
from samples.lab.cable import merged
from samples.lab.card import Card, complete, cut
from samples.lab.checksum import checksum, folded, state, updated
from samples.lab.errors import LabError
from samples.lab.facts import checksum_states, to_toml
from samples.lab.frames import ACK, CWR, FIN, PSH, SYN, TCP, parse
from samples.lab.impair import Impairer, Rule, corrupt, delay, drop, duplicate, overtake
from samples.lab.lab import Lab
from samples.lab.packet import locate
from samples.lab.record import parse_statistics
from samples.lab.rewrite import Change, changed, rewrite, translate
from samples.lab.scenario import all_scenarios, description
from samples.lab.tap import HEADER_LEN, PLAIN
from tests import build
from tests.each import for_each
from tests.tshark import Captures, needs_tshark

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
FOLDERS = sorted(folder.parent for folder in SAMPLES.glob("*/expected.toml"))
PARTS = ("capture.pcap", "counters.jsonl", "sockets.jsonl", "host.json")


def tcp(seq: int = 1, payload: bytes = b"", flags: int = ACK, src_port: int = 40001) -> bytes:
    return build.tcp(payload, src_port=src_port, seq=seq, ack=7, flags=flags, window=512, check=0)


def ipv4(packet: bytes, protocol: int = 6) -> bytes:
    return build.ipv4(packet, protocol, src="10.0.0.1", dst="10.0.0.2", ident=0, flags=0, check=0)


def ethernet(packet: bytes, ether_type: int = 0x0800) -> bytes:
    return build.ethernet(packet, ether_type, dst=bytes(6), src=bytes(6))


def frame(seq: int = 1, payload: bytes = b"", flags: int = ACK, src_port: int = 40001) -> bytes:
    return PLAIN + ethernet(ipv4(tcp(seq, payload, flags, src_port)))


def sent_as(rules: list[Rule], frames: list[bytes], seed: int = 1) -> list[bytes]:
    """The frames in the order of their delivery when they are sent one nanosecond after the other."""
    impairer = Impairer(rules, delay_ns=1000, seed=seed)
    due = [delivery for now, each in enumerate(frames) for delivery in impairer.process(now, "client", each)]
    return [delivery.frame for delivery in sorted(due, key=lambda delivery: delivery.due_ns)]


DATA = [frame(seq=1 + 100 * number, payload=bytes([number]) * 100) for number in range(8)]


def test_frames_pass_unchanged_without_rules() -> None:
    assert sent_as([], DATA) == DATA


def test_drop_strikes_the_numbered_frames_that_match() -> None:
    frames = [frame(flags=SYN), *DATA]
    assert sent_as([drop("client", lambda segment: segment.is_data, nth={2, 5})], frames) == [
        each for each in frames if each not in (DATA[1], DATA[4])
    ]


def test_rules_leave_other_hosts_alone() -> None:
    assert sent_as([drop("server", lambda segment: True, probability=1.0)], DATA) == DATA


def test_new_data_is_not_what_was_sent_before() -> None:
    impairer = Impairer([drop("client", lambda segment: segment.is_new_data, nth={2, 3})])
    results = [impairer.process(0, "client", each) for each in (DATA[0], DATA[1], DATA[1], DATA[2], DATA[2])]
    assert [len(result) for result in results] == [1, 0, 1, 0, 1]
    assert [(deed.action, deed.number, deed.segment.seq) for deed in impairer.deeds] == [
        ("drop", 2, 101),
        ("drop", 4, 201),
    ]


def test_what_was_sent_before_a_recording_is_not_among_its_deeds() -> None:
    """Deeds have the numbers of the frames that are recorded; rules go on counting."""
    impairer = Impairer([drop("client", lambda segment: segment.is_data, nth={1, 3})])
    results = [impairer.process(0, "client", each) for each in DATA[:2]]
    impairer.begin()
    results += [impairer.process(0, "client", each) for each in DATA[2:4]]
    assert [len(result) for result in results] == [0, 1, 0, 1]
    assert [(deed.number, deed.segment.seq) for deed in impairer.deeds] == [(1, 201)]


def test_new_data_across_the_end_of_the_sequence_numbers() -> None:
    impairer = Impairer([drop("client", lambda segment: segment.is_new_data, probability=1.0)])
    for seq, payload_len, expected in ((0xFFFFFF00, 0x80, 0), (0xFFFFFF80, 0x100, 0), (0xFFFFFF80, 0x100, 1)):
        assert len(impairer.process(0, "client", frame(seq, bytes(payload_len)))) == expected


def test_duplicate_delivers_twice() -> None:
    expected = [*DATA[:3], DATA[2], *DATA[3:]]
    assert sent_as([duplicate("client", lambda segment: segment.is_data, nth={3})], DATA) == expected


def test_delay_moves_a_frame_behind_others() -> None:
    rule = delay("client", lambda segment: segment.is_data, extra_ns=3, nth={2})
    assert sent_as([rule], DATA) == [DATA[0], *DATA[2:4], DATA[1], *DATA[4:]]


@pytest.mark.parametrize("by", [1, 2, 5])
def test_overtake_counts_frames_not_time(by: int) -> None:
    rule = overtake("client", lambda segment: segment.is_data, by=by, nth={2})
    expected = [DATA[0], *DATA[2 : 2 + by], DATA[1], *DATA[2 + by :]]
    assert sent_as([rule], DATA) == expected


def test_overtake_gives_up_after_a_while() -> None:
    impairer = Impairer([overtake("client", lambda segment: True, by=1, nth={1})])
    assert impairer.process(0, "client", DATA[0]) == []
    assert impairer.expired(1) == []
    assert [delivery.frame for delivery in impairer.expired(1_000_000_000)] == [DATA[0]]
    assert impairer.expired(2_000_000_000) == []


@pytest.mark.parametrize("bits", [1, 2, 7])
def test_corrupt_flips_bits_at_the_end_only(bits: int) -> None:
    (damaged,) = sent_as([corrupt("client", lambda segment: True, nth={1}, bits=bits, tail=16)], DATA[:1])
    assert damaged[:-16] == DATA[0][:-16]
    changed = int.from_bytes(damaged[-16:], "big") ^ int.from_bytes(DATA[0][-16:], "big")
    assert changed.bit_count() == bits


def test_chance_depends_on_the_seed_alone() -> None:
    rules = [drop("client", lambda segment: True, probability=0.5)]
    once, again = (sent_as(rules, DATA, seed=3) for _ in range(2))
    assert once == again
    assert 0 < len(once) < len(DATA)
    assert len({len(sent_as(rules, DATA, seed=seed)) for seed in range(20)}) > 1


def test_connections_are_counted_once() -> None:
    impairer = Impairer()
    for each in (frame(5, flags=SYN), frame(5, flags=SYN), frame(9, flags=SYN), frame(5, flags=SYN, src_port=40002)):
        impairer.process(0, "client", each)
    assert len(impairer.tracker.connections) == 3


def test_segments_are_found_below_vlan_tags_and_in_vxlan() -> None:
    plain = ethernet(ipv4(tcp(5, b"abc")))
    tagged = plain[:12] + bytes.fromhex("88a8000781000005") + plain[12:]
    tunnel = ethernet(ipv4(struct.pack("!HHHH", 50000, 4789, 16 + len(plain), 0) + bytes(8) + plain, protocol=17))
    address = bytes(15) + b"\1"
    ipv6 = ethernet(struct.pack("!IHBB", 6 << 28, 23, 6, 64) + address + address + tcp(5, b"abc"), 0x86DD)
    for each in (plain, tagged, tunnel, ipv6):
        segment = parse(each)
        assert (segment.src_port, segment.seq, segment.payload_len, segment.kind) == (40001, 5, 3, "data")


def test_padding_is_not_payload() -> None:
    assert parse(ethernet(ipv4(tcp())) + bytes(6)).payload_len == 0


def test_any_beginning_of_a_frame_can_be_parsed() -> None:
    whole = ethernet(ipv4(tcp(5, b"abc")))
    assert {parse(whole[:length]).seq for length in range(len(whole))} == {0, 5}
    random = Random(1)
    for _ in range(200):
        parse(random.randbytes(random.randrange(100)))


def whole(family: int, data: dpkt.Packet, **fields: int) -> bytes:
    """An Ethernet frame whose checksums come from dpkt; `fields` are those of the IP header."""
    protocol = {dpkt.tcp.TCP: 6, dpkt.udp.UDP: 17, dpkt.icmp.ICMP: 1}[type(data)]
    if family == 4:
        packet = dpkt.ip.IP(src=b"\n\0\0\1", dst=b"\n\0\0\2", p=protocol, len=20 + len(data), data=data, **fields)
    else:
        ends = {"src": b"\x20\1" + bytes(13) + b"\1", "dst": b"\x20\1" + bytes(13) + b"\2"}
        packet = dpkt.ip6.IP6(**ends, nxt=protocol, plen=len(data), data=data, **fields)
    return ethernet(bytes(packet), 0x0800 if family == 4 else 0x86DD)


def segment(payload: bytes, flags: int = ACK, seq: int = 1, opts: bytes = b"\1" * 12) -> dpkt.tcp.TCP:
    return dpkt.tcp.TCP(
        sport=40001, dport=80, seq=seq, ack=7, flags=flags, off=5 + len(opts) // 4, opts=opts, data=payload
    )


def datagram(payload: bytes, sum: int = 0) -> dpkt.udp.UDP:
    return dpkt.udp.UDP(sport=40001, dport=80, ulen=8 + len(payload), sum=sum, data=payload)


def offloaded(frame: bytes) -> bytes:
    """The frame as a kernel hands it to a card: the sum of the pseudo-header where the checksum belongs."""
    found = locate(frame)
    field = found.transport + (16 if found.protocol == TCP else 6)
    start = folded(frame[found.addresses], found.protocol + found.end - found.transport)
    return frame[:field] + struct.pack("!H", start) + frame[field + 2 :]


def virtio(kind: int, size: int, start: int, offset: int) -> bytes:
    return struct.pack("=BBHHHH", 1, kind, 0, size, start, offset)


TEXT = bytes(range(256)) * 20
FAMILIES = pytest.mark.parametrize("family", [4, 6])


def test_checksum_of_the_rfc() -> None:
    """RFC 1071, section 3."""
    assert folded(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2
    assert checksum(b"\xff\xff\1") == 0xFEFF


@pytest.mark.parametrize("seed", range(20))
def test_updating_a_checksum_is_calculating_it_anew(seed: int) -> None:
    random = Random(seed)
    before, rest = random.randbytes(8), random.randbytes(30)
    after = before[:2] + random.randbytes(4) + before[6:]
    assert updated(checksum(before + rest), before, after) == checksum(after + rest)


@FAMILIES
@pytest.mark.parametrize("payload", [b"", b"odd", TEXT[:1000]])
def test_states_of_checksums(family: int, payload: bytes) -> None:
    for data in (segment(payload), datagram(payload)):
        frame = whole(family, data)
        assert state(frame) == state(frame + b"padding") == "valid"
        assert state(offloaded(frame)) == "partial"
        assert state(frame[:-1] + bytes([frame[-1] ^ 4])) == "bad"


def test_states_of_other_checksums() -> None:
    echo = whole(4, dpkt.icmp.ICMP(type=8, data=dpkt.icmp.ICMP.Echo(id=7, seq=1, data=b"abc")))
    assert (state(echo), state(echo[:-1] + b"d")) == ("valid", "bad")
    plain = whole(4, datagram(b"abc", sum=7))
    assert state(plain[:40] + bytes(2) + plain[42:]) == "zero"
    assert state(ethernet(bytes(28), 0x0806)) == "none"


@FAMILIES
@pytest.mark.parametrize(("make", "offset"), [(segment, 16), (datagram, 6)])
@pytest.mark.parametrize("length", [0, 1, 999])
def test_a_card_completes_checksums(
    family: int, make: Callable[[bytes], dpkt.Packet], offset: int, length: int
) -> None:
    frame = whole(family, make(TEXT[:length]))
    found = locate(frame)
    card = Card()
    assert card.process(virtio(0, 0, found.transport, offset) + offloaded(frame)) == [PLAIN + frame]
    assert card.process(PLAIN + frame) == [PLAIN + frame]
    assert (card.taken, card.completed, card.cuts) == (2, 1, [])


def test_a_udp_checksum_of_0_is_sent_as_its_complement() -> None:
    assert complete(b"\xff\xff\0\0" + bytes(4), 0, 6)[6:] == b"\xff\xff"
    assert complete(b"\xff\xff\0\0" + bytes(16), 0, 16)[16:18] == b"\0\0"


@FAMILIES
@pytest.mark.parametrize(("length", "size"), [(2896, 1448), (2897, 1448), (4000, 1000), (3, 1), (700, 1448)])
def test_cutting_gives_the_segments_that_another_implementation_makes(family: int, length: int, size: int) -> None:
    flags, seq, identification = ACK | PSH | FIN | CWR, 0xFFFFFF00, 0xFFFE
    count = -(-length // size)
    expected = []
    for number in range(count):
        mine = flags if number == count - 1 else flags & ~(PSH | FIN)
        mine = mine if number == 0 else mine & ~CWR
        piece = segment(TEXT[number * size : min(length, (number + 1) * size)], mine, (seq + number * size) % (1 << 32))
        expected.append(whole(family, piece, **({"id": (identification + number) % 65536} if family == 4 else {})))
    whole_segment = whole(family, segment(TEXT[:length], flags, seq), **({"id": identification} if family == 4 else {}))
    assert cut(offloaded(whole_segment), size) == expected


def test_a_card_remembers_what_it_cut() -> None:
    card = Card()
    frame = offloaded(whole(4, segment(TEXT[:3000], ACK | PSH, seq=5)))
    card.process(PLAIN + frame)
    assert len(card.process(virtio(1, 1448, 34, 16) + frame)) == 3
    (done,) = card.cuts
    assert (done.number, done.pieces, done.size, done.segment.seq, done.segment.payload_len) == (2, 3, 1448, 5, 3000)
    assert len(card.process(virtio(0x81, 1448, 34, 16) + frame)) == 3
    with pytest.raises(LabError, match="type 3 "):
        card.process(virtio(3, 1448, 34, 6) + frame)
    with pytest.raises(LabError, match="only TCP"):
        cut(whole(4, datagram(TEXT)), 1448)


CHANGES = {4: Change("10.0.0.9", "10.0.0.8", 40009, 8080), 6: Change("2001::9", "2001:1:2:3:4:5:6:7", 40009, 8080)}


@FAMILIES
@pytest.mark.parametrize("make", [segment, datagram])
def test_translation_keeps_checksums_right_and_rewriting_does_not(
    family: int, make: Callable[[bytes], dpkt.Packet]
) -> None:
    frame = whole(family, make(b"abc"))
    right, wrong = (changed(frame, CHANGES[family], transport=transport) for transport in (True, False))
    assert (state(right), state(wrong)) == ("valid", "bad")
    for new in (right, wrong):
        found = parse(new)
        assert (found.src_port, found.dst_port) == (40009, 8080)
        assert (found.src[-1], found.dst[-1]) == ((9, 8) if family == 4 else (9, 7))
        assert len(new) == len(frame)
        if family == 4:
            assert folded(new[14:34]) == 0xFFFF
    damaged = frame[:-1] + b"d"
    assert state(changed(damaged, CHANGES[family], transport=True)) == "bad"


def test_what_need_not_be_translated_stays() -> None:
    frame = whole(4, datagram(b"abc", sum=7))
    frame = frame[:40] + bytes(2) + frame[42:]
    assert state(changed(frame, CHANGES[4], transport=True)) == "zero"
    assert changed(frame, Change(), transport=True) == frame
    for other in (ethernet(bytes(28), 0x0806), whole(4, dpkt.icmp.ICMP(type=8, data=b"abcd"))):
        assert changed(other, CHANGES[4], transport=True) == other


def test_rules_that_write_strike_the_numbered_frames_or_all() -> None:
    valid = [PLAIN + whole(4, segment(b"abc", seq=seq)) for seq in range(1, 6)]
    change = Change(dst_port=8080)
    rules = [
        translate("client", lambda segment: segment.is_data, change, nth=range(1, 3)),
        rewrite("client", lambda segment: segment.is_data, change, nth=range(3, 1000)),
    ]
    impairer = Impairer(rules)
    sent = [each.frame for number, frame in enumerate(valid) for each in impairer.process(number, "client", frame)]
    assert [state(each[HEADER_LEN:]) for each in sent] == ["valid"] * 2 + ["bad"] * 3
    assert {parse(each[HEADER_LEN:]).dst_port for each in sent} == {8080}
    assert [deed.action for deed in impairer.deeds] == ["translate"] * 2 + ["rewrite"] * 3
    assert {deed.segment.dst_port for deed in impairer.deeds} == {80}
    struck = sent_as([rewrite("client", lambda segment: True, change)], valid)
    assert [state(each[HEADER_LEN:]) for each in struck] == ["bad"] * 5


def test_merged_segments_are_counted_by_their_length() -> None:
    sent = [whole(4, segment(TEXT[:length])) for length in (0, 1000, 1000, 1000, 300, 0)]
    received = [whole(4, segment(TEXT[:length])) for length in (0, 2000, 1300, 0)]
    assert (merged(received, sent), merged(sent, sent), merged([], [])) == (2, 0, 0)


def test_a_cable_follows_no_rules(tmp_path: Path) -> None:
    class End:
        tap = -1

    with (
        pytest.raises(LabError, match="no relay"),
        Lab(tmp_path).recording(End(), End(), rules=[drop("client", lambda segment: True)]),
    ):
        pass


def test_captures_can_be_read_back(tmp_path: Path) -> None:
    head = struct.pack("=IHHQII", 0xA1B23C4D, 2, 4, 0, 262144, 1)
    records = b"".join(struct.pack("=IIII", 1, 2, len(each), len(each)) + each for each in (b"abc", b"", b"defgh"))
    (tmp_path / "a.pcap").write_bytes(head + records)
    assert list(pcap.frames(tmp_path / "a.pcap")) == [b"abc", b"", b"defgh"]
    (tmp_path / "b.pcap").write_bytes(head[:20] + struct.pack("=I", 276))
    with pytest.raises(LabError, match="Ethernet"):
        list(pcap.frames(tmp_path / "b.pcap"))


def test_bundle_files(tmp_path: Path) -> None:
    snapshots = [bundle.Snapshot(1_000_000_001, {"A": 1, "B": 5}, ""), bundle.Snapshot(2, {"A": 4, "B": 5}, "ESTAB\n")]
    taken = bundle.Bundle({"hostname": "client"}, snapshots)
    bundle.write(tmp_path / "client", taken)
    assert sorted(path.name for path in (tmp_path / "client").iterdir()) == sorted(PARTS[1:])
    assert json.loads((tmp_path / "client" / "host.json").read_text()) == {"hostname": "client"}
    lines = (tmp_path / "client" / "sockets.jsonl").read_text().splitlines()
    assert lines == ['{"time":1.000000001,"ss":""}', '{"time":0.000000002,"ss":"ESTAB\\n"}']
    assert taken.increments() == {"A": 3}


def test_toml_can_be_read_back() -> None:
    tables = {"": {"a": 1, "b": 0.5}, "x.y": {"text": 'a "quoted" \\ word'}, "list": [{"n": 2}, {"n": 3}]}
    assert tomllib.loads(to_toml(tables)) == {
        "a": 1,
        "b": 0.5,
        "x": {"y": {"text": 'a "quoted" \\ word'}},
        "list": [{"n": 2}, {"n": 3}],
    }


def test_last_words_of_tcpdump() -> None:
    text = "tcpdump: listening on eth0 50 packets captured 53 packets received by filter 1 packet dropped by kernel"
    assert parse_statistics(text) == {"captured": 50, "received": 53, "dropped": 1}


def test_unknown_scenario_is_one_line_with_the_nearest_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["run", "handshak"]) == 2
    assert capsys.readouterr().err == "samples.lab: no scenario 'handshak'; there are: handshake\n"


def test_recording_without_root_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "missing", lambda: "needs root")
    assert command_line.main(["run", "handshake", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "samples.lab: recording needs root\n"


def test_list_shows_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(all_scenarios())


def test_every_scenario_has_its_sample_and_every_sample_its_scenario() -> None:
    assert [folder.name for folder in FOLDERS] == list(all_scenarios())
    assert all(all(description(function)) for function in all_scenarios().values())


@for_each("folder", FOLDERS, ids=lambda folder: folder.name)
def test_sample_is_complete(folder: Path) -> None:
    assert_complete(folder)


def assert_complete(folder: Path) -> None:
    """All that a sample consists of is there, and fits together."""
    expected = tomllib.loads((folder / "expected.toml").read_text())
    readme = (folder / "README.md").read_text()
    assert f"python -m samples.lab run {folder.name} --seed {expected['seed']}" in readme
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == sorted(expected["host"])
    for name, host in expected["host"].items():
        for part in PARTS:
            assert (folder / name / part).is_file()
        link = link_of(expected)[name]
        passed = link["sent"] + link["received"] - link.get("merged", 0) + host.get("elsewhere", 0)
        assert frames_in(folder / name / "capture.pcap") == host["frames"] == passed
        assert 0 <= host["tcp_frames"] <= host["frames"]
        assert host["tcpdump"]["dropped"] == 0
        assert (folder / name / "capture.pcap").stat().st_size < 400_000
        times = [each["time"] for each in lines_of(folder / name / "counters.jsonl")]
        assert times == [each["time"] for each in lines_of(folder / name / "sockets.jsonl")]
        assert times == sorted(set(times))
        assert len(times) >= 2
    assert_deeds_add_up(expected)


@for_each("folder", FOLDERS, ids=lambda folder: folder.name)
def test_deeds_have_the_numbers_of_frames_that_were_captured(folder: Path) -> None:
    """Each with the numbers of TCP that the relay wrote down; without a card, which cuts frames on their way to the relay."""
    expected = tomllib.loads((folder / "expected.toml").read_text())
    for name in expected["host"]:
        deeds = [each for each in expected.get("deed", []) if each["source"] == name and "seq" in each]
        if not deeds or name in expected.get("card", {}) or expected["interface"] == "any":
            continue
        own = {each["mac"] for each in host_of(folder / name)["interfaces"]}
        sent = [each for each in pcap.frames(folder / name / "capture.pcap") if pcap.source(each) in own]
        for deed in deeds:
            found = parse(sent[deed["number"] - 1])
            assert (found.seq, found.ack) == (deed["seq"], deed["ack"])


PAST = {
    "drop": "dropped",
    "duplicate": "duplicated",
    "corrupt": "corrupted",
    "translate": "translated",
    "rewrite": "rewritten",
}


def link_of(expected: dict) -> dict[str, dict]:
    """What the relay counted per host, or the interfaces where there is none."""
    return expected["passed"] if expected.get("link") == "cable" else expected["relay"]


def assert_deeds_add_up(expected: dict) -> None:
    """Frames that came out of the link are those that went in, less the dropped, more the duplicated and the cut."""
    link, cards = link_of(expected), expected.get("card", {})
    deeds = Counter((deed["source"], deed["action"]) for deed in expected.get("deed", []))
    for name in link:
        for action, word in PAST.items():
            assert link[name].get(word, 0) == deeds[name, action]
    if beside := expected.get("beside"):  # nobody says whom it sent to
        every = [*link.values(), *beside.values()]
        lost = sum(count * (action == "drop") - count * (action == "duplicate") for (_, action), count in deeds.items())
        assert sum(each["received"] for each in every) == sum(each["sent"] for each in every) - lost
        return
    (one, other) = link
    for sender, receiver in ((one, other), (other, one)):
        card = cards.get(sender, {"made": 0, "cut": 0})
        on_the_wire = link[sender]["sent"] + card["made"] - card["cut"]
        assert link[receiver]["received"] == on_the_wire - deeds[sender, "drop"] + deeds[sender, "duplicate"]


CHECKSUMS = [folder for folder in FOLDERS if "checksums" in tomllib.loads((folder / "expected.toml").read_text())]


@pytest.mark.parametrize("folder", CHECKSUMS, ids=lambda folder: folder.name)
def test_checksums_are_as_the_lab_left_them(folder: Path) -> None:
    """What is wrong at the receiver is what the relay damaged; what is partial was offloaded or merged."""
    expected = tomllib.loads((folder / "expected.toml").read_text())
    deeds = Counter((deed["source"], deed["action"]) for deed in expected.get("deed", []))
    offloaded_to_nobody = folder.name == "offload-veth"
    (one, other) = link_of(expected)
    for mine, peer in ((one, other), (other, one)):
        (interface,) = (each for each in host_of(folder / mine)["interfaces"] if each["name"] == "eth0")
        states = checksum_states(folder / mine / "capture.pcap", interface["mac"])
        assert states == expected["checksums"][mine]
        assert sum(states.values()) == expected["host"][mine]["frames"]
        assert states["sent_bad"] == 0
        assert states["received_bad"] == deeds[peer, "corrupt"] + deeds[peer, "rewrite"]
        partial = expected.get("card", {}).get(mine, {"completed": 0})["completed"]
        assert states["sent_partial"] == (link_of(expected)[mine]["sent"] if offloaded_to_nobody else partial)
        if offloaded_to_nobody:
            assert states["received_valid"] == 0
        else:
            assert (states["received_partial"] > 0) == (link_of(expected)[mine].get("merged", 0) > 0)


SAID = Captures(
    [path for folder in CHECKSUMS for path in folder.glob("*/capture.pcap")],
    [f"{protocol}.checksum.status" for protocol in ("ip", "tcp", "udp", "icmp")],
    preferences=[f"{protocol}.check_checksum:TRUE" for protocol in ("ip", "tcp", "udp")],
)


@needs_tshark
@pytest.mark.parametrize("folder", CHECKSUMS, ids=lambda folder: folder.name)
def test_tshark_finds_the_same_checksums(folder: Path) -> None:
    """It calls partial ones wrong."""
    expected = tomllib.loads((folder / "expected.toml").read_text())
    for name, states in expected["checksums"].items():
        wrong = sum(states[f"{way}_{each}"] for way in ("sent", "received") for each in ("partial", "bad"))
        valid = states["sent_valid"] + states["received_valid"]
        assert tshark_checksums(folder / name / "capture.pcap") == Counter({"0": wrong, "1": valid})


def tshark_checksums(capture: Path) -> Counter[str]:
    """How many frames tshark finds with a wrong (0) or right (1) checksum; all headers of IPv4 must be right."""
    rows = SAID[capture]
    assert {row[0] for row in rows} <= {"1", ""}
    return Counter("".join(row[1:]) for row in rows)


CUTS = [folder for folder in FOLDERS if "cut" in tomllib.loads((folder / "expected.toml").read_text())]


@pytest.mark.parametrize("folder", CUTS, ids=lambda folder: folder.name)
def test_super_segments_arrive_in_pieces(folder: Path) -> None:
    """Each cut frame is in the capture of its sender, and its payload, piece by piece, in that of the receiver."""
    expected = tomllib.loads((folder / "expected.toml").read_text())
    ((sender, receiver),) = ((one, other) for one in expected["card"] for other in expected["host"] if other != one)
    mac = next(each["mac"] for each in host_of(folder / sender)["interfaces"] if each["name"] == "eth0")
    sent = [each for each in pcap.frames(folder / sender / "capture.pcap") if pcap.source(each) == mac]
    arrived = {
        (parse(each).src_port, parse(each).seq): each for each in pcap.frames(folder / receiver / "capture.pcap")
    }
    assert len(expected["cut"]) == expected["card"][sender]["cut"] > 7
    for each in expected["cut"]:
        frame = sent[each["number"] - 1]
        assert (parse(frame).seq, parse(frame).payload_len) == (each["seq"], each["payload_len"])
        starts = range(each["seq"], each["seq"] + each["payload_len"], each["size"])
        pieces = [arrived[each["src_port"], seq & 0xFFFFFFFF] for seq in starts]
        assert len(pieces) == each["pieces"]
        assert (
            b"".join(piece[len(piece) - parse(piece).payload_len :] for piece in pieces)
            == frame[-each["payload_len"] :]
        )
    assert max(parse(each).payload_len for each in arrived.values()) <= 1448


@pytest.mark.parametrize(
    ("sample", "difference"),
    [("middlebox-port", 8000), ("middlebox-port-late", 8000), ("middlebox-address", 8)],
)
def test_a_middlebox_is_wrong_by_a_constant(sample: str, difference: int) -> None:
    """The sums of all that it wrote into are too high by the difference of the ports or addresses."""
    wrong = [each for each in pcap.frames(SAMPLES / sample / "server" / "capture.pcap") if state(each) == "bad"]
    assert len(wrong) > 3
    for frame in wrong:
        found = locate(frame)
        start = folded(frame[found.addresses], found.protocol + found.end - found.transport)
        assert folded(frame[found.transport : found.end], start) == difference


@pytest.mark.parametrize(
    ("sample", "host", "counter", "number"),
    [
        ("corrupt-udp", "server", "UdpInCsumErrors", 5),
        ("corrupt-udp", "client", "UdpInCsumErrors", 3),
        ("corrupt-udp", "server", "IcmpInCsumErrors", 3),
        ("corrupt-udp", "client", "IcmpInCsumErrors", 2),
        ("corrupt-ipv4", "server", "TcpInCsumErrors", 3),
        ("middlebox-port", "server", "TcpInCsumErrors", 5),
        ("middlebox-port", "client", "TcpInCsumErrors", 0),
        ("middlebox-address", "server", "TcpInCsumErrors", 5),
        ("middlebox-port-late", "server", "TcpInCsumErrors", None),
        ("middlebox-port-late", "client", "TcpInCsumErrors", None),
        ("offload-veth", "client", "TcpInCsumErrors", 0),
        ("offload-card", "server", "TcpInCsumErrors", 0),
        ("offload-gro", "server", "TcpInCsumErrors", 0),
    ],
)
def test_kernels_counted_the_wrong_checksums(sample: str, host: str, counter: str, number: int | None) -> None:
    """As many as planned, or, without a number, as many as the relay spoilt."""
    if number is None:
        expected = tomllib.loads((SAMPLES / sample / "expected.toml").read_text())
        number = expected["checksums"][host]["received_bad"]
        assert number > 3
    snapshots = [each["counters"] for each in lines_of(SAMPLES / sample / host / "counters.jsonl")]
    assert snapshots[-1][counter] - snapshots[0][counter] == number


def host_of(folder: Path) -> dict:
    return json.loads((folder / "host.json").read_text())


def frames_in(capture: Path) -> int:
    """The number of records in a pcap with nanoseconds, as this machine writes it."""
    content = capture.read_bytes()
    assert content[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
    order = "<" if content[0] == 0x4D else ">"
    offset, frames = 24, 0
    while offset < len(content):
        (captured,) = struct.unpack_from(f"{order}I", content, offset + 8)
        offset, frames = offset + 16 + captured, frames + 1
    assert offset == len(content)
    return frames


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]


needs_root = pytest.mark.skipif(
    bool(tools.missing()), reason=f"needs root and {', '.join(tools.NEEDED)}; this machine {tools.missing()}"
)


class LabProcess:
    """The lab as a process of its own, and whatever it starts, recognised by a variable in their environment."""

    def __init__(self, *arguments: str) -> None:
        self._mark = f"TCPCAP_LAB_TEST={uuid.uuid4()}"
        environment = os.environ | dict([self._mark.split("=")])
        command = [sys.executable, "-m", "samples.lab", *arguments]
        # A runner without a terminal may have switched SIGINT off, and children inherit that.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        finally:
            signal.signal(signal.SIGINT, handler)

    def alive(self) -> list[str]:
        """The names of all its processes."""
        names = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._mark.encode() in (folder / "environ").read_bytes():
                    names.append((folder / "comm").read_text().strip())
        return names


@needs_root
def test_recording_again_gives_the_same_frames(tmp_path: Path) -> None:
    lab = LabProcess("run", "handshake", "--out", str(tmp_path))
    assert lab.process.wait(60) == 0
    assert lab.alive() == []
    old, new = (tomllib.loads((folder / "handshake" / "expected.toml").read_text()) for folder in (SAMPLES, tmp_path))
    for name, host in new["host"].items():
        assert host["frames"] == old["host"][name]["frames"]
        assert host["frames"] == frames_in(tmp_path / "handshake" / name / "capture.pcap")
    assert new["connections"] == old["connections"] == 4


@needs_root
@pytest.mark.parametrize("name", ["offload-card", "offload-gro"])
def test_recording_what_is_offloaded_again(tmp_path: Path, name: str) -> None:
    """How the kernel puts bytes into segments differs each time; what became of their checksums does not."""
    lab = LabProcess("run", name, "--out", str(tmp_path))
    assert lab.process.wait(60) == 0
    assert lab.alive() == []
    assert_complete(tmp_path / name)
    test_checksums_are_as_the_lab_left_them(tmp_path / name)


@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_stays_behind_when_interrupted(tmp_path: Path, number: int) -> None:
    lab = LabProcess("run", "any-sll2", "--out", str(tmp_path))
    deadline = time.monotonic() + 20
    while lab.alive().count("tcpdump") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    lab.process.send_signal(number)
    assert lab.process.wait(20) == 130
    assert lab.alive() == []
    assert list(tmp_path.iterdir()) == []
