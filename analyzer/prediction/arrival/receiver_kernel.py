"""Compiled notes of the host's receiver: its options, its window, and the timestamps and acknowledgments it accepted."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.codes import O_SACK_PERMITTED, O_TIMESTAMPS, O_WINDOW_SCALE
from analyzer.prediction.arrival.state import MOST_SHIFT
from analyzer.serial import difference

difference = inline(difference)
PAWS_WINDOW = 1  # ticks that a TSval may be behind (TCP_PAWS_WINDOW)


@inline
def is_open(talk: Any, own: Any, side: Int) -> Any:
    """Is the connection open at this end, or was it before the capture began?"""
    return talk["established"][side] or (own["scales"][0] == 0 and own["scales"][1] == 0)


@inline
def settled(talk: Any, side: Int) -> Any:
    """Has the host accepted the connection? With a full accept queue it takes neither the last ACK of the handshake nor the data after it."""
    return talk["spoken"][side] or not talk["syn_ack"][side]


@inline
def is_too_old(row: Any, own: Any, side: Int) -> Any:
    """tcp_paws_discard() of a segment with data."""
    stamped = own["stamped"][side] and row["options"] & O_TIMESTAMPS
    return stamped and difference(own["recent"][side], row["tsval"]) > PAWS_WINDOW


@inline
def note_ack(row: Any, talk: Any, own: Any, side: Int) -> None:
    """tcp_ack(): keep what is acknowledged, and the TSval to compare later ones with (tcp_replace_ts_recent())."""
    if difference(row["ack"], own["una"][side]) < 0:
        return
    own["una"][side] = row["ack"]
    newer = difference(row["tsval"], own["recent"][side]) >= 0
    if newer and difference(row["seq"], talk["told"][side]) <= 0:
        note_stamp(row, own, side)


@inline
def note_window(row: Any, own: Any, side: Int) -> None:
    """tcp_ack_update_window(): another window is the one predicted from now on."""
    if row["window"] != own["peer_window"][side]:
        own["peer_window"][side] = row["window"]
        own["predicts"][side] = own["queue"][side] == 0 and difference(own["edge"][side], own["next"][side]) > 0


@inline
def note_stamp(row: Any, own: Any, side: Int) -> None:
    """tcp_store_ts_recent()."""
    if row["options"] & O_TIMESTAMPS:
        own["stamped"][side], own["recent"][side] = 1, row["tsval"]


@inline
def window_shift(own: Any, side: Int) -> Int:
    """How the window that this end sends is scaled; as far as possible where the handshake was not captured."""
    if own["scales"][0] == 0 or own["scales"][1] == 0:
        return MOST_SHIFT
    return np.int64(own["scale"][side]) if own["scales"][0] == 2 and own["scales"][1] == 2 else 0


@inline
def note_options(row: Any, own: Any, side: Int) -> None:
    """Keep what a SYN says of the end that sends it."""
    own["scales"][side] = 2 if row["options"] & O_WINDOW_SCALE else 1
    own["scale"][side] = min(MOST_SHIFT, np.int64(row["window_scale"]))
    own["sack"][side] = row["options"] & O_SACK_PERMITTED != 0
