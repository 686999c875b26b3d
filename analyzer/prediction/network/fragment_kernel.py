"""Compiled prediction of reassembly: ip_frag_queue(), ip6_frag_queue(), and ip_expire() for what stays incomplete.

A fragment that is there already is dropped without a word; one that overlaps others, or says another end, ends the packet. An ICMP error (time exceeded,
code 1) tells of packets that were given up, if their first fragment had come; the others end in silence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.emit_kernel import NO_FLOW, add, add_of, packet_bytes
from analyzer.prediction.names import NUMBER
from analyzer.prediction.world import ON_FRAGMENTS

REASM_OKS = (NUMBER["IpReasmOKs"], NUMBER["Ip6ReasmOKs"])
REASM_FAILS = (NUMBER["IpReasmFails"], NUMBER["Ip6ReasmFails"])
REASM_TIMEOUT = (NUMBER["IpReasmTimeout"], NUMBER["Ip6ReasmTimeout"])
REASM_OVERLAPS = NUMBER["IpExtReasmOverlaps"]
LATE_NS = 3_000_000_000  # by how much such a timer may be late
MORE = 1
UNIT = 8


@part
def fragment_received(row: Any, world: Any, out: Any) -> Int:
    """A fragment for the host: the ICMP type of the packet that it completes, 256 for another protocol; else -1."""
    six = 1 if row["ip_version"] == 6 else 0
    world["hangs"] |= ON_FRAGMENTS
    entry = entry_of(row, six, world, out)
    start = np.int64(row["fragment_offset"])
    stop = start + packet_bytes(row) - (np.int64(row["l4_at"]) - np.int64(row["l3_at"]))
    first, after = start // UNIT, (stop + UNIT - 1) // UNIT
    if after <= first or after > UNIT * len(entry["units"]):
        return -1
    last = not row["ip_flags"] & MORE
    known = np.int64(entry["end"])
    if (after < entry["top"] and last) or (known >= 0 and (after > known or (last and after != known))):
        entry["until_ns"] = 0
        add(row, REASM_FAILS[six], 1, out)
        return -1
    there = 0
    for unit in range(first, after):
        there += entry["units"][unit >> 3] >> (unit & 7) & 1
    if there == after - first:
        return -1
    if there:
        entry["until_ns"] = 0
        add(row, REASM_FAILS[six], 1, out)
        if not six:
            add(row, REASM_OVERLAPS, 1, out)
        return -1
    for unit in range(first, after):
        entry["units"][unit >> 3] |= 1 << (unit & 7)
    entry["held"] += after - first
    if start == 0:
        entry["icmp_type"], entry["port"] = row["icmp_type"], row["dst_port"]
    entry["top"] = max(np.int64(entry["top"]), after)
    if last:
        entry["end"] = after
    if entry["held"] != entry["end"]:
        return -1
    entry["until_ns"] = 0
    world["port"] = entry["port"]
    add(row, REASM_OKS[six], 1, out)
    return np.int64(entry["icmp_type"]) if row["ip_proto"] == (58 if six else 1) else 256


@inline
def entry_of(row: Any, six: Int, world: Any, out: Any) -> Any:
    """The packet that a fragment belongs to; if it is new, in a free place, or in that of the oldest."""
    pool = world["fragments"]
    oldest = 0
    for k in range(len(pool)):
        entry = pool[k]
        if (
            entry["until_ns"] != 0
            and entry["six"] == six
            and entry["id"] == row["ip_id"]
            and entry["src_lo"] == row["src_lo"]
            and entry["src_hi"] == row["src_hi"]
            and entry["dst_lo"] == row["dst_lo"]
            and entry["dst_hi"] == row["dst_hi"]
            and (six or entry["proto"] == row["ip_proto"])
        ):
            return entry
        if entry["until_ns"] < pool[oldest]["until_ns"]:
            oldest = k
    entry = pool[oldest]
    if entry["until_ns"] != 0:
        given_up(row, entry, out)
    settings = world
    entry["until_ns"] = row["time_ns"] + settings["reassembly_ns"][six]
    if settings["next_ns"] == 0 or entry["until_ns"] < settings["next_ns"]:
        settings["next_ns"] = entry["until_ns"]
    entry["six"], entry["frame"], entry["id"], entry["proto"] = six, row["frame"], row["ip_id"], row["ip_proto"]
    entry["src_hi"], entry["src_lo"], entry["dst_hi"], entry["dst_lo"] = (
        row["src_hi"],
        row["src_lo"],
        row["dst_hi"],
        row["dst_lo"],
    )
    entry["end"], entry["held"], entry["icmp_type"], entry["port"] = -1, 0, 0, 0
    entry["units"][:] = entry["top"] = 0
    return entry


@inline
def given_up(row: Any, entry: Any, out: Any) -> None:
    """Its time is over, at the earliest by now; no ICMP error told exactly when."""
    six = np.int64(entry["six"])
    for late in (0, LATE_NS):
        amount = 1 if late == 0 else 0
        for counter in (REASM_FAILS[six], REASM_TIMEOUT[six]):
            add_of(NO_FLOW, entry["until_ns"] + late, entry["frame"], counter, amount, 0, 1, out)
    entry["until_ns"] = 0


@part
def expire(row: Any, world: Any, out: Any) -> None:
    """Give up what has waited too long by this frame. Called when the first of these times is over; some at a time."""
    pool, settings = world["fragments"], world
    settings["next_ns"] = 0
    done = 0
    for k in range(len(pool)):
        entry = pool[k]
        until = np.int64(entry["until_ns"])
        if until == 0:
            continue
        if done < 4 and until + LATE_NS <= row["time_ns"]:
            given_up(row, entry, out)
            done += 1
        elif settings["next_ns"] == 0 or until + LATE_NS < settings["next_ns"]:
            settings["next_ns"] = until + LATE_NS


@part
def reassembly_told(row: Any, world: Any, out: Any) -> None:
    """The host says that the time for a packet is over, and quotes it: the oldest between these addresses."""
    pool = world["fragments"]
    found = -1
    for k in range(len(pool)):
        entry = pool[k]
        if (
            entry["until_ns"] != 0
            and entry["src_lo"] == row["quoted_src_lo"]
            and entry["src_hi"] == row["quoted_src_hi"]
            and entry["dst_lo"] == row["quoted_dst_lo"]
            and entry["dst_hi"] == row["quoted_dst_hi"]
            and (found < 0 or entry["until_ns"] < pool[found]["until_ns"])
        ):
            found = k
    if found >= 0:
        pool[found]["until_ns"] = 0
    six = 1 if row["ip_version"] == 6 else 0
    add(row, REASM_FAILS[six], 1, out)
    add(row, REASM_TIMEOUT[six], 1, out)
