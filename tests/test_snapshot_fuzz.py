"""Hostile texts of counters, host.json and settings: counters or an error of ours, never a traceback, never a negative range.

20,000 seeded cases by default. A wider run: `TCPCAP_FUZZ_CASES=200000 python -m pytest tests/test_snapshot_fuzz.py`.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from analyzer.capture.bundle import LEAST_MTU, MOST_MTU, host_of
from analyzer.correlate import UNLIMITED, Comparison, Facts
from analyzer.counters import SnapshotError, deltas, difference, restarts, series_of, standing
from analyzer.counters.dates import stamp_in_line
from analyzer.errors import CaptureError
from analyzer.parts import HOST_FILE
from analyzer.prediction import unfit_settings
from analyzer.prediction.world import HIGHEST, WORLD, world_of
from tests.logs import COMMANDS, DATES, PREFIXES, SECOND, WHOLE, Taken, log, prefixed
from tests.test_correlate import increments
from tests.test_counters_hosts import FORMS as SEVERAL

CASES = int(os.environ.get("TCPCAP_FUZZ_CASES", "20000"))
SEEDS = 8  # tests that share the cases of a kind
NAMES = ("IpInReceives", "TcpInSegs", "TcpRetransSegs", "UdpInDatagrams", "TcpExtTCPTimeouts", "IpExtInOctets", "Ip6InReceives")  # fmt: skip
START = 1_795_205_013 * SECOND
NUMBERS = (
    "0", "1", "-1", "5", "4294967295", "4294967296", "9223372036854775808", "18446744073709551615",
    "18446744073709551616", "9" * 30, "9" * 5000, "1e3", "1e999999", "0.5", "NaN", "Infinity", "²", "٣", "0x10", "",
)  # fmt: skip
STRANGE = (
    "\0", "\x1b[2J", "\u202e", "\ufeff", "\ufffd", "\r", "\n", "\t", "{", "}", "[", '"', ":", "=", "|", "#kernel\n",
    "Tcp:\n", "TcpExt:", "{__name__=", "node_netstat_", "nstat,", "20:03:33", "99:99:99", "9999-99-99 99:99:99",
    "+99:99", "午後", "#1.1 sampling_interval=1 time_const=1\n", " (overflow)", "11/12/2026 1:00:00",
)  # fmt: skip


def logged(rng: random.Random) -> str | bytes:
    """A log of a few snapshots in some form."""
    rows, values = [], dict.fromkeys(rng.sample(NAMES, rng.randint(1, len(NAMES))), rng.choice((0, 5, 10**6, 2**63)))
    for number in range(rng.randint(1, 4)):
        rows.append(Taken(START + number * rng.choice((0, SECOND // 3, SECOND)), dict(values)))
        values = {name: max(0, value + rng.choice((0, 0, 1, 50, -3, -(10**6)))) for name, value in values.items()}
    if rng.random() < 0.1:
        return SEVERAL[rng.choice(list(SEVERAL))]({"web01": rows, "web02": rows[: rng.randint(1, len(rows))]})
    kind, command = rng.random(), COMMANDS[rng.choice(list(COMMANDS))]
    if kind < 0.6:
        return log(rows, command, DATES[rng.choice(list(DATES))], behind=rng.random() < 0.1)
    if kind < 0.85:
        return prefixed(rows, command, PREFIXES[rng.choice(list(PREFIXES))])
    return WHOLE[rng.choice(list(WHOLE))](rows)


def damaged(rng: random.Random, text: str) -> str:
    """With numbers, words or lines changed, doubled, left out."""
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        first, last = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        last = min(last, first + rng.choice((0, 1, 5, 100)))
        middle = rng.choice((rng.choice(STRANGE), rng.choice(NUMBERS), "", text[first:last] * 2))
        text = text[:first] + middle + text[last:]
    return text


@pytest.mark.parametrize("seed", range(SEEDS))
def test_texts_of_counters(tmp_path: Path, seed: int) -> None:
    """Whole numbers that never fall, times that are some, or one line that says what to do."""
    rng = random.Random(seed)
    path = tmp_path / "log"
    read = apart = 0
    for _ in range(CASES // 4 // SEEDS):
        content = logged(rng)
        if isinstance(content, str):
            content = damaged(rng, content).encode("utf-8", errors="surrogatepass")
        elif rng.random() < 0.7:
            at = rng.randrange(len(content))
            content = content[:at] + rng.randbytes(rng.choice((0, 1, 3))) + content[at + rng.choice((0, 1, 40)) :]
        path.write_bytes(content)
        try:
            series = series_of([path] * rng.choice((1, 1, 2)), increments=rng.choice((None, None, True, False)))
        except SnapshotError as error:
            assert "; " in str(error)
            continue
        read += 1
        apart += len(series.others)
        parts = (series, *series.others)
        for part in parts:
            restarts(part)
        for each in [interval for part in parts for interval in (*deltas(part), *standing(part))]:
            assert each.start_ns is None or 0 <= each.start_ns <= each.end_ns < 1 << 63
            wrong = [value for value in each.values.values() if type(value) is not int or not 0 <= value < 1 << 67]
            assert not wrong
        for shot in [shot for part in parts for shot in part.snapshots]:
            assert 0 <= shot.time_ns < 1 << 63
            assert all(type(value) is int for value in shot.values.values())
        if series.snapshots:
            try:
                difference(series.snapshots[:1], series.snapshots[1:] or series.snapshots)
            except SnapshotError as error:
                assert "increments" in str(error)
    assert read > CASES // 16 // SEEDS
    assert apart > read // 50


def test_lines_that_may_be_times() -> None:
    """A time of these years, or none."""
    rng = random.Random(1)
    words = [word for make in (*DATES.values(), *PREFIXES.values()) for word in make(Taken(START, {})).split(" ")]
    for _ in range(CASES // 4):
        line = " ".join(rng.choice((*words, *NUMBERS, *STRANGE)) for _ in range(rng.randint(1, 7)))
        stamp = stamp_in_line(line)
        assert stamp is None or (0 <= stamp.time_ns < 1 << 63 and stamp.uncertainty_ns > 0)


def strange(rng: random.Random, depth: int = 0) -> object:
    """Any value that JSON has."""
    kind = rng.randrange(6 if depth < 3 else 4)
    if kind == 4:
        return [strange(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if kind == 5:
        return {"name": "eth0", "mtu": strange(rng, depth + 1), "addresses": ["10.0.0.1/24"]}
    numbers = (0, -1, 1, 67, 68, 1500, 65536, 2**31, 2**63, 2**64, 10**40, 0.5, 1e300)
    words = (*NUMBERS[:-6], *STRANGE, "10.0.0.1/24", "fe80::1%eth0/64", "200", "²", "１", "1" * 400)
    return rng.choice((None, True, rng.choice(numbers), rng.choice(words)))


def test_descriptions_of_hosts(tmp_path: Path) -> None:
    """What does not fit is passed over with a word, or the file is refused."""
    rng = random.Random(2)
    for _ in range(CASES // 20):
        content = {name: strange(rng) for name in ("hostname", "kernel", "interfaces", "sysctls") if rng.random() < 0.9}
        if rng.random() < 0.7:
            content["interfaces"] = [{"name": "eth0", "mtu": strange(rng), "addresses": strange(rng)}]
        if rng.random() < 0.7:
            content["sysctls"] = {name: strange(rng) for name in HIGHEST}
        text = json.dumps(content)
        (tmp_path / HOST_FILE).write_text(text if rng.random() < 0.9 else damaged(rng, text), errors="surrogatepass")
        try:
            host = host_of(str(tmp_path))
        except CaptureError as error:
            assert "mend it" in str(error)
            continue
        assert host is not None
        assert host.mtu == 0 or LEAST_MTU <= host.mtu <= MOST_MTU
        assert all("passed over" in note for note in (*host.notes, *unfit_settings(host.sysctls)))


@pytest.mark.parametrize("text", ["200", "²", "１", "-1", "1 1", "0x1", "", "1" * 400, str(2**63), "1\n"])
def test_settings_that_do_not_fit(text: str) -> None:
    """They are as if nobody had said them; and a word is lost on it."""
    name = "net.ipv4.ip_forward"
    fits = text.strip() == "1"
    assert bool(unfit_settings({name: text})) is not fits
    assert world_of(1500, {name: text})["forwards"][0].tolist() == [1 if fits else -1, -1]


def test_settings() -> None:
    """Whatever they are, the host is one that there can be."""
    rng = random.Random(3)
    assert WORLD["mtu"].itemsize == 8
    for number in range(CASES // 5 * 2):
        settings = {name: str(rng.choice((*NUMBERS, "200", "²", "1", "0", "60"))) for name in HIGHEST}
        assert all("passed over" in note for note in unfit_settings(settings))
        if number % 40:
            continue
        world = world_of(rng.choice((0, 1500, MOST_MTU)), settings)
        assert set(world["forwards"][0].tolist()) <= {-1, 0, 1}
        assert all(0 <= value <= 10**15 for value in world["reassembly_ns"][0].tolist())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_ranges(tmp_path: Path, seed: int) -> None:
    """Whatever the snapshots and the packets say: no forecast and no edge of a range is below zero."""
    rng = random.Random(100 + seed)
    path = tmp_path / "log"
    for _ in range(max(1, CASES // 2000 // SEEDS * 4)):
        content = logged(rng)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            series = series_of([path], increments=rng.choice((None, True, False)))
        except SnapshotError:
            continue
        check_ranges(Comparison(series), rng)


def check_ranges(comparison: Comparison, rng: random.Random) -> None:
    """Fill a comparison with increments, some of them corrections of what was not captured."""
    times = sorted(START + rng.randrange(-SECOND, 4 * SECOND) for _ in range(rng.randint(1, 30)))
    amounts: Sequence[int] = [rng.choice((1, 1, 1, 5, -1, -3)) for _ in times]
    for name in ("IpInReceives", "TcpInSegs", "UdpInDatagrams"):
        comparison.tally.add(increments(times, name, amount=amounts))
    comparison.know(Facts(times[0], times[-1]))
    found = comparison.realigned() or comparison
    found.coverage()
    for each in [*found.whole(), *found.rows()]:
        assert 0 <= each.low <= each.high <= UNLIMITED
        assert each.predicted >= 0
