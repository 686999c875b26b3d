"""Summary against counting row by row in plain Python, on random frames and on the samples."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import RecordBatch
from analyzer.decode import decode
from analyzer.kinds import NUMBER
from analyzer.schema import Rows
from analyzer.summary import ETHERTYPES, IP_PROTOCOLS, Summary
from analyzer.tables import EVENTS, LAYERS, PACKETS, QUIRKS, STOPS, TUNNELS
from tests import build, strategies
from tests.each import for_each
from tests.helpers import batch_of, packets_of, rows_with

SAMPLES = Path(__file__).parent.parent / "samples"
CAPTURES = sorted(SAMPLES.glob("*/*/capture.pcap"))
HOUR_NS = 3600 * 10**9
INT64_MAX = 2**63 - 1


def random_rows(seed: int, count: int) -> Rows:
    """Decoded random frames, with a clock that steps back now and then."""
    rng = random.Random(seed)
    batch, interfaces = batch_of(strategies.random_frame(rng) for _ in range(count))
    rows = batch.rows.copy()
    now = 1_763_660_000_000_000_000
    for row in rows:
        now += rng.randint(-3000, -1) if rng.random() < 0.07 else rng.randint(0, 10_000)
        row["time_ns"] = now
    return decode(RecordBatch(batch.buffer, rows, 1), interfaces)


def made_rows(**columns: Any) -> Rows:
    """Rows with the given columns, as many as these have values."""
    return rows_with(len(next(iter(columns.values()))), **columns)


def summarised(rows: Rows, batch: int | None = None, interfaces: int = 1000) -> Summary:
    """The summary after all rows, given in batches."""
    summary = Summary()
    for start in range(0, len(rows), batch or len(rows) or 1):
        summary.add(rows[start : start + (batch or len(rows))], interfaces)
    return summary


COUNTED = ("frame", "time_ns", "interface", "length", "captured", "layers", "stop", "quirks", "tunnels", "ip_version", "ip_proto", "ethertype")  # fmt: skip


def counted(rows: Rows) -> dict[str, Any]:
    """What `Summary.as_dict` must say, counted one packet after the other."""
    words: dict[str, Counter[str]] = {name: Counter() for name in ("layers", "stop", "quirks", "tunnels")}
    frames, sizes = Counter[str](), Counter[str]()
    steps: list[tuple[int, int]] = []
    previous: dict[str, Any] | None = None
    packets = packets_of(rows, COUNTED)
    for packet in packets:
        for name, counter in words.items():
            counter.update([packet[name]] if isinstance(packet[name], str) else packet[name])
        name = protocol_name(packet)
        frames[name] += 1
        sizes[name] += packet["length"]
        back = previous["time_ns"] - packet["time_ns"] if previous else 0
        # Interfaces have clocks of their own; and behind a step of more than an hour another capture begins.
        if previous and packet["interface"] == previous["interface"] and 0 < back <= HOUR_NS:
            steps.append((packet["frame"], back))
        previous = packet
    order = sorted(frames, key=lambda name: (-frames[name], name))
    return {
        "frames": len(packets),
        "bytes": sum(packet["length"] for packet in packets),
        "captured_bytes": sum(packet["captured"] for packet in packets),
        "first_ns": min((packet["time_ns"] for packet in packets), default=None),
        "last_ns": max((packet["time_ns"] for packet in packets), default=None),
        "time_regressions": {
            "count": len(steps),
            "largest_ns": max((step for _, step in steps), default=0),
            "first_frame": steps[0][0] if steps else None,
        },
        "copies": {"frames": 0, "bytes": 0},
        "protocols": [{"name": name, "frames": frames[name], "bytes": sizes[name]} for name in order],
        "layers": dict(words["layers"]),
        "stops": dict(words["stop"]),
        "quirks": dict(words["quirks"]),
        "tunnels": dict(words["tunnels"]),
    }


def protocol_name(packet: dict[str, Any]) -> str:
    """The name under which a packet counts."""
    if packet["ip_version"]:
        number = packet["ip_proto"]
        return f"IPv{packet['ip_version']} {IP_PROTOCOLS.get(number, f'protocol {number}')}"
    if not packet["ethertype"]:
        return "no EtherType"
    return ETHERTYPES.get(packet["ethertype"], f"EtherType 0x{packet['ethertype']:04x}")


@pytest.mark.parametrize("seed", [2, 3, 5, 7])
def test_random_frames(seed: int) -> None:
    """Every count, for every batch size."""
    rows = random_rows(seed, 700)
    expected = counted(rows)
    assert expected["time_regressions"]["count"] > 5
    assert len(expected["layers"]) > 11
    for batch in (None, 1, 2, 7, 1000):
        assert summarised(rows, batch).as_dict() == expected


def test_the_random_frames_reach_every_word() -> None:
    """All layers, stop reasons, quirks and tunnels."""
    found = summarised(random_rows(1, 5000)).as_dict()
    for name, words in (("layers", LAYERS), ("stops", STOPS), ("quirks", QUIRKS), ("tunnels", TUNNELS)):
        assert set(found[name]) == set(words) - {"reassembled"}  # these frames are no fragments of one datagram


@for_each("path", CAPTURES, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_samples(path: Path) -> None:
    """Through `analyze`, with whole windows and with batches of 7."""
    analysis = analyze(path)
    rows = np.concatenate(list(analysis.parts("packets")))
    expected = counted(rows)
    events = np.concatenate(
        [np.zeros(0, EVENTS.dtype), *analysis.parts("events")]
    )  # those that only show later among them
    again = rows[np.isin(rows["frame"], events["frame"][events["event"] == NUMBER["capture_duplicate"]])]
    expected["copies"] = {"frames": len(again), "bytes": int(again["length"].sum())}
    assert analysis.summary.as_dict() == expected
    assert analyze(path, batch_frames=7).summary.as_dict() == expected


def test_words_come_in_the_order_of_the_table() -> None:
    """And only those that were found."""
    mask = PACKETS.bit("layers", "tcp", "ethernet", "ipv4")
    summary = summarised(made_rows(layers=[mask, mask], stop=[STOPS.index("truncated"), 0]))
    assert list(summary.layers.items()) == [("ethernet", 2), ("ipv4", 2), ("tcp", 2)]
    assert list(summary.stops.items()) == [("decoded", 1), ("truncated", 1)]
    assert summary.quirks == summary.tunnels == {}


@pytest.mark.parametrize("column", ["layers", "quirks", "tunnels"])
def test_each_bit_alone_and_all_together(column: str) -> None:
    """No word is counted for another."""
    words = PACKETS[column].words
    values = [1 << bit for bit in range(len(words))] + [(1 << len(words)) - 1]
    assert getattr(summarised(made_rows(**{column: values})), column) == dict.fromkeys(words, 2)


REGRESSIONS = {
    "none": ([5, 5, 6], (0, 0, None)),
    "one": ([5, 9, 2, 3], (1, 7, 3)),
    "the largest is not the first": ([5, 4, 9, 2, 1], (3, 7, 2)),
    "against the one before, not the latest of all": ([100, 50, 60, 55], (2, 50, 2)),
    "negative times": ([-5, -7], (1, 2, 2)),
    "a single frame": ([7], (0, 0, None)),
    "an hour": ([HOUR_NS, 0], (1, HOUR_NS, 2)),
    "more than an hour, to another capture": ([HOUR_NS + 1, 0, 9, 8], (1, 1, 4)),
    "more than 64 bits hold": ([INT64_MAX, -(2**63)], (0, 0, None)),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_clock_that_steps_back(name: str) -> None:
    """How often, how far at most, and where first; across batches too."""
    times, (count, largest, first) = REGRESSIONS[name]
    for batch in (None, 1, 2):
        found = summarised(made_rows(time_ns=times), batch).as_dict()
        assert found["time_regressions"] == {"count": count, "largest_ns": largest, "first_frame": first}
        assert (found["first_ns"], found["last_ns"]) == (min(times), max(times))


def test_the_first_frame_is_its_number_not_its_place() -> None:
    """Frames are numbered over all batches."""
    rows = made_rows(time_ns=[9, 8])
    rows["frame"] = [1001, 1002]
    assert summarised(rows).total("first_regression") == 1002


def test_nothing() -> None:
    """No frames: no times, no shares."""
    summary = summarised(np.zeros(0, PACKETS.dtype))
    assert summary.as_dict() == counted(np.zeros(0, PACKETS.dtype))
    assert summary.as_dict()["first_ns"] is None
    assert summary.protocols == []


def test_frames_of_each_interface() -> None:
    """More interfaces than there is room for at first, some of them appearing late."""
    rng = random.Random(4)
    numbers = [rng.randrange(10) for _ in range(100)] + [rng.randrange(307) for _ in range(2000)]
    rows = made_rows(interface=numbers)
    for batch in (1, 7, 100):
        summary = Summary()
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            summary.add(part, 10 if start + batch <= 100 else 307)
        expected = Counter(numbers)
        assert [summary.interface_frames(index) for index in range(307)] == [expected[n] for n in range(307)]
        assert summary.interface_frames(10_000) == 0


@pytest.mark.parametrize("interfaces", [63, 64, 65, 200, 201])
def test_the_last_interface(interfaces: int) -> None:
    """The room just suffices."""
    summary = summarised(made_rows(interface=[interfaces - 1] * 3), 1, interfaces)
    assert summary.interface_frames(interfaces - 1) == 3
    assert sum(summary.interface_frames(index) for index in range(interfaces)) == 3


@pytest.mark.parametrize("batch_frames", [None, 1, 7])
def test_interfaces_of_a_file(tmp_path: Path, batch_frames: int | None) -> None:
    """Frames of each of 131 interfaces, described in between the packets."""
    rng = random.Random(11)
    blocks, expected = [build.shb()], Counter[int]()
    for number in range(131):
        blocks.append(build.idb(name=f"eth{number}"))
        for _ in range(rng.randint(0, 3)):
            chosen = rng.randint(0, number)
            expected[chosen] += 1
            blocks.append(build.epb(build.ethernet(bytes(30)), interface=chosen))
    path = tmp_path / "many.pcapng"
    path.write_bytes(build.pcapng(*blocks))
    interfaces = analyze(path, batch_frames=batch_frames).capture["interfaces"]
    assert [(interface["name"], interface["frames"]) for interface in interfaces] == [
        (f"eth{number}", expected[number]) for number in range(131)
    ]


def test_shares_of_the_same_size_are_ordered_by_name() -> None:
    """Most frames first, then the alphabet."""
    rows = made_rows(ip_version=[4, 6, 4, 0, 0, 0, 6], ip_proto=[6, 6, 17, 0, 0, 0, 255], length=range(10, 80, 10))
    rows["ethertype"] = [0x0800, 0x86DD, 0x0800, 0x0806, 0, 0x1234, 0x86DD]
    assert [(share.name, share.frames, share.bytes) for share in summarised(rows).protocols] == [
        ("ARP", 1, 40),
        ("EtherType 0x1234", 1, 60),
        ("IPv4 TCP", 1, 10),
        ("IPv4 UDP", 1, 30),
        ("IPv6 TCP", 1, 20),
        ("IPv6 protocol 255", 1, 70),
        ("no EtherType", 1, 50),
    ]


@pytest.mark.parametrize("batch", [1, 7, 200])
def test_it_says_which_layers_a_batch_has(batch: int) -> None:
    """Whoever looks for one of them need not go through all the others."""
    rows = random_rows(23, 200)
    summary = Summary()
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        assert summary.add(part, 1000) == np.bitwise_or.reduce(part["layers"])
    assert summary.add(rows[:0], 1000) == 0


def test_large_counts() -> None:
    """Lengths are 32 bits; their sum is not."""
    rows = made_rows(length=[2**32 - 1] * 5, captured=[2**32 - 1] * 5)
    found = summarised(rows).as_dict()
    assert (found["bytes"], found["captured_bytes"]) == (5 * (2**32 - 1),) * 2
    assert found["protocols"] == [{"name": "no EtherType", "frames": 5, "bytes": 5 * (2**32 - 1)}]


def test_the_dictionary_holds_plain_values() -> None:
    """Everything can be written as JSON and comes back the same."""
    found = summarised(random_rows(9, 100)).as_dict()
    assert json.loads(json.dumps(found)) == found


def test_reading_the_counts_changes_nothing() -> None:
    """The properties can be read at any time."""
    rows = random_rows(6, 50)
    summary = summarised(rows[:20])
    first = summary.as_dict()
    assert first == summary.as_dict() == counted(rows[:20])
    summary.add(rows[20:], 1000)
    assert summary.as_dict() == counted(rows)
