"""DuckDB for the rules, open and empty: with their macros, and without any way out to files, network or settings.

To load and to open it takes longer than a dozen rules, and hardly holds Python back: whoever knows early that rules will be asked has it opened by
another thread meanwhile.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any, TypeVar

from analyzer.diagnosis.kept import until_forks

Kept = TypeVar("Kept")

AT_ONCE = 2  # queries: most of the time of one is that of its planning, which DuckDB does in one thread
MEMORY = "512MB"
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": MEMORY,
    "temp_directory": "",  # else what does not fit is spilled into the current folder, which may hold somebody's evidence
}

# Where Python is asked line by line DuckDB paints a bar over what is being written, once a query takes two seconds.
NO_BAR = "SET enable_progress_bar = false"

# What rules write often: a duration, a size, and a number with its noun, as in the summaries.
MACROS = (
    """duration(ns) AS CASE WHEN ns < 1000 THEN printf('%d ns', ns::BIGINT) WHEN ns < 999500 THEN printf('%.3g us', ns / 1e3)
    WHEN ns < 999500000 THEN printf('%.3g ms', ns / 1e6) WHEN ns < 100000000000 THEN printf('%.3g s', ns / 1e9)
    WHEN ns < 3600000000000 THEN printf('%d s', (ns / 1e9)::BIGINT) ELSE printf('%.1f h', ns / 3.6e12) END""",
    """size(bytes) AS CASE WHEN bytes < 1000 THEN printf('%d B', bytes::BIGINT) WHEN bytes < 999500 THEN printf('%.3g kB', bytes / 1e3)
    WHEN bytes < 999500000 THEN printf('%.3g MB', bytes / 1e6) ELSE printf('%.4g GB', bytes / 1e9) END""",
    "many(n, noun) AS format('{:,} {}', n::BIGINT, noun) || CASE WHEN n = 1 THEN '' ELSE 's' END",
    "endpoint(address, port) AS CASE WHEN contains(address, ':') THEN printf('[%s]:%d', address, port) ELSE printf('%s:%d', address, port) END",
)


def engine() -> Any:
    """DuckDB: its compiled part alone where the installed version has that apart, as the package around it takes longer to import than a dozen rules to ask."""
    try:
        return importlib.import_module("_duckdb")
    except ImportError:
        return importlib.import_module("duckdb")


def opened(*, new: bool = False) -> list[Any]:
    """Connections to one database, which is empty: to make its tables, and AT_ONCE to ask it at the same time.

    It is the one that somebody has given back, unless it shall be `new`; or that was opened ahead; or one that is opened now.
    """
    if not new and (free := _last(_free)):
        return free
    waiting = _last(_ahead)
    return (waiting and waiting.taken()) or _open()


def give_back(connections: list[Any]) -> None:
    """Keep a database that is empty again for whoever asks next; one is enough."""
    if _free:
        close(connections)
    else:
        _free.append(connections)


def close(connections: list[Any]) -> None:
    """Give the memory of a database back."""
    for connection in reversed(connections):
        connection.close()


def open_ahead() -> None:
    """Have a thread begin to open one for whoever asks next. Where that cannot be, whoever asks does it, and says what is wrong."""
    if _ahead or _free:
        return
    waiting = _Opening()
    try:
        waiting.start()
    except RuntimeError:  # no more threads: it is opened when it is needed
        return
    _ahead.append(waiting)


class _Opening(threading.Thread):
    """No daemon: the end of the process waits for it, as a thread of C++ that is cut off takes the process with it."""

    def __init__(self) -> None:
        super().__init__(name="tcpcap-rules")
        self._connections: list[Any] = []

    def run(self) -> None:
        try:
            self._connections = _open()
        except Exception:  # noqa: BLE001 whoever needs it opens one again, and fails with the same words
            self._connections = []

    def taken(self) -> list[Any]:
        """The connections, when it is open; none where it could not be opened."""
        self.join()
        return self._connections


_ahead: list[_Opening] = []
_free: list[list[Any]] = []


def _last(kept: list[Kept]) -> Kept | None:
    """The last of them, which is nobody else's from now on: another thread may be faster."""
    try:
        return kept.pop()
    except IndexError:
        return None


def _release() -> None:
    while waiting := _last(_ahead):
        close(waiting.taken())
    while free := _last(_free):
        close(free)


until_forks(_release)


def _open() -> list[Any]:
    connection = engine().connect(":memory:", config=SETTINGS)
    for macro in MACROS:
        connection.execute(f"CREATE MACRO {macro}")
    connections = [connection, *(connection.cursor() for _ in range(AT_ONCE))]
    for each in connections:
        each.execute(NO_BAR)
        each.execute("SET python_enable_replacements = false")  # Python's own variables are no tables
    # From here on nothing can be set. Access to files is taken away last: given with the others, DuckDB may apply it first, and then refuses
    # where to spill.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connections
