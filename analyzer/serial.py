"""32-bit serial arithmetic for sequence numbers, acknowledgments and timestamps (RFC 1982, RFC 9293 section 3.4).

It exists once. The functions take Python integers, NumPy arrays or the integers of compiled code, which inlines them.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def difference(a: Any, b: Any) -> Any:
    """How far `a` is ahead of `b`: from -2**31 to 2**31 - 1."""
    return (np.int64(a) - np.int64(b)) << 32 >> 32  # the low half, with its sign


def unwrap(wire: Any, near: Any) -> Any:
    """The 64-bit position that `wire` abbreviates and that lies nearest to the position `near`."""
    return near + difference(wire, near & 0xFFFFFFFF)
