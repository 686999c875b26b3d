"""Running counts over packet rows, and the words in which they are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.schema import Column, Rows
from analyzer.summary.steps import is_regular
from analyzer.tables import PACKETS

IP_PROTOCOLS = {
    0: "hop-by-hop", 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 41: "6in4", 43: "routing", 44: "fragment",
    46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 59: "no next header", 60: "destination options", 88: "EIGRP",
    89: "OSPF", 103: "PIM", 112: "VRRP", 115: "L2TP", 132: "SCTP", 136: "UDP-Lite",
}  # fmt: skip
ETHERTYPES = {
    0x0806: "ARP", 0x8035: "RARP", 0x22F0: "AVTP", 0x22F3: "TRILL", 0x8137: "IPX", 0x809B: "AppleTalk", 0x80F3: "AARP",
    0x8809: "LACP", 0x8847: "MPLS", 0x8848: "MPLS multicast", 0x8863: "PPPoE discovery", 0x8864: "PPPoE", 0x888E: "EAPOL",
    0x8892: "PROFINET", 0x88A2: "ATA over Ethernet", 0x88A4: "EtherCAT", 0x88CC: "LLDP", 0x88E5: "MACsec",
    0x88F7: "PTP", 0x8902: "CFM", 0x8906: "FCoE", 0x9000: "loopback test",
}  # fmt: skip


SUMS = (
    "frames",
    "bytes",
    "captured",
    "hidden",
    "still",
    "turns",
    "regular",
    "regular_turns",
)  # of TOTALS, where the clock never goes back


@of_fields(frozen=True, slots=True)
class Share:
    """A protocol's part of the capture."""

    name: str
    frames: int
    bytes: int


