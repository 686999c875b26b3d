"""Reading back what was recorded: a pcap file with nanoseconds goes in, its frames come out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from .errors import LabError

_NANOSECONDS, _ETHERNET = 0xA1B23C4D, 1


def source(frame: bytes) -> str:
    """The hardware address that an Ethernet frame came from, as hosts write it."""
    return frame[6:12].hex(":")


def frames(path: Path) -> Iterator[bytes]:
    """The Ethernet frames of a capture that this machine wrote, as far as they were captured."""
    content = path.read_bytes()
    magic, _, _, _, _, link_type = struct.unpack_from("=IHHQII", content)
    if (magic, link_type) != (_NANOSECONDS, _ETHERNET):
        raise LabError(f"{path} does not hold Ethernet frames with times in nanoseconds")
    offset = 24
    while offset < len(content):
        (captured,) = struct.unpack_from("=I", content, offset + 8)
        yield content[offset + 16 : offset + 16 + captured]
        offset += 16 + captured
