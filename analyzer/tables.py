"""THE tables: every column declared once. Storage, checks, `tcpcap schema` and the README come from here."""

from __future__ import annotations

from analyzer.kinds import CAUSES, NAMES, kinds_markdown
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
        Column("link_direction", "u1", "Direction seen from the capturing host (SLL, SLL2, PPP with direction, modified pcap, pcapng `epb_flags`; the flags win); empty where nothing says it.", kind="enum", words=DIRECTIONS),
        Column("reception", "u1", "How the capturing host received the frame, from the same sources.", kind="enum", words=RECEPTIONS),
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
        Column("l3_at", "u4", "Where the innermost IP header starts in the frame.", unit="bytes", public=False),
        Column("l4_at", "u4", "Where the transport header (or the payload of IP) starts in the frame.", unit="bytes", public=False),
    ),
    hot=HOT,
)  # fmt: skip

FLOW_PROTOCOLS = ("tcp", "udp")
ROLES = ("handshake", "ports", "first_packet")
FLOW_STATES = (
    "", "open", "closed", "half_closed", "reset_by_client", "reset_by_server", "refused", "unanswered", "half_open",
    "opening", "reset_by_middlebox",
)  # fmt: skip
RESETS = ("", "rst", "rst_ack")
WINDOW_CLOSED = ("", "unprobed", "probed", "unanswered", "invalid_probes")

TCP_STATES = (
    "", "CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "TIME-WAIT",
    "CLOSE-WAIT", "LAST-ACK",
)  # fmt: skip
CLOSERS = ("", "client", "server")
COMPLETENESS = ("", "complete", "no_end", "no_beginning", "middle", "no_handshake")


