"""Compiled tunnel headers: what an IP protocol or a UDP port says is carried.

RFC 2003, 4213, 2784, 2890, 2637, 7348, 8926, 2661, 4380 (Teredo), 5415 (CAPWAP); 3GPP TS 29.281 (GTP-U).
"""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline, part
from analyzer.decode.bytes_kernel import be8, be16, be32
from analyzer.decode.codes import (
    T_6IN4,
    T_CAPWAP,
    T_ERSPAN,
    T_GENEVE,
    T_GRE,
    T_GTPU,
    T_IPIP,
    T_L2TP,
    T_TEREDO,
    T_TZSP,
    T_VXLAN,
)
from analyzer.decode.walk_kernel import (
    ETHERNET_HERE,
    IPV4_HERE,
    IPV6_HERE,
    PPP_HERE,
    STOPPED,
    TYPE,
    VERSION_HERE,
    WLAN_HERE,
    WLAN_SWAPPED_HERE,
)

NO_ID = -1

VXLAN_PORT, VXLAN_LINUX_PORT, GENEVE_PORT, GTPU_PORT, L2TP_PORT = 4789, 8472, 6081, 2152, 1701
TEREDO_PORT, CAPWAP_PORT, TZSP_PORT = 3544, 5247, 37008


@inline
def carried_by_ip(buffer: Any, at: Int, end: Int, protocol: Int) -> tuple[Int, Int, Int, Int, Int]:
    """What IP `protocol` carries from `at` on: (what, where, type that was read, bit in `tunnels`, identifier or NO_ID)."""
    if protocol == 4:
        return IPV4_HERE, at, 0, T_IPIP, NO_ID
    if protocol == 41:
        return IPV6_HERE, at, 0, T_6IN4, NO_ID
    if protocol == 47:
        return gre(buffer, at, end)
    return STOPPED, at, 0, 0, NO_ID


@inline
def carried_by_udp(buffer: Any, at: Int, end: Int, src_port: Int, dst_port: Int) -> tuple[Int, Int, Int, Int, Int]:
    """The same for a UDP payload; the destination port decides before the source port."""
    found = carried_on_port(buffer, at, end, dst_port)
    if found[3] == 0:
        found = carried_on_port(buffer, at, end, src_port)
    if found[3] == 0 and is_gtpu(buffer, at, end):
        found = gtpu(buffer, at, end)
    return found


@inline
def carried_on_port(buffer: Any, at: Int, end: Int, port: Int) -> tuple[Int, Int, Int, Int, Int]:
    """The same for one port; the bit is 0 where the port means no tunnel."""
    if port == VXLAN_PORT or port == VXLAN_LINUX_PORT:
        if at + 8 > end or not be8(buffer, at) & 0x08:
            return STOPPED, at, 0, T_VXLAN, NO_ID
        return ETHERNET_HERE, at + 8, 0, T_VXLAN, be32(buffer, at + 4) >> 8
    if port == GENEVE_PORT:
        if at + 8 > end or be8(buffer, at) >> 6:
            return STOPPED, at, 0, T_GENEVE, NO_ID
        kind = be16(buffer, at + 2)
        inner = at + 8 + (be8(buffer, at) & 0x3F) * 4
        network = be32(buffer, at + 4) >> 8
        return ETHERNET_HERE if kind == 0x6558 else TYPE, inner, kind, T_GENEVE, network
    if port == GTPU_PORT:
        return gtpu(buffer, at, end)
    if port == L2TP_PORT:
        return l2tp(buffer, at, end)
    if port == TEREDO_PORT:
        return teredo(buffer, at, end)
    if port == CAPWAP_PORT:
        return capwap(buffer, at, end)
    if port == TZSP_PORT:
        return tzsp(buffer, at, end)
    return STOPPED, at, 0, 0, NO_ID


