"""Compiled counting over packet rows: what a capture holds, frame by frame, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel, rows_of
from analyzer.ordering.step_kernel import is_another_capture
from analyzer.summary.steps import is_regular as is_regular_python
from analyzer.tables import PACKETS

is_regular = inline(is_regular_python)

MAX_NS = 2**63 - 1
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
def count_bits(layers: Int, quirks: Int, tunnels: Int, frames: Int, bits: Any) -> None:
    """Add frames that have these bits."""
    for kind in range(3):
        mask: Int = layers if kind == 0 else (quirks if kind == 1 else tunnels)
        bit = 0
        while mask:
            if mask & 1:
                bits[kind, bit] += frames
            mask >>= 1
            bit += 1


@kernel(
    rows=rows_of(PACKETS.dtype),
    totals=rows_of(TOTALS),
    ip=rows_of(np.int64, 3),
    ethertypes=rows_of(np.int64, 2),
    bits=rows_of(np.int64, 2),
    stops=rows_of(np.int64),
    interfaces=rows_of(np.int64),
)
def tally(rows: Any, totals: Any, ip: Any, ethertypes: Any, bits: Any, stops: Any, interfaces: Any) -> None:
    """Add the rows to the counts.

    `totals` (TOTALS, 1 row), `ip` (int64, 2 versions x 256 protocols x frames and bytes), `ethertypes` (int64, 65536 x frames
    and bytes) for frames without IP, `bits` (int64, 3 x 32: frames with each bit of `layers`, `quirks`, `tunnels`),
    `stops` (int64, frames per stop reason) and `interfaces` (int64, frames per interface).
    """
    total = totals[0]
    # Frames in a row that are alike are counted together.
    layers, quirks, tunnels = np.int64(0), np.int64(0), np.int64(0)
    alike: Int = 0
    for i in range(len(rows)):
        row = rows[i]
        time_ns, length = row["time_ns"], row["length"]
        if total["frames"] == 0:
            total["first_ns"] = total["last_ns"] = total["previous_ns"] = time_ns
            total["least_step_ns"] = MAX_NS
            total["first_port"] = total["previous_port"] = row["src_port"]
        else:
            note_step(total, time_ns - total["previous_ns"], np.int64(row["src_port"]))
        total["frames"] += 1
        total["bytes"] += length
        total["captured"] += row["captured"]
        interface = np.int64(row["interface"])
        if time_ns < total["previous_ns"]:
            step_back(total, row["frame"], time_ns, interface)
        total["previous_ns"], total["previous_interface"] = time_ns, interface
        total["highest_interface"] = max(total["highest_interface"], interface)
        total["hidden"] += row["payload_captured"] < row["payload_len"]
        total["first_ns"] = min(total["first_ns"], time_ns)
        total["last_ns"] = max(total["last_ns"], time_ns)
        version = row["ip_version"]
        if version:
            ip[0 if version == 4 else 1, row["ip_proto"], 0] += 1
            ip[0 if version == 4 else 1, row["ip_proto"], 1] += length
        else:
            ethertypes[row["ethertype"], 0] += 1
            ethertypes[row["ethertype"], 1] += length
        if row["layers"] != layers or row["quirks"] != quirks or row["tunnels"] != tunnels:
            count_bits(layers, quirks, tunnels, alike, bits)
            layers, quirks, tunnels = np.int64(row["layers"]), np.int64(row["quirks"]), np.int64(row["tunnels"])
            alike = 0
        alike += 1
        stops[row["stop"]] += 1
        interfaces[row["interface"]] += 1
    count_bits(layers, quirks, tunnels, alike, bits)


@inline
def note_step(total: Any, step_ns: Int, port: Int) -> None:
    """Do frames come at regular steps, whoever sends them? Hosts that answer each other do not."""
    turned = port != total["previous_port"]
    if total["frames"] == 1:
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
def step_back(total: Any, frame: Int, time_ns: Int, interface: Int) -> None:
    """A frame that is earlier than the one before: by the clock of its interface, or because another capture begins."""
    if is_another_capture(total["previous_ns"], time_ns):
        if interface == total["previous_interface"] or interface > total["highest_interface"]:
            total["joins"] += 1
            if total["joins"] == 1:
                half = (total["previous_ns"] >> 1) - (time_ns >> 1)
                back = MAX_NS if half > MAX_NS >> 1 else total["previous_ns"] - time_ns
                total["first_join"], total["first_join_ns"] = frame, back
    elif interface == total["previous_interface"]:
        total["regressions"] += 1
        if total["regressions"] == 1:
            total["first_regression"] = frame
        total["largest_regression_ns"] = max(total["largest_regression_ns"], total["previous_ns"] - time_ns)
