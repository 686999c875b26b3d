"""Compiled: steps back in time that no clock makes."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline
from analyzer.capture.records import JOINED_NS


@inline
def is_another_capture(previous_ns: Int, time_ns: Int) -> Any:
    """Is a time so much earlier than the one before that another capture begins? Halves, since int64 cannot hold each difference."""
    return (previous_ns >> 1) - (time_ns >> 1) > JOINED_NS or previous_ns - time_ns > JOINED_NS
