"""Steps in time from frame to frame: which are regular."""

from __future__ import annotations

from typing import Any

# Frames of one sender come as regularly as a line passes them; a longer step, kept to within a thousandth, is nobody's line.
REGULAR_NS, STEP_SHIFT = 100_000, 10


def is_regular(step_ns: Any, before_ns: Any) -> Any:
    """Is a step as long as the one before it? Both are int64, in nanoseconds."""
    return step_ns >= REGULAR_NS and abs(step_ns - before_ns) <= step_ns >> STEP_SHIFT
