"""Compiled helpers of the prediction: an increment, the host's addresses, and sizes of packets and segments."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.decode.codes import O_TIMESTAMPS
from analyzer.prediction.sink import EARLIEST, LATEST
from analyzer.prediction.state import DEFAULT_MSS

NO_FLOW = -1
SMALL_MSS = 536  # TCP_MSS_DEFAULT
LEAST_MSS = 68 - 20  # of a segment in the smallest IPv4 packet that everybody forwards, as the kernel has it


@inline
def add(row: Any, counter: Int, amount: Int, out: Any) -> None:
    """One increment."""
    put(row, np.int64(counter), np.int64(amount), out)


@inline
def add_range(row: Any, counter: Int, amount: Int, least: Int, most: Int, out: Any) -> None:
    """One increment of which only the bounds are certain."""
    put_range(row, np.int64(counter), np.int64(amount), np.int64(least), np.int64(most), out)


@inline
def add_then(
    row: Any, time_ns: Int, frame: Int, counter: Int, amount: Int, least: Int, most: Int, out: Any
) -> None:  # fmt: skip
    """The same at an earlier frame of the flow."""
    add_of(row["flow"], time_ns, frame, counter, amount, least, most, out)


@inline
def add_of(flow: Int, time_ns: Int, frame: Int, counter: Int, amount: Int, least: Int, most: Int, out: Any) -> None:
    """The same of any flow."""
    bounds = np.int64(least), np.int64(most)
    put_at(np.int64(flow), np.int64(time_ns), np.int64(frame), np.int64(counter), np.int64(amount), *bounds, out)


@part
def put_range(row: Any, counter: Int, amount: Int, least: Int, most: Int, out: Any) -> None:
    """The same of one that is not certain."""
    if out["summing"]:
        sum_up(row["time_ns"], counter, amount, least, most, out)
    else:
        keep(row["flow"], row["time_ns"], row["frame"], counter, amount, least, most, out)


@part
def put(row: Any, counter: Int, amount: Int, out: Any) -> None:
    """Sum an increment, where that is wanted, or keep it. The cell at hand is that of the frame: see enter()."""
    if amount < 0:
        put_range(row, counter, amount, amount, amount, out)
    elif out["summing"]:
        out["sums"][column_of(counter, out)]["exact"] += amount
        if out["followed"][counter] >= 0:
            step(np.int64(out["followed"][counter]), row["time_ns"], amount, amount, out)
    else:
        keep(row["flow"], row["time_ns"], row["frame"], counter, amount, amount, amount, out)


@part
def put_at(
    flow: Int, time_ns: Int, frame: Int, counter: Int, amount: Int, least: Int, most: Int, out: Any
) -> None:  # fmt: skip
    """The same of one at an earlier frame: it is kept, unless that is in the same cell."""
    if out["from_ns"] <= time_ns < out["until_ns"]:
        sum_up(time_ns, counter, amount, least, most, out)
    else:
        keep(flow, time_ns, frame, counter, amount, least, most, out)


@inline
def keep(flow: Int, time_ns: Int, frame: Int, counter: Int, amount: Int, least: Int, most: Int, out: Any) -> None:
    """As a row."""
    found = out["rows"][out["used"]]
    found["time_ns"], found["frame"], found["flow"] = time_ns, frame, flow
    found["counter"], found["amount"], found["least"], found["most"] = counter, amount, least, most
    out["used"] += 1


@inline
def sum_up(time_ns: Int, counter: Int, amount: Int, least: Int, most: Int, out: Any) -> None:
    """In the column of its counter, and where that is followed, as a step."""
    found = out["sums"][column_of(counter, out)]
    found["amount"] += amount
    found["least"] += least
    found["most"] += most
    found["size"] += abs(amount)
    if out["followed"][counter] >= 0:
        step(np.int64(out["followed"][counter]), time_ns, least, most, out)


@inline
def column_of(counter: Int, out: Any) -> Int:
    """Where a counter is summed; a new column if it occurs for the first time."""
    column = np.int64(out["column"][counter])
    if column < 0:
        column = out["columns"]
        out["columns"], out["column"][counter] = column + 1, column
    return np.uint64(column)  # an index that is not signed need not be looked at for its sign


@inline
def step(which: Int, time_ns: Int, least: Int, most: Int, out: Any) -> None:
    """A followed counter moves: at the same time as before, or later."""
    one = out["steps"][np.uint64(which)]
    time, count = time_ns >> one["bits"] << one["bits"], one["count"]
    last = one["steps"][np.uint64(count)]
    if last["time_ns"] == time and count > 0:
        last["least"] += least
        last["most"] += most
        return
    new = one["steps"][np.uint64(count + 1)]
    new["time_ns"], new["least"], new["most"] = time, least, most
    one["count"] = count + 1
    out["most_steps"] = max(out["most_steps"], count + 1)


@inline
def enter(time_ns: Int, cuts: Any, sums: Any, out: Any) -> None:
    """Go to the cell of a time, after the sums of the one before were added to `sums`."""
    add_up(sums, out)
    out["first_ns"] = min(out["first_ns"], time_ns)
    low, high = 0, len(cuts)
    while low < high:
        middle = (low + high) >> 1
        if cuts[middle] <= time_ns:
            low = middle + 1
        else:
            high = middle
    out["cell"] = low
    out["from_ns"] = cuts[low - 1] if low > 0 else EARLIEST
    out["until_ns"] = cuts[low] if low < len(cuts) else LATEST


@inline
def add_up(sums: Any, out: Any) -> None:
    """The sums of the cell at hand are added to those of all cells, and begin anew."""
    for column in range(out["columns"]):
        here, total = out["sums"][column], sums[out["cell"], column]
        total["exact"] += here["exact"]
        total["amount"] += here["amount"]
        total["least"] += here["least"]
        total["most"] += here["most"]
        total["size"] += here["size"]
        here["exact"] = here["amount"] = here["least"] = here["most"] = here["size"] = 0


@inline
def is_mine(hosts: Any, high: Any, low: Any) -> Any:
    """Is this one of the host's addresses? See prediction.hosts."""
    mixed = high ^ low
    mixed ^= mixed >> np.uint64(32)
    first = np.int64((mixed ^ mixed >> np.uint64(16)) & hosts[0, 0]) + 1
    for k in range(first, first + np.int64(hosts[0, 1])):
        if hosts[np.uint64(k), 1] == low and hosts[np.uint64(k), 0] == high:
            return True
    return False


