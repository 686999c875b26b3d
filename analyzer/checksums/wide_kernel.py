"""Compiled: the sum of the halves of many 64-bit words, two additions a word.

All words are summed, which may overflow, and their high halves, which does not: that of the low halves follows from what is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import inline

HALF = np.uint64(32)


@inline
def sum_of_halves(words: Any, first: Any, last: Any, head: Any, tail: Any) -> Any:
    """Of `words[first : last + 1]`, which the caller has checked; of the first only the bits of `head` count, of the last those of `tail`."""
    whole = words[first] & head
    if first == last:
        whole &= tail
    high = whole >> HALF
    if first != last:
        for k in range(first + np.uintp(1), last):
            word = words[k]
            whole += word
            high += word >> HALF
        word = words[last] & tail
        whole += word
        high += word >> HALF
    return whole - (high << HALF) + high
