"""The labels of Wireshark: against their naive twin and against tshark on hostile traffic, and label by label in scenarios."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from analyzer import analyze
from analyzer.passes import table_rows
from analyzer.schema import Rows
from analyzer.tables import PACKETS, WIRESHARK
from analyzer.together import joined
from tests import build
from tests.each import for_each
from tests.helpers import CAPTURES, FEWER_CAPTURES, packets_of, plain
from tests.naive.wireshark import labels_of
from tests.tshark import Captures, needs_tshark

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT.parent / "shared" / "corpus" / "tcp"
SMALL = 200_000
CORPUS = sorted(path for path in FOLDER.glob("*") if path.suffix != ".md" and path.stat().st_size < SMALL)
SEEDS = range(16)
PACKETS_PER_SEED = 2500
START_NS = 1_763_660_000_123_456_000
TOP = 2**32
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
NEEDED = (
    "frame", "time_ns", "layers", "stop", "ip_version", "src", "dst", "ip_proto", "src_port", "dst_port",
    "seq", "ack", "flags", "window", "window_scale", "options", "header_len", "payload_len",
)  # fmt: skip

needs_corpus = pytest.mark.skipif(not CORPUS, reason="needs ../shared/corpus")


# Reading


def rows_of(path: Path, batch_frames: int = 1 << 14) -> Rows:
    """All packet rows of a capture, with their labels."""
    return joined([np.zeros(0, PACKETS.dtype), *table_rows([str(path)], "packets", batch_frames=batch_frames)])


def labels(rows: Rows) -> list[frozenset[str]]:
    """The labels of each row."""
    return plain(PACKETS["wireshark"], rows)


def disagreements(
    expected: list[frozenset[str]], actual: list[frozenset[str]]
) -> dict[int, tuple[list[str], list[str]]]:
    """Frame number -> (expected, actual) where they differ."""
    pairs = enumerate(zip(expected, actual, strict=True), 1)
    return {frame: (sorted(left), sorted(right)) for frame, (left, right) in pairs if left != right}


# Hostile traffic


class Frame(NamedTuple):
    """One packet to be written: who (client or server), when after the one before, and its TCP header."""

    side: str
    after_ns: int
    seq: int
    ack: int
    flags: int
    window: int
    size: int = 0
    scale: int | None = None


@dataclass
class Side:
    """What one side of a hostile connection would send next if it behaved."""

    next: int
    window: int = 65535
    sent: list[Frame] = field(default_factory=list)


@dataclass
class Talk:
    """A connection of two addresses and ports, on which others follow."""

    client: tuple[str, int]
    server: tuple[str, int]
    sides: dict[str, Side]
    tame: bool = False


PAUSES_NS = (
    0,
    1000,
    100_000,
    1_000_000,
    2_999_000,
    3_000_000,
    5_000_000,
    19_999_000,
    20_000_000,
    400_000_000,
    -2_000_000,
)
SIZES = (1, 1, 2, 10, 100, 1000)
WINDOWS = (0, 1, 10, 100, 1000, 1000, 65535)
SCALES = (None, None, 0, 1, 7, 14)
TAME_LETTERS = (ACK, ACK, ACK, PSH | ACK, FIN | ACK, FIN, RST, RST | ACK, 0, PSH)
LETTERS = (*TAME_LETTERS, SYN, SYN | ACK, SYN | FIN, FIN | SYN | ACK)
DEEDS = {
    "data": 20, "lose": 3, "acknowledge": 10, "repeat": 10, "send again": 8, "answer duplicates": 6, "keep alive": 5,
    "shut": 4, "probe": 6, "open": 6, "fill": 4, "acknowledge unseen": 3, "open connection": 4, "open again": 2,
    "finish": 3, "reset": 1, "anything": 8,
}  # fmt: skip


def number(rng: random.Random) -> int:
    """A sequence number to begin with, often near the end of the range."""
    return rng.choice((TOP - 1, TOP - 50, TOP - 3000, 0, 1, 2**31, rng.getrandbits(32), rng.getrandbits(32)))


def near(rng: random.Random, talk: Talk, *numbers: int) -> int:
    """A number at or beside one of these, or anywhere."""
    anywhere = () if talk.tame else (0, rng.getrandbits(32))
    return (rng.choice((*numbers, *anywhere)) + rng.choice((0, 0, 0, 1, -1, 10, -10, 2000, -2000))) % TOP


def deed(name: str, rng: random.Random, talk: Talk, side: str) -> Frame | None:
    """What a side does: a frame, or nothing that is captured."""
    me, other = talk.sides[side], talk.sides["s" if side == "c" else "c"]
    pause, size, fresh = rng.choice(PAUSES_NS), rng.choice(SIZES), rng.choice(WINDOWS)
    last = me.sent[-1] if me.sent else Frame(side, 0, me.next, other.next, ACK, me.window)
    if name == "data":
        return Frame(side, pause, me.next, other.next, PSH | ACK, me.window, size)
    if name == "lose":
        me.next = (me.next + size) % TOP
        return None
    if name in ("acknowledge", "open", "shut"):
        window = {"acknowledge": me.window, "open": fresh, "shut": 0}[name]
        ack = other.next if name == "acknowledge" else last.ack
        return Frame(side, pause, me.next, ack, ACK, window)
    if name == "repeat":
        return last._replace(after_ns=pause, size=0, flags=ACK, seq=me.next)
    if name == "send again":
        again = [frame for frame in me.sent[-8:] if not talk.tame or frame.flags & (SYN | ACK) != SYN | ACK]
        return rng.choice(again or [last._replace(flags=ACK)])._replace(after_ns=pause)
    if name == "answer duplicates":
        return Frame(side, pause, other.sent[-1].ack if other.sent else me.next, last.ack, ACK, me.window, size)
    if name == "keep alive":
        return Frame(side, pause, (me.next - 1) % TOP, last.ack, ACK, me.window, rng.choice((0, 1)))
    if name == "probe":
        return Frame(side, pause, me.next, last.ack, ACK, me.window, 1)
    if name == "fill":
        acked = other.sent[-1].ack if other.sent else 0
        room = (acked + (other.window << rng.choice((0, 0, 0, 1, 7))) - me.next) % TOP
        return Frame(side, pause, me.next, last.ack, ACK, me.window, room if room < 3000 else size)
    if name == "acknowledge unseen":
        return Frame(side, pause, me.next, (other.next + size) % TOP, ACK, me.window)
    if name == "open connection":
        seq = rng.choice((number(rng), (me.next - 1) % TOP, me.sent[0].seq if me.sent else me.next))
        flags = SYN if side == "c" or rng.random() < 0.1 else SYN | ACK
        return Frame(side, pause, seq, other.next if flags & ACK else 0, flags, fresh, scale=rng.choice(SCALES))
    if name == "open again":
        syns = [frame for frame in me.sent if frame.flags & (SYN | ACK) == SYN]
        return syns[-1]._replace(after_ns=pause) if syns else None
    if name in ("finish", "reset"):
        return Frame(side, pause, me.next, other.next, ACK | (FIN if name == "finish" else RST), me.window)
    seq, ack = near(rng, talk, me.next, last.seq, other.next), near(rng, talk, other.next, last.ack)
    letters = rng.choice(TAME_LETTERS if talk.tame else LETTERS)
    return Frame(side, pause, seq, ack, letters, fresh, rng.choice((0, size)), rng.choice(SCALES))


def remember(talk: Talk, frame: Frame) -> None:
    """What was sent moves the side on; what began elsewhere makes it go on from there."""
    me = talk.sides[frame.side]
    me.sent.append(frame)
    me.window = frame.window
    end = (frame.seq + frame.size + bool(frame.flags & (SYN | FIN))) % TOP
    if 0 < (end - me.next) % TOP < 5000 or frame.flags & SYN:
        me.next = end


def orderly(rng: random.Random, talk: Talk) -> list[Frame]:
    """A handshake as it should be, on the ports of the talk, so that there is a round-trip time and a window scale."""
    client, server = (TOP - rng.randrange(1, 60_000), rng.getrandbits(32)) if talk.tame else (number(rng), number(rng))
    wide = rng.choice((1000, 50_000, 10_000_000, 100_000_000))
    scales = rng.choice(((None, None), (0, 7), (1, 1), (None, 3), (2, None), (15, 100), (255, 14)))
    return [
        Frame("c", 1000, client, 0, SYN, 65535, scale=scales[0]),
        Frame("s", wide, server, (client + 1) % TOP, SYN | ACK, 65535, scale=scales[1]),
        Frame("c", 1000, (client + 1) % TOP, (server + 1) % TOP, ACK, 65535),
    ]


def written(frame: Frame, client: tuple[str, int], server: tuple[str, int]) -> bytes:
    """The bytes of a frame."""
    (src, src_port), (dst, dst_port) = (client, server) if frame.side == "c" else (server, client)
    options = b"" if frame.scale is None or not frame.flags & SYN else build.window_scale(frame.scale)
    segment = build.tcp(
        bytes(frame.size), src_port=src_port, dst_port=dst_port, seq=frame.seq, ack=frame.ack, flags=frame.flags,
        window=frame.window, options=options, check=0,
    )  # fmt: skip
    if ":" in src:
        return build.ethernet(build.ipv6(segment, build.TCP, src=src, dst=dst), build.IPV6)
    return build.ethernet(build.ipv4(segment, build.TCP, src=src, dst=dst))


@cache
def hostile(seed: int, tame: bool = False) -> bytes:
    """A capture of some connections that do what they should not, as the bytes of a pcap file.

    Where it is tame, the labels are those of tshark, frame by frame. It differs where another SYN, or a SYN-ACK even again,
    comes in the middle of a connection, where numbers of one direction are half the range apart, and in `ack_lost_segment` after
    numbers from anywhere: a tame connection has none of these. Nearly all else is as in the wild.
    """
    rng = random.Random(seed)
    talks = []
    for place in range(6):
        client, server = (f"10.{seed}.{place}.1", 40000 + place), (f"10.{seed}.{place}.2", 5201)
        if place == 1:
            client, server = (f"2001:db8:{seed:x}::2", 40000), (f"2001:db8:{seed:x}::1", 5201)
        if place == 2:
            client, server = (f"10.{seed}.2.9", 40002), (f"10.{seed}.2.9", 5201)
        talks.append(Talk(client, server, {"c": Side(number(rng)), "s": Side(number(rng))}, tame))
    records, now = [], START_NS
    while len(records) < PACKETS_PER_SEED:
        talk = rng.choice(talks)
        frames: list[Frame | None]
        if rng.random() < 0.004 or (not talk.sides["c"].sent and rng.random() < 0.7):
            frames = [*orderly(rng, talk)]
        else:
            kinds = {name: weight for name, weight in DEEDS.items() if not tame or name != "open connection"}
            names = rng.choices(list(kinds), list(kinds.values()), k=1) * rng.choice((1, 1, 1, 2, 3))
            side = rng.choice("cs")
            frames = [deed(name, rng, talk, side) for name in names]
        for frame in frames:
            if frame is not None:
                remember(talk, frame)
                now += frame.after_ns
                records.append(build.Record(written(frame, talk.client, talk.server), now))
    return build.pcap(records, magic=build.NANOSECONDS)


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The hostile captures, by seed."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = [folder / f"{seed}.pcap" for seed in SEEDS]
    for seed, path in zip(SEEDS, paths, strict=True):
        path.write_bytes(hostile(seed))
    return paths


@pytest.mark.parametrize("seed", SEEDS)
def test_the_twin_agrees_on_hostile_traffic(captures: list[Path], seed: int) -> None:
    """Every label of every frame."""
    rows = rows_of(captures[seed])
    assert len(rows) >= PACKETS_PER_SEED
    assert disagreements(labels_of(packets_of(rows, NEEDED)), labels(rows)) == {}


def test_the_hostile_traffic_has_every_label(captures: list[Path]) -> None:
    """Each of the 15 words, often; and thousands of frames that have none."""
    found = [words for path in captures for words in labels(rows_of(path))]
    counts = Counter(word for words in found for word in words)
    assert set(counts) == set(WIRESHARK)
    assert min(counts.values()) >= 50, counts
    assert sum(not words for words in found) > 5000
    assert len(found) >= 30_000


@pytest.mark.parametrize("batch_frames", [1, 7, 1000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_batch_size_changes_nothing(captures: list[Path], seed: int, batch_frames: int) -> None:
    """Every column of every row."""
    whole = rows_of(captures[seed])
    assert len(whole) < 1 << 14
    assert np.array_equal(rows_of(captures[seed], batch_frames), whole)


# Scenarios: one that shows a label and one that does not, for each of them


def c(
    seq: int, ack: int, size: int = 0, *, ms: float = 50, flags: int = ACK, window: int = 1000, scale: int | None = None
) -> Frame:
    """A frame from the client; numbers count from its SYN, which is 0, the server's likewise."""
    return Frame("c", int(ms * 1_000_000), 1000 + seq, 5000 + ack, flags, window, size, scale)


