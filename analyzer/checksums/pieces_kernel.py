"""Compiled: fragmented datagrams of a capture that is mended, on any level of its tunnels."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, in_library, kernel, part, rows_of, view_of
from analyzer.capture.records import RECORDS
from analyzer.checksums.state import DATAGRAM, FOUND, HEAD, NONE, UNVERIFIABLE, VALID
from analyzer.decode.codes import CAPTURED_BEYOND_LENGTH, CUT, FRAGMENT
from analyzer.decode.link import LINK
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.checksums.check_kernel import ALL_ONES, covers, is_piece
    from analyzer.checksums.datagram_kernel import piece_state, place_of
    from analyzer.checksums.sum_kernel import fold, sum_apart
    from analyzer.decode.frame_kernel import decode_again

LEVELS = 64  # more than a frame has tunnels: frame * LEVELS + level is the key of a fragmented datagram


@part
def decode_level(buffer: Any, record: Any, links: Any, row: Any, scratch: Any, blank: Any, level: Int) -> None:
    """Decode the frame of `record`, whose row is known, into `scratch`, but through no more than `level` tunnels."""
    scratch[0] = blank[0]
    outer = scratch[0]
    outer["frame"] = row["frame"]
    outer["time_ns"] = row["time_ns"]
    outer["length"] = row["length"]
    outer["captured"] = row["captured"]
    outer["link_direction"] = row["link_direction"]
    outer["quirks"] = row["quirks"] & (CUT | CAPTURED_BEYOND_LENGTH)
    outer["stop"] = decode_again(buffer, record, links[record["interface"]], outer, level, False)[0]


@kernel(
    buffer=view_of(np.uint8),
    words=view_of(np.uint64),
    skip=INT,
    records=view_of(RECORDS.dtype),
    rows=rows_of(PACKETS.dtype),
    links=view_of(LINK),
    scratch=rows_of(PACKETS.dtype),
    blank=rows_of(PACKETS.dtype),
    datagrams=rows_of(DATAGRAM),
    begun=rows_of(np.int64),
    heads=rows_of(HEAD),
    found=rows_of(FOUND),
    room=rows_of(np.int64),
)
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
                decode_level(buffer, records[i], links, row, scratch, blank, level)
                collect(buffer, words, skip, records[i], scratch[0], level, False, datagrams, begun, heads, found, room)
            else:
                collect(buffer, words, skip, records[i], row, level, True, datagrams, begun, heads, found, room)


@part
def collect(
    buffer: Any, words: Any, skip: Int, record: Any, row: Any, level: Int, innermost: bool,
    datagrams: Any, begun: Any, heads: Any, found: Any, room: Any,
) -> None:  # fmt: skip
    """The same for one packet. Only innermost fragments are counted: a frame is counted once."""
    if not is_piece(row) or not covers(row, row["captured"], row["ip_len"]):
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
        head["sum"] = sum_apart(buffer, words, skip, base + row["l4_at"], base + row["l3_at"] + row["ip_len"])
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
