"""Interfaces and frames -> blocks of a pcapng file. Format: draft-ietf-opsawg-pcapng."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from analyzer.capture import Interface
from analyzer.capture.records import NO_PACKET_TYPE
from analyzer.schema import Rows

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
COMMENT, END = 1, 0
APPLICATION = 4
NAME, DESCRIPTION, RESOLUTION, FILTER, SYSTEM, FCS_LEN, OFFSET = 2, 3, 9, 11, 12, 13, 14
FLAGS = 2
NANOSECONDS = b"\x09"
MOST_TEXT = 32_000  # bytes of a comment
SNAPLEN = 262_144  # stands for no limit
# What Linux says of a frame in records of the modified pcap format, as epb_flags say it: direction and reception.
BY_PACKET_TYPE = {0: 0x05, 1: 0x0D, 2: 0x09, 3: 0x11, 4: 0x02}


def section(application: str, comment: str) -> bytes:
    """The block that a file begins with."""
    body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return _block(SECTION, body, [(COMMENT, comment.encode()), (APPLICATION, application.encode())])


def interface_block(interface: Interface, snaplen: int, offset_s: int, texts: bool) -> bytes:
    """A capture interface, whose times are nanoseconds after `offset_s`. Without `texts` what people wrote there is left out."""
    options = [(RESOLUTION, NANOSECONDS)]
    if interface.name:
        options.append((NAME, interface.name.encode()))
    if texts:
        described = ((DESCRIPTION, interface.description), (SYSTEM, interface.os))
        options += [(code, text.encode()) for code, text in described if text]
        options += [(FILTER, b"\0" + interface.filter.encode())] if interface.filter else []
    if interface.fcs_len:
        options.append((FCS_LEN, bytes([8 * interface.fcs_len])))
    if offset_s:
        options.append((OFFSET, struct.pack("<q", offset_s)))
    return _block(INTERFACE, struct.pack("<HHI", interface.link_type, 0, snaplen), options)


def packet_block(record: Rows, interface: int, data: bytes, offset_s: int, comments: Sequence[str]) -> bytes:
    """A frame; `record` is its row of RECORDS."""
    ticks = int(record["time_ns"]) - offset_s * 1_000_000_000
    head = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), int(record["length"]))
    flags = int(record["flags"])
    if not flags and int(record["packet_type"]) != NO_PACKET_TYPE:
        flags = BY_PACKET_TYPE.get(int(record["packet_type"]), 0)
    options = [(COMMENT, text.encode()) for text in comments]
    options += [(FLAGS, struct.pack("<I", flags))] if flags else []
    return _block(PACKET, head + data + bytes(-len(data) % 4), options)


def common_snaplen(interfaces: Sequence[Interface]) -> int:
    """One for all: libpcap reads no file whose interfaces differ in it."""
    return max((interface.snaplen or SNAPLEN for interface in interfaces), default=SNAPLEN)


def _block(kind: int, body: bytes, options: Sequence[tuple[int, bytes]]) -> bytes:
    content = body + b"".join(_options(options))
    size = 12 + len(content)
    return struct.pack("<II", kind, size) + content + struct.pack("<I", size)


def _options(options: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    for code, value in options:
        kept = value if len(value) <= MOST_TEXT else value[:MOST_TEXT].decode(errors="ignore").encode()
        yield struct.pack("<HH", code, len(kept)) + kept + bytes(-len(kept) % 4)
    if options:
        yield struct.pack("<HH", END, 0)
