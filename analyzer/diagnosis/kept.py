"""What is kept for whoever asks next, and closed before this process forks: the threads of DuckDB do not come along, and who frees a database there
waits for them for ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable

_releases: list[Callable[[], None]] = []


def until_forks(release: Callable[[], None]) -> None:
    """Have `release` called before each fork; it closes what nobody is using."""
    _releases.append(release)


def release() -> None:
    """Close all that is kept and not in use: then a process that has no other threads has one again."""
    for each in _releases:
        each()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=release)
