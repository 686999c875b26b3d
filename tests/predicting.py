"""Predicts the counters of a host from frames that a test makes: amount, least and most of each counter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from analyzer.correlate.sums import AT_MOST
from analyzer.passes import increment_rows
from analyzer.prediction import PREDICTED, Predictor
from analyzer.prediction.names import OPENING, VALIDITY
from analyzer.schema import Rows
from analyzer.together import joined
from tests import build, pkt

START_NS = 1_763_660_000_000_000_000
OPEN = """
+0     < S  0:0(0) win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001 > S. 0:0(0) ack 1 win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001 < .  1:1(0) ack 1 win 502
"""


Range = tuple[int, int, int]  # the best guess, the least, the most


def moved(path: Path, host: str) -> dict[str, Range]:
    """What the frames of a capture add to each counter of a host that they may move, by its name as nstat prints it."""
    sums = np.zeros((len(PREDICTED), 3), np.int64)
    for part in increment_rows([str(path)], Predictor([host])):
        for place, column in enumerate(("amount", "least", "most")):
            np.add.at(sums[:, place], part["counter"], part[column])
    return {name: (row[0], row[1], row[2]) for name, row in zip(PREDICTED, sums.tolist(), strict=True) if any(row)}


class Prediction:
    """What the frames of a capture add to the counters of a host, and what may come on top after the last of them."""

    def __init__(self, path: Path, host: str, sysctls: Mapping[str, str] | None = None) -> None:
        predictor = Predictor([host], sysctls=sysctls)
        self.rows: Rows = joined([part.copy() for part in increment_rows([str(path)], predictor)])
        self.late = predictor.finish()

    def of(self, name: str) -> int | tuple[int, int, int]:
        """The amount of a counter; with its bounds where they are not the same."""
        rows = self.rows[self.rows["counter"] == PREDICTED.index(name)]
        amount, least, most = (int(rows[column].sum()) for column in ("amount", "least", "most"))
        return amount if least == amount == most else (amount, least, most)

    def seconds(self, name: str) -> list[float]:
        """When it moved, or may have, since the first frame."""
        times = self.rows["time_ns"][self.rows["counter"] == PREDICTED.index(name)]
        return [round((int(time) - START_NS) / 1e9, 3) for time in times]

    def may_follow(self, name: str) -> int:
        """How much may come on top."""
        return int(self.late["most"][self.late["counter"] == PREDICTED.index(name)].sum())


def of_client(path: Path, script: str, six: bool = False, sysctls: Mapping[str, str] | None = None) -> Prediction:
    """A connection in the notation of `tests.pkt`, seen by the host that opens it."""
    return Prediction(_written(path, script, six), build.SRC6 if six else build.SRC4, sysctls)


def of_server(path: Path, script: str) -> Prediction:
    """The same, seen by the host that is called."""
    return Prediction(_written(path, script), build.DST4)


def of_frames(
    path: Path, host: str, packets: Sequence[tuple[float, bytes]], sysctls: Mapping[str, str] | None = None
) -> Prediction:
    """IP packets and when they were captured, in seconds."""
    records = []
    for seconds, packet in packets:
        kind = build.IPV6 if packet[0] >> 4 == 6 else build.IPV4
        records.append(build.Record(build.ethernet(packet, kind), START_NS + round(seconds * 1e9)))
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    return Prediction(path, host, sysctls)


def _written(path: Path, script: str, six: bool = False) -> Path:
    (scenario,) = pkt.parse(("ipv6\n" if six else "") + OPEN + script, "script")
    return scenario.write(path)


# A conversation of a client with port 80 of a server, segment by segment

CLIENT, SERVER = build.SRC4, build.DST4
MS = 1_000_000
SYN_OPTIONS = build.mss(1460) + build.SACK_PERMITTED + build.NOP + build.window_scale(0)
# What these conversations are about: refusals, openings, and what any segment counts.
MEANT = {f"TcpExt{name}" for name in (*VALIDITY, *OPENING, "TCPToZeroWindowAdv", "TCPSynRetrans")} | {
    name for name in PREDICTED if re.match("Tcp(?!Ext)", name)
}


def segment(
    at_ms: float,
    mine: bool,
    flags: int,
    seq: int,
    ack: int = 0,
    data: bytes = b"",
    options: bytes = b"",
    window: int = 10_000,
    port: int = 40000,
) -> build.Record:
    """A segment from (`mine`) or to the server, at a time of the capture."""
    ends = (SERVER, CLIENT) if mine else (CLIENT, SERVER)
    ports = (80, port) if mine else (port, 80)
    tcp = build.tcp(
        data,
        src_port=ports[0],
        dst_port=ports[1],
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
        options=options,
        between=ends,
    )
    ident = (int(at_ms * 10) + port) % 65536
    return build.Record(build.ethernet(build.ipv4(tcp, src=ends[0], dst=ends[1], ident=ident)), int(at_ms * MS))


def stamp(value: int, echo: int) -> bytes:
    """Timestamps, as Linux aligns them."""
    return build.NOP + build.NOP + build.timestamps(value, echo)


def of_records(records: Iterable[build.Record], folder: Path, host: str = SERVER) -> dict[str, Range]:
    """What moves of that which is meant, under its short name."""
    path = folder / "capture.pcap"
    path.write_bytes(build.pcap(sorted(records, key=lambda each: each.time_ns), magic=build.NANOSECONDS))
    return {name.removeprefix("TcpExt"): found for name, found in moved(path, host).items() if name in MEANT}


def only(found: dict[str, Range], *names: str) -> dict[str, int]:
    """The guesses of what moved beside segments and opens; they are certain, but for what is said only where it moves."""
    usual = {"TcpPassiveOpens", "TcpActiveOpens", "TcpInSegs", "TcpOutSegs", "TCPOrigDataSent", "TCPDeferAcceptDrop"}
    bounds = {name for name, (amount, _, _) in found.items() if f"TcpExt{name}" in AT_MOST and amount == 0}
    for name, (amount, least, most) in found.items():
        assert name in usual | bounds or name in names or amount == least == most, name
    return {name: amount for name, (amount, _, _) in found.items() if name not in usual | bounds}
