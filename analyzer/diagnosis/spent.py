"""How long a query may work: its processor time is bounded, not what a busy machine makes of it, so that each machine gives the same answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INTERRUPTS_S = 0.05
PATIENCE = 12  # times the limit: for what takes time without working, as SQL's functions that sleep do
NS = 1_000_000_000
IS_OF_THREADS = hasattr(time, "pthread_getcpuclockid")
"""Is the time of a thread told? Else it is that of the process, which two queries at the same time would use up for each other."""


@contextmanager
def stopped_late(connection: Any, limit_s: float, *, needed: bool = True) -> Iterator[None]:
    """Have what this thread asks of a connection of DuckDB interrupted when it has worked for so long, again and again until the block ends: DuckDB forgets
    an interrupt that comes before it begins to run a query. Where no thread can begin to watch, RuntimeError, unless it is not `needed`."""
    done = threading.Event()
    watching = (connection, limit_s, _clock(), _Waited(), done)
    try:
        threading.Thread(target=_watch, args=watching, daemon=True).start()
    except RuntimeError:
        if needed:
            raise
    try:
        yield
    finally:
        done.set()


def _watch(connection: Any, limit_s: float, clock: Callable[[], float], waited: _Waited, done: threading.Event) -> None:
    try:
        worked, begun, left = clock(), time.monotonic() - waited.seconds(), limit_s
        while not done.wait(max(left, INTERRUPTS_S)):
            left = limit_s - (clock() - worked)
            if left <= 0 or time.monotonic() - waited.seconds() - begun > PATIENCE * limit_s:
                left = 0
                connection.interrupt()
    except OSError:  # of the clock: the thread is gone, and what it asked is done
        return


def _clock() -> Callable[[], float]:
    """The processor time of this thread, for others to read; where the system does not tell it, that of the process."""
    if not IS_OF_THREADS:
        return time.process_time
    number = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(number)


class _Waited:
    """How long this thread has waited for a processor that others had, as Linux counts it; elsewhere nobody says it."""

    def __init__(self) -> None:
        self._path = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    def seconds(self) -> float:
        """So far."""
        try:
            return int(self._path.read_text(encoding="ascii").split()[1]) / NS
        except (OSError, IndexError):  # no such system, or the thread is gone
            return 0.0