class Summary:
    """Running counts over a capture. `add` each batch's rows; the properties can be read at any time."""

    def __init__(self) -> None:
        from analyzer.summary.summary_kernel import TOTALS

        self._totals = np.zeros(1, TOTALS)
        self._ip = np.zeros((2, 256, 2), np.int64)
        self._ethertypes = np.zeros((1 << 16, 2), np.int64)
        self._bits = np.zeros((3, 32), np.int64)
        self._stops = np.zeros(len(PACKETS["stop"].words), np.int64)
        self._interfaces = np.zeros(64, np.int64)

    def add(self, rows: Rows, interfaces: int) -> int:
        """Count the packet rows of a batch of a capture that has `interfaces` interfaces so far. Returns the `layers` that any of them has."""
        from analyzer.summary.summary_kernel import tally

        if interfaces > len(self._interfaces):
            self._interfaces = np.concatenate([self._interfaces, np.zeros(2 * interfaces, np.int64)])
        found: int = tally(rows, self._totals, self._ip, self._ethertypes, self._bits, self._stops, self._interfaces)
        return found

    def counts(self) -> dict[str, npt.NDArray[Any]]:
        """All that it has counted, by name."""
        return {
            "totals": self._totals,
            "ip": self._ip,
            "ethertypes": self._ethertypes,
            "bits": self._bits,
            "stops": self._stops,
            "interfaces": self._interfaces,
        }

    def join(self, counts: Mapping[str, npt.NDArray[Any]]) -> bool:
        """Add what another has counted of the next range of the same capture. False where the clock goes back between the two.

        Neither may have seen that it does.
        """
        mine, more = self._totals[0], counts["totals"][0]
        if not more["frames"]:
            return True
        more = more.copy()
        if not mine["frames"]:
            mine["first_ns"], mine["least_step_ns"] = more["first_ns"], more["least_step_ns"]
        elif more["first_ns"] < mine["last_ns"]:
            return False
        else:
            _note_steps_between(mine, more)
        for name in SUMS:
            mine[name] += more[name]
        mine["least_step_ns"] = min(mine["least_step_ns"], more["least_step_ns"])
        mine["highest_interface"] = max(mine["highest_interface"], more["highest_interface"])
        for name in ("last_ns", "previous_ns", "previous_interface", "step_ns", "previous_port"):
            mine[name] = more[name]
        if len(counts["interfaces"]) > len(self._interfaces):
            self._interfaces = np.pad(self._interfaces, (0, len(counts["interfaces"]) - len(self._interfaces)))
        for name, array in self.counts().items():
            if name == "interfaces":
                array[: len(counts[name])] += counts[name]
            elif name != "totals":
                array += counts[name].reshape(array.shape)
        return True

    def note_copies(self, frames: int, size: int) -> None:
        """So many of the frames, of so many bytes, were found to be copies of others."""
        self._totals["copies"], self._totals["copied_bytes"] = frames, size

    def total(self, name: str) -> int:
        """One of the totals: frames, bytes, captured, first_ns, last_ns, regressions, ..."""
        return int(self._totals[name][0])

    def interface_frames(self, index: int) -> int:
        """Frames of one interface."""
        return int(self._interfaces[index]) if index < len(self._interfaces) else 0

    @property
    def protocols(self) -> list[Share]:
        """Protocols by frames, most first. IP frames count by the protocol above (innermost) IP."""
        found = [
            Share(
                f"IPv{4 if version == 0 else 6} {IP_PROTOCOLS.get(protocol, f'protocol {protocol}')}",
                int(frames),
                int(size),
            )
            for version in (0, 1)
            for protocol, (frames, size) in enumerate(self._ip[version].tolist())
            if frames
        ]
        for value in np.flatnonzero(self._ethertypes[:, 0]):
            frames, size = self._ethertypes[value].tolist()
            name = ETHERTYPES.get(int(value), f"EtherType {value:#06x}") if value else "no EtherType"
            found.append(Share(name, frames, size))
        return sorted(found, key=lambda share: (-share.frames, share.name))

    @property
    def layers(self) -> dict[str, int]:
        """Frames per header found."""
        return self._words(PACKETS["layers"], 0)

    @property
    def quirks(self) -> dict[str, int]:
        """Frames per peculiarity."""
        return self._words(PACKETS["quirks"], 1)

    @property
    def tunnels(self) -> dict[str, int]:
        """Frames per kind of tunnel."""
        return self._words(PACKETS["tunnels"], 2)

    @property
    def stops(self) -> dict[str, int]:
        """Frames per reason why decoding ended."""
        return {word: int(count) for word, count in zip(PACKETS["stop"].words, self._stops, strict=True) if count}

    def _words(self, column: Column, kind: int) -> dict[str, int]:
        return {word: int(self._bits[kind, bit]) for bit, word in enumerate(column.words) if self._bits[kind, bit]}

    def as_dict(self) -> dict[str, Any]:
        """Everything, as `analyze --json` gives it."""
        frames = self.total("frames")
        return {
            "frames": frames,
            "bytes": self.total("bytes"),
            "captured_bytes": self.total("captured"),
            "first_ns": self.total("first_ns") if frames else None,
            "last_ns": self.total("last_ns") if frames else None,
            "time_regressions": {
                "count": self.total("regressions"),
                "largest_ns": self.total("largest_regression_ns"),
                "first_frame": self.total("first_regression") or None,
            },
            "copies": {"frames": self.total("copies"), "bytes": self.total("copied_bytes")},
            "protocols": [{"name": s.name, "frames": s.frames, "bytes": s.bytes} for s in self.protocols],
            "layers": self.layers,
            "stops": self.stops,
            "quirks": self.quirks,
            "tunnels": self.tunnels,
        }


def _note_steps_between(before: Any, after: Any) -> None:
    """Add to what a range of a capture has counted what only shows beside the range before: the step to its first frame, and whether the next is as long."""
    step_ns, turned = after["first_ns"] - before["previous_ns"], after["first_port"] != before["previous_port"]
    regular = is_regular(step_ns, before["step_ns"])
    after["turns"] += turned
    after["still"] += step_ns == 0
    after["regular"] += regular
    after["regular_turns"] += regular and turned
    if step_ns > 0:
        after["least_step_ns"] = min(after["least_step_ns"], step_ns)
    if after["frames"] == 1:
        after["step_ns"] = step_ns
    elif is_regular(after["second_step_ns"], step_ns):
        after["regular"] += 1
        after["regular_turns"] += after["second_turned"]
