"""What is put on disk so that captures can be read more than once: it goes with the last one who reads them, at the latest with the process."""

from __future__ import annotations

import os
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from analyzer.output import removed

_readers: Counter[str] = Counter()  # of each path, how many there are
_made: dict[str, list[tuple[Path | None, Callable[[], None]]]] = {}  # for it: temporary folders, and what forgets each
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_made.clear)  # what the parent reads goes with the parent


def made_for(path: str, folder: Path | None, forget: Callable[[], None] = lambda: None) -> None:
    """A temporary folder was made for whoever reads `path`, or nothing but what `forget` forgets when all of them are gone."""
    _made.setdefault(path, []).append((folder, forget))


class Reader:
    """Somebody who reads captures, now and perhaps later: as long as there is one, what was put on disk for their paths stays.

    Nobody need call `close`: it is enough that nobody knows the Reader any more.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        paths = tuple(paths)
        _readers.update(paths)
        self.close = weakref.finalize(self, _left, paths)


def _left(paths: Sequence[str]) -> None:
    """A reader of these paths is gone."""
    _readers.subtract(paths)
    for path in set(paths):
        if _readers[path] > 0:
            continue
        del _readers[path]
        for folder, forget in _made.pop(path, ()):
            forget()
            if folder is not None:
                removed(folder)
