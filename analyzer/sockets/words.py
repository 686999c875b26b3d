"""The words that ss prints behind a socket's addresses, and the columns that they fill: declared once, for the kernel that reads them."""

from __future__ import annotations

import numpy as np

from analyzer.tables import SOCKET_FLAGS, TIMERS

NAME_BYTES = 16
SLOTS = 512

# How the value of a word is written.
WHOLE, DECIMAL, PAIR, DECIMAL_PAIR, HEX, MEMORY, TIMER, CGROUP, OPTIONS = range(1, 10)

MEMORY_WORDS = ("r", "rb", "t", "tb", "f", "w", "o", "bl", "d")

# The words of whole numbers, each with the columns of its number, or of its two numbers.
_NUMBERS: dict[str, tuple[int, tuple[str, ...]]] = {
    "uid": (WHOLE, ("uid",)),
    "ino": (WHOLE, ("inode",)),
    "sk": (HEX, ("cookie",)),
    "v6only": (WHOLE, ("v6only",)),
    "wscale": (PAIR, ("snd_wscale", "rcv_wscale")),
    "backoff": (WHOLE, ("backoff",)),
    "qack": (WHOLE, ("qack",)),
    **{
        name: (WHOLE, (name,))
        for name in (
            "mss", "pmtu", "rcvmss", "advmss", "cwnd", "ssthresh", "bytes_sent", "bytes_retrans", "bytes_acked",
            "bytes_received", "segs_out", "segs_in", "data_segs_out", "data_segs_in",
        )
    },
    **{name: (WHOLE, (f"{name}_ms",)) for name in ("lastsnd", "lastrcv", "lastack")},
    "delivered": (WHOLE, ("delivered",)),
    "delivered_ce": (WHOLE, ("delivered_ce",)),
    **{name: (WHOLE, (f"{name}_ms",)) for name in ("busy", "rwnd_limited", "sndbuf_limited")},
    "unacked": (WHOLE, ("unacked",)),
    "retrans": (PAIR, ("retrans", "retrans_total")),
    **{
        name: (WHOLE, (name,))
        for name in (
            "lost", "sacked", "fackets", "dsack_dups", "reordering", "reord_seen", "rcv_space", "rcv_ssthresh",
            "notsent", "rcv_ooopack", "snd_wnd", "rcv_wnd", "rehash",
        )
    },
}  # fmt: skip
_DECIMALS: dict[str, tuple[int, tuple[str, ...]]] = {
    "rto": (DECIMAL, ("rto_ms",)),
    "rtt": (DECIMAL_PAIR, ("rtt_ms", "rttvar_ms")),
    "ato": (DECIMAL, ("ato_ms",)),
    "rcv_rtt": (DECIMAL, ("rcv_rtt_ms",)),
    "minrtt": (DECIMAL, ("minrtt_ms",)),
}
RATES = ("send_bps", "pacing_rate_bps", "delivery_rate_bps")
"""Rates follow their name as a word of their own: `send 1.2Mbps`."""
_TIMES = ("timer_expires_ms", "timer_retransmissions")

WHOLES = (
    *(column for _, columns in _NUMBERS.values() for column in columns),
    *_TIMES,
    *(f"skmem_{word}" for word in MEMORY_WORDS),
)
DECIMALS = (*(column for _, columns in _DECIMALS.values() for column in columns), *RATES)
FIRST_MEMORY = WHOLES.index("skmem_r")
FIRST_TIMER = WHOLES.index("timer_expires_ms")
FIRST_RATE = DECIMALS.index("send_bps")
HAS_TWO = ("wscale", "retrans", "rtt")

FNV, PRIME, MASK = 2166136261, 16777619, 0xFFFFFFFF


def _hash(name: bytes) -> int:
    number = FNV
    for byte in name:
        number = (number ^ byte) * PRIME & MASK
    return number


def _table() -> tuple[np.ndarray, np.ndarray]:
    """The words by their hash: their letters (SLOTS x NAME_BYTES), and how each is written with its first column (SLOTS x 2)."""
    letters = np.zeros((SLOTS, NAME_BYTES), np.uint8)
    meanings = np.zeros((SLOTS, 2), np.int64)
    words = {name: (kind, WHOLES.index(columns[0])) for name, (kind, columns) in _NUMBERS.items()}
    words |= {name: (kind, DECIMALS.index(columns[0])) for name, (kind, columns) in _DECIMALS.items()}
    words |= {"mem": (MEMORY, 0), "skmem": (MEMORY, 0), "timer": (TIMER, 0), "cgroup": (CGROUP, 0)}
    words |= {"inet-sockopt": (OPTIONS, 0)}
    for name, meaning in words.items():
        slot = _hash(name.encode()) % SLOTS
        while meanings[slot, 0]:
            slot = (slot + 1) % SLOTS
        letters[slot, : len(name)] = list(name.encode())
        meanings[slot] = meaning
    return letters, meanings


LETTERS, MEANINGS = _table()


def _listed(words: tuple[str, ...]) -> np.ndarray:
    letters = np.zeros((len(words), NAME_BYTES), np.uint8)
    for row, word in enumerate(words):
        letters[row, : len(word)] = list(word.encode())
    return letters


FLAG_LETTERS = _listed(SOCKET_FLAGS)
RATE_LETTERS = _listed(tuple(name.removesuffix("_bps") for name in RATES))
TIMER_LETTERS = _listed(TIMERS)
MEMORY_LETTERS = _listed(MEMORY_WORDS)
