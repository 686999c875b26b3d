"""Lists of sockets at the interval of the snapshots, or less often where a list takes long: a busy host has many."""

from __future__ import annotations

import time

from analyzer.record.kernel import NET, steady_ns
from analyzer.record.tools import first_printed, path_of

SS = (("ss", "-tanimoeOH"), ("ss", "-tanimoeH"), ("ss", "-tanimoe"))  # of iproute2 4.20 on, and before
SHARE = 5  # of the time, a list takes one part in so many at most


class Lister:
    """Takes lists of sockets in the namespace of the calling thread. `kind` is `ss`, or `proc` where there is no ss."""

    def __init__(self) -> None:
        self.kind = "ss" if path_of("ss") else "proc"
        self.failed = 0
        self._next_ns = 0

    @property
    def is_due(self) -> bool:
        """Has enough time passed since the last one?"""
        return steady_ns() >= self._next_ns

    def listed(self) -> tuple[int, str] | None:
        """When, and the text; None where ss did not answer."""
        start_ns, time_ns = steady_ns(), time.time_ns()
        text = first_printed(*SS) if self.kind == "ss" else _proc()
        took_ns = steady_ns() - start_ns
        self._next_ns = start_ns + SHARE * took_ns
        if text is None:
            self.failed += 1
            return None
        return time_ns, text


def _proc() -> str:
    files = (NET / name for name in ("tcp", "tcp6"))
    return "".join(file.read_text(encoding="ascii") for file in files if file.exists())
