"""Queries that strangers wrote are read once in a process of their own, with little memory and time: DuckDB's parser knows no limits.

Of nested brackets that nobody closes, and other texts of a hundred bytes, it makes gigabytes, and cannot be interrupted meanwhile. What
a rule or an assistant asks is tried before it comes near a process that others need. This file is also what that process runs:
queries as JSON in, a line for each that was read out. It imports nothing of ours, so that it starts soon.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module

SECONDS = 5
BYTES = 1 << 29
START_S = 300  # until the process has begun, on a busy machine
TOO_MUCH = f"takes DuckDB more than {SECONDS} s or {BYTES >> 20} MB to read"
_harmless: set[str] = set()
_harmful: set[str] = set()


def harmful(queries: Iterable[str]) -> set[str]:
    """Those of the queries that cannot be read within SECONDS and BYTES; what is no SQL is harmless. Each is tried once."""
    wanted = list(dict.fromkeys(queries))
    waiting = [query for query in wanted if query not in _harmless | _harmful]
    while waiting:
        count = _read(waiting)
        _harmless.update(waiting[:count])
        _harmful.update(waiting[count : count + 1])
        waiting = waiting[count + 1 :]
    return _harmful.intersection(wanted)


def _read(queries: list[str]) -> int:
    """How many of them are read before one is too much."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", __file__],
            input=json.dumps(queries).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=START_S + SECONDS * len(queries),
            check=False,
        )
        said = done.stdout
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
    return said.count(b"\n")


def main() -> None:
    """Read each query, alone and as a rule's is asked."""
    # Its compiled part alone, where the installed version has that apart: the package around it takes four times as long to import.
    try:
        duckdb = import_module("_duckdb")
    except ImportError:
        duckdb = import_module("duckdb")

    connection = duckdb.connect(":memory:", config={"threads": 1, "temp_directory": ""})
    try:
        import resource
    except ImportError:  # a system without limits: the parent's clock is one
        resource = None  # type: ignore[assignment]
    for query in json.load(sys.stdin):
        if resource is not None:
            used = resource.getrusage(resource.RUSAGE_SELF)
            seconds = int(used.ru_utime + used.ru_stime) + SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for text in (query, f"SELECT * FROM (\n{query}\n) LIMIT 1"):
            try:
                connection.extract_statements(text)
            except duckdb.OutOfMemoryException:
                sys.exit(1)
            except duckdb.Error:  # no SQL, which is said where it is asked
                continue
        sys.stdout.write("read\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
