"""The table of frames: its words, and every column."""

from __future__ import annotations

from analyzer.kinds import NAMES
from analyzer.schema import Column, Table

LAYERS = (
    "ethernet", "wlan", "llc", "snap", "vlan", "mpls", "pppoe", "ppp", "arp", "ipv4", "ipv6",
    "ip_options", "extension", "fragment", "tunnel", "tcp", "udp", "icmp", "icmpv6", "quoted", "reassembled",
)  # fmt: skip
STOPS = (
    "decoded", "truncated", "no_ip", "ip_protocol", "fragment", "link_type", "encrypted", "not_data",
    "bad_link_header", "bad_ip_version", "bad_ip_header", "bad_tcp_header", "bad_udp_header", "bad_icmp_header",
    "too_deep",
)  # fmt: skip
TUNNELS = ("ipip", "6in4", "gre", "vxlan", "geneve", "gtpu", "l2tp", "erspan", "teredo", "capwap", "tzsp")
OPTIONS = (
    "mss", "window_scale", "sack_permitted", "sack", "timestamps", "fast_open", "md5", "mptcp", "ao", "other",
)  # fmt: skip
QUIRKS = (
    "cut", "captured_beyond_length", "ip_length_zero", "ip_length_beyond_frame", "tcp_options_malformed",
)  # fmt: skip
WIRESHARK = (
    "retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "lost_segment",
    "ack_lost_segment", "keep_alive", "keep_alive_ack", "zero_window", "zero_window_probe", "zero_window_probe_ack",
    "window_full", "window_update", "duplicate_ack", "reused_ports",
)  # fmt: skip
DIRECTIONS = ("", "in", "out")
CHECKSUM_STATES = ("", "valid", "partial", "zero", "bad", "unverifiable", "none")
HEADER_CHECKSUM_STATES = ("", "valid", "zero", "bad", "unverifiable")
RECEPTIONS = ("", "unicast", "multicast", "broadcast", "promiscuous")

# Columns of a packet that reading, following and judging touch in every ordinary frame: three cache lines.
HOT = (
    "frame", "time_ns", "flow", "events", "src", "dst", "interface", "ifindex", "length", "captured", "record_flags",
    "layers", "ip_id", "fragment_offset", "ip_len", "flow_label", "seq", "ack", "payload_len", "payload_captured", "tsval",
    "tsecr", "sack_left_1", "sack_right_1", "place", "l3_at", "l4_at", "wireshark", "quirks", "ethertype", "vlan", "tunnels",
    "ip_checksum", "src_port", "dst_port", "flags", "window", "urgent", "checksum_field", "udp_len", "options", "direction",
    "link_direction", "reception", "stop", "vlan_depth", "tunnel_depth", "ip_version", "ttl", "tos", "ip_proto", "ip_flags",
    "ip_header_checksum", "checksum", "header_len", "sack_count", "reused",
)  # fmt: skip

