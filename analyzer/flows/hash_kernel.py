"""Compiled: hashes of packets, by which conversations, addresses and servers are found.

A table that is searched place after place takes a secret seed into its hash, since who knows where each key falls can make a
search as long as the table. Nothing that is read from a file may meet the seed's result unmixed: a port that is XORed onto an
address which is XORed onto the mixed seed can be cancelled by the address, whatever the seed.

A table with one place for each hash, or a few, needs none: each search is as short. There the latest keeps its place, and a
secret seed would let chance decide what is forgotten; the answer must not depend on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.time_state import SORTS

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
def folded(high: Any, low: Any) -> Int:
    """An address as 32 bits; those of IPv4 are different for different addresses."""
    if high == np.uint64(0) and low >> np.uint64(32) == np.uint64(0xFFFF):
        return low & np.uint64(0xFFFFFFFF)
    return mix(high ^ mix(low)) & np.uint64(0xFFFFFFFF)


@inline
def address_of(hi: Any, lo: Any, seed: Any) -> Any:
    """An address behind the seed."""
    return mix(hi ^ mix(lo ^ seed))


@inline
def hash_of(row: Any, seed: Any) -> Any:
    """The same for both directions of a conversation: a sum over the two ends."""
    src = mix(address_of(row["src_hi"], row["src_lo"], seed) ^ np.uint64(row["src_port"]))
    dst = mix(address_of(row["dst_hi"], row["dst_lo"], seed) ^ np.uint64(row["dst_port"]))
    return mix(src + dst + np.uint64(row["ip_proto"]))


@inline
def sort_of_quoted(row: Any) -> Int:
    """What `sort_of` says of the packet that an ICMP error quotes."""
    none = np.uint64(0)
    src = mix(address_of(row["quoted_src_hi"], row["quoted_src_lo"], none) ^ np.uint64(row["quoted_src_port"]))
    dst = mix(address_of(row["quoted_dst_hi"], row["quoted_dst_lo"], none) ^ np.uint64(row["quoted_dst_port"]))
    return np.int64(mix(src + dst + np.uint64(row["quoted_proto"])) & np.uint64(SORTS - 1))


@inline
def sort_of(row: Any) -> Int:
    """One of SORTS, the same for all packets of a conversation, here and wherever else they are judged: without a secret.

    Who has all flows fall into one sort gains no more than that they are judged by one process.
    """
    return np.int64(hash_of(row, np.uint64(0)) & np.uint64(SORTS - 1))


@inline
def place_in(places: Int, sort: Int, key: Any) -> Int:
    """Where a key has its place in a table of so many (a multiple of SORTS): those of one sort push out none of another."""
    each = places // SORTS
    return sort * each + np.int64(key % np.uint64(each))


@inline
def way_of(src_hi: Any, src_lo: Any, dst_hi: Any, dst_lo: Any, protocol: Any, seed: Any) -> Any:
    """Another for each direction between two addresses."""
    there = mix(address_of(src_hi, src_lo, seed) ^ np.uint64(protocol))
    return mix(there + address_of(dst_hi, dst_lo, seed))


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
