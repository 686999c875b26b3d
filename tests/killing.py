"""python -m tests.killing --moments 50 --seed 1: ends every command that writes at random moments, by each signal, and looks at what is left.

No input may have changed, no file may stand half written under its name, none that is temporary may be left (but by SIGKILL, which
nobody can answer), and nobody is shown a traceback.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.command import COMMAND, environment
from tests.helpers import SAMPLES, interrupts_on

BUNDLE = SAMPLES / "zero-window" / "server"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
# What each command is given behind its name, in a folder with a bundle B, the same packed, and a folder for what is written.
CALLS = {
    "csv": "export {given} --table flows -o out/x.csv",
    "parquet": "export {given} --table packets -o out/x.parquet",
    "fix-checksums": "fix-checksums B/capture.pcap out/x.pcap",
    "html": "analyze {given} --html out/x.html",
    "notebook": "notebook {given} -o out/x.ipynb",
    "plot": "plot {given} -o out/x.svg --flow 0",
    "json": "analyze {given} --json",
}


class Place(NamedTuple):
    """Where commands run: `folder` with what they read, `temporary` for what they may not leave."""

    folder: Path
    temporary: Path

    def words(self, call: str, given: str) -> list[str]:
        """The arguments of a command."""
        return CALLS[call].format(given=given).split()

    def wrong(self, before: dict[str, bytes], expected: dict[str, bytes]) -> Iterator[str]:
        """What is not as it must be: `before` is what was there, `expected` what may have been written, if it is whole."""
        now = self.files()
        for name, content in before.items():
            if now.pop(name, None) != content:
                yield f"{name} has changed"
        for name, content in now.items():
            if name not in expected or not _is_whole(content, expected[name]):
                yield f"{name} was left with {len(content):,} bytes"
        for path in self.temporary.iterdir():
            yield f"{path.name} was left"

    def files(self) -> dict[str, bytes]:
        """All files and what is in them."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


def _is_whole(content: bytes, other: bytes) -> bool:
    """The same to its end: on a busy machine a rule may have had no time, and a page says so."""
    return content == other or content[-64:] == other[-64:]


def place_in(root: Path) -> Place:
    """A place below `root`: the bundle, the same as one file, and a folder to write to."""
    place = Place(root / "work", root / "temporary")
    shutil.copytree(BUNDLE, place.folder / "B")
    (place.folder / "out").mkdir()
    place.temporary.mkdir()
    archive = shutil.make_archive(str(place.folder / "packed"), "gztar", BUNDLE.parent, BUNDLE.name)
    Path(archive).rename(place.folder / "packed.tgz")
    return place


def main() -> int:
    """Every command, from a folder and from an archive; how often something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random, wrong = Random(options.seed), 0
    with tempfile.TemporaryDirectory() as root:
        place = place_in(Path(root))
        before = place.files()
        for call in CALLS:
            for given in ("B", "packed.tgz"):
                begun = time.monotonic()
                status, said = _ended(place, place.words(call, given), None, 60.0)
                took, expected = time.monotonic() - begun, place.files()
                assert status == 0, said
                for _ in range(options.moments):
                    _clean(place)
                    after, number = random.random() * took, random.choice(SIGNALS)
                    status, said = _ended(place, place.words(call, given), number, after)
                    found = list(place.wrong(before, expected))
                    if (
                        number == signal.SIGKILL
                    ):  # nobody can answer it: a draft may stay, under a name that is no other's
                        found = [each for each in found if "has changed" in each or "/x." in each]
                    ours = "Traceback" not in said or ", in run" in said  # else Python had not begun with us
                    if ours and (status not in (0, 128 + number, -number) or "Traceback" in said):
                        found.append(f"status {status}: {said}")
                    wrong += bool(found)
                    for each in found:
                        print(f"{call} of {given}, {number.name} after {after:.3f} s: {each}")
                _clean(place)
                print(f"{call} of {given}: {options.moments} moments in {took:.2f} s", flush=True)
    print(f"{wrong} wrong")
    return int(wrong > 0)


def _ended(place: Place, words: list[str], number: int | None, after: float) -> tuple[int, str]:
    """Status and standard error of a command that gets a signal after some seconds."""
    with (
        interrupts_on(),
        subprocess.Popen(
            [*COMMAND, *words],
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(TMPDIR=str(place.temporary), PYTHONPATH=str(SAMPLES.parent)),
        ) as process,
    ):
        try:
            _, said = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(number or signal.SIGKILL)
            _, said = process.communicate(timeout=60)
        return process.returncode, said


def _clean(place: Place) -> None:
    for path in (*(place.folder / "out").iterdir(), *place.temporary.iterdir()):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
