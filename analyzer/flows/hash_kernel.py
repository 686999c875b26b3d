"""Compiled: hashes of packets, by which conversations, addresses and servers are found."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import inline

TCP_ACK = 16


@inline
def mix(value: Any) -> Any:
    """A 64-bit finaliser: every input bit changes about half of the output bits."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ value >> np.uint64(33)


@inline
def hash_of(row: Any, seed: Any) -> Any:
    """The same for both directions of a conversation: a sum over the two ends."""
    src = mix(row["src_hi"] ^ mix(row["src_lo"] ^ seed) ^ np.uint64(row["src_port"]))
    dst = mix(row["dst_hi"] ^ mix(row["dst_lo"] ^ seed) ^ np.uint64(row["dst_port"]))
    return mix(src + dst + np.uint64(row["ip_proto"]))


@inline
def pair_of(row: Any) -> Any:
    """The same for both directions between two addresses; never 0."""
    src = mix(row["src_hi"] ^ mix(row["src_lo"]))
    return mix(src + mix(row["dst_hi"] ^ mix(row["dst_lo"])) + np.uint64(row["ip_version"])) | np.uint64(1)


@inline
def server_of(row: Any) -> Any:
    """The same for all SYNs to an address and port, and the SYN-ACKs from there; never 0."""
    port = np.uint64(row["ip_version"]) << np.uint64(16)
    if row["flags"] & TCP_ACK:
        return mix(row["src_hi"] ^ mix(row["src_lo"] ^ mix(port | np.uint64(row["src_port"])))) | np.uint64(1)
    return mix(row["dst_hi"] ^ mix(row["dst_lo"] ^ mix(port | np.uint64(row["dst_port"])))) | np.uint64(1)
