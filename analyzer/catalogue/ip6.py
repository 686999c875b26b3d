"""Ip6: packets and fragments, the first lines of /proc/net/snmp6 (RFC 4293)."""

from __future__ import annotations

from analyzer.catalogue.counter import Counter

_RECEIVE = "ip6_rcv_core() in net/ipv6/ip6_input.c"
_FRAGMENT = "ip6_fragment() in net/ipv6/ip6_output.c; RFC 8200 section 4.5"
_REASSEMBLE = "net/ipv6/reassembly.c; RFC 8200 section 4.5"


COUNTERS = (
    Counter(
        "Ip6InReceives",
        meaning="IPv6 packets that came up to the IP layer, whatever becomes of them. Packets that GRO merged count once.",
        unit="merged_segments",
        moves="At the receiver, before the header is checked and before the PREROUTING hook of netfilter.",
        points_at="Load. Compared with Ip6InDelivers it tells how much was thrown away, or forwarded.",
        reference=f"{_RECEIVE}; RFC 4293 ipSystemStatsInReceives",
        observability="exact",
        why="Received IPv6 frames of a capture at this host, which is taken after GRO: one each.",
    ),
    Counter(
        "Ip6InHdrErrors",
        meaning="Packets with a header that cannot be right (version, length, addresses of loopback from outside, "
        "extension headers, fragments), and packets to be forwarded whose hop limit has run out.",
        unit="merged_segments",
        moves="At the receiver after Ip6InReceives; in forwarding, where an ICMPv6 time exceeded answers.",
        points_at="traceroute or a routing loop on a router (Icmp6OutTimeExcds), malformed packets on a host.",
        reference=f"{_RECEIVE}; ip6_forward() in net/ipv6/ip6_output.c; net/ipv6/exthdrs.c, net/ipv6/reassembly.c",
        observability="exact",
        why="Received frames with such a header; on a router those to elsewhere with a hop limit of 0 or 1.",
        confidence="medium",
    ),
    Counter(
        "Ip6InTooBigErrors",
        meaning="Packets to be forwarded that do not fit the next link. Each is in Ip6FragFails too.",
        unit="merged_segments",
        moves="On a router, which answers with packet too big (Icmp6OutPktTooBigs).",
        points_at="A tunnel or link with a smaller MTU behind this router; normal while paths are discovered.",
        reference="ip6_forward() in net/ipv6/ip6_output.c; RFC 8201",
        observability="exact",
        why="Received frames to elsewhere that a packet too big answers; by default that message is not rate limited.",
    ),
    Counter(
        "Ip6InNoRoutes",
        meaning="Received packets for which the routing table has no way, or only a route that forbids it.",
        unit="merged_segments",
        moves="At the receiver or router after routing, also of a host that does not forward; a destination unreachable "
        "answers.",
        points_at="A router without a default route, or blackhole and prohibit routes.",
        reference="ip6_pkt_drop() in net/ipv6/route.c; RFC 4293 ipSystemStatsInNoRoutes",
        observability="bounded",
        why="About the received frames to elsewhere that a destination unreachable of code 0 or 1 answers; answers are "
        "rate limited, and blackhole routes give none.",
    ),
    Counter(
        "Ip6InAddrErrors",
        meaning="Packets whose destination cannot be received here (not this host's while it does not forward, "
        "unspecified), whose source may not be forwarded, or whose routing header is not allowed.",
        unit="merged_segments",
        moves="At the receiver after routing, or in forwarding.",
        points_at="Neighbours that use this host as a gateway, removed addresses, link-local sources that leave the link.",
        reference="ip6_pkt_drop() in net/ipv6/route.c, ip6_forward() in net/ipv6/ip6_output.c, net/ipv6/exthdrs.c",
        observability="bounded",
        why="Above by the received frames whose destination is none of the host's addresses or groups and that no "
        "unreachable answers (Ip6InNoRoutes); rules of netfilter may have dropped them before.",
        confidence="medium",
    ),
    Counter(
        "Ip6InUnknownProtos",
        meaning="Packets for this host whose next header no module handles and no raw socket waits for.",
        unit="packets",
        moves="At the receiver instead of Ip6InDelivers; an ICMPv6 parameter problem of code 1 answers.",
        points_at="A missing module, or somebody scanning.",
        reference="ip6_protocol_deliver_rcu() in net/ipv6/ip6_input.c; RFC 8200 section 4",
        observability="bounded",
        why="Below by the parameter problems of code 1 that the host sends, above by the packets of such protocols.",
    ),
    Counter(
        "Ip6InTruncatedPkts",
        meaning="Packets shorter than their header says they are.",
        unit="merged_segments",
        moves="At the receiver, with the length in the header.",
        points_at="A broken driver or tunnel: the packet lost its end on the way.",
        reference=f"{_RECEIVE}; RFC 4293 ipSystemStatsInTruncatedPkts",
        observability="exact",
        why="Received frames that end before the payload length of their IPv6 header, the capture being complete.",
    ),
    Counter(
        "Ip6InDiscards",
        meaning="Packets dropped although nothing is wrong with them: no memory, a forbidding IPsec policy, IPv6 "
        "switched off on the interface.",
        unit="packets",
        moves="At the receiver, at several places.",
        points_at="An interface with disable_ipv6=1 in a network that speaks IPv6, before anything else.",
        reference=f"{_RECEIVE}; ip6_protocol_deliver_rcu() in net/ipv6/ip6_input.c; ip6_forward() in ip6_output.c",
        observability="bounded",
        why="Above by the received frames that get no reaction at all; the reason never shows.",
    ),
    Counter(
        "Ip6InDelivers",
        meaning="Packets that a protocol took. Unlike IpInDelivers it does not move where the protocol says that it "
        "refused. A reassembled packet counts once.",
        unit="merged_segments",
        moves="At the receiver after the last extension header, when the protocol's handler has returned 0.",
        points_at="Fewer than Ip6InReceives: forwarding, netfilter INPUT, groups that nobody joined.",
        reference="ip6_protocol_deliver_rcu() in net/ipv6/ip6_input.c; RFC 4293 ipSystemStatsInDelivers",
        observability="exact",
        why="Received frames to an address or group of this host, of a protocol it handles; fragments once their "
        "packet is complete. Rules of netfilter must be known.",
        confidence="medium",
    ),
    Counter(
        "Ip6OutForwDatagrams",
        meaning="Packets that the host forwards. It moves before their size is checked, so those too big are in it.",
        unit="merged_segments",
        moves="On a router, once the hop limit and IPsec policy have passed.",
        points_at="Traffic through the host; with Ip6OutTransmits it tells what FORWARD rules and MTUs cost.",
        reference="ip6_forward() in net/ipv6/ip6_output.c; RFC 4293 ipSystemStatsOutForwDatagrams",
        observability="exact",
        why="Frames received for another host that have a route and a hop limit above 1.",
    ),
    Counter(
        "Ip6OutRequests",
        meaning="Packets that local protocols asked IPv6 to send, before fragmentation and segmentation offload; "
        "neighbour discovery and MLD of the kernel are in it.",
        unit="super_segments",
        moves="At the sender, before the OUTPUT hook of netfilter.",
        points_at="Load of local applications; more than Ip6OutTransmits means OUTPUT drops or no source address.",
        reference="ip6_xmit() in net/ipv6/ip6_output.c, __ip6_local_out(); ndisc_send_skb() in net/ipv6/ndisc.c",
        observability="exact",
        why="Sent frames with a source address of this host: fragments of one packet together, and frames that the "
        "host itself cut from a super-segment together.",
    ),
    Counter(
        "Ip6OutDiscards",
        meaning="Packets that could not be sent though they had a route: no memory, IPv6 switched off on the "
        "interface, a full queue that said so.",
        unit="packets",
        moves="At the sender while the packet is put together or handed down.",
        points_at="An interface with disable_ipv6=1, or a transmit queue that overflows (`tc -s qdisc`).",
        reference="ip6_output(), ip6_xmit(), __ip6_append_data(), ip6_send_skb() in net/ipv6/ip6_output.c",
        observability="bounded",
        why="What it counts is not captured: at most Ip6OutRequests less the packets seen to leave, in a capture that lost nothing.",
    ),
    Counter(
        "Ip6OutNoRoutes",
        meaning="Local attempts to send that found no route, packets on a route that forbids, and packets whose "
        "neighbour entry could not be made.",
        unit="packets",
        moves="At the sender, when the route is looked up or used.",
        points_at="A missing default route, or programs that try IPv6 on a host that has none.",
        reference="ip6_dst_lookup_tail(), ip6_finish_output2() in net/ipv6/ip6_output.c; ip6_pkt_drop() in route.c",
        observability="bounded",
        why="No packet leaves. Below by the unreachables that the host sends to itself on lo; otherwise unknown.",
        confidence="medium",
    ),
    Counter(
        "Ip6ReasmTimeout",
        meaning="Packets whose fragments did not all come in time (net.ipv6.ip6frag_time, 60 s).",
        unit="packets",
        moves="At the receiver, when the timer of the incomplete packet runs out; with Ip6ReasmFails.",
        points_at="Loss of fragments; a firewall that passes only the first.",
        reference=f"ip6frag_expire_frag_queue() in include/net/ipv6_frag.h, {_REASSEMBLE}",
        observability="exact",
        why="Received fragments of one ID whose packet is not complete 60 s after the first.",
    ),
    Counter(
        "Ip6ReasmReqds",
        meaning="Fragments received for reassembly here. A fragment header on a whole packet counts as well.",
        unit="packets",
        moves="At the receiver, at the fragment header; a router counts none.",
        points_at="Senders whose packets exceed the path MTU: DNS over UDP, tunnels.",
        reference=f"ipv6_frag_rcv() in {_REASSEMBLE}",
        observability="exact",
        why="Received frames to this host with a fragment header.",
    ),
    Counter(
        "Ip6ReasmOKs",
        meaning="Packets put together from their fragments, and whole packets that carried a fragment header.",
        unit="packets",
        moves="At the receiver, when the last missing fragment arrives.",
        points_at="Less than the packets behind Ip6ReasmReqds means loss.",
        reference=f"ip6_frag_reasm(), ipv6_frag_rcv() in {_REASSEMBLE}",
        observability="exact",
        why="Received sets of fragments that are complete within the time limit.",
    ),
    Counter(
        "Ip6ReasmFails",
        meaning="Reassembly that failed: time, overlap, memory (net.ipv6.ip6frag_high_thresh), fragments that cannot be. "
        "Mostly one for a packet, but bad fragments count each.",
        unit="episodes",
        moves="At the receiver, when the packet or fragment is given up.",
        points_at="Ip6ReasmTimeout for loss; without it memory or malformed fragments.",
        reference=f"ipv6_frag_rcv(), ip6_frag_queue() in {_REASSEMBLE}, RFC 5722",
        observability="exact",
        why="Received sets of fragments that stay incomplete or overlap; only a full memory is not in the packets.",
        confidence="medium",
    ),
    Counter(
        "Ip6FragOKs",
        meaning="Packets of this host that were fragmented and sent in full. Routers do not fragment IPv6.",
        unit="packets",
        moves="At the sender once every fragment was handed down.",
        points_at="Datagrams above the MTU, mostly UDP; look at the sizes the application chooses.",
        reference=_FRAGMENT,
        observability="exact",
        why="Sent sets of fragments with one ID.",
    ),
    Counter(
        "Ip6FragFails",
        meaning="Packets that should have been fragmented and were not: too big to forward, or not allowed, or an "
        "error in between.",
        unit="packets",
        moves="On a router with Ip6InTooBigErrors; at the sender when a fragment could not be sent.",
        points_at="A smaller MTU behind this host: Icmp6OutPktTooBigs.",
        reference=f"ip6_forward(), {_FRAGMENT}",
        observability="exact",
        why="Packet too big messages that the host sends; local failures are rare and leave half a set of fragments.",
        confidence="medium",
    ),
    Counter(
        "Ip6FragCreates",
        meaning="Fragments that this host made of its own packets and sent.",
        unit="packets",
        moves="At the sender, with each fragment that was handed down.",
        points_at="See Ip6FragOKs; the ratio tells how many fragments one packet takes.",
        reference=_FRAGMENT,
        observability="exact",
        why="Sent frames with a fragment header.",
    ),
)
