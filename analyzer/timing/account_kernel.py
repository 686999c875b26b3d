"""Compiled: packet rows and what each left behind -> where the time of every connection went, and how it talked. One pass over the frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, in_library, inline, kernel, rows_of
from analyzer.accelerate.prefetch import prefetch
from analyzer.flows.moment import (
    BOTH,
    MOMENT,
    NEXT_ID,
    OF_ACK,
    OF_AGAIN,
    OF_DATA,
    OF_KEEP_ALIVE,
    OF_RST,
    OF_SYN,
    SHORT,
    SKIPPED,
    WITH_FIN,
)
from analyzer.flows.state import AHEAD, AT_A_TIME, CACHE_LINE, EMPTY
from analyzer.flows.time_state import (
    BEGUN,
    FINISHED,
    FIRST_SORT,
    KEPT,
    LAST,
    NOTE,
    NOTES_OF_SORT,
    OPENING,
    OVER,
    STRETCH,
    STRETCHES_OF_A_FRAME,
    TALK,
    TIME_STATE,
    UNNUMBERED,
)
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.flows.hash_kernel import sort_of
    from analyzer.timing.gap_kernel import TIMER_NS, at_once, explain, goes_on, silent
    from analyzer.timing.spend_kernel import all_acknowledged, settle, spend, suspend
    from analyzer.timing.talk_kernel import acknowledged, talking

LINES = (TIME_STATE.itemsize + CACHE_LINE - 1) // CACHE_LINE


@kernel(
    rows=rows_of(PACKETS.dtype),
    first=INT,
    moments=rows_of(MOMENT),
    times=rows_of(TIME_STATE),
    talks=rows_of(TALK),
    used=rows_of(np.int64),
    free=rows_of(np.int32),
    notes=rows_of(NOTE),
    out=rows_of(STRETCH),
)
def account(
    rows: Any,
    first: Int,
    moments: Any,
    times: Any,
    talks: Any,
    used: Any,
    free: Any,
    notes: Any,
    out: Any,
) -> Int:
    """Account for the time before each row from `first` on. Returns the row where it stopped: the end, or where `talks` or `out` may be full.

    `moments` (MOMENT) belong to the rows, `times` (TIME_STATE) to the places of flows, which say where their `notes` (NOTE, NOTES) are. Of
    `talks` (TALK) used[0] (int64) were ever in use, of which the last used[1] in `free` (int32) are free again. `out` (STRETCH) gets what time went to, used[2]
    of it so far, unless it is empty. From used[FIRST_SORT] on it counts the flows of each sort.
    """
    upto: Int = first
    for i in range(first, len(rows)):
        if used[0] >= len(talks) and used[1] == 0:
            return i
        if len(out) and used[2] + STRETCHES_OF_A_FRAME > len(out):
            return i
        if i == upto:
            begins = i == first
            upto += AT_A_TIME
            fetch_times(i if begins else upto, upto + AT_A_TIME, moments, times)
        moment = moments[i]
        if moment["kind"] == SKIPPED:
            continue
        row = rows[i]
        time_ns = np.int64(moment["time_ns"])
        me = times[np.int64(moment["place"])]
        gap: Int = np.int64(0)
        if np.int64(me["flags"]) & BEGUN:
            if tells_nothing(moment, me):
                continue
            if time_ns > me["upto_ns"]:
                gap = max(time_ns - np.int64(me["upto_ns"]), 0)  # a difference beyond int64 is none
            pass_time(row, moment, me, notes, out, used, gap)
        else:
            me["flags"] = BEGUN | (OPENING if moment["kind"] == OF_SYN else 0)
            me["upto_ns"] = time_ns
            me["note"] = place_for_notes(row, used)
        me["upto_ns"] = max(np.int64(me["upto_ns"]), time_ns)
        move_on(row, moment, me, talks, used, free, gap)
    return len(rows)


@inline
def fetch_times(first: Int, stop: Int, moments: Any, times: Any) -> None:
    """Have fetched what accounting for some rows will ask for, and what later ones left behind."""
    before = np.int64(EMPTY)
    for i in range(first, min(stop, len(moments))):
        later = min(i + AHEAD, len(moments) - 1)
        prefetch(moments, later, 0)
        prefetch(moments, later, CACHE_LINE)
        place = np.int64(moments[i]["place"])
        if moments[i]["kind"] != SKIPPED and place != before:
            for line in range(LINES):
                prefetch(times, place, CACHE_LINE * line)
            before = place


@inline
def place_for_notes(row: Any, used: Any) -> Int:
    """The place of the notes on a flow that begins."""
    sort = sort_of(row)
    used[FIRST_SORT + sort] += 1
    return sort * NOTES_OF_SORT + used[FIRST_SORT + sort] % NOTES_OF_SORT


@inline
def tells_nothing(moment: Any, me: Any) -> Any:
    """A segment that neither says nor acknowledges anything does not end a silence."""
    kind = moment["kind"]
    return ((kind == OF_ACK and moment["advanced"] == 0) or kind == OF_SYN) and silent(me)


@inline
def pass_time(row: Any, moment: Any, me: Any, notes: Any, out: Any, used: Any, gap: Int) -> None:
    """The time since the latest frame, and what was pending."""
    if moment["kind"] == OF_ACK and all_acknowledged(moment, me):
        suspend(row, moment, me, notes, out, used, gap)
        return
    first, trip, rest, how = at_once() if goes_on(moment, me) else explain(moment, me, gap)
    behind = settle(row, moment, me, notes, out, used, how)
    upto_ns = np.int64(me["upto_ns"])
    if trip > 0:
        spend(row, moment, me, notes, out, used, rest, upto_ns - behind, behind)
        spend(row, moment, me, notes, out, used, first, upto_ns, trip)
        behind = np.int64(0)
    # One pause, though an ACK came within it.
    spend(row, moment, me, notes, out, used, rest, upto_ns + trip - behind, gap - trip + behind)


@inline
def move_on(row: Any, moment: Any, me: Any, talks: Any, used: Any, free: Any, gap: Int) -> None:
    """What the frame changes."""
    kind, bits = np.int64(moment["kind"]), np.int64(moment["bits"])
    flags = np.int64(me["flags"])
    if kind != OF_SYN:
        flags &= 0xFFFF ^ OPENING
    if kind == OF_RST:
        flags |= OVER
    elif kind == OF_DATA:
        flags &= 0xFFFF ^ OVER  # the reset did not reach it
    elif kind == OF_KEEP_ALIVE:
        flags |= KEPT
    if bits & WITH_FIN:
        flags |= FINISHED
    if gap < TIMER_NS and bits & BOTH and not bits & NEXT_ID and kind != OF_SYN:
        flags |= UNNUMBERED << np.int64(moment["end"])
    flags = flags | LAST if moment["end"] else flags & (0xFFFF ^ LAST)
    me["flags"] = flags
    if kind == OF_DATA or kind == OF_AGAIN:
        talking(row, moment, me, talks, used, free, gap)
    else:
        bits = bits & ~SHORT | np.int64(me["bits"]) & SHORT  # that of the latest data stands
    if kind != OF_SYN:
        acknowledged(moment, me)
    me["bits"] = bits
