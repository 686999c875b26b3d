"""Compiled: what is kept of an end is taken when there is something to keep: of who never answered a SYN there is nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.end_state import BLANK, DRAFT

USED, FREE = 0, 1  # what is kept in `room`: places that were ever used, and how many of `free` are free again


@inline
def has_room(ends: Any, room: Any) -> Any:
    """Are there places for both ends of a connection?"""
    return room[FREE] + len(ends) - room[USED] >= 2


@inline
def take(ends: Any, room: Any, free: Any) -> Int:
    """A place for an end of which nothing is known."""
    if room[FREE] > 0:
        room[FREE] -= 1
        at = np.int64(free[room[FREE]])
    else:
        at = np.int64(room[USED])
        room[USED] += 1
    ends[at] = ends[BLANK]
    return at


@inline
def is_blank(words: Any) -> Any:
    """Is there still nothing to keep of the draft? `words` are the bytes of `ends`, 8 at a time."""
    found = True
    for i in range(words.shape[1]):
        if words[DRAFT, i] != words[BLANK, i]:
            found = False
            break
    return found
