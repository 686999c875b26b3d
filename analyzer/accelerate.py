"""The only place that knows numba's flags. Compiled code lives in modules named `*_kernel.py` and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

Int = Any  # a number inside kernels: numba decides between int64 and uint64, and a type checker cannot follow

# Without numba's reference counting: passing an array to a helper would cost two atomic instructions each time (half of
# the time of decoding a frame). In return no kernel may allocate an array; what it needs is passed to it.
FLAGS: dict[str, Any] = {"nogil": True, "_nrt": False}

# Modules whose values kernels hold as constants (tests/test_layers.py compares this with what kernels import).
CONSTANTS = (
    "accelerate.py", "schema.py", "serial.py", "kinds.py", "tables.py", "decode/codes.py", "decode/link.py", "flows/state.py",
    "checksums/state.py", "counters/predicted.py", "counters/predict_state.py",
)  # fmt: skip

NOTICE_AFTER_S = 1.0  # loading compiled kernels takes a fraction of this, compiling them several times as long


def kernel(function: Function) -> Function:
    """Compile a function over arrays and scalars; the machine code is kept on disk for the next start."""
    compiled: Function = njit(cache=True, **FLAGS)(function)
    _stamp_with_all_kernels(compiled)
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


def _stamp_with_all_kernels(compiled: Any) -> None:
    """Make cached code stale when any kernel module changes.

    numba compares only the file of the outermost function, but a kernel contains helpers and constants of others.
    """
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if cache_file is not None:  # None with NUMBA_DISABLE_JIT=1
        cache_file._source_stamp = (cache_file._source_stamp, _kernel_stamps())


def _kernel_stamps() -> tuple[tuple[str, int, int], ...]:
    package = Path(__file__).parent
    files = sorted(package.rglob("*_kernel.py")) + [package / name for name in CONSTANTS]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
