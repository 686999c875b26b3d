"""The values of counters: whole numbers of 64 bits, some of them signed (TcpMaxConn is -1 where there is no limit)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

HIGHEST, LOWEST = (1 << 64) - 1, -(1 << 63)
_DIGITS = 20


class TooLargeError(Exception):
    """A number that no kernel counter can hold; its text is the message."""


def whole(text: str) -> int:
    """The number that a text of digits stands for."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    if len(digits) > _DIGITS:
        raise TooLargeError(text if len(text) <= 40 else f"a number of {len(digits)} digits")
    value = -int(digits) if text.startswith("-") else int(digits)
    if not LOWEST <= value <= HIGHEST:
        raise TooLargeError(text)
    return value


def whole_decimal(value: Decimal) -> int | None:
    """The whole number that a decimal one is; None where it has a fraction or is no number."""
    if not value.is_finite():
        return None
    if value.adjusted() >= _DIGITS:
        raise TooLargeError(f"{value:.3E}")
    if value != value.to_integral_value():
        return None
    if not LOWEST <= value <= HIGHEST:
        raise TooLargeError(f"{value:f}")
    return int(value)


def whole_number(value: int | Decimal) -> int | None:
    """The same of any number."""
    fits = isinstance(value, int) and LOWEST <= value <= HIGHEST
    return int(value) if fits else whole_decimal(Decimal(value))


def decimal_of(text: str) -> Decimal | None:
    """A number with or without exponent (6.02937418e+08), exactly; None for what is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
