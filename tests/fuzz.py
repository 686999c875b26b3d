"""Hostile inputs over all paths into tcpcap: whatever the bytes, an answer or one line of ours, and soon.

    python -m tests.fuzz --cases 1000000 --seed 7         a campaign; each failure is told with the command that repeats it
    python -m tests.fuzz --cases 1 --seed 7 --first 4711  one case of it

With TCPCAP_KERNELS=checked-library (`python -m analyzer.accelerate --checked` makes it) every index in compiled code is checked, too.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import zstandard

from analyzer.capture import open_capture
from analyzer.capture.bundle import host_of
from analyzer.cli import main as tcpcap
from analyzer.counters import deltas, series_of
from analyzer.diagnosis.rule import own_folder, rule_of
from analyzer.errors import TcpcapError
from analyzer.parts import HOST_FILE
from analyzer.sockets import SocketFile, Tally
from tests import socket_forms, strategies
from tests.house import ROOT
from tests.test_fuzz import NAMES, compile_kernels, flip, hostile, lengthen, read, splice
from tests.test_snapshot_fuzz import damaged, logged, strange

CASE_SECONDS = 60  # of processor time, beyond which an input is one that keeps tcpcap busy
SAMPLE = ROOT / "samples" / "reorder-duplicate" / "server"
TABLES = ("flows", "events", "flow_events", "counters", "sockets", "capture_facts", "checksums", "findings", "hosts")
Path_ = Callable[[random.Random, Path], str]


def captures(rng: random.Random, folder: Path) -> str:
    """A capture of any format, read and decoded."""
    (folder / "capture").write_bytes(hostile(rng, rng.choice(NAMES)))
    return read(folder / "capture", None, rng.choice((64, 4096, 1 << 20)), rng.choice((1, 5, 1000)))


def counters(rng: random.Random, folder: Path) -> str:
    """A log of snapshots in any form."""
    content = logged(rng)
    text = damaged(rng, content).encode("utf-8", "surrogatepass") if isinstance(content, str) else flip(rng, content)
    (folder / "log").write_bytes(text)
    series = series_of([folder / "log"], increments=rng.choice((None, True, False)))
    for part in (series, *series.others):
        assert all(value >= 0 for interval in deltas(part) for value in interval.values.values())
    return "read"


def hosts(rng: random.Random, folder: Path) -> str:
    """A description of a host."""
    text = json.dumps({name: strange(rng) for name in ("hostname", "kernel", "interfaces", "sysctls", "recording")})
    (folder / HOST_FILE).write_text(text if rng.random() < 0.7 else damaged(rng, text), errors="surrogatepass")
    try:
        host = host_of(str(folder))
    finally:
        (folder / HOST_FILE).unlink()
    return "read" if host is not None and not host.notes else "noted"


def sockets(rng: random.Random, folder: Path) -> str:
    """A list of sockets in any form."""
    form = socket_forms.FORMS[rng.choice(list(socket_forms.FORMS))]
    data = form.encode(form.write(socket_forms.sockets(rng.randrange(1000), 4)))
    (folder / "sockets").write_bytes(rng.choice((flip, lengthen, splice))(rng, data) or b"x")
    tally = Tally()
    for batch in SocketFile(folder / "sockets"):
        assert (batch.frame("")["time_ns"] > 0).all()
        tally.add(batch)
    json.dumps(tally.as_dict())
    return "read"


def archives(rng: random.Random, folder: Path) -> str:
    """A bundle in one file, with members that want to be elsewhere; or with its bytes changed."""
    packed = io.BytesIO()
    places = ("b/",) if rng.random() < 0.6 else ("b/", "", "/", "../", "b/../../", "\x1b[2J/")
    with tarfile.open(fileobj=packed, mode="w", format=rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))) as archive:
        for name in ("capture.pcap", "counters.jsonl", HOST_FILE):
            member = tarfile.TarInfo(rng.choice(places) + name)
            member.type = rng.choice((*[tarfile.REGTYPE] * 8, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
            member.linkname = str(folder / "outside")
            data = strategies.random_capture(rng)[1] if member.isreg() else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = packed.getvalue()
    data = rng.choice((lambda _, given: given, flip, splice, lengthen))(rng, data)
    (folder / "bundle.tar.zst").write_bytes(zstandard.compress(data) if rng.random() < 0.5 else data or b"x")
    with open_capture([folder / "bundle.tar.zst"]) as capture:
        frames = sum(len(batch) for batch in capture)
    assert not (folder / "outside").exists()
    return "read" if frames else "empty"


@cache
def _rules() -> list[str]:
    return [path.read_text() for path in sorted(own_folder().rglob("*.toml"))]


def rules(rng: random.Random, folder: Path) -> str:
    """A rule."""
    text = rng.choice(_rules())
    for _ in range(rng.choice((1, 2, 8))):
        at = rng.randrange(len(text))
        middle = rng.choice(
            ("", "1", "a", "[" * 3000, "9" * 5000, '"""', "\0", "=", "{", "\x1b[2J", "\u202e", "[[case]]\n", text[:at])
        )
        text = text[:at] + middle + text[at + rng.choice((0, 1, 30)) :]
    path = folder / f"r{rng.getrandbits(64)}.toml"
    try:
        path.write_text(text)
        rule_of(path)
    finally:
        path.unlink()
    return "read"


