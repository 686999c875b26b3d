"""What the prediction keeps of how a connection ends, and of those that the host remembers after their end."""

from __future__ import annotations

import numpy as np

# Of each end of a connection, 0 client and 1 server, as in `packets.direction`.
CLOSING = np.dtype(
    [
        ("fin", "u1", (2,)),  # it has sent a FIN
        ("fin_ns", "i8", (2,)),  # when it was sent
        ("fin_end", "u4", (2,)),  # the number after it
        ("first", "u1", (2,)),  # it did so before it had taken the other's
        ("perhaps_first", "u1", (2,)),  # or it had closed by then, and its FIN waited behind data
        ("taken", "u1", (2,)),  # it has acknowledged the other's FIN
        ("acked_frame", "i8", (2,)),  # that acknowledged its FIN
        ("acked_ns", "i8", (2,)),
        ("acked_by_data", "u1", (2,)),  # and that frame carried data
        ("late_data", "u1", (2,)),  # data came after that
        ("counted", "u1", (2,)),  # it is kept as a timewait socket
        ("reset", "u1", (2,)),  # nothing is left of it
        ("heard", "u1", (2,)),  # it has received data
        ("data_ns", "i8", (2,)),  # when it last did
        ("last_data", "u1", (2,)),  # the last segment it received had data
    ],
    align=True,
)

# A connection of which the host keeps no more than its addresses: TIME_WAIT. Found by a hash of them.
WAIT = np.dtype(
    [
        ("until_ns", "i8"),
        ("my_hi", "u8"),
        ("my_lo", "u8"),
        ("your_hi", "u8"),
        ("your_lo", "u8"),
        ("my_port", "u2"),
        ("your_port", "u2"),
    ],
    align=True,
)
WAITS = 1 << 12  # how many are remembered, at most one of each hash, and as many of each sort of flows
TIME_WAIT_NS = 60_000_000_000  # TCP_TIMEWAIT_LEN
TIMER_NS = 4_000_000_000  # by how much a timer of that length may be late
AT_ONCE_NS = 1_000_000  # what one system call sends is not further apart
WOKEN_NS = 1_000_000  # a process that acts so soon after data came was waiting for it, and has read it
SAME_TIME_NS = 5_000_000  # a snapshot takes as long
