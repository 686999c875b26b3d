"""Compiled prediction of packets whose headers are no headers: ip_rcv_core(), ip6_rcv_core(), tcp_v4_rcv(), icmp_rcv()."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import inline, part
from analyzer.decode.codes import BAD_ICMP_HEADER, BAD_IP_HEADER, BAD_IP_VERSION, BAD_TCP_HEADER, OUT
from analyzer.prediction.emit_kernel import add, add_range, bytes_behind, packet_bytes
from analyzer.prediction.names import NUMBER
from analyzer.prediction.network.ip_kernel import (
    ICMP6_IN_ERRORS,
    ICMP6_IN_MSGS,
    ICMP_IN_ERRORS,
    ICMP_IN_MSGS,
    IP6_IN_DELIVERS,
    IP6_IN_ECN,
    IP_IN_CSUM_ERRORS,
    IP_IN_DELIVERS,
    IP_IN_ECN,
    enters,
)
from analyzer.prediction.network.route_kernel import IN_HDR_ERRORS, IN_OCTETS, IN_RECEIVES, OVERHEARD

IPV4, IPV6 = 0x0800, 0x86DD  # EtherTypes
LINK_HEADER = 14
IN_SEGS, IN_ERRS = NUMBER["TcpInSegs"], NUMBER["TcpInErrs"]


@part
def no_packet(row: Any, out: Any) -> None:
    """A frame that says it is IP and has another version: received and thrown away, if it was for this host."""
    kind = row["ethertype"]
    if row["stop"] != BAD_IP_VERSION or (kind != IPV4 and kind != IPV6):
        return
    if row["link_direction"] == OUT or row["reception"] == OVERHEARD:
        return
    six, sure = (1 if kind == IPV6 else 0), (1 if row["link_direction"] else 0)
    size = max(0, np.int64(row["length"]) - LINK_HEADER)
    add_range(row, IN_RECEIVES[six], 1, sure, 1, out)
    add_range(row, IN_OCTETS[six], size, 0, size, out)
    add_range(row, IN_HDR_ERRORS[six], 1, sure, 1, out)


@inline
def is_malformed(row: Any) -> Any:
    """Is there no more than a part of a header behind that of IP, or not even that?"""
    stop = row["stop"]
    return stop == BAD_IP_HEADER or stop == BAD_TCP_HEADER or stop == BAD_ICMP_HEADER


@part
def malformed_received(row: Any, world: Any, out: Any) -> None:
    """Such a packet to the host."""
    six = 1 if row["ip_version"] == 6 else 0
    if row["stop"] == BAD_IP_HEADER:
        add(row, IN_RECEIVES[six], 1, out)
        add(row, IN_OCTETS[six], bytes_behind(row, np.int64(row["l3_at"])), out)
        add_range(row, (IP6_IN_ECN if six else IP_IN_ECN) + (row["tos"] & 3), 0, 0, 1, out)
        add_range(row, IN_HDR_ERRORS[six], 1, 0 if six else 1, 1, out)
        if not six:
            add_range(row, IP_IN_CSUM_ERRORS, 0, 0, 1, out)
        return
    size = bytes_behind(row, np.int64(row["l3_at"])) if row["tunnel_depth"] == 0 else packet_bytes(row)
    if not enters(row, size, 1, world, out):
        return
    add(row, IP6_IN_DELIVERS if six else IP_IN_DELIVERS, 1, out)
    if row["stop"] == BAD_TCP_HEADER:
        add(row, IN_SEGS, 1, out)
        add_range(row, IN_ERRS, 1, 0, 1, out)  # not where even the fixed header ends too early
    else:
        add(row, ICMP6_IN_MSGS if six else ICMP_IN_MSGS, 1, out)
        add_range(row, ICMP6_IN_ERRORS if six else ICMP_IN_ERRORS, 1, 0, 1, out)
