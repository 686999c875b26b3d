"""Cases by their number: which path each goes, what became of it; and many of them in processes that may be killed by what they find."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import re
import resource
import signal
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection, wait
from pathlib import Path

from analyzer.errors import TcpcapError
from tests.fuzz import readers, whole
from tests.test_fuzz import compile_kernels

CASE_SECONDS = 60  # of processor time, beyond which an input is one that keeps tcpcap busy
WAIT_SECONDS = 1800  # of any time, beyond which it is one that waits for what never comes
MOST_BYTES = 3 << 30  # of memory
OUT_OF_MEMORY, RENEWED = re.compile("MemoryError|Cannot allocate memory"), 75
BLOCK = 1000  # cases, in which each path has its share
CHECKED = 10  # of so many blocks one runs with every index checked
PathInto = Callable[[random.Random, Path], str]
# How many of a thousand cases go each way: as many as it costs little.
SHARES: dict[PathInto, int] = {
    readers.captures: 578, readers.counters: 100, readers.hosts: 80, readers.sockets: 60, readers.archives: 50, readers.rules: 55,
    readers.filters: 50, whole.tables: 12, whole.questions: 9, whole.commands: 5, whole.assistants: 1,
}  # fmt: skip
ORDER = [path for path, share in SHARES.items() for _ in range(share)]
STRIDE = 371  # from one case to the next, so that neighbours go different ways


@dataclass
class Outcome:
    """What became of cases: how often each path had each end, what failed, and its processor time in ns."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)
    checked: int = 0

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.ends.total() + len(self.failures)

    def add(self, other: Outcome) -> None:
        """Those of another process."""
        self.ends.update(other.ends)
        self.failures += other.failures
        self.spent.update(other.spent)
        self.checked += other.checked


def path_of(number: int) -> PathInto:
    """The way that a case goes."""
    return ORDER[number * STRIDE % len(ORDER)]


def run(seed: int, number: int, folder: Path) -> tuple[str, str]:
    """One case: the name of its path, and what became of it. It fails with an error that is none of ours, late, or with what it leaves below TMPDIR."""
    rng, path = random.Random(f"{seed}/{number}"), path_of(number)
    before = _temporary()
    started = time.process_time()
    try:
        end = path(rng, folder)
    except TcpcapError as error:
        assert error.found
        assert error.todo
        end = "refused"
    assert time.process_time() - started < CASE_SECONDS, "it keeps tcpcap busy"
    if _temporary() - before:
        gc.collect()  # an Analysis in a circle goes later, and what it reads with it
    assert _temporary() <= before, f"{', '.join(_temporary() - before)} was left"
    return path.__name__, end


def _temporary() -> set[str]:
    """What lies below TMPDIR."""
    return {path.name for path in Path(tempfile.gettempdir()).iterdir()}


def run_case(seed: int, number: int, folder: Path) -> Outcome:
    """One case, whatever becomes of it."""
    outcome, name, started = Outcome(), path_of(number).__name__, time.process_time_ns()
    try:
        outcome.ends[run(seed, number, folder)] += 1
    except Exception as error:  # noqa: BLE001 # whatever it is, it is what is looked for
        outcome.failures.append((number, f"{name}: {type(error).__name__}: {str(error)[:300]!r}"))
    outcome.spent[name] += time.process_time_ns() - started
    return outcome


@contextmanager
def prepared() -> Iterator[Path]:
    """A folder for cases, with kernels that are compiled and nobody's own rules."""
    with tempfile.TemporaryDirectory(prefix="tcpcap-fuzz-") as name:
        temporary, outside = Path(name) / "temporary", tempfile.tempdir
        temporary.mkdir()
        os.environ["XDG_CONFIG_HOME"], tempfile.tempdir = name, str(temporary)
        try:
            compile_kernels(Path(name) / "capture")
            whole.asked()  # which stays open from case to case
            yield Path(name)
        finally:
            tempfile.tempdir = outside


