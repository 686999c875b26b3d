"""The state that is kept of a flow while packets pass. `low` and `high` are its two ends, ordered by address and port."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

HISTORY = 20
CACHE_LINE = 64  # bytes
AT_A_TIME = 32  # frames for which memory is looked up together, so that they wait for it together

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
        ("recent", "u4"),  # TS.Recent of this end, as a receiver
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

# One segment that took sequence space; all of them in one ring, the latest SENT_CAPACITY of the capture. It has three parts: what
# an acknowledgment looks through, so small that the open segments of many connections fit the processor's cache; what of
# those acknowledged only the newest is asked for; and what there is to say only of one that was sent again.
CHAIN = np.dtype(
    [
        ("end", "i8"),
        ("ahead", "u4"),  # how many records further the next of the same end is; 0 without one
        ("times", "u2"),
        ("needless", "u1"),
    ],
    align=True,
)
FIRST = np.dtype([("start", "i8"), ("time_ns", "i8"), ("frame", "i8"), ("tsval", "u4"), ("ip_id", "u2")], align=True)
AGAIN = np.dtype(  # holds nothing where `times` is 1
    [
        ("before", "i8"),  # number of the record that was retransmitted before this one
        ("time_ns", "i8"),  # of the latest transmission
        ("frame", "i8"),
        ("end", "i8"),  # how far it was retransmitted
        ("tsval", "u4"),
    ],
    align=True,
)


class Sent(NamedTuple):
    """The ring; a row of each part is a record."""

    chain: Any
    first: Any
    again: Any


SENT = (CHAIN, FIRST, AGAIN)  # dtypes of its members
SENT_CAPACITY = 1 << 18
WALK = 512  # how many records are looked at to find one

# What is missing, what was reported by SACK, and verdicts that wait for what comes; only ends that ever needed it have one.
HOLES, BLOCKS, DOUBTS = 16, 8, 8
GAP, COPY = 1, 2  # kinds of doubts: was it not captured, or late; did the capture double it, or the network
BOARD = np.dtype(
    [
        ("owner", "i8"),
        ("holes", "i4"),
        ("blocks", "i4"),
        ("hole_start", "i8", (HOLES,)),
        ("hole_end", "i8", (HOLES,)),
        ("hole_ns", "i8", (HOLES,)),  # time, TSval and IPv4 ID of the segment behind the hole
        ("hole_tsval", "u4", (HOLES,)),
        ("hole_ip_id", "u4", (HOLES,)),
        ("block_start", "i8", (BLOCKS,)),
        ("block_end", "i8", (BLOCKS,)),
        ("doubt_start", "i8", (DOUBTS,)),  # of the data, in positions
        ("doubt_end", "i8", (DOUBTS,)),
        ("doubt_until", "i8", (DOUBTS,)),  # the time at which it is settled without an answer
        ("doubt_ns", "i8", (DOUBTS,)),  # time and number of the frame that is judged
        ("doubt_frame", "i8", (DOUBTS,)),
        ("doubt_related", "i8", (DOUBTS,)),  # COPY: the first copy
        ("doubt_value", "i8", (DOUBTS,)),  # COPY: ns since then; GAP: is it one, unless what is missing comes
        ("doubt_size", "u4", (DOUBTS,)),  # COPY: bytes of the frame, and of its payload
        ("doubt_payload", "u4", (DOUBTS,)),
        ("doubt_tsecr", "u4", (DOUBTS,)),  # GAP: what the acknowledgment echoes
        ("doubt_echoes", "u1", (DOUBTS,)),  # GAP: does it echo anything
        ("doubt_interface", "i4", (DOUBTS,)),
        ("doubt_kind", "u1", (DOUBTS,)),
        ("doubt_direction", "u1", (DOUBTS,)),
    ],
    align=True,
)

# What a frame left behind, for the account of time: of both ends (low, high) as they stood when it had been judged. What is only of
# use where time has passed comes last; it holds where FULL is set, as do `since_ns` and `rtt_ns`, of which segments with data have the
# other end's, too.
MOMENT = np.dtype(
    [
        (
            "flow",
            "i8",
        ),  # that the frame belongs to, and its place: of what passes on both sides of a NAT, the one seen first
        ("time_ns", "i8"),  # when it was captured, its payload and direction: as in its row, which is far away by then
        ("since_ns", "i8"),  # since the other end last sent payload; -1 where it never did
        ("flight", "u4", (2,)),  # payload of this end that is not acknowledged
        ("rtt_ns", "u4", (2,)),  # the least from here to the other end and back, by this end's data; 0 unknown
        ("advanced", "u4"),  # bytes of the other end that the frame newly acknowledges
        ("bits", "u4"),
        ("length", "u4"),
        ("place", "i4"),
        ("kind", "u1"),
        ("end", "u1"),  # that sent the frame
        ("direction", "u1"),
        ("window", "u4", (2,)),  # that this end offers, scaled
        ("srtt_ns", "u4", (2,)),  # as `rtt_ns`, smoothed
        ("segment", "u4", (2,)),  # segment size in use
    ],
    align=True,
)
SKIPPED, OF_ACK, OF_DATA, OF_AGAIN, OF_SYN, OF_FIN, OF_RST, OF_KEEP_ALIVE = range(8)  # kinds
# Bits; those of an end are shifted left by 1 for the high end.
FLIGHT, LIMITED, UNSCALED, ZERO, IN_FAST, IN_LOSS = 1, 4, 16, 64, 256, 1024
BOTH, SHORT, OPENED, WITH_FIN, IS_AGAIN, NEXT_ID, LATER_ID, FULL = (1 << bit for bit in range(12, 20))
AT_ONCE_NS = 1_000_000  # an end that goes on so soon has waited for nothing else; shorter times are not looked into

# Where the time of a connection went, and how it talked. The causes are those of `tables.TIME_CAUSES` but the last, with the
# thinking of the low and the high end for that of client and server.
SPENT = 13
TIME_STATE = np.dtype(
    [
        ("upto_ns", "i8"),  # what was before is accounted for
        ("bits", "u4"),  # of the latest moment
        ("flags", "u2"),  # as below
        ("talker", "u1"),  # 1 + the end that sent data last, or 0
        ("waits", "u1"),  # cause of `pending_trip_ns`, if its sender goes on at once
        ("spent_ns", "i8", (SPENT,)),
        ("pending_ns", "u4"),  # spent on what only the next frames tell: an ACK later than the way takes
        ("pending_trip_ns", "u4"),  # and before that, on the way
        ("pace_ns", "u4"),  # between full segments, smoothed
        ("acked", "u4"),  # tick in which the talker's latest burst was first acknowledged, or 0
        ("round", "u4"),  # tick in which the round trip at hand began
        ("round_bytes", "u4", (2,)),  # that the talker sent in it, and in the one before
        ("turn_bytes", "u4"),  # of the talker's message so far
        ("second", "u4"),  # at hand, since the epoch
        ("second_bytes", "u4", (2,)),
        ("busiest_bytes", "u4", (2,)),  # of all seconds before
        ("details", "i4"),  # 1 + the place of its TALK, or 0
        ("asked_ns", "i8"),  # when the last byte of the message before the talker's was sent
        ("first_byte_ns", "i8"),  # what the slowest answer needed to begin
        ("first_byte_frame", "i8"),
    ],
    align=True,
)
TICK = 16  # a tick is as many ns as two to this power, since the epoch, modulo 2**32
BEGUN, OPENING, OVER, FINISHED = 1, 2, 4, 8  # FINISHED: some FIN was seen
TURNED = 16  # there was an answer; shifted left by 1 for the high end
KEPT = 64  # a keep-alive was sent since the last data
LAST = 128  # the latest frame is of the high end
SEGMENTS, MANY = 256, 7  # the segments of the low end, up to MANY; those of the high end are above them, in 3 bits each
UNNUMBERED = 1 << 14  # IPv4 IDs of the low end do not count its packets one by one; shifted left by 1 for the high end

# Distributions of a connection that took many turns, or sent many segments; three bins to a doubling.
TALK_BINS = 64
FIRST_BYTE, LAST_BYTE, SIZE, IN_FLIGHT = range(4)
TALK = np.dtype(
    [
        ("answers", "i8", (2,)),  # of the low and the high end
        ("most", "i8", (8,)),  # of each of these kinds, of the low and the high end
        ("frame", "i8", (2,)),  # where the slowest answer began
        ("bins", "u2", (8 * TALK_BINS,)),
    ],
    align=True,
)

# A stretch of time that went to one cause, by its number in `tables.TIME_CAUSES`.
STRETCH = np.dtype([("flow", "i8"), ("place", "i8"), ("from_ns", "i8"), ("ns", "i8"), ("cause", "i8")])
STRETCHES_OF_A_FRAME = 6

# The frames that prove where time went, of those connections that lost most of it: each has a place by that of its state, and
# who loses more takes it over.
NOTES = 1 << 14
NOTE = np.dtype(
    [
        ("flow", "i8"),  # 1 + its number, or 0
        ("weight", "i8"),
        ("partial", "u1"),  # it lost more before it got the place
        # Of each cause, of those where the low end waited or was silent, then of those of the high end:
        ("count", "i8", (2 * SPENT,)),  # of stretches that were long enough to be noted
        ("ns", "i8", (2 * SPENT,)),  # how long they were together
        ("first", "i8", (2 * SPENT,)),  # frame that ended the first one
        ("most_ns", "i8", (2 * SPENT,)),  # the longest
        ("most", "i8", (2 * SPENT,)),  # frame that ended it
    ],
    align=True,
)

# Bins of an RTT histogram: four to a doubling, from 256 ns.
BINS, BINS_FROM = 112, 8

# The longest handshake between two addresses, at a place given by the hash of the pair.
PEER = np.dtype([("pair", "u8"), ("rtt_ns", "i8")])
PEERS = 1 << 12

# Boards are taken from one that was not touched for long where all are in use; a capture has to have this many ends in
# trouble at a time before anything is forgotten.
BOARDS = 1 << 17

# The segment at hand, in positions, and what the capture as a whole has seen.
SEGMENT = np.dtype(
    [
        ("frame", "i8"),
        ("time_ns", "i8"),
        ("flow", "i8"),
        ("direction", "u1"),
        ("end_of", "u1"),  # which end sent it: 0 low, 1 high
        ("is_client", "u1"),
        ("has_ack", "u1"),
        ("has_tsval", "u1"),
        ("late", "u1"),  # it was sent before what was captured before it
        ("flags", "i8"),
        ("length", "i8"),
        ("start", "i8"),
        ("end", "i8"),
        ("ack", "i8"),
        ("window", "i8"),
        ("tsval", "i8"),
        ("tsecr", "i8"),
        ("ip_id", "i8"),
        ("una", "i8"),  # of the other end, before this segment
        ("filled", "i8"),  # bytes of it that were missing
        ("hole_ns", "i8"),
        ("hole_tsval", "i8"),
        ("hole_ip_id", "i8"),
        ("advanced", "i8"),  # bytes that it newly acknowledges
        ("sacked", "i8"),  # bytes that it newly reports by SACK
        ("is_dsack", "u1"),
        ("place", "u4"),  # where it was captured, as a hash
        ("interface", "i8"),
        ("size", "i8"),  # bytes of the frame
        ("events", "u8"),
    ],
    align=True,
)
WORLD = np.dtype(
    [
        ("first_ns", "i8"),
        ("previous_ns", "i8"),
        ("frames", "i8"),
        ("sent", "i8"),  # records of what was sent so far; the first is number 1
        ("boards", "i8"),
        ("histograms", "i8"),
        ("free_histograms", "i8"),
        ("previous_interface", "i8"),
        ("originals", "i8"),
        ("copies", "i8"),  # at the same place
        ("proved", "i8"),  # how often a receiver said that the network had doubled a packet
        ("unproved", "i8"),  # how often none said so of data that came twice
        ("twice", "i8"),  # frames that the capture holds again, and their bytes
        ("twice_bytes", "i8"),
        ("late", "i8"),  # frames that the capture wrote after the ACK that covers them
        ("late_apart", "i8"),  # and of these, such that came from another interface than the ACK
        ("late_ns", "i8"),  # by how much, at most
        ("first_late", "i8"),
        ("data", "i8"),  # segments with payload
        ("pure_acks", "i8"),
        ("unseen_acks", "i8"),  # signs that there were pure ACKs which were not captured
        ("out", "i8"),  # events that wait to be taken
    ],
    align=True,
)