def _per_side(side: str, other: str) -> tuple[Column, ...]:
    """The columns of `flows` that describe what one side of a TCP connection did; 0 or empty for UDP."""
    rtt = f"Round-trip time from the {side}'s data to its acknowledgment, as seen where the capture was taken: "
    unknown = "; -1 without a sample"
    return (
        Column(f"{side}_state", "u1", f"State of the {side}'s end after the last frame, in the terms of RFC 9293 section 3.3.2.", kind="enum", words=TCP_STATES),
        Column(f"{side}_unique_bytes", "i8", f"Bytes of the {side}'s stream that were sent or acknowledged, each counted once.", unit="bytes"),
        Column(f"{side}_missing_bytes", "i8", "Bytes of it that were acknowledged but are not in the capture.", unit="bytes"),
        Column(f"{side}_retransmissions", "u4", f"Events `retransmission` of the {side}."),
        Column(f"{side}_retransmitted_bytes", "i8", "Bytes they sent again.", unit="bytes"),
        Column(f"{side}_timeouts", "u4", "Events `retransmission_timeout`."),
        Column(f"{side}_spurious", "u4", f"Retransmissions of the {side} that were not needed (events `spurious_retransmission`)."),
        Column(f"{side}_out_of_order", "u4", f"Segments of the {side} that the network delivered late (events `reordering`)."),
        Column(f"{side}_duplicate_acks", "u4", f"Events `duplicate_ack` sent by the {side}."),
        Column(f"{side}_sack_blocks", "u4", f"SACK blocks sent by the {side}."),
        Column(f"{side}_dsacks", "u4", f"Events `dsack` sent by the {side}, but for those that answer a keep-alive or a probe: it received something twice."),
        Column(f"{side}_copies", "u4", f"Frames of the {side} that were captured twice, or repeated by the network."),
        Column(f"{side}_offered", "u2", f"TCP options in the {side}'s SYN.", kind="bits", words=OPTIONS),
        Column(f"{side}_mss", "u2", f"Maximum segment size that the {side} accepts (option of its SYN); 0 without one.", unit="bytes"),
        Column(f"{side}_window_scale", "i2", f"Window scale shift of the {side}'s SYN; -1 without one."),
        Column(f"{side}_in_flight_max", "i8", f"Most bytes of the {side} that were not acknowledged at a time.", unit="bytes"),
        Column(f"{side}_window_min", "i8", f"Smallest window that the {side} offered after its SYN, scaled; -1 without one.", unit="bytes"),
        Column(f"{side}_window_max", "i8", f"Largest window that the {side} offered after its SYN, scaled; -1 without one.", unit="bytes"),
        Column(f"{side}_zero_windows", "u4", f"How often the {side} closed its window (events `zero_window`)."),
        Column(f"{side}_zero_window_ns", "i8", "How long it was closed in all: one that never reopened, until the capture ended or the connection was over.", unit="ns"),
        Column(f"{side}_zero_window_longest_ns", "i8", "The longest of these times.", unit="ns"),
        Column(f"{side}_window_closed", "u1", f"Was it still closed then, and what did the {other} do about it: `unprobed` nothing; `probed` it sent into it and was answered; `unanswered` it was not answered; `invalid_probes` it sent only such probes as no receiver answers. Empty where the window was open.", kind="enum", words=WINDOW_CLOSED),
        Column(f"{side}_window_closed_ns", "i8", "For how long it had been closed then.", unit="ns"),
        Column(f"{side}_middlebox_hops", "i2", f"How many hops from the place of the capture a box sent a reset or a SYN-ACK in the {side}'s name (events `reset_by_middlebox`, `syn_ack_by_middlebox`), by its TTL; -1 where none did."),
        Column(f"{side}_reset", "u1", f"Did the {side} send a reset, and had its first one an ACK (`rst_ack`) or none (`rst`).", kind="enum", words=RESETS),
        Column(f"{side}_idle_longest_ns", "i8", f"Longest time between two frames of the {side}.", unit="ns"),
        Column(f"{side}_largest_segment", "u4", f"Most payload in a segment of the {side}.", unit="bytes"),
        Column(f"{side}_largest_passed", "u4", f"Most payload in a segment of the {side} of which the capture shows that it arrived: acknowledged, and sent once; or a piece of one that was sent again, acknowledged by itself.", unit="bytes"),
        Column(f"{side}_super_segments", "u4", f"Segments of the {side} with more payload than the {other} accepts in one: captured before segmentation (GSO, TSO) or after merging (GRO, LRO)."),
        Column(f"{side}_rtt_samples", "u4", "How many RTT samples there are: of data that was sent once (Karn), or whose transmission the TSecr names."),
        Column(f"{side}_rtt_min_ns", "i8", rtt + "smallest" + unknown + ".", unit="ns"),
        Column(f"{side}_rtt_median_ns", "i8", rtt + "median, within 10 % where there are more than 8 samples" + unknown + ".", unit="ns"),
        Column(f"{side}_rtt_p95_ns", "i8", rtt + "95th percentile, within 10 % where there are more than 8 samples" + unknown + ".", unit="ns"),
        Column(f"{side}_rtt_max_ns", "i8", rtt + "largest" + unknown + ".", unit="ns"),
        Column(f"{side}_throughput_bps", "i8", f"Bits of the {side}'s frames a second, from the flow's first frame to its last; 0 where no time passed.", unit="bit/s"),
        Column(f"{side}_goodput_bps", "i8", "The same of its stream, each byte counted once (of UDP, of its payload).", unit="bit/s"),
        Column(f"{side}_busiest_second_bytes", "i8", f"Most payload of the {side} in one second of the capture's clock, sent again or not; 4294967295 is that or more. 0 for UDP.", unit="bytes"),
        Column(f"{side}_retransmitted_share", "f8", "Of its payload, how much was sent again."),
        Column(f"{side}_lost_share", "f8", f"Of the {side}'s packets, how many were sent again and had to be (`retransmissions` without `spurious`)."),
        Column(f"{side}_in_flight_median", "i8", "Bytes that were not acknowledged when a segment had been sent: median within 13 %, from the 8th segment on; -1 without.", unit="bytes"),
        Column(f"{side}_answers", "i8", f"How often the {side} began to talk after the {other} had: its answers, or where the {other} answers its requests but for the first. What one side sends until the other talks is one message."),
        *(
            Column(f"{side}_{name}_{word}{tail}", "i8", f"{text}: {meaning}; -1 without an answer.", unit=unit)
            for name, text, tail, unit in (
                ("first_byte", f"From the last byte of the {other}'s message to the first byte of the {side}'s answer", "_ns", "ns"),
                ("last_byte", f"From the last byte of the {other}'s message to the last byte of the {side}'s answer", "_ns", "ns"),
                ("answer_bytes", f"Size of the {side}'s answers", "", "bytes"),
            )
            for word, meaning in (("median", "median, within 13 % where there are several"), ("p95", "95th percentile, likewise"), ("max", "most"))
        ),
        Column(f"{side}_first_byte_frame", "i8", "The frame in which the answer began that took longest to begin; 0 without one."),
    )  # fmt: skip


CAUSES_OF_TIME = {
    "handshake": "Until the handshake was complete, repeated SYNs included.",
    "client_think": "Nothing was under way, and it was the client's turn: before its first request, between an answer and the next request, or before it closed.",
    "server_think": "The server had been asked, and had not begun to answer; up to the end of the capture where it never did. Without an ACK of the request the round trip is taken off.",
    "idle": "Silence that nobody need have ended: of the client for 10 s or more, or with keep-alives; before the side closes that talked last.",
    "transfer": "Data moved, as fast as its sender's own pace or the link gave; shorter waits than a quarter of a round trip are part of it.",
    "round_trip": "Data was in flight, and its sender waited for ACKs, though the window allowed more (RFC 5681 section 3.1), or had no more to send.",
    "receive_window": "All that the receiver offered was in flight, but for less than a segment (RFC 9293 section 3.8.6).",
    "zero_window": "The receiver's window was closed; up to the end of the capture where it never opened.",
    "delayed_ack": "The sender had more to send, and waited with little in flight (RFC 896) for an ACK that came 20 to 520 ms later than the way takes (RFC 1122 section 4.2.3.2).",
    "loss_fast": "Repair of a loss that duplicate ACKs or SACK reported (RFC 5681 section 3.2, RFC 6675): from the silence before the retransmission until all was acknowledged.",
    "loss_timeout": "Repair by the retransmission timer or a tail loss probe (RFC 6298, RFC 8985 section 7): the time it ran, and until all was acknowledged, or to the end of the capture.",
    "sender_stall": "The side that was talking paused, though nothing hindered it that can be seen: behind a short segment, or for 50 ms and 8 times as long as between the segments before.",
    "closing": "From a FIN or a reset on, while no data was under way.",
    "unknown": "What this capture cannot tell: one direction is missing, the window scale is not known and may have limited, a round-trip time is not known; and all of UDP.",
}  # fmt: skip
TIME_CAUSES = tuple(CAUSES_OF_TIME)
# What a connection need not have waited for.
LOST_TIME = ("receive_window", "zero_window", "delayed_ack", "loss_fast", "loss_timeout", "sender_stall")


