"""The passages between two points -> a row of `paths` for each direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.points.clock import Clock
from analyzer.points.fates import ARRIVED, CORRUPTED, DUPLICATED, INJECTED, LOST, REORDERED, UNKNOWN, WAS_ACKED
from analyzer.points.pending import COPY, MET, NEAR, WHOLE
from analyzer.points.sampling import RST
from analyzer.points.segment import DATAGRAM
from analyzer.points.survey import Survey
from analyzer.schema import Rows
from analyzer.tables import PASSAGES, PATHS

MOST_DELAYS = 1 << 20  # that are kept; beyond that every second of them, and so on
_LOSS = np.dtype([("connection", "i8"), ("way", "i8"), ("order", "i8")])


class PathTally:
    """Counts what became of the packets of one direction, from the point `side` of a pair to the other."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._counts: dict[str, int] = dict.fromkeys(
            ("packets", "bytes", "arrived", "lost", "lost_bytes", "reordered", "corrupted", "rewritten", "not_captured",
             "unknown", "duplicated", "injected", "repeated", "needed", "ack_lost", "needless", "windows_closed",
             "windows_closed_lost", "windows_opened_lost", "resets", "resets_injected"), 0,
        )  # fmt: skip
        self._fields = self._late_by = self._largest = self._first_lost = self._least = self._most = 0
        self._delays: list[npt.NDArray[np.int64]] = []
        self._kept, self._step, self._seen = 0, 1, 0
        self._losses: list[Rows] = []
        self._sizes: set[int] = set()

    def add(self, rows: Rows, found: Rows) -> None:
        """Take more of what was matched (PASSED), and its `passages`."""
        near = ((rows["status"] & NEAR) != 0) & (rows["side"] == self._side)
        self._add_sent(rows.compress(near), found.compress(near))
        far = ((rows["status"] & NEAR) == 0) & (rows["side"] != self._side) & (found["way"] != 0)
        came, told = rows.compress(far), found.compress(far)
        counts = self._counts
        counts["duplicated"] += int((told["fate"] == DUPLICATED).sum())
        counts["injected"] += int((told["fate"] == INJECTED).sum())
        reset = ((came["flags"] & RST) != 0) & ((came["flags"] & DATAGRAM) == 0)
        counts["resets"] += int((reset & ((came["status"] & (MET | COPY)) == MET)).sum())
        counts["resets_injected"] += int((reset & (told["fate"] == INJECTED)).sum())
        if len(told):
            self._late_by = max(self._late_by, int(told["late_by"].max()))
        first = ((came["status"] & (MET | COPY)) == MET) & (came["status"] & NEAR == 0)
        self._add_delays(told["delay_ns"][first])

    def _add_sent(self, rows: Rows, found: Rows) -> None:
        counts, fate = self._counts, found["fate"]
        known = fate != UNKNOWN
        lost, met = fate == LOST, (rows["status"] & MET) != 0
        whole = lost & ~met
        counts["packets"] += int(known.sum())
        counts["bytes"] += int(rows["payload_len"][known].sum())
        counts["arrived"] += int((known & ~whole).sum())
        counts["lost"] += int(lost.sum())
        counts["lost_bytes"] += int(found["lost_bytes"][lost].sum())
        counts["unknown"] += int((~known).sum())
        counts["not_captured"] += int(((fate == ARRIVED) & (found["reason"] == WAS_ACKED)).sum())
        for name, number in (("reordered", REORDERED), ("corrupted", CORRUPTED)):
            counts[name] += int((fate == number).sum())
        self._add_repeats(found, lost)
        changed = known & (found["fields"] != 0) & (fate != CORRUPTED)
        counts["rewritten"] += int(changed.sum())
        self._fields |= int(np.bitwise_or.reduce(found["fields"][changed])) if changed.any() else 0
        arrived = rows["ip_len"][(rows["status"] & WHOLE) != 0]
        self._largest = max(self._largest, int(arrived.max()) if len(arrived) else 0)
        if lost.any():
            self._sizes.update(np.unique(rows["ip_len"][whole]).tolist())
            some = np.zeros(int(lost.sum()), _LOSS)
            for name in _LOSS.names or ():
                some[name] = rows[name][lost]
            self._losses.append(some)
            if not self._first_lost:
                self._first_lost = int(rows["frame"][lost][0])

    def _add_repeats(self, found: Rows, lost: npt.NDArray[np.bool_]) -> None:
        counts = self._counts
        counts["repeated"] += int((found["retransmission"] != 0).sum())
        for word in ("needed", "ack_lost", "needless"):
            counts[word] += int((found["retransmission"] == PASSAGES.bit("retransmission", word)).sum())
        closed, opened = (found["window"] == PASSAGES.bit("window", word) for word in ("closed", "opened"))
        counts["windows_closed"] += int(closed.sum())
        counts["windows_closed_lost"] += int((closed & lost).sum())
        counts["windows_opened_lost"] += int((opened & lost).sum())

    def _add_delays(self, delays: npt.NDArray[np.int64]) -> None:
        if not len(delays):
            return
        self._least = min(self._least, int(delays.min())) if self._seen else int(delays.min())
        self._most = max(self._most, int(delays.max())) if self._seen else int(delays.max())
        kept = delays[-self._seen % self._step :: self._step].copy()
        self._seen += len(delays)
        self._delays.append(kept)
        self._kept += len(kept)
        if self._kept > MOST_DELAYS:
            every = np.concatenate(self._delays)[::2].copy()
            self._delays, self._kept, self._step = [every], len(every), 2 * self._step

    def row(self, survey: Survey, clock: Clock | None, ways: Rows, points: tuple[int, int]) -> Rows:
        """The row of `paths`; `clock` is that of where they came, against that of where they were sent."""
        row = np.zeros(1, PATHS.dtype)
        row["from_number"], row["to_number"] = points
        row["connections"] = survey.pairs.shared
        row["ended_between"] = int((survey.ends_here & ~survey.datagrams).sum())
        for name, number in self._counts.items():
            row[name] = number
        row["loss_rate"] = self._counts["lost"] / max(1, self._counts["packets"])
        row["bursts"], row["longest_burst"] = self._bursts()
        row["first_lost"], row["rewritten_fields"] = self._first_lost, self._fields
        row["reordering_extent"] = self._late_by
        row["largest_arrived"] = self._largest
        row["smallest_lost"] = min((size for size in self._sizes if size > self._largest > 0), default=0)
        row["hops"] = _hops(ways, survey, self._side)
        uncertainty = None if clock is None else clock.uncertainty_ns
        row["delay_uncertainty_ns"] = -1 if uncertainty is None else uncertainty
        if self._seen and clock is not None:
            every = np.concatenate(self._delays)
            row["delay_min_ns"], row["delay_max_ns"] = self._least, self._most
            row["delay_median_ns"], row["delay_p95_ns"] = (
                int(np.quantile(every, share, method="nearest")) for share in (0.5, 0.95)
            )
        if clock is not None:
            row["clock_offset_ns"], row["clock_drift_ppb"] = clock.offset_ns, round(clock.drift * 1e9)
            row["clock_low_ns"] = clock.offset_ns if clock.low_ns is None else clock.low_ns
            row["clock_high_ns"] = clock.offset_ns if clock.high_ns is None else clock.high_ns
        return row

    def _bursts(self) -> tuple[int, int]:
        """How many losses in a row there were, and how long the longest was."""
        if not self._losses:
            return 0, 0
        every = np.concatenate(self._losses)
        every = every[np.lexsort((every["order"], every["way"], every["connection"]))]
        new = np.ones(len(every), np.bool_)
        new[1:] = (np.diff(every["connection"]) != 0) | (np.diff(every["way"]) != 0) | (np.diff(every["order"]) != 1)
        starts = np.flatnonzero(new)
        return len(starts), int(np.diff(np.append(starts, len(every))).max())


def _hops(ways: Rows, survey: Survey, side: int) -> int:
    """How many routers most packets of this direction passed; -1 where none came."""
    some = ways[(survey.near == side) & (ways["ttl_known"] != 0)]
    if not len(some):
        return -1
    hops, at = np.unique(some["hops"], return_inverse=True)
    return int(hops[np.bincount(at, weights=some["came"]).argmax()])
