"""The frames of some flows: those that carry their packets, further fragments of these, and ICMP errors that quote them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.schema import Rows
from analyzer.tables import PACKETS

FRAGMENT, QUOTED = PACKETS.bit("layers", "fragment"), PACKETS.bit("layers", "quoted")
MOST_DATAGRAMS = 1024  # in fragments, whose fragments are waited for
ENDS = ("src_hi", "src_lo", "src_port", "dst_hi", "dst_lo", "dst_port")
QUOTED_ENDS = tuple(f"quoted_{name}" for name in ENDS)
DATAGRAM = ("src_hi", "src_lo", "dst_hi", "dst_lo", "ip_id", "ip_proto")


class Members:
    """Tells them, in rows whose flows are numbered. A fragment is told from its first one, which comes before it."""

    def __init__(self, flows: tuple[int, ...]) -> None:
        self._flows = np.array(flows, np.int64)
        self._ends: dict[int, dict[str, Any]] = {}  # of each flow, what an error quotes of a packet of it
        self._datagrams: dict[tuple[int, ...], None] = {}

    def among(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of the rows are meant."""
        found = np.isin(rows["flow"], self._flows)
        self._remember(rows, found)
        layers = rows["layers"]
        quoting = np.flatnonzero(layers & QUOTED)
        if len(quoting) and self._ends:
            found[quoting] |= self._quoted(rows[quoting])
        for at in np.flatnonzero(layers & FRAGMENT):
            datagram = tuple(int(rows[name][at]) for name in DATAGRAM)
            if found[at]:
                self._datagrams[datagram] = None
                if len(self._datagrams) > MOST_DATAGRAMS:
                    del self._datagrams[next(iter(self._datagrams))]
            elif rows["flow"][at] < 0 and datagram in self._datagrams:
                found[at] = True
        return found

    def _remember(self, rows: Rows, found: npt.NDArray[np.bool_]) -> None:
        """The ends of flows of which this is the first row."""
        if len(self._ends) < len(self._flows) and found.any():
            flows, first = np.unique(rows["flow"][found], return_index=True)
            for flow, at in zip(flows.tolist(), np.flatnonzero(found)[first], strict=True):
                if flow not in self._ends:
                    self._ends[flow] = {name: rows[name][at] for name in (*ENDS, "ip_proto", "ip_version")}

    def _quoted(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which errors quote a packet of one of the flows, in either direction."""
        found = np.zeros(len(rows), np.bool_)
        for ends in self._ends.values():
            same = (rows["quoted_proto"] == ends["ip_proto"]) & (rows["quoted_version"] == ends["ip_version"])
            for names in (ENDS, (*ENDS[3:], *ENDS[:3])):
                way = same.copy()
                for quoted, name in zip(QUOTED_ENDS, names, strict=True):
                    way &= rows[quoted] == ends[name]
                found |= way
        return found
