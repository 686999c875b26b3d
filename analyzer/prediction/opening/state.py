"""What is kept of handshakes and listeners to tell cookies, fast opens and full queues from packets."""

from __future__ import annotations

import numpy as np

ACKS = 16

# Of a connection; a host that is both ends is followed as the client and as the server.
OPENING = np.dtype(
    [
        ("server", "i4"),  # the port of the host that the SYNs came to
        # The SYN that a listener of the host got last
        ("waits", "u1"),  # it has no answer yet
        ("syn_ns", "i8"),
        ("syn_frame", "i8"),
        ("syn_cookie_len", "i4"),  # of the fast open cookie in it, -1 without the option
        ("syn_bytes", "i4"),
        ("syn_options", "u4"),
        ("held", "i4"),  # SYNs dropped for one of the two queues, and only the end of the capture tells which
        ("ignored", "i4"),  # SYNs that got no answer, and nobody knows yet whether the port answers at all
        # The SYN-ACKs of the host
        ("again_ns", "i8"),  # when the SYN came again
        ("answers", "i4"),  # how many, with new ones for each SYN
        ("resent", "i4"),  # those of them that look as if they were sent again
        ("answer_ns", "i8"),  # the last one
        ("answer_frame", "i8"),
        ("answer_tsval", "u4"),
        ("answer_clock", "u1"),  # it has timestamps
        ("crowd", "i4"),  # how many other handshakes of the port were under way at the first
        ("kind", "u1"),
        ("pending", "u1"),  # counted in the port's
        ("timer_repeats", "i4"),
        ("fast", "u1"),  # opened by the SYN
        ("opened", "u1"),
        ("opened_ns", "i8"),  # the first that would end it
        ("opened_frame", "i8"),
        ("opened_seq", "u4"),
        ("baked", "u1"),  # it was a cookie, and a segment that did not fit it was reset
        ("beyond", "u1"),  # the last one had another number, so that no cookie fits it
        ("spoken", "u1"),  # the host has sent something behind the handshake
        # Segments of the client that would end the handshake, since the last SYN-ACK
        ("acks", "i4"),
        ("ack_ns", "i8"),  # the last of them
        ("ack_frame", "i8"),
        ("refused_acks", "i4"),  # those of them that nobody answered
        ("again_acks", "i4"),  # those before data came again
        ("acks_ns", "i8", (ACKS,)),  # when each came, and in which frame; of more, the last
        ("acks_in", "i8", (ACKS,)),
        # Of these, those without data
        ("pure_acks", "i4"),
        ("refused_pure", "i4"),
        ("again_pure", "i4"),
        ("unanswered_ns", "i8"),  # since when data among them waits for an answer, 0 without
        # The host as the client
        ("asks", "u1"),  # its SYN had the fast open option, or data
        ("sent_bytes", "i4"),  # in it
        ("first_byte", "u4"),  # behind the SYN
        ("connects", "u1"),
        ("timeouts", "i4"),  # one after another
    ],
    align=True,
)

# Of each port of the host, whatever its addresses.
PORT = np.dtype(
    [
        ("answers", "u1"),  # it has sent a SYN-ACK
        ("signs", "u1"),  # with an MD5 signature
        ("fast_open", "u1"),  # it has given or taken a fast open cookie
        ("pending", "i4"),  # handshakes under way
        ("proven", "i4"),  # so many at most, when a SYN-ACK was certainly no cookie
        ("overflowed", "u1"),  # it has ignored the end of a handshake: its accept queue was full
        ("no_cookies", "u1"),  # it sends none: it has dropped SYNs for a full queue of requests, or its settings say so
        ("guarded", "i4"),  # net.ipv4.tcp_max_syn_backlog where there are no cookies, else 0
        ("cookie_ns", "i8"),  # when it last sent a SYN cookie
        ("asked", "u1"),  # what others of its connections have shown has decided what is said of one
    ],
    align=True,
)
PORTS = 1 << 16

UNDECIDED, REQUEST, COOKIE = range(3)  # what a SYN-ACK stands for

TFO_TIMEOUTS = 3  # in a row: tcp_fastopen_active_detect_blackhole()
COOKIE_TICKS = 64  # the TSval of a cookie lies up to so many ticks behind the clock: its low bits hold options
LAG_TICKS = 2  # more than rounding makes
TIMER_NS = 1_000_000_000  # before a SYN-ACK is repeated
TIMER_SLACK_NS = 500_000_000
UNANSWERED_NS = 250_000_000  # longer than an ACK is delayed
SILENCE_NS = 20_000_000  # longer than a listener takes for its answer
COOKIE_VALID_NS = 120_000_000_000  # TCP_SYNCOOKIE_VALID
