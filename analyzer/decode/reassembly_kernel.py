"""Compiled reassembly of IP datagrams in fragments. RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722.

A datagram stands on the frame that completes it: decoding goes on with the whole datagram in place of the fragment. The
fragments must be captured whole; of those that overlap nothing is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.accelerate.view import read_only
from analyzer.decode.bytes_kernel import be8, be16, be32
from analyzer.decode.codes import (
    CAPTURED_BEYOND_LENGTH,
    CUT,
    FRAGMENT,
    IP_LENGTH_BEYOND_FRAME,
    LATER_FRAGMENT,
    MAX_STEPS,
    REASSEMBLED,
    TCP,
    UDP,
)
from analyzer.decode.fragments import (
    FORGOTTEN_AFTER,
    MOST,
    ROOM,
    RUNS,
    SETS,
    TIMEOUT_NS,
    WAYS,
)
from analyzer.decode.frame_kernel import carried, decode_again, packets
from analyzer.decode.ip_kernel import GO_ON, extension_size, extensions, is_extension
from analyzer.decode.transport_kernel import payload

NOWHERE = -1
NOT_YET, CUT_SHORT = -1, -2  # in place of a datagram: its other fragments are missing; this one was not captured whole
GOLDEN = 0x9E3779B1  # 2**32 divided by the golden ratio: neighbours are spread
LOW32 = np.uint64(0xFFFFFFFF)
NO_FRAGMENT = 0xFFFFFFFF ^ FRAGMENT


@part
def put_together(buffer: Any, record: Any, i: Int, links: Any, rows: Any, fragments: Any) -> Any:
    """Take the fragment in a frame, whose row `i` says that there is one: does it complete a datagram?

    Then the row describes that, and `fragments.whole` is the frame, its bytes as `fragments.record` says, with the whole
    datagram in place of the fragment.
    """
    row, outer = rows[i], fragments.scratch[0]
    base = record["offset"]
    fragments.scratch[0] = fragments.blank[0]
    decode_again(buffer, record, links[record["interface"]], outer, MAX_STEPS, True)
    of_frame(row, outer)
    level = outer["tunnel_depth"]
    told = row["tunnel_depth"] == level and is_told(row)
    end = base + np.int64(record["captured"])
    taken, start, stop, kind = take_fragment(buffer, base, end, told, np.int64(row["payload_len"]), fragments)
    if taken == NOT_YET and row["tunnel_depth"] > level:
        hide(outer, start - base, stop - start, kind)
        rows[i] = outer
    if taken < 0:
        return False
    fragments.joined[0] = level
    for k in range(start - base):
        fragments.whole[k] = buffer[np.uintp(base + k)]
    datagrams(taken, start - base, fragments)
    whole = fragments.record[0]
    whole["time_ns"], whole["interface"], whole["flags"] = record["time_ns"], record["interface"], record["flags"]
    whole["ifindex"], whole["packet_type"] = record["ifindex"], record["packet_type"]
    rows[i] = outer
    return True


@part
def datagrams(taken: Int, start: Int, fragments: Any) -> None:
    """Decode the datagram `taken`, which begins at `start` of the whole frame, and those in it that it completes."""
    outer, whole = fragments.scratch[0], read_only(fragments.whole)
    while True:
        end = join(taken, start, fragments)
        fragments.scratch[2] = outer
        reason, at, readable, wire, steps = go_on(whole, start, end, outer, MAX_STEPS, True)
        if outer["layers"] & FRAGMENT:
            taken, start, stop, kind = take_fragment(whole, 0, end, False, 0, fragments)
            if taken >= 0:
                continue
            if reason == GO_ON:
                fragments.scratch[1] = outer
                reason, at, readable, wire, steps = inside(whole, at, readable, wire, outer, steps, MAX_STEPS, False)
                if taken == NOT_YET and outer["tunnel_depth"] > fragments.scratch[1]["tunnel_depth"]:
                    fragments.scratch[0] = fragments.scratch[1]
                    hide(outer, start, stop - start, kind)
                    return
        outer["stop"] = reason
        return


@part
def whole_level(fragments: Any, level: Int) -> None:
    """Decode the datagram put together last into the first row of `scratch`, but through no more than `level` tunnels in all."""
    fragments.scratch[0] = fragments.scratch[2]
    outer = fragments.scratch[0]
    end = np.int64(fragments.record[0]["captured"])
    outer["stop"] = go_on(read_only(fragments.whole), fragments.joined[2], end, outer, level, False)[0]


@inline
def go_on(whole: Any, at: Int, end: Int, outer: Any, depth: Int, pause: bool) -> tuple[Int, Int, Int, Int, Int]:
    """Decode a datagram that begins at `at`; the result, `depth` and `pause` are those of `decode_frame`."""
    reason, readable, wire, steps = GO_ON, end, end, 0
    six = outer["ip_version"] == 6
    if six or outer["ip_proto"] == 51:
        reason, at, readable, wire, steps = extensions(whole, at, readable, wire, outer, steps, six)
    if reason != GO_ON or outer["layers"] & FRAGMENT:
        if reason == LATER_FRAGMENT:
            outer["l4_at"] = at
            payload(at, readable, wire, outer)
        return reason, at, readable, wire, steps
    return inside(whole, at, readable, wire, outer, steps, depth, pause)


@part
def inside(
    whole: Any, at: Int, readable: Int, wire: Int, outer: Any, steps: Int, depth: Int, pause: bool
) -> tuple[Int, Int, Int, Int, Int]:
    """Decode what stands behind the headers of an IP packet."""
    reason, here, at, readable, wire, steps = carried(whole, 0, at, readable, wire, outer, steps, depth)
    if reason != GO_ON:
        return reason, at, readable, wire, steps
    return packets(whole, 0, at, readable, wire, 0, here, outer, steps, depth, pause)


@inline
def of_frame(row: Any, outer: Any) -> None:
    """What is said of the frame itself."""
    outer["frame"], outer["time_ns"], outer["interface"], outer["flow"] = (
        row["frame"],
        row["time_ns"],
        row["interface"],
        row["flow"],
    )
    outer["length"], outer["captured"] = row["length"], row["captured"]
    outer["ifindex"], outer["record_flags"] = row["ifindex"], row["record_flags"]
    outer["link_direction"], outer["reception"] = row["link_direction"], row["reception"]
    outer["quirks"] |= row["quirks"] & (CUT | CAPTURED_BEYOND_LENGTH)


@inline
def is_told(row: Any) -> Any:
    """Does a flow count this first fragment, since it has ports?"""
    if row["ip_proto"] == 6:
        return row["layers"] & TCP != 0 and row["header_len"] >= 20
    return row["ip_proto"] == 17 and row["layers"] & UDP != 0 and row["header_len"] == 8


@inline
def hide(outer: Any, at: Int, size: Int, kind: Int) -> None:
    """Have the row show no more than a fragment of `size` bytes at `at`.

    What the first fragment of a tunnel begins to carry shows on the frame that completes the datagram, and not twice.
    """
    outer["stop"] = LATER_FRAGMENT
    outer["ip_proto"], outer["l4_at"] = kind, at
    outer["payload_len"] = outer["payload_captured"] = size


@inline
def take_fragment(
    buffer: Any, base: Int, end: Int, told: Any, told_len: Int, fragments: Any
) -> tuple[Int, Int, Int, Int]:
    """Take the fragment whose headers are in `scratch`: (index of the datagram that it completes, NOT_YET or CUT_SHORT; where
    it starts and stops; the protocol of what it begins with).
    """
    outer = fragments.scratch[0]
    header = base + np.int64(outer["l3_at"])
    start, stop, offset, more, ident, kind = fragment_at(buffer, header, end)
    if start == NOWHERE or outer["quirks"] & IP_LENGTH_BEYOND_FRAME or start - base > ROOM:
        return CUT_SHORT, 0, 0, 0
    found = place_of(fragments, outer, ident, kind)
    datagram = fragments.datagrams[found]
    headers = start - header - (40 if outer["ip_version"] == 6 else 0)
    if not take_piece(datagram, offset, offset + stop - start, more, MOST - headers):
        return NOT_YET, start, stop, kind
    for k in range(stop - start):
        fragments.bytes[found * ROOM + offset + k] = buffer[np.uintp(start + k)]
    datagram["frames_len"] += outer["length"]
    if offset == 0:
        datagram["first_frame"], datagram["first_len"], datagram["next"] = outer["frame"], outer["length"], kind
        if told:
            datagram["told"], datagram["told_len"] = 1, told_len
    if datagram["have"] != datagram["total"]:
        return NOT_YET, start, stop, kind
    datagram["used"] = 0
    return found, start, stop, kind


@inline
def join(taken: Int, start: Int, fragments: Any) -> Int:
    """Have the whole frame go on with a datagram at `start`, and the row in `scratch` say so: where the frame ends now."""
    outer, datagram = fragments.scratch[0], fragments.datagrams[taken]
    total = datagram["total"]
    for k in range(total):
        fragments.whole[start + k] = fragments.bytes[taken * ROOM + k]
    record = fragments.record[0]
    record["offset"] = 0
    record["captured"] = record["length"] = start + total
    fragments.joined[1], fragments.joined[2] = outer["tunnel_depth"], start
    outer["layers"] = (outer["layers"] & NO_FRAGMENT) | REASSEMBLED
    outer["ip_proto"] = datagram["next"]
    outer["payload_len"] = outer["payload_captured"] = 0  # those of the fragment
    if outer["ip_version"] == 6:
        mend_ipv6(fragments.whole, np.int64(outer["l3_at"]), start, start + total, datagram["next"])
    outer["first_fragment"] = datagram["first_frame"]
    outer["more_len"] += datagram["frames_len"] - outer["length"]
    if datagram["told"] and datagram["first_frame"] != outer["frame"]:
        outer["more_len"] -= datagram["first_len"]
        outer["told"], outer["told_len"] = 1, datagram["told_len"]
    return start + total


@inline
def mend_ipv6(whole: Any, at: Int, start: Int, end: Int, following: Int) -> None:
    """Have the IPv6 packet at `at`, whose fragment header ends at `start`, say that it is none, and ends at `end`."""
    put16(whole, at + 4, end - at - 40)
    put16(whole, start - 6, be16(whole, start - 6) & 0x0006)
    whole[np.uintp(start - 8)] = following


@inline
def put16(buffer: Any, at: Int, value: Int) -> None:
    """Write 16 bits."""
    buffer[np.uintp(at)] = value >> 8 & 0xFF
    buffer[np.uintp(at + 1)] = value & 0xFF


@inline
def fragment_at(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int, Int, Int]:
    """The fragment in the IP packet at `at`: where it starts and stops, its offset, whether more follow, its identification,
    and the protocol of what it begins with. It starts NOWHERE if not all of it is there.
    """
    if at + 20 <= end and be8(buffer, at) >> 4 == 4:
        start, stop = at + (be8(buffer, at) & 15) * 4, at + be16(buffer, at + 2)
        flags = be16(buffer, at + 6)
        if flags & 0x3FFF and at + 20 <= start < stop <= end:
            return start, stop, (flags & 0x1FFF) * 8, flags >> 13 & 1, be16(buffer, at + 4), be8(buffer, at + 9)
    elif at + 40 <= end and be8(buffer, at) >> 4 == 6:
        kind, stop = be8(buffer, at + 6), at + 40 + be16(buffer, at + 4)
        at += 40
        while is_extension(kind, True) and at + 8 < stop <= end:
            following = be8(buffer, at)
            flags = be16(buffer, at + 2)
            if kind == 44 and flags & 0xFFF9:
                return at + 8, stop, flags & 0xFFF8, flags & 1, be32(buffer, at + 4), following
            at += extension_size(kind, be8(buffer, at + 1))
            kind = following
    return NOWHERE, 0, 0, 0, 0, 0


@inline
def place_of(fragments: Any, outer: Any, ident: Int, kind: Int) -> Int:
    """The index of the fragment's datagram; a new one takes the place of the oldest in its set.

    IPv6 fragments are told apart by their identification alone, which has 32 bits; IPv4 ones by the protocol, too.
    """
    proto = kind if outer["ip_version"] == 4 else 0
    mixed = (halves(outer["src_lo"]) * 31 + halves(outer["dst_lo"]) * 7 + ident + proto) & 0x7FFFFFFF
    start = (mixed * GOLDEN >> 16) % SETS * WAYS
    oldest = start
    for k in range(start, start + WAYS):
        d = fragments.datagrams[k]
        if (
            d["used"]
            and d["ip_id"] == ident
            and d["src_lo"] == outer["src_lo"]
            and d["dst_lo"] == outer["dst_lo"]
            and d["src_hi"] == outer["src_hi"]
            and d["dst_hi"] == outer["dst_hi"]
            and d["proto"] == proto
            and d["version"] == outer["ip_version"]
            and d["vlan"] == outer["vlan"]
        ):
            age = outer["time_ns"] - d["first_ns"]
            if -TIMEOUT_NS <= age <= TIMEOUT_NS and fragments.begun[0] - d["begun"] <= FORGOTTEN_AFTER:
                return k
            oldest = k  # it never became complete, and its identification comes again
            break
        if not d["used"] or (fragments.datagrams[oldest]["used"] and d["begun"] < fragments.datagrams[oldest]["begun"]):
            oldest = k
    d = fragments.datagrams[oldest]
    d["src_hi"], d["src_lo"] = outer["src_hi"], outer["src_lo"]
    d["dst_hi"], d["dst_lo"] = outer["dst_hi"], outer["dst_lo"]
    d["ip_id"], d["vlan"], d["proto"], d["version"] = ident, outer["vlan"], proto, outer["ip_version"]
    d["used"], d["first_ns"], d["begun"] = 1, outer["time_ns"], fragments.begun[0]
    fragments.begun[0] += 1
    d["spoilt"] = d["runs"] = d["told"] = d["told_len"] = 0
    d["have"] = d["first_frame"] = d["first_len"] = d["frames_len"] = 0
    d["total"] = -1
    return oldest


@inline
def halves(value: Any) -> Int:
    """The two halves of a 64-bit number added up."""
    return np.int64(value & LOW32) + np.int64(value >> np.uint64(32))


@inline
def take_piece(datagram: Any, low: Int, high: Int, more: Int, most: Int) -> Any:
    """Note that the bytes `low` to `high` of at most `most` are there: are they new, and does everything fit together?"""
    if datagram["spoilt"]:
        return False
    kept = keep_run(datagram, low, high, RUNS)
    if kept == 0:  # came before
        return False
    last = more == 0
    if (
        kept < 0
        or high > most
        or (datagram["total"] >= 0 and (last or high > datagram["total"]))
        or (last and highest(datagram) > high)
    ):
        datagram["spoilt"] = 1
        return False
    if last:
        datagram["total"] = high
    datagram["have"] += high - low
    return True


@inline
def keep_run(datagram: Any, low: Int, high: Int, most: Int) -> Int:
    """Note that `low..high` is there: 1, 0 if it was there before, -1 if it overlaps or would be one run more than `most`.

    Runs that touch become one.
    """
    below = above = -1
    for k in range(datagram["runs"]):
        if datagram["low"][k] <= low and high <= datagram["high"][k]:
            return 0
        if datagram["low"][k] < high and low < datagram["high"][k]:
            return -1
        if datagram["high"][k] == low:
            below = k
        if datagram["low"][k] == high:
            above = k
    if below >= 0 and above >= 0:
        datagram["high"][below] = datagram["high"][above]
        last = datagram["runs"] - 1
        datagram["low"][above], datagram["high"][above] = datagram["low"][last], datagram["high"][last]
        datagram["runs"] = last
    elif below >= 0:
        datagram["high"][below] = high
    elif above >= 0:
        datagram["low"][above] = low
    elif datagram["runs"] == most:
        return -1
    else:
        datagram["low"][datagram["runs"]], datagram["high"][datagram["runs"]] = low, high
        datagram["runs"] += 1
    return 1


@inline
def highest(datagram: Any) -> Int:
    """Where the last run ends."""
    found = 0
    for k in range(datagram["runs"]):
        found = max(found, datagram["high"][k])
    return found
