"""Processes on this machine that do tasks: each is a Python of its own, and hears and says lines of JSON."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO

from analyzer.cluster.executor import Result, Task
from analyzer.cluster.worker import ERRORS
from analyzer.errors import TcpcapError

TRIES = 3
COMMAND = (sys.executable, "-m", "analyzer.cluster.worker")


class Processes:
    """An Executor with so many processes, which end with it."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._workers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if kind is not None:
                worker.kill()
            self._end(worker)
        self._workers = []

    @property
    def ids(self) -> list[int]:
        """The numbers of the processes, as the system knows them."""
        return [worker.pid for worker in self._workers]

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        waiting = list(reversed(range(len(tasks))))
        tries = [0] * len(tasks)
        self._workers += [_started() for _ in range(len(self._workers), min(self.width, len(tasks)))]
        with selectors.DefaultSelector() as watched:
            busy: dict[int, int] = {}

            def begin(worker: subprocess.Popen[str]) -> None:
                if waiting:
                    busy[worker.pid] = position = waiting.pop()
                    tries[position] += 1
                    watched.register(_output(worker), selectors.EVENT_READ, worker)
                    _say(worker, json.dumps({"name": name, "task": dict(tasks[position])}))

            for worker in self._workers:
                begin(worker)
            while busy:
                for key, _ in watched.select():
                    worker = key.data
                    line = _output(worker).readline()
                    watched.unregister(key.fileobj)
                    position = busy.pop(worker.pid)
                    if line:
                        yield position, _result(line)
                    else:
                        worker = self._replaced(worker)
                        if tries[position] == TRIES:
                            raise TcpcapError(
                                name,
                                f"{TRIES} processes died of it",
                                "is there memory for so many? Try with fewer --jobs",
                            )
                        waiting.append(position)
                    begin(worker)

    def _replaced(self, dead: subprocess.Popen[str]) -> subprocess.Popen[str]:
        """Another process in place of one that died."""
        self._end(dead)
        fresh = _started()
        self._workers[self._workers.index(dead)] = fresh
        return fresh

    def _end(self, worker: subprocess.Popen[str]) -> None:
        assert worker.stdin is not None
        with suppress(BrokenPipeError):  # it has died with a task that it never read
            worker.stdin.close()
        worker.wait()
        _output(worker).close()


def _started() -> subprocess.Popen[str]:
    return subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def _say(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None
    with suppress(BrokenPipeError):  # it has died: its output says so
        worker.stdin.write(line + "\n")
        worker.stdin.flush()


def _output(worker: subprocess.Popen[str]) -> IO[str]:
    assert worker.stdout is not None
    return worker.stdout


def _result(line: str) -> Result:
    told = json.loads(line)
    if "error" in told:
        kind, *words = told["error"]
        raise ERRORS[kind](*words)
    done: Result = told["done"]
    return done
