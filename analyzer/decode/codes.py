"""Bits and codes of `packets` columns as plain integers, for the kernels. Named in tables/packets.py, nowhere else."""

from __future__ import annotations

from analyzer.tables import PACKETS


def _layer(*words: str) -> int:
    return PACKETS.bit("layers", *words)


def _stop(word: str) -> int:
    return PACKETS.bit("stop", word)


ETHERNET, WLAN, LLC, SNAP = _layer("ethernet"), _layer("wlan"), _layer("llc"), _layer("snap")
VLAN, MPLS, PPPOE, PPP, ARP = _layer("vlan"), _layer("mpls"), _layer("pppoe"), _layer("ppp"), _layer("arp")
IPV4, IPV6, IP_OPTIONS, EXTENSION = _layer("ipv4"), _layer("ipv6"), _layer("ip_options"), _layer("extension")
FRAGMENT, TUNNEL, TCP, UDP = _layer("fragment"), _layer("tunnel"), _layer("tcp"), _layer("udp")
ICMP, ICMPV6, QUOTED, REASSEMBLED = _layer("icmp"), _layer("icmpv6"), _layer("quoted"), _layer("reassembled")

DECODED, TRUNCATED, NO_IP, IP_PROTOCOL = _stop("decoded"), _stop("truncated"), _stop("no_ip"), _stop("ip_protocol")
LATER_FRAGMENT, LINK_TYPE, ENCRYPTED = _stop("fragment"), _stop("link_type"), _stop("encrypted")
NOT_DATA, BAD_LINK_HEADER, TOO_DEEP = _stop("not_data"), _stop("bad_link_header"), _stop("too_deep")
BAD_IP_VERSION, BAD_IP_HEADER = _stop("bad_ip_version"), _stop("bad_ip_header")
BAD_TCP_HEADER, BAD_UDP_HEADER, BAD_ICMP_HEADER = (
    _stop("bad_tcp_header"),
    _stop("bad_udp_header"),
    _stop("bad_icmp_header"),
)

CUT, CAPTURED_BEYOND_LENGTH = PACKETS.bit("quirks", "cut"), PACKETS.bit("quirks", "captured_beyond_length")
IP_LENGTH_ZERO = PACKETS.bit("quirks", "ip_length_zero")
IP_LENGTH_BEYOND_FRAME = PACKETS.bit("quirks", "ip_length_beyond_frame")
TCP_OPTIONS_MALFORMED = PACKETS.bit("quirks", "tcp_options_malformed")

T_IPIP, T_6IN4, T_GRE = PACKETS.bit("tunnels", "ipip"), PACKETS.bit("tunnels", "6in4"), PACKETS.bit("tunnels", "gre")
T_VXLAN, T_GENEVE, T_GTPU = (
    PACKETS.bit("tunnels", "vxlan"),
    PACKETS.bit("tunnels", "geneve"),
    PACKETS.bit("tunnels", "gtpu"),
)
T_L2TP, T_ERSPAN = PACKETS.bit("tunnels", "l2tp"), PACKETS.bit("tunnels", "erspan")
T_TEREDO, T_CAPWAP, T_TZSP = (PACKETS.bit("tunnels", word) for word in ("teredo", "capwap", "tzsp"))

O_MSS, O_WINDOW_SCALE = PACKETS.bit("options", "mss"), PACKETS.bit("options", "window_scale")
O_SACK_PERMITTED, O_SACK = PACKETS.bit("options", "sack_permitted"), PACKETS.bit("options", "sack")
O_TIMESTAMPS, O_FAST_OPEN = PACKETS.bit("options", "timestamps"), PACKETS.bit("options", "fast_open")
O_MD5, O_MPTCP, O_AO = PACKETS.bit("options", "md5"), PACKETS.bit("options", "mptcp"), PACKETS.bit("options", "ao")
O_OTHER = PACKETS.bit("options", "other")

IN, OUT = PACKETS.bit("link_direction", "in"), PACKETS.bit("link_direction", "out")
UNICAST, MULTICAST = PACKETS.bit("reception", "unicast"), PACKETS.bit("reception", "multicast")
BROADCAST, PROMISCUOUS = PACKETS.bit("reception", "broadcast"), PACKETS.bit("reception", "promiscuous")

MAX_STEPS = 32  # tags, labels, extension headers and tunnels of one frame
