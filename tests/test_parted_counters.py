"""Counters predicted in parts: the same sums, by interval, as one pass makes; or the reason why only that can."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from analyzer import analyze
from analyzer.flows.hash_kernel import place_in
from analyzer.prediction import NUMBER, Tally
from analyzer.prediction.sink import INCREMENT
from analyzer.report.json_text import json_pieces
from tests.helpers import SAMPLES
from tests.test_cluster import Several, cut_at

IN_PARTS = (
    "loss-ipv4/client", "fin-loss/client", "offload-veth/client", "malformed-headers/server", "no-saved-acks/client", "clean-ipv4/client",
    "receive-window-limited/client", "zero-window-empty-queue/server", "loss-ipv6/server",
)  # fmt: skip
ONE_PASS = {
    "syn-queue-full/server": "connections of a port tell of each other: SYNs without an answer, cookies, fast open",
}


def answer(analysis: object) -> str:
    """All that `--json` prints, and the counters of every interval."""
    counters = analysis.counters  # type: ignore[attr-defined]
    return "".join(json_pieces(analysis)) + str(counters.to_json(orient="split"))  # type: ignore[arg-type]


@pytest.mark.parametrize("sample", [*IN_PARTS, *ONE_PASS])
def test_bundles(sample: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the capture is cut: all that is said of it, and of each counter in each interval."""
    folder = SAMPLES / sample
    size = (folder / "capture.pcap").stat().st_size
    random = Random(sample)
    cut_at(monkeypatch, [random.randrange(size) for _ in range(2)])
    analysis = analyze(str(folder), cluster=Several(2))
    assert analysis.one_pass == ONE_PASS.get(sample, "")
    assert len(analysis.counters) > 0
    assert answer(analysis) == answer(analyze(str(folder)))


def increments(count: int, random: Random) -> np.ndarray:
    """Of a few counters, at any time of a minute."""
    found = np.zeros(count, INCREMENT)
    for row in found:
        row["time_ns"], row["counter"] = random.randrange(60) * 10**9, random.choice([1, 5, NUMBER["TcpInSegs"]])
        row["least"] = random.randrange(3)
        row["amount"] = row["least"] + random.randrange(3)
        row["most"] = row["amount"] + random.randrange(3)
    return found


def test_sums_of_parts_are_the_sums_of_all() -> None:
    """By cell and counter, with the steps of those that are followed."""
    cuts, followed = np.arange(10, 60, 10) * 10**9, ("TcpInSegs", "IpInReceives")
    for seed in range(10):
        random = Random(seed)
        rows = increments(300, random)
        whole, joined = Tally(cuts, followed), Tally(cuts, followed)
        whole.add(rows)
        shares = np.array([random.randrange(3) for _ in rows])
        for share in range(4):  # the last has nothing
            part = Tally(cuts, followed)
            part.add(rows[shares == share])
            joined.join(*part.told())
        assert joined.names() == whole.names()
        assert joined.span() == whole.span()
        for name in whole.names():
            one, other = whole.of(name), joined.of(name)
            assert one is not None and other is not None
            assert one.tolist() == other.tolist()
        for name in followed:
            for first, second in zip(whole.steps[name].arrays(), joined.steps[name].arrays(), strict=True):
                assert first.tolist() == second.tolist()


def test_steps_that_are_too_many_become_coarse_alike() -> None:
    """Also where they are too many only together, or in one part alone."""
    for counts in ((100_000, 100_000), (200_000, 10)):
        whole, joined = Tally(np.zeros(0, np.int64), ("TcpInSegs",)), Tally(np.zeros(0, np.int64), ("TcpInSegs",))
        start = 0
        for count in counts:
            times = start + np.arange(count, dtype=np.int64) * 100_000
            ones = np.ones(count, np.int64)
            part = Tally(np.zeros(0, np.int64), ("TcpInSegs",))
            part.steps["TcpInSegs"].add(times, ones, ones)
            joined.join(*part.told())
            whole.steps["TcpInSegs"].add(times, ones, ones)
            start += 50_000
        for first, second in zip(whole.steps["TcpInSegs"].arrays(), joined.steps["TcpInSegs"].arrays(), strict=True):
            assert first.tolist() == second.tolist()


def test_a_place_belongs_to_a_sort() -> None:
    """Keys of one sort never push out those of another."""
    random = Random(1)
    for _ in range(1000):
        sort, key = random.randrange(64), np.uint64(random.getrandbits(64))
        place = place_in(np.int64(1 << 12), np.int64(sort), key)
        assert sort * 64 <= place < (sort + 1) * 64
