"""python -m tests.killing --moments 50 --seed 1: ends every command that writes at random moments, and looks at what is left.

By each signal, on a disk that is full or fails (tests/failing.py), and two at once that write one file. No input may have changed, no
file may stand half written under its name, none that is temporary may be left (but by SIGKILL, which nobody can answer), and nobody
is shown a traceback.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.command import COMMAND, environment
from tests.failing import ENDLESS, FAILURES, Failure, variables
from tests.helpers import SAMPLES, interrupts_on

BUNDLE = SAMPLES / "zero-window" / "server"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
# What each command is given behind its name, in a folder with a bundle B, the same packed, and a folder for what is written.
CALLS = {
    "csv": "export {given} --table flows -o out/x.csv",
    "jsonl": "export {given} --table counters -o out/x.jsonl",
    "parquet": "export {given} --table packets -o out/x.parquet",
    "sql": "sql {given} FROM:events -o out/x.csv",
    "extract": "extract {given} --flow 0 -o out/x.pcapng",
    "fix-checksums": "fix-checksums B/capture.pcap out/x.pcap",
    "html": "analyze {given} --html out/x.html",
    "notebook": "notebook {given} -o out/x.ipynb",
    "plot": "plot {given} -o out/x.svg --flow 0",
    "points": "analyze --at a={given} --at b=B --html out/x.html",
    "json": "analyze {given} --json",
}
PATIENCE_S = 300.0  # on a busy machine
ANSWERED = (0, 3)  # with an answer, perhaps up to where something failed


class Place(NamedTuple):
    """Where commands run: `folder` with what they read, `temporary` for what they may not leave."""

    folder: Path
    temporary: Path

    def words(self, call: str, given: str) -> list[str]:
        """The arguments of a command."""
        return [word.replace(":", " ") for word in CALLS[call].format(given=given).split()]

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


class Trial:
    """One command, from a folder or from an archive; what it leaves in `place` is looked at after each end."""

    def __init__(self, place: Place, call: str, given: str) -> None:
        self.place, self.name = place, f"{call} of {given}"
        self._words, self._before = place.words(call, given), place.files()
        begun = time.monotonic()
        status, said = _ended(place, self._words, None, PATIENCE_S)
        assert status == 0, said
        self.took, self._expected = time.monotonic() - begun, place.files()
        self._calls: dict[Failure, int] = {}
        self._clean()

    def signal(self, number: signal.Signals, random: Random) -> list[str]:
        """What is wrong after a signal at some moment."""
        status, said = _ended(self.place, self._words, number, random.random() * self.took)
        found = list(self.place.wrong(self._before, self._expected))
        if number == signal.SIGKILL:  # nobody can answer it: a draft may stay, under a name that is no other's
            found = [each for each in found if "has changed" in each or "/x." in each]
        ours = "Traceback" not in said or ", in run" in said  # else Python had not begun with us
        if ours and (status not in (0, 128 + number, -number) or "Traceback" in said):
            found.append(f"status {status}: {said}")
        self._clean()
        return found

    def failure(self, failure: Failure, random: Random) -> list[str]:
        """What is wrong after the disk failed at some call."""
        count = self.place.folder.parent / "count"
        root = self.place.folder.parent
        if failure not in self._calls:
            _ended(self.place, self._words, None, PATIENCE_S, variables(failure, root, ENDLESS, count))
            self._calls[failure] = int(count.read_text())
            self._clean()
        return self.failing(failure, random.randint(1, max(self._calls[failure], 1)))

    def failing(self, failure: Failure, first: int) -> list[str]:
        """What is wrong after the disk failed from this call on."""
        count, root = self.place.folder.parent / "count", self.place.folder.parent
        status, said = _ended(self.place, self._words, None, PATIENCE_S, variables(failure, root, first, count))
        found: list[str] = []
        if (
            status in ANSWERED and failure.call != "write"
        ):  # as far as it could be read: another answer, and a whole one
            expected = self._expected | {
                name: data for name, data in self.place.files().items() if name not in self._before
            }
        else:
            expected = self._expected if status in ANSWERED else {}
        found += self.place.wrong(self._before, expected)
        if status not in (*ANSWERED, 2) or "Traceback" in said or (status == 2 and said.count("\n") != 1):
            found.append(f"status {status}: {said}")
        self._clean()
        return [f"from call {first}: {each}" for each in found]

    def twice(self) -> list[str]:
        """What is wrong after two of them wrote the same file at once."""
        both = [_begun(self.place, self._words) for _ in range(2)]
        said = [process.communicate(timeout=PATIENCE_S)[1] for process in both]
        found = list(self.place.wrong(self._before, self._expected))
        found += [f"status {each.returncode}: {text}" for each, text in zip(both, said, strict=True) if each.returncode]
        self._clean()
        return found

    def _clean(self) -> None:
        for path in (*(self.place.folder / "out").iterdir(), *self.place.temporary.iterdir()):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def main() -> int:
    """Every command, from a folder and from an archive; how often something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50, help="of each signal and of each failure")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--call", choices=CALLS, help="this command alone")
    options = parser.parse_args()
    random, wrong = Random(options.seed), 0
    with tempfile.TemporaryDirectory() as root:
        place = place_in(Path(root))
        for call in (options.call,) if options.call else CALLS:
            for given in ("B", "packed.tgz"):
                trial = Trial(place, call, given)
                ends: list[tuple[str, Callable[[], list[str]]]] = [
                    *((each.name, partial(trial.signal, each, random)) for each in SIGNALS),
                    *((each.name, partial(trial.failure, each, random)) for each in FAILURES),
                    ("two at once", trial.twice),
                ]
                for end, tried in ends:
                    times = options.moments if end != "two at once" else max(1, options.moments // 10)
                    found = [each for _ in range(times) for each in tried()]
                    wrong += len(found)
                    for each in found:
                        print(f"{trial.name}, {end}: {each}")
                    print(f"{trial.name:<28} {end:<16} {times:>4} times, {len(found)} wrong", flush=True)
    print(f"{wrong} wrong")
    return int(wrong > 0)


def _ended(
    place: Place, words: list[str], number: int | None, after: float, more: dict[str, str] | None = None
) -> tuple[int, str]:
    """Status and standard error of a command that gets a signal after some seconds."""
    with interrupts_on(), _begun(place, words, more) as process:
        try:
            _, said = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(number or signal.SIGKILL)
            _, said = process.communicate(timeout=PATIENCE_S)
        return process.returncode, said


def _begun(place: Place, words: list[str], more: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=place.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(place.temporary), PYTHONPATH=str(SAMPLES.parent), **(more or {})),
    )


if __name__ == "__main__":
    sys.exit(main())
