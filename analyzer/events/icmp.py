"""ICMP errors of a capture: which packets somebody complained about, a bounded number of rows."""

from __future__ import annotations

import numpy as np

from analyzer.fields import of_fields
from analyzer.schema import Rows, address_text
from analyzer.tables import PACKETS

MOST = 4_096
QUOTED = PACKETS.bit("layers", "quoted")
_KEY = (
    "icmp_type", "icmp_code", "ip_version", "src_hi", "src_lo", "dst_hi", "dst_lo", "quoted_proto", "quoted_version", "quoted_src_hi",
    "quoted_src_lo", "quoted_src_port", "quoted_dst_hi", "quoted_dst_lo", "quoted_dst_port",
)  # fmt: skip
# What each type and code says (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 5.2.7, RFC 4443).
MEANINGS = {
    (4, 3, 0): "network unreachable", (4, 3, 1): "host unreachable", (4, 3, 2): "protocol unreachable", (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed", (4, 3, 5): "source route failed", (4, 3, 6): "network unknown", (4, 3, 7): "host unknown",
    (4, 3, 9): "network prohibited", (4, 3, 10): "host prohibited", (4, 3, 13): "communication prohibited", (4, 4, 0): "source quench",
    (4, 5, 0): "redirect for the network", (4, 5, 1): "redirect for the host", (4, 11, 0): "time to live exceeded",
    (4, 11, 1): "fragment reassembly time exceeded", (4, 12, 0): "parameter problem", (6, 1, 0): "no route", (6, 1, 1): "communication prohibited",
    (6, 1, 3): "address unreachable", (6, 1, 4): "port unreachable", (6, 1, 5): "source address failed policy", (6, 1, 6): "route rejected",
    (6, 2, 0): "packet too big", (6, 3, 0): "hop limit exceeded", (6, 3, 1): "fragment reassembly time exceeded", (6, 4, 0): "parameter problem",
}  # fmt: skip


@of_fields(slots=True)
class IcmpError:
    """One sort of complaint by one sender about the packets of one direction. `mtu` is the smallest that was named, 0 for none."""

    version: int
    type: int
    code: int
    source: str
    destination: str
    protocol: int
    src: str
    src_port: int
    dst: str
    dst_port: int
    count: int
    mtu: int
    first_frame: int
    last_frame: int
    first_ns: int
    last_ns: int
    frames: list[int]

    @property
    def meaning(self) -> str:
        """What the message says."""
        return MEANINGS.get((self.version, self.type, self.code), f"type {self.type} code {self.code}")


class IcmpErrors:
    """Feed it packet rows. `total` counts all errors, `rows` has the first MOST sorts of them."""

    def __init__(self) -> None:
        self.total = 0
        self._found: dict[tuple[int, ...], IcmpError] = {}

    @property
    def rows(self) -> list[IcmpError]:
        """In the order in which they came."""
        return list(self._found.values())

    def add(self, rows: Rows) -> None:
        """The next rows."""
        which = np.flatnonzero(rows["layers"] & QUOTED)
        self.total += len(which)
        for row in rows[which]:
            self._count(row)

    def _count(self, row: Rows) -> None:
        key = tuple(int(row[name]) for name in _KEY)
        known = self._found.get(key)
        version, frame, time_ns = int(row["ip_version"]), int(row["frame"]), int(row["time_ns"])
        too_big = (version == 4 and int(row["icmp_type"]) == 3 and int(row["icmp_code"]) == 4) or (
            version == 6 and int(row["icmp_type"]) == 2
        )
        rest = int(row["icmp_rest"])
        mtu = (rest & 0xFFFF if version == 4 else rest) if too_big else 0
        if known is None:
            if len(self._found) >= MOST:
                return
            quoted = int(row["quoted_version"])
            known = self._found[key] = IcmpError(
                version, int(row["icmp_type"]), int(row["icmp_code"]),
                address_text(int(row["src_hi"]), int(row["src_lo"]), version), address_text(int(row["dst_hi"]), int(row["dst_lo"]), version),
                int(row["quoted_proto"]),
                address_text(int(row["quoted_src_hi"]), int(row["quoted_src_lo"]), quoted), int(row["quoted_src_port"]),
                address_text(int(row["quoted_dst_hi"]), int(row["quoted_dst_lo"]), quoted), int(row["quoted_dst_port"]),
                0, mtu, frame, frame, time_ns, time_ns, [],
            )  # fmt: skip
        known.count += 1
        known.last_frame, known.last_ns = frame, time_ns
        known.mtu = min(known.mtu, mtu) or mtu or known.mtu
        if len(known.frames) < 8:
            known.frames.append(frame)
