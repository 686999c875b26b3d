"""Compiled copy of records from one buffer into another."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import kernel, rows_of, view_of


@kernel(
    source=view_of(np.uint8),
    offsets=view_of(np.int64),
    sizes=view_of(np.int64),
    target=rows_of(np.uint8),
    starts=view_of(np.int64),
)
def copy_records(source: Any, offsets: Any, sizes: Any, target: Any, starts: Any) -> None:
    """Copy `sizes[i]` bytes at `source[offsets[i]]` to `target[starts[i]]`, for every i. All ranges lie inside."""
    for i in range(len(offsets)):
        for k in range(sizes[i]):  # a slice assignment would allocate, in case the two overlap
            target[starts[i] + k] = source[offsets[i] + k]
