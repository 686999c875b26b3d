"""Compiled verdict on the checksums of the headers of tunnels: UDP (RFC 768, 6935), GRE (RFC 2784) and IPv4.

Linux computes the outer checksums as if those inside were finished already, which a card does later (local checksum
offload). So one that is wrong as it stands counts as right where right checksums inside would make it so; and what was
changed inside is told by the checksums inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.checksums.check_kernel import (
    ALL_ONES,
    address_sum,
    check_frame,
    covered_length,
    is_piece,
    packet_length,
)
from analyzer.checksums.count_kernel import count, count_wrong
from analyzer.checksums.direction_kernel import direction_of
from analyzer.checksums.fate_kernel import follow_up
from analyzer.checksums.pieces_kernel import decode_level
from analyzer.checksums.state import (
    BAD,
    HEADER_BAD,
    HEADER_ZERO,
    NONE,
    PARTIAL,
    UNVERIFIABLE,
    VALID,
    ZERO,
)
from analyzer.checksums.sum_kernel import fold, sum32, sum_apart, swapped
from analyzer.decode.bytes_kernel import be8, be16
from analyzer.decode.codes import DECODED, IP_LENGTH_BEYOND_FRAME, REASSEMBLED
from analyzer.decode.reassembly_kernel import whole_level

GRE, UDP, TCP = 47, 17, 6


@part
def check_outer(
    buffer: Any, words: Any, skip: Int, record: Any, links: Any, row: Any, low: Int, high: Int, whole: bool, memory: Any,
    fragments: Any,
) -> None:  # fmt: skip
    """Check and count the packets around the one that `row` describes: those that `low` to `high` - 1 tunnels lead to.

    With `whole` the frame is that of a datagram that was put together, `fragments.record`.
    """
    base = record["offset"]
    end = base + record["captured"]
    owed: Int = 0
    within = whole or not row["layers"] & REASSEMBLED  # otherwise what is inside is a fragment of what `row` describes
    if within:
        owed = owed_inside(buffer, words, skip, base, end, row, 0)
    for level in range(np.int64(high) - 1, np.int64(low) - 1, -1):
        if whole:
            whole_level(fragments, level)
        else:
            decode_level(buffer, record, links, row, fragments.scratch, fragments.blank, level)
        outer = fragments.scratch[0]
        if outer["tunnel_depth"] != level:
            continue
        check_frame(buffer, words, skip, record, outer)
        state = outer_state(buffer, words, skip, base, end, outer)
        rest: Int = 0
        if is_off(state):
            rest = shortfall(buffer, words, skip, base, end, outer, owed)
            if rest % ALL_ONES == 0:
                state = VALID
        outer["checksum"] = state
        if state or outer["ip_header_checksum"]:
            count_outer(buffer, words, skip, base, outer, owed, row, within, memory)
        note_worst(row, outer)
        owed = owed_inside(buffer, words, skip, base, end, outer, owed)


@inline
def is_off(state: Int) -> Any:
    """Is it wrong, or not finished?"""
    return state == PARTIAL or state == ZERO or state == BAD


@inline
def outer_state(buffer: Any, words: Any, skip: Int, base: Int, end: Int, outer: Any) -> Int:
    """The state of the UDP or GRE checksum of a packet of a tunnel as it stands; 0 where it has neither."""
    state = outer["checksum"]
    if outer["ip_proto"] == UDP:  # over IPv6 a tunnel may have none, too
        silent = outer["ip_version"] == 6 and outer["checksum_field"] == 0 and state != UNVERIFIABLE
        return NONE if state and silent else state
    at = base + outer["l4_at"]
    if outer["ip_proto"] != GRE or at + 8 > end or be16(buffer, at) & 0x8007 != 0x8000:
        return 0
    outer["checksum_field"] = be16(buffer, at + 4)
    length = outer["payload_len"]
    if is_piece(outer) or at + length > end or outer["quirks"] & IP_LENGTH_BEYOND_FRAME or length < 8:
        return UNVERIFIABLE
    if sum_apart(buffer, words, skip, at, at + length) == ALL_ONES:
        return VALID
    return ZERO if outer["checksum_field"] == 0 else BAD


@inline
def turned(total: Int, at: Int) -> Int:
    """A folded sum of words that begin at even positions, of words that begin at `at`; or the other way round."""
    return swapped(total) if at & 1 else total


@part
def shortfall(buffer: Any, words: Any, skip: Int, base: Int, end: Int, row: Any, owed: Int) -> Int:
    """What the sum over a transport header lacks to be right; `owed` is what is to be added for what is inside it."""
    at = base + row["l4_at"]
    if row["ip_proto"] == GRE:
        total = sum_apart(buffer, words, skip, at, at + row["payload_len"])
    else:
        length = covered_length(row, packet_length(end - base, row), end - at)
        total = sum_apart(buffer, words, skip, at, at + length)
        if row["ip_proto"] != 1:
            total += address_sum(buffer, base, row) + row["ip_proto"] + sum32(length)
    return ALL_ONES - fold(total + turned(owed, at))


@part
def owed_inside(buffer: Any, words: Any, skip: Int, base: Int, end: Int, row: Any, owed: Int) -> Int:
    """What is to be added to a sum over this packet, from even positions, as if its checksums and those inside it were right."""
    total: Int = owed
    if is_off(row["checksum"]):
        rest = shortfall(buffer, words, skip, base, end, row, owed)
        total += turned(rest, base + row["l4_at"])
    if row["ip_header_checksum"] == HEADER_BAD or row["ip_header_checksum"] == HEADER_ZERO:
        at = base + row["l3_at"]
        rest = ALL_ONES - sum_apart(buffer, words, skip, at, at + (be8(buffer, at) & 15) * 4)
        total += turned(rest, at)
    return fold(total)


@inline
def count_outer(
    buffer: Any, words: Any, skip: Int, base: Int, outer: Any, owed: Int, row: Any, within: bool, memory: Any
) -> None:
    """Count a packet of a tunnel in its direction. What became of it shows in the TCP segment of `row`, if that is `within` it."""
    directions, room = memory.directions, memory.room
    found = direction_of(outer, 1, directions, memory.slots, room)
    if found == 0:
        return
    d = directions[found]
    count(outer, d)
    state = outer["checksum"]
    count_wrong(buffer, words, skip, base, outer, state, turned(owed, base + outer["l4_at"]), d)
    wrong = state == BAD or state == ZERO
    if within and (room[3] or wrong) and row["ip_proto"] == TCP and row["stop"] == DECODED:
        inner = row["checksum"]
        if not wrong and (inner == BAD or inner == ZERO):
            return
        follow_up(buffer, base, row, state if wrong else inner, d, directions, memory.wrong, memory.kept, room)


@inline
def note_worst(row: Any, outer: Any) -> None:
    """Have the row say what is wrong in any packet around its own, else what the outermost one says."""
    state = row["outer_checksum"]
    if state != BAD and state != ZERO and (outer["checksum"] or not state):
        row["outer_checksum"] = outer["checksum"]
    header = row["outer_ip_header_checksum"]
    if header != HEADER_BAD and header != HEADER_ZERO and (outer["ip_header_checksum"] or not header):
        row["outer_ip_header_checksum"] = outer["ip_header_checksum"]