FLOWS = Table(
    "flows",
    "One row per conversation of TCP (a connection; a 4-tuple that is used again is a new one) or UDP (a 5-tuple), in order "
    "of their first frames. `client_` columns count what the client sent, `server_` columns what the server sent.",
    (
        Column("flow", "i8", "Number of the flow, from 0."),
        Column("protocol", "u1", "Transport protocol.", kind="enum", words=FLOW_PROTOCOLS),
        Column("ip_version", "u1", "4 or 6."),
        Column("client", "", "Address of the side that began.", kind="address", version="ip_version"),
        Column("client_port", "u2", "Its port."),
        Column("server", "", "Address of the other side.", kind="address", version="ip_version"),
        Column("server_port", "u2", "Its port."),
        Column("roles", "u1", "How client and server were told apart: by the TCP `handshake`; else by `ports` (one is below 1024, the other is not; or one is that of NFS or GlusterFS, whose clients have a port from 512 to 1023); else the sender of the `first_packet` counts as client.", kind="enum", words=ROLES),
        Column("start_ns", "i8", "Time of the first frame (the earliest time, where the capture's clock steps back).", unit="ns"),
        Column("end_ns", "i8", "Time of the last frame (the latest time, where the capture's clock steps back).", unit="ns"),
        Column("first_frame", "i8", "Number of the first frame."),
        Column("last_frame", "i8", "Number of the last frame."),
        Column("previous", "i8", "The flow that used the same addresses and ports before, -1 where there is none."),
        Column("since_previous_ns", "i8", "Time from the last frame of that flow to the first of this one; 0 without one.", unit="ns"),
        Column("leg_of", "i8", "The flow that has the same packets on the other side of a NAT, and came first: their SYN has the same ports, ISN, timestamp and IPv4 ID, and one other address. What happens on both is said there, and each packet is counted there. -1 without one."),
        Column("leg", "i8", "Of that flow, the latest that is another leg of it; else -1."),
        Column("client_packets", "i8", "Packets from the client; what the capture holds again (events `capture_duplicate`) is not counted, here and in the columns that follow."),
        Column("server_packets", "i8", "Packets from the server."),
        Column("client_bytes", "i8", "Bytes of the client's frames on the wire.", unit="bytes"),
        Column("server_bytes", "i8", "Bytes of the server's frames on the wire.", unit="bytes"),
        Column("client_payload", "i8", "Payload bytes from the client, sent again or not.", unit="bytes"),
        Column("server_payload", "i8", "Payload bytes from the server, sent again or not.", unit="bytes"),
        Column("handshake_rtt_ns", "i8", "Time from SYN to the ACK that ends the handshake; -1 where it was not captured, or where SYN or SYN-ACK were sent more than once and nobody can tell which was answered (Karn).", unit="ns"),
        Column("state", "u1", "How the TCP connection stood at the end of the capture: `closed` by FIN both ways, `half_closed` one way; `refused` SYN answered by RST; `unanswered` SYN without an answer; `half_open` no ACK after SYN-ACK; `opening` the same, but the capture ended before that could have come, or has nothing of the client and no second SYN-ACK, or the SYN is one that its receiver drops (impossible flags, a wrong checksum of the IPv4 header); `reset_by_middlebox` by a box on the way, in the name of one side. Empty for UDP.", kind="enum", words=FLOW_STATES),
        Column("completeness", "u1", "How much of the connection the capture holds: `complete` handshake and end (FIN both ways, or RST); `no_end`; `no_beginning`; `middle` neither; `no_handshake` it was never established. Empty for UDP.", kind="enum", words=COMPLETENESS),
        Column("history", "S20", "What happened, in order, each letter once a side, as in Zeek: s SYN, h SYN-ACK, a ACK, d data, f FIN, r RST, t retransmission, w zero window, g gap in the capture, i inconsistent; upper case by the client.", kind="ascii"),
        Column("agreed", "u2", "TCP options in both SYNs (window scale, SACK, timestamps and MPTCP work only then).", kind="bits", words=OPTIONS),
        Column("events", "u8", "Kinds of events that happened.", kind="bits", words=NAMES),
        Column("closed_first", "u1", "Whose FIN was captured first; empty without one.", kind="enum", words=CLOSERS),
        Column("duration_ns", "i8", "From the first frame to the last; to the end of the capture where an answer, an ACK, a window or a handshake was still owed. The sum of the columns `time_...`.", unit="ns"),
        *(Column(f"time_{cause}_ns", "i8", text, unit="ns") for cause, text in CAUSES_OF_TIME.items()),
        *_per_side("client", "server"),
        *_per_side("server", "client"),
    ),
)  # fmt: skip

