"""Compiled walk over what lies between a link header and IP: tags, shims, labels, LLC, PPP."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline
from analyzer.decode.bytes_kernel import be8, be16, be32
from analyzer.decode.codes import (
    ARP,
    BAD_IP_VERSION,
    BAD_LINK_HEADER,
    ETHERNET,
    LLC,
    MAX_STEPS,
    MPLS,
    NO_IP,
    PPP,
    PPPOE,
    SNAP,
    TOO_DEEP,
    TRUNCATED,
    VLAN,
)
from analyzer.decode.wlan_kernel import wlan

# What stands at the current position. A walk ends at IPV4_HERE or IPV6_HERE, or STOPPED with a reason.
(
    IPV4_HERE, IPV6_HERE, STOPPED, ETHERNET_HERE, TYPE_OR_LENGTH, TYPE, LLC_HERE, SNAP_HERE, PPP_HERE, PPP_PROTOCOL,
    PPPOE_HERE, MPLS_HERE, VERSION_HERE, WLAN_HERE, WLAN_SWAPPED_HERE, NSH_HERE,
) = range(16)  # fmt: skip

FAR = 1 << 62
MIN_ETHERTYPE = 1536
MAX_802_3_LENGTH = 1500


@inline
def protocol_type(value: Int, ethernet: bool) -> tuple[Int, Int]:
    """What an EtherType, or after Ethernet an 802.3 length, says comes next: (what, size of the shim that it names)."""
    if value == 0x0800:
        return IPV4_HERE, 0
    if value == 0x86DD:
        return IPV6_HERE, 0
    if value < MIN_ETHERTYPE:
        return (LLC_HERE, 0) if ethernet and value <= MAX_802_3_LENGTH else (STOPPED, 0)
    if value == 0x8100 or value == 0x88A8 or value == 0x9100 or value == 0x9200:
        return TYPE_OR_LENGTH, 4
    if value == 0x8926 or value == 0x892F:  # VN-tag, HSR
        return TYPE_OR_LENGTH, 6
    if value == 0x893F:  # 802.1BR E-tag
        return TYPE_OR_LENGTH, 8
    if value == 0x88E7:  # 802.1ah I-tag with the customer's addresses
        return TYPE_OR_LENGTH, 18
    if value == 0x8847 or value == 0x8848:
        return MPLS_HERE, 0
    if value == 0x8864:
        return PPPOE_HERE, 0
    if value == 0x2452:
        return WLAN_HERE, 0
    if value == 0x894F:
        return NSH_HERE, 0
    return STOPPED, 0


@inline
def is_ethernet(buffer: Any, at: Int, end: Int) -> Any:
    """Does an Ethernet header with a common EtherType stand here? Labels do not say whether a control word precedes it."""
    if at + 14 > end:
        return False
    kind = be16(buffer, at + 12)
    return kind == 0x0800 or kind == 0x86DD or kind == 0x0806 or kind == 0x8100 or kind == 0x88A8 or kind == 0x8847


@inline
def walk(
    buffer: Any, at: Int, end: Int, here: Int, value: Int, row: Any, own: bool, layers: Int, steps: Int
) -> tuple[Int, Int, Int, Int, Int, Int]:
    """Go from `at` to the IP header.

    `here` says what stands at `at`; for TYPE and TYPE_OR_LENGTH `value` is the type that was read already. With `own`
    the tags are those of the frame itself and are written to `row`. Returns (what, where, reason, layers, steps, where a
    header on the way says that what it holds ends, or FAR), with `what` IPV4_HERE, IPV6_HERE or STOPPED.
    """
    tagged = own
    bound: Int = FAR
    while True:
        if here == TYPE or here == TYPE_OR_LENGTH:
            kind = value
            here, shim = protocol_type(value, here == TYPE_OR_LENGTH)
            if tagged and kind >= MIN_ETHERTYPE:
                row["ethertype"] = kind
            if shim:
                steps += 1
                if steps > MAX_STEPS:
                    return STOPPED, at, TOO_DEEP, layers, steps, bound
                if shim == 4:
                    if at < end:
                        layers |= VLAN
                    if own and at + 2 <= end:
                        if row["vlan_depth"] == 0:
                            row["vlan"] = be16(buffer, at) & 0xFFF
                        row["vlan_depth"] += 1
                if at + shim > end:
                    return STOPPED, at, TRUNCATED, layers, steps, bound
                value = be16(buffer, at + shim - 2)
                at += shim
            elif here == STOPPED:
                if kind == 0x0806 and at < end:
                    layers |= ARP
                return STOPPED, at, NO_IP, layers, steps, bound
        elif here == IPV4_HERE or here == IPV6_HERE:
            return here, at, 0, layers, steps, bound
        elif here == ETHERNET_HERE:
            if at < end:
                layers |= ETHERNET
            if at + 14 > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            value = be16(buffer, at + 12)
            here = TYPE_OR_LENGTH
            at += 14
        elif here == LLC_HERE:
            if at < end:
                layers |= LLC
            if at + 3 > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            saps = be16(buffer, at)
            control = be8(buffer, at + 2)
            at += 3
            if saps == 0xAAAA and control == 3:
                here = SNAP_HERE
            elif saps == 0x0606:
                here = IPV4_HERE
            else:
                return STOPPED, at, NO_IP, layers, steps, bound
        elif here == SNAP_HERE:
            if at < end:
                layers |= SNAP
            if at + 5 > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            oui = be32(buffer, at) >> 8
            value = be16(buffer, at + 3)
            at += 5
            if oui != 0 and oui != 0xF8:
                return STOPPED, at, NO_IP, layers, steps, bound
            here = TYPE
        elif here == PPPOE_HERE:
            tagged = False
            if at < end:
                layers |= PPPOE
            if at + 6 > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            bound = min(bound, at + 6 + be16(buffer, at + 4))
            end = min(end, bound)
            at += 6
            here = PPP_PROTOCOL
        elif here == WLAN_HERE or here == WLAN_SWAPPED_HERE:
            tagged = False
            own = False
            behind, reason, found = wlan(buffer, at, end, False, here == WLAN_SWAPPED_HERE)
            layers |= found
            if behind < 0:
                return STOPPED, at, reason, layers, steps, bound
            at, here = behind, LLC_HERE
        elif here == NSH_HERE:
            tagged = False
            own = False
            steps += 1
            if steps > MAX_STEPS:
                return STOPPED, at, TOO_DEEP, layers, steps, bound
            if at + 8 > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            size = (be16(buffer, at) & 0x3F) * 4
            following = be8(buffer, at + 3)
            if size < 8:
                return STOPPED, at, BAD_LINK_HEADER, layers, steps, bound
            if at + size > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            at += size
            if following == 1:
                here = IPV4_HERE
            elif following == 2:
                here = IPV6_HERE
            elif following == 3:
                here = ETHERNET_HERE
            elif following == 5:
                here = MPLS_HERE
            else:
                return STOPPED, at, NO_IP, layers, steps, bound
        elif here == PPP_HERE:
            if at + 2 <= end and be16(buffer, at) == 0xFF03:
                layers |= PPP
                at += 2
            elif at + 1 == end and be8(buffer, at) == 0xFF:
                return STOPPED, at, TRUNCATED, layers | PPP, steps, bound
            here = PPP_PROTOCOL
        elif here == PPP_PROTOCOL:
            tagged = False
            if at >= end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            layers |= PPP
            protocol = be8(buffer, at)
            if protocol & 1:
                at += 1
            elif at + 2 > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            else:
                protocol = be16(buffer, at)
                at += 2
            if protocol == 0x21:
                here = IPV4_HERE
            elif protocol == 0x57:
                here = IPV6_HERE
            elif protocol == 0x281:
                here = MPLS_HERE
            else:
                return STOPPED, at, NO_IP, layers, steps, bound
        elif here == MPLS_HERE:
            tagged = False
            steps += 1
            if steps > MAX_STEPS:
                return STOPPED, at, TOO_DEEP, layers, steps, bound
            if at < end:
                layers |= MPLS
            if at + 4 > end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            label = be32(buffer, at)
            at += 4
            if own:
                if row["mpls_depth"] == 0:
                    row["mpls_label"] = label >> 12
                row["mpls_depth"] += 1
            if label & 0x100:
                own = False
                if at >= end:
                    return STOPPED, at, TRUNCATED, layers, steps, bound
                nibble = be8(buffer, at) >> 4
                if nibble == 4:
                    here = IPV4_HERE
                elif nibble == 6:
                    here = IPV6_HERE
                elif nibble == 1:  # an associated channel, RFC 4385 section 5
                    return STOPPED, at, NO_IP, layers, steps, bound
                else:
                    here = ETHERNET_HERE
                    if nibble == 0 and not is_ethernet(buffer, at, end):  # a pseudowire's control word comes first
                        if at + 4 > end:
                            return STOPPED, at, TRUNCATED, layers, steps, bound
                        at += 4
        else:  # VERSION_HERE
            if at >= end:
                return STOPPED, at, TRUNCATED, layers, steps, bound
            nibble = be8(buffer, at) >> 4
            if nibble == 4:
                here = IPV4_HERE
            elif nibble == 6:
                here = IPV6_HERE
            else:
                return STOPPED, at, BAD_IP_VERSION, layers, steps, bound
