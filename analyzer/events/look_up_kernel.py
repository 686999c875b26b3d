"""Compiled: the memory that judging some rows will ask for, looked up for all of them together, so that they wait for it together."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.accelerate.prefetch import prefetch
from analyzer.events.copies_kernel import first_place, identity_of, tuple_of_row
from analyzer.events.emit_kernel import ACK
from analyzer.flows.end_state import END_LINES
from analyzer.flows.sent_kernel import RING
from analyzer.flows.state import CACHE_LINE, EMPTY, STATE_LINES, TCP
from analyzer.flows.tuple_kernel import low_end


@inline
def look_up(
    rows: Any, first: Int, stop: Int, states: Any, ends: Any, sent: Any, recent: Any, identities: Any, keys: Any
) -> None:
    """Fill `identities` of some rows, and have fetched what judging them will ask for."""
    before = np.int64(EMPTY)
    for i in range(first, stop):
        row = rows[i]
        if row["flow"] < 0 or row["ip_proto"] != TCP:
            continue
        end = low_end(row)
        identities[i - first] = identity_of(row, row["flow"], end, keys)
        prefetch(recent, first_place(row, tuple_of_row(row, end), end), 0)
        place = np.int64(row["place"])
        if place != before:
            for line in range(STATE_LINES):
                prefetch(states, place, CACHE_LINE * line)
        before = place
    before = np.int64(EMPTY)
    for i in range(first, stop):
        row = rows[i]
        if row["flow"] < 0 or row["ip_proto"] != TCP:
            continue
        place = np.int64(row["place"])
        if place != before:
            low, high = states[place]["ends"][0], states[place]["ends"][1]
            for line in range(END_LINES):
                prefetch(ends, low, CACHE_LINE * line)
                prefetch(ends, high, CACHE_LINE * line)
        before = place
    for i in range(first, stop):
        row = rows[i]
        if row["flow"] >= 0 and row["ip_proto"] == TCP and row["flags"] & ACK:
            other = states[np.int64(row["place"])]["ends"][1 - low_end(row)]
            prefetch(sent.chain, ends[other]["oldest"] & RING, 0)
