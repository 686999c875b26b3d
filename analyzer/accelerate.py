"""The only place that knows numba's flags. Compiled code lives in modules named `*_kernel.py` and nowhere else."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from numba import njit
from numba.core import types

Function = TypeVar("Function", bound=Callable[..., Any])

Int = Any  # a number inside kernels: numba decides between int64 and uint64, and a type checker cannot follow

# Without numba's reference counting: passing an array to a helper would cost two atomic instructions each time (half of
# the time of decoding a frame). In return no kernel may allocate an array; what it needs is passed to it.
FLAGS: dict[str, Any] = {"nogil": True, "_nrt": False}
# Of what only other kernels call: without the ways in from Python and C, which take as long to compile as the function.
INTERNAL: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

PACKAGE = Path(__file__).parent
_IMPORT = re.compile(rf"^from ({PACKAGE.name}[\w.]*) import ", re.MULTILINE)

NOTICE_AFTER_S = 1.0  # loading compiled kernels takes a fraction of this, compiling them several times as long


def kernel(function: Function) -> Function:
    """Compile a function over arrays and scalars; the machine code is kept on disk for the next start."""
    compiled: Function = _for_any_value(njit(cache=True, **FLAGS)(function))
    _stamp_with_sources(compiled)
    return compiled


def part(function: Function) -> Function:
    """Compile a large helper of kernels on its own. Only they may call it: from Python there is no way in, and a crash instead."""
    compiled: Function = _for_any_value(njit(cache=True, **INTERNAL, **FLAGS)(function))
    _stamp_with_sources(compiled)
    return compiled


def inline(function: Function) -> Function:
    """Compile a small helper of kernels: they contain it, without a call. Nor may Python call it."""
    compiled: Function = _for_any_value(njit(forceinline=True, **INTERNAL, **FLAGS)(function))
    return compiled


@contextmanager
def announced(notify: Callable[[str], None]) -> Iterator[None]:
    """Tell the user, through `notify`, when what runs inside takes so long that it must be compiling.

    An interrupt meanwhile is not lost: LLVM calls back into Python, and there exceptions end unseen.
    """
    text = "compiling the kernels, once after installation; later starts skip this"
    timer = threading.Timer(NOTICE_AFTER_S, notify, [text])
    timer.daemon = True
    timer.start()
    interrupts: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        timer.cancel()
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupts:
        raise KeyboardInterrupt


def _for_any_value(compiled: Any) -> Any:
    """Have a function compiled once for any number of a type: by default numba compiles it anew for each constant it is called with."""
    plain: Callable[[Any], Any] = types.unliteral
    resolve = getattr(compiled, "get_call_template", None)
    if resolve is not None:  # None with NUMBA_DISABLE_JIT=1
        compiled.get_call_template = lambda args, kws: resolve(
            tuple(map(plain, args)), {name: plain(each) for name, each in kws.items()}
        )
    return compiled


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
