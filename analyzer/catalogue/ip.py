"""Ip: the first line of /proc/net/snmp (RFC 4293)."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

COUNTERS = (
    Counter(
        "IpForwarding",
        meaning="A setting, not a counter: 1 if the host forwards IPv4 packets between interfaces, 2 if not.",
        unit="gauge",
        moves="When net.ipv4.conf.all.forwarding (the same switch as net.ipv4.ip_forward) is changed.",
        points_at="A host that should route and shows 2, or one that should not and shows 1.",
        reference="snmp_seq_show_ipstats() in net/ipv4/proc.c; RFC 4293 ipForwarding",
        observability="inferred",
        why="A packet that leaves with the source address of another host and a lower TTL shows 1; nothing shows 2.",
    ),
    Counter(
        "IpDefaultTTL",
        meaning="A setting: the TTL of packets whose socket and route ask for no other.",
        unit="gauge",
        moves="When net.ipv4.ip_default_ttl is changed.",
        points_at="Packets that die on long paths when it was set low.",
        reference="snmp_seq_show_ipstats() in net/ipv4/proc.c; RFC 4293 ipDefaultTTL",
        observability="inferred",
        why="The TTL of most packets that the host sends; sockets and routes may set another.",
    ),
    Counter(
        "IpInReceives",
        meaning="IPv4 packets that came up to the IP layer, whatever becomes of them. Packets that GRO or LRO merged "
        "count once, so one step may be dozens of frames on the wire; each fragment counts.",
        unit="merged_segments",
        moves="At the receiver, before the header is checked and before the PREROUTING hook of netfilter.",
        points_at="Load. Compared with IpInDelivers and IpForwDatagrams it tells how much was thrown away in between.",
        reference="ip_rcv_core() in net/ipv4/ip_input.c; RFC 4293 ipSystemStatsInReceives",
        observability="exact",
        why="Received IPv4 frames of a capture at this host, which is taken after GRO: one each. Frames to another "
        "host's MAC address (promiscuous mode) do not count; loopback does.",
    ),
    Counter(
        "IpInHdrErrors",
        meaning="Packets with a header that cannot be right: version, header length, checksum, options; and packets "
        "to be forwarded whose TTL has run out.",
        unit="merged_segments",
        moves="At the receiver after IpInReceives; for the TTL, in forwarding, where an ICMP time exceeded answers.",
        points_at="traceroute and routing loops on a router; damaged frames or a broken tunnel on a host. Look at "
        "IpExtInCsumErrors and IcmpOutTimeExcds to tell them apart.",
        reference="ip_rcv_core(), ip_rcv_options() in net/ipv4/ip_input.c; ip_forward() in net/ipv4/ip_forward.c",
        observability="exact",
        why="Received frames with such a header; on a router, frames to elsewhere with a TTL of 0 or 1.",
    ),
    Counter(
        "IpInAddrErrors",
        meaning="Packets for an address that is not this host's, while forwarding is off on the interface they came "
        "in on. Source addresses that cannot be are dropped without it (IPReversePathFilter, or no counter at all).",
        unit="merged_segments",
        moves="At the receiver after routing, in place of delivery; no ICMP is sent.",
        points_at="Neighbours that use this host as a gateway, an address that was removed, a wrong next hop.",
        reference="ip_error() in net/ipv4/route.c (EHOSTUNREACH); RFC 4293 ipSystemStatsInAddrErrors",
        observability="bounded",
        why="Above by the received packets whose destination is none of the host's addresses, groups or broadcasts; "
        "netfilter or the reverse path filter may have dropped them before.",
    ),
    Counter(
        "IpForwDatagrams",
        meaning="Packets that the host forwards. It moves before their size is checked, so those answered with "
        "fragmentation needed are in it too, and before the FORWARD hook of netfilter.",
        unit="merged_segments",
        moves="On a router, after TTL and IPsec policy have passed.",
        points_at="Traffic through the host. With IpOutTransmits it tells what FORWARD rules and MTUs cost.",
        reference="ip_forward() in net/ipv4/ip_forward.c; RFC 4293 ipSystemStatsOutForwDatagrams",
        observability="exact",
        why="Frames received for another host that have a route and a TTL above 1; multicast ones once per "
        "interface they are sent on.",
    ),
    Counter(
        "IpInUnknownProtos",
        meaning="Packets for this host of a protocol that no module handles and no raw socket waits for.",
        unit="packets",
        moves="At the receiver, instead of IpInDelivers; an ICMP protocol unreachable answers.",
        points_at="A missing module (sctp, gre, esp), or somebody scanning.",
        reference="ip_protocol_deliver_rcu() in net/ipv4/ip_input.c; RFC 4293 ipSystemStatsInUnknownProtos",
        observability="bounded",
        why="Below by the ICMP protocol unreachables that the host sends (they are rate limited), above by the "
        "packets of protocols that it does not speak; raw sockets are not in the capture.",
    ),
    Counter(
        "IpInDiscards",
        meaning="Good packets that were dropped for want of memory while they were received.",
        unit="packets",
        moves="At the receiver, when a copy for this layer, its options or its trimmed tail cannot be had.",
        points_at="A host out of memory; look at the kernel log, and at drops of the network card beside it.",
        reference="ip_rcv_core(), ip_rcv_options() in net/ipv4/ip_input.c; RFC 4293 ipSystemStatsInDiscards",
        observability="bounded",
        why="Above by the received packets that get no reaction at all; the reason never shows.",
    ),
    Counter(
        "IpInDelivers",
        meaning="Packets handed to a protocol or a raw socket. It moves even when that protocol then drops the "
        "packet, for a bad checksum or a missing socket for instance. A reassembled packet counts once.",
        unit="merged_segments",
        moves="At the receiver, after the INPUT hook of netfilter and after reassembly.",
        points_at="Less IpInReceives and more drops in between: netfilter INPUT, martians, fragments that wait.",
        reference="ip_protocol_deliver_rcu() in net/ipv4/ip_input.c; RFC 4293 ipSystemStatsInDelivers",
        observability="exact",
        why="Received frames to an address of this host, of a protocol it handles, with a right header; fragments "
        "once their packet is complete. Rules of netfilter must be known.",
    ),
    Counter(
        "IpOutRequests",
        meaning="Packets that local protocols asked IP to send, before fragmentation and before segmentation "
        "offload: a super-segment is one. Not forwarded ones, nor those whose header the application wrote.",
        unit="super_segments",
        moves="At the sender, before the OUTPUT hook of netfilter; so packets dropped there are in it.",
        points_at="Load of local applications; more than IpOutTransmits means OUTPUT drops or missing neighbours.",
        reference="__ip_local_out() in net/ipv4/ip_output.c; RFC 4293 ipSystemStatsOutRequests",
        observability="exact",
        why="Sent frames with a source address of this host: fragments of one packet together, and frames that the "
        "host itself cut from a super-segment together. Raw packets with their own header are left out.",
    ),
    Counter(
        "IpOutDiscards",
        meaning="Packets of UDP, ICMP and raw sockets that could not be sent: no memory, or a full queue that said "
        "so. TCP does not count here.",
        unit="packets",
        moves="At the sender, when the lower layer returns an error, or while the packet is put together.",
        points_at="A transmit queue that overflows; look at `tc -s qdisc` and UdpSndbufErrors.",
        reference="ip_send_skb(), __ip_append_data() in net/ipv4/ip_output.c; raw_send_hdrinc() in net/ipv4/raw.c",
        observability="bounded",
        why="What it counts is not captured: at most IpOutRequests less the packets seen to leave, in a capture that lost nothing.",
    ),
    Counter(
        "IpOutNoRoutes",
        meaning="Local attempts to send that found no route. Often no packet existed yet: connect() and sendto() "
        "count too.",
        unit="packets",
        moves="At the sender, at connect() and sendto() (only for network unreachable), when a SYN-ACK is to be "
        "sent, and when a connection has lost its route.",
        points_at="A missing default route, or an interface that went down under its connections.",
        reference="__ip_queue_xmit() in net/ipv4/ip_output.c; tcp_v4_connect(), udp_sendmsg(), inet_csk_route_req()",
        observability="bounded",
        why="Nothing is sent. A retransmission that the timer owes and that does not come, or a SYN without any "
        "answer, gives a lower bound; attempts to connect leave no trace.",
    ),
    Counter(
        "IpReasmTimeout",
        meaning="Packets whose fragments did not all come in time (net.ipv4.ipfrag_time, 30 seconds).",
        unit="packets",
        moves="When the timer of a reassembly queue fires; IpReasmFails moves too.",
        points_at="Loss of single fragments, or a firewall that lets only first fragments through.",
        reference="ip_expire() in net/ipv4/ip_fragment.c; RFC 4293 (ipReasmTimeout of RFC 1213 is a time, this is not)",
        observability="exact",
        why="Received sets of fragments (addresses, protocol, ID) with a hole that stays open for 30 seconds. If the "
        "first fragment came, an ICMP time exceeded, code 1, answers.",
    ),
    Counter(
        "IpReasmReqds",
        meaning="Fragments that were given to reassembly.",
        unit="packets",
        moves="At the receiver for each fragment to this host; on a router only where connection tracking reassembles.",
        points_at="Fragmented traffic: tunnels, UDP above the MTU. Compare with three times IpReasmOKs or so.",
        reference="ip_defrag() in net/ipv4/ip_fragment.c; RFC 4293 ipSystemStatsReasmReqds",
        observability="exact",
        why="Received IPv4 fragments: more fragments set, or an offset.",
    ),
    Counter(
        "IpReasmOKs",
        meaning="Packets put together from their fragments.",
        unit="packets",
        moves="At the receiver when the last missing fragment arrives.",
        points_at="Nothing wrong by itself.",
        reference="ip_frag_reasm() in net/ipv4/ip_fragment.c; RFC 4293 ipSystemStatsReasmOKs",
        observability="exact",
        why="Received sets of fragments that leave no hole; counted at the frame that completes them.",
    ),
    Counter(
        "IpReasmFails",
        meaning="Reassembly given up: a timeout, fragments that overlap or contradict one another, a queue out of "
        "memory, an impossible mix of ECN marks. Timeouts are in IpReasmTimeout as well.",
        unit="episodes",
        moves="At the receiver, once per reason and not per fragment.",
        points_at="Loss among fragments, or IPv4 IDs that wrap within 30 seconds at high rates.",
        reference="ip_expire(), ip_frag_queue(), ip_frag_too_far(), ip_frag_reasm() in net/ipv4/ip_fragment.c",
        observability="exact",
        why="Sets of fragments that stay open, overlap, or exceed 65,535 bytes. Only failures for memory "
        "(ipfrag_high_thresh) do not show.",
        confidence="medium",
    ),
    Counter(
        "IpFragOKs",
        meaning="Packets that were cut into fragments and sent.",
        unit="packets",
        moves="At the sender or router, when the last fragment was handed down.",
        points_at="UDP datagrams above the MTU, or a tunnel; expect trouble with firewalls.",
        reference="ip_do_fragment() in net/ipv4/ip_output.c; RFC 4293 ipSystemStatsOutFragOKs",
        observability="exact",
        why="Sets of sent fragments (addresses, protocol, ID) that end with one without more fragments.",
    ),
    Counter(
        "IpFragFails",
        meaning="Packets that would not fit and were not fragmented: do not fragment was set, or cutting failed.",
        unit="packets",
        moves="On a router, with an ICMP fragmentation needed to the sender; at a sender whose path got narrower.",
        points_at="A smaller MTU on the way out. If TCP stalls at the same time, somebody drops the ICMP.",
        reference="ip_forward() in net/ipv4/ip_forward.c; ip_fragment(), ip_do_fragment() in net/ipv4/ip_output.c",
        observability="exact",
        why="Frames with do not fragment set that are larger than the MTU they should leave on; the ICMP type 3 "
        "code 4 that goes back shows each, unless the sender is the host itself.",
    ),
    Counter(
        "IpFragCreates",
        meaning="Fragments made by this host.",
        unit="packets",
        moves="At the sender or router, for each fragment handed down without an error.",
        points_at="As IpFragOKs; the ratio is fragments per packet.",
        reference="ip_do_fragment() in net/ipv4/ip_output.c; RFC 4293 ipSystemStatsOutFragCreates",
        observability="exact",
        why="Sent frames that are fragments, and were not received as such.",
    ),
    Counter(
        "IpOutTransmits",
        meaning="Packets handed to an interface, local and forwarded, after fragmentation but before segmentation "
        "offload. Raw packets with their own header are in it, unlike in IpOutRequests.",
        unit="super_segments",
        moves="At the sender after the POSTROUTING hook of netfilter, before the neighbour is looked up.",
        points_at="Compared with the frames captured: a queue or driver that drops. Compared with IpOutRequests: "
        "netfilter drops, or forwarding.",
        since="6.7",
        reference="ip_finish_output2() in net/ipv4/ip_output.c; RFC 4293 ipSystemStatsOutTransmits",
        observability="exact",
        why="Sent IPv4 frames; those that the host cut from one super-segment together. Frames written by a packet "
        "socket are not in it, packets that a full queue dropped are.",
    ),
)
