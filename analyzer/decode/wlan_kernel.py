"""Compiled 802.11 headers, and the header of radiotap that may stand before them."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline, part
from analyzer.decode.bytes_kernel import be8, le32
from analyzer.decode.codes import BAD_LINK_HEADER, ENCRYPTED, NOT_DATA, TRUNCATED, WLAN

NOWHERE = -1


@part
def wlan(buffer: Any, at: Int, end: Int, padded: bool, exchanged: bool) -> tuple[Int, Int, Int]:
    """An 802.11 header: (where LLC stands behind it, reason, layers). Only unencrypted data frames go on.

    `exchanged` says that the two bytes of the frame control are.
    """
    if at + 2 > end:
        return NOWHERE, TRUNCATED, 0
    control, flags = be8(buffer, at), be8(buffer, at + 1)
    if exchanged:
        control, flags = flags, control
    if control & 3:
        return NOWHERE, BAD_LINK_HEADER, WLAN
    if control & 0x0C != 0x08 or control & 0x40:
        return NOWHERE, NOT_DATA, WLAN
    if flags & 0x40:
        return NOWHERE, ENCRYPTED, WLAN
    header = 30 if flags & 3 == 3 else 24
    aggregated = 0
    if control & 0x80:
        if at + header + 2 > end:
            return NOWHERE, TRUNCATED, WLAN
        if be8(buffer, at + header) & 0x80:
            aggregated = 14
        header += 6 if flags & 0x80 else 2
    if padded:
        header = (header + 3) & ~3
    if at + header + aggregated > end:
        return NOWHERE, TRUNCATED, WLAN
    return at + header + aggregated, 0, WLAN


@inline
def radiotap_flags(buffer: Any, at: Int, length: Int) -> Int:
    """The flags field of a radiotap header of `length` captured bytes (0 if absent); radiotap.org."""
    fields = at + 4
    present = le32(buffer, fields)
    more = present
    fields += 4
    while more & 0x80000000:
        if fields + 4 > at + length:
            return 0
        more = le32(buffer, fields)
        fields += 4
    if present & 1:  # TSFT: 8 bytes, aligned to 8
        fields = at + ((fields - at + 7) & ~7) + 8
    if present & 2 and fields < at + length:
        return be8(buffer, fields)
    return 0
