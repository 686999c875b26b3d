"""The tables of conversations: `flows`, and `series` by interval; and the causes to which their time goes."""

from __future__ import annotations

from analyzer.kinds import NAMES
from analyzer.schema import Column, Table
from analyzer.tables.packets import OPTIONS

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
    "One row per TCP connection and interval of the clock (`--every`, 1 s without it), from that of its first frame to that of its last, in the order in which they became certain; flow -1 is all of them together. Of a connection whose handshake stands behind other frames of it, what was thought before is that of the end which was taken for the client by then.",
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
