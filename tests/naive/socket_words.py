"""The words of ss behind the addresses, read with regular expressions, one at a time."""

from __future__ import annotations

import re

_WHOLE = r"(?<!\S){}[:=](\d+)"
_WORDS = {
    "inode": "ino", "uid": "uid", "cwnd": "cwnd", "mss": "mss", "bytes_acked": "bytes_acked", "segs_in": "segs_in",
    "lastsnd_ms": "lastsnd", "delivered": "delivered", "busy_ms": "busy", "rcv_ooopack": "rcv_ooopack",
}  # fmt: skip
_DECIMALS = {"rto_ms": "rto", "minrtt_ms": "minrtt"}
_NUMBER = r"((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"


def numbers_in(words: str) -> dict[str, int | float | None]:
    """The columns of some of the words, with the value of their last mention that has one; None where there is none."""
    words = " ".join(re.sub(r"inet-sockopt[:=]\S*(?: [^)]*?\S*\)|.*)", "", words).split())
    found: dict[str, int | float | None] = {}
    for column, word in _WORDS.items():
        values = [int(each) for each in re.findall(_WHOLE.format(word), _without_rates(words))]
        fitting = [value for value in values if value < 1 << 64]
        found[column] = fitting[-1] if fitting else None
    for column, word in _DECIMALS.items():
        numbers = re.findall(rf"(?<!\S){word}[:=]{_NUMBER}", _without_rates(words))
        found[column] = float(numbers[-1]) if numbers else None
    return found


def _without_rates(words: str) -> str:
    """The word behind the name of a rate is its value, whatever it is."""
    return re.sub(r"(?<!\S)(?:send|pacing_rate|delivery_rate) \S+", "", words)
