"""What the delivery family keeps: what each end waits to have acknowledged, and how far it has received."""

from __future__ import annotations

import numpy as np

EARLY_TIMES = 12
# Of each end of a connection, 0 client and 1 server, as in `packets.direction`; names as in struct tcp_sock where it has one.
DELIVERY = np.dtype(
    [
        ("known", "u1", (2,)),  # how far this end is, NEVER to LOST
        ("offers", "u2", (2,)),  # options of its SYN
        ("shift", "u1", (2,)),  # its window scale
        ("asks", "u2", (2,)),  # flags of its SYN
        ("mss", "i4", (2,)),  # it accepts in a segment
        # As a sender.
        ("head", "i4", (2,)),  # its retransmission queue: a chain of PIECE
        ("tail", "i4", (2,)),
        ("pieces", "i4", (2,)),
        ("packets_out", "i8", (2,)),
        ("snd_una", "u4", (2,)),
        ("snd_nxt", "u4", (2,)),
        ("snd_wnd", "i8", (2,)),
        ("snd_wl1", "u4", (2,)),
        ("max_window", "i8", (2,)),
        ("bytes_acked", "i8", (2,)),
        ("total_retrans", "i8", (2,)),
        ("dsack_dups", "i8", (2,)),
        ("sacked_out", "i8", (2,)),  # without SACK: how many duplicate ACKs stand for segments
        ("high_seq", "u4", (2,)),  # the episode of repair ends when this is acknowledged
        ("lost_seq", "u4", (2,)),  # what was sent before is lost, says the timer
        ("retrans_seq", "u4", (2,)),  # what it last sent again
        ("retrans_stamp", "u4", (2,)),  # TSval of the retransmission with which the episode began
        ("episodes", "u1", (2,)),  # has there been one
        ("repair", "u1", (2,)),  # in one, and which: OPEN to LOSS
        ("advanced", "u1", (2,)),  # the last ACK acknowledged something, or may have been joined to one that did
        # As a receiver.
        ("rcv_nxt", "u4", (2,)),
        ("rcv_high", "u4", (2,)),  # beyond rcv_nxt while something waits out of order
        ("rcv_wup", "u4", (2,)),  # what it last acknowledged
        ("rcv_wnd", "i8", (2,)),  # what it then offered
        ("ts_recent", "u4", (2,)),
        ("begin", "u4", (2,)),  # of a connection found open: what was sent before is unknown
        ("fresh", "u1", (2,)),  # it has not sent anything since a SYN-ACK answered its SYN
        ("sent_ns", "i8", (2,)),  # its last data or FIN
        ("fin", "u1", (2,)),  # it has sent a FIN
        ("fin_received", "u1", (2,)),
        ("predicts", "u1", (2,)),  # pred_flags is set
        # ACKs that took the fast path, if it had not been closed yet with data unsent: when and how many.
        ("early_ns", "i8", (2, EARLY_TIMES)),
        ("early", "i4", (2, EARLY_TIMES)),
        ("early_times", "i4", (2,)),
        ("slowest_ns", "i8", (2,)),  # the longest time from the last data sent until all was acknowledged
        (
            "handshake_acks",
            "i8",
            (2,),
        ),  # counted before it sent anything (then SPOKEN): the listener may not have taken them
        # Of the ACKs that came last, one soon after the other: when the first did, and what they were counted for.
        ("race_ns", "i8", (2,)),
        ("race_pure", "i4", (2,)),
        ("race_fast", "i4", (2,)),
        ("race_delivered", "i8", (2,)),
        ("last_ns", "i8", (2,)),  # when it last received a segment
    ],
    align=True,
)

# Segments that follow each other in the retransmission queue, all of one size but the last.
PIECE = np.dtype(
    [
        ("start", "u4"),
        ("end", "u4"),
        ("size", "i4"),
        ("count", "i4"),
        ("flags", "u1"),  # P_...
        ("next", "i4"),  # of the chain, 0 at its end
    ],
    align=True,
)
# The pool of pieces is common to all connections. Piece 0 is none: its `next` heads the chain of
# those that are free again, its `count` is the first that was never used.
PIECES = 1 << 21
MOST_PIECES = 1024  # of one end: more are counted, but not told apart

P_SACKED, P_FIN = 1, 2

NEVER, OPENING, OPENED, FOUND_OPEN, LOST = range(5)  # FOUND_OPEN: before the capture began
SPOKEN = -1
OPEN, REDUCED, RECOVERY, LOSS = range(4)  # as TCP_CA_Open, TCP_CA_CWR, ...
