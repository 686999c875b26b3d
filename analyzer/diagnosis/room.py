"""No more memory than this, for a while: what a query makes of texts, DuckDB's own limit does not count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import resource
except ImportError:  # a system without limits
    resource = None  # type: ignore[assignment]

BYTES = 1 << 30


@contextmanager
def bounded_memory(more: int = BYTES) -> Iterator[None]:
    """Have the process get no more than so many bytes beyond those that it has: what wants more fails with its own error of too little memory.

    It holds for all threads, until the end of the block; where the system does not say how much there is, nothing is bounded.
    """
    used = _used()
    if resource is None or used is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [used + more, *(each for each in before if each != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _used() -> int | None:
    """The bytes of data that the process has, as RLIMIT_DATA counts them; None where nobody says it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmData:")]
    return int(found[0]) * 1024 if found else None
