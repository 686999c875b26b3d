"""From whom to whom packets went, and by which protocol: what checksums are counted by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.schema import Rows

SLOTS = 1 << 14
INNER = ("src_hi", "src_lo", "dst_hi", "dst_lo")
OUTER = tuple(f"outer_{name}" for name in INNER)
FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5, 0x85EBCA77C2B2AE63], np.uint64)  # fmt: skip


class Ways:
    """Remembers the ways of the packet rows that it is fed, those of tunnels included."""

    def __init__(self) -> None:
        self._seen = np.zeros(SLOTS, np.uint64)  # most rows are of a way that came a moment ago
        self._ways: set[tuple[int, ...]] = set()
        self._outer: set[tuple[int, ...]] = set()

    def add(self, rows: Rows) -> None:
        """Take in rows of `packets`."""
        mixed = rows["ip_proto"] * FACTORS[4]
        for name, factor in zip(INNER, FACTORS, strict=False):
            mixed ^= rows[name] * factor
            mixed ^= mixed >> np.uint64(29)
        slots = mixed & np.uint64(SLOTS - 1)
        new = np.flatnonzero((self._seen[slots] != mixed) | (rows["tunnel_depth"] > 0))
        self._seen[slots[new]] = mixed[new]
        for row in rows[new]:
            self._ways.add((*(int(row[name]) for name in INNER), int(row["ip_proto"])))
            if row["tunnel_depth"]:
                self._outer.add(tuple(int(row[name]) for name in OUTER))

    def among(self, directions: Rows) -> npt.NDArray[np.bool_]:
        """Which of these directions (`checksums.state.DIRECTION`) are among them."""
        found = np.zeros(len(directions), np.bool_)
        for at, row in enumerate(directions):
            ends = tuple(int(row[name]) for name in INNER)
            found[at] = ends in self._outer if row["outer"] else (*ends, int(row["proto"])) in self._ways
        return found
