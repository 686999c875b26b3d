"""Compiled link headers that say of which link type the frame behind them is, or which stand before one that is known.

PPI (CACE 2008), PKTAP (Apple, bsd/net/pktap.h), Juniper, ERF (Endace), ARCNET (RFC 1201, 1051).
"""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline, part
from analyzer.decode.bytes_kernel import be8, be16, be32, le16, le32
from analyzer.decode.codes import BAD_LINK_HEADER, IN, LINK_TYPE, NO_IP, OUT, SNAP, TRUNCATED
from analyzer.decode.link import ARCNET, ERF, JUNIPER, PKTAP, PKTAP_USER, PPI
from analyzer.decode.walk_kernel import (
    ETHERNET_HERE,
    IPV4_HERE,
    IPV6_HERE,
    LLC_HERE,
    MPLS_HERE,
    PPP_HERE,
    SNAP_HERE,
    STOPPED,
    TYPE,
    VERSION_HERE,
)
from analyzer.decode.wlan_kernel import wlan

PKTAP_HEADER = 108  # bytes, at least
PACKET = 1  # pth_type_next


@inline
def family(value: Int) -> Int:
    """What an address family says comes next. IPv6: Linux 10, Windows 23, NetBSD 24, Solaris 26, FreeBSD 28, macOS 30."""
    if value & 0xFFFF0000:  # written on a machine of the other byte order
        value = (value & 0xFF) << 24 | (value & 0xFF00) << 8 | value >> 8 & 0xFF00 | value >> 24
    if value == 2:
        return IPV4_HERE
    if value == 10 or value == 23 or value == 24 or value == 26 or value == 28 or value == 30:
        return IPV6_HERE
    return STOPPED


