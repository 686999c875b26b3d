"""Compiled reading: the bytes of a window -> packet rows with their checksums verified, one frame after the other.

Record, headers and checksum of a frame are done with before those of the next. So its bytes come from memory once, in order,
which the processor foresees: as one pass after the other, each over a whole window, they would come three times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, group_of, kernel, rows_of, view_of
from analyzer.accelerate.prefetch import prefetch
from analyzer.capture.layout import FOUND, FULL, GIVEN, INTERFACE, LAYOUT
from analyzer.capture.records import RECORDS
from analyzer.capture.scan_kernel import next_record
from analyzer.checksums.state import MEMORY, Memory
from analyzer.checksums.tally_kernel import check_record
from analyzer.decode.codes import FRAGMENT
from analyzer.decode.fragments import FRAGMENTS, Fragments
from analyzer.decode.frame_kernel import decode_record
from analyzer.decode.link import LINK
from analyzer.decode.reassembly_kernel import put_together
from analyzer.tables import PACKETS

CACHE_LINE = 64
ROW_LINES = PACKETS.hot_bytes // CACHE_LINE
ROWS_AHEAD = 4
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
    for n in range(len(records)):
        record, row = records[n], rows[n]
        if format_ != GIVEN:
            at, why, need = next_record(
                buffer, at, format_, big, order, header, unit_ns, limit, interface, local, drops, record
            )
            if why != FOUND:
                return n, at, why, need
        else:
            at = record["offset"] + np.int64(record["captured"])
        if checking:  # otherwise most bytes are not needed
            while fetched < min(at + AHEAD, len(buffer)):
                prefetch(buffer, fetched, 0)
                fetched += CACHE_LINE
        later = min(n + ROWS_AHEAD, len(rows) - 1)
        for line in range(ROW_LINES):
            prefetch(rows, later, CACHE_LINE * line)
        decode_record(buffer, record, links, first_frame + n, row, row_words[n])
        if checking:
            found = check_record(buffer, words, skip, record, n, links, rows, link_types, memory, fragments, found)
        elif row["layers"] & FRAGMENT:
            put_together(buffer, record, n, links, rows, fragments)
    return len(records), at, FULL, 0
