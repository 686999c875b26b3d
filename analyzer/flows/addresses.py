"""Addresses as text -> as rows of tables store them, and which rows have them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Halves = npt.NDArray[np.uint64]


def halves(address: str) -> tuple[np.uint64, np.uint64]:
    """The high and the low 64 bits; an IPv4 address is mapped into IPv6."""
    found = ipaddress.ip_address(address)
    value = int(found) if found.version == 6 else 0xFFFF << 32 | int(found)
    return np.uint64(value >> 64), np.uint64(value & (1 << 64) - 1)


def among(high: Halves, low: Halves, addresses: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which are one of these addresses; all, where there are none."""
    if not addresses:
        return np.ones(len(high), np.bool_)
    found = np.zeros(len(high), np.bool_)
    for one, other in map(halves, addresses):
        found |= (high == one) & (low == other)
    return found
