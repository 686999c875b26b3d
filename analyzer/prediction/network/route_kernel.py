"""Compiled prediction of packets between others that pass the host, and of its ICMP errors about what it could not handle.

ip_forward() and ip6_forward() count a packet once it has a route and time to live, even if it is too big and dropped then. A host that
does not forward drops it: for its address (IPv4), or because it has no route (IPv6, and says so by ICMPv6). icmp_send() and icmp6_send() are limited: the first error shows that a destination, a port or a protocol is refused, those that
follow need not be sent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.checksums.state import HEADER_BAD, HEADER_ZERO
from analyzer.decode.codes import QUOTED
from analyzer.prediction.emit_kernel import add, add_range, is_mine, packet_bytes
from analyzer.prediction.names import NUMBER
from analyzer.prediction.network.passed_kernel import (
    OUT_OCTETS,
    OUT_TRANSMITS,
    both,
    leaves,
    quoted,
    remember,
    taken_back,
)
from analyzer.prediction.world import DIED, NO_PORT, NO_PROTOCOL, NO_ROUTE, ON_REFUSED

IN, OUT, OVERHEARD = 1, 2, 4  # link_direction, link_direction, reception
UDP, UDP_LITE = 17, 136


IN_RECEIVES, IN_OCTETS = both("IpInReceives", "Ip6InReceives"), both("IpExtInOctets", "Ip6InOctets")
IN_ECN = both("IpExtInNoECTPkts", "Ip6InNoECTPkts")
IN_HDR_ERRORS, IN_ADDR_ERRORS = both("IpInHdrErrors", "Ip6InHdrErrors"), both("IpInAddrErrors", "Ip6InAddrErrors")
IN_NO_ROUTES, FORWARDED = both("IpExtInNoRoutes", "Ip6InNoRoutes"), both("IpForwDatagrams", "Ip6OutForwDatagrams")
FRAG_FAILS, UNKNOWN_PROTOS = both("IpFragFails", "Ip6FragFails"), both("IpInUnknownProtos", "Ip6InUnknownProtos")
RATE_LIMIT = both("IcmpOutRateLimitHost", "Icmp6OutRateLimitHost")
IN_CSUM_ERRORS, TOO_BIG = NUMBER["IpExtInCsumErrors"], NUMBER["Ip6InTooBigErrors"]
UDP_IN, UDP_NO_PORTS, UDP_ERRORS = NUMBER["UdpInDatagrams"], NUMBER["UdpNoPorts"], NUMBER["UdpInErrors"]
UDP_RCVBUF = NUMBER["UdpRcvbufErrors"]
UDP6 = NUMBER["Udp6InDatagrams"] - UDP_IN
LITE = NUMBER["UdpLiteInDatagrams"] - UDP_IN


@part
def between_others(row: Any, world: Any, out: Any) -> None:
    """A packet neither from nor to the host: to be routed, dropped, or only overheard."""
    six = 1 if row["ip_version"] == 6 else 0
    way, mtu = row["link_direction"], world["mtu"]
    forwards = world["forwards"][six]
    if row["reception"] == OVERHEARD or (way == OUT and forwards == 0):
        return
    if forwards == 1 and way != IN and leaves(row, six, world, out):
        return
    sure = 1 if forwards == 1 or way == IN else 0
    size = packet_bytes(row)
    add_range(row, IN_RECEIVES[six], 1, sure, 1, out)
    add_range(row, IN_OCTETS[six], size, sure * size, size, out)
    # Of a super-segment nobody knows how many it was made of: the smallest that all hosts take is 536 bytes.
    merged = 1 if size <= mtu else size // 536
    add_range(row, IN_ECN[six] + (row["tos"] & 3), max(1, (size + mtu - 1) // mtu), sure, merged, out)
    if row["ip_header_checksum"] == HEADER_BAD or row["ip_header_checksum"] == HEADER_ZERO:
        add_range(row, IN_HDR_ERRORS[six], 1, sure, 1, out)
        add_range(row, IN_CSUM_ERRORS, 1, sure, 1, out)
        return
    refused = way != OUT and refuses(world["refused"], NO_ROUTE, row["dst_hi"], row["dst_lo"], 0)
    dying = row["ttl"] <= 1 and way != OUT  # on its way out it has lost one already
    if forwards == 0 and not six:
        add_range(row, IN_ADDR_ERRORS[six], 1, sure, 1, out)
        remember(row, size, world)
        return
    if forwards == 1 and not dying and not refused:
        passes(row, six, size, 1, 1, out)
        remember(row, size, world)
        return
    if forwards != 0 and dying:  # it is told so, but these messages are limited
        add_range(row, RATE_LIMIT[six], 1, 0, 1, out)
        told = ports(row["src_port"], row["dst_port"])
        if not refuses(world["refused"], DIED, row["src_hi"], row["src_lo"], told):
            refuse(world, DIED, row["src_hi"], row["src_lo"], told)
    if forwards == 1 and dying and way == IN:
        add(row, IN_HDR_ERRORS[six], 1, out)
        return
    if forwards != 0:
        passes(row, six, size, 0 if dying or refused else 1, 0, out)
        remember(row, size, world)
        if dying:
            add_range(row, IN_HDR_ERRORS[six], 1, 0, 1, out)
    if forwards != 1:
        add_range(row, IN_ADDR_ERRORS[six], 1 if forwards == 0 and not refused else 0, 0, 1, out)
    if forwards != 1 or refused:
        add_range(row, IN_NO_ROUTES[six], 1 if refused else 0, 0, 1, out)
    if refused:
        add_range(row, RATE_LIMIT[six], 1, 0, 1, out)


@inline
def passes(row: Any, six: Int, size: Int, amount: Int, least: Int, out: Any) -> None:
    """Count it as passed on."""
    add_range(row, FORWARDED[six], amount, least, 1, out)
    add_range(row, OUT_TRANSMITS[six], amount, least, 1, out)
    add_range(row, OUT_OCTETS[six], amount * size, least * size, size, out)


@inline
def refuses(refused: Any, what: Int, hi: Any, lo: Any, number: Int) -> Any:
    """Has the host sent an ICMP error for this before?"""
    for k in range(len(refused)):
        each = refused[k]
        if each["what"] == what and each["lo"] == lo and each["hi"] == hi and each["number"] == number:
            return True
    return False


@inline
def refuse(world: Any, what: Int, hi: Any, lo: Any, number: Int) -> None:
    """Remember that it has, in a ring."""
    world["hangs"] |= ON_REFUSED
    at = world["refused_at"]
    world["refused_at"] = (at + 1) % len(world["refused"])
    each = world["refused"][at]
    each["what"], each["hi"], each["lo"], each["number"] = what, hi, lo, number


@inline
def ports(src: Any, dst: Any) -> Int:
    """Both ports as one number."""
    return np.int64(src) << 16 | np.int64(dst)


@part
def error_sent(row: Any, hosts: Any, world: Any, out: Any) -> None:
    """An ICMP error of the host that quotes a packet: what it says of that one."""
    if not row["layers"] & QUOTED:
        return
    six = 1 if row["ip_version"] == 6 else 0
    kind, code = np.int64(row["icmp_type"]), np.int64(row["icmp_code"])
    if is_mine(hosts, row["quoted_dst_hi"], row["quoted_dst_lo"]):
        port = kind == 1 and code == 4 if six else kind == 3 and code == 3
        protocol = kind == 4 and code == 1 if six else kind == 3 and code == 2
        if port and (row["quoted_proto"] == UDP or row["quoted_proto"] == UDP_LITE):
            port_refused(row, six, world, out)
        elif protocol:
            protocol_refused(row, six, world, out)
        return
    if is_mine(hosts, row["quoted_src_hi"], row["quoted_src_lo"]):
        return
    unreachable = kind == (1 if six else 3)
    too_big = kind == 2 if six else kind == 3 and code == 4
    if world["forwards"][six] == 0 and not (six and unreachable):
        forwards_after_all(row, six, kind == (3 if six else 11), world, out)
    if too_big:
        add(row, FRAG_FAILS[six], 1, out)
        if six:
            add(row, TOO_BIG, 1, out)
    elif unreachable and code == 0:
        route_refused(row, six, world, out)
        return
    over = kind == (3 if six else 11) and code == 0
    if not (unreachable or too_big or over):
        return
    told = ports(row["quoted_src_port"], row["quoted_dst_port"])
    if over and refuses(world["refused"], DIED, row["quoted_src_hi"], row["quoted_src_lo"], told):
        add_range(row, RATE_LIMIT[six], -1, 0, -1, out)
    if over and row["link_direction"] == OUT:
        return  # where directions are known, what came in to die here was not thought to be passed on
    size = taken_back(row, world)
    if size:
        sure = world["forwards"][six] == 1 and not over
        not_sent(row, six, size, 0 if over else 1, sure, out)
        if over:
            add_range(row, FORWARDED[six], 0, 0, -1, out)
            add_range(row, IN_HDR_ERRORS[six], 0, 1, 0, out)


@inline
def forwards_after_all(row: Any, six: Int, over: Any, world: Any, out: Any) -> None:
    """A host that does not forward sends no such error: the setting was changed since it was read.

    The packet that the error is about, perhaps because its time is `over`, is counted as at a host of which that is not known.
    """
    world["forwards"][six] = -1
    at = quoted(row, world)
    if six or at < 0:
        return
    add_range(row, IN_ADDR_ERRORS[0], -1, -1 if row["link_direction"] == OUT else 0, 0, out)
    if over:
        add_range(row, IN_HDR_ERRORS[0], 1, 0, 1, out)
    else:
        add_range(row, IN_NO_ROUTES[0], 0, 0, 1, out)
    passes(row, 0, np.int64(world["passed"][at]["size"]), 0 if over else 1, 0, out)


@inline
def not_sent(row: Any, six: Int, size: Int, amount: Int, sure: Any, out: Any) -> None:
    """It did not leave, though it was thought to: surely, or at most."""
    least = 1 if sure else 0
    add_range(row, OUT_TRANSMITS[six], -amount, -least, -1, out)
    add_range(row, OUT_OCTETS[six], -amount * size, -least * size, -size, out)


@inline
def route_refused(row: Any, six: Int, world: Any, out: Any) -> None:
    """ip_error(), ip6_pkt_discard(): there is no route. From the second time on the packet was counted as one that has perhaps none."""
    hi, lo = row["quoted_dst_hi"], row["quoted_dst_lo"]
    forwards = world["forwards"][six]
    again = refuses(world["refused"], NO_ROUTE, hi, lo, 0)
    news = 0 if again else 1
    if again:
        add_range(row, RATE_LIMIT[six], -1, 0, -1, out)
    else:
        refuse(world, NO_ROUTE, hi, lo, 0)
    # What was counted as perhaps is now for sure, unless the packet was counted as passed on.
    add_range(row, IN_NO_ROUTES[six], news, 1, news if forwards == 1 else 0, out)
    if forwards != 1:
        add_range(row, IN_ADDR_ERRORS[six], -news if forwards == 0 else 0, 0, -1, out)
    size = taken_back(row, world)
    if size:
        sure = forwards == 1 and not again
        add_range(row, FORWARDED[six], -news, -1 if sure else 0, -1, out)
        not_sent(row, six, size, news, sure, out)


@inline
def port_refused(row: Any, six: Int, world: Any, out: Any) -> None:
    """__udp4_lib_rcv(), __udp6_lib_rcv(): nobody listens, and the datagram was not delivered."""
    lite = row["quoted_proto"] == UDP_LITE
    sister = (UDP6 if six else 0) + (LITE if lite else 0)
    hi, lo = row["quoted_dst_hi"], row["quoted_dst_lo"]
    number = -1 if lite else np.int64(row["quoted_dst_port"])
    if not lite and refuses(world["refused"], NO_PORT, hi, lo, number):
        add_range(row, UDP_NO_PORTS + sister, 0, 1, 0, out)
        add_range(row, UDP_IN + sister, 0, 0, -1, out)
        add_range(row, RATE_LIMIT[six], -1, 0, -1, out)
    else:
        refuse(world, NO_PORT, hi, lo, number)
        add(row, UDP_NO_PORTS + sister, 1, out)
        add_range(row, UDP_IN + sister, -1, 0, -1, out)
    add_range(row, UDP_ERRORS + sister, 0, 0, -1, out)
    add_range(row, UDP_RCVBUF + sister, 0, 0, -1, out)


@inline
def protocol_refused(row: Any, six: Int, world: Any, out: Any) -> None:
    """ip_protocol_deliver_rcu(), ip6_protocol_deliver_rcu(): no protocol takes it."""
    hi, lo, number = row["quoted_dst_hi"], row["quoted_dst_lo"], np.int64(row["quoted_proto"])
    if refuses(world["refused"], NO_PROTOCOL, hi, lo, number):
        add_range(row, UNKNOWN_PROTOS[six], 0, 1, 0, out)
        add_range(row, RATE_LIMIT[six], -1, 0, -1, out)
    else:
        refuse(world, NO_PROTOCOL, hi, lo, number)
        add_range(row, UNKNOWN_PROTOS[six], 1, 1, 0, out)
