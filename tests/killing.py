"""python -m tests.killing --moments 50 --seed 1: ends every command that writes at random moments, and looks at what is left.

By each signal, on a disk that is full or fails (tests/failing.py), and two at once that write one file. No input may have changed, no
file may stand half written under its name, none that is temporary may be left (but by SIGKILL, which nobody can answer), and nobody
is shown a traceback.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random
from types import TracebackType

from tests.command import COMMAND, environment
from tests.failing import ENDLESS, FAILURES, Failure, library, variables
from tests.forked import Server
from tests.helpers import SAMPLES, interrupts_on
from tests.killing_record import RecordTrial, can_record
from tests.place import Place, place_in, workers_left

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
# What each command is given behind its name, in a folder with a bundle B, the same packed, and a folder for what is written.
CALLS = {
    "csv": "export {given} --table flows -o out/x.csv",
    "safe-csv": "export {given} --table hosts --safe-csv -o out/x.csv",
    "jsonl": "export {given} --table counters -o out/x.jsonl",
    "parquet": "export {given} --table packets -o out/x.parquet",
    "passages": "export --at a={given} --at b=B --table passages -o out/x.parquet",
    "sql-csv": "sql {given} FROM:events -o out/x.csv",
    "sql-jsonl": "sql {given} FROM:sockets -o out/x.jsonl",
    "sql-parquet": "sql {given} FROM:counters -o out/x.parquet",
    "extract": "extract {given} --flow 0 -o out/x.pcapng",
    "anonymize": "extract {given} --flow 0 --anonymize --key key -o out/x.pcapng",
    "fix-checksums": "fix-checksums B/capture.pcap out/x.pcap",
    "fix-packed": "fix-checksums B/capture.pcap out/x.pcap.zst",
    "html": "analyze {given} --html out/x.html",
    "notebook": "notebook {given} -o out/x.ipynb",
    "svg": "plot {given} -o out/x.svg --flow 0 --kind rtt",
    "png": "plot {given} -o out/x.png --flow 0 --kind window",
    "plot": "plot {given} -o out/x.html --flow 0",
    "points": "analyze --at a={given} --at b=B --html out/x.html",
    "points-plot": "plot --at a={given} --at b=B -o out/x.html",
    "completion": "completion bash --install",
    "json": "analyze {given} --json",
    "parts-csv": "export {given} --table packets --jobs 3 -o out/x.csv",
    "parts-parquet": "export {given} --table packets --jobs 3 -o out/x.parquet",
    "parts-events": "export {given} --table events --jobs 3 -o out/x.jsonl",
    "parts-json": "analyze {given} --jobs 3 --json",
}
MODULE = "tests.in_parts"
IN_PARTS = "parts-"  # several processes read the capture, however small it is (tests/in_parts.py)
EVERY = (*CALLS, RecordTrial.name)
GIVEN = ("B", "packed.tgz")
ANEW = 10  # of so many commands one is begun anew, as people begin it; the others are forked when all is imported
PATIENCE_S = 300.0  # on a busy machine
BEGINNING_S = 1.0  # before a command that is begun anew has imported what it needs
ANSWERED = (0, 3)  # with an answer, perhaps up to where something failed


def words_of(call: str, given: str) -> list[str]:
    """The arguments of a command."""
    return [word.replace(":", " ") for word in CALLS[call].format(given=given).split()]


class Trial:
    """One command, from a folder and from an archive; what it leaves in `place` is looked at after each end."""

    def __init__(self, place: Place, call: str, random: Random) -> None:
        self.place, self.name, self._random = place, call, random
        self._in_parts = call.startswith(IN_PARTS)
        self._before, self._root = place.files(), place.folder.parent
        self._words = [words_of(call, given) for given in GIVEN if given == GIVEN[0] or "{given}" in CALLS[call]]
        self._variables = {"TMPDIR": str(place.temporary), "XDG_DATA_HOME": str(place.folder / "out")}
        self._server = Server(
            self._words[0],
            place.folder,
            {"LD_PRELOAD": str(library()), **self._variables},
            MODULE if self._in_parts else "",
        )
        self.place.clean()
        self._took, self._expected = [], []
        for words in self._words:
            begun = time.monotonic()
            status, said = self._ended(words, False)
            assert status == 0, said
            self._took.append(time.monotonic() - begun)
            self._expected.append(place.files())
            self.place.clean()
        self._calls: dict[tuple[Failure, int], int] = {}

    def signalled(self, number: signal.Signals) -> list[str]:
        """What is wrong after a signal at some moment."""
        which = self._random.randrange(len(self._words))
        anew = self._random.randrange(ANEW) == 0
        most = self._took[which] + (BEGINNING_S if anew else 0.0)
        status, said = self._ended(self._words[which], anew, {}, self._random.random() * most, number)
        found = list(self.place.wrong(self._before, self._expected[which]))
        if number == signal.SIGKILL:  # nobody can answer it: a draft may stay, under a name that is no other's
            found = [
                each for each in found if "has changed" in each or any(name in each for name in self._names(which))
            ]
        ours = "Traceback" not in said or ", in run" in said  # else Python had not begun with us
        if ours and (status not in (0, 128 + number, -number) or "Traceback" in said):
            found.append(f"status {status}: {said}")
        self.place.clean()
        return found

    def failure(self, failure: Failure) -> list[str]:
        """What is wrong after the disk failed at some call."""
        which = self._random.randrange(len(self._words))
        return self.failing(failure, self._random.randint(1, max(self.calls(failure, which), 1)), which)

    def calls(self, failure: Failure, which: int = 0) -> int:
        """How many calls there are that may fail."""
        if (failure, which) not in self._calls:
            count = self._root / "count"
            count.unlink(missing_ok=True)
            self._ended(self._words[which], False, variables(failure, self._root, ENDLESS, count))
            self._calls[failure, which] = int(count.read_text())
            self.place.clean()
        return self._calls[failure, which]

    def failing(self, failure: Failure, first: int, which: int = 0) -> list[str]:
        """What is wrong after the disk failed from this call on."""
        known = variables(failure, self._root, first, self._root / "count")
        status, said = self._ended(self._words[which], False, known)
        found: list[str] = []
        expected = self._expected[which] if status in ANSWERED else {}
        if (
            status in ANSWERED and failure.call != "write"
        ):  # as far as it could be read: another answer, and a whole one
            expected = expected | {name: data for name, data in self.place.files().items() if name not in self._before}
        found += self.place.wrong(self._before, expected)
        if status not in (*ANSWERED, 2) or "Traceback" in said or (status == 2 and said.count("\n") != 1):
            found.append(f"status {status}: {said}")
        self.place.clean()
        return [f"from call {first}: {each}" for each in found]

    def twice(self) -> list[str]:
        """What is wrong after two of them wrote the same file at once."""
        which = self._random.randrange(len(self._words))
        ends, said = self._server.both(self._words[which], self.place.folder)
        found = list(self.place.wrong(self._before, self._expected[which]))
        found += [f"status {status}: {text}" for status, text in zip(ends, said, strict=True) if status]
        self.place.clean()
        return found

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, value, trace)

    def _names(self, which: int) -> Iterable[str]:
        return self._expected[which].keys() - self._before.keys()

    def _ended(
        self, words: list[str], anew: bool, more: Mapping[str, str] | None = None, after: float = PATIENCE_S, number: int = signal.SIGKILL
    ) -> tuple[int, str]:  # fmt: skip
        """Status and standard error of a command that gets a signal after some seconds."""
        if anew:
            command = [sys.executable, "-m", MODULE] if self._in_parts else COMMAND
            ended = _ended(self.place, [*command, *words], number, after, {**self._variables, **(more or {})})
        else:
            ended = self._server.ended(words, self.place.folder, more or {}, after, number)
        if self._in_parts:
            left = workers_left(self.place.temporary, self._server.pid)
            assert not left, f"processes {left} go on behind the one that began them"
        return ended


def main() -> int:
    """Every command, from a folder and from an archive; how often something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50, help="of each signal and of each failure")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--call", choices=EVERY, action="append", help="this command; without, all")
    options = parser.parse_args()
    wrong = tried = 0
    with tempfile.TemporaryDirectory() as root:
        place = place_in(Path(root))
        for call in options.call or EVERY:
            if call == RecordTrial.name and not can_record():
                print(f"{call:<16} needs root, tcpdump and ip, and was not tried", flush=True)
                continue
            random = Random(f"{options.seed}/{call}")
            with RecordTrial(place, random) if call == RecordTrial.name else Trial(place, call, random) as trial:
                for end, times, found in _all_ends(trial, options.moments):
                    wrong, tried = wrong + len(found), tried + times
                    for each in found:
                        print(f"{trial.name}, {end}: {each}")
                    print(f"{trial.name:<16} {end:<16} {times:>4} times, {len(found)} wrong", flush=True)
    print(f"{tried:,} ends, {wrong} wrong")
    return int(wrong > 0)


def _all_ends(trial: Trial | RecordTrial, moments: int) -> Iterator[tuple[str, int, list[str]]]:
    """Each way in which it may end, how often that was tried, and what was wrong."""
    ends: list[tuple[str, Callable[[], list[str]]]] = [
        *((each.name, partial(trial.signalled, each)) for each in SIGNALS),
        *((each.name, partial(trial.failure, each)) for each in FAILURES),
        ("two at once", trial.twice),
    ]
    for end, attempt in ends:
        times = moments if end != "two at once" else max(1, moments // 10)
        yield end, times, [each for _ in range(times) for each in attempt()]


def _ended(place: Place, words: list[str], number: int, after: float, more: Mapping[str, str]) -> tuple[int, str]:
    """The same for one that is begun anew by these words."""
    with interrupts_on(), subprocess.Popen(
        words,
        cwd=place.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(PYTHONPATH=str(SAMPLES.parent), **more),
    ) as process:  # fmt: skip
        try:
            _, said = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE_S)
        return process.returncode, said


if __name__ == "__main__":
    sys.exit(main())
