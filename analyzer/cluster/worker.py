"""`python -m analyzer.cluster.worker`: a process that does tasks, one line of JSON each, and says in another what came of it."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, BinaryIO

from analyzer.beginning import begin
from analyzer.errors import CaptureError, TcpcapError, UsageError

ERRORS: dict[str, type[TcpcapError]] = {each.__name__: each for each in (TcpcapError, CaptureError, UsageError)}
"""What a task may say that it could not be done for, by name."""


def main() -> None:
    """Do tasks until standard input ends."""
    begin()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who gives the tasks
    told = os.fdopen(os.dup(1), "wb", buffering=0)  # what else is printed goes where it disturbs nobody
    os.dup2(2, 1)
    serve(sys.stdin.buffer, told)


def serve(asked: BinaryIO, told: BinaryIO) -> None:
    """Do the tasks that `asked` has, line by line, until there are no more; `told` keeps nothing back."""
    from analyzer.cluster.tasks import run

    for line in asked:
        if not line.endswith(b"\n"):  # who gave the task has ended within it
            return
        task = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"done": run(task["name"], task["task"])}
        except TcpcapError as error:
            answer = {"error": [type(error).__name__, error.where, error.found, error.todo]}
        left = memoryview(json.dumps(answer).encode() + b"\n")
        try:
            while left:
                left = left[told.write(left) :]
        except BrokenPipeError:  # who gave the task has ended, whatever ended it
            return


if __name__ == "__main__":
    main()
