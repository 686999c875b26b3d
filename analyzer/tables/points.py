"""The tables of several capture points: what became of each packet on the way (`passages`), and what each way is like (`paths`)."""

from __future__ import annotations

from analyzer.schema import Column, Table

FATES = (
    "arrived", "lost", "duplicated", "reordered", "corrupted", "rewritten", "injected", "unknown",
)  # fmt: skip
# Why a fate is what it is, where the captures do not simply hold the packet at both points.
REASONS = (
    "", "acked", "outside", "not_followed", "capture_missed", "capture_drops", "ends_here", "one_way", "no_clock", "partly",
)  # fmt: skip
REWRITTEN = (
    "src", "dst", "src_port", "dst_port", "ip_id", "dscp", "ecn", "dont_fragment", "mss", "window_scale",
    "sack_permitted", "timestamps", "other_options", "window", "flags", "checksum",
)  # fmt: skip
ON_THE_WAY = ("", "sent", "came")
REPEATS = ("", "needed", "ack_lost", "needless", "unknown")
WINDOWS = ("", "closed", "opened")

PASSAGES = Table(
    "passages",
    "One row per TCP segment, UDP datagram, ICMP message and fragment of the latter two, and capture point, of each pair of points that are next to each other: where it was sent (`way` = `sent`) and where it came (`came`). Copies that a capture holds of one packet are not told. The times of all points are on one clock (`--clock`).",
    (
        Column("packet", "i8", "Number of the packet among those of this pair of points, from 0: the same at both. A copy that the network made has that of its original; several segments that one super-segment became have its number."),
        Column("point_number", "u1", "Which of the points, in the order given.", public=False),
        Column("other_number", "u1", "The other one of the pair.", public=False),
        Column("point", "", "The name of the capture point.", kind="text"),
        Column("other", "", "The point that it is compared with.", kind="text"),
        Column("frame", "i8", "Number of the frame in the capture of `point`."),
        Column("time_ns", "i8", "When it was captured, on the clock chosen.", unit="ns"),
        Column("flow", "i8", "Its conversation in the table `flows` of `point`; -1 of ICMP and of fragments, which have no ports."),
        Column("direction", "u1", "0 from the client, 1 from the server; 0 where there is no conversation."),
        Column("way", "u1", "Is `point` nearer to the sender than `other` (`sent`) or to the receiver (`came`); empty where nobody knows.", kind="enum", words=ON_THE_WAY),
        Column("fate", "u1", "`arrived`; `lost`: sent, and not come to the other point, whose capture ran and missed nothing around; `duplicated`: it came more than once (said of the copies where they came, and of the original where it was sent); `reordered`: it came after packets of its connection that were sent later (RFC 4737); `corrupted`: its bytes differ and its checksum is wrong (table `corruptions`: which bytes); `rewritten`: other fields than those that every router changes differ (`fields`); `injected`: it came, and was not sent at the other point; `unknown`: `reason` says why. Of several the first of corrupted, duplicated, reordered, rewritten, arrived.", kind="enum", words=FATES),
        Column("reason", "u1", "`acked`: it was not captured at the other point, and its receiver acknowledged it; `outside`: the other capture had not begun, or had ended; `not_followed`: of its connection the other capture holds nothing; `capture_missed`: the other capture is known to have missed packets around this time, or to miss them often, or it is no bundle, does not count what it lost, and nothing but the absence of this ACK would tell; `capture_drops`: it says itself that it lost packets, or it cut some within their headers; `ends_here`: both captures hold its addresses and ports at the same time, and none of its sequence numbers at both, so that a box between them ends it, or rewrites them; `one_way`, `no_clock`: too little passed between the points to know which is nearer, or how their clocks differ; `partly`: of its bytes some came and others did not.", kind="enum", words=REASONS),
        Column("related_frame", "i8", "The frame at the other point, the first of several; 0 without one."),
        Column("lost_bytes", "i8", "How much of its payload did not come.", unit="bytes"),
        Column("delay_ns", "i8", "From the one point to the other; 0 where it is not known.", unit="ns"),
        Column("fields", "u4", "What differs at the other point, beside the TTL; `checksum`: that of a packet whose addresses or ports were changed was left as it was, and is wrong.", kind="bits", words=REWRITTEN),
        Column("retransmission", "u1", "Of a TCP segment that was sent again, where it was sent: was that needed? `needed`: what was sent before was lost, or came damaged; `ack_lost`: it had arrived, and an ACK of it was lost; `needless`: it had arrived, and no ACK of it is known to be lost; `unknown` where the captures do not tell. Empty of all others.", kind="enum", words=REPEATS),
        Column("window", "u1", "Of a TCP segment that closes its sender's window (`closed`), or opens it again (`opened`): `fate` says whether the other end heard of it.", kind="enum", words=WINDOWS),
        Column("late_by", "i4", "Of a reordered packet: how many packets of its connection came between the first that was sent later, and it (RFC 4737, the extent)."),
    ),
)  # fmt: skip

