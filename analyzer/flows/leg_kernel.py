"""Compiled: two connections that are one, before and behind a NAT."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.hash_kernel import mix

LEG_NS = 10_000_000  # a NAT does not keep a packet for longer
LEG_HOPS = 8


@inline
def find_leg(row: Any, state: Any, place: Int, end: Int, states: Any, legs: Any) -> None:
    """The SYN of a new flow: is it that of another one, after (or before) a NAT has changed one of its addresses?

    The ports, the ISN and the timestamp are the same, and the IPv4 ID; without timestamps it must have lost some of its TTL,
    since tools that probe many hosts send them all the same.
    """
    key = np.uint64(row["src_port"]) << np.uint64(48) ^ np.uint64(row["dst_port"]) << np.uint64(32)
    key = mix(key ^ np.uint64(row["seq"]) ^ mix(np.uint64(row["tsval"]) << np.uint64(16) ^ np.uint64(row["window"])))
    leg = legs[key & np.uint64(len(legs) - 1)]
    hops = np.int64(leg["ttl"]) - np.int64(row["ttl"])
    same = leg["key"] == key and row["seq"] != 0 and leg["ip_id"] == row["ip_id"]
    sure = row["tsval"] != 0 or (row["ip_version"] == 4 and row["ip_id"] != 0 and 0 < hops <= LEG_HOPS)
    if same and sure and 0 <= row["time_ns"] - leg["time_ns"] <= LEG_NS:
        other = states[leg["place"]]
        mine, yours = np.int64(end), np.int64(other["client"])
        source = (
            state["address_lo"][mine] == other["address_lo"][yours]
            and state["address_hi"][mine] == other["address_hi"][yours]
        )
        target = (
            state["address_lo"][1 - mine] == other["address_lo"][1 - yours]
            and state["address_hi"][1 - mine] == other["address_hi"][1 - yours]
        )
        if other["flow"] == leg["flow"] and other["ip_version"] == state["ip_version"] and source != target:
            is_root = other["leg_of"] < 0
            state["leg_of"] = other["flow"] if is_root else other["leg_of"]
            state["leg_place"] = leg["place"] if is_root else other["leg_place"]
            if states[state["leg_place"]]["flow"] == state["leg_of"]:
                states[state["leg_place"]]["leg"] = state["flow"]
    leg["key"], leg["flow"], leg["time_ns"] = key, state["flow"], row["time_ns"]
    leg["ip_id"], leg["place"], leg["ttl"] = row["ip_id"], place, row["ttl"]