PACKETS = Table(
    "packets",
    "One row per captured frame, in capture order. Address, port and header columns are those of the innermost IP "
    "packet. A column whose header is not named in `layers` (or, for a TCP option, in `options`) is 0 or empty.",
    (
        Column("frame", "i8", "Number of the frame in the capture, from 1, as Wireshark counts."),
        Column("time_ns", "i8", "Capture time since the Unix epoch.", unit="ns"),
        Column("interface", "i4", "Index of the capture interface, from 0 over all files and sections."),
        Column("flow", "i8", "Number of the flow in the table `flows`; -1 for a frame that belongs to none."),
        Column("direction", "u1", "0 from the flow's client, 1 from its server; on frames before the one that settles who is who (see `roles` of `flows`) the guess made then."),
        Column("wireshark", "u2", "The `tcp.analysis` flags that Wireshark 4.0 sets on this frame with default preferences.", kind="bits", words=WIRESHARK),
        Column("events", "u8", "Events on this frame (table `events`), but for those that become certain only at a later frame.", kind="bits", words=NAMES),
        Column("ifindex", "u4", "Interface index of the capturing host where the link layer says it (SLL2, modified pcap), else 0."),
        Column("length", "u4", "Length of the frame on the wire, as the capture file says.", unit="bytes"),
        Column("captured", "u4", "How much of the frame is in the file.", unit="bytes"),
        Column("link_direction", "u1", "Direction seen from the capturing host (SLL, SLL2, PPP with direction, modified pcap, the MAC addresses of `host.json`, pcapng `epb_flags`; the flags win); empty where nothing says it.", kind="enum", words=DIRECTIONS),
        Column("reception", "u1", "How the capturing host received the frame, from the same sources; of Ethernet, whether it was sent to a group or to all.", kind="enum", words=RECEPTIONS),
        Column("record_flags", "u4", "The flags word of the record (pcapng `epb_flags`: bits 0-1 direction, 2-4 reception, 5-8 FCS length, 9 checksum not ready, 10 checksum valid, 11 segmentation offloaded, 16-31 link errors), else 0."),
        Column("layers", "u4", "Headers found, those of tunnels included; `reassembled` on the frame that completes a datagram in fragments: what stands behind its IP header is that of the whole datagram.", kind="bits", words=LAYERS),
        Column("stop", "u1", "Why decoding ended: `decoded` is a complete TCP, UDP, ICMP or ICMPv6 header; `truncated` means the captured bytes end inside a header; `no_ip` another network protocol; `ip_protocol` another transport; `fragment` a fragment other than the first, which completes no datagram, or the first one of a tunnel.", kind="enum", words=STOPS),
        Column("quirks", "u2", "Peculiarities of the frame: `cut` less is captured than was on the wire; `ip_length_zero` length 0 in the IP header (segmentation offload), the frame's own length is used; `ip_length_beyond_frame` the IP header claims more than the frame holds.", kind="bits", words=QUIRKS),
        Column("ethertype", "u2", "EtherType of the frame's own payload after VLAN tags and SNAP; 0 where the link layer has none."),
        Column("vlan", "u2", "VLAN ID of the outermost tag."),
        Column("vlan_depth", "u1", "Number of VLAN tags (802.1Q, 802.1ad)."),
        Column("mpls_depth", "u1", "Number of MPLS labels."),
        Column("mpls_label", "u4", "Topmost MPLS label."),
        Column("tunnels", "u2", "Tunnels around the innermost packet.", kind="bits", words=TUNNELS),
        Column("tunnel_depth", "u1", "Number of IP headers around the innermost one."),
        Column("outer_version", "u1", "IP version of the outermost header of a tunnel, else 0."),
        Column("outer_src", "", "Source address of the outermost IP header of a tunnel.", kind="address", version="outer_version"),
        Column("outer_dst", "", "Destination address of the outermost IP header of a tunnel.", kind="address", version="outer_version"),
        Column("outer_ip_header_checksum", "u1", "Are the IPv4 header checksums of the tunnel right, as `ip_header_checksum` says it of the innermost one; of several the worst.", kind="enum", words=HEADER_CHECKSUM_STATES),
        Column("outer_checksum", "u1", "Are the UDP and GRE checksums of the tunnel right, as `checksum` says it of the innermost one: `partial`, `zero` and `bad` if they would be wrong even with right checksums inside them, as which Linux computes them; of several the worst.", kind="enum", words=CHECKSUM_STATES),
        Column("outer_l3_at", "u4", "Where the outermost IP header of a tunnel starts in the frame.", unit="bytes", public=False),
        Column("tunnel_id", "u4", "Identifier of the innermost tunnel that has one: VXLAN or GENEVE network, GTP-U TEID, GRE key, L2TP tunnel and session (16 bits each)."),
        Column("ip_version", "u1", "4 or 6."),
        Column("src", "", "Source address.", kind="address", version="ip_version"),
        Column("dst", "", "Destination address.", kind="address", version="ip_version"),
        Column("ttl", "u1", "Time to live, or hop limit."),
        Column("tos", "u1", "DSCP and ECN octet (IPv4 TOS, IPv6 traffic class)."),
        Column("ip_proto", "u1", "Protocol number of the payload after all extension headers, as far as they could be followed."),
        Column("ip_flags", "u1", "IPv4 flags, 3 bits: 1 more fragments, 2 do not fragment, 4 reserved; in IPv6 only 1, from the fragment header."),
        Column("ip_id", "u4", "IPv4 identification (16 bits), or the identification of an IPv6 fragment header (32 bits)."),
        Column("fragment_offset", "u4", "Offset of this fragment in the datagram.", unit="bytes"),
        Column("first_fragment", "i8", "On the frame that completes a datagram in fragments: the frame with its first fragment; else 0."),
        Column("ip_len", "u4", "Length of the IP packet with its header, as the header says (IPv6: payload length + 40, or the jumbo length + 40); 0 as found with `ip_length_zero`.", unit="bytes"),
        Column("ip_checksum", "u2", "Header checksum field (IPv4)."),
        Column("ip_header_checksum", "u1", "Is the header checksum right (IPv4): `zero` it is wrong and the field 0.", kind="enum", words=HEADER_CHECKSUM_STATES),
        Column("flow_label", "u4", "Flow label (IPv6)."),
        Column("src_port", "u2", "Source port (TCP, UDP)."),
        Column("dst_port", "u2", "Destination port (TCP, UDP)."),
        Column("seq", "u4", "Sequence number as on the wire."),
        Column("ack", "u4", "Acknowledgment number as on the wire."),
        Column("flags", "u2", "TCP flags, 12 bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256, reserved above."),
        Column("window", "u2", "Window field, not scaled."),
        Column("urgent", "u2", "Urgent pointer."),
        Column("checksum_field", "u2", "Checksum field of the TCP, UDP, ICMP or ICMPv6 header."),
        Column("checksum", "u1", "Is that checksum right: `partial` it holds the sum of the pseudo-header, as the kernel leaves it for the card to finish; `zero` it is wrong and the field 0; `bad` it is wrong otherwise; `unverifiable` not all that it covers is at hand (a fragment: the verdict on the datagram stands on the frame that completes it); `none` UDP over IPv4 without a checksum. Empty for other protocols.", kind="enum", words=CHECKSUM_STATES),
        Column("header_len", "u1", "Length of the transport header: TCP data offset times 4, 8 for UDP, ICMP and ICMPv6.", unit="bytes"),
        Column("payload_len", "u4", "Bytes of the datagram after the transport header, on the wire; with `stop` = `ip_protocol` or `fragment`, bytes after the IP headers.", unit="bytes"),
        Column("payload_captured", "u4", "How many of these are in the file.", unit="bytes"),
        Column("udp_len", "u2", "Length field of the UDP header.", unit="bytes"),
        Column("options", "u2", "TCP options found.", kind="bits", words=OPTIONS),
        Column("mss", "u2", "Maximum segment size option.", unit="bytes"),
        Column("window_scale", "u1", "Window scale option: the shift as sent."),
        Column("fast_open_len", "u1", "Length of the Fast Open cookie (0: a request).", unit="bytes"),
        Column("mptcp_subtype", "u1", "Subtype of the first MPTCP option."),
        Column("tsval", "u4", "Timestamp value."),
        Column("tsecr", "u4", "Timestamp echo reply."),
        Column("sack_count", "u1", "Number of SACK blocks."),
        *(
            Column(f"sack_{edge}_{n}", "u4", f"{edge.capitalize()} edge of SACK block {n}.")
            for n in (1, 2, 3, 4)
            for edge in ("left", "right")
        ),
        Column("icmp_type", "u1", "ICMP or ICMPv6 type."),
        Column("icmp_code", "u1", "ICMP or ICMPv6 code."),
        Column("icmp_rest", "u4", "Bytes 4 to 8 of the ICMP header: identifier and sequence of an echo, next-hop MTU of a packet too big."),
        Column("quoted_proto", "u1", "Protocol of the packet quoted by an ICMP error."),
        Column("quoted_src", "", "Source address of the packet quoted by an ICMP error.", kind="address", version="quoted_version"),
        Column("quoted_dst", "", "Destination address of the packet quoted by an ICMP error.", kind="address", version="quoted_version"),
        Column("quoted_version", "u1", "IP version of the quoted packet, 0 where none is quoted."),
        Column("quoted_src_port", "u2", "Source port of the quoted packet (TCP, UDP)."),
        Column("quoted_dst_port", "u2", "Destination port of the quoted packet (TCP, UDP)."),
        Column("quoted_seq", "u4", "Sequence number of the quoted packet (TCP)."),
        Column("reused", "u1", "Is there a flow before this one on its tuple.", public=False),
        Column("told_len", "u4", "Of a datagram that is complete now: payload of its first fragment, which came before.", public=False),
        Column("more_len", "u4", "Of the same: lengths of the frames of its fragments but for this one, and for the first one where `told` is set.", public=False),
        Column("told", "u1", "Was the first fragment of the datagram that is complete now a frame of its own with a transport header.", public=False),
        Column("place", "i4", "Where the state of the flow is kept; -1 without one.", public=False),
        Column("likeness", "u8", "Of a datagram, or a fragment of one: hashes of the beginning of its payload, of 24 and of 256 bytes, in 32 bits each; 0 where it was not looked at, as where there is one capture point.", public=False),
        Column("likeness_cut", "u1", "Are fewer than those 256 bytes captured of a longer one.", public=False),
        Column("left_out", "u1", "Does the filter that was asked for leave the frame out; says nothing where there is none.", public=False),
        Column("l3_at", "u4", "Where the innermost IP header starts in the frame.", unit="bytes", public=False),
        Column("l4_at", "u4", "Where the transport header (or the payload of IP) starts in the frame.", unit="bytes", public=False),
    ),
    hot=HOT,
)  # fmt: skip
