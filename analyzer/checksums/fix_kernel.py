"""Compiled repair: a writable copy of a batch's bytes -> the same with right checksums, and what was done to how many frames.

Checksums of inner packets come first, because those of the packets around them cover them: outer UDP (RFC 768, 8200) and
GRE (RFC 2784). Linux computes the outer ones as if the inner ones were finished (local checksum offload), so they are
often right then. RFC 6935 allows tunnels over IPv6 to have no UDP checksum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.checksums.check_kernel import (
    ALL_ONES,
    NOT_READY,
    UNKNOWN,
    VERIFIED,
    address_sum,
    covered_length,
    covers,
    frame_state,
    header_state,
    is_piece,
    piece_state,
    state_of,
)
from analyzer.checksums.datagram_kernel import place_of
from analyzer.checksums.state import (
    BAD,
    HEADER_BAD,
    HEADER_UNVERIFIABLE,
    HEADER_VALID,
    HEADER_ZERO,
    NONE,
    PARTIAL,
    UNVERIFIABLE,
    VALID,
    ZERO,
)
from analyzer.checksums.sum_kernel import fold, sum32, sum_of
from analyzer.checksums.tally_kernel import direction_of
from analyzer.decode.bytes_kernel import be8, be16
from analyzer.decode.codes import (
    BAD_TCP_HEADER,
    CAPTURED_BEYOND_LENGTH,
    CUT,
    DECODED,
    FRAGMENT,
    IP_LENGTH_BEYOND_FRAME,
    TRUNCATED,
)
from analyzer.decode.frame_kernel import decode_frame
from analyzer.decode.tunnel_kernel import carried_by_udp

# What was done to a frame: a bit for each kind of checksum that was written, and for each reason why one was not.
WROTE_HEADER, WROTE_TCP, WROTE_UDP, WROTE_ICMP, WROTE_ICMPV6, WROTE_GRE, WROTE_FCS = (1 << n for n in range(7))
LEFT_CORRUPT, LEFT_CUT, LEFT_FRAGMENT, LEFT_OTHER = (1 << n for n in range(7, 11))
KINDS = 11
WROTE = WROTE_FCS * 2 - 1

LEVELS = 64  # more than a frame has tunnels: frame * LEVELS + level is the key of a fragmented datagram
FCS_LEN = 4
ETHERNET_HEADER, PREAMBLE, EXPRESS = 14, 8, 0xD5  # an mPacket begins with 8 bytes; the last one says that it is whole


@kernel
def decode_level(buffer: Any, records: Any, i: Int, links: Any, row: Any, scratch: Any, blank: Any, level: Int) -> None:
    """Decode the frame `i`, whose row is known, into `scratch`, but through no more than `level` tunnels."""
    scratch[0] = blank[0]
    outer = scratch[0]
    outer["frame"] = row["frame"]
    outer["time_ns"] = row["time_ns"]
    outer["length"] = row["length"]
    outer["captured"] = row["captured"]
    outer["quirks"] = row["quirks"] & (CUT | CAPTURED_BEYOND_LENGTH)
    record = records[i]
    outer["stop"] = decode_frame(buffer, record, links[record["interface"]], outer, level)


@kernel
def collect_datagrams(
    buffer: Any, words: Any, skip: Int, records: Any, rows: Any, links: Any, scratch: Any, blank: Any,
    datagrams: Any, begun: Any, heads: Any, found: Any, room: Any,
) -> None:  # fmt: skip
    """Note of each complete fragmented datagram what the frame with its checksum does not hold: the sum of the others.

    `datagrams` (DATAGRAM) and `heads` (HEAD), a row each, are those not complete yet, of `begun` (i8[1]). `found` (FOUND)
    takes those whose checksum is wrong, or covers another packet, `room` i8[3]: how many of it are used; fragments; those
    of them that need nothing or belong to a datagram in `found`.
    """
    for i in range(len(rows)):
        row = rows[i]
        if not row["layers"] & FRAGMENT:
            continue
        depth = np.int64(row["tunnel_depth"])
        for level in range(depth, -1, -1):
            if level < depth:
                decode_level(buffer, records, i, links, row, scratch, blank, level)
                collect(buffer, words, skip, records[i], scratch[0], level, False, datagrams, begun, heads, found, room)
            else:
                collect(buffer, words, skip, records[i], row, level, True, datagrams, begun, heads, found, room)


@inline
def collect(
    buffer: Any, words: Any, skip: Int, record: Any, row: Any, level: Int, innermost: bool,
    datagrams: Any, begun: Any, heads: Any, found: Any, room: Any,
) -> None:  # fmt: skip
    """The same for one packet. Only innermost fragments are counted: a frame is counted once."""
    if not covers(row) or not is_piece(row):
        return
    base = record["offset"]
    end = base + record["captured"]
    place = place_of(datagrams, begun, row)
    datagram, head = datagrams[place], heads[place]
    if datagram["have"] == 0 and not datagram["spoilt"]:
        head["pieces"] = head["silent"] = 0
    before = datagram["have"]
    state = piece_state(buffer, words, skip, base, end, datagrams, begun, row)
    room[1] += innermost
    if state == NONE:  # UDP that says in its first fragment that it has no checksum: no need to wait for the others
        head["silent"] = 1
    if head["silent"]:
        room[2] += head["pieces"] + innermost
        head["pieces"] = 0
        return
    if datagram["have"] == before:  # it came before, or the datagram is spoilt
        return
    head["pieces"] += innermost
    if row["fragment_offset"] == 0:
        head["sum"] = sum_of(buffer, words, skip, base + row["l4_at"], base + row["l3_at"] + row["ip_len"])
        head["covers"] = not innermost
        head["key"] = row["frame"] * LEVELS + level
    if state == UNVERIFIABLE:
        return
    if state != VALID or head["covers"]:
        if room[0] == len(found):
            return
        entry = found[room[0]]
        entry["key"] = head["key"]
        entry["rest"] = fold(datagram["sum"] + ALL_ONES - head["sum"])
        entry["length"] = datagram["total"] - datagram["begins_at"]
        room[0] += 1
    room[2] += head["pieces"]


@kernel
def fix_frames(
    plain: Any, buffer: Any, words: Any, skip: Int, records: Any, rows: Any, links: Any, scratch: Any, blank: Any,
    datagrams: Any, begun: Any, directions: Any, slots: Any, full: Any, marked: Any, everything: bool, found: Any, table: Any,
    counts: Any,
) -> None:  # fmt: skip
    """Make the checksums of the frames of a batch right.

    `plain` are the bytes of the batch, `buffer` a copy of them that is changed. `directions` and `slots` are those of
    the first pass, `full` i8[1] tells `direction_of` to add none, `marked` (bool) says of each whether its wrong
    checksums come from its host's card; with `everything` any wrong checksum is made right. `found` (FOUND) is sorted,
    `table` i8[256] that of CRC-32, `counts` i8[KINDS] counts frames for each bit of what can be done.
    """
    for i in range(len(rows)):
        row = rows[i]
        if row["ip_version"] == 0:
            continue
        record = records[i]
        base = record["offset"]
        end = base + record["captured"]
        depth = np.int64(row["tunnel_depth"])
        # What the host that captured says of the outermost checksum settles whether a wrong one was sent, not its value.
        known = row["record_flags"] & (NOT_READY | VERIFIED) != 0 and depth == 0
        row["record_flags"] = 0
        done = fix_packet(
            buffer, words, skip, base, end, row, depth, False, False, known,
            datagrams, begun, directions, slots, full, marked, everything, found,
        )  # fmt: skip
        stop = np.int64(row["l3_at"]) + np.int64(row["ip_len"])
        for level in range(depth - 1, -1, -1):
            decode_level(plain, records, i, links, row, scratch, blank, level)
            done |= fix_packet(
                buffer, words, skip, base, end, scratch[0], level, True, done & WROTE != 0, False,
                datagrams, begun, directions, slots, full, marked, everything, found,
            )  # fmt: skip
            stop = np.int64(scratch[0]["l3_at"]) + np.int64(scratch[0]["ip_len"])
        if done & WROTE and write_fcs(buffer, record, links[record["interface"]], stop, table):
            done |= WROTE_FCS
        if done:
            for k in range(KINDS):
                counts[k] += done >> k & 1


@inline
def fix_packet(
    buffer: Any, words: Any, skip: Int, base: Int, end: Int, row: Any, level: Int, outer: bool, inside: bool, known: bool,
    datagrams: Any, begun: Any, directions: Any, slots: Any, full: Any, marked: Any, everything: bool, found: Any,
) -> Int:  # fmt: skip
    """Make the checksums of one IP packet of a frame right: what was done.

    `outer` says that it carries another one, `inside` that this was changed, `known` that the file says that a wrong
    checksum was not sent so.
    """
    done = 0
    if row["ip_version"] == 4:
        at = base + row["l3_at"]
        state = header_state(buffer, words, skip, at, end)
        minus_zero = everything and state == HEADER_VALID and be16(buffer, at + 10) == ALL_ONES
        if state == HEADER_UNVERIFIABLE:
            done |= why_not(row)
        elif state == HEADER_BAD and not (everything or marked[direction_of(row, directions, slots, full)]):
            done |= LEFT_CORRUPT
        elif state == HEADER_BAD or state == HEADER_ZERO or minus_zero:
            changed = write(buffer, words, skip, at + 10, at, at + (be8(buffer, at) & 15) * 4, 0)
            done |= WROTE_HEADER if changed else 0
    protocol = row["ip_proto"]
    if not covers(row):
        if protocol == 47 and (inside or everything) and not is_piece(row):
            done |= fix_gre(buffer, words, skip, base + row["l4_at"], row)
        elif row["stop"] == TRUNCATED and not outer:
            done |= why_not(row)
        return done
    state, rest, length = UNVERIFIABLE, 0, 0
    at = base + row["l4_at"]
    stop = at
    addresses = 0
    if is_piece(row):
        place = place_in(found, row["frame"] * LEVELS + level) if row["fragment_offset"] == 0 else -1
        if place < 0:
            return done
        rest, length = found[place]["rest"], found[place]["length"]
        stop = base + row["l3_at"] + row["ip_len"]
        addresses = address_sum(buffer, base, row) if row["stop"] == DECODED else UNKNOWN
        if stop > end or addresses == UNKNOWN:  # the file is not what it was in the first pass
            return done | LEFT_FRAGMENT
        total = fold(sum_of(buffer, words, skip, at, stop) + rest)
        state = state_of(total, row["checksum_field"], addresses, length, protocol)
    else:
        state = frame_state(buffer, words, skip, base, end, datagrams, begun, row)
        nonsense = row["stop"] == BAD_TCP_HEADER and row["quirks"] & IP_LENGTH_BEYOND_FRAME
        if state == UNVERIFIABLE or nonsense:
            return done | why_not(row)
        length = covered_length(row, end - at)
        stop = at + length
    if protocol == 17 and row["checksum_field"] == 0 and row["ip_version"] == 6:
        if outer or is_tunnel(buffer, at, row):
            state = NONE
        elif state == VALID:  # the sum happens to be 0: RFC 8200 section 8.1 wants FFFF then
            state = ZERO
    elif everything and state == VALID and row["checksum_field"] == ALL_ONES and protocol != 17:
        state = ZERO  # minus zero: right, but RFC 1624 section 3 wants 0
    if state != BAD and state != ZERO and state != PARTIAL:
        return done
    stale = inside or known or everything
    if state == BAD and not (stale or marked[direction_of(row, directions, slots, full)]):
        return done | LEFT_CORRUPT
    wrote, field = WROTE_UDP, at + 6
    if protocol == 6:
        wrote, field = WROTE_TCP, at + 16
    elif protocol == 1:
        wrote, field = WROTE_ICMP, at + 2
    elif protocol == 58:
        wrote, field = WROTE_ICMPV6, at + 2
    if protocol != 1:
        rest += address_sum(buffer, base, row) + protocol + sum32(length)
    changed = write(buffer, words, skip, field, at, stop, rest)
    if protocol == 17 and be16(buffer, field) == 0:  # RFC 768: 0 would say that there is none
        put16(buffer, field, ALL_ONES)
    return done | wrote if changed else done


@inline
def why_not(row: Any) -> Int:
    """Why a checksum cannot be verified."""
    if row["layers"] & FRAGMENT:
        return LEFT_FRAGMENT
    if row["quirks"] & CUT and (row["stop"] == TRUNCATED or row["payload_captured"] < row["payload_len"]):
        return LEFT_CUT
    return LEFT_OTHER


@inline
def place_in(found: Any, key: Int) -> Int:
    """The index of the datagram with this key, -1 if there is none."""
    low, high = 0, len(found)
    while low < high:
        middle = (low + high) >> 1
        if found[middle]["key"] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(found) and found[low]["key"] == key else -1


@inline
def is_tunnel(buffer: Any, at: Int, row: Any) -> Any:
    """Is it a UDP datagram of a tunnel, by its ports?"""
    inner = at + 8
    return carried_by_udp(buffer, inner, inner + row["payload_captured"], row["src_port"], row["dst_port"])[3] != 0


@inline
def put16(buffer: Any, at: Int, value: Int) -> None:
    """Write 16 bits."""
    buffer[np.uintp(at)] = value >> 8
    buffer[np.uintp(at + 1)] = value & 0xFF


@inline
def write(buffer: Any, words: Any, skip: Int, field: Int, start: Int, stop: Int, rest: Int) -> Any:
    """Write the checksum of `buffer[start:stop]`, and of what sums up to `rest`, to `field` in it: was it another one?"""
    before = be16(buffer, field)
    put16(buffer, field, 0)
    after = ALL_ONES - fold(sum_of(buffer, words, skip, start, stop) + rest)
    put16(buffer, field, after)
    return after != before


@inline
def fix_gre(buffer: Any, words: Any, skip: Int, at: Int, row: Any) -> Int:
    """Make the checksum of the GRE packet at `at` right, if it has one."""
    length = row["payload_len"]
    if length < 8 or row["payload_captured"] < length:
        return 0
    if be16(buffer, at) & 0x8007 != 0x8000:  # another version, or no checksum
        return 0
    if row["quirks"] & IP_LENGTH_BEYOND_FRAME:
        return LEFT_OTHER
    if sum_of(buffer, words, skip, at, at + length) == ALL_ONES:
        return 0
    write(buffer, words, skip, at + 4, at, at + length, 0)
    return WROTE_GRE


@inline
def write_fcs(buffer: Any, record: Any, link: Any, packet_end: Int, table: Any) -> Any:
    """Write the frame check sequence of an Ethernet frame, if it has one behind its IP packet: did it?"""
    start = record["offset"]
    stop = start + record["captured"] - FCS_LEN
    if link["fcs_len"] != FCS_LEN or not link["ethernet"] or record["captured"] != record["length"]:
        return False
    if start + packet_end > stop:  # a frame that the card had not sent yet
        return False
    if link["prefix"] == PREAMBLE and stop >= start + PREAMBLE and be8(buffer, start + PREAMBLE - 1) == EXPRESS:
        start += PREAMBLE
    elif link["prefix"]:
        return False
    if stop < start + ETHERNET_HEADER:
        return False
    crc = 0xFFFFFFFF
    for at in range(start, stop):
        crc = table[(crc ^ be8(buffer, at)) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    for k in range(FCS_LEN):  # the least significant byte first
        buffer[np.uintp(stop + k)] = crc >> 8 * k & 0xFF
    return True
