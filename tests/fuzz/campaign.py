"""Cases by their number: which path each goes, what became of it; and many of them in processes that may be killed by what they find."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analyzer.errors import TcpcapError
from tests.fuzz import readers, whole
from tests.test_fuzz import compile_kernels

CASE_SECONDS = 60  # of processor time, beyond which an input is one that keeps tcpcap busy
MOST_BYTES = 3 << 30  # of memory
BLOCK = 1000  # cases, in which each path has its share
NONE = -1  # the number of no case
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

    def add(self, other: Outcome) -> None:
        """Those of another process."""
        self.ends += other.ends
        self.failures += other.failures
        self.spent += other.spent
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


def run_block(seed: int, numbers: range, folder: Path, begun: Callable[[int], None]) -> Outcome:
    """Cases one after the other; `begun` is told of each before it runs."""
    outcome = Outcome()
    for number in numbers:
        begun(number)
        started = time.process_time_ns()
        try:
            outcome.ends[run(seed, number, folder)] += 1
        except Exception as error:  # noqa: BLE001 # whatever it is, it is what is looked for
            outcome.failures.append(
                (number, f"{path_of(number).__name__}: {type(error).__name__}: {str(error)[:300]!r}")
            )
        outcome.spent[path_of(number).__name__] += time.process_time_ns() - started
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


def _work(seed: int, blocks: list[range], at: Any, results: Any, checked: bool) -> None:
    """The life of a process: its blocks; a case that takes too long or too much ends it."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))

    def begun(number: int) -> None:
        at.value = number
        signal.setitimer(signal.ITIMER_PROF, CASE_SECONDS)

    with prepared() as folder:
        for block in blocks:
            outcome = run_block(seed, block, folder, begun)
            outcome.checked = len(block) * checked
            results.put(outcome)
        signal.setitimer(signal.ITIMER_PROF, 0)


class _Worker:
    """A process and what it has to do; where a case kills it, another one goes on behind that."""

    def __init__(self, seed: int, blocks: list[range], checked: bool) -> None:
        self._seed, self._blocks, self._checked = seed, blocks, checked
        self._context = multiprocessing.get_context("spawn")
        self._at, self.results = self._context.Value("q", NONE), self._context.SimpleQueue()
        self._start()

    def _start(self) -> None:
        before, self._at.value = os.environ.get("TCPCAP_KERNELS"), NONE
        if self._checked:
            os.environ["TCPCAP_KERNELS"] = "checked-library"  # which a process takes from where it was begun
        self._process = self._context.Process(
            target=_work, args=(self._seed, self._blocks, self._at, self.results, self._checked), daemon=True
        )
        self._process.start()
        if self._checked:
            del os.environ["TCPCAP_KERNELS"]
            if before is not None:
                os.environ["TCPCAP_KERNELS"] = before

    def outcomes(self) -> Iterator[Outcome]:
        """What it has done since it was asked last."""
        while not self.results.empty():
            yield self.results.get()
            self._blocks = self._blocks[1:]

    @property
    def is_alive(self) -> bool:
        """Does it run? What it has done is complete only where it was asked for after this said no."""
        return self._process.is_alive()

    def killed(self) -> Iterator[Outcome]:
        """What killed a process that does not run any more, if something did; then another one is started for the rest."""
        if not self._blocks:
            return
        number, code = self._at.value, self._process.exitcode
        if number == NONE:
            raise SystemExit("a process ended before its first case")
        words = "it keeps tcpcap busy" if code == -signal.SIGPROF else f"the process ended with {code}"
        yield Outcome(failures=[(number, f"{path_of(number).__name__}: {words}")])
        first = self._blocks[0]
        self._blocks = [range(number + 1, first.stop), *self._blocks[1:]]
        self._start()

    @property
    def is_done(self) -> bool:
        return not self._process.is_alive() and not self._blocks


def campaign(seed: int, cases: range, jobs: int) -> Iterator[Outcome]:
    """Cases in several processes, one more for those with every index checked: what became of each block of them."""
    blocks = [range(first, min(first + BLOCK, cases.stop)) for first in range(cases.start, cases.stop, BLOCK)]
    checked = [block for block in blocks if block.start // BLOCK % CHECKED == CHECKED - 1]
    others = [block for block in blocks if block not in checked]
    workers = [_Worker(seed, others[number::jobs], False) for number in range(jobs)]
    workers += [_Worker(seed, checked, True)] if checked else []
    while workers:
        time.sleep(0.2)
        for worker in workers:
            alive = worker.is_alive
            yield from worker.outcomes()
            if not alive:
                yield from worker.killed()
        workers = [worker for worker in workers if not worker.is_done]
