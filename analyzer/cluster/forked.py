"""A process that does tasks as a fork of this one, which has imported all that it needs: no other way begins in so little time.

Only a process of one thread is forked: of several, one might hold a lock that nobody in the fork ever gives back. Who has more threads
(a notebook, a reader of URLs), and a system that does not list them, begins a Python anew instead.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

THREADS, FILES = Path("/proc/self/task"), Path("/proc/self/fd")  # as Linux lists them
STANDARD = 3  # files: input, output, errors

Serve = Callable[[BinaryIO, BinaryIO], None]


def is_possible() -> bool:
    """Is this a process of one thread, of a system that says so?"""
    try:
        return len(list(THREADS.iterdir())) == 1
    except OSError:
        return False


class Forked:
    """A process that does `serve` with what it is asked and what it tells: here `stdin` and `stdout`, as subprocess calls them."""

    def __init__(self, serve: Serve) -> None:
        asked, give = os.pipe()
        hear, told = os.pipe()
        self.stdin, self.stdout = os.fdopen(give, "wb"), os.fdopen(hear, "rb")
        # A signal in the middle would have the fork undo what is not its own.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.pid = os.fork()
            if not self.pid:
                _become(serve, asked, told)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(asked)
            os.close(told)
        self._ended = False

    def kill(self) -> None:
        """End it at once."""
        if not self._ended:
            with suppress(ProcessLookupError):  # where SIGCHLD is ignored, it may be gone
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Until it has ended."""
        if not self._ended:
            with suppress(ChildProcessError):  # where SIGCHLD is ignored, the system has done so
                os.waitpid(self.pid, 0)
            self._ended = True


def _become(serve: Serve, asked: int, told: int) -> NoReturn:
    """What a fork is from its beginning to its end: of what it was before it closes, flushes and undoes nothing."""
    status = 1
    try:
        gc.freeze()  # else it copies all of it when it looks for what nobody knows any more, and closes files that now are others
        _be_like_new()
        told = os.dup(told)
        os.dup2(asked, 0)
        os.dup2(2, 1)  # what is printed goes where it disturbs nobody
        sys.stdout = sys.stderr
        for each in [int(file.name) for file in FILES.iterdir()]:
            if each >= STANDARD and each != told:
                with suppress(OSError):  # that with which they were listed
                    os.close(each)
        serve(os.fdopen(0, "rb", closefd=False), os.fdopen(told, "wb", buffering=0, closefd=False))
        status = 0
    except BaseException:  # noqa: BLE001 # it is the outermost block of a process, which says what ended it
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _be_like_new() -> None:
    """Signals do what they do to a Python that has just begun, but for Ctrl-C, which is for who gives the tasks."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ}:
        with suppress(OSError, ValueError):  # those that nobody can handle
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
