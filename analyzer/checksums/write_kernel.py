"""Compiled: bytes of a frame that are written, checksums and the Ethernet frame check sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.accelerate.view import read_only
from analyzer.checksums.check_kernel import ALL_ONES
from analyzer.checksums.sum_kernel import fold, sum_apart
from analyzer.decode.bytes_kernel import be8, be16

FCS_LEN = 4
ETHERNET_HEADER, PREAMBLE, EXPRESS = 14, 8, 0xD5  # an mPacket begins with 8 bytes; the last one says that it is whole


@inline
def put16(buffer: Any, at: Int, value: Int) -> None:
    """Write 16 bits."""
    buffer[np.uintp(at)] = value >> 8
    buffer[np.uintp(at + 1)] = value & 0xFF


@inline
def write(buffer: Any, words: Any, skip: Int, field: Int, start: Int, stop: Int, rest: Int) -> Any:
    """Write the checksum of `buffer[start:stop]`, and of what sums up to `rest`, to `field` in it: was it another one?"""
    current = read_only(buffer)
    before = be16(current, field)
    put16(buffer, field, 0)
    after = ALL_ONES - fold(sum_apart(current, words, skip, start, stop) + rest)
    put16(buffer, field, after)
    return after != before


@inline
def write_fcs(buffer: Any, record: Any, link: Any, packet_end: Int, table: Any) -> Any:
    """Write the frame check sequence of an Ethernet frame, if it has one behind its IP packet: did it?"""
    start, current = record["offset"], read_only(buffer)
    stop = start + record["captured"] - FCS_LEN
    if link["fcs_len"] != FCS_LEN or not link["ethernet"] or record["captured"] != record["length"]:
        return False
    if start + packet_end > stop:  # a frame that the card had not sent yet
        return False
    if link["prefix"] == PREAMBLE and stop >= start + PREAMBLE and be8(current, start + PREAMBLE - 1) == EXPRESS:
        start += PREAMBLE
    elif link["prefix"]:
        return False
    if stop < start + ETHERNET_HEADER:
        return False
    crc = 0xFFFFFFFF
    for at in range(start, stop):
        crc = table[(crc ^ be8(current, at)) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    for k in range(FCS_LEN):  # the least significant byte first
        buffer[np.uintp(stop + k)] = crc >> 8 * k & 0xFF
    return True
