"""The state that is kept of a flow while packets pass. `low` and `high` are its two ends, ordered by address and port."""

from __future__ import annotations

import numpy as np

FLOW_STATE = np.dtype(
    [
        ("address_hi", "u8", (2,)),  # of the low and the high end, as all pairs below
        ("address_lo", "u8", (2,)),
        ("port", "u2", (2,)),
        ("protocol", "u1"),
        ("ip_version", "u1"),
        ("client", "u1"),  # which end: 0 low, 1 high
        ("roles", "u1"),
        ("seen", "u2"),
        ("base_known", "u1", (2,)),
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("first_frame", "i8"),
        ("last_frame", "i8"),
        ("packets", "i8", (2,)),
        ("bytes", "i8", (2,)),
        ("payload", "i8", (2,)),
        ("previous", "i8"),  # the flow that used the same tuple before, or -1
        ("syn_ns", "i8"),
        ("rtt_ns", "i8"),
        ("base_seq", "u4", (2,)),  # sequence number before the first byte: the SYN's, where it was seen
    ],
    align=True,
)

# Bits of `seen`. FIN and RST are by end: the bit, shifted left by 1 for the high end.
SYN, SYN_ACK, ACKED, SYN_AGAIN, FIN, RST = 1, 2, 4, 8, 16, 64
SUCCEEDED = 256  # a later connection of the same tuple found no room: what follows is not this flow's

TCP, UDP = 6, 17
EMPTY = -1
