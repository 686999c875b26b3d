"""Compiled first step of a frame: the link header, as the row of `link.py` says -> what stands behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.decode.bytes_kernel import be8, be16, be32, le16, le32
from analyzer.decode.codes import (
    BAD_IP_VERSION,
    BAD_LINK_HEADER,
    BROADCAST,
    ETHERNET,
    IN,
    LINK_TYPE,
    MULTICAST,
    NO_IP,
    OUT,
    PROMISCUOUS,
    TRUNCATED,
    UNICAST,
)
from analyzer.decode.codes import PPP as PPP_LAYER
from analyzer.decode.link import (
    AVS,
    FAMILY,
    FDDI,
    FIXED,
    FRAME_RELAY,
    NFLOG,
    PFLOG,
    PPI,
    PPP,
    PPP_PPPD,
    PPPOE,
    PRISM,
    RADIOTAP,
    SLL,
    SLL2,
    TOKEN_RING,
    UNSUPPORTED,
    VERSION,
)
from analyzer.decode.walk_kernel import (
    LLC_HERE,
    PPP_HERE,
    PPP_PROTOCOL,
    PPPOE_HERE,
    STOPPED,
    TYPE,
    TYPE_OR_LENGTH,
    VERSION_HERE,
)
from analyzer.decode.wlan_kernel import radiotap_flags, wlan
from analyzer.decode.wrapped_kernel import family, frame_relay, wrapped

PRISM_AVS_MAGIC = 0x80211001


@inline
def linux_packet_type(kind: Int, row: Any) -> None:
    """Direction and reception from Linux's PACKET_HOST 0 .. PACKET_OUTGOING 4 (linux/if_packet.h)."""
    if kind == 4:
        row["link_direction"] = OUT
    elif kind <= 3:
        row["link_direction"] = IN
        if kind == 0:
            row["reception"] = UNICAST
        elif kind == 1:
            row["reception"] = BROADCAST
        elif kind == 2:
            row["reception"] = MULTICAST
        else:
            row["reception"] = PROMISCUOUS


@inline
def ethernet_ends(buffer: Any, at: Int, link: Any, row: Any) -> None:
    """Whom an Ethernet frame is addressed to, and which way it goes, where the MAC addresses of the host tell."""
    first, rest = be16(buffer, at), be32(buffer, at + 2)
    if first & 0x100:  # the group bit
        row["reception"] = BROADCAST if first == 0xFFFF and rest == 0xFFFFFFFF else MULTICAST
    if link["macs"] == 0:
        return
    to, source = first << 32 | rest, be16(buffer, at + 6) << 32 | be32(buffer, at + 8)
    mine, to_me = False, False
    for k in range(link["macs"]):
        mac = np.int64(link["mac"][k])
        mine, to_me = mine or mac == source, to_me or mac == to
    if mine != to_me:
        row["link_direction"] = OUT if mine else IN


@inline
def nflog(buffer: Any, at: Int, end: Int) -> tuple[Int, Int, Int]:
    """NFLOG's type-length-values, up to the packet: (what, where, reason)."""
    at += 4
    while True:
        if at + 4 > end:
            return STOPPED, at, TRUNCATED
        length = le16(buffer, at)
        if length < 4:
            return STOPPED, at, BAD_LINK_HEADER
        if le16(buffer, at + 2) == 9:
            return VERSION_HERE, at + 4, 0
        at += (length + 3) & ~3


