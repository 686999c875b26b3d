"""python -m tests.fuzz.guided counters --seconds 600: hostile bytes, kept and changed further where they led to lines that none led to before.

Coverage shows in Python only, so this is for readers of texts; captures are read by compiled code, of which nothing shows here. It needs atheris
(`pip install atheris`), which is no part of the extra `test`. What fails is written to a file whose name is printed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["analyzer"]):
    from analyzer.capture.bundle import host_of
    from analyzer.choose import choice_of
    from analyzer.choose.chooser import Chooser
    from analyzer.counters import deltas, series_of
    from analyzer.diagnosis.rule import rule_of
    from analyzer.errors import TcpcapError
    from analyzer.parts import HOST_FILE
    from analyzer.sockets import SocketFile
from tests import socket_forms
from tests.filters import Words
from tests.fuzz.readers import every_rule
from tests.helpers import SAMPLES
from tests.test_snapshot_fuzz import logged

SEEDS = 200  # well-formed inputs to begin with
LONGEST = 20_000  # bytes
Reads = Callable[[bytes, Path], object]


def counters(data: bytes, folder: Path) -> None:
    """A log of snapshots."""
    (folder / "log").write_bytes(data)
    series = series_of([folder / "log"])
    for part in (series, *series.others):
        assert all(value >= 0 for interval in deltas(part) for value in interval.values.values())


def sockets(data: bytes, folder: Path) -> None:
    """A list of sockets."""
    (folder / "sockets").write_bytes(data)
    for batch in SocketFile(folder / "sockets"):
        assert (batch.frame("")["time_ns"] > 0).all()


def hosts(data: bytes, folder: Path) -> None:
    """A description of a host."""
    (folder / HOST_FILE).write_bytes(data)
    host_of(str(folder))


def rules(data: bytes, folder: Path) -> None:
    """A rule."""
    (folder / "a-rule.toml").write_bytes(data)
    rule_of(folder / "a-rule.toml")


def filters(data: bytes, _: Path) -> None:
    """An expression that chooses frames."""
    Chooser(choice_of(data.decode("utf-8", "replace")))


def _seeds(name: str, rng: random.Random) -> list[bytes]:
    """Well-formed inputs of a reader."""
    if name == "counters":
        texts = [logged(rng) for _ in range(SEEDS)]
        return [each.encode() if isinstance(each, str) else each for each in texts]
    if name == "sockets":
        forms = list(socket_forms.FORMS.values())
        return [form.encode(form.write(socket_forms.sockets(rng.randrange(1000), 4))) for form in forms]
    if name == "hosts":
        return [path.read_bytes() for path in sorted(SAMPLES.glob(f"*/*/{HOST_FILE}"))[:SEEDS]]
    if name == "rules":
        return [text.encode() for text in every_rule()]
    words = Words(rng, ["10.0.0.1", "fe80::1"], [443], vlans=True)
    return [words.expression(rng.randrange(4), common=True).encode() for _ in range(SEEDS)]


READERS: dict[str, Reads] = {each.__name__: each for each in (counters, sockets, hosts, rules, filters)}


def main() -> None:
    """Try one reader for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    reads = READERS[asked.reader]
    with tempfile.TemporaryDirectory(prefix="tcpcap-fuzz-") as name:
        folder, corpus = Path(name), Path(name) / "corpus"
        corpus.mkdir()
        for number, data in enumerate(_seeds(asked.reader, random.Random(asked.seed))):
            (corpus / str(number)).write_bytes(data)

        def one(data: bytes) -> None:
            try:
                reads(data, folder)
            except TcpcapError as error:
                assert error.found
                assert error.todo

        options = [f"-max_total_time={asked.seconds}", f"-seed={asked.seed}", f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=3000"]  # fmt: skip
        atheris.Setup([sys.argv[0], *options, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