def s(
    seq: int, ack: int, size: int = 0, *, ms: float = 50, flags: int = ACK, window: int = 1000, scale: int | None = None
) -> Frame:
    """A frame from the server."""
    return Frame("s", int(ms * 1_000_000), 5000 + seq, 1000 + ack, flags, window, size, scale)


HELLO = [c(0, -5000, flags=SYN), s(0, 1, flags=SYN | ACK, ms=10), c(1, 1, ms=10)]  # a round-trip time of 20 ms
DUPLICATES = [c(1, 1, 100), c(201, 1, 100), s(1, 101), s(1, 101), c(301, 1, 100), s(1, 101)]
DUPLICATES_SAID = ["", "lost_segment", "", "duplicate_ack", "", "duplicate_ack"]
SHUT = [c(1, 1, 100), s(1, 101, window=0)]
SHUT_SAID = ["", "zero_window"]
KEPT = [c(1, 1, 100), s(1, 101)]
FAST = "fast_retransmission retransmission"
SPURIOUS = "retransmission spurious_retransmission"
SCENARIOS: dict[str, tuple[list[Frame], list[str]]] = {
    "an orderly exchange": ([c(1, 1, 100), s(1, 101), s(1, 101, 200), c(101, 201)], ["", "", "", ""]),
    "retransmission": ([c(1, 1, 100), c(1, 1, 100)], ["", "retransmission"]),
    "retransmission: of a part, later than a round trip": ([c(1, 1, 100), c(1, 1, 50)], ["", "retransmission"]),
    "no retransmission: data after a window probe": ([c(1, 1, 1), c(1, 1, 100)], ["", ""]),
    "no retransmission: an ACK with an old number": ([c(1, 1, 100), c(51, 1)], ["", ""]),
    "fast_retransmission": ([*DUPLICATES, c(101, 1, 100, ms=19)], [*DUPLICATES_SAID, FAST]),
    "no fast_retransmission: 20 ms later": ([*DUPLICATES, c(101, 1, 100, ms=20)], [*DUPLICATES_SAID, "retransmission"]),
    "no fast_retransmission: elsewhere": ([*DUPLICATES, c(102, 1, 100, ms=19)], [*DUPLICATES_SAID, "retransmission"]),
    "no fast_retransmission: one duplicate": (
        [*DUPLICATES[:5], c(101, 1, 100, ms=50)],
        [*DUPLICATES_SAID[:5], "retransmission"],
    ),
    "spurious_retransmission": ([c(1, 1, 100), s(1, 101), c(1, 1, 100)], ["", "", SPURIOUS]),
    "no spurious_retransmission: a byte more": ([c(1, 1, 100), s(1, 100), c(1, 1, 100)], ["", "", "retransmission"]),
    "out_of_order": ([c(1, 1, 100), c(201, 1, 100), c(101, 1, 100, ms=19)], ["", "lost_segment", "out_of_order"]),
    "no out_of_order: a round trip later": (
        [c(1, 1, 100), c(201, 1, 100), c(101, 1, 100, ms=20)],
        ["", "lost_segment", "retransmission"],
    ),
    "no out_of_order: the end of the highest": ([c(1, 1, 100), c(51, 1, 50, ms=1)], ["", "retransmission"]),
    "lost_segment": ([c(1, 1, 100), c(102, 1, 100)], ["", "lost_segment"]),
    "no lost_segment: the next byte": ([c(1, 1, 100), c(101, 1, 100)], ["", ""]),
    "no lost_segment: a reset": ([c(1, 1, 100), c(301, 1, flags=RST)], ["", ""]),
    "ack_lost_segment": ([c(1, 1, 100), s(1, 102)], ["", "ack_lost_segment"]),
    "ack_lost_segment: said once": (
        [c(1, 1, 100), s(1, 201), s(1, 301)],
        ["", "ack_lost_segment", ""],
    ),
    "no ack_lost_segment: all that was sent": ([c(1, 1, 100), s(1, 101)], ["", ""]),
    "keep_alive": ([*KEPT, c(100, 1)], ["", "", "keep_alive"]),
    "keep_alive: with a byte": ([*KEPT, c(100, 1, 1)], ["", "", "keep_alive"]),
    "no keep_alive: two bytes": ([*KEPT, c(100, 1, 2)], ["", "", ""]),
    "no keep_alive: the number after": ([*KEPT, c(101, 1)], ["", "", "duplicate_ack"]),
    "no keep_alive: a reset": ([*KEPT, c(100, 1, flags=RST | ACK)], ["", "", ""]),
    "keep_alive_ack": ([*KEPT, c(100, 1), s(1, 101)], ["", "", "keep_alive", "keep_alive_ack"]),
    "no keep_alive_ack: with another window": (
        [*KEPT, c(100, 1), s(1, 101, window=999)],
        ["", "", "keep_alive", "window_update"],
    ),
    "zero_window": (SHUT, SHUT_SAID),
    "no zero_window: in a reset": ([c(1, 1, 100), s(1, 101, window=0, flags=RST | ACK)], ["", ""]),
    "zero_window_probe": ([*SHUT, c(101, 1, 1)], [*SHUT_SAID, "zero_window_probe"]),
    "no zero_window_probe: two bytes": ([*SHUT, c(101, 1, 2)], [*SHUT_SAID, ""]),
    "no zero_window_probe: the window is open": ([*KEPT, c(101, 1, 1)], ["", "", ""]),
    "zero_window_probe_ack": (
        [*SHUT, c(101, 1, 1), s(1, 101, window=0)],
        [*SHUT_SAID, "zero_window_probe", "zero_window zero_window_probe_ack"],
    ),
    "no zero_window_probe_ack: nobody probed": ([*SHUT, s(1, 101, window=0)], [*SHUT_SAID, "zero_window"]),
    "no zero_window_probe_ack: the window opens": (
        [*SHUT, c(101, 1, 1), s(1, 101)],
        [*SHUT_SAID, "zero_window_probe", "window_update"],
    ),
    "window_full": ([c(1, 1, 400), c(401, 1, 600)], ["", "window_full"]),
    "no window_full: a byte less": ([c(1, 1, 400), c(401, 1, 599)], ["", ""]),
    "no window_full: a byte too much": ([c(1, 1, 400), c(401, 1, 601)], ["", ""]),
    "window_update": ([*KEPT, s(1, 101, window=2000)], ["", "", "window_update"]),
    "no window_update: it acknowledges more": ([*KEPT, c(101, 1, 9), s(1, 110, window=2000)], ["", "", "", ""]),
    "duplicate_ack": ([*KEPT, s(1, 101)], ["", "", "duplicate_ack"]),
    "no duplicate_ack: with payload": ([*KEPT, s(1, 101, 10)], ["", "", ""]),
    "no duplicate_ack: a FIN": ([*KEPT, s(1, 101, flags=FIN | ACK)], ["", "", ""]),
    "reused_ports": ([c(1, 1, flags=FIN | ACK), c(9000, -5000, flags=SYN)], ["", "reused_ports"]),
    "reused_ports: another SYN-ACK": ([s(700, 1, flags=SYN | ACK)], ["lost_segment reused_ports"]),
    "no lost_segment: a repeated SYN hides the hole": (
        [c(201, 1, 100), c(0, -5000, flags=SYN), c(1, 1, 100), c(101, 1, 100)],
        ["lost_segment", "retransmission", "", ""],
    ),
    "lost_segment: and shows it again": (
        [c(201, 1, 100), c(0, -5000, flags=SYN), c(201, 1, 100)],
        ["lost_segment", "retransmission", "lost_segment"],
    ),
    "no reused_ports: the same SYN": ([c(0, -5000, flags=SYN)], ["retransmission"]),
    "no reused_ports: the same SYN-ACK": ([s(0, 1, flags=SYN | ACK)], ["retransmission"]),
}  # fmt: skip


