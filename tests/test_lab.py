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
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from samples.lab import __main__ as command_line
from samples.lab import bundle, tools
from samples.lab.facts import to_toml
from samples.lab.frames import ACK, SYN, parse
from samples.lab.impair import Impairer, Rule, corrupt, delay, drop, duplicate, overtake
from samples.lab.record import parse_statistics
from samples.lab.scenario import all_scenarios, description
from samples.lab.tap import PLAIN

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
FOLDERS = sorted(folder.parent for folder in SAMPLES.glob("*/expected.toml"))
PARTS = ("capture.pcap", "counters.jsonl", "sockets.jsonl", "host.json")


def tcp(seq: int = 1, payload: bytes = b"", flags: int = ACK, src_port: int = 40001) -> bytes:
    return struct.pack("!HHIIHHHH", src_port, 80, seq, 7, 5 << 12 | flags, 512, 0, 0) + payload


def ipv4(packet: bytes, protocol: int = 6) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(packet), 0, 0, 64, protocol, 0, b"\n\0\0\1", b"\n\0\0\2")
    return head + packet


def ethernet(packet: bytes, ether_type: int = 0x0800) -> bytes:
    return bytes(12) + struct.pack("!H", ether_type) + packet


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


def test_times_keep_nine_places() -> None:
    text = bundle.line(1_763_660_000_000_000_007, counters={"IpInReceives": 7})
    read = json.loads(text, parse_float=Decimal)
    assert read == {"time": Decimal("1763660000.000000007"), "counters": {"IpInReceives": 7}}


def test_counters_have_the_names_of_nstat() -> None:
    text = "Ip: Forwarding InReceives\nIp: 1 23\nTcpExt: TCPDSACKRecv\nTcpExt: 7\nTcp: MaxConn InSegs\nTcp: -1 5\n"
    assert bundle.parse_tables(text) == {"IpInReceives": 23, "TcpExtTCPDSACKRecv": 7, "TcpInSegs": 5}
    assert bundle.parse_pairs("Ip6InReceives                   \t11\n") == {"Ip6InReceives": 11}


def test_bundle_files(tmp_path: Path) -> None:
    host = bundle.host_facts(
        "client",
        "Linux 6.1",
        json.dumps([{"ifname": "eth0", "address": "02:00", "mtu": 1500, "addr_info": []}]),
        {"eth0": "Features for eth0:\ntx-checksumming: off [fixed]\n\ttx-checksum-ipv4: on\nhighdma: on\n"},
        {"net.ipv4.tcp_sack": "1"},
    )
    snapshots = [bundle.Snapshot(1_000_000_001, {"A": 1, "B": 5}, ""), bundle.Snapshot(2, {"A": 4, "B": 5}, "ESTAB\n")]
    taken = bundle.Bundle(host, snapshots)
    bundle.write(tmp_path / "client", taken)
    assert sorted(path.name for path in (tmp_path / "client").iterdir()) == sorted(PARTS[1:])
    assert json.loads((tmp_path / "client" / "host.json").read_text())["interfaces"][0]["offloads"] == {
        "tx-checksumming": False
    }
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


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_sample_is_complete(folder: Path) -> None:
    expected = tomllib.loads((folder / "expected.toml").read_text())
    readme = (folder / "README.md").read_text()
    assert f"python -m samples.lab run {folder.name} --seed {expected['seed']}" in readme
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == sorted(expected["host"])
    for name, host in expected["host"].items():
        for part in PARTS:
            assert (folder / name / part).is_file()
        relay = expected["relay"][name]
        assert frames_in(folder / name / "capture.pcap") == host["frames"] == relay["sent"] + relay["received"]
        assert 0 < host["tcp_frames"] <= host["frames"]
        assert host["tcpdump"]["dropped"] == 0
        assert (folder / name / "capture.pcap").stat().st_size < 700_000
        times = [each["time"] for each in lines_of(folder / name / "counters.jsonl")]
        assert times == [each["time"] for each in lines_of(folder / name / "sockets.jsonl")]
        assert times == sorted(set(times))
        assert len(times) >= 2
    assert_deeds_add_up(expected)


def assert_deeds_add_up(expected: dict) -> None:
    """Frames that came out of the relay are those that went in, less the dropped, more the duplicated."""
    deeds = Counter((deed["source"], deed["action"]) for deed in expected.get("deed", []))
    for name, relay in expected["relay"].items():
        assert relay["dropped"] == deeds[name, "drop"]
        assert relay["duplicated"] == deeds[name, "duplicate"]
        assert relay["corrupted"] == deeds[name, "corrupt"]
    (one, other) = expected["relay"].values()
    for sender, receiver in ((one, other), (other, one)):
        assert receiver["received"] == sender["sent"] - sender["dropped"] + sender["duplicated"]


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
