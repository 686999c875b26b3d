"""The state that is kept of each end of a TCP connection while packets pass."""

from __future__ import annotations

import numpy as np

# What is kept of each end of a TCP connection. Positions are sequence numbers without wrap, from the end's own ISN: the SYN
# is 0, the first byte of data 1. "This end" is the one whose data, window or timestamps a field describes. What an ordinary
# segment touches comes first, in END_LINES cache lines.
END_STATE = np.dtype(
    [
        ("known", "u1"),  # is `isn` known, by a segment of this end or an acknowledgment for it
        ("heard", "u1"),  # has this end sent anything
        ("scale", "u1"),  # the shift in use
        ("shift", "u1"),  # the shift that the SYN offered
        ("scale_known", "u1"),  # both SYNs were captured
        ("windows", "u1"),  # has this end offered a window
        ("timestamps", "u1"),
        ("recent_known", "u1"),
        ("phase", "u1"),  # OPEN, FAST or LOSS
        ("probe", "u1"),  # PROBE or KEEP_ALIVE while one of these waits for an answer
        ("ecn", "u1"),
        ("rst", "u1"),  # its first reset: 0 none, ALONE or WITH_ACK
        ("cut", "u1"),  # its SYN was captured without all of its options
        ("doubted", "u1"),  # a timeout that may be needless: nothing was sent again after it (F-RTO, RFC 5682)
        ("syn_acked", "u1"),  # has it answered a SYN
        ("ids", "u1"),  # of its last two packets with an IPv4 ID: IDS_VARY or IDS_SAME
        ("numbered", "u1"),  # so many packets in a row had the next IPv4 ID, but for steps that losses explain
        (
            "unordered",
            "u1",
        ),  # how often the next of its stream had a lower IPv4 ID, up to UNORDERED: then they tell no order
        ("id_of_data", "u1"),  # was it data that had the highest IPv4 ID
        ("doubts", "u1"),  # how many verdicts on its data wait for what comes, on its board
        ("lagging", "u1"),  # the capture has written its frames late
        ("direct", "u1"),  # was it heard on this side of the NAT, where there is one
        ("ttl_low", "u1"),  # least and most of its segments, without resets
        ("ttl_high", "u1"),
        ("box_hops", "u1"),  # to a box on the way that spoke in its name, or NO_BOX
        ("padding", "u1"),  # does the IP length of its ACKs include padding: NO_PADDING, MAY_PAD or PADS
        ("two_isns", "u1"),  # has another SYN-ACK offered `other_isn`, before the handshake was complete
        ("limited", "u1"),  # has the other end's window limited this end, by `window_limited`
        ("syn_ttl", "u1"),  # of its SYN-ACK
        ("syn_met", "u1"),  # has its first data been compared with that
        ("syns", "u2"),
        ("syn_id", "u2"),  # IPv4 ID of its SYN
        ("fins", "u2"),  # how often it sent its FIN
        ("void_probes", "u2"),  # segments into a closed window, in a row, that no receiver need answer
        ("offered", "u2"),  # TCP options of the SYN
        ("mss", "u2"),
        ("ip_id", "u2"),
        ("place", "u4"),  # where its first packet was captured, as a hash
        ("isn", "u4"),
        ("tsval", "u4"),  # highest sent
        ("tsval_first", "u4"),
        (
            "clock_low_ns",
            "i8",
        ),  # least that its TSval, counted in milliseconds since its first, was ahead of the capture's time
        ("clock_gain_ns", "i8"),  # the most by which it then came to be further ahead
        ("recent", "u4"),  # TS.Recent of the other end: so a SYN leaves nothing to keep of who never answers
        ("recent_ns", "i8"),
        ("next", "i8"),  # after the highest that was sent
        ("captured", "i8"),  # after the highest that was captured
        ("una", "i8"),  # the highest that was acknowledged
        ("fin", "i8"),  # where the FIN is; 0 without one
        ("window", "i8"),  # last offered, scaled
        ("edge", "i8"),  # its highest right edge, in positions of the other end
        ("last_edge", "i8"),
        ("window_min", "u4"),
        ("window_max", "u4"),
        ("repeats", "u4"),  # duplicate ACKs in a row for this end's data
        ("board", "i4"),  # place of the scoreboard, or -1
        ("oldest", "i8"),  # of the records of what was sent: the oldest not acknowledged, 0 none
        ("newest", "i8"),
        ("sent_ns", "i8"),  # when it last sent something that takes sequence space
        ("data_ns", "i8"),  # when it last sent payload
        ("last_ns", "i8"),
        ("last_frame", "i8"),
        ("idle_ns", "i8"),  # longest silence
        ("news_ns", "i8"),  # when an acknowledgment last told this end something new
        ("advance_ns", "i8"),  # when one last moved `una`
        ("told_ns", "i8"),  # when one first told it of the present hole
        ("sacked_high", "i8"),  # highest that the other end reported by SACK
        ("recovery_end", "i8"),
        ("tail_probe_end", "i8"),
        ("offence", "i8"),  # frame of a segment that the other end may challenge; negative: of a repeated SYN-ACK
        ("zero_frame", "i8"),  # that closed the window, or 0
        ("missing_bytes", "i8"),  # acknowledged, but not captured
        ("in_flight_max", "i8"),
        ("largest", "u4"),
        ("super_segments", "u4"),
        ("rtt_count", "u4"),
        ("histogram", "i4"),  # place of the RTT histogram, or -1
        ("rtt_min_ns", "i8"),
        ("rtt_max_ns", "i8"),
        ("srtt_ns", "i8"),
        ("undo_tsval", "u4"),  # of the first retransmission since all was well
        ("rtt_first", "f4", (8,)),
        ("passed", "u4"),  # most payload in a segment that was acknowledged and not sent again as it was
        ("loss_ns", "i8"),  # when its timer last ran out
        ("newest_again", "i8"),  # the newest record that was retransmitted
        ("probe_ns", "i8"),
        ("probe_frame", "i8"),
        ("syn_frame", "i8"),  # of its last SYN or SYN-ACK
        ("syn_ns", "i8"),
        ("zero_since_ns", "i8"),
        ("zero_ns", "i8"),
        ("zero_longest_ns", "i8"),
        ("full_edge", "i8"),  # right edge of the other end's window when this end's data last filled it; 0 if never
        ("full_window", "i8"),  # the largest window of the other end that it filled
        ("void_gap_ns", "i8"),  # how long after the segment before the latest of `void_probes` was sent
        ("fin_ns", "i8"),  # when its FIN was first sent, and its first reset
        ("rst_ns", "i8"),
        ("zero_windows", "u4"),
        ("retransmissions", "u4"),
        ("retransmitted_bytes", "i8"),
        ("timeouts", "u4"),
        ("spurious", "u4"),
        ("reordered", "u4"),
        ("duplicate_acks", "u4"),  # that this end sent
        ("sack_blocks", "u4"),
        ("dsacks", "u4"),
        ("copies", "u4"),
        ("once", "u4"),  # packets that were no copies
        ("hole_bytes", "i8"),  # not captured, not acknowledged
        ("needless_frame", "i8"),  # the latest retransmission that was not needed, as far as that is known
        ("full_start", "i8"),  # where its first segment of the largest size began
        ("full_frame", "i8"),  # where the timer last sent that again, and when it did so first and last
        ("full_first_ns", "i8"),
        ("full_ns", "i8"),
        ("full_times", "u4"),  # how often it did
        ("other_isn", "u4"),
        ("syn_acks_again", "u2"),  # SYN-ACKs that it may have repeated without anything being lost
        ("fins_again", "u2"),  # times that it repeated its FIN alone, though no timer had run out
        ("padding_end", "i8"),  # where what is or may be padding ends, of its latest such segment
    ],
    align=True,
)
# Places in an array of END_STATE: an end of which nothing is known, which is that of all who have no place of their own; and scratch.
BLANK, DRAFT = 0, 1
FIRST_END = 2  # the first of the others
END_LINES = 5  # cache lines of an end that an ordinary segment touches

NO_WINDOW = 0xFFFFFFFF  # of `window_min`, before a window was offered
NO_BOX = 255
OPEN, FAST, LOSS = 0, 1, 2
PROBE, KEEP_ALIVE = 1, 2
IN_VAIN = 3  # so many `void_probes` are no accident
ALONE, WITH_ACK = 1, 2
NO_PADDING, MAY_PAD, PADS = 0, 1, 2
ECN_ASKED, ECN_AGREED = 1, 2
IDS_VARY, IDS_SAME = 1, 2
UNORDERED = 2

# Bins of an RTT histogram: four to a doubling, from 256 ns.
BINS, BINS_FROM = 112, 8
