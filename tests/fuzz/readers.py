"""Each reader by itself: what it makes of hostile bytes. A case is a word for what became of it, or an error of ours."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import re
import tarfile
from functools import cache
from pathlib import Path

import lz4.frame
import zstandard

from analyzer.capture import open_capture
from analyzer.capture.bundle import host_of
from analyzer.capture.kept import Reader
from analyzer.choose import choice_of
from analyzer.choose.chooser import Chooser
from analyzer.counters import deltas, series_of
from analyzer.decode import decode
from analyzer.diagnosis.rule import own_folder, rule_of
from analyzer.parts import HOST_FILE
from analyzer.sockets import SocketFile, Tally
from tests import build, socket_forms, strategies
from tests.filters import Words
from tests.helpers import SAMPLES
from tests.test_fuzz import NAMES, flip, hostile, lengthen, read, splice, traffic
from tests.test_snapshot_fuzz import NUMBERS, STRANGE, damaged, logged, strange


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


PACKED = (lambda data: data, zstandard.compress, lambda data: gzip.compress(data, 1), lambda data: lzma.compress(data, preset=0), lambda data: bz2.compress(data, 1), lz4.frame.compress)  # fmt: skip


@cache
def _parts() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (SAMPLES / "zero-window" / "server").iterdir()}


def archives(rng: random.Random, folder: Path) -> str:
    """A bundle in one file, with members that want to be elsewhere; or with its bytes changed."""
    packed = io.BytesIO()
    places = ("b/",) if rng.random() < 0.7 else ("b/", "", "/", "../", "b/../../", "\x1b[2J/")
    with tarfile.open(fileobj=packed, mode="w", format=rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))) as archive:
        for name in ("capture.pcap", "counters.jsonl", HOST_FILE):
            member = tarfile.TarInfo(rng.choice(places) + name)
            member.type = rng.choice((*[tarfile.REGTYPE] * 8, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
            member.linkname = str(folder / "outside")
            data = rng.choice((*[_parts()[name]] * 3, strategies.random_capture(rng)[1])) if member.isreg() else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = packed.getvalue()
    data = data if rng.random() < 0.6 else rng.choice((flip, splice, lengthen))(rng, data)
    path = folder / "bundle.tar.zst"
    path.write_bytes(rng.choice(PACKED)(data) if data else b"x")
    reader = Reader([str(path)])
    try:
        with open_capture([path]) as capture:
            frames = sum(len(batch) for batch in capture)
    finally:
        reader.close()
    assert not (folder / "outside").exists()
    return "read" if frames else "empty"


@cache
def every_rule() -> list[str]:
    """The text of each rule that comes with tcpcap."""
    return [path.read_text() for path in sorted(own_folder().rglob("*.toml"))]


HOSTILE = (
    "",
    "1",
    "a",
    "[" * 3000,
    "9" * 5000,
    '"""',
    "\0",
    "=",
    "{",
    "\x1b[2J",
    "\u202e",
    "[[case]]\n",
    "'",
    ";",
    "(" * 5000,
)


def rules(rng: random.Random, folder: Path) -> str:
    """A rule."""
    text, name = rng.choice(every_rule()), f"r{rng.getrandbits(64)}"
    text = re.sub(r'^id = ".*"$', f'id = "{name}"', text, count=1, flags=re.MULTILINE)
    first, last = (text.index("sql = "), text.index("[[case]]")) if rng.random() < 0.6 else (0, len(text))
    for _ in range(rng.choice((1, 2, 8))):
        at = rng.randrange(first, last)
        text = text[:at] + rng.choice((*HOSTILE, text[:at])) + text[at + rng.choice((0, 1, 30)) :]
    path = folder / f"{name}.toml"
    try:
        path.write_text(text)
        rule_of(path)
    finally:
        path.unlink()
    return "read"


def filters(rng: random.Random, folder: Path) -> str:
    """What is asked for of a capture: an expression, times, numbers of flows and frames."""
    words = Words(rng, ["10.0.0.1", "fe80::1"], [443], vlans=True)
    text = words.expression(rng.randrange(4), common=rng.random() < 0.5)
    if rng.random() < 0.3:
        text = damaged(rng, text) or "("
    moments = ("12:59", "+5s", "-", "0", "1795205020.2", *STRANGE, *NUMBERS)
    choice = choice_of(
        text.replace("\n", " "),
        rng.choice((*[None] * 10, rng.choice(NUMBERS), "0")),
        rng.choice((None, None, None, ("-", "+5s"), (rng.choice(moments), rng.choice(moments)))),
        rng.choice((*[None] * 5, "1-3", "2-", f"{rng.choice(NUMBERS)}-{rng.choice(NUMBERS)}")),
    )
    frames = [strategies.random_frame(rng) for _ in range(8)]
    of_ethernet = build.pcap([build.Record(data, 0, length) for link, data, length in frames if link == 1])
    (folder / "capture").write_bytes(traffic(rng) if rng.random() < 0.3 else of_ethernet)
    chooser = Chooser(choice)
    with open_capture([folder / "capture"]) as capture:
        for batch in capture:
            rows = decode(batch, capture.interfaces)
            chooser.mark(batch, capture.interfaces, rows)
            chooser.choose(rows)
    assert chooser.chosen <= chooser.frames
    return "some" if chooser.chosen else "none"
