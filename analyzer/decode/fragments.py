"""What is kept of IP datagrams in fragments, of which not all came yet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from analyzer.blank import blank
from analyzer.capture.records import RECORDS
from analyzer.tables import PACKETS

WAYS, SETS = 8, 64  # datagrams at a time: those whose addresses fall into a set push each other out
RUNS = 16  # of received bytes of a datagram, with gaps between them
MOST = 65535  # bytes of an IP packet
ROOM = 65536  # bytes kept of each datagram, and of what stands before its fragment in a frame
TIMEOUT_NS = 30 * 10**9  # net.ipv4.ipfrag_time
FORGOTTEN_AFTER = 1 << 14  # datagrams begun since: identifiers come again (RFC 4963)

DATAGRAM = np.dtype(
    [
        ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"), ("dst_lo", "u8"), ("ip_id", "u4"), ("vlan", "u2"),
        ("version", "u1"), ("proto", "u1"), ("used", "u1"),
        ("spoilt", "u1"),  # pieces that overlap, or end twice
        ("next", "u1"),  # protocol of what the first piece begins with
        ("told", "u1"), ("told_len", "u4"),  # has its frame a transport header, and the payload behind that
        ("first_ns", "i8"),
        ("begun", "i8"),  # how many had begun before it
        ("total", "i8"),  # bytes in all, -1 before the last piece
        ("have", "i8"),
        ("runs", "i4"), ("low", "i4", RUNS), ("high", "i4", RUNS),
        ("first_frame", "i8"), ("first_len", "i8"),  # frame of the first piece, and its length
        ("frames_len", "i8"),  # of all pieces
    ],
    align=True,
)  # fmt: skip


class Fragments(NamedTuple):
    """What is kept of datagrams in fragments, and the frame in which one was put together last."""

    datagrams: Any  # DATAGRAM, SETS * WAYS
    bytes: Any  # u1, ROOM of each
    begun: Any  # i8[1]: how many began
    whole: Any  # u1: the frame up to the end of the IP header of its fragment, then the whole datagram
    words: Any  # u8: the same memory
    record: Any  # RECORDS[1]: that frame
    joined: Any  # i8[3]: through how many tunnels the first and the last datagram were that this frame completed, where that begins
    scratch: Any  # PACKETS[3]: the last is what is said of the headers before that datagram
    blank: Any  # PACKETS[1], zeros


FRAGMENTS = (DATAGRAM, np.uint8, np.int64, np.uint8, np.uint64, RECORDS.dtype, np.int64, PACKETS.dtype, PACKETS.dtype)
"""The dtypes of its members."""


def no_fragments() -> Fragments:
    """Nothing seen yet. Memory that is not used is not taken."""
    words = np.zeros(2 * ROOM // 8, np.uint64)
    return Fragments(
        blank(SETS * WAYS, DATAGRAM),
        blank(SETS * WAYS * ROOM, np.uint8),
        np.zeros(1, np.int64),
        words.view(np.uint8),
        words,
        np.zeros(1, RECORDS.dtype),
        np.zeros(3, np.int64),
        np.zeros(3, PACKETS.dtype),
        np.zeros(1, PACKETS.dtype),
    )