SERIES = Table(
    "series",
    "One row per TCP connection and interval of the clock (`--every`, 1 s without it), from that of its first frame to that of its last, in the order in which they became certain; flow -1 is all of them together.",
    (
        Column("flow", "i8", "Its number in the table `flows`; -1 for all TCP connections together."),
        Column("start_ns", "i8", "Begin of the interval, a multiple of its length since the epoch.", unit="ns"),
        Column("end_ns", "i8", "Its end.", unit="ns"),
        *(
            column
            for side in ("client", "server")
            for column in (
                Column(f"{side}_throughput_bps", "i8", f"Bits of the {side}'s frames a second.", unit="bit/s"),
                Column(f"{side}_goodput_bps", "i8", "The same of its payload, without what was sent again.", unit="bit/s"),
                Column(f"{side}_retransmissions", "i8", f"Segments that the {side} sent again."),
                Column(f"{side}_in_flight_max", "i8", f"Most payload of the {side} that was not acknowledged at a time; -1 where no frame told, and for flow -1.", unit="bytes"),
                Column(f"{side}_window", "i8", f"Window that the {side} offered last, scaled; -1 likewise.", unit="bytes"),
                Column(f"{side}_rtt_ns", "i8", f"Round-trip time of the {side}'s data, smoothed (RFC 6298), by the last frame; -1 likewise, and without a sample.", unit="ns"),
            )
        ),
        *(Column(f"time_{cause}_ns", "i8", text, unit="ns") for cause, text in CAUSES_OF_TIME.items()),
    ),
)  # fmt: skip

EVENTS = Table(
    "events",
    "One row per verdict on a frame, in the order in which it became certain. What each event means: `tcpcap schema events`.",
    (
        Column("frame", "i8", "Number of the frame."),
        Column("time_ns", "i8", "Its capture time.", unit="ns"),
        Column("flow", "i8", "Its flow in the table `flows`, or -1."),
        Column("direction", "u1", "0 the frame is from the client, 1 from the server."),
        Column("event", "u1", "What happened.", kind="enum", words=NAMES),
        Column("cause", "u1", "Why, or of which sort it is.", kind="enum", words=CAUSES),
        Column("related_frame", "i8", "The frame it refers to, such as the first transmission of what is sent again; 0 without one, or where that is not known any more (it was acknowledged, or not captured)."),
        Column("value", "i8", "How much; what it counts depends on the event."),
        Column("since_ns", "i8", "Of what is sent again, the time since it was first sent; of what shows that this was not needed, the time since it was sent again. 0 for other events, and where that is not known (any more).", unit="ns"),
        Column("late", "u1", "Was it said at a later frame.", public=False),
    ),
    appendix=kinds_markdown(),
)  # fmt: skip

EXAMPLES = 8  # frames of a row of `flow_events`

FLOW_EVENTS = Table(
    "flow_events",
    "One row per flow, side, event and cause: what the rules read. A bounded number of rows: of what did not fit, and of flows whose events are no trouble while there are very many, there is one row per side, event and cause with flow -1.",
    (
        Column("flow", "i8", "Its number in the table `flows`; -1 for those that are told together."),
        Column("direction", "u1", "0 the frames are from the client, 1 from the server."),
        Column("event", "u1", "What happened.", kind="enum", words=NAMES),
        Column("cause", "u1", "Why, or of which sort it is.", kind="enum", words=CAUSES),
        Column("count", "i8", "How often."),
        Column("related", "i8", "How often the event refers to another frame of the capture (`related_frame`)."),
        Column("sum", "i8", "Sum of `value`; what it counts depends on the event. At most 9223372036854775807."),
        Column("max", "i8", "The largest `value`."),
        Column("max_frame", "i8", "The frame with that value (the first of several)."),
        Column("since_max_ns", "i8", "The largest `since_ns`.", unit="ns"),
        Column("first_frame", "i8", "The first frame."),
        Column("last_frame", "i8", "The last frame."),
        Column("first_ns", "i8", "Time of the first frame.", unit="ns"),
        Column("last_ns", "i8", "Time of the last frame.", unit="ns"),
        *(Column(f"frame_{n}", "i8", f"Frame of the {n}. event, 0 where there are fewer.", public=False) for n in range(1, EXAMPLES + 1)),
        *(Column(f"related_{n}", "i8", f"The frame that the {n}. event refers to, or 0.", public=False) for n in range(1, EXAMPLES + 1)),
        Column("frames", "", f"The frames of the first {EXAMPLES} of them.", kind="text"),
        Column("related_frames", "", "The frames to which these refer (`related_frame`), as far as they do.", kind="text"),
    ),
)  # fmt: skip

SEVERITIES = ("info", "warning", "error")
FINDING_SIDES = ("", "client", "server", "network", "capture", "host")
CONFIDENCES = ("certain", "likely", "possible")

