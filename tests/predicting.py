"""Predicts the counters of a host from frames that a test makes: amount, least and most of each counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analyzer.passes import increment_rows
from analyzer.prediction import PREDICTED, Predictor
from analyzer.schema import Rows
from tests import build, pkt

START_NS = 1_763_660_000_000_000_000
OPEN = """
+0     < S  0:0(0) win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001 > S. 0:0(0) ack 1 win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001 < .  1:1(0) ack 1 win 502
"""


class Prediction:
    """What the frames of a capture add to the counters of a host, and what may come on top after the last of them."""

    def __init__(self, path: Path, host: str, sysctls: Mapping[str, str] | None = None) -> None:
        predictor = Predictor([host], sysctls=sysctls)
        self.rows: Rows = np.concatenate([part.copy() for part in increment_rows([str(path)], predictor)])
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
