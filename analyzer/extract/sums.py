"""Checksums that stay as right, or as wrong, as they were, whatever is changed of what they cover. RFC 1071, 1624."""

from __future__ import annotations

import numpy as np

ONES = 0xFFFF


def sum16(data: bytes | bytearray | memoryview) -> int:
    """The ones' complement sum of 16-bit words, modulo 65535; an odd byte at the end is the high one of a word."""
    whole = len(data) & ~1
    total = int(np.frombuffer(data, ">u2", whole // 2).sum(dtype=np.uint64))
    return (total + (data[-1] << 8 if whole < len(data) else 0)) % ONES


def carried_over(field: int, old: int, new: int, old_pseudo: int = 0, new_pseudo: int = 0, *, length: int = 0) -> int:
    """The checksum field after a change. `old` and `new` are sums of what it covers without the field, and of the pseudo-header
    without the length, which is `length`.

    A right one stays right, a wrong one is off by as much as before, 0 stays 0 where it is wrong or means that there is none;
    and the sum of the pseudo-header alone, which the kernel leaves for the card to finish, becomes that of the new one.
    """
    right = (field + old + old_pseudo + length) % ONES == 0
    if field == 0 and not right:
        return 0
    if not right and (field - old_pseudo) % ONES in (0, length % ONES):
        return (field + new_pseudo - old_pseudo) % ONES or ONES
    return ONES - (ONES - field + new + new_pseudo - old - old_pseudo) % ONES


def compensation(data: bytes | memoryview) -> bytes:
    """Zeros with the sum of these bytes in the first word: for fragments, whose checksum stands in another frame."""
    if len(data) < 2:
        return bytes(data)
    return sum16(data).to_bytes(2) + bytes(len(data) - 2)
