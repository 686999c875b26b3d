"""Compiled: what becomes of TCP segments that look wrong.

A segment with a wrong checksum was dropped by its receiver if it is sent again before it is acknowledged, and was right
on arrival if it is acknowledged as it is: RFC 9293 section 3.1 leaves the receiver no choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.checksums.check_kernel import is_piece
from analyzer.checksums.direction_kernel import NOBODY
from analyzer.checksums.state import FOLLOWED, KEPT_BYTES, OPEN, PARTIAL, UNVERIFIABLE, VALID
from analyzer.serial import difference

difference = inline(difference)
FIN, SYN, RST, ACK = 1, 2, 4, 16
ALIKE = 16  # of so many bits one may differ; of bytes that have nothing to do with each other every second one does


@part
def follow_up(
    buffer: Any, base: Int, row: Any, state: Int, d: Any, directions: Any, wrong: Any, kept: Any, room: Any
) -> None:
    """What a TCP segment tells of wrong ones before it; if it is wrong itself, as `state` says, it is followed from now on."""
    if is_piece(row):
        return
    if state == UNVERIFIABLE or state == 0:
        return
    if state == VALID or state == PARTIAL:
        if directions[d["reverse"]]["open"] != NOBODY and d["reverse"] != 0 and row["flags"] & ACK:
            acknowledge(row, directions[d["reverse"]], wrong, room)
        if d["open"] != NOBODY:
            repair(buffer, base, row, d, wrong, kept, room)
    else:
        follow(buffer, base, row, d, wrong, kept, room)


@inline
def follow(buffer: Any, base: Int, row: Any, d: Any, wrong: Any, kept: Any, room: Any) -> None:
    """Watch what becomes of a wrong segment that takes sequence space."""
    space = row["payload_len"] + (row["flags"] & SYN != 0) + (row["flags"] & FIN != 0)
    if space == 0 or row["flags"] & RST or d["open_count"] == OPEN:
        return
    found = room[1]
    if found != NOBODY:
        room[1] = wrong[found]["next"]
    elif room[2] < FOLLOWED:
        found = room[2]
        room[2] += 1
    else:
        return
    w = wrong[found]
    w["next"], d["open"] = d["open"], found
    d["open_count"] += 1
    room[3] += 1
    d["followed"] += 1
    w["frame"], w["seq"], w["seq_len"] = row["frame"], row["seq"], space
    w["src_port"], w["dst_port"], w["payload_len"] = row["src_port"], row["dst_port"], row["payload_len"]
    w["flags"], w["again"], w["bits"], w["compared"] = row["flags"], 0, 0, 0
    size = min(row["payload_captured"], KEPT_BYTES)
    w["kept"] = size
    at = base + row["l4_at"] + row["header_len"]
    for k in range(size):
        kept[found * KEPT_BYTES + k] = buffer[np.uintp(at + k)]


@inline
def release(before: Int, found: Int, d: Any, wrong: Any, room: Any) -> Int:
    """Stop watching the segment `found`, which comes after `before` in its list: the one after it."""
    after = wrong[found]["next"]
    if before == NOBODY:
        d["open"] = after
    else:
        wrong[before]["next"] = after
    d["open_count"] -= 1
    room[3] -= 1
    wrong[found]["next"] = room[1]
    room[1] = found
    return after


@inline
def acknowledge(row: Any, d: Any, wrong: Any, room: Any) -> None:
    """Strike off what this segment acknowledges or selectively acknowledges, of the wrong ones of the other way `d`."""
    before: Int = NOBODY
    found: Int = np.int64(d["open"])
    while found != NOBODY:
        w = wrong[found]
        covered = difference(row["ack"], np.int64(w["seq"]) + w["seq_len"] & 0xFFFFFFFF) >= 0
        for k in range(row["sack_count"]):
            covered = covered or sacked(row, k, w)
        if covered and w["src_port"] == row["dst_port"] and w["dst_port"] == row["src_port"]:
            d["acknowledged"] += 1
            found = release(before, found, d, wrong, room)
        else:
            before, found = found, np.int64(w["next"])


@inline
def sacked(row: Any, k: Int, w: Any) -> Any:
    """Does SACK block `k` cover the segment?"""
    left, right = row["sack_left_1"], row["sack_right_1"]
    if k == 1:
        left, right = row["sack_left_2"], row["sack_right_2"]
    elif k == 2:
        left, right = row["sack_left_3"], row["sack_right_3"]
    elif k == 3:
        left, right = row["sack_left_4"], row["sack_right_4"]
    end = np.int64(w["seq"]) + w["seq_len"] & 0xFFFFFFFF
    return difference(w["seq"], left) >= 0 and difference(right, end) >= 0


@inline
def repair(buffer: Any, base: Int, row: Any, d: Any, wrong: Any, kept: Any, room: Any) -> None:
    """Strike off the wrong segments that this right one brings again, and compare the bytes.

    Several that bring it together, without a gap, must also bring nearly the same bytes: where it was the sequence number
    that was changed, they belong to neighbours.
    """
    syn = 1 if row["flags"] & SYN else 0
    space = np.int64(row["payload_len"]) + syn + (row["flags"] & FIN != 0)
    before: Int = NOBODY
    found: Int = np.int64(d["open"])
    while found != NOBODY:
        w = wrong[found]
        start = np.int64(difference(row["seq"], w["seq"]))  # positions behind the beginning of the wrong one
        stop = start + space
        alone = start <= 0 and stop >= w["seq_len"]
        if alone:
            w["again"] = w["bits"] = w["compared"] = 0
        if start <= w["again"] < stop and same_ports(row, w):
            compare(buffer, base, row, start + syn, w, kept, found)
            w["again"] = min(stop, np.int64(w["seq_len"]))
            if w["again"] == w["seq_len"] and (alone or w["bits"] * ALIKE <= w["compared"] * 8):
                d["repaired"] += 1
                report(d, w)
                found = release(before, found, d, wrong, room)
                continue
        before, found = found, np.int64(w["next"])


@inline
def same_ports(row: Any, w: Any) -> Any:
    """Are the ports those of the wrong segment?"""
    return w["src_port"] == row["src_port"] and w["dst_port"] == row["dst_port"]


@inline
def compare(buffer: Any, base: Int, row: Any, start: Int, w: Any, kept: Any, found: Int) -> None:
    """Count the bits in which the payload of a wrong segment differs from that of a right one, which begins at `start`.

    Only bytes that nobody has brought again before.
    """
    syn = 1 if w["flags"] & SYN else 0
    lead = start - syn
    first: Int = max(np.int64(w["again"]) - syn, 0)
    stop: Int = min(np.int64(w["kept"]), lead + np.int64(row["payload_captured"]))
    at = base + row["l4_at"] + row["header_len"] - lead
    for k in range(first, stop):
        changed = np.int64(buffer[np.uintp(at + k)]) ^ np.int64(kept[found * KEPT_BYTES + k])
        if changed and w["bits"] == 0:
            w["again_in"], w["at"], w["changed"] = row["frame"], k, changed
        while changed:
            w["bits"] += changed & 1
            changed >>= 1
    w["compared"] += max(stop - first, 0)


@inline
def report(d: Any, w: Any) -> None:
    """What comparing a segment that was brought again to its end gave."""
    if w["bits"] and d["example"] == 0:
        d["example"], d["example_again"] = w["frame"], w["again_in"]
        d["example_at"], d["example_bits"] = w["at"], w["changed"]
    d["bits"] += w["bits"]
    d["compared"] += w["compared"] > 0
