"""Compiled scan: a window of bytes -> rows of RECORDS, in every format that is not walked in Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, in_library, inline, kernel, rows_of, view_of
from analyzer.capture.layout import FOUND, FULL, INTERFACE, LAYOUT, PCAP
from analyzer.capture.records import RECORDS

if not in_library():
    from analyzer.capture.pcap_kernel import pcap_record
    from analyzer.capture.pcapng_kernel import pcapng_record


@inline
def next_record(
    buffer: Any,
    at: Int,
    format_: Int,
    big: Any,
    order: Int,
    header: Int,
    unit_ns: Int,
    limit: Int,
    interface: Int,
    interfaces: Any,
    drops: Any,
    row: Any,
) -> tuple[Int, Int, Int]:
    """Fill `row` (RECORDS) from the next record from `at` on: (where the one behind it starts, why, bytes needed).

    `why` is FOUND, or why there is none; the other arguments are what LAYOUT holds.
    """
    if format_ == PCAP:
        at, why = pcap_record(buffer, at, big, order, header, unit_ns, limit, interface, row)
        return at, why, 0
    return pcapng_record(buffer, at, big, interfaces, drops, row)


@kernel(
    buffer=view_of(np.uint8),
    layout=view_of(LAYOUT),
    interfaces=view_of(INTERFACE),
    drops=rows_of(np.int64),
    rows=rows_of(RECORDS.dtype),
)
def scan(buffer: Any, layout: Any, interfaces: Any, drops: Any, rows: Any) -> tuple[Int, Int, Int, Int]:
    """Fill `rows` (RECORDS) from the records that start at the beginning of `buffer` (uint8, read-only).

    `layout` (LAYOUT, 1 row) says how they are laid out; `interfaces` (INTERFACE) and `drops` (int64, sums of drop counts)
    have a row for each interface of a pcapng section. Returns (rows filled, bytes passed, why, bytes needed).
    """
    plan = layout[0]
    format_, big, order, header = plan["format"], plan["big"], plan["order"], plan["header"]
    unit_ns, limit, interface = plan["unit_ns"], plan["limit"], plan["interface"]
    at: Int = 0
    for n in range(len(rows)):
        at, why, need = next_record(
            buffer, at, format_, big, order, header, unit_ns, limit, interface, interfaces, drops, rows[n]
        )
        if why != FOUND:
            return n, at, why, need
    return len(rows), at, FULL, 0
