"""Compiled copy of records from one buffer into another."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import kernel


@kernel
def copy_records(source: Any, offsets: Any, sizes: Any, target: Any, starts: Any) -> None:
    """Copy `sizes[i]` bytes at `source[offsets[i]]` to `target[starts[i]]`, for every i. All ranges lie inside."""
    for i in range(len(offsets)):
        for k in range(sizes[i]):  # a slice assignment would allocate, in case the two overlap
            target[starts[i] + k] = source[offsets[i] + k]


def load() -> None:
    """Call the kernel on nothing, so that it is loaded (or compiled) now. Sources are read-only, as windows are."""
    none, source = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    source.flags.writeable = False
    copy_records(source, none, none, np.zeros(0, np.uint8), none)
