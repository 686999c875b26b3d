"""Compiled: packet rows -> the shares of those who judge them, in few words each; and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, in_library, inline, kernel, rows_of, view_of
from analyzer.decode.frame_kernel import ALL_WORDS, HOT_WORDS, blank, is_cold
from analyzer.flows.state import TCP
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.flows.hash_kernel import sort_of
    from analyzer.flows.tuple_kernel import TCP_ACK, TCP_SYN, has_flow

# What follow and judge read of a row: number, time, addresses, then headers. Columns of half a word and less go together, those that
# nobody reads stay away (`WHOLE` has all of them: for who predicts counters). The upper halves of addresses are 0 in IPv4, the
# interface in most captures, and SACK blocks are rare: bits above the number say what is there.
TIME, ADDRESSES, INTERFACE, SACK = 1, 4, 8, 16
NUMBERS, STAMPS, PORTS, STATES = 13, 15, 20, 22  # words that stay as they are, the last of two
PACKED = ("length", "layers", "ip_id", "ip_len", "payload_len", "vlan", "tunnels", "options")
REST = (9, 10, 11, 12, 14, 17, 18, 19, 21)  # the other words of the hot part that decoding fills
COLD, UPPER, SEVERAL, REPORTS, WHOLE = (np.uint64(1 << bit) for bit in (63, 62, 61, 60, 59))
BITS = 43  # of the number; the options are above it
NUMBER, HALF, QUARTER = np.uint64((1 << BITS) - 1), np.uint64(0xFFFFFFFF), np.uint64(0xFFFF)
OPTIONS, UPPER_HALF, LAST_QUARTER = np.uint64(BITS), np.uint64(32), np.uint64(48)
LEAST_WORDS = 12
MOST_WORDS = LEAST_WORDS + 4 + len(REST) + ALL_WORDS - HOT_WORDS


@kernel(
    rows=rows_of(PACKETS.dtype),
    words=rows_of(np.uint64, 2),
    first=INT,
    shares=rows_of(np.uint64, 2),
    filled=rows_of(np.int64),
    counts=rows_of(np.int64),
    opening=rows_of(np.int64),
    whole=BOOL,
)
def part(
    rows: Any, words: Any, first: Int, shares: Any, filled: Any, counts: Any, opening: Any, whole: Any
) -> Int:  # fmt: skip
    """Append the rows from `first` on that belong to a flow to the share of it. Returns where it stopped: the end, or where a share is full.

    `words` (uint64, rows x ALL_WORDS) is the memory of `rows`. `shares` (uint64, a power of two of rows, and one more) have `filled` (int64)
    words each, of so many rows as `counts` (int64) says. If `whole`, all of a row goes there, and those without a flow go to the last. `opening` (int64, one more than rows) gets the rows with a SYN alone, of which it has
    opening[0] so far.
    """
    rest = len(shares) - 1
    for i in range(first, len(rows)):
        row = rows[i]
        which: Int = rest
        if has_flow(row):
            which = sort_of(row) & (rest - 1)
        elif not whole:
            continue
        at: Int = filled[which]
        if at + MOST_WORDS > shares.shape[1]:
            return i
        filled[which] = put(row, words[i], shares[which], at, whole)
        counts[which] += 1
        if which < rest and row["ip_proto"] == TCP and row["flags"] & (TCP_SYN | TCP_ACK) == TCP_SYN:
            opening[0] += 1
            opening[opening[0]] = i
    return len(rows)


@inline
def put(row: Any, words: Any, share: Any, at: Int, whole: Any) -> Int:
    """Write a row. Returns where the next one goes."""
    start = at
    number = np.uint64(row["frame"]) | np.uint64(row["options"]) << OPTIONS
    share[at + 1], share[at + 2], share[at + 3] = words[TIME], words[ADDRESSES + 1], words[ADDRESSES + 3]
    share[at + 4] = np.uint64(row["length"]) | np.uint64(row["layers"]) << UPPER_HALF
    share[at + 5] = np.uint64(row["ip_id"]) | np.uint64(row["ip_len"]) << UPPER_HALF
    share[at + 6], share[at + 7] = words[NUMBERS], words[STAMPS]
    tags = np.uint64(row["vlan"]) << UPPER_HALF | np.uint64(row["tunnels"]) << LAST_QUARTER
    share[at + 8] = np.uint64(row["payload_len"]) | tags
    share[at + 9], share[at + 10], share[at + 11] = words[PORTS], words[STATES], words[STATES + 1]
    at += LEAST_WORDS
    if words[ADDRESSES] or words[ADDRESSES + 2]:
        number |= UPPER
        share[at], share[at + 1] = words[ADDRESSES], words[ADDRESSES + 2]
        at += 2
    if words[INTERFACE]:
        number |= SEVERAL
        share[at] = words[INTERFACE]
        at += 1
    if words[SACK]:
        number |= REPORTS
        share[at] = words[SACK]
        at += 1
    if whole:
        number |= WHOLE
        for k in REST:
            share[at] = words[k]
            at += 1
    if is_cold(row):
        number |= COLD
        for k in range(HOT_WORDS, ALL_WORDS):
            share[at] = words[k]
            at += 1
    share[start] = number
    return at


@kernel(
    share=view_of(np.uint64), at=INT, rows=rows_of(PACKETS.dtype), words=rows_of(np.uint64, 2), first=INT, before=INT
)
def restore(share: Any, at: Int, rows: Any, words: Any, first: Int, before: Int) -> tuple[Int, Int]:
    """Fill `rows` from `first` on from the words of a share from `at` on; `before` frames came before those it counts.

    Returns (rows filled, words read): it stops where there are no more of either, or not all of a row. `words` (uint64, rows x ALL_WORDS) is the
    memory of `rows`, which are zeroed or hold what was restored, or decoded, into them before.
    """
    while first < len(rows) and at < len(share) and at + size_of(np.uint64(share[at])) <= len(share):
        at = get(share, at, rows[first], words[first], before)
        first += 1
    return first, at


@inline
def size_of(number: Any) -> Int:
    """How many words a row has, by its first one."""
    size: Int = np.int64(LEAST_WORDS)
    if number & UPPER:
        size += 2
    if number & SEVERAL:
        size += 1
    if number & REPORTS:
        size += 1
    if number & WHOLE:
        size += len(REST)
    if number & COLD:
        size += ALL_WORDS - HOT_WORDS
    return size


@inline
def get(share: Any, at: Int, row: Any, words: Any, before: Int) -> Int:
    """Read a row. Returns where the next one is."""
    blank(row, words)
    number = np.uint64(share[at])
    row["frame"] = np.int64(number & NUMBER) + before
    row["options"] = number >> OPTIONS & QUARTER
    row["flow"] = -1
    words[TIME], words[ADDRESSES + 1], words[ADDRESSES + 3] = share[at + 1], share[at + 2], share[at + 3]
    row["length"], row["layers"] = share[at + 4] & HALF, share[at + 4] >> UPPER_HALF
    row["ip_id"], row["ip_len"] = share[at + 5] & HALF, share[at + 5] >> UPPER_HALF
    words[NUMBERS], words[STAMPS] = share[at + 6], share[at + 7]
    row["payload_len"] = share[at + 8] & HALF
    row["vlan"], row["tunnels"] = share[at + 8] >> UPPER_HALF & QUARTER, share[at + 8] >> LAST_QUARTER
    words[PORTS], words[STATES], words[STATES + 1] = share[at + 9], share[at + 10], share[at + 11]
    at += LEAST_WORDS
    if number & UPPER:
        words[ADDRESSES], words[ADDRESSES + 2] = share[at], share[at + 1]
        at += 2
    if number & SEVERAL:
        words[INTERFACE] = share[at]
        at += 1
    if number & REPORTS:
        words[SACK] = share[at]
        at += 1
    if number & WHOLE:
        for k in REST:
            words[k] = share[at]
            at += 1
    row["place"] = -1
    if number & COLD:
        for k in range(HOT_WORDS, ALL_WORDS):
            words[k] = share[at]
            at += 1
    return at
