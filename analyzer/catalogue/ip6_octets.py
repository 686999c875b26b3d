"""Ip6: multicast, bytes, ECN marks and what goes out, the further lines of /proc/net/snmp6 (RFC 4293)."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_RECEIVE = "ip6_rcv_core() in net/ipv6/ip6_input.c"
_SEND = "ip6_finish_output2() in net/ipv6/ip6_output.c"


def _received_ecn(name: str, bits: str, what: str, points_at: str) -> Counter:
    """One of the four counters of ECN bits."""
    return Counter(
        f"Ip6In{name}Pkts",
        meaning=f"Received IPv6 packets with ECN bits {bits}, {what}. Frames on the wire: a merged packet counts its "
        "segments.",
        unit="wire_segments",
        moves="At the receiver, before the header is checked any further than its version.",
        points_at=points_at,
        since="3.12",
        reference=f"{_RECEIVE}; RFC 3168 section 5",
        observability="exact",
        why=f"Received IPv6 frames with ECN bits {bits}; a merged one counts its segments.",
    )


COUNTERS = (
    Counter(
        "Ip6InMcastPkts",
        meaning="Received packets to a multicast group, joined or not: router advertisements, neighbour discovery and "
        "MLD among them.",
        unit="packets",
        moves="At the receiver after routing, before membership is looked at.",
        points_at="mDNS, neighbour discovery storms, streams of groups that a switch floods.",
        reference="ip6_mc_input() in net/ipv6/ip6_input.c; RFC 4293 ipSystemStatsInMcastPkts",
        observability="exact",
        why="Received frames to ff00::/8.",
    ),
    Counter(
        "Ip6OutMcastPkts",
        meaning="Packets sent to a multicast group, neighbour solicitations and MLD reports included.",
        unit="packets",
        moves="At the sender when the packet goes to its interface.",
        points_at="Neighbour discovery of many addresses, mDNS, streams.",
        reference=f"{_SEND}; RFC 4293 ipSystemStatsOutMcastPkts",
        observability="exact",
        why="Sent frames to ff00::/8.",
    ),
    Counter(
        "Ip6InOctets",
        meaning="Bytes of the IPv6 packets received, headers of IPv6 and above included, link layer not. Merged packets "
        "count as they are: the headers that GRO removed are missing.",
        unit="bytes",
        moves="At the receiver with Ip6InReceives.",
        points_at="Load in bytes.",
        since="2.6.31",
        reference=f"{_RECEIVE}; RFC 4293 ipSystemStatsInOctets",
        observability="exact",
        why="The sum over received IPv6 frames, as captured after GRO, of what follows the link header.",
    ),
    Counter(
        "Ip6OutOctets",
        meaning="Bytes of the IPv6 packets sent, headers of IPv6 and above included. A super-segment counts its header "
        "once; forwarded packets count too.",
        unit="bytes",
        moves="At the sender with Ip6OutTransmits.",
        points_at="Load in bytes.",
        since="2.6.31",
        reference=f"{_SEND}; RFC 4293 ipSystemStatsOutOctets",
        observability="exact",
        why="The sum over sent IPv6 frames, as captured before segmentation, of what follows the link header.",
    ),
    Counter(
        "Ip6InMcastOctets",
        meaning="Bytes of the packets of Ip6InMcastPkts.",
        unit="bytes",
        moves="At the receiver with Ip6InMcastPkts.",
        points_at="A stream that this host gets, whether it wants it or not.",
        since="2.6.31",
        reference="ip6_mc_input() in net/ipv6/ip6_input.c; RFC 4293 ipSystemStatsInMcastOctets",
        observability="exact",
        why="The sum of the IPv6 lengths of received frames to ff00::/8.",
    ),
    Counter(
        "Ip6OutMcastOctets",
        meaning="Bytes of the packets of Ip6OutMcastPkts.",
        unit="bytes",
        moves="At the sender with Ip6OutMcastPkts.",
        points_at="A stream that this host sends.",
        since="2.6.31",
        reference=f"{_SEND}; RFC 4293 ipSystemStatsOutMcastOctets",
        observability="exact",
        why="The sum of the IPv6 lengths of sent frames to ff00::/8.",
    ),
    Counter(
        "Ip6InBcastOctets",
        meaning="Always 0: IPv6 has no broadcast, the line is there for likeness with IPv4 only.",
        unit="bytes",
        moves="Never.",
        points_at="Nothing.",
        since="2.6.31",
        reference="snmp6_ipstats_list in net/ipv6/proc.c",
        observability="exact",
        why="No frame moves it.",
    ),
    Counter(
        "Ip6OutBcastOctets",
        meaning="Always 0, as IPv6 sends no broadcasts.",
        unit="bytes",
        moves="Never.",
        points_at="Nothing.",
        since="2.6.31",
        reference="snmp6_ipstats_list in net/ipv6/proc.c",
        observability="exact",
        why="No frame moves it, in either direction.",
    ),
    _received_ecn("NoECT", "00", "not ECN capable", "Traffic without ECN; bare ACKs and SYNs are always here."),
    _received_ecn("ECT1", "01", "ECT(1)", "L4S senders, or a router that rewrites the field."),
    _received_ecn("ECT0", "10", "ECT(0)", "ECN in use; 0 although it was negotiated means somebody clears the bits."),
    _received_ecn("CE", "11", "congestion experienced", "A queue on the way marks instead of dropping."),
    Counter(
        "Ip6OutTransmits",
        meaning="Packets handed to an interface, forwarded ones included, before segmentation offload. Fragments count "
        "one by one; packets that the OUTPUT or FORWARD hook dropped are not in it.",
        unit="super_segments",
        moves="At the sender and on a router, last thing before the neighbour is looked up.",
        points_at="Less than Ip6OutRequests plus Ip6OutForwDatagrams: netfilter, MTU, missing addresses.",
        since="6.7",
        reference=f"{_SEND}; RFC 4293 ipSystemStatsOutTransmits",
        observability="exact",
        why="Sent IPv6 frames, those that the host itself cut from a super-segment together.",
    ),
)
