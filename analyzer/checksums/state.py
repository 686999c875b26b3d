"""What the checksum kernels keep between frames: datagrams in pieces, directions, and wrong segments that are followed."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import numpy as np

from analyzer.blank import blank
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
SEED = 4  # where in `room` is what nobody who prepares a capture knows: how its directions fall into the slots
OFFSETS = 4  # different errors of sums that are told apart in a direction
OPEN = 16  # wrong segments of a direction whose fate is watched at a time
FOLLOWED = 1 << 12
KEPT_BYTES = 2048  # of the payload of each, to be compared with a retransmission

# What every frame touches comes first, in three cache lines.
DIRECTION = np.dtype(
    [
        ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"), ("dst_lo", "u8"), ("version", "u1"), ("proto", "u1"),
        ("outer", "u1"),  # 1: headers of a tunnel, around another packet
        ("ttl_min", "u1"), ("ttl_max", "u1"), ("reverse", "i2"),  # an index, 0 without one
        ("frames", "i8"), ("bytes", "i8"), ("last_ns", "i8"),
        ("states", "i8", 7),  # frames by state of the checksum
        ("wrong_last_ns", "i8"),  # capture time of the last that is bad or zero
        ("headers", "i8", 5),  # frames by state of the checksum of the IPv4 header
        ("valid_largest", "i8"),  # the largest IP packet that is valid
        ("bare_valid", "i8"),  # frames that nobody merged: not TCP, or TCP without data
        ("out", "i8"), ("into", "i8"),  # frames that left, or reached, the capturing host
        ("first", "i8", 7), ("first_header", "i8", 5),  # the first of each state
        ("first_ns", "i8"), ("wrong_first_ns", "i8"),
        ("short", "i8"), ("padded", "i8"),  # Ethernet frames below the least size, and those filled up to it
        ("bare_partial", "i8"),
        ("partial_least", "i8"), ("partial_most", "i8"),  # the smallest and the largest IP packet that is partial
        ("offsets", "i4", OFFSETS), ("offset_frames", "i8", OFFSETS), ("other_offsets", "i8"),
        ("bad_syn", "i8"), ("bad_same_field", "i8"), ("first_field", "i4"), ("last_field", "i4"),  # of wrong ones; -1: none
        ("bad_super", "i8"),  # wrong, larger than an ordinary MTU and than every valid packet of the direction so far
        ("super_least", "i8"),  # bytes of the smallest of these, where that counts; 0: of none
        ("bad_src_port", "i4"), ("bad_dst_port", "i4"),  # their ports, -1 where they differ
        ("bad_blank", "i8"),  # wrong, and all of the payload is zeros
        ("bad_mss", "i4"),
        ("good_run", "i8"),  # right frames after the first wrong one
        ("followed", "i8"), ("repaired", "i8"), ("acknowledged", "i8"),
        ("bits", "i8"), ("compared", "i8"),  # bits that differ between wrong segments and their retransmissions, and how many
        ("example", "i8"), ("example_again", "i8"), ("example_at", "i8"), ("example_bits", "u1"),
        ("open", "i4"), ("open_count", "i4"),
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


class Memory(NamedTuple):
    """All of it. `directions` has in row 0 what finds no room; `slots` is the hash table over them, 0 where free."""

    directions: Any  # DIRECTION
    slots: Any  # i4
    wrong: Any  # WRONG: the segments that are followed
    kept: Any  # u1, KEPT_BYTES of each
    room: Any  # i8[5]: directions used, first free one of `wrong`, those of `wrong` ever used, those followed now; SEED


MEMORY = (DIRECTION, np.int32, WRONG, np.uint8, np.int64)  # dtypes of its members


def new_memory() -> Memory:
    """Nothing seen yet."""
    memory = Memory(
        blank(DIRECTIONS, DIRECTION),
        np.zeros(SLOTS, np.int32),
        blank(FOLLOWED, WRONG),
        blank(FOLLOWED * KEPT_BYTES, np.uint8),
        np.array([0, -1, 0, 0, secrets.randbits(63)], np.int64),
    )
    memory.directions["open"][0] = -1
    return memory