def write(path: Path, frames: list[Frame], shift: int = 0) -> Path:
    """Frames between one client and one server as a capture; `shift` moves all sequence numbers."""
    records, now = [], START_NS
    for frame in frames:
        now += frame.after_ns
        ack = (frame.ack + shift) % TOP if frame.flags & ACK else 0
        moved = frame._replace(seq=(frame.seq + shift) % TOP, ack=ack)
        records.append(build.Record(written(moved, (build.SRC4, 40000), (build.DST4, 5201)), now))
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    return path


@pytest.mark.parametrize("shift", [0, -1050, -5002], ids=["plain", "the client wraps", "the server wraps"])
@for_each("name", SCENARIOS)
def test_scenario(name: str, shift: int, tmp_path: Path) -> None:
    """The labels frame by frame after an orderly handshake, wherever the numbers begin."""
    frames, expected = SCENARIOS[name]
    rows = rows_of(write(tmp_path / "a.pcap", [*HELLO, *frames], shift))
    assert [" ".join(sorted(words)) for words in labels(rows)] == ["", "", "", *expected]
    assert labels_of(packets_of(rows, NEEDED)) == labels(rows)


def test_every_label_has_scenarios() -> None:
    """One at least that shows it, and one of its name that does not."""
    shown = {word for _, expected in SCENARIOS.values() for words in expected for word in words.split()}
    silent = {name.removeprefix("no ").split(":")[0] for name in SCENARIOS if name.startswith("no ")}
    assert shown == silent == set(WIRESHARK)
    for name, (_, expected) in SCENARIOS.items():
        word = name.removeprefix("no ").split(":")[0]
        assert name == "an orderly exchange" or (word in expected[-1].split() or "said" in name) != name.startswith(
            "no "
        )