FINDINGS = Table(
    "findings",
    "One row per finding, in the order in which they are told: causes by what they cost, each followed by what it explains.",
    (
        Column("finding", "i8", "Its number, from 1."),
        Column("rule", "", "The rule that found it (`tcpcap rules show`).", kind="text"),
        Column("severity", "u1", "`error` somebody must act; `warning` it cost something that can be avoided; `info` worth knowing.", kind="enum", words=SEVERITIES),
        Column("title", "", "What it is, in a few words.", kind="text"),
        Column("summary", "", "What happened, to whom, with its figures, in a sentence.", kind="text"),
        Column("side", "u1", "Where the cause lies.", kind="enum", words=FINDING_SIDES),
        Column("host", "", "Address of the host on which it lies, where that is known.", kind="text"),
        Column("connections", "i8", "How many connections it is about."),
        Column("flows", "", "Their numbers in the table `flows`, as a JSON list; the worst first, 100 at most.", kind="text"),
        Column("frames", "", "Frames that prove it, as a JSON list.", kind="text"),
        Column("start_ns", "i8", "When it began; 0 where that is not known.", unit="ns"),
        Column("end_ns", "i8", "When it was seen last; 0 likewise.", unit="ns"),
        Column("cost_ns", "i8", "Time that it cost all connections together.", unit="ns"),
        Column("cost_bytes", "i8", "Bytes that were sent for nothing.", unit="bytes"),
        Column("failed", "i8", "Connections that failed for it."),
        Column("confidence", "u1", "How sure it is.", kind="enum", words=CONFIDENCES),
        Column("evidence", "", "What proves it: the columns of the worst row, and the counters, as a JSON object.", kind="text"),
        Column("against", "", "What speaks against it, or would.", kind="text"),
        Column("next", "", "What to do next, as a JSON list.", kind="text"),
        Column("because_of", "i8", "The finding that explains it; 0 where it stands for itself."),
    ),
)  # fmt: skip

NOT_CHECKED = Table(
    "not_checked",
    "One row per rule that could not run.",
    (
        Column("rule", "", "The rule.", kind="text"),
        Column("needs", "", "What it lacked.", kind="text"),
        Column("text", "", "That, and what to record to have it, in a sentence.", kind="text"),
    ),
)

CHECKED_PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6", 47: "gre"}
CHECKSUM_VERDICTS = (
    "", "valid", "offload", "virtual", "merged", "stale", "corruption", "middlebox", "tunnel", "wrong",
    "unverifiable", "none", "rewritten",
)  # fmt: skip

CHECKSUMS = Table(
    "checksums",
    "One row per direction: a source, a destination and a protocol of the innermost IP packet, or of one of a tunnel around it, with what its checksums mean. `tcpcap checksums` gives the evidence in words.",
    (
        Column("ip_version", "u1", "4 or 6."),
        Column("src", "", "Source address.", kind="address", version="ip_version"),
        Column("dst", "", "Destination address.", kind="address", version="ip_version"),
        Column("protocol", "u1", "Protocol whose checksum was verified; empty for others, of which only the IPv4 header was.", kind="enum", words=("", *CHECKED_PROTOCOLS.values())),
        Column("verdict", "u1", "`valid` all are right; `offload` the sender's card finishes them; `virtual` nobody does, on a virtual link or within one host; `merged` merged on arrival (GRO, LRO); `stale` the field holds anything, and the receiver got it right; `corruption` changed on the way, or by the sender; `middlebox` a field was rewritten without updating the checksum; `tunnel` nobody computed those of the outer headers of a tunnel, and the receiver drops them; `wrong` wrong, and nothing tells why; `unverifiable` too little was captured; `none` UDP without checksums; `rewritten` right on the way, and changed where the capture was taken, or in the file (anonymised).", kind="enum", words=CHECKSUM_VERDICTS),
        Column("outer", "u1", "1 if these are the headers of a tunnel, around another packet: its UDP or GRE checksums, and those of its IPv4 headers."),
        Column("frames", "i8", "Frames of this direction."),
        *(
            Column(word, "i8", f"Frames whose `checksum` is `{word}`.")
            for word in CHECKSUM_STATES if word
        ),
        *(
            Column(f"ip_header_{word}", "i8", f"Frames whose `ip_header_checksum` is `{word}`.")
            for word in HEADER_CHECKSUM_STATES if word
        ),
        Column("first_wrong", "i8", "First frame that is bad or zero, or has a wrong IPv4 header; 0 without one."),
        Column("repaired", "i8", "Wrong TCP segments that were sent again before they were acknowledged (up to 16 are watched at a time)."),
        Column("acknowledged", "i8", "Wrong TCP segments that were acknowledged as they are."),
        Column("offset", "i4", "By how much the sum of wrong frames is off (new value of the changed field less the old one, modulo 65535), if 9 of 10 agree; else -1."),
        Column("start_ns", "i8", "Time of the first frame.", unit="ns"),
        Column("end_ns", "i8", "Time of the last frame.", unit="ns"),
    ),
)  # fmt: skip

FACTS = (
    "one_way", "filtered", "out_of_order", "different_clocks", "copies", "cut", "middle", "joined",
)  # fmt: skip