@cache
def _sample() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SAMPLE.iterdir()}


def bundles(rng: random.Random, folder: Path) -> str:
    """A recording of which one part was changed, through a command and a format."""
    bundle, changed = folder / "bundle", rng.choice(list(_sample()))
    bundle.mkdir(exist_ok=True)
    for name, data in _sample().items():
        (bundle / name).write_bytes(rng.choice((flip, splice, lengthen))(rng, data) if name == changed else data)
    table = ["export", "--table", rng.choice(TABLES), "--format", rng.choice(("csv", "jsonl", "parquet"))]
    words = rng.choice((["analyze"], ["analyze", "--json"], ["flows"], ["checksums"], ["flow"], table))
    more = ["0"] if words == ["flow"] else ["-o", str(folder / "out")] if table is words else []
    status, said = _run(words[0], str(bundle), *more, *words[1:])
    assert status in (0, 2, 3), said
    assert "Traceback" not in said
    return f"status {status}"


def _run(*words: str) -> tuple[object, str]:
    """The status of a command in this process, and what it says of what went wrong."""
    out, said = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(said):
            tcpcap(list(words))
    except SystemExit as ended:
        return ended.code, said.getvalue()
    return 0, said.getvalue()


# How many of a hundred cases go each way: as many as it costs little.
SHARES: dict[Path_, int] = {captures: 60, counters: 10, hosts: 10, sockets: 10, archives: 5, rules: 4, bundles: 1}
ORDER = [path for path, share in SHARES.items() for _ in range(share)]


def run(seed: int, number: int, folder: Path) -> tuple[str, str]:
    """One case: the name of its path, and what became of it. It fails with an error that is none of ours, or late."""
    rng = random.Random(f"{seed}/{number}")
    path = ORDER[number * 37 % len(ORDER)]
    started = time.process_time()
    try:
        outcome = path(rng, folder)
    except TcpcapError as error:
        assert error.found
        assert error.todo
        outcome = "refused"
    assert time.process_time() - started < CASE_SECONDS, "it keeps tcpcap busy"
    return path.__name__, outcome


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign and print what became of its cases; the status is 1 where one failed."""
    parser = argparse.ArgumentParser(description="Hostile inputs over all paths into tcpcap.")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    asked = parser.parse_args(arguments)
    outcomes: Counter[tuple[str, str]] = Counter()
    failed, started = 0, time.process_time()
    with tempfile.TemporaryDirectory(prefix="tcpcap-fuzz-") as name:
        os.environ["XDG_CONFIG_HOME"] = name  # not the rules of whoever runs it
        compile_kernels(Path(name) / "capture")
        for number in range(asked.first, asked.first + asked.cases):
            try:
                outcomes[run(asked.seed, number, Path(name))] += 1
            except Exception as error:  # whatever it is, it is what is looked for
                failed += 1
                words = f"python -m tests.fuzz --cases 1 --seed {asked.seed} --first {number}"
                sys.stdout.write(f"{type(error).__name__}: {str(error)[:200]!r}\n    {words}\n")
                if asked.cases == 1:
                    raise
    for (path, outcome), count in sorted(outcomes.items()):
        sys.stdout.write(f"{path:<10} {outcome:<10} {count:>10,}\n")
    sys.stdout.write(
        f"{asked.cases:,} cases, {failed:,} failed, {time.process_time() - started:.0f} s of processor time\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
