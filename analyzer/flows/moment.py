"""The segment at hand, what the capture as a whole has seen, and what a frame leaves behind for the account of time."""

from __future__ import annotations

import numpy as np

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
        ("sent", "i8"),  # where the frame at hand stands in the capture: its number, but always after the one before
        ("boards", "i8"),
        ("histograms", "i8"),
        ("free_histograms", "i8"),
        ("previous_interface", "i8"),
        ("originals", "i8"),
        ("copies", "i8"),  # at the same place
        ("shared", "i8"),  # verdicts on frames that came twice for which the rest of the capture was asked
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