SCALED = {
    "both scale": (2, 2, 4000, ["window_full"]),
    "both scale, the field alone": (2, 2, 1000, [""]),
    "the client does not": (None, 2, 1000, ["window_full"]),
    "the server does not": (2, None, 1000, ["window_full"]),
    "nobody does": (None, None, 1000, ["window_full"]),
    "by nothing": (0, 0, 1000, ["window_full"]),
}


@pytest.mark.parametrize("name", SCALED)
def test_window_full_knows_the_scale(name: str, tmp_path: Path) -> None:
    """Windows are scaled where SYN and SYN-ACK both say so."""
    mine, yours, size, expected = SCALED[name]
    hello = [HELLO[0]._replace(scale=mine), HELLO[1]._replace(scale=yours), HELLO[2], s(1, 1)]
    rows = rows_of(write(tmp_path / "a.pcap", [*hello, c(1, 1, size)]))
    assert [" ".join(words) for words in labels(rows)][4:] == expected


@pytest.mark.parametrize("scale", [14, 15, 63, 255])
def test_a_window_scale_above_14_counts_as_14(scale: int, tmp_path: Path) -> None:
    """RFC 7323 section 2.3."""
    hello = [HELLO[0]._replace(scale=scale), HELLO[1]._replace(scale=scale), HELLO[2], s(1, 1, window=2)]
    frames = [*hello, c(1, 1, 2 << 14), s(1, 1 + (2 << 14), window=2), c(1 + (2 << 14), 1, (2 << 14) - 1)]
    assert labels(rows_of(write(tmp_path / "a.pcap", frames)))[4:] == [{"window_full"}, set(), set()]