CAPTURE_FACTS = Table(
    "capture_facts",
    "One row per fact of the capture that decides how all else can be read; none where there is nothing to know. `one_way`: of connections only one direction was captured. `filtered`: by a filter that the file names, or no pure ACKs, or only one port. `out_of_order`: frames of several interfaces that were put in order of time (by up to 1 s, past 32,768 frames at least), that came too late for it, or that were written after the ACK that covers them. `different_clocks`: those of its interfaces. `copies`: frames that the capture holds again. `cut`: frames whose payload was not captured, or not all. `middle`: connections without their handshake. `joined`: several captures in one file (a step back of more than an hour, or several sections).",
    (
        Column("fact", "", f"What it is: {', '.join(f'`{word}`' for word in FACTS)}.", kind="text"),
        Column("frames", "i8", "How many frames it is about."),
        Column("share", "f8", "Their share of all frames, from 0 to 1."),
        Column("text", "", "The fact in a sentence.", kind="text"),
    ),
)  # fmt: skip

RELATIONS = ("exact", "bounded", "inferred", "unobservable")
COUNTER_VERDICTS = ("agree", "under", "over", "not_comparable")

COUNTERS = Table(
    "counters",
    "One row per kernel counter and interval between snapshots: by how much it moved, and what the packets say it must have. Counters that neither moved nor should have are left out.",
    (
        Column("host", "", "Name of the host, or its addresses.", kind="text"),
        Column("counter", "", "Name of the counter, as nstat prints it.", kind="text"),
        Column("start_ns", "i8", "Time of the snapshot before, on the capture's clock.", unit="ns"),
        Column("end_ns", "i8", "Time of the snapshot after, on the capture's clock.", unit="ns"),
        Column("observed", "i8", "By how much the kernel's counter moved."),
        Column("predicted", "i8", "What the packets captured in that time add to it; 0 with relation `unobservable`."),
        Column("low", "i8", "The least it can be by the packets."),
        Column("high", "i8", "The most; 9223372036854775807 where there may be any number more, since the capture does not hold all."),
        Column("relation", "u1", "How packets and counter hang together: `exact` they decide it; `bounded` they give a range; `inferred` a model of sender or receiver decides; `unobservable` they say nothing.", kind="enum", words=RELATIONS),
        Column("verdict", "u1", "`agree`; `under` the kernel counted less than the packets show; `over` more; `not_comparable` for the reason given.", kind="enum", words=COUNTER_VERDICTS),
        Column("reason", "", "Why it cannot be compared, or what a disagreement may mean.", kind="text"),
    ),
)  # fmt: skip

INCREMENTS = Table(
    "increments",
    "One row per frame and kernel counter that it should have moved: from any counter back to its frames. The sums over an interval are `predicted`, `low` and `high` of the table `counters`.",
    (
        Column("time_ns", "i8", "Capture time of the frame.", unit="ns"),
        Column("frame", "i8", "Number of the frame. With `amount` and `low` 0, what may have happened at any time after it without a frame."),
        Column("flow", "i8", "Its flow in the table `flows`, or -1."),
        Column("host", "", "Name of the host that took the capture, or its addresses.", kind="text"),
        Column("counter", "", "Name of the counter, as nstat prints it.", kind="text"),
        Column("amount", "i8", "By how much the frame moves it."),
        Column("low", "i8", "The least it can be."),
        Column("high", "i8", "The most."),
        Column("relation", "u1", "How sure that is, as in `counters`.", kind="enum", words=RELATIONS),
    ),
)  # fmt: skip

SOCKET_STATES = (
    "", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK",
    "LISTEN", "CLOSING",
)  # fmt: skip
"""As ss spells them, in the order of their numbers in the kernel."""
NETIDS = ("", "tcp", "udp", "raw", "udplite", "dccp", "sctp", "mptcp")
SHUTDOWNS = ("", "none", "receive", "send", "both")
TIMERS = ("", "on", "keepalive", "timewait", "persist", "delack", "unknown")
SOCKET_FLAGS = ("ts", "sack", "ecn", "ecnseen", "fastopen", "usec_ts", "app_limited", "bidir")


def _ends_of(side: str, of: str) -> tuple[Column, ...]:
    """The columns of one end of a socket."""
    return (
        Column(side, "", f"Address {of}, `*` for any of either family; an IPv4 address mapped into IPv6 is that IPv4 address. Empty where it is not known.", kind="text"),
        Column(f"{side}_port", "i8", "Its port; missing for any port, and where it is not known.", kind="optional"),
        Column(f"{side}_interface", "", "The interface or scope behind the address.", kind="text"),
        Column(f"{side}_service", "", "The name that was printed for the port.", kind="text"),
        Column(f"{side}_printed", "", "What was printed where no whole address was: the name of a host, or the beginning of an IPv6 address that netstat cut.", kind="text"),
    )  # fmt: skip


