"""Processes on this machine that do tasks: each is a fork of this one or a Python of its own, and hears and says lines of JSON."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any

from analyzer.cluster.executor import Result, Task
from analyzer.cluster.forked import Forked, is_possible
from analyzer.cluster.tasks import prepared, run
from analyzer.cluster.worker import ERRORS, serve
from analyzer.diagnosis.kept import release
from analyzer.errors import TcpcapError

TRIES = 3
COMMAND = (sys.executable, "-m", "analyzer.cluster.worker")
READ = 1 << 16


class Processes:
    """An Executor with so many processes, which end with it. With `helping` this one does tasks, too, instead of waiting."""

    def __init__(self, count: int, *, helping: bool = False) -> None:
        self.width = count + helping
        self._count, self._helping = count, helping
        self._workers: list[_Worker] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end(at_once=kind is not None)
        self._workers = []

    @property
    def ids(self) -> list[int]:
        """The numbers of the processes, as the system knows them."""
        return [worker.process.pid for worker in self._workers]

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        waiting, tries, left = deque(range(len(tasks))), [0] * len(tasks), len(tasks)
        wanted = min(self._count, len(tasks) - self._helping)
        self._workers += [_Worker() for _ in range(len(self._workers), wanted)]
        with selectors.DefaultSelector() as watched:
            for worker in self._workers:
                watched.register(worker.said, selectors.EVENT_READ, worker)
            while left:
                for worker in self._workers:
                    # While this process works it gives nobody anything: there is a second task to go on with.
                    room = 2 if self._helping and len(waiting) > self.width else 1
                    while waiting and len(worker.doing) < room:
                        worker.give(waiting[0], {"name": name, "task": dict(tasks[waiting[0]])})
                        waiting.popleft()
                own = waiting.popleft() if self._helping and waiting else None
                if own is not None:
                    left -= 1
                    yield own, run(name, dict(tasks[own]))
                for key, _ in watched.select(0 if own is not None else None):
                    worker = key.data
                    for position, result in worker.answers():
                        left -= 1
                        yield position, result
                    if worker.is_dead:
                        watched.unregister(worker.said)
                        _count_death(name, worker, tries)
                        waiting.extendleft(reversed(worker.doing))
                        fresh = self._replaced(worker)
                        watched.register(fresh.said, selectors.EVENT_READ, fresh)

    def _replaced(self, dead: _Worker) -> _Worker:
        """Another process in place of one that died."""
        dead.end()
        fresh = _Worker()
        self._workers[self._workers.index(dead)] = fresh
        return fresh


class _Worker:
    """One process, and the tasks that it was given: it does them in this order."""

    def __init__(self) -> None:
        self.process = _begun()
        assert self.process.stdout is not None
        self.said: IO[bytes] = self.process.stdout
        self.doing: deque[int] = deque()
        self.is_dead = False
        self._heard = b""

    def give(self, position: int, asked: Any) -> None:
        """A task to do, behind those that it has."""
        self.doing.append(position)
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has died: its output says so
            self.process.stdin.write(json.dumps(asked).encode() + b"\n")
            self.process.stdin.flush()

    def answers(self) -> Iterator[tuple[int, Result]]:
        """What it has said since, once there is something; or it is dead."""
        more = os.read(self.said.fileno(), READ)
        self.is_dead = not more
        *lines, self._heard = (self._heard + more).split(b"\n")
        for line in lines:
            yield self.doing.popleft(), _result(line)

    def end(self, *, at_once: bool = False) -> None:
        """It is not needed any more."""
        if at_once:
            self.process.kill()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has died with a task that it never read
            self.process.stdin.close()
        self.process.wait()
        self.said.close()


def _begun() -> subprocess.Popen[bytes] | Forked:
    """A process, in the way that takes the least time."""
    release()  # a database that is kept has threads
    if is_possible():
        prepared()
        return Forked(serve)
    return subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _count_death(name: str, worker: _Worker, tries: list[int]) -> None:
    """Somebody died of the task that it was doing, if it was doing any. Raises TcpcapError where that is not the first time."""
    if worker.doing:
        tries[worker.doing[0]] += 1
        if tries[worker.doing[0]] == TRIES:
            raise TcpcapError(
                name, f"{TRIES} processes died of it", "is there memory for so many? Try with fewer --jobs"
            )


def _result(line: bytes) -> Result:
    told = json.loads(line)
    if "error" in told:
        kind, *words = told["error"]
        raise ERRORS[kind](*words)
    done: Result = told["done"]
    return done
