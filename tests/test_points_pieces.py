"""UDP datagrams that a card cuts on their way (USO), and that a receiver merges (GRO), at two capture points."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from analyzer import analyze
from analyzer.points.match_kernel import leave, match
from analyzer.points.pending import MET, NEAR, PASSED, Pending
from analyzer.points.points import Points
from analyzer.points.segment import DATAGRAM, PASSING
from tests import build
from tests.naive import points as naive

START_NS, WAY_NS, STEP_NS = 1_763_660_000_000_000_000, 5_000_000, 3_000_000
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("2001:db8::1", "2001:db8::2")}
COUNT, SIZE = 240, 1200  # enough that a capture that does not count what it lost proves losses
PIECES = 4  # whole ones of each; and one of 300 bytes
WHOLE = PIECES * SIZE + 300
# Which pieces of which datagram (by its number modulo 20) do not come.
GONE = {3: (2,), 7: (4,), 15: (1, 3), 17: (0, 1, 2, 3, 4)}
FIRST_GONE = {**GONE, 11: (0,)}


def _frame(version: int, sender: int, payload: bytes, ident: int) -> bytes:
    ends = ENDS[version][:: 1 - 2 * sender]
    ports = (50001, 443)[:: 1 - 2 * sender]
    content = build.udp(payload, src_port=ports[0], dst_port=ports[1], between=ends)
    if version == 6:
        return build.ethernet(build.ipv6(content, build.UDP, src=ends[0], dst=ends[1]), build.IPV6)
    return build.ethernet(build.ipv4(content, build.UDP, src=ends[0], dst=ends[1], ident=ident), build.IPV4)


def _analysed(folder: Path, version: int, *, cut: bool, lost: Mapping[int, tuple[int, ...]]) -> Points:
    """Large datagrams from the client, with an answer each: cut on the way, or sent in pieces and merged."""
    draws = random.Random(version)
    held: dict[str, list[tuple[int, bytes]]] = {"client": [], "server": []}
    for number in range(COUNT):
        now, ident = START_NS + number * STEP_NS, 1 + number * (PIECES + 1)
        payload = draws.randbytes(WHOLE)
        pieces = [payload[at : at + SIZE] for at in range(0, WHOLE, SIZE)]
        gone = lost.get(number % 20, ())
        apart = "server" if cut else "client"
        together = "client" if cut else "server"
        at_ns = {"client": now, "server": now + WAY_NS}
        held[together].append((at_ns[together] + 60_000 * (not cut), _frame(version, 0, payload, ident)))
        for place, piece in enumerate(pieces):
            if place not in gone:
                held[apart].append((at_ns[apart] + 10_000 * place, _frame(version, 0, piece, ident + place)))
        for sender, sent_at in ((0, "client"), (1, "server")):  # what passes as it is: by this the clocks are known
            other = "server" if sent_at == "client" else "client"
            single = _frame(version, sender, draws.randbytes(60), 40_000 + number)
            held[sent_at].append((now + 1_000_000, single))
            held[other].append((now + 1_000_000 + WAY_NS + draws.randrange(50_000), single))
    paths = {}
    for name, frames in held.items():
        frames.sort(key=lambda each: each[0])
        blocks = [build.epb(frame, ticks=when) for when, frame in frames]
        paths[name] = folder / f"{name}.pcapng"
        paths[name].write_bytes(build.pcapng(build.shb(), build.idb(resolution=9), *blocks))
    return analyze(at=paths)


def _fates(points: Points, name: str) -> Counter[tuple[str, str, int]]:
    """How often each fate, reason and loss is there, where it was sent."""
    rows = points.passages[(points.passages["point"] == name) & (points.passages["way"] == "sent")]
    return Counter(zip(rows["fate"].astype(str), rows["reason"].astype(str), map(int, rows["lost_bytes"]), strict=True))


@pytest.mark.parametrize("cut", [True, False])
def test_what_was_cut_or_merged_arrived(cut: bool, tmp_path: Path) -> None:
    """Each of the pieces is the whole, or a part of it: nothing was lost, nothing missed, nothing is left over."""
    points = _analysed(tmp_path, 4, cut=cut, lost={})
    assert set(points.passages["fate"].astype(str)) == {"arrived"}
    assert points.warnings == []
    came = points.passages[points.passages["way"] == "came"]
    assert (came["related_frame"] > 0).all()


def test_what_did_not_come_of_a_datagram_is_counted(tmp_path: Path) -> None:
    """By the IDs of the pieces that did, whichever those are; of those of which none came, all."""
    points = _analysed(tmp_path, 4, cut=True, lost=GONE)
    rows = points.passages[(points.passages["point"] == "client") & (points.passages["way"] == "sent")]
    large = rows[rows["frame"].isin(_frames_of(points, "client", WHOLE))]
    expected = [sum(min(SIZE, WHOLE - SIZE * place) for place in GONE.get(at % 20, ())) for at in range(COUNT)]
    assert large["lost_bytes"].tolist() == expected
    assert ((large["fate"] == "lost") == (large["lost_bytes"] > 0)).all()
    assert int(points.paths["lost"].iloc[0]) == sum(map(bool, expected))


def _frames_of(points: Points, name: str, size: int) -> list[int]:
    packets = points.at[name].packets
    return packets["frame"][packets["payload_len"] == size].tolist()


def test_without_the_first_piece_nothing_is_claimed(tmp_path: Path) -> None:
    """Of the others nobody knows how large pieces are, nor whose they are; next to them nothing is called lost."""
    points = _analysed(tmp_path, 4, cut=True, lost=FIRST_GONE)
    assert {fate for fate, _, _ in _fates(points, "client")} == {"arrived", "unknown"}


@pytest.mark.parametrize("cut", [True, False])
def test_without_an_id_nothing_is_claimed(cut: bool, tmp_path: Path) -> None:
    """IPv6: nobody knows which piece is which."""
    points = _analysed(tmp_path, 6, cut=cut, lost=GONE)
    assert {fate for fate, _, _ in _fates(points, "client")} == {"arrived", "unknown"}


@pytest.mark.parametrize("seed", range(20))
def test_the_pieces_are_those_of_the_naive_twin(seed: int) -> None:
    """Datagrams of several sizes, cut and merged, with losses and without."""
    draws, ident, now = random.Random(seed), 65_500, 0
    datagrams: list[naive.Datagram] = []
    for _ in range(40):
        now += draws.randrange(10**6)
        size, whole = draws.choice((400, 1200)), draws.choice((900, 2400, 3000, 4000))
        sizes = [min(size, whole - at) for at in range(0, whole, size)]
        begins, is_cut = draws.randrange(3), draws.random() < 0.5
        apart = [
            naive.Datagram(
                now + at + (10**7 if is_cut else 0), not is_cut, (ident + at) % 65536, part, begins if at == 0 else 9
            )
            for at, part in enumerate(sizes)
            if draws.random() < 0.9
        ]
        datagrams += [each for each in apart if each.ip_id]
        if ident:
            datagrams.append(naive.Datagram(now + (0 if is_cut else 10**7), is_cut, ident, whole, begins))
        ident = (ident + len(sizes) + draws.randrange(2)) % 65536
    expected = naive.pieces(datagrams)
    found = {}
    for row in _matched(datagrams):
        if not row["status"] & NEAR and row["status"] & MET:
            found[int(row["frame"])] = int(row["related_frame"])
    numbers = {each: number for number, each in enumerate(datagrams, 1)}
    same = {
        numbers[each]: numbers[one]
        for each in datagrams
        for one in datagrams
        if one.near and not each.near and (one.ip_id, one.size, one.begins) == (each.ip_id, each.size, each.begins)
    }
    assert found == same | {numbers[each]: numbers[one] for each, one in expected.items()}


def _matched(datagrams: list[naive.Datagram]) -> np.ndarray:
    """What the kernels tell of all of them (PASSED)."""
    order = sorted(range(len(datagrams)), key=lambda at: (datagrams[at].when_ns, not datagrams[at].near))
    rows = np.zeros(len(order), PASSING)
    for row, at in zip(rows, order, strict=True):
        each = datagrams[at]
        row["time_ns"] = row["when_ns"] = row["key_ns"] = each.when_ns
        row["frame"], row["near"], row["side"], row["flags"] = at + 1, each.near, not each.near, DATAGRAM
        row["seq"], row["ack"], row["payload_len"] = each.begins, each.size, each.size
        row["ip_version"], row["ip_id"], row["src_port"], row["dst_port"] = 4, each.ip_id, 50001, 443
    pending = Pending(1)
    pending.make_room(len(rows))
    out, rest = np.zeros(4 * len(rows), PASSED), np.zeros(4 * len(rows), PASSED)
    rings = (pending.sent, pending.sent_links, pending.came, pending.came_links, pending.state)
    at, count = match(rows, 0, 10**12, *rings, pending.tables, pending.ways, out)
    assert at == len(rows)
    more = leave(2**62, *rings, pending.ways, rest)
    return np.concatenate([out[:count], rest[:more]])