SOCKETS = Table(
    "sockets",
    "One row per socket in a list of ss, netstat or /proc/net/tcp. A number that the list does not hold is missing, not 0.",
    (
        Column("time_ns", "i8", "When the list was taken: that of its row, of the line before the list, or of the file.", unit="ns"),
        Column("snapshot", "i8", "Number of the list, from 0."),
        Column("host", "", "Name of the host, where a bundle tells it.", kind="text"),
        Column("netid", "u1", "Protocol.", kind="enum", words=NETIDS),
        Column("ip_version", "u1", "4 or 6, of the addresses or as the list says; 0 where neither tells."),
        Column("state", "u1", "State as ss spells it, whatever the list is of; empty where it is not known.", kind="enum", words=SOCKET_STATES),
        Column("recv_q", "i8", "Recv-Q: bytes received that the application has not read (a FIN counts as one); of a listener the connections that wait to be accepted.", kind="optional"),
        Column("send_q", "i8", "Send-Q: bytes written that were not acknowledged (SYN and FIN count as one each); of a listener what `accept_limit` is, but in netstat and /proc always 0.", kind="optional"),
        Column("accept_queue", "i8", "Connections that wait to be accepted; of listeners only.", kind="optional"),
        Column("accept_limit", "i8", "How many may wait: when more do, SYNs are dropped. Missing in netstat and /proc, which do not say it.", kind="optional"),
        *_ends_of("local", "of this host"),
        *_ends_of("peer", "of the peer"),
        Column("v4_mapped", "u1", "1 if the socket is of IPv6 and speaks IPv4."),
        Column("flow", "i8", "Its conversation in the table `flows` (of several with these addresses and ports the one of that time), or -1."),
        Column("listener_flows", "i8", "How many connections of the capture were opened to this listener; an address of any counts those to every address of the host.", kind="optional"),
        Column("process", "", "Name of the first process that holds it, as it was printed.", kind="text"),
        Column("pid", "i8", "Its number.", kind="optional"),
        Column("fd", "i8", "Its file descriptor.", kind="optional"),
        Column("processes", "", "All of them as JSON: name, pid, and where they were printed fd, tid, context.", kind="text"),
        Column("timer", "u1", "The timer that runs: `on` retransmission (or loss probe), `keepalive`, `timewait`, `persist` zero-window probe, `delack`.", kind="enum", words=TIMERS),
        Column("timer_expires_ms", "i8", "When it expires.", unit="ms", kind="optional"),
        Column("timer_retransmissions", "i8", "How often it has expired in a row.", kind="optional"),
        Column("timer_probes", "i8", "Window or keepalive probes without an answer, which only netstat tells.", kind="optional"),
        Column("uid", "i8", "User.", kind="optional"),
        Column("inode", "i8", "Inode; 0 where the socket has none any more.", kind="optional"),
        Column("cookie", "", "Cookie of the socket as ss prints it (`sk:`), the same in every list; in RHEL 6 its address in the kernel.", kind="text"),
        Column("cgroup", "", "Control group.", kind="text"),
        Column("v6only", "i8", "1 if a socket of IPv6 takes no IPv4.", kind="optional"),
        Column("shutdown", "u1", "Which of its directions are shut down: `receive` means that the peer has sent its FIN.", kind="enum", words=SHUTDOWNS),
        *(
            Column(f"skmem_{word}", "i8", doc, unit=unit, kind="optional")
            for word, unit, doc in (
                ("r", "bytes", "Memory that received data takes."),
                ("rb", "bytes", "Receive buffer: the most it may take."),
                ("t", "bytes", "Memory of data handed to the layers below."),
                ("tb", "bytes", "Send buffer: the most that data to be sent may take."),
                ("f", "bytes", "Memory reserved for the socket and not in use."),
                ("w", "bytes", "Memory that data to be sent takes."),
                ("o", "bytes", "Memory of options."),
                ("bl", "bytes", "Memory of the backlog: packets that came while the socket was in use."),
                ("d", "packets", "Packets dropped before they were queued (of a listener, SYNs too)."),
            )
        ),
        Column("congestion", "", "Congestion control.", kind="text"),
        Column("flags", "u1", "Words that ss prints alone: options in use, `ecnseen` a packet with ECN came, `app_limited` the application sends less than it may.", kind="bits", words=SOCKET_FLAGS),
        *(Column(name, dtype, doc, unit=unit, kind="optional") for name, dtype, unit, doc in (
            ("snd_wscale", "i8", "", "Window scale of the peer."),
            ("rcv_wscale", "i8", "", "Window scale of this host."),
            ("rto_ms", "f8", "ms", "Retransmission timeout."),
            ("backoff", "i8", "", "How often it was doubled."),
            ("rtt_ms", "f8", "ms", "Smoothed round-trip time."),
            ("rttvar_ms", "f8", "ms", "Its mean deviation."),
            ("qack", "i8", "", "ACKs that are still sent at once (old kernels)."),
            ("ato_ms", "f8", "ms", "Time until a delayed ACK is sent."),
            ("mss", "i8", "bytes", "Largest segment sent."),
            ("pmtu", "i8", "bytes", "MTU of the path."),
            ("rcvmss", "i8", "bytes", "Estimate of the segments that come."),
            ("advmss", "i8", "bytes", "MSS that this host announced."),
            ("cwnd", "i8", "packets", "Congestion window."),
            ("ssthresh", "i8", "packets", "Slow start threshold."),
            ("bytes_sent", "u8", "bytes", "Bytes sent, sent again included."),
            ("bytes_retrans", "u8", "bytes", "Bytes sent again."),
            ("bytes_acked", "u8", "bytes", "Bytes acknowledged."),
            ("bytes_received", "u8", "bytes", "Bytes received."),
            ("segs_out", "i8", "packets", "Segments sent."),
            ("segs_in", "i8", "packets", "Segments received."),
            ("data_segs_out", "i8", "packets", "Segments with data sent."),
            ("data_segs_in", "i8", "packets", "Segments with data received."),
            ("send_bps", "f8", "bit/s", "Congestion window by round-trip time, as ss reckons."),
            ("lastsnd_ms", "i8", "ms", "Since data was sent last."),
            ("lastrcv_ms", "i8", "ms", "Since data came last; since the host started, where none ever came."),
            ("lastack_ms", "i8", "ms", "Since an ACK came last; likewise."),
            ("pacing_rate_bps", "f8", "bit/s", "Rate at which packets are paced."),
            ("delivery_rate_bps", "f8", "bit/s", "Rate at which data was last delivered."),
            ("delivered", "i8", "packets", "Segments delivered."),
            ("delivered_ce", "i8", "packets", "Of these with congestion experienced."),
            ("busy_ms", "i8", "ms", "Time in which there was data to send or to be acknowledged."),
            ("rwnd_limited_ms", "i8", "ms", "Of this, limited by the peer's window."),
            ("sndbuf_limited_ms", "i8", "ms", "Of this, limited by the send buffer."),
            ("unacked", "i8", "packets", "Segments in flight; of a listener the accept queue."),
            ("retrans", "i8", "packets", "Segments sent again that are in flight."),
            ("retrans_total", "i8", "packets", "Segments ever sent again."),
            ("lost", "i8", "packets", "Segments taken for lost."),
            ("sacked", "i8", "packets", "Segments acknowledged by SACK; of a listener the limit of the accept queue."),
            ("fackets", "i8", "packets", "Segments below the highest SACK (old kernels)."),
            ("dsack_dups", "i8", "packets", "Segments that DSACKs told came twice."),
            ("reordering", "i8", "packets", "How far segments are taken to come out of order, where not 3."),
            ("reord_seen", "i8", "", "How often that was seen."),
            ("rcv_rtt_ms", "f8", "ms", "Round-trip time as the receiver reckons it."),
            ("rcv_space", "i8", "bytes", "What the application reads in a round-trip time, for tuning the receive buffer."),
            ("rcv_ssthresh", "i8", "bytes", "Window that may be announced at present."),
            ("notsent", "i8", "bytes", "Bytes written that were not sent yet."),
            ("minrtt_ms", "f8", "ms", "Smallest round-trip time."),
            ("rcv_ooopack", "i8", "packets", "Segments that came out of order."),
            ("snd_wnd", "i8", "bytes", "Window of the peer."),
            ("rcv_wnd", "i8", "bytes", "Window of this host."),
            ("rehash", "i8", "", "How often another path was tried after a timeout."),
        )),
    ),
)  # fmt: skip