@inline
def is_group(row: Any) -> Int:
    """1 to a multicast group, 2 to a broadcast address, 0 else."""
    if row["ip_version"] == 6:
        return 1 if row["dst_hi"] >> np.uint64(56) == 255 else 0
    address = np.int64(row["dst_lo"] & np.uint64(0xFFFFFFFF))
    if address >> 28 == 14:
        return 1
    return 2 if address == 0xFFFFFFFF or row["reception"] == 3 else 0


@inline
def packet_bytes(row: Any) -> Int:
    """Bytes of the IP packet."""
    if row["ip_len"]:
        return np.int64(row["ip_len"])
    return np.int64(row["l4_at"]) - np.int64(row["l3_at"]) + np.int64(row["header_len"]) + np.int64(row["payload_len"])


@inline
def bytes_behind(row: Any, at: Int) -> Any:
    """Bytes of the frame from a header on, as far as it reached; a damaged record may claim that it was shorter than what it holds."""
    return max(np.int64(row["length"]), np.int64(row["captured"])) - at


@inline
def is_fragment(row: Any) -> Any:
    """Is it a part of a larger datagram?"""
    return row["fragment_offset"] != 0 or row["ip_flags"] & 1 != 0


@inline
def segment_size(row: Any, talk: Any) -> Int:
    """Payload of a full segment: what its receiver accepts in one, less the options in each.

    It is no more than half of the largest window that the receiver has offered (tcp_bound_to_half_wnd()), where its scale is known.
    """
    side = np.int64(row["direction"])
    mss: Int = np.int64(talk["mss"][1 - side])
    if mss == 0:
        mss = DEFAULT_MSS
    own = np.int64(talk["mss"][side])
    if own != 0 and own < mss:
        mss = own
    blocks = np.int64(row["header_len"]) - 20  # what is left of the options are SACK blocks (tcp_current_mss())
    if row["options"] & O_TIMESTAMPS:
        mss, blocks = mss - 12, blocks - 12
    widest = np.int64(talk["widest"][1 - side])
    if widest > 0 and talk["offered"][0] and talk["offered"][1]:
        half = widest >> 1 if widest > SMALL_MSS else widest
        mss = min(mss, max(half, LEAST_MSS))
    return max(1, mss - blocks)


@inline
def in_segments(row: Any, size: Int) -> Int:
    """How many segments of the wire the frame is, with so much payload in a full one."""
    if row["payload_len"] <= size:  # mostly, and a division takes its time
        return 1
    return (np.int64(row["payload_len"]) + size - 1) // size