@inline
def frame_relay(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """Frame Relay with a Q.922 address of 2 bytes: (what, where, reason, layers)."""
    if at + 3 > end:
        return STOPPED, at, TRUNCATED, 0
    if be8(buffer, at + 2) != 3:  # not an unnumbered information frame
        return STOPPED, at, NO_IP, 0
    at += 3
    if at < end and be8(buffer, at) == 0:
        at += 1
    if at >= end:
        return STOPPED, at, TRUNCATED, 0
    nlpid = be8(buffer, at)
    if nlpid == 0xCC:
        return IPV4_HERE, at + 1, 0, 0
    if nlpid == 0x8E:
        return IPV6_HERE, at + 1, 0, 0
    if nlpid == 0x80:
        return SNAP_HERE, at + 1, 0, SNAP if at + 1 < end else 0
    return STOPPED, at, NO_IP, 0


@part
def wrapped(buffer: Any, at: Int, end: Int, link: Any, row: Any) -> tuple[Int, Int, Int, Int, Int, Int]:
    """Pass such a header at `at`: (what, where, type that was read, reason, layers, FCS bytes)."""
    begin = link["begin"]
    if begin == ARCNET:
        here, at, reason = arcnet(buffer, at, end, link["header"])
        return here, at, 0, reason, 0, 0
    if begin == ERF:
        here, at, value, reason = erf(buffer, at, end)
        return here, at, value, reason, 0, 0
    fcs = 0
    inner = link["inner"]
    if begin == PPI:
        at, inner, fcs = ppi(buffer, at, end)
    elif begin == PKTAP or begin == PKTAP_USER:
        at, inner = pktap(buffer, at, end, row)
        if begin == PKTAP_USER and at == -BAD_LINK_HEADER:  # somebody else's use of the number
            at = -LINK_TYPE
    elif begin == JUNIPER:
        at, proto = juniper(buffer, at, end, row)
        if at >= 0 and proto >= 0:
            return juniper_payload(proto), at, 0, NO_IP, 0, 0
    if at < 0:
        return STOPPED, 0, 0, -at, 0, 0
    here, at, value, reason, layers = of_type(buffer, at, end, inner)
    return here, at, value, reason, layers, fcs


@inline
def of_type(buffer: Any, at: Int, end: Int, number: Int) -> tuple[Int, Int, Int, Int, Int]:
    """A frame of the link type `number`, one of the common ones: (what, where, type that was read, reason, layers)."""
    if number == 1:
        return ETHERNET_HERE, at, 0, 0, 0
    if number == 105:
        behind, reason, layers = wlan(buffer, at, end, False, False)
        if behind < 0:
            return STOPPED, at, 0, reason, layers
        return LLC_HERE, behind, 0, 0, layers
    if number == 0 or number == 108:
        if at + 4 > end:
            return STOPPED, at, 0, TRUNCATED, 0
        return family(be32(buffer, at)), at + 4, 0, NO_IP, 0
    if number == 12 or number == 14 or number == 101:
        return VERSION_HERE, at, 0, 0, 0
    if number == 9 or number == 50:
        return PPP_HERE, at, 0, 0, 0
    if number == 104:
        if at + 4 > end:
            return STOPPED, at, 0, TRUNCATED, 0
        return TYPE, at + 4, be16(buffer, at + 2), 0, 0
    if number == 107:
        here, at, reason, layers = frame_relay(buffer, at, end)
        return here, at, 0, reason, layers
    return STOPPED, at, 0, LINK_TYPE, 0


@inline
def ppi(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int]:
    """Per-packet information: (where the frame is or the reason, negative; its link type; FCS bytes)."""
    if at + 8 > end:
        return -TRUNCATED, 0, 0
    length = le16(buffer, at + 2)
    if length < 8:
        return -BAD_LINK_HEADER, 0, 0
    if at + length > end:
        return -TRUNCATED, 0, 0
    fcs, field, stop = 0, at + 8, at + length
    while field + 4 <= stop:
        size = le16(buffer, field + 2)
        if le16(buffer, field) == 2 and size >= 10 and field + 14 <= stop:  # 802.11-Common
            fcs = 4 if le16(buffer, field + 12) & 1 else 0
        field += 4 + size
        if be8(buffer, at + 1) & 1:  # fields are aligned
            field = at + ((field - at + 3) & ~3)
    return stop, le32(buffer, at + 4), fcs


@inline
def pktap(buffer: Any, at: Int, end: Int, row: Any) -> tuple[Int, Int]:
    """A header of Apple's pktap: (where the frame is or the reason, negative; its link type)."""
    if at + 12 > end:
        return -TRUNCATED, 0
    length, kind = le32(buffer, at), le32(buffer, at + 4)
    if length < PKTAP_HEADER or kind > PACKET:
        return -BAD_LINK_HEADER, 0
    if at + length > end:
        return -TRUNCATED, 0
    flags = le32(buffer, at + 36)
    if flags & 3 == 1:
        row["link_direction"] = IN
    elif flags & 3 == 2:
        row["link_direction"] = OUT
    if kind != PACKET:
        return -NO_IP, 0
    return at + length, le32(buffer, at + 8)


@inline
def juniper(buffer: Any, at: Int, end: Int, row: Any) -> tuple[Int, Int]:
    """A header of Juniper's: (where what it carries is or the reason, negative; the protocol if there is no link header, or -1)."""
    if at + 4 > end:
        return -TRUNCATED, -1
    if be32(buffer, at) >> 8 != 0x4D4743:
        return -BAD_LINK_HEADER, -1
    flags = be8(buffer, at + 3)
    row["link_direction"] = IN if flags & 1 else OUT
    behind = at + 4
    if flags & 0x80:
        if at + 6 > end:
            return -TRUNCATED, -1
        behind = at + 6 + be16(buffer, at + 4)
        if behind > end:
            return -TRUNCATED, -1
    if not flags & 2:
        return behind, -1
    if behind + 4 > end:
        return -TRUNCATED, -1
    return behind + 4, le32(buffer, behind)


@inline
def juniper_payload(proto: Int) -> Int:
    """What a Juniper protocol number says comes next."""
    if proto == 2:
        return IPV4_HERE
    if proto == 6:
        return IPV6_HERE
    return MPLS_HERE if proto == 5 else STOPPED


@inline
def erf(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """A record of Endace's with its extension headers: (what, where, type that was read, reason)."""
    if at + 16 > end:
        return STOPPED, at, 0, TRUNCATED
    more = be8(buffer, at + 8)
    kind = more & 0x7F
    at += 16
    while more & 0x80:
        if at + 8 > end:
            return STOPPED, at, 0, TRUNCATED
        more = be8(buffer, at)
        at += 8
    if kind == 2 or kind == 11 or kind == 16 or kind == 20:  # Ethernet behind offset and padding
        if at + 2 > end:
            return STOPPED, at, 0, TRUNCATED
        return ETHERNET_HERE, at + 2, 0, 0
    if kind == 1 or kind == 10 or kind == 15 or kind == 19:  # packet over SONET
        if at + 4 > end:
            return STOPPED, at, 0, TRUNCATED
        if be16(buffer, at) == 0xFF03:
            return PPP_HERE, at, 0, 0
        if be16(buffer, at) == 0x0F00 or be16(buffer, at) == 0x8F00:
            return TYPE, at + 4, be16(buffer, at + 2), 0
    if kind == 22:
        return IPV4_HERE, at, 0, 0
    if kind == 23:
        return IPV6_HERE, at, 0, 0
    return STOPPED, at, 0, NO_IP


@inline
def arcnet(buffer: Any, at: Int, end: Int, header: Int) -> tuple[Int, Int, Int]:
    """An ARCNET header of `header` bytes, the last of which is the protocol: (what, where, reason)."""
    if at + header > end:
        return STOPPED, at, TRUNCATED
    at += header
    kind = be8(buffer, at - 1)
    if kind == 240:  # RFC 1051
        return IPV4_HERE, at, 0
    if kind != 212 and kind != 196:  # RFC 1201: IPv4, IPv6
        return STOPPED, at, NO_IP
    if at + 3 > end:
        return STOPPED, at, TRUNCATED
    if be8(buffer, at) == 0xFF:  # an exception packet says it once more
        at += 3
        if at + 3 > end:
            return STOPPED, at, TRUNCATED
    split = be8(buffer, at)
    if split and not split & 1:  # not the first fragment
        return STOPPED, at, NO_IP
    return (IPV4_HERE if kind == 212 else IPV6_HERE), at + 3, 0
