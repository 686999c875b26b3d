"""What a scan must know of a file, and why it stops: shared by the readers of the formats and their kernels."""

from __future__ import annotations

import numpy as np

# One row: how the records of a file are laid out. What a format does not need is 0.
LAYOUT = np.dtype(
    [
        ("format", "u1"),  # PCAP, PCAPNG or GIVEN
        ("big", "u1"),  # big-endian
        ("order", "u1"),  # of the two lengths in a pcap record: 0 normal, 1 swapped, 2 as makes sense
        ("header", "i8"),  # bytes of a pcap record header
        ("unit_ns", "i8"),  # of the fraction of a second in a pcap record
        ("limit", "i8"),  # more captured bytes than this mean that a pcap record header is damaged
        ("interface", "i8"),  # index of the interface of a pcap file
    ],
    align=True,
)
PCAP, PCAPNG, GIVEN = 0, 1, 2  # GIVEN: there is nothing to scan, the records are known

# One row per interface of a pcapng section.
INTERFACE = np.dtype(
    [("index", "i8"), ("snaplen", "i8"), ("base2", "u1"), ("exponent", "i8"), ("offset_s", "i8")], align=True
)

# A record was found, or why a scan stopped: no room for another; the next is not all in the window; a block that changes
# the reader's state; impossible lengths; a packet of an interface that was not described.
FOUND, FULL, NEED, BLOCK, BAD, NO_INTERFACE = range(6)
