"""What one host shows: a bundle goes in; its events and frames, told apart by sender, and its increments come out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analyzer import analyze

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_COLUMNS = ["frame", "time_ns", "flow", "src", "seq", "ack", "flags", "window", "payload_len"]


@dataclass(slots=True)
class View:
    """Events and TCP segments between the two snapshots of one host.

    `segments` has the columns of packets above and `mine`, whether this host sent it, `again`, whether it is a
    retransmission; `events` has `mine` and `payload_len` besides its own columns.
    """

    folder: Path
    increments: dict[str, int]
    segments: pd.DataFrame
    events: pd.DataFrame
    flows: pd.DataFrame
    mss: int

    def said(self, event: str, *causes: str, mine: bool = True) -> pd.DataFrame:
        """The events of this kind, with one of the causes where any is given, on frames of this host or of others."""
        rows = self.events[(self.events["event"] == event) & (self.events["mine"] == mine)]
        return rows[rows["cause"].isin(causes)] if causes else rows

    def count(self, event: str, *causes: str, mine: bool = True) -> int:
        """How many of them."""
        return len(self.said(event, *causes, mine=mine))

    def frames(self, event: str, *causes: str) -> set[int]:
        """The frames of this host of which that is said."""
        return set(self.said(event, *causes)["frame"])

    def in_segments(self, rows: pd.DataFrame) -> int:
        """How many segments these frames are: a super-segment is several."""
        return int(np.maximum(1, np.ceil(rows["payload_len"].to_numpy() / self.mss)).sum())

    def closed_before(self, flow: int, frame: int) -> bool:
        """Whether this host had sent a FIN in the flow before the frame."""
        return any(each < frame for each in self._fins(flow, mine=True)["frame"])

    def gone_before(self, flow: int, frame: int) -> bool:
        """Whether nothing of the connection was left: a reset before the frame, or TIME_WAIT.

        TIME_WAIT is where a host has sent and received a FIN, and an ACK for its own.
        """
        segments = self.segments[(self.segments["flow"] == flow) & (self.segments["frame"] < frame)]
        if (segments["flags"] & RST != 0).any():
            return True
        sent = self._fins(flow, mine=True)
        received = self._fins(flow, mine=False)
        if not len(sent) or not (received["frame"] < frame).any():
            return False
        end = int(sent["seq"].iloc[0]) + int(sent["payload_len"].iloc[0]) + 1 & 0xFFFFFFFF
        return bool((~segments["mine"] & (segments["ack"] == end)).any())

    def copied(self, rows: pd.DataFrame) -> list[int]:
        """The frames that are copies, made by the network, of one of these."""
        copies = self.events[self.events["event"] == "network_duplicate"]
        times = set(rows["time_ns"])
        return [int(row.frame) for row in copies.itertuples() if row.time_ns - row.value in times]

    def received_again(self) -> int:
        """How many segments with data came to this host whose first byte it had been sent before."""
        rows = self.segments[~self.segments["mine"] & (self.segments["payload_len"] > 0)]
        return int(rows.duplicated(["flow", "seq"]).sum())

    def _fins(self, flow: int, mine: bool) -> pd.DataFrame:
        rows = self.segments[(self.segments["flow"] == flow) & (self.segments["mine"] == mine)]
        return rows[rows["flags"] & FIN != 0]


def bundles(folder: Path) -> list[Path]:
    """The folders below this one that hold a capture and counters, in order."""
    return sorted(each.parent for each in folder.rglob("counters.jsonl") if (each.parent / "capture.pcap").exists())


def snapshots(folder: Path) -> tuple[int, int, dict[str, int]]:
    """Times of the first and last snapshot in ns, and by how much each counter moved between them."""
    lines = (folder / "counters.jsonl").read_text(encoding="utf-8").splitlines()
    first, last = (json.loads(line, parse_float=str) for line in (lines[0], lines[-1]))
    moved = {name: value - first["counters"].get(name, 0) for name, value in last["counters"].items()}
    return _nanoseconds(first["time"]), _nanoseconds(last["time"]), moved


def _nanoseconds(text: str) -> int:
    seconds, _, rest = text.partition(".")
    return int(seconds) * 1_000_000_000 + int(rest.ljust(9, "0"))


def addresses(folder: Path) -> set[str]:
    """Every address of the host."""
    host: dict[str, Any] = json.loads((folder / "host.json").read_text(encoding="utf-8"))
    return {address.split("/")[0] for each in host["interfaces"] for address in each["addresses"]}


def view(folder: Path) -> View:
    """The bundle in `folder`, analysed."""
    from_ns, to_ns, increments = snapshots(folder)
    analysis = analyze(folder / "capture.pcap")
    packets = analysis.packets
    segments = packets[packets["flow"].ge(0) & packets["ip_proto"].eq(6)][_COLUMNS]
    segments = segments[segments["time_ns"].between(from_ns, to_ns)]
    mine = segments["src"].astype(str).isin(addresses(folder))
    events = analysis.events
    repeated = events[events["event"].isin(["retransmission", "capture_duplicate"])]["frame"]
    segments = segments.assign(mine=mine, again=segments["frame"].isin(repeated), flags=segments["flags"].astype(int))
    events = events.merge(segments[["frame", "mine", "payload_len", "flags"]], on="frame")
    offered = packets["mss"][packets["mss"] > 0]
    # The timestamps in each segment take 12 bytes of what was offered.
    mss = int(offered.min()) - (12 if packets["tsval"].any() else 0) if len(offered) else 1448
    return View(folder, increments, segments, events, analysis.flows, mss)
