"""The state that is kept of a flow while packets pass. `low` and `high` are its two ends, ordered by address and port."""

from __future__ import annotations

import numpy as np

HISTORY = 20
CACHE_LINE = 64  # bytes
AT_A_TIME = 8  # frames for which memory is looked up together, some time before they come, so that nobody waits for it
AHEAD = 4 * AT_A_TIME  # frames of which something is known by then

# What every packet touches comes first.
FLOW_STATE = np.dtype(
    [
        ("flow", "i8"),  # its number, or -1 in a place that is free
        ("address_hi", "u8", (2,)),  # of the low and the high end, as all pairs below
        ("address_lo", "u8", (2,)),
        ("port", "u2", (2,)),
        ("protocol", "u1"),
        ("ip_version", "u1"),
        ("client", "u1"),  # which end: 0 low, 1 high
        ("roles", "u1"),
        ("base_seq", "u4", (2,)),  # sequence number before the first byte: the SYN's, where it was seen
        ("base_known", "u1", (2,)),
        ("seen", "u2"),
        ("previous_place", "i4"),  # where the state of the flow was that used the same tuple before
        ("end_ns", "i8"),
        ("start_ns", "i8"),
        ("last_frame", "i8"),
        ("packets", "i8", (2,)),
        ("bytes", "i8", (2,)),
        ("payload", "i8", (2,)),
        ("previous", "i8"),  # the flow that used the same tuple before, or -1
        ("leg_of", "i8"),  # the flow that has the same packets on the other side of a NAT, and came first; or -1
        ("said", "u8"),  # which letters the history has, as bits
        ("judged", "u2"),  # SYN, SYN_ACK and ACKED as `seen`, but up to the frame that is judged: tracking runs ahead
        ("closer", "u1"),  # 1 + the end whose stream ended first, or 0
        ("letters", "u1"),  # how many letters the history has
        ("leg_place", "i4"),  # where the state of the flow `leg_of` is
        ("ends", "i4", (2,)),  # where the states of the ends are that anything is known of; else BLANK
        ("events", "u8"),  # kinds of events that happened, as bits
        ("history", "u1", (HISTORY,)),
        ("first_frame", "i8"),
        ("since_previous_ns", "i8"),
        ("syn_ns", "i8"),
        ("rtt_ns", "i8"),
        ("waits_ns", "i8"),  # when the first SYN was captured, or the first SYN-ACK
        ("pair", "u8"),  # hash of the two addresses
        ("server", "u8"),  # hash of the server's address and port
        ("syn_copied", "u1"),  # are there copies of the SYN or SYN-ACK: then the handshake is timed without them
        ("first_syn_ns", "i8"),  # of the last SYN that is no copy
        ("leg", "i8"),  # of the flow that has these packets first, the latest that is another leg of it; or -1
    ],
    align=True,
)
STATE_LINES = 3  # cache lines of a flow that every packet touches

# Bits of `seen`. FIN and RST are by end: the bit, shifted left by 1 for the high end.
SYN, SYN_ACK, ACKED, SYN_AGAIN, FIN, RST = 1, 2, 4, 8, 16, 64
SUCCEEDED = 256  # a later connection took over the tuple
IMPOSSIBLE = 1024  # all its SYNs have flags that no TCP sends with them
DAMAGED = 2048  # all its SYNs have a wrong checksum of the IPv4 header: their receiver has dropped them
INFERRED = 512  # ACKED is known by what the server sent later, not by an ACK that was captured

TCP, UDP = 6, 17
EMPTY = -1

# SYNs that came a moment ago, by what NAT leaves as it is.
LEG = np.dtype(
    [("key", "u8"), ("flow", "i8"), ("time_ns", "i8"), ("ip_id", "u4"), ("place", "i4"), ("ttl", "u1")], align=True
)
LEGS = 1 << 10

# The longest handshake between two addresses, at a place given by the hash of the pair.
PEER = np.dtype([("pair", "u8"), ("rtt_ns", "i8")])
PEERS = 1 << 12