def _work(seed: int, cases: list[range], told: Connection, place: str) -> None:
    """The life of a process: its cases, each told as it ends; one that takes too long or too much ends it."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    tempfile.tempdir = place
    with prepared() as folder:
        told.send(None)
        for number in chain.from_iterable(cases):
            signal.setitimer(signal.ITIMER_PROF, CASE_SECONDS)
            signal.alarm(WAIT_SECONDS)
            outcome = run_case(seed, number, folder)
            told.send(outcome)
            if any(OUT_OF_MEMORY.search(words) for _, words in outcome.failures):
                os._exit(RENEWED)  # what it keeps would be a failure of all cases behind it
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


class Worker:
    """A process and the cases that it has to do; where one kills it, another process goes on behind that.

    `place` is a folder for what is temporary, which also a process that is killed must not leave behind.
    """

    def __init__(self, seed: int, cases: list[range], checked: bool, place: str) -> None:
        self._seed, self._checked, self._place = seed, checked, place
        self._cases = deque(cases)
        self._start()

    def _start(self) -> None:
        before = os.environ.get("TCPCAP_KERNELS")
        if self._checked:
            os.environ["TCPCAP_KERNELS"] = "checked-library"  # which a process takes from where it was begun
        context = multiprocessing.get_context("spawn")
        self.told, telling = context.Pipe(
            duplex=False
        )  # of this process alone: one that is killed may be within a word
        self._process = context.Process(
            target=_work, args=(self._seed, list(self._cases), telling, self._place), daemon=True
        )
        self._process.start()
        telling.close()  # so that the other end closes with the process
        self._has_begun, self.is_done = False, False
        if self._checked:
            del os.environ["TCPCAP_KERNELS"]
            if before is not None:
                os.environ["TCPCAP_KERNELS"] = before

    def end(self) -> None:
        """Whatever it is at."""
        self._process.kill()
        self._process.join()
        self.told.close()

    def outcome(self) -> Outcome:
        """What became of the cases that were told since it was asked last, and of one that killed the process, if one did."""
        whole = Outcome()
        try:
            while self.told.poll():
                self._hear(self.told.recv(), whole)
        except (
            EOFError,
            OSError,
        ):  # the process has ended, in the middle of a word or not, and all that it said was heard
            self._ended(whole)
        return whole

    def _hear(self, outcome: Outcome | None, whole: Outcome) -> None:
        if outcome is None:
            self._has_begun = True
            return
        whole.add(outcome)
        whole.checked += self._checked
        self._next()

    def _next(self) -> int:
        """The number of the case that is done or running, which is taken from those to do."""
        first = self._cases.popleft()
        if len(first) > 1:
            self._cases.appendleft(first[1:])
        return first.start

    def _ended(self, whole: Outcome) -> None:
        self.told.close()
        self._process.join()
        code = self._process.exitcode
        if not self._has_begun:
            raise SystemExit("a process ended before its first case")
        if code == RENEWED:
            if self._cases:
                self._start()
            self.is_done = not self._cases
            return
        if not self._cases and code:
            raise SystemExit(f"a process ended with {code} after its last case")
        if not self._cases:
            self.is_done = True
            return
        number = self._next()
        known = {-signal.SIGPROF: "it keeps tcpcap busy", -signal.SIGALRM: "it waits for ever"}
        words = known.get(code or 0, f"the process ended with {code}")
        whole.failures.append((number, f"{path_of(number).__name__}: {words}"))
        whole.checked += self._checked
        self._start()


def campaign(seed: int, cases: range, jobs: int) -> Iterator[Outcome]:
    """Cases in several processes, one more for those with every index checked: what became of them, some at a time, of each once."""
    blocks = [range(first, min(first + BLOCK, cases.stop)) for first in range(cases.start, cases.stop, BLOCK)]
    checked = [block for block in blocks if block.start // BLOCK % CHECKED == CHECKED - 1]
    others = [block for block in blocks if block not in checked]
    with tempfile.TemporaryDirectory(prefix="tcpcap-campaign-") as place:
        workers = [Worker(seed, others[number::jobs], False, place) for number in range(jobs)]
        workers += [Worker(seed, checked, True, place)] if checked else []
        try:
            while workers:
                wait([worker.told for worker in workers])
                time.sleep(0.2)  # so that many are told at once
                for worker in workers:
                    yield worker.outcome()
                workers = [worker for worker in workers if not worker.is_done]
        finally:
            for worker in workers:
                worker.end()  # or it would write where all is being removed
