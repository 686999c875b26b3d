"""What the model of Linux's sender keeps: the segments that are outstanding, and the state of either end's congestion control."""

from __future__ import annotations

import numpy as np

# One buffer of the retransmission queue (struct sk_buff), in a pool that all connections share. Number 0 is none of them: its
# `next` begins the list of those given back, its `start` says how many were ever taken.
SEGMENT = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("sent_ns", "i8"),  # of the latest transmission
        ("delivered", "i8"),  # how much had been delivered then
        ("next", "i4"),  # number of the one behind it, 0 without
        ("count", "i4"),  # segments of the wire (tcp_skb_pcount())
        ("marks", "i4"),
        ("size", "i4"),  # of each of those segments but the last, where there are several (tcp_skb_mss())
    ],
    align=True,
)
POOL = 1 << 18

# Marks of a segment (TCPCB_*): reported by SACK; its retransmission is under way; taken for lost; it was sent again ever;
# it is a SYN; RACK has taken it for lost and does not look at it until it is sent again (tcp_tsorted_anchor).
SACKED, AGAIN, LOST, EVER, IS_SYN, FORGOTTEN = 1, 2, 4, 8, 16, 32

OPEN, DISORDER, CWR, RECOVERY, LOSS = range(5)  # enum tcp_ca_state

# One end as a sender. Numbers are 64-bit positions whose low half is what is on the wire.
SENDER = np.dtype(
    [
        ("known", "u1"),  # it has sent something: `una` and `next` hold
        ("blind", "u1"),  # the pool was full: nothing is known of what is outstanding
        ("sack", "u1"),
        ("ecn", "u1"),
        ("offered", "u1"),  # the options of the handshake are known; and the scale (and 1) that its SYN offers
        ("scale_offer", "u1"),
        ("state", "u1"),
        ("undo", "u1"),  # there is something to undo: `undo_from` holds
        ("stamped", "u1"),  # `stamp` holds
        ("frto", "u1"),
        ("no_frto", "u1"),  # it is switched off
        ("probe_again", "u1"),  # the tail loss probe was a retransmission
        ("probe", "u1"),  # there is a tail loss probe: `probe_end` holds
        ("advanced", "u1"),  # RACK has news
        ("dsack_seen", "u1"),
        ("reordered", "u1"),  # reordering was seen
        ("reneging", "u1"),
        (
            "reneged_ns",
            "i8",
        ),  # when the timer runs out that a peer who forgot what it reported has brought forward; 0 without
        ("una", "i8"),
        ("next", "i8"),
        ("high", "i8"),
        ("undo_from", "i8"),
        ("undo_left", "i8"),  # retransmissions that no DSACK has reported yet; -1 none was made
        ("stamp", "u4"),  # TSval of the first retransmission
        ("probe_end", "i8"),
        ("expiries", "i8"),  # of the timer, in a row
        ("reordering", "i8"),
        ("out", "i8"),  # segments outstanding, and how many of them are SACKED, LOST, AGAIN
        ("sacked", "i8"),
        ("lost", "i8"),
        ("again", "i8"),
        ("sacked_end", "i8"),  # where the highest SACKED ends
        ("delivered", "i8"),
        ("rack_ns", "i8"),  # of the delivered segment that was sent last: when, its end, its round-trip time
        ("rack_end", "i8"),
        ("rack_rtt", "i8"),
        ("reo_steps", "i8"),
        ("reo_persist", "i8"),
        ("reo_delivered", "i8"),
        ("reo_ns", "i8"),  # when the timer of RACK runs out, 0 without
        ("rtt_min", "i8"),  # ns, 0 without a sample
        ("rtt", "i8"),  # eight times the smoothed one (srtt_us)
        ("deviation", "i8"),  # four times its mean deviation (mdev_us), the largest of a round, what the timer takes
        ("deviation_max", "i8"),
        ("variance", "i8"),
        ("round_end", "i8"),
        ("resent", "i8"),  # segments sent again ever, and reported by DSACK ever
        ("doubled", "i8"),
        ("mss", "i8"),
        ("window", "i8"),
        ("window_max", "i8"),
        ("window_seq", "i8"),  # number of the segment that brought the window
        ("scale", "i8"),  # of the windows that it receives
        ("syn_ns", "i8"),  # when it sent a SYN-ACK that was not repeated
        ("probe_ns", "i8"),  # when the timer of the tail loss probe runs out
        ("heard_ns", "i8"),
        ("sent_ns", "i8"),
        ("late", "i8"),  # what an ACK showed to have come late, and when
        ("late_ns", "i8"),
        ("clock", "u4"),  # a TSval of its own and when it was sent
        ("clock_ns", "i8"),
        ("first", "i4"),  # of its segments in the pool
        ("last", "i4"),
        # Of the ACK at hand
        ("flags", "i8"),
        ("lowest", "i8"),  # of the segments that it shows to be late
        ("sacked_first_ns", "i8"),
        ("sacked_last_ns", "i8"),
        ("rate_ns", "i8"),
        ("rate_delivered", "i8"),
        ("block_start", "i8", (4,)),
        ("block_end", "i8", (4,)),
        ("cached", "u1"),  # the blocks of the ACK before (recv_sack_cache): what they cover is not looked at again
        ("cache_start", "i8", (4,)),
        ("cache_end", "i8", (4,)),
        # Its buffers were cut into segments before they were captured: the last piece of one is still to come; how soon the second piece
        # left; and which they were is not certain up to here.
        ("open", "u1"),
        ("gap", "i8"),
        ("cut", "i8"),
        # As a receiver
        ("expected", "i8"),
        ("label", "i8"),  # IPv6 flow label of the last data
    ],
    align=True,
)

# Flags of an ACK (FLAG_*): it has data, changes the window, acknowledges data, data sent again, a SYN; brings SACK news;
# carries ECE; advances; shows that the peer forgot SACKED data; reports a duplicate, that of the probe; acknowledges what was
# sent once; takes a retransmission for lost.
F_DATA, F_WINDOW, F_DATA_ACKED, F_AGAIN_ACKED, F_SYN_ACKED, F_SACKED, F_ECE, F_ADVANCED = (1 << n for n in range(8))
F_RENEGING, F_DSACK, F_DSACK_PROBE, F_ORIGINAL, F_LOST_AGAIN = (1 << n for n in range(8, 13))
F_ACKED = F_DATA_ACKED | F_SYN_ACKED
F_NOT_DUPLICATE = F_DATA | F_WINDOW | F_ACKED
F_ALERT = F_SACKED | F_ECE | F_DSACK

TICKS_NS = 12_000_000  # the timers of RACK and of the probe run in ticks, of 10 ms at most
REORDERING = 3  # net.ipv4.tcp_reordering
REORDERING_MAX = 300  # net.ipv4.tcp_max_reordering
REO_ROUNDS = 16  # TCP_RACK_RECOVERY_THRESH
