"""What ends a recording from outside: a signal, or the end of the program that captures. Both wake who waits."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_S = 60.0


class Bell:
    """Rung from any thread and from handlers of signals; `wait` returns when it was rung, or after a time."""

    def __init__(self) -> None:
        self.signals: list[str] = []  # names of those that came
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)

    def ring(self) -> None:
        """Wake who waits, now or when he next does."""
        with contextlib.suppress(BlockingIOError):  # so many rings are waiting already
            os.write(self._in, b"!")

    def signalled(self, number: int, _: FrameType | None) -> None:
        """A handler of signals."""
        self.signals.append(signal.Signals(number).name)
        self.ring()

    def wait(self, seconds: float) -> None:
        """Return when it was rung since the last time, or after so long; after LONGEST_S at most, since a machine may sleep meanwhile."""
        if select.select([self._out], [], [], min(max(seconds, 0.0), LONGEST_S))[0]:
            os.read(self._out, 1 << 12)

    def close(self) -> None:
        """No longer needed."""
        os.close(self._out)
        os.close(self._in)


@contextlib.contextmanager
def heard() -> Iterator[Bell]:
    """A bell that Ctrl-C, SIGTERM and SIGHUP ring, in the main thread; a signal that was ignored stays so, as nohup wants it."""
    bell = Bell()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, bell.signalled)
    try:
        yield bell
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        bell.close()