@inline
def link_step(buffer: Any, at: Int, end: Int, link: Any, row: Any) -> tuple[Int, Int, Int, Int, Int, Int]:
    """Pass the link header at `at`: (what, where, type that was read, reason, layers, FCS bytes)."""
    begin = link["begin"]
    layers, fcs = 0, link["fcs_len"]
    if link["prefix"]:
        if at + link["prefix"] > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        if link["direction"]:
            row["link_direction"] = OUT if be8(buffer, at) else IN
        at += link["prefix"]
    if begin == FIXED or begin == SLL or begin == SLL2:
        if link["ethernet"] and at < end:
            layers = ETHERNET
            if at + 12 <= end:
                ethernet_ends(buffer, at, link, row)
        if begin == SLL and at + 2 <= end:
            linux_packet_type(be16(buffer, at), row)
        elif begin == SLL2:
            if at + 8 <= end:
                row["ifindex"] = be32(buffer, at + 4)
            if at + 11 <= end:
                linux_packet_type(be8(buffer, at + 10), row)
        if at + link["header"] > end:
            return STOPPED, at, 0, TRUNCATED, layers, fcs
        value = be16(buffer, at + link["type_at"])
        at += link["header"]
        if link["ethernet"]:
            return TYPE_OR_LENGTH, at, value, 0, layers, fcs
        if value == 4 and (begin == SLL or begin == SLL2):  # LINUX_SLL_P_802_2
            return LLC_HERE, at, 0, 0, layers, fcs
        return TYPE, at, value, 0, layers, fcs
    if begin == VERSION:
        if at >= end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        only = link["only_version"]
        if only and be8(buffer, at) >> 4 != only:
            return STOPPED, at, 0, BAD_IP_VERSION, 0, fcs
        return VERSION_HERE, at, 0, 0, 0, fcs
    if begin == FAMILY:
        if at + link["header"] > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        return family(be32(buffer, at)), at + link["header"], 0, NO_IP, 0, fcs
    if begin == PPP:
        return PPP_HERE, at, 0, 0, 0, fcs
    if begin == PPPOE:
        return PPPOE_HERE, at, 0, 0, 0, fcs
    if begin == PPP_PPPD:
        if at >= end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        if be8(buffer, at) <= 1:
            row["link_direction"] = OUT if be8(buffer, at) else IN
        if at + 2 > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        return PPP_PROTOCOL, at + 2, 0, 0, PPP_LAYER, fcs
    if begin == FRAME_RELAY:
        here, at, reason, layers = frame_relay(buffer, at, end)
        return here, at, 0, reason, layers, fcs
    if begin == FDDI:
        if at + 13 > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        if be8(buffer, at) & 0xF0 != 0x50:
            return STOPPED, at, 0, NO_IP, 0, fcs
        return LLC_HERE, at + 13, 0, 0, 0, fcs
    if begin == TOKEN_RING:
        if at + 14 > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        header = 14
        if be8(buffer, at + 8) & 0x80:  # source routing
            if at + 15 > end:
                return STOPPED, at, 0, TRUNCATED, 0, fcs
            routing = be8(buffer, at + 14) & 0x1F
            if routing < 2:
                return STOPPED, at, 0, BAD_LINK_HEADER, 0, fcs
            header += routing
        if at + header > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        if be8(buffer, at + 1) & 0xC0 != 0x40:
            return STOPPED, at, 0, NO_IP, 0, fcs
        return LLC_HERE, at + header, 0, 0, 0, fcs
    if begin == PFLOG:
        if at + 2 > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        header = (be8(buffer, at) + 3) & ~3
        if header == 0:
            return STOPPED, at, 0, BAD_LINK_HEADER, 0, fcs
        if at + header > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        return family(be8(buffer, at + 1)), at + header, 0, NO_IP, 0, fcs
    if begin == NFLOG:
        here, at, reason = nflog(buffer, at, end)
        return here, at, 0, reason, 0, fcs
    if begin >= PPI:
        here, at, value, reason, layers, ends = wrapped(buffer, at, end, link, row)
        return here, at, value, reason, layers, max(fcs, ends)
    if begin == UNSUPPORTED:
        return STOPPED, at, 0, LINK_TYPE, 0, fcs
    padded = False
    if begin == RADIOTAP or begin == PRISM or begin == AVS:
        if at + 8 > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        if begin == RADIOTAP:
            length = le16(buffer, at + 2)
        elif begin == AVS or be32(buffer, at) == PRISM_AVS_MAGIC:
            length = be32(buffer, at + 4)
        else:
            length = le32(buffer, at + 4)
        if length < 8 or (begin != RADIOTAP and length > 1024):
            return STOPPED, at, 0, BAD_LINK_HEADER, 0, fcs
        if at + length > end:
            return STOPPED, at, 0, TRUNCATED, 0, fcs
        if begin == RADIOTAP:
            flags = radiotap_flags(buffer, at, length)
            padded = flags & 0x20 != 0
            if flags & 0x10:
                fcs = 4
        at += length
    behind, reason, layers = wlan(buffer, at, end, padded, False)
    if behind < 0:
        return STOPPED, at, 0, reason, layers, fcs
    return LLC_HERE, behind, 0, 0, layers, fcs
