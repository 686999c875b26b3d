"""Compiled prediction of what IP, ICMP and UDP count for a packet: ip_rcv(), ip_local_out(), icmp_rcv(), udp_rcv() and their sisters."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.checksums.state import BAD, HEADER_BAD, HEADER_ZERO, ZERO
from analyzer.decode.codes import IP_LENGTH_BEYOND_FRAME, T_GENEVE, T_GTPU, T_L2TP, T_VXLAN
from analyzer.prediction.emit_kernel import add, add_range, bytes_behind, is_fragment, is_mine, packet_bytes
from analyzer.prediction.names import NUMBER
from analyzer.prediction.network.asked_kernel import ask, was_asked
from analyzer.prediction.network.fragment_kernel import fragment_received, reassembly_told
from analyzer.prediction.network.route_kernel import (
    IN_ADDR_ERRORS,
    LITE,
    RATE_LIMIT,
    UDP6,
    UDP_ERRORS,
    UDP_IN,
    UDP_LITE,
    UDP_NO_PORTS,
    UDP_RCVBUF,
    UNKNOWN_PROTOS,
    refuses,
)
from analyzer.prediction.world import NO_PORT, NO_PROTOCOL

TIMESTAMP, TIMESTAMP_REPLY, LAST_KNOWN, EXTENDED_ECHO, EXTENDED_ECHO_REPLY = 13, 14, 18, 42, 43  # ICMP types
SOCKETS = 8  # that may get a copy of a datagram to a group; who has more is no common host
OVER_UDP = T_VXLAN | T_GENEVE | T_GTPU | T_L2TP

IP_IN_RECEIVES, IP_IN_HDR_ERRORS, IP_IN_DELIVERS = (
    NUMBER["IpInReceives"],
    NUMBER["IpInHdrErrors"],
    NUMBER["IpInDelivers"],
)
IP_OUT_REQUESTS, IP_OUT_TRANSMITS = NUMBER["IpOutRequests"], NUMBER["IpOutTransmits"]
IP_REASM_REQDS, IP_IN_TRUNCATED = NUMBER["IpReasmReqds"], NUMBER["IpExtInTruncatedPkts"]
IP_FRAG_OKS, IP_FRAG_CREATES = NUMBER["IpFragOKs"], NUMBER["IpFragCreates"]
IP_IN_OCTETS, IP_OUT_OCTETS = NUMBER["IpExtInOctets"], NUMBER["IpExtOutOctets"]
IP_IN_ECN = NUMBER["IpExtInNoECTPkts"]  # and the three after it, by the ECN bits
IP_IN_MCAST, IP_OUT_MCAST = NUMBER["IpExtInMcastPkts"], NUMBER["IpExtOutMcastPkts"]
IP_IN_MCAST_OCTETS, IP_OUT_MCAST_OCTETS = NUMBER["IpExtInMcastOctets"], NUMBER["IpExtOutMcastOctets"]
IP_IN_BCAST, IP_OUT_BCAST = NUMBER["IpExtInBcastPkts"], NUMBER["IpExtOutBcastPkts"]
IP_IN_BCAST_OCTETS, IP_OUT_BCAST_OCTETS = NUMBER["IpExtInBcastOctets"], NUMBER["IpExtOutBcastOctets"]
IP_IN_CSUM_ERRORS = NUMBER["IpExtInCsumErrors"]
IP6_IN_RECEIVES, IP6_IN_DELIVERS = NUMBER["Ip6InReceives"], NUMBER["Ip6InDelivers"]
IP6_OUT_REQUESTS, IP6_OUT_TRANSMITS = NUMBER["Ip6OutRequests"], NUMBER["Ip6OutTransmits"]
IP6_REASM_REQDS, IP6_IN_TRUNCATED = NUMBER["Ip6ReasmReqds"], NUMBER["Ip6InTruncatedPkts"]
IP6_FRAG_OKS, IP6_FRAG_CREATES = NUMBER["Ip6FragOKs"], NUMBER["Ip6FragCreates"]
IP6_IN_OCTETS, IP6_OUT_OCTETS = NUMBER["Ip6InOctets"], NUMBER["Ip6OutOctets"]
IP6_IN_ECN = NUMBER["Ip6InNoECTPkts"]
IP6_IN_MCAST, IP6_OUT_MCAST = NUMBER["Ip6InMcastPkts"], NUMBER["Ip6OutMcastPkts"]
IP6_IN_MCAST_OCTETS, IP6_OUT_MCAST_OCTETS = NUMBER["Ip6InMcastOctets"], NUMBER["Ip6OutMcastOctets"]
ICMP_IN_MSGS, ICMP_IN_ERRORS, ICMP_IN_CSUM = NUMBER["IcmpInMsgs"], NUMBER["IcmpInErrors"], NUMBER["IcmpInCsumErrors"]
ICMP_OUT_MSGS = NUMBER["IcmpOutMsgs"]
ICMP_IN_TYPE, ICMP_OUT_TYPE = NUMBER["IcmpMsgInType0"], NUMBER["IcmpMsgOutType0"]
ICMP6_IN_TYPE, ICMP6_OUT_TYPE = NUMBER["Icmp6InType0"], NUMBER["Icmp6OutType0"]
ICMP6_IN_MSGS, ICMP6_IN_ERRORS = NUMBER["Icmp6InMsgs"], NUMBER["Icmp6InErrors"]
ICMP6_IN_CSUM, ICMP6_OUT_MSGS = NUMBER["Icmp6InCsumErrors"], NUMBER["Icmp6OutMsgs"]
UDP_OUT, UDP_CSUM = NUMBER["UdpOutDatagrams"], NUMBER["UdpInCsumErrors"]
UDP_IGNORED = NUMBER["UdpIgnoredMulti"]
CSUM6 = NUMBER["Udp6InCsumErrors"] - UDP_CSUM  # from one of these two to its sister of IPv6


@part
def around(row: Any, hosts: Any, joined: Any, out: Any) -> None:
    """The outermost packet of a tunnel, if it is of or to the host: counted before what it carries."""
    six = row["outer_version"] == 6
    size = bytes_behind(row, np.int64(row["outer_l3_at"]))
    in_udp = row["tunnels"] & OVER_UDP != 0
    sister = UDP6 if six else 0
    if is_mine(hosts, row["outer_dst_hi"], row["outer_dst_lo"]):
        add(row, IP6_IN_RECEIVES if six else IP_IN_RECEIVES, 1, out)
        add(row, IP6_IN_DELIVERS if six else IP_IN_DELIVERS, 1, out)
        add(row, IP6_IN_OCTETS if six else IP_IN_OCTETS, size, out)
        add(row, IP6_IN_ECN if six else IP_IN_ECN, 1, out)
        if in_udp:
            add(row, UDP_IN + sister, 1, out)
    if is_mine(hosts, row["outer_src_hi"], row["outer_src_lo"]):
        one, least = (0, np.int64(row["payload_len"])) if joined else (1, size)
        add_range(row, IP6_OUT_TRANSMITS if six else IP_OUT_TRANSMITS, one, one, 1, out)
        add_range(row, IP6_OUT_REQUESTS if six else IP_OUT_REQUESTS, one, one, 1, out)
        add_range(row, IP6_OUT_OCTETS if six else IP_OUT_OCTETS, least, least, size, out)


@part
def packet_sent(row: Any, group: Int, joined: Any, world: Any, out: Any) -> Any:
    """What ip_local_out() and the protocol above count for a packet of the host: is it an ICMP message?"""
    six = row["ip_version"] == 6
    size = packet_bytes(row)
    piece = is_fragment(row)
    if joined:  # cut from one packet with the segment before, it seems: counted together with it
        payload = np.int64(row["payload_len"])
        add_range(row, IP6_OUT_REQUESTS if six else IP_OUT_REQUESTS, 0, 0, 1, out)
        add_range(row, IP6_OUT_TRANSMITS if six else IP_OUT_TRANSMITS, 0, 0, 1, out)
        add_range(row, IP6_OUT_OCTETS if six else IP_OUT_OCTETS, payload, payload, size, out)
        return False
    if not piece or row["fragment_offset"] == 0:
        add(row, IP6_OUT_REQUESTS if six else IP_OUT_REQUESTS, 1, out)
    add(row, IP6_OUT_TRANSMITS if six else IP_OUT_TRANSMITS, 1, out)
    add(row, IP6_OUT_OCTETS if six else IP_OUT_OCTETS, size, out)
    if piece:
        add(row, IP6_FRAG_CREATES if six else IP_FRAG_CREATES, 1, out)
        if row["fragment_offset"] == 0:
            add(row, IP6_FRAG_OKS if six else IP_FRAG_OKS, 1, out)
    if group == 1:
        add(row, IP6_OUT_MCAST if six else IP_OUT_MCAST, 1, out)
        add(row, IP6_OUT_MCAST_OCTETS if six else IP_OUT_MCAST_OCTETS, size, out)
    elif group == 2:
        add(row, IP_OUT_BCAST, 1, out)
        add(row, IP_OUT_BCAST_OCTETS, size, out)
    if piece and row["fragment_offset"] != 0:
        return False
    if row["ip_proto"] == 17 or row["ip_proto"] == UDP_LITE:
        add(row, UDP_OUT + (UDP6 if six else 0) + (LITE if row["ip_proto"] == UDP_LITE else 0), 1, out)
    elif row["ip_proto"] == 1 and not six:
        add(row, ICMP_OUT_MSGS, 1, out)
        kind = np.int64(row["icmp_type"])
        # icmp_reply() counts its answers as echo replies, whatever they are; a program's own messages go by their type.
        if kind == EXTENDED_ECHO_REPLY or (kind == TIMESTAMP_REPLY and was_asked(row, world)):
            kind = np.int64(0)
        add(row, ICMP_OUT_TYPE + kind, 1, out)
        if world["types4"][1, kind] >= 0:
            add(row, world["types4"][1, kind], 1, out)
        if row["icmp_type"] == 11 and row["icmp_code"] == 1:
            reassembly_told(row, world, out)
        return True
    elif row["ip_proto"] == 58 and six:
        add(row, ICMP6_OUT_MSGS, 1, out)
        add(row, ICMP6_OUT_TYPE + np.int64(row["icmp_type"]), 1, out)
        if world["types6"][1, row["icmp_type"]] >= 0:
            add(row, world["types6"][1, row["icmp_type"]], 1, out)
        if row["icmp_type"] == 3 and row["icmp_code"] == 1:
            reassembly_told(row, world, out)
        return True
    return False


@inline
def has_handler(row: Any) -> Any:
    """Does every kernel take packets of this protocol? For others it depends on modules, raw sockets and tunnels."""
    kind = row["ip_proto"]
    return kind == 6 or kind == 17 or kind == 136 or kind == (58 if row["ip_version"] == 6 else 1)


@part
def packet_received(row: Any, group: Int, segments: Int, taken: Int, world: Any, out: Any) -> Any:
    """What ip_rcv(), ipv6_rcv() and the protocol above count for a packet to the host: is it handed to that one?

    `taken` is 1 where the host surely takes what comes to this address, 0 for a group that it may not be in.
    """
    six = row["ip_version"] == 6
    size = bytes_behind(row, np.int64(row["l3_at"])) if row["tunnel_depth"] == 0 else packet_bytes(row)
    if not enters(row, size, segments, world, out):
        return False
    if group == 1:  # IPv4 knows no group that it is not in (ip_route_input_mc()); ip6_mc_input() counts before it looks
        sure = 1 if six else taken
        add_range(row, IP6_IN_MCAST if six else IP_IN_MCAST, sure, sure, 1, out)
        add_range(row, IP6_IN_MCAST_OCTETS if six else IP_IN_MCAST_OCTETS, sure * size, sure * size, size, out)
    elif group == 2:
        add_range(row, IP_IN_BCAST, 1, taken, 1, out)
        add_range(row, IP_IN_BCAST_OCTETS, size, taken * size, size, out)
        if not taken:  # to a single address, in a frame to all
            add_range(row, IN_ADDR_ERRORS[0], 0, 0, 1, out)
    kind, port = np.int64(row["icmp_type"]), np.int64(row["dst_port"])
    if is_fragment(row):
        add_range(row, IP6_REASM_REQDS if six else IP_REASM_REQDS, taken, taken, 1, out)
        if not taken:
            return False
        kind = fragment_received(row, world, out)
        if kind < 0:
            return False
        port = np.int64(world["port"])
    delivered(row, group, kind, port, taken, world, out)
    return True


@inline
def enters(row: Any, size: Int, segments: Int, world: Any, out: Any) -> Any:
    """ip_rcv_core(), ip6_rcv_core(): does the packet pass the checks of its header?"""
    six = row["ip_version"] == 6
    add(row, IP6_IN_RECEIVES if six else IP_IN_RECEIVES, 1, out)
    add(row, IP6_IN_OCTETS if six else IP_IN_OCTETS, size, out)
    if six and world["six_off"]:
        return False
    # A hypervisor hands super-segments over without saying how many segments they are (virtio): they count once then.
    ecn = (IP6_IN_ECN if six else IP_IN_ECN) + (row["tos"] & 3)
    add_range(row, ecn, segments, 1, segments, out)
    if row["ip_header_checksum"] == HEADER_BAD or row["ip_header_checksum"] == HEADER_ZERO:
        add(row, IP_IN_HDR_ERRORS, 1, out)
        add(row, IP_IN_CSUM_ERRORS, 1, out)
        return False
    if row["quirks"] & IP_LENGTH_BEYOND_FRAME and row["tunnel_depth"] == 0:
        add(row, IP6_IN_TRUNCATED if six else IP_IN_TRUNCATED, 1, out)
        return False
    return True


@inline
def delivered(row: Any, group: Int, kind: Int, port: Int, taken: Int, world: Any, out: Any) -> None:
    """ip_protocol_deliver_rcu(), ip6_protocol_deliver_rcu(): hand a packet, whole by now, to its protocol."""
    six = row["ip_version"] == 6
    known = 1 if has_handler(row) else 0
    add_range(row, IP6_IN_DELIVERS if six else IP_IN_DELIVERS, known * taken, known * taken, 1, out)
    wrong = row["checksum"] == BAD or row["checksum"] == ZERO
    if row["ip_proto"] == 17 or row["ip_proto"] == UDP_LITE:
        datagram_received(row, group, port, wrong, taken, world, out)
    elif row["ip_proto"] == 1 and not six:
        message_received(row, group, kind, wrong, taken, world, out)
    elif row["ip_proto"] == 58 and six:
        message6_received(row, kind, wrong, taken, world, out)
    elif not known:
        refused = refuses(world["refused"], NO_PROTOCOL, row["dst_hi"], row["dst_lo"], np.int64(row["ip_proto"]))
        if refused:
            add_range(row, RATE_LIMIT[1 if six else 0], 1, 0, 1, out)
        add_range(row, UNKNOWN_PROTOS[1 if six else 0], 1 if refused else 0, 0, 1, out)


@inline
def message_received(row: Any, group: Int, kind: Int, wrong: Any, taken: Int, world: Any, out: Any) -> None:
    """icmp_rcv()."""
    add_range(row, ICMP_IN_MSGS, taken, taken, 1, out)
    if wrong:
        add_range(row, ICMP_IN_ERRORS, taken, taken, 1, out)
        add_range(row, ICMP_IN_CSUM, taken, taken, 1, out)
        return
    errors_in_it(row, group, kind, out)
    add_range(row, ICMP_IN_TYPE + kind, taken, taken, 1, out)
    if world["types4"][0, kind] >= 0:
        add_range(row, world["types4"][0, kind], taken, taken, 1, out)
    if kind == TIMESTAMP:
        ask(row, world)


@inline
def errors_in_it(row: Any, group: Int, kind: Int, out: Any) -> None:
    """Types that it does not know, requests to groups, errors and redirects about what is not there any more, or quoted in part."""
    if kind > LAST_KNOWN and kind != EXTENDED_ECHO and kind != EXTENDED_ECHO_REPLY:
        add_range(row, ICMP_IN_ERRORS, 1, 0 if group else 1, 1, out)
    elif group or 3 <= kind <= 5 or kind == 11 or kind == 12 or kind == TIMESTAMP:
        add_range(row, ICMP_IN_ERRORS, 0, 0, 1, out)


@inline
def message6_received(row: Any, kind: Int, wrong: Any, taken: Int, world: Any, out: Any) -> None:
    """icmpv6_rcv()."""
    add_range(row, ICMP6_IN_MSGS, taken, taken, 1, out)
    if wrong:
        add_range(row, ICMP6_IN_ERRORS, taken, taken, 1, out)
        add_range(row, ICMP6_IN_CSUM, taken, taken, 1, out)
        return
    if 1 <= kind <= 4:
        add_range(row, ICMP6_IN_ERRORS, 0, 0, 1, out)
    add_range(row, ICMP6_IN_TYPE + kind, taken, taken, 1, out)
    if world["types6"][0, kind] >= 0:
        add_range(row, world["types6"][0, kind], taken, taken, 1, out)


@inline
def datagram_received(row: Any, group: Int, port: Int, wrong: Any, taken: Int, world: Any, out: Any) -> None:
    """A datagram of UDP or UDP-Lite. It counts as the application reads it; what does not fit in its buffer is an error."""
    six, lite = row["ip_version"] == 6, row["ip_proto"] == UDP_LITE
    sister = (UDP6 if six else 0) + (LITE if lite else 0)
    if wrong:
        # Of a group, each socket looks for itself.
        add_range(row, UDP_ERRORS + sister, 1, 0 if group else 1, SOCKETS if group else 1, out)
        add_range(row, UDP_CSUM + (CSUM6 if six else 0), 1, 0 if group else 1, SOCKETS if group else 1, out)
        return
    most = SOCKETS if group else 1
    add_range(row, UDP_ERRORS + sister, 0, 0, most, out)
    add_range(row, UDP_RCVBUF + sister, 0, 0, most, out)
    if group:  # each socket gets one; without any it is ignored
        add_range(row, UDP_IN + sister, 0, 0, most, out)
        if not lite:
            add_range(row, UDP_IGNORED + (CSUM6 if six else 0), taken, 0, 1, out)
    elif not lite and refuses(world["refused"], NO_PORT, row["dst_hi"], row["dst_lo"], port):
        add_range(row, UDP_IN + sister, 0, 0, 1, out)
        add_range(row, UDP_NO_PORTS + sister, 1, 0, 1, out)
        add_range(row, RATE_LIMIT[1 if six else 0], 1, 0, 1, out)
    else:
        add_range(row, UDP_IN + sister, 1, 0, 1, out)
