"""Compiled counting over packet rows: what a capture holds, frame by frame, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, in_library, inline, kernel, rows_of
from analyzer.accelerate.prefetch import prefetch
from analyzer.summary.steps import is_regular as is_regular_python
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.ordering.step_kernel import is_another_capture

is_regular = inline(is_regular_python)

MAX_NS = 2**63 - 1
CACHE_LINE = 64  # bytes
ROW_LINES = PACKETS.hot_bytes // CACHE_LINE
AHEAD = 16  # rows that are fetched before they are needed: another core has written them
TOTALS = np.dtype(
    [
        ("frames", "i8"),
        ("bytes", "i8"),
        ("captured", "i8"),
        ("first_ns", "i8"),
        ("last_ns", "i8"),
        ("previous_ns", "i8"),
        ("regressions", "i8"),
        ("largest_regression_ns", "i8"),
        ("first_regression", "i8"),
        ("previous_interface", "i8"),
        ("highest_interface", "i8"),
        ("joins", "i8"),  # where another capture begins, by the time
        ("first_join", "i8"),
        ("first_join_ns", "i8"),
        ("hidden", "i8"),  # frames whose payload was not captured, or not all of it
        ("step_ns", "i8"),  # between the last two frames, and the shortest that is one
        ("least_step_ns", "i8"),
        ("still", "i8"),  # frames at the time of the one before
        ("previous_port", "i8"),
        ("first_port", "i8"),
        ("second_step_ns", "i8"),  # of the second frame, and was it a turn
        ("second_turned", "i8"),
        ("regular", "i8"),  # frames that come after a step as long as the one before
        ("turns", "i8"),  # frames from another port than the one before, and those of them that are regular
        ("regular_turns", "i8"),
        ("copies", "i8"),  # frames that the capture holds again, and their bytes
        ("copied_bytes", "i8"),
    ]
)


@inline
def is_alike(row: Any, like: Any) -> Any:
    """Do two frames count in the same places?"""
    return (
        row["layers"] == like["layers"]
        and row["interface"] == like["interface"]
        and row["ip_proto"] == like["ip_proto"]
        and row["ip_version"] == like["ip_version"]
        and row["ethertype"] == like["ethertype"]
        and row["stop"] == like["stop"]
        and row["quirks"] == like["quirks"]
        and row["tunnels"] == like["tunnels"]
    )


@inline
def count_alike(
    like: Any, frames: Int, size: Int, ip: Any, ethertypes: Any, bits: Any, stops: Any, interfaces: Any
) -> None:
    """Add so many frames, of so many bytes, that count where this one does."""
    version = like["ip_version"]
    if version:
        ip[0 if version == 4 else 1, like["ip_proto"], 0] += frames
        ip[0 if version == 4 else 1, like["ip_proto"], 1] += size
    else:
        ethertypes[like["ethertype"], 0] += frames
        ethertypes[like["ethertype"], 1] += size
    for kind in range(3):
        mask = np.int64(like["layers"] if kind == 0 else (like["quirks"] if kind == 1 else like["tunnels"]))
        bit = 0
        while mask:
            if mask & 1:
                bits[kind, bit] += frames
            mask >>= 1
            bit += 1
    stops[like["stop"]] += frames
    interfaces[like["interface"]] += frames


@kernel(
    rows=rows_of(PACKETS.dtype),
    totals=rows_of(TOTALS),
    ip=rows_of(np.int64, 3),
    ethertypes=rows_of(np.int64, 2),
    bits=rows_of(np.int64, 2),
    stops=rows_of(np.int64),
    interfaces=rows_of(np.int64),
)
def tally(rows: Any, totals: Any, ip: Any, ethertypes: Any, bits: Any, stops: Any, interfaces: Any) -> Int:
    """Add the rows to the counts. Returns the `layers` that any of them has.

    `totals` (TOTALS, 1 row), `ip` (int64, 2 versions x 256 protocols x frames and bytes), `ethertypes` (int64, 65536 x frames
    and bytes) for frames without IP, `bits` (int64, 3 x 32: frames with each bit of `layers`, `quirks`, `tunnels`),
    `stops` (int64, frames per stop reason) and `interfaces` (int64, frames per interface).
    """
    total = totals[0]
    if len(rows) == 0:
        return 0
    if total["frames"] == 0:
        total["first_ns"] = total["last_ns"] = total["previous_ns"] = rows[0]["time_ns"]
        total["least_step_ns"] = MAX_NS
        total["first_port"] = total["previous_port"] = rows[0]["src_port"]
    layers, captured, hidden = np.int64(0), np.int64(0), np.int64(0)
    previous_ns, previous_interface = total["previous_ns"], total["previous_interface"]
    first_ns, last_ns, highest = total["first_ns"], total["last_ns"], total["highest_interface"]
    # Frames in a row that are alike are counted together: the first of them, and their bytes.
    begun, size = np.int64(0), np.int64(0)
    for i in range(len(rows)):
        later = min(i + AHEAD, len(rows) - 1)
        for line in range(ROW_LINES):
            prefetch(rows, later, CACHE_LINE * line)
        row = rows[i]
        if not is_alike(row, rows[begun]):
            count_alike(rows[begun], i - begun, size, ip, ethertypes, bits, stops, interfaces)
            total["bytes"] += size
            begun, size = np.int64(i), np.int64(0)
        size += np.int64(row["length"])
        captured += np.int64(row["captured"])
        hidden += np.int64(row["payload_captured"] < row["payload_len"])
        layers |= np.int64(row["layers"])
        time_ns, interface = row["time_ns"], np.int64(row["interface"])
        if total["frames"] + i:
            note_step(total, total["frames"] + i, time_ns - previous_ns, np.int64(row["src_port"]))
        if time_ns < previous_ns:
            step_back(total, row["frame"], time_ns, interface, previous_ns, previous_interface, highest)
        previous_ns, previous_interface = time_ns, interface
        first_ns, last_ns, highest = min(first_ns, time_ns), max(last_ns, time_ns), max(highest, interface)
    count_alike(rows[begun], len(rows) - begun, size, ip, ethertypes, bits, stops, interfaces)
    total["frames"] += len(rows)
    total["bytes"] += size
    total["captured"] += captured
    total["hidden"] += hidden
    total["previous_ns"], total["previous_interface"] = previous_ns, previous_interface
    total["first_ns"], total["last_ns"], total["highest_interface"] = first_ns, last_ns, highest
    return layers


@inline
def note_step(total: Any, before: Int, step_ns: Int, port: Int) -> None:
    """Do frames come at regular steps, whoever sends them? Hosts that answer each other do not. So many frames came `before`."""
    turned = port != total["previous_port"]
    if before == 1:
        total["second_step_ns"], total["second_turned"] = step_ns, turned
    total["turns"] += turned
    if step_ns == 0:
        total["still"] += 1
    elif step_ns > 0:
        total["least_step_ns"] = min(total["least_step_ns"], step_ns)
        if is_regular(step_ns, total["step_ns"]):
            total["regular"] += 1
            total["regular_turns"] += turned
    total["step_ns"], total["previous_port"] = step_ns, port


@inline
def step_back(
    total: Any, frame: Int, time_ns: Int, interface: Int, previous_ns: Int, previous_interface: Int, highest: Int
) -> None:
    """A frame that is earlier than the one before: by the clock of its interface, or because another capture begins."""
    if is_another_capture(previous_ns, time_ns):
        if interface == previous_interface or interface > highest:
            total["joins"] += 1
            if total["joins"] == 1:
                half = (previous_ns >> 1) - (time_ns >> 1)
                back = MAX_NS if half > MAX_NS >> 1 else previous_ns - time_ns
                total["first_join"], total["first_join_ns"] = frame, back
    elif interface == previous_interface:
        total["regressions"] += 1
        if total["regressions"] == 1:
            total["first_regression"] = frame
        total["largest_regression_ns"] = max(total["largest_regression_ns"], previous_ns - time_ns)
