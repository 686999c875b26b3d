"""Compiled ones' complement sums (RFC 1071), eight bytes at a time.

A sum does not depend on byte order but for a final swap (RFC 1071 section 2 (B)), so words are read as the machine has
them. `words` are the aligned 64-bit words of `buffer` from its byte `skip` on; what lies outside them is added byte by
byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.checksums.wide_kernel import HALF, sum_of_halves

LOW32 = np.uint64(0xFFFFFFFF)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@inline
def fold(total: Int) -> Int:
    """A sum of 16-bit words, carries added back until none is left: 0..65535, and 0 only for no bits at all."""
    total = (total & 0xFFFFFFFF) + (total >> 32)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)


@inline
def swapped(value: Int) -> Int:
    """The two bytes of a 16-bit word exchanged."""
    return (value & 0xFF) << 8 | value >> 8


@inline
def single_bytes(buffer: Any, skip: Int, start: Int, stop: Int) -> Int:
    """The sum of a few bytes, each in the half of a word where the machine's words have it."""
    total: Int = 0
    for at in range(start, stop):
        total += np.int64(buffer[np.uintp(at)]) << (8 if (at - skip) & 1 else 0)
    return total


@inline
def sum_of(buffer: Any, words: Any, skip: Int, start: Int, stop: Int) -> Int:
    """The folded sum of the big-endian words of `buffer[start:stop]`, which the caller has checked."""
    if stop <= start:
        return 0
    begin, end = max(start, skip), min(stop, skip + 8 * len(words))
    if begin >= end:
        total = single_bytes(buffer, skip, start, stop)
    else:
        total = single_bytes(buffer, skip, start, begin) + single_bytes(buffer, skip, end, stop)
        first, last = np.uintp(begin - skip >> 3), np.uintp(end - skip - 1 >> 3)
        head = ALL << np.uint64((begin - skip & 7) * 8)
        tail = ALL >> np.uint64((-(end - skip) & 7) * 8)
        wide = sum_of_halves(words, first, last, head, tail)
        total += np.int64((wide & LOW32) + (wide >> HALF))
    total = fold(total)
    return total if start - skip & 1 else swapped(total)


@part
def sum_apart(buffer: Any, words: Any, skip: Int, start: Int, stop: Int) -> Int:
    """The same, called: for what is rarely summed."""
    return sum_of(buffer, words, skip, start, stop)


@inline
def sum32(value: Int) -> Int:
    """The two halves of a 32-bit number."""
    return (value & 0xFFFF) + (value >> 16 & 0xFFFF)


@inline
def sum64(value: Any) -> Int:
    """The four 16-bit words of a 64-bit number."""
    return sum32(np.int64(value & LOW32)) + sum32(np.int64(value >> HALF))