@part
def gre(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """GRE version 0 with Ethernet, ERSPAN or anything an EtherType names; version 1 is PPTP's, with PPP."""
    if at + 4 > end:
        return STOPPED, at, 0, T_GRE, NO_ID
    flags, kind = be16(buffer, at), be16(buffer, at + 2)
    if flags & 7 == 1:
        if at + 8 > end or kind != 0x880B:
            return STOPPED, at, 0, T_GRE, NO_ID
        call = be16(buffer, at + 6)
        inner = at + 8 + (4 if flags & 0x1000 else 0) + (4 if flags & 0x0080 else 0)
        return PPP_HERE, inner, 0, T_GRE, call
    if flags & 0x4007:  # another version, or source routing
        return STOPPED, at, 0, T_GRE, NO_ID
    inner = at + 4 + (4 if flags & 0x8000 else 0)
    key = NO_ID
    if flags & 0x2000:
        if inner + 4 > end:
            return STOPPED, at, 0, T_GRE, NO_ID
        key = be32(buffer, inner)
        inner += 4
    if flags & 0x1000:
        inner += 4
    if kind == 0x6558:
        return ETHERNET_HERE, inner, 0, T_GRE, key
    if kind == 0x88BE:  # ERSPAN type I has no header, type II one of 8 bytes; the sequence number tells them apart
        return ETHERNET_HERE, inner + (8 if flags & 0x1000 else 0), 0, T_ERSPAN, key
    if kind == 0x22EB:  # type III
        if inner + 12 > end:
            return STOPPED, at, 0, T_ERSPAN, NO_ID
        return ETHERNET_HERE, inner + (20 if be8(buffer, inner + 11) & 1 else 12), 0, T_ERSPAN, key
    if 0x8200 <= kind <= 0x82FF:  # Aruba access points
        return WLAN_HERE, inner, 0, T_GRE, key
    return TYPE, inner, kind, T_GRE, key


@part
def gtpu(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """A GTP-U G-PDU with its extension headers."""
    if at + 8 > end or be8(buffer, at) & 0xF0 != 0x30 or be8(buffer, at + 1) != 0xFF:
        return STOPPED, at, 0, T_GTPU, NO_ID
    flags, endpoint = be8(buffer, at), be32(buffer, at + 4)
    inner = at + 8
    if flags & 7:
        inner += 4
        if inner > end:
            return STOPPED, at, 0, T_GTPU, NO_ID
        following = be8(buffer, inner - 1) if flags & 4 else 0
        while following:
            if inner >= end or be8(buffer, inner) == 0:
                return STOPPED, at, 0, T_GTPU, NO_ID
            inner += be8(buffer, inner) * 4
            if inner > end:
                return STOPPED, at, 0, T_GTPU, NO_ID
            following = be8(buffer, inner - 1)
    return VERSION_HERE, inner, 0, T_GTPU, endpoint


@inline
def is_gtpu(buffer: Any, at: Int, end: Int) -> Any:
    """Is this UDP payload, of a port that says nothing, certainly GTP-U? Its length, and that of the IP packet in it, fill it."""
    if at + 28 > end or be8(buffer, at) & 0xF8 != 0x30 or be8(buffer, at + 1) != 0xFF:
        return False
    if at + 8 + be16(buffer, at + 2) != end:
        return False
    inner = gtpu(buffer, at, end)[1]
    if inner == at or inner + 20 > end:
        return False
    version = be8(buffer, inner) >> 4
    if version == 4:
        return be8(buffer, inner) & 15 >= 5 and inner + be16(buffer, inner + 2) == end
    return version == 6 and inner + 40 + be16(buffer, inner + 4) == end


@inline
def teredo(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """Teredo: IPv6, perhaps behind an authentication and an origin indication."""
    inner = at
    if inner + 4 <= end and be16(buffer, inner) == 1:
        inner += 13 + be8(buffer, inner + 2) + be8(buffer, inner + 3)
    if inner + 2 <= end and be16(buffer, inner) == 0:
        inner += 8
    return IPV6_HERE, inner, 0, T_TEREDO, NO_ID


@part
def capwap(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """CAPWAP data: Ethernet, or 802.11 whose first two bytes many access points exchange; not a part of a frame."""
    if at + 8 > end or be8(buffer, at):  # another version, or DTLS
        return STOPPED, at, 0, T_CAPWAP, NO_ID
    flags = be32(buffer, at)
    inner = at + (flags >> 19 & 0x1F) * 4
    if flags & 0x88 or inner < at + 8 or inner + 2 > end:  # a fragment, or a keep-alive
        return STOPPED, at, 0, T_CAPWAP, NO_ID
    if not flags & 0x100:
        return ETHERNET_HERE, inner, 0, T_CAPWAP, NO_ID
    if flags >> 9 & 0x1F != 1:
        return STOPPED, at, 0, T_CAPWAP, NO_ID
    return WLAN_SWAPPED_HERE if be8(buffer, inner) & 3 else WLAN_HERE, inner, 0, T_CAPWAP, NO_ID


@part
def tzsp(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """TZSP: a frame, which somebody mirrors, behind tags."""
    if at + 4 > end or be8(buffer, at) != 1 or be8(buffer, at + 1) > 1:
        return STOPPED, at, 0, T_TZSP, NO_ID
    kind = be16(buffer, at + 2)
    inner = at + 4
    while inner < end and be8(buffer, inner) != 1:
        if be8(buffer, inner) == 0:
            inner += 1
        elif inner + 2 > end:
            return STOPPED, at, 0, T_TZSP, NO_ID
        else:
            inner += 2 + be8(buffer, inner + 1)
    if kind == 1:
        return ETHERNET_HERE, inner + 1, 0, T_TZSP, NO_ID
    return WLAN_HERE if kind == 18 else STOPPED, inner + 1, 0, T_TZSP, NO_ID


@part
def l2tp(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """An L2TPv2 data message, which carries PPP."""
    if at + 2 > end:
        return STOPPED, at, 0, T_L2TP, NO_ID
    flags = be16(buffer, at)
    if flags & 0x800F != 2:
        return STOPPED, at, 0, T_L2TP, NO_ID
    inner = at + 2 + (2 if flags & 0x4000 else 0)
    if inner + 4 > end:
        return STOPPED, at, 0, T_L2TP, NO_ID
    session = be32(buffer, inner)
    inner += 4 + (4 if flags & 0x0800 else 0)
    if flags & 0x0200:
        if inner + 2 > end:
            return STOPPED, at, 0, T_L2TP, NO_ID
        inner += 2 + be16(buffer, inner)
    return PPP_HERE, inner, 0, T_L2TP, session
