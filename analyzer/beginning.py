"""How a process of its own begins, before it imports what it works with: nothing is started that it does not need."""

from __future__ import annotations

import gc
import os

YOUNG, OLDER, OLDEST = 100_000, 10, 10


def begin() -> None:
    """For the command and for processes that do its tasks; a Python that is somebody else's is left as it is.

    NumPy's library for linear algebra starts a thread for each core, which waits by turning round and round for a while: it gets
    none, unless the environment says how many. And Python looks for garbage whenever 700 objects more are there than before, which
    while modules are imported they always are, and hardly ever finds some.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(YOUNG, OLDER, OLDEST)
