"""Large tables of zeros, whose memory the system gives page by page as they are written to, and takes back at once."""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

_OWN = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
_LARGE: int | None = getattr(mmap, "MADV_HUGEPAGE", None)


def blank(count: int, dtype: npt.DTypeLike, *, dense: bool = False) -> npt.NDArray[Any]:
    """An array of so many zeros, of one dimension, which begins with a page. Of a `dense` one most is used, from its start on.

    What np.zeros gives may be memory that was used before, all of which is then zeroed by hand; or it comes in pages so large that a
    few entries here and there cost as much as all of them. Tables that are mostly empty, and made again and again, come from here.
    """
    kind = np.dtype(dtype)
    memory = mmap.mmap(-1, max(count * kind.itemsize, 1), **_OWN)
    if dense and _LARGE is not None:
        with suppress(OSError):  # a system without large pages gives small ones
            memory.madvise(_LARGE)
    return np.frombuffer(memory, kind, count)
