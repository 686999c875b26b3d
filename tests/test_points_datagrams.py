"""Datagrams at two capture points: UDP, ICMP and fragments, through NAT, without an IPv4 ID, cut, doubled, and where a capture missed some."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.frames import FrameReader
from analyzer.points.passing import Passings
from analyzer.points.points import Points
from analyzer.schema import bits_text
from analyzer.tables import PACKETS
from tests import build
from tests.degraded import DEGRADED, claimed_falsely
from tests.helpers import SAMPLES
from tests.naive import payload as naive
from tests.points import Frame, fates_of, points_of, written, wrong_in

START_NS, WAY_NS, STEP_NS = 1_763_660_000_000_000_000, 5_000_000, 3_000_000
ENDS = {4: ("10.0.0.1", "10.0.0.2", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8::2", "2001:db8:7::7")}
CLIENT_PORT, SERVER_PORT, NAT_PORT = 50001, 443, 61000


@dataclass
class Told:
    """What two points hold (time, bytes), and what was done to which frame of the sender."""

    records: dict[str, list[tuple[int, bytes, int]]] = field(default_factory=lambda: {"a": [], "b": []})
    done: dict[str, set[tuple[str, int]]] = field(
        default_factory=lambda: {name: set() for name in ("lost", "duplicated", "corrupted", "reordered", "rewritten")}
    )


@cache
def conversation(
    version: int = 4, nat: bool = False, ident: bool = True, same: bool = False, count: int = 300, deeds: bool = True
) -> Told:
    """Requests from a to b and their answers: every 37th is lost, every 41st doubled, every 43rd damaged, every 53rd overtaken."""
    draws, told = random.Random(f"{version} {nat} {ident} {same}"), Told()
    for number in range(2 * count):
        sender, receiver = ("a", "b") if number % 2 == 0 else ("b", "a")
        payload = b"the same in all" if same else draws.randbytes(draws.choice((17, 40, 300, 1200)))
        number_of = draws.randrange(1, 1 << 16) if ident else 0
        sent, came = (frame(version, sender, payload, number_of, at if nat else "a") for at in (sender, receiver))
        when = START_NS + number * STEP_NS
        told.records[sender].append((when, sent, number))
        key, deed = (sender, number), number % 61 if deeds else 0
        arrives = when + WAY_NS + draws.randrange(100_000)
        if deed == 37:
            told.done["lost"].add(key)
            continue
        if deed == 43:
            came = came[:-1] + bytes([came[-1] ^ 4])
            told.done["corrupted"].add(key)
        elif nat:
            told.done["rewritten"].add(key)
        if deed == 53:
            arrives += 4 * STEP_NS
            told.done["reordered"].add(key)
        told.records[receiver].append((arrives, came, number))
        if deed == 41:
            told.records[receiver].append((arrives + 2_000_000, came, number))
            told.done["duplicated"].add(key)
    return told


def frame(version: int, sender: str, payload: bytes, ident: int, at: str) -> bytes:
    """A datagram of one of the two as it is at a point: behind a NAT (b) the client has another address and port."""
    client, server, outside = ENDS[version]
    first, port = (client, CLIENT_PORT) if at == "a" else (outside, NAT_PORT)
    ends, ports = ((first, server), (port, SERVER_PORT)) if sender == "a" else ((server, first), (SERVER_PORT, port))
    content = build.udp(payload, src_port=ports[0], dst_port=ports[1], between=ends)
    fields = {"src": ends[0], "dst": ends[1]}
    if version == 6:
        return build.ethernet(build.ipv6(content, build.UDP, **fields), build.IPV6)
    return build.ethernet(build.ipv4(content, build.UDP, ident=ident, **fields))


def captured(
    told: Told,
    folder: Path,
    at: str,
    keep: Callable[[int, bytes], bool] = lambda number, data: True,
    snaplen: int = 1 << 16,
    times: int = 1,
) -> tuple[Path, list[int]]:
    """A capture of what a point holds, and the number of the packet of each frame."""
    some = [each for each in sorted(told.records[at], key=lambda each: each[0]) if keep(each[2], each[1])]
    some = [each for each in some for _ in range(times)]
    records = [build.Record(data[:snaplen], when, length=len(data)) for when, data, _ in some]
    path = folder / f"{at}.pcap"
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    return path, [number for _, _, number in some]


def fates(told: Told, folder: Path, **of_b: object) -> tuple[Points, dict[str, set[Frame]]]:
    """The fates of what was sent, by who sent it and the number of the packet."""
    (one, numbers), (other, others) = captured(told, folder, "a"), captured(told, folder, "b", **of_b)  # type: ignore[arg-type] # as `captured` has them
    points, known = analyze(at={"a": one, "b": other}), {"a": numbers, "b": others}
    found = fates_of(points)
    return points, {fate: {(at, known[at][number - 1]) for at, number in frames} for fate, frames in found.items()}


@pytest.mark.parametrize(
    ("version", "nat", "ident"),
    [(4, False, True), (4, False, False), (4, True, True), (6, False, True), (6, True, True)],
)
def test_what_was_done_to_datagrams_is_found(version: int, nat: bool, ident: bool, tmp_path: Path) -> None:
    """All of it and nothing else, and in IPv4 through a NAT, too; of what came damaged through one of IPv6 nothing may tell which one it was, so that less is claimed around it."""
    told = conversation(version, nat, ident)
    points, found = fates(told, tmp_path)
    if nat:
        assert found["lost"] <= told.done["lost"] and found["corrupted"] <= told.done["corrupted"]
        assert {"src", "src_port"} <= set(" ".join(points.paths["rewritten_fields"]).split())
    else:
        assert found["lost"] == told.done["lost"] and found["corrupted"] == told.done["corrupted"]
        changed = points.corruptions
        assert set(changed["part"]) == {"payload"} and len(changed) == len(told.done["corrupted"])
        assert all(
            int(one, 16) ^ int(other, 16) == 4 for one, other in zip(changed["sent"], changed["came"], strict=True)
        )
    for fate in ("duplicated", "reordered"):
        assert found[fate] <= told.done[fate] and (nat or found[fate] == told.done[fate])
    assert found["rewritten"] - told.done["corrupted"] == (found["rewritten"] & told.done["rewritten"])
    assert bool(found["rewritten"]) == nat and not found["injected"]


@pytest.mark.parametrize(
    "of_b",
    [
        {"keep": lambda number, data: number * 2654435761 % 1000 >= 100},
        {"keep": lambda number, data: not 200 <= number < 400},
        {"keep": lambda number, data: number % 2 == 0},
        {"keep": lambda number, data: number % 2 == 1},
        {"snaplen": 60},
        {"times": 2},
    ],
    ids=["lossy", "hole", "came only", "sent only", "cut", "doubled"],
)
@pytest.mark.parametrize(
    ("version", "ident", "same"),
    [(4, True, False), (4, False, False), (6, True, False), (4, True, True), (6, True, True)],
)
def test_nothing_is_claimed_that_was_not_done(
    of_b: dict[str, object], version: int, ident: bool, same: bool, tmp_path: Path
) -> None:
    """With the capture of one point degraded."""
    told = conversation(version, False, ident, same, deeds=not same)
    _, found = fates(told, tmp_path, **of_b)
    for fate, frames in found.items():
        assert frames <= told.done.get(fate, set()), fate


def test_a_short_capture_proves_no_loss(tmp_path: Path) -> None:
    """Of few datagrams nobody knows that a capture missed none of them."""
    told = conversation(count=60)
    assert told.done["lost"] and not fates(told, tmp_path)[1]["lost"]


@pytest.mark.parametrize("host", ["client", "server"])
def test_the_same_question_from_other_ports_is_another(host: str, tmp_path: Path) -> None:
    """Requests that are alike in every byte, of which a capture that began late holds the last alone: nothing was rewritten, and each stands for itself."""
    other = "server" if host == "client" else "client"
    told = {how: claimed_falsely(SAMPLES / "no-ports-ipv6", host, other, how, tmp_path) for how in DEGRADED}
    assert not any(told.values()), told


@pytest.mark.parametrize(
    "name", ["fragment-lost", "fragments", "fragments-ipv6", "corrupt-udp", "counters-ping", "udp-buffer-full"]
)
def test_fates_are_what_the_lab_did(name: str) -> None:
    """Of fragments, ICMP and UDP."""
    assert wrong_in(SAMPLES / name) == []
    assert len(points_of(SAMPLES / name).passages)


@pytest.mark.parametrize("snaplen", [1 << 16, 70])
@pytest.mark.parametrize("name", ["corrupt-udp", "fragment-lost", "fragments-ipv6", "counters-ping-ipv6", "loss-ipv4"])
def test_what_datagrams_are_known_by_is_that_of_the_naive_twin(name: str, snaplen: int, tmp_path: Path) -> None:
    """From the bytes of every frame, whole and cut; TCP has none."""
    path, passings, reader = tmp_path / "cut.pcap", Passings(), FrameReader(None)
    written(SAMPLES / name / "client" / "capture.pcap", path, snaplen=snaplen)
    found = 0
    with open_capture([str(path)]) as capture:
        for batch in capture:
            rows = reader.rows_of(batch, capture.interfaces)
            passings.mark(batch, capture.interfaces, rows)
            for at, row in enumerate(rows):
                layers = set(bits_text(PACKETS["layers"].words, int(row["layers"])).split())
                expected, cut = naive.likeness(batch.data(at), row, layers, PACKETS["stop"].words[row["stop"]])
                assert int(row["likeness"]) == expected
                assert not expected or bool(row["likeness_cut"]) == cut
                found += expected != 0
    passings.close()
    assert (found > 0) == (name != "loss-ipv4")
