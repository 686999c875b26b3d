"""What a datagram, or a fragment of one, is known by at another capture point, as one reads it aloud: from the bytes of its frame."""

from __future__ import annotations

from typing import Any

SHORT, LONG = 24, 256
WORD = (1 << 64) - 1


def likeness(frame: bytes, row: Any, layers: set[str], stop: str) -> tuple[int, bool]:
    """The hashes of the beginning of the payload, and whether less is captured than they are made of; 0 of what is none."""
    piece = bool(layers & {"fragment", "reassembled"})
    datagram = piece or (stop == "decoded" and layers & {"udp", "icmp", "icmpv6"})
    if not datagram or row["ip_proto"] == 6 or stop not in ("decoded", "fragment"):
        return 0, False
    skipped = 0 if piece else 8 if "udp" in layers else 6
    start = int(row["l4_at"]) + skipped
    end = int(row["l3_at"]) + int(row["ip_len"])
    length = max(0, end - start)
    payload = frame[start : start + length]
    kind = int(row["icmp_type"]) | int(row["icmp_code"]) << 8
    short, begun = (_hash(payload[:most], kind << 32) for most in (SHORT, LONG))
    whole = mix(begun ^ length)  # its beginning is that of the first of the pieces that it may be cut into, too
    return mix(whole) << 32 & WORD | mix(short) >> 32 | 1, len(payload) < min(length, LONG)


def _hash(data: bytes, seed: int) -> int:
    state = mix(seed)
    for byte in data:
        state = (state ^ byte) * 0x9E3779B97F4A7C15 & WORD
        state ^= state >> 29
    return state


def mix(value: int) -> int:
    """A 64-bit finaliser."""
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & WORD
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & WORD
    return value ^ value >> 33
