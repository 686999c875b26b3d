"""Compiled reading of what ss prints behind the addresses of a socket: text -> numbers, flags, and where names stand.

`start` and `end` are places in `text` (uint8): a word, or what is left of it. Nothing outside of them is looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, in_library, inline, kernel, part, rows_of, view_of
from analyzer.sockets.words import (
    CGROUP,
    DECIMAL,
    DECIMAL_PAIR,
    FIRST_MEMORY,
    FIRST_RATE,
    FIRST_TIMER,
    FNV,
    HEX,
    MASK,
    MEMORY,
    NAME_BYTES,
    OPTIONS,
    PAIR,
    PRIME,
    SLOTS,
    TIMER,
    WHOLE,
)

if not in_library():
    from analyzer.sockets.numbers_kernel import (
        DOT,
        LOWER_A,
        MINUS,
        ZERO,
        is_digit,
        put_decimal,
        put_hex,
        put_whole,
    )

SPACE, TAB, COLON, EQUALS, COMMA, SLASH, UNDERSCORE = 32, 9, 58, 61, 44, 47, 95
CLOSE, LESS, GREATER = 41, 60, 62
LOWER_Z, UPPER_A, UPPER_Z = 122, 65, 90
MAX_TIMER_MS = 10**15
SACK_BIT, ECNSEEN_BIT, ECN_BIT, TS_BIT = 1, 3, 2, 0


@inline
def is_space(byte: Int) -> Any:
    """Between words stand spaces and tabs."""
    return byte == SPACE or byte == TAB


@inline
def same(text: Any, start: Int, end: Int, names: Any, row: Int) -> Any:
    """Is this the name in a row of `names` (uint8, padded with zeros)?"""
    size = end - start
    if size > NAME_BYTES:
        return False
    for n in range(size):
        if text[start + n] != names[row, n]:
            return False
    return size == NAME_BYTES or names[row, size] == 0


@inline
def found_in(text: Any, start: Int, end: Int, names: Any) -> Int:
    """Which of `names` it is, -1 for none."""
    for row in range(len(names)):
        if same(text, start, end, names, row):
            return np.int64(row)
    return np.int64(-1)


@inline
def meaning_of(text: Any, start: Int, end: Int, letters: Any) -> Int:
    """The slot of a word that takes a value, -1 for one that is not known."""
    size = end - start
    if size > NAME_BYTES:
        return np.int64(-1)
    number = np.int64(FNV)
    for n in range(size):
        number = (number ^ np.int64(text[start + n])) * PRIME & MASK
    slot = number % SLOTS
    while letters[slot, 0] != 0:
        if same(text, start, end, letters, slot):
            return slot
        slot = (slot + 1) % SLOTS
    return np.int64(-1)


@part
def put_memory(text: Any, start: Int, end: Int, row: Int, words: Any, wholes: Any, known: Any) -> Int:
    """Read `(r0,rb131072,...)` into the columns of its letters: where it ends."""
    at = start + 1
    while at < end and text[at] != CLOSE:
        name = at
        while at < end and LOWER_A <= text[at] <= LOWER_Z:
            at += 1
        which = found_in(text, name, at, words)
        if which >= 0:
            at = put_whole(text, at, end, row, FIRST_MEMORY + which, wholes, known)
        while at < end and text[at] != COMMA and text[at] != CLOSE:
            at += 1
        if at < end and text[at] == COMMA:
            at += 1
    return min(at + 1, end)


@part
def put_timer(text: Any, start: Int, end: Int, row: Int, names: Any, wholes: Any, known: Any, codes: Any) -> None:
    """Read `(keepalive,1min23sec,0)`: its name, when it expires in ms, and how often it was restarted.

    Three digits behind a dot are milliseconds and what stands before it are seconds, whatever unit is written: up to
    iproute2 6.1 `4.790ms` is 4.79 s.
    """
    at = start + 1
    name = at
    while at < end and text[at] != COMMA:
        at += 1
    which = found_in(text, name, at, names)
    codes[row, 2] = which if which > 0 else len(names) - 1
    at += 1
    total, fits = np.int64(0), True
    while at < end and text[at] != COMMA and text[at] != CLOSE:
        if not is_digit(text[at]):
            return
        value: Int = np.int64(0)
        digits = 0
        while at < end and is_digit(text[at]):
            value, digits = value * 10 + (np.int64(text[at]) - ZERO), digits + 1
            fits = fits and digits <= 9
            value = min(value, 10**9)
            at += 1
        dotted = at < end and text[at] == DOT
        if dotted:
            at += 1
            part_ms, places = np.int64(0), 0
            while at < end and is_digit(text[at]):
                if places < 3:
                    part_ms, places = part_ms * 10 + (np.int64(text[at]) - ZERO), places + 1
                at += 1
            while places < 3:
                part_ms, places = part_ms * 10, places + 1
            value = value * 1000 + part_ms
        unit = at
        while at < end and LOWER_A <= text[at] <= LOWER_Z:
            at += 1
        if at == unit and not dotted and value > 0:
            return
        if not dotted:
            first = text[unit] if unit < at else 0
            second = text[unit + 1] if unit + 1 < at else 0
            if first == 115:  # sec
                value *= 1000
            elif first == 109 and second == 105:  # min
                value *= 60_000
            elif first == 104:  # hours
                value *= 3_600_000
        total += value
        fits = fits and total < MAX_TIMER_MS
    if fits:
        wholes[row, FIRST_TIMER] = np.uint64(total)
        known[row, FIRST_TIMER] = 1
    if at < end and text[at] == COMMA:
        put_whole(text, at + 1, end, row, FIRST_TIMER + 1, wholes, known)


@part
def put_bare(text: Any, start: Int, end: Int, row: Int, told: Any, flags: Any, codes: Any, spans: Any) -> None:
    """A word without a value: a flag, a closed side, or the congestion control, the last other word before numbers are `told`.

    The flag before an algorithm may hang on it: `sackcubic` (iproute2 2.6.32).
    """
    which = found_in(text, start, end, flags)
    if which >= 0:
        codes[row, 0] |= 1 << which
        return
    size = end - start
    first = text[start]
    if size == 3 and text[start + 1] == MINUS and (first == LESS or first == MINUS):
        reads, writes = first == LESS, text[start + 2] == GREATER
        if reads and writes:
            codes[row, 1] = 1
        elif writes:
            codes[row, 1] = 2
        elif reads:
            codes[row, 1] = 3
        else:
            codes[row, 1] = 4
        return
    if told or not LOWER_A <= first <= LOWER_Z:
        return
    for n in range(start, end):
        byte = text[n]
        plain = LOWER_A <= byte <= LOWER_Z or UPPER_A <= byte <= UPPER_Z or is_digit(byte)
        if not (plain or byte == MINUS or byte == UNDERSCORE):
            return
    if size > 7 and same(text, start, start + 7, flags, ECNSEEN_BIT):
        codes[row, 0], start = codes[row, 0] | 1 << ECNSEEN_BIT, start + 7
    elif size > 4 and same(text, start, start + 4, flags, SACK_BIT):
        codes[row, 0], start = codes[row, 0] | 1 << SACK_BIT, start + 4
    elif size > 3 and same(text, start, start + 3, flags, ECN_BIT):
        codes[row, 0], start = codes[row, 0] | 1 << ECN_BIT, start + 3
    elif size > 2 and same(text, start, start + 2, flags, TS_BIT):
        codes[row, 0], start = codes[row, 0] | 1 << TS_BIT, start + 2
    spans[row, 0], spans[row, 1] = start, end


@kernel(
    text=view_of(np.uint8),
    bounds=view_of(np.int64, 2),
    letters=view_of(np.uint8, 2),
    meanings=view_of(np.int64, 2),
    flags=view_of(np.uint8, 2),
    rates=view_of(np.uint8, 2),
    timers=view_of(np.uint8, 2),
    memory=view_of(np.uint8, 2),
    wholes=rows_of(np.uint64, 2),
    decimals=rows_of(np.float64, 2),
    known=rows_of(np.uint8, 2),
    codes=rows_of(np.int64, 2),
    spans=rows_of(np.int64, 2),
)
def read_words(
    text: Any,
    bounds: Any,
    letters: Any,
    meanings: Any,
    flags: Any,
    rates: Any,
    timers: Any,
    memory: Any,
    wholes: Any,
    decimals: Any,
    known: Any,
    codes: Any,
    spans: Any,
) -> None:
    """Fill a row for each of `bounds` (start, end in `text`, uint8) from the words that stand there.

    `letters` to `memory` are the names of words.py. Of zeros before: `wholes` (uint64, a column for each of WHOLES),
    `decimals` (float64, DECIMALS), `known` (uint8, WHOLES then DECIMALS: was it printed?), `codes` (bits of FLAGS, one of
    SHUTDOWNS, one of TIMERS), `spans` (start and end of the congestion control and of the cgroup; 0, 0 without).
    """
    first_known = wholes.shape[1]
    for row in range(len(bounds)):
        at, last = bounds[row, 0], bounds[row, 1]
        rate, told, inside = np.int64(-1), False, False
        while at < last:
            while at < last and is_space(text[at]):
                at += 1
            start = at
            mark = np.int64(-1)
            while at < last and not is_space(text[at]):
                if mark < 0 and (text[at] == COLON or text[at] == EQUALS):
                    mark = at
                at += 1
            if at == start:
                break
            if inside:
                inside = text[at - 1] != CLOSE
                continue
            if rate >= 0:
                put_decimal(text, start, at, row, FIRST_RATE + rate, first_known, decimals, known, True)
                rate = np.int64(-1)
                continue
            if mark < 0:
                rate = found_in(text, start, at, rates)
                if rate < 0:
                    put_bare(text, start, at, row, told, flags, codes, spans)
                else:
                    told = True
                continue
            slot = meaning_of(text, start, mark, letters)
            if slot < 0:
                continue
            how, column = meanings[slot, 0], meanings[slot, 1]
            value = mark + 1
            if how == WHOLE:
                put_whole(text, value, at, row, column, wholes, known)
                told = told or column > 3
            elif how == DECIMAL:
                put_decimal(text, value, at, row, column, first_known, decimals, known, False)
                told = True
            elif how == PAIR:
                end = put_whole(text, value, at, row, column, wholes, known)
                if end < at and (text[end] == COMMA or text[end] == SLASH):
                    put_whole(text, end + 1, at, row, column + 1, wholes, known)
                told = True
            elif how == DECIMAL_PAIR:
                end = put_decimal(text, value, at, row, column, first_known, decimals, known, False)
                if end < at and text[end] == SLASH:
                    put_decimal(text, end + 1, at, row, column + 1, first_known, decimals, known, False)
                told = True
            elif how == HEX:
                put_hex(text, value, at, row, column, wholes, known)
            elif how == MEMORY:
                end = put_memory(text, value, at, row, memory, wholes, known)
                if end < at:
                    put_bare(text, end, at, row, told, flags, codes, spans)
            elif how == TIMER:
                put_timer(text, value, at, row, timers, wholes, known, codes)
            elif how == CGROUP:
                spans[row, 2], spans[row, 3] = value, at
            elif how == OPTIONS:
                inside = True