@pytest.mark.parametrize("name", ["retransmission", "window_full", "no window_full: a byte less", "duplicate_ack"])
def test_without_a_handshake(name: str, tmp_path: Path) -> None:
    """Of a connection whose begin was not captured the scale is not known, so that no window is full."""
    frames, expected = SCENARIOS[name]
    rows = rows_of(write(tmp_path / "a.pcap", frames))
    assert [" ".join(words) for words in labels(rows)] == [words.replace("window_full", "") for words in expected]


def test_three_milliseconds_without_a_round_trip(tmp_path: Path) -> None:
    """Where no handshake gave a round-trip time, out of order is what comes within 3 ms."""
    for ms, expected in ((2.9, "out_of_order"), (3, "retransmission")):
        frames = [c(1, 1, 100), c(201, 1, 100), c(101, 1, 100, ms=ms)]
        assert labels(rows_of(write(tmp_path / "a.pcap", frames)))[2] == {expected}


def test_the_round_trip_is_known_behind_the_ack_that_shows_it(tmp_path: Path) -> None:
    """That ACK itself is looked at without it."""
    for first, second in (
        ([c(-99, 1, 20, ms=2)], "out_of_order"),
        ([c(1, 1, ms=1), c(-99, 1, 20, ms=1)], "retransmission"),
    ):
        frames = [c(0, -5000, flags=SYN), *first]
        assert labels(rows_of(write(tmp_path / "a.pcap", frames)))[-1] == {second}


