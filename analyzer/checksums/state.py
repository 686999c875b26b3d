"""What the checksum kernels keep between frames: datagrams in pieces, directions, and wrong segments that are followed."""

from __future__ import annotations

import numpy as np

from analyzer.tables import PACKETS

VALID, PARTIAL, ZERO, BAD, UNVERIFIABLE, NONE = (
    PACKETS.bit("checksum", word) for word in ("valid", "partial", "zero", "bad", "unverifiable", "none")
)
HEADER_VALID, HEADER_ZERO, HEADER_BAD, HEADER_UNVERIFIABLE = (
    PACKETS.bit("ip_header_checksum", word) for word in ("valid", "zero", "bad", "unverifiable")
)

WAYS, SETS = 4, 256  # datagrams in pieces at a time: those whose addresses fall into a set push each other out
RUNS = 8  # of received bytes of a datagram, with gaps between them

DATAGRAM = np.dtype(
    [
        ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"), ("dst_lo", "u8"), ("ip_id", "u4"),
        ("version", "u1"), ("proto", "u1"), ("used", "u1"),
        ("spoilt", "u1"),  # pieces that overlap, end twice or were not captured whole
        ("first_ns", "i8"),
        ("begun", "i8"),  # how many had begun before it
        ("total", "i8"),  # bytes in all, -1 before the last piece
        ("have", "i8"),
        ("sum", "i8"),  # of the pieces, folded
        ("runs", "i4"), ("low", "i4", RUNS), ("high", "i4", RUNS),
        ("begins_at", "i8"),  # where the transport header begins, -1 before the first piece
        ("field", "i8"), ("udp_len", "i8"),
        ("addresses", "i8"),  # their sum for the pseudo-header, -1 where it cannot be known
        ("first_frame", "i8"),
    ],
    align=True,
)  # fmt: skip

DIRECTIONS = 1 << 14  # pairs of hosts and protocols, each way; what does not fit is counted in the first row
SLOTS = 1 << 15
OFFSETS = 4  # different errors of sums that are told apart in a direction
OPEN = 16  # wrong segments of a direction whose fate is watched at a time
FOLLOWED = 1 << 12
KEPT_BYTES = 2048  # of the payload of each, to be compared with a retransmission

DIRECTION = np.dtype(
    [
        ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"), ("dst_lo", "u8"), ("version", "u1"), ("proto", "u1"),
        ("ttl_min", "u1"), ("ttl_max", "u1"),
        ("frames", "i8"), ("bytes", "i8"),
        ("states", "i8", 7), ("first", "i8", 7),  # by state of the checksum: frames, and the first of them
        ("headers", "i8", 5), ("first_header", "i8", 5),  # the same of the IPv4 header
        ("first_ns", "i8"), ("last_ns", "i8"),
        ("out", "i8"), ("into", "i8"),  # frames that left, or reached, the capturing host
        ("short", "i8"), ("padded", "i8"),  # Ethernet frames below the least size, and those filled up to it
        ("valid_largest", "i8"),  # the largest IP packet that is valid
        ("bare_partial", "i8"), ("bare_valid", "i8"),  # frames that nobody merged: not TCP, or TCP without data
        ("partial_least", "i8"), ("partial_most", "i8"),  # the smallest and the largest IP packet that is partial
        ("wrong_first_ns", "i8"), ("wrong_last_ns", "i8"),  # capture times of what is bad or zero
        ("offsets", "i4", OFFSETS), ("offset_frames", "i8", OFFSETS), ("other_offsets", "i8"),
        ("bad_syn", "i8"), ("bad_same_field", "i8"), ("last_field", "i4"),
        ("bad_super", "i8"),  # wrong, larger than an ordinary MTU and than every valid packet of the direction so far
        ("bad_src_port", "i4"), ("bad_dst_port", "i4"),  # their ports, -1 where they differ
        ("bad_mss", "i4"),
        ("good_run", "i8"),  # right frames after the first wrong one
        ("followed", "i8"), ("repaired", "i8"), ("acknowledged", "i8"),
        ("bits", "i8"), ("compared", "i8"),  # bits that differ between wrong segments and their retransmissions, and how many
        ("example", "i8"), ("example_again", "i8"), ("example_at", "i8"), ("example_bits", "u1"),
        ("open", "i4"), ("open_count", "i4"), ("reverse", "i4"),
    ],
    align=True,
)  # fmt: skip

WRONG = np.dtype(
    [
        ("next", "i4"), ("kept", "i4"), ("frame", "i8"), ("seq", "u4"), ("seq_len", "u4"),
        ("src_port", "u2"), ("dst_port", "u2"), ("flags", "u2"), ("payload_len", "u4"),
        ("again", "u4"),  # so much of it came again in right segments, without a gap
        ("bits", "i8"), ("compared", "i8"),  # bits that differ there, of so many bytes; the first: frame, byte, which bits
        ("again_in", "i8"), ("at", "i8"), ("changed", "u1"),
    ],
    align=True,
)  # fmt: skip

HEAD = np.dtype(  # of a fragmented datagram: what stands in the fragment with the checksum, which comes before others
    [("key", "i8"), ("sum", "i8"), ("pieces", "i8"), ("silent", "u1"), ("covers", "u1")], align=True
)
FOUND = np.dtype(
    [("key", "i8"), ("rest", "i8"), ("length", "i8")]
)  # of a complete one: frame, sum of the others, bytes
