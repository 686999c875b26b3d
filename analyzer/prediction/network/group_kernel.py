"""Compiled: packets to groups and broadcasts: whether the host takes them, and those of its own that come back to it.

A host is in no group but those of all hosts and of its own addresses (IPv6), unless a program has joined it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.emit_kernel import add_range, packet_bytes
from analyzer.prediction.names import NUMBER
from analyzer.prediction.network.ip_kernel import ICMP_IN_ERRORS, ICMP_IN_MSGS, ICMP_IN_TYPE, SOCKETS
from analyzer.prediction.network.route_kernel import LITE, UDP6, UDP_IN, UDP_LITE

ALL_HOSTS = 0xE0000001  # 224.0.0.1
LIMITED_BROADCAST = 0xFFFFFFFF
LINK_LOCAL = np.uint64(0xFF02 << 48)
SOLICITED = 0x1FF  # ff02::1:ff00:0/104 without its first half, by 24 bits
LAST_24 = np.uint64(0xFFFFFF)
GROUP_QUERY, REPORT2 = 130, 143  # ICMPv6 types; between 133 and 137 are those of neighbor discovery
ROUTER_SOLICIT, REDIRECT = 133, 137
IP_IN_RECEIVES, IP6_IN_RECEIVES = NUMBER["IpInReceives"], NUMBER["Ip6InReceives"]
IP_IN_OCTETS, IP6_IN_OCTETS = NUMBER["IpExtInOctets"], NUMBER["Ip6InOctets"]
IP_IN_DELIVERS, IP6_IN_DELIVERS = NUMBER["IpInDelivers"], NUMBER["Ip6InDelivers"]
IP_IN_ECN, IP6_IN_ECN = NUMBER["IpExtInNoECTPkts"], NUMBER["Ip6InNoECTPkts"]
IP_IN_MCAST, IP6_IN_MCAST = NUMBER["IpExtInMcastPkts"], NUMBER["Ip6InMcastPkts"]
IP_IN_MCAST_OCTETS, IP6_IN_MCAST_OCTETS = NUMBER["IpExtInMcastOctets"], NUMBER["Ip6InMcastOctets"]
IP_IN_BCAST, IP_IN_BCAST_OCTETS = NUMBER["IpExtInBcastPkts"], NUMBER["IpExtInBcastOctets"]
UDP_IGNORED, UDP6_IGNORED = NUMBER["UdpIgnoredMulti"], NUMBER["Udp6IgnoredMulti"]


@part
def takes(row: Any, group: Int, hosts: Any) -> Int:
    """1 where the host surely takes what comes to this group (1) or broadcast address (2), 0 where it need not."""
    if row["ip_version"] == 6:
        low = row["dst_lo"]
        if row["dst_hi"] != LINK_LOCAL:
            return 0
        if low == np.uint64(1):
            return 1
        return 1 if low >> np.uint64(24) == np.uint64(SOLICITED) and has_end(low & LAST_24, hosts) else 0
    address = np.int64(row["dst_lo"] & np.uint64(0xFFFFFFFF))
    if group == 1:
        return 1 if address == ALL_HOSTS else 0
    return 1 if address == LIMITED_BROADCAST or is_all_of(address, hosts) else 0


@inline
def has_end(last: Any, hosts: Any) -> Any:
    """Does an IPv6 address of the host end in these 24 bits?"""
    found = False
    for k in range(1, len(hosts)):
        found = found or (hosts[k, 0] != 0 and hosts[k, 1] & LAST_24 == last)
    return found


@inline
def is_all_of(address: Int, hosts: Any) -> Any:
    """May this be the broadcast address of a network that the host is in: equal to an address of it, but for ones at its end?"""
    for k in range(1, len(hosts)):
        own = np.int64(hosts[k, 1] & np.uint64(0xFFFFFFFF))
        ones = own ^ address  # of two bits or more, as no network is smaller
        while ones & (ones + 1):
            ones |= ones >> 1
        if hosts[k, 0] == 0 and ones >= 1 and address & (ones | 3) == ones | 3:
            return True
    return False


@part
def comes_back(row: Any, group: Int, hosts: Any, world: Any, out: Any) -> None:
    """ip_mc_output(), ip6_finish_output2(): what the host sends to a group it is in, or to all, it receives as well, past the capture."""
    six = row["ip_version"] == 6
    kind = row["icmp_type"]
    if six and row["ip_proto"] == 58 and (kind == REPORT2 or ROUTER_SOLICIT <= kind <= REDIRECT):
        return  # neighbor discovery has its socket set not to; no host is in the group of all MLDv2 routers
    sure = (
        1 if group == 2 and takes(row, group, hosts) and row["ip_flags"] & 1 == 0 and row["fragment_offset"] == 0 else 0
    )
    size = packet_bytes(row)
    add_range(row, IP6_IN_RECEIVES if six else IP_IN_RECEIVES, sure, sure, 1, out)
    add_range(row, IP6_IN_OCTETS if six else IP_IN_OCTETS, sure * size, sure * size, size, out)
    add_range(row, (IP6_IN_ECN if six else IP_IN_ECN) + (row["tos"] & 3), sure, sure, 1, out)
    add_range(row, IP6_IN_DELIVERS if six else IP_IN_DELIVERS, sure, sure, 1, out)
    if group == 1:
        add_range(row, IP6_IN_MCAST if six else IP_IN_MCAST, 0, 0, 1, out)
        add_range(row, IP6_IN_MCAST_OCTETS if six else IP_IN_MCAST_OCTETS, 0, 0, size, out)
    else:
        add_range(row, IP_IN_BCAST, sure, sure, 1, out)
        add_range(row, IP_IN_BCAST_OCTETS, sure * size, sure * size, size, out)
    if row["ip_proto"] == 17 or row["ip_proto"] == UDP_LITE:
        sister = (UDP6 if six else 0) + (LITE if row["ip_proto"] == UDP_LITE else 0)
        add_range(row, UDP_IN + sister, 0, 0, SOCKETS, out)
        if row["ip_proto"] == 17:
            add_range(row, UDP6_IGNORED if six else UDP_IGNORED, sure, 0, 1, out)
    elif row["ip_proto"] == 1 and not six:
        add_range(row, ICMP_IN_MSGS, sure, sure, 1, out)
        add_range(row, ICMP_IN_TYPE + np.int64(kind), sure, sure, 1, out)
        if world["types4"][0, kind] >= 0:
            add_range(row, world["types4"][0, kind], sure, sure, 1, out)
        add_range(row, ICMP_IN_ERRORS, sure, 0, 1, out)  # net.ipv4.icmp_echo_ignore_broadcasts
