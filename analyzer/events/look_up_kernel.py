"""Compiled: the memory that judging some rows will ask for, fetched before they come, so that nobody waits for it.

It lies behind one another: a row says which flow it is of, the flow where its ends are, an end which of its segments are not
acknowledged. So it is asked for in three steps, a few rows apart: what one step needs, the one before has fetched.
"""

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
from analyzer.serial import difference as difference_python
from analyzer.tables import PACKETS

difference = inline(difference_python)

ROW_LINES = PACKETS.hot_bytes // CACHE_LINE


@inline
def identify(
    rows: Any, first: Int, stop: Int, states: Any, recent: Any, identities: Any, keys: Any, moments: Any
) -> None:
    """Fill `identities` (a ring, of a power of two) of some rows, and have fetched their flows, and later rows."""
    ring = len(identities) - 1
    before = np.int64(EMPTY)
    for i in range(first, min(stop, len(rows))):
        later = min(i + len(identities), len(rows) - 1)
        for line in range(ROW_LINES):
            prefetch(rows, later, CACHE_LINE * line)
        prefetch(moments, i, 0)
        prefetch(moments, i, CACHE_LINE)
        row = rows[i]
        if row["flow"] < 0 or row["ip_proto"] != TCP:
            continue
        end = low_end(row)
        identities[i & ring] = identity_of(row, row["flow"], end, keys)
        prefetch(recent, first_place(row, tuple_of_row(row, end), end), 0)
        place = np.int64(row["place"])
        if place != before:
            for line in range(STATE_LINES):
                prefetch(states, place, CACHE_LINE * line)
        before = place


@inline
def fetch_ends(rows: Any, first: Int, stop: Int, states: Any, ends: Any) -> None:
    """Have fetched what is kept of both ends of the flows of some rows."""
    before = np.int64(EMPTY)
    for i in range(first, min(stop, len(rows))):
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


@inline
def fetch_sent(
    rows: Any, first: Int, stop: Int, states: Any, ends: Any, sent: Any, at: Int, number: Int, upto: Int
) -> tuple[Int, Int, Int]:
    """Have fetched a segment that an ACK before `stop` acknowledges: one with each row, as each tells where the next is.

    (`at`, `number`, `upto`): the row with the ACK, of the segment before, or 0, and what is acknowledged. They are of the call before; `first`
    is the row at hand.
    """
    if number > 0 and at > first:
        record = sent.chain[number & RING]
        if record["end"] <= upto and record["ahead"] > 0:
            number += np.int64(record["ahead"])
            prefetch(sent.chain, number & RING, 0)
            prefetch(sent.first, number & RING, 0)
            return at, number, upto
    at = max(at, first) + 1
    while at < min(stop, len(rows)):
        row = rows[at]
        if row["flow"] >= 0 and row["ip_proto"] == TCP and row["flags"] & ACK:
            you = ends[states[np.int64(row["place"])]["ends"][1 - low_end(row)]]
            number, next_ = np.int64(you["oldest"]), np.int64(you["next"])
            if number > 0:
                prefetch(sent.chain, number & RING, 0)
                prefetch(sent.first, number & RING, 0)
                ack = np.int64(row["ack"])
                return at, number, next_ + difference(ack, np.int64(you["isn"]) + next_ & 0xFFFFFFFF)
        at += 1
    return at - 1, np.int64(0), upto
