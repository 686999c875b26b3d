"""What is kept of the host's sockets to tell which segments they refuse: the variables of RFC 9293, RFC 7323 and the kernel."""

from __future__ import annotations

import numpy as np

# The states of a socket, or of the request or small socket that stands for one.
(
    CLOSED, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK,
) = range(10)  # fmt: skip

# Of each end of a connection, 0 client and 1 server; only the ends that are the host's are followed. A flow that uses the
# 4-tuple of another begins with the state of that one: the socket may still be there.
VALIDITY = np.dtype(
    [
        ("begun", "u1"),  # a SYN was seen: what follows is not the middle of an unknown connection
        ("state", "u1", (2,)),
        ("full", "u1", (2,)),  # SYN_RECEIVED is a socket, no request: simultaneous or fast open
        ("half_closed", "u1", (2,)),  # it has taken data after its own FIN: the application still holds the socket
        ("iss", "u4", (2,)),
        ("irs", "u4", (2,)),  # of the SYN that it received
        ("una", "u4", (2,)),
        ("nxt", "u4", (2,)),
        ("fin_end", "u4", (2,)),  # after its own FIN
        ("rcv_nxt", "u4", (2,)),
        ("rcv_wup", "u4", (2,)),  # what it last acknowledged
        ("rcv_wnd", "i8", (2,)),  # the window that it last offered, in bytes
        ("top", "u4", (2,)),  # after the highest byte received
        ("sack", "u1", (2,)),  # it has permitted SACK
        ("holes", "u1", (2,)),  # its last segment had SACK blocks
        ("peer_fin", "u1", (2,)),  # a FIN was received; it counts when rcv_nxt reaches its end
        ("peer_fin_end", "u4", (2,)),
        ("scale", "u1", (2,)),  # of its window, one more than the shift; 0 if its SYN had no such option
        ("window_known", "u1", (2,)),
        ("snd_wnd", "i8", (2,)),
        ("snd_wl1", "u4", (2,)),
        ("max_window", "i8", (2,)),
        ("bytes_acked", "i8", (2,)),
        ("offered", "u1", (2,)),  # timestamps in the SYN (or SYN-ACK) that it sent
        ("peer_offered", "u1", (2,)),
        ("recent", "u4", (2,)),  # TS.Recent
        ("recent_ns", "i8", (2,)),  # 0 without
        ("first_tsval", "u4", (2,)),  # of its SYN or SYN-ACK
        ("first_ns", "i8", (2,)),
        ("last_tsval", "u4", (2,)),
        ("rtt_ns", "i8", (2,)),  # of the handshake
        ("ended_ns", "i8", (2,)),  # since when it is in TIME_WAIT
        ("oow_ns", "i8", (2,)),  # when it last answered what it refused (last_oow_ack_time), 0 never
        ("doubt", "u2", (2,)),  # counter of an answer that was due just as the limit ended, 0 without
        ("doubt_ns", "i8", (2,)),  # and when the answer before it was
    ],
    align=True,
)

# Which place a 4-tuple was last followed at: a table of fixed size, newer entries push out older ones of their sort.
LINK = np.dtype([("key", "u8"), ("place", "i8"), ("flow", "i8")], align=True)
LINKS = 1 << 14

LIMIT_NS = 500_000_000  # tcp_invalid_ratelimit
JIFFY_NS = 4_000_000  # the clock of that limit, at the usual 250 Hz
TICK_NS = 1_000_000  # of Linux's timestamps
RTO_MIN_NS = 200_000_000
PAWS_NS = 24 * 24 * 3600 * 1_000_000_000  # TCP_PAWS_WRAP: after which TS.Recent is too old to tell
PAWS_MSL_NS = 60_000_000_000
TIME_WAIT_NS = 60_000_000_000
