"""Compiled reading: the bytes of a window -> packet rows with their checksums verified, one frame after the other.

Record, headers and checksum of a frame are done with before those of the next but one. So its bytes come from memory once, in order,
which the processor foresees: as one pass after the other, each over a whole window, they would come three times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, group_of, in_library, inline, kernel, rows_of, view_of
from analyzer.accelerate.prefetch import prefetch
from analyzer.capture.layout import FOUND, FULL, GIVEN, INTERFACE, LAYOUT
from analyzer.capture.records import RECORDS
from analyzer.checksums.state import MEMORY, Memory
from analyzer.decode.codes import FRAGMENT
from analyzer.decode.fragments import FRAGMENTS, Fragments
from analyzer.decode.link import LINK
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.capture.scan_kernel import next_record
    from analyzer.checksums.direction_kernel import slot_of
    from analyzer.checksums.tally_kernel import check_record
    from analyzer.decode.frame_kernel import decode_record
    from analyzer.decode.reassembly_kernel import put_together

CACHE_LINE = 64
ROW_LINES = PACKETS.hot_bytes // CACHE_LINE
ROWS_AHEAD = 4
DIRECTION_LINES = 3  # cache lines of a direction that every frame touches
BEHIND = 2  # frames by which verifying comes after decoding: so long, what a frame is counted in is on its way
AHEAD = 4096  # bytes that are fetched before they are needed: more than come in the time that a frame takes


@kernel(
    buffer=view_of(np.uint8),
    layout=view_of(LAYOUT),
    local=view_of(INTERFACE),
    drops=rows_of(np.int64),
    records=rows_of(RECORDS.dtype),
    links=view_of(LINK),
    first_frame=INT,
    rows=rows_of(PACKETS.dtype),
    row_words=rows_of(np.uint64, 2),
    words=view_of(np.uint64),
    skip=INT,
    link_types=view_of(np.uint16),
    memory=group_of(Memory, MEMORY),
    fragments=group_of(Fragments, FRAGMENTS),
    checking=BOOL,
)
def read_frames(
    buffer: Any, layout: Any, local: Any, drops: Any, records: Any, links: Any, first_frame: Int, rows: Any, row_words: Any,
    words: Any, skip: Int, link_types: Any, memory: Any, fragments: Any, checking: bool,
) -> tuple[Int, Int, Int, Int]:  # fmt: skip
    """Fill `records` (RECORDS) from the start of `buffer` (uint8, read-only), and `rows` (PACKETS.dtype), as long, from them.

    `layout`, `local` and `drops` are as in `scan`, whose result it returns; with the format GIVEN the records are there
    already. `links` (LINK), `first_frame` and `row_words` (uint64, the memory of `rows`) are as in `decode_frames`; `words`
    (uint64, read-only), `skip`, `link_types` (u2), `memory` (checksums.state.Memory) and `fragments`
    (decode.fragments.Fragments) as in `check_frames`.
    """
    plan = layout[0]
    format_, big, order, header = plan["format"], plan["big"], plan["order"], plan["header"]
    unit_ns, limit, interface = plan["unit_ns"], plan["limit"], plan["interface"]
    at: Int = 0
    found: Int = 0
    fetched: Int = 0
    slot: Int = 0
    next_slot: Int = 0
    stop, why, need = np.int64(len(records)), np.int64(FULL), np.int64(0)
    n: Int = 0
    while n < stop or (checking and n < stop + BEHIND):
        new_slot: Int = 0
        if n < stop:
            record, row = records[n], rows[n]
            if format_ != GIVEN:
                at, reason, missing = next_record(
                    buffer, at, format_, big, order, header, unit_ns, limit, interface, local, drops, record
                )
                if reason != FOUND:
                    stop, why, need = n, np.int64(reason), np.int64(missing)
                    continue
            else:
                at = record["offset"] + np.int64(record["captured"])
            upto = min(at + AHEAD, len(buffer))
            if checking:  # otherwise most bytes are not needed
                fetched = fetch(buffer, fetched, fetched + upto >> 1)
            later = min(n + ROWS_AHEAD, len(rows) - 1)
            for line in range(ROW_LINES):
                prefetch(rows, later, CACHE_LINE * line)
            decode_record(buffer, record, links, first_frame + n, row, row_words[n])
            if checking:
                fetched = fetch(buffer, fetched, upto)
                new_slot = slot_of(row, memory.room)
                prefetch(memory.slots, new_slot, 0)
            elif row["layers"] & FRAGMENT:
                put_together(buffer, record, n, links, rows, fragments)
        if checking:
            # What is counted of a direction comes from memory while the frames before are worked on.
            known = np.int64(memory.slots[next_slot])
            for line in range(DIRECTION_LINES):
                prefetch(memory.directions, known, CACHE_LINE * line)
            if n >= BEHIND:
                i = n - BEHIND
                found = check_record(
                    buffer, words, skip, records[i], i, slot, links, rows, link_types, memory, fragments, found
                )
            slot, next_slot = next_slot, new_slot
        n += 1
    return stop, at, why, need


@inline
def fetch(buffer: Any, at: Int, stop: Int) -> Int:
    """Have bytes fetched from `at` on, up to `stop`; returns how far. Of few at a time: the processor keeps a dozen requests."""
    while at < stop:
        prefetch(buffer, at, 0)
        at += CACHE_LINE
    return at
