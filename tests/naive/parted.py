"""Which share each packet row goes to, and what of it must come back."""

from __future__ import annotations

from analyzer.schema import Rows

READ = {
    "frame", "time_ns", "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "ip_proto", "ip_version", "interface", "ifindex",
    "length", "layers", "ip_id", "ip_len", "seq", "ack", "payload_len", "tsval", "tsecr", "sack_count", "sack_left_1", "sack_right_1",
    "sack_left_2", "sack_right_2", "sack_left_3", "sack_right_3", "sack_left_4", "sack_right_4", "flags", "window", "options", "mss",
    "window_scale", "fast_open_len", "stop", "ttl", "tos", "vlan", "vlan_depth", "tunnel_depth", "tunnel_id", "link_direction", "header_len",
    "ip_header_checksum", "told", "told_len", "more_len",
}  # fmt: skip
"""The columns by which rows are followed and judged."""
OF_OTHERS: set[str] = set()
"""Columns that kernels in the same folders read of rows that come from elsewhere."""
MASK = (1 << 64) - 1
TCP, UDP = 6, 17


def has_flow(row: Rows) -> bool:
    """Is it of TCP or UDP, with a whole header?"""
    words = int(row["header_len"])
    return (row["ip_proto"] == TCP and words >= 20) or (row["ip_proto"] == UDP and words == 8)


def mix(value: int) -> int:
    """The finaliser of MurmurHash3."""
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def sort_of(row: Rows) -> int:
    """By the sum of what the two ends give, so that both directions have the same."""
    ends = [
        mix(mix(int(row[f"{end}_hi"]) ^ mix(int(row[f"{end}_lo"]))) ^ int(row[f"{end}_port"])) for end in ("src", "dst")
    ]
    return mix((sum(ends) + int(row["ip_proto"])) & MASK) % 64


def shares(rows: Rows, count: int) -> list[list[int]]:
    """The places of the rows of each share."""
    found: list[list[int]] = [[] for _ in range(count)]
    for place, row in enumerate(rows):
        if has_flow(row):
            found[sort_of(row) % count].append(place)
    return found


def opening(rows: Rows) -> list[int]:
    """The places of those with a SYN alone."""
    return [
        place for place, row in enumerate(rows) if has_flow(row) and row["ip_proto"] == TCP and row["flags"] & 0x12 == 2
    ]
