"""The only place that knows numba's flags. Compiled code lives in modules named `*_kernel.py` and nowhere else."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

Int = Any  # a number inside kernels: numba decides between int64 and uint64, and a type checker cannot follow

# Without numba's reference counting: passing an array to a helper would cost two atomic instructions each time (half of
# the time of decoding a frame). In return no kernel may allocate an array; what it needs is passed to it.
FLAGS: dict[str, Any] = {"nogil": True, "_nrt": False}

PACKAGE = Path(__file__).parent
_IMPORT = re.compile(rf"^from ({PACKAGE.name}[\w.]*) import ", re.MULTILINE)

NOTICE_AFTER_S = 1.0  # loading compiled kernels takes a fraction of this, compiling them several times as long


def kernel(function: Function) -> Function:
    """Compile a function over arrays and scalars; the machine code is kept on disk for the next start."""
    compiled: Function = njit(cache=True, **FLAGS)(function)
    _stamp_with_sources(compiled)
    return compiled


def inline(function: Function) -> Function:
    """Compile a helper of kernels. It is not cached on its own: its callers contain it, without a call."""
    compiled: Function = njit(forceinline=True, **FLAGS)(function)
    return compiled


@contextmanager
def announced(notify: Callable[[str], None]) -> Iterator[None]:
    """Tell the user, through `notify`, when what runs inside takes so long that it must be compiling."""
    text = "compiling the kernels, once after installation; later starts skip this"
    timer = threading.Timer(NOTICE_AFTER_S, notify, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _stamp_with_sources(compiled: Any) -> None:
    """Make cached code stale when a module changes that its own imports, directly or not.

    numba compares only the file of the outermost function, but a kernel contains helpers and constants of others.
    """
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if cache_file is not None:  # None with NUMBA_DISABLE_JIT=1
        module = _file_of(compiled.py_func.__module__)
        cache_file._source_stamp = (cache_file._source_stamp, tuple(map(_stamp, sorted(sources(module)))))


def sources(module: Path) -> frozenset[Path]:
    """A module's file, and those of all modules of this package that it needs when it is imported."""
    found, waiting = set(), [module]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imported(file))
    return frozenset(found)


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """The modules of this package that one imports at its top: what a kernel holds comes from there."""
    return tuple(map(_file_of, _IMPORT.findall(file.read_text(encoding="utf-8"))))


def _file_of(module: str) -> Path:
    """analyzer.decode.codes -> its file."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _stamp(file: Path) -> tuple[str, int, int]:
    found = file.stat()
    return file.name, found.st_mtime_ns, found.st_size