def test_a_clock_that_steps_back(tmp_path: Path) -> None:
    """What comes before the one before it is neither fast nor out of order."""
    frames, expected = SCENARIOS["fast_retransmission"]
    back = [*HELLO, *frames[:-1], frames[-1]._replace(after_ns=-1_000_000)]
    rows = rows_of(write(tmp_path / "a.pcap", back))
    assert [" ".join(sorted(words)) for words in labels(rows)][3:] == [*expected[:-1], "retransmission"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_direction(name: str, tmp_path: Path) -> None:
    """0 from the client, 1 from the server."""
    frames = [*HELLO, *SCENARIOS[name][0]]
    rows = rows_of(write(tmp_path / "a.pcap", frames))
    assert ["cs"[end] for end in rows["direction"].tolist()] == [frame.side for frame in frames]


@for_each("path", CAPTURES, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_samples(path: Path) -> None:
    """The twin agrees, and direction 0 is from the client that `flows` names, batch size or not."""
    rows = rows_of(path)
    assert disagreements(labels_of(packets_of(rows, NEEDED)), labels(rows)) == {}
    assert np.array_equal(rows_of(path, 7), rows)
    clients = analyze(path).flows[["client", "client_port"]].itertuples(index=False, name=None)
    ends = dict(enumerate(clients))
    for packet, flow, direction in zip(
        packets_of(rows, NEEDED), rows["flow"].tolist(), rows["direction"].tolist(), strict=True
    ):
        if flow >= 0:
            assert ((packet["src"], packet["src_port"]) == ends[flow]) == (direction == 0)


# Against tshark

FIELDS = ["frame.number", "tcp.stream", *(f"tcp.analysis.{name}" for name in WIRESHARK)]
SAID = Captures([*FEWER_CAPTURES, *CORPUS], FIELDS)


@dataclass(frozen=True)
class Said:
    """What tshark said of the TCP frames of a capture: by frame number the labels, and the first stream."""

    labels: dict[int, frozenset[str]]
    stream: dict[int, int]


def tshark(path: Path, captures: Captures) -> Said:
    """One of the captures."""
    said = Said({}, {})
    for number, stream, *values in captures[path]:
        words = zip(WIRESHARK, values, strict=True)
        said.labels[int(number)] = frozenset(word for word, value in words if value)
        if stream:
            said.stream[int(number)] = int(stream.split(";")[0])
    return said


def against_tshark(path: Path, captures: Captures = SAID) -> tuple[dict[int, tuple[list[str], list[str]]], Rows, Said]:
    """Frames whose labels differ (tshark's, ours), our rows, and what tshark said."""
    rows, said = rows_of(path), tshark(path, captures)
    expected = [said.labels.get(frame, frozenset()) for frame in rows["frame"].tolist()]
    return disagreements(expected, labels(rows)), rows, said


def frames_grouped_alike(rows: Rows, stream: dict[int, int]) -> tuple[int, int]:
    """How many frames lie in the flow that most of their stream lies in, and the other way round; and of how many.

    Frames in which only one of the two has found TCP are not counted.
    """
    pairs = [(stream[frame], flow) for frame, flow in rows[["frame", "flow"]].tolist() if flow >= 0 and frame in stream]
    flows_of_stream, streams_of_flow = defaultdict(Counter), defaultdict(Counter)
    for one, flow in pairs:
        flows_of_stream[one][flow] += 1
        streams_of_flow[flow][one] += 1
    best = {one: counts.most_common(1)[0][0] for one, counts in flows_of_stream.items()}
    back = {flow: counts.most_common(1)[0][0] for flow, counts in streams_of_flow.items()}
    return sum(best[one] == flow and back[flow] == one for one, flow in pairs), len(pairs)


@pytest.fixture(scope="module")
def tame(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Captures of traffic that is `tame`, see `hostile`, by their seeds."""
    folder = tmp_path_factory.mktemp("tame")
    paths = {seed: folder / f"{seed}.pcap" for seed in SEEDS}
    for seed, path in paths.items():
        path.write_bytes(hostile(seed, tame=True))
    return paths


@pytest.fixture(scope="module")
def said_of_tame(tame: dict[int, Path]) -> Captures:
    """What tshark says of them."""
    return Captures(tame.values(), FIELDS)


@needs_tshark
@pytest.mark.parametrize("seed", SEEDS)
def test_tshark_agrees_on_hostile_traffic(tame: dict[int, Path], said_of_tame: Captures, seed: int) -> None:
    """Every label of every frame, and the connections."""
    different, rows, said = against_tshark(tame[seed], said_of_tame)
    assert different == {}
    assert frames_grouped_alike(rows, said.stream) == (len(rows), len(rows))


@needs_tshark
def test_tshark_agrees_on_the_scenarios(tmp_path: Path) -> None:
    """All of them, one after the other on ports of their own."""
    records, now = [], START_NS
    for place, (frames, _) in enumerate(SCENARIOS.values()):
        for frame in [*HELLO, *frames]:
            now += frame.after_ns
            sent = frame._replace(ack=frame.ack if frame.flags & ACK else 0)
            records.append(build.Record(written(sent, (build.SRC4, 40000 + place), (build.DST4, 5201)), now))
    path = tmp_path / "a.pcap"
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    different, rows, said = against_tshark(path, Captures([path], FIELDS))
    assert different == {}
    assert frames_grouped_alike(rows, said.stream) == (len(rows), len(rows))


@needs_tshark
@for_each("path", FEWER_CAPTURES, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_tshark_agrees_on_the_samples(path: Path) -> None:
    """Every label of every frame, and the connections."""
    different, rows, said = against_tshark(path)
    assert different == {}
    alike, frames = frames_grouped_alike(rows, said.stream)
    quoting = (rows["quoted_proto"] == build.TCP) & (rows["ip_len"] >= 20 + 8 + 20 + 20)
    quotes = int(quoting.sum())  # by ICMP errors, of more than the ports: tshark finds TCP in them
    assert alike == frames == len(said.stream) - quotes
    assert frames > 0 or not (rows["ip_proto"] == build.TCP).any()


@needs_tshark
@needs_corpus
@for_each("path", CORPUS, ids=lambda path: path.name[:80])
def test_tshark_agrees_on_the_corpus(path: Path) -> None:
    """Every label of every frame, and nearly all of the connections."""
    different, rows, said = against_tshark(path)
    assert different == {}
    alike, frames = frames_grouped_alike(rows, said.stream)
    assert alike >= 0.995 * frames
