"""What a TCP segment, a datagram or a fragment of one is known by at another capture point."""

from __future__ import annotations

import numpy as np

# One segment. Of a datagram, or a fragment of one, `seq` and `ack` are hashes of what it begins with, 24 and 256 bytes. `low` says that its source is the end with the lower address and port (as flows/state.py orders them). What the
# capture does not tell is filled in when the clocks and connections of both points are known.
PASSING = np.dtype(
    [
        ("time_ns", "i8"),
        ("when_ns", "i8"),  # on the clock of the first point
        ("key_ns", "i8"),  # by which both captures are put in order: it never falls within a capture
        ("frame", "i8"),
        ("flow", "i8"),  # -1 of what has no ports
        ("member", "i8"),  # twice the number of its flow; odd numbers are two hosts, of what has no ports
        ("connection", "i4"),
        ("seq", "u4"),
        ("ack", "u4"),
        ("tsval", "u4"),
        ("payload_len", "u4"),
        ("ip_len", "u4"),
        ("ip_id", "u2"),
        ("window", "u2"),
        ("flags", "u2"),
        ("checksum_field", "u2"),
        ("options", "u2"),
        ("mss", "u2"),
        ("src_port", "u2"),
        ("dst_port", "u2"),
        ("source", "u4"),  # addresses, as hashes of 32 bits: they are only compared
        ("target", "u4"),
        ("ttl", "u1"),
        ("tos", "u1"),
        ("window_scale", "u1"),
        ("ip_version", "u1"),
        ("ip_flags", "u1"),
        ("low", "u1"),
        ("direction", "u1"),
        ("way", "u1"),  # 1 from the end with the lower address at the first point
        ("side", "u1"),  # 0 captured at the first point, 1 at the second
        ("near", "u1"),  # 1 before the other point, 0 after it, or UNSURE
        ("note", "u1"),  # what was said of it where it was captured: AGAIN and the others
        ("bad", "u1"),  # its checksum, or that of its IPv4 header, is wrong
    ],
    align=True,
)
UNSURE = 2
DATAGRAM = 1 << 15  # of `flags`: no TCP segment
CUT = 1 << 14  # likewise: a datagram of which less than 256 bytes was captured, and is longer
TWIN = 1 << 13  # likewise: the same as one just before it
# Of `note`: sent again, closes the window, opens it again; not all of its options were captured.
AGAIN, CLOSED, OPENED, HIDDEN = 1, 2, 4, 8
