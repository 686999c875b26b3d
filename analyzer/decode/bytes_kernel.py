"""Compiled reads of big-endian fields. The caller has checked that the bytes are there."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline

ONE, TWO, THREE = np.uintp(1), np.uintp(2), np.uintp(3)


@inline
def be8(buffer: Any, at: Int) -> Int:
    """One byte, as int64."""
    return np.int64(buffer[np.uintp(at)])


@inline
def be16(buffer: Any, at: Int) -> Int:
    """16 bits, as int64."""
    p = np.uintp(at)
    return np.int64(buffer[p]) << 8 | np.int64(buffer[p + ONE])


@inline
def be32(buffer: Any, at: Int) -> Int:
    """32 bits, as int64."""
    p = np.uintp(at)  # unsigned: numba then leaves out the handling of negative indices
    return (
        np.int64(buffer[p]) << 24
        | np.int64(buffer[p + ONE]) << 16
        | np.int64(buffer[p + TWO]) << 8
        | np.int64(buffer[p + THREE])
    )


@inline
def be64(buffer: Any, at: Int) -> Any:
    """64 bits, as uint64."""
    return np.uint64(be32(buffer, at)) << np.uint64(32) | np.uint64(be32(buffer, at + 4))


@inline
def le16(buffer: Any, at: Int) -> Int:
    """16 bits, least significant byte first, as int64."""
    return be8(buffer, at) | be8(buffer, at + 1) << 8


@inline
def le32(buffer: Any, at: Int) -> Int:
    """32 bits, least significant byte first, as int64."""
    return le16(buffer, at) | le16(buffer, at + 2) << 16
