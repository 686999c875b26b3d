"""Compiled reading of the numbers that ss prints: whole ones of 64 bits, hexadecimal ones, and what C prints as %g.

`start` and `end` are places in `text` (uint8); nothing outside of them is looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part

DOT, MINUS, PLUS, E, NINE, ZERO = 46, 45, 43, 101, 57, 48
LOWER_A, LOWER_F = 97, 102
TERA, GIGA, MEGA, KILO, SMALL_KILO = 84, 71, 77, 75, 107
MAX_DIGITS = 18


@inline
def is_digit(byte: Int) -> Any:
    """0 to 9."""
    return ZERO <= byte <= NINE


@part
def put_whole(text: Any, start: Int, end: Int, row: Int, column: Int, wholes: Any, known: Any) -> Int:
    """Read a number of up to 64 bits into its column: where it ends; `start` where there is none."""
    at = start
    value, rest, scale, digits = np.int64(0), np.int64(0), np.int64(1), 0
    while at < end and is_digit(text[at]):
        digit = np.int64(text[at]) - ZERO
        if digits < MAX_DIGITS:
            value = value * 10 + digit
        elif digits < 20:
            rest, scale = rest * 10 + digit, scale * 10
        if value > 0 or digit > 0:
            digits += 1
        at += 1
    too_large = digits > 20 or (
        digits == 20 and (value > 184467440737095516 or (value == 184467440737095516 and rest > 15))
    )
    if at > start and not too_large:
        wholes[row, column] = np.uint64(value) * np.uint64(scale) + np.uint64(rest)
        known[row, column] = 1
    return at


@inline
def put_hex(text: Any, start: Int, end: Int, row: Int, column: Int, wholes: Any, known: Any) -> None:
    """Read a hexadecimal number of up to 64 bits into its column."""
    value = np.uint64(0)
    if end == start or end - start > 16:
        return
    for at in range(start, end):
        byte = np.int64(text[at])
        if is_digit(byte):
            digit = byte - ZERO
        elif LOWER_A <= byte <= LOWER_F:
            digit = byte - LOWER_A + 10
        else:
            return
        value = value << np.uint64(4) | np.uint64(digit)
    wholes[row, column] = value
    known[row, column] = 1


@part
def put_decimal(
    text: Any, start: Int, end: Int, row: Int, column: Int, first_known: Int, decimals: Any, known: Any, units: Any
) -> Int:
    """Read a number with a fraction or an exponent into its column: where it ends; `start` where there is none.

    With `units`, it is a rate: K, M, G or T may follow. `first_known` is where `known` has the decimals' columns.
    """
    at = start
    value, digits, power = np.int64(0), 0, 0
    point, any_digit = False, False
    while at < end and (is_digit(text[at]) or (text[at] == DOT and not point)):
        if text[at] == DOT:
            point = True
        else:
            any_digit = True
            if digits < MAX_DIGITS:
                value = value * 10 + (np.int64(text[at]) - ZERO)
                digits += 1 if value > 0 else 0
                power -= 1 if point else 0
            elif not point:
                power += 1
        at += 1
    if not any_digit:
        return start
    if at + 1 < end and text[at] == E and (is_digit(text[at + 1]) or text[at + 1] in (MINUS, PLUS)):
        minus = text[at + 1] == MINUS
        at += 1 if is_digit(text[at + 1]) else 2
        exponent: Int = 0
        while at < end and is_digit(text[at]):
            exponent = min(exponent * 10 + (np.int64(text[at]) - ZERO), 1000)
            at += 1
        power += -exponent if minus else exponent
    if units and at < end:
        unit = text[at]
        if unit == TERA:
            power += 12
        elif unit == GIGA:
            power += 9
        elif unit == MEGA:
            power += 6
        elif unit == KILO or unit == SMALL_KILO:
            power += 3
    # Both factors are exact up to 10**22, so that the quotient is the number nearest to what was printed.
    number = np.float64(value)
    while power > 0 and number < 1e290:
        step = min(power, 22)
        number *= 10.0**step
        power -= step
    while power < 0 and number > 0.0:
        step = min(-power, 22)
        number /= 10.0**step
        power += step
    decimals[row, column] = number
    known[row, first_known + column] = 1
    return at
