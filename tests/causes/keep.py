"""A recording goes in; what the tests need of it comes out: the truth, and captures without payload."""

from __future__ import annotations

import shutil
import struct
import sys
from pathlib import Path

from .record import TRUTH

KEPT = Path(__file__).parent / "recorded"
HEADERS = 96
"""Bytes of each frame that are kept."""


def keep(folder: Path) -> None:
    """Copy one below `recorded`."""
    for host in ("client", "server"):
        into = KEPT / folder.name / host
        into.mkdir(parents=True, exist_ok=True)
        (into / "capture.pcap").write_bytes(without_payload((folder / host / "capture.pcap").read_bytes()))
    shutil.copy(folder / TRUTH, KEPT / folder.name / TRUTH)


def without_payload(capture: bytes) -> bytes:
    """A pcap file, as tcpdump writes it on this machine, with frames cut."""
    parts, at = [capture[:24]], 24
    while at < len(capture):
        seconds, nanoseconds, captured, length = struct.unpack_from("=IIII", capture, at)
        kept = min(captured, HEADERS)
        parts += [struct.pack("=IIII", seconds, nanoseconds, kept, length), capture[at + 16 : at + 16 + kept]]
        at += 16 + captured
    return b"".join(parts)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep(Path(name))
