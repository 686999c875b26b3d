"""What tshark says of each frame of a capture file, streamed: its labels, its stream, its checksums."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from typing import NamedTuple

from analyzer.crosscheck.checksums import STATUS_FIELDS
from analyzer.errors import CaptureError
from analyzer.output import temporary_file
from analyzer.tables import WIRESHARK

FIELDS = (
    "frame.number", "frame.cap_len", "frame.protocols", "tcp.stream", *(f"tcp.analysis.{name}" for name in WIRESHARK),
    *STATUS_FIELDS,
)  # fmt: skip
VERIFYING = (  # preferences with which it verifies every checksum, of datagrams in fragments too
    "tcp.check_checksum:TRUE",
    "udp.check_checksum:TRUE",
    "ip.check_checksum:TRUE",
    "ip.defragment:TRUE",
    "ipv6.defragment:TRUE",
    "ip.tso_support:TRUE",
    "ipv6.tso_support:TRUE",
    "tcp.desegment_tcp_streams:FALSE",
)
PREFERENCES = (*VERIFYING, "tcp.analyze_sequence_numbers:TRUE")


class Said(NamedTuple):
    """tshark's view of a frame. `stream` is -1 where it has found no TCP; of several the outermost counts."""

    frame: int
    captured: int
    protocols: str
    stream: int
    labels: frozenset[str]
    checksums: dict[str, list[str]]


def said_of(path: str) -> Generator[Said]:
    """The frames of a file as tshark sees them. Raises CaptureError where it cannot read the file at all."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=;"]
    command += [word for name in FIELDS for word in ("-e", name)]
    command += [word for preference in PREFERENCES for word in ("-o", preference)]
    count = 0
    with (
        temporary_file() as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True, errors="replace") as process,
    ):
        try:
            for line in process.stdout or ():
                parts = line.rstrip("\n").split("\t")
                if len(parts) == len(FIELDS):
                    count += 1
                    yield _said(parts)
        except GeneratorExit:
            process.kill()  # nobody wants the rest
            raise
        status = process.wait()
        complaints.seek(0)
        text = complaints.read().decode(errors="replace").strip().splitlines()
    if status > 0 and not count:
        raise CaptureError(path, f"tshark cannot read it ({text[-1] if text else status})", "check the file")


def _said(parts: list[str]) -> Said:
    labels = 4 + len(WIRESHARK)
    words = zip(WIRESHARK, parts[4:labels], strict=True)
    return Said(
        int(parts[0]),
        int(parts[1]),
        parts[2],
        int(parts[3].partition(";")[0]) if parts[3] else -1,
        frozenset(word for word, value in words if value),
        dict(zip(STATUS_FIELDS, (text.split(";") for text in parts[labels:]), strict=True)),
    )
