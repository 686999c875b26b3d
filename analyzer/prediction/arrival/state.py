"""What the prediction keeps of the receiver in the host: what it waits for, and what it holds out of order."""

from __future__ import annotations

import numpy as np

# Of each end of a connection; only the ends that lie in the host are kept.
ARRIVAL = np.dtype(
    [
        ("ready", "u1", (2,)),  # it is known what comes next
        ("over", "u1", (2,)),  # reset, or in TIME_WAIT: data is no longer looked at
        ("next", "u4", (2,)),  # rcv_nxt
        ("edge", "u4", (2,)),  # right edge of the window it offered
        ("queue", "i4", (2,)),  # the first range out of order, in the pool; 0 without
        ("last", "i4", (2,)),  # the last of them
        ("stored", "i8", (2,)),  # bytes in these ranges
        (
            "twice",
            "u2",
            (2, 2),
        ),  # segments that came again, old ones and such that wait out of order, since it last reported one
        ("una", "u4", (2,)),  # what the other end acknowledged last
        ("stamped", "u1", (2,)),
        ("recent", "u4", (2,)),  # ts_recent: what a later TSval may not fall behind
        ("fin", "u1", (2,)),  # 1 a FIN waits out of order, 2 it was taken
        ("fin_end", "u4", (2,)),  # the number after it
        ("scale", "u1", (2,)),  # shift of the window that it sends; from the options of its SYN
        ("scales", "u1", (2,)),  # whether its SYN had that option: 0 not seen, 1 no, 2 yes
        ("sack", "u1", (2,)),  # its SYN permitted SACK
        ("kind", "u1", (2,)),  # what became of the segment before, if the host sent nothing since
        ("end", "u4", (2,)),  # where that ended
        ("tsval", "u4", (2,)),
        ("tsecr", "u4", (2,)),
        ("awake_ns", "i8", (2,)),  # until when the reader may be at work with the data that came last in order
        ("taken", "u2", (2,)),  # segments in order since the host sent something
        ("beyond", "u1", (2,)),  # the last one reached beyond the window
        ("short", "u1", (2,)),  # memory for data ran out before
        ("crowd", "u1", (2,)),  # segments with data that came since its window last moved on, of those that matter
        ("told", "u4", (2,)),  # what it acknowledged last
        ("mss", "u4", (2,)),  # the largest segment it received
        ("widest", "u4", (2,)),  # the largest window it offered
        ("due_ns", "i8", (2,)),  # since when an ACK is owed; 0 without
        ("soon", "u1", (2,)),  # its timer has no time set yet: nothing but a FIN came
        ("data_ns", "i8", (2,)),  # when data came last
        ("heard_ns", "i8", (2,)),  # and when something without
        ("counted", "u1", (2,)),  # segments out of order that were answered at once
        ("counted_at", "u4", (2,)),  # while this was waited for
        ("held", "i4", (2,)),  # segments out of order since then that may have no ACK of their own
        ("joins", "u1", (2,)),  # whether the last segment joined the one before in the backlog: 1 perhaps, 2 probably
        ("doubted", "i4", (2,)),  # of those held, how many may have joined the one before
        ("joined", "i4", (2,)),  # segments that probably joined the one before, beside those held
        ("direct", "u1", (2,)),  # the last segment has one
        ("bare_ns", "i8", (2,)),  # when an ACK without data came that is among them; 0 if something else came since
        ("early", "u1", (2,)),  # the next ACK is for those before the last one
        ("sacks", "u1", (2,)),  # blocks of the next ACK: how many, and where they begin and end
        ("sack_left", "u4", (2, 4)),
        ("sack_right", "u4", (2, 4)),
        ("predicts", "u1", (2,)),  # header prediction may be on
        ("peer_window", "u2", (2,)),  # with this window
        ("some", "u1", (2,)),  # it received data
        ("tail", "u1", (2,)),  # segments in the last buffer of those to be read
        ("tail_ns", "i8", (2,)),  # when the last one came
        ("in_hand", "i4", (2,)),  # memory that it reserved and does not use yet
        (
            "ato_ns",
            "i8",
            (2,),
        ),  # how long it delays an ACK (icsk_ack.ato), 0 before the first data; and when data came last
        ("data_last_ns", "i8", (2,)),
        # The segment before, whatever it was; its time is 0 if nothing can be joined to it.
        ("before_ns", "i8", (2,)),
        ("before_end", "u4", (2,)),
        ("before_tsval", "u4", (2,)),
        ("before_tsecr", "u4", (2,)),
        ("before_sack", "u4", (2,)),
        ("before_sack_end", "u4", (2,)),
        ("waited", "u1", (2,)),  # the last segment may have been joined to it
    ],
    align=True,
)
# What became of a segment.
NOTHING_NEW, OLD, IN_ORDER, OUT_OF_ORDER, REFUSED = range(5)

ATO_NS, ATO_TICK_NS = 39_000_000, 3_000_000  # the timer of delayed ACKs (TCP_DELACK_MIN), and how early its tick may be
ATO_MIN_NS, ATO_MAX_NS = 40_000_000, 200_000_000  # TCP_ATO_MIN, TCP_DELACK_MAX
ATO_LATE_NS = 10_000_000  # how late its timer may be: two ticks, and a busy processor
QUIET_NS = 1_000_000  # what is sent so long after data is not the answer to it
BLOCKS, BLOCKS_EXPECTED = (
    4,
    2,
)  # SACK blocks that are kept, and that are taken to get through (TCP_SACK_BLOCKS_EXPECTED)
AT_ONCE_NS = 100_000  # what is sent so soon after a segment answers it
DUPLICATES = 3  # segments out of order that are answered at once (TCP_FASTRETRANS_THRESH)
MOST_SHIFT = 14
FIRST_SEGMENTS = 10  # what is offered at first, if the buffer is not smaller (TCP_INIT_CWND)
LEAST_MSS, WINDOW_PART = 536, 16  # below either the receiver would close its window (__tcp_select_window())
PAGE, SKB_BYTES = 4096, 576  # what a socket takes memory in; what a buffer takes beside the data, at least
USUAL_BYTES, SHELL_BYTES = 704, 256  # what it mostly takes, and how much of it is saved if it is joined to another
READ_NS = 20_000  # a segment that follows so soon finds the one before unread
JOINED = 18  # segments that fit into one buffer, which has so many places less one for pages (MAX_SKB_FRAGS)
SEEN_NS = 40_000_000  # after which what an ACK does not cover was not taken
MANY = 1000  # more is not counted
PACKED = 2  # times that what a segment brought may be packed into another buffer
CROWD = 2  # segments that may have filled the memory of a socket whose window did not move on
AWAKE_NS, COPY_NS = 1_000_000, 20  # how long a reader that data woke up may keep the socket: in all, and for each byte

# A range of bytes that were received out of order. All connections share the rows; row 0 keeps the rest: `next` is
# the first free row that was used before, `left` how many have been in use.
RANGES = 1 << 20
RANGE = np.dtype([("left", "u4"), ("right", "u4"), ("pieces", "i4"), ("size", "u4"), ("next", "i4")], align=True)
