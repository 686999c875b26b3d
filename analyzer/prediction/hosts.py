"""The addresses of a host as a table in which the kernels find one at once, however many there are."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MOST_SLOTS = 16  # for each address, so that a search is short


def host_table(addresses: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The table (u8, n by 2). Its first row: a mask, and how many rows may hold an address, from one that the address tells.

    In the rows behind it are addresses in halves, or the same one again where there would be none.
    """
    halves = list(dict.fromkeys(map(_halves, addresses)))
    size = 1
    tables = [_filled(halves, size)]
    while size < MOST_SLOTS * len(halves) and tables[-1][0][1] > 1:
        size *= 2
        tables.append(_filled(halves, size))
    return np.array(min(tables, key=lambda table: (table[0][1], len(table))), np.uint64)


def _filled(halves: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """A table with so many rows (a power of two) that may be the first for an address, and as many more as are needed."""
    rows: list[tuple[int, int] | None] = [None] * (size + len(halves))
    searched = 0
    for each in halves:
        first = at = _first(*each) & (size - 1)
        while rows[at] is not None:
            at += 1
        rows[at] = each
        searched = max(searched, at - first + 1)
    known = [row or halves[0] for row in rows[: size + searched - 1]] if halves else []
    return [(size - 1, searched), *known]


def _first(high: int, low: int) -> int:
    """As is_mine() has it."""
    mixed = high ^ low
    mixed ^= mixed >> 32
    return mixed ^ mixed >> 16


def _halves(text: str) -> tuple[int, int]:
    """An address as the tables store it."""
    address = ipaddress.ip_address(text)
    value = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    return value >> 64, value & (1 << 64) - 1
