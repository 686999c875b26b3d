"""Compiled: packets that the host has passed on of late: seen again as they leave, or quoted by an error that takes them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.prediction.emit_kernel import add, packet_bytes
from analyzer.prediction.names import NUMBER
from analyzer.prediction.world import ON_PASSED


def both(name4: str, name6: str) -> tuple[int, int]:
    """A counter of IPv4, and of IPv6."""
    return NUMBER[name4], NUMBER[name6]


OUT_TRANSMITS, OUT_OCTETS = both("IpOutTransmits", "Ip6OutTransmits"), both("IpExtOutOctets", "Ip6OutOctets")
FRAG_OKS, FRAG_CREATES = both("IpFragOKs", "Ip6FragOKs"), both("IpFragCreates", "Ip6FragCreates")


@inline
def remember(row: Any, size: Int, world: Any) -> None:
    """Keep it for a while, in a ring."""
    at = world["passed_at"]
    world["passed_at"] = (at + 1) % len(world["passed"])
    kept = world["passed"][at]
    kept["src_hi"], kept["src_lo"], kept["dst_hi"], kept["dst_lo"] = (
        row["src_hi"],
        row["src_lo"],
        row["dst_hi"],
        row["dst_lo"],
    )
    kept["proto"], kept["src_port"], kept["dst_port"] = row["ip_proto"], row["src_port"], row["dst_port"]
    kept["seq"], kept["size"] = row["seq"], size
    kept["id"], kept["ttl"], kept["left"] = row["ip_id"], row["ttl"], 0


@inline
def taken_back(row: Any, world: Any) -> Int:
    """Bytes of the packet that an ICMP error quotes, which was thought to be passed on, the last of them; 0 for another."""
    at = quoted(row, world)
    if at < 0:
        return 0
    size = np.int64(world["passed"][at]["size"])
    world["passed"][at]["size"] = 0
    return size


@inline
def quoted(row: Any, world: Any) -> Int:
    """Where the packet stands that an ICMP error quotes, the last of them; -1 for another."""
    world["hangs"] |= ON_PASSED
    size_of_ring = len(world["passed"])
    for back in range(1, size_of_ring + 1):
        at = np.int64((world["passed_at"] + size_of_ring - back) % size_of_ring)
        kept = world["passed"][at]
        if (
            kept["size"] > 0
            and kept["dst_lo"] == row["quoted_dst_lo"]
            and kept["dst_hi"] == row["quoted_dst_hi"]
            and kept["src_lo"] == row["quoted_src_lo"]
            and kept["src_hi"] == row["quoted_src_hi"]
            and kept["proto"] == row["quoted_proto"]
            and kept["src_port"] == row["quoted_src_port"]
            and kept["dst_port"] == row["quoted_dst_port"]
            and (kept["proto"] != 6 or kept["seq"] == row["quoted_seq"])
        ):
            return at
    return np.int64(-1)


@inline
def leaves(row: Any, six: Int, world: Any, out: Any) -> Any:
    """Is it a packet that was captured as it came in, or a fragment of one? Then it was counted, but for being cut (ip_do_fragment())."""
    piece = row["fragment_offset"] != 0 or row["ip_flags"] & 1 != 0
    world["hangs"] |= ON_PASSED
    for k in range(len(world["passed"])):
        kept = world["passed"][k]
        if (
            kept["size"] > 0
            and kept["left"] != 1
            and kept["id"] == row["ip_id"]
            and kept["ttl"] == row["ttl"] + 1
            and kept["dst_lo"] == row["dst_lo"]
            and kept["dst_hi"] == row["dst_hi"]
            and kept["src_lo"] == row["src_lo"]
            and kept["src_hi"] == row["src_hi"]
            and kept["proto"] == row["ip_proto"]
            and (
                row["fragment_offset"] != 0
                or (kept["src_port"] == row["src_port"] and kept["dst_port"] == row["dst_port"])
            )
            and (row["ip_proto"] != 6 or row["fragment_offset"] != 0 or kept["seq"] == row["seq"])
        ):
            size = packet_bytes(row)
            if not piece or size == kept["size"]:
                kept["left"] = 1
                return True
            whole = np.int64(kept["size"])
            first = kept["left"] == 0
            kept["left"] = 2
            add(row, FRAG_CREATES[six], 1, out)
            if first:
                add(row, FRAG_OKS[six], 1, out)
            add(row, OUT_TRANSMITS[six], 0 if first else 1, out)
            add(row, OUT_OCTETS[six], size - whole if first else size, out)
            return True
    return False
