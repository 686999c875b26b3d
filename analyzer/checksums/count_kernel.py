"""Compiled: what is counted of each packet in its direction."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline, part
from analyzer.checksums.check_kernel import ALL_ONES, address_sum, is_piece
from analyzer.checksums.direction_kernel import ANY, NOBODY
from analyzer.checksums.state import BAD, OFFSETS, PARTIAL, VALID, ZERO
from analyzer.checksums.sum_kernel import fold, sum32, sum_apart
from analyzer.decode.codes import DECODED, IN, O_MSS, OUT

LARGEST_UNMERGED = 1600  # bytes: an ordinary Ethernet carries no larger packet
SYN = 2


@inline
def count(row: Any, d: Any) -> None:
    """What is counted of every frame."""
    state, header = row["checksum"], row["ip_header_checksum"]
    d["frames"] += 1
    d["bytes"] += row["length"]
    if d["states"][state] == 0:
        d["first"][state] = row["frame"]
    d["states"][state] += 1
    if d["headers"][header] == 0:
        d["first_header"][header] = row["frame"]
    d["headers"][header] += 1
    d["last_ns"] = row["time_ns"]
    d["ttl_min"], d["ttl_max"] = min(d["ttl_min"], row["ttl"]), max(d["ttl_max"], row["ttl"])
    if row["link_direction"] == OUT:
        d["out"] += 1
    elif row["link_direction"] == IN:
        d["into"] += 1
    if state == VALID:
        d["valid_largest"] = max(d["valid_largest"], row["ip_len"])
        d["bare_valid"] += is_bare(row)
    elif state == PARTIAL:
        d["bare_partial"] += is_bare(row)
        d["partial_most"] = max(d["partial_most"], row["ip_len"])
        if d["partial_least"] < 0 or row["ip_len"] < d["partial_least"]:
            d["partial_least"] = row["ip_len"]


@inline
def is_bare(row: Any) -> Any:
    """Is it a packet that GRO does not merge: TCP without data, or not TCP?"""
    return row["ip_proto"] != 6 or row["payload_len"] == 0


@inline
def count_wrong(buffer: Any, words: Any, skip: Int, base: Int, row: Any, state: Int, owed: Int, d: Any) -> None:
    """Count a packet as wrong, or as one behind a wrong one. `owed` is as in `look_closer`."""
    if state == BAD or state == ZERO:
        if d["wrong_last_ns"] == 0:
            d["wrong_first_ns"] = row["time_ns"]
        d["wrong_last_ns"] = row["time_ns"]
        look_closer(buffer, words, skip, base, row, owed, d)
    elif state == VALID and d["wrong_last_ns"]:
        d["good_run"] += 1


@part
def look_closer(buffer: Any, words: Any, skip: Int, base: Int, row: Any, owed: Int, d: Any) -> None:
    """Note by how much the sum of a wrong frame is off, and what wrong frames have in common.

    Its sum lacks `owed`, which stands for a wrong checksum inside it.
    """
    if row["stop"] != DECODED or is_piece(row):
        d["other_offsets"] += 1
        return
    length = row["header_len"] + row["payload_len"]
    at = base + row["l4_at"]
    total = sum_apart(buffer, words, skip, at, at + length) + owed
    if row["ip_proto"] != 1:
        total += address_sum(buffer, base, row) + row["ip_proto"] + sum32(length)
    offset = fold(total) % ALL_ONES
    for k in range(OFFSETS):
        if d["offset_frames"][k] == 0:
            d["offsets"][k] = offset
        if d["offsets"][k] == offset:
            d["offset_frames"][k] += 1
            break
    else:
        d["other_offsets"] += 1
    d["bad_same_field"] += d["last_field"] == row["checksum_field"]
    if d["last_field"] < 0:
        d["first_field"] = row["checksum_field"]
    d["last_field"] = row["checksum_field"]
    if row["payload_len"] and row["ip_proto"] == 6:
        d["bad_blank"] += sum_apart(buffer, words, skip, at + row["header_len"], at + length) == 0
    if row["flags"] & SYN and row["ip_proto"] == 6:
        d["bad_syn"] += 1
        if row["options"] & O_MSS:
            d["bad_mss"] = row["mss"]
    if row["ip_len"] == 0 or (row["ip_len"] > LARGEST_UNMERGED and row["ip_len"] > d["valid_largest"]):
        d["bad_super"] += 1
        if row["ip_len"] and (d["super_least"] == 0 or row["ip_len"] < d["super_least"]):
            d["super_least"] = row["ip_len"]
    d["bad_src_port"] = common(d["bad_src_port"], row["src_port"])
    d["bad_dst_port"] = common(d["bad_dst_port"], row["dst_port"])


@inline
def common(known: Int, port: Int) -> Int:
    """The port that all wrong frames have so far."""
    return port if known == ANY or known == port else NOBODY