PATHS = Table(
    "paths",
    "One row per direction between two capture points: what was lost, doubled or overtaken between them, how long it took, and how their clocks differ. Offsets and delays are known but for a share that no packet tells: `delay_uncertainty_ns`.",
    (
        Column("from_number", "u1", "Which of the points, in the order given.", public=False),
        Column("to_number", "u1", "The other one.", public=False),
        Column("from_point", "", "Where packets were sent, or came by first.", kind="text"),
        Column("to_point", "", "Where they came.", kind="text"),
        Column("connections", "i8", "Connections that both captures hold."),
        Column("ended_between", "i8", "Connections with the same addresses and ports at both, of which no packet is the same: a box between the points ends them, or rewrites their sequence numbers."),
        Column("packets", "i8", "Packets that were sent, as far as the other capture can tell of them."),
        Column("bytes", "i8", "Their payload.", unit="bytes"),
        Column("arrived", "i8", "Packets that came, whatever happened to them."),
        Column("lost", "i8", "Packets that did not."),
        Column("lost_bytes", "i8", "Payload that did not come, of packets that came in part, too.", unit="bytes"),
        Column("loss_rate", "f8", "Their share, from 0 to 1."),
        Column("bursts", "i8", "Losses in a row, of one connection, are one burst."),
        Column("longest_burst", "i8", "How many packets the longest of them took."),
        Column("first_lost", "i8", "Frame of the first packet that was lost, where it was sent; 0 without any."),
        Column("duplicated", "i8", "Copies that came beside the original."),
        Column("reordered", "i8", "Packets that came after such as were sent later (RFC 4737 section 3.3)."),
        Column("reordering_extent", "i8", "The largest `late_by` among them (RFC 4737 section 4.2)."),
        Column("corrupted", "i8", "Packets whose bytes had changed."),
        Column("rewritten", "i8", "Packets of which other fields than the TTL had changed."),
        Column("rewritten_fields", "u4", "Which fields.", kind="bits", words=REWRITTEN),
        Column("injected", "i8", "Packets that came, and were never sent at the other point."),
        Column("not_captured", "i8", "Packets that came, as their receiver acknowledged them, and are not in the other capture."),
        Column("repeated", "i8", "TCP segments that were sent again."),
        Column("needed", "i8", "Of them those that had to be, as what was sent before was lost, or came damaged."),
        Column("ack_lost", "i8", "Those that repeat what had arrived, as an ACK of it was lost on the way back."),
        Column("needless", "i8", "Those that repeat what had arrived, though no ACK of it is known to be lost. Of the rest the captures do not tell."),
        Column("windows_closed", "i8", "TCP segments that closed the window of their sender."),
        Column("windows_closed_lost", "i8", "Those of them that were lost: the other end did not hear of it."),
        Column("windows_opened_lost", "i8", "Segments that opened it again, and were lost: the other end waits on."),
        Column("resets", "i8", "RSTs that came, made by a host or a box behind `from_point`."),
        Column("resets_injected", "i8", "RSTs that came and were never sent there: a box between the points made them."),
        Column("unknown", "i8", "Packets of which nobody knows whether they came; not among `packets`."),
        Column("delay_min_ns", "i8", "Shortest time from point to point. All four are 0 without a packet that came.", unit="ns"),
        Column("delay_median_ns", "i8", "Median.", unit="ns"),
        Column("delay_p95_ns", "i8", "95th percentile.", unit="ns"),
        Column("delay_max_ns", "i8", "Longest.", unit="ns"),
        Column("delay_uncertainty_ns", "i8", "By so much may all four be more, and those of the other direction less, or the other way round; -1 where nothing bounds it.", unit="ns"),
        Column("hops", "i4", "Routers between the points, by the TTL; -1 where it does not tell."),
        Column("largest_arrived", "i8", "Largest IP packet that came; of what was captured before it was cut into segments, none counts.", unit="bytes"),
        Column("smallest_lost", "i8", "Smallest IP packet larger than this that was lost; 0 without any.", unit="bytes"),
        Column("clock_offset_ns", "i8", "What the clock of `to_point` shows more than that of `from_point`, at the first packet of both.", unit="ns"),
        Column("clock_low_ns", "i8", "It is this at least.", unit="ns"),
        Column("clock_high_ns", "i8", "It is this at most.", unit="ns"),
        Column("clock_drift_ppb", "i8", "By how much faster it runs, in parts of a billion (ns a second)."),
    ),
)  # fmt: skip

CORRUPTIONS = Table(
    "corruptions",
    "One row per run of bytes that changed in a packet that is `corrupted`, of the first 64 packets of each direction that were neither cut into segments nor merged. What every router changes, and a checksum that is not all that changed, is not told.",
    (
        Column("point", "", "Where it was sent.", kind="text"),
        Column("other", "", "Where it came.", kind="text"),
        Column("packet", "i8", "As in `passages`."),
        Column("frame", "i8", "Number of the frame in the capture of `point`."),
        Column("related_frame", "i8", "Number of the frame in the capture of `other`."),
        Column("flow", "i8", "Its conversation in the table `flows` of `point`; -1 without one."),
        Column("part", "", "`payload`, or the field of a header, by the name of its column in `packets`.", kind="text"),
        Column("offset", "i8", "Where the run begins, from the first byte of that.", unit="bytes"),
        Column("sent", "", "The bytes that were sent, hexadecimal.", kind="text"),
        Column("came", "", "The bytes that came.", kind="text"),
    ),
)  # fmt: skip
