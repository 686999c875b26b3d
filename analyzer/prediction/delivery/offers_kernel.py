"""Compiled: what the ends of a connection agreed on in their SYNs, and the size of segments that follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.codes import O_MSS, O_TIMESTAMPS, O_WINDOW_SCALE
from analyzer.prediction.delivery.state import FOUND_OPEN
from analyzer.prediction.state import DEFAULT_MSS

NO_OPTION_MSS, LEAST_MSS = 536, 68
MAX_SCALE = 14
SYN, ACK, ECE, CWR, AE = 2, 16, 64, 128, 256
NOT_MARKED, MAYBE_MARKED, MARKED = range(3)


@inline
def agreed(own: Any, option: Int) -> Any:
    """Have both ends offered the option?"""
    return own["offers"][0] & own["offers"][1] & option != 0


@inline
def mss_cache(own: Any, side: Int) -> Int:
    """tcp_sync_mss(): the largest segment to the peer, also bounded by half of the largest window it has offered."""
    found: Int = np.int64(own["mss"][1 - side])
    if found == 0:
        found = DEFAULT_MSS if own["known"][side] == FOUND_OPEN else NO_OPTION_MSS
    mine = np.int64(own["mss"][side])
    if mine:
        found = min(found, mine)
    header = 20
    if agreed(own, O_TIMESTAMPS):
        found, header = found - 12, 32
    largest: Int = np.int64(own["max_window"][side])
    if largest > NO_OPTION_MSS:
        largest >>= 1
    if 0 < largest < found:
        found = max(largest, LEAST_MSS - header)
    return max(np.int64(1), found)


@inline
def sent_size(row: Any, own: Any, side: Int) -> Int:
    """tcp_current_mss(): the size of a full segment with as many options as this one has."""
    options = np.int64(row["header_len"]) - (32 if agreed(own, O_TIMESTAMPS) else 20)
    return max(np.int64(1), mss_cache(own, side) - max(np.int64(0), options))


@inline
def note_syn(row: Any, own: Any, end: Int) -> None:
    """What an end offers in its SYN."""
    own["offers"][end], own["asks"][end] = row["options"], row["flags"]
    own["shift"][end] = min(MAX_SCALE, np.int64(row["window_scale"]))
    own["mss"][end] = row["mss"] if row["options"] & O_MSS else 0


@inline
def scale(own: Any, end: Int) -> Int:
    """By how much the windows of an end are shifted."""
    return np.int64(own["shift"][end]) if agreed(own, O_WINDOW_SCALE) else np.int64(0)


@inline
def marked(row: Any, own: Any) -> Int:
    """tcp_ecn_rcv_ecn_echo(): does the ACK say that the path has marked segments? With accurate ECN only a count says it."""
    if not row["flags"] & ECE or row["flags"] & SYN or not own["asks"][0] & own["asks"][1] & ECE:
        return NOT_MARKED
    answer = own["asks"][0] if own["asks"][0] & ACK else own["asks"][1]
    return MARKED if answer & (ECE | CWR | AE) == ECE else MAYBE_MARKED
