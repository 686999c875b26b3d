"""Once this is imported, `--jobs` reads captures of any size in parts; `python -m tests.in_parts ...` is the command so."""

from __future__ import annotations

import time
from pathlib import Path

from analyzer.cluster import asked, ranges, tables

asked.LEAST_IN_PARTS = 0
tables.LEAST_BYTES = dict.fromkeys(tables.LEAST_BYTES, 0)
ranges.LEAST_RANGE = 1 << 12

WORKER = b"analyzer.cluster.worker"
WAIT_S = 60.0  # for what a process began to end behind it


def workers_left(temporary: Path) -> list[int]:
    """The processes with this TMPDIR that still do tasks, after as long as they may take to end."""
    until = time.monotonic() + WAIT_S
    while (found := _workers(temporary)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _workers(temporary: Path) -> list[int]:
    mark, found = f"TMPDIR={temporary}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if WORKER in (process / "cmdline").read_bytes() and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


if __name__ == "__main__":
    from analyzer.__main__ import main

    main()