HOST_ROLES = ("", "client", "server", "both", "router")
KNOWN_FROM = ("host.json", "sosreport", "supportconfig", "--host", "capture")

HOSTS = Table(
    "hosts",
    "One row per host of which more is known than that it sent packets: those that a bundle or a report describes, and the one that took the capture.",
    (
        Column("host", "", "Its name, or its addresses: as in `counters` and `sockets`.", kind="text"),
        Column("addresses", "", "Its addresses, with a comma and a space between them.", kind="text"),
        Column("role", "u1", "What it was in the conversations of the capture: `client`, `server` or `both`; `router` it forwards, and most of them are of others. Empty where it was in none.", kind="enum", words=HOST_ROLES),
        Column("client_flows", "i8", "How many conversations it began."),
        Column("server_flows", "i8", "How many others began with it."),
        Column("known_from", "u1", "Who says that these are its addresses: `host.json` of a bundle, a `sosreport` or `supportconfig`, the option `--host`, or what the packets of the `capture` tell.", kind="enum", words=KNOWN_FROM),
        Column("kernel", "", "Its kernel, such as `Linux 6.18.1`; empty where nothing says it.", kind="text"),
        Column("mtu", "i8", "The largest MTU of its interfaces but loopback; missing where nothing says it.", unit="bytes", kind="optional"),
        Column("sysctls", "", "Its settings as a JSON object of text by name, such as `{\"net.core.somaxconn\": \"4096\"}`: `sysctls ->> '$.\"net.core.somaxconn\"'` in SQL.", kind="text"),
    ),
)  # fmt: skip

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        FINDINGS,
        NOT_CHECKED,
        CAPTURE_FACTS,
        PACKETS,
        FLOWS,
        EVENTS,
        FLOW_EVENTS,
        SERIES,
        CHECKSUMS,
        COUNTERS,
        INCREMENTS,
        SOCKETS,
        HOSTS,
    )
}
