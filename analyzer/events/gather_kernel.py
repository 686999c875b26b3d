"""Compiled: events -> one place per flow, side, event and cause, in a table of hashes that is never full."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import UINT, Int, in_library, inline, kernel, rows_of
from analyzer.tables import EVENTS, FLOW_EVENTS

if not in_library():
    from analyzer.flows.hash_kernel import mix

# A place: a row of `flow_events` with its key.
GATHERED = np.dtype(
    [("key", "u8"), *((name, FLOW_EVENTS.dtype[name]) for name in FLOW_EVENTS.dtype.names or ())], align=True
)
MOST, LEAST = np.int64((1 << 63) - 1), np.int64(-(1 << 63))


@inline
def key_of(event: Any, flow: Int) -> Any:
    """Not 0, which is an empty place."""
    which = np.uint64(event["direction"]) << np.uint64(16) | np.uint64(event["event"]) << np.uint64(8)
    return (np.uint64(flow + 2) << np.uint64(17)) | which | np.uint64(event["cause"])


@inline
def place_of(key: Any, places: Any, seed: Any) -> Int:
    """Where the key is, or the empty place where it would be. There are a power of two of places, of which one at least is empty."""
    last = np.uint64(len(places) - 1)
    at = np.int64(mix(key ^ seed) & last)
    while places[at]["key"] != np.uint64(0) and places[at]["key"] != key:
        at = (at + 1) & np.int64(last)
    return at


@inline
def added(total: Int, value: Int) -> Int:
    """The sum, or the nearest number that there is."""
    if value > 0 and total > MOST - value:
        return MOST
    if value < 0 and total < LEAST - value:
        return LEAST
    return total + value


@kernel(
    events=rows_of(EVENTS.dtype),
    places=rows_of(GATHERED),
    order=rows_of(np.int64),
    used=rows_of(np.int64),
    most=rows_of(np.int64),
    trouble=rows_of(np.uint8),
    seed=UINT,
)
def gather(events: Any, places: Any, order: Any, used: Any, most: Any, trouble: Any, seed: Any) -> None:
    """Add the events. `most` rows belong to flows; beyond, and of what is no trouble beyond half of it, to flow -1."""
    for number in range(len(events)):
        event = events[number]
        flow = np.int64(event["flow"])
        at = place_of(key_of(event, flow), places, seed)
        if places[at]["key"] == np.uint64(0) and flow >= 0:
            matters = event["event"] < len(trouble) and trouble[event["event"]] != 0
            limit = most[0] if matters else most[0] >> 1
            if used[0] >= limit:
                flow = np.int64(-1)
                at = place_of(key_of(event, flow), places, seed)
        fresh = places[at]["key"] == np.uint64(0)
        # There is room for all keys of flow -1 (sides, events, causes); were there none, a search would never end.
        if fresh and used[0] >= len(places) - 1:
            continue
        row = places[at]
        value = np.int64(event["value"])
        if fresh:
            row["key"] = key_of(event, flow)
            order[used[0]] = at
            used[0] += 1
            row["flow"] = flow
            row["direction"], row["event"], row["cause"] = event["direction"], event["event"], event["cause"]
            row["first_frame"], row["first_ns"] = event["frame"], event["time_ns"]
            row["max"], row["max_frame"] = value, event["frame"]
        elif value > row["max"]:
            row["max"], row["max_frame"] = value, event["frame"]
        row["count"] += 1
        row["related"] += 1 if event["related_frame"] > 0 else 0
        row["since_max_ns"] = max(np.int64(row["since_max_ns"]), np.int64(event["since_ns"]))
        row["sum"] = added(np.int64(row["sum"]), value)
        row["last_frame"], row["last_ns"] = event["frame"], event["time_ns"]
        remember(row, np.int64(row["count"]), np.int64(event["frame"]), np.int64(event["related_frame"]))


@inline
def remember(row: Any, count: Int, frame: Int, related: Int) -> None:
    """The frames of the first few, and those that they refer to."""
    if count == 1:
        row["frame_1"], row["related_1"] = frame, related
    elif count == 2:
        row["frame_2"], row["related_2"] = frame, related
    elif count == 3:
        row["frame_3"], row["related_3"] = frame, related
    elif count == 4:
        row["frame_4"], row["related_4"] = frame, related
    elif count == 5:
        row["frame_5"], row["related_5"] = frame, related
    elif count == 6:
        row["frame_6"], row["related_6"] = frame, related
    elif count == 7:
        row["frame_7"], row["related_7"] = frame, related
    elif count == 8:
        row["frame_8"], row["related_8"] = frame, related
